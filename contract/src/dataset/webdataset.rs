//! Tar files (POSIX's ustar) as WebDataset reads them: for each image `000000.png`, `000000.cls` with the
//! class's number, or `000000.txt` with a string's characters, and `000000.json` with all that is known of it.
//!
//! A file is whole after each image, but for the two empty blocks at its end.

#[cfg(feature = "read")]
mod read;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Definition, Error, Facts, Manifest, Opened,
    growing::Growing,
    images::Known,
    manifest::Part,
    plan::Volume,
    series::{self, Entry, Member, PER_FILE},
};

#[cfg(feature = "read")]
pub use read::read;

/// Tar files as WebDataset reads them.
pub struct WebDataset;

/// What the files' names end in.
pub const EXTENSION: &str = "tar";
/// Tar's unit.
const BLOCK: usize = 512;

impl Definition for WebDataset {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "webdataset",
            summary: "tar files, for WebDataset",
            has_test: true,
            per_file: Some(PER_FILE),
            ..Facts::FOLDER
        }
    }

    fn in_the_way(&self, output: &Path, _: &[String]) -> Option<PathBuf> {
        let paths = fs::read_dir(output).into_iter().flatten().flatten().map(|entry| entry.path());
        paths.into_iter().find(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
    }

    fn open(&self, manifest: &Manifest, output: &Path, _: [usize; 3]) -> Opened {
        series::open(Files { classes: manifest.classes.clone() }, manifest, output)
    }
}

struct Files {
    classes: Vec<String>,
}

impl series::Kind for Files {
    type Member = Writer;

    fn name(Volume { split, number, .. }: &Volume) -> String {
        format!("{split}-{number:06}.{EXTENSION}")
    }

    fn open(&self, part: &Part<'_>, images: u64) -> Result<Writer, Error> {
        Ok(Writer { file: Growing::open(part, |_| {})?, classes: self.classes.clone(), count: images })
    }
}

struct Writer {
    file: Growing,
    classes: Vec<String>,
    count: u64,
}

impl Writer {
    fn push(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.file.push(&header(name, content.len())?)?;
        self.file.push(content)?;
        self.file.push(&[0; BLOCK][..content.len().next_multiple_of(BLOCK) - content.len()])
    }
}

impl Member for Writer {
    fn append(&mut self, &Entry { index, label, confidence, string, png }: &Entry<'_>) -> io::Result<()> {
        let known = serde_json::to_vec(&Known::new(index, label, confidence, string, &self.classes))?;
        self.push(&format!("{index:06}.png"), png)?;
        if let Some(label) = label {
            self.push(&format!("{index:06}.cls"), label.to_string().as_bytes())?;
        }
        if let Some(string) = string {
            self.push(&format!("{index:06}.txt"), string.text(&self.classes).as_bytes())?;
        }
        self.push(&format!("{index:06}.json"), &known)?;
        self.count += 1;
        Ok(())
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.file.push(&[0; 2 * BLOCK])
    }

    fn file(&mut self) -> &mut Growing {
        &mut self.file
    }
}

/// The header of a file that anyone may read, of 1 January 1970 and of nobody.
fn header(name: &str, size: usize) -> io::Result<[u8; BLOCK]> {
    let size = format!("{size:011o}\0");
    let mut header = [0; BLOCK];
    // Name, mode, user, group, size, time, checksum (taken as blanks), a regular file, magic and version.
    let fields: [(usize, usize, &[u8]); 9] = [
        (0, 100, name.as_bytes()),
        (100, 8, b"0000644\0"),
        (108, 8, b"0000000\0"),
        (116, 8, b"0000000\0"),
        (124, 12, size.as_bytes()),
        (136, 12, b"00000000000\0"),
        (148, 8, b"        "),
        (156, 1, b"0"),
        (257, 8, b"ustar\x0000"),
    ];
    for (place, length, value) in fields {
        if value.len() > length {
            return Err(io::Error::other("a file of 8 GiB or more does not fit into a tar file"));
        }
        header[place..place + value.len()].copy_from_slice(value);
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}
