//! `evaluate` of models without labels, with a judge that was trained on the categories of their pictures.

use std::fs;

use candle_core::Device;
use image::{Rgba, RgbaImage};
use infer::ModelSource;
use models::checkpoint::Checkpoint;
use serde_json::Value;
use tests::Shell;

use super::train::checkpoints;

/// Settings of networks that are quick to train.
const NARROW: [&str; 6] = [
    "--unlabelled",
    "--generator-filters=2",
    "--discriminator-filters=2",
    "--latent-dim=8",
    "--size=12x10",
    "--batch-size=6",
];

/// A shell with transparent discs and stripes of two sizes, in two parts: 24 and 12 pictures.
fn shell() -> Shell {
    let shell = Shell::new("evaluate");
    for (part, count) in [("train", 12), ("test", 6)] {
        for class in ["disc", "stripe"] {
            let folder = shell.path(format!("shapes/{part}/{class}"));
            fs::create_dir_all(&folder).unwrap();
            for i in 0..count {
                let at = if part == "train" { i } else { 2 * i + 1 };
                let picture = RgbaImage::from_fn(20 + i % 2 * 4, 16, |x, y| {
                    let inside = match class {
                        "disc" => (x as i32 - 8 - at as i32 / 2).pow(2) + (y as i32 - 8).pow(2) < 30,
                        _ => (y + at) % 8 < 3,
                    };
                    Rgba([200, 10 * at as u8, x as u8 * 9, if inside { 255 } else { 0 }])
                });
                picture.save(folder.join(format!("{i}.png"))).unwrap();
            }
        }
    }
    shell
}

/// Trains a judge; what it says of it.
fn train_judge(shell: &Shell, data: &str, out: &str) -> Value {
    let judge = ["train-judge", "--data", data, "--out", out, "--epochs", "2", "--batch-size", "8"];
    let framing = ["--size", "12x10", "--crop", "--background", "white", "--json", "--device", "cpu"];
    serde_json::from_str(&shell.succeed(&[&judge[..], &framing].concat())).unwrap()
}

fn train(shell: &Shell, more: &[&str]) -> String {
    shell.succeed_as("train", &[&NARROW[..], &["--device", "cpu"], more].concat())
}

fn report(shell: &Shell, arguments: &[&str]) -> Value {
    serde_json::from_str(&shell.succeed(&[arguments, &["--json", "--count", "40"]].concat())).unwrap()
}

