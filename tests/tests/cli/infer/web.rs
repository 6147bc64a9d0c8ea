//! The page that needs no server, in a real browser: what it draws is what the command line draws with rten.
//! `web.mjs` uses it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use contract::dataset::npz;
use tests::Shell;

use super::{
    Picture, assert_same_picture, browse, left, node, shell,
    tiny_model::{self, TinyModel},
};

/// Side of an MNIST digit.
const SIDE: usize = 28;

/// Bytes of the module that a browser loads, compressed, at most.
const LARGEST_MODULE: usize = 1_200_000;

fn pretrained(name: &str) -> PathBuf {
    tests::checkout().join("models/pretrained").join(name)
}

/// Makes the page of a model in the shell's folder, as `site`.
fn make_site(shell: &Shell, model: &str, judge: Option<&Path>) {
    // Two at a time would compile into the same folder.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut script = Command::new(tests::checkout().join("scripts/web.sh"));
    script.arg("--model").arg(shell.path(model)).arg("--out").arg(shell.path("site"));
    if let Some(judge) = judge {
        script.arg("--judge").arg(judge);
    }
    let output = script.output().unwrap();
    assert!(output.status.success(), "{script:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Has the browser do a scenario of `web.mjs`; what it leaves is in the shell's folder.
#[track_caller]
fn visit(shell: &Shell, scenario: &str) {
    let mut node = node("web.mjs");
    node.arg(scenario).arg(shell.path("site")).arg(shell.folder());
    browse(node);
}

/// What the command line draws.
fn drawn(shell: &Shell, arguments: &str) -> Picture {
    let all = format!("{arguments} --model digits.onnx --engine rten --out drawn.png --quiet");
    shell.succeed(&all.split(' ').collect::<Vec<_>>());
    Picture::read(&shell.path("drawn.png"))
}

/// Asserts that what a scenario left is what the command line draws, but for the last bit of a level.
#[track_caller]
fn assert_drawn(shell: &Shell, name: &str, arguments: &str) {
    let (width, height, pixels) = left(shell.folder(), name);
    let drawn = drawn(shell, arguments);
    assert_eq!((width, height), (drawn.width, drawn.height), "{name}");
    assert_same_picture(&pixels, &drawn.pixels);
}

#[test]
fn digits_are_those_of_rten_without_a_server_and_without_a_connection() {
    let shell = shell();
    let generator = pretrained("mnist-generator.onnx");
    let generator = generator.to_str().unwrap();
    shell.succeed_as(
        "export",
        &["--from", generator, "--target", "browser", "--out", "digits.onnx", "--quiet"],
    );
    make_site(&shell, "digits.onnx", Some(&pretrained("mnist-judge.onnx")));
    let module = fs::File::open(shell.path("site/assets/infer.wasm")).unwrap();
    let mut compressed = flate2::read::GzEncoder::new(module, flate2::Compression::best());
    let size = std::io::copy(&mut compressed, &mut std::io::sink()).unwrap() as usize;
    assert!(size <= LARGEST_MODULE, "the module has {size} bytes, compressed");

    visit(&shell, "keeps_to_itself");
    visit(&shell, "draws");
    assert_drawn(&shell, "ten", "--digits 0123456789 --seed 7");
    assert_drawn(&shell, "verified", "--digits 0123456789 --seed 7 --verify");
    let largest = "--digits 0123456789 --seed 18446744073709551615 --index 18446744073709551605";
    assert_drawn(&shell, "largest", largest);
    let (_, _, shown) = left(shell.folder(), "largest");
    let saved = image::open(shell.path("saved.png")).unwrap().to_luma8();
    assert_eq!(saved.dimensions(), (8 * 10 * SIDE as u32, 8 * SIDE as u32));
    for (x, y, pixel) in saved.enumerate_pixels() {
        assert_eq!(pixel.0[0], shown[y as usize / 8 * 10 * SIDE + x as usize / 8], "({x}, {y})");
    }
    assert_drawn(&shell, "offline", "--digits 0123456789 --seed 8 --index 3");
    // The first digit is at the end of its dimension.
    let dimension = fs::read_to_string(shell.path("dimension")).unwrap();
    let (width, height, pixels) = left(shell.folder(), "moved");
    let moved = Picture { width, height, pixels, texts: Vec::new() };
    let sweep = format!(
        "look sweep --digit 0 --seed 18446744073709551615 --index 18446744073709551605 --dimensions {dimension} --steps 2"
    );
    let ends = drawn(&shell, &sweep);
    assert_same_picture(&moved.cell(0, 0, SIDE, SIDE), &ends.cell(1, 0, SIDE, SIDE));

    visit(&shell, "downloads");
    // Pixels may be a level apart, and then an archive's checksum is another.
    let same_archive = |page: &str, written: &str| {
        let read = |name: &str| npz::read(&shell.path(name), [1, SIDE, SIDE], 10).unwrap();
        let [(images, labels), (expected, expected_labels)] = [page, written].map(read);
        assert_eq!((images.shape(), labels), (expected.shape(), expected_labels));
        assert_same_picture(images.pixels(), expected.pixels());
    };
    let write = |arguments: &str| {
        let common = "--model digits.onnx --engine rten --quiet";
        let all = format!("dataset --count 37 --seed 7 {arguments} {common}");
        shell.succeed(&all.split(' ').collect::<Vec<_>>());
    };
    write("--out written.npz");
    same_archive("page.npz", "written.npz");
    write("--verify --out verified-written.npz");
    same_archive("verified.npz", "verified-written.npz");
    write("--out dataset");
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        let read = |name: String| fs::read(shell.path(name)).unwrap();
        assert_same_picture(&read(format!("page-{name}")), &read(format!("dataset/{name}")));
    }
    let command = fs::read_to_string(shell.path("command")).unwrap();
    assert_eq!(command, "infer dataset --model digits.onnx --engine rten --count 37 --seed 7 --out dataset");
}

#[test]
fn a_model_that_breaks_its_files_promise_is_not_drawn_with() {
    let shell = shell();
    let mut contract = tiny_model::contract();
    contract.golden = Some(tiny_model::wrong_golden());
    shell.write("wrong.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
    make_site(&shell, "wrong.onnx", None);
    visit(&shell, "refuses");
    let failure = fs::read_to_string(shell.path("failure")).unwrap();
    assert!(failure.contains("doesn't draw what the model's file promises"), "{failure}");

    // A file that was damaged on its way.
    fs::remove_dir_all(shell.path("site")).unwrap();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    make_site(&shell, "tiny.onnx", None);
    let models = shell.path("site/models");
    let file = fs::read_dir(models).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, TinyModel { weight: 0.5, ..TinyModel::default() }.bytes()).unwrap();
    visit(&shell, "refuses");
    let failure = fs::read_to_string(shell.path("failure")).unwrap();
    assert!(failure.contains("damaged"), "{failure}");
}
