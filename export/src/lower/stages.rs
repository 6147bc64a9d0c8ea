//! Which layers of a network become one group of nodes.

use models::{Layer, NamedLayer, Network, Shape};

/// A layer, and the neighbours that its weights take in.
#[derive(Debug, PartialEq)]
pub struct Stage<'a> {
    /// ⊕ y directly before a layer with weights.
    pub label: Option<Label<'a>>,
    /// The layer itself.
    pub layer: &'a NamedLayer,
    /// Batch norms directly behind a layer with weights.
    pub norms: Vec<&'a NamedLayer>,
    /// The shape that all of them make, without N.
    pub output: Shape,
}

/// ⊕ y, as a layer with weights sees it: its last inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// The layer's name.
    pub name: &'a str,
    /// How many inputs it is.
    pub classes: usize,
}

/// The network's layers in their order, each in one stage.
pub fn stages(network: &Network) -> Vec<Stage<'_>> {
    let mut layers = network.layers().iter().zip(network.shapes()).peekable();
    let mut stages = Vec::new();
    while let Some((mut layer, mut output)) = layers.next() {
        let mut label = None;
        if let Layer::Label { classes } = layer.layer
            && let Some(next) = layers.next_if(|(next, _)| has_weights(&next.layer))
        {
            label = Some(Label { name: &layer.name, classes });
            (layer, output) = next;
        }
        let mut norms = Vec::new();
        if has_weights(&layer.layer) {
            let is_norm = |layer: &NamedLayer| matches!(layer.layer, Layer::BatchNorm { .. });
            while let Some((norm, _)) = layers.next_if(|(next, _)| is_norm(next)) {
                norms.push(norm);
            }
        }
        stages.push(Stage { label, layer, norms, output: *output });
    }
    stages
}

/// Whether a layer multiplies its inputs by weights and adds them up.
fn has_weights(layer: &Layer) -> bool {
    match layer {
        Layer::Linear { .. } | Layer::Conv2d(_) | Layer::ConvTranspose2d(_) => true,
        Layer::Label { .. }
        | Layer::BatchNorm { .. }
        | Layer::Activation(_)
        | Layer::Reshape { .. }
        | Layer::Flatten => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_take_in_the_label_before_and_the_norms_behind() {
        let network = Network::builder("n", Shape::Vector(4))
            .batch_norm("alone")
            .label("appended", 2)
            .label("folded", 2)
            .linear("linear", 6)
            .batch_norm("first")
            .batch_norm("second")
            .relu("relu")
            .label("last", 2)
            .build()
            .unwrap();
        let found: Vec<_> = stages(&network)
            .iter()
            .map(|stage| {
                let norms: Vec<_> = stage.norms.iter().map(|norm| norm.name.as_str()).collect();
                (stage.label.map(|l| l.name), stage.layer.name.as_str(), norms, stage.output)
            })
            .collect();
        let expected = [
            (None, "alone", vec![], Shape::Vector(4)),
            (None, "appended", vec![], Shape::Vector(6)),
            (Some("folded"), "linear", vec!["first", "second"], Shape::Vector(6)),
            (None, "relu", vec![], Shape::Vector(6)),
            (None, "last", vec![], Shape::Vector(8)),
        ];
        assert_eq!(found, expected);
    }
}