#[test]
fn a_run_and_its_onnx_file_are_measured_but_for_what_needs_labels() {
    let shell = shell();
    let trained = train_judge(&shell, "shapes", "judge");
    assert_eq!((&trained["images"], &trained["images_are"]), (&12.into(), &"test images".into()));

    let run =
        ["--data", "shapes", "--epochs", "3", "--evaluate-every", "2", "--judge", "judge", "--keep", "1"];
    let said = train(&shell, &[&run[..], &["--out", "run"]].concat());
    assert!(said.contains("24 images of 12×10 in colour without labels"), "{said}");
    assert!(said.contains("best: run/checkpoints/"), "{said}");
    let quality = fs::read_to_string(shell.path("run/quality.jsonl")).unwrap();
    let quality: Vec<Value> = quality.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let iterations: Vec<_> = quality.iter().map(|line| line["iteration"].as_u64().unwrap()).collect();
    assert_eq!(iterations, [8, 12]);
    for line in &quality {
        assert!(line["frechet"].as_f64().unwrap() > 0. && line.get("agreement").is_none(), "{line}");
        assert_eq!(line["images"], 2000);
    }
    assert!(checkpoints(&shell, "run").len() <= 2);

    let against = ["--real", "shapes", "--judge", "judge"];
    let of_run = report(&shell, &[&["run", "--report", "report.png"], &against[..]].concat());
    assert_eq!((&of_run["images"], &of_run["classes"]), (&40.into(), &Value::Array(Vec::new())));
    for missing in ["agreement", "diversity"] {
        assert!(of_run.get(missing).is_none(), "{of_run}");
    }
    assert_eq!(of_run["gan_train"], Value::Null);
    assert!(
        of_run["left_out"].as_str().unwrap().contains("the images have no labels: agreement"),
        "{of_run}"
    );
    assert_eq!(
        (&of_run["reference"]["what"], &of_run["reference"]["images"]),
        (&"real test images".into(), &12.into())
    );
    for figure in
        ["frechet", "manifold/precision", "manifold/recall", "manifold/density", "manifold/coverage"]
    {
        assert!(
            of_run.pointer(&format!("/{figure}/value")).is_some_and(Value::is_number),
            "{figure} {of_run}"
        );
    }
    assert_eq!(
        (&of_run["nearest"]["copies"], &of_run["nearest"]["real_images"]),
        (&0.into(), &"real test images".into())
    );
    let remarks = of_run["remarks"].to_string();
    assert!(!remarks.contains("are others") && !remarks.contains("are not those"), "{remarks}");
    assert!(image::open(shell.path("report.png")).unwrap().width() > 10 * 12);
    let text = shell.succeed(&[&["run", "--count", "40"], &against[..]].concat());
    assert!(text.contains("run/generator.safetensors (trained on shapes), 40 images, seed 0"), "{text}");
    assert!(text.contains("left out, as the images have no labels") && !text.contains("GAN-test"), "{text}");

    // The ONNX file draws the same, and carries what was measured.
    shell.write("quality.json", of_run.to_string());
    let export = ["--checkpoint", "run", "--out", "gen.onnx", "--quality", "quality.json", "--quiet"];
    shell.succeed_as("export", &export);
    let carried = ModelSource::File(&shell.path("gen.onnx")).contract().unwrap().quality;
    assert_eq!(carried["frechet"], of_run["frechet"]);
    assert!(!carried.contains_key("agreement") && !carried.contains_key("agreement_of_classes"));
    let of_file = report(&shell, &[&["gen.onnx"], &against[..]].concat());
    let [a, b] = [&of_run, &of_file].map(|report| report["frechet"]["value"].as_f64().unwrap());
    assert!((a - b).abs() < 0.02 * a, "{a} {b}");

    // Real pictures are at their best, and have labels.
    let real = ["shapes", "--split", "test", "--size", "12x10"];
    let of_real = report(&shell, &[&real, &against[..]].concat());
    assert!(of_real["agreement"]["overall"]["n"] == 12 && of_real["frechet"]["value"].as_f64().unwrap() < a);
}

#[test]
fn without_a_test_part_the_figures_are_against_training_pictures() {
    let shell = shell();
    let trained = train_judge(&shell, "shapes/train", "judge");
    assert_eq!((&trained["images"], &trained["images_are"]), (&4.into(), &"held-out images".into()));
    train(&shell, &["--data", "shapes/train", "--epochs", "1", "--out", "run", "--quiet"]);
    let found = report(&shell, &["run", "--real", "shapes/train", "--judge", "judge"]);
    assert_eq!(
        (&found["reference"]["what"], &found["reference"]["images"]),
        (&"real training images".into(), &12.into())
    );
    assert_eq!(found["nearest"]["real_images"], "training images");
    let remarks = found["remarks"].to_string();
    assert!(
        remarks.contains("train has no test part, so the figures are against training images"),
        "{remarks}"
    );
    assert!(!remarks.contains("are others") && !remarks.contains("are not those"), "{remarks}");

    // Any pictures can be compared with, in no folders of classes too, but they are not what was learned.
    for (i, picture) in fs::read_dir(shell.path("shapes/test/disc")).unwrap().enumerate() {
        fs::create_dir_all(shell.path("loose")).unwrap();
        fs::copy(picture.unwrap().path(), shell.path(format!("loose/{i}.png"))).unwrap();
    }
    let remarks = report(&shell, &["run", "--real", "loose", "--judge", "judge"])["remarks"].to_string();
    assert!(
        remarks.contains("trained on train, and the real training images of loose are others"),
        "{remarks}"
    );
    assert!(remarks.contains("loose are not those that the judge was trained on"), "{remarks}");
}

