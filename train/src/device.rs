//! Where training runs.

use std::str::FromStr;

use anyhow::{Result, bail};
use candle_core::Device;
use models::ops::Factors;
use models::ops::cpu::bf16::Unit;
use serde::{Deserialize, Serialize};

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
                true => Ok(Device::cuda_if_available(0).map_or(Device::Cpu, single_stream)),
                false => Ok(Device::Cpu),
            },
            Choice::Cuda(index) if !cfg!(feature = "cuda") => bail!(
                "--device cuda:{index}: this program was built without CUDA; build it with \
                 `cargo build --release -p train --features cuda`, or use --device cpu"
            ),
            Choice::Cuda(index) => Device::new_cuda(index).map(single_stream).map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().next().unwrap_or_default().to_string();
                anyhow::anyhow!("--device cuda:{index}: that CUDA device can't be used ({reason}); check `nvidia-smi`, or use --device cpu")
            }),
        }
    }
}

/// Turns off the events that keep several CUDA streams in order: training has one stream.
fn single_stream(device: Device) -> Device {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(cuda) = &device {
        // SAFETY: all work of this process is queued on one stream, from one thread.
        unsafe { cuda.disable_event_tracking() };
    }
    device
}

/// How exactly the factors of matrix products are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// All 24 bits of a float32's mantissa.
    #[default]
    #[serde(rename = "f32", alias = "float32")]
    Float32,
    /// TensorFloat-32: 11 bits of it, on tensor cores.
    Tf32,
    /// bfloat16: 8 bits of it. Weights, sums, batch norm, losses and Adam stay float32.
    Bf16,
}

impl Precision {
    /// Makes this the precision of all matrix products on CUDA devices.
    ///
    /// # Errors
    /// If the device doesn't have it.
    pub fn apply(self, device: &Device) -> Result<()> {
        match self {
            Precision::Tf32 if !device.is_cuda() => bail!(
                "--tf32 is for CUDA devices, and this run would be on the {}; leave it out",
                name(device)
            ),
            Precision::Bf16 if !device.is_cpu() => bail!(
                "--precision bf16 is for the CPU so far, and this run would be on {}; leave it out, or say \
                 --device cpu",
                name(device)
            ),
            _ => {}
        }
        candle_core::cuda::set_gemm_reduced_precision_f32(self == Precision::Tf32);
        Ok(())
    }

    /// What the networks' own products take; TF32 is the device's matter.
    pub fn factors(self) -> Factors {
        match self {
            Precision::Float32 | Precision::Tf32 => Factors::Float32,
            Precision::Bf16 => Factors::Bfloat16,
        }
    }

    /// "cpu", "cuda:0", "cuda:0 in TF32" or "cpu in bfloat16 (AVX512-BF16)".
    pub fn describe(self, device: &Device) -> String {
        match self {
            Precision::Tf32 if device.is_cuda() => format!("{} in TF32", name(device)),
            Precision::Bf16 => format!("{} in bfloat16 ({})", name(device), Unit::best()),
            _ => name(device),
        }
    }
}

/// "cpu" or "cuda:0".
fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_string(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}
