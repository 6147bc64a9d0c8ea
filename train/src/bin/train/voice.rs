//! What `train` says to people: results on standard output, progress and warnings on standard error.

use std::cell::OnceCell;
use std::ffi::OsStr;

use anyhow::{Result, bail};
use contract::{sentence, shown};
use indicatif::ProgressBar;
use serde::Serialize;
use train::console::{bar, json, print_error_line, print_line};
use train::evaluate::ongoing::Quality;
use train::metrics::Metrics;
use train::run::{self, Run};
use train::training_loop::{Epoch, Observer, Outcome};

/// What is said, and where.
pub struct Voice {
    json: bool,
    quiet: bool,
    /// Progress of the work at hand.
    pub bar: ProgressBar,
    /// Why standard output couldn't be written, and that it isn't tried again.
    unsaid: OnceCell<anyhow::Error>,
}

/// What `--json` prints of an epoch.
#[derive(Serialize)]
struct EpochLine<'a> {
    #[serde(flatten)]
    metrics: &'a Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<&'a Quality>,
}

impl Voice {
    /// A voice that speaks JSON, says nothing but errors and warnings, or neither.
    pub fn new(json: bool, quiet: bool) -> Result<Voice> {
        let mut voice = Voice { json, quiet, bar: ProgressBar::hidden(), unsaid: OnceCell::new() };
        voice.bar = voice.progress("[{bar:30}] {pos}/{len}, {eta} left  {msg}")?;
        Ok(voice)
    }

    /// A bar where a person may look at one.
    pub fn progress(&self, template: &str) -> Result<ProgressBar> {
        bar(template, self.quiet || self.json)
    }

    /// What is worth knowing, but nothing is wrong.
    pub fn note(&self, note: &str) {
        if !self.quiet {
            print_error_line(&format!("note: {note}"));
        }
    }

    /// A result in words.
    pub fn say(&self, text: &str) {
        if !self.quiet && !self.json {
            self.print(text);
        }
    }

    /// A result. Training doesn't end because one can't be written: hours may go into it.
    fn print(&self, text: &str) {
        if self.unsaid.get().is_some() {
            return;
        }
        if let Err(error) = self.bar.suspend(|| print_line(text)) {
            self.warning(&format!("{}; training goes on", sentence(error.as_ref())));
            let _ = self.unsaid.set(error);
        }
    }

    /// How it ended, and what to do next.
    ///
    /// # Errors
    /// If something couldn't be written to standard output.
    pub fn end(&self, outcome: Outcome, run: &Run, done: u64) -> Result<()> {
        self.bar.finish_and_clear();
        let (config, folder) = (&run.config, run.folder.as_path());
        let Outcome::Done { iterations, time } = outcome else {
            if !self.quiet {
                print_error_line(&format!(
                    "stopped after iteration {done} of {}, all saved; go on with: {}",
                    config.iterations(),
                    run::go_on(folder)
                ));
            }
            return Ok(());
        };
        if let Some((best, checkpoint)) = run.best() {
            let epoch = config.whole_epochs(best.iteration);
            self.say(&format!("best: {} after epoch {epoch}, {best}", shown(&checkpoint)));
        }
        let seconds = time.as_secs_f64();
        let options = ["--checkpoint".as_ref(), folder.as_os_str(), "--out".as_ref(), OsStr::new("gen.onnx")];
        self.say(&format!(
            "done: {iterations} iterations in {seconds:.0} s, {:.0} images/s; next: {}",
            iterations as f64 * config.settings.batch_size as f64 / seconds,
            contract::command("export", options)
        ));
        match self.unsaid.get() {
            // A sentence, as the advice for files that can't be written doesn't fit.
            Some(error) => bail!("{}, but all of {} is saved", sentence(error.as_ref()), folder.display()),
            None => Ok(()),
        }
    }
}

impl Observer for Voice {
    fn iteration(&self) {
        self.bar.inc(1);
    }

    /// That is said whatever else isn't.
    fn warning(&self, warning: &str) {
        self.bar.suspend(|| print_error_line(&format!("warning: {warning}")));
    }

    fn measured(&self, metrics: &Metrics) {
        let Metrics { images_per_second, loss_d, loss_g, d_real, d_fake, .. } = metrics;
        self.bar.set_message(format!(
            "{images_per_second:.0} images/s  loss D {loss_d:.3} G {loss_g:.3}  D(x) {d_real:.2} D(G(z)) {d_fake:.2}"
        ));
    }

    fn epoch(&self, epoch: &Epoch) {
        let Epoch { number, metrics, grid, quality } = epoch;
        let quality = quality.as_ref();
        if self.json {
            match json(&EpochLine { metrics, quality }) {
                Ok(line) => self.print(&line),
                Err(error) => self.warning(&error.to_string()),
            }
        }
        let Metrics { loss_d, loss_g, d_real, d_fake, elapsed_seconds, .. } = metrics;
        self.say(&format!(
            "epoch {number}: loss D {loss_d:.3} G {loss_g:.3}, D(x) {d_real:.2}, D(G(z)) {d_fake:.2}, \
             {elapsed_seconds:.0} s, {}",
            shown(grid)
        ));
        if let Some(quality) = quality {
            self.say(&format!("  {quality}"));
        }
    }
}
