//! Adam (Kingma and Ba 2015, algorithm 1), without weight decay, with a state of named tensors.

use candle_core::{Tensor, Var};
use models::checkpoint::{Checkpoint, Contents};
use models::ops::{AdamStep, Factors, Moved, kernels_for};
use models::{Gradients, Parameters};
use serde::{Deserialize, Serialize};

/// Adam's settings; the default is DCGAN's (section 4 of the paper).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Learning rate.
    pub learning_rate: f64,
    /// β₁: the decay rate of the gradient's running mean.
    pub beta1: f64,
    /// β₂: the decay rate of the squared gradient's running mean.
    pub beta2: f64,
    /// ε: added to the root of the squared gradient's running mean.
    pub epsilon: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { learning_rate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// The optimiser of one network.
pub struct Adam {
    config: Config,
    steps: u64,
    /// First and second moment of each trainable parameter, in the list's order.
    pub(crate) moments: Vec<(Var, Var)>,
}

impl Adam {
    /// An optimiser that has seen nothing yet.
    ///
    /// # Errors
    /// Candle's, if the device has no room.
    pub fn new(config: Config, parameters: &Parameters) -> models::Result<Adam> {
        let zeros = |v: &Var| Var::from_tensor(&v.zeros_like()?);
        let moments = parameters.trainable().map(|(_, v)| Ok((zeros(v)?, zeros(v)?)));
        Ok(Adam { config, steps: 0, moments: moments.collect::<models::Result<_>>()? })
    }

    /// Counts a step: its numbers, with the bias corrections of this many steps. `pace` multiplies the
    /// learning rate.
    pub fn advance(&mut self, pace: f64) -> AdamStep<'static> {
        self.steps += 1;
        let Config { learning_rate, beta1, beta2, epsilon } = self.config;
        let t = self.steps as f64;
        let step = learning_rate * pace / (1. - beta1.powf(t));
        AdamStep { step, root: 1. / (1. - beta2.powf(t)).sqrt(), beta1, beta2, epsilon, on_device: None }
    }

    /// Takes a step that [`Adam::advance`] has counted, along a gradient, or the sum of two: those of the real
    /// and of the fake images, say.
    ///
    /// # Errors
    /// Candle's.
    pub fn step(
        &self,
        parameters: &Parameters,
        gradients: &Gradients,
        second: Option<&Gradients>,
        step: AdamStep<'_>,
    ) -> models::Result<()> {
        for (i, ((_, parameter), (m, v))) in parameters.trainable().zip(&self.moments).enumerate() {
            let gradient = &gradients.parameters[i];
            let second = second.map(|second| &second.parameters[i]);
            match kernels_for(parameter, Factors::Float32) {
                Some(kernels) => {
                    let moved = Moved { parameter, first: m, second: v };
                    kernels.adam(moved, gradient, second, step)?;
                }
                None => step_candle(parameter, (m, v), gradient, second, step)?,
            }
        }
        Ok(())
    }

    /// Adds the state to a checkpoint, as `<group>.first.<parameter>` and `<group>.second.…`.
    pub fn save(&self, contents: &mut Contents, group: &str, parameters: &Parameters) {
        for ((name, _), (first, second)) in parameters.trainable().zip(&self.moments) {
            contents.tensor(&format!("{group}.first.{name}"), first);
            contents.tensor(&format!("{group}.second.{name}"), second);
        }
    }

    /// Takes the state from a checkpoint that `steps` steps had been made on.
    ///
    /// # Errors
    /// If a tensor is missing or of another shape.
    pub fn load(
        config: Config,
        steps: u64,
        checkpoint: &Checkpoint,
        group: &str,
        parameters: &Parameters,
    ) -> models::Result<Adam> {
        let adam = Adam::new(config, parameters)?;
        for ((name, _), (first, second)) in parameters.trainable().zip(&adam.moments) {
            for (moment, var) in [("first", first), ("second", second)] {
                checkpoint.restore(&format!("{group}.{moment}.{name}"), var, "the optimiser's state")?;
            }
        }
        Ok(Adam { steps, ..adam })
    }
}

/// In Candle's own operations, on any device.
fn step_candle(
    p: &Var,
    (first, second_moment): (&Var, &Var),
    gradient: &Tensor,
    second: Option<&Tensor>,
    AdamStep { step, root, beta1, beta2, epsilon, .. }: AdamStep<'_>,
) -> models::Result<()> {
    let g = match second {
        Some(second) => (gradient + second)?,
        None => gradient.clone(),
    };
    first.set(&((first.as_tensor() * beta1)? + (&g * (1. - beta1))?)?)?;
    second_moment.set(&((second_moment.as_tensor() * beta2)? + (g.sqr()? * (1. - beta2))?)?)?;
    let scale = ((second_moment.sqrt()? * root)? + epsilon)?;
    p.set(&(p.as_tensor() - ((first.as_tensor() * step)? / scale)?)?)?;
    Ok(())
}
