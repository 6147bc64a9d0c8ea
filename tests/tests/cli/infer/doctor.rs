//! `infer doctor` and `infer providers`.

use std::{fs, process::Command};

use serde_json::Value;

use super::{Shell, shell};

#[test]
fn a_machine_that_draws_has_no_problem() {
    let shell = shell();
    let library = tests::runtime_library();
    let said = shell.succeed(&["doctor"]);
    for part in [
        library.to_str().unwrap(),
        "\n  built with  ",
        "CPUExecutionProvider",
        "\nrten          cpu        ready",
    ] {
        assert!(said.contains(part), "expected {part:?} in {said}");
    }
    let found: Value = serde_json::from_str(&shell.succeed(&["doctor", "--json"])).unwrap();
    let steps = found["steps"].as_array().unwrap();
    let step = |i: usize| (steps[i]["engine"].as_str().unwrap(), steps[i]["device"].as_str().unwrap());
    let expected =
        [("onnxruntime", "tensorrt:0"), ("onnxruntime", "cuda:0"), ("onnxruntime", "cpu"), ("rten", "cpu")];
    assert_eq!([0, 1, 2, 3].map(step), expected);
    assert_eq!(steps[2]["placements"][0]["provider"], "CPUExecutionProvider");
    assert_eq!((&steps[2]["ready"], &steps[3]["ready"]), (&true.into(), &true.into()));

    let lines = shell.succeed(&["providers"]);
    assert_eq!(lines.lines().count(), 4);
    assert!(lines.contains("onnxruntime   cpu        ready: CPUExecutionProvider ("), "{lines}");
    assert!(shell.files().is_empty());
}

#[test]
fn a_device_that_was_asked_for_and_is_not_there() {
    let shell = shell();
    for command in ["doctor", "providers"] {
        shell.fail(
            &[command, "--device", "cuda", "--quiet"],
            2,
            &["--device cuda:0 is not available", "without its CUDA"],
        );
    }
    shell.succeed(&["doctor", "--device", "cpu", "--quiet"]);
    shell.fail(
        &["doctor", "--runtime", "none.so", "--engine", "onnxruntime", "--quiet"],
        2,
        &["no ONNX Runtime"],
    );
    assert!(shell.succeed(&["doctor", "--runtime", "none.so"]).contains("problem: --runtime: "));
}

/// A library beside ONNX Runtime that needs NVIDIA's, as its CUDA provider does, on a machine that
/// may have none of them.
#[test]
fn each_library_that_is_missing_has_its_package() {
    let shell = shell();
    let runtime = shell.path("libonnxruntime.so");
    fs::copy(tests::runtime_library(), &runtime).unwrap();
    let compile = |arguments: &[&str]| {
        let source = shell.write("library.c", "int nothing;");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-Wl,--no-as-needed"]).arg(source).args(arguments);
        assert!(cc.current_dir(shell.folder()).status().unwrap().success(), "{arguments:?}");
    };
    // What it needs is there while it is linked, and gone afterwards.
    let needed = ["libcudnn.so.94", "libcublas.so.13"];
    for name in needed {
        compile(&["-o", name, &format!("-Wl,-soname,{name}")]);
    }
    let provider = ["-o", "libonnxruntime_providers_cuda.so"];
    compile(&[provider, needed].concat());
    needed.iter().for_each(|name| fs::remove_file(shell.path(name)).unwrap());
    let with_provider = Shell::with_program(shell.program.clone(), vec![("ORT_DYLIB_PATH", runtime)]);
    let said = with_provider.succeed(&["doctor"]);
    assert!(said.contains("onnxruntime   cuda:0     no: "), "{said}");
    let cudnn = "libcudnn.so.94";
    assert!(said.contains(cudnn) && said.contains("install `pip install nvidia-cudnn-cu13`"), "{said}");
}
