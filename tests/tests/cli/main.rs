//! The programs from end to end, as users run them.
#![cfg(test)]

mod bad_data;
mod evaluate;
mod export;
mod infer;
mod own_pictures;
mod tensorboard;
mod train;
