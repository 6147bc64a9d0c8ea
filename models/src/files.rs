//! Writing a file so that it is there whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::{Error, Result};

/// Writes `path` through a temporary file beside it: filled by `fill`, synced, then renamed over
/// the target. Whatever goes wrong, the old file stays as it was.
///
/// # Errors
/// [`Error::Io`] if the folder can't be written or the disk is full, and whatever `fill` returns.
pub fn write_atomically<F>(path: &Path, fill: F) -> Result<()>
where
    F: FnOnce(&mut dyn Write) -> std::io::Result<()>,
{
    let io = |action| move |source| Error::Io { action, path: path.to_path_buf(), source };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".edgegan-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(io("write"))?;
    let mut buffered = std::io::BufWriter::new(file.as_file_mut());
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
    Ok(())
}
