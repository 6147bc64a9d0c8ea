//! The Open Inference Protocol, by hand and by tritonclient.

use std::process::Command;
use std::thread;

use contract::Contract;
use serde_json::{Value, json};
use tests::{checkout, python_of};

use super::{
    super::tiny_model::{TinyModel, contract},
    INFER, Server, shell,
};

fn labels(labels: &[i64]) -> Value {
    json!({"name": "label", "shape": [labels.len()], "datatype": "INT64", "data": labels})
}

/// The pixels of labels alone, in binary.
fn pixels(server: &Server, request: &Value) -> Vec<u8> {
    let answer = server.infer(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json_length: usize = answer.header("inference-header-content-length").unwrap().parse().unwrap();
    answer.body[json_length..].to_vec()
}

#[test]
fn tritonclient_finds_all_of_the_protocol() {
    let python = python_of(".venv-triton");
    let server = Server::start(&["--queue", "100"]);
    server.shell.succeed(&[
        "dataset",
        "--count",
        "128",
        "--seed",
        "7",
        "--format",
        "raw",
        "--out",
        "expected.raw",
    ]);
    let script = checkout().join("tests/tests/cli/infer/serve/triton_client.py");
    let output = Command::new(python)
        .arg(script)
        .arg(server.address.to_string())
        .arg(server.shell.path("expected.raw"))
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.ends_with("all as specified\n"), "{stdout}");
}

