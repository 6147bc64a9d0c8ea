//! Both pairs, row by row: the shape that each step makes of an uneven batch, and how many
//! parameters there are.
#![cfg(test)]

use candle_core::{DType, Device, Tensor};
use models::{Architecture, Mode, Network, Sizes};

const N: usize = 7;

fn labelled() -> Architecture {
    Architecture::LabelledDcgan(Sizes::default())
}

fn unlabelled() -> Architecture {
    Architecture::UnlabelledDcgan(Sizes::unlabelled())
}

/// Runs the list layer by layer and gives the dimensions after each.
fn shapes(network: &Network) -> Vec<(String, Vec<usize>)> {
    let p = network.initialise(1, &Device::Cpu).unwrap();
    let label = Tensor::from_iter((0..N as u32).map(|i| i * 3 % 10), &Device::Cpu).unwrap();
    let label = network.classes().map(|_| label);
    let mut x = Tensor::ones(network.input().dims(N), DType::F32, &Device::Cpu).unwrap();
    let layers = network.layers().iter().zip(network.shapes());
    let walked = layers.map(|(l, promised)| {
        x = l.layer.forward(&p, &l.name, &x, label.as_ref(), Mode::Train, &mut Vec::new()).unwrap();
        assert_eq!(x.dims(), promised.dims(N), "{} doesn't keep its promise", l.name);
        (l.name.clone(), x.dims().to_vec())
    });
    walked.collect()
}

fn assert_table(network: &Network, rows: &[(&str, &[usize])]) {
    let shapes = shapes(network);
    let names: Vec<&str> = shapes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, rows.iter().map(|&(name, _)| name).collect::<Vec<_>>());
    for ((name, found), (_, expected)) in shapes.iter().zip(rows) {
        assert_eq!(found[..], [&[N], *expected].concat(), "{} {name}", network.name());
    }
}

#[test]
fn generator() {
    let network = labelled().generator().unwrap();
    assert_eq!(network.trainable(), 7_065_211);
    assert_table(
        &network,
        &[
            ("h0.label", &[110]),
            ("h0.linear", &[1024]),
            ("h0.norm", &[1024]),
            ("h0.relu", &[1024]),
            ("h1.label", &[1034]),
            ("h1.linear", &[6272]),
            ("h1.norm", &[6272]),
            ("h1.relu", &[6272]),
            ("h1.planes", &[128, 7, 7]),
            ("h2.label", &[138, 7, 7]),
            ("h2.deconv", &[128, 14, 14]),
            ("h2.norm", &[128, 14, 14]),
            ("h2.relu", &[128, 14, 14]),
            ("out.label", &[138, 14, 14]),
            ("out.deconv", &[1, 28, 28]),
            ("out.sigmoid", &[1, 28, 28]),
        ],
    );
}

#[test]
fn discriminator() {
    let network = labelled().discriminator().unwrap();
    assert_eq!(network.trainable(), 3_769_479);
    assert_table(
        &network,
        &[
            ("h0.label", &[11, 28, 28]),
            ("h0.conv", &[11, 14, 14]),
            ("h0.relu", &[11, 14, 14]),
            ("h1.label", &[21, 14, 14]),
            ("h1.conv", &[74, 7, 7]),
            ("h1.norm", &[74, 7, 7]),
            ("h1.relu", &[74, 7, 7]),
            ("h1.flat", &[3626]),
            ("h2.label", &[3636]),
            ("h2.linear", &[1024]),
            ("h2.norm", &[1024]),
            ("h2.relu", &[1024]),
            ("h3.label", &[1034]),
            ("h3.linear", &[1]),
        ],
    );
}

#[test]
fn unlabelled_generator() {
    let network = unlabelled().generator().unwrap();
    assert_eq!((network.trainable(), network.classes()), (5_135_363, None));
    assert_table(
        &network,
        &[
            ("h0.linear", &[8192]),
            ("h0.planes", &[512, 4, 4]),
            ("h0.norm", &[512, 4, 4]),
            ("h0.relu", &[512, 4, 4]),
            ("h1.deconv", &[256, 8, 8]),
            ("h1.norm", &[256, 8, 8]),
            ("h1.relu", &[256, 8, 8]),
            ("h2.deconv", &[128, 16, 16]),
            ("h2.norm", &[128, 16, 16]),
            ("h2.relu", &[128, 16, 16]),
            ("h3.deconv", &[64, 32, 32]),
            ("h3.norm", &[64, 32, 32]),
            ("h3.relu", &[64, 32, 32]),
            ("out.deconv", &[3, 64, 64]),
            ("out.tanh", &[3, 64, 64]),
        ],
    );
}

