//! The training data: pictures of whatever kind, with labels or without, and how MNIST gets here.
//!
//! | file | what it does |
//! |---|---|
//! | [`source`] | which kind of data a folder holds |
//! | [`idx`] | IDX files, the form of MNIST, Fashion-MNIST, KMNIST and EMNIST |
//! | `gzip` | compressed files |
//! | [`mnist`] | MNIST's own files, and fetching them |
//! | `emnist` | EMNIST's names, mapping and sideways pictures |
//! | `pictures` | PNG, JPEG, WebP and BMP files, in a folder per class or listed in a table |
//! | [`unlabelled`] | a folder of pictures without labels |
//! | `background` | what transparent pictures lie on |
//! | `classes` | what the classes are called, and their order |
//! | [`size`] | the size of pictures |

mod background;
mod classes;
mod emnist;
mod error;
mod gzip;
pub mod idx;
mod idx_folder;
mod images;
mod labelled;
pub mod mnist;
mod name;
mod natural;
mod pictures;
pub mod size;
pub mod source;
pub mod unlabelled;

pub use error::DataError;
pub use idx::{IdxError, read_images, read_labels};
pub use images::Images;
pub use labelled::LabelledImages;
pub use mnist::{MnistError, Split};
pub use size::Size;
pub use source::{Loaded, Progress, Source, is_there, load};
