//! The numbers of an iteration that change from one to the next: all else about it stays the same, but
//! for the batch and, once in a run, the guide's weight.

use candle_core::{Device, Tensor};
use models::Result;
use models::ops::{AdamStep, Changing};

/// The numbers of one iteration.
pub struct Numbers {
    /// D's step.
    pub d: AdamStep<'static>,
    /// G's steps, one after the other.
    pub g: Vec<AdamStep<'static>>,
    /// What the average takes of G's weights.
    pub take: f64,
    /// The guide's weight. It has no slot: it changes once in a run, and a graph is recorded anew then.
    pub guide: f64,
}

impl Numbers {
    /// Those that have one, in the order of [`Slots`].
    fn in_order(&self) -> Vec<f32> {
        let steps = std::iter::once(&self.d).chain(&self.g).flat_map(|step| [step.step, step.root]);
        steps.chain([self.take]).map(|number| number as f32).collect()
    }

    /// D's step, and where it is.
    pub fn of_d<'a>(&self, slots: Option<&'a Slots>) -> AdamStep<'a> {
        AdamStep { on_device: slots.map(|slots| &slots.d), ..self.d }
    }

    /// G's step number `update`, from 0, and where it is.
    pub fn of_g<'a>(&self, update: usize, slots: Option<&'a Slots>) -> AdamStep<'a> {
        AdamStep { on_device: slots.map(|slots| &slots.g[update]), ..self.g[update] }
    }

    /// What the average takes, and where that is.
    pub fn of_average<'a>(&self, slots: Option<&'a Slots>) -> Changing<'a> {
        Changing { value: self.take, on_device: slots.map(|slots| &slots.take) }
    }
}

/// Where a CUDA graph reads them: one tensor of f32, which is written before each iteration.
pub struct Slots {
    all: Tensor,
    /// Step and root of D's: (2)
    d: Tensor,
    /// The same of each of G's: (2)
    g: Vec<Tensor>,
    /// (1)
    take: Tensor,
}

impl Slots {
    /// Slots for iterations of as many steps as this one has, which are set to it.
    ///
    /// # Errors
    /// Candle's.
    pub fn new(numbers: &Numbers, device: &Device) -> Result<Slots> {
        let values = numbers.in_order();
        let count = values.len();
        let all = Tensor::new(values, device)?;
        let part = |from, count| all.narrow(0, from, count);
        let g = (1..=numbers.g.len()).map(|step| part(2 * step, 2)).collect::<candle_core::Result<_>>()?;
        Ok(Slots { d: part(0, 2)?, g, take: part(count - 1, 1)?, all })
    }

    /// Puts the numbers of another iteration there.
    ///
    /// # Errors
    /// Candle's.
    pub fn set(&self, numbers: &Numbers) -> Result<()> {
        let values = numbers.in_order();
        Ok(self.all.slice_set(&Tensor::new(values, self.all.device())?, 0, 0)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use models::ops::AdamStep;

    use super::{Numbers, Slots};

    #[test]
    fn every_number_is_in_its_slot() {
        let step = |step: f64, root: f64| AdamStep {
            step,
            root,
            beta1: 0.5,
            beta2: 0.9,
            epsilon: 1e-8,
            on_device: None,
        };
        let numbers = |by: f64| Numbers {
            d: step(by, 2.),
            g: vec![step(3., 4. * by), step(5., 6.)],
            take: 7. * by,
            guide: 0.,
        };
        let slots = Slots::new(&numbers(1.), &Device::Cpu).unwrap();
        for by in [1., 0.1] {
            let numbers = numbers(by);
            slots.set(&numbers).unwrap();
            let check = |step: AdamStep<'_>| {
                let found = step.on_device.unwrap().to_vec1::<f32>().unwrap();
                assert_eq!(found, [step.step, step.root].map(|number| number as f32));
            };
            check(numbers.of_d(Some(&slots)));
            (0..2).for_each(|update| check(numbers.of_g(update, Some(&slots))));
            let take = numbers.of_average(Some(&slots));
            assert_eq!(take.on_device.unwrap().to_vec1::<f32>().unwrap(), [take.value as f32]);
        }
    }
}
