//! What a dataset is called.

use std::path::Path;

use contract::files::file_name;

/// A dataset's name, from its folder's: letters, digits, `-`, `_` and `.`, anything else a `-`. What
/// isn't MNIST is never called `mnist`, even if its folder is.
pub(super) fn of_folder(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match file_name(&name, |c| c.is_alphanumeric() || "-_.".contains(c)).trim_matches(['.', '-']) {
        "" => "unnamed".to_owned(),
        name if name.eq_ignore_ascii_case("mnist") => "mnist-like".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::of_folder;

    #[test]
    fn a_name_is_the_folders_made_safe() {
        for (folder, name) in [
            ("nowhere/cats", "cats"),
            ("nowhere/My cats & dogs", "My-cats---dogs"),
            ("nowhere/.größe_2", "größe_2"),
            ("nowhere/MNIST", "mnist-like"),
            ("nowhere/a\nb", "a-b"),
            ("nowhere/--", "unnamed"),
            ("/", "unnamed"),
        ] {
            assert_eq!(of_folder(Path::new(folder)), name, "{folder}");
        }
        assert_eq!(of_folder(Path::new(&"x".repeat(300))).len(), 60);
    }
}
