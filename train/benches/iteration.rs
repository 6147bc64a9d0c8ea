//! One iteration of training and its parts, beside PyTorch in the same run.
//!
//! ```text
//! make bench                                        CPU, two threads
//! PYTHON=.venv/bin/python make bench                the Python that has torch
//! cargo bench -p train --bench iteration -- --unlabelled    the pair for 64×64 pixels in colour
//! cargo bench -p train --features cuda -- --device cuda
//! ```
//!
//! Times are medians of 20 iterations after a warm-up. Both sides do the same work: one update of
//! D, two of G, on pictures that are on the device already. Where no Python has torch, ours is
//! printed alone; instructions are counted where the processor lets itself be asked.

use std::process::{Command, Stdio};
use std::time::Instant;

use candle_core::{Device, Tensor};
use clap::Parser;
use models::{Architecture, Sizes};
use models::{Result, Wanted};
use train::batches::latents;
use train::device::{Choice, Precision};
use train::memory;
use train::recipe::Recipe;
use train::trainer::Trainer;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

const ITERATIONS: usize = 20;
const WARMUP: usize = 5;
const THREADS: usize = 2;

/// Measures one iteration of training and its parts, beside PyTorch.
#[derive(Parser)]
struct Cli {
    /// auto, cpu, cuda or cuda:INDEX
    #[arg(long, default_value = "cpu")]
    device: Choice,
    /// The unlabelled pair, of 64×64 pixels in colour, rather than the labelled one of MNIST
    #[arg(long)]
    unlabelled: bool,
    /// Added by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What an iteration costs.
struct Cost {
    /// Milliseconds until its results are there.
    time: f64,
    /// Milliseconds until the call returns: on a GPU the work is only queued then.
    queued: f64,
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Medians of `work`.
fn measure(device: &Device, mut work: impl FnMut() -> Result<()>) -> Result<Cost> {
    let (mut times, mut queued) = (Vec::new(), Vec::new());
    for i in 0..WARMUP + ITERATIONS {
        device.synchronize()?;
        let start = Instant::now();
        work()?;
        let returned = start.elapsed().as_secs_f64() * 1e3;
        device.synchronize()?;
        if i >= WARMUP {
            times.push(start.elapsed().as_secs_f64() * 1e3);
            queued.push(returned);
        }
    }
    Ok(Cost { time: median(times), queued: median(queued) })
}

/// A way for PyTorch to do it.
#[derive(Clone, Copy)]
struct Torch {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Whom it is compared with.
    precision: Precision,
}

const EAGER: Torch = Torch { name: "PyTorch, eager", arguments: &[], precision: Precision::Float32 };
const COMPILED: Torch =
    Torch { name: "PyTorch, torch.compile", arguments: &["--compile"], precision: Precision::Float32 };
const TF32: Torch =
    Torch { name: "PyTorch, eager, TF32", arguments: &["--tf32"], precision: Precision::Tf32 };
const COMPILED_TF32: Torch =
    Torch { name: "PyTorch, compile, TF32", arguments: &["--compile", "--tf32"], precision: Precision::Tf32 };
const BF16: Torch =
    Torch { name: "PyTorch, eager, bf16", arguments: &["--bfloat16"], precision: Precision::Bf16 };
const COMPILED_BF16: Torch = Torch {
    name: "PyTorch, compile, bf16",
    arguments: &["--compile", "--bfloat16"],
    precision: Precision::Bf16,
};

impl Torch {
    /// Median milliseconds of PyTorch's iteration, and the process's peak memory in MB.
    fn run(self, networks: &Architecture, batch: usize, device: &Device) -> Option<(f64, f64)> {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_string());
        // Beside the sources, wherever the checkout is now.
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| "train".to_string());
        let numbers = [batch, THREADS, WARMUP, ITERATIONS].map(|n| n.to_string());
        let mut command = Command::new(python);
        command.arg(format!("{folder}/benches/torch_iteration.py")).args(numbers).args(self.arguments);
        command.args(networks.classes().is_none().then_some("--unlabelled"));
        let output = command.args(device.is_cuda().then_some("--cuda")).stderr(Stdio::null()).output();
        let output = output.ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stdout).ok()?;
        let mut numbers = text.split_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

/// The largest memory that this process has had, in MB.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1e3)
}

/// Instructions of all threads started after it, where the processor counts them.
#[cfg(target_os = "linux")]
fn instructions() -> Option<perf_event::Counter> {
    use perf_event::events::Hardware;

    let mut counter = perf_event::Builder::new(Hardware::INSTRUCTIONS).inherit(true).build().ok()?;
    counter.enable().ok()?;
    Some(counter)
}

/// A pair of networks with a batch that stays the same.
struct Setting {
    networks: Architecture,
    trainer: Trainer,
    x: Tensor,
    y: Tensor,
    batch: usize,
    t: u64,
}

impl Setting {
    fn new(networks: Architecture, batch: usize, device: &Device) -> Result<Setting> {
        let trainer = Trainer::new(&networks, Recipe::default(), 0, device)?;
        let Sizes { classes, channels, height, width, .. } = *networks.sizes();
        let x = Tensor::rand(networks.black() as f32, 1., (batch, channels, height, width), device)?;
        let y = Tensor::from_iter((0..batch as u32).map(|i| i % classes.max(1) as u32), device)?;
        Ok(Setting { networks, trainer, x, y, batch, t: 0 })
    }

