//! `infer dataset`: any number of images, written while they are drawn.

mod manifest;
mod pipeline;
mod plan;
mod progress;
mod sink;

use std::{
    fmt, fs, io, mem,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use contract::Contract;
use infer::{
    Device, Generator, LOADING_WEIGHTS_PAYS, ModelSource, Options, command::Source, find_class, verify::Kept,
};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{cli::Common, draw::STDOUT, verification::Verify};
use manifest::Manifest;
use pipeline::{Batch, Runner, Stopped, Work};
use plan::{Labels, Shard};
use progress::Progress;
use sink::Sink;

/// How often what is written is made safe.
const CHECKPOINT: Duration = Duration::from_secs(5);

pub const EXAMPLES: &str = "\
Examples:
  infer dataset --count 60000 --out fake           train-images-idx3-ubyte and train-labels-idx1-ubyte
                                                   in fake/, as MNIST's readers take them
  infer dataset --count 1000 --out fake.npz        arrays images and labels, for NumPy
  infer dataset --count 1000 --format folder --out fake
                                                   fake/0/….png to fake/9/….png, and fake/labels.csv
  infer dataset --count 1000 --format folder --out sure --verify 0.9
                                                   each drawn anew until a judge is so sure of it
  infer dataset --count 10 --format jsonl --out - | jq .class
  infer dataset --digit 5 --count 100 --format raw --out - > fives
  infer dataset --count 1000000 --seed 1 --out many --resume
                                                   goes on where it was stopped, or begins
  infer dataset --count 1000000000 --seed 1 --out many --resume --shard 3/1000
                                                   part 3 of 1000, in many/3-of-1000/

Image i has label i mod the number of classes, and depends on model, seed, i and label alone. A data set
is complete up to the image that its manifest.json says, at any time. Exit status: 0 done; 1 running the
model or writing failed; 2 the request can't be served; 130 stopped by Ctrl-C or SIGTERM, all safe.";

/// The form of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// MNIST's two files, in a folder
    Idx,
    /// NumPy's archive of two arrays
    Npz,
    /// A folder for each class, and labels.csv
    Folder,
    /// The pixels, a byte each
    Raw,
    /// A JSON object a line
    Jsonl,
}

impl Format {
    /// Whether the output is a folder.
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Idx | Self::Folder)
    }

    /// Labels are bytes.
    fn most_classes(self) -> usize {
        match self {
            Self::Idx | Self::Npz => 256,
            Self::Folder | Self::Raw | Self::Jsonl => usize::MAX,
        }
    }

    /// IDX counts images in 32 bits.
    fn most_images(self) -> u64 {
        if self == Self::Idx { u32::MAX.into() } else { u64::MAX }
    }

    /// The form that a name suggests.
    fn of(output: &Path) -> Self {
        match output.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => Self::Npz,
            Some("jsonl") => Self::Jsonl,
            Some("raw") => Self::Raw,
            _ => Self::Idx,
        }
    }
}

#[derive(Debug, Args)]
pub struct Request {
    /// How many images
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// The folder or file to write, or - for standard output
    #[arg(short, long, value_name = "PATH")]
    out: PathBuf,
    /// The form [default: what the name ends in, .npz, .jsonl or .raw; else idx]
    #[arg(short, long, value_enum)]
    format: Option<Format>,
    /// Only this class; without it, all in turn
    #[arg(short, long, visible_alias = "digit", value_name = "NAME", allow_hyphen_values = true)]
    label: Option<String>,
    /// Seed of the images; without it another one each time, which the manifest tells
    #[arg(short, long)]
    seed: Option<u64>,
    /// Write part I of N only, into a folder or file of its own
    #[arg(long, value_name = "I/N", requires = "seed")]
    shard: Option<Shard>,
    /// Go on with a data set that was begun; begin if there is none
    #[arg(long)]
    resume: bool,
    /// Images that go through the network at once
    #[arg(long, value_name = "N", default_value = "32")]
    batch_size: NonZeroUsize,
    #[command(flatten)]
    verify: Verify,
    #[command(flatten)]
    common: Common,
}

/// A request that can't be served; exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Stopped by the user; exit status 130.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(String);

