//! `export adopt`: generators as other programs' exporters write them (tests/adopt), and what is said where the
//! file, or what was asked for, isn't enough.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use contract::{LatentDistribution, PixelRange};
use infer::{Engine, Generator, Input, ModelSource, Options, Runtime, Session, Values};
use serde_json::Value;
use tests::{Shell, checkout, runtime_library};

use super::{check_with_onnx, contract, shell};
use crate::infer::tiny_model::TinyModel;

/// Another program's file, and what has to be said of it.
struct Case {
    name: &'static str,
    flags: &'static [&'static str],
    latent: LatentDistribution,
    pixels: PixelRange,
    /// Its own inputs: latents' name and item, label's name and how it is taken.
    latents: (&'static str, &'static [usize]),
    label: Option<(&'static str, Taken)>,
    output: &'static str,
    /// What adoption adds.
    added: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Taken {
    OneHot,
    Int64,
    /// (N, 1)
    Int32Column,
}

const NORMAL: LatentDistribution = LatentDistribution::Normal;

fn cases() -> [Case; 5] {
    let labelled = |name| Case {
        name,
        flags: &["--latent", "uniform", "--classes", "0..9", "--dataset", "mnist"],
        latent: LatentDistribution::Uniform,
        pixels: PixelRange::ZeroToOne,
        latents: ("z", &[100]),
        label: Some(("y", Taken::OneHot)),
        output: "image",
        added: &["Gather"],
    };
    [
        labelled("torch-old"),
        labelled("torch-new"),
        Case {
            name: "tutorial",
            flags: &["--latent", "normal"],
            latent: NORMAL,
            pixels: PixelRange::MinusOneToOne,
            latents: ("input", &[100, 1, 1]),
            label: None,
            output: "output",
            added: &["Reshape"],
        },
        Case {
            name: "keras",
            flags: &["--latent", "normal", "--classes", "0..9"],
            latent: NORMAL,
            pixels: PixelRange::MinusOneToOne,
            latents: ("noise", &[16]),
            label: Some(("labels", Taken::Int32Column)),
            output: "",
            added: &["Cast", "Reshape", "Transpose"],
        },
        Case {
            name: "levels",
            flags: &["--latent", "normal", "--classes", "dusk,noon,dawn"],
            latent: NORMAL,
            pixels: PixelRange::ZeroToOne,
            latents: ("noise", &[5]),
            label: Some(("label", Taken::Int64)),
            output: "pixels",
            added: &["Cast", "Div", "Transpose"],
        },
    ]
}

impl Case {
    /// A shell with the file in it.
    fn shell(&self) -> Shell {
        let shell = shell();
        for file in [format!("{}.onnx", self.name), format!("{}.onnx.data", self.name)] {
            let bytes = fs::read(checkout().join("tests/adopt").join(&file));
            if let Ok(bytes) = bytes {
                shell.write(&file, bytes);
            }
        }
        shell
    }

    fn file(&self) -> String {
        format!("{}.onnx", self.name)
    }

    /// Adopts it as `gen.onnx`, and gives the report.
    fn adopt(&self, shell: &Shell) -> Value {
        let file = self.file();
        let arguments = [&["adopt", &file, "--out", "gen.onnx", "--json"], self.flags].concat();
        serde_json::from_str(&shell.succeed(&arguments)).unwrap()
    }

    /// The output's name: Keras numbers them.
    fn output(&self, shell: &Shell) -> String {
        let report: Value =
            serde_json::from_str(&shell.succeed(&["inspect", &self.file(), "--json"])).unwrap();
        let name = report["outputs"][0]["name"].as_str().unwrap().to_string();
        assert!(self.output.is_empty() || self.output == name, "{name}");
        name
    }
}

/// PyTorch's numbers: latents (N, d), labels, images (N, C, H, W).
struct Reference {
    z: Tensor,
    labels: Vec<i64>,
    image: Tensor,
}

impl Reference {
    fn of(name: &str) -> Reference {
        let file = checkout().join("tests/adopt/reference.safetensors");
        let tensors: HashMap<String, Tensor> = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
        let get = |what: &str| tensors[&format!("{name}.{what}")].clone();
        Reference {
            z: get("z").to_dtype(DType::F32).unwrap(),
            labels: get("label").to_vec1().unwrap(),
            image: get("image"),
        }
    }
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// What the new file draws of the reference's latents and labels.
fn drawn(file: &Path, engine: Engine, Reference { z, labels, .. }: &Reference) -> Vec<f32> {
    let runtime = (engine == Engine::OnnxRuntime).then(runtime_library);
    let options = Options { engine, runtime, device: infer::Device::Cpu, ..Options::default() };
    let mut generator = Generator::load(&ModelSource::File(file), &options).unwrap();
    let z = ndarray::Array2::from_shape_vec(z.dims2().unwrap(), numbers(z)).unwrap();
    let labels = if generator.contract().is_labelled() { labels.as_slice() } else { &[] };
    generator.run(z.view(), labels).unwrap().into_iter().collect()
}

/// What the other program's own file gives, on inputs of its own kind, as it gives it.
fn original(case: &Case, shell: &Shell, Reference { z, labels, .. }: &Reference) -> Vec<f32> {
    let runtime = Runtime::load(Some(&runtime_library())).unwrap();
    let path = shell.path(case.file());
    let mut session = Session::load(&ModelSource::File(&path), runtime, None).unwrap();
    let n = z.dims()[0];
    let (name, item) = case.latents;
    let shape = [&[n], item].concat();
    let mut inputs =
        vec![Input { name: name.into(), shape: shape.into(), values: Values::Float32(numbers(z).into()) }];
    if let Some((name, taken)) = case.label {
        let one_hot = || labels.iter().flat_map(|&label| (0..10).map(move |class| f32::from(class == label)));
        let (shape, values) = match taken {
            Taken::OneHot => (vec![n, 10], Values::Float32(one_hot().collect())),
            Taken::Int64 => (vec![n], Values::Int64(labels.clone().into())),
            Taken::Int32Column => {
                (vec![n, 1], Values::Int32(labels.iter().map(|&label| label as i32).collect()))
            }
        };
        inputs.push(Input { name: name.into(), shape: shape.into(), values });
    }
    let output = case.output(shell);
    let mut found = Vec::new();
    let ran = session.run(&inputs, &[&output], |_, values| {
        found = match values {
            Values::Float32(numbers) => numbers.into_owned(),
            Values::Uint8(levels) => levels.iter().map(|&level| f32::from(level)).collect(),
            _ => return Err("neither float32 nor uint8".into()),
        };
        Ok(())
    });
    ran.unwrap();
    found
}

/// Pictures of (N, H, W, C) as (N, C, H, W).
fn channels_first(pictures: &[f32], image: &Tensor) -> Vec<f32> {
    let (n, c, h, w) = image.dims4().unwrap();
    let pictures = Tensor::from_slice(pictures, (n, h, w, c), &Device::Cpu).unwrap();
    numbers(&pictures.permute((0, 3, 1, 2)).unwrap())
}

#[track_caller]
fn assert_near(what: &str, expected: &[f32], found: &[f32], tolerance: f32) {
    assert_eq!(expected.len(), found.len(), "{what}");
    let far: Vec<_> = (expected.iter().zip(found).enumerate())
        .filter(|(_, (expected, found))| (*expected - *found).abs() > tolerance)
        .take(5)
        .collect();
    assert!(far.is_empty(), "{what}: {far:?}");
    let spread = expected.iter().fold(0f32, |most, x| most.max((x - expected[0]).abs()));
    assert!(spread > 0.1, "{what}: pictures of one shade would agree with anything");
}

#[test]
fn generators_of_other_exporters_draw_what_they_drew() {
    for case in cases() {
        let shell = case.shell();
        let report = case.adopt(&shell);
        let file = shell.path("gen.onnx");
        check_with_onnx(&file);
        assert_eq!(report["about"]["added"], serde_json::json!(case.added), "{}", case.name);
        assert_eq!(report["embedded"], Value::Null, "{}: rten draws from it too", case.name);
        let engines = report["comparisons"].as_array().unwrap();
        assert_eq!(engines.len(), 4, "{report}");

        let contract = contract(&file);
        assert_eq!((contract.latent_distribution, contract.pixel_range), (case.latent, case.pixels));
        assert_eq!(contract.is_labelled(), case.label.is_some());
        assert_eq!(contract.latent_dim, case.latents.1[0]);

        let reference = Reference::of(case.name);
        let mut own = original(&case, &shell, &reference);
        if ["keras", "levels"].contains(&case.name) {
            own = channels_first(&own, &reference.image);
        }
        let is_levels = case.name == "levels";
        if is_levels {
            own.iter_mut().for_each(|level| *level /= 255.);
        }
        // Rounding to levels may go either way.
        let tolerance = if is_levels { 1. / 255. + 1e-5 } else { 1e-5 };
        for engine in [Engine::OnnxRuntime, Engine::Rten] {
            let found = drawn(&file, engine, &reference);
            assert_near(&format!("{} in {engine}", case.name), &own, &found, tolerance);
            let what = format!("{} in {engine} against PyTorch", case.name);
            assert_near(&what, &numbers(&reference.image), &found, tolerance);
        }
    }
}

#[test]
fn infer_draws_by_label_or_without() {
    for case in cases() {
        let shell = case.shell();
        case.adopt(&shell);
        for engine in ["onnxruntime", "rten"] {
            let model = ["--model", "gen.onnx", "--engine", engine, "--quiet"];
            shell.succeed_as("infer", &[&["self-test"][..], &model].concat());
            let label: &[&str] = match case.name {
                "levels" => &["--digit", "noon"],
                _ if case.label.is_some() => &["--digit", "5"],
                _ => &[],
            };
            shell.succeed_as("infer", &[label, &["--out", "drawn.png"], &model].concat());
            assert!(fs::read(shell.path("drawn.png")).unwrap().starts_with(b"\x89PNG"));
            fs::remove_file(shell.path("drawn.png")).unwrap();
        }
    }
}

#[test]
fn the_report_says_what_was_found_and_added() {
    let [_, new, _, keras, _] = cases();
    let shell = keras.shell();
    let said = shell.succeed(&[&["adopt", "keras.onnx", "--out", "gen.onnx"], keras.flags].concat());
    for part in [
        "keras.onnx: written by pytorch",
        "noise: 16 latents, normal(0,1)",
        "labels: the label, as a number; the classes 0, 1,",
        "pictures, 1 × 28 × 28, channels last, float32 of -1..1",
        "added: Cast, Reshape, Transpose",
        "and keras.onnx agree within",
        "rten 0.27 and keras.onnx agree within",
        "gen.onnx: 0.1 MB, opset 20, IR 9",
    ] {
        assert!(said.contains(part), "expected {part:?} in {said}");
    }
    // The weights that lay beside the file are in it, and what it was made from is in its metadata.
    let shell = new.shell();
    let report = new.adopt(&shell);
    fs::remove_file(shell.path("torch-new.onnx.data")).unwrap();
    shell.succeed_as("infer", &["self-test", "--model", "gen.onnx", "--quiet"]);
    let inspected: Value = serde_json::from_str(&shell.succeed(&["inspect", "gen.onnx", "--json"])).unwrap();
    let metadata = inspected["metadata"].as_array().unwrap();
    let stated = metadata.iter().find(|entry| entry["key"] == "edgegan.adopted").unwrap();
    let stated: Value = serde_json::from_str(stated["value"].as_str().unwrap()).unwrap();
    assert_eq!(stated, report["about"]);
    let bytes = fs::read(shell.path("torch-new.onnx")).unwrap();
    assert_eq!(stated["sha256"], contract::files::sha256(&bytes));
    assert_eq!(stated["opsets"]["ai.onnx"], 20);
    // The same twice.
    let first = fs::read(shell.path("gen.onnx")).unwrap();
    let shell = new.shell();
    new.adopt(&shell);
    assert!(fs::read(shell.path("gen.onnx")).unwrap() == first);
}

/// What one command line about the case's file is refused with.
#[track_caller]
fn refused(case: &Case, flags: &[&str], parts: &[&str]) {
    let file = case.file();
    let parts = [&[file.as_str()], parts].concat();
    case.shell().fail(&[&["adopt", &file, "--out", "gen.onnx"], flags].concat(), 2, &parts);
}

#[test]
fn what_the_file_does_not_say_is_asked_for_at_once() {
    let [old, _, tutorial, keras, levels] = cases();
    refused(
        &tutorial,
        &[],
        &["doesn't say how its latents are drawn (add --latent normal or --latent uniform)"],
    );
    refused(
        &old,
        &[],
        &[
            "(add --latent normal or --latent uniform), nor what its 10 classes are called (add --classes 0..9",
        ],
    );
    refused(
        &keras,
        &["--latent", "normal"],
        &["doesn't say what its classes are called (add --classes 0..9"],
    );
    refused(&levels, &["--classes", "a,b,c"], &["--latent normal"]);
}

#[test]
fn contradictions_are_named() {
    let [old, _, tutorial, keras, levels] = cases();
    let normal = ["--latent", "normal"];
    let with = |flags: &[&'static str]| [&normal[..], flags].concat();
    refused(
        &tutorial,
        &with(&["--classes", "0..9"]),
        &["takes input: float32[", "and no label; leave --classes out"],
    );
    refused(&tutorial, &with(&["--label-input", "input"]), &["alone, which is its latents"]);
    refused(&tutorial, &with(&["--pixels", "0..1"]), &["ends in Tanh", "so its pixels are -1..1"]);
    refused(
        &old,
        &with(&["--classes", "0..9", "--pixels", "-1..1"]),
        &["ends in Sigmoid", "its pixels are 0..1"],
    );
    refused(
        &levels,
        &with(&["--classes", "a,b,c", "--pixels", "0..1"]),
        &["gives bytes", "its pixels are 0..255"],
    );
    refused(
        &old,
        &with(&["--classes", "0..4"]),
        &["y: float32[batch, 10]", "neither is a label of 5 classes"],
    );
    refused(&old, &with(&["--classes", "a,b,a"]), &["--classes names a twice"]);
    refused(
        &old,
        &with(&["--classes", "0..9", "--latent-input", "y"]),
        &["z: float32[batch, 100]", "one-hot of 100, but --classes names 10"],
    );
    refused(
        &old,
        &with(&["--classes", "0..9", "--latent-input", "z", "--label-input", "z"]),
        &["--latent-input and --label-input name the same input"],
    );
    refused(
        &old,
        &with(&["--classes", "0..9", "--latent-input", "noise"]),
        &["has no such input, it takes z: "],
    );
    refused(
        &old,
        &with(&["--classes", "0..9", "--image-output", "y"]),
        &["has no such output, it gives image: "],
    );
    refused(&keras, &with(&["--classes", "0..9", "--layout", "nchw"]), &["--layout", "[2, 28, 28, 1]"]);
    // Wrong, and only a run tells: a class beyond the last row of its table.
    refused(&keras, &with(&["--classes", "0..10"]), &["ONNX Runtime can't run it"]);
}

#[test]
fn flags_that_mean_nothing_are_refused_by_their_names() {
    let [old, ..] = cases();
    for (flags, part) in [
        (&["--latent", "gaussian"][..], "--latent"),
        (&["--classes", "9..0"], "expected a range such as 0..9"),
        (&["--classes", "a,,b"], "expected a range such as 0..9, or names"),
        (&["--classes", "0..99999999999"], "expected at most 65536"),
        (&["--pixels", "0..2"], "expected 0..1, -1..1 or 0..255"),
    ] {
        let shell = old.shell();
        let output = shell.run(&[&["adopt", "torch-old.onnx", "--out", "gen.onnx"], flags].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && stderr.contains(part), "{stderr}");
        assert!(!shell.path("gen.onnx").exists());
    }
}

#[test]
fn files_that_are_no_stranger_s_generator() {
    let shell = shell();
    shell.write("ours.onnx", TinyModel::default().bytes());
    shell.write("text.onnx", "A letter to a friend.");
    shell.write("gen.png", fs::read(checkout().join("models/pretrained/digits.png")).unwrap());
    fs::create_dir(shell.path("folder")).unwrap();
    let bare = TinyModel { contract: None, ..Default::default() };
    shell.write("bare.onnx", bare.bytes());
    for (file, parts) in [
        ("ours.onnx", &["is a generator of edgegan's already"][..]),
        ("text.onnx", &["is not an ONNX model"]),
        ("gen.png", &["is not an ONNX model"]),
        ("folder", &["expected an ONNX file"]),
        ("missing.onnx", &["No such file"]),
    ] {
        shell.fail(
            &["adopt", file, "--latent", "normal", "--out", "gen.onnx"],
            2,
            &[&[file], parts].concat(),
        );
    }
    shell.fail(
        &["adopt", "bare.onnx", "--latent", "normal", "--classes", "0..2", "--out", "bare.onnx"],
        2,
        &["bare.onnx", "this is read to make the file"],
    );
    // What is said of such a file by the program that can't draw from it leads here.
    let drawing = Shell::new("infer");
    drawing.write("bare.onnx", bare.bytes());
    let parts = ["bare.onnx is no edgegan generator", "cargo export adopt FILE --out gen.onnx"];
    drawing.fail(&["--digit", "5", "--model", "bare.onnx"], 2, &parts);
    shell.succeed(&[
        "adopt",
        "bare.onnx",
        "--latent",
        "uniform",
        "--classes",
        "short,middle,long",
        "--layout",
        "nchw",
        "--out",
        "gen.onnx",
        "--quiet",
    ]);
    shell.succeed_as("infer", &["self-test", "--model", "gen.onnx", "--quiet"]);
    shell.fail(
        &["adopt", "gen.onnx", "--latent", "uniform", "--classes", "0..2", "--out", "again.onnx"],
        2,
        &["is a generator of edgegan's already"],
    );
}

#[test]
fn weights_beside_the_file_are_read_from_its_own_folder_alone() {
    let [_, new, ..] = cases();
    let flags = new.flags;
    let arguments = [&["adopt", "torch-new.onnx", "--out", "gen.onnx"], flags].concat();
    // Not there, cut short, and a link to elsewhere.
    let shell = new.shell();
    let data = fs::read(shell.path("torch-new.onnx.data")).unwrap();
    fs::remove_file(shell.path("torch-new.onnx.data")).unwrap();
    shell.fail(&arguments, 2, &["torch-new.onnx.data", "it has to lie beside the model"]);
    shell.write("torch-new.onnx.data", &data[..data.len() / 2]);
    shell.fail(&arguments, 2, &["torch-new.onnx.data"]);
    fs::remove_file(shell.path("torch-new.onnx.data")).unwrap();
    let elsewhere = Shell::new("export");
    elsewhere.write("weights", &data);
    std::os::unix::fs::symlink(elsewhere.path("weights"), shell.path("torch-new.onnx.data")).unwrap();
    shell.fail(&arguments, 2, &["leads out of the model's own folder"]);
    // And they are not written over.
    let shell = new.shell();
    let over = [&["adopt", "torch-new.onnx", "--out", "torch-new.onnx.data"], flags].concat();
    shell.fail(&over, 2, &["this is read to make the file"]);
}
