//! The model that comes with the program.

use infer::ModelSource;

/// Bytes at an address that numbers of any type may have: `export` puts the weights at aligned
/// offsets of its files, and `infer` uses them where they are.
#[repr(align(64))]
struct Aligned<Bytes: ?Sized>(Bytes);

static BYTES: &Aligned<[u8]> = &Aligned(*include_bytes!("../../models/pretrained/mnist-generator.onnx"));

/// The generator that `models/pretrained/MODEL_CARD.md` describes.
pub fn shipped() -> ModelSource<'static> {
    ModelSource::Embedded { name: "mnist-generator (shipped)", bytes: &BYTES.0 }
}
