//! One event file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use prost::Message;

use super::event::{Event, FILE_VERSION, SessionLog, SessionStatus, Summary, Value, What};
use super::record;

/// TensorBoard takes every file with `tfevents` in its name.
const PREFIX: &str = "events.out.tfevents.";
const WRITER: &str = ".edgegan.";

/// An event file that is being written. Every event is on its way to the disk as soon as it is
/// written, so that the file of a run that was killed can be read to its last event.
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new file in `folder` for the events from `step` on. Readers drop what older files in the
    /// folder say of that step and later ones.
    ///
    /// # Errors
    /// If the folder can't be read or written.
    pub fn create(folder: &Path, step: u64) -> Result<EventFile> {
        let path = folder.join(next_name(folder, since_1970() as u64)?);
        let file = File::options().create_new(true).append(true).open(&path);
        let file = file.with_context(|| format!("can't write {}", path.display()))?;
        let mut events = EventFile { path, file };
        events.event(0, What::FileVersion(FILE_VERSION.to_string()))?;
        events.event(step, What::SessionLog(SessionLog { status: SessionStatus::Start.into() }))?;
        Ok(events)
    }

    /// Adds the values of `step`.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write(&mut self, step: u64, value: Vec<Value>) -> Result<()> {
        self.event(step, What::Summary(Summary { value }))
    }

    /// Has all events on the disk.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().with_context(|| format!("can't write {}", self.path.display()))
    }

    fn event(&mut self, step: u64, what: What) -> Result<()> {
        let event = Event { wall_time: since_1970(), step: step as i64, what: Some(what) };
        // The whole record at once: no other program finds half of it.
        let record = record::frame(&event.encode_to_vec());
        let written = contract::files::append_whole(&mut self.file, &record);
        written.with_context(|| format!("can't write {}", self.path.display()))
    }
}

/// Readers take a folder's files in the order of their names, so a new name comes after all others,
/// even if two sessions begin within a second or the clock was set back.
fn next_name(folder: &Path, now: u64) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    let parse = |name: &str| {
        let (time, number) = name.strip_prefix(PREFIX)?.split_once(WRITER)?;
        Some((time.parse::<u64>().ok()?, number.parse::<u64>().ok()?))
    };
    let last = entries.flatten().filter_map(|entry| parse(entry.file_name().to_str()?)).max();
    let (time, number) = match last {
        Some((time, number)) if time >= now => (time, number + 1),
        _ => (now, 0),
    };
    Ok(format!("{PREFIX}{time:010}{WRITER}{number:03}"))
}

/// Seconds.
fn since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0., |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use prost::Message;

    use super::super::event::{Event, What};
    use super::super::value::scalar;
    use super::{EventFile, next_name};

    #[test]
    fn a_new_name_comes_after_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let next = |now| next_name(folder.path(), now).unwrap();
        assert_eq!(next(1_700_000_000), "events.out.tfevents.1700000000.edgegan.000");
        for name in [
            "events.out.tfevents.1700000000.edgegan.000",
            "events.out.tfevents.1700000005.edgegan.003",
            "events.out.tfevents.1900000000.elsewhere",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(next(1_700_000_006), "events.out.tfevents.1700000006.edgegan.000");
        assert_eq!(next(1_700_000_005), "events.out.tfevents.1700000005.edgegan.004");
        assert_eq!(next(1_600_000_000), "events.out.tfevents.1700000005.edgegan.004");
    }

    #[test]
    fn events_are_in_the_file_as_soon_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(folder.path(), 8).unwrap();
        events.write(9, vec![scalar("loss/d", 1.5)]).unwrap();
        let bytes = fs::read(&events.path).unwrap();
        let mut rest = &bytes[..];
        let mut found = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            found.push(Event::decode(&rest[12..12 + length]).unwrap());
            rest = &rest[16 + length..];
        }
        assert_eq!(found.iter().map(|event| event.step).collect::<Vec<_>>(), [0, 8, 9]);
        assert_eq!(found[0].what, Some(What::FileVersion("brain.Event:2".to_string())));
        assert!(matches!(&found[1].what, Some(What::SessionLog(log)) if log.status == 1));
        assert!(
            matches!(&found[2].what, Some(What::Summary(s)) if s.value == [scalar("loss/d", 1.5)]),
            "{found:?}"
        );
    }
}
