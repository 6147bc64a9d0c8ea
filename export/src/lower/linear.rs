//! The linear layer.

use models::Shape;

use super::stages::Stage;
use super::{Lowering, float32, type_of};
use crate::Result;
use crate::onnx::{Attribute, Node, Value};

impl Lowering<'_> {
    /// Gemm-13: x·Wᵀ + C. C is the bias, or the label's row of a table that holds the bias too.
    ///
    /// # Shapes
    /// (N, features) → (N, outputs)
    pub(super) fn linear(&mut self, stage: &Stage<'_>, outputs: usize) -> Result<Value> {
        let name = &stage.layer.name;
        let norm = self.norms(stage, outputs)?;
        // Inputs are the features, then the label.
        let features = self.shape.channels();
        let inputs = features + stage.label.map_or(0, |label| label.classes);
        let weight = self.parameter(name, "weight")?; // outputs, inputs
        let bias = self.parameter(name, "bias")?; // outputs

        let of_features = (0..outputs * features).map(|at| {
            let (o, i) = (at / features, at % features);
            norm.scale[o] * weight[o * inputs + i]
        });
        let of_features = float32(&[outputs, features], of_features)?;
        let summand = match stage.label {
            None => {
                let bias = float32(&[outputs], (0..outputs).map(|o| norm.apply(o, bias[o])))?;
                self.graph.initializer(&format!("{name}.bias"), bias)?
            }
            Some(label) => {
                let table = (0..label.classes * outputs).map(|at| {
                    let (class, o) = (at / outputs, at % outputs);
                    norm.apply(o, weight[o * inputs + features + class] + bias[o])
                });
                let table = float32(&[label.classes, outputs], table)?;
                self.gather(label.name, "table", table, Shape::Vector(outputs))?
            }
        };
        let of_features = self.graph.initializer(&format!("{name}.weight"), of_features)?;
        let node = Node::new("Gemm", name, type_of(stage.output))
            .input(&self.value)
            .input(&of_features)
            .input(&summand)
            .attribute("transB", Attribute::Int(1));
        self.graph.node(node)
    }
}
