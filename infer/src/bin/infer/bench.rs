//! `infer bench`: how long this machine takes, from a cold start and when it is warm.

use std::{
    fmt,
    hint::black_box,
    num::NonZeroUsize,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Args;
use contract::{latent::latent_batch, number::from_one};
use infer::{
    Generator, ModelSource, Options, Runtime, Sample,
    cli::{MOST_AT_ONCE, Source},
};
use serde::Serialize;

use crate::common::Common;

pub const EXAMPLES: &str = "\
Examples:
  infer bench                              batches of 1, 16 and 64, on one thread and on all
  infer bench --engine rten --json         the other engine, for a program
  infer bench --batch-sizes 1 --threads 1 --seconds 10
                                           one case, for long

The cold start is this process's own: one picture, from loading the library on. Then each case is warmed
up and measured, with weights that were rearranged for speed. A run is a whole batch: latents in, 8-bit
pixels out. Nothing is written. Exit status as of drawing.";

/// Runs of each case before its clock starts.
const WARM_UP: usize = 3;
/// A percentile of fewer says little.
const FEWEST_RUNS: usize = 10;

#[derive(Debug, Args)]
pub struct Request {
    /// Images that go through the network at once, one case each
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values = ["1", "16", "64"])]
    #[arg(value_parser = from_one::<MOST_AT_ONCE>, allow_negative_numbers = true)]
    batch_sizes: Vec<NonZeroUsize>,
    /// How long to measure each case, in seconds
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    seconds: Duration,
    #[command(flatten)]
    common: Common,
}

fn seconds(text: &str) -> Result<Duration, String> {
    (text.parse().ok())
        .filter(|seconds| (0.01..=3600.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected seconds from 0.01 to 3600".into())
}

/// What was measured.
#[derive(Serialize)]
struct Report {
    cold: Cold,
    cases: Vec<Case>,
    #[serde(flatten)]
    source: Source,
}

/// The parts of a cold start, in milliseconds.
#[derive(Serialize)]
struct Cold {
    /// Finding and loading ONNX Runtime.
    library: f64,
    /// Creating the session, or whatever the engine has.
    session: f64,
    /// The first picture.
    first_run: f64,
}

/// Batches of one size on a number of threads; times in milliseconds.
#[derive(Serialize)]
struct Case {
    batch_size: usize,
    threads: usize,
    runs: usize,
    p50: f64,
    p90: f64,
    p99: f64,
    /// At the median.
    images_per_second: f64,
}

/// Measures what was asked for.
pub fn bench(request: &Request) -> Result<()> {
    let common = &request.common;
    let source = common.source();
    source.contract()?;
    let (cold, generator) = cold_start(&source, &common.options(1))?;
    let all = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = match common.running.threads {
        Some(threads) => vec![threads.get()],
        None if all == 1 => vec![1],
        None => vec![1, all],
    };
    // What was chosen for the first image, so that all cases run on the same.
    let (engine, device) = (generator.engine(), generator.device());
    let mut cases = Vec::new();
    for threads in threads {
        let options =
            Options { engine, device, threads: NonZeroUsize::new(threads), ..common.options(usize::MAX) };
        let mut generator = Generator::load(&source, &options)?;
        for batch_size in &request.batch_sizes {
            cases.push(measure(&mut generator, batch_size.get(), threads, request.seconds)?);
        }
    }
    let report = Report { cold, cases, source: Source::new(&source, &generator, &common.running) };
    common.print(&report, || report.to_string())
}

fn cold_start(source: &ModelSource<'_>, options: &Options) -> Result<(Cold, Generator)> {
    let started = Instant::now();
    if options.engine.takes_library() {
        // If it fails, loading the model says why, or goes on without it.
        let _ = Runtime::load(options.runtime.as_deref());
    }
    let library = started.elapsed();
    let mut generator = Generator::load(source, options)?;
    let session = started.elapsed();
    generator.samples(0, &[Sample { index: 0, label: 0 }])?;
    let first_run = started.elapsed();
    let cold = Cold {
        library: milliseconds(library),
        session: milliseconds(session - library),
        first_run: milliseconds(first_run - session),
    };
    Ok((cold, generator))
}

fn measure(
    generator: &mut Generator,
    batch_size: usize,
    threads: usize,
    enough: Duration,
) -> Result<Case, infer::Error> {
    let contract = generator.contract();
    let indices: Vec<u64> = (0..batch_size as u64).collect();
    let latents = latent_batch(contract.latent_distribution, 0, &indices, contract.latent_dim);
    let classes = contract.classes.len();
    let labels: Vec<i64> = match classes {
        0 => Vec::new(),
        _ => (0..batch_size).map(|i| (i % classes) as i64).collect(),
    };
    let range = contract.pixel_range;
    let mut run = || {
        let started = Instant::now();
        let images = generator.run(latents.view(), &labels)?;
        black_box(range.quantize(&images));
        Ok(milliseconds(started.elapsed()))
    };
    for _ in 0..WARM_UP {
        run()?;
    }
    let started = Instant::now();
    let mut times = Vec::new();
    while times.len() < FEWEST_RUNS || started.elapsed() < enough {
        times.push(run()?);
    }
    times.sort_by(f64::total_cmp);
    let p50 = percentile(&times, 50);
    Ok(Case {
        batch_size,
        threads,
        runs: times.len(),
        p50,
        p90: percentile(&times, 90),
        p99: percentile(&times, 99),
        images_per_second: batch_size as f64 / p50 * 1e3,
    })
}

/// The nearest-rank percentile of times in order, at least one.
fn percentile(times: &[f64], percent: usize) -> f64 {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or(f64::NAN)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cold { library, session, first_run } = self.cold;
        writeln!(
            f,
            "cold start: library {library:.1} ms, session {session:.1} ms, first picture {first_run:.1} ms"
        )?;
        writeln!(f, "threads  batch    p50 ms    p90 ms    p99 ms  images/s    runs")?;
        for Case { threads, batch_size, runs, p50, p90, p99, images_per_second } in &self.cases {
            writeln!(
                f,
                "{threads:7}  {batch_size:5}  {p50:8.3}  {p90:8.3}  {p99:8.3}  {images_per_second:8.0}  {runs:6}"
            )?;
        }
        self.source.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([50, 90, 99].map(|percent| percentile(&times, percent)), [100.0, 180.0, 198.0]);
        assert_eq!(percentile(&[7.0], 50), 7.0);
    }
}
