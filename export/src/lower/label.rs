//! ⊕ y: the one-hot label behind features or feature maps.

use models::layers::Label;

use super::Lowering;
use crate::builder::Step;
use crate::{Error, Result};

pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    &Label { classes }: &Label,
    name: &str,
    x: &Step,
) -> Result<Step> {
    let label = lowering.label.clone().ok_or_else(|| Error::Graph {
        node: name.to_string(),
        message: "takes labels, but the network has none".to_string(),
    })?;
    lowering.graph.named(name).append_label(x, &label, classes)
}