    fn iteration(&mut self) -> Result<()> {
        self.t += 1;
        let z = latents(0, self.t, self.batch, self.networks.sizes(), self.x.device())?;
        self.trainer.iteration(&self.x, &self.y, &z).map(|_| ())
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let cli = Cli::parse();
    let device = cli.device.open()?;
    let sizes = if cli.unlabelled { Sizes::unlabelled() } else { Sizes::default() };
    let networks = Architecture::from(sizes);
    memory::keep_freed();
    #[cfg(target_os = "linux")]
    let mut counter = instructions();
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global()?;

    println!(
        "{} of {}×{}×{}, medians of {ITERATIONS}, {}\n",
        networks.name(),
        sizes.width,
        sizes.height,
        sizes.channels,
        match device.is_cuda() {
            true => Precision::Float32.describe(&device),
            false => format!("CPU, {THREADS} threads"),
        }
    );
    println!("batch                             ms  images/s      faster by   peak MB");
    for &batch in if networks.classes().is_some() { &[64, 256][..] } else { &[64] } {
        let precisions: &[Precision] = match device.is_cuda() {
            true => &[Precision::Float32, Precision::Tf32],
            false => &[Precision::Float32, Precision::Bf16],
        };
        for &precision in precisions {
            precision.apply(&device)?;
            let mut setting = Setting::new(networks, batch, &device)?;
            setting.trainer.round(precision.factors());
            #[cfg(target_os = "linux")]
            let before = counter.as_mut().and_then(|counter| counter.read().ok());
            let ours = measure(&device, || setting.iteration())?;
            #[cfg(target_os = "linux")]
            let after = counter.as_mut().and_then(|counter| counter.read().ok());
            let (memory, speed) = (peak_memory().unwrap_or(f64::NAN), |ms: f64| batch as f64 / ms * 1e3);
            let name = match precision {
                Precision::Float32 => "edgegan",
                Precision::Tf32 => "edgegan, TF32",
                Precision::Bf16 => "edgegan, bf16",
            };
            println!(
                "{batch:>5}  {name:>22}  {:>7.2}  {:>8.0}  {:>21.0}",
                ours.time,
                speed(ours.time),
                memory
            );
            if device.is_cuda() {
                println!(
                    "       of which {:.2} ms until all is queued: the rest waits for nothing",
                    ours.queued
                );
            }
            #[cfg(target_os = "linux")]
            match (before, after) {
                (Some(before), Some(after)) => {
                    let each = (after - before) as f64 / (WARMUP + ITERATIONS) as f64;
                    println!("       {:.2} billion instructions an iteration", each / 1e9);
                }
                _ => println!("       instructions: this processor doesn't let itself be asked"),
            }
            for torch in [EAGER, COMPILED, TF32, COMPILED_TF32, BF16, COMPILED_BF16] {
                if torch.precision != precision {
                    continue;
                }
                if let Some((theirs, their_memory)) = torch.run(&networks, batch, &device) {
                    let ratio = theirs / ours.time;
                    println!(
                        "{batch:>5}  {:>22}  {theirs:>7.2}  {:>8.0}  {ratio:>12.2}×  {their_memory:>7.0}",
                        torch.name,
                        speed(theirs)
                    );
                }
            }
        }
    }
    Precision::Float32.apply(&device)?;
    parts(networks, &device)
}

/// Times the parts of an iteration.
fn parts(networks: Architecture, device: &Device) -> std::result::Result<(), Box<dyn std::error::Error>> {
    println!("\nparts of an iteration, batch 64           ms");
    let Setting { trainer, y, .. } = Setting::new(networks, 64, device)?;
    let Trainer { generator, discriminator, g, d, .. } = &trainer;
    let z = latents(0, 0, 64, networks.sizes(), device)?;
    let fake = generator.trace(g, &z, Some(&y))?;
    let judged = discriminator.trace(d, &fake.output, Some(&y))?;
    let (dx, dl) = (fake.output.ones_like()?, judged.output.ones_like()?);
    /// What it is, how often an iteration does it, and the work itself.
    type Part<'a> = (&'a str, usize, &'a dyn Fn() -> Result<()>);
    let parts: [Part<'_>; 5] = [
        ("generator, forward", 2, &|| generator.trace(g, &z, Some(&y)).map(|_| ())),
        ("generator, back", 2, &|| fake.backward(generator, g, &dx, Wanted::PARAMETERS).map(|_| ())),
        ("discriminator, forward", 4, &|| discriminator.trace(d, &fake.output, Some(&y)).map(|_| ())),
        ("discriminator, back", 2, &|| {
            judged.backward(discriminator, d, &dl, Wanted::PARAMETERS).map(|_| ())
        }),
        ("back to the picture", 2, &|| judged.backward(discriminator, d, &dl, Wanted::INPUT).map(|_| ())),
    ];
    for (name, times, part) in parts {
        println!("{:>31}  {:>10.2}  × {times}", name, measure(device, part)?.time);
    }
    Ok(())
}
