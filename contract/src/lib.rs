//! What crosses from one program to another: how files are written, locked and named, and how text
//! that anyone may have written is shown. Every other crate may depend on this one, and it on none of
//! them; it knows no tensor library, no inference engine, no command line and no terminal.

pub mod files;
pub mod run;
mod text;

pub use text::{one_line, printable, shown};
