//! Pictures and data sets: the command line's files, to the byte; and what the page has to know.

use std::fs;

use serde_json::{Value, json};
use tests::Shell;

use super::{Server, shell};

/// What the command line writes.
fn written(shell: &Shell, arguments: &[&str], file: &str) -> Vec<u8> {
    let _ = fs::remove_file(shell.path(file));
    shell.succeed(&[arguments, &["--out", file]].concat());
    fs::read(shell.path(file)).unwrap()
}

#[test]
fn pictures_are_those_of_the_command_line() {
    let server = Server::start(&[]);
    for (target, arguments) in [
        ("/digits/5.png?seed=7", "--digit 5 --seed 7"),
        ("/digits/5.png?seed=7&index=3&scale=4", "--digit 5 --seed 7 --index 3 --scale 4"),
        ("/digits/2024.png?seed=18446744073709551615", "--digits 2024 --seed 18446744073709551615"),
        (
            "/digits/2024.png?seed=7&count=3&captions&index=9",
            "--digits 2024 --seed 7 --count 3 --captions --index 9",
        ),
        ("/digits/8.png?seed=7&count=5&verify=0.999", "--digit 8 --seed 7 --count 5 --verify 0.999"),
        ("/digits/8.png?seed=7&verify", "--digit 8 --seed 7 --verify"),
        // Of many images, the model is loaded in another way.
        ("/digits/8.png?seed=7&count=385", "--digit 8 --seed 7 --count 385"),
        ("/grid.png?seed=7", "--all --seed 7"),
        ("/grid.png?seed=7&rows=4&scale=2&captions=true", "--all --seed 7 --count 4 --scale 2 --captions"),
        ("/grid.png?seed=7&rows=40&verify=0.9", "--all --seed 7 --count 40 --verify 0.9"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let answer = server.get(target);
        assert_eq!(answer.header("content-type"), Some("image/png"), "{target}: {}", answer.text());
        assert!(answer.body == written(&server.shell, &arguments, "drawn.png"), "{target}");
    }
    let answer = server.get("/digits/42.png?seed=7&verify=0.9");
    let confidences: Vec<f64> =
        answer.header("infer-confidence").unwrap().split(',').map(|text| text.parse().unwrap()).collect();
    assert!(confidences.len() == 2 && confidences.iter().all(|confidence| *confidence >= 0.9));
    // Without a seed the header tells which it was.
    let answer = server.get("/digits/42.png");
    let seed = answer.header("infer-seed").unwrap();
    assert!(answer.body == written(&server.shell, &["--digits", "42", "--seed", seed], "again.png"));
}

#[test]
fn views_are_those_of_the_command_line() {
    let server = Server::start(&[]);
    for (target, arguments, file) in [
        (
            "/look/walk.gif?seed=7&digit=3&stops=3&steps=4",
            "look walk --seed 7 --digit 3 --stops 3 --steps 4",
            "a.gif",
        ),
        ("/look/walk.gif?seed=7", "look walk --seed 7", "b.gif"),
        ("/look/classes.png?seed=7&count=3&captions", "look classes --seed 7 --count 3 --captions", "c.png"),
        ("/look/grid.png?seed=7&count=9&scale=3", "look grid --seed 7 --count 9 --scale 3", "d.png"),
        (
            "/look/between.png?seed=7&from=3&to=18446744073709551615&label=8",
            "look between --seed 7 --from 3 --to 18446744073709551615 --label 8",
            "e.png",
        ),
        (
            "/look/sweep.gif?seed=7&digit=5&dimensions=0-2,42&steps=5&index=4",
            "look sweep --seed 7 --digit 5 --dimensions 0-2,42 --steps 5 --index 4",
            "f.gif",
        ),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let answer = server.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.body == written(&server.shell, &arguments, file), "{target}");
    }
}

