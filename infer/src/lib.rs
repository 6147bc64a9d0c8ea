//! The `infer` crate.
