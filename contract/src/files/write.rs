//! Writing a file whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{Error, PREFIX, SUFFIX, folder_of, lock::is_one, read::is_stream, sync_folder};

/// How many links that lead to links are followed, as many as Linux follows.
const MOST_LINKS: usize = 40;

/// What names standard output where a file is asked for.
pub const STDOUT: &str = "-";

/// What a path leads to, once its links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A regular file, or none yet: what is written replaces it by a rename.
    File(PathBuf),
    /// A pipe, a terminal, another character device, or an open file of this process such as
    /// `/dev/stdout`: what is written goes into it.
    Stream(PathBuf),
}

impl Destination {
    /// Follows a path's links.
    ///
    /// # Errors
    /// If the path is a folder, a disk or a socket, or its folder isn't there.
    pub fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder; name a file in it"))
            }
            Ok(found) if is_stream(&found) => Ok(Self::Stream(path.into())),
            Ok(found) if !found.is_file() => {
                Err(io::Error::other("this is a disk or a socket; name a file, a pipe or -"))
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => followed(path),
        }
    }
}

/// Writes `path` through a temporary file beside it: filled by `fill`, synced, then renamed over
/// the target, and the folder synced. Whatever goes wrong, the old file stays as it was; and what is
/// written by a later call is not on the disk before this.
///
/// A new file's mode is what the umask leaves of 0666; one that replaces another has its mode. A link
/// stays a link, and what it leads to is written. Into a pipe or a device the bytes go as they come.
///
/// # Errors
/// [`Error`] if the path is none for a file, the folder can't be written or the disk is full, and with
/// whatever `fill` returns.
pub fn write<F>(path: &Path, fill: F) -> Result<(), Error>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    let written = match Destination::of(path).map_err(Error::of(path))? {
        Destination::File(target) => replace(&target, fill),
        Destination::Stream(stream) => {
            // Appending leaves alone what a shell's `>>` found in a file.
            let opened = File::options().append(true).open(stream);
            opened.and_then(|file| {
                let mut buffered = BufWriter::new(file);
                fill(&mut buffered)?;
                buffered.flush()
            })
        }
    };
    written.map_err(Error::of(path))
}

/// Whether two paths lead to the same existing file.
pub fn is_same(a: &Path, b: &Path) -> bool {
    let (Ok(found_a), Ok(found_b)) = (fs::metadata(a), fs::metadata(b)) else { return false };
    if cfg!(unix) {
        return is_one(&found_a, &found_b);
    }
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Whether a path leads to standard output: `-`, or a name of the stream that it is.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new(STDOUT)
        || (matches!(Destination::of(path), Ok(Destination::Stream(_)))
            && is_same(path, Path::new("/dev/stdout")))
}

fn replace<F>(target: &Path, fill: F) -> io::Result<()>
where
    F: FnOnce(&mut dyn Write) -> io::Result<()>,
{
    let folder = folder_of(target);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // Left alone, a temporary file is its owner's only.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(without_path)?;
    let mut buffered = BufWriter::new(file.as_file_mut());
    fill(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    if let Ok(old) = fs::metadata(target) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Follows the links at a path's end; those in its folders are left to the system.
fn followed(path: &Path) -> io::Result<Destination> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        // Its folder must be there in any case, and says whether this is an open file's name.
        let folder = folder_of(&path).canonicalize()?;
        if is_of_open_files(&folder) {
            return Ok(Destination::Stream(path));
        }
        match fs::read_link(&path) {
            Ok(link) => path = folder.join(link),
            Err(_) => return Ok(Destination::File(path)),
        }
    }
    Err(io::Error::other("its links lead to each other"))
}

/// Linux names a process's open files `/proc/N/fd/M`: links that can be opened, but whose text leads
/// nowhere or to a name that a rename would take away.
fn is_of_open_files(folder: &Path) -> bool {
    folder.starts_with("/proc") && folder.ends_with("fd")
}

/// The error without the temporary file's path, which means nothing to the user.
fn without_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((text, _)) => io::Error::new(error.kind(), text),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, |file| file.write_all(b"old")).unwrap();
        let error = write(&path, |file| {
            file.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("can't write ") && text.contains("/file: "), "{text}");
        assert_eq!((fs::read(&path).unwrap(), names(folder.path())), (b"old".to_vec(), vec!["file".into()]));
    }

    #[test]
    fn the_error_names_the_file_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone/file");
        let text = write(&path, |_| Ok(())).unwrap_err().to_string();
        assert_eq!(text, format!("can't write {}: No such file or directory (os error 2)", path.display()));
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name);
        fs::create_dir(inside("store")).unwrap();
        // One link to another, relative to the folder that it is in, to a file that isn't there yet.
        symlink("store/link", inside("link")).unwrap();
        symlink("file", inside("store/link")).unwrap();
        for text in ["one", "two"] {
            write(&inside("link"), |file| file.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(inside("store/file")).unwrap(), text);
        }
        assert_eq!(
            (names(folder.path()), names(&inside("store"))),
            (vec!["link".into(), "store".into()], vec!["file".into(), "link".into()])
        );
        assert!(fs::symlink_metadata(inside("link")).unwrap().is_symlink());

        symlink("round", inside("round")).unwrap();
        assert!(write(&inside("round"), |_| Ok(())).is_err());
        assert!(write(&inside("store"), |_| Ok(())).unwrap_err().to_string().contains("this is a folder"));
    }

    #[test]
    #[cfg(unix)]
    fn a_new_file_has_the_umask_s_mode_and_another_keeps_its_own() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
        fs::write(folder.path().join("plain"), "").unwrap();
        write(&folder.path().join("new"), |_| Ok(())).unwrap();
        assert_eq!(mode("new"), mode("plain"));
        fs::set_permissions(folder.path().join("new"), fs::Permissions::from_mode(0o604)).unwrap();
        write(&folder.path().join("new"), |_| Ok(())).unwrap();
        assert_eq!(mode("new"), 0o604);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn devices_pipes_and_open_files_are_written_into() {
        use std::os::fd::AsRawFd;
        assert_eq!(Destination::of(Path::new("/dev/null")).unwrap(), Destination::Stream("/dev/null".into()));
        write(Path::new("/dev/null"), |file| file.write_all(b"gone")).unwrap();
        let full = write(Path::new("/dev/full"), |file| file.write_all(b"more"));
        assert_eq!(full.unwrap_err().source.kind(), io::ErrorKind::StorageFull);

        // An open file by the name that the system gives it, as a shell's redirection.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("redirected");
        let open = File::options().create(true).append(true).open(&path).unwrap();
        let name = PathBuf::from(format!("/dev/fd/{}", open.as_raw_fd()));
        for text in ["one", "two"] {
            write(&name, |file| file.write_all(text.as_bytes())).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "onetwo");

        // A pipe in a folder, and its reader.
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        write(&pipe, |file| file.write_all(b"through")).unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert_eq!(names(folder.path()), ["pipe", "redirected"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn standard_output_by_its_names() {
        assert!(
            ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].map(Path::new).into_iter().all(is_stdout)
        );
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_stdout(&folder.path().join("-")) && !is_stdout(Path::new("/dev/zero")));
    }

    #[test]
    #[cfg(unix)]
    fn one_file_by_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
        fs::write(&a, "").unwrap();
        fs::write(&c, "").unwrap();
        std::os::unix::fs::symlink("a", &b).unwrap();
        assert!(is_same(&a, &b) && !is_same(&a, &c) && !is_same(&a, &folder.path().join("none")));
    }
}
