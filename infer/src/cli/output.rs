//! Picture files: which paths are accepted, and writing them whole or not at all.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use contract::{
    files::{self, Destination},
    run,
};

use crate::Error;

/// Checks, before any work, that a file with one of these extensions can have this path. Standard output, a
/// pipe or a device may have any name.
///
/// # Errors
///
/// [`Error::BadOutput`] for another extension, a folder that isn't there, a folder's own name, a disk, or
/// a file of a training run.
pub fn check_output(path: &Path, extensions: &[&str]) -> Result<(), Error> {
    let bad = |found: String| Err(Error::BadOutput { path: path.into(), found });
    let names = extensions.iter().map(|extension| format!(".{extension}")).collect::<Vec<_>>().join(" or ");
    if path.is_dir() {
        return bad(format!("this is a folder; name a {names} file in it"));
    }
    let destination = Destination::of(path);
    if files::is_stdout(path) || matches!(destination, Ok(Destination::Stream(_))) {
        return Ok(());
    }
    if !extensions.iter().any(|extension| has_extension(path, extension)) {
        let kinds =
            extensions.iter().map(|extension| extension.to_uppercase()).collect::<Vec<_>>().join(" and ");
        return bad(format!("only {kinds} files are written; give it a name that ends in {names}"));
    }
    let folder = files::folder_of(path);
    if !folder.is_dir() {
        return bad(format!("the folder {} does not exist; create it first", folder.display()));
    }
    if run::owns(path) {
        return bad("this belongs to a training run; name a file of your own".into());
    }
    match destination {
        // Where it leads to isn't there either, or can't be seen: writing says why.
        Err(error) if error.kind() == ErrorKind::Other => bad(error.to_string()),
        _ => Ok(()),
    }
}

/// Refuses to write over a file that is read, such as the model.
///
/// # Errors
///
/// [`Error::BadOutput`].
pub fn check_inputs<'a>(
    output: &Path,
    inputs: impl IntoIterator<Item = (&'static str, Option<&'a Path>)>,
) -> Result<(), Error> {
    for (what, input) in inputs {
        if input.is_some_and(|input| files::is_same(output, input)) {
            let found = format!("this is the {what} that is read; name another file");
            return Err(Error::BadOutput { path: output.into(), found });
        }
    }
    Ok(())
}

/// Pixels of a file's frames together, at most: in colour, 192 MiB.
const MOST_PIXELS: usize = 1 << 26;

/// Refuses a file whose `frames` of this width and height would fill the memory.
///
/// # Errors
///
/// [`Error::BadInput`].
pub fn check_pixels([width, height]: [usize; 2], frames: usize) -> Result<(), Error> {
    let pixels = width.saturating_mul(height).saturating_mul(frames);
    if pixels > MOST_PIXELS {
        let what = match frames {
            1 => format!("this is {width} × {height} pixels"),
            _ => format!("this is {width} × {height} pixels in each of {frames} frames"),
        };
        return Err(Error::BadInput(format!(
            "{what}, and a file may have {MOST_PIXELS} pixels in all; ask for fewer images or a smaller --scale"
        )));
    }
    Ok(())
}

/// Whether a file's name ends in this extension, in upper or lower case.
pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Writes a file, all of it or nothing, or into a pipe or a device, see [`files::write`].
/// That a pipe's reader has closed it is no error.
///
/// # Errors
///
/// [`Error::WriteFailed`], also with what `encode` says.
pub fn write_output(
    path: &Path,
    encode: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), Error> {
    match files::write(path, encode) {
        Err(error) if error.source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::WriteFailed { path: path.into(), reason: error.source.to_string() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn paths_that_cannot_be_a_picture_are_refused() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let refusal =
            |name: &str, extensions: &[&str]| match check_output(&folder.path().join(name), extensions) {
                Err(Error::BadOutput { found, .. }) => found,
                _ => String::new(),
            };
        let png = |name: &str| refusal(name, &["png"]);
        assert_eq!(png(""), "this is a folder; name a .png file in it");
        assert_eq!(png("five.jpg"), "only PNG files are written; give it a name that ends in .png");
        assert_eq!(png("five"), png("five.jpg"));
        assert!(png("none/five.png").contains("does not exist"));
        assert_eq!(png("five.PNG"), "");
        assert!(check_output(Path::new("five.png"), &["png"]).is_ok());

        let either = |name: &str| refusal(name, &["png", "gif"]);
        let expected = "only PNG and GIF files are written; give it a name that ends in .png or .gif";
        assert_eq!(either("five.jpg"), expected);
        assert_eq!(either("five.gif"), "");
        Ok(())
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn pipes_and_devices_have_any_name_and_runs_are_left_alone() -> io::Result<()> {
        assert!(check_output(Path::new("/dev/null"), &["png"]).is_ok());
        assert!(check_output(Path::new("/dev/stdout"), &["png"]).is_ok());
        let run = tempfile::tempdir()?;
        fs::create_dir(run.path().join("samples"))?;
        fs::write(run.path().join(run::MARKER), "")?;
        for name in ["samples.gif", "samples/epoch-1.png"] {
            let refused = check_output(&run.path().join(name), &["png", "gif"]);
            assert!(matches!(refused, Err(Error::BadOutput { found, .. }) if found.contains("training run")));
        }
        assert!(check_output(&run.path().join("five.png"), &["png"]).is_ok());
        Ok(())
    }

    #[test]
    fn what_fails_leaves_the_old_file_and_nothing_else() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("five.png");
        fs::write(&path, "old")?;
        let failed = write_output(&path, |_| Err(io::Error::other("too large")));
        assert!(matches!(failed, Err(Error::WriteFailed { reason, .. }) if reason == "too large"));
        assert_eq!(fs::read(&path)?, b"old");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
