//! The forms of a file: `--optimize`, `--deconv`, `--precision`, `--batch`, `--uint8`, `--opset`; other
//! networks than the generator; and `--verify-only`.

use std::ffi::OsStr;
use std::fs;

use models::{Architecture, Sizes};
use serde_json::Value;
use tests::{Shell, checkout, runtime_library};

use super::{FILE, check_with_onnx, header, in_python, save, shell, shell_with_run, weights};

/// What `inspect` says of a file.
fn inspected(shell: &Shell, file: &str) -> Value {
    serde_json::from_str(&shell.succeed(&["inspect", file, "--json"])).unwrap()
}

fn operators(shell: &Shell, file: &str) -> Vec<String> {
    let report = inspected(shell, file);
    let nodes = report["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["operator"].as_str().unwrap().to_string()).collect()
}

/// Whether the program with rten draws what the file promises, and with ONNX Runtime.
fn passes_its_self_test(shell: &Shell, file: &str) {
    for engine in ["onnxruntime", "rten"] {
        shell.succeed_as("infer", &["self-test", "--model", file, "--engine", engine, "--quiet"]);
    }
}

#[test]
fn without_passes_the_graph_reads_like_the_network() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "plain.onnx", "--optimize", "none", "--quiet"]);
    let label = ["Gather", "Concat"];
    let planes = ["Gather", "Unsqueeze", "Expand", "Concat"];
    let expected = [
        &label[..],
        &["Gemm", "BatchNormalization", "Relu"],
        &label,
        &["Gemm", "BatchNormalization", "Relu", "Reshape"],
        &planes,
        &["ConvTranspose", "BatchNormalization", "Relu"],
        &planes,
        &["ConvTranspose", "Sigmoid"],
    ]
    .concat();
    assert_eq!(operators(&shell, "plain.onnx"), expected);
    passes_its_self_test(&shell, "plain.onnx");
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    shell.succeed(&["diff", "plain.onnx", "gen.onnx", "--quiet"]);
}