/// What was written.
#[derive(Serialize)]
struct Report<'a> {
    out: String,
    manifest: &'a Manifest,
    /// How many images this call drew.
    drawn: u64,
    seconds: f64,
    #[serde(flatten)]
    source: Source,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, manifest, drawn, seconds, source } = self;
        let Manifest { seed, first, complete, .. } = manifest;
        writeln!(f, "images {first} to {} of seed {seed}: {out}", (first + complete).saturating_sub(1))?;
        if *drawn > 0 {
            writeln!(f, "{drawn} drawn in {seconds:.1} s, {:.0} images/s", *drawn as f64 / seconds)?;
        }
        if let Some(verified) = &manifest.verified {
            writeln!(f, "{}", verified.of(*complete))?;
        }
        source.fmt(f)
    }
}

/// Writes the data set that was asked for.
pub fn write(request: &Request) -> Result<()> {
    let common = &request.common;
    let source = common.source();
    let contract = source.contract()?;
    let to_stdout = request.out == Path::new(STDOUT);
    let format = request.format.unwrap_or(if to_stdout { Format::Raw } else { Format::of(&request.out) });
    let output = match request.shard {
        Some(shard) if !to_stdout => part(&request.out, format, shard),
        _ => request.out.clone(),
    };
    let mut manifest = request.manifest(format, &contract)?;
    let manifest_path = Manifest::path(format, &output);
    if to_stdout {
        refuse_on_stdout(request, format)?;
    } else {
        manifest.model_sha256 = source.sha256()?;
        begin(request, &mut manifest, &output, &manifest_path)?;
    }
    let rest = manifest.images - manifest.complete;
    let mut runners = load(request, &source, rest)?;
    manifest.engine = runners[0].generator.engine_name();

    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second one ends the program at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let started = Instant::now();
    let work = Work {
        seed: manifest.seed,
        labels: manifest.labels,
        images: manifest.first + manifest.complete..manifest.first + manifest.images,
        batch_size: request.batch_size.get(),
    };
    let place = match to_stdout {
        true => Place::Stdout,
        false => Place::Path { output: &output, manifest: &manifest_path },
    };
    let progress = Progress::new(rest, common.running.quiet || common.running.json);
    let saved = Instant::now();
    let mut writer = Writer { manifest, place, sink: None, pending: Pending::default(), saved, progress };
    let ran = pipeline::run(&mut runners, &work, &stop, |batch| writer.append(batch));
    let ended = match ran {
        // What couldn't be written stays as it was when it was last safe.
        Err(Stopped::Output(_)) => Ok(()),
        _ => writer.end(),
    };
    let manifest = writer.manifest;
    let so_far = || match manifest.complete {
        _ if to_stdout => String::new(),
        0 => "; no image is complete".into(),
        complete => {
            let last = manifest.first + complete - 1;
            format!("; {} is complete up to image {last}, go on with --resume", output.display())
        }
    };
    let written = match ran {
        Err(Stopped::Model(error)) => return Err(error).with_context(|| format!("stopped{}", so_far())),
        Err(Stopped::Output(error)) => Err(error),
        Ok(()) => ended,
    };
    match written {
        // The reader of a pipe has seen enough.
        Err(error) if to_stdout && error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        Err(error) => bail!("output {} can't be written ({error}){}", output.display(), so_far()),
        Ok(()) => {}
    }
    if stop.load(Ordering::Relaxed) && manifest.complete < manifest.images {
        bail!(Interrupted(format!("stopped{}", so_far())));
    }
    if to_stdout {
        if let Some(verified) = manifest.verified.as_ref().filter(|_| !common.running.quiet) {
            eprintln!("{}", verified.of(manifest.complete));
        }
        return Ok(());
    }
    let report = Report {
        out: output.display().to_string(),
        drawn: rest,
        seconds: started.elapsed().as_secs_f64(),
        source: Source::new(&source, &runners[0].generator, &common.running),
        manifest: &manifest,
    };
    common.print(&report, || report.to_string())
}

