//! Distances between sets of features, against numpy's by their definitions: tests/golden/metrics.py.
#![cfg(test)]

use serde_json::Value;
use train::evaluate::distances::Points;
use train::evaluate::frechet::Features;
use train::evaluate::manifold::Manifold;

#[test]
fn small_sets_measure_as_numpy_measures_them() {
    let golden: Value = serde_json::from_str(include_str!("../golden/metrics.json")).unwrap();
    let number = |name: &str| golden[name].as_f64().unwrap();
    let points = |name: &str| -> Vec<f64> {
        golden[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let dimensions = golden["dimensions"].as_u64().unwrap() as usize;
    let [real, generated] = [points("real"), points("generated")];

    let features = |points: &[f64]| {
        let values: Vec<f32> = points.iter().map(|&value| value as f32).collect();
        Features::new(&values, dimensions).unwrap()
    };
    let reference = features(&real).moments(None);
    let frechet = features(&generated).distance(&reference);
    assert!(frechet.low < frechet.value && frechet.value < frechet.high, "{frechet:?}");

    let points = |values| Points::new(values, dimensions).unwrap();
    let manifold = Manifold::of(&points(real), &points(generated)).unwrap();
    for (name, found) in [
        ("frechet", frechet.value),
        ("precision", manifold.precision.value),
        ("recall", manifold.recall.value),
        ("density", manifold.density.value),
        ("coverage", manifold.coverage.value),
    ] {
        let expected = number(name);
        assert!((found - expected).abs() < 1e-9 * (1. + expected), "{name}: {found}, numpy has {expected}");
    }
}
