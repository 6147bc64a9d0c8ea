//! How the learning rates change over a run: a function of the iteration and the run's length alone,
//! so that a resumed run learns as one that never stopped.

use serde::{Deserialize, Serialize};

/// The curve of the learning rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// They stay as they are.
    #[default]
    Constant,
    /// A straight line to 0 at the run's end.
    Linear,
    /// Half a cosine wave to 0 at the run's end (Loshchilov and Hutter 2017, without restarts).
    Cosine,
}

/// A curve over the iterations of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The curve.
    pub decay: Decay,
    /// The last iteration, counted from 0, at the full learning rate.
    pub first: u64,
    /// Iterations of the run.
    pub total: u64,
}

impl Schedule {
    /// Learning rates that stay, in a run of any length.
    pub const CONSTANT: Schedule = Schedule { decay: Decay::Constant, first: 0, total: u64::MAX };

    /// What iteration `t`, counted from 0, multiplies the learning rates by: from 1 down to just
    /// above 0 in the run's last iteration.
    pub fn factor(&self, t: u64) -> f64 {
        if t <= self.first {
            return 1.;
        }
        let rest = self.total.saturating_sub(self.first).max(1);
        let done = ((t - self.first) as f64 / rest as f64).min(1.);
        match self.decay {
            Decay::Constant => 1.,
            Decay::Linear => 1. - done,
            Decay::Cosine => 0.5 * (1. + (std::f64::consts::PI * done).cos()),
        }
    }

    /// Whether iteration `t`, counted from 0, is of the last quarter of the run.
    pub fn is_last_quarter(&self, t: u64) -> bool {
        t >= self.total - self.total / 4
    }
}

#[cfg(test)]
mod tests {
    use super::{Decay, Schedule};

    #[test]
    fn the_curves_go_from_1_to_0() {
        let linear = Schedule { decay: Decay::Linear, first: 0, total: 8 };
        assert_eq!([0, 2, 4, 7, 8, 9].map(|t| linear.factor(t)), [1., 0.75, 0.5, 0.125, 0., 0.]);
        let cosine = Schedule { decay: Decay::Cosine, first: 10, total: 22 };
        let expected = [1., 1., 0.5 + 0.75f64.sqrt() / 2., 0.75, 0.5, 0.25, 0.];
        for (t, expected) in [0, 10, 12, 14, 16, 18, 22].into_iter().zip(expected) {
            assert!((cosine.factor(t) - expected).abs() < 1e-15, "{t}: {}", cosine.factor(t));
        }
        let constant = Schedule { decay: Decay::Constant, first: 3, total: 8 };
        assert!((0..20).all(|t| constant.factor(t) == 1.));
        assert!([0, 1, 1 << 40].iter().all(|&t| Schedule::CONSTANT.factor(t) == 1.));
    }

    #[test]
    fn the_last_quarter_is_a_quarter_at_most() {
        let quarter = |total| {
            let schedule = Schedule { decay: Decay::Constant, first: 0, total };
            (0..total).filter(|&t| schedule.is_last_quarter(t)).collect::<Vec<_>>()
        };
        assert_eq!([8, 11, 3].map(quarter), [vec![6, 7], vec![9, 10], vec![]]);
        assert!(!Schedule::CONSTANT.is_last_quarter(1 << 40));
    }

    #[test]
    fn every_iteration_learns_and_none_more_than_the_one_before() {
        for decay in [Decay::Linear, Decay::Cosine] {
            for (first, total) in [(0, 1), (0, 7), (3, 7), (6, 7), (9, 7)] {
                let factors: Vec<f64> =
                    (0..total).map(|t| Schedule { decay, first, total }.factor(t)).collect();
                assert_eq!(factors[0], 1.);
                assert!(
                    factors.is_sorted_by(|a, b| a >= b) && factors.iter().all(|&f| f > 0.),
                    "{factors:?}"
                );
            }
        }
    }
}
