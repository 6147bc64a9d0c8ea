//! The energy distance between two sets of points (Székely and Rizzo 2013,
//! <https://doi.org/10.1016/j.jspi.2013.03.018>): 2 E|x − y| − E|x − x′| − E|y − y′|. It is 0 where both are
//! of one distribution, and above it elsewhere. Bellemare et al. 2017 (<https://arxiv.org/abs/1705.10743>)
//! teach generators with it: what is drawn is pulled toward what is real, and pushed apart from itself.

use candle_core::{D, Result, Tensor};

/// Squared distances from here on are told from 0 in float32.
const LEAST: f64 = 1e-6;

/// The gradient of the energy distance between `drawn` and `real` with respect to the former. Points are
/// compared with those of their own label alone, and distances are in units of the mean one between a drawn
/// point and a real one, which is held constant.
///
/// # Shapes
/// `drawn` and `real` (N, features), `label` (N) of u32, that of both → (N, features)
///
/// # Errors
/// Candle's.
pub fn gradient(drawn: &Tensor, real: &Tensor, label: &Tensor) -> Result<Tensor> {
    let n = drawn.dim(0)?;
    let own = label.reshape((n, 1))?.broadcast_eq(&label.reshape((1, n))?)?.to_dtype(drawn.dtype())?; // N, N
    let others = (&own - Tensor::eye(n, drawn.dtype(), drawn.device())?)?; //                          N, N
    let [to_real, to_drawn] = [distances(drawn, real)?, distances(drawn, drawn)?]; //                  N, N
    let unit = ((&own * &to_real)?.sum_all()? / own.sum_all()?)?;
    // Where no two points share a label, none pushes another.
    let pairs = others.sum_all()?.maximum(1.)?;
    let pulled = directions(drawn, real, &own.div(&to_real)?)?.broadcast_div(&own.sum_all()?)?;
    let pushed = directions(drawn, drawn, &others.div(&to_drawn)?)?.broadcast_div(&pairs)?;
    ((pulled - pushed)? * 2.)?.broadcast_div(&unit)
}

/// The distance of each point of `a` from each of `b`.
fn distances(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let square = |x: &Tensor| x.sqr()?.sum_keepdim(D::Minus1); // N, 1
    let product = (a.matmul(&b.t()?)? * 2.)?;
    square(a)?.broadcast_add(&square(b)?.t()?)?.sub(&product)?.maximum(LEAST)?.sqrt()
}

/// Σⱼ wᵢⱼ (aᵢ − bⱼ).
fn directions(a: &Tensor, b: &Tensor, weights: &Tensor) -> Result<Tensor> {
    a.broadcast_mul(&weights.sum_keepdim(D::Minus1)?)?.sub(&weights.matmul(b)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device, Tensor, Var};

    use super::{distances, gradient};

    fn points(n: usize, seed: usize) -> Tensor {
        let values: Vec<f64> =
            (0..n * 3).map(|i| ((i * 29 + seed * 17) % 23 * 7 + seed) as f64 / 30.).collect();
        Tensor::from_vec(values, (n, 3), &Device::Cpu).unwrap()
    }

    /// Pair by pair, as Candle differentiates it.
    fn expected(drawn: &Tensor, real: &Tensor, label: &[u32]) -> Tensor {
        let drawn = Var::from_tensor(drawn).unwrap();
        let distance = |a: &Tensor, i: usize, b: &Tensor, j: usize| {
            let difference = (a.get(i).unwrap() - b.get(j).unwrap()).unwrap();
            difference.sqr().unwrap().sum_all().unwrap().sqrt().unwrap()
        };
        let (mut across, mut within) = (Vec::new(), Vec::new());
        for i in 0..label.len() {
            for j in (0..label.len()).filter(|&j| label[i] == label[j]) {
                across.push(distance(&drawn, i, real, j));
                if i != j {
                    within.push(distance(&drawn, i, &drawn, j));
                }
            }
        }
        let mean = |of: &[Tensor]| Tensor::stack(of, 0).unwrap().mean_all().unwrap();
        let unit = mean(&across).detach();
        let mut loss = (mean(&across) * 2.).unwrap();
        if !within.is_empty() {
            loss = (loss - mean(&within)).unwrap();
        }
        let gradients = (loss / unit).unwrap().backward().unwrap();
        gradients.get(&drawn).unwrap().clone()
    }

    #[test]
    fn it_is_what_differentiation_gives() {
        for label in [[0u32, 1, 0, 1, 1], [2, 2, 2, 2, 2], [0, 1, 2, 3, 4]] {
            let (drawn, real) = (points(5, 0), points(5, 3));
            let found = gradient(&drawn, &real, &Tensor::new(&label, &Device::Cpu).unwrap()).unwrap();
            let difference = (found - expected(&drawn, &real, &label)).unwrap().abs().unwrap();
            let most = difference.max_all().unwrap().to_scalar::<f64>().unwrap();
            assert!(most < 1e-12, "{label:?}: {most}");
        }
    }

    #[test]
    fn points_that_meet_do_not_break_it() {
        let same = Tensor::ones((4, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        let label = Tensor::zeros(4, candle_core::DType::U32, &Device::Cpu).unwrap();
        let found = gradient(&same, &same, &label).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(found, 0.);
    }

    #[test]
    fn following_it_takes_points_to_the_others() {
        let (mut drawn, real) = ((points(8, 1) * 0.1).unwrap(), points(8, 5));
        let label = Tensor::zeros(8, candle_core::DType::U32, &Device::Cpu).unwrap();
        let nearest = |drawn: &Tensor| {
            let nearest = distances(&real, drawn).unwrap().min(D::Minus1).unwrap();
            nearest.mean_all().unwrap().to_scalar::<f64>().unwrap()
        };
        let before = nearest(&drawn);
        for _ in 0..400 {
            let step = (gradient(&drawn, &real, &label).unwrap() * 0.5).unwrap();
            drawn = (drawn - step).unwrap();
        }
        assert!(nearest(&drawn) < before / 3., "{before} before, {} after", nearest(&drawn));
    }
}
