//! The page for people, in a real browser: what it draws is what the command line draws. `page.mjs` uses it.

use std::fs;

use super::{Server, shell};
use crate::infer::{
    self, Picture, assert_same_picture, node,
    tiny_model::{self, TinyModel},
};

/// Side of an MNIST digit.
const SIDE: usize = 28;

/// Has the browser do a scenario of `page.mjs`; what it leaves is in the server's folder. The script fails if
/// the page asks anything of another origin, or the browser reports an error.
#[track_caller]
fn browse(server: &Server, scenario: &str) {
    let mut node = node("serve/page.mjs");
    node.args([scenario, &format!("http://{}", server.address)]).arg(server.shell.folder());
    infer::browse(node);
}

/// Grey levels that a scenario left, and how wide and high they are.
fn left(server: &Server, name: &str) -> (usize, usize, Vec<u8>) {
    infer::left(server.shell.folder(), name)
}

/// What the command line draws.
fn drawn(server: &Server, arguments: &str) -> Picture {
    let arguments: Vec<&str> = arguments.split(' ').chain(["--out", "drawn.png", "--quiet"]).collect();
    server.shell.succeed(&arguments);
    Picture::read(&server.shell.path("drawn.png"))
}

/// Asserts that the pixels on the page are exactly those of the command line's picture.
#[track_caller]
fn assert_drawn(server: &Server, name: &str, arguments: &str) {
    let (width, height, pixels) = left(server, name);
    let drawn = drawn(server, arguments);
    assert_eq!((width, height), (drawn.width, drawn.height), "{name}");
    assert!(pixels == drawn.pixels, "{name} differs from `infer {arguments}`");
}

#[test]
fn a_number_is_drawn_as_it_is_typed() {
    let server = Server::start(&[]);
    browse(&server, "draws");
    assert_drawn(&server, "typed", "--digits 2024 --seed 7 --index 3");
    assert_drawn(&server, "verified", "--digits 2024 --seed 7 --index 3 --verify");
    let largest = "--digits 2024 --seed 18446744073709551615 --index 18446744073709551611";
    assert_drawn(&server, "largest", largest);
    // The file is the command line's to the byte.
    drawn(&server, "--digits 2024 --seed 7 --index 3 --scale 8");
    let [saved, drawn] = ["saved.png", "drawn.png"].map(|name| fs::read(server.shell.path(name)).unwrap());
    assert!(saved == drawn);
}

#[test]
fn sliders_reshape_an_image_and_a_link_keeps_it() {
    let server = Server::start(&[]);
    browse(&server, "reshapes");
    assert_drawn(&server, "unmoved", "--digits 27 --seed 7 --index 3");
    let (width, height, moved) = left(&server, "moved");
    assert_eq!((width, height), (2 * SIDE, SIDE));
    let moved = Picture { width, height, pixels: moved, texts: Vec::new() };
    // The first image is at the end of its dimension, the other as it was.
    let dimension = fs::read_to_string(server.shell.path("dimension")).unwrap();
    let sweep = format!("look sweep --digit 2 --seed 7 --index 3 --dimensions {dimension} --steps 2");
    let ends = drawn(&server, &sweep);
    assert_same_picture(&moved.cell(0, 0, SIDE, SIDE), &ends.cell(1, 0, SIDE, SIDE));
    let unmoved = drawn(&server, "--digits 27 --seed 7 --index 3");
    assert_eq!(moved.cell(1, 0, SIDE, SIDE), unmoved.cell(1, 0, SIDE, SIDE));
    // The file that was saved shows the same, eight times as large.
    let saved = image::open(server.shell.path("moved.png")).unwrap().to_luma8();
    assert_eq!(saved.dimensions(), (8 * 2 * SIDE as u32, 8 * SIDE as u32));
    for (x, y, pixel) in saved.enumerate_pixels() {
        let [x, y] = [x, y].map(|at| at as usize / 8);
        assert_eq!(pixel.0[0], moved.pixels[y * width + x], "({x}, {y})");
    }
}

#[test]
fn a_walk_is_drawn_live_and_can_be_stopped() {
    let server = Server::start(&[]);
    browse(&server, "animates");
    let (width, height, first) = left(&server, "first");
    let number = drawn(&server, "--digits 2024 --seed 7 --index 3");
    assert_eq!((width, height), (number.width, number.height));
    assert_same_picture(&first, &number.pixels);
    let (width, height, walked) = left(&server, "walked");
    let walk = drawn(&server, "look walk --digit 5 --seed 7 --stops 2 --steps 6");
    assert_eq!((width, height), (walk.width, walk.height));
    assert_same_picture(&walked, &walk.pixels);
}

#[test]
fn data_sets_are_those_of_the_command_line() {
    let server = Server::start(&[]);
    browse(&server, "downloads");
    let shell = &server.shell;
    let same = |page: &str, written: &str| {
        let [page_s, written_s] = [page, written].map(|name| fs::read(shell.path(name)).unwrap());
        assert!(page_s == written_s, "{page} differs from {written}");
    };
    let run = |command: &str| {
        let command = command.strip_prefix("infer ").unwrap_or(command);
        shell.succeed(&command.split(' ').chain(["--quiet"]).collect::<Vec<_>>());
    };
    run("dataset --count 37 --seed 7 --out written.npz");
    same("page.npz", "written.npz");
    run("dataset --count 37 --seed 7 --verify --out verified-written.npz");
    same("verified.npz", "verified-written.npz");
    // What the page says to type.
    let command = fs::read_to_string(shell.path("command")).unwrap();
    assert_eq!(command, "infer dataset --count 37 --seed 7 --out dataset");
    run(&command);
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        same(&format!("page-{name}"), &format!("dataset/{name}"));
    }
}

#[test]
fn keyboards_screen_readers_and_phones_are_served() {
    browse(&Server::start(&[]), "serves_everyone");
}

#[test]
fn classes_with_names_and_models_without_classes_are_drawn() {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    let mut contract = tiny_model::contract();
    contract.classes.clear();
    shell.write("plain.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
    let server = Server::start_in(shell, &["--model", "tiny.onnx", "--model", "plain.onnx"]);
    browse(&server, "other_models");
    assert_drawn(&server, "long", "--model tiny.onnx --label long --seed 7 --index 3");
    assert_drawn(&server, "short", "--model tiny.onnx --label short --seed 7 --index 3");
    assert_drawn(&server, "plain", "--model plain.onnx --seed 7 --index 3");
}
