//! `evaluate`: what it finds in real digits and in spoiled ones, and what it says to bad input.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::GrayImage;
use serde_json::Value;
use tests::{Shell, checkout};

/// MNIST, which `make setup` fetches.
fn mnist() -> PathBuf {
    checkout().join("data/mnist")
}

/// A shell that runs `evaluate`.
fn shell() -> Shell {
    Shell::new("evaluate")
}

/// What it says as JSON of these arguments.
fn measured(shell: &Shell, arguments: &[&str]) -> Value {
    let mnist = mnist();
    let real = ["--real", mnist.to_str().unwrap(), "--json"];
    serde_json::from_str(&shell.succeed(&[arguments, &real].concat())).unwrap()
}

fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {path} in {report}"))
}

/// The first `n` of MNIST's test images and labels.
pub(crate) fn test_digits(n: usize) -> (Vec<u8>, Vec<u8>) {
    let read = |name: &str, header: usize, size: usize| {
        fs::read(mnist().join(name)).unwrap()[header..][..size].to_vec()
    };
    (read("t10k-images-idx3-ubyte", 16, n * 784), read("t10k-labels-idx1-ubyte", 8, n))
}

/// Writes images and labels as IDX files.
pub(crate) fn write_idx(folder: &Path, images: &[u8], labels: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    let header = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let n = labels.len() as u32;
    let images = [&header(&[2051, n, 28, 28])[..], images].concat();
    fs::write(folder.join("train-images-idx3-ubyte"), images).unwrap();
    fs::write(folder.join("train-labels-idx1-ubyte"), [&header(&[2049, n])[..], labels].concat()).unwrap();
}

#[test]
fn real_digits_are_what_they_should_be() {
    let shell = shell();
    let report = measured(&shell, &[mnist().to_str().unwrap(), "--split", "test", "--report", "report.png"]);
    assert_eq!(number(&report, "/images"), 10_000.);
    assert!(number(&report, "/agreement/overall/value") >= 0.995, "{}", report["agreement"]);
    let [distance, floor] =
        ["frechet", "frechet_floor"].map(|name| number(&report, &format!("/{name}/value")));
    assert!(distance < 10. * floor, "Fréchet distance {distance}, floor {floor}");
    for name in ["precision", "recall", "coverage"] {
        let value = number(&report, &format!("/manifold/{name}/value"));
        assert!(value > 0.8, "{name} {value}");
    }
    for class in report["diversity"].as_array().unwrap() {
        assert!((number(class, "/ratio/value") - 1.).abs() < 0.25, "{class}");
    }
    assert_eq!(number(&report, "/nearest/copies"), 0.);
    assert!(image::open(shell.path("report.png")).unwrap().width() > 500);
}

#[test]
fn wrong_labels_and_one_digit_over_and_over() {
    let shell = shell();
    // Each image under the label of another.
    let (images, mut labels) = test_digits(500);
    labels.rotate_left(250);
    write_idx(&shell.path("shuffled"), &images, &labels);
    let report = measured(&shell, &["shuffled"]);
    let agreement = number(&report, "/agreement/overall/value");
    assert!((0.04..0.2).contains(&agreement), "{agreement}");

    let (images, labels) = test_digits(1);
    write_idx(&shell.path("repeated"), &images.repeat(600), &labels.repeat(600));
    let report = measured(&shell, &["repeated"]);
    for name in ["recall", "coverage"] {
        let value = number(&report, &format!("/manifold/{name}/value"));
        assert!(value < 0.05, "{name} {value}");
    }
    // The first test image is a 7.
    assert!(number(&report["diversity"][7], "/ratio/value") < 1e-3);
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("collapse") && remarks.contains("nearly alike: 7"), "{remarks}");
    assert!(remarks.contains("no images of class 0, 1"), "{remarks}");
}

