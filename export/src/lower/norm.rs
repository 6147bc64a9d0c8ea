//! Batch norm with running averages.

use models::Shape;
use models::layer::BATCH_NORM_EPSILON;

use super::affine::Affine;
use super::{Lowering, float32, type_of};
use crate::Result;
use crate::onnx::{Attribute, Node, Value};

impl Lowering<'_> {
    /// Batch norm as a factor and a summand per channel (Ioffe and Szegedy 2015, algorithm 2):
    /// gain · (x − mean) / √(variance + ε) + offset.
    pub(super) fn running_norm(&self, name: &str) -> Result<Affine> {
        let gain = self.parameter(name, "gain")?;
        let offset = self.parameter(name, "offset")?;
        let mean = self.parameter(name, "running_mean")?;
        let variance = self.parameter(name, "running_variance")?;
        let scale: Vec<f64> =
            gain.iter().zip(&variance).map(|(gain, v)| gain / (v + BATCH_NORM_EPSILON).sqrt()).collect();
        let shift = (0..scale.len()).map(|c| offset[c] - mean[c] * scale[c]).collect();
        Ok(Affine { scale, shift })
    }

    /// BatchNormalization-15, where no weights before it could take it in.
    pub(super) fn batch_norm(&mut self, name: &str, output: Shape) -> Result<Value> {
        let mut node = Node::new("BatchNormalization", name, type_of(output)).input(&self.value);
        // In the operator's order: scale, B, input_mean, input_var.
        for parameter in ["gain", "offset", "running_mean", "running_variance"] {
            let tensor = float32(&[output.channels()], self.parameter(name, parameter)?)?;
            node = node.input(&self.graph.initializer(&format!("{name}.{parameter}"), tensor)?);
        }
        self.graph.node(node.attribute("epsilon", Attribute::Float(BATCH_NORM_EPSILON as f32)))
    }
}
