//! What a run would be, without starting it: `train --dry-run`.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;
use candle_core::Device;
use contract::{printable, thousands};
use models::Network;
use serde::ser::Error;
use serde::{Serialize, Serializer};

use crate::batches::{self, Batches};
use crate::device::CudaGraphs;
use crate::guide::Guide;
use crate::options::Options;
use crate::room::{self, Memory};
use crate::run::Config;
use crate::settings::Settings;
use crate::sources::LabelledImages;
use crate::trainer::Trainer;

/// How long iterations are timed for. The last one that starts within it is finished.
const TIMED: Duration = Duration::from_secs(3);

/// What a run would be.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Every option.
    #[serde(serialize_with = "given")]
    pub settings: Options,
    /// What is learned.
    pub data: Data,
    /// "cpu", "cuda:0", …
    pub device: String,
    /// The generator's layers.
    pub generator: Table,
    /// The discriminator's layers.
    pub discriminator: Table,
    /// What training holds.
    pub memory: Memory,
    /// How long it takes.
    pub time: Time,
}

/// What is learned.
#[derive(Debug, Serialize)]
pub struct Data {
    /// The data's name.
    pub name: String,
    /// How many images.
    pub images: usize,
    /// Columns of each.
    pub width: usize,
    /// Rows of each.
    pub height: usize,
    /// 1 for grey, 3 for colour.
    pub channels: usize,
    /// The classes' names; none where the pictures have no labels.
    pub classes: Vec<String>,
}

impl Data {
    /// What these pictures are.
    pub fn of(data: &LabelledImages) -> Data {
        let images = data.images();
        Data {
            name: data.name().to_string(),
            images: data.len(),
            width: images.width(),
            height: images.height(),
            channels: images.channels(),
            classes: data.class_names().to_vec(),
        }
    }
}

/// All but the name.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Data { images, width, height, channels, classes, .. } = self;
        let colour = if *channels == 3 { " in colour" } else { "" };
        write!(f, "{images} images of {width}×{height}{colour} ")?;
        match classes.len() {
            0 => f.write_str("without labels"),
            classes => write!(f, "in {classes} classes"),
        }
    }
}

/// A network as a table.
#[derive(Debug, Serialize)]
pub struct Table {
    /// Numbers that the optimiser moves.
    pub trainable: usize,
    /// From the input to the output.
    pub layers: Vec<Row>,
}

/// One layer.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name in checkpoints.
    pub layer: String,
    /// What it does.
    pub operation: String,
    /// The shape that it makes, with N for the batch.
    pub output: String,
    /// Numbers that the optimiser moves.
    pub parameters: usize,
}

/// How long training takes, from a few real iterations.
#[derive(Debug, Serialize)]
pub struct Time {
    /// Iterations that were timed, after one that wasn't.
    pub timed: usize,
    /// Their median.
    pub seconds_per_iteration: f64,
    /// Iterations of the run.
    pub iterations: u64,
    /// The product.
    pub seconds: f64,
}

impl Plan {
    /// Estimates memory, and times a few iterations that change no file.
    ///
    /// # Errors
    /// If the networks don't fit the data, or the memory; Candle's.
    pub fn new(
        settings: Options,
        config: &Config,
        data: &LabelledImages,
        (device, graphs): (&Device, CudaGraphs),
    ) -> Result<Plan> {
        let Settings { networks, recipe, seed, .. } = &config.settings;
        let mut trainer = Trainer::new(networks, *recipe, *seed, device)?;
        if recipe.has_guide() {
            trainer.guide = Some(Guide::untrained(networks, *seed, device)?);
        }
        trainer.round(config.settings.precision.factors());
        if graphs == CudaGraphs::On {
            trainer.use_cuda_graphs();
        }
        let (generator, discriminator) = (table(&trainer.generator), table(&trainer.discriminator));
        let time = time(&mut trainer, config, data, device)?;
        Ok(Plan {
            memory: Memory { measured: room::held_at_most(), ..Memory::of(config, data)? },
            settings,
            device: config.device.clone(),
            data: Data::of(data),
            generator,
            discriminator,
            time,
        })
    }
}

fn given<S: Serializer>(options: &Options, serializer: S) -> Result<S::Ok, S::Error> {
    options.values().map_err(S::Error::custom)?.serialize(serializer)
}

fn table(network: &Network) -> Table {
    let rows = network.layers().iter().zip(network.shapes());
    let layers = rows.map(|(named, shape)| {
        let trainable = named.layer.parameters().into_iter().filter(|parameter| parameter.trainable);
        Row {
            layer: named.name.clone(),
            operation: named.layer.to_string(),
            output: shape.to_string(),
            parameters: trainable.map(|parameter| parameter.dims.iter().product::<usize>()).sum(),
        }
    });
    Table { trainable: network.trainable(), layers: layers.collect() }
}

