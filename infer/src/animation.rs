//! GIF files: pictures that follow on each other, without end.

use std::{
    io::{self, Write},
    path::Path,
};

use gif::{Encoder, EncodingError, Extension, Frame, Repeat};

use crate::{Error, Picture, file};

/// How long a frame is shown, in hundredths of a second.
const DELAY: u16 = 8;
/// Of the reduction to 256 colours, which grey pictures don't need: 1 is best, 30 is fastest.
const PALETTE_SPEED: i32 = 10;

impl Picture {
    /// Writes pictures of one size as an endless GIF, all of it or nothing, as
    /// [`write_png`](Self::write_png) does; they are taken one after the other. Grey ones share one
    /// palette of all 256 greys, each other one has 256 colours of its own. `texts` become one comment,
    /// a line each.
    ///
    /// # Errors
    ///
    /// [`Error::BadOutput`] for a path that can't be a GIF file's, [`Error::WriteFailed`], also for no
    /// frame at all, and for one of another size or of more than 65535 pixels to a side.
    pub fn write_gif(
        path: &Path,
        frames: impl IntoIterator<Item = Picture>,
        texts: &[(&str, String)],
    ) -> Result<(), Error> {
        file::check(path, &["gif"])?;
        file::write(path, |sink| encode(sink, frames, texts))
    }
}

/// Encodes a GIF, see [`Picture::write_gif`].
pub(crate) fn encode(
    mut sink: impl Write,
    frames: impl IntoIterator<Item = Picture>,
    texts: &[(&str, String)],
) -> io::Result<()> {
    let mut frames = frames.into_iter().peekable();
    let first = frames.peek().ok_or_else(|| io::Error::other("it would have no frame"))?;
    let (width, height) = (first.width(), first.height());
    let side = |pixels: usize| {
        u16::try_from(pixels)
            .map_err(|_| io::Error::other(format!("{pixels} pixels are more than a GIF's 65535")))
    };
    let greys: Vec<u8> = match first.is_greyscale() {
        true => (0..=255).flat_map(|grey| [grey; 3]).collect(),
        false => Vec::new(),
    };
    let mut encoder = Encoder::new(&mut sink, side(width)?, side(height)?, &greys).map_err(failed)?;
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    let comment: Vec<String> = texts.iter().map(|(keyword, text)| format!("{keyword}: {text}")).collect();
    encoder
        .write_raw_extension(Extension::Comment.into(), &[comment.join("\n").as_bytes()])
        .map_err(failed)?;
    for picture in frames {
        let (found, grey) = ((picture.width(), picture.height()), picture.is_greyscale());
        if found != (width, height) || grey == greys.is_empty() {
            return Err(io::Error::other("its frames differ in size or in colour"));
        }
        let (width, height, pixels) = (side(width)?, side(height)?, picture.bytes());
        let mut frame = match grey {
            true => Frame::from_indexed_pixels(width, height, pixels, None),
            false => Frame::from_rgb_speed(width, height, &pixels, PALETTE_SPEED),
        };
        frame.delay = DELAY;
        encoder.write_frame(&frame).map_err(failed)?;
    }
    // The file's last byte.
    encoder.into_inner().map_err(failed)?.flush()
}

fn failed(error: EncodingError) -> io::Error {
    match error {
        EncodingError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use ndarray::Array4;

    use super::*;

    /// Frame n of three pixels by two: level 20 · (x + y) + n, in colour in the red channel alone.
    fn frames(count: usize, channels: usize) -> Vec<Picture> {
        let frame = |n: usize| {
            Picture::grid(
                &Array4::from_shape_fn((1, channels, 2, 3), |(_, c, y, x)| match c {
                    0 => (20 * (x + y) + n) as u8,
                    _ => 0,
                }),
                1,
            )
        };
        (0..count).map(frame).collect()
    }

    #[test]
    fn every_pixel_of_every_frame_comes_back() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        for channels in [1, 3] {
            let path = folder.path().join(format!("{channels}.gif"));
            let written = frames(3, channels);
            Picture::write_gif(&path, written.clone(), &[("Seed", "7".into())])?;

            let mut options = gif::DecodeOptions::new();
            options.set_color_output(gif::ColorOutput::RGBA);
            let mut decoder = options.read_info(io::BufReader::new(File::open(&path)?))?;
            assert_eq!((decoder.width(), decoder.height()), (3, 2));
            let mut read = 0;
            while let Some(frame) = decoder.read_next_frame()? {
                assert_eq!(frame.delay, DELAY);
                for (i, pixel) in frame.buffer.chunks(4).enumerate() {
                    assert_eq!(pixel[..3], written[read].pixel(i % 3, i / 3), "frame {read}, pixel {i}");
                }
                read += 1;
            }
            assert_eq!((read, decoder.repeat()), (3, Repeat::Infinite));
            let bytes = std::fs::read(&path)?;
            assert!(bytes.windows(7).any(|window| window == b"Seed: 7"));
        }
        Ok(())
    }

    #[test]
    fn frames_that_make_no_gif_leave_no_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("none.gif");
        let wide = Picture::grid(&Array4::zeros((1, 1, 1, 65_536)), 1);
        let [grey, colour, large] = [frames(1, 1), frames(1, 3), vec![frames(1, 1)[0].enlarged(2)]];
        for (frames, part) in [
            (vec![], "no frame"),
            (vec![wide], "65536 pixels"),
            ([grey.clone(), colour].concat(), "in colour"),
            ([grey, large].concat(), "in size"),
        ] {
            let refused = Picture::write_gif(&path, frames, &[]);
            assert!(
                matches!(&refused, Err(Error::WriteFailed { reason, .. }) if reason.contains(part)),
                "{refused:?}"
            );
        }
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }
}
