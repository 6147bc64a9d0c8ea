//! How a kernel of `kernels.cu` is started.

#[cfg(feature = "cuda")]
use std::collections::hash_map::{Entry, HashMap};
#[cfg(feature = "cuda")]
use std::sync::{LazyLock, Mutex, PoisonError};

#[cfg(feature = "cuda")]
use candle_core::cuda_backend::{CudaDevice, DeviceId, cudarc::driver::CudaFunction};
use candle_core::{DType, Device, Result, Shape, Storage, Tensor, bail};

/// Threads of a block, as `kernels.cu` has them.
const THREADS: usize = 256;

/// How many blocks a kernel gets.
#[derive(Clone, Copy, Debug)]
pub enum Blocks {
    /// A thread for each of so many numbers.
    Each(usize),
    /// A block for each `width` channels.
    Channels {
        /// How many there are.
        channels: usize,
        /// How many a block takes.
        width: usize,
    },
}

impl Blocks {
    fn count(self) -> u32 {
        // More blocks than this wait for each other anyway; the kernels' loops take the rest.
        const MOST: usize = 1 << 16;
        match self {
            Blocks::Each(numbers) => numbers.div_ceil(THREADS).clamp(1, MOST) as u32,
            Blocks::Channels { channels, width } => channels.div_ceil(width) as u32,
        }
    }
}

/// Room for a kernel's struct.
type Packed = [u64; 16];

/// The struct of a kernel: addresses, then whole numbers, then others.
fn pack(addresses: &[u64], integers: &[usize], floats: &[f32]) -> Result<Packed> {
    let mut words: Vec<u32> =
        addresses.iter().flat_map(|address| [*address as u32, (*address >> 32) as u32]).collect();
    for &integer in integers {
        words.push(u32::try_from(integer).map_err(candle_core::Error::wrap)?);
    }
    words.extend(floats.iter().map(|float| float.to_bits()));
    let mut packed = Packed::default();
    if words.len() > 2 * packed.len() {
        bail!("a kernel's arguments take {} bytes, {} fit", 4 * words.len(), size_of::<Packed>())
    }
    for (i, &word) in words.iter().enumerate() {
        // Little-endian, as every machine with CUDA is.
        packed[i / 2] |= u64::from(word) << (32 * (i % 2));
    }
    Ok(packed)
}

/// A tensor for a kernel, and how many numbers of it the kernel takes for granted.
pub type Given<'a> = (&'a Tensor, usize);

