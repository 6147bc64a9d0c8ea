//! `infer dataset`: any number of images, written while they are drawn.

mod begun;
mod pipeline;
mod progress;
mod writer;

use std::{
    fmt, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    thread,
    time::Instant,
};

use anyhow::{Context, Error, Result, bail};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use contract::{
    Contract,
    dataset::{
        self,
        Error::Refused,
        FORMATS, Format, Holds, Manifest, Sink, choice,
        folder::Boxes,
        place::{self, Claim},
        plan::{Labels, Shard},
    },
    files,
    noise::Noise,
    number::{from_one, large},
    printable,
    strings::{Length, Strings, Width},
};
use infer::{
    Device, Generator, LOADING_WEIGHTS_PAYS, ModelSource, Options,
    cli::{MOST_AT_ONCE, Source, check_inputs},
    find_class,
};
use serde::Serialize;

use crate::{
    common::Common,
    strings::{HEADING, Style, check_classes},
    verification::Verify,
};
use pipeline::{Runner, Stopped, Work};
use progress::Progress;
use writer::Writer;

/// What a message says of a data set that was not begun.
const NOTHING: &str = "; no image is complete";

pub const EXAMPLES: &str = "\
Examples:
  infer dataset --count 60000 --out fake           train-images-idx3-ubyte and train-labels-idx1-ubyte
                                                   in fake/, as MNIST's readers take them
  infer dataset --count 60000 --test 10000 --out mnist/MNIST/raw
                                                   t10k-… too, as torchvision.datasets.MNIST(\"mnist\") wants
  infer dataset --count 1000 --out fake.npz        arrays images and labels, for NumPy
  infer dataset --count 1000 --format folder --out pictures
                                                   pictures/0/….png to pictures/9/….png, and labels.csv
  infer dataset --count 1000 --format folder --out sure --verify 0.9
                                                   each drawn anew until a judge is so sure of it
  infer dataset --count 60000 --test 10000 --format parquet --out hub
                                                   hub/data/train-00000-of-00006.parquet and so on, and a
                                                   card, for datasets.load_dataset(\"hub\")
  infer dataset --count 60000 --format webdataset --out tars
                                                   tars/train-000000.tar and so on, for WebDataset
  infer dataset --count 1000 --out fake.zip        PNG files and dataset.json, for StyleGAN's tools
  infer dataset --count 20000 --strings 4..8 --out numbers
                                                   numbers/images/, labels.csv with what each says, and
                                                   annotations.json, COCO's, with the place of each digit
  infer dataset --count 1000 --strings 4 --hands one --spacing=-4..2 --width 96 --out four.npz
                                                   each of one hand, overlapping; labels is (1000, 4)
  infer dataset --count 1000 --balance 1=3,0=0 --noise blur=0..1,grain=0..9 --out cam
                                                   threefold ones, no zeros, as a camera sees them
  infer dataset --count 10 --format jsonl --out - | jq .class
  infer dataset --digit 5 --count 100 --format raw --out - > fives
  infer dataset --count 1000000 --seed 1 --out many --resume
                                                   goes on where it was stopped, or begins
  infer dataset --count 1000000000 --seed 1 --out many --resume --shard 3/1000
                                                   part 3 of 1000, in many/3-of-1000/

Image i has label i mod the number of classes, and depends on model, seed, i and label alone. String i, too,
and what --noise does to it, depend on these and on their options alone: its characters are images i · M to
i · M + M − 1, M being the most of --strings; of one hand all have the latents of image i. A judge sees what
is drawn before --noise. A data set
is complete up to the image that its manifest.json says, at any time; --resume checks these images by the
SHA-256 that it keeps, and goes on with the same engine. One process at a time writes it. Exit status: 0 done;
1 running the model or writing failed; 2 the request can't be served; 130 stopped by Ctrl-C, SIGTERM or a
closed terminal, all safe.";

#[derive(Debug, Args)]
pub struct Request {
    /// How many images
    #[arg(short = 'n', long, value_name = "N", value_parser = large::<1>, allow_negative_numbers = true)]
    count: u64,
    /// Write so many more as test images, in files of their own; with --format idx, parquet or webdataset
    #[arg(long, value_name = "N", value_parser = large::<1>, allow_negative_numbers = true)]
    test: Option<u64>,
    /// The folder or file to write, or - for standard output
    #[arg(short, long, value_name = "PATH")]
    out: PathBuf,
    /// The form [default: what the name ends in, such as .npz; else idx, and of strings folder]
    #[arg(short, long, value_parser = format())]
    format: Option<Format>,
    /// Images of each file, with --format parquet or webdataset [default: 10000]
    #[arg(long, value_name = "N", value_parser = large::<1>, allow_negative_numbers = true)]
    per_file: Option<u64>,
    /// Strings of so many characters each, or of A..B, in place of single ones, with their text and the place of
    /// each: for readers of text and for detectors; the model's classes must be characters. All forms hold them
    /// but idx and stylegan, which have one class for each image; npz and raw only of one width
    #[arg(long, help_heading = HEADING, value_name = "N", allow_negative_numbers = true)]
    strings: Option<Length>,
    #[command(flatten)]
    style: Style,
    /// Where the characters of strings are, with --format folder: coco, one file annotations.json, or yolo,
    /// lines in labels/ and a data.yaml [default: coco]
    #[arg(long, help_heading = HEADING, value_name = "FORM", requires = "strings")]
    boxes: Option<Boxes>,
    /// How often each class comes: CLASS=WEIGHT,… in whole numbers; of those that are not named, 1
    #[arg(long, value_name = "WEIGHTS", conflicts_with = "label")]
    balance: Option<String>,
    /// What a camera makes of the images: any of thickness=A..B (pixels, below 0 thinner), blur=A..B (pixels),
    /// contrast=A..B (0 to 1), background=A..B and grain=A..B (levels of 255), with commas between; each image
    /// gets its own, from its index
    #[arg(long, value_name = "NOISE", allow_hyphen_values = true)]
    noise: Option<Noise>,
    /// Only this class; without it, all in turn
    #[arg(short, long, visible_alias = "digit", value_name = "NAME", allow_hyphen_values = true)]
    label: Option<String>,
    /// Seed of the images; without it another one each time, which the manifest tells
    #[arg(short, long, value_parser = large::<0>, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Write part I of N only, into a folder or file of its own
    #[arg(long, value_name = "I/N", requires = "seed")]
    shard: Option<Shard>,
    /// Go on with a data set that was begun; begin if there is none
    #[arg(long)]
    resume: bool,
    /// Images that go through the network at once
    #[arg(
        long,
        value_name = "N",
        default_value = "32",
        value_parser = from_one::<MOST_AT_ONCE>,
        allow_negative_numbers = true
    )]
    batch_size: NonZeroUsize,
    #[command(flatten)]
    verify: Verify,
    #[command(flatten)]
    common: Common,
}

