//! A graph from a network's own modules, step by step: whoever has a Candle model describes its `forward`
//! with the same modules in the same order, and gets an ONNX file that is proven against that `forward`.
//!
//! A step takes candle-nn's own module and reads weights, strides, zeros and ε from it, so a description
//! can't disagree with the model in a number. It can in what happens between the modules, so each step is
//! also computed in Candle while it is described, and [`Interface::prove`] compares: the end with what
//! `forward` gives, and where that differs, every step with what `forward` computed on its way.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
//! use export::builder::{Builder, Interface, Step};
//!
//! struct Mlp {
//!     ln1: Linear,
//!     ln2: Linear,
//! }
//!
//! impl Mlp {
//!     fn forward(&self, xs: &Tensor) -> candle_core::Result<Tensor> {
//!         let xs = self.ln1.forward(xs)?;
//!         let xs = xs.relu()?;
//!         self.ln2.forward(&xs)
//!     }
//!
//!     fn describe(&self, graph: &Builder, xs: &Step) -> export::Result<Step> {
//!         let xs = graph.linear(xs, &self.ln1)?;
//!         let xs = graph.relu(&xs)?;
//!         graph.linear(&xs, &self.ln2)
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let weights = VarMap::new();
//! let vs = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
//! let model = Mlp { ln1: linear(6, 8, vs.pp("ln1"))?, ln2: linear(8, 3, vs.pp("ln2"))? };
//!
//! let sample = Tensor::randn(0f32, 1., (4, 6), &Device::Cpu)?;
//! let interface = Interface { name: "mlp", inputs: [("x", sample)], output: "logits" };
//! let network = interface.prove(|[xs]| model.forward(&xs), |graph, [xs]| model.describe(graph, &xs))?;
//! assert_eq!(network.steps(), ["linear_1", "relu_1", "linear_2"]);
//! # Ok(())
//! # }
//! ```
//!
//! | file | which steps |
//! |---|---|
//! | `weighted` | linear layers, convolutions, embeddings |
//! | `norm`, `group_norm` | normalisation |
//! | `activation` | what each number becomes, softmax |
//! | `arithmetic` | sums, products, attention |
//! | `layout` | other shapes of the same numbers, parts, rows of several |
//! | `planes` | pooling, upsampling, means |
//! | `label` | x ⊕ y |
//! | [`prove`](Interface::prove), in `described` and `difference` | the description against `forward`: whether, and where first, they differ |
//! | `engines` | the file's bytes against `forward`, in the engines |

mod activation;
mod arithmetic;
mod described;
mod difference;
mod engines;
mod group_norm;
mod label;
mod layout;
mod norm;
mod planes;
mod weighted;

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor as Numbers};

use crate::onnx::{Dim, Element, Graph, Operator, Tensor, Type, Value};
use crate::{Error, Result};

pub use described::{Described, Interface};
pub use engines::{Agreement, TOLERANCE};
pub use weighted::Kernels;

/// The symbolic dimension N.
pub const BATCH: &str = "batch";

/// A graph under construction, of steps on batches. The first axis counts items, and stays first.
///
/// Steps can stand within each other, as calls of a `forward` do: `graph.relu(&graph.linear(&x, &linear)?)?`.
#[derive(Debug)]
pub struct Builder {
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    graph: Graph,
    /// How many steps of each kind have no name of their own so far.
    counts: HashMap<&'static str, usize>,
    /// What the names of steps begin with.
    scope: Vec<String>,
    /// The name of the next step.
    next: Option<String>,
    steps: Vec<Record>,
}

/// What a step gives, or an input, or a constant.
#[derive(Clone, Debug)]
pub struct Step {
    value: Value,
    /// What it is in Candle, for the inputs that the description is tried with.
    traced: Option<Numbers>,
}

/// A step that was described, and what it is in Candle.
#[derive(Clone, Debug)]
struct Record {
    name: String,
    inputs: Vec<String>,
    traced: Numbers,
}

impl Step {
    /// Its name in the graph.
    pub fn name(&self) -> &str {
        self.value.name()
    }

    /// Its shape without the first axis, which counts items; of a constant too.
    pub fn item(&self) -> Vec<usize> {
        self.dims().iter().skip(1).filter_map(Dim::fixed).collect()
    }

    /// What it is in Candle for the inputs that the description is tried with; none where it isn't.
    pub fn tensor(&self) -> Option<&Numbers> {
        self.traced.as_ref()
    }