#[test]
fn what_cannot_be_measured() {
    let shell = shell();
    let mnist = mnist();
    let real = mnist.to_str().unwrap();
    let fail = |arguments: &[&str], parts: &[&str]| {
        shell.fail(&[arguments, &["--real", real]].concat(), 2, parts);
    };
    fail(&["nowhere"], &["nowhere", "can't be read"]);
    fail(&["nowhere.onnx"], &["nowhere.onnx"]);
    fail(&["nowhere.safetensors"], &["nowhere.safetensors"]);
    fail(&["nowhere.npz"], &["nowhere.npz", "can't be read"]);
    shell.write("text.npz", "no zip");
    fail(&["text.npz"], &["text.npz", "arrays images and labels"]);
    fail(&[real, "--judge", "nowhere.safetensors"], &["nowhere.safetensors"]);
    fail(&[real, "--report", "nowhere/report.png"], &["no folder nowhere"]);
    shell.fail(&["train-judge", "--out", "nowhere/judge.safetensors"], 2, &["no folder nowhere"]);

    fs::create_dir_all(shell.path("small/7")).unwrap();
    GrayImage::new(12, 8).save(shell.path("small/7/1.png")).unwrap();
    fail(&["small"], &["small are 12×8 grey", "the judge takes 28×28 grey"]);
    fs::create_dir_all(shell.path("named/cat")).unwrap();
    GrayImage::new(28, 28).save(shell.path("named/cat/1.png")).unwrap();
    fail(&["named"], &["a class \"cat\"", "0, 1, 2"]);
    let (images, _) = test_digits(2);
    write_idx(&shell.path("beyond"), &images, &[3, 12]);
    fail(&["beyond"], &["a class \"12\"", "none of the judge's"]);
    shell.fail(&["beyond", "--real", "nowhere"], 2, &["beyond"]);
}

#[test]
fn a_generator_is_no_judge_and_a_judge_no_generator() {
    let shell = shell();
    let judge = checkout().join("models/pretrained/mnist-judge.safetensors");
    let judge = judge.to_str().unwrap();
    let words = |arguments: &str| arguments.split(' ').map(String::from).collect::<Vec<_>>();
    write_idx(&shell.path("digits"), &test_digits(8).0, &test_digits(8).1);
    shell.succeed_as(
        "train",
        &words("--data digits --epochs 1 --batch-size 4 --out run --quiet --device cpu"),
    );
    let generator = ["digits", "--judge", "run/generator.safetensors"];
    shell.fail(&generator, 2, &["run/generator.safetensors", "which is no judge"]);
    shell.fail(&[judge], 2, &["is a judge, which draws nothing"]);

    // A run's generator is measured as it is.
    let report = measured(&shell, &["run", "--count", "2"]);
    // The first eight test images are of six digits.
    assert_eq!(number(&report, "/images"), 12.);
}

