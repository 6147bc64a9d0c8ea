//! `export` on machines, files and habits that aren't its author's: batches of any size, graphs whose
//! outputs are their inputs, names that are no text, pipes, and paths that hold something else.

use std::{
    fs,
    process::{Command, Stdio},
};

use models::{Architecture, Sizes};
use serde_json::Value;
use tests::Shell;

use super::{FILE, header, save, shell, shell_with_run, small};
use crate::infer::tiny_model::{self, FLOAT, TinyModel};

fn report(shell: &Shell, arguments: &[&str]) -> Value {
    serde_json::from_str(&shell.succeed(&[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn a_fixed_batch_of_any_size_is_proven_on_every_case() {
    let shell = shell_with_run();
    // The 64 cases, again and again until the batch is full.
    for (batch, values) in [("65", 65), ("64", 64), ("7", 70), ("4096", 4096)] {
        let report = report(&shell, &["--out", "gen.onnx", "--batch", batch]);
        let comparison = &report["comparisons"][0];
        assert_eq!(comparison["difference"]["values"], values * 12 * 20, "{report}");
        assert_eq!(comparison["batches"], serde_json::json!([batch.parse::<usize>().unwrap()]));
        let largest = comparison["difference"]["largest"].as_f64().unwrap();
        assert!(largest > 0. && largest <= 1e-5, "{report}");
    }
    let said = shell.succeed(&["--out", "gen.onnx", "--batch", "65"]);
    assert!(said.contains("on 15600 numbers, in batches of 65\n"), "{said}");

    // Of other networks too, and what a precision's file says of itself is what was found.
    let network = small().discriminator().unwrap();
    let mut contents = models::checkpoint::Contents::default();
    contents.parameters("discriminator", &super::weights(&network, 5));
    contents.save(&header(small()), &shell.path("d.safetensors")).unwrap();
    let d = ["--checkpoint", "d.safetensors", "--network", "discriminator", "--out", "d.onnx"];
    let report = report(&shell, &[&d[..], &["--batch", "100"]].concat());
    assert_eq!(report["comparisons"][0]["difference"]["values"], 100, "{report}");
    shell.succeed(&["--out", "half.onnx", "--precision", "fp16", "--batch", "200", "--quiet"]);
    let inspected = shell.succeed(&["inspect", "half.onnx", "--json"]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let stated =
        inspected["metadata"].as_array().unwrap().iter().find(|entry| entry["key"] == "edgegan.precision");
    let stated: Value = serde_json::from_str(stated.unwrap()["value"].as_str().unwrap()).unwrap();
    assert!(stated["largest"].as_f64().unwrap() > 0., "{stated}");
}

#[test]
fn a_batch_that_no_machine_can_run_is_refused_before_it_is_tried() {
    let shell = shell();
    // 4 MB of feature maps for each image.
    let sizes = Sizes { height: 256, width: 256, generator_filters: 16, ..*small().sizes() };
    let pair = Architecture::LabelledDcgan(sizes);
    save(&shell.path("runs/wide").join(FILE), &header(pair), &pair.generator().unwrap(), 1);
    let arguments = ["--out", "gen.onnx", "--batch", "65536"];
    shell.fail(&arguments, 2, &["--batch 65536", "MB of memory, but", "choose a smaller one"]);
}

#[test]
fn each_form_is_checked_as_the_file_says_what_it_is() {
    let shell = shell();
    let pair = Architecture::LabelledDcgan(Sizes { generator_units: 256, ..Sizes::default() });
    save(&shell.path("runs/mnist").join(FILE), &header(pair), &pair.generator().unwrap(), 1);
    for form in [
        &["--precision", "fp16"][..],
        &["--precision", "int8"],
        &["--batch", "5"],
        &["--uint8"],
        &["--uint8", "--batch", "3", "--precision", "fp16"],
    ] {
        shell.succeed(&[&["--out", "form.onnx", "--quiet"], form].concat());
        let report = report(&shell, &["--verify-only", "form.onnx"]);
        assert!(report["comparisons"][0]["difference"]["values"].as_u64().unwrap() > 0, "{report}");
        let precision = form.iter().skip_while(|word| **word != "--precision").nth(1).unwrap_or(&"fp32");
        assert_eq!(report["precision"], *precision);
    }
}

#[test]
fn eight_bits_that_no_layer_is_large_enough_for_are_not_claimed() {
    let shell = shell_with_run();
    let said = shell.succeed(&["--out", "gen.onnx", "--precision", "int8"]);
    assert!(said.contains("so none has 8 bits: the numbers are stored in half precision"), "{said}");
    assert!(!said.contains("int8,"), "{said}");
    let inspected = shell.succeed(&["inspect", "gen.onnx", "--json"]);
    assert!(inspected.contains("fp16") && !inspected.contains("int8"), "{inspected}");
}

/// x, and y = max(x, 0), if there is a node at all.
fn identity(node: bool) -> Vec<u8> {
    let mut graph = Vec::new();
    if node {
        let mut relu = Vec::new();
        tiny_model::text(&mut relu, 1, "x");
        tiny_model::text(&mut relu, 2, "y");
        tiny_model::text(&mut relu, 4, "Relu");
        tiny_model::bytes(&mut graph, 1, &relu);
    }
    tiny_model::text(&mut graph, 2, "identity");
    tiny_model::bytes(&mut graph, 11, &tiny_model::value_info("x", FLOAT, &[5]));
    tiny_model::bytes(&mut graph, 12, &tiny_model::value_info("x", FLOAT, &[5]));
    if node {
        tiny_model::bytes(&mut graph, 12, &tiny_model::value_info("y", FLOAT, &[5]));
    }
    tiny_model::model(17, &graph, [])
}

#[test]
fn an_output_that_is_an_input_is_read_while_it_is_there() {
    let shell = shell();
    for (name, node) in [("relu.onnx", true), ("none.onnx", false)] {
        shell.write(name, identity(node));
        for _ in 0..3 {
            let report = report(&shell, &["diff", name, name]);
            assert_eq!(report["outputs"][0]["largest"], 0.0, "{report}");
            assert_eq!(report["outputs"][0]["not_finite"], 0, "{report}");
        }
    }
}

#[test]
fn what_is_read_and_what_belongs_to_a_run_is_not_written_over() {
    let shell = shell_with_run();
    let run = shell.path("runs/small");
    for (name, contents) in [("config.json", "{}"), ("metrics.jsonl", ""), ("quality.json", "{}")] {
        fs::write(run.join(name), contents).unwrap();
    }
    fs::copy(run.join(FILE), shell.path("copy.safetensors")).unwrap();
    std::os::unix::fs::symlink("copy.safetensors", shell.path("link.onnx")).unwrap();
    for (out, checkpoint, part) in [
        ("copy.safetensors", "copy.safetensors", "this is read to make the file"),
        ("link.onnx", "copy.safetensors", "this is read to make the file"),
        ("runs/small/generator.safetensors", "copy.safetensors", "this belongs to a run"),
        ("runs/small/config.json", "runs/small", "this belongs to a run"),
        ("runs/small/checkpoints/gen.onnx", "runs/small", "this belongs to a run"),
    ] {
        shell.fail(&["--checkpoint", checkpoint, "--out", out], 2, &[out, part]);
    }
    let quality = ["--checkpoint", "runs/small", "--quality", "runs/small/quality.json", "--out"];
    shell.fail(&[&quality[..], &["runs/small/quality.json"]].concat(), 2, &["this is read to make the file"]);
    // A file of one's own beside a run's is none of it.
    shell.succeed(&["--checkpoint", "runs/small", "--out", "runs/small/gen.onnx", "--quiet"]);
}

#[test]
fn links_pipes_and_standard_output() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    let expected = fs::read(shell.path("gen.onnx")).unwrap();
    fs::create_dir(shell.path("store")).unwrap();
    std::os::unix::fs::symlink("store/other.onnx", shell.path("link.onnx")).unwrap();
    shell.succeed(&["--out", "link.onnx", "--quiet"]);
    assert!(fs::read(shell.path("store/other.onnx")).unwrap() == expected);
    assert!(fs::symlink_metadata(shell.path("link.onnx")).unwrap().is_symlink());

    for out in ["-", "/dev/stdout"] {
        let output = shell.run(&["--out", out]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == expected, "{out}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("agree within"));
        let quiet = shell.run(&["--out", out, "--quiet"]);
        assert!(quiet.stdout == expected && quiet.stderr.is_empty());
        let output = shell.run(&["--out", out, "--json"]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        let output = shell.run(&["--out", out, "--triton", "repository"]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = shell.command(&["--out", "-"]).stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && stderr.contains("No space left"), "{stderr}");

    // What reads takes a pipe too.
    let program = shell.program.to_str().unwrap();
    let bash = |script: &str| {
        let mut bash = Command::new("bash");
        bash.args(["-c", script, program]).current_dir(shell.folder());
        let output =
            bash.env("ORT_DYLIB_PATH", tests::runtime_library()).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    };
    bash("\"$0\" inspect <(cat gen.onnx) --quiet");
    bash("\"$0\" --verify-only <(cat gen.onnx) --quiet");
    bash(
        "\"$0\" --checkpoint <(cat runs/small/generator.safetensors) --out piped.onnx --quiet && cmp gen.onnx piped.onnx",
    );
}

#[test]
fn reports_that_can_not_be_written_are_errors_and_a_closed_pipe_is_none() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    for arguments in [
        &["inspect", "gen.onnx"][..],
        &["inspect", "gen.onnx", "--json"],
        &["diff", "gen.onnx", "gen.onnx", "--json"],
        &["--verify-only", "gen.onnx"],
        &["look", "grid", "--count", "4", "--seed", "1"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = shell.command(arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains("No space left"), "{arguments:?}: {stderr}");
        let mut child =
            shell.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn texts_that_are_not_utf_8_are_shown_with_marks() {
    let shell = shell();
    let mut bytes = TinyModel::default().bytes();
    // Of the same length, so that all else stays where it is.
    for (name, other) in [(&b"weight"[..], &b"we\xff\xfeht"[..]), (b"dashes", b"da\xc3hes")] {
        let places: Vec<usize> =
            bytes.windows(name.len()).enumerate().filter(|(_, text)| *text == name).map(|(i, _)| i).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|place| bytes[*place..place + name.len()].copy_from_slice(other));
    }
    shell.write("names.onnx", &bytes);
    shell.write("plain.onnx", TinyModel::default().bytes());
    let said = shell.succeed(&["inspect", "names.onnx"]);
    assert!(said.contains("3 texts are not UTF-8") && said.contains("we??ht"), "{said}");
    assert!(said.contains("da?hes"), "{said}");
    // ONNX Runtime takes it, and it draws the same.
    let report = report(&shell, &["diff", "names.onnx", "plain.onnx"]);
    assert_eq!(report["within"], true);
}

#[test]
fn sizes_that_a_file_leaves_open_can_be_given() {
    let shell = shell();
    // Dimensions without a name, and one of −1, as some programs write it.
    let model = |dims: &[&[u8]]| {
        let mut shape = Vec::new();
        dims.iter().for_each(|dim| tiny_model::bytes(&mut shape, 1, dim));
        let mut tensor = Vec::new();
        tiny_model::number(&mut tensor, 1, FLOAT);
        tiny_model::bytes(&mut tensor, 2, &shape);
        let mut kind = Vec::new();
        tiny_model::bytes(&mut kind, 1, &tensor);
        let value = |name: &str| {
            let mut value = Vec::new();
            tiny_model::text(&mut value, 1, name);
            tiny_model::bytes(&mut value, 2, &kind);
            value
        };
        let mut relu = Vec::new();
        tiny_model::text(&mut relu, 1, "x");
        tiny_model::text(&mut relu, 2, "y");
        tiny_model::text(&mut relu, 4, "Relu");
        let mut graph = Vec::new();
        tiny_model::bytes(&mut graph, 1, &relu);
        tiny_model::text(&mut graph, 2, "open");
        tiny_model::bytes(&mut graph, 11, &value("x"));
        tiny_model::bytes(&mut graph, 12, &value("y"));
        tiny_model::model(17, &graph, [])
    };
    let minus_one = [&[8][..], &[0xff; 9], &[1]].concat();
    shell.write("unnamed.onnx", model(&[b"", b""]));
    shell.write("minus.onnx", model(&[b"", &minus_one]));
    for file in ["unnamed.onnx", "minus.onnx"] {
        shell.fail(&["diff", file, file], 2, &["isn't in the file", "--size x.1=NUMBER"]);
        let report = report(&shell, &["diff", file, file, "--size", "x.1=7"]);
        assert_eq!(report["outputs"][0]["values"], 64 * 7 * 3, "{report}");
        let unknown = ["diff", file, file, "--size", "x.1=7", "--size", "height=3"];
        shell.fail(&unknown, 2, &["--size height", "no input has such a dimension", "x.1"]);
    }
}
