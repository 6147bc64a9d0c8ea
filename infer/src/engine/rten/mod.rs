//! Models in rten, the engine that is part of the program.

use std::{borrow::Cow, sync::Arc};

use rten::{LoadError, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView, ValueView};
use rten_tensor::Layout;

use contract::onnx::unpacked;

use super::{Input, LOADING_WEIGHTS_PAYS, Lent, Network, Reader, Values};
use crate::{Error, ModelSource, Options};

/// Name and version, as Cargo.toml asks for it.
pub const NAME: &str = "rten 0.27";

/// A model in rten.
struct Loaded {
    model: Model,
    lent: Lent,
    /// One for each lent weight.
    weights: Vec<NodeId>,
    options: RunOptions,
}

/// Loads a model: for few images with its weights lent, for many with weights rearranged for the
/// matrix products.
pub fn load(source: &ModelSource<'_>, options: &Options) -> Result<Box<dyn Network>, Error> {
    let refused = |reason: String| Error::ModelRefused { model: source.name(), engine: NAME.into(), reason };
    let many = options.expected_images >= LOADING_WEIGHTS_PAYS;
    let split = if many { None } else { Lent::split(source) };
    let (bytes, lent) = match split {
        Some((model, lent)) => (model.into(), lent),
        None => (source.bytes()?, Lent::none()),
    };
    let mut loading = ModelOptions::with_all_ops();
    loading.prepack_weights(many);
    let model = match unpacked(bytes).map_err(refused)? {
        Cow::Borrowed(bytes) => loading.load_static_slice(bytes),
        Cow::Owned(bytes) => loading.load(bytes),
    };
    let model = model.or_else(|error| match source {
        // Weights that lie in files beside the model are found from its own place only.
        ModelSource::File(path) => loading.load_file(path).map_err(|_| error),
        _ => Err(error),
    });
    let model = model.map_err(|error: LoadError| refused(error.to_string()))?;
    let node = |name: &str| model.node_id(name).map_err(|error| refused(error.to_string()));
    Ok(Box::new(Loaded {
        weights: lent.iter().map(|(name, ..)| node(name)).collect::<Result<_, _>>()?,
        options: {
            // Without one of its own, a model runs in a pool of all cores.
            let pool = ThreadPool::with_num_threads(options.threads());
            RunOptions::default().with_thread_pool(Some(Arc::new(pool)))
        },
        model,
        lent,
    }))
}

/// A model in rten, whatever it takes, that gives numbers of single precision.
pub struct Session(Box<dyn Network>);

impl Session {
    /// The engine's name and version.
    pub const NAME: &str = NAME;

    /// Loads a model to run on the CPU, on one thread a core.
    ///
    /// # Errors
    ///
    /// [`Error::ModelRefused`] in rten's words.
    pub fn load(source: &ModelSource<'_>) -> Result<Self, Error> {
        load(source, &Options { expected_images: LOADING_WEIGHTS_PAYS, ..Options::default() }).map(Self)
    }

    /// Runs it once on all its inputs, float32 or int64, and lends the output of this name, shape and
    /// numbers, to `read`.
    ///
    /// # Errors
    ///
    /// rten's words, those of `read`, or a phrase about an output that isn't of float32.
    pub fn run(
        &mut self,
        inputs: &[Input<'_>],
        output: &str,
        mut read: impl FnMut(&[i64], &[f32]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.0.run(inputs, output, &mut read)
    }
}

impl Network for Loaded {
    fn run(&mut self, inputs: &[Input<'_>], output: &str, read: &mut Reader<'_>) -> Result<(), String> {
        fn words(error: impl std::fmt::Display) -> String {
            error.to_string()
        }
        let mut lent: Vec<(NodeId, ValueOrView<'_>)> = Vec::new();
        for Input { name, shape, values } in inputs {
            let value: ValueOrView<'_> = match values {
                Values::Float32(values) => ValueView::from_shape(shape, values).map_err(words)?.into(),
                // rten has 32-bit numbers where ONNX has 64; a label is a class's index and fits.
                Values::Int64(values) => {
                    let values = values.iter().map(|&value| value as i32).collect();
                    Value::from_shape(shape, values).map_err(words)?.into()
                }
                _ => return Err(format!("its input {name} is neither float32 nor int64")),
            };
            lent.push((self.model.node_id(name).map_err(words)?, value));
        }
        for (&node, (_, dims, values)) in self.weights.iter().zip(self.lent.iter()) {
            lent.push((node, ValueView::from_shape(dims, values).map_err(words)?.into()));
        }
        let output = self.model.node_id(output).map_err(words)?;
        let [output] = (self.model.run_n(lent, [output], Some(self.options.clone()))).map_err(words)?;
        let output = output.into_tensor::<f32>().ok_or("its output is no tensor of float32")?;
        let shape: Vec<i64> = output.shape().iter().map(|&dim| dim as i64).collect();
        read(&shape, &output.into_data())
    }
}
