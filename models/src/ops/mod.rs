//! The CPU kernels under training and sampling, each the counterpart of a [`crate::Layer`]'s
//! forward pass in Candle's own operations, and each with its way back.
//!
//! | file | kernels |
//! |---|---|
//! | [`convolution`] | convolution and transposed convolution: unfold or fold, and one matrix product |
//! | [`linear`] | linear layers, the label taken as a table row |
//! | [`norm`] | batch norm with the activation after it |
//! | [`activation`] | activation functions and their derivatives |
//! | [`matrix`] | the matrix product that all of them rest on |
//!
//! Every result is the same for any number of threads: work is cut into pieces by the shapes
//! alone, and partial sums are added in the order of the pieces.

pub mod activation;
pub mod convolution;
pub mod linear;
pub mod matrix;
pub mod norm;

use std::cell::Cell;
use std::ops::Deref;

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Storage, StorageRef, Tensor, bail};

/// The labels of a batch, as the kernels take them.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// The class of each item, below `classes`.
    pub of: &'a [u32],
    /// How many classes there are.
    pub classes: usize,
}

/// The gradients of a layer with weights: linear, convolution or transposed convolution.
pub struct Gradients {
    /// Like the input without the label's part, if it was wanted.
    pub x: Option<Vec<f32>>,
    /// As `weight` and `bias`, if they were wanted.
    pub parameters: Option<(Vec<f32>, Vec<f32>)>,
}

/// A contiguous tensor of the CPU, read in place.
pub struct Host<'a, T> {
    guard: StorageRef<'a>,
    start: usize,
    end: usize,
    slice: fn(&CpuStorage) -> candle_core::Result<&[T]>,
}

/// Whether the kernels take this tensor: f32 on the CPU.
pub fn has_kernels(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

/// Reads a contiguous f32 tensor of the CPU in place.
///
/// # Errors
/// If the tensor is elsewhere, of another type or not contiguous.
pub fn host(tensor: &Tensor) -> candle_core::Result<Host<'_, f32>> {
    Host::new(tensor, |storage| storage.as_slice::<f32>())
}

/// Reads a contiguous u32 tensor of the CPU in place.
pub(crate) fn host_labels(tensor: &Tensor) -> candle_core::Result<Host<'_, u32>> {
    Host::new(tensor, |storage| storage.as_slice::<u32>())
}

impl<'a, T> Host<'a, T> {
    fn new(
        tensor: &'a Tensor,
        slice: fn(&CpuStorage) -> candle_core::Result<&[T]>,
    ) -> candle_core::Result<Host<'a, T>> {
        let (guard, layout) = tensor.storage_and_layout();
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("a kernel was given a tensor that isn't contiguous: {layout:?}")
        };
        match &*guard {
            Storage::Cpu(storage) => slice(storage)?,
            _ => bail!("a CPU kernel was given a tensor of {:?}", tensor.device()),
        };
        Ok(Host { guard, start, end, slice })
    }
}

impl<T> Deref for Host<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &*self.guard {
            // Both checked in `new`.
            Storage::Cpu(storage) => (self.slice)(storage).map_or(&[], |s| &s[self.start..self.end]),
            _ => &[],
        }
    }
}

/// Changes a contiguous f32 tensor of the CPU in place. Tensors that share its storage change too:
/// that is how an optimiser moves a parameter.
///
/// # Errors
/// If the tensor is elsewhere, of another type or not contiguous.
pub fn update<F: FnOnce(&mut [f32])>(tensor: &Tensor, change: F) -> candle_core::Result<()> {
    struct Change<F>(Cell<Option<F>>);
    impl<F: FnOnce(&mut [f32])> InplaceOp1 for Change<F> {
        fn name(&self) -> &'static str {
            "update"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
            let Some((start, end)) = layout.contiguous_offsets() else {
                bail!("a parameter isn't contiguous: {layout:?}")
            };
            match (storage, self.0.take()) {
                (CpuStorage::F32(values), Some(change)) => change(&mut values[start..end]),
                _ => bail!("a parameter isn't of F32"),
            }
            Ok(())
        }
    }
    tensor.inplace_op1(&Change(Cell::new(Some(change))))
}

/// Runs `kernel` compiled for the widest vectors that this processor has. The binary itself is
/// built for any x86-64 (or aarch64); what `kernel` calls must be inlined into it to take part.
#[inline(always)]
pub fn vectorised<R>(kernel: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(kernel)
}

/// Sums of T terms over a short run, in sixteen lanes each: the order of additions is fixed by the
/// length alone.
#[inline(always)]
pub(crate) fn sum_by<const T: usize>(n: usize, term: impl Fn(usize) -> [f32; T]) -> [f32; T] {
    const LANES: usize = 16;
    let mut sums = [[0f32; LANES]; T];
    let mut add = |start: usize, lanes: usize| {
        for lane in 0..lanes {
            let terms = term(start + lane);
            sums.iter_mut().zip(terms).for_each(|(sums, term)| sums[lane] += term);
        }
    };
    let whole = n / LANES * LANES;
    (0..whole).step_by(LANES).for_each(|start| add(start, LANES));
    add(whole, n - whole);
    sums.map(|lanes| lanes.iter().sum())
}
