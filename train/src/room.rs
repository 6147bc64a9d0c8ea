//! How much memory training needs, and whether this machine has it: options within their ranges may ask
//! for more than any machine has, and the system kills a process that does, without a message.

use anyhow::{Result, bail};
use candle_core::Device;
use contract::memory::{Available, available};
use models::Network;
use models::architectures::projected;
use models::layers::Layer;
use serde::Serialize;

use crate::judge;
use crate::run::Config;
use crate::settings::Settings;
use crate::sources::LabelledImages;

/// Bytes of a float32.
const FLOAT: usize = 4;

/// An estimate of what training holds at once, in bytes, and what it was seen to hold.
///
/// Activations are counted at the moment when most of them are held. A pass through a network keeps its input,
/// the output of each layer with weights, and that of each batch norm with its activation. D's two
/// passes (real and fake) are kept throughout an iteration, and the guide's over what was drawn. Beside them are
/// G's pass and D's over its pictures while G learns, or those of the guide over real pictures and of the
/// projected discriminators, or, where G learns more than once, its last pass and the next one; and the gradient
/// of the largest layer. The weights' gradients are D's two, or three where it is to be consistent, G's, and two
/// of each projected discriminator.
///
/// A checkpoint is made in memory before it is written.
///
/// Not counted are the program and the working space of the kernels. Runs of MNIST's networks on a
/// CPU of two cores held 570 MB at most with batches of 64 and 603 MB with batches of 200, where
/// this says 423 and 526 MB. On a GPU it was not compared.
#[derive(Debug, Default, Serialize)]
pub struct Memory {
    /// The weights of both networks, of a guide and of projected discriminators, running averages included.
    pub weights: usize,
    /// Adam's two moments of each.
    pub moments: usize,
    /// The averaged generator.
    pub average: usize,
    /// Gradients.
    pub gradients: usize,
    /// What the layers hold of a batch.
    pub activations: usize,
    /// A checkpoint that is being written.
    pub checkpoint: usize,
    /// The pictures, one byte a value: once as read, once on the device.
    pub pictures: usize,
    /// The sum.
    pub total: usize,
    /// The most that this process has held, the program included but no checkpoint, if the system
    /// says. On a GPU, that isn't the device's memory.
    pub measured: Option<usize>,
}

/// The numbers of one network.
#[derive(Clone, Copy, Default)]
struct Numbers {
    /// Weights, running averages included.
    all: usize,
    /// Those that the optimiser moves.
    trainable: usize,
    /// What a pass of one picture keeps for the backward pass.
    held: usize,
    /// Of the largest layer.
    largest: usize,
}

impl Numbers {
    fn of(network: &Network) -> Numbers {
        let count = |is_counted: fn(bool) -> bool| {
            let parameters = network.parameters().into_iter().filter(|(_, spec)| is_counted(spec.trainable));
            let sizes =
                parameters.map(|(_, spec)| spec.dims.iter().fold(1usize, |n, &d| n.saturating_mul(d)));
            sizes.fold(0, usize::saturating_add)
        };
        Numbers {
            all: count(|_| true),
            trainable: count(|trainable| trainable),
            held: held(network),
            largest: network.shapes().iter().map(|shape| shape.elements()).max().unwrap_or_default(),
        }
    }
}

impl Memory {
    /// What a run holds.
    ///
    /// # Errors
    /// If a size is one that no network has.
    pub fn of(config: &Config, data: &LabelledImages) -> Result<Memory> {
        let Settings { networks, recipe, batch_size, .. } = &config.settings;
        let (g, d) = (Numbers::of(&networks.generator()?), Numbers::of(&networks.discriminator()?));
        let guide = match recipe.has_guide() {
            true => Numbers::of(&projected::classifier(networks).network()?),
            false => Numbers::default(),
        };
        let projected = match recipe.projected > 0. {
            true => projected::networks(networks)?.iter().map(Numbers::of).collect(),
            false => Vec::new(),
        };
        let of_projected =
            |of: fn(&Numbers) -> usize| projected.iter().map(of).fold(0, usize::saturating_add);
        let (all, moved) = (of_projected(|n| n.all), of_projected(|n| n.trainable));
        let of_copies = if recipe.consistency > 0. { d.trainable } else { 0 };
        // The guide's pass over what is drawn is kept like D's two; that over real pictures isn't.
        let over_real = if projected.is_empty() { 0 } else { guide.held + 2 * of_projected(|n| n.held) };
        let learning = g.held + 2 * d.held + guide.held + d.held.max(over_real);
        let passes = match recipe.generator_updates {
            1 => learning,
            _ => learning.max(2 * g.held + 2 * d.held + 2 * guide.held),
        };
        Ok(Memory {
            weights: floats(&[g.all, d.all, guide.all, all]),
            moments: floats(&[g.trainable, d.trainable, moved, g.trainable, d.trainable, moved]),
            average: floats(&[g.all]),
            gradients: floats(&[d.trainable, d.trainable, of_copies, g.trainable, moved, moved]),
            activations: floats(&[passes, g.largest.max(d.largest)]).saturating_mul(*batch_size),
            checkpoint: floats(&[
                g.all,
                g.all,
                d.all,
                all,
                g.trainable,
                d.trainable,
                moved,
                g.trainable,
                d.trainable,
                moved,
            ]),
            pictures: 2 * data.images().pixels().len(),
            ..Memory::default()
        }
        .summed())
    }

