//! Activation functions and their derivatives, in one pass over memory.

use rayon::prelude::*;

use super::vectorised;
use crate::Activation;

/// Numbers that one thread takes at a time.
const PIECE: usize = 16 * 1024;

impl Activation {
    /// f(x)
    #[inline(always)]
    pub(crate) fn apply(self, x: f32) -> f32 {
        match self {
            Activation::Relu => x.max(0.),
            Activation::LeakyRelu { slope } => {
                if x > 0. {
                    x
                } else {
                    slope * x
                }
            }
            Activation::Sigmoid => 1. / (1. + (-x).exp()),
            Activation::Tanh => x.tanh(),
        }
    }

    /// f′(x), from y = f(x): each of these functions has its slope written in its value.
    #[inline(always)]
    pub(crate) fn slope_at(self, y: f32) -> f32 {
        match self {
            Activation::Relu => f32::from(y > 0.),
            Activation::LeakyRelu { slope } => {
                if y > 0. {
                    1.
                } else {
                    slope
                }
            }
            Activation::Sigmoid => y * (1. - y),
            Activation::Tanh => 1. - y * y,
        }
    }
}

/// y = f(x)
pub fn forward(activation: Activation, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0f32; x.len()];
    y.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).for_each(|(y, x)| {
        vectorised(
            #[inline(always)]
            || {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = activation.apply(x);
                }
            },
        );
    });
    y
}

/// dx = dy · f′(x), from y = f(x)
pub fn backward(activation: Activation, y: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0f32; y.len()];
    dx.par_chunks_mut(PIECE).zip(y.par_chunks(PIECE)).zip(dy.par_chunks(PIECE)).for_each(|((dx, y), dy)| {
        vectorised(
            #[inline(always)]
            || {
                for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                    *dx = dy * activation.slope_at(y);
                }
            },
        );
    });
    dx
}
