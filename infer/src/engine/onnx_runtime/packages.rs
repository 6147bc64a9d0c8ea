//! Where `pip install onnxruntime` puts the library, found without starting Python: that would take longer
//! than drawing a digit.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The library's folder in the package, for the GPU build too.
const IN_PACKAGE: &str = "onnxruntime/capi";

/// The folders of the package `onnxruntime` that are there: of the active virtual environment, of the
/// `python3` on `PATH`, of the user, of the system.
pub fn folders() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for prefix in prefixes(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)) {
        for folder in in_prefix(&prefix) {
            if !found.contains(&folder) {
                found.push(folder);
            }
        }
    }
    found
}

/// Folders that a Python may be installed in, as their `lib` has its packages.
fn prefixes(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let mut prefixes: Vec<PathBuf> =
        ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(&variable).collect();
    let path = variable("PATH").unwrap_or_default();
    prefixes.extend(env::split_paths(&path).find_map(|folder| python_in(&folder, &variable)));
    prefixes.extend(variable("HOME").map(|home| home.join(".local")));
    prefixes.extend(["/usr/local", "/usr"].map(PathBuf::from));
    prefixes
}

/// The prefix of the `python3` in a folder of `PATH`, if there is one.
fn python_in(folder: &Path, variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let python = folder.join("python3");
    if !python.is_file() {
        return None;
    }
    // pyenv has a script there, which asks which of its Pythons is meant.
    if folder.ends_with("shims") {
        let root = folder.parent()?;
        let version = variable("PYENV_VERSION")
            .or_else(|| Some(fs::read_to_string(root.join("version")).ok()?.lines().next()?.trim().into()))?;
        return Some(root.join("versions").join(version));
    }
    // A virtual environment is marked beside its bin folder; its python3 links to another's.
    if folder.parent()?.join("pyvenv.cfg").is_file() {
        return folder.parent().map(Path::to_owned);
    }
    python.canonicalize().ok()?.parent()?.parent().map(Path::to_owned)
}

/// The package in each `lib/python3…/site-packages`, and Debian's `dist-packages`.
fn in_prefix(prefix: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<PathBuf> = (fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path())
        .collect();
    versions.sort();
    let packages = versions.iter().flat_map(|version| {
        ["site-packages", "dist-packages"].map(|packages| version.join(packages).join(IN_PACKAGE))
    });
    packages.filter(|folder| folder.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_python_s_packages_are_found() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let at = |name: &str| root.path().join(name);
        let install = |prefix: &str, packages: &str| {
            let folder = at(prefix).join("lib/python3.11").join(packages).join(IN_PACKAGE);
            fs::create_dir_all(&folder).map(|()| folder)
        };
        let [venv, pyenv, home, plain] = [
            install("venv", "site-packages")?,
            install("pyenv/versions/3.11.7", "site-packages")?,
            install("home/.local", "site-packages")?,
            install("plain", "dist-packages")?,
        ];
        fs::create_dir_all(at("pyenv/shims"))?;
        fs::write(at("pyenv/version"), "3.11.7\n")?;
        fs::create_dir_all(at("plain/bin"))?;
        for python in ["pyenv/shims/python3", "plain/bin/python3"] {
            fs::write(at(python), "")?;
        }
        let found = |variables: &[(&str, &str)]| -> Vec<PathBuf> {
            let variable = |name: &str| {
                let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
                Some(at(value))
            };
            let inside = prefixes(variable).into_iter().filter(|prefix| prefix.starts_with(root.path()));
            inside.flat_map(|prefix| in_prefix(&prefix)).collect()
        };
        assert_eq!(found(&[("VIRTUAL_ENV", "venv"), ("PATH", "plain/bin")]), [venv, plain.canonicalize()?]);
        assert_eq!(found(&[("PATH", "pyenv/shims"), ("HOME", "home")]), [pyenv, home]);
        assert!(found(&[("PATH", "nowhere"), ("HOME", "venv")]).is_empty());
        Ok(())
    }
}
