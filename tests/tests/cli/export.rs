//! `export`: the file that it writes, and what it says to bad input.

mod adopt;
mod bad_models;
mod diff;
mod figure;
mod forms;
mod from_file;
mod inspect;
mod look;
mod strangers;
mod triton;

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use candle_core::{Device, Tensor};
use contract::{Contract, LatentDistribution, PixelRange};
use infer::ModelSource;
use models::{
    Architecture, Network, Parameters, Sizes,
    checkpoint::{Contents, FORMAT, Header, Provenance},
};
use serde_json::Value;
use tests::Shell;

const FILE: &str = "generator.safetensors";

/// Sizes that are quick to export; rows and columns differ.
fn small() -> Architecture {
    Architecture::LabelledDcgan(Sizes {
        latent: LatentDistribution::Uniform,
        latent_dim: 7,
        classes: 4,
        channels: 1,
        height: 12,
        width: 20,
        generator_filters: 3,
        generator_units: 11,
        discriminator_filters: 3,
        discriminator_units: 11,
    })
}

fn header(architecture: Architecture) -> Header {
    Header {
        format: FORMAT,
        architecture,
        provenance: Provenance {
            version: "0.1.0".into(),
            dataset: "mnist".into(),
            dataset_sha256: "0".repeat(64),
            split: "train".into(),
            classes: (0..architecture.sizes().classes).map(|class| class.to_string()).collect(),
            images: 60_000,
            recipe: "reference".into(),
            seed: 21,
            batch_size: 64,
            iterations: 2345,
            epochs: 2.5,
            device: "cpu".into(),
        },
    }
}

fn weights(network: &Network, seed: u64) -> Parameters {
    network.initialise(seed, &Device::Cpu).unwrap()
}

/// Writes a checkpoint whose averaged weights are those of `seed`, and the raw ones of the next.
fn save(path: &Path, header: &Header, network: &Network, seed: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut contents = Contents::default();
    contents.parameters("average", &weights(network, seed));
    contents.parameters("raw", &weights(network, seed + 1));
    contents.save(header, path).unwrap();
}

fn shell() -> Shell {
    Shell::new("export")
}

/// A shell beside which a small run lies, `runs/small`.
fn shell_with_run() -> Shell {
    let shell = shell();
    let network = small().generator().unwrap();
    save(&shell.path("runs/small").join(FILE), &header(small()), &network, 3);
    shell
}

fn contract(file: &Path) -> Contract {
    ModelSource::File(file).contract().unwrap()
}

