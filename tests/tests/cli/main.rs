//! The programs from end to end, as users run them.
#![cfg(test)]

mod bad_data;
mod bounds;
mod evaluate;
mod evaluate_unlabelled;
mod export;
mod infer;
mod interrupted;
mod moved;
mod own_pictures;
mod privacy;
mod quality;
mod settings;
mod tensorboard;
mod train;
mod unlabelled;
mod unwritable;
