//! How good are generated pictures? Their agreement with their labels, if they have any, and how their
//! distribution differs from that of real ones, in the eyes of a judge.
//!
//! | file | what it does |
//! |---|---|
//! | [`set`] | the pictures to be measured: data of any layout, `.npz`, or drawn from a generator |
//! | [`real`] | the real pictures that they are compared with |
//! | [`interval`] | 95 % intervals |
//! | [`known`] | does the judge know such pictures? |
//! | [`agreement`] | is it the digit that was asked for? |
//! | [`frechet`] | the Fréchet distance of features |
//! | [`manifold`] | precision, recall, density, coverage |
//! | [`diversity`] | how much the pictures of a class differ |
//! | [`nearest`] | how close the nearest training picture is |
//! | [`distances`] | squared distances of all pairs, in blocks |
//! | [`measure`] | all of these together |
//! | [`augment`] | whether they help a classifier that has few real ones |
//! | [`ongoing`] | the figures that a run follows while it trains |
//! | [`report`] | the figures, as text and JSON |
//! | [`picture`] | the figures as a picture |

pub mod agreement;
pub mod augment;
pub mod distances;
pub mod diversity;
pub mod frechet;
pub mod interval;
pub mod known;
pub mod manifold;
pub mod measure;
pub mod nearest;
pub mod ongoing;
pub mod picture;
pub mod real;
pub mod report;
pub mod set;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The numbers below `n` in an order that is the same every time.
fn shuffled(n: usize) -> Vec<usize> {
    let mut order = Vec::from_iter(0..n);
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
    order
}
