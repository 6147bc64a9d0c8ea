//! Where a data set goes: down a pipe, or to a file or folder that this process has to itself.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{Error, Format, plan::Shard};
use crate::{
    files::{self, Destination, Lock, STDOUT},
    run,
};

/// Held by the process that writes a data set which is a folder.
const LOCK: &str = ".edgegan-dataset.lock";

/// Whether what is written to a path goes down a pipe or into a device.
///
/// # Errors
///
/// [`Error::Refused`] if it is a place for neither files nor streams.
pub fn is_stream(output: &Path) -> Result<bool, Error> {
    match Destination::of(output) {
        _ if output == Path::new(STDOUT) => Ok(true),
        Ok(Destination::Stream(_)) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Other => {
            Err(Error::Refused(format!("output {}: {error}", output.display())))
        }
        // What isn't there yet is made.
        _ => Ok(false),
    }
}

/// Where a part of a data set goes: a folder in its folder, or a file beside its file.
pub fn part(output: &Path, format: Format, shard: Shard) -> PathBuf {
    if format.is_folder() {
        return output.join(shard.to_string());
    }
    let mut name = output.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{shard}"));
    if let Some(extension) = output.extension() {
        name.push(".");
        name.push(extension);
    }
    output.with_file_name(name)
}

/// Refuses a path that is a file where a folder is to be, or a training run's.
///
/// # Errors
///
/// [`Error::Refused`].
pub fn check(format: Format, output: &Path) -> Result<(), Error> {
    let name = output.display();
    if format.is_folder() && output.exists() && !output.is_dir() {
        return Err(Error::Refused(format!("{name} is a file; name a folder with --out")));
    }
    if run::owns(output) || (format.is_folder() && run::is_run(output)) {
        return Err(Error::Refused(format!("output {name} belongs to a training run; name another --out")));
    }
    Ok(())
}

/// A data set that no other process writes while this value lives. Afterwards nothing is left of it, nor of
/// the folders that were made for it if nothing came into them.
pub struct Claim {
    lock: Option<Lock>,
    made: Vec<PathBuf>,
}

impl Claim {
    /// Takes a data set for this process, also if the path leads to it through links.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if another process has it; the system's.
    pub fn take(format: Format, output: &Path) -> Result<Self, Error> {
        let target = match Destination::of(output) {
            Ok(Destination::File(target)) => target,
            // A folder that is there, or one in a folder that isn't.
            _ => output.to_path_buf(),
        };
        let folder = if format.is_folder() { target.as_path() } else { files::folder_of(&target) };
        let mut claim = Self { made: files::create_folders(folder)?, lock: None };
        let lock = match format.is_folder() {
            true => folder.join(LOCK),
            false => {
                let mut name = std::ffi::OsString::from(".");
                name.push(target.file_name().unwrap_or_default());
                name.push(".lock");
                folder.join(name)
            }
        };
        claim.lock = Lock::take_temporary(&lock)?;
        match claim.lock {
            Some(_) => Ok(claim),
            None => {
                let output = output.display();
                Err(Error::Refused(format!(
                    "another process is writing {output}; let it end, or name another --out"
                )))
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lock = None;
        for folder in self.made.iter().rev() {
            // One that has something in it stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str) -> Format {
        name.parse().unwrap()
    }

    #[test]
    fn parts_have_names_of_their_own() {
        let shard = Shard { index: 3, of: 40 };
        assert_eq!(part(Path::new("a/fake"), format("idx"), shard), Path::new("a/fake/3-of-40"));
        assert_eq!(part(Path::new("a/fake.npz"), format("npz"), shard), Path::new("a/fake-3-of-40.npz"));
        assert_eq!(part(Path::new("fives"), format("raw"), shard), Path::new("fives-3-of-40"));
    }

    #[test]
    #[cfg(unix)]
    fn names_that_are_not_utf_8_stay_apart() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let shard = Shard { index: 3, of: 40 };
        for (name, expected) in [
            (&b"a\xffb.raw"[..], &b"a\xffb-3-of-40.raw"[..]),
            (b"a\xfeb.raw", b"a\xfeb-3-of-40.raw"),
            (b"a.\xff", b"a-3-of-40.\xff"),
        ] {
            let part = part(Path::new(OsStr::from_bytes(name)), format("raw"), shard);
            assert_eq!(part.as_os_str().as_bytes(), expected);
        }
    }

    #[test]
    fn a_data_set_is_one_process_s_and_nothing_is_left_of_that() {
        let root = tempfile::tempdir().unwrap();
        for (format, name) in
            [("idx", "a/fake"), ("raw", "a/fake.raw")].map(|(name, path)| (format(name), path))
        {
            let output = root.path().join(name);
            let first = Claim::take(format, &output).unwrap();
            assert!(matches!(Claim::take(format, &output), Err(Error::Refused(_))));
            drop(first);
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        }
        #[cfg(unix)]
        {
            let link = root.path().join("link");
            std::os::unix::fs::symlink("fake.raw", &link).unwrap();
            let _first = Claim::take(format("raw"), &link).unwrap();
            let second = Claim::take(format("raw"), &root.path().join("fake.raw"));
            assert!(matches!(second, Err(Error::Refused(_))));
        }
    }
}
