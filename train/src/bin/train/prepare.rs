//! Opens what the command line asks for: device, data, run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use candle_core::Device;
use contract::shown;
use models::judge::Judge;
use train::console::json;
use train::dataset::Dataset;
use train::device::CudaGraphs;
use train::evaluate::known;
use train::evaluate::ongoing::Ongoing;
use train::evaluate::set;
use train::guide::Guide;
use train::judge::shipped;
use train::plan::{self, Plan};
use train::room;
use train::run::{Config, Run, numbered};
use train::settings::{self, Settings};
use train::sources::{self, LabelledImages, Loaded, Progress};
use train::trainer::Trainer;
use train::training_loop::{Job, Observer};
use train::watch::Watch;

use crate::cli::Cli;
use crate::voice::Voice;

/// A run that is ready to train.
///
/// # Errors
/// One sentence that names the file or option, what was found and what to do.
pub fn prepare(cli: Cli, voice: &Voice) -> Result<Job> {
    let device = cli.device.open()?;
    let (run, mut trainer, data, judge, features) = match &cli.resume {
        Some(folder) => {
            let folder = folder.clone().map_or_else(numbered::newest, Ok)?;
            let mut run = Run::resume(folder)?;
            let data = load_again(&mut run, &cli, voice)?;
            room::check(&run.config, &data, &device)?;
            if device.is_cuda() {
                run.config.settings.precision.apply(&device)?;
            }
            let (trainer, warning) = run.restore(&device)?;
            if let Some(warning) = warning {
                voice.warning(&warning);
            }
            run.config.renew(&cli.options);
            let judge = judge_for(&run.config, &data, &device)?;
            let features = features_for(&run.config, Some(&run.guide()), &data, &device)?;
            (run, trainer, data, judge, features)
        }
        None => {
            let options = settings::resolve(&cli.options, cli.config.as_deref())?;
            let settings = Settings::new(&options, &device)?;
            settings.precision.apply(&device)?;
            let dataset = Dataset { mirror: cli.mirror.clone(), ..Dataset::of_settings(&settings) };
            let data = load(dataset, voice)?;
            let config = Config::new(settings, &data, &device)?;
            room::check(&config, &data, &device)?;
            let judge = judge_for(&config, &data, &device)?;
            let features = features_for(&config, None, &data, &device)?;
            let Settings { networks, recipe, seed, .. } = config.settings;
            let trainer = Trainer::new(&networks, recipe, seed, &device)?;
            (Run::create(cli.out.clone(), config)?, trainer, data, judge, features)
        }
    };

    let config = &run.config;
    let Settings { precision, epochs, batch_size, seed, recipe, .. } = config.settings;
    trainer.schedule = config.schedule();
    let (first, total) = (trainer.iterations(), config.iterations());
    if first >= total {
        bail!("{} has done its {epochs} epochs; say --epochs with more to go on", run.folder.display());
    }
    if cli.resume.is_some() {
        config.write(&run.folder)?;
    }
    trainer.guide = guide_for(&run, features, &data, &device, voice)?;
    trainer.round(precision.factors());
    if cli.cuda_graphs == CudaGraphs::On {
        trainer.use_cuda_graphs();
    }
    // Until here a signal ends the program at once: there is nothing to save yet.
    let interrupted = contract::stop_flag().context("can't catch Ctrl-C")?;
    voice.say(&format!(
        "{} on {}: {}, {epochs} epochs in batches of {batch_size}, seed {seed}\n\
         generator {} parameters, discriminator {}",
        shown(&run.folder),
        precision.describe(&device),
        plan::Data::of(&data),
        trainer.generator.trainable(),
        trainer.discriminator.trainable(),
    ));
    voice.bar.set_length(total - first);
    let watch = Watch::new(cli.watch, &recipe);
    Ok(Job { run, trainer, data, watch, judge, interrupted })
}

/// What a new run would be, to be printed. Writes no file.
///
/// # Errors
/// As [`prepare`]; also if MNIST would have to be fetched.
pub fn plan(cli: &Cli, voice: &Voice) -> Result<String> {
    let device = cli.device.open()?;
    let options = settings::resolve(&cli.options, cli.config.as_deref())?;
    let settings = Settings::new(&options, &device)?;
    settings.precision.apply(&device)?;
    let path = settings.data.clone().unwrap_or_else(|| PathBuf::from(sources::mnist::DEFAULT_FOLDER));
    let dataset = Dataset { path: Some(path), cache: None, ..Dataset::of_settings(&settings) };
    let data = match (load(dataset, voice), &settings.data) {
        (data, Some(_)) => data?,
        (data, None) => {
            data.context("a dry run fetches nothing, and MNIST isn't here; get it with `make setup`")?
        }
    };
    let config = Config::new(settings, &data, &device)?;
    room::check(&config, &data, &device)?;
    let plan = Plan::new(options, &config, &data, (&device, cli.cuda_graphs))?;
    Ok(match cli.json {
        true => json(&plan)?,
        false => plan.to_string().trim_end().to_string(),
    })
}

