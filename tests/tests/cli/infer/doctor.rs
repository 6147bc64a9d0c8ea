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

#[test]
fn the_remedy_fits_the_problem() {
    let mut shell = shell();
    // What was asked for and isn't there is a problem, also on a machine without a GPU.
    let output = shell.run(&["doctor", "--device", "cuda"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    let remedy = "\n  install `pip install onnxruntime-gpu`";
    assert!(said.contains("without its CUDA provider\n") && said.contains(remedy), "{said}");
    assert!(!said.contains("no problems"), "{said}");

    // No other library would be looked at before this one is corrected.
    shell.variables = vec![("ORT_DYLIB_PATH", shell.path("none.so"))];
    let said = shell.succeed(&["doctor"]);
    assert!(said.contains("none.so does not exist\n  correct ORT_DYLIB_PATH, or unset it"), "{said}");
    assert!(!said.contains("make setup"), "{said}");
}

#[test]
fn a_library_for_another_processor_is_named_as_one() {
    let shell = shell();
    let mut library = fs::read(tests::runtime_library()).unwrap();
    let (other, machine) = if cfg!(target_arch = "x86_64") { ("aarch64", 183u16) } else { ("x86_64", 62) };
    library[18..20].copy_from_slice(&machine.to_le_bytes());
    shell.write("libonnxruntime.so", library);
    let arguments = ["--digit", "5", "--runtime", "libonnxruntime.so"];
    let this = format!("is a library for {other}, and this machine is {}", std::env::consts::ARCH);
    shell.fail(&arguments, 2, &["libonnxruntime.so", &this]);
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
