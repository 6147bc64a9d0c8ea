//! MNIST's four files: their names, lengths and digests.

use crate::sources::Split;

/// One of the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct MnistFile {
    pub name: &'static str,
    /// Length in bytes, uncompressed.
    pub length: u64,
    /// SHA-256 of the uncompressed file.
    pub sha256: &'static str,
}

/// The files of a dataset, images before labels.
#[derive(Debug)]
pub(super) struct Files {
    pub train: [MnistFile; 2],
    pub test: [MnistFile; 2],
}

/// The genuine files, as first published: their MD5 begin 6bbc9ace, a25bea73, 2646ac64 and 27ae3e4e.
pub(super) const MNIST: Files = Files {
    train: [
        MnistFile {
            name: "train-images-idx3-ubyte",
            length: 47_040_016,
            sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        },
        MnistFile {
            name: "train-labels-idx1-ubyte",
            length: 60_008,
            sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        },
    ],
    test: [
        MnistFile {
            name: "t10k-images-idx3-ubyte",
            length: 7_840_016,
            sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        },
        MnistFile {
            name: "t10k-labels-idx1-ubyte",
            length: 10_008,
            sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ],
};

impl Files {
    /// The files that make up a part.
    pub fn of(&self, split: Split) -> Vec<MnistFile> {
        match split {
            Split::Train => self.train.to_vec(),
            Split::Test => self.test.to_vec(),
            Split::All => [self.train, self.test].concat(),
        }
    }
}
