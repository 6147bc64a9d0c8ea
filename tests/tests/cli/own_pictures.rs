//! Anyone's pictures, from files through all three programs back to a picture.

use std::fs;

use image::{ImageReader, Rgb, RgbImage};
use infer::ModelSource;
use models::checkpoint::Checkpoint;
use serde_json::Value;
use tests::Shell;

use super::train::checkpoint;

/// Columns and rows of every picture.
const SIZE: (u32, u32) = (10, 6);

/// The classes, in the order of their names, and how many pictures each has.
const FLOWERS: [(&str, u32); 3] = [("daisy", 3), ("red rose", 1), ("tulip", 2)];

/// A picture unlike the others, with something else in each half.
fn flower(class: u32, index: u32) -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let [near, far] = if x < SIZE.0 / 2 { [200, 30] } else { [30, 200] };
        Rgb([near, far, (class * 70 + index * 20 + y) as u8])
    })
}

/// A shell about to train, beside `flowers/` with a folder for each class.
fn shell() -> Shell {
    let shell = Shell::new("train");
    for (class, (name, count)) in (0..).zip(FLOWERS) {
        fs::create_dir_all(shell.path("flowers").join(name)).unwrap();
        for index in 0..count {
            flower(class, index).save(shell.path(format!("flowers/{name}/{index}.png"))).unwrap();
        }
    }
    shell
}

fn json(shell: &Shell, program: &str, arguments: &[&str]) -> Value {
    let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&shell.succeed_as(program, &arguments)).unwrap()
}

#[test]
fn pictures_of_three_classes_become_a_model_that_draws_them_by_name() {
    let shell = shell();
    // Six pictures in batches of six: one iteration.
    let said = shell.succeed(&["--data", "flowers", "--batch-size", "6", "--epochs", "1"]);
    let run = "runs/00001-flowers";
    let summary = format!("{run} on cpu: 6 images of 10×6 in colour in 3 classes, 1 epochs");
    assert!(said.starts_with(&summary), "{said}");
    let grid = image::open(shell.path(run).join("samples/epoch-001.png")).unwrap();
    // Three columns, eight rows, two pixels between them.
    assert_eq!((grid.width(), grid.height()), (3 * 12 - 2, 8 * 8 - 2));
    assert_eq!(grid.color(), image::ColorType::Rgb8);

    let checkpoint = Checkpoint::load(&shell.path(run).join("generator.safetensors")).unwrap();
    let sizes = checkpoint.header.architecture.sizes();
    assert_eq!((sizes.classes, sizes.channels, sizes.height, sizes.width), (3, 3, 6, 10));
    let names = FLOWERS.map(|(name, _)| name);
    assert_eq!(checkpoint.header.provenance.classes, names);

    let report = json(&shell, "export", &["--out", "flowers.onnx"]);
    assert_eq!(report["dataset"], "flowers");
    let contract = ModelSource::File(&shell.path("flowers.onnx")).contract().unwrap();
    assert_eq!(contract.classes, names);

    let model = ["--model", "flowers.onnx", "--seed", "7"];
    let drawn = json(&shell, "infer", &[&["--label", "red rose"][..], &model].concat());
    assert_eq!(drawn["file"], "red-rose.png");
    assert_eq!(drawn["model"]["classes"], Value::from(names.to_vec()));
    let rose = ImageReader::open(shell.path("red-rose.png")).unwrap().decode().unwrap();
    assert_eq!((rose.width(), rose.height()), SIZE);
    let rose = rose.as_rgb8().unwrap();
    assert!(rose.pixels().any(|Rgb([r, g, b])| r != g || g != b), "the rose is grey");

    // The same rose among all classes, and in the terminal.
    shell.succeed_as("infer", &[&["--all", "--quiet"][..], &model].concat());
    let all = image::open(shell.path("classes.png")).unwrap();
    assert_eq!((all.width(), all.height()), (3 * SIZE.0, SIZE.1));
    let middle = image::imageops::crop_imm(all.as_rgb8().unwrap(), SIZE.0, 0, SIZE.0, SIZE.1).to_image();
    for (x, y, pixel) in middle.enumerate_pixels() {
        let expected = rose.get_pixel(x, y);
        let near = (0..3).all(|channel| pixel[channel].abs_diff(expected[channel]) <= 1);
        assert!(near, "column {x}, row {y}: {pixel:?} for {expected:?}");
    }
    let shown =
        shell.succeed_as("infer", &[&["--label", "red rose", "--preview", "colour"][..], &model].concat());
    let [r, g, b] = rose.get_pixel(0, 0).0;
    assert!(shown.starts_with(&format!("\x1b[38;2;{r};{g};{b};48;2;")), "{shown}");
}

