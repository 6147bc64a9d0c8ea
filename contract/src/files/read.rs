//! Reading what a user names.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::Path,
};

/// All of a file, or all that comes through a pipe such as a shell's `<(…)`, of at most so many bytes.
///
/// # Errors
/// The system's; and in words if the path is a folder or a device, which has no end, or holds more.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "this is a folder"));
    }
    if !found.is_file() && !is_pipe(&found) {
        return Err(io::Error::other("this is no file but a device"));
    }
    let too_large = |bytes: String| {
        io::Error::other(format!("{bytes} are more than the {} that it can have", size(most)))
    };
    if found.is_file() && found.len() > most {
        return Err(too_large(format!("{} bytes", found.len())));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
    // It may grow while it is read.
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(too_large("what it holds".into())),
        false => Ok(bytes),
    }
}

/// So many bytes, in words.
fn size(bytes: u64) -> String {
    match bytes {
        0x2000_0000.. => format!("{} GiB", (bytes as f64 / f64::from(1 << 30)).round()),
        0x10_0000.. => format!("{} MiB", (bytes as f64 / f64::from(1 << 20)).round()),
        _ => format!("{bytes} bytes"),
    }
}

/// Whether this is a pipe, which can be read once.
pub fn is_pipe(found: &fs::Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type());
    #[cfg(not(unix))]
    return {
        let _ = found;
        false
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn files_and_pipes_are_read_and_devices_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let [file, pipe] = ["file", "pipe"].map(|name| folder.path().join(name));
        fs::write(&file, "text").unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"text");
        let said = |path: &Path, most| read(path, most).unwrap_err().to_string();
        assert_eq!(said(&file, 3), "4 bytes are more than the 3 bytes that it can have");
        assert_eq!([size((1 << 31) - 1), size(3 << 20)], ["2 GiB", "3 MiB"]);
        assert!(said(folder.path(), 9).contains("folder"));
        assert!(said(Path::new("/dev/zero"), 9).contains("device"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || (0..2).map(|_| fs::write(&pipe, "through")).collect::<Vec<_>>()
        });
        assert_eq!(read(&pipe, 7).unwrap(), b"through");
        assert!(said(&pipe, 6).contains("more than the 6 bytes"));
        let _ = writer.join();
    }
}
