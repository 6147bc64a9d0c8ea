//! Pictures without labels, from a folder through all programs back to pictures.

use std::fs;
use std::path::Path;

use contract::PixelRange;
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, RgbaImage};
use infer::ModelSource;
use models::checkpoint::Checkpoint;
use serde_json::Value;
use tests::Shell;

/// Settings of networks that are quick to train.
const NARROW: [&str; 8] =
    ["--unlabelled", "--generator-filters", "2", "--discriminator-filters", "2", "--epochs", "1", "--quiet"];

/// A shell about to train, beside a folder of so many pictures; `picture` makes the i-th.
fn shell(folder: &str, count: u32, picture: impl Fn(u32) -> DynamicImage) -> Shell {
    let shell = Shell::new("train");
    for i in 0..count {
        // Some in a folder below.
        let inside = if i % 3 == 0 { shell.path(folder).join("more") } else { shell.path(folder) };
        fs::create_dir_all(&inside).unwrap();
        picture(i).save(inside.join(format!("{i}.png"))).unwrap();
    }
    shell
}

/// A disc on a ramp, of another place and shade for each picture.
fn grey(i: u32) -> DynamicImage {
    GrayImage::from_fn(28, 28, |x, y| {
        let disc = (x as i32 - 8 - i as i32).pow(2) + (y as i32 - 14).pow(2) < 30;
        Luma([if disc { 250 } else { (x * 4 + y) as u8 }])
    })
    .into()
}

/// The same in colour, of pictures that differ in size.
fn colour(i: u32) -> DynamicImage {
    RgbImage::from_fn(70 + i, 50, |x, y| {
        let disc = (x as i32 - 20 - i as i32).pow(2) + (y as i32 - 25).pow(2) < 150;
        Rgb(if disc { [250, 20 * i as u8, 30] } else { [x as u8, y as u8, 200] })
    })
    .into()
}

fn checkpoint(run: &Path) -> Checkpoint {
    Checkpoint::load(&run.join("generator.safetensors")).unwrap()
}

/// Exports a run and draws a grid of 64 with each engine: both draw the same, but for one level.
fn export_and_draw(shell: &Shell, run: &str, (width, height): (u32, u32)) -> DynamicImage {
    shell.succeed_as("export", &["--checkpoint", run, "--out", "gen.onnx", "--quiet"]);
    shell.succeed_as("infer", &["self-test", "--model", "gen.onnx", "--quiet"]);
    let [a, b] = ["onnxruntime", "rten"].map(|engine| {
        let out = format!("{engine}.png");
        let model = ["--model", "gen.onnx", "--engine", engine, "--seed", "5", "--out", &out];
        shell.succeed_as("infer", &[&["--count", "64", "--quiet"][..], &model].concat());
        image::open(shell.path(out)).unwrap()
    });
    assert_eq!((a.width(), a.height(), a.color()), (8 * width, 8 * height, b.color()));
    let (left, right) = (a.to_rgb8(), b.to_rgb8());
    assert!(left.iter().zip(right.iter()).all(|(a, b)| a.abs_diff(*b) <= 1));
    // Not all pictures alike, and not all black.
    assert!(left.iter().any(|&level| level > 20));
    a
}

#[test]
fn a_folder_of_grey_squares() {
    let shell = shell("shapes", 12, grey);
    let own = ["--data", "shapes", "--size", "28x28", "--batch-size", "6", "--out", "run"];
    shell.succeed(&[&NARROW[..], &own].concat());
    let Checkpoint { header, .. } = checkpoint(&shell.path("run"));
    assert_eq!(
        (header.architecture.name(), header.provenance.dataset.as_str()),
        ("unlabelled-dcgan", "shapes")
    );
    let sizes = header.architecture.sizes();
    assert_eq!((sizes.classes, sizes.channels, sizes.height), (0, 1, 28));
    let samples = image::open(shell.path("run/samples/epoch-001.png")).unwrap();
    assert_eq!((samples.width(), samples.height()), (8 * 30 - 2, 8 * 30 - 2));
    assert_eq!(samples.color(), image::ColorType::L8);
    assert_eq!(export_and_draw(&shell, "run", (28, 28)).color(), image::ColorType::L8);
}