#[test]
fn data_sets_are_those_of_the_command_line() {
    let server = Server::start(&[]);
    let shell = &server.shell;
    shell.succeed(&["dataset", "--count", "50", "--seed", "7", "--out", "idx"]);
    for file in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        let answer = server.get(&format!("/dataset/{file}?count=50&seed=7"));
        assert!(answer.body == fs::read(shell.path("idx").join(file)).unwrap(), "{file}");
        assert_eq!(answer.header("content-disposition"), Some(&*format!("attachment; filename=\"{file}\"")));
    }
    let arguments = ["dataset", "--count", "400", "--seed", "7", "--label", "3", "--verify", "0.99"];
    let npz = server.get("/dataset.npz?count=400&seed=7&label=3&verify=0.99");
    assert!(npz.body == written(shell, &arguments, "verified.npz"));
    for (target, part) in [
        ("/dataset.npz?count=100001", "100000 images at most"),
        ("/dataset.npz?count=0", "count is 0: expected a whole number from 1"),
        ("/dataset.npz?label=ten", "label ten is not a class"),
        ("/dataset.npz?test=10", "test is not known here; expected model, count, seed, label, verify"),
        ("/dataset.npz?verify=2", "verify is 2: expected a number from 0 to 1"),
    ] {
        server.get(target).assert_refused(400, part);
    }
    server.get("/dataset/labels?count=1").assert_refused(404, "train-labels-idx1-ubyte");
}

#[test]
fn pictures_that_cannot_be_are_refused_in_a_sentence() {
    let server = Server::start(&[]);
    for (target, status, part) in [
        ("/digits/x.png", 400, "x of digits x is not a class of model mnist-generator"),
        ("/digits/5.gif", 404, "/digits/2024.png"),
        ("/digits/5.png?seed=-1", 400, "expected a whole number from 0"),
        ("/digits/5.png?seed=1&seed=2", 400, "seed"),
        ("/digits/5.png?out=x.png", 400, "out is not known here"),
        ("/digits/5.png?model=../x", 404, "no model ../x"),
        ("/digits/5.png?model=a&model=b", 400, "model stands there twice"),
        ("/digits/5.png?count=10001", 400, "expected a whole number from 1 to 10000"),
        ("/digits/5.png?scale=17", 400, "expected a whole number from 1 to 16"),
        ("/digits/5.png?count=10000&scale=16", 400, "a file may have"),
        ("/digits/5.png?count=2&index=18446744073709551615", 400, "name a smaller one"),
        ("/digits/5.png?verify=x", 400, "expected a number from 0 to 1"),
        ("/digits/5.png?captions=maybe", 400, "captions is true or false"),
        ("/look/walk.svg", 404, "walk is drawn as png or gif"),
        ("/look/grid.gif", 404, "grid is drawn as png"),
        ("/look/dance.png", 404, "views are grid, sweep, walk, between and classes"),
        ("/look/help.png", 404, "views are"),
        ("/look/--help.png", 404, "views are"),
        ("/look/walk.gif?stops=1", 400, "expected a whole number from 2"),
        ("/look/walk.gif?count=3", 400, "count"),
        ("/look/sweep.png", 400, "name one with digit"),
        ("/look/walk.gif?help", 400, "help is not known here"),
        ("/dimensions?seed=7", 400, "name one of the classes 0, 1"),
        ("/latents?seed=seven", 400, "seed is seven: expected a whole number"),
        ("/latents?label=7", 400, "label is not known here; expected model, seed, index"),
    ] {
        server.get(target).assert_refused(status, part);
    }
    let long = format!("/latents?seed={}", "1".repeat(5000));
    server.get(&long).assert_refused(400, "bytes of parameters, expected 4096 at most");
}

