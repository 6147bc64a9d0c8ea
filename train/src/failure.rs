//! What to do about an error while training.

use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::Error;
use contract::sentence;

use crate::run;

/// An error of a run that was training in `folder`, with what to do where a file is in the way.
pub fn with_advice(error: Error, folder: &Path) -> Error {
    let system = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    let Some(kind) = system.map(io::Error::kind) else { return error };
    let (run, go_on) = (folder.display(), run::go_on(folder));
    let advice = match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room there".to_string()
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!("let this user write in {run}")
        }
        ErrorKind::NotFound => {
            // `rm -r` takes the folder itself last.
            let what = match folder.exists() {
                true => format!("a part of {run} was removed"),
                false => format!("{run} was removed or renamed"),
            };
            return error.context(format!(
                "{what} while training wrote into it; put it back and go on with: {go_on}, or start a new run"
            ));
        }
        _ => format!("see to it that {run} can be written"),
    };
    Error::msg(format!(
        "{}; what was saved before is intact: {advice}, then go on with: {go_on}",
        sentence(error.as_ref())
    ))
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};
    use std::path::Path;

    use anyhow::{Context, Error};

    use contract::sentence;

    use super::with_advice;

    #[test]
    fn a_cause_is_told_once() {
        let error = models::Error::Io {
            action: "write",
            path: "file".into(),
            source: io::Error::from_raw_os_error(28),
        };
        let text = sentence(Error::from(error).as_ref());
        assert_eq!(text.matches("os error 28").count(), 1, "{text}");
        let error = Err::<(), _>(io::Error::other("inner")).context("outer").unwrap_err();
        assert_eq!(sentence(error.as_ref()), "outer: inner");
    }

    #[test]
    fn advice_fits_the_kind_of_failure() {
        let folder = tempfile::tempdir().unwrap();
        let advised = |kind: ErrorKind, folder: &Path| {
            let error = Err::<(), _>(io::Error::from(kind)).context("can't write file").unwrap_err();
            sentence(with_advice(error, folder).as_ref())
        };
        for (kind, expected) in [
            (ErrorKind::StorageFull, "make room"),
            (ErrorKind::QuotaExceeded, "make room"),
            (ErrorKind::ReadOnlyFilesystem, "let this user write"),
            (ErrorKind::NotADirectory, "see to it"),
        ] {
            let text = advised(kind, folder.path());
            assert!(text.starts_with("can't write file: ") && text.contains(expected), "{text}");
            assert!(
                text.ends_with(&format!("go on with: cargo train --resume {}", folder.path().display())),
                "{text}"
            );
        }
        let text = advised(ErrorKind::NotFound, folder.path());
        assert!(text.starts_with("a part of ") && text.contains("removed while training"), "{text}");
        let text = advised(ErrorKind::NotFound, &folder.path().join("gone"));
        assert!(text.contains("gone was removed or renamed while training"), "{text}");
        assert_eq!(sentence(with_advice(Error::msg("losses"), folder.path()).as_ref()), "losses");
    }
}
