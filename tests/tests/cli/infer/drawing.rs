//! Pictures: their files, their layout, and that the same request gives the same picture.

use std::{
    fs::File,
    io::{BufReader, Read},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{
    Picture, Shell, assert_same_picture, shell,
    tiny_model::{self, TinyModel},
};

/// Side of an MNIST digit.
const SIDE: usize = 28;

#[test]
fn a_digit_becomes_a_picture_and_says_how_it_came_about() {
    let shell = shell();
    let said = shell.succeed(&["--digit", "5", "--seed", "7"]);
    assert_eq!(shell.files(), ["digit-5.png"]);
    let picture = Picture::read(&shell.path("digit-5.png"));
    assert_eq!((picture.width, picture.height), (SIDE, SIDE));
    let (darkest, brightest) = (picture.pixels.iter().min(), picture.pixels.iter().max());
    assert!(darkest < brightest, "the picture is blank: {darkest:?}");
    assert!(picture.texts.contains(&("Seed".into(), "7".into())), "{:?}", picture.texts);

    let library = tests::runtime_library();
    let name = library.file_name().unwrap().to_str().unwrap();
    let version = name.strip_prefix("libonnxruntime.so.").unwrap();
    for part in [
        "digit 5, seed 7: digit-5.png (28 × 28)",
        &format!("ONNX Runtime {version}: {}", library.display()),
        "device: cpu, CPUExecutionProvider (",
    ] {
        assert!(said.contains(part), "expected {part:?} in {said:?}");
    }
    assert!(!said.contains('\x1b'), "no colour goes into a pipe: {said:?}");
}

#[test]
fn avatars_come_with_it_too() {
    let shell = shell();
    let draw = |engine: &str| {
        let said = shell.succeed(&["--model", "avatars", "--count", "36", "--seed", "7", "--engine", engine]);
        assert!(said.contains("36 pictures, seed 7: avatars.png (384 × 384)"), "{said}");
        let file = File::open(shell.path("avatars.png")).unwrap();
        let mut reader = png::Decoder::new(BufReader::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        assert_eq!(reader.next_frame(&mut pixels).unwrap().color_type, png::ColorType::Rgb);
        shell.succeed(&["self-test", "--model", "avatars", "--engine", engine]);
        pixels
    };
    let pixels = draw("onnxruntime");
    // Some of it is white, as all backgrounds are, some dark, some of a colour.
    let some = |is: fn(&[u8]) -> bool| pixels.chunks(3).filter(|pixel| is(pixel)).count() > 1000;
    assert!(some(|pixel| pixel.iter().all(|value| *value > 240)));
    assert!(some(|pixel| pixel.iter().all(|value| *value < 40)));
    assert!(some(|pixel| pixel[0].abs_diff(pixel[2]) > 60));
    // Products of eight bits may differ by a step of their rounding.
    let differing = pixels.iter().zip(draw("rten")).filter(|(a, b)| a.abs_diff(*b) > 8).count();
    assert!(differing * 100 < pixels.len(), "{differing} of {}", pixels.len());

    shell.fail(&["--model", "avatars", "--digit", "5"], 2, &["avatars (shipped) draws", "leave out --digit"]);
    // A file of that name is meant by a path.
    shell.write("avatars", "no model");
    shell.succeed(&["--model", "avatars", "--quiet"]);
    shell.fail(&["--model", "./avatars"], 2, &["./avatars"]);
}

#[test]
fn a_picture_depends_on_seed_and_digit() {
    let shell = shell();
    let draw = |digit: &str, seed: &str, file: &str| {
        shell.succeed(&["--digit", digit, "--seed", seed, "--out", file, "--quiet"]);
        Picture::read(&shell.path(file)).pixels
    };
    let picture = draw("5", "7", "a.png");
    assert_eq!(draw("5", "7", "b.png"), picture);
    assert_ne!(draw("5", "8", "c.png"), picture);
    assert_ne!(draw("4", "7", "d.png"), picture);
}

#[test]
fn the_printed_seed_gives_the_picture_again() {
    let shell = shell();
    let said: Value =
        serde_json::from_str(&shell.succeed(&["--digit", "3", "--json", "--out", "a.png"])).unwrap();
    let seed = said["seed"].as_u64().unwrap().to_string();
    shell.succeed(&["--digit", "3", "--seed", &seed, "--out", "b.png"]);
    assert_eq!(Picture::read(&shell.path("a.png")), Picture::read(&shell.path("b.png")));
    let other: Value =
        serde_json::from_str(&shell.succeed(&["--digit", "3", "--json", "--out", "a.png"])).unwrap();
    assert_ne!(said["seed"], other["seed"], "each call draws another digit");
}

#[test]
fn several_digits_make_a_near_square_grid_with_an_empty_rest() {
    let shell = shell();
    shell.succeed(&["--digit", "5", "--seed", "7"]);
    shell.succeed(&["--digit", "5", "--seed", "7", "--count", "5", "--out", "grid.png"]);
    let (one, grid) = (Picture::read(&shell.path("digit-5.png")), Picture::read(&shell.path("grid.png")));
    assert_eq!((grid.width, grid.height), (3 * SIDE, 2 * SIDE));
    let cell = |i: usize| grid.cell(i % 3, i / 3, SIDE, SIDE);
    assert_same_picture(&cell(0), &one.pixels);
    for i in 0..5 {
        for j in 0..i {
            assert_ne!(cell(i), cell(j), "images {i} and {j}");
        }
    }
    assert!(cell(5).iter().all(|pixel| *pixel == 0), "the sixth cell is black");
}

#[test]
fn all_digits_stand_in_columns_each_row_from_one_index() {
    let shell = shell();
    shell.succeed(&["--all", "--seed", "7", "--count", "2"]);
    assert_eq!(shell.files(), ["digits.png"]);
    let grid = Picture::read(&shell.path("digits.png"));
    assert_eq!((grid.width, grid.height), (10 * SIDE, 2 * SIDE));
    for digit in [0, 5, 9] {
        let name = digit.to_string();
        // Four images stand two to a row.
        shell.succeed(&["--digit", &name, "--seed", "7", "--count", "4", "--out", "four.png"]);
        let four = Picture::read(&shell.path("four.png"));
        for row in 0..2 {
            let cell = grid.cell(digit, row, SIDE, SIDE);
            assert_same_picture(&cell, &four.cell(row, 0, SIDE, SIDE));
        }
    }
}

#[test]
fn a_picture_does_not_depend_on_how_many_are_drawn_with_it() {
    let shell = shell();
    // 400 images are more than one batch, and enough for ONNX Runtime to rearrange the weights.
    for (count, file) in [("1", "one.png"), ("400", "many.png")] {
        shell.succeed(&["--digit", "8", "--seed", "1", "--count", count, "--out", file]);
    }
    let (one, many) = (Picture::read(&shell.path("one.png")), Picture::read(&shell.path("many.png")));
    assert_same_picture(&many.cell(0, 0, SIDE, SIDE), &one.pixels);
    // √400 = 20 columns; the first image of the second batch has index 64.
    shell.succeed(&["--digit", "8", "--seed", "1", "--count", "65", "--out", "few.png"]);
    let few = Picture::read(&shell.path("few.png"));
    let cell = |i: usize| many.cell(i % 20, i / 20, SIDE, SIDE);
    for i in [1, 63, 64] {
        assert_same_picture(&cell(i), &few.cell(i % 9, i / 9, SIDE, SIDE));
    }
    assert_ne!(cell(64), cell(0));
}

#[test]
fn json_says_everything_that_the_text_says() {
    let shell = shell();
    let text = shell.succeed(&["--digit", "5", "--count", "2", "--seed", "9", "--json", "--device", "cpu"]);
    assert_eq!(text.lines().count(), 1);
    let said: Value = serde_json::from_str(&text).unwrap();
    for (key, expected) in [
        ("/file", Value::from("digit-5.png")),
        ("/classes", vec!["5"].into()),
        ("/count", 2.into()),
        ("/seed", 9.into()),
        ("/width", (2 * SIDE).into()),
        ("/height", SIDE.into()),
        ("/device", "cpu".into()),
        ("/runtime/library", tests::runtime_library().to_str().into()),
        ("/runtime/execution_providers/0/provider", "CPUExecutionProvider".into()),
    ] {
        assert_eq!(said.pointer(key), Some(&expected), "{key} of {text}");
    }
}

#[test]
fn quiet_prints_nothing_and_ascii_only_when_asked() {
    let shell = shell();
    assert_eq!(shell.succeed(&["--digit", "1", "--quiet"]), "");
    let said = shell.succeed(&["--digit", "1", "--seed", "2", "--preview", "ascii"]);
    let lines: Vec<_> = said.lines().take(SIDE).collect();
    assert_eq!(lines.len(), SIDE);
    let drawn = |line: &str| line.chars().all(|character| " .:-=+*#%@".contains(character));
    assert!(lines.iter().all(|line| drawn(line)), "{said}");
    assert!(lines.iter().any(|line| !line.is_empty()), "{said}");
}

#[test]
fn an_existing_picture_is_replaced() {
    let shell = shell();
    let old = shell.write("five.png", "old");
    shell.succeed(&["--digit", "5", "--out", "five.png"]);
    assert_eq!(Picture::read(&shell.path("five.png")).width, SIDE);
    assert_eq!(shell.files(), ["five.png"]);
    assert!(std::fs::metadata(old).unwrap().len() > 3);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let shell = shell();
    let mut child: Command = shell.command(&["--digit", "5"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");
    assert_eq!(shell.files(), ["digit-5.png"]);
}

#[test]
fn a_model_of_other_classes_draws_them_by_name() {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    let said = shell.succeed(&["--label", "middle", "--seed", "7", "--model", "tiny.onnx"]);
    assert!(said.starts_with("class middle, seed 7: middle.png (3 × 2)\n"), "{said}");
    assert_eq!(shell.files(), ["middle.png", "tiny.onnx"]);
    let picture = Picture::read(&shell.path("middle.png"));
    assert_eq!((picture.width, picture.height), (3, 2));
    // A name is a name, whichever option says it.
    shell.succeed(&["--digit", "middle", "--seed", "7", "--model", "tiny.onnx", "--out", "again.png"]);
    assert_eq!(Picture::read(&shell.path("again.png")), picture);

    shell.succeed(&["--label", "5", "--seed", "7", "--out", "label.png"]);
    shell.succeed(&["--digit", "5", "--seed", "7", "--out", "digit.png"]);
    assert_eq!(Picture::read(&shell.path("label.png")), Picture::read(&shell.path("digit.png")));
}

#[test]
fn pixels_are_those_that_the_graph_describes() {
    let shell = shell();
    // Without weights, an image is the sigmoid of its class's row of the table.
    let model = TinyModel { weight: 0.0, ..TinyModel::default() };
    shell.write("tiny.onnx", model.bytes());
    let said = shell.succeed(&["--all", "--seed", "7", "--model", "tiny.onnx"]);
    assert!(said.starts_with("classes short, middle, long, seed 7: classes.png (9 × 2)\n"), "{said}");
    let picture = Picture::read(&shell.path("classes.png"));
    for class in 0..3 {
        let expected: Vec<u8> = (class * 6..class * 6 + 6)
            .map(|i| {
                let x = i as f64 / 4.0 - 2.0;
                (255.0 / (1.0 + (-x).exp())).round() as u8
            })
            .collect();
        assert_same_picture(&picture.cell(class, 0, 3, 2), &expected);
    }
}

#[test]
fn the_shipped_model_passes_its_self_test_on_the_newest_and_the_oldest_runtime() {
    for library in [tests::runtime_library(), tests::oldest_runtime_library()] {
        let shell = Shell::with_program(tests::program("infer"), vec![("ORT_DYLIB_PATH", library)]);
        let said = shell.succeed(&["self-test"]);
        assert!(said.starts_with("self-test passed: "), "{said}");
        let json: Value = serde_json::from_str(&shell.succeed(&["self-test", "--json"])).unwrap();
        assert_eq!(json["passed"], true);
        assert!(json["comparison"]["pixels"].as_u64() >= Some((SIDE * SIDE) as u64), "{json}");
        assert!(shell.files().is_empty());
    }
}

#[test]
fn a_model_that_draws_something_else_than_promised_fails_its_self_test() {
    let shell = shell();
    let mut contract = tiny_model::contract();
    contract.golden = Some(tiny_model::wrong_golden());
    let model = TinyModel { contract: Some(contract), ..TinyModel::default() };
    shell.write("tiny.onnx", model.bytes());
    let output = shell.run(&["self-test", "--model", "tiny.onnx"]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stdout.starts_with("self-test failed: 3 images, 18 of 18 pixels differ"), "{stdout}");
    assert!(stderr.starts_with("error: model tiny.onnx fails its self-test on cpu"), "{stderr}");
}