/// A format's name, with what the help says of it.
fn format() -> impl TypedValueParser<Value = Format> {
    let names = FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.summary));
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

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
        let out = printable(out);
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
    let is_stream = place::is_stream(&request.out)?;
    let format = match request.format {
        Some(format) => format,
        None => {
            let format = Format::of(&request.out, is_stream)?;
            let folder =
                FORMATS.iter().find(|format| format.is_folder() && format.strings == Holds::Everything);
            // Where the name says nothing.
            match request.strings.and(folder).filter(|_| format.is_folder()) {
                Some(&folder) => folder,
                None => format,
            }
        }
    };
    let output = match request.shard {
        Some(shard) if !is_stream => place::part(&request.out, format, shard),
        _ => request.out.clone(),
    };
    let mut manifest = request.manifest(format, &contract)?;
    let manifest_path = Manifest::path(format, &output);
    let stop = contract::stop_flag()?;
    // Held until the end.
    let _claim = match is_stream {
        true => {
            refuse_on_stream(request, format)?;
            None
        }
        false => {
            place::check(format, &output)?;
            let inputs = [("model", source.path()), ("judge", request.verify.path())];
            check_inputs(&output, inputs)?;
            let claim = claim(format, &output, &manifest_path)?;
            manifest.model_sha256 = source.sha256()?;
            begin(request, &mut manifest, &output, &manifest_path)?;
            Some(claim)
        }
    };
    let rest = manifest.images - manifest.complete;
    let is_begun = manifest.complete > 0 && rest > 0;
    let mut runners = load(request, &source, &manifest, rest).map_err(|error| match is_begun {
        true => Error::from(error).context(format!("{} was begun on {}", output.display(), manifest.engine)),
        false => error.into(),
    })?;
    begun::draw_with(&mut manifest, &runners[0].generator, &manifest_path)?;
    // Only now that this process is sure to continue it: opening cuts off what isn't safe.
    let sink = if is_stream { None } else { go_on(&manifest, &output)? };
    let started = Instant::now();
    let work = Work {
        seed: manifest.seed,
        labels: manifest.labels.clone(),
        strings: manifest.strings.clone(),
        noise: manifest.noise,
        images: manifest.first + manifest.complete..manifest.first + manifest.images,
        batch_size: request.batch_size.get(),
    };
    let progress = Progress::new(rest, common.running.quiet || common.running.json);
    let mut writer = Writer::new(manifest, &output, (!is_stream).then_some(&manifest_path), sink, progress);
    let ran = pipeline::run(&mut runners, &work, &stop, |batch| writer.append(batch));
    let ended = match ran {
        // What couldn't be written stays as it was when it was last safe.
        Err(Stopped::Output(_)) => Ok(()),
        _ => writer.end(),
    };
    let manifest = writer.manifest;
    let so_far = || match manifest.complete {
        _ if is_stream => String::new(),
        0 => NOTHING.into(),
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
        Err(error) if is_stream && error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        Err(error) => bail!("output {} can't be written ({error}){}", output.display(), so_far()),
        Ok(()) => {}
    }
    if stop.load(Ordering::Relaxed) && manifest.complete < manifest.images {
        bail!(Interrupted(format!("stopped{}", so_far())));
    }
    if files::is_stdout(&output) {
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
/// How the CPU's are loaded can decide the last bit of a sum. They are always loaded as for many images,
/// so that an image is the same in a data set of any size, each part of it, and what is left of one.
/// Each copy has [`LOADING_WEIGHTS_PAYS`] images or more, or is the only one.
fn load(
    request: &Request,
    source: &ModelSource<'_>,
    manifest: &Manifest,
    rest: u64,
) -> Result<Vec<Runner>, infer::Error> {
    let all = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = request.common.running.threads.unwrap_or_else(all).get() as u64;
    let copies = |images: u64| threads.min(images / LOADING_WEIGHTS_PAYS as u64).max(1);
    let whole = manifest.count + manifest.test;
    let each = usize::try_from(whole / copies(whole)).unwrap_or(usize::MAX).max(LOADING_WEIGHTS_PAYS);
    let options = begun::options(manifest, request.common.options(each));
    let options = Options { threads: Some(NonZeroUsize::MIN), ..options };
    let load = |options: &Options| -> Result<Runner, infer::Error> {
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
            None => self.balanced(contract, &model)?,
            Some(name) => Labels::All(find_class(contract, "--label", name, &model)?),
        };
        if contract.classes.len() > format.most_classes {
            let (classes, most) = (contract.classes.len(), format.most_classes);
            return refuse(format!(
                "model {model} has {classes} classes, and this form holds {most}; use --format folder"
            ));
        }
        let strings = self.strings(format, contract, &model)?;
        if self.test.is_some() && !format.has_test {
            let others = FORMATS.iter().filter(|format| format.has_test);
            return refuse(format!(
                "--test writes files of test images, and --format {format} has none; use {}, or write another \
                 data set with another --seed",
                choice(others.map(|format| format!("--format {format}")))
            ));
        }
        if self.per_file.is_some() && format.per_file.is_none() {
            let others = FORMATS.iter().filter(|format| format.per_file.is_some());
            return refuse(format!(
                "--per-file is for data sets in several files, and --format {format} is none; use {}",
                choice(others.map(|format| format!("--format {format}")))
            ));
        }
        let test = self.test.unwrap_or_default();
        let Some(all) = self.count.checked_add(test) else {
            return refuse(format!(
                "--count {} and --test {test} are more than {} in all",
                self.count,
                u64::MAX
            ));
        };
        let shard = self.shard.unwrap_or(Shard::WHOLE);
        let mut manifest = Manifest {
            format,
            model,
            model_sha256: String::new(),
            engine: String::new(),
            device: None,
            seed: infer::cli::seed(self.seed),
            count: self.count,
            test,
            per_file: format.per_file.map(|default| self.per_file.unwrap_or(default)),
            shard,
            first: 0,
            images: 0,
            complete: 0,
            labels,
            boxes: strings.as_ref().and(match format.name {
                "folder" => Some(self.boxes.unwrap_or_default()),
                _ => None,
            }),
            strings,
            noise: self.noise,
            classes: contract.classes.clone(),
            verified: self.verify.request()?,
            shape: None,
            tail: Default::default(),
        };
        let range = manifest.range();
        let images = range.end - range.start;
        let trained = range.end.min(self.count).saturating_sub(range.start);
        if trained.max(images - trained) > format.most_images {
            let (name, most) = (format.name.to_uppercase(), format.most_images);
            return refuse(format!(
                "an {name} file holds at most {most} images; use --shard or --format npz"
            ));
        }
        if images == 0 {
            let files = match manifest.per_file {
                Some(images) => format!(" in files of {images}"),
                None => String::new(),
            };
            return refuse(format!(
                "--shard {shard}: {all} images{files} have no such part; use fewer parts"
            ));
        }
        (manifest.first, manifest.images) = (range.start, images);
        Ok(manifest)
    }

    /// The strings that are asked for.
    fn strings(&self, format: Format, contract: &Contract, model: &str) -> Result<Option<Strings>> {
        let refuse = |why: String| Err(Refused(why).into());
        let Some(length) = self.strings else {
            return match self.style.given() {
                Some(option) => refuse(format!(
                    "{option} is for strings; say with --strings how many characters they have"
                )),
                None => Ok(None),
            };
        };
        check_classes(contract, model)?;
        let strings = self.style.strings(length)?;
        let holding = |free: bool| {
            let holds = move |format: &&Format| match format.strings {
                Holds::Everything => true,
                Holds::OneWidth => !free,
                Holds::Nothing => false,
            };
            choice(FORMATS.iter().filter(holds).map(|format| format!("--format {format}")))
        };
        let is_free = strings.width == Width::Free;
        let all = self.count.saturating_add(self.test.unwrap_or_default());
        if all.checked_mul(length.most).is_none() {
            return refuse(format!(
                "{all} strings of {} characters have more than {} in all; ask for fewer",
                length.most,
                u64::MAX
            ));
        }
        match format.strings {
            Holds::Nothing => refuse(format!(
                "--format {format} has one class for each image, and a string has several; use {}",
                holding(is_free)
            )),
            Holds::OneWidth if is_free => refuse(format!(
                "--format {format} has images of one width, and --width free makes them of many; use {}, or \
                 leave --width out",
                holding(true)
            )),
            // One label says that there is no more character.
            Holds::OneWidth if contract.classes.len() >= format.most_classes => refuse(format!(
                "strings of {} classes don't fit into --format {format}; use {}",
                contract.classes.len(),
                holding(true)
            )),
            _ if self.boxes.is_some() && format.name != "folder" => refuse(format!(
                "--boxes says what a folder has the places of characters in, and --format {format} has its own; \
                 leave --boxes out, or use --format folder"
            )),
            _ => Ok(Some(strings)),
        }
    }

    /// The labels of all classes, as often as --balance says.
    fn balanced(&self, contract: &Contract, model: &str) -> Result<Labels> {
        let Some(balance) = &self.balance else {
            return Ok(Labels::InTurn { classes: contract.classes.len() as u64 });
        };
        let refuse = |why: String| Refused(format!("--balance {}: {why}", printable(balance)));
        let mut weights = vec![1; contract.classes.len()];
        let mut named = Vec::new();
        for item in balance.split(',') {
            let Some((name, weight)) = item.rsplit_once('=') else {
                bail!(refuse("expected CLASS=WEIGHT, such as 1=3, with commas between".into()));
            };
            let label = find_class(contract, "--balance", name, model)?;
            if named.contains(&label) {
                bail!(refuse(format!("class {name} is there twice")));
            }
            named.push(label);
            weights[label as usize] = weight
                .parse()
                .map_err(|_| refuse(format!("{weight:?} is no weight; expected a whole number from 0 on")))?;
        }
        Ok(Labels::weighted(&weights).map_err(refuse)?)
    }
}

