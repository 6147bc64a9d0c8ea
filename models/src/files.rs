//! Writing a file so that it is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::{Error, Result};

/// Temporary files, until they are renamed.
const PREFIX: &str = ".edgegan-";
const SUFFIX: &str = ".tmp";

/// Writes `path` through a temporary file beside it: filled by `fill`, synced, then renamed over
/// the target, and the folder synced. Whatever goes wrong, the old file stays as it was; and what is
/// written by a later call is not on the disk before this.
///
/// # Errors
/// [`Error::Io`] if the folder can't be written or the disk is full, and whatever `fill` returns.
pub fn write_atomically<F>(path: &Path, fill: F) -> Result<()>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    let io = |action| move |source| Error::Io { action, path: path.to_path_buf(), source };
    let folder = folder_of(path);
    let mut file = tempfile::Builder::new()
        .prefix(PREFIX)
        .suffix(SUFFIX)
        .tempfile_in(folder)
        .map_err(|error| io("write")(without_path(error)))?;
    let mut buffered = io::BufWriter::new(file.as_file_mut());
    fill(&mut buffered).map_err(io("write"))?;
    buffered.flush().map_err(io("write"))?;
    drop(buffered);
    file.as_file().sync_all().map_err(io("write"))?;
    // A temporary file is private to its owner; what replaces it has an ordinary file's mode.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_or(0o644, |m| m.permissions().mode());
        file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(io("write"))?;
    }
    file.persist(path).map_err(|e| io("write")(e.error))?;
    sync_folder(folder).map_err(io("write"))
}

/// Appends `bytes` to `file`, all or none of them.
///
/// # Errors
/// The system's, such as that of a full disk.
pub fn append_whole(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(bytes).inspect_err(|_| {
        // The error that is told is the first; a reader has to bear half a line after a power cut
        // anyway.
        let _ = file.set_len(before);
    })
}

/// Removes what writers left in `folder` that were killed. To be called where no other writes there.
pub fn remove_temporaries(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_temporary = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_temporary)) {
        // One that stays does no harm.
        let _ = fs::remove_file(entry.path());
    }
}

/// Has the names of a folder's files on the disk, renamed and new ones: only then does a file survive
/// a power cut.
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
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Without the temporary file's path, which nobody asked for.
fn without_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((text, _)) => io::Error::new(error.kind(), text),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::{append_whole, remove_temporaries, write_atomically};

    fn names(folder: &std::path::Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, |file| file.write_all(b"old")).unwrap();
        let error = write_atomically(&path, |file| {
            file.write_all(b"new")?;
            Err(std::io::ErrorKind::StorageFull.into())
        });
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("can't write ") && text.contains("/file: "), "{text}");
        assert_eq!((fs::read(&path).unwrap(), names(folder.path())), (b"old".to_vec(), vec!["file".into()]));
    }

    #[test]
    fn the_error_names_the_file_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone/file");
        let text = write_atomically(&path, |_| Ok(())).unwrap_err().to_string();
        assert_eq!(text, format!("can't write {}: No such file or directory (os error 2)", path.display()));
    }

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
        assert_eq!(names(folder.path()), [".edgegan-notes", ".lock", "edgegan-Ab1.tmp"]);
        remove_temporaries(&folder.path().join("gone"));
    }
}
