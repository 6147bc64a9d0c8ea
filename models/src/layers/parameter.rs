//! A layer's parameters, before there are any.

/// Standard deviation of the initial weights (DCGAN, section 4).
pub const INITIAL_DEVIATION: f64 = 0.02;

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// N(0, deviation)
    Normal(f64),
    /// N(0, deviation), redrawn beyond two deviations.
    TruncatedNormal(f64),
    /// The same number everywhere.
    Constant(f32),
}

/// A parameter of a layer: its name there, shape, start, and whether an optimiser moves it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// `weight`, `bias`, `running_mean` or `running_variance`.
    pub name: &'static str,
    /// The tensor's shape.
    pub dims: Vec<usize>,
    /// How it starts.
    pub initial: Initial,
    /// False for the running averages.
    pub trainable: bool,
}

impl ParameterSpec {
    /// One that an optimiser moves.
    pub(super) fn trained(name: &'static str, dims: &[usize], initial: Initial) -> ParameterSpec {
        ParameterSpec { name, dims: dims.to_vec(), initial, trainable: true }
    }
}

/// A layer's `weight`, and its `bias`, one number an output, from 0.
pub(super) fn weight_and_bias(weight: &[usize], initial: Initial, outputs: usize) -> Vec<ParameterSpec> {
    vec![
        ParameterSpec::trained("weight", weight, initial),
        ParameterSpec::trained("bias", &[outputs], Initial::Constant(0.)),
    ]
}
