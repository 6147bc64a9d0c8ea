//! Nodes around a graph, so that it takes and gives what the contract says. The graph's own nodes stay; names
//! change only where they are the contract's.

use std::collections::{HashMap, HashSet};

use candle_onnx::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
    attribute_proto::AttributeType,
};
use contract::tensor;
use prost::Message;

use super::Known;
use super::inputs::{Labels, Latents};
use super::picture::{Layout, Picture, Pixels};
use crate::onnx::{Dim, Element, Tensor, Type};
use crate::reader::LARGEST;

/// The symbolic dimension N.
const BATCH: &str = "batch";
/// From this version on, initializers need not be among the inputs.
const LEAST_IR: i64 = 4;
/// A table of more one-hot rows would be larger than 64 MB.
const MOST_ONE_HOT: usize = 1 << 12;
/// Reshape takes its shape as an input from this operator set on.
const LEAST_OPSET: i64 = 5;

/// Adds what is missing to a model; names the operators of the nodes that were added.
///
/// # Errors
/// A sentence, if the model is too old, or too large to be one file.
pub fn around(model: &mut ModelProto, known: &Known, picture: &Picture) -> Result<Vec<String>, String> {
    let opset = model.opset_import.iter().find(|opset| ["", "ai.onnx"].contains(&opset.domain.as_str()));
    match opset.map(|opset| opset.version) {
        Some(LEAST_OPSET..) => {}
        Some(version) => return Err(format!("its operator set is {version}, older than {LEAST_OPSET}")),
        None => return Err("it names no version of ONNX's operator set".to_string()),
    }
    model.ir_version = model.ir_version.max(LEAST_IR);
    model.training_info.clear();
    let graph = model.graph.as_mut().ok_or("it holds no graph")?;
    let mut around = Around::new(graph);
    let Known { inputs, output, classes, .. } = known;
    let latents = around.latents(&inputs.latents)?;
    let labels = inputs.labels.as_ref().map(|labels| around.labels(labels, classes.len())).transpose()?;
    let made_by_a_node = around.graph.node.iter().any(|node| node.output.contains(&output.name));
    around.pictures(&output.name, made_by_a_node, picture)?;
    let added = around.finish([Some(latents), labels].into_iter().flatten().collect(), picture);
    match model.encoded_len() as u64 <= LARGEST {
        true => Ok(added),
        false => Err("with its weights it is larger than the 2 GiB that an ONNX file can have".to_string()),
    }
}

/// A graph and what comes around it.
struct Around<'a> {
    graph: &'a mut GraphProto,
    /// Every name in it.
    names: HashSet<String>,
    /// What the graph's values are to be called.
    renamed: HashMap<String, String>,
    before: Vec<NodeProto>,
    after: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

/// A node between two values.
struct Step {
    operator: &'static str,
    constant: Constant,
    attributes: Vec<AttributeProto>,
}

/// A constant that goes into a node beside the value, by its name, and where.
enum Constant {
    None,
    First(String),
    Second(String),
}

impl Step {
    fn of(operator: &'static str, attributes: Vec<AttributeProto>) -> Step {
        Step { operator, constant: Constant::None, attributes }
    }
}

