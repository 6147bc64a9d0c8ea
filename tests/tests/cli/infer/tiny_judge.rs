//! Judges small enough to write by hand, some of them wrong: logits = flatten(image) · 0 + bias.

use super::tiny_model::{FLOAT, bytes, floats, model, tensor, text, value_info};

/// A judge to write, right for the pictures of [`TinyModel`](super::tiny_model::TinyModel) unless a
/// field is changed. It says the same of every picture.
pub struct TinyJudge {
    /// `edgegan.network`; without it, there is none.
    pub network: Option<&'static str>,
    pub classes: &'static [&'static str],
    pub pixel_range: &'static str,
    /// Columns of a picture, of one channel and two rows.
    pub width: usize,
    pub output: &'static str,
    /// A logit for each class.
    pub bias: Vec<f32>,
}

impl Default for TinyJudge {
    fn default() -> Self {
        Self {
            network: Some("judge"),
            classes: &["short", "middle", "long"],
            pixel_range: "0,1",
            width: 3,
            output: "logits",
            // Softmax 0.1, 0.8, 0.1.
            bias: vec![0.0, 8f32.ln(), 0.0],
        }
    }
}

impl TinyJudge {
    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut graph = Vec::new();
        for (operator, inputs, output) in [
            ("Flatten", ["image", ""], "flat"),
            ("MatMul", ["flat", "weight"], "product"),
            ("Add", ["product", "bias"], self.output),
        ] {
            let mut node = Vec::new();
            inputs.iter().filter(|input| !input.is_empty()).for_each(|input| text(&mut node, 1, input));
            text(&mut node, 2, output);
            text(&mut node, 4, operator);
            bytes(&mut graph, 1, &node);
        }
        text(&mut graph, 2, "tiny");
        let (pixels, logits) = (2 * self.width, self.bias.len());
        bytes(
            &mut graph,
            5,
            &tensor("weight", FLOAT, &[pixels, logits], &floats(&vec![0.0; pixels * logits])),
        );
        bytes(&mut graph, 5, &tensor("bias", FLOAT, &[logits], &floats(&self.bias)));
        bytes(&mut graph, 11, &value_info("image", FLOAT, &[1, 2, self.width]));
        bytes(&mut graph, 12, &value_info(self.output, FLOAT, &[logits]));
        let classes: Vec<String> = self.classes.iter().map(|class| format!("{class:?}")).collect();
        let metadata = [
            ("network", self.network.map(String::from)),
            ("classes", Some(format!("[{}]", classes.join(",")))),
            ("pixel_range", Some(self.pixel_range.into())),
        ];
        let metadata =
            metadata.into_iter().filter_map(|(key, value)| Some((format!("edgegan.{key}"), value?)));
        model(17, &graph, metadata)
    }
}
