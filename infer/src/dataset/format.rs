//! The forms of a data set, and what each can hold.

use std::{fmt, path::Path};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Refused;

/// The form of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// MNIST's two files, in a folder
    Idx,
    /// NumPy's archive of two arrays
    Npz,
    /// A folder for each class, and labels.csv
    Folder,
    /// The pixels, a byte each
    Raw,
    /// A JSON object a line
    Jsonl,
}

impl Format {
    /// Whether the output is a folder.
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Idx | Self::Folder)
    }

    /// Whether it can go down a pipe.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Raw | Self::Jsonl)
    }

    /// Labels are bytes.
    pub fn most_classes(self) -> usize {
        match self {
            Self::Idx | Self::Npz => 256,
            Self::Folder | Self::Raw | Self::Jsonl => usize::MAX,
        }
    }

    /// IDX counts the images of a file in 32 bits.
    pub fn most_images(self) -> u64 {
        if self == Self::Idx { u32::MAX.into() } else { u64::MAX }
    }

    /// The form that a name suggests: of a folder IDX, of a pipe the pixels.
    ///
    /// # Errors
    ///
    /// [`Refused`] for the name of a file of any other kind: it would become a folder.
    pub fn of(output: &Path, is_stream: bool) -> Result<Self, Refused> {
        let extension = output.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("npz") => return Ok(Self::Npz),
            Some("jsonl") => return Ok(Self::Jsonl),
            Some("raw") => return Ok(Self::Raw),
            _ if is_stream => return Ok(Self::Raw),
            _ => {}
        }
        let says_folder = output.as_os_str().as_encoded_bytes().ends_with(b"/");
        match extension {
            Some(extension) if !says_folder && !output.is_dir() => Err(Refused(format!(
                "output {}: no data set is written as .{extension}; name a file that ends in .npz, .jsonl or \
                 .raw, or say with --format idx or --format folder that this is to be a folder",
                output.display(),
            ))),
            _ => Ok(Self::Idx),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idx => "idx",
            Self::Npz => "npz",
            Self::Folder => "folder",
            Self::Raw => "raw",
            Self::Jsonl => "jsonl",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_suggests_its_form_or_is_refused() {
        let of = |name: &str, is_stream| Format::of(Path::new(name), is_stream).map_err(|refused| refused.0);
        for (name, form) in [
            ("fake", Format::Idx),
            ("a.b/fake", Format::Idx),
            ("fake.v2/", Format::Idx),
            ("fake.npz", Format::Npz),
            ("fake.NPZ", Format::Npz),
            ("x.y.jsonl", Format::Jsonl),
            (".raw", Format::Idx),
            ("fake.raw", Format::Raw),
        ] {
            assert_eq!(of(name, false), Ok(form), "{name}");
        }
        for (name, form) in [("-", Format::Raw), ("/dev/stdout", Format::Raw), ("pipe.jsonl", Format::Jsonl)]
        {
            assert_eq!(of(name, true), Ok(form), "{name}");
        }
        for name in ["x.csv", "a/x.PNG", "x.tar.gz"] {
            let refused = of(name, false).unwrap_err();
            assert!(refused.contains(name) && refused.contains("--format folder"), "{refused}");
        }
        let folder = tempfile::Builder::new().suffix(".d").tempdir().unwrap();
        assert_eq!(of(folder.path().to_str().unwrap(), false), Ok(Format::Idx));
    }
}
