//! Arguments that can't be served.

use std::fs;

use super::{
    shell,
    tiny_model::{self, TinyModel},
};

#[test]
fn a_digit_that_the_model_does_not_draw() {
    let digits = "draws the classes 0, 1, 2, 3, 4, 5, 6, 7, 8 and 9";
    let shell = shell();
    shell.fail(&["--digit", "10"], 2, &["--digit 10 is not a class", digits]);
    shell.fail(&["--digit", "-1"], 2, &["--digit -1 is not a class", digits]);
    shell.fail(&["--digit", "five"], 2, &["--digit five is not a class", digits]);
}

#[test]
fn a_class_that_the_model_does_not_draw() {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    let draws = "draws the classes short, middle and long";
    for (name, meant) in
        [("midle", "; did you mean middle?"), ("Long", "; did you mean long?"), ("5", "long\n")]
    {
        let asked = format!("--label {name} is not a class of model tiny.onnx");
        shell.fail(&["--label", name, "--model", "tiny.onnx"], 2, &[&asked, draws, meant]);
    }
    shell.fail(&["--label", "five"], 2, &["--label five is not a class", "0, 1, 2"]);
    for twice in [&["--label", "5", "--digit", "5"][..], &["--label", "5", "--all"]] {
        assert_eq!(shell.run(twice).status.code(), Some(2), "{twice:?}");
    }
}

#[test]
fn nothing_named_to_draw() {
    let shell = shell();
    shell.fail(&["--seed", "3"], 2, &["nothing to draw", "--digit", "--all"]);
    shell.write("tiny.onnx", TinyModel::default().bytes());
    shell.fail(
        &["--model", "tiny.onnx"],
        2,
        &["nothing to draw", "short, middle and long", "--label", "--all"],
    );
}

#[test]
fn all_of_a_model_without_classes() {
    let shell = shell();
    let mut contract = tiny_model::contract();
    contract.classes.clear();
    shell.write("tiny.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
    let arguments = ["--all", "--model", "tiny.onnx"];
    shell.fail(&arguments, 2, &["tiny.onnx", "pictures without a class", "--all"]);
}

#[test]
fn a_count_that_is_none() {
    let shell = shell();
    for count in ["0", "10001", "many"] {
        let arguments = ["--digit", "5", "--count", count];
        shell.fail(&arguments, 2, &[&format!("'{count}'"), "--count", "a whole number from 1 to 10000"]);
    }
}

#[test]
fn a_device_that_means_nothing() {
    let shell = shell();
    let arguments = ["--digit", "5", "--device", "gpu"];
    shell.fail(&arguments, 2, &["\"gpu\" is not a device", "auto, cpu, cuda, cuda:<number>, tensorrt"]);
}

#[test]
fn cuda_where_there_is_none() {
    let shell = shell();
    let library = tests::runtime_library();
    let library = library.to_str().unwrap();
    for (device, named, provider) in
        [("cuda", "cuda:0", "CUDA"), ("cuda:3", "cuda:3", "CUDA"), ("tensorrt", "tensorrt:0", "TensorRT")]
    {
        let arguments = ["--digit", "5", "--device", device];
        let missing = format!("without its {provider} provider");
        let found = ["--device ", named, " is not available", library, &missing];
        let advice = ["--device cpu", "onnxruntime-gpu", "infer doctor"];
        shell.fail(&arguments, 2, &[found.as_slice(), &advice].concat());
    }
}

#[test]
fn an_engine_that_means_nothing_or_cannot_do_it() {
    let shell = shell();
    let refused = |arguments: &[&str], parts: &[&str]| {
        shell.fail(&[&["--digit", "5", "--engine"], arguments].concat(), 2, parts);
    };
    refused(&["ort"], &["\"ort\" is not an engine", "auto, onnxruntime or rten"]);
    refused(&["rten", "--device", "cuda"], &["--engine rten can't be used", "on the CPU only"]);
    refused(&["rten", "--runtime", "lib.so"], &["--engine rten can't be used", "leave --runtime out"]);
}

#[test]
fn an_output_that_is_no_png() {
    let shell = shell();
    for name in ["five.jpg", "five"] {
        shell.fail(&["--digit", "5", "--out", name], 2, &[name, "only PNG", "ends in .png"]);
    }
}

#[test]
fn an_output_in_a_folder_that_is_not_there() {
    let shell = shell();
    let arguments = ["--digit", "5", "--out", "pictures/five.png"];
    shell.fail(&arguments, 2, &["pictures/five.png", "folder pictures does not exist", "create it"]);
}

#[test]
fn an_output_that_is_a_folder() {
    let shell = shell();
    fs::create_dir(shell.path("five.png")).unwrap();
    shell.fail(&["--digit", "5", "--out", "five.png"], 2, &["five.png", "this is a folder"]);
}

/// Whoever may write everywhere, may not write into /proc.
#[cfg(target_os = "linux")]
#[test]
fn an_output_folder_that_cannot_be_written() {
    let shell = shell();
    let arguments = ["--digit", "5", "--out", "/proc/five.png"];
    shell.fail(&arguments, 1, &["/proc/five.png can't be written", "name another place with --out"]);
}

#[test]
fn self_test_of_a_model_that_promises_nothing() {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    let arguments = ["self-test", "--model", "tiny.onnx"];
    shell.fail(&arguments, 2, &["tiny.onnx", "edgegan.golden", "cargo export"]);
}

#[test]
fn self_test_of_a_model_whose_promise_is_damaged() {
    let shell = shell();
    let mut contract = tiny_model::contract();
    let mut golden = tiny_model::wrong_golden();
    golden.pixels.replace_range(..2, "ff");
    contract.golden = Some(golden);
    shell.write("tiny.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
    let arguments = ["self-test", "--model", "tiny.onnx"];
    shell.fail(&arguments, 2, &["tiny.onnx", "pixels and sha256 disagree"]);
}