impl<'a> Around<'a> {
    fn new(graph: &'a mut GraphProto) -> Around<'a> {
        let mut names = HashSet::new();
        visit(graph, &mut |name| {
            names.insert(name.clone());
        });
        let (before, after, constants) = (Vec::new(), Vec::new(), Vec::new());
        Around { graph, names, renamed: HashMap::new(), before, after, constants }
    }

    /// `z`, (N, d), as the graph takes its latents.
    fn latents(&mut self, latents: &Latents) -> Result<ValueInfoProto, String> {
        match latents.item.as_slice() {
            [_] => self.is(&latents.name, tensor::Z),
            item => {
                let own = self.own(&latents.name);
                let shape = self.shape(&own, item)?;
                self.before.push(node("Reshape", &[tensor::Z, &shape], &own, Vec::new()));
            }
        }
        Ok(declared(tensor::Z, Element::Float32, &[latents.size()]))
    }

    /// `label`, (N), as the graph takes its label.
    fn labels(&mut self, labels: &Labels, classes: usize) -> Result<ValueInfoProto, String> {
        let element = match labels.element.as_str() {
            "int64" => Element::Int64,
            "int32" => Element::Int32,
            _ => Element::Float32,
        };
        let given = declared(tensor::LABEL, Element::Int64, &[]);
        if element == Element::Int64 && labels.item.is_empty() {
            self.is(&labels.name, tensor::LABEL);
            return Ok(given);
        }
        let own = self.own(&labels.name);
        let mut steps = Vec::new();
        let rank = match labels.one_hot() {
            Some(_) => {
                let table = self.constant(&format!("{own}.one_hot"), &identity(classes, element)?);
                steps.push(Step {
                    constant: Constant::First(table),
                    ..Step::of("Gather", vec![int("axis", 0)])
                });
                1
            }
            None => {
                if element != Element::Int64 {
                    steps.push(Step::of("Cast", vec![int("to", element.data_type().into())]));
                }
                0
            }
        };
        if labels.item.len() != rank {
            let shape = Constant::Second(self.shape(&own, &labels.item)?);
            steps.push(Step { constant: shape, ..Step::of("Reshape", Vec::new()) });
        }
        self.before.extend(self.chain(tensor::LABEL, &own, steps));
        Ok(given)
    }

    /// The graph's pictures as `image`, (N, channels, height, width), float32.
    fn pictures(&mut self, name: &str, made_by_a_node: bool, picture: &Picture) -> Result<(), String> {
        let mut steps = Vec::new();
        if picture.bytes {
            steps.push(Step::of("Cast", vec![int("to", Element::Float32.data_type().into())]));
        }
        if picture.pixels == Pixels::Levels {
            let levels = Tensor::float32(&[], [255.]).map_err(|error| error.to_string())?;
            let levels = Constant::Second(self.constant("image.levels", &levels));
            steps.push(Step { constant: levels, ..Step::of("Div", Vec::new()) });
        }
        if picture.layout == Layout::Nhwc {
            steps.push(Step::of("Transpose", vec![ints("perm", &[0, 3, 1, 2])]));
        }
        if steps.is_empty() && made_by_a_node {
            self.is(name, tensor::IMAGE);
            return Ok(());
        }
        if steps.is_empty() {
            steps.push(Step::of("Identity", Vec::new()));
        }
        let own = self.own(name);
        self.after = self.chain(&own, tensor::IMAGE, steps);
        Ok(())
    }

    /// Nodes, one behind the other, from one value to another.
    fn chain(&self, from: &str, to: &str, steps: Vec<Step>) -> Vec<NodeProto> {
        let last = steps.len().saturating_sub(1);
        let mut value = from.to_string();
        let mut nodes = Vec::new();
        for (at, Step { operator, constant, attributes }) in steps.into_iter().enumerate() {
            let output = if at == last { to.to_string() } else { self.fresh(&format!("{to}.{operator}")) };
            let inputs: Vec<&str> = match &constant {
                Constant::None => vec![&value],
                Constant::First(constant) => vec![constant, &value],
                Constant::Second(constant) => vec![&value, constant],
            };
            nodes.push(node(operator, &inputs, &output, attributes));
            value = output;
        }
        nodes
    }

    /// Puts everything in its place; names the operators of the nodes that were added.
    fn finish(mut self, inputs: Vec<ValueInfoProto>, picture: &Picture) -> Vec<String> {
        for name in [tensor::Z, tensor::LABEL, tensor::IMAGE] {
            if self.names.contains(name) && !self.renamed.contains_key(name) {
                self.own(name);
            }
        }
        let Around { graph, renamed, before, after, constants, .. } = self;
        graph.input.clear();
        graph.output.clear();
        visit(graph, &mut |name| {
            if let Some(other) = renamed.get(name) {
                name.clone_from(other);
            }
        });
        graph.input = inputs;
        graph.output = vec![declared(tensor::IMAGE, Element::Float32, &picture.shape)];
        let outside = [tensor::Z, tensor::LABEL, tensor::IMAGE];
        graph.value_info.retain(|info| !outside.contains(&info.name.as_str()));
        let added = before.iter().chain(&after).map(|node| node.op_type.clone()).collect();
        graph.node = [before, std::mem::take(&mut graph.node), after].concat();
        graph.initializer.extend(constants);
        added
    }

    /// Calls a value of the graph by the contract's name.
    fn is(&mut self, name: &str, outside: &str) {
        self.renamed.insert(name.to_string(), outside.to_string());
    }

    /// What a value of the graph is called that the contract doesn't know: its name, unless that is one of the
    /// contract's.
    fn own(&mut self, name: &str) -> String {
        let own = match [tensor::Z, tensor::LABEL, tensor::IMAGE].contains(&name) {
            true => self.fresh(&format!("{name}.own")),
            false => name.to_string(),
        };
        self.renamed.insert(name.to_string(), own.clone());
        own
    }

    /// A name that nothing in the graph has. What is added asks for each once.
    fn fresh(&self, like: &str) -> String {
        let numbered = (1..).map(|number| format!("{like}.{number}"));
        let mut names = [like.to_string()].into_iter().chain(numbered);
        names.find(|name| !self.names.contains(name)).unwrap_or_default()
    }

    fn constant(&mut self, name: &str, tensor: &Tensor) -> String {
        let name = self.fresh(name);
        self.constants.push(proto(&name, tensor));
        name
    }

    /// The shape (N, item…) of a Reshape.
    fn shape(&mut self, name: &str, item: &[usize]) -> Result<String, String> {
        let sizes = [-1].into_iter().chain(item.iter().map(|&size| size as i64));
        let shape = Tensor::int64(&[1 + item.len()], sizes).map_err(|error| error.to_string())?;
        Ok(self.constant(&format!("{name}.shape"), &shape))
    }
}

/// One row a class: 1 at its own place, else 0.
fn identity(classes: usize, element: Element) -> Result<Tensor, String> {
    if classes > MOST_ONE_HOT {
        return Err(format!("its label is one-hot of {classes} classes, more than {MOST_ONE_HOT}"));
    }
    let numbers = (0..classes * classes).map(|at| u8::from(at / classes == at % classes));
    let bytes = match element {
        Element::Float32 => numbers.flat_map(|number| f32::from(number).to_le_bytes()).collect(),
        Element::Int32 => numbers.flat_map(|number| i32::from(number).to_le_bytes()).collect(),
        _ => numbers.flat_map(|number| i64::from(number).to_le_bytes()).collect(),
    };
    Tensor::new(element, &[classes, classes], bytes).map_err(|error| error.to_string())
}

/// Every name of a value in a graph, and in the graphs of its nodes.
fn visit(graph: &mut GraphProto, see: &mut impl FnMut(&mut String)) {
    for node in &mut graph.node {
        node.input.iter_mut().chain(&mut node.output).for_each(&mut *see);
        for attribute in &mut node.attribute {
            attribute.g.iter_mut().chain(&mut attribute.graphs).for_each(|graph| visit(graph, see));
        }
    }
    graph.initializer.iter_mut().for_each(|tensor| see(&mut tensor.name));
    let sparse = graph.sparse_initializer.iter_mut().filter_map(|tensor| tensor.values.as_mut());
    sparse.for_each(|tensor| see(&mut tensor.name));
    let infos = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
    infos.for_each(|info| see(&mut info.name));
    for annotation in &mut graph.quantization_annotation {
        see(&mut annotation.tensor_name);
        annotation.quant_parameter_tensor_names.iter_mut().for_each(|entry| see(&mut entry.value));
    }
}

/// A node of this program, called by what it makes.
fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        name: format!("edgegan.{output}"),
        op_type: operator.to_string(),
        input: inputs.iter().map(|&name| name.to_string()).collect(),
        output: vec![output.to_string()],
        attribute,
        ..NodeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    let of_type = AttributeType::Int.into();
    AttributeProto { name: name.to_string(), i: value, r#type: of_type, ..AttributeProto::default() }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    let of_type = AttributeType::Ints.into();
    AttributeProto {
        name: name.to_string(),
        ints: values.to_vec(),
        r#type: of_type,
        ..AttributeProto::default()
    }
}

/// A value of (N, item…).
fn declared(name: &str, element: Element, item: &[usize]) -> ValueInfoProto {
    let item = item.iter().map(|&size| Dim::Fixed(size));
    Type { element, dims: [Dim::Symbol(BATCH.to_string())].into_iter().chain(item).collect() }
        .value_info(name)
}

fn proto(name: &str, tensor: &Tensor) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        dims: tensor.dims().iter().map(|&size| size as i64).collect(),
        data_type: tensor.element().data_type(),
        raw_data: tensor.bytes().to_vec(),
        ..TensorProto::default()
    }
}
