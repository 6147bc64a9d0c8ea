//! The training data: labelled pictures from IDX files, and how MNIST gets here.

pub mod idx;
mod labelled;
pub mod mnist;

pub use idx::{IdxError, Images, read_images, read_labels};
pub use labelled::LabelledImages;
pub use mnist::{MnistError, Progress, Source, Split};
