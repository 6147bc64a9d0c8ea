//! Where a model runs: what is asked for on the command line.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::Error;

/// The device that was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// The first of TensorRT, CUDA and the CPU that works and is worth starting.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number, or an error.
    Cuda(u32),
    /// The CUDA device of this number through TensorRT, or an error. TensorRT compiles the model
    /// for the device first.
    TensorRt(u32),
}

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownDevice(text.into());
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "tensorrt" => Ok(Self::TensorRt(0)),
            _ => {
                let (kind, number) = text.split_once(':').ok_or_else(unknown)?;
                // ONNX Runtime takes an i32.
                match (kind, number.parse::<u32>()) {
                    ("cuda", Ok(index)) if index <= i32::MAX as u32 => Ok(Self::Cuda(index)),
                    ("tensorrt", Ok(index)) if index <= i32::MAX as u32 => Ok(Self::TensorRt(index)),
                    _ => Err(unknown()),
                }
            }
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::TensorRt(index) => write!(f, "tensorrt:{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_went() {
        for device in [Device::Auto, Device::Cpu, Device::Cuda(0), Device::Cuda(13), Device::TensorRt(2)] {
            assert_eq!(device.to_string().parse::<Device>().ok(), Some(device));
        }
        assert_eq!("cuda".parse::<Device>().ok(), Some(Device::Cuda(0)));
        assert_eq!("tensorrt".parse::<Device>().ok(), Some(Device::TensorRt(0)));
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cuda:4294967295", "cpu:0", "tensorrt:"]
        {
            let error = name.parse::<Device>().err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains(&format!("{name:?}"))), "{name}");
        }
    }
}
