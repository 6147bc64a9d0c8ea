//! The C interface of `infer`'s library: `libedgegan`, shared and static.
//!
//! [include/edgegan.h](../include/edgegan.h) is its documentation, written by cbindgen from the comments
//! here. What all functions have in common stands at the top of it, in `cbindgen.toml`.
//!
//! Each exported function is a thin one: it checks what it was given (`arguments.rs`), calls `infer`, and
//! turns its error into a [`Status`] and a sentence (`status.rs`). No panic leaves it.
#![allow(clippy::missing_safety_doc, reason = "what pointers must be stands at the top of the header")]

mod arguments;
mod draw;
mod generator;
mod options;
mod queries;
mod status;
mod verify;

pub use draw::{Output, Sample, edgegan_draw, edgegan_draw_latents, edgegan_latents};
pub use generator::{Generator, edgegan_free, edgegan_load, edgegan_load_bytes};
pub use options::Options;
pub use queries::{
    Description, edgegan_class_name, edgegan_describe, edgegan_device, edgegan_engine, edgegan_find_class,
    edgegan_version,
};
pub use status::{Status, edgegan_last_error, edgegan_last_status};
pub use verify::{Comparison, Reading, edgegan_self_test, edgegan_verify};