    fn dims(&self) -> &[Dim] {
        &self.value.type_of().dims
    }

    fn rank(&self) -> usize {
        self.dims().len()
    }

    /// Whether its numbers are the same for every input.
    fn is_constant(&self) -> bool {
        self.dims().iter().all(|dim| matches!(dim, Dim::Fixed(_)))
    }
}

impl Builder {
    /// An empty graph.
    pub fn new(name: &str) -> Builder {
        let state = State {
            graph: Graph::new(name),
            counts: HashMap::new(),
            scope: Vec::new(),
            next: None,
            steps: Vec::new(),
        };
        Builder { state: RefCell::new(state) }
    }

    /// Declares an input of the graph.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken.
    pub fn input(&self, name: &str, of_type: Type) -> Result<Step> {
        Ok(Step { value: self.state.borrow_mut().graph.input(name, of_type)?, traced: None })
    }

    /// The next step has this name; without it, steps are called by what they do and counted: `conv2d_1`.
    ///
    /// ```
    /// # use export::builder::Builder;
    /// # use export::onnx::{Dim, Type};
    /// # fn main() -> export::Result<()> {
    /// # let graph = Builder::new("g");
    /// # let x = graph.input("x", Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(3)]))?;
    /// let y = graph.named("head").relu(&x)?;
    /// assert_eq!(y.name(), "head");
    /// # Ok(())
    /// # }
    /// ```
    pub fn named(&self, name: &str) -> &Builder {
        self.state.borrow_mut().next = Some(name.to_string());
        self
    }

    /// Names of the steps within begin with `name`, as those of a VarBuilder's `pp`.
    ///
    /// ```
    /// # use export::builder::Builder;
    /// # use export::onnx::{Dim, Type};
    /// # fn main() -> export::Result<()> {
    /// # let graph = Builder::new("g");
    /// # let x = graph.input("x", Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(3)]))?;
    /// let y = graph.scope("block1", |graph| graph.relu(&x))?;
    /// assert_eq!(y.name(), "block1.relu_1");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `steps`.
    pub fn scope<T>(&self, name: &str, steps: impl FnOnce(&Builder) -> Result<T>) -> Result<T> {
        let outer = {
            let mut state = self.state.borrow_mut();
            state.scope.push(name.to_string());
            std::mem::take(&mut state.counts)
        };
        let made = steps(self);
        let mut state = self.state.borrow_mut();
        state.scope.pop();
        state.counts = outer;
        made
    }

    /// A tensor of the model that is no module's: a position embedding, a class token.
    ///
    /// # Errors
    /// Candle's, if its numbers are no float32.
    pub fn parameter(&self, tensor: &Numbers) -> Result<Step> {
        let name = self.name("parameter");
        let value = self.state.borrow_mut().graph.initializer(&name, float32(tensor)?)?;
        Ok(Step { value, traced: Some(tensor.clone()) })
    }

    /// Makes a step an output of the graph, under `name`.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken or the step is of another graph.
    pub fn output(&self, step: &Step, name: &str) -> Result<()> {
        self.state.borrow_mut().graph.output(&step.value, name)
    }

    /// The graph.
    pub fn finish(self) -> Graph {
        self.state.into_inner().graph
    }

    /// What was described so far.
    fn steps(&self) -> Vec<Record> {
        self.state.borrow().steps.clone()
    }

    /// An input with what it is in the trial.
    fn traced_input(&self, name: &str, tensor: &Numbers) -> Result<Step> {
        let wrong = |message: String| Error::Graph { node: name.to_string(), message };
        let items = tensor.dims().get(1..).filter(|_| tensor.elem_count() > 0);
        let items = items.ok_or_else(|| {
            wrong(format!("a sample of shape {:?} has no items; expected (N, …)", tensor.dims()))
        })?;
        let item = items.iter().map(|&size| Dim::Fixed(size));
        let dims = [Dim::Symbol(BATCH.into())].into_iter().chain(item).collect();
        let element = match tensor.dtype() {
            DType::F32 => Element::Float32,
            DType::I64 | DType::U32 => Element::Int64,
            other => {
                return Err(wrong(format!(
                    "a sample of {other:?}; expected float32, or indices as u32 or i64"
                )));
            }
        };
        let value = self.state.borrow_mut().graph.input(name, Type { element, dims })?;
        Ok(Step { value, traced: Some(tensor.clone()) })
    }

