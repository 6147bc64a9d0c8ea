//! A vector as planes.

use models::layers::Reshape;

use super::Lowering;
use crate::Result;
use crate::builder::Step;

pub(super) fn lower(lowering: &mut Lowering<'_>, reshape: &Reshape, name: &str, x: &Step) -> Result<Step> {
    let Reshape { channels, height, width } = *reshape;
    lowering.graph.named(name).reshape(x, (channels, height, width))
}
