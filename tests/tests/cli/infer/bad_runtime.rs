//! Libraries that can't serve as ONNX Runtime, named by the user. The stand-ins are compiled here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Shell, shell};

/// Compiles C to a shared library.
pub fn library(shell: &Shell, name: &str, source: &str) -> PathBuf {
    let source = shell.write("library.c", source);
    let library = shell.path(name);
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status().unwrap();
    assert!(compiled.success(), "cc: {compiled}");
    fs::remove_file(source).unwrap();
    library
}

/// A library that says it is this version of ONNX Runtime and has no interface. Asked for one, it
/// complains on stderr as ONNX Runtime does.
pub fn stand_in(shell: &Shell, name: &str, version: &str) -> PathBuf {
    let source = format!(
        r#"
        #include <stddef.h>
        #include <stdint.h>
        #include <stdio.h>
        static const void* api(uint32_t version) {{
            fprintf(stderr, "The requested API version [%u] is not available\n", version);
            return NULL;
        }}
        static const char* version(void) {{ return "{version}"; }}
        static const struct {{ const void* (*get_api)(uint32_t); const char* (*version)(void); }}
            base = {{ api, version }};
        const void* OrtGetApiBase(void) {{ return &base; }}
        "#
    );
    library(shell, name, &source)
}

/// Asserts what `infer` says about this library, named by flag and by variable.
#[track_caller]
fn refused(shell: &Shell, library: &Path, parts: &[&str]) {
    let path = library.to_str().unwrap();
    let get = ["make setup", "pip download", "ORT_DYLIB_PATH"];
    let parts = [&[path], parts, &get].concat();
    let arguments = ["--digit", "5", "--runtime", path];
    shell.fail(&arguments, 2, &[&["--runtime: "], parts.as_slice()].concat());

    let mut by_variable =
        Shell::with_program(shell.program.clone(), vec![("ORT_DYLIB_PATH", library.into())]);
    by_variable.fail(&["--digit", "5"], 2, &[&["ORT_DYLIB_PATH: "], parts.as_slice()].concat());
    // The flag comes before the variable.
    let good = tests::runtime_library();
    by_variable.succeed(&["--digit", "5", "--runtime", good.to_str().unwrap()]);
    by_variable.variables.clear();
}

#[test]
fn a_library_that_is_not_there() {
    let shell = shell();
    refused(&shell, &shell.path("libonnxruntime.so"), &["does not exist"]);
}

#[test]
fn a_folder() {
    let shell = shell();
    refused(&shell, shell.folder(), &["is a folder", "the library file itself"]);
}

#[test]
fn a_file_that_is_no_library() {
    let shell = shell();
    let file =
        shell.write("libonnxruntime.so", "This is a text, long enough to hold an ELF header.\n".repeat(9));
    refused(&shell, &file, &["is not a library this machine can load", "invalid ELF header"]);
}

#[test]
fn a_library_that_is_something_else() {
    let shell = shell();
    let other = library(&shell, "libother.so", "int answer(void) { return 42; }");
    refused(&shell, &other, &["not ONNX Runtime", "OrtGetApiBase"]);
    let null = library(&shell, "libnull.so", "const void* OrtGetApiBase(void) { return 0; }");
    refused(&shell, &null, &["not ONNX Runtime", "OrtGetApiBase"]);
}

#[test]
fn a_library_that_is_too_old() {
    let shell = shell();
    for version in ["1.16.3", "1.9.0", "0.5.0", "unknown"] {
        let old = stand_in(&shell, "libonnxruntime.so", version);
        let found = format!("is ONNX Runtime {version}, which is too old");
        refused(&shell, &old, &[&found, "expected 1.17 or later"]);
    }
}

#[test]
fn a_library_without_the_interface_that_its_version_promises() {
    let shell = shell();
    let library = stand_in(&shell, "libonnxruntime.so", "1.99.0");
    let path = library.to_str().unwrap();
    let output = shell.run(&["--digit", "5", "--runtime", path]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    // This one has printed its own complaint before; what counts is that there is no panic.
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with(&format!("error: --runtime: {path} is ONNX Runtime 1.99.0")), "{stderr}");
}
