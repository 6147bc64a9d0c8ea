//! One iteration of training and its parts, beside PyTorch in the same run.
//!
//! ```text
//! make bench                                        CPU, two threads
//! PYTHON=.venv/bin/python make bench                the Python that has torch
//! make bench ARGS='-- --pair labelled --batch 64'           one of both pairs, and of both sizes
//! cargo bench -p train --features cuda -- --device cuda
//! ```
//!
//! Times are medians of 20 iterations after a warm-up, of 5 for the unlabelled pair, which has 64×64 pixels
//! in colour. Both sides do the same work: one update of D, two of G, on pictures that are on the device
//! already. Where no Python has torch, ours is printed alone; instructions are counted where the processor
//! lets itself be asked.

use std::process::{Command, Stdio};
use std::time::Instant;

use candle_core::{Device, Tensor};
use clap::{Parser, ValueEnum};
use models::ops::Changing;
use models::{Architecture, Sizes};
use models::{Result, Wanted};
use train::adam::{Adam, Config};
use train::average;
use train::batches::latents;
use train::device::{Choice, Precision};
use train::memory;
use train::recipe::Recipe;
use train::trainer::Trainer;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

const THREADS: usize = 2;

/// Measures one iteration of training and its parts, beside PyTorch.
#[derive(Parser)]
struct Cli {
    /// auto, cpu, cuda or cuda:INDEX
    #[arg(long, default_value = "cpu")]
    device: Choice,
    /// One pair of networks rather than both
    #[arg(long)]
    pair: Option<Pair>,
    /// One batch size rather than 64 and 256
    #[arg(long)]
    batch: Option<usize>,
    /// f32, tf32 or bf16, rather than all that the device has
    #[arg(long, value_parser = precision)]
    precision: Option<Precision>,
    /// Added by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A pair of networks.
#[derive(Clone, Copy, ValueEnum)]
enum Pair {
    /// That of MNIST.
    Labelled,
    /// Of 64×64 pixels in colour.
    Unlabelled,
}

impl Pair {
    fn networks(self) -> Architecture {
        Architecture::from(match self {
            Pair::Labelled => Sizes::default(),
            Pair::Unlabelled => Sizes::unlabelled(),
        })
    }