/// The averaged weights of a run's generator.
fn weights(shell: &Shell, run: &str) -> Vec<f32> {
    let checkpoint = Checkpoint::load(&shell.path(run).join("generator.safetensors")).unwrap();
    let generator = checkpoint.header.architecture.generator().unwrap();
    let average = checkpoint.parameters("average", &generator, &Device::Cpu).unwrap();
    let values = average.iter().map(|(_, value)| value.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    values.flatten().collect()
}

#[test]
fn discriminators_see_what_a_judge_makes_of_the_pictures() {
    let shell = shell();
    train_judge(&shell, "shapes", "judge");
    let trained = |run: &str, epochs: &str, weight: &str| {
        let seen = ["--projected", weight, "--features", "judge", "--epochs", epochs, "--out", run];
        train(&shell, &[&["--data", "shapes", "--quiet"], &seen[..]].concat());
    };
    trained("unbroken", "4", "1");
    trained("stronger", "4", "2");
    trained("broken", "2", "1");
    assert!(weights(&shell, "unbroken") != weights(&shell, "stronger"));
    // The run has a copy of its own.
    fs::remove_file(shell.path("judge")).unwrap();
    shell.succeed_as("train", &["--resume", "broken", "--epochs", "4", "--quiet"]);
    assert!(weights(&shell, "unbroken") == weights(&shell, "broken"));
    fs::remove_file(shell.path("broken/guide.safetensors")).unwrap();
    let output = Shell::new("train")
        .command(&["--resume", "broken", "--epochs", "5"])
        .current_dir(shell.folder())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(2)
            && told.contains("features is judge, of which the run has no copy: can't read judge"),
        "{told}"
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let shell = shell();
    train_judge(&shell, "shapes", "judge");
    train(&shell, &["--data", "shapes", "--epochs", "1", "--out", "run", "--quiet"]);
    shell.fail(&["run"], 2, &["run are 12×10 in colour, but the judge takes 28×28 grey", "train-judge"]);
    shell.fail(&["run", "--judge", "judge"], 2, &["the judge was trained on shapes", "--real"]);
    let judged = ["--judge", "judge", "--real", "shapes"];
    shell.fail(&[&["run", "--gan-train"], &judged[..]].concat(), 2, &["--gan-train", "these have none"]);
    shell.fail(&[&["run", "--augment"], &judged[..]].concat(), 2, &["--augment", "these have none"]);
    shell.fail(&[&["run", "--count", "3"], &judged[..]].concat(), 1, &["3 images are too few"]);
    shell.fail(&["run", "--judge", "judge", "--real", "nowhere"], 2, &["nowhere", "can't be read"]);
    let real =
        ["shapes/test", "--size", "12x10", "--judge", "judge", "--real", "shapes/train", "--gan-train"];
    shell.fail(&real, 2, &["--gan-train tries a judge on real test images, and train has no test part"]);
    let real = real.map(|word| if word == "--gan-train" { "--augment" } else { word });
    shell.fail(&real, 2, &["--augment tries judges on real test images, and train has no test part"]);

    let judge = ["train-judge", "--data", "shapes", "--out", "other"];
    shell.fail(&judge, 2, &["the pictures differ in size", "--size"]);
    shell.fail(&[&judge[..], &["--crop"]].concat(), 2, &["--crop is given, but no size", "--size"]);
    shell.fail(&[&judge[..], &["--background", "mauve"]].concat(), 2, &["mauve", "such as #ffcc00"]);
    fs::create_dir_all(shell.path("one/disc")).unwrap();
    fs::copy(shell.path("shapes/test/disc/0.png"), shell.path("one/disc/0.png")).unwrap();
    shell.fail(&["train-judge", "--data", "one", "--out", "other"], 2, &["one has one image", "give more"]);

    // What was decoded is kept all the same, so that these leave a file behind.
    let trainer = Shell::new("train");
    let fail = |arguments: &[&str], parts: &[&str]| {
        let output = trainer.command(arguments).current_dir(shell.folder()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        assert!(!shell.path("runs").exists());
    };
    let run = [&NARROW[..], &["--data", "shapes", "--evaluate-every", "1"]].concat();
    fail(&run, &["no judge of such pictures", "evaluate train-judge", "--judge"]);
    let wider = [&run[..4], &run[5..], &["--size", "16x10", "--judge", "judge"]].concat();
    fail(&wider, &["shapes are 16×10 in colour, but the judge takes 12×10 in colour"]);
    let seen = ["--data", "shapes", "--projected", "1", "--features", "judge"];
    let wider = [&NARROW[..4], &NARROW[5..], &["--size", "16x10"], &seen].concat();
    fail(&wider, &["shapes are 16×10 in colour, but the judge takes 12×10 in colour"]);
    let framing =
        ["knows pictures made with --crop=true --background white", "the run's are made with --crop=false"];
    fail(&[&NARROW[..], &["--crop=false"], &seen].concat(), &framing);
    let judged = ["--data", "shapes", "--evaluate-every", "1", "--judge", "judge"];
    fail(&[&NARROW[..], &["--crop=false"], &judged].concat(), &framing);
}
