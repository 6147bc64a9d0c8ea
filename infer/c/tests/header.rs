//! The committed header is what cbindgen writes of the sources, and the shared library exports what it
//! declares and nothing else.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

mod common;

/// The sources whose functions and types C sees, in the header's order.
const SOURCES: [&str; 6] = ["status", "options", "generator", "queries", "draw", "verify"];

fn crate_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_header_is_up_to_date() {
    let config = cbindgen::Config::from_file(crate_file("cbindgen.toml")).unwrap();
    let builder = SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |builder, name| {
        builder.with_src(crate_file(&format!("src/{name}.rs")))
    });
    let mut written = Vec::new();
    builder.generate().unwrap().write(&mut written);
    let (path, written) = (crate_file("include/edgegan.h"), String::from_utf8(written).unwrap());
    if std::env::var_os("WRITE_HEADER").is_some() {
        fs::write(&path, &written).unwrap();
        return;
    }
    let header = fs::read_to_string(&path).unwrap_or_default();
    let first = header.lines().zip(written.lines()).position(|(header, written)| header != written);
    assert!(
        header == written,
        "{} differs from src/, first at line {:?}; write it with `WRITE_HEADER=1 cargo test -p infer-c --test header`",
        path.display(),
        first.map(|line| line + 1)
    );
}

#[test]
fn the_library_exports_what_the_header_declares() {
    let header = fs::read_to_string(crate_file("include/edgegan.h")).unwrap();
    let declared: BTreeSet<&str> = (header.lines().filter(|line| !line.trim_start().starts_with(['/', '*'])))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("edgegan_"))
        .collect();
    assert_eq!(declared.len(), 16, "{declared:?}");
    let output =
        Command::new("nm").args(["-D", "--defined-only"]).arg(common::shared_library()).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<&str> = output.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(exported, declared);
}
