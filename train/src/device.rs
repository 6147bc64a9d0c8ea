//! Where training runs.

use std::str::FromStr;

use anyhow::{Result, bail};
use candle_core::Device;
use clap::ValueEnum;
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
                true => Ok(open_cuda(0).unwrap_or(Device::Cpu)),
                false => Ok(Device::Cpu),
            },
            Choice::Cuda(index) if !cfg!(feature = "cuda") => bail!(
                "--device cuda:{index}: this program was built without CUDA; build it with \
                 `cargo build --release -p train --features cuda`, or use --device cpu"
            ),
            Choice::Cuda(index) => open_cuda(index).map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().next().unwrap_or_default().to_string();
                anyhow::anyhow!("--device cuda:{index}: that CUDA device can't be used ({reason}); check `nvidia-smi`, or use --device cpu")
            }),
        }
    }
}

/// A CUDA device with one stream of its own: while that records a graph, nothing else may queue work on it.
fn open_cuda(index: usize) -> candle_core::Result<Device> {
    let device = Device::new_cuda_with_stream(index)?;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(cuda) = &device {
        // Turns off the events that keep several streams in order; a graph couldn't wait for them.
        // SAFETY: all work of this process is queued on one stream, from one thread.
        unsafe { cuda.disable_event_tracking() };
        give_workspace(cuda)?;
    }
    Ok(device)
}

/// Gives cuBLAS memory to work in that stays, so that it takes none while a graph is recorded, and chooses
/// the same kernels then.
#[cfg(feature = "cuda")]
fn give_workspace(device: &candle_core::CudaDevice) -> candle_core::Result<()> {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::cublas::sys::cublasSetWorkspace_v2;

    /// What NVIDIA recommends for Hopper, the most of any GPU.
    const BYTES: usize = 32 << 20;
    // SAFETY: cuBLAS writes there before it reads.
    let memory = unsafe { device.alloc::<u8>(BYTES)? };
    // SAFETY: the memory is leaked, so it outlives the handle, and is used on the stream that it is of.
    let status =
        unsafe { cublasSetWorkspace_v2(*device.cublas_handle().handle(), memory.leak() as *mut _, BYTES) };
    status.result().w()
}

/// Whether a GPU is asked for iterations as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CudaGraphs {
    /// Recorded once, then launched as one
    #[default]
    On,
    /// Launched kernel by kernel
    Off,
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

/// What `--precision` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionChoice {
    /// bfloat16 on a CPU that multiplies in it, else float32.
    Auto,
    /// That one.
    #[serde(untagged)]
    Fixed(Precision),
}

impl PrecisionChoice {
    /// What a run on `device` takes.
    pub fn on(self, device: &Device) -> Precision {
        match self {
            PrecisionChoice::Fixed(precision) => precision,
            PrecisionChoice::Auto if device.is_cpu() && Unit::best() != Unit::Portable => Precision::Bf16,
            PrecisionChoice::Auto => Precision::Float32,
        }
    }
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
            Precision::Bf16 if device.is_metal() => bail!(
                "--precision bf16 is for the CPU and for CUDA devices, and this run would be on {}; leave it \
                 out, or say --device cpu",
                name(device)
            ),
            _ => {}
        }
        #[cfg(feature = "cuda")]
        if let (Precision::Bf16, Device::Cuda(cuda)) = (self, device) {
            let (major, minor) = cuda.cuda_stream().context().compute_capability()?;
            if major < 8 {
                bail!(
                    "--precision bf16: {} has compute capability {major}.{minor}, and bfloat16 begins with 8.0; \
                     leave it out, or say --device cpu",
                    name(device)
                );
            }
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

    /// "cpu", "cuda:0", "cuda:0 in TF32", "cuda:0 in bfloat16" or "cpu in bfloat16 (AVX512-BF16)".
    pub fn describe(self, device: &Device) -> String {
        match self {
            Precision::Tf32 if device.is_cuda() => format!("{} in TF32", name(device)),
            Precision::Bf16 if device.is_cuda() => format!("{} in bfloat16", name(device)),
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