#[test]
fn a_page_finds_what_it_needs() {
    let server = Server::start(&[]);
    let about = server.get("/about").json();
    let model = &about["models"][0];
    assert_eq!((&model["name"], &model["latent_dim"]), (&json!("mnist-generator"), &json!(100)));
    assert!(model["milliseconds_an_image"].as_f64().unwrap() > 0.0);
    assert_eq!(model["judge"], "mnist-judge (shipped)");

    let z = server.get("/latents?seed=7&index=3").json()["z"].clone();
    let expected = contract::latent::latents(7, 3, 100);
    let z: Vec<f32> = z.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect();
    assert_eq!(z, expected);

    let dimensions = server.get("/dimensions?seed=7&index=3&label=5").json()["dimensions"].clone();
    let dimensions = dimensions.as_array().unwrap();
    let changes: Vec<f64> = dimensions.iter().map(|one| one["change"].as_f64().unwrap()).collect();
    assert!(changes.len() == 100 && changes.is_sorted_by(|a, b| a >= b) && changes[0] > 2.0 * changes[99]);
    // The first moves the picture most, as the sweep shows it: from its first column to its last.
    let first = dimensions[0]["dimension"].as_u64().unwrap();
    shell_sweep(&server, first, changes[0]);

    let page = server.get("/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    server.get("/assets/../../Cargo.toml").assert_refused(404, "nothing at");
    server.get("/assets/..%2f..%2fCargo.toml").assert_refused(404, "no such file");
    server.get("/assets/").assert_refused(404, "nothing at");
}

/// That the ends of a dimension differ by as much.
fn shell_sweep(server: &Server, dimension: u64, change: f64) {
    let shell = shell();
    let target = format!("/look/sweep.png?seed=7&index=3&label=5&steps=2&dimensions={dimension}");
    let file = shell.write("sweep.png", server.get(&target).body);
    let picture = super::super::Picture::read(&file);
    let (low, high) = (picture.cell(0, 0, 28, 28), picture.cell(1, 0, 28, 28));
    let squares: f64 = low.iter().zip(&high).map(|(low, high)| f64::from(low.abs_diff(*high)).powi(2)).sum();
    let found = (squares / 784.0).sqrt();
    assert!((found - change).abs() < 0.1, "{found} and {change}");
}

#[test]
fn openapi_describes_what_there_is() {
    let server = Server::start(&[]);
    let described = server.get("/openapi.json").json();
    let paths = described["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let target = (path.replace("{model}", "mnist-generator").replace("{version}", "1"))
            .replace("{name}", "page.css")
            .replace("/look/{file}", "/look/grid.png")
            .replace("/dataset/{file}", "/dataset/train-labels-idx1-ubyte")
            .replace("{file}", "5.png");
        let query = if target == "/dimensions" { "?label=5" } else { "" };
        for (method, described) in methods.as_object().unwrap() {
            let answer = match method.as_str() {
                "get" => server.get(&(target.clone() + query)),
                _ => server.post(
                    &target,
                    "",
                    br#"{"inputs": [{"name": "label", "shape": [1], "datatype": "INT64", "data": [5]}]}"#,
                ),
            };
            assert_eq!(answer.status, 200, "{method} {target}: {}", String::from_utf8_lossy(&answer.body));
            let kinds = described["responses"]["200"]["content"].as_object();
            let kind = answer.header("content-type").map(|kind| kind.split(';').next().unwrap().to_string());
            if let (Some(kinds), Some(kind)) = (kinds, kind) {
                assert!(kinds.contains_key(&kind), "{target} is {kind}");
            }
        }
    }
    // Each schema that is named is there.
    fn named(value: &Value, names: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                names.extend(members.get("$ref").and_then(Value::as_str).map(String::from));
                members.values().for_each(|value| named(value, names));
            }
            Value::Array(items) => items.iter().for_each(|value| named(value, names)),
            _ => {}
        }
    }
    let mut names = Vec::new();
    named(&described, &mut names);
    for name in names {
        assert!(described.pointer(name.strip_prefix('#').unwrap()).is_some(), "{name}");
    }
}
