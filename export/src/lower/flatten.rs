//! Planes as a vector.

use super::Lowering;
use crate::Result;
use crate::builder::Step;

pub(super) fn lower(lowering: &mut Lowering<'_>, name: &str, x: &Step) -> Result<Step> {
    lowering.graph.named(name).flatten(x)
}
