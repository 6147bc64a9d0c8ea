//! What can be wrong with IDX files, each with what to do about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Kind;

/// What can be wrong with an IDX file, or with images and labels that should belong together.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdxError {
    /// The file could not be opened or read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The gzip stream is cut off, altered, or followed by something else.
    #[error("{} is a damaged gzip file ({source}); fetch it again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The file ends within its header.
    #[error(
        "{} ends after {found} bytes, within the {expected}-byte header of an IDX {kind} file; \
         fetch it again",
        path.display()
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        kind: Kind,
        /// Its length, in bytes.
        found: usize,
        /// The header's length, in bytes.
        expected: usize,
    },

    /// The file starts with another magic number.
    #[error(
        "{} starts with the magic number {found}, but an IDX {kind} file starts with {expected}; \
         check that this is the {kind} file",
        path.display()
    )]
    Magic {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        kind: Kind,
        /// The number found.
        found: u32,
        /// The number expected.
        expected: u32,
    },

    /// The header says that there is nothing in the file.
    #[error("{} holds no {kind}: its header says {shape}; a file with at least one is needed", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        kind: Kind,
        /// The sizes in the header.
        shape: String,
    },

    /// The file is shorter or longer than its header promises.
    #[error(
        "{} holds {found} bytes after its header, but {shape} take {expected}; \
         it is cut off or not whole, so fetch it again",
        path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// The sizes in the header.
        shape: String,
        /// Bytes after the header: a number, "at least" or "at most" one.
        found: String,
        /// Bytes the header promises.
        expected: u128,
    },

    /// Pictures have neither one channel nor three.
    #[error("{} holds pictures of {found} channels; 1 (grey) or 3 (red, green, blue) were expected", path.display())]
    Channels {
        /// The file.
        path: PathBuf,
        /// Channels of a picture.
        found: u32,
    },

    /// Pixels given in memory do not make up whole pictures.
    #[error(
        "{found} pixels do not make up whole pictures of {height}×{width}; give at least one \
         picture, and every picture all its pixels"
    )]
    Pixels {
        /// Pixels given.
        found: usize,
        /// Rows of a picture.
        height: usize,
        /// Columns of a picture.
        width: usize,
    },

    /// There are more images than labels, or the reverse.
    #[error(
        "{images} holds {image_count} images but {labels} holds {label_count} labels; \
         give the two files that belong together"
    )]
    Counts {
        /// Where the images are from.
        images: String,
        /// How many there are.
        image_count: usize,
        /// Where the labels are from.
        labels: String,
        /// How many there are.
        label_count: usize,
    },

    /// A label names a class that isn't there.
    #[error(
        "label {index} of {labels} is {found}, but every label must be below {classes}, the number of \
         classes; give labels of {classes} classes"
    )]
    Label {
        /// Where the labels are from.
        labels: String,
        /// Which label, counted from 0.
        index: usize,
        /// Its value.
        found: u8,
        /// Number of classes.
        classes: usize,
    },

    /// Two sets of pictures that should be joined differ in size.
    #[error(
        "the pictures of {first} are {}×{} but those of {second} are {}×{}; \
         give files with pictures of one size",
        first_size.0, first_size.1, second_size.0, second_size.1
    )]
    Sizes {
        /// The first set.
        first: String,
        /// Its pictures' height and width.
        first_size: (usize, usize),
        /// The second set.
        second: String,
        /// Its pictures' height and width.
        second_size: (usize, usize),
    },

    /// Two sets that should be joined are of grey pictures and of pictures in colour.
    #[error("the pictures of {grey} are grey but those of {colour} in colour; give files of one kind")]
    Colours {
        /// The set of grey pictures.
        grey: String,
        /// The set in colour.
        colour: String,
    },

    /// Two sets can't be one, as only one of them has labels.
    #[error("{labelled} has labels but {unlabelled} has none; give sets that both have labels, or neither")]
    Unlabelled {
        /// The set with labels.
        labelled: String,
        /// The set without.
        unlabelled: String,
    },
}