#[test]
fn a_data_set_in_colour_is_learned_again() {
    let shell = shell();
    let train = |data: &str, more: &[&str]| {
        let run = ["--data", data, "--batch-size", "6", "--epochs", "1", "--quiet"];
        shell.succeed(&[&run[..], more].concat());
    };
    train("flowers", &["--out", "run"]);
    shell.succeed_as("export", &["--checkpoint", "run", "--out", "flowers.onnx", "--quiet"]);
    let drawn = ["dataset", "--model", "flowers.onnx", "--count", "12", "--seed", "3", "--quiet", "--out"];
    shell.succeed_as("infer", &[&drawn[..], &["idx", "--format", "idx"]].concat());
    shell.succeed_as("infer", &[&drawn[..], &["folder", "--format", "folder"]].concat());
    let header = |run: &str| Checkpoint::load(&shell.path(run).join("generator.safetensors")).unwrap().header;
    // IDX files name no classes.
    shell.write("idx/classes.txt", "daisy\nred rose\ntulip\n");
    train("idx", &["--out", "again"]);
    let sizes = *header("again").architecture.sizes();
    assert_eq!((sizes.classes, sizes.channels, sizes.height, sizes.width), (3, 3, 6, 10));
    // The pictures are those of the folder.
    train("folder", &["--out", "folder-run"]);
    let digest = |run: &str| header(run).provenance.dataset_sha256;
    assert_eq!(digest("again"), digest("folder-run"));

    let parts = ["idx has no t10k-images-idx4-ubyte (nor t10k-images-idx4-ubyte.gz", "); put it there\n"];
    shell.fail(&["--data", "idx", "--split", "all"], 2, &parts);
}

#[test]
fn a_resumed_run_finds_its_pictures_again_in_their_size() {
    let shell = shell();
    let sized = ["--data", "flowers", "--size", "8x5", "--batch-size", "4", "--quiet"];
    shell.succeed(&[&sized[..], &["--epochs", "2", "--out", "unbroken"]].concat());
    shell.succeed(&[&sized[..], &["--epochs", "1", "--out", "broken"]].concat());
    shell.succeed(&["--resume", "broken", "--epochs", "2", "--quiet"]);
    let header = |run: &str| Checkpoint::load(&checkpoint(&shell, run, 3)).unwrap().header;
    let sizes = *header("broken").architecture.sizes();
    assert_eq!((sizes.height, sizes.width), (5, 8));
    assert_eq!(header("broken").provenance, header("unbroken").provenance);

    // A class by another name is another class.
    fs::rename(shell.path("flowers/tulip"), shell.path("flowers/zinnia")).unwrap();
    shell.fail(&["--resume", "broken", "--epochs", "3"], 2, &["the data differ", "broken"]);
}

#[test]
fn files_that_are_not_used_are_noted() {
    let shell = shell();
    shell.write("flowers/tulip/licence.txt", "free");
    let arguments = ["--data", "flowers", "--batch-size", "6", "--epochs", "1"];
    let output = shell.run(&arguments);
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "note: not used in flowers, being no pictures of a class: tulip/licence.txt\n");
    shell.succeed(&[&arguments[..], &["--quiet"]].concat());
}