#[test]
fn transposed_convolutions_stay_or_become_convolutions() {
    let shell = shell_with_run();
    let transposed = |choice: &str| {
        let report = shell.succeed(&["--out", "gen.onnx", "--deconv", choice, "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        let count = operators(&shell, "gen.onnx").iter().filter(|name| *name == "ConvTranspose").count();
        assert_eq!(report["turned"].as_array().unwrap().len(), 2 - count, "{report}");
        passes_its_self_test(&shell, "gen.onnx");
        (count, report["timings"].as_array().unwrap().clone())
    };
    assert_eq!(transposed("transpose"), (2, Vec::new()));
    assert_eq!(transposed("subpixel"), (0, Vec::new()));
    // None, one, the other, both: each with two medians, and the chosen one is the best on the whole.
    let (_, timings) = transposed("auto");
    assert_eq!(timings.len(), 4);
    assert!(timings.iter().all(|timing| timing["milliseconds"][1].as_f64().unwrap() > 0.));
    let text = shell.succeed(&["--out", "gen.onnx", "--deconv", "auto"]);
    assert_eq!(text.matches(": taken").count(), 1, "{text}");
}

/// ONNX Runtime's CUDA provider takes no others (`scripts/cuda-nodes.sh`).
#[test]
fn transposed_convolutions_that_stay_have_even_padding() {
    let shell = shell_with_run();
    let pads = |options: &[&str]| -> Vec<[usize; 4]> {
        shell.succeed(&[&["--out", "gen.onnx", "--quiet"], options].concat());
        let code = "print([list(a.ints) for n in model.graph.node if n.op_type == 'ConvTranspose' \
                    for a in n.attribute if a.name == 'pads'])";
        serde_json::from_str(&in_python(&shell.path("gen.onnx"), code)).unwrap()
    };
    let is_even = |[top, left, bottom, right]: &[usize; 4]| (top, left) == (bottom, right);
    let default = pads(&[]);
    assert!(default.len() == 2 && default.iter().all(is_even), "{default:?}");
    let kept = pads(&["--deconv", "transpose"]);
    assert!(!kept.iter().all(is_even), "{kept:?}");
}

/// One word for a form, and what it was is said; beside an option that it chooses it means nothing.
#[test]
fn a_target_is_a_form() {
    let shell = shell_with_run();
    for (target, precision) in [("cpu", "int8"), ("browser", "int8"), ("jetson", "fp16"), ("triton", "fp32")]
    {
        let said = shell.succeed(&["--out", "gen.onnx", "--target", target]);
        // The run's generator is too small for 8 bits.
        let small = if precision == "int8" { "fp16" } else { precision };
        assert!(said.contains(&format!("for {target}: {small}, opset 17: ")), "{said}");
        let report = shell.succeed(&["--out", "gen.onnx", "--target", target, "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((report["target"].as_str(), report["opset"].as_u64()), (Some(target), Some(17)));
        assert!(report["costs"].is_null());
    }
    for option in [
        &["--precision", "fp32"][..],
        &["--int8-layers", "all"],
        &["--optimize", "full"],
        &["--deconv", "auto"],
        &["--batch", "2"],
        &["--uint8"],
        &["--opset", "17"],
    ] {
        let output = shell.run(&[&["--out", "x.onnx", "--target", "cpu"], option].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        let expected = format!("'--target <TARGET>' cannot be used with '{}", option[0]);
        assert!(stderr.contains(&expected) && !shell.path("x.onnx").exists(), "{stderr}");
    }
}

/// What each layer costs alone, and all together, in pixels and in what a judge reads.
#[test]
fn what_8_bits_cost_is_said_of_each_layer() {
    let shell = shell();
    let pair = Architecture::LabelledDcgan(Sizes::default());
    save(&shell.path("runs/mnist").join(FILE), &header(pair), &pair.generator().unwrap(), 1);
    let judge = checkout().join("models/pretrained/mnist-judge.onnx");
    let judge = judge.to_str().unwrap();
    let int8 = ["--out", "int8.onnx", "--precision", "int8", "--judge", judge];
    let said = shell.succeed(&int8);
    for layer in ["h1.linear", "h2.deconv", "out.deconv", "all of them"] {
        let parts = [format!("8 bits in {layer}: pixels within "), " % read as their label".to_string()];
        assert!(said.lines().any(|line| parts.iter().all(|part| line.contains(part))), "{said}");
    }
    let report: Value = serde_json::from_str(&shell.succeed(&[&int8[..], &["--json"]].concat())).unwrap();
    let costs = &report["costs"];
    assert_eq!((costs["layers"].as_array().unwrap().len(), costs["images"].as_u64()), (3, Some(1000)));
    let largest = |cost: &Value| cost["difference"]["largest"].as_f64().unwrap();
    for cost in costs["layers"].as_array().unwrap().iter().chain([&costs["all"]]) {
        assert!(largest(cost) > 0. && largest(cost) < 0.35, "{cost}");
        assert!((0. ..=1.).contains(&cost["agreement"].as_f64().unwrap()));
    }
    shell.fail(&["--out", "x.onnx", "--judge", judge], 2, &["--judge says what 8 bits cost", "fp32"]);
    let linear = ["--int8-layers", "linear"];
    shell.fail(
        &[&["--out", "x.onnx"], &linear[..]].concat(),
        2,
        &["--int8-layers says what has 8 bits", "fp32"],
    );
    let report =
        shell.succeed(&[&["--out", "int8.onnx", "--precision", "int8", "--json"], &linear[..]].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["costs"]["layers"].as_array().unwrap().len(), 1);
    assert_eq!(report["costs"]["layers"][0]["layer"], "h1.linear");
    assert!(!operators(&shell, "int8.onnx").contains(&"DequantizeLinear".to_string()));
}

/// The whole generator: a small one has no layer that is large enough for 8 bits.
#[test]
fn precisions_are_smaller_and_near() {
    let shell = shell();
    let pair = Architecture::LabelledDcgan(Sizes::default());
    save(&shell.path("runs/mnist").join(FILE), &header(pair), &pair.generator().unwrap(), 1);
    let export = |precision: &str| {
        let file = format!("{precision}.onnx");
        let report = shell.succeed(&["--out", &file, "--precision", precision, "--json"]);
        check_with_onnx(&shell.path(&file));
        passes_its_self_test(&shell, &file);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["precision"], precision);
        let metadata = inspected(&shell, &file)["metadata"].to_string();
        assert_eq!(metadata.contains("edgegan.precision"), precision != "fp32", "{metadata}");
        report["bytes"].as_u64().unwrap() as f64 / 1e6
    };
    let [fp32, fp16, int8] = ["fp32", "fp16", "int8"].map(export);
    assert!(fp32 > 28. && fp16 < 15. && int8 < 8., "{fp32} MB, {fp16} MB, {int8} MB");
    // The large linear layer, four phases of one transposed convolution and all phases of the other.
    let of_int8 = operators(&shell, "int8.onnx");
    let count = |name: &str| of_int8.iter().filter(|operator| *operator == name).count();
    assert_eq!((count("MatMulInteger"), count("Conv"), count("ConvTranspose")), (1, 5, 0));
    // What goes into each convolution, its weights, and what comes out of it.
    assert_eq!(count("DequantizeLinear"), 15);
    // Near in what they draw, and not the same.
    for (file, tolerance) in [("fp16.onnx", "0.02"), ("int8.onnx", "0.35")] {
        shell.succeed(&["diff", "fp32.onnx", file, "--tolerance", tolerance, "--quiet"]);
        let strict = shell.run(&["diff", "fp32.onnx", file, "--tolerance", "1e-7", "--quiet"]);
        assert_eq!(strict.status.code(), Some(1));
    }
}

#[test]
fn bytes_and_a_fixed_batch() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "bytes.onnx", "--uint8", "--batch", "5", "--quiet"]);
    check_with_onnx(&shell.path("bytes.onnx"));
    let report = inspected(&shell, "bytes.onnx");
    let text = |outlet: &Value| format!("{}: {}{}", outlet["name"], outlet["type"], outlet["dims"]);
    let outlets: Vec<String> =
        ["inputs", "outputs"].iter().flat_map(|key| report[key].as_array().unwrap()).map(text).collect();
    let expected = [r#""z": "float32"[5,7]"#, r#""label": "int64"[5]"#, r#""image": "uint8"[5,1,12,20]"#];
    assert_eq!(outlets, expected);
}

#[test]
fn a_model_repository_beside_the_file() {
    let shell = shell_with_run();
    let said = shell.succeed(&["--out", "gen.onnx", "--triton", "repository"]);
    assert!(said.contains("repository/gen: for NVIDIA Triton"), "{said}");
    let served = fs::read(shell.path("repository/gen/1/model.onnx")).unwrap();
    assert!(served == fs::read(shell.path("gen.onnx")).unwrap());
    assert!(shell.path("repository/gen/config.pbtxt").is_file());
    // A model that is there stays.
    let output = shell.run(&["--out", "gen.onnx", "--triton", "repository"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && stderr.contains("repository/gen"), "{stderr}");
}

#[test]
fn operator_sets() {
    let shell = shell_with_run();
    for (opset, ir) in [("13", 7), ("15", 8), ("18", 8), ("20", 9), ("22", 10)] {
        let report = shell.succeed(&["--out", "gen.onnx", "--opset", opset, "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((report["opset"].to_string().as_str(), &report["ir_version"]), (opset, &Value::from(ir)));
        check_with_onnx(&shell.path("gen.onnx"));
        passes_its_self_test(&shell, "gen.onnx");
    }
    let parts = ["--opset", "12", "not in 13..=22"];
    let refused = shell.run(&["--out", "gen.onnx", "--opset", "12"]);
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && parts.iter().all(|part| stderr.contains(part)), "{stderr}");
}

#[test]
fn a_discriminator_and_a_judge() {
    let shell = shell();
    let judge = checkout().join("models/pretrained/mnist-judge.safetensors");
    let judge = judge.to_str().unwrap();
    shell.succeed(&["--checkpoint", judge, "--out", "judge.onnx", "--quiet"]);
    // The shipped file is what this makes of the shipped weights.
    let shipped = fs::read(checkout().join("models/pretrained/mnist-judge.onnx")).unwrap();
    assert!(fs::read(shell.path("judge.onnx")).unwrap() == shipped);
    check_with_onnx(&shell.path("judge.onnx"));
    let report = inspected(&shell, "judge.onnx");
    assert_eq!(report["outputs"][0]["name"], "logits");
    assert_eq!(report["inputs"][0]["name"], "image");
    assert!(report["metadata"].to_string().contains("convolutional-judge"));
    let parts = ["--precision int8 is for generators", "judge"];
    shell.fail(&["--checkpoint", judge, "--out", "x.onnx", "--precision", "int8"], 2, &parts);
    shell.fail(&["--checkpoint", judge, "--out", "x.onnx", "--uint8"], 2, &["--uint8 is for pictures"]);

    // A run's checkpoint holds both networks; what `export` takes otherwise, the generator alone.
    let mut contents = models::checkpoint::Contents::default();
    let pair = super::small();
    let discriminator = pair.discriminator().unwrap();
    contents.parameters("discriminator", &weights(&discriminator, 2));
    contents.parameters("generator", &weights(&pair.generator().unwrap(), 3));
    contents.parameters("average", &weights(&pair.generator().unwrap(), 4));
    fs::create_dir_all(shell.path("runs/a/checkpoints")).unwrap();
    contents.save(&header(pair), &shell.path("runs/a/checkpoints/00000009.safetensors")).unwrap();
    shell.succeed(&["--checkpoint", "runs/a", "--network", "discriminator", "--out", "d.onnx", "--quiet"]);
    assert_eq!(inspected(&shell, "d.onnx")["outputs"][0]["name"], "logits");
    let file = "runs/a/checkpoints/00000009.safetensors";
    shell.succeed(&["--checkpoint", file, "--weights", "raw", "--out", "raw.onnx", "--quiet"]);

    let shell = shell_with_run();
    let file = format!("runs/small/{FILE}");
    let arguments = ["--checkpoint", &file, "--network", "discriminator", "--out", "d.onnx"];
    shell.fail(&arguments, 2, &["holds no discriminator", "checkpoints/"]);
    // Nor does a run that keeps no checkpoints.
    shell.fail(
        &["--checkpoint", "runs/small", "--network", "discriminator", "--out", "d.onnx"],
        2,
        &["checkpoints"],
    );
}

#[test]
fn a_file_is_checked_against_its_checkpoint() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    let before = fs::read(shell.path("gen.onnx")).unwrap();
    let said = shell.succeed(&["--verify-only", "gen.onnx"]);
    assert!(said.contains("agree within") && said.contains("nothing written"), "{said}");
    assert!(fs::read(shell.path("gen.onnx")).unwrap() == before);

    // Of other weights.
    shell.succeed(&["--out", "raw.onnx", "--weights", "raw", "--quiet"]);
    let parts = ["raw.onnx", "and Candle differ by", "isn't of this checkpoint"];
    shell.fail(&["--verify-only", "raw.onnx"], 1, &parts);
    shell.succeed(&["--verify-only", "raw.onnx", "--weights", "raw", "--quiet"]);
    // Of another network.
    let sizes = Sizes { latent_dim: 9, ..*super::small().sizes() };
    let pair = Architecture::LabelledDcgan(sizes);
    save(&shell.path("other").join(FILE), &header(pair), &pair.generator().unwrap(), 3);
    shell.fail(
        &["--verify-only", "gen.onnx", "--checkpoint", "other"],
        2,
        &["has latents 7, but checkpoint", "has 9"],
    );
}

#[test]
fn files_that_can_not_be_checked() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    let bytes = fs::read(shell.path("gen.onnx")).unwrap();
    shell.write("empty.onnx", "");
    shell.write("text.onnx", "This is a text file, and no model.");
    shell.write("half.onnx", &bytes[..bytes.len() / 2]);
    shell.write("png.onnx", fs::read(checkout().join("models/pretrained/digits.png")).unwrap());
    shell.succeed(&[
        "--checkpoint",
        checkout().join("models/pretrained/mnist-judge.safetensors").to_str().unwrap(),
        "--out",
        "judge.onnx",
        "--quiet",
    ]);
    fs::create_dir(shell.path("folder.onnx")).unwrap();
    for (file, part) in [
        ("missing.onnx", "No such file"),
        ("folder.onnx", "folder"),
        ("empty.onnx", "empty"),
        ("text.onnx", "text.onnx"),
        ("half.onnx", "half.onnx"),
        ("png.onnx", "png.onnx"),
        ("judge.onnx", "judge.onnx"),
    ] {
        shell.fail(&["--verify-only", file], 2, &[file, part]);
    }
    // Damage that leaves a model: other weights.
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0x3f);
    shell.write("damaged.onnx", damaged);
    let output = shell.run(&["--verify-only", "damaged.onnx"]);
    assert_ne!(output.status.code(), Some(0));
    let library = runtime_library();
    let arguments: [&OsStr; 4] =
        ["--verify-only".as_ref(), "gen.onnx".as_ref(), "--runtime".as_ref(), library.as_os_str()];
    shell.succeed(&arguments);
}
