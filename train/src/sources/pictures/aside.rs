//! Folders that lie among the data but aren't part of them, even if they contain pictures: those that operating
//! systems create, and runs.

use std::path::{Path, PathBuf};

use contract::{run, shown};

use super::few;

/// What systems make, and what it is.
const SYSTEMS: [(&str, &str); 9] = [
    ("lost+found", "the file system's"),
    ("$RECYCLE.BIN", "Windows' bin"),
    ("System Volume Information", "Windows' own"),
    ("__MACOSX", "macOS's own"),
    ("@eaDir", "a Synology's thumbnails"),
    ("#recycle", "a Synology's bin"),
    ("@Recycle", "a QNAP's bin"),
    (".Trash-1000", "the desktop's bin"),
    (".ipynb_checkpoints", "Jupyter's copies"),
];

/// Such folders, as they were met.
#[derive(Debug, Default)]
pub(in crate::sources) struct Aside {
    systems: Vec<(PathBuf, &'static str)>,
    runs: Vec<PathBuf>,
}

impl Aside {
    /// Puts a folder aside if it is a system's or a run, and returns whether it was.
    pub(in crate::sources) fn takes(&mut self, folder: &Path) -> bool {
        if let Some(owner) = owner(folder) {
            self.systems.push((folder.to_owned(), owner));
            return true;
        }
        let is_run = run::is_run(folder);
        if is_run {
            self.runs.push(folder.to_owned());
        }
        is_run
    }

    /// How many runs there are.
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// A sentence about each kind that was met in `folder`.
    pub(in crate::sources) fn notes(&self, folder: &Path) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.runs.is_empty() {
            let (runs, folder) = (few(folder, &self.runs), shown(folder));
            notes.push(format!("left out in {folder}, being runs of `train` and no data: {runs}"));
        }
        if !self.systems.is_empty() {
            let named = |(path, owner): &(PathBuf, &str)| {
                format!("{} ({owner})", shown(path.strip_prefix(folder).unwrap_or(path)))
            };
            let systems: Vec<_> = self.systems.iter().map(named).collect();
            notes.push(format!("left alone in {}, being no data: {}", shown(folder), systems.join(", ")));
        }
        notes
    }
}

/// Which system owns a folder, if one does.
pub(super) fn owner(folder: &Path) -> Option<&'static str> {
    let name = folder.file_name()?.to_str()?;
    SYSTEMS.iter().find(|(system, _)| system.eq_ignore_ascii_case(name)).map(|(_, owner)| *owner)
}
