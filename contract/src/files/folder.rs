//! Folders: making them, and syncing their files.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The folder that a path's file is in; a bare name is in the current one.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a folder and the missing ones above it, so that they survive a power cut. Returns those that it
/// made, the outermost first.
///
/// # Errors
/// The system's; nothing is left then.
pub fn create_folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.is_dir();
    let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
    let mut made = Vec::new();
    for folder in missing.into_iter().rev() {
        let created = match fs::create_dir(folder) {
            // Another process was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => continue,
            Err(error) => Err(error),
            Ok(()) => {
                made.push(folder.to_path_buf());
                sync_folder(folder_of(folder))
            }
        };
        if let Err(error) = created {
            made.iter().rev().for_each(|folder| drop(fs::remove_dir(folder)));
            return Err(error);
        }
    }
    Ok(made)
}

/// Brings the names of a folder's new and renamed files to the disk: only then does a file survive a power
/// cut.
///
/// # Errors
/// The system's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        // Elsewhere a folder can't be opened as a file, and a rename is as durable as it gets.
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        // Some network file systems can't.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Brings many files and their names to the disk: those below `root`, on its own file system.
///
/// Linux does it for a whole file system at once, in a fraction of the time that it takes file by file.
/// `files` are the ones that were written since the last time, for all other systems.
///
/// # Errors
/// The system's.
pub fn sync_all(root: &Path, files: impl IntoIterator<Item = PathBuf>) -> io::Result<()> {
    match sync_file_system(root) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        result => return result,
    }
    let mut folders = std::collections::BTreeSet::new();
    for file in files {
        File::options().write(true).open(&file)?.sync_all()?;
        folders.insert(folder_of(&file).to_path_buf());
    }
    folders.iter().try_for_each(|folder| sync_folder(folder))
}

#[cfg(target_os = "linux")]
fn sync_file_system(folder: &Path) -> io::Result<()> {
    let folder = File::open(folder)?;
    // SAFETY: syncfs takes any open file's number, and touches no memory.
    match unsafe { libc::syncfs(std::os::fd::AsRawFd::as_raw_fd(&folder)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_all_or_none() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        assert_eq!(create_folders(&path("a/b/c")).unwrap(), [path("a"), path("a/b"), path("a/b/c")]);
        assert!(path("a/b/c").is_dir() && create_folders(&path("a/b")).unwrap().is_empty());
        fs::write(path("file"), "").unwrap();
        assert!(create_folders(&path("file/a")).is_err());
        // A name that is too long for a folder, in one that could be made.
        assert!(create_folders(&path("new").join("x".repeat(300))).is_err());
        assert!(!path("new").exists());
        sync_all(root.path(), [path("file")]).unwrap();
        assert_eq!(
            (folder_of(Path::new("x")), folder_of(Path::new("a/x"))),
            (Path::new("."), Path::new("a"))
        );
    }
}
