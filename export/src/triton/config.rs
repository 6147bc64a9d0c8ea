//! config.pbtxt.

use std::fmt;

use contract::onnx::Dim;

use super::{DELAY_US, Device, LABELS, MAX_BATCH, Settings};
use crate::inspect::{Report, Value};

/// A server's configuration of one model; [`fmt::Display`] writes it in protobuf's text format.
#[derive(Clone, Debug)]
pub struct Config {
    name: String,
    /// 0: the server makes no batches.
    pub max_batch: u32,
    /// Sizes at which a batch doesn't wait.
    pub preferred: Vec<u32>,
    delay_us: u64,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    instances: u32,
    device: Device,
    parameters: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    data_type: &'static str,
    /// Without the batch; −1 for any size.
    dims: Vec<i64>,
    is_classification: bool,
}

impl Config {
    /// The configuration of a file.
    ///
    /// # Errors
    /// A sentence, if the server can't serve it that way.
    pub fn new(report: &Report, settings: &Settings, classes: &[String]) -> Result<Config, String> {
        let values = || report.inputs.iter().chain(&report.outputs);
        let is_fixed = |value: &Value| match &value.dims {
            Some(dims) => matches!(dims.first(), None | Some(Dim::Fixed(_))),
            None => false,
        };
        let fixed = values().find(|value| is_fixed(value));
        let (max_batch, preferred) = match fixed {
            Some(value) => {
                if settings.max_batch.is_some()
                    || !settings.preferred.is_empty()
                    || settings.delay_us.is_some()
                {
                    return Err(format!(
                        "{value} has a fixed batch, so the server can make no batches of it"
                    ));
                }
                (0, Vec::new())
            }
            None => {
                let largest = settings.max_batch.unwrap_or(MAX_BATCH);
                let preferred = &settings.preferred;
                if let Some(size) = preferred.iter().find(|size| !(1..=largest).contains(size)) {
                    return Err(format!("a preferred batch of {size} is not within 1 to {largest}"));
                }
                (largest, if preferred.is_empty() { vec![largest] } else { preferred.clone() })
            }
        };
        let tensor = |value: &Value, is_output: bool| -> Result<Tensor, String> {
            let dims =
                value.dims.as_ref().ok_or_else(|| format!("it doesn't say the shape of {}", value.name))?;
            let dims: Vec<i64> = (dims.iter().skip(usize::from(max_batch > 0)))
                .map(|dim| match dim {
                    Dim::Fixed(size @ 1..) => Ok(*size),
                    Dim::Fixed(size) => Err(format!("{value} has a size of {size}")),
                    Dim::Symbol(_) | Dim::Any => Ok(-1),
                })
                .collect::<Result<_, _>>()?;
            Ok(Tensor {
                name: value.name.clone(),
                data_type: data_type(&value.element)
                    .ok_or_else(|| format!("{value} is of a type that Triton doesn't have"))?,
                is_classification: is_output && !classes.is_empty() && dims == [classes.len() as i64],
                dims,
            })
        };
        Ok(Config {
            name: settings.name.clone(),
            max_batch,
            preferred,
            delay_us: settings.delay_us.unwrap_or(DELAY_US),
            inputs: report.inputs.iter().map(|value| tensor(value, false)).collect::<Result<_, _>>()?,
            outputs: report.outputs.iter().map(|value| tensor(value, true)).collect::<Result<_, _>>()?,
            instances: settings.instances,
            device: settings.device,
            parameters: (report.metadata.iter())
                // The golden case is for devices that have the file.
                .filter(|entry| entry.key.starts_with("edgegan.") && entry.key != "edgegan.golden")
                .map(|entry| (entry.key.clone(), entry.value.clone()))
                .collect(),
        })
    }
}

/// model_config.proto's name of an element type.
fn data_type(element: &str) -> Option<&'static str> {
    Some(match element {
        "bool" => "TYPE_BOOL",
        "uint8" => "TYPE_UINT8",
        "uint16" => "TYPE_UINT16",
        "uint32" => "TYPE_UINT32",
        "uint64" => "TYPE_UINT64",
        "int8" => "TYPE_INT8",
        "int16" => "TYPE_INT16",
        "int32" => "TYPE_INT32",
        "int64" => "TYPE_INT64",
        "float16" => "TYPE_FP16",
        "float32" => "TYPE_FP32",
        "float64" => "TYPE_FP64",
        "bfloat16" => "TYPE_BF16",
        "string" => "TYPE_STRING",
        _ => return None,
    })
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Written by edgegan's export for NVIDIA Triton Inference Server.")?;
        writeln!(f, "name: {}", quoted(&self.name))?;
        writeln!(f, "backend: \"onnxruntime\"")?;
        writeln!(f, "max_batch_size: {}", self.max_batch)?;
        self.inputs.iter().try_for_each(|tensor| tensor.write(f, "input"))?;
        self.outputs.iter().try_for_each(|tensor| tensor.write(f, "output"))?;
        if self.max_batch > 0 {
            writeln!(f, "dynamic_batching {{")?;
            writeln!(f, "  preferred_batch_size: [{}]", list(&self.preferred))?;
            writeln!(f, "  max_queue_delay_microseconds: {}", self.delay_us)?;
            writeln!(f, "}}")?;
        }
        let kind = match self.device {
            Device::Auto => "KIND_AUTO",
            Device::Cpu => "KIND_CPU",
            Device::Gpu => "KIND_GPU",
        };
        writeln!(f, "instance_group [{{ count: {}, kind: {kind} }}]", self.instances)?;
        if !self.parameters.is_empty() {
            writeln!(f, "# What the file says of itself; clients get it with the model's configuration.")?;
        }
        (self.parameters.iter()).try_for_each(|(key, value)| {
            writeln!(f, "parameters {{ key: {}, value {{ string_value: {} }} }}", quoted(key), quoted(value))
        })
    }
}

impl Tensor {
    fn write(&self, f: &mut fmt::Formatter<'_>, field: &str) -> fmt::Result {
        writeln!(f, "{field} {{")?;
        writeln!(f, "  name: {}", quoted(&self.name))?;
        writeln!(f, "  data_type: {}", self.data_type)?;
        match self.dims.as_slice() {
            // Triton's way to say that nothing follows the batch: one number, that is taken away.
            [] => writeln!(f, "  dims: [1]\n  reshape {{ shape: [] }}")?,
            dims => writeln!(f, "  dims: [{}]", list(dims))?,
        }
        if self.is_classification {
            writeln!(f, "  label_filename: {}", quoted(LABELS))?;
        }
        writeln!(f, "}}")
    }
}

fn list(numbers: &[impl ToString]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A string of protobuf's text format.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_ascii_control() => quoted.push_str(&format!("\\{:03o}", letter as u32)),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_ends_a_string_is_escaped() {
        assert_eq!(quoted("größe \"a\\b\"\n\t"), "\"größe \\\"a\\\\b\\\"\\012\\011\"");
    }
}
