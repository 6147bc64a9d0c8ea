//! The models that come with the program.

use infer::ModelSource;

/// Bytes aligned for numbers of any type: `export` puts the weights at aligned offsets of its files, and
/// `infer` uses them where they lie.
#[repr(align(64))]
struct Aligned<Bytes: ?Sized>(Bytes);

/// A file of models/pretrained/.
macro_rules! pretrained {
    ($name:literal) => {{
        static FILE: &Aligned<[u8]> =
            &Aligned(*include_bytes!(concat!("../../../../models/pretrained/", $name)));
        &FILE.0
    }};
}

/// A generator that comes with the program.
#[derive(Debug)]
pub struct Shipped {
    /// What `--model` calls it.
    pub name: &'static str,
    /// What messages call it.
    called: &'static str,
    bytes: &'static [u8],
}

/// All of them; the first is the default. models/pretrained/ has a card for each.
pub static GENERATORS: [Shipped; 2] = [
    Shipped {
        name: "mnist-generator",
        called: "mnist-generator (shipped)",
        bytes: pretrained!("mnist-generator.onnx"),
    },
    Shipped { name: "avatars", called: "avatars (shipped)", bytes: pretrained!("avatars.onnx") },
];

impl Shipped {
    /// The generator of this name.
    pub fn named(name: &str) -> Option<&'static Shipped> {
        GENERATORS.iter().find(|shipped| shipped.name == name)
    }

    /// Its file.
    pub fn source(&self) -> ModelSource<'static> {
        ModelSource::Embedded { name: self.called, bytes: self.bytes }
    }
}

/// The judge that `models/pretrained/JUDGE_CARD.md` describes.
pub fn shipped_judge() -> ModelSource<'static> {
    ModelSource::Embedded { name: "mnist-judge (shipped)", bytes: pretrained!("mnist-judge.onnx") }
}
