//! Commands for a shell, as messages print them: what a reader copies has to run.

use std::{borrow::Cow, env, ffi::OsStr, path::Path};

use crate::printable;

/// The command that runs one of edgegan's programs as this one was run: `cargo export` under cargo, else
/// the path of the program of that name beside this one. A bare `export` would be the shell's own word.
pub fn command<'a>(program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) -> String {
    let typed = env::args_os().next().unwrap_or_default();
    // Cargo sets this for the programs that it starts.
    let own = env::var_os("CARGO_MANIFEST_DIR").is_none().then(|| beside(Path::new(&typed), program));
    let mut words = own.flatten().unwrap_or_else(|| format!("cargo {program}"));
    for argument in arguments {
        words += " ";
        words += &quoted(&argument.to_string_lossy());
    }
    printable(&words).into_owned()
}

/// The program beside this one, which was started as `typed` or found on the search path.
fn beside(typed: &Path, program: &str) -> Option<String> {
    if typed == Path::new(program) {
        return Some(program.into());
    }
    let found = env::current_exe().ok();
    let typed_folder = typed.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = typed_folder.or(found.as_deref().and_then(Path::parent))?;
    let path = folder.join(program).with_extension(env::consts::EXE_EXTENSION);
    path.is_file().then(|| quoted(&path.to_string_lossy()).into_owned())
}

/// A word quoted so that a POSIX shell reads it as one.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_word_as_it_was() {
        let words = ["runs/00001-mnist", "my run", "it's", "$HOME", "", "a\"b\\c", "naïve=1", "x;y", "*"];
        assert_eq!(quoted(words[0]), words[0]);
        if cfg!(unix) {
            for word in words {
                let script = format!("printf %s {}", quoted(word));
                let read = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
                assert_eq!(String::from_utf8(read.stdout).unwrap(), word, "{script}");
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_program_is_where_this_one_was_typed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("export"), "").unwrap();
        let typed = folder.path().join("train");
        assert_eq!(beside(&typed, "export").unwrap(), folder.path().join("export").to_str().unwrap());
        // A program that isn't there is not suggested; one on the search path is named without a path.
        assert_eq!(beside(&typed, "infer"), None);
        assert_eq!(beside(Path::new("train"), "train").unwrap(), "train");
        assert_eq!(beside(Path::new("train"), "no-such-program"), None);
    }

    #[test]
    fn under_cargo_it_is_cargo_s() {
        let arguments = ["--resume", "my run"].map(OsStr::new);
        assert_eq!(command("train", arguments), "cargo train --resume 'my run'");
    }
}