#[test]
fn what_is_drawn_together_is_drawn_as_alone() {
    let server = Server::start(&[]);
    server.shell.succeed(&[
        "dataset",
        "--count",
        "64",
        "--seed",
        "7",
        "--format",
        "raw",
        "--out",
        "expected.raw",
    ]);
    let expected = std::fs::read(server.shell.path("expected.raw")).unwrap();
    let request = |index: usize, count: usize| {
        let digits: Vec<i64> = (index..index + count).map(|index| index as i64 % 10).collect();
        json!({
            "inputs": [labels(&digits)], "parameters": {"seed": 7, "index": index, "binary_data_output": true},
            "outputs": [{"name": "pixels"}],
        })
    };
    // Alone, and all at once: 32 clients, one image each and then several.
    assert_eq!(pixels(&server, &request(5, 1)), expected[5 * 784..6 * 784]);
    for count in [1, 3] {
        thread::scope(|scope| {
            for index in 0..32 {
                let (server, expected, request) = (&server, &expected, &request);
                scope.spawn(move || {
                    let drawn = pixels(server, &request(index, count));
                    assert!(
                        drawn == expected[index * 784..(index + count) * 784],
                        "image {index}, {count} together"
                    );
                });
            }
        });
    }
    let text = server.get("/metrics").text();
    let model = "{model=\"mnist-generator\"}";
    let figure = |name: &str| server.figure(&format!("infer_{name}{model}"));
    assert_eq!(figure("images_total"), (1 + 32 + 96) as f64, "{text}");
    assert!(figure("batch_images_count") < 60.0, "nothing was drawn together: {text}");
    // Redrawn images are those of the command line as well.
    server.shell.succeed(&[
        "dataset", "--count", "64", "--seed", "7", "--format", "raw", "--out", "sure.raw", "--verify", "1",
    ]);
    let sure = std::fs::read(server.shell.path("sure.raw")).unwrap();
    assert!(sure != expected, "nothing was redrawn");
    let mut verified = request(0, 64);
    verified["parameters"]["verify"] = json!(1);
    assert!(pixels(&server, &verified) == sure);
    // And so is the network's own output, of which they are the 8 bits.
    verified["outputs"] =
        json!([{"name": "image", "parameters": {"binary_data": false}}, {"name": "confidence"}]);
    let answer = server.infer(&verified);
    let length = answer.header("inference-header-content-length").unwrap().parse().unwrap();
    let outputs: Value = serde_json::from_slice(&answer.body[..length]).unwrap();
    let values =
        outputs["outputs"][0]["data"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
    let levels: Vec<u8> = values.map(|value| (value as f32 * 255.0 + 0.5) as u8).collect();
    assert!(levels == sure);
}

#[test]
fn the_protocols_errors_are_sentences() {
    let server = Server::start(&["--queue", "8"]);
    let infer = |body: Value| server.infer(&body);
    infer(json!({"inputs": [labels(&[10])]})).assert_refused(400, "label 10 is not a class");
    infer(json!({"inputs": [labels(&[1; 9])]}))
        .assert_refused(400, "more than the 8 that a request may have");
    infer(json!({"inputs": []})).assert_refused(400, "neither input z nor input label");
    server.post(INFER, "", b"{\"inputs\": [").assert_refused(400, "JSON");
    server.post(INFER, "", b"").assert_refused(400, "JSON");
    server.post(INFER, "", b"\xff\xfe\x00").assert_refused(400, "JSON");
    let header = "Inference-Header-Content-Length: ";
    server
        .post(INFER, &format!("{header}3\r\n"), b"{}")
        .assert_refused(400, "is 3, but the body has 2 bytes");
    server.post(INFER, &format!("{header}-1\r\n"), b"{}").assert_refused(400, "expected a number of bytes");
    server.post(INFER, &format!("{header}x\r\n"), b"{}").assert_refused(400, "expected a number of bytes");
    server.post(INFER, "Content-Encoding: gzip\r\n", b"{}").assert_refused(415, "Content-Encoding");
    server
        .post("/v2/models/other/infer", "", b"{}")
        .assert_refused(404, "no model other; this server has mnist-gen");
    server
        .post("/v2/models/mnist-generator/versions/2/infer", "", b"{}")
        .assert_refused(404, "no version 2; it has 1");
    server.get("/v2/models/other").assert_refused(404, "no model other");
    server.get("/v2/models/other/ready").assert_refused(404, "no model other");
    server.get("/v2/models").assert_refused(404, "nothing at /v2/models");
    server.get(INFER).assert_refused(405, "no such method");
    let good = json!({"id": "ü", "inputs": [{"name": "label", "shape": [2], "datatype": "INT64", "data": [[1], [2]]}]});
    let answer =
        server.post("/v2/models/mnist-generator/versions/1/infer", "", good.to_string().as_bytes()).json();
    assert_eq!((&answer["id"], &answer["outputs"][0]["shape"]), (&json!("ü"), &json!([2, 1, 28, 28])));
}

#[test]
fn models_have_names_and_own_shapes() {
    let shell = shell();
    shell.write("dashes.onnx", TinyModel::default().bytes());
    let unlabelled = Contract { classes: Vec::new(), ..contract() };
    shell.write("plain.onnx", TinyModel { contract: Some(unlabelled), ..TinyModel::default() }.bytes());
    let models = ["--model", "dashes.onnx", "--model", "plain.onnx", "--model", "avatars"];
    let server = Server::start_in(shell, &models);
    let metadata = server.get("/v2/models/dashes").json();
    assert_eq!(metadata["inputs"][0], json!({"name": "z", "datatype": "FP32", "shape": [-1, 4]}));
    assert_eq!(metadata["outputs"].as_array().unwrap().len(), 2, "the shipped judge reads no dashes");
    let ask = |model: &str, body: Value| {
        server.post(&format!("/v2/models/{model}/infer"), "", body.to_string().as_bytes())
    };
    let drawn = ask("dashes", json!({"inputs": [labels(&[2, 0, 1])], "parameters": {"seed": 1}})).json();
    assert_eq!(drawn["outputs"][0]["shape"], json!([3, 1, 2, 3]));
    ask("dashes", json!({"inputs": [labels(&[2])], "parameters": {"verify": true}}))
        .assert_refused(400, "judge");
    let drawn = ask("plain", json!({"parameters": {"count": 5, "seed": 1}})).json();
    assert_eq!(drawn["outputs"][0]["shape"], json!([5, 1, 2, 3]));
    let metadata = server.get("/v2/models/avatars").json();
    assert_eq!(
        metadata["outputs"][0],
        json!({"name": "image", "datatype": "FP32", "shape": [-1, 3, 64, 64]})
    );
    // A picture of classes that have names.
    server.shell.succeed(&["--model", "dashes.onnx", "--label", "long", "--seed", "3", "--out", "long.png"]);
    let expected = std::fs::read(server.shell.path("long.png")).unwrap();
    assert_eq!(server.get("/digits/long.png?model=dashes&seed=3").body, expected);
    server.get("/digits/long.png?model=plain&seed=3&count=4");
    assert_eq!(server.get("/grid.png?model=plain&seed=3&rows=4").status, 200);
    super::super::shell().fail(
        &["serve", "--model", "a/x.onnx", "--model", "b/x.onnx", "--listen", "127.0.0.1:0"],
        2,
        &["would both be called x"],
    );
}
