//! The models that come with the program.

use infer::ModelSource;

/// Bytes aligned for numbers of any type: `export` puts the weights at aligned offsets of its files, and
/// `infer` uses them where they lie.
#[repr(align(64))]
struct Aligned<Bytes: ?Sized>(Bytes);

static GENERATOR: &Aligned<[u8]> =
    &Aligned(*include_bytes!("../../../../models/pretrained/mnist-generator.onnx"));
static JUDGE: &Aligned<[u8]> = &Aligned(*include_bytes!("../../../../models/pretrained/mnist-judge.onnx"));

/// The generator that `models/pretrained/MODEL_CARD.md` describes.
pub fn shipped() -> ModelSource<'static> {
    ModelSource::Embedded { name: "mnist-generator (shipped)", bytes: &GENERATOR.0 }
}

/// The judge that `models/pretrained/JUDGE_CARD.md` describes.
pub fn shipped_judge() -> ModelSource<'static> {
    ModelSource::Embedded { name: "mnist-judge (shipped)", bytes: &JUDGE.0 }
}
