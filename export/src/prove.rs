//! A file's very bytes in every engine, before it is written; and what it promises to draw.

use std::path::Path;

use contract::Contract;
use infer::{Engine as Choice, Generator, ModelSource, Runtime};
use serde_json::json;

use crate::export::PRECISION;
use crate::form::{Form, Precision};
use crate::generator::golden;
use crate::lower::Names;
use crate::proof::{Cases, Difference, Engine, Tolerance};
use crate::report::Comparison;
use crate::{Error, Result, session};

/// `infer` loads a model in two ways: for few images it lends the engine the weights where they lie in
/// the file, for many it hands over the file as it is. Both are proven.
const FEW_IMAGES: usize = 1;
/// Enough to choose the second way.
pub(crate) const MANY_IMAGES: usize = 1 << 16;

/// Where a file says what it promises to draw.
const GOLDEN: &str = "edgegan.golden";

/// What a checkpoint's network is run by.
pub(crate) const CANDLE: &str = "Candle";

/// Whether the engine that is part of `infer` has to run a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Embedded {
    /// It has to.
    Must,
    /// It may refuse it.
    May,
    /// It isn't asked.
    Never,
}

impl Embedded {
    /// For a file of this precision.
    pub fn of(precision: Precision) -> Embedded {
        match precision {
            // Half precision is for GPUs, which the embedded engine doesn't serve.
            Precision::Fp16 => Embedded::May,
            _ => Embedded::Must,
        }
    }
}

/// Runs a file's bytes in every engine.
pub(crate) struct Proof<'a> {
    pub file: &'a Path,
    /// Of the graph's inputs and output.
    pub names: Names<'static>,
    pub form: &'a Form,
    pub contract: Option<&'a Contract>,
    pub runtime: &'static Runtime,
    /// The library that was named.
    pub asked: Option<&'a Path>,
    /// What the cases' pictures were made by.
    pub reference: String,
    pub tolerance: Tolerance,
    pub embedded: Embedded,
}

impl Proof<'_> {
    /// Whether the file is one that `infer` draws from.
    fn is_standard(&self) -> bool {
        self.contract.is_some() && !self.form.uint8 && self.form.batch.is_none()
    }

    /// Every engine against the reference.
    pub fn run(&self, bytes: &[u8], cases: &Cases) -> Result<Vec<Comparison>> {
        let Proof { tolerance, .. } = self;
        let mut comparisons = Vec::new();
        for mut engine in self.engines(bytes)? {
            let difference = cases.compare(&mut engine)?;
            // Comparing no numbers proves nothing.
            if difference.values == 0 || !tolerance.allows(&difference) {
                return Err(Error::Differs {
                    compared: format!("{} and {}", engine.name(), self.reference),
                    file: self.file.display().to_string(),
                    largest: difference.largest,
                    mean: difference.mean,
                    tolerance: format!("{:.0e} (mean {:.0e})", tolerance.largest, tolerance.mean),
                    remedy: match self.reference.as_str() {
                        CANDLE => {
                            "nothing was written: try another ONNX Runtime with --runtime, and if it differs \
                             too, the file isn't of this checkpoint, or this is an error of the exporter"
                        }
                        _ => {
                            "nothing was written: try another ONNX Runtime with --runtime, and if it differs \
                             too, this is an error of the exporter"
                        }
                    },
                });
            }
            comparisons.push(Comparison { engine: engine.name(), difference, batches: engine.batches() });
        }
        Ok(comparisons)
    }

    /// Proves a file, completes its metadata with what it promises (how far a reduced precision is from the
    /// reference, and a golden case if `infer` draws from it), and proves the bytes that come of it. `encode`
    /// gives the file with some metadata.
    pub fn promise(
        &self,
        mut metadata: Vec<(String, String)>,
        cases: &Cases,
        mut encode: impl FnMut(&[(String, String)]) -> Vec<u8>,
    ) -> Result<(Vec<u8>, Vec<Comparison>)> {
        let bytes = encode(&metadata);
        // What the file promises is what it draws without its promises.
        let before = self.run(&bytes, cases)?;
        let precision = self.form.precision;
        if precision != Precision::Fp32 {
            let Difference { largest, mean, levels, .. } =
                before.first().map(|c| c.difference).unwrap_or_default();
            let stated = json!({
                "precision": precision.name(),
                "largest": largest,
                "mean": mean,
                "levels": levels,
            });
            metadata.push((PRECISION.to_string(), stated.to_string()));
        }
        if let Some(contract) = self.contract.filter(|_| self.is_standard()) {
            // Engines may differ from each other by as much as each differs from the reference.
            let tolerance = match precision {
                Precision::Fp32 => 1,
                _ => before.iter().filter_map(|c| c.difference.levels).max().unwrap_or(0).max(1),
            };
            let mut generator = self.generator(&bytes, Choice::OnnxRuntime, FEW_IMAGES)?;
            let golden = Some(golden(&mut generator, tolerance)?);
            let promised = Contract { golden, ..contract.clone() }.to_metadata().into_iter();
            metadata.retain(|(key, _)| key != GOLDEN);
            metadata.extend(promised.filter(|(key, _)| key == GOLDEN));
        }
        let bytes = encode(&metadata);
        let comparisons = self.run(&bytes, cases)?;
        Ok((bytes, comparisons))
    }

    fn engines(&self, bytes: &[u8]) -> Result<Vec<Engine>> {
        if !self.is_standard() {
            return Ok(vec![Engine::Session {
                session: session::load(bytes, self.runtime)?,
                runtime: self.runtime,
                names: self.names,
                batch: self.form.batch.map(|n| n as usize),
                bytes: self.form.uint8,
            }]);
        }
        let mut engines = Vec::new();
        for images in [FEW_IMAGES, MANY_IMAGES] {
            engines.push(self.generator(bytes, Choice::OnnxRuntime, images)?);
            if self.embedded == Embedded::Never {
                continue;
            }
            match self.generator(bytes, Choice::Rten, images) {
                Ok(generator) => engines.push(generator),
                Err(_) if self.embedded == Embedded::May => {}
                Err(error) => return Err(error),
            }
        }
        Ok(engines.into_iter().map(|generator| Engine::Generator(Box::new(generator))).collect())
    }

    /// The file's bytes in one of `infer`'s engines, on the CPU: what every machine has.
    fn generator(&self, bytes: &[u8], engine: Choice, expected_images: usize) -> Result<Generator> {
        let name = self.file.display().to_string();
        let source = ModelSource::Bytes { name: &name, bytes };
        let runtime = self.asked.filter(|_| engine.takes_library());
        generator_in(&source, engine, runtime, expected_images)
    }
}

/// A generator in one of `infer`'s engines, on the CPU.
pub(crate) fn generator_in(
    source: &ModelSource<'_>,
    engine: Choice,
    runtime: Option<&Path>,
    expected_images: usize,
) -> Result<Generator> {
    let runtime = runtime.map(Path::to_path_buf);
    let device = infer::Device::Cpu;
    let options = infer::Options { engine, device, runtime, expected_images, ..Default::default() };
    Ok(Generator::load(source, &options)?)
}