#[test]
fn a_folder_of_colour_pictures_that_are_not_square() {
    let shell = shell("photos", 12, colour);
    let own = ["--data", "photos", "--size", "64x48", "--batch-size", "4", "--out", "run"];
    shell.succeed(&[&NARROW[..], &own].concat());
    let architecture = checkpoint(&shell.path("run")).header.architecture;
    let sizes = architecture.sizes();
    assert_eq!((sizes.classes, sizes.channels, sizes.height, sizes.width), (0, 3, 48, 64));
    assert_eq!(export_and_draw(&shell, "run", (64, 48)).color(), image::ColorType::Rgb8);

    let contract = ModelSource::File(&shell.path("gen.onnx")).contract().unwrap();
    assert_eq!(
        (contract.architecture.as_str(), contract.pixel_range),
        ("unlabelled-dcgan", PixelRange::MinusOneToOne)
    );
    assert!(contract.classes.is_empty() && contract.golden.is_some());

    // Every form, and the other network.
    for form in [
        &["--optimize", "none"][..],
        &["--precision", "fp16"],
        &["--precision", "int8"],
        &["--batch", "2"],
        &["--uint8"],
        &["--network", "discriminator"],
    ] {
        let arguments = [&["--checkpoint", "run", "--out", "form.onnx", "--quiet"][..], form].concat();
        shell.succeed_as("export", &arguments);
    }
    let said = shell.succeed_as("export", &["inspect", "form.onnx", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said.to_string().contains("-1,1"), "{said}");
}

#[test]
fn a_few_broken_files_are_left_out_and_many_are_refused() {
    let shell = shell("photos", 12, colour);
    shell.write("photos/broken.jpg", "no picture");
    shell.write("photos/notes.txt", "no picture either");
    let transparent = RgbaImage::from_pixel(40, 40, image::Rgba([0, 0, 0, 0]));
    transparent.save(shell.path("photos/transparent.png")).unwrap();
    let own = ["--data", "photos", "--size", "16x12", "--batch-size", "4", "--out", "run"];
    let loud: Vec<&str> = NARROW.into_iter().filter(|&word| word != "--quiet").collect();
    let output = shell.run(&[&loud[..], &own].concat());
    let [said, noted] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{noted}");
    assert!(said.starts_with("run on cpu: 13 images of 16×12 in colour without labels"), "{said}");
    assert!(noted.starts_with("note: 1 of 14 ") && noted.contains("broken.jpg"), "{noted}");
    export_and_draw(&shell, "run", (16, 12));

    shell.write("photos/second.png", "no picture");
    let new = ["--data", "photos", "--out", "new"];
    shell.fail(&[&NARROW[..], &new].concat(), 2, &["photos", "2 of 15", "broken.jpg"]);
}

#[test]
fn a_resumed_run_mirrors_the_pictures_that_it_would_have() {
    let shell = shell("photos", 11, colour);
    // Three iterations an epoch or so: epochs end in the middle of batches.
    let own =
        ["--data", "photos", "--size", "12x16", "--batch-size", "4", "--background", "#102030", "--flip"];
    let run = |out: &str, more: &[&str]| {
        shell.succeed(&[&NARROW[..], &["--out", out], &own, more].concat());
    };
    run("whole", &[]);
    shell.succeed(&["--resume", "whole", "--epochs", "3", "--quiet"]);
    let epochs: Vec<&str> = NARROW[..5].to_vec();
    shell.succeed(&[&epochs[..], &["--epochs", "3", "--quiet", "--out", "unbroken"], &own].concat());
    let bytes = |run: &str| fs::read(shell.path(run).join("generator.safetensors")).unwrap();
    assert!(bytes("whole") == bytes("unbroken"), "a resumed run drew something else");

    // Without mirroring it would have learned something else.
    let upright = [&epochs[..], &["--epochs", "3", "--quiet", "--out", "upright"], &own[..8]].concat();
    shell.succeed(&upright);
    let weights = |run: &str| {
        let loaded = checkpoint(&shell.path(run));
        loaded.tensor("raw.out.deconv.weight").unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert!(weights("upright") != weights("unbroken"));

    // Other pictures are noticed.
    fs::remove_file(shell.path("photos/1.png")).unwrap();
    let before = bytes("whole");
    let output = shell.run(&["--resume", "whole", "--epochs", "4"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the data differ") && said.contains("whole"), "{said}");
    // What was decoded is kept all the same; the run isn't touched.
    assert!(bytes("whole") == before);
}

#[test]
fn a_folder_s_own_runs_are_no_pictures_of_it() {
    let shell = shell("photos", 6, grey);
    let run = ["--data", ".", "--size", "28x28", "--batch-size", "3"];
    let loud: Vec<&str> = NARROW.into_iter().filter(|&word| word != "--quiet").collect();
    for out in ["photos/run", "photos/second"] {
        let output = shell.run(&[&loud[..], &run, &["--out", out]].concat());
        let [said, noted] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{noted}");
        assert!(said.contains(" on cpu: 6 images of 28×28 without labels"), "{said}");
        let is_second = out == "photos/second";
        assert_eq!(noted.contains("being runs of `train` and no data: photos/run"), is_second, "{noted}");
    }
    shell.succeed(&["--resume", "photos/run", "--epochs", "2", "--quiet"]);
}

#[test]
fn a_dry_run_says_what_would_be_learned() {
    let shell = shell("photos", 5, colour);
    let plan = ["--unlabelled", "--data", "photos", "--size", "20x12", "--batch-size", "2", "--dry-run"];
    let said = shell.succeed(&[&plan[..], &["--generator-filters=2", "--discriminator-filters=2"]].concat());
    for part in [
        "unlabelled = true\n",
        "crop = true\nbackground = \"white\"\n",
        "# Data: photos, 5 images of 20×12 in colour without labels\n",
        "tanh",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!shell.files().iter().any(|file| file.starts_with("data") || file.starts_with("runs")));
    // What is printed is a file that gives the same again.
    shell.write("run.toml", &said);
    assert_eq!(
        shell.succeed(&["--config", "run.toml", "--dry-run"]).split("# Data").next(),
        said.split("# Data").next()
    );
}

#[test]
fn what_needs_labels_is_refused() {
    let shell = shell("photos", 5, colour);
    let refused = |arguments: &[&str], parts: &[&str]| {
        shell.fail(&[&NARROW[..], arguments].concat(), 2, parts);
    };
    refused(&[], &["unlabelled is given, but not data"]);
    let data = ["--data", "photos"];
    refused(&[&data[..], &["--mismatch", "1"]].concat(), &["mismatch is 1", "reference"]);
    refused(&[&data[..], &["--background", "mauve"]].concat(), &["mauve", "--background"]);

    shell.succeed(&[&NARROW[..], &data, &["--size", "12x12", "--batch-size", "5", "--out", "run"]].concat());
    let judged = ["--resume", "run", "--epochs", "2", "--evaluate-every", "1"];
    shell.fail(&judged, 2, &["no judge of such pictures", "--judge"]);
    shell.succeed_as("export", &["--checkpoint", "run", "--out", "gen.onnx", "--quiet"]);
    let as_program = |name: &str, arguments: &[&str], parts: &[&str]| {
        let output = Shell::new(name).command(arguments).current_dir(shell.folder()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    };
    for option in ["--digit", "--label", "--digits"] {
        let named = format!("leave out {option} 3");
        as_program("infer", &["--model", "gen.onnx", option, "3"], &["pictures without a class", &named]);
    }
}
