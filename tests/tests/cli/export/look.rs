//! `export look`: the views of `infer look`, straight from a run.

use std::fs;

use models::{Architecture, Sizes};
use serde_json::Value;

use super::{FILE, header, save, shell, shell_with_run, small};

#[test]
fn a_run_is_seen_as_its_exported_file_is() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    for view in [
        "grid --count 5",
        "sweep --label 3 --dimensions 2-6 --steps 3",
        "sweep --label 3 --out sweep.gif",
        "walk --stops 3 --steps 2",
        "between --label 0 --captions",
        "classes --count 2 --scale 2",
    ] {
        let file = if view.contains(".gif") || view.starts_with("walk") { "a.gif" } else { "a.png" };
        let view = view.replace(" --out sweep.gif", "");
        let arguments = |rest: &[&str]| -> Vec<String> {
            let view = ["look"].into_iter().chain(view.split(' ')).chain(["--seed", "5", "--json"]);
            view.chain(rest.iter().copied()).map(String::from).collect()
        };
        let of_run: Value =
            serde_json::from_str(&shell.succeed(&arguments(&["--checkpoint", "runs/small", "--out", file])))
                .unwrap();
        let ours = fs::read(shell.path(file)).unwrap();
        let of_file = shell.succeed_as("infer", &arguments(&["--model", "gen.onnx", "--out", file]));
        let of_file: Value = serde_json::from_str(&of_file).unwrap();
        assert!(ours == fs::read(shell.path(file)).unwrap(), "{view}");
        for key in ["shows", "images", "frames", "width", "height", "engine"] {
            assert_eq!(of_run[key], of_file[key], "{view}");
        }
        assert_eq!(of_run["model"]["name"], format!("runs/small/{FILE}"));
    }
    // Every image of 20 by 12, in colour or not.
    let grid = image::open(shell.path("a.png")).unwrap();
    assert_eq!((grid.width(), grid.height()), (4 * 20 * 2, 2 * 12 * 2));
}

#[test]
fn the_newest_run_is_seen_and_the_weights_that_are_asked_for() {
    let shell = shell_with_run();
    let grid = |arguments: &[&str]| {
        shell.succeed(&[&["look", "grid", "--seed", "5", "--quiet"], arguments].concat());
        fs::read(shell.path("grid.png")).unwrap()
    };
    let newest = grid(&[]);
    assert!(newest == grid(&["--checkpoint", "runs/small"]));
    assert!(newest == grid(&["--checkpoint", &format!("runs/small/{FILE}"), "--weights", "average"]));
    assert!(newest != grid(&["--weights", "raw"]));
}

#[test]
fn colour_moves_too() {
    let shell = shell();
    let pair = Architecture::LabelledDcgan(Sizes { channels: 3, ..*small().sizes() });
    save(&shell.path("runs/colour").join(FILE), &header(pair), &pair.generator().unwrap(), 3);
    shell.succeed(&["look", "walk", "--seed", "5", "--stops", "2", "--steps", "3", "--quiet"]);
    let file = fs::File::open(shell.path("walk.gif")).unwrap();
    let mut decoder = gif::DecodeOptions::new().read_info(file).unwrap();
    // Four classes, two by two.
    assert_eq!((decoder.width(), decoder.height()), (2 * 20, 2 * 12));
    let mut frames = 0;
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        assert!(frame.palette.is_some());
        frames += 1;
    }
    assert_eq!(frames, 6);
}

#[test]
fn rten_looks_where_there_is_no_onnx_runtime() {
    let mut shell = shell_with_run();
    shell.variables = vec![("ORT_DYLIB_PATH", "/nonexistent/libonnxruntime.so".into())];
    let said = shell.succeed(&["look", "grid", "--engine", "rten", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["engine"].as_str().unwrap().starts_with("rten"), "{said}");
}

#[test]
fn what_can_not_be_looked_into() {
    let shell = shell_with_run();
    let fail = |arguments: &str, parts: &[&str]| {
        shell.fail(&["look"].into_iter().chain(arguments.split(' ')).collect::<Vec<_>>(), 2, parts);
    };
    fail("walk --checkpoint missing", &["checkpoint missing", "No such file"]);
    fail("sweep", &["runs/small/generator.safetensors", "0, 1, 2 and 3", "--digit"]);
    fail("walk --label 4", &["--label 4 is not a class of model runs/small/generator.safetensors"]);
    fail("walk --out walk.png --device gpu", &["\"gpu\" is not a device"]);
    fail("grid --count 5 --out grid.gif", &["only PNG files are written"]);
    let judge = tests::checkout().join("models/pretrained/mnist-judge.safetensors");
    fail(
        &format!("grid --checkpoint {}", judge.display()),
        &["mnist-judge.safetensors is a judge, which draws nothing"],
    );
    super::shell().fail(&["look", "walk"], 2, &["no run in runs", "run `cargo train` first"]);
}
