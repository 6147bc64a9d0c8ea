//! `infer look`: what it draws of the latent space, of models with and without classes.

use std::{fs, io, path::Path};

use serde_json::Value;

use super::{
    Picture, Shell, assert_same_picture, shell,
    tiny_model::{self, TinyModel},
};

/// Side of an MNIST digit.
const SIDE: usize = 28;
/// Height and width of the tiny model's pictures.
const TINY: (usize, usize) = (2, 3);

/// A decoded GIF: its size, and the grey levels of each frame.
struct Animation {
    width: usize,
    height: usize,
    frames: Vec<Vec<u8>>,
}

impl Animation {
    fn read(path: &Path) -> Self {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let file = io::BufReader::new(fs::File::open(path).unwrap());
        let mut decoder = options.read_info(file).unwrap();
        let (width, height) = (decoder.width().into(), decoder.height().into());
        let mut frames = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            assert!(frame.buffer.chunks(4).all(|p| p[0] == p[1] && p[1] == p[2] && p[3] == 255));
            frames.push(frame.buffer.chunks(4).map(|pixel| pixel[0]).collect());
        }
        assert_eq!(decoder.repeat(), gif::Repeat::Infinite);
        Self { width, height, frames }
    }
}

/// A shell with a model of three classes, `tiny.onnx`, and one without, `plain.onnx`.
fn shell_with_models() -> Shell {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    let mut contract = tiny_model::contract();
    contract.classes.clear();
    shell.write("plain.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
    shell
}

/// What `--json` says, with the arguments in a line.
fn said(shell: &Shell, arguments: &str) -> Value {
    let arguments: Vec<&str> = arguments.split(' ').chain(["--json"]).collect();
    serde_json::from_str(&shell.succeed(&arguments)).unwrap()
}

#[test]
fn a_grid_has_the_images_that_infer_draws() {
    let shell = shell();
    shell.succeed(&["--digit", "5", "--count", "7", "--seed", "9", "--out", "drawn.png"]);
    let text = shell.succeed(&["look", "grid", "--digit", "5", "--count", "7", "--seed", "9"]);
    assert!(text.starts_with("7 samples, digit 5, seed 9: grid.png (84 × 84)\nmodel: "), "{text}");
    let (drawn, grid) = (Picture::read(&shell.path("drawn.png")), Picture::read(&shell.path("grid.png")));
    assert_eq!((grid.width, grid.height, &grid.pixels), (drawn.width, drawn.height, &drawn.pixels));
    for text in [("Seed", "9"), ("View", "7 samples, digit 5")] {
        assert!(grid.texts.contains(&(text.0.into(), text.1.into())), "{:?}", grid.texts);
    }
    // In turn, as in a data set; a column for each class.
    let all = said(&shell, "look grid --count 20 --seed 9 --out all.png");
    assert_eq!((&all["width"], &all["height"]), (&(10 * SIDE).into(), &(2 * SIDE).into()));
    let all = Picture::read(&shell.path("all.png"));
    assert_same_picture(&all.cell(5, 0, SIDE, SIDE), &drawn.cell(2, 1, SIDE, SIDE));
}

#[test]
fn a_sweep_has_a_row_for_each_dimension() {
    let shell = shell();
    let all = said(&shell, "look sweep --digit 5 --seed 9 --steps 3");
    assert_eq!(all["shows"], "sweep of all 100 dimensions around image 0, digit 5");
    assert_eq!((&all["images"], &all["frames"]), (&300.into(), &1.into()));
    let all = Picture::read(&shell.path("sweep.png"));
    assert_eq!((all.width, all.height), (3 * SIDE, 100 * SIDE));
    let some = said(&shell, "look sweep --digit 5 --seed 9 --steps 3 --dimensions 40,8-9 --out some.png");
    assert_eq!(some["shows"], "sweep of dimensions 40,8-9 around image 0, digit 5");
    let some = Picture::read(&shell.path("some.png"));
    assert_eq!((some.width, some.height), (3 * SIDE, 3 * SIDE));
    for (row, dimension) in [40, 8, 9].into_iter().enumerate() {
        for step in 0..3 {
            let expected = all.cell(step, dimension, SIDE, SIDE);
            assert_same_picture(&some.cell(step, row, SIDE, SIDE), &expected);
        }
        assert_ne!(some.cell(0, row, SIDE, SIDE), some.cell(2, row, SIDE, SIDE), "dimension {dimension}");
    }
    let moving = said(&shell, "look sweep --digit 5 --seed 9 --steps 3 --dimensions 40,8-9 --out sweep.gif");
    assert_eq!(moving["frames"], 4);
    let moving = Animation::read(&shell.path("sweep.gif"));
    assert_eq!((moving.width, moving.height, moving.frames.len()), (3 * SIDE, SIDE, 4));
    assert!(moving.frames[1] == moving.frames[3] && moving.frames[0] != moving.frames[2]);
}

/// z of the tiny model is weighted alike everywhere, so its logits are those of the class plus the sum
/// of z.
#[test]
fn a_sweep_moves_the_latent_by_as_much_as_it_says() {
    let shell = shell_with_models();
    shell.succeed(&[
        "look",
        "sweep",
        "--model",
        "plain.onnx",
        "--seed",
        "3",
        "--dimensions",
        "2",
        "--steps",
        "5",
    ]);
    let picture = Picture::read(&shell.path("sweep.png"));
    assert_eq!((picture.width, picture.height), (5 * TINY.1, TINY.0));
    let z = contract::latent::latents(3, 0, 4);
    for (step, value) in [-1.0, -0.5, 0.0, 0.5, 1.0].into_iter().enumerate() {
        let sum = z[0] + z[1] + value + z[3];
        let level = (255.0 / (1.0 + (-sum).exp()) + 0.5) as u8;
        assert_same_picture(&picture.cell(step, 0, TINY.1, TINY.0), &[level; 6]);
    }
}

#[test]
fn a_walk_passes_the_images_of_the_seed_and_moves_without_end() {
    let shell = shell();
    let walk = said(&shell, "look walk --seed 9 --stops 3 --steps 4");
    assert_eq!(walk["file"], "walk.gif");
    assert_eq!(walk["shows"], "walk past images 0 to 2, all digits");
    assert_eq!((&walk["images"], &walk["frames"]), (&120.into(), &12.into()));
    let animation = Animation::read(&shell.path("walk.gif"));
    // All ten digits without an empty cell.
    assert_eq!((animation.width, animation.height), (5 * SIDE, 2 * SIDE));
    assert_eq!(animation.frames.len(), 12);
    shell.succeed(&["--all", "--count", "3", "--seed", "9", "--out", "all.png"]);
    let all = Picture::read(&shell.path("all.png"));
    for (stop, frame) in animation.frames.iter().step_by(4).enumerate() {
        let frame = Picture { width: 5 * SIDE, height: 2 * SIDE, pixels: frame.clone(), texts: Vec::new() };
        for digit in [0, 4, 9] {
            let expected = all.cell(digit, stop, SIDE, SIDE);
            assert_same_picture(&frame.cell(digit % 5, digit / 5, SIDE, SIDE), &expected);
        }
    }
    // As a PNG: a row for each stop.
    said(&shell, "look walk --digit 4 --seed 9 --stops 3 --steps 4 --out walk.png");
    let sheet = Picture::read(&shell.path("walk.png"));
    assert_eq!((sheet.width, sheet.height), (4 * SIDE, 3 * SIDE));
    for stop in 0..3 {
        assert_same_picture(&sheet.cell(0, stop, SIDE, SIDE), &all.cell(4, stop, SIDE, SIDE));
    }
}

#[test]
fn a_way_from_image_to_image_begins_and_ends_with_them() {
    let shell = shell();
    shell.succeed(&["--digit", "7", "--count", "9", "--seed", "9", "--out", "nine.png"]);
    let nine = Picture::read(&shell.path("nine.png"));
    said(&shell, "look between --from 8 --to 4 --steps 5 --digit 7 --seed 9");
    let way = Picture::read(&shell.path("between.png"));
    assert_eq!((way.width, way.height), (5 * SIDE, SIDE));
    assert_same_picture(&way.cell(0, 0, SIDE, SIDE), &nine.cell(2, 2, SIDE, SIDE));
    assert_same_picture(&way.cell(4, 0, SIDE, SIDE), &nine.cell(1, 1, SIDE, SIDE));
    said(&shell, "look between --from 8 --to 4 --steps 5 --seed 9 --out way.gif --scale 2");
    let moving = Animation::read(&shell.path("way.gif"));
    assert_eq!((moving.width, moving.height, moving.frames.len()), (10 * SIDE, 4 * SIDE, 8));
}

#[test]
fn classes_are_those_of_infer_all() {
    let shell = shell_with_models();
    shell.succeed(&["--all", "--count", "2", "--seed", "9", "--out", "all.png", "--captions"]);
    let text = shell.succeed(&["look", "classes", "--count", "2", "--seed", "9", "--captions"]);
    assert!(text.starts_with("2 rows, all digits, seed 9: classes.png (280 × 70)\n"), "{text}");
    let (all, classes) = (Picture::read(&shell.path("all.png")), Picture::read(&shell.path("classes.png")));
    assert!(all.pixels == classes.pixels);
    said(&shell, "look classes --count 2 --seed 9 --model tiny.onnx --out classes.gif");
    said(&shell, "look walk --stops 2 --seed 9 --model tiny.onnx --out walk.gif");
    let same = ["classes.gif", "walk.gif"].map(|name| fs::read(shell.path(name)).unwrap());
    assert!(same[0] == same[1]);
}

#[test]
fn a_model_without_classes_is_looked_into_without_naming_one() {
    let shell = shell_with_models();
    let (height, width) = TINY;
    for (view, file, columns, rows) in [
        ("grid --count 5", "grid.png", 3, 2),
        ("sweep", "sweep.png", 9, 4),
        ("between --steps 4", "between.png", 4, 1),
        ("walk --stops 3 --steps 5 --out walk.png", "walk.png", 5, 3),
    ] {
        let said = said(&shell, &format!("look {view} --model plain.onnx --seed 3"));
        assert_eq!((&said["file"], &said["model"]["name"]), (&file.into(), &"plain.onnx".into()));
        let picture = Picture::read(&shell.path(file));
        assert_eq!((picture.width, picture.height), (columns * width, rows * height), "{view}");
    }
    said(&shell, "look walk --model plain.onnx --stops 3 --steps 5");
    let walk = Animation::read(&shell.path("walk.gif"));
    assert_eq!((walk.width, walk.height, walk.frames.len()), (width, height, 15));
    shell.succeed(&["--count", "5", "--model", "plain.onnx", "--seed", "3", "--out", "drawn.png"]);
    let [drawn, grid] = ["drawn.png", "grid.png"].map(|name| Picture::read(&shell.path(name)).pixels);
    assert_eq!(drawn, grid);
}

#[test]
fn normal_latents_are_swept_twice_as_far() {
    let shell = shell();
    let mut contract = tiny_model::contract();
    contract.classes.clear();
    contract.latent_distribution = contract::LatentDistribution::Normal;
    shell.write("normal.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
    said(&shell, "look sweep --model normal.onnx --seed 3 --dimensions 0 --steps 3");
    let picture = Picture::read(&shell.path("sweep.png"));
    let z = contract::latent::normal_latents(3, 0, 4);
    for (step, value) in [-2.0, 0.0, 2.0].into_iter().enumerate() {
        let level = (255.0 / (1.0 + (-(value + z[1] + z[2] + z[3])).exp()) + 0.5) as u8;
        assert_same_picture(&picture.cell(step, 0, TINY.1, TINY.0), &[level; 6]);
    }
}

#[test]
fn the_same_request_writes_the_same_bytes_and_the_printed_seed_gives_them_again() {
    let shell = shell_with_models();
    let seed = said(&shell, "look walk --model tiny.onnx --out a.gif")["seed"].to_string();
    said(&shell, &format!("look walk --model tiny.onnx --out b.gif --seed {seed}"));
    assert!(fs::read(shell.path("a.gif")).unwrap() == fs::read(shell.path("b.gif")).unwrap());
    assert_eq!(shell.succeed(&["look", "walk", "--model", "tiny.onnx", "--quiet"]), "");
    let text = shell.succeed(&["look", "walk", "--model", "tiny.onnx", "--seed", "3", "--preview", "ascii"]);
    assert_eq!(text.lines().position(|line| line.starts_with("walk past")), Some(TINY.0), "{text}");
    assert!(
        text.contains("walk past images 0 to 7, all classes, seed 3: walk.gif (9 × 2, 96 frames)"),
        "{text}"
    );
}

#[test]
fn what_can_not_be_drawn_is_one_sentence() {
    let shell = shell_with_models();
    for (arguments, parts) in [
        ("sweep", &["model mnist-generator (shipped) draws the classes 0, 1", "name one with --digit"][..]),
        ("sweep --digit 10", &["--label 10 is not a class of model", "0, 1, 2"]),
        ("sweep --model tiny.onnx", &["short, middle and long; name one with --label"]),
        ("walk --label midle --model tiny.onnx", &["did you mean middle?"]),
        ("walk --label short --model plain.onnx", &["plain.onnx", "pictures without a class"]),
        ("classes --model plain.onnx", &["plain.onnx", "take grid, sweep, walk or between"]),
        ("sweep --digit 5 --dimensions 90-100", &["--dimensions 90-100 names 100", "the dimensions 0 to 99"]),
        ("sweep --digit 5 --dimensions all", &["--dimensions", "such as 3 or 0-9,42"]),
        ("sweep --digit 5 --steps 1", &["--steps", "a whole number from 2 to 1000"]),
        ("sweep --digit 5 --steps 101", &["this is 10100 images", "--dimensions or --steps"]),
        ("walk --stops 1", &["--stops", "a whole number from 2 to 1000"]),
        ("walk --stops 1000 --steps 2", &["this is 20000 images", "name one class with --label"]),
        ("walk --stops 80 --scale 16", &["960 frames", "a smaller --scale"]),
        ("grid --count 0", &["--count", "a whole number from 1 to 10000"]),
        ("grid --out grid.gif", &["grid.gif", "only PNG files are written", "ends in .png"]),
        ("walk --out walk.mp4", &["walk.mp4", "only PNG and GIF files", "ends in .png or .gif"]),
        ("walk --out missing/walk.gif", &["folder missing does not exist"]),
        ("walk --model missing.onnx", &["model missing.onnx", "No such file"]),
    ] {
        let arguments: Vec<&str> = ["look"].into_iter().chain(arguments.split(' ')).collect();
        shell.fail(&arguments, 2, parts);
    }
}
