//! Notices training that has gone wrong while it runs.
//!
//! Losses that are not finite always end a run, as its weights are lost from there on. Two signs of
//! collapse are looked for:
//!
//! - The discriminator's loss is 0: it tells real from fake without fail, and its gradient no longer
//!   teaches the generator anything.
//! - The pictures of a class, or all where there are no classes, are alike, whatever the latents: mode
//!   collapse.

use std::path::Path;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::metrics::Metrics;
use crate::recipe::Recipe;

/// What D's loss may come down to, above the least that it can be.
const LOSS_AT_ZERO: f64 = 1e-3;
/// Measurements in a row that are below it in a collapsed run.
const MEASUREMENTS: u32 = 3;
/// What the pictures of a class differ by at least, as [`variety`](crate::samples::variety) counts
/// it: 2.5 levels of 255. MNIST's least varied class, the one, has 0.067 or more after each epoch
/// of the shipped generator's run, the others 0.079 to 0.161.
const ALIKE: f32 = 0.01;
/// Iterations before pictures are compared: every generator starts with pictures that are alike. The
/// average of a healthy one passes [`ALIKE`] within 10 iterations.
const EARLY: u64 = 500;

/// What collapse does to a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnCollapse {
    /// Says so and goes on
    #[default]
    Warn,
    /// Ends the run
    Stop,
    /// Isn't looked for
    Off,
}

/// Follows the measurements of a run.
pub struct Watch {
    on_collapse: OnCollapse,
    /// The least that D's loss can be: that of real pictures under a smoothed label.
    least: f64,
    /// Measurements in a row with D's loss at 0.
    at_zero: u32,
    /// The last pictures had a class whose pictures were alike.
    alike: bool,
}

impl Watch {
    /// A watch over a run that learns by `recipe`.
    pub fn new(on_collapse: OnCollapse, recipe: &Recipe) -> Watch {
        let s = recipe.smoothing;
        // The entropy of the label: with s = 0 it is 0, where the formula has no value.
        let least = if s > 0. { -s * s.ln() - (1. - s) * (1. - s).ln() } else { 0. };
        Watch { on_collapse, least, at_zero: 0, alike: false }
    }

    /// Looks at a measurement; gives a warning, once for each collapse. `checkpoint` says where the
    /// last one is.
    ///
    /// # Errors
    /// If the losses are no numbers, or D's is at 0 and that is to end the run.
    pub fn losses(&mut self, line: &Metrics, checkpoint: &str) -> Result<Option<String>> {
        let Metrics { iteration, loss_d, loss_g, d_real, d_fake, .. } = *line;
        if !(loss_d.is_finite() && loss_g.is_finite()) {
            bail!(
                "training came to losses that are no finite numbers at iteration {iteration} (loss D {loss_d}, \
                 loss G {loss_g}); {checkpoint}; start a new run with a smaller --learning-rate"
            );
        }
        let at_zero = f64::from(loss_d) - self.least < LOSS_AT_ZERO;
        self.at_zero = if at_zero { self.at_zero + 1 } else { 0 };
        if self.at_zero != MEASUREMENTS {
            return Ok(None);
        }
        self.collapse(format!(
            "the discriminator's loss is at its least in {MEASUREMENTS} measurements in a row, by iteration \
             {iteration} (loss D {loss_d:.6}, loss G {loss_g:.3}, D(x) {d_real:.3}, D(G(z)) {d_fake:.3}), so the \
             generator learns nothing any more; {checkpoint}; a new run may need a smaller --learning-rate-d, \
             more --generator-updates or --smoothing"
        ))
    }

    /// Looks at what each class's pictures in the grid after `iteration` differ by, as
    /// [`variety`](crate::samples::variety) counts it; gives a warning, once for each collapse. Without
    /// names of classes, there is one number for all pictures.
    ///
    /// # Errors
    /// If a class's pictures are alike and that is to end the run.
    pub fn samples(
        &mut self,
        iteration: u64,
        variety: &[f32],
        (classes, grid): (&[String], &Path),
        checkpoint: &str,
    ) -> Result<Option<String>> {
        let least = variety.iter().enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
        let Some((class, &least)) = least.filter(|&(_, &least)| least < ALIKE && iteration >= EARLY) else {
            self.alike = false;
            return Ok(None);
        };
        if std::mem::replace(&mut self.alike, true) {
            return Ok(None);
        }
        let of_class = classes.get(class).map(|name| format!(" of class {name}")).unwrap_or_default();
        self.collapse(format!(
            "the pictures{of_class} are all alike after iteration {iteration}: their pixels deviate by \
             {least:.4}, and by {ALIKE} or more in a healthy run (see {}); {checkpoint}; a new run may need a \
             smaller --learning-rate or another --batch-size",
            grid.display()
        ))
    }

