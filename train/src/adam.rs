//! Adam (Kingma and Ba 2015, algorithm 1), without weight decay, with a state of named tensors.

use candle_core::{Tensor, Var};
use models::checkpoint::{Checkpoint, Contents};
use models::{Gradients, Parameters, ops};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Adam's settings; the default is DCGAN's (section 4 of the paper).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Learning rate.
    pub learning_rate: f64,
    /// How much of the gradient's mean each step keeps.
    pub beta1: f64,
    /// How much of the squared gradient's mean each step keeps.
    pub beta2: f64,
    /// Added to the root of the squared gradient's mean.
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
    moments: Vec<(Var, Var)>,
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

    /// One step along the sum of some gradients: those of the real and of the fake images, say.
    ///
    /// # Errors
    /// Candle's.
    pub fn step(&mut self, parameters: &Parameters, gradients: &[&Gradients]) -> models::Result<()> {
        self.steps += 1;
        for (i, ((_, parameter), (first, second))) in parameters.trainable().zip(&self.moments).enumerate() {
            let gradients: Vec<&Tensor> = gradients.iter().map(|g| &g.parameters[i]).collect();
            match ops::has_kernels(parameter) {
                true => self.step_cpu(parameter, first, second, &gradients)?,
                false => self.step_candle(parameter, first, second, &gradients)?,
            }
        }
        Ok(())
    }

    /// (step size, 1/√(1 − β₂ᵗ)): the bias corrections, folded into two numbers.
    fn corrections(&self) -> (f64, f64) {
        let Config { learning_rate, beta1, beta2, .. } = self.config;
        let t = self.steps as f64;
        (learning_rate / (1. - beta1.powf(t)), 1. / (1. - beta2.powf(t)).sqrt())
    }

    /// In one pass over each parameter.
    fn step_cpu(
        &self,
        parameter: &Var,
        first: &Var,
        second: &Var,
        gradients: &[&Tensor],
    ) -> models::Result<()> {
        const PIECE: usize = 32 * 1024;
        let (step, root) = self.corrections();
        let (step, root, epsilon) = (step as f32, root as f32, self.config.epsilon as f32);
        let (beta1, beta2) = (self.config.beta1 as f32, self.config.beta2 as f32);
        let gradients = gradients.iter().map(|g| ops::host(g)).collect::<candle_core::Result<Vec<_>>>()?;
        let gradient = |piece: usize| {
            gradients.iter().map(move |g| &g[piece * PIECE..(piece * PIECE + PIECE).min(g.len())])
        };
        let mut outcome = Ok(());
        let move_all = |p: &mut [f32], m: &mut [f32], v: &mut [f32]| {
            let pieces = p.par_chunks_mut(PIECE).zip(m.par_chunks_mut(PIECE)).zip(v.par_chunks_mut(PIECE));
            pieces.enumerate().for_each(|(i, ((p, m), v))| {
                let mut gradients = gradient(i);
                let (Some(g), more) = (gradients.next(), gradients.next()) else { return };
                ops::vectorised(
                    #[inline(always)]
                    || {
                        for j in 0..p.len() {
                            let g = g[j] + more.map_or(0., |more| more[j]);
                            m[j] += (1. - beta1) * (g - m[j]);
                            v[j] += (1. - beta2) * (g * g - v[j]);
                            p[j] -= step * m[j] / (v[j].sqrt() * root + epsilon);
                        }
                    },
                );
            });
        };
        ops::update(parameter, |p| {
            let inner = ops::update(first, |m| {
                outcome = ops::update(second, |v| move_all(p, m, v));
            });
            if inner.is_err() {
                outcome = inner;
            }
        })?;
        Ok(outcome?)
    }

    /// In Candle's own operations, on any device.
    fn step_candle(&self, p: &Var, first: &Var, second: &Var, gradients: &[&Tensor]) -> models::Result<()> {
        let Config { beta1, beta2, epsilon, .. } = self.config;
        let (step, root) = self.corrections();
        let mut g = gradients[0].clone();
        for more in &gradients[1..] {
            g = (g + *more)?;
        }
        first.set(&((first.as_tensor() * beta1)? + (&g * (1. - beta1))?)?)?;
        second.set(&((second.as_tensor() * beta2)? + (g.sqr()? * (1. - beta2))?)?)?;
        let scale = ((second.sqrt()? * root)? + epsilon)?;
        p.set(&(p.as_tensor() - ((first.as_tensor() * step)? / scale)?)?)?;
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
                let name = format!("{group}.{moment}.{name}");
                let tensor = checkpoint.tensor(&name).ok_or_else(|| models::Error::Parameter {
                    name: name.clone(),
                    message: "the optimiser's state is not there; it can't be resumed from".to_string(),
                })?;
                var.set(&tensor.to_device(var.device())?)?;
            }
        }
        Ok(Adam { steps, ..adam })
    }
}
