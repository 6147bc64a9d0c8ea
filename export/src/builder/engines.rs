//! The file's bytes against `forward`, in the engines, before anything is written.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor as Numbers};
use infer::{Input, ModelSource, RtenSession, Runtime, Session, Values};

use super::Described;
use crate::export::check_output;
use crate::form::{Form, Formed, Precision};
use crate::onnx::{Element, Model, Producer};
use crate::proof::{Difference, Tolerance};
use crate::{Error, Result, session};

/// Largest difference of single precision that counts as rounding: networks of any depth.
pub const TOLERANCE: f64 = 1e-4;

/// What an engine makes of the file, beside what `forward` makes.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Its name and version.
    pub engine: String,
    /// How far they are apart.
    pub difference: Difference,
    /// The sizes of the batches that it ran.
    pub batches: Vec<usize>,
}

/// Inputs of one batch, and what `forward` makes of them.
struct Case {
    inputs: Vec<(String, Numbers)>,
    expected: Vec<f32>,
}

impl Described<'_> {
    /// Makes the file in this form, runs its bytes in ONNX Runtime and in rten against `forward`, on batches
    /// of one item, of the sample and of more, and writes it. `runtime` is ONNX Runtime's library; without
    /// it, it is looked for as `infer` does. rten takes no half precision, and is left out then.
    ///
    /// # Errors
    /// [`Error::Differs`] if an engine makes something else of it, [`Error::Output`] for a path that can't be
    /// written, [`Error::Graph`] or [`Error::Form`] if the form doesn't fit; nothing is written then.
    pub fn write(&self, out: &Path, form: &Form, runtime: Option<&Path>) -> Result<Vec<Agreement>> {
        check_output(out, [], "model.onnx")?;
        let (bytes, agreements) = self.file(form, runtime)?;
        contract::files::write(out, |file| file.write_all(&bytes))?;
        Ok(agreements)
    }

    /// The same, but for the writing: the file's bytes.
    ///
    /// # Errors
    /// As [`Described::write`].
    pub fn file(&self, form: &Form, runtime: Option<&Path>) -> Result<(Vec<u8>, Vec<Agreement>)> {
        let library = Runtime::load(runtime)?;
        let Formed { graph, precision, .. } =
            form.of_graph(self.graph.clone(), None, &self.typical()?, runtime)?;
        let producer = Producer { name: "edgegan".into(), version: env!("CARGO_PKG_VERSION").into() };
        let bytes = Model::of_opset(form.opset, &graph, producer)?.encode();
        let cases = self.cases(form.batch.map(|batch| batch as usize))?;
        let mut agreements = vec![self.onnx_runtime(&bytes, library, &cases)?];
        if precision != Precision::Fp16 {
            agreements.push(self.rten(&bytes, &cases)?);
        }
        let tolerance = match precision {
            Precision::Fp32 => Tolerance { largest: TOLERANCE, mean: TOLERANCE },
            Precision::Fp16 => Tolerance::of(Precision::Fp16, None, false),
            // As pixels', in proportion to how far the outputs lie apart.
            Precision::Int8 => {
                let numbers =
                    || cases.iter().flat_map(|case| &case.expected).map(|&number| f64::from(number));
                let span = numbers().fold(f64::MIN, f64::max) - numbers().fold(f64::MAX, f64::min);
                let Tolerance { largest, mean } = Tolerance::of(Precision::Int8, None, false);
                Tolerance { largest: largest * span, mean: mean * span }
            }
        };
        match agreements.iter().find(|agreement| !tolerance.allows(&agreement.difference)) {
            None => Ok((bytes, agreements)),
            Some(Agreement { engine, difference, .. }) => Err(Error::Differs {
                compared: format!("{engine} and Candle"),
                file: self.graph.name().to_string(),
                largest: difference.largest,
                mean: difference.mean,
                tolerance: format!("{:.0e} (mean {:.0e})", tolerance.largest, tolerance.mean),
                remedy: "nothing was written: try another ONNX Runtime, and if it differs too, this is an error \
                         of the exporter",
            }),
        }
    }

    /// What the layers are likely to see, by the names of inputs: the samples.
    fn typical(&self) -> Result<HashMap<String, Numbers>> {
        let typical = self.inputs.iter().map(|(name, sample)| {
            let dtype = if sample.dtype().is_float() { DType::F64 } else { DType::I64 };
            Ok((name.clone(), sample.to_device(&Device::Cpu)?.to_dtype(dtype)?))
        });
        typical.collect()
    }

    /// One item, the sample, and more than it; or batches of the size that the file takes.
    fn cases(&self, fixed: Option<usize>) -> Result<Vec<Case>> {
        let samples = self.inputs.first().map_or(Ok(1), |(_, sample)| sample.dim(0))?;
        let batches = fixed.map_or(vec![1, samples, 2 * samples + 1], |batch| vec![batch]);
        batches.into_iter().map(|batch| self.case(batch)).collect()
    }

    /// Items of the sample, from its first on as often as it takes.
    fn case(&self, batch: usize) -> Result<Case> {
        let inputs = self.inputs.iter().map(|(name, sample)| {
            let indices = (0..batch).map(|item| (item % sample.dims()[0]) as u32);
            let indices = Numbers::from_iter(indices, sample.device())?;
            Ok((name.clone(), sample.index_select(&indices, 0)?))
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let tensors: Vec<Numbers> = inputs.iter().map(|(_, tensor)| tensor.clone()).collect();
        let expected = (self.forward)(&tensors)?;
        Ok(Case { inputs, expected: expected.to_dtype(DType::F32)?.flatten_all()?.to_vec1()? })
    }

    fn onnx_runtime(&self, bytes: &[u8], runtime: &'static Runtime, cases: &[Case]) -> Result<Agreement> {
        let mut loaded: Session = session::load(bytes, runtime)?;
        let engine = format!("ONNX Runtime {}", runtime.version());
        self.agreement(engine, cases, |inputs| session::run(&mut loaded, runtime, inputs, &self.output))
    }

    fn rten(&self, bytes: &[u8], cases: &[Case]) -> Result<Agreement> {
        let mut loaded = RtenSession::load(&ModelSource::Bytes { name: self.graph.name(), bytes })?;
        let refused = |reason: String| infer::Error::ModelRefused {
            model: self.graph.name().to_string(),
            engine: RtenSession::NAME.to_string(),
            reason,
        };
        self.agreement(RtenSession::NAME.to_string(), cases, |inputs| {
            let mut found = Vec::new();
            let ran = loaded.run(inputs, &self.output, |_, numbers| {
                found = numbers.to_vec();
                Ok(())
            });
            ran.map_err(refused)?;
            Ok(found)
        })
    }

    fn agreement(
        &self,
        engine: String,
        cases: &[Case],
        mut run: impl FnMut(&[Input<'_>]) -> Result<Vec<f32>>,
    ) -> Result<Agreement> {
        let mut difference = Difference::default();
        let mut batches = Vec::new();
        for Case { inputs, expected } in cases {
            let inputs = inputs.iter().map(|(name, tensor)| self.input(name, tensor));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            difference.add(expected, &run(&inputs)?);
            batches.extend(inputs.first().and_then(|input| input.shape.first().copied()));
        }
        Ok(Agreement { engine, difference, batches })
    }

    fn input(&self, name: &str, tensor: &Numbers) -> Result<Input<'static>> {
        let of = self.graph.value(name).map(|value| value.type_of().element);
        let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
        let values = match of {
            Some(Element::Int64) => Values::Int64(flat.to_dtype(DType::I64)?.to_vec1()?.into()),
            _ => Values::Float32(flat.to_dtype(DType::F32)?.to_vec1()?.into()),
        };
        Ok(Input { name: name.to_string().into(), shape: tensor.dims().to_vec().into(), values })
    }
}