/// NumPy's own archives, and `infer`'s, of the same digits.
#[test]
fn archives_are_read_as_people_save_them() {
    let shell = shell();
    let (images, labels) = test_digits(150);
    write_idx(&shell.path("digits"), &images, &labels);
    let script = "
import numpy as np
images = np.fromfile('digits/train-images-idx3-ubyte', np.uint8)[16:].reshape(150, 28, 28)
labels = np.fromfile('digits/train-labels-idx1-ubyte', np.uint8)[8:]
np.savez('plain.npz', images=images, labels=labels)
np.savez_compressed('floats.npz', images=images[..., None] / 255, labels=labels.astype('i8')[:, None])
np.savez('fortran.npz', images=np.asfortranarray(images.astype('>f4')), labels=labels.astype('f8'))
np.savez_compressed('bool.npz', images=images > 127, labels=labels)
np.savez('swapped.npz', x_train=images, y_train=labels)
np.savez('words.npz', images=images, labels=np.array(['one'] * 150))
np.savez('ones.npz', images=(images > 127).astype('u1'), labels=labels)
";
    let python = Command::new(tests::python()).args(["-c", script]).current_dir(shell.folder()).output();
    let python = python.unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));

    let figures = |name: &str| {
        let mut report = measured(&shell, &[name]);
        report.as_object_mut().unwrap().remove("what");
        report
    };
    let expected = figures("digits");
    assert!(number(&expected, "/agreement/overall/value") > 0.98);
    for name in ["plain.npz", "floats.npz", "fortran.npz"] {
        assert_eq!(figures(name), expected, "{name}");
    }
    assert!(number(&figures("bool.npz"), "/agreement/overall/value") > 0.95);
    // One byte after the other.
    let plain = fs::read(shell.path("plain.npz")).unwrap();
    #[cfg(unix)]
    {
        let pipe = shell.path("pipe.npz");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        shell.fail(&["pipe.npz"], 2, &["pipe.npz: can't be read: nobody writes into this pipe"]);
        let writer = std::thread::spawn({
            let plain = plain.clone();
            move || fs::write(pipe, plain).unwrap()
        });
        assert_eq!(figures("pipe.npz"), expected);
        writer.join().unwrap();
        fs::remove_file(shell.path("pipe.npz")).unwrap();
    }

    let fail = |name: &str, parts: &[&str]| shell.fail(&[name], 2, &[&[name], parts].concat());
    fail("swapped.npz", &["arrays images and labels, but it holds x_train, y_train", "np.savez("]);
    fail("words.npz", &["the array labels is none of numbers", "<U3"]);
    fail("ones.npz", &["images of type |u1 has no pixels but 0 and 1", "save them as bool"]);
    // Cut off, and changed.
    shell.write("cut.npz", &plain[..plain.len() / 2]);
    fail("cut.npz", &["no ZIP archive"]);
    let mut changed = plain;
    changed[20_000] ^= 1;
    shell.write("changed.npz", changed);
    fail("changed.npz", &["the array images can't be read"]);

    shell.succeed_as("infer", &["dataset", "--count", "150", "--seed", "3", "--out", "drawn.npz", "--quiet"]);
    shell.succeed_as(
        "infer",
        &["dataset", "--count", "150", "--seed", "3", "--out", "drawn", "--format", "idx", "--quiet"],
    );
    assert_eq!(figures("drawn.npz"), figures("drawn"));
}

#[test]
fn pictures_that_the_judge_does_not_know_are_not_judged_without_a_word() {
    let shell = shell();
    // Shirts of a kind, called 0 to 9 as digits are.
    let labels: Vec<u8> = (0..60).map(|i| i % 10).collect();
    let images: Vec<u8> = (0..60 * 784).map(|i: usize| (i * (7 + i / 784 % 10) / 3) as u8).collect();
    write_idx(&shell.path("shirts"), &images, &labels);
    for name in ["images-idx3", "labels-idx1"] {
        let [from, to] = ["train", "t10k"].map(|part| shell.path(format!("shirts/{part}-{name}-ubyte")));
        fs::copy(from, to).unwrap();
    }
    let said = measured(&shell, &["shirts"])["remarks"].to_string();
    assert!(said.contains("of another kind than mnist, which it was trained on"), "{said}");
    let parts = ["shirts is not what the judge was trained on (mnist)", "train-judge", "--judge"];
    shell.fail(&["shirts", "--real", "shirts"], 2, &parts);
    let trainer = Shell::new("train");
    let shirts = shell.path("shirts");
    let run = ["--data", shirts.to_str().unwrap(), "--evaluate-every", "1", "--batch-size", "20"];
    trainer.fail(&run, 2, &parts);

    // Its own data a judge knows by their digest, however well it does on them.
    let judge = ["train-judge", "--data", "shirts", "--epochs", "1", "--out", "judge", "--quiet"];
    shell.succeed(&[&judge[..], &["--batch-size", "30"]].concat());
    let own = ["shirts", "--real", "shirts", "--judge", "judge", "--json"];
    let report: Value = serde_json::from_str(&shell.succeed(&own)).unwrap();
    assert!(!report["remarks"].to_string().contains("are not those that"), "{report}");
    // Changed, it is refused.
    let mut bytes = fs::read(shell.path("judge")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    shell.write("judge", bytes);
    shell.fail(&own, 2, &["judge: changed since it was written"]);
}
