//! One iteration of training and its parts, beside PyTorch in the same run.
//!
//! ```text
//! cargo bench -p train                    # or: make bench
//! PYTHON=.venv/bin/python cargo bench …   # the Python that has torch
//! ```
//!
//! Each figure is the median of 20 iterations after a warm-up. Both sides do the same work on two
//! threads: one update of D, two of G, batch 64 or 256. Where no Python has torch, ours is printed
//! alone.

use std::process::{Command, Stdio};
use std::time::Instant;

use candle_core::{Device, Tensor};
use models::dcgan::Config;
use models::{Result, Wanted};
use train::batches::latents;
use train::memory;
use train::recipe::Recipe;
use train::trainer::Trainer;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

const ITERATIONS: usize = 20;
const WARMUP: usize = 3;
const THREADS: usize = 2;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Median milliseconds of `work`.
fn time(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::new();
    for i in 0..WARMUP + ITERATIONS {
        let start = Instant::now();
        work()?;
        if i >= WARMUP {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(median(times))
}

/// Median milliseconds of PyTorch's iteration, if a Python has torch.
fn torch(batch: usize, compile: bool) -> Option<f64> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_string());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/torch_iteration.py");
    let numbers = [batch, THREADS, WARMUP, ITERATIONS].map(|n| n.to_string());
    let mut command = Command::new(python);
    command.arg(script).args(numbers).args(compile.then_some("--compile")).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The largest memory that this process has had, in MB.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1e3)
}

/// What it is, how often an iteration does it, and the work itself.
type Part<'a> = (&'a str, usize, &'a dyn Fn() -> Result<()>);

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    memory::keep_freed();
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global()?;
    println!("median of {ITERATIONS}, {THREADS} threads, CPU, float32\n");
    println!("batch                                    ms    images/s  edgegan is faster by");
    for batch in [64, 256] {
        let mut trainer = Trainer::new(&Config::default(), Recipe::default(), 0, &Device::Cpu)?;
        let x = Tensor::rand(0f32, 1., (batch, 1, 28, 28), &Device::Cpu)?;
        let y = Tensor::from_iter((0..batch as u32).map(|i| i % 10), &Device::Cpu)?;
        let mut t = 0;
        let ours = time(|| {
            t += 1;
            let z = latents(0, t, batch, &Config::default(), &Device::Cpu)?;
            trainer.iteration(&x, &y, &z).map(|_| ())
        })?;
        let speed = |ms: f64| batch as f64 / ms * 1e3;
        println!("{batch:>5}  {:>24}  {ours:>10.1}  {:>10.0}", "edgegan", speed(ours));
        for (name, compile) in [("PyTorch, eager", false), ("PyTorch, torch.compile", true)] {
            if let Some(theirs) = torch(batch, compile) {
                let ratio = theirs / ours;
                println!("{batch:>5}  {name:>24}  {theirs:>10.1}  {:>10.0}  {ratio:>5.2}×", speed(theirs));
            }
        }
    }

    println!("\nparts of an iteration, batch 64");
    let trainer = Trainer::new(&Config::default(), Recipe::default(), 0, &Device::Cpu)?;
    let Trainer { generator, discriminator, g, d, .. } = &trainer;
    let y = Tensor::from_iter((0..64u32).map(|i| i % 10), &Device::Cpu)?;
    let z = latents(0, 0, 64, &Config::default(), &Device::Cpu)?;
    let fake = generator.trace(g, &z, Some(&y))?;
    let judged = discriminator.trace(d, &fake.output, Some(&y))?;
    let (dx, dl) = (fake.output.ones_like()?, judged.output.ones_like()?);
    let parameters = Wanted { input: false, parameters: true };
    let input = Wanted { input: true, parameters: false };
    let parts: [Part<'_>; 5] = [
        ("generator, forward", 2, &|| generator.trace(g, &z, Some(&y)).map(|_| ())),
        ("generator, back", 2, &|| fake.backward(generator, g, &dx, parameters).map(|_| ())),
        ("discriminator, forward", 4, &|| discriminator.trace(d, &fake.output, Some(&y)).map(|_| ())),
        ("discriminator, back", 2, &|| judged.backward(discriminator, d, &dl, parameters).map(|_| ())),
        ("back to the picture", 2, &|| judged.backward(discriminator, d, &dl, input).map(|_| ())),
    ];
    for (name, times, part) in parts {
        println!("{:>31}  {:>10.1}  × {times}", name, time(part)?);
    }
    if let Some(peak) = peak_memory() {
        println!("\npeak memory {peak:.0} MB");
    }
    Ok(())
}