#[test]
fn the_whole_generator_becomes_a_file_that_every_runtime_draws_from() {
    let shell = shell();
    let pair = Architecture::LabelledDcgan(Sizes::default());
    let checkpoint = shell.path("runs/mnist").join(FILE);
    save(&checkpoint, &header(pair), &pair.generator().unwrap(), 1);
    let report = shell.succeed(&["--out", "gen.onnx", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let file = shell.path("gen.onnx");

    assert_eq!(report["file"], "gen.onnx");
    assert_eq!(report["bytes"], fs::metadata(&file).unwrap().len());
    assert_eq!(report["checkpoint"], "runs/mnist/generator.safetensors");
    assert_eq!(report["weights"], "average");
    assert_eq!((&report["opset"], &report["ir_version"]), (&Value::from(17), &Value::from(8)));
    assert_eq!(report["library"], tests::runtime_library().to_str().unwrap());
    assert_eq!(report["turned"], serde_json::json!(["h2.deconv"]));
    // ONNX Runtime and rten, each with the file loaded in two ways.
    let comparisons = report["comparisons"].as_array().unwrap();
    let engines: Vec<_> =
        comparisons.iter().map(|comparison| comparison["engine"].as_str().unwrap()).collect();
    assert_eq!(engines.len(), 4, "{report}");
    assert_eq!(engines.iter().filter(|engine| engine.starts_with("rten ")).count(), 2, "{report}");
    for comparison in comparisons {
        let largest = comparison["difference"]["largest"].as_f64().unwrap();
        assert!(largest > 0. && largest <= 1e-5, "{report}");
        // 64 images of 28 × 28 in three sizes of batch.
        assert_eq!(comparison["difference"]["values"], 64 * 28 * 28 * 3);
    }

    let contract = contract(&file);
    assert_eq!(contract.classes, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!((contract.architecture.as_str(), contract.dataset.as_str()), ("labelled-dcgan", "mnist"));
    assert_eq!((contract.latent_dim, contract.pixel_range), (100, PixelRange::ZeroToOne));
    assert_eq!((contract.training.epochs, contract.training.iterations), (Some(2), Some(2345)));
    assert_eq!((contract.training.seed, contract.training.recipe.as_deref()), (Some(21), Some("reference")));
    let loaded = models::checkpoint::Checkpoint::load(&checkpoint).unwrap();
    assert_eq!(contract.training.checkpoint_sha256, Some(loaded.sha256));
    assert_eq!(contract.golden.unwrap().labels, (0..10).collect::<Vec<i64>>());

    let model = ["self-test", "--device", "cpu", "--json", "--model", "gen.onnx", "--runtime"];
    for library in [tests::runtime_library(), tests::oldest_runtime_library()] {
        let arguments: Vec<&OsStr> = model.iter().map(OsStr::new).chain([library.as_os_str()]).collect();
        let tested: Value = serde_json::from_str(&shell.succeed_as("infer", &arguments)).unwrap();
        assert_eq!((&tested["passed"], &tested["images"]), (&Value::from(true), &Value::from(10)));
        assert_eq!(tested["runtime"]["version"], version(&library), "{tested}");
    }
    check_with_onnx(&file);
}

/// The version that a library's name ends in.
fn version(library: &Path) -> String {
    let name = library.file_name().unwrap().to_str().unwrap();
    name.strip_prefix("libonnxruntime.so.").unwrap().to_string()
}

/// What Python prints that has loaded the file as `model` with the onnx package.
fn in_python(file: &Path, code: &str) -> String {
    let python = tests::checkout().join(".venv/bin/python");
    assert!(python.exists(), "no {}: get it with `scripts/setup.sh test`", python.display());
    let code = format!("import sys, onnx; model = onnx.load(sys.argv[1]); {code}");
    let output = Command::new(python).args(["-c", &code]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The onnx package's own checker, in its own words if it refuses.
fn check_with_onnx(file: &Path) {
    in_python(file, "onnx.checker.check_model(model, full_check=True)");
}

#[test]
fn the_newest_run_is_exported_and_the_report_says_which() {
    let shell = shell();
    let network = small().generator().unwrap();
    // Neither the first nor the last by name is the newest.
    for (name, age) in [("a", 300), ("b", 100), ("c", 200)] {
        let file = shell.path("runs").join(name).join(FILE);
        save(&file, &header(small()), &network, 3);
        let written = SystemTime::now() - Duration::from_secs(age);
        fs::File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
    }
    let report = shell.succeed(&["--out", "gen.onnx"]);
    for part in [
        "runs/b/generator.safetensors: generator of labelled-dcgan on mnist, averaged weights after 2.5 epochs",
        "(2345 iterations)",
        &format!("ONNX Runtime {} and Candle agree within ", version(&tests::runtime_library())),
        "rten 0.27 and Candle agree within ",
        "gen.onnx: ",
        ", fp32, 15 nodes, opset 17, IR 8",
    ] {
        assert!(report.contains(part), "expected {part:?} in {report}");
    }
}

#[test]
fn a_run_and_a_file_can_be_named_and_quiet_says_nothing() {
    let shell = shell_with_run();
    assert_eq!(shell.succeed(&["--checkpoint", "runs/small", "--out", "run.onnx", "--quiet"]), "");
    let file = format!("runs/small/{FILE}");
    assert_eq!(shell.succeed(&["--checkpoint", &file, "--out", "file.onnx", "--quiet"]), "");
    assert!(fs::read(shell.path("run.onnx")).unwrap() == fs::read(shell.path("file.onnx")).unwrap());
    // No temporary file stays behind.
    let mut names = shell.files();
    names.retain(|name| !shell.path(name).is_dir());
    assert_eq!(names, ["file.onnx", "run.onnx", &file]);
}

#[test]
fn the_weights_that_were_asked_for_are_in_the_file() {
    let shell = shell_with_run();
    let network = small().generator().unwrap();
    // No batch norm follows the last layer, and its label comes last: its features are as they were.
    let bytes = |seed| {
        let weight = weights(&network, seed).get("out.deconv.weight").unwrap().as_tensor().clone();
        let features =
            weight.narrow(0, 0, 2 * small().sizes().generator_filters).unwrap().flatten_all().unwrap();
        let features: Vec<f32> = features.to_vec1().unwrap();
        features.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>()
    };
    let (average, raw) = (bytes(3), bytes(4));
    for (arguments, there, not_there) in [
        (&[][..], &average, &raw),
        (&["--weights", "raw"], &raw, &average),
        (&["--weights", "average"], &average, &raw),
    ] {
        // Its kernels as they are, without zeros around them.
        shell.succeed(&[&["--out", "gen.onnx", "--deconv", "transpose", "--quiet"], arguments].concat());
        let file = fs::read(shell.path("gen.onnx")).unwrap();
        let holds = |part: &[u8]| file.windows(part.len()).any(|window| window == part);
        assert!(holds(there) && !holds(not_there), "{arguments:?}");
    }
}

#[test]
fn an_older_file_is_replaced() {
    let shell = shell_with_run();
    shell.write("gen.onnx", "what was there before");
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    assert_eq!(contract(&shell.path("gen.onnx")).latent_dim, 7);
}

#[test]
fn no_run() {
    let parts = ["no run in runs", "run `cargo train` first", "--checkpoint"];
    shell().fail(&["--out", "gen.onnx"], 2, &parts);
}

#[test]
fn a_run_without_a_checkpoint() {
    let shell = shell();
    fs::create_dir_all(shell.path("runs/empty")).unwrap();
    shell.write("runs/empty/log.csv", "");
    let parts = ["runs/empty", "holds no generator.safetensors", "cargo train"];
    shell.fail(&["--checkpoint", "runs/empty", "--out", "gen.onnx"], 2, &parts);
    shell.fail(&["--out", "gen.onnx"], 2, &["no run in runs"]);
}

#[test]
fn a_checkpoint_that_is_not_there() {
    let parts = ["checkpoint missing", "No such file", "expected a run's folder or a .safetensors file"];
    shell().fail(&["--checkpoint", "missing", "--out", "gen.onnx"], 2, &parts);
}

/// A checkpoint whose header says something else than the usual.
fn fail_with_header(change: impl FnOnce(&mut Header), parts: &[&str]) {
    let shell = shell();
    let mut header = header(small());
    change(&mut header);
    save(&shell.path(FILE), &header, &small().generator().unwrap(), 3);
    shell.fail(&["--checkpoint", FILE, "--out", "gen.onnx"], 2, &[&[FILE], parts].concat());
}

#[test]
fn a_checkpoint_of_another_architecture() {
    let shell = shell_with_run();
    let file = shell.path("runs/small").join(FILE);
    let mut bytes = fs::read(&file).unwrap();
    let (name, other) = (br#"\"labelled-dcgan\""#, br#"\"stylegan\"      "#);
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at..at + name.len()].copy_from_slice(other);
    fs::write(&file, bytes).unwrap();
    let parts = [FILE, "architecture \"stylegan\"", "knows \"labelled-dcgan\""];
    shell.fail(&["--checkpoint", "runs/small", "--out", "gen.onnx"], 2, &parts);
}

#[test]
fn a_checkpoint_of_another_format() {
    fail_with_header(|header| header.format = 9, &["header format 9, this version reads up to 2"]);
}

#[test]
fn weights_of_another_shape_than_the_header_says() {
    let parts = ["average weights", "h0.linear.weight", "shape [11, 11]", "needs [12, 11]"];
    let sizes = Sizes { generator_units: 12, ..*small().sizes() };
    fail_with_header(|header| header.architecture = Architecture::LabelledDcgan(sizes), &parts);
}

#[test]
fn another_number_of_class_names_than_classes() {
    let parts = ["names 5 classes", "its generator has 4"];
    fail_with_header(|header| header.provenance.classes.push("five".into()), &parts);
}

#[test]
fn a_checkpoint_without_the_weights_that_were_asked_for() {
    let shell = shell();
    let mut contents = Contents::default();
    contents.parameters("average", &weights(&small().generator().unwrap(), 3));
    contents.save(&header(small()), &shell.path(FILE)).unwrap();
    let parts = [FILE, "raw weights", "h0.linear.weight: not there"];
    shell.fail(&["--checkpoint", FILE, "--weights", "raw", "--out", "gen.onnx"], 2, &parts);
}

#[test]
fn a_truncated_checkpoint() {
    let shell = shell_with_run();
    let whole = fs::read(shell.path("runs/small").join(FILE)).unwrap();
    // In the header's length, in the header, in the weights, before the last byte.
    for length in [0, 5, 300, whole.len() / 2, whole.len() - 1] {
        shell.write("cut.safetensors", &whole[..length]);
        let parts = ["cut.safetensors", "cut short, or no safetensors file"];
        shell.fail(&["--checkpoint", "cut.safetensors", "--out", "gen.onnx"], 2, &parts);
    }
}

#[test]
fn a_file_that_is_no_checkpoint() {
    let shell = shell();
    shell.write("notes.txt", "These are the notes of a run, and no tensors at all.");
    let parts = ["notes.txt", "no safetensors file"];
    shell.fail(&["--checkpoint", "notes.txt", "--out", "gen.onnx"], 2, &parts);
}

#[test]
fn a_safetensors_file_of_another_program() {
    let shell = shell();
    // The length of the header, and an empty header: no tensors and no metadata.
    shell.write("other.safetensors", [&2u64.to_le_bytes()[..], b"{}"].concat());
    let parts = ["other.safetensors", "without edgegan's header"];
    shell.fail(&["--checkpoint", "other.safetensors", "--out", "gen.onnx"], 2, &parts);
}

/// Saves a run whose averaged weights are changed, one parameter after the other.
fn run_with(shell: &Shell, change: impl Fn(&str, &mut [f32])) {
    let average = weights(&small().generator().unwrap(), 3);
    for (name, parameter) in average.iter() {
        let mut values: Vec<f32> = parameter.flatten_all().unwrap().to_vec1().unwrap();
        change(name, &mut values);
        let changed = Tensor::from_vec(values, parameter.dims(), &Device::Cpu).unwrap();
        parameter.set(&changed).unwrap();
    }
    let mut contents = Contents::default();
    contents.parameters("average", &average);
    fs::create_dir_all(shell.path("runs/changed")).unwrap();
    contents.save(&header(small()), &shell.path("runs/changed").join(FILE)).unwrap();
}

#[test]
fn weights_that_are_not_finite() {
    let shell = shell();
    run_with(&shell, |name, values| {
        if name == "h1.linear.bias" {
            values[4] = f32::NAN;
        }
    });
    let parts = ["runs/changed", "average.h1.linear.bias holds numbers that are not finite"];
    shell.fail(&["--out", "gen.onnx"], 2, &parts);
}

/// Candle adds the label's −600,000 to the features in single precision and loses them, before the
/// bias makes up for it where six weights of the kernel meet the picture; the exported maps hold the
/// sum of both.
#[test]
fn a_file_that_draws_something_else_is_not_written() {
    let shell = shell();
    shell.write("gen.onnx", "what was there before");
    let features = 2 * small().sizes().generator_filters * 5 * 5;
    run_with(&shell, |name, values| match name {
        "out.deconv.weight" => values[features..].fill(-1e5),
        "out.deconv.bias" => values.fill(6e5),
        // Features of the order of 1.
        _ if name.ends_with("weight") => values.iter_mut().for_each(|x| *x *= 30.),
        _ => {}
    });
    let parts = [" and Candle differ by ", "more than 1e-5", "nothing was written"];
    shell.fail(&["--out", "gen.onnx"], 1, &parts);
}

#[test]
fn an_output_that_can_not_be_written() {
    let shell = shell_with_run();
    fs::create_dir(shell.path("folder")).unwrap();
    shell.write("file", "");
    for (out, status, part) in [
        ("folder", 2, "this is a folder; name a file in it"),
        ("missing/gen.onnx", 2, "there is no folder missing; create it first"),
        ("file/gen.onnx", 2, "file is not a folder"),
        // A folder where nobody can create files.
        ("/proc/gen.onnx", 1, "can't write /proc/gen.onnx"),
    ] {
        shell.fail(&["--out", out], status, &[part]);
    }
}

#[test]
fn no_onnx_runtime() {
    let shell = shell_with_run();
    let parts = ["--runtime", "/nonexistent/libonnxruntime.so", "does not exist", "make setup"];
    shell.fail(&["--out", "gen.onnx", "--runtime", "/nonexistent/libonnxruntime.so"], 2, &parts);
    let text = shell.write("libonnxruntime.so", "This is no library.");
    let arguments = ["--out".as_ref(), "gen.onnx".as_ref(), "--runtime".as_ref(), text.as_os_str()];
    shell.fail(&arguments, 2, &["libonnxruntime.so is not a library", "make setup"]);
}

#[test]
fn wrong_arguments() {
    let shell = shell_with_run();
    let export = tests::program("export");
    for (arguments, part) in [
        (&[][..], "--out <FILE>"),
        (&["--out", "gen.onnx", "--weights", "best"], "possible values: average, raw"),
        (&["--out", "gen.onnx", "--json", "--quiet"], "cannot be used with"),
    ] {
        let output = Command::new(&export).args(arguments).current_dir(shell.folder()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(part), "expected {part:?} in {stderr}");
        assert!(!shell.path("gen.onnx").exists());
    }
}

#[test]
fn help_shows_examples() {
    let help = shell().succeed(&["--help"]);
    assert!(help.contains("Examples:\n  cargo export --out gen.onnx"), "{help}");
    for command in ["inspect", "diff", "triton"] {
        let help = shell().succeed(&[command, "--help"]);
        assert!(help.contains(&format!("Examples:\n  cargo export {command} gen.onnx")), "{help}");
    }
}
