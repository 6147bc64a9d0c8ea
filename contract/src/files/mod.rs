//! Files that are written whole or not at all, that two processes don't write at once, and that can be
//! checked against what they were.
//!
//! A result goes through [`write()`]: to a temporary name beside its target, synced, renamed over it, and
//! its folder synced. Files that grow in place take a [`Lock`]. What a later process builds on has its
//! [SHA-256](sha256) kept.

mod digest;
mod folder;
mod lock;
mod names;
mod read;
mod write;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

pub use digest::{from_hex, hex, sha256, sha256_of};
pub use folder::{create_folders, folder_of, sync_all, sync_folder};
pub use lock::Lock;
pub use names::{distinct_names, file_name};
pub use read::{is_pipe, read};
pub use write::{Destination, STDOUT, is_same, is_stdout, write};

/// Temporary files and folders begin so until they are renamed.
pub const PREFIX: &str = ".edgegan-";
/// They end so.
pub const SUFFIX: &str = ".tmp";

/// A file that can't be written, with the system's reason.
#[derive(Debug, thiserror::Error)]
#[error("can't write {}: {source}", path.display())]
pub struct Error {
    /// The path as given.
    pub path: PathBuf,
    /// The system's words, or ours where a path is none to write to.
    pub source: io::Error,
}

impl Error {
    /// Of a path, as a function for `map_err`.
    pub(crate) fn of(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self { path: path.into(), source }
    }
}

/// Appends `bytes` to `file`, all or none of them.
///
/// # Errors
/// The system's, such as that of a full disk.
pub fn append_whole(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(bytes).inspect_err(|_| {
        // The first error is the one to report; after a power cut a reader may find half a line
        // anyway.
        let _ = file.set_len(before);
    })
}

/// Removes what killed writers left in `folder`. To be called where no other process writes there.
pub fn remove_temporaries(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_temporary = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_temporary)) {
        // One that stays does no harm.
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn half_a_line_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let open = || File::options().create(true).append(true).open(&path).unwrap();
        append_whole(&mut open(), b"one\n").unwrap();
        append_whole(&mut open(), b"two\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        // Linux's own full disk.
        let mut full = File::options().append(true).open("/dev/full").unwrap();
        assert_eq!(append_whole(&mut full, b"three\n").unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }

    #[test]
    fn only_temporaries_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".edgegan-Ab1.tmp", ".edgegan-notes", "edgegan-Ab1.tmp", ".lock"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_temporaries(folder.path());
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".edgegan-notes", ".lock", "edgegan-Ab1.tmp"]);
        remove_temporaries(&folder.path().join("gone"));
    }
}
