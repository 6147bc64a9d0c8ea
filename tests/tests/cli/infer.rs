//! `infer`: what it draws, and what it says to bad input.

mod bad_model;
mod bad_request;
mod bad_runtime;
mod bare_machine;
mod data_sets;
mod doctor;
mod drawing;
mod help;
mod look;
mod malformed;
mod outputs;
mod readers;
mod resuming;
mod search;
mod serve;
mod strings;
mod tiny_judge;
pub mod tiny_model;
mod verify;
mod web;

use std::{fs, io, path::Path, process::Command};

use tests::Shell;

fn shell() -> Shell {
    Shell::new("infer")
}

/// A decoded greyscale PNG.
#[derive(Debug, PartialEq)]
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    texts: Vec<(String, String)>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let file = fs::File::open(path).unwrap();
        let mut reader = png::Decoder::new(io::BufReader::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.color_type, png::ColorType::Grayscale);
        Self {
            width: info.width as usize,
            height: info.height as usize,
            pixels,
            texts: (reader.info().utf8_text.iter())
                .map(|chunk| (chunk.keyword.clone(), chunk.get_text().unwrap()))
                .collect(),
        }
    }

    /// The pixels of one cell of a grid, row by row.
    fn cell(&self, column: usize, row: usize, width: usize, height: usize) -> Vec<u8> {
        (row * height..(row + 1) * height)
            .flat_map(|y| {
                let start = y * self.width + column * width;
                self.pixels[start..start + width].to_vec()
            })
            .collect()
    }
}

/// Grey levels that a script left of a page, and how wide and high they are.
fn left(folder: &Path, name: &str) -> (usize, usize, Vec<u8>) {
    let bytes = fs::read(folder.join(name)).unwrap();
    let side = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    (side(0), side(4), bytes[8..].to_vec())
}

/// Node, about to run one of the scripts beside this file with a browser.
fn node(script: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(format!("{}/tests/cli/infer/{script}", env!("CARGO_MANIFEST_DIR")));
    node.env("PLAYWRIGHT", tests::playwright()).env("CHROMIUM", tests::chromium());
    node
}

/// Runs a script that must succeed.
#[track_caller]
fn browse(mut node: Command) {
    let output = node.output().unwrap_or_else(|error| panic!("node doesn't start: {error}; install Node"));
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success(), "{node:?}: {}\n{said}", output.status);
}

/// Asserts that pictures are the same to within one level of 8 bits: a batch of another size may
/// round the last bit of a float otherwise.
#[track_caller]
fn assert_same_picture(left: &[u8], right: &[u8]) {
    assert_eq!(left.len(), right.len());
    let differing: Vec<_> = (left.iter().zip(right).enumerate())
        .filter(|(_, (left, right))| left.abs_diff(**right) > 1)
        .take(5)
        .collect();
    assert!(differing.is_empty(), "first differing pixels: {differing:?}");
}
