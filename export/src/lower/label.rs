//! ⊕ y: the label as inputs of its own, and as a row of a table.

use models::Shape;

use super::{Lowering, float32, type_of};
use crate::Result;
use crate::onnx::{Attribute, Node, Tensor, Value};

impl Lowering<'_> {
    /// Appends the one-hot label, where no weights behind it could take it in: a row of the identity
    /// by Gather-13, as constant planes by Unsqueeze-13 and Expand-13, then Concat-13.
    pub(super) fn append_label(&mut self, name: &str, classes: usize, output: Shape) -> Result<Value> {
        let identity = (0..classes * classes).map(|i| if i % (classes + 1) == 0 { 1. } else { 0. });
        let identity = float32(&[classes, classes], identity)?;
        let mut y = self.gather(name, "one_hot", identity, Shape::Vector(classes))?; // N, classes
        if let Shape::Planes { height, width, .. } = output {
            let axes = self.graph.initializer(&format!("{name}.axes"), Tensor::int64(&[2], [2, 3])?)?;
            let points = Shape::Planes { channels: classes, height: 1, width: 1 };
            let node = Node::new("Unsqueeze", &format!("{name}.points"), type_of(points));
            y = self.graph.node(node.input(&y).input(&axes))?; // N, classes, 1, 1
            let dims = [1, classes as i64, height as i64, width as i64];
            let dims = self.graph.initializer(&format!("{name}.dims"), Tensor::int64(&[4], dims)?)?;
            let planes = type_of(Shape::Planes { channels: classes, height, width });
            let node = Node::new("Expand", &format!("{name}.planes"), planes);
            y = self.graph.node(node.input(&y).input(&dims))?; // N, classes, H, W
        }
        let node = Node::new("Concat", name, type_of(output)).input(&self.value).input(&y);
        self.graph.node(node.attribute("axis", Attribute::Int(1)))
    }

    /// Each item's row of a table, by its label: Gather-13 along axis 0. `output` is a row's shape.
    pub(super) fn gather(&mut self, name: &str, what: &str, table: Tensor, output: Shape) -> Result<Value> {
        let label = self.label_input(name)?;
        let table = self.graph.initializer(&format!("{name}.{what}"), table)?;
        let node = Node::new("Gather", &format!("{name}.{what}.row"), type_of(output));
        self.graph.node(node.input(&table).input(&label).attribute("axis", Attribute::Int(0)))
    }
}