#[test]
fn unlabelled_discriminator() {
    let network = unlabelled().discriminator().unwrap();
    assert_eq!((network.trainable(), network.classes()), (4_316_545, None));
    assert_table(
        &network,
        &[
            ("h0.conv", &[64, 32, 32]),
            ("h0.relu", &[64, 32, 32]),
            ("h1.conv", &[128, 16, 16]),
            ("h1.norm", &[128, 16, 16]),
            ("h1.relu", &[128, 16, 16]),
            ("h2.conv", &[256, 8, 8]),
            ("h2.norm", &[256, 8, 8]),
            ("h2.relu", &[256, 8, 8]),
            ("h3.conv", &[512, 4, 4]),
            ("h3.norm", &[512, 4, 4]),
            ("h3.relu", &[512, 4, 4]),
            ("h3.flat", &[8192]),
            ("h4.linear", &[1]),
        ],
    );
}

/// Each stage is the ceiling of half the next, in rows and in columns: 4, 7, 13, 25, 50 and 3, 5, 9,
/// 18, 35.
#[test]
fn an_unlabelled_pair_for_uneven_pictures() {
    let sizes = Sizes { channels: 1, height: 50, width: 35, generator_filters: 2, ..Sizes::unlabelled() };
    let sizes = Sizes { discriminator_filters: 3, ..sizes };
    let narrow = Architecture::UnlabelledDcgan(sizes);
    let planes = |network: &Network| -> Vec<Vec<usize>> {
        let shapes = shapes(network).into_iter().filter(|(_, dims)| dims.len() == 4);
        shapes
            .filter(|(name, _)| name.ends_with("conv") || name.ends_with("planes"))
            .map(|(_, d)| d)
            .collect()
    };
    let generator = [[N, 16, 4, 3], [N, 8, 7, 5], [N, 4, 13, 9], [N, 2, 25, 18], [N, 1, 50, 35]];
    assert_eq!(planes(&narrow.generator().unwrap()), generator);
    let discriminator = [[N, 3, 25, 18], [N, 6, 13, 9], [N, 12, 7, 5], [N, 24, 4, 3]];
    assert_eq!(planes(&narrow.discriminator().unwrap()), discriminator);
    // The smallest that there is.
    let one = Architecture::UnlabelledDcgan(Sizes { height: 1, width: 1, ..sizes });
    assert_eq!(one.generator().unwrap().output().dims(2), [2, 1, 1, 1]);
    assert_eq!(one.discriminator().unwrap().output().dims(2), [2, 1]);
}

#[test]
fn initial_weights_are_those_of_the_paper_and_the_same_for_a_seed() {
    let network = labelled().discriminator().unwrap();
    let [first, again, other] = [5, 5, 6].map(|seed| network.initialise(seed, &Device::Cpu).unwrap());
    let values = |p: &models::Parameters, name: &str| -> Vec<f32> {
        p.get(name).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    for (name, cut) in [("h2.linear.weight", f64::INFINITY), ("h1.conv.weight", 2.)] {
        let weight = values(&first, name);
        assert!(weight == values(&again, name) && weight != values(&other, name), "{name}");
        let n = weight.len() as f64;
        let mean = weight.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
        let deviation = (weight.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / n).sqrt();
        let largest = weight.iter().fold(0f64, |m, &w| m.max(f64::from(w).abs())) / 0.02;
        // Cut at two deviations, a normal distribution keeps 0.8796 of its deviation.
        let expected = if cut.is_finite() { 0.02 * 0.8796 } else { 0.02 };
        assert!(
            (deviation / expected - 1.).abs() < 0.01,
            "{name}: deviation {deviation}, {expected} expected"
        );
        assert!(mean.abs() < 4. * expected / n.sqrt(), "{name}: mean {mean}");
        assert!(largest <= cut + 1e-6 && largest > 1.9, "{name}: {largest} deviations");
    }
    assert!(values(&first, "h2.norm.weight").iter().all(|&g| g == 1.));
    assert!(values(&first, "h2.linear.bias").iter().all(|&b| b == 0.));
}