fn refuse_on_stream(request: &Request, format: Format) -> Result<()> {
    let out = request.out.display();
    let why = match format {
        _ if !format.is_stream => {
            let streams = FORMATS.iter().filter(|format| format.is_stream).map(Format::to_string);
            format!("--out {out} takes --format {}; name a folder or file", choice(streams))
        }
        _ if request.resume => {
            format!("--out {out}: what went down a pipe can't be resumed; leave --resume out")
        }
        _ if request.common.running.json && files::is_stdout(&request.out) => {
            "--json and the images can't both go to standard output; name a file".into()
        }
        _ => return Ok(()),
    };
    bail!(Refused(why))
}

/// Keeps other processes away.
fn claim(format: Format, output: &Path, manifest: &Path) -> Result<Claim> {
    Claim::take(format, output).map_err(|error| match error {
        dataset::Error::Io(error) => {
            let so_far = if manifest.exists() { "; what is there stays as it is" } else { NOTHING };
            Error::msg(format!("output {} can't be written ({error}){so_far}", output.display()))
        }
        taken => taken.into(),
    })
}

/// Resumes from the manifest of what was begun, or makes sure that nothing is overwritten.
fn begin(request: &Request, manifest: &mut Manifest, output: &Path, path: &Path) -> Result<()> {
    let begun = Manifest::read(path)
        .map_err(|error| Refused(format!("{error}; restore it, or begin anew with another --out")))?;
    // Strings lie in no folders of classes.
    let folders = if manifest.strings.is_some() { &[] } else { manifest.classes.as_slice() };
    let Some(begun) = begun else {
        return match manifest.format.definition().in_the_way(output, folders) {
            Some(there) => {
                bail!(Refused(format!("{} is there already; name another --out", there.display())))
            }
            None => Ok(()),
        };
    };
    if request.seed.is_none() {
        manifest.seed = begun.seed;
    }
    if !request.resume {
        let Manifest { complete, images, .. } = begun;
        let what = format!("{} is there already, {complete} of {images} images", output.display());
        bail!(Refused(format!("{what}; go on with --resume, or name another --out")));
    }
    begun.check_same(manifest, path)?;
    *manifest = Manifest { classes: manifest.classes.clone(), ..begun };
    Ok(())
}

/// Opens what was begun after its complete images, once these have been checked.
fn go_on(manifest: &Manifest, output: &Path) -> Result<Option<Box<dyn Sink + Send>>> {
    let Some(shape) = manifest.shape.filter(|_| manifest.complete > 0) else { return Ok(None) };
    let sink = match manifest.format.definition().open(manifest, output, shape) {
        Err(Refused(what)) => {
            bail!(Refused(format!("{what}; restore it, or begin anew with another --out")))
        }
        Err(dataset::Error::Io(error)) => {
            bail!("output {} can't be opened ({error}); what is there stays as it is", output.display())
        }
        Ok(sink) => sink,
    };
    // A complete one needs nothing more, unless an older version left no digests: then it gets them.
    Ok(Some(sink).filter(|_| !manifest.is_complete() || manifest.tail.files.is_empty()))
}
