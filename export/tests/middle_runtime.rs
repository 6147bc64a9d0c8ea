//! What is lowered runs in ONNX Runtime 1.20 as well. In a binary of its own: a process loads one
//! ONNX Runtime.
#![cfg(test)]

mod common;
mod own;

use common::{assert_agreement, every_layer, older_runtime, small};
use infer::Runtime;

#[test]
fn every_network() {
    let runtime = Runtime::load(Some(&older_runtime("1.20"))).unwrap();
    assert_eq!(runtime.version(), "1.20.0");
    for network in [small().generator().unwrap(), small().discriminator().unwrap(), every_layer()] {
        assert_agreement(runtime, &network, 11);
    }
}

#[test]
fn networks_of_candle_s_modules() {
    own::assert_networks_agree(&older_runtime("1.20"));
}
