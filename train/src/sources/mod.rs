//! What pictures come from, with labels or without, and how MNIST gets here.
//!
//! | file | what it does |
//! |---|---|
//! | [`source`] | which layout a folder has: a file here and a line there for each |
//! | `layout` | what a layout is, and what loading one yields |
//! | [`Split`] | the training part and the test part |
//! | [`LabelledImages`] | pictures and their labels |
//! | `idx_folder` | pairs of IDX files: how MNIST, Fashion-MNIST, KMNIST and EMNIST lie in a folder |
//! | [`mnist`] | MNIST's own files, and fetching them |
//! | `emnist` | EMNIST's names, mapping and sideways pictures |
//! | `pictures` | PNG, JPEG, WebP and BMP files, in a folder per class or listed in a table |
//! | `packed` | encoded pictures in Parquet files, WebDataset's tar files and StyleGAN's archives |
//! | `plain` | pixels in one file: NumPy's, JSON lines, raw |
//! | [`unlabelled`] | a folder of pictures without labels |
//! | `classes` | what the classes are called, and their order |
//! | [`size`] | the size of pictures |

mod classes;
mod emnist;
mod error;
mod idx_folder;
mod labelled;
mod layout;
pub mod mnist;
mod name;
mod natural;
mod packed;
mod pictures;
mod plain;
pub mod size;
pub mod source;
mod split;
pub mod unlabelled;

pub use contract::dataset::Images;
pub use error::DataError;
pub use labelled::LabelledImages;
pub use layout::{Download, Loaded, Progress};
pub use size::Size;
pub use source::{Source, has_labels, has_test, is_there, load, load_any, refuse_strings};
pub use split::Split;
