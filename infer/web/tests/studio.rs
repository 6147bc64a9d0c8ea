//! A studio draws what infer's library draws, and says what it can't.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

use std::fs;

use contract::latent::latent_batch;
use infer::{Engine, Generator, ModelSource, Options};
use infer_web::{
    Studio,
    message::{bytes, join, numbers, split},
};
use serde_json::{Value, json};

fn pretrained(name: &str) -> Vec<u8> {
    fs::read(format!("{}/../../models/pretrained/{name}.onnx", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn ask(studio: &mut Studio, head: Value, body: &[u8]) -> (Value, Vec<u8>) {
    let reply = studio.answer(join(&head, body));
    let (head, start) = split(&reply).unwrap();
    (serde_json::from_slice(head).unwrap(), reply[start..].to_vec())
}

/// What it says in place of an answer.
fn refusal(studio: &mut Studio, head: Value, body: &[u8]) -> String {
    let (head, body) = ask(studio, head, body);
    assert!(body.is_empty());
    head["error"].as_str().unwrap_or_else(|| panic!("no error: {head}")).into()
}

fn studio() -> Studio {
    let mut studio = Studio::default();
    let file = pretrained("mnist-generator");
    let (model, _) = ask(&mut studio, json!({ "ask": "load-generator", "name": "digits" }), &file);
    assert_eq!(model["sha256"], contract::files::sha256(&file));
    assert_eq!((&model["height"], &model["noun"]), (&json!(28), &json!("digit")), "{model}");
    studio
}

fn generator(file: &[u8]) -> Generator {
    let options = Options { engine: Engine::Rten, expected_images: 1, ..Options::default() };
    Generator::load(&ModelSource::Bytes { name: "digits", bytes: file }, &options).unwrap()
}

#[test]
fn images_are_those_of_the_library() {
    let mut studio = studio();
    let mut generator = generator(&pretrained("mnist-generator"));
    let (test, _) = ask(&mut studio, json!({ "ask": "self-test" }), &[]);
    assert_eq!(test["passed"], true, "{test}");

    // The last index, too.
    for (seed, index) in [(7, 0), (u64::MAX, u64::MAX - 2)] {
        let expected: Vec<u8> = generator.images(&[5, 0, 9], seed, index).unwrap().into_iter().collect();
        let asked = json!({ "ask": "draw", "labels": [5, 0, 9], "seed": seed.to_string(), "index": index.to_string() });
        let (head, pixels) = ask(&mut studio, asked, &[]);
        assert!(pixels == expected, "seed {seed}");
        assert_eq!(head["readings"], Value::Null, "no judge is loaded");
        let place = json!({ "ask": "latents", "seed": seed.to_string(), "index": index.to_string() });
        let (_, z) = ask(&mut studio, place, &[]);
        let contract = generator.contract();
        let expected_z = latent_batch(contract.latent_distribution, seed, &[index], contract.latent_dim);
        assert_eq!(numbers(&z), expected_z.as_slice().unwrap());
        let (_, alone) = ask(&mut studio, json!({ "ask": "draw-latents", "labels": [5] }), &z);
        assert!(alone.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 1), "seed {seed}");
    }
    let z = bytes(&[0.0; 100]);
    let (changes, _) = ask(&mut studio, json!({ "ask": "changes", "label": 3, "first": 98, "count": 8 }), &z);
    let changes = changes["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2);
    assert!(changes.iter().all(|change| change.as_f64().unwrap() > 1.0), "{changes:?}");
}

#[test]
fn a_judge_reads_images_and_verifies_them() {
    let mut studio = studio();
    let draw = |verify: Option<f64>| json!({ "ask": "draw", "labels": [2, 0, 2, 4], "seed": "7", "index": "3", "verify": verify });
    assert!(refusal(&mut studio, draw(Some(0.5)), &[]).contains("no judge is loaded"));
    ask(&mut studio, json!({ "ask": "load-judge", "name": "judge" }), &pretrained("mnist-judge"));
    for verify in [None, Some(0.9)] {
        let (head, pixels) = ask(&mut studio, draw(verify), &[]);
        assert_eq!(pixels.len(), 4 * 28 * 28);
        let labels: Vec<_> = head["readings"].as_array().unwrap().iter().map(|read| &read["label"]).collect();
        assert_eq!(labels, [2, 0, 2, 4]);
    }
    // No image reaches more than certainty.
    let refused = refusal(&mut studio, draw(Some(1.5)), &[]);
    assert!(refused.contains("1.5"), "{refused}");
}

#[test]
fn what_cannot_be_answered_is_said_in_a_sentence() {
    let mut studio = Studio::default();
    assert!(refusal(&mut studio, json!({ "ask": "self-test" }), &[]).contains("no generator is loaded"));
    let load = |name: &str| json!({ "ask": "load-generator", "name": name });
    assert!(refusal(&mut studio, load("rubbish"), b"rubbish").contains("rubbish"));
    assert!(refusal(&mut studio, load("judge"), &pretrained("mnist-judge")).contains("judge"));

    let mut studio = self::studio();
    for (asked, part) in [
        (json!({ "ask": "dance" }), "dance"),
        (json!({ "ask": "draw", "labels": [10], "seed": "7", "index": "0" }), "label 10"),
        (json!({ "ask": "draw", "labels": [], "seed": "7", "index": "0" }), "1 or more"),
        (json!({ "ask": "draw", "labels": [1], "seed": "18446744073709551616", "index": "0" }), "2^64"),
        (json!({ "ask": "draw-latents", "labels": [1] }), "shape"),
        (json!({ "ask": "changes", "label": 1, "first": 100, "count": 8 }), "1 or more"),
    ] {
        let refused = refusal(&mut studio, asked, &[]);
        assert!(refused.contains(part), "{refused}");
    }
    let reply = studio.answer(vec![9, 0, 0, 0, b'{']);
    assert!(String::from_utf8_lossy(&reply).contains("cut short"));
}