    /// The next step's name, of this kind unless it has one.
    fn name(&self, kind: &'static str) -> String {
        let mut state = self.state.borrow_mut();
        let State { counts, scope, next, .. } = &mut *state;
        let own = next.take().unwrap_or_else(|| {
            let count = counts.entry(kind).or_insert(0);
            *count += 1;
            format!("{kind}_{count}")
        });
        scope.iter().map(String::as_str).chain([own.as_str()]).collect::<Vec<_>>().join(".")
    }

    /// A step: nodes for the graph, and what they are in Candle.
    fn step(
        &self,
        kind: &'static str,
        inputs: &[&Step],
        lower: impl FnOnce(&mut Nodes<'_>) -> Result<Value>,
        compute: impl FnOnce(&[&Numbers]) -> candle_core::Result<Numbers>,
    ) -> Result<Step> {
        let name = self.name(kind);
        let value = lower(&mut Nodes { graph: &mut self.state.borrow_mut().graph, name: &name })?;
        let tensors = inputs.iter().map(|input| input.traced.as_ref()).collect::<Option<Vec<_>>>();
        let traced = match tensors {
            None => None,
            Some(tensors) => {
                let wrong = |message: String| Error::Graph { node: name.clone(), message };
                let traced = compute(&tensors).map_err(|error| wrong(error.to_string()))?;
                let dims = &value.type_of().dims;
                let same = dims.len() == traced.rank()
                    && dims
                        .iter()
                        .zip(traced.dims())
                        .all(|(dim, &size)| dim.fixed().is_none_or(|d| d == size));
                if !same {
                    let found = traced.dims();
                    return Err(wrong(format!(
                        "is {found:?} in Candle and {} in the graph",
                        value.type_of()
                    )));
                }
                let inputs = inputs.iter().map(|input| input.name().to_string()).collect();
                self.state.borrow_mut().steps.push(Record { name, inputs, traced: traced.clone() });
                Some(traced)
            }
        };
        Ok(Step { value, traced })
    }

    /// A step of one node.
    fn node(
        &self,
        kind: &'static str,
        operator: Operator,
        inputs: &[&Step],
        compute: impl FnOnce(&[&Numbers]) -> candle_core::Result<Numbers>,
    ) -> Result<Step> {
        let values: Vec<&Value> = inputs.iter().map(|input| &input.value).collect();
        self.step(kind, inputs, |nodes| nodes.last(operator, &values), compute)
    }

    /// A description that can't be, in words.
    fn refuse<T>(&self, kind: &'static str, message: String) -> Result<T> {
        Err(Error::Graph { node: self.name(kind), message })
    }

    /// The axis that Candle's negative ones count from the end; none that isn't there.
    fn axis(&self, kind: &'static str, x: &Step, axis: impl candle_core::shape::Dim) -> Result<usize> {
        let shape = candle_core::Shape::from(vec![1; x.rank()]);
        let axis = axis.to_index(&shape, kind);
        match axis {
            Ok(0) if !x.is_constant() => {
                self.refuse(kind, "would mix the items of a batch, which is axis 0".to_string())
            }
            Ok(axis) => Ok(axis),
            Err(error) => self.refuse(kind, error.to_string()),
        }
    }
}

/// The nodes of one step: the last one has the step's name, those before it names that begin with it.
struct Nodes<'a> {
    graph: &'a mut Graph,
    name: &'a str,
}

impl Nodes<'_> {
    fn node(&mut self, part: &str, operator: Operator, inputs: &[&Value]) -> Result<Value> {
        self.graph.node(&format!("{}.{part}", self.name), operator, inputs)
    }

    fn last(&mut self, operator: Operator, inputs: &[&Value]) -> Result<Value> {
        self.graph.node(self.name, operator, inputs)
    }

    fn initializer(&mut self, part: &str, tensor: Tensor) -> Result<Value> {
        self.graph.initializer(&format!("{}.{part}", self.name), tensor)
    }

    fn weight(&mut self, part: &str, tensor: &Numbers) -> Result<Value> {
        self.initializer(part, float32(tensor)?)
    }

    /// One number, to add or to multiply by.
    fn number(&mut self, part: &str, number: f64) -> Result<Value> {
        self.initializer(part, Tensor::float32(&[], [number as f32])?)
    }
}

/// A tensor as the file carries it.
fn float32(numbers: &Numbers) -> Result<Tensor> {
    let numbers = numbers.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    Tensor::float32(numbers.dims(), numbers.flatten_all()?.to_vec1::<f32>()?)
}