    /// What training a judge holds: its weights, their average and gradients, and a batch as it is and
    /// changed.
    fn of_judge(options: judge::Options, data: &LabelledImages) -> Result<Memory> {
        let network = judge::training::config(data).network()?;
        let Numbers { all, trainable, held, largest } = Numbers::of(&network);
        let batch = floats(&[held, largest, network.input().elements(), network.input().elements()]);
        Ok(Memory {
            weights: floats(&[all]),
            moments: floats(&[trainable, trainable]),
            average: floats(&[all]),
            gradients: floats(&[trainable]),
            activations: batch.saturating_mul(options.batch_size),
            pictures: 2 * data.images().pixels().len(),
            ..Memory::default()
        }
        .summed())
    }

    fn summed(self) -> Memory {
        let Memory { weights, moments, average, gradients, activations, checkpoint, pictures, .. } = self;
        let parts = [weights, moments, average, gradients, activations, checkpoint, pictures];
        Memory { total: parts.into_iter().fold(0, usize::saturating_add), ..self }
    }
}

/// Refuses, before it starts, a run that this machine has no memory for.
///
/// # Errors
/// One sentence with what it needs and what there is.
pub fn check(config: &Config, data: &LabelledImages, device: &Device) -> Result<()> {
    let memory = Memory::of(config, data)?;
    let (needed, advice) = match device.is_cpu() {
        true if memory.activations > memory.total / 2 => (memory.total, "a smaller --batch-size"),
        true => (memory.total, "fewer --generator-filters and --discriminator-filters, or units"),
        // A GPU says itself when it is full; checkpoints and pictures go through the host's memory.
        false => (memory.checkpoint.saturating_add(memory.pictures), "fewer filters or units"),
    };
    refuse(needed, available(), &format!("a new run with {advice} needs less"))
}

/// As [`check`], of training a judge; `advice` is what needs less.
///
/// # Errors
/// One sentence with what it needs and what there is.
pub fn check_judge(
    options: judge::Options,
    data: &LabelledImages,
    device: &Device,
    advice: &str,
) -> Result<()> {
    let memory = Memory::of_judge(options, data)?;
    match device.is_cpu() {
        true => refuse(memory.total, available(), advice),
        false => Ok(()),
    }
}

fn refuse(needed: usize, available: Option<Available>, advice: &str) -> Result<()> {
    match available {
        Some(Available { bytes, whose }) if needed as u64 > bytes => bail!(
            "training would take {} of memory, but {whose} {}; {advice}",
            megabytes(needed),
            megabytes(bytes as usize)
        ),
        _ => Ok(()),
    }
}

/// Bytes of this many float32.
fn floats(numbers: &[usize]) -> usize {
    numbers.iter().fold(0usize, |sum, &n| sum.saturating_add(n)).saturating_mul(FLOAT)
}

/// 423 MB
pub fn megabytes(bytes: usize) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// Numbers that a forward pass of one picture keeps for the backward pass.
fn held(network: &Network) -> usize {
    let mut held = network.input().elements();
    let mut norm = false;
    for (named, shape) in network.layers().iter().zip(network.shapes()) {
        held += match named.layer {
            // They hold no numbers of their own, or are part of the next layer's.
            Layer::Label(_) | Layer::Reshape(_) | Layer::Flatten => 0,
            // It is counted with the batch norm before it.
            Layer::Activation(_) if norm => 0,
            _ => shape.elements(),
        };
        norm = matches!(named.layer, Layer::BatchNorm(_));
    }
    held
}

/// The most memory that this process has held.
pub fn held_at_most() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use contract::memory::Available;
    use models::{Architecture, Sizes};

    use super::{held, refuse};

    #[test]
    fn what_a_pass_keeps_is_counted_once() {
        let discriminator = Architecture::LabelledDcgan(Sizes::default()).discriminator().unwrap();
        // The picture, two for h0 (conv, LeakyReLU), h1 (conv, norm), h2 (linear, norm), the logit.
        let expected = 784 + 2 * 11 * 196 + 2 * 74 * 49 + 2 * 1024 + 1;
        assert_eq!(held(&discriminator), expected);
    }

    #[test]
    fn what_is_too_much_is_told_with_both_numbers() {
        let some = || Some(Available { bytes: 2_000_000_000, whose: "this machine has" });
        assert!(refuse(2_000_000_000, some(), "").is_ok() && refuse(usize::MAX, None, "").is_ok());
        let told = refuse(3_000_000_000, some(), "choose less").unwrap_err().to_string();
        assert_eq!(told, "training would take 3000 MB of memory, but this machine has 2000 MB; choose less");
    }
}
