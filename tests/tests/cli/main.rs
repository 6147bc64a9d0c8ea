//! The programs from end to end, as users run them.
#![cfg(test)]

mod export;
mod infer;
mod tensorboard;
mod train;
