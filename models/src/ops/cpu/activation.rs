//! Activation functions and their derivatives, in one pass over memory.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{vectorised, write_each, written};
use crate::Activation;

/// Numbers that one thread takes at a time.
const PIECE: usize = 16 * 1024;

/// An activation function that is a type: loops over it are compiled for it alone. Asking in the loop which
/// one it is would keep vectors out.
pub(super) trait Function: Copy + Send + Sync {
    /// f(x)
    fn apply(self, x: f32) -> f32;

    /// f′(x), from y = f(x): each of these functions has its slope written in its value.
    fn slope(self, y: f32) -> f32;
}

#[derive(Clone, Copy)]
pub(super) struct Identity;

impl Function for Identity {
    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn slope(self, _: f32) -> f32 {
        1.
    }
}

#[derive(Clone, Copy)]
pub(super) struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        x.max(0.)
    }

    #[inline(always)]
    fn slope(self, y: f32) -> f32 {
        if y > 0. { 1. } else { 0. }
    }
}

#[derive(Clone, Copy)]
pub(super) struct LeakyRelu(pub f32);

impl Function for LeakyRelu {
    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        if x > 0. { x } else { self.0 * x }
    }

    #[inline(always)]
    fn slope(self, y: f32) -> f32 {
        if y > 0. { 1. } else { self.0 }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sigmoid;

impl Function for Sigmoid {
    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        1. / (1. + (-x).exp())
    }

    #[inline(always)]
    fn slope(self, y: f32) -> f32 {
        y * (1. - y)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl Function for Tanh {
    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        x.tanh()
    }

    #[inline(always)]
    fn slope(self, y: f32) -> f32 {
        1. - y * y
    }
}

/// `$work` with `$f` as the [`Function`] of an optional activation.
macro_rules! with_function {
    ($activation:expr, |$f:ident| $work:expr) => {{
        use $crate::Activation;
        use $crate::ops::cpu::activation::{Identity, LeakyRelu, Relu, Sigmoid, Tanh};
        match $activation {
            None => {
                let $f = Identity;
                $work
            }
            Some(Activation::Relu) => {
                let $f = Relu;
                $work
            }
            Some(Activation::LeakyRelu { slope }) => {
                let $f = LeakyRelu(slope);
                $work
            }
            Some(Activation::Sigmoid) => {
                let $f = Sigmoid;
                $work
            }
            Some(Activation::Tanh) => {
                let $f = Tanh;
                $work
            }
        }
    }};
}
pub(super) use with_function;

/// y = f(x)
pub fn forward(activation: Activation, x: &[f32]) -> Vec<f32> {
    with_function!(Some(activation), |f| each(
        [x],
        #[inline(always)]
        |[x]| f.apply(x)
    ))
}

/// dx = dy · f′(x), from y = f(x)
pub fn backward(activation: Activation, y: &[f32], dy: &[f32]) -> Vec<f32> {
    with_function!(Some(activation), |f| each(
        [y, dy],
        #[inline(always)]
        |[y, dy]| dy * f.slope(y)
    ))
}

/// What `value` makes of the numbers at the same place in `inputs`.
fn each<const K: usize>(inputs: [&[f32]; K], value: impl Fn([f32; K]) -> f32 + Sync) -> Vec<f32> {
    let write = |out: &mut [MaybeUninit<f32>]| {
        out.par_chunks_mut(PIECE).enumerate().for_each(|(i, out)| {
            let inputs = inputs.map(|input| &input[i * PIECE..]);
            vectorised(
                #[inline(always)]
                || write_each(out, inputs, &value),
            );
        });
    };
    // SAFETY: the pieces cover all of them, and each is written.
    unsafe { written(inputs[0].len(), write) }
}
