//! Tensors of the CPU as slices: read in place, changed in place.

use std::cell::RefCell;
use std::ops::Deref;

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, StorageRef, Tensor, bail};

/// A contiguous tensor of the CPU, read in place.
pub struct Host<'a, T> {
    guard: StorageRef<'a>,
    start: usize,
    end: usize,
    slice: fn(&CpuStorage) -> candle_core::Result<&[T]>,
}

/// Reads a contiguous f32 tensor of the CPU in place.
///
/// # Errors
/// If the tensor is elsewhere, of another type or not contiguous.
pub fn host(tensor: &Tensor) -> candle_core::Result<Host<'_, f32>> {
    Host::new(tensor, |storage| storage.as_slice::<f32>())
}

/// Reads a contiguous u32 tensor of the CPU in place.
///
/// # Errors
/// As [`host`].
pub fn host_labels(tensor: &Tensor) -> candle_core::Result<Host<'_, u32>> {
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

/// Changes a contiguous f32 tensor of the CPU in place and gives what `change` gives. Tensors that
/// share its storage change too: that is how an optimiser moves a parameter.
///
/// # Errors
/// If the tensor is elsewhere, of another type or not contiguous.
pub fn update<R, F: FnOnce(&mut [f32]) -> R>(tensor: &Tensor, change: F) -> candle_core::Result<R> {
    /// The change before it is made, and what it gave.
    struct Change<F, R>(RefCell<(Option<F>, Option<R>)>);
    impl<R, F: FnOnce(&mut [f32]) -> R> InplaceOp1 for Change<F, R> {
        fn name(&self) -> &'static str {
            "update"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
            let Some((start, end)) = layout.contiguous_offsets() else {
                bail!("a parameter isn't contiguous: {layout:?}")
            };
            let mut state = self.0.borrow_mut();
            match (storage, state.0.take()) {
                (CpuStorage::F32(values), Some(change)) => state.1 = Some(change(&mut values[start..end])),
                _ => bail!("a parameter isn't of F32"),
            }
            Ok(())
        }
    }
    let change = Change(RefCell::new((Some(change), None)));
    tensor.inplace_op1(&change)?;
    match change.0.into_inner().1 {
        Some(given) => Ok(given),
        None => bail!("a parameter isn't on the CPU"),
    }
}
