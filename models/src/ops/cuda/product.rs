//! Matrix products: Candle's of float32, by cuBLAS; of bfloat16 with sums and results of float32, which
//! Candle doesn't have, by cuBLAS's `cublasGemmEx`.

use candle_core::{DType, Device, Result, Tensor, bail};

use super::launch::{place, unfilled};

/// a·b of two factors, both contiguous or the transpose of what is: (m, k), (k, n) → (m, n) of f32.
pub fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype() != DType::BF16 {
        return a.matmul(b);
    }
    let ((m, k), (rows, n)) = (a.dims2()?, b.dims2()?);
    if k != rows || b.dtype() != DType::BF16 {
        bail!("a product of {:?} of {:?} and {:?} of {:?}", a.dims(), a.dtype(), b.dims(), b.dtype())
    }
    let out = unfilled((m, n), DType::F32, a.device())?;
    // BLAS takes matrices by columns. Read so, a matrix by rows is its transpose, and cᵀ = bᵀ·aᵀ.
    let gemm = Gemm {
        m: n,
        n: m,
        k,
        a: Factor::of(b)?,
        b: Factor::of(a)?,
        c: place(&out.storage_and_layout().0, 0)?,
    };
    match a.device() {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => on_gpu(device, &gemm)?,
        #[cfg(test)]
        // SAFETY: the factors are held here, and the result is nobody else's yet.
        Device::Cpu => unsafe { super::emulator::gemm(&gemm) },
        other => bail!("no product of bfloat16 for {other:?}"),
    }
    Ok(out)
}

/// c = a·b in BLAS's terms: matrices by columns, (m, k), (k, n) and (m, n).
#[derive(Debug)]
pub struct Gemm {
    /// Rows of a and c.
    pub m: usize,
    /// Columns of b and c.
    pub n: usize,
    /// Columns of a, rows of b.
    pub k: usize,
    /// bfloat16
    pub a: Factor,
    /// bfloat16
    pub b: Factor,
    /// Where the float32s of c go, without gaps.
    pub c: u64,
}

/// A matrix by columns: number (r, c) is at `r + c · leading`, or at `r · leading + c`.
#[derive(Debug)]
pub struct Factor {
    /// Of its first number.
    pub address: u64,
    /// Whether rows and columns are exchanged.
    pub transposed: bool,
    /// From column to column, or from row to row.
    pub leading: usize,
}

impl Factor {
    /// The transpose of a tensor, as BLAS takes it: by columns that are the tensor's rows.
    fn of(tensor: &Tensor) -> Result<Factor> {
        let (storage, layout) = tensor.storage_and_layout();
        let (rows, columns) = tensor.dims2()?;
        let (transposed, leading) = match *layout.stride() {
            // Of a single row the stride says nothing.
            [row, 1] if row >= columns || rows == 1 => (false, row.max(columns)),
            [1, column] if column >= rows || columns == 1 => (true, column.max(rows)),
            _ => bail!("a product was given a factor that isn't contiguous: {layout:?}"),
        };
        Ok(Factor { address: place(&storage, layout.start_offset())?, transposed, leading })
    }
}

#[cfg(feature = "cuda")]
fn on_gpu(device: &candle_core::CudaDevice, gemm: &Gemm) -> Result<()> {
    use std::ffi::c_int;

    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::cublas::{result::gemm_ex, sys};

    let operation = |factor: &Factor| match factor.transposed {
        true => sys::cublasOperation_t::CUBLAS_OP_T,
        false => sys::cublasOperation_t::CUBLAS_OP_N,
    };
    let whole = |number: usize| c_int::try_from(number).map_err(candle_core::Error::wrap);
    let Gemm { m, n, k, a, b, c } = gemm;
    let (one, zero) = (1f32, 0f32);
    let (bfloat16, float32) = (sys::cudaDataType::CUDA_R_16BF, sys::cudaDataType::CUDA_R_32F);
    // SAFETY: the tensors have these sizes and strides, and outlive the product: freeing them is queued on
    // the handle's stream, behind it. The two numbers are read before the call returns.
    unsafe {
        gemm_ex(
            *device.cublas_handle().handle(),
            operation(a),
            operation(b),
            whole(*m)?,
            whole(*n)?,
            whole(*k)?,
            (&raw const one).cast(),
            a.address as *const _,
            bfloat16,
            whole(a.leading)?,
            b.address as *const _,
            bfloat16,
            whole(b.leading)?,
            (&raw const zero).cast(),
            *c as *mut _,
            float32,
            whole(*m)?,
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT_TENSOR_OP,
        )
    }
    .w()
}
