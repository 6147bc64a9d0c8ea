//! The energy distance between two sets of points (Székely and Rizzo 2013,
//! <https://doi.org/10.1016/j.jspi.2013.03.018>): 2 E|x − y| − E|x − x′| − E|y − y′|. It is 0 where both are
//! of one distribution, and above it elsewhere. Bellemare et al. 2017 (<https://arxiv.org/abs/1705.10743>)
//! teach generators with it: what is drawn is pulled toward what is real, and pushed apart from itself.
//!
//! A batch has a handful of points of each label, from which both directions are mostly chance. So each point
//! is compared with [`COMPARED`] real ones, and with as many that were drawn in the iterations before.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use models::checkpoint::{Checkpoint, Contents};

/// Points that each drawn one is compared with, of all labels: real ones, and as many drawn before.
pub const COMPARED: usize = 2048;
/// Squared distances from here on are told from 0 in float32.
const LEAST: f64 = 1e-6;
/// The label of a place that no point has taken yet.
const NONE: f32 = -1.;

/// Points and their labels.
#[derive(Clone, Debug)]
pub struct Points {
    /// (M, features)
    pub features: Tensor,
    /// (M), whole numbers of any type
    pub label: Tensor,
}

impl Points {
    /// A copy with storage of its own.
    ///
    /// # Errors
    /// Candle's.
    pub fn copy(&self) -> Result<Points> {
        Ok(Points { features: self.features.copy()?, label: self.label.copy()? })
    }
}

/// The points that were drawn last, on the device and changed in place.
pub struct Recent {
    /// ([`COMPARED`], features)
    pub features: Var,
    /// ([`COMPARED`]) of f32, which checkpoints hold
    pub label: Var,
}

impl Recent {
    /// None yet.
    ///
    /// # Errors
    /// Candle's.
    pub fn new(features: usize, device: &Device) -> Result<Recent> {
        let none = Tensor::full(NONE, COMPARED, device)?;
        Ok(Recent {
            features: Var::zeros((COMPARED, features), DType::F32, device)?,
            label: Var::from_tensor(&none)?,
        })
    }

