//! A table of what can be wrong with a model or an option: each gives one clear error, status 2, and
//! nothing written, whichever engine would have run it.

use super::{
    shell,
    tiny_model::{self, TinyModel},
};

/// A tiny model, changed.
fn model(change: impl Fn(&mut TinyModel)) -> Vec<u8> {
    let mut model = TinyModel::default();
    change(&mut model);
    model.bytes()
}

/// One with this value of a metadata key, or without the key.
fn metadata(key: &str, value: Option<&str>) -> Vec<u8> {
    let metadata = (tiny_model::contract().to_metadata().into_iter())
        .filter(|(found, _)| found != key)
        .chain(value.map(|value| (key.to_owned(), value.to_owned())));
    TinyModel { contract: None, ..TinyModel::default() }.bytes_with(metadata)
}

/// The model with every occurrence of a text replaced by one as long.
fn replaced(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = TinyModel::default().bytes();
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from}");
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
    bytes
}

const NOT_ONNX: &str = "is not an ONNX model";
const INTERFACE: &str = "an edgegan generator has inputs z";

#[test]
fn models() {
    let whole = TinyModel::default().bytes();
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("an empty file", vec![], &[NOT_ONNX, "it is empty"]),
        ("a text", b"A letter to a friend.".to_vec(), &[NOT_ONNX]),
        ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), &[NOT_ONNX]),
        ("a compressed file", b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), &[NOT_ONNX]),
        ("zeros", vec![0; 4096], &[NOT_ONNX, "byte 0 starts no protobuf field"]),
        ("ones", vec![0xff; 4096], &[NOT_ONNX]),
        ("a third of it", whole[..whole.len() / 3].to_vec(), &[NOT_ONNX, "bytes follow"]),
        ("all but the last byte", whole[..whole.len() - 1].to_vec(), &[NOT_ONNX]),
        ("no format version", whole[2..].to_vec(), &[NOT_ONNX, "format version"]),
        ("no graph", whole[..2].to_vec(), &[NOT_ONNX, "no graph"]),
        ("a text that is none", replaced("uniform(-1,1)", "\u{e9}niform(-1,1"), &["latent_distribution"]),
        ("no metadata", model(|m| m.contract = None), &["no edgegan.format"]),
        ("another format", metadata("edgegan.format", Some("2")), &["edgegan.format is \"2\""]),
        ("no architecture", metadata("edgegan.architecture", None), &["no edgegan.architecture"]),
        ("no data set", metadata("edgegan.dataset", None), &["no edgegan.dataset"]),
        ("no latents", metadata("edgegan.latent_dim", None), &["no edgegan.latent_dim"]),
        ("latents: none", metadata("edgegan.latent_dim", Some("0")), &["latent_dim is 0"]),
        ("latents: fewer", metadata("edgegan.latent_dim", Some("-4")), &["\"-4\", expected a whole number"]),
        ("latents: many", metadata("edgegan.latent_dim", Some("70000")), &["expected 1 to 65535"]),
        ("latents: a word", metadata("edgegan.latent_dim", Some("four")), &["expected a whole number"]),
        ("latents: others", metadata("edgegan.latent_dim", Some("5")), &[INTERFACE, "[batch, 5]"]),
        ("no distribution", metadata("edgegan.latent_distribution", None), &["latent_distribution"]),
        ("a distribution", metadata("edgegan.latent_distribution", Some("cauchy")), &["\"cauchy\""]),
        ("no pixel range", metadata("edgegan.pixel_range", None), &["no edgegan.pixel_range"]),
        ("a pixel range", metadata("edgegan.pixel_range", Some("0,255")), &["\"0,255\""]),
        ("classes: a word", metadata("edgegan.classes", Some("digits")), &["edgegan.classes can't be read"]),
        ("classes: numbers", metadata("edgegan.classes", Some("[1, 2, 3]")), &["edgegan.classes"]),
        ("classes: others", metadata("edgegan.classes", Some("[\"a\"]")), &["--label long is not a class"]),
        ("epochs", metadata("edgegan.epochs", Some("1.5")), &["edgegan.epochs is \"1.5\""]),
        ("quality", metadata("edgegan.quality", Some("[]")), &["edgegan.quality can't be read"]),
        ("golden", metadata("edgegan.golden", Some("{}")), &["edgegan.golden can't be read", "seed"]),
        ("another input", model(|m| m.latents_input = "noise"), &[INTERFACE, "inputs noise: float32"]),
        ("another output", replaced("image", "imago"), &[INTERFACE, "outputs imago: float32"]),
        ("32-bit labels", model(|m| m.label_type = 6), &[INTERFACE, "label: int32[batch]"]),
        ("an unknown operator", model(|m| m.operator = "Divine"), &["can't load model", "Divine"]),
    ];
    for engine in ["onnxruntime", "rten"] {
        let shell = shell();
        let arguments = ["--label", "long", "--model", "model.onnx", "--engine", engine];
        for (what, bytes, parts) in &cases {
            eprintln!("{what}, {engine}");
            shell.write("model.onnx", bytes);
            shell.fail(&arguments, 2, &[&["model.onnx"], *parts].concat());
        }
    }
}

