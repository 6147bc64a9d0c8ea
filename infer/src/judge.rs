//! A judge: a classifier that reads what a generator drew.

use contract::{
    PixelRange,
    metadata::{describe_classes, judge_metadata},
    onnx, tensor,
};

use crate::{
    Error, Generator, ModelSource, Options,
    engine::{self, Chosen, Input, Values},
};

/// What a judge says of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The class with the largest logit; the first of equal ones.
    pub label: i64,
    /// Its softmax, rounded to four decimals: further ones differ from machine to machine.
    pub confidence: f64,
}

/// A loaded judge.
pub struct Judge {
    name: String,
    classes: usize,
    /// Channels, height and width of a picture.
    shape: [usize; 3],
    pixel_range: PixelRange,
    chosen: Chosen,
    /// A batch of pictures in the judge's range, memory that every reading uses again.
    images: Vec<f32>,
}

impl Judge {
    /// Loads a judge of this generator's pictures, in its engine and on its device.
    ///
    /// # Errors
    ///
    /// [`Error::NothingToVerify`], [`Error::NotAJudge`], [`Error::OtherJudge`] for a judge of other
    /// classes or of pictures of another size, and any of [`Error`]'s about models, runtimes,
    /// engines and devices.
    pub fn load(source: &ModelSource<'_>, generator: &Generator, options: &Options) -> Result<Self, Error> {
        let drawn = generator.contract();
        if !drawn.is_labelled() {
            return Err(Error::NothingToVerify(generator.name().into()));
        }
        let header = source.header()?;
        let not_a_judge = |found: String| Error::NotAJudge { judge: source.name(), found };
        let (classes, pixel_range) = judge_metadata(|key| header.get(key)).map_err(not_a_judge)?;
        let shape = onnx::check_judge(&header, classes.len())
            .map_err(|(found, expected)| not_a_judge(format!("it has {found}, expected {expected}")))?;
        if classes != drawn.classes {
            return Err(Error::OtherJudge {
                judge: source.name(),
                reads: describe_classes(&classes),
                model: generator.name().into(),
                draws: drawn.describe_classes(),
            });
        }
        let (engine, device) = (generator.engine(), generator.device());
        // A library that serves is loaded, and other engines take none.
        let runtime = options.runtime.clone().filter(|_| engine.takes_library());
        let options = Options { engine, device, runtime, ..options.clone() };
        let judge = Self {
            name: source.name(),
            classes: classes.len(),
            shape,
            pixel_range,
            chosen: engine::choose(source, &options)?,
            images: Vec::new(),
        };
        match generator.declared_shape() {
            Some(declared) => judge.check_shape(declared, generator).map(|()| judge),
            None => Ok(judge),
        }
    }

    /// What messages call the judge.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses pictures that are not of the judge's size.
    pub(crate) fn check_shape(&self, shape: [usize; 3], generator: &Generator) -> Result<(), Error> {
        let pictures = |[channels, height, width]: [usize; 3]| {
            let colour = if channels == 1 { "grey" } else { "colour" };
            format!("{colour} pictures of {width}×{height}")
        };
        match shape == self.shape {
            true => Ok(()),
            false => Err(Error::OtherJudge {
                judge: self.name.clone(),
                reads: pictures(self.shape),
                model: generator.name().into(),
                draws: pictures(shape),
            }),
        }
    }

    /// Reads pictures as the 8-bit pixels that are written of them, and appends what each is read as
    /// to `readings`.
    ///
    /// # Shapes
    ///
    /// `pixels` is `(N, C, H, W)`, N ≥ 1, C, H and W the judge's.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] for other shapes, [`Error::RunFailed`] if the engine fails or a logit is
    /// not finite.
    pub fn read(&mut self, pixels: &[u8], readings: &mut Vec<Reading>) -> Result<(), Error> {
        let [c, h, w] = self.shape;
        let (count, rest) = (pixels.len() / (c * h * w), pixels.len() % (c * h * w));
        if count == 0 || rest != 0 {
            return Err(Error::BadInput(format!(
                "{} pixels are no pictures of {c}×{h}×{w}, which judge {} reads",
                pixels.len(),
                self.name
            )));
        }
        if count == 1 {
            // As in `Generator::draw`: a single picture is read as it is among others.
            self.read(&pixels.repeat(2), readings)?;
            readings.pop();
            return Ok(());
        }
        self.images.clear();
        self.images.extend(pixels.iter().map(|level| self.pixel_range.from_u8(*level)));
        let shape = [count, c, h, w];
        let (shape, values) = ((&shape).into(), Values::Float32((&self.images).into()));
        let image = Input { name: tensor::IMAGE.into(), shape, values };
        let classes = self.classes;
        let run = self.chosen.network.run(&[image], tensor::LOGITS, &mut |shape, logits| {
            if shape != [count as i64, classes as i64] {
                return Err(format!("its output has shape {shape:?}, expected [{count}, {classes}]"));
            }
            for logits in logits.chunks_exact(classes) {
                readings.push(reading(logits)?);
            }
            Ok(())
        });
        run.map_err(|reason| Error::RunFailed { model: self.name.clone(), reason })
    }
}

/// The largest logit's class, and its softmax.
fn reading(logits: &[f32]) -> Result<Reading, String> {
    if let Some(logit) = logits.iter().find(|logit| !logit.is_finite()) {
        return Err(format!("it gave a logit of value {logit}"));
    }
    let mut largest = (0, f32::NEG_INFINITY);
    for (class, &logit) in logits.iter().enumerate() {
        if logit > largest.1 {
            largest = (class as i64, logit);
        }
    }
    let (label, logit) = largest;
    // exp(x − max) can't overflow, and the largest one is exp(0).
    let sum: f64 = logits.iter().map(|other| libm::exp(f64::from(*other) - f64::from(logit))).sum();
    Ok(Reading { label, confidence: (1e4 / sum).round() / 1e4 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_the_largest_logit_and_its_softmax() {
        // softmax of ln 1, ln 3, ln 2: sixths.
        let thirds = [0.0, 3f32.ln(), 2f32.ln()];
        assert_eq!(reading(&thirds), Ok(Reading { label: 1, confidence: 0.5 }));
        let far = reading(&[-500.0, 300.0, 299.0]);
        assert_eq!(far, Ok(Reading { label: 1, confidence: 0.7311 }));
        assert_eq!(reading(&[2.0, 2.0]), Ok(Reading { label: 0, confidence: 0.5 }));
        assert!(reading(&[0.0, f32::NAN]).is_err_and(|reason| reason.contains("NaN")));
        assert!(reading(&[0.0, f32::INFINITY]).is_err_and(|reason| reason.contains("inf")));
    }
}