/// Runs a kernel that fills a new tensor from `inputs`.
pub fn fill(
    kernel: &'static str,
    shape: impl Into<Shape>,
    inputs: &[Given<'_>],
    integers: &[usize],
    floats: &[f32],
    blocks: Blocks,
) -> Result<Tensor> {
    let out = unfilled(shape, DType::F32, inputs[0].0.device())?;
    let tensors: Vec<Given<'_>> =
        std::iter::once((&out, out.elem_count())).chain(inputs.iter().copied()).collect();
    change(kernel, &tensors, integers, floats, blocks)?;
    Ok(out)
}

/// Runs a kernel on tensors of which it changes the first ones: their storage is shared, so what
/// shares it changes too.
pub fn change(
    kernel: &'static str,
    tensors: &[Given<'_>],
    integers: &[usize],
    floats: &[f32],
    blocks: Blocks,
) -> Result<()> {
    for (tensor, numbers) in tensors {
        if tensor.elem_count() != *numbers {
            bail!("{kernel}: a tensor of {:?}, where {numbers} numbers were expected", tensor.dims())
        }
        // The kernels count in 32 bits.
        if *numbers > i32::MAX as usize {
            bail!("{kernel}: a tensor of {:?} is too large; take a smaller batch", tensor.dims())
        }
    }
    let addresses = tensors.iter().map(|(tensor, _)| address(tensor)).collect::<Result<Vec<u64>>>()?;
    let packed = pack(&addresses, integers, floats)?;
    match tensors[0].0.device() {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => on_gpu(device, kernel, packed, blocks.count()),
        #[cfg(test)]
        Device::Cpu => super::emulator::run(kernel, &packed, blocks.count(), THREADS as u32),
        other => bail!("{kernel}: no kernel for {other:?}"),
    }
}

#[cfg(feature = "cuda")]
fn on_gpu(device: &CudaDevice, kernel: &'static str, packed: Packed, blocks: u32) -> Result<()> {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::{LaunchConfig, PushKernelArg};

    let (function, stream) = (loaded(device, kernel)?, device.cuda_stream());
    let mut launch = stream.launch_builder(&function);
    launch.arg(&packed);
    let config =
        LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS as u32, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: `pack` lays the arguments out as the kernel's struct has them, which the tests hold it
    // to; the kernel stays inside the tensors, of which `change` checked that they have the sizes
    // that are among the arguments. The tensors outlive the launch: freeing them is queued on the same stream, behind it.
    unsafe { launch.launch(config) }.w()?;
    Ok(())
}

/// A kernel on a device. The driver is asked for it once: asking takes about as long as a launch.
#[cfg(feature = "cuda")]
fn loaded(device: &CudaDevice, kernel: &'static str) -> Result<CudaFunction> {
    /// `kernels.cu`, compiled by build.rs.
    const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));
    type Loaded = HashMap<(DeviceId, &'static str), CudaFunction>;
    static LOADED: LazyLock<Mutex<Loaded>> = LazyLock::new(Mutex::default);

    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(match loaded.entry((device.id(), kernel)) {
        Entry::Occupied(entry) => entry.get().clone(),
        Entry::Vacant(entry) => {
            let function = device.get_or_load_custom_func(kernel, "edgegan", PTX)?;
            entry.insert(function.into_cuda_function()).clone()
        }
    })
}

/// A tensor that a kernel will fill.
pub fn unfilled(shape: impl Into<Shape>, dtype: DType, device: &Device) -> Result<Tensor> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(cuda) => {
            use candle_core::backend::BackendDevice;
            use candle_core::op::BackpropOp;

            let shape = shape.into();
            // SAFETY: the kernel that this is for writes every number before anyone reads one.
            let storage = unsafe { cuda.alloc_uninit(&shape, dtype)? };
            Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
        }
        // What the emulated kernel leaves out shows.
        _ => Tensor::full(f32::NAN, shape, device)?.to_dtype(dtype),
    }
}

/// Where a contiguous tensor's numbers lie.
fn address(tensor: &Tensor) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    match layout.contiguous_offsets() {
        Some((start, _)) => place(&storage, start),
        None => bail!("a kernel was given a tensor that isn't contiguous: {layout:?}"),
    }
}

/// Where number `start` of a storage lies.
pub fn place(storage: &Storage, start: usize) -> Result<u64> {
    let first: u64 = match (storage, storage.dtype()) {
        #[cfg(feature = "cuda")]
        (Storage::Cuda(storage), dtype) => {
            use candle_core::cuda_backend::cudarc::driver::DevicePtr;

            let stream = storage.device.cuda_stream();
            match dtype {
                DType::F32 => storage.as_cuda_slice::<f32>()?.device_ptr(&stream).0,
                DType::BF16 => storage.as_cuda_slice::<half::bf16>()?.device_ptr(&stream).0,
                DType::U32 => storage.as_cuda_slice::<u32>()?.device_ptr(&stream).0,
                other => bail!("a kernel was given a tensor of {other:?}"),
            }
        }
        (Storage::Cpu(storage), DType::F32) => storage.as_slice::<f32>()?.as_ptr() as u64,
        (Storage::Cpu(storage), DType::BF16) => storage.as_slice::<half::bf16>()?.as_ptr() as u64,
        (Storage::Cpu(storage), DType::U32) => storage.as_slice::<u32>()?.as_ptr() as u64,
        (storage, dtype) => bail!("a kernel was given a tensor of {dtype:?} on {:?}", storage.device()),
    };
    Ok(first + (start * storage.dtype().size_in_bytes()) as u64)
}
