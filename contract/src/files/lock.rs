//! One process at a time.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// A lock on a file, held until it is dropped or the process ends, however it ends.
///
/// It is the system's advisory lock (flock): it keeps out other processes that take it too, and a process
/// that is killed leaves nothing to clean up.
#[derive(Debug)]
pub struct Lock {
    file: File,
    remove: Option<PathBuf>,
}

impl Lock {
    /// Takes the lock on a file, which is created if it isn't there and stays; `None` if another
    /// process has it.
    ///
    /// # Errors
    /// If the file can't be opened for writing.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        Ok(take(path)?.map(|file| Self { file, remove: None }))
    }

    /// As [`take`](Self::take), with a file that serves as a lock only and is removed with it.
    ///
    /// # Errors
    /// If the file can't be opened for writing.
    pub fn take_temporary(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let Some(file) = take(path)? else { return Ok(None) };
            // Its owner may have removed it after we opened and before we locked it, and another
            // process may have created it again: then this lock keeps nobody out.
            if fs::metadata(path).is_ok_and(|now| file.metadata().is_ok_and(|ours| is_one(&ours, &now))) {
                return Ok(Some(Self { file, remove: Some(path.into()) }));
            }
        }
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(path) = &self.remove {
            // While it is still held, see `take_temporary`.
            let _ = fs::remove_file(path);
        }
    }
}

fn take(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().read(true).append(true).create(true).open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        // Some network file systems have no locks; there the program works without one.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// Whether two files are the same one.
pub(super) fn is_one(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (a.dev(), a.ino()) == (b.dev(), b.ino())
    }
    // Elsewhere an open file can't be removed, so its name is still its own.
    #[cfg(not(unix))]
    {
        let _ = (a, b);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_keeps_others_out_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let first = Lock::take(&path).unwrap();
        assert!(first.is_some() && Lock::take(&path).unwrap().is_none());
        drop(first);
        assert!(path.exists() && Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn a_temporary_lock_leaves_nothing_and_is_one_whoever_comes_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Some(_lock) = Lock::take_temporary(&path).unwrap() {
                            let others = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                            assert_eq!(others, 0, "two have one lock");
                            std::thread::yield_now();
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(!path.exists());
    }
}
