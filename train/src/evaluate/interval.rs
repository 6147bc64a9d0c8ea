//! 95 % intervals: what another sample of as many pictures would likely give.

use serde::Serialize;

/// Standard deviations either way that hold 95 % of a normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// Pictures that it rests on.
    pub n: usize,
}

impl Estimate {
    /// A part of `n`, with Wilson's score interval (1927), which holds near 0 and 1 too.
    pub fn proportion(part: usize, n: usize) -> Estimate {
        if n == 0 {
            return Estimate { value: f64::NAN, low: 0., high: 1., n };
        }
        let (count, p) = (n as f64, part as f64 / n as f64);
        let centre = p + Z * Z / (2. * count);
        let half = Z * (p * (1. - p) / count + Z * Z / (4. * count * count)).sqrt();
        let scale = 1. + Z * Z / count;
        let (low, high) = ((centre - half) / scale, (centre + half) / scale);
        Estimate { value: p, low: low.clamp(0., p), high: high.clamp(p, 1.), n }
    }

    /// A figure with its standard error.
    pub fn normal(value: f64, error: f64, n: usize) -> Estimate {
        Estimate { value, low: value - Z * error, high: value + Z * error, n }
    }

    /// The mean of independent numbers.
    pub fn mean(values: &[f64]) -> Estimate {
        let (mean, variance) = mean_and_variance(values);
        Estimate::normal(mean, (variance / values.len() as f64).sqrt(), values.len())
    }

    /// A figure of `n` pictures, from what it is without each group of them (the jackknife).
    pub fn jackknife(value: f64, without: &[f64], n: usize) -> Estimate {
        let groups = without.len() as f64;
        let (_, variance) = mean_and_variance(without);
        Estimate::normal(value, ((groups - 1.) * (groups - 1.) / groups * variance).sqrt(), n)
    }

    /// In hundredths.
    pub fn percent(&self) -> String {
        let Estimate { value, low, high, .. } = self;
        format!("{:.2} % ({:.2} to {:.2})", value * 100., low * 100., high * 100.)
    }

    /// With so many decimal places.
    pub fn text(&self, places: usize) -> String {
        let Estimate { value, low, high, .. } = self;
        format!("{value:.places$} ({low:.places$} to {high:.places$})")
    }
}

/// Mean, and variance by n − 1.
pub(super) fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.).max(1.))
}

#[cfg(test)]
mod tests {
    use super::Estimate;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "{found}, {expected} expected");
    }

    #[test]
    fn wilsons_interval() {
        // 95 of 100, and none of 10: the interval's closed form.
        let most = Estimate::proportion(95, 100);
        close(most.low, 0.8882);
        close(most.high, 0.9785);
        let none = Estimate::proportion(0, 10);
        assert_eq!(none.low, 0.);
        close(none.high, 0.2775);
    }

    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let values = [1., 4., 2., 7., 6.];
        let sum: f64 = values.iter().sum();
        let without = values.map(|value| (sum - value) / 4.);
        let (mean, jackknife) = (Estimate::mean(&values), Estimate::jackknife(4., &without, 5));
        close(jackknife.low, mean.low);
        close(jackknife.high, mean.high);
    }
}
