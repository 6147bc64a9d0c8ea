//! `samples.gif`: how the fixed-noise grid changes from epoch to epoch.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use contract::picture::{Frame, Picture, encode_gif};
use image::{DynamicImage, ImageFormat};
use rayon::prelude::*;

/// A longer run shows this many of its grids, evenly chosen, the first and the last among them.
const MAX_FRAMES: usize = 100;
/// How long a grid is shown, in hundredths of a second.
const DELAY: u16 = 15;
/// How long the last one is.
const LAST_DELAY: u16 = 200;

/// Writes the PNG files `grids`, of one size and in this order, to `path` as an endless GIF.
///
/// # Errors
/// If a grid can't be read or differs in size from the last, or `path` can't be written.
pub fn write(grids: &[PathBuf], path: &Path) -> Result<()> {
    let chosen = evenly(grids, MAX_FRAMES);
    let Some(last) = chosen.len().checked_sub(1) else { return Ok(()) };
    let delay = |i| if i == last { LAST_DELAY } else { DELAY };
    let frames = chosen.par_iter().enumerate().map(|(i, grid)| frame(grid, delay(i)));
    let (sizes, frames): (Vec<_>, Vec<_>) = frames.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let [width, height] = sizes[last];
    if let Some(i) = sizes.iter().position(|size| *size != sizes[last]) {
        bail!(
            "{} has {}×{} pixels and {} {width}×{height}, so they can't be frames of one {}; move away what isn't of this run",
            chosen[i].display(),
            sizes[i][0],
            sizes[i][1],
            chosen[last].display(),
            path.display()
        );
    }
    contract::files::write(path, |file| encode_gif(file, frames.into_iter().map(Ok), &[]))?;
    Ok(())
}

/// Width and height of a grid, and the grid as a frame.
fn frame(path: &Path, delay: u16) -> Result<([usize; 2], Frame)> {
    let name = || format!("can't read {} as a frame; move it away to go on without it", path.display());
    let file = File::open(path).with_context(name)?;
    let picture = image::load(BufReader::new(file), ImageFormat::Png).with_context(name)?;
    let [height, width] = [picture.height(), picture.width()].map(|side| side as usize);
    let picture = match picture {
        DynamicImage::ImageLuma8(grey) => Picture::new([height, width, 1], grey.into_raw()),
        other => Picture::new([height, width, 3], other.into_rgb8().into_raw()),
    };
    let frame = Frame::new(&picture.with_context(name)?, delay).with_context(name)?;
    Ok(([width, height], frame))
}

/// At most `most` of `items`, evenly chosen, the first and the last among them.
fn evenly<T>(items: &[T], most: usize) -> Vec<&T> {
    let n = items.len();
    let count = n.min(most);
    let last = count.saturating_sub(1).max(1);
    // The nearest index to i / last of the way, in whole numbers.
    (0..count).map(|i| &items[(i * (n - 1) + last / 2) / last]).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::PathBuf;

    use image::{GrayImage, Luma, Rgb, RgbImage};

    use super::{DELAY, LAST_DELAY, evenly, write};

    /// Size, delays, and the RGB of the pixel at (4, 1) in each frame.
    fn decode(path: &PathBuf) -> ((u16, u16), Vec<u16>, Vec<[u8; 3]>) {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(File::open(path).unwrap()).unwrap();
        let (width, height) = (decoder.width(), decoder.height());
        let (mut delays, mut pixels) = (Vec::new(), Vec::new());
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            delays.push(frame.delay);
            let at = (usize::from(width) + 4) * 4;
            pixels.push([frame.buffer[at], frame.buffer[at + 1], frame.buffer[at + 2]]);
        }
        ((width, height), delays, pixels)
    }

    #[test]
    fn every_grid_is_a_frame_and_the_last_stays_longer() {
        let folder = tempfile::tempdir().unwrap();
        let grids: Vec<PathBuf> = (0..3u8)
            .map(|i| {
                let path = folder.path().join(format!("{i}.png"));
                GrayImage::from_fn(7, 3, |x, y| Luma([i * 100 + (x * y) as u8])).save(&path).unwrap();
                path
            })
            .collect();
        let path = folder.path().join("samples.gif");
        write(&grids, &path).unwrap();
        let expected = vec![[4; 3], [104; 3], [204; 3]];
        assert_eq!(decode(&path), ((7, 3), vec![DELAY, DELAY, LAST_DELAY], expected));
        // A later call replaces it, and nothing to show is nothing to write.
        write(&grids[..1], &path).unwrap();
        assert_eq!(decode(&path).1, [LAST_DELAY]);
        write(&[], &folder.path().join("none.gif")).unwrap();
        assert!(!folder.path().join("none.gif").exists());
    }

    #[test]
    fn colours_stay_colours() {
        let folder = tempfile::tempdir().unwrap();
        let grid = folder.path().join("colour.png");
        RgbImage::from_fn(7, 3, |x, _| Rgb([10 * x as u8, 200, 30])).save(&grid).unwrap();
        let path = folder.path().join("samples.gif");
        write(&[grid], &path).unwrap();
        assert_eq!(decode(&path), ((7, 3), vec![LAST_DELAY], vec![[40, 200, 30]]));
    }

    #[test]
    fn a_long_run_is_thinned_out_evenly() {
        let items: Vec<usize> = (0..1000).collect();
        let chosen = evenly(&items, 100);
        assert_eq!((chosen.len(), *chosen[0], *chosen[99]), (100, 0, 999));
        let steps: Vec<usize> = chosen.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (10..=11).contains(step)), "{steps:?}");
        for n in [0, 1, 2, 99, 100] {
            assert_eq!(evenly(&items[..n], 100), items[..n].iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn grids_that_are_of_another_size_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, text] = ["a.png", "b.png", "text.png"].map(|name| folder.path().join(name));
        GrayImage::new(7, 3).save(&a).unwrap();
        GrayImage::new(3, 7).save(&b).unwrap();
        std::fs::write(&text, "text").unwrap();
        let gif = folder.path().join("samples.gif");
        let error = write(&[a.clone(), b], &gif).unwrap_err().to_string();
        assert!(error.contains("a.png has 7×3 pixels") && error.contains("b.png 3×7"), "{error}");
        let error = write(&[a, text], &gif).unwrap_err().to_string();
        assert!(error.contains("text.png") && error.contains("move it away"), "{error}");
        assert!(!gif.exists());
    }
}
