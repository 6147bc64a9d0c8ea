//! PNG files.

use std::{
    io::{self, Write},
    path::Path,
};

use png::{BitDepth, ColorType, Compression, Encoder};

use super::Picture;
use crate::files;

impl Picture {
    /// Writes a PNG file, all of it or nothing, as [`files::write`] does. `texts` become its text chunks,
    /// keyword and value.
    ///
    /// # Errors
    ///
    /// If it can't be written, or the picture is too large for a PNG.
    pub fn write_png(&self, path: &Path, texts: &[(&str, String)]) -> Result<(), files::Error> {
        files::write(path, |sink| self.encode_png(sink, texts))
    }

    /// Writes the bytes of a PNG file.
    ///
    /// # Errors
    ///
    /// The sink's, or that the picture is too large for a PNG.
    pub fn encode_png(&self, sink: impl Write, texts: &[(&str, String)]) -> io::Result<()> {
        self.encode(sink, texts, None)
    }

    fn encode(
        &self,
        mut sink: impl Write,
        texts: &[(&str, String)],
        compression: Option<Compression>,
    ) -> io::Result<()> {
        let side = |pixels: usize| u32::try_from(pixels).map_err(io::Error::other);
        let mut encoder = Encoder::new(&mut sink, side(self.width())?, side(self.height())?);
        if let Some(compression) = compression {
            encoder.set_compression(compression);
        }
        encoder.set_depth(BitDepth::Eight);
        encoder.set_color(if self.is_greyscale() { ColorType::Grayscale } else { ColorType::Rgb });
        for (keyword, text) in texts {
            encoder.add_itxt_chunk((*keyword).into(), text.clone())?;
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.bytes())?;
        writer.finish()?;
        sink.flush()
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    ///
    /// If the picture is too large for a PNG.
    pub fn to_png(&self, texts: &[(&str, String)]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode_png(&mut bytes, texts)?;
        Ok(bytes)
    }

    /// As [`to_png`](Self::to_png), in a fraction of the time, and a little larger.
    ///
    /// # Errors
    ///
    /// If the picture is too large for a PNG.
    pub fn to_quick_png(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes, &[], Some(Compression::Fast))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ndarray::Array3;

    use super::{super::tests::images, *};

    #[test]
    fn a_png_reads_back_as_it_was() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        for channels in [1, 3] {
            let path = folder.path().join(format!("{channels}.PNG"));
            let picture = Picture::grid(&images(4, channels), 3);
            picture.write_png(&path, &[("Seed", "7".into()), ("Model", "größer".into())])?;

            let decoder = png::Decoder::new(io::BufReader::new(fs::File::open(&path)?));
            let mut reader = decoder.read_info()?;
            let mut bytes = vec![0; 4 * 9 * channels];
            let info = reader.next_frame(&mut bytes)?;
            assert_eq!((info.width, info.height), (9, 4));
            let read = Array3::from_shape_vec((4, 9, channels), bytes)?;
            assert_eq!(read, picture.pixels);
            let texts = &reader.info().utf8_text;
            assert_eq!(texts[1].keyword, "Model");
            assert_eq!(texts[1].get_text()?, "größer");
        }
        let names: Vec<_> = fs::read_dir(folder.path())?.collect();
        assert_eq!(names.len(), 2, "nothing temporary is left: {names:?}");
        Ok(())
    }
}