/// The judge of a run that is to be measured.
fn judge_for(config: &Config, data: &LabelledImages, device: &Device) -> Result<Option<Ongoing>> {
    let Settings { evaluate_every: Some(_), networks, seed, unlabelled, .. } = config.settings else {
        return Ok(None);
    };
    let judge = match config.judge_path() {
        Some(path) => Judge::load(&path, device)?,
        None if networks.classes().is_none() => bail!(
            "evaluate-every is given, but no judge of such pictures, which the shipped one of digits is not; \
             train one with `{}` and name it with --judge, or leave out evaluate-every",
            known::train_judge()
        ),
        None => shipped::shipped(device)?,
    };
    if let Some(framing) = unlabelled {
        set::check_framing(framing, &judge)?;
    }
    Ongoing::new(judge, data, seed).map(Some)
}

/// The judge that is to be the guide of pictures without labels: the run's copy, if there is one.
fn features_for(
    config: &Config,
    copy: Option<&Path>,
    data: &LabelledImages,
    device: &Device,
) -> Result<Option<Judge>> {
    let Settings { unlabelled: Some(framing), features: Some(path), .. } = &config.settings else {
        return Ok(None);
    };
    let copy = copy.and_then(|copy| Judge::load(copy, device).ok());
    let judge = copy.map_or_else(|| Judge::load(path, device), Ok);
    let judge =
        judge.with_context(|| format!("features is {}, of which the run has no copy", path.display()))?;
    set::check_size(data.images().shape(), &judge, data.name())?;
    set::check_framing(*framing, &judge)?;
    Ok(Some(judge))
}

/// The classifier that the generator learns from, where the recipe has one: this judge, or one that is trained
/// on the run's pictures.
fn guide_for(
    run: &Run,
    judge: Option<Judge>,
    data: &LabelledImages,
    device: &Device,
    voice: &Voice,
) -> Result<Option<Guide>> {
    let Settings { recipe, split, seed, networks, .. } = run.config.settings;
    if let Some(judge) = judge {
        judge.save(&run.guide())?;
        return Ok(Some(Guide::new(&judge, networks.black())?));
    }
    if !recipe.has_guide() {
        return Ok(None);
    }
    let guide = Guide::of_run(&run.guide(), (data, split.name()), seed, device, &mut |done, total, loss| {
        voice.bar.set_length(total);
        voice.bar.set_position(done);
        voice.bar.set_message(format!("the guide, before the first iteration: loss {loss:.3}"));
    })?;
    voice.bar.reset();
    Ok(Some(guide))
}

/// Loads the data of a run that goes on, from the folder that is named now or where they were, and
/// records where that is.
///
/// # Errors
/// If they are not those that the run was started with.
fn load_again(run: &mut Run, cli: &Cli, voice: &Voice) -> Result<LabelledImages> {
    let named = cli.options.data_folder();
    let recorded = Dataset { mirror: cli.mirror.clone(), ..Dataset::of_run(&run.config) };
    let folder = named.map(Path::to_path_buf).or_else(|| recorded.path.clone());
    let dataset = Dataset { path: folder.clone(), ..recorded };
    if let Some(gone) = folder.as_deref().filter(|folder| named.is_none() && !sources::is_there(folder)) {
        bail!(
            "the data of {} are no longer at {}; say with --data where they are now",
            run.folder.display(),
            run.config.data_absolute.as_deref().unwrap_or(gone).display()
        );
    }
    let data = load(dataset, voice)?;
    if data.digest() != run.config.dataset_sha256 {
        bail!(
            "the data differ from those that {} was started with (SHA-256 {}, {} expected); put the old ones \
             back, say with --data where they are, or start a new run",
            run.folder.display(),
            data.digest(),
            run.config.dataset_sha256
        );
    }
    run.config.moved(named, folder.as_deref());
    Ok(data)
}

/// Loads the data, with a bar where that takes time, and says what isn't used of them.
fn load(dataset: Dataset, voice: &Voice) -> Result<LabelledImages> {
    let bar = voice.progress("{msg} [{bar:30}] {percent} %, {eta} left")?;
    let loaded = dataset.load(&mut |progress| {
        let (what, done, total) = match progress {
            Progress::Download(file) => (file.file.to_string(), file.received, file.total),
            Progress::Decode { done, total } => (format!("{total} pictures"), done as u64, total as u64),
        };
        bar.set_message(what);
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let Loaded { data, notes } = loaded?;
    notes.iter().for_each(|note| voice.note(note));
    Ok(data)
}
