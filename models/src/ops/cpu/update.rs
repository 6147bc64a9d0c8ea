//! What changes parameters in place, in one pass over each.

use rayon::prelude::*;

use super::vectorised;
use crate::ops::AdamStep;

/// Numbers that one thread takes at a time.
const PIECE: usize = 32 * 1024;

/// old += take · (new − old)
pub fn blend(old: &mut [f32], new: &[f32], take: f32) {
    old.par_chunks_mut(PIECE).zip(new.par_chunks(PIECE)).for_each(|(old, new)| {
        vectorised(
            #[inline(always)]
            || old.iter_mut().zip(new).for_each(|(old, new)| *old += take * (new - *old)),
        );
    });
}

/// One step of Adam along a gradient, or the sum of two.
///
/// # Shapes
/// `p`, its moments `m` and `v`, and each gradient are of one length.
pub fn adam(
    (p, m, v): (&mut [f32], &mut [f32], &mut [f32]),
    (gradient, second): (&[f32], Option<&[f32]>),
    step: AdamStep,
) {
    let numbers = [step.step, step.root, step.beta1, step.beta2, step.epsilon].map(|number| number as f32);
    let pieces = p.par_chunks_mut(PIECE).zip(m.par_chunks_mut(PIECE)).zip(v.par_chunks_mut(PIECE));
    pieces.enumerate().for_each(|(i, ((p, m), v))| {
        let piece = i * PIECE..i * PIECE + p.len();
        let g = &gradient[piece.clone()];
        let second = second.map(|second| &second[piece]);
        // One loop each: asking in it whether there is a second would keep vectors out.
        vectorised(
            #[inline(always)]
            || {
                let moved = p.iter_mut().zip(m).zip(v);
                match second {
                    None => moved.zip(g).for_each(|(moved, g)| adam_of(moved, *g, numbers)),
                    Some(second) => {
                        let sums = g.iter().zip(second).map(|(a, b)| a + b);
                        moved.zip(sums).for_each(|(moved, g)| adam_of(moved, g, numbers));
                    }
                }
            },
        );
    });
}

/// One number's step of Adam.
#[inline(always)]
fn adam_of(((p, m), v): ((&mut f32, &mut f32), &mut f32), g: f32, numbers: [f32; 5]) {
    let [step, root, beta1, beta2, epsilon] = numbers;
    *m += (1. - beta1) * (g - *m);
    *v += (1. - beta2) * (g * g - *v);
    *p -= step * *m / (v.sqrt() * root + epsilon);
}
