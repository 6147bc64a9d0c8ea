//! The judge: how it is trained, and what it says of pictures.
//!
//! | file | what it does |
//! |---|---|
//! | [`augment`] | turns, stretches and shifts a picture a little, never twice alike |
//! | [`cross_entropy`] | the loss over classes, in the stable form |
//! | [`training`] | the loop over iterations |
//! | [`shipped`] | the judge that is part of the program |
//! | [`opinion`] | features and classes of many pictures |

pub mod augment;
pub mod cross_entropy;
pub mod opinion;
pub mod shipped;
pub mod training;

pub use opinion::Opinion;
pub use training::{Options, train};