    /// Iterations before those that count, and those.
    fn iterations(self) -> (usize, usize) {
        match self {
            Pair::Labelled => (5, 20),
            Pair::Unlabelled => (1, 5),
        }
    }
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

/// Medians of `work`, run so many times before it counts, and so many times then.
fn measure(
    device: &Device,
    (before, counted): (usize, usize),
    mut work: impl FnMut() -> Result<()>,
) -> Result<Cost> {
    let (mut times, mut queued) = (Vec::new(), Vec::new());
    for i in 0..before + counted {
        device.synchronize()?;
        let start = Instant::now();
        work()?;
        let returned = start.elapsed().as_secs_f64() * 1e3;
        device.synchronize()?;
        if i >= before {
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

const TORCH: [Torch; 9] = [
    Torch { name: "PyTorch, eager", arguments: &[], precision: Precision::Float32 },
    Torch { name: "PyTorch, compile", arguments: &["--compile"], precision: Precision::Float32 },
    Torch { name: "PyTorch, eager, TF32", arguments: &["--tf32"], precision: Precision::Tf32 },
    Torch { name: "PyTorch, compile, TF32", arguments: &["--compile", "--tf32"], precision: Precision::Tf32 },
    Torch { name: "PyTorch, eager, bf16", arguments: &["--bfloat16"], precision: Precision::Bf16 },
    Torch {
        name: "PyTorch, compile, bf16",
        arguments: &["--compile", "--bfloat16"],
        precision: Precision::Bf16,
    },
    Torch { name: "PyTorch, CUDA graphs", arguments: &[GRAPHS], precision: Precision::Float32 },
    Torch { name: "PyTorch, graphs, TF32", arguments: &[GRAPHS, "--tf32"], precision: Precision::Tf32 },
    Torch { name: "PyTorch, graphs, bf16", arguments: &[GRAPHS, "--bfloat16"], precision: Precision::Bf16 },
];

/// What makes PyTorch replay CUDA graphs: on a GPU alone.
const GRAPHS: &str = "--reduce-overhead";

impl Torch {
    /// Median milliseconds of PyTorch's iteration, and the process's peak memory in MB.
    fn run(self, pair: Pair, batch: usize, device: &Device) -> Option<(f64, f64)> {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_string());
        // Beside the sources, wherever the checkout is now.
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| "train".to_string());
        let (before, counted) = pair.iterations();
        let numbers = [batch, THREADS, before, counted].map(|n| n.to_string());
        let mut command = Command::new(python);
        command.arg(format!("{folder}/benches/torch_iteration.py")).args(numbers).args(self.arguments);
        command.args(matches!(pair, Pair::Unlabelled).then_some("--unlabelled"));
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
    fn new(networks: Architecture, batch: usize, precision: Precision, device: &Device) -> Result<Setting> {
        let mut trainer = Trainer::new(&networks, Recipe::default(), 0, device)?;
        trainer.round(precision.factors());
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
    memory::keep_freed();
    #[cfg(target_os = "linux")]
    let mut counter = instructions();
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global()?;
    let precisions: &[Precision] = match device.is_cuda() {
        true => &[Precision::Float32, Precision::Tf32, Precision::Bf16],
        false => &[Precision::Float32, Precision::Bf16],
    };
    let precisions: Vec<Precision> =
        precisions.iter().copied().filter(|p| cli.precision.is_none_or(|only| only == *p)).collect();
    let pairs = cli.pair.map_or(vec![Pair::Labelled, Pair::Unlabelled], |pair| vec![pair]);
    for pair in pairs {
        let (networks, (before, counted)) = (pair.networks(), pair.iterations());
        let Sizes { channels, height, width, .. } = networks.sizes();
        let on = match device.is_cuda() {
            true => Precision::Float32.describe(&device),
            false => format!("{}, {THREADS} threads", Precision::Bf16.describe(&device)),
        };
        println!("{} of {width}×{height}×{channels}, medians of {counted}, {on}\n", networks.name());
        println!("batch                             ms  images/s      faster by   peak MB");
        for batch in cli.batch.map_or(vec![64, 256], |batch| vec![batch]) {
            let speed = |ms: f64| batch as f64 / ms * 1e3;
            let mut ours: Vec<(Precision, f64)> = Vec::new();
            for &precision in &precisions {
                precision.apply(&device)?;
                if device.is_cuda() {
                    let mut setting = Setting::new(networks, batch, precision, &device)?;
                    let cost = measure(&device, (before, counted), || setting.iteration())?;
                    let (time, name) = (cost.time, "kernel by kernel");
                    println!("{batch:>5}  {name:>22}  {time:>7.2}  {:>8.0}", speed(time));
                    println!("{}", host_time(&cost));
                }
                let mut setting = Setting::new(networks, batch, precision, &device)?;
                setting.trainer.use_cuda_graphs();
                #[cfg(target_os = "linux")]
                let first = counter.as_mut().and_then(|counter| counter.read().ok());
                let cost = measure(&device, (before, counted), || setting.iteration())?;
                #[cfg(target_os = "linux")]
                let last = counter.as_mut().and_then(|counter| counter.read().ok());
                ours.push((precision, cost.time));
                let (time, memory) = (cost.time, peak_memory().unwrap_or(f64::NAN));
                let name = format!("edgegan, {}", name(precision));
                println!("{batch:>5}  {name:>22}  {time:>7.2}  {:>8.0}  {memory:>21.0}", speed(time));
                if device.is_cuda() {
                    println!("{}", host_time(&cost));
                    match setting.trainer.graph_failure() {
                        None => println!("       as a CUDA graph"),
                        Some(why) => println!("       not as a CUDA graph: {why}"),
                    }
                }
                #[cfg(target_os = "linux")]
                if let (Some(first), Some(last)) = (first, last) {
                    let each = (last - first) as f64 / (before + counted) as f64;
                    println!("       {:.2} billion instructions an iteration", each / 1e9);
                }
            }
            let mut theirs: Vec<(&Torch, f64)> = Vec::new();
            for torch in TORCH.iter().filter(|torch| precisions.contains(&torch.precision)) {
                if torch.arguments.contains(&GRAPHS) && !device.is_cuda() {
                    continue;
                }
                let Some((time, memory)) = torch.run(pair, batch, &device) else { continue };
                theirs.push((torch, time));
                let name = torch.name;
                let ratios = ours.iter().filter(|(precision, _)| *precision == torch.precision);
                let ratio: f64 = ratios.map(|(_, ours)| time / ours).sum();
                println!(
                    "{batch:>5}  {name:>22}  {time:>7.2}  {:>8.0}  {ratio:>12.2}×  {memory:>7.0}",
                    speed(time)
                );
            }
            if let Some((best, time)) = theirs.iter().min_by(|a, b| a.1.total_cmp(&b.1)) {
                for (precision, ours) in &ours {
                    let (name, ratio) = (name(*precision), time / ours);
                    println!("       {ratio:.2} × {}, PyTorch's best, by edgegan in {name}", best.name);
                }
            }
        }
        for &precision in &precisions {
            precision.apply(&device)?;
            parts(pair, precision, &device)?;
        }
        println!();
    }
    Ok(())
}

fn host_time(cost: &Cost) -> String {
    format!("       of which {:.2} ms until all is queued: the rest waits for nothing", cost.queued)
}

fn precision(text: &str) -> std::result::Result<Precision, String> {
    let all = [Precision::Float32, Precision::Tf32, Precision::Bf16];
    let found = all.into_iter().find(|precision| name(*precision) == text);
    found.ok_or_else(|| format!("{text} is none of f32, tf32 and bf16"))
}

fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::Float32 => "f32",
        Precision::Tf32 => "tf32",
        Precision::Bf16 => "bf16",
    }
}

/// Times the parts of an iteration.
fn parts(
    pair: Pair,
    precision: Precision,
    device: &Device,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    println!("\nparts of an iteration in {:>4}, batch 64   ms", name(precision));
    let networks = pair.networks();
    let Setting { mut trainer, x, y, .. } = Setting::new(networks, 64, precision, device)?;
    let z = latents(0, 0, 64, networks.sizes(), device)?;
    trainer.iteration(&x, &y, &z)?;
    let Trainer { generator, discriminator, g, d, average, .. } = &trainer;
    let fake = generator.trace(g, &z, Some(&y))?;
    let judged = discriminator.trace(d, &fake.output, Some(&y))?;
    let (dx, dl) = (fake.output.ones_like()?, judged.output.ones_like()?);
    let of_g = fake.backward(generator, g, &dx, Wanted::PARAMETERS)?;
    let of_d = judged.backward(discriminator, d, &dl, Wanted::PARAMETERS)?;
    let (mut adam_g, adam_d) = (Adam::new(Config::default(), g)?, Adam::new(Config::default(), d)?);
    let (step, take) = (adam_g.advance(1.), Changing::from(average::take(average::KEEP, 1000)));
    /// What it is, how often an iteration does it, and the work itself.
    type Part<'a> = (&'a str, usize, &'a mut dyn FnMut() -> Result<()>);
    let parts: [Part<'_>; 8] = [
        ("generator, forward", 2, &mut || generator.trace(g, &z, Some(&y)).map(|_| ())),
        ("generator, back", 2, &mut || fake.backward(generator, g, &dx, Wanted::PARAMETERS).map(|_| ())),
        ("discriminator, forward", 4, &mut || discriminator.trace(d, &fake.output, Some(&y)).map(|_| ())),
        ("discriminator, back", 2, &mut || {
            judged.backward(discriminator, d, &dl, Wanted::PARAMETERS).map(|_| ())
        }),
        ("back to the picture", 2, &mut || judged.backward(discriminator, d, &dl, Wanted::INPUT).map(|_| ())),
        ("Adam of the generator", 2, &mut || adam_g.step(g, &of_g, None, step)),
        ("Adam of the discriminator", 1, &mut || adam_d.step(d, &of_d, Some(&of_d), step)),
        ("the generator's average", 1, &mut || average::update(average, g, take)),
    ];
    let mut sum = 0.;
    for (name, times, part) in parts {
        let time = measure(device, pair.iterations(), part)?.time;
        sum += times as f64 * time;
        println!("{name:>31}  {time:>10.2}  × {times}");
    }
    println!("{:>31}  {sum:>10.2}", "together");
    Ok(())
}
