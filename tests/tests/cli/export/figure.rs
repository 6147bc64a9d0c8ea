//! `export figure`: networks as a picture.

use std::fs;
use std::process::Command;

use models::{Architecture, Sizes};
use serde_json::{Value, json};

use super::{FILE, contract, header, save, shell, shell_with_run};

/// What a reader of XML finds wrong with a file; nothing if it is well-formed.
const PARSE: &str = "import sys, xml.dom.minidom as d; [d.parse(f) for f in sys.argv[1:]]";

#[test]
fn a_run_s_two_networks_and_its_exported_file_are_drawn() {
    let shell = shell_with_run();
    let report: Value =
        serde_json::from_str(&shell.succeed(&["figure", "--out", "pair.svg", "--json"])).unwrap();
    let drawn = fs::read(shell.path("pair.svg")).unwrap();
    assert_eq!(report["bytes"], drawn.len());
    assert_eq!(
        (&report["file"], &report["source"]),
        (&json!("pair.svg"), &json!("runs/small/generator.safetensors"))
    );
    let [generator, discriminator] = report["networks"].as_array().unwrap().as_slice() else {
        panic!("{report}")
    };
    // Seven latents and four classes, to a picture of 12 rows and 20 columns.
    assert_eq!(
        generator["blocks"][0],
        json!({"operations": [], "name": "z", "sizes": [7], "copies": 1, "label": 4})
    );
    let last = generator["blocks"].as_array().unwrap().last().unwrap();
    assert_eq!(last["sizes"], json!([1, 12, 20]));
    assert_eq!(last["operations"], json!(["transposed conv 5×5 stride 2 SAME, 1 filter", "sigmoid"]));
    assert_eq!(discriminator["blocks"][0]["sizes"], json!([1, 12, 20]));

    // The same bytes, of the run by its name and of its file, as often as one asks.
    let said = shell.succeed(&["figure", "--checkpoint", "runs/small", "--out", "again.svg"]);
    assert_eq!(said, "again.svg: generator and discriminator of runs/small/generator.safetensors\n");
    assert!(fs::read(shell.path("again.svg")).unwrap() == drawn);
    let file = format!("runs/small/{FILE}");
    assert!(shell.succeed(&["figure", "--checkpoint", &file, "--out", "-", "--quiet"]).into_bytes() == drawn);

    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    shell.succeed(&["--out", "plain.onnx", "--optimize", "none", "--quiet"]);
    for model in ["gen", "plain"] {
        let (onnx, svg) = (format!("{model}.onnx"), format!("{model}.svg"));
        let report = shell.succeed(&["figure", "--model", &onnx, "--out", &svg, "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        let blocks = report["networks"][0]["blocks"].as_array().unwrap();
        let ends = [blocks.first().unwrap(), blocks.last().unwrap()];
        assert_eq!(ends.map(|block| &block["sizes"]), [&json!([7]), &json!([1, 12, 20])]);
        assert_eq!(ends.map(|block| &block["name"]), [&json!("z"), &json!("image")]);
        assert_eq!(contract(&shell.path(&onnx)).latent_dim, 7);
        assert!(report.to_string().contains("with label"), "{report}");
    }
    let mut parse = Command::new(tests::python());
    parse.args(["-c", PARSE, "pair.svg", "gen.svg", "plain.svg"]).current_dir(shell.folder());
    let output = parse.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_default_pairs_are_the_documentation_s_figures() {
    let shell = shell();
    let docs = tests::checkout().join("docs");
    for (name, pair) in [
        ("labelled", Architecture::LabelledDcgan(Sizes::default())),
        ("unlabelled", Architecture::UnlabelledDcgan(Sizes::unlabelled())),
    ] {
        let (file, header) = (shell.path(format!("runs/{name}")).join(FILE), header(pair));
        save(&file, &header, &pair.generator().unwrap(), 1);
        let (run, svg) = (format!("runs/{name}"), format!("{name}.svg"));
        shell.succeed(&["figure", "--checkpoint", &run, "--out", &svg, "--quiet"]);
        assert!(fs::read(shell.path(&svg)).unwrap() == fs::read(docs.join(&svg)).unwrap(), "{svg}");
    }
}

#[test]
fn a_judge_and_strangers_files_are_drawn() {
    let shell = shell();
    let judge = tests::checkout().join("models/pretrained/mnist-judge.safetensors");
    let said = shell.succeed(&["figure", "--checkpoint", judge.to_str().unwrap(), "--out", "judge.svg"]);
    assert!(said.starts_with("judge.svg: judge of "), "{said}");
    assert!(fs::read_to_string(shell.path("judge.svg")).unwrap().contains("473,082 trainable parameters"));
    shell.write(
        "other.onnx",
        crate::infer::tiny_model::TinyModel { contract: None, ..Default::default() }.bytes(),
    );
    shell.succeed(&["figure", "--model", "other.onnx", "--out", "other.svg"]);
    // It doesn't say what lies between its nodes.
    assert!(fs::read_to_string(shell.path("other.svg")).unwrap().contains(">?</text>"));
}

#[test]
fn what_can_not_be_drawn() {
    let shell = shell_with_run();
    shell.write("text.onnx", "no model");
    let fail = |arguments: &str, parts: &[&str]| {
        shell.fail(&["figure"].into_iter().chain(arguments.split(' ')).collect::<Vec<_>>(), 2, parts);
    };
    fail("--checkpoint missing --out a.svg", &["checkpoint missing", "No such file"]);
    fail("--model missing.onnx --out a.svg", &["model missing.onnx", "No such file"]);
    fail("--model text.onnx --out a.svg", &["text.onnx is not an ONNX model"]);
    fail("--checkpoint text.onnx --out a.svg", &["text.onnx"]);
    fail("--out a.png", &["a.png", "only SVG files", ".svg"]);
    fail("--out none/a.svg", &["there is no folder none"]);
    fail("--out runs", &["this is a folder", "figure.svg"]);
    fail("--model text.onnx --out text.onnx", &["this is read to make the file"]);
    fail("--out runs/small/generator.safetensors", &["this is read to make the file"]);
    fail("--out - --json", &["name a file"]);
    for both in ["--json --quiet", "--model a.onnx --checkpoint runs/small"] {
        let output =
            shell.run(&["figure", "--out", "a.svg"].into_iter().chain(both.split(' ')).collect::<Vec<_>>());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains("cannot be used with"), "{said}");
    }
    super::shell().fail(&["figure", "--out", "a.svg"], 2, &["no run in runs", "run `cargo train` first"]);
}