fn time(trainer: &mut Trainer, config: &Config, data: &LabelledImages, device: &Device) -> Result<Time> {
    let Settings { batch_size, seed, networks, .. } = &config.settings;
    let mut batches = Batches::new(data, config.batches(), device)?;
    let mut iteration = |t: u64| -> Result<f64> {
        let started = Instant::now();
        let (x, y) = batches.batch(t)?;
        let z = batches::latents(*seed, t, *batch_size, networks.sizes(), device)?;
        // Reading a figure waits for the device.
        trainer.iteration(&x, &y, &z)?.loss_d()?;
        Ok(started.elapsed().as_secs_f64())
    };
    iteration(0)?;
    let started = Instant::now();
    let mut seconds = Vec::new();
    while started.elapsed() < TIMED {
        seconds.push(iteration(1 + seconds.len() as u64)?);
    }
    seconds.sort_by(f64::total_cmp);
    let (timed, median) = (seconds.len(), seconds.get(seconds.len() / 2).copied().unwrap_or_default());
    let iterations = config.iterations();
    Ok(Time { timed, seconds_per_iteration: median, iterations, seconds: median * iterations as f64 })
}

/// A file that `--config` takes: all but the settings are comments.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { settings, data, device, generator, discriminator, memory, time } = self;
        writeln!(
            f,
            "# The settings of this run. Nothing was written; this is a file for cargo train --config."
        )?;
        write!(f, "{settings}")?;
        writeln!(f, "\n# Data: {}, {data}", printable(&data.name))?;
        for (title, table) in [("Generator", generator), ("Discriminator", discriminator)] {
            writeln!(f, "#\n# {title}: {} trainable parameters", thousands(table.trainable as u64))?;
            writeln!(f, "# {:<12} {:<48} {:<18} {:>11}", "layer", "operation", "output", "parameters")?;
            for Row { layer, operation, output, parameters } in &table.layers {
                let parameters = if *parameters > 0 { thousands(*parameters as u64) } else { String::new() };
                let row = format!("# {layer:<12} {operation:<48} {output:<18} {parameters:>11}");
                writeln!(f, "{}", row.trim_end())?;
            }
        }
        let Memory { weights, moments, average, gradients, activations, .. } = *memory;
        let Memory { checkpoint, pictures, total, measured, .. } = *memory;
        writeln!(
            f,
            "#\n# Memory on {device}, without the program and its kernels' working space: {}",
            room::megabytes(total)
        )?;
        let parts = [
            ("weights", weights),
            ("Adam's moments", moments),
            ("average", average),
            ("gradients", gradients),
            ("activations of a batch", activations),
            ("a checkpoint", checkpoint),
            ("pictures, as read and on the device", pictures),
        ];
        let parts = parts.map(|(what, bytes)| format!("{what} {}", room::megabytes(bytes)));
        writeln!(f, "#   {}", parts.join(", "))?;
        if let Some(measured) = measured {
            writeln!(
                f,
                "#   this process, which ran iterations and made no checkpoint, has held {} at most",
                room::megabytes(measured)
            )?;
        }
        let Time { timed, seconds_per_iteration, iterations, seconds } = time;
        writeln!(
            f,
            "# Time: {iterations} iterations of {:.3} s, the median of {timed} that were run: {}; samples, \
             checkpoints and a guide's own training not counted",
            seconds_per_iteration,
            duration(*seconds)
        )
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..120. => format!("{seconds:.1} s"),
        ..7200. => format!("{:.0} min", seconds / 60.),
        _ => format!("{:.1} h", seconds / 3600.),
    }
}

#[cfg(test)]
mod tests {
    use contract::thousands;
    use models::{Architecture, Sizes};

    use super::{duration, table};

    #[test]
    fn the_tables_are_the_design_s() {
        let config = Architecture::LabelledDcgan(Sizes::default());
        let (g, d) = (table(&config.generator().unwrap()), table(&config.discriminator().unwrap()));
        assert_eq!((g.trainable, d.trainable), (7_065_211, 3_769_479));
        for table in [&g, &d] {
            assert_eq!(table.layers.iter().map(|row| row.parameters).sum::<usize>(), table.trainable);
        }
        let row = g.layers.iter().find(|row| row.layer == "h2.deconv").unwrap();
        assert_eq!(row.operation, "transposed conv 5×5 stride 2 SAME, 128 filters");
        assert_eq!((row.output.as_str(), row.parameters), ("N, 128, 14, 14", 138 * 128 * 25 + 128));
        let label = d.layers.iter().find(|row| row.layer == "h1.label").unwrap();
        assert_eq!((label.output.as_str(), label.parameters), ("N, 21, 14, 14", 0));
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0, 999, 1000, 7_065_211].map(thousands), ["0", "999", "1,000", "7,065,211"]);
        assert_eq!([1.25, 600., 36_000.].map(duration), ["1.2 s", "10 min", "10.0 h"]);
    }
}
