//! Sums, products and attention.

use candle_core::Tensor as Numbers;

use super::activation::softmax;
use super::{Builder, Nodes, Step};
use crate::Result;
use crate::onnx::Operator;

impl Builder {
    /// a + b, broadcast.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if their shapes don't fit together.
    pub fn add(&self, a: &Step, b: &Step) -> Result<Step> {
        self.node("add", Operator::Add, &[a, b], |x| x[0].broadcast_add(x[1]))
    }

    /// a − b, broadcast.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn sub(&self, a: &Step, b: &Step) -> Result<Step> {
        self.node("sub", Operator::Sub, &[a, b], |x| x[0].broadcast_sub(x[1]))
    }

    /// a · b number by number, broadcast.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn mul(&self, a: &Step, b: &Step) -> Result<Step> {
        self.node("mul", Operator::Mul, &[a, b], |x| x[0].broadcast_mul(x[1]))
    }

    /// a / b number by number, broadcast.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn div(&self, a: &Step, b: &Step) -> Result<Step> {
        self.node("div", Operator::Div, &[a, b], |x| x[0].broadcast_div(x[1]))
    }

    /// x · factor + summand, as `Tensor::affine`.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x is no float32.
    pub fn affine(&self, x: &Step, factor: f64, summand: f64) -> Result<Step> {
        let lower = |nodes: &mut Nodes<'_>| {
            let factor = nodes.number("factor", factor)?;
            if summand == 0. {
                return nodes.last(Operator::Mul, &[&x.value, &factor]);
            }
            let product = nodes.node("product", Operator::Mul, &[&x.value, &factor])?;
            let summand = nodes.number("summand", summand)?;
            nodes.last(Operator::Add, &[&product, &summand])
        };
        self.step("affine", &[x], lower, |x| x[0].affine(factor, summand))
    }

    /// a · b of the last two axes, broadcast over those before them.
    ///
    /// # Shapes
    /// (N, …, n, k), (N, …, k, m) → (N, …, n, m)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if they don't fit together.
    pub fn matmul(&self, a: &Step, b: &Step) -> Result<Step> {
        self.node("matmul", Operator::MatMul, &[a, b], |x| product(x[0], x[1]))
    }

    /// softmax(q·kᵀ · scale)·v: scaled dot-product attention (Vaswani et al. 2017, section 3.2.1), without
    /// a mask.
    ///
    /// # Shapes
    /// q (N, heads, n, d), k (N, heads, m, d), v (N, heads, m, e) → (N, heads, n, e)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if they don't fit together.
    pub fn attention(&self, q: &Step, k: &Step, v: &Step, scale: f64) -> Result<Step> {
        let rank = k.rank();
        if rank < 3 || q.rank() != rank || v.rank() != rank {
            let message = "takes queries, keys and values of as many axes, 3 or more".to_string();
            return self.refuse("attention", message);
        }
        let order = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
        let lower = |nodes: &mut Nodes<'_>| {
            let keys = nodes.node("keys", Operator::Transpose { order }, &[&k.value])?;
            let scores = nodes.node("scores", Operator::MatMul, &[&q.value, &keys])?;
            let scale = nodes.number("scale", scale)?;
            let scaled = nodes.node("scaled", Operator::Mul, &[&scores, &scale])?;
            let weights = nodes.node("weights", Operator::Softmax { axis: rank - 1 }, &[&scaled])?;
            nodes.last(Operator::MatMul, &[&weights, &v.value])
        };
        self.step("attention", &[q, k, v], lower, |x| {
            let scores = (product(x[0], &x[1].t()?)? * scale)?;
            product(&softmax(&scores, rank - 1, true)?, x[2])
        })
    }
}

/// A product of matrices that may lie in memory in any order.
fn product(a: &Numbers, b: &Numbers) -> candle_core::Result<Numbers> {
    a.contiguous()?.broadcast_matmul(&b.contiguous()?)
}
