//! Files of pictures: which paths may be one, and writing them whole or not at all.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufWriter},
    path::Path,
};

use crate::Error;

/// Checks, before any work, that a file with one of these extensions can have this path.
///
/// # Errors
///
/// [`Error::BadOutput`] for another extension, a folder that isn't there, or a folder's own name.
pub(crate) fn check(path: &Path, extensions: &[&str]) -> Result<(), Error> {
    let bad = |found: String| Err(Error::BadOutput { path: path.into(), found });
    let names = extensions.iter().map(|extension| format!(".{extension}")).collect::<Vec<_>>().join(" or ");
    if path.is_dir() {
        return bad(format!("this is a folder; name a {names} file in it"));
    }
    if !extensions.iter().any(|extension| has_extension(path, extension)) {
        let kinds =
            extensions.iter().map(|extension| extension.to_uppercase()).collect::<Vec<_>>().join(" and ");
        return bad(format!("only {kinds} files are written; give it a name that ends in {names}"));
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return bad(format!("the folder {} does not exist; create it first", folder.display()));
    }
    Ok(())
}

/// Whether a file's name ends in this extension, in upper or lower case.
pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Writes a file, all of it or nothing: to a temporary name beside the target, which is synced and
/// renamed.
///
/// # Errors
///
/// [`Error::WriteFailed`], also with what `encode` says.
pub(crate) fn write(
    path: &Path,
    encode: impl FnOnce(BufWriter<&mut File>) -> io::Result<()>,
) -> Result<(), Error> {
    let write = || {
        let mut prefix = OsStr::new(".").to_owned();
        prefix.push(path.file_name().unwrap_or_default());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        // A temporary file is its owner's alone; a picture is as readable as any new file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder_of(path))?;
        encode(BufWriter::new(file.as_file_mut()))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The new name is safe once its folder is written too; Windows opens no folders.
        if let Ok(folder) = File::open(folder_of(path)) {
            folder.sync_all().ok();
        }
        Ok(())
    };
    write().map_err(|error: io::Error| Error::WriteFailed {
        path: path.into(),
        // tempfile wraps the system's error in one that names the temporary path.
        reason: match std::error::Error::source(&error) {
            Some(system) => system.to_string(),
            None => error.to_string(),
        },
    })
}

/// The folder that a path's file is in; a bare name is in the current one.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn paths_that_cannot_be_a_picture_are_refused() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let refusal = |name: &str, extensions: &[&str]| match check(&folder.path().join(name), extensions) {
            Err(Error::BadOutput { found, .. }) => found,
            _ => String::new(),
        };
        let png = |name: &str| refusal(name, &["png"]);
        assert_eq!(png(""), "this is a folder; name a .png file in it");
        assert_eq!(png("five.jpg"), "only PNG files are written; give it a name that ends in .png");
        assert_eq!(png("five"), png("five.jpg"));
        assert!(png("none/five.png").contains("does not exist"));
        assert_eq!(png("five.PNG"), "");
        assert!(check(Path::new("five.png"), &["png"]).is_ok());

        let either = |name: &str| refusal(name, &["png", "gif"]);
        let expected = "only PNG and GIF files are written; give it a name that ends in .png or .gif";
        assert_eq!(either("five.jpg"), expected);
        assert_eq!(either("five.gif"), "");
        Ok(())
    }

    #[test]
    fn what_fails_leaves_the_old_file_and_nothing_else() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("five.png");
        fs::write(&path, "old")?;
        let failed = write(&path, |_| Err(io::Error::other("too large")));
        assert!(matches!(failed, Err(Error::WriteFailed { reason, .. }) if reason == "too large"));
        assert_eq!(fs::read(&path)?, b"old");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
