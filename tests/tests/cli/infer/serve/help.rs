//! What the help prints is served as printed.

use std::fs;

use serde_json::Value;
use tests::checkout;

use super::{Server, shell};

#[test]
fn every_example_serves() {
    let help = shell().succeed(&["serve", "--help"]);
    let (_, examples) = help.split_once("Examples:\n").unwrap();
    let served: Vec<&str> =
        examples.lines().map(str::trim_start).filter(|line| line.starts_with("infer serve")).collect();
    assert!(served.len() >= 4, "{help}");
    for example in served {
        let shell = shell();
        for name in ["a.onnx", "b.onnx"] {
            fs::copy(checkout().join("models/pretrained/mnist-generator.onnx"), shell.path(name)).unwrap();
        }
        shell.write("token", "0123456789abcdef");
        let words: Vec<&str> = example.split("  ").next().unwrap().split(' ').skip(2).collect();
        // On a port that is free. (What it warns of is tested elsewhere.)
        let words: Vec<&str> =
            words.into_iter().map(|word| if word == "0.0.0.0:8080" { "127.0.0.1:0" } else { word }).collect();
        let server = match words.iter().position(|word| *word == "--listen") {
            Some(at) => Server::start_in(shell, &[&words[..at], &words[at + 2..]].concat()),
            None => Server::start_in(shell, &words),
        };
        let expected = if words.contains(&"--token-file") { 401 } else { 200 };
        assert_eq!(server.get("/about").status, expected, "{example}");
    }
    // And the requests, of the shipped model.
    let server = Server::start(&[]);
    let picture =
        examples.lines().find_map(|line| line.split_once("curl -O 'http://127.0.0.1:8080")).unwrap().1;
    assert_eq!(server.get(picture.trim_end_matches('\'')).header("content-type"), Some("image/png"));
    let (_, body) = examples.split_once("curl -d '").unwrap();
    let (body, rest) = body.split_once('\'').unwrap();
    let target = rest.split_once("http://127.0.0.1:8080").unwrap().1.lines().next().unwrap();
    let answer = server.post(target, "", body.as_bytes());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["outputs"][0]["shape"], serde_json::from_str::<Value>("[1,1,28,28]").unwrap());
}
