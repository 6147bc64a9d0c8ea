//! GIF files: pictures shown one after the other, in an endless loop.

use std::io::{self, Write};

use gif::{Encoder, EncodingError, Extension, Repeat};

use super::Picture;

/// Of the reduction to 256 colours, which grey pictures don't need: 1 is best, 30 is fastest.
const PALETTE_SPEED: i32 = 10;

/// A frame of a GIF, compressed. Frames are made apart from their file, so that threads can share the work.
#[derive(Debug, Clone)]
pub struct Frame {
    frame: gif::Frame<'static>,
    is_grey: bool,
}

impl Frame {
    /// A picture that is shown for `delay` hundredths of a second. A grey one uses the palette of all 256
    /// greys that the file has; another one brings 256 colours of its own.
    ///
    /// # Errors
    ///
    /// If the picture has more than 65535 pixels to a side.
    pub fn new(picture: &Picture, delay: u16) -> io::Result<Self> {
        let side = |pixels: usize| {
            u16::try_from(pixels)
                .map_err(|_| io::Error::other(format!("{pixels} pixels are more than a GIF's 65535")))
        };
        let (width, height, pixels) = (side(picture.width())?, side(picture.height())?, picture.bytes());
        let is_grey = picture.is_greyscale();
        let mut frame = match is_grey {
            true => gif::Frame::from_indexed_pixels(width, height, pixels.into_owned(), None),
            false => gif::Frame::from_rgb_speed(width, height, &pixels, PALETTE_SPEED),
        };
        frame.delay = delay;
        frame.make_lzw_pre_encoded();
        Ok(Self { frame, is_grey })
    }
}

/// Writes frames of one size, all grey or all in colour, as an endless GIF; they are taken one after the
/// other. `texts`, if there are any, become one comment, a line each.
///
/// # Errors
///
/// If there is no frame, one differs from the first in size or in having colour, or one has an error of its
/// own; the sink's.
pub fn encode_gif(
    mut sink: impl Write,
    frames: impl IntoIterator<Item = io::Result<Frame>>,
    texts: &[(&str, String)],
) -> io::Result<()> {
    let mut frames = frames.into_iter();
    let first = frames.next().ok_or_else(|| io::Error::other("it would have no frame"))??;
    let (width, height, is_grey) = (first.frame.width, first.frame.height, first.is_grey);
    let greys: Vec<u8> = match is_grey {
        true => (0..=255).flat_map(|grey| [grey; 3]).collect(),
        false => Vec::new(),
    };
    let mut encoder = Encoder::new(&mut sink, width, height, &greys).map_err(failed)?;
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    if !texts.is_empty() {
        let comment: Vec<String> = texts.iter().map(|(keyword, text)| format!("{keyword}: {text}")).collect();
        encoder
            .write_raw_extension(Extension::Comment.into(), &[comment.join("\n").as_bytes()])
            .map_err(failed)?;
    }
    for next in std::iter::once(Ok(first)).chain(frames) {
        let next = next?;
        if (next.frame.width, next.frame.height, next.is_grey) != (width, height, is_grey) {
            return Err(io::Error::other("its frames differ in size or in colour"));
        }
        encoder.write_lzw_pre_encoded_frame(&next.frame).map_err(failed)?;
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
    use std::{fs::File, path::Path};

    use ndarray::Array4;

    use super::*;
    use crate::files;

    fn write_gif(path: &Path, pictures: &[Picture], texts: &[(&str, String)]) -> Result<(), files::Error> {
        let frames = pictures.iter().zip(7..).map(|(picture, delay)| Frame::new(picture, delay));
        files::write(path, |sink| encode_gif(sink, frames, texts))
    }

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
            write_gif(&path, &written, &[("Seed", "7".into())])?;

            let mut options = gif::DecodeOptions::new();
            options.set_color_output(gif::ColorOutput::RGBA);
            let mut decoder = options.read_info(io::BufReader::new(File::open(&path)?))?;
            assert_eq!((decoder.width(), decoder.height()), (3, 2));
            let mut read = 0;
            while let Some(frame) = decoder.read_next_frame()? {
                assert_eq!(usize::from(frame.delay), 7 + read);
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
            let refused = write_gif(&path, &frames, &[]).unwrap_err().source.to_string();
            assert!(refused.contains(part), "{refused}");
        }
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }
}
