//! Files that are no ONNX model, or a damaged one: what `inspect` and `diff` say to them.

use std::fs;

use tests::Shell;

use super::shell;
use crate::infer::tiny_model::{TinyModel, bytes, number, text};

/// A message of these fields.
fn message(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut message = Vec::new();
    fill(&mut message);
    message
}

/// A model of IR version 8 with this graph.
fn model(graph: &[u8]) -> Vec<u8> {
    message(|model| {
        number(model, 1, 8);
        bytes(model, 7, graph);
    })
}

/// A model whose only node is this one.
fn of_node(node: &[u8]) -> Vec<u8> {
    model(&message(|graph| bytes(graph, 1, node)))
}

/// A model with one node and this initializer: its type, its shape, its bytes.
fn of_tensor(data_type: u64, dims: &[u64], raw: &[u8]) -> Vec<u8> {
    of_named_tensor("weight", data_type, dims, raw)
}

fn of_named_tensor(name: &str, data_type: u64, dims: &[u64], raw: &[u8]) -> Vec<u8> {
    let tensor = message(|tensor| {
        dims.iter().for_each(|dim| number(tensor, 1, *dim));
        number(tensor, 2, data_type);
        text(tensor, 8, name);
        bytes(tensor, 9, raw);
    });
    model(&message(|graph| {
        bytes(graph, 1, &message(|node| text(node, 4, "Relu")));
        bytes(graph, 5, &tensor);
    }))
}

/// Graphs in attributes of nodes of graphs, so many.
fn nested(depth: usize) -> Vec<u8> {
    let inner = message(|node| text(node, 4, "Relu"));
    let graph = (0..depth).fold(message(|graph| bytes(graph, 1, &inner)), |graph, _| {
        let attribute = message(|attribute| bytes(attribute, 6, &graph));
        message(|graph| bytes(graph, 1, &message(|node| bytes(node, 5, &attribute))))
    });
    model(&graph)
}

/// Asserts what both subcommands say of this file, wherever it stands among their arguments.
fn refused(shell: &Shell, file: &str, parts: &[&str]) {
    let parts = [&["model ", file], parts].concat();
    for arguments in [
        &["inspect", file][..],
        &["inspect", file, "--json"],
        &["diff", file, "good.onnx"],
        &["diff", "good.onnx", file, "--quiet"],
        &["triton", file, "--out", "repository"],
    ] {
        shell.fail(arguments, 2, &parts);
    }
}

fn shell_with_model() -> Shell {
    let shell = shell();
    shell.write("good.onnx", TinyModel::default().bytes());
    shell
}

#[test]
fn files_that_are_no_model() {
    let whole = TinyModel::default().bytes();
    let shell = shell_with_model();
    for (contents, part) in [
        (&b""[..], "it is empty"),
        (b"A letter to a friend.", "starts no protobuf field"),
        (b"{\"ir_version\": 8, \"graph\": {}}", "protobuf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01", "byte "),
        (b"8       {\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}0000", "byte "),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "protobuf field"),
        (&[0; 4096], "byte 0 starts no protobuf field"),
        (&[0xff; 64], "is in no protobuf number"),
        // Cut in the middle, before the last byte, within a field's key and length.
        (&whole[..whole.len() / 3], "bytes begins, but only"),
        (&whole[..whole.len() - 1], "cut short or damaged"),
        (&whole[..1], "ends within a number at byte 1"),
        (&[7 << 3 | 2, 0x80], "ends within a number at byte 2"),
        // Whole messages that say too little.
        (&message(|model| number(model, 1, 8)), "holds no graph"),
        (&message(|model| bytes(model, 7, &whole[3..40])), "byte "),
        (&model(&[]), "its graph is empty"),
        (&model(&whole)[2..], "byte "),
        // Each wrong in one place.
        (
            &message(|model| bytes(model, 7, &message(|node| text(node, 2, "g")))),
            "no version of the file format",
        ),
        (&of_node(&message(|node| number(node, 4, 7))), "invalid wire type"),
        (&of_node(&message(|node| bytes(node, 4, b"Re\xfflu"))), "invalid string value"),
        (&of_node(&[4 << 3 | 3]), "starts no protobuf field"),
        (&of_node(&[4 << 3 | 2, 200, 1, 0]), "a field of 200 bytes begins, but only 1 bytes follow"),
        (&[&[7 << 3 | 2][..], &[0xff; 9], &[1]].concat(), "a field of 18446744073709551615 bytes"),
        (&of_tensor(1, &[2, 3], &[0; 23]), "its tensor weight holds 23 bytes, but float32[2, 3] takes 24"),
        (&of_tensor(7, &[2], &[]), "its tensor weight holds 0 bytes, but int64[2] takes 16"),
        // A name can't make two lines of the sentence.
        (&of_named_tensor("one\n\x1b[2Jtwo", 1, &[2], &[]), r"its tensor one\n\u{1b}[2Jtwo holds"),
        (&of_tensor(1, &[u64::MAX], &[0; 4]), "its tensor weight has the shape float32[-1]"),
        (&of_tensor(1, &[1 << 62, 1 << 62], &[0; 4]), "which is none"),
        // Made to fill the memory or the stack.
        (&of_node(&[5 << 3 | 2, 0].repeat(100_000)), "more parts than fit its 200"),
        (&nested(40), "more than 100 deep"),
    ] {
        shell.write("bad.onnx", contents);
        refused(&shell, "bad.onnx", &["is not an ONNX model", part]);
    }
}

#[test]
fn every_truncation_is_refused_or_a_shorter_model() {
    let whole = TinyModel { contract: None, ..TinyModel::default() }.bytes();
    let shell = shell();
    // Every one is tried by the fuzz tests; as a program, some.
    for length in (0..whole.len()).step_by(41) {
        shell.write("cut.onnx", &whole[..length]);
        shell.fail(&["inspect", "cut.onnx"], 2, &["model cut.onnx is not an ONNX model"]);
    }
}

#[test]
fn paths_that_lead_to_no_file() {
    let shell = shell_with_model();
    fs::create_dir(shell.path("folder")).unwrap();
    refused(&shell, "folder", &["this is a folder", "expected an ONNX file"]);
    refused(&shell, "missing.onnx", &["No such file", "expected an ONNX file"]);
    refused(&shell, "/dev/zero", &["no file but a device", "expected an ONNX file"]);
}

/// It takes no place on the disk, and no time: it is refused by its size.
#[test]
fn a_file_larger_than_any_onnx_file() {
    let shell = shell_with_model();
    let folder = tempfile::tempdir().unwrap();
    let huge = folder.path().join("huge.onnx");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    refused(&shell, huge.to_str().unwrap(), &["1099511627776 bytes are more than the 2 GiB"]);
}
