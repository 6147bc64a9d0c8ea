//! Where training runs.

use std::str::FromStr;

use anyhow::{Result, bail};
use candle_core::Device;

/// What `--device` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The first CUDA device if there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// That CUDA device, or an error.
    Cuda(usize),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Choice, String> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Choice::Auto),
            ("cpu", _) => Ok(Choice::Cpu),
            ("cuda", _) => Ok(Choice::Cuda(0)),
            (_, Some(Ok(index))) => Ok(Choice::Cuda(index)),
            _ => Err("expected auto, cpu, cuda or cuda:INDEX".to_string()),
        }
    }
}

impl Choice {
    /// The device.
    ///
    /// # Errors
    /// If a CUDA device was asked for and this program, or this machine, has none.
    pub fn open(self) -> Result<Device> {
        match self {
            Choice::Cpu => Ok(Device::Cpu),
            Choice::Auto => match cfg!(feature = "cuda") {
                true => Ok(Device::cuda_if_available(0).unwrap_or(Device::Cpu)),
                false => Ok(Device::Cpu),
            },
            Choice::Cuda(index) if !cfg!(feature = "cuda") => bail!(
                "--device cuda:{index}: this program was built without CUDA; build it with \
                 `cargo build --release -p train --features cuda`, or use --device cpu"
            ),
            Choice::Cuda(index) => Device::new_cuda(index).map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().next().unwrap_or_default().to_string();
                anyhow::anyhow!("--device cuda:{index}: that CUDA device can't be used ({reason}); check `nvidia-smi`, or use --device cpu")
            }),
        }
    }
}

/// "cpu" or "cuda:0".
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_string(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}
