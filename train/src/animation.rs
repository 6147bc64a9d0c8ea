//! `samples.gif`: how the fixed-noise grid changes from epoch to epoch.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gif::{Encoder, Frame, Repeat};
use image::{DynamicImage, ImageFormat};
use rayon::prelude::*;

/// A longer run shows this many of its grids, evenly chosen, the first and the last among them.
const MAX_FRAMES: usize = 100;
/// How long a grid is shown, in hundredths of a second.
const DELAY: u16 = 15;
/// How long the last one is.
const LAST_DELAY: u16 = 200;
/// Of the reduction to 256 colours, which grey pictures don't need: 1 is best, 30 is fastest.
const PALETTE_SPEED: i32 = 10;

/// Writes the PNG files `grids`, of one size and in this order, to `path` as an endless GIF.
///
/// # Errors
/// If a grid can't be read or differs in size from the last, or `path` can't be written.
pub fn write(grids: &[PathBuf], path: &Path) -> Result<()> {
    let chosen = evenly(grids, MAX_FRAMES);
    let mut frames = chosen.par_iter().map(|grid| frame(grid)).collect::<Result<Vec<_>>>()?;
    let Some(last) = frames.last_mut() else { return Ok(()) };
    last.delay = LAST_DELAY;
    let (width, height) = (last.width, last.height);
    if let Some(i) = frames.iter().position(|frame| (frame.width, frame.height) != (width, height)) {
        bail!(
            "{} has {}×{} pixels and {} {width}×{height}, so they can't be frames of one {}; move away what isn't of this run",
            chosen[i].display(),
            frames[i].width,
            frames[i].height,
            chosen[chosen.len() - 1].display(),
            path.display()
        );
    }

    let mut gif = Vec::new();
    let greys: Vec<u8> = (0..=255).flat_map(|grey| [grey; 3]).collect();
    let mut encode = || {
        let mut encoder = Encoder::new(&mut gif, width, height, &greys)?;
        encoder.set_repeat(Repeat::Infinite)?;
        frames.iter().try_for_each(|frame| encoder.write_lzw_pre_encoded_frame(frame))
    };
    encode().with_context(|| format!("can't encode {}", path.display()))?;
    contract::files::write(path, |file| file.write_all(&gif))?;
    Ok(())
}

/// A grid as a frame, compressed. Grey ones use the GIF's own palette, which has all greys; others
/// bring one of 256 colours.
fn frame(path: &Path) -> Result<Frame<'static>> {
    let name = || format!("can't read {} as a frame; move it away to go on without it", path.display());
    let file = File::open(path).with_context(name)?;
    let picture = image::load(BufReader::new(file), ImageFormat::Png).with_context(name)?;
    let (width, height) = (u16::try_from(picture.width()), u16::try_from(picture.height()));
    let (width, height) = (width.with_context(name)?, height.with_context(name)?);
    let mut frame = match picture {
        DynamicImage::ImageLuma8(grey) => Frame::from_indexed_pixels(width, height, grey.into_raw(), None),
        other => Frame::from_rgb_speed(width, height, &other.into_rgb8(), PALETTE_SPEED),
    };
    frame.delay = DELAY;
    frame.make_lzw_pre_encoded();
    Ok(frame)
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