    fn collapse(&self, sentence: String) -> Result<Option<String>> {
        match self.on_collapse {
            OnCollapse::Off => Ok(None),
            OnCollapse::Warn => Ok(Some(sentence)),
            OnCollapse::Stop => bail!("stopped: {sentence}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{OnCollapse, Watch};
    use crate::metrics::Metrics;
    use crate::recipe::Recipe;

    fn line(iteration: u64, loss_d: f32) -> Metrics {
        Metrics {
            iteration,
            epoch: 1.,
            loss_d,
            loss_g: 9.,
            d_real: 1.,
            d_fake: 0.,
            images_per_second: 1.,
            elapsed_seconds: 1.,
        }
    }

    fn watch(on_collapse: OnCollapse) -> Watch {
        Watch::new(on_collapse, &Recipe::default())
    }

    #[test]
    fn a_loss_at_zero_three_times_in_a_row_is_told_once() {
        let mut watch = watch(OnCollapse::Warn);
        let losses = [1e-4, 1e-5, 0.5, 1e-4, 0., 0., 0., 0.7, 0., 0., 9e-4];
        let told: Vec<usize> = (0..losses.len())
            .filter(|&i| watch.losses(&line(i as u64, losses[i]), "CHECKPOINT").unwrap().is_some())
            .collect();
        assert_eq!(told, [5, 10]);
    }

    #[test]
    fn the_sentence_names_the_step_the_figures_and_the_checkpoint() {
        let mut stop = watch(OnCollapse::Stop);
        stop.losses(&line(50, 0.), "CHECKPOINT").unwrap();
        stop.losses(&line(100, 0.), "CHECKPOINT").unwrap();
        let error = stop.losses(&line(150, 0.0004), "CHECKPOINT").unwrap_err().to_string();
        assert!(error.contains("iteration 150 (loss D 0.000400, loss G 9.000"), "{error}");
        assert!(error.contains("; CHECKPOINT;"), "{error}");

        let mut off = watch(OnCollapse::Off);
        assert!((0..9).all(|i| off.losses(&line(i, 0.), "").unwrap().is_none()));
    }

    #[test]
    fn losses_that_are_no_numbers_end_every_run() {
        for on_collapse in [OnCollapse::Off, OnCollapse::Warn, OnCollapse::Stop] {
            for loss in [f32::NAN, f32::INFINITY] {
                let error = watch(on_collapse).losses(&line(7, loss), "CHECKPOINT").unwrap_err().to_string();
                assert!(error.contains("iteration 7") && error.contains("CHECKPOINT"), "{error}");
            }
        }
    }

    #[test]
    fn a_smoothed_label_raises_the_least_loss() {
        let recipe = Recipe { smoothing: 0.1, ..Recipe::default() };
        let mut watch = Watch::new(OnCollapse::Warn, &recipe);
        // The entropy of (0.1, 0.9) is 0.32508.
        let told = [0.3251, 0.3252, 0.3259].map(|loss| watch.losses(&line(1, loss), "").unwrap().is_some());
        assert_eq!(told, [false, false, true]);
        let healthy = [0.4; 5].map(|loss| watch.losses(&line(1, loss), "").unwrap().is_some());
        assert_eq!(healthy, [false; 5]);
    }

    #[test]
    fn pictures_that_are_alike_are_told_once_and_not_early() {
        let classes = ["daisy".to_string(), "red rose".to_string()];
        let mut watch = watch(OnCollapse::Warn);
        let mut told = |iteration, variety: [f32; 2]| {
            watch.samples(iteration, &variety, (&classes, Path::new("GRID")), "CHECKPOINT").unwrap()
        };
        assert_eq!(told(100, [0., 0.]), None);
        assert_eq!(told(600, [0.2, 0.07]), None);
        let warning = told(700, [0.2, 0.004]).unwrap();
        for part in ["class red rose", "iteration 700", "0.0040", "GRID", "CHECKPOINT"] {
            assert!(warning.contains(part), "{warning}");
        }
        assert_eq!(told(800, [0.2, 0.004]), None);
        assert_eq!(told(900, [0.2, 0.07]), None);
        assert!(told(1000, [0.001, 0.07]).is_some_and(|warning| warning.contains("class daisy")));

        let mut unlabelled = self::watch(OnCollapse::Warn);
        let warning = unlabelled.samples(700, &[0.], (&[], Path::new("GRID")), "").unwrap().unwrap();
        assert!(warning.starts_with("the pictures are all alike"), "{warning}");
    }
}