/// The model, and the judge, once for each thread of the CPU, each for itself: so none waits for
/// another, which costs more the busier the machine is. A GPU has them once.
///
/// How the CPU's are loaded can decide the last bit of a sum. That follows from the size of the whole
/// data set, so it is the same for each part of it, for what is left of one, and for any number of
/// threads: a copy has [`LOADING_WEIGHTS_PAYS`] images or more, or is the only one.
fn load(request: &Request, source: &ModelSource<'_>, rest: u64) -> Result<Vec<Runner>> {
    let all = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = request.common.running.threads.unwrap_or_else(all).get() as u64;
    let copies = |images: u64| threads.min(images / LOADING_WEIGHTS_PAYS as u64).max(1);
    let each = usize::try_from(request.count / copies(request.count)).unwrap_or(usize::MAX);
    let options = Options { threads: Some(NonZeroUsize::MIN), ..request.common.options(each) };
    let load = |options: &Options| -> Result<Runner> {
        let generator = Generator::load(source, options)?;
        Ok(Runner { verifier: request.verify.load(&generator, options)?, generator })
    };
    let mut runners = vec![load(&options)?];
    if runners[0].generator.device() == Device::Cpu {
        let options = Options { engine: runners[0].generator.engine(), device: Device::Cpu, ..options };
        let batches = rest.div_ceil(request.batch_size.get() as u64);
        for _ in 1..copies(rest).min(batches) {
            runners.push(load(&options)?);
        }
    }
    Ok(runners)
}

impl Request {
    /// The data set that is asked for, with none of its images drawn.
    fn manifest(&self, format: Format, contract: &Contract) -> Result<Manifest> {
        let refuse = |why: String| Err(Refused(why).into());
        let model = self.common.source().name();
        let labels = match &self.label {
            None => Labels::InTurn { classes: contract.classes.len() as u64 },
            Some(name) => Labels::All(find_class(contract, "--label", name, &model)?),
        };
        if contract.classes.len() > format.most_classes() {
            let classes = contract.classes.len();
            return refuse(format!(
                "model {model} has {classes} classes, and this form holds 256; use --format folder"
            ));
        }
        let shard = self.shard.unwrap_or(Shard::WHOLE);
        let range = shard.range(self.count);
        let images = range.end - range.start;
        if images > format.most_images() {
            return refuse(format!(
                "an IDX file holds at most {} images; use --shard or --format npz",
                u32::MAX
            ));
        }
        if images == 0 {
            return refuse(format!(
                "--shard {shard}: {} images have no such part; use fewer parts",
                self.count
            ));
        }
        Ok(Manifest {
            format,
            model,
            model_sha256: String::new(),
            engine: String::new(),
            // 32 bits are enough to differ, and short enough to type.
            seed: self.seed.unwrap_or_else(|| rand::random::<u32>().into()),
            count: self.count,
            shard,
            first: range.start,
            images,
            complete: 0,
            labels,
            classes: contract.classes.clone(),
            verified: self.verify.request()?,
            shape: None,
            tail: Default::default(),
        })
    }
}

/// Where a part of a data set goes: a folder in its folder, or a file beside its file.
fn part(output: &Path, format: Format, shard: Shard) -> PathBuf {
    if format.is_folder() {
        return output.join(shard.to_string());
    }
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let extension = output.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    output.with_file_name(format!("{stem}-{shard}{}", extension.unwrap_or_default()))
}

fn refuse_on_stdout(request: &Request, format: Format) -> Result<()> {
    let why = match format {
        Format::Idx | Format::Npz | Format::Folder => {
            "--out - takes --format raw or jsonl; name a folder or file"
        }
        _ if request.resume => "--out -: what went down a pipe can't be resumed; leave --resume out",
        _ if request.common.running.json => {
            "--json and the images can't both go to standard output; name a file"
        }
        _ => return Ok(()),
    };
    bail!(Refused(why.into()))
}

