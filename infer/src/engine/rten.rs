//! Models in rten, the engine that is part of the program.

use std::sync::Arc;

use rten::{LoadError, Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView, ValueView};

use super::{LOADING_WEIGHTS_PAYS, Latents, Lent, Network, Reader, unpacked::unpacked};
use crate::{Error, ModelSource, Options, contract::tensor};

/// Name and version, as Cargo.toml asks for it.
pub const NAME: &str = "rten 0.27";

/// A model in rten.
struct Loaded {
    model: Model,
    lent: Lent,
    z: NodeId,
    /// Absent in an unlabelled model.
    label: Option<NodeId>,
    image: NodeId,
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
        Some((model, lent)) => (unpacked(&model), lent),
        None => (unpacked(&source.bytes()?), Lent::none()),
    };
    let model = ModelOptions::with_all_ops().prepack_weights(many).load(bytes.map_err(refused)?);
    let model = model.map_err(|error: LoadError| refused(error.to_string()))?;
    let node = |name: &str| model.node_id(name).map_err(|error| refused(error.to_string()));
    Ok(Box::new(Loaded {
        z: node(tensor::Z)?,
        label: model.find_node(tensor::LABEL),
        image: node(tensor::IMAGE)?,
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

impl Network for Loaded {
    fn run(&mut self, latents: Latents<'_>, labels: &[i64], read: &mut Reader<'_>) -> Result<(), String> {
        fn words(error: impl std::fmt::Display) -> String {
            error.to_string()
        }
        // rten has 32-bit numbers where ONNX has 64; a label is a class's index and fits.
        let labels: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
        let z = ValueView::from_shape(latents.shape(), latents.values).map_err(words)?;
        let mut inputs: Vec<(NodeId, ValueOrView<'_>)> = vec![(self.z, z.into())];
        if let Some(label) = self.label {
            let labels = ValueView::from_shape([labels.len()], &labels).map_err(words)?;
            inputs.push((label, labels.into()));
        }
        for (&node, (_, dims, values)) in self.weights.iter().zip(self.lent.iter()) {
            inputs.push((node, ValueView::from_shape(dims, values).map_err(words)?.into()));
        }
        let [image] = (self.model.run_n(inputs, [self.image], Some(self.options.clone()))).map_err(words)?;
        let (shape, values) = image.into_shape_vec::<f32, 4>().map_err(words)?;
        read(&shape.map(|dim| dim as i64), &values)
    }
}
