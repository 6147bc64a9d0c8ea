//! Reading a path that a user named: a file, a pipe or a device.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

/// The most that is read from a pipe: an ONNX file can't hold more.
const MOST_PIPED: u64 = 2 << 30;
/// The most that is read from a device: more than anyone types into a terminal, and some never end.
const MOST_OF_DEVICE: u64 = 1 << 20;
/// How long a pipe may be without a writer.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pause between two reads of a pipe.
const PAUSE: Duration = Duration::from_millis(1);

/// All bytes of a file, or all that comes through a pipe or a device. A pipe is read for as
/// long as it has a writer.
///
/// # Errors
/// The system's; for a folder, a socket or a disk; for a pipe without a writer; for more than 2 GiB from a
/// pipe or more than 1 MiB from a device.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    if found.is_file() {
        return fs::read(path);
    }
    if found.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder; name a file"));
    }
    if !is_stream(&found) {
        return Err(io::Error::other("this is a disk or a socket; name a file"));
    }
    let mut bytes = Vec::new();
    let most = match is_pipe(&found) {
        true => {
            read_pipe(path, &mut bytes)?;
            MOST_PIPED
        }
        false => {
            File::open(path)?.take(MOST_OF_DEVICE + 1).read_to_end(&mut bytes)?;
            MOST_OF_DEVICE
        }
    };
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(io::Error::other(format!("over {} MiB came and no end; name a file", most >> 20))),
    }
}

/// Opening a pipe would wait for its writer without end. So it is opened without waiting; reading nothing
/// then means that it has no writer, either yet or any more.
fn read_pipe(path: &Path, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let mut pipe = options.open(path)?.take(MOST_PIPED + 1);
    let opened = Instant::now();
    let mut has_writer = false;
    loop {
        let before = bytes.len();
        match pipe.read_to_end(bytes) {
            Ok(_) if has_writer || bytes.len() > before => return Ok(()),
            Ok(_) if opened.elapsed() > PATIENCE => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "nobody writes into this pipe"));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => has_writer = true,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        sleep(PAUSE);
    }
}

/// Whether it is a pipe or a character device.
pub(super) fn is_stream(found: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        found.file_type().is_fifo() || found.file_type().is_char_device()
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        false
    }
}

/// Whether it is a pipe, which can be read once.
pub fn is_pipe(found: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type());
    #[cfg(not(unix))]
    {
        let _ = found;
        false
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{io::Write, process::Command, thread};

    use super::*;

    fn text(path: &Path) -> String {
        read(path).unwrap_err().to_string()
    }

    #[test]
    fn what_has_bytes_is_read_and_the_rest_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let [file, pipe, socket] = ["file", "pipe", "socket"].map(|name| folder.path().join(name));
        fs::write(&file, "whole").unwrap();
        assert_eq!(read(&file).unwrap(), b"whole");
        assert_eq!(read(Path::new("/dev/null")).unwrap(), b"");
        assert_eq!(text(Path::new("/dev/zero")), "over 1 MiB came and no end; name a file");
        assert!(text(folder.path()).contains("this is a folder"));
        let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(text(&socket).contains("a socket"));
        assert_eq!(read(&folder.path().join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);

        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(text(&pipe), "nobody writes into this pipe");
        // More than a pipe holds, and a pause in it.
        let parts = [vec![1; 1 << 17], vec![2; 3]];
        let writer = thread::spawn({
            let (pipe, parts) = (pipe.clone(), parts.clone());
            move || {
                let mut pipe = File::options().write(true).open(pipe).unwrap();
                for part in parts {
                    thread::sleep(Duration::from_millis(50));
                    pipe.write_all(&part).unwrap();
                }
            }
        });
        assert!(read(&pipe).unwrap() == parts.concat());
        writer.join().unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_shell_s_own_pipes_are_read() {
        use std::os::fd::AsRawFd;
        for sent in ["", "through"] {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(sent.as_bytes()).unwrap();
            let path = format!("/dev/fd/{}", reader.as_raw_fd());
            let slow = thread::spawn(move || {
                thread::sleep(Duration::from_millis(50));
                drop(writer);
            });
            assert_eq!(read(Path::new(&path)).unwrap(), sent.as_bytes());
            slow.join().unwrap();
        }
    }
}