#[test]
fn options() {
    for (arguments, parts) in [
        (&["--digit", "10"][..], &["--digit 10 is not a class"][..]),
        (&["--digit"], &["a value is required"]),
        (&["--label", "fife"], &["--label fife is not a class"]),
        (&["--digit", "5", "--all"], &["cannot be used with"]),
        (&["--digit", "5", "--digits", "55"], &["cannot be used with"]),
        (&["--digits", "5x"], &["x of --digits 5x is not a class"]),
        (&["--digit", "5", "--seed", "-1"], &["'-1'"]),
        (&["--digit", "5", "--seed", "18446744073709551616"], &["--seed"]),
        (&["--digit", "5", "--count", "0"], &["--count", "from 1 to 10000"]),
        (&["--digits", "2024", "--count", "9999"], &["39996 pictures; expected 1 to 10000"]),
        (&["--digit", "5", "--threads", "0"], &["--threads"]),
        (&["--digit", "5", "--device", "gpu"], &["\"gpu\" is not a device"]),
        (&["--digit", "5", "--device", "cuda:x"], &["\"cuda:x\" is not a device"]),
        (&["--digit", "5", "--engine", "ort"], &["\"ort\" is not an engine"]),
        (&["--digit", "5", "--out", "five.gif"], &["ends in .png"]),
        (&["--digit", "5", "--out", "no/five.png"], &["the folder no does not exist"]),
        (&["--digit", "5", "--preview", "sound"], &["--preview"]),
        (&["--digit", "5", "--model", ""], &["model "]),
        (&["--digit", "5", "--json", "--quiet"], &["cannot be used with"]),
        (&["--digit", "5", "--count", "3", "extra"], &["extra"]),
        (&["dataset", "--out", "x"], &["--count"]),
        (&["dataset", "--count", "5"], &["--out"]),
        (&["dataset", "--count", "0", "--out", "x"], &["--count"]),
        (&["dataset", "--count", "5", "--out", "x", "--format", "bmp"], &["--format"]),
        (&["dataset", "--count", "5", "--out", "x", "--batch-size", "0"], &["--batch-size"]),
        (&["dataset", "--count", "5", "--out", "x", "--seed", "1", "--shard", "5/4"], &["expected I/N"]),
        (&["dataset", "--count", "5", "--out", "x", "--shard", "1/4"], &["--seed"]),
        (&["dataset", "--count", "5", "--out", "x", "--seed", "1", "--shard", "1/9"], &["no such part"]),
        (&["dataset", "--count", "4294967296", "--out", "x"], &["at most 4294967295 images", "--shard"]),
        (&["dataset", "--count", "5", "--out", "-", "--format", "idx"], &["raw or jsonl"]),
        (&["dataset", "--count", "5", "--out", "-", "--resume"], &["leave --resume out"]),
        (&["dataset", "--count", "5", "--out", "x", "--label", "ten"], &["--label ten is not a class"]),
        (&["bench", "--seconds", "0"], &["--seconds", "from 0.01 to 3600"]),
        (&["bench", "--batch-sizes", "1,none"], &["--batch-sizes"]),
        (&["self-test", "--model", "none.onnx"], &["model none.onnx", "No such file"]),
    ] {
        let shell = shell();
        let output = shell.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.matches("error: ").count() == 1, "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty() && shell.files().is_empty(), "{arguments:?}");
    }
}