    fn named(&self) -> [(&'static str, &Var); 2] {
        [("energy.features", &self.features), ("energy.label", &self.label)]
    }

    /// Adds the points to a checkpoint.
    pub fn save(&self, contents: &mut Contents) {
        for (name, points) in self.named() {
            contents.tensor(name, points);
        }
    }

    /// Takes the points from a checkpoint.
    ///
    /// # Errors
    /// If they are missing or of another shape.
    pub fn load(checkpoint: &Checkpoint, features: usize, device: &Device) -> models::Result<Recent> {
        let recent = Recent::new(features, device)?;
        for (name, points) in recent.named() {
            checkpoint.restore(name, points, "what was drawn last")?;
        }
        Ok(recent)
    }

    /// Puts these points in the place of the oldest.
    ///
    /// # Shapes
    /// `features` (N, features), `label` (N) of u32
    ///
    /// # Errors
    /// Candle's.
    pub fn push(&self, features: &Tensor, label: &Tensor) -> Result<()> {
        for (held, new) in [(&self.features, features), (&self.label, label)] {
            let all = Tensor::cat(&[held.as_tensor(), &new.to_dtype(held.dtype())?], 0)?;
            held.set(&all.narrow(0, new.dim(0)?, COMPARED)?.contiguous()?)?;
        }
        Ok(())
    }

    /// The points.
    pub fn points(&self) -> Points {
        Points { features: self.features.as_detached_tensor(), label: self.label.as_detached_tensor() }
    }
}

/// The gradient of the energy distance between drawn points and real ones with respect to the former. What was
/// drawn before stands for the other drawn points. Points are compared with those of their own label alone, and
/// distances are in units of the mean one between a drawn point and a real one, which is held constant.
///
/// # Shapes
/// `drawn` (N, features), `label` (N) of u32 → (N, features)
///
/// # Errors
/// Candle's.
pub fn gradient(drawn: &Tensor, label: &Tensor, real: &Points, before: &Points) -> Result<Tensor> {
    let (pulled, unit) = away(drawn, label, real)?;
    let (pushed, _) = away(drawn, label, before)?;
    let n = drawn.dim(0)? as f64;
    ((pulled - pushed)? * (2. / n))?.broadcast_div(&unit.maximum(LEAST)?)
}

/// For each of `drawn` the mean direction away from those points of its label, of length 1 each, and over all
/// of them the mean distance. Where there are none, there is no direction.
fn away(drawn: &Tensor, label: &Tensor, points: &Points) -> Result<(Tensor, Tensor)> {
    let (n, m) = (drawn.dim(0)?, points.features.dim(0)?);
    let [label, of_points] = [label, &points.label].map(|label| label.to_dtype(DType::F32));
    let own = label?.reshape((n, 1))?.broadcast_eq(&of_points?.reshape((1, m))?)?; // N, M
    let own = own.to_dtype(drawn.dtype())?;
    let share = own.broadcast_div(&own.sum_keepdim(D::Minus1)?.maximum(1.)?)?;
    let distance = distances(drawn, &points.features)?;
    let mean = ((&share * &distance)?.sum_all()? / n as f64)?;
    Ok((directions(drawn, &points.features, &share.div(&distance)?)?, mean))
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
    use candle_core::{D, DType, Device, Tensor, Var};

    use super::{COMPARED, Points, Recent, distances, gradient};

    fn points(n: usize, seed: usize) -> Tensor {
        let values: Vec<f64> =
            (0..n * 3).map(|i| ((i * 29 + seed * 17) % 23 * 7 + seed) as f64 / 30.).collect();
        Tensor::from_vec(values, (n, 3), &Device::Cpu).unwrap()
    }

    fn labelled(features: Tensor, label: &[u32]) -> Points {
        Points { features, label: Tensor::new(label, &Device::Cpu).unwrap() }
    }

    /// Pair by pair, as Candle differentiates it.
    fn expected(drawn: &Tensor, label: &[u32], real: (&Tensor, &[u32]), before: (&Tensor, &[u32])) -> Tensor {
        let drawn = Var::from_tensor(drawn).unwrap();
        let mean = |of: &[Tensor]| Tensor::stack(of, 0).unwrap().mean_all().unwrap();
        let from = |i: usize, (points, labels): (&Tensor, &[u32])| {
            let own = (0..labels.len()).filter(|&j| labels[j] == label[i]);
            let distance = |j| {
                let difference = (drawn.get(i).unwrap() - points.get(j).unwrap()).unwrap();
                difference.sqr().unwrap().sum_all().unwrap().sqrt().unwrap()
            };
            let distances: Vec<Tensor> = own.map(distance).collect();
            if distances.is_empty() { Tensor::new(0., &Device::Cpu).unwrap() } else { mean(&distances) }
        };
        let over = |points| mean(&(0..label.len()).map(|i| from(i, points)).collect::<Vec<_>>());
        let across = over(real);
        let loss = (((&across - over(before)).unwrap() * 2.).unwrap() / across.detach()).unwrap();
        loss.backward().unwrap().get(&drawn).unwrap().clone()
    }

    #[test]
    fn it_is_what_differentiation_gives() {
        let of_real = [0u32, 1, 2, 0, 1, 2, 2];
        for (label, of_before) in [([0u32, 1, 0, 1, 1], [1u32, 0, 1]), ([2, 2, 2, 2, 2], [0, 1, 2])] {
            let (drawn, real, before) = (points(5, 0), points(7, 3), points(3, 8));
            let found = gradient(
                &drawn,
                &Tensor::new(&label, &Device::Cpu).unwrap(),
                &labelled(real.clone(), &of_real),
                &labelled(before.clone(), &of_before),
            );
            let expected = expected(&drawn, &label, (&real, &of_real), (&before, &of_before));
            let difference = (found.unwrap() - expected).unwrap().abs().unwrap();
            let most = difference.max_all().unwrap().to_scalar::<f64>().unwrap();
            assert!(most < 1e-12, "{label:?}: {most}");
        }
    }

    #[test]
    fn the_oldest_points_make_room_for_new_ones() {
        let recent = Recent::new(3, &Device::Cpu).unwrap();
        let ramp = |n: usize| Tensor::arange(0u32, n as u32, &Device::Cpu).unwrap();
        for n in [5, COMPARED + 2, 4] {
            let features = ramp(n * 3).to_dtype(DType::F32).unwrap().reshape((n, 3)).unwrap();
            recent.push(&features, &ramp(n)).unwrap();
        }
        let Points { features, label } = recent.points();
        let label = label.to_vec1::<f32>().unwrap();
        assert_eq!(label[..2], [6., 7.]);
        assert_eq!(label[COMPARED - 5..], [COMPARED as f32 + 1., 0., 1., 2., 3.]);
        assert_eq!(features.to_vec2::<f32>().unwrap()[0], [18., 19., 20.]);
    }

    #[test]
    fn points_that_meet_do_not_break_it() {
        let same = Tensor::ones((4, 3), DType::F32, &Device::Cpu).unwrap();
        let label = Tensor::zeros(4, DType::U32, &Device::Cpu).unwrap();
        let points = Points { features: same.clone(), label: label.clone() };
        let found =
            gradient(&same, &label, &points, &points).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(found, 0.);
    }

    #[test]
    fn following_it_takes_points_to_the_others() {
        let (mut drawn, real) = ((points(8, 1) * 0.1).unwrap(), points(8, 5));
        let label = Tensor::zeros(8, DType::U32, &Device::Cpu).unwrap();
        let nearest = |drawn: &Tensor| {
            let nearest = distances(&real, drawn).unwrap().min(D::Minus1).unwrap();
            nearest.mean_all().unwrap().to_scalar::<f64>().unwrap()
        };
        let before = nearest(&drawn);
        let points = |features: &Tensor| Points { features: features.clone(), label: label.clone() };
        for _ in 0..400 {
            let step = gradient(&drawn, &label, &points(&real), &points(&drawn)).unwrap();
            let step = (step * 0.5).unwrap();
            drawn = (drawn - step).unwrap();
        }
        assert!(nearest(&drawn) < before / 3., "{before} before, {} after", nearest(&drawn));
    }
}
