//! infer's library in a browser: a generator and a judge behind three functions, for `page/library.js`.
//!
//! # Design
//!
//! A page asks for few things, each of which takes milliseconds. So all of it goes through one function, a
//! request in and a reply out ([`message`]), and what crosses the border of WebAssembly is an address and a
//! length (`abi.rs`). That needs no generated JavaScript, nor a tool whose version must be that of a crate, as
//! wasm-bindgen does; and [`Studio`] is plain Rust, which is tested where there is no browser.
//!
//! Whatever takes long is asked for in parts, so that a page that changes its mind waits for one of them at
//! most.

mod abi;
pub mod message;
mod request;
mod studio;

pub use studio::Studio;