/// Takes up what was begun, or makes sure that nothing is written over.
fn begin(request: &Request, manifest: &mut Manifest, output: &Path, path: &Path) -> Result<()> {
    let begun = Manifest::read(path).map_err(|error| Refused(format!("{error:#}; name another --out")))?;
    if let Some(begun) = begun {
        if request.seed.is_none() {
            manifest.seed = begun.seed;
        }
        if !request.resume {
            let Manifest { complete, images, .. } = begun;
            let what = format!("{} is there already, {complete} of {images} images", output.display());
            bail!(Refused(format!("{what}; go on with --resume, or name another --out")));
        }
        begun.check_same(manifest, path)?;
        *manifest = begun;
        return Ok(());
    }
    let files: &[&str] = match manifest.format {
        Format::Idx => &["train-images-idx3-ubyte", "train-images-idx4-ubyte", "train-labels-idx1-ubyte"],
        Format::Folder => &["labels.csv"],
        Format::Npz | Format::Raw | Format::Jsonl => &[""],
    };
    let in_the_way = |name: &&str| match name.is_empty() {
        true => output.to_path_buf(),
        false => output.join(name),
    };
    if let Some(there) = files.iter().map(in_the_way).find(|path| path.exists()) {
        bail!(Refused(format!("{} is there already; name another --out", there.display())));
    }
    if manifest.format.is_folder() && output.exists() && !output.is_dir() {
        bail!(Refused(format!("{} is a file; name a folder with --out", output.display())));
    }
    Ok(())
}

enum Place<'a> {
    Stdout,
    Path { output: &'a Path, manifest: &'a Path },
}

/// Writes batches, and brings the manifest up to date every few seconds.
struct Writer<'a> {
    manifest: Manifest,
    place: Place<'a>,
    sink: Option<Box<dyn Sink + Send>>,
    /// What was appended since the manifest was brought up to date.
    pending: Pending,
    saved: Instant,
    progress: Progress,
}

#[derive(Default)]
struct Pending {
    images: u64,
    /// Of the judge's, the counts alone.
    kept: Kept,
}

impl Writer<'_> {
    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            None => {
                let sink = self.open(batch.shape)?;
                self.sink.insert(sink)
            }
        };
        sink.append(batch)?;
        let count = (batch.pixels.len() / batch.shape.iter().product::<usize>().max(1)) as u64;
        self.pending.images += count;
        self.pending.kept.redrawn += batch.kept.redrawn;
        self.pending.kept.redraws += batch.kept.redraws;
        self.progress.advance(count);
        match self.saved.elapsed() >= CHECKPOINT {
            true => self.save(),
            false => Ok(()),
        }
    }

    fn open(&mut self, shape: [usize; 3]) -> io::Result<Box<dyn Sink + Send>> {
        self.manifest.shape = Some(shape);
        match self.place {
            Place::Stdout => sink::stream(self.manifest.format, &self.manifest.classes)
                .ok_or_else(|| io::Error::other("this form needs a file")),
            Place::Path { output, manifest } => {
                let folder = if self.manifest.format.is_folder() { Some(output) } else { output.parent() };
                if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
                    fs::create_dir_all(folder)?;
                }
                // Before there is anything that only a manifest allows to go on with.
                self.manifest.write(manifest)?;
                sink::open(&self.manifest, output, shape)
            }
        }
    }

    /// Makes what was appended safe, and then says so.
    fn save(&mut self) -> io::Result<()> {
        self.checkpoint()?;
        self.record()
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        if let Some(sink) = &mut self.sink {
            let complete = self.manifest.complete + self.pending.images;
            self.manifest.tail = sink.checkpoint(complete)?;
            self.manifest.complete = complete;
            let Pending { kept, .. } = mem::take(&mut self.pending);
            if let Some(verified) = &mut self.manifest.verified {
                verified.add(&kept);
            }
        }
        Ok(())
    }

    fn record(&mut self) -> io::Result<()> {
        self.saved = Instant::now();
        match self.place {
            Place::Path { manifest, .. } if self.sink.is_some() => self.manifest.write(manifest),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.progress.end();
        self.checkpoint()?;
        if let Some(sink) = &mut self.sink {
            // Before the manifest says that all is done: who is stopped in between does it once more.
            sink.finish(self.manifest.complete)?;
        }
        self.record()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_names_of_their_own() {
        let shard = Shard { index: 3, of: 40 };
        assert_eq!(part(Path::new("a/fake"), Format::Idx, shard), Path::new("a/fake/3-of-40"));
        assert_eq!(part(Path::new("a/fake.npz"), Format::Npz, shard), Path::new("a/fake-3-of-40.npz"));
        assert_eq!(part(Path::new("fives"), Format::Raw, shard), Path::new("fives-3-of-40"));
    }
}
