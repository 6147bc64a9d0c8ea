//! The sampling contract against an implementation that shares no code with the crate:
//! `latent_golden.py`, beside this file, made the numbers.

use contract::LatentDistribution;
use contract::latent::{latent_batch, latents, normal_latents};

/// (seed, image, latents at 0, 1, 2, 15, 16 and 99): inside one ChaCha block, across its edge
/// and far along, each exactly a float32; with a seed beyond 63 bits and an index beyond 32.
const GOLDEN: [(u64, u64, [f64; 6]); 3] = [
    (
        0,
        0,
        [
            -0.625518798828125,
            0.6738394498825073,
            0.8181260824203491,
            -0.4766221046447754,
            -0.8907873630523682,
            0.2737489938735962,
        ],
    ),
    (
        7,
        3,
        [
            0.3494802713394165,
            0.3258434534072876,
            0.3482191562652588,
            -0.9134653806686401,
            0.5393096208572388,
            -0.8758519887924194,
        ],
    ),
    (
        (1 << 63) + 5,
        1 << 40,
        [
            -0.018841266632080078,
            -0.3194868564605713,
            0.5081198215484619,
            -0.4806274175643921,
            0.20448720455169678,
            -0.5878102779388428,
        ],
    ),
];

#[test]
fn latents_are_the_golden_ones() {
    for (seed, image, expected) in GOLDEN {
        let all = latents(seed, image, 100);
        let picked = [0, 1, 2, 15, 16, 99].map(|i| f64::from(all[i]));
        assert_eq!(picked, expected, "seed {seed}, image {image}");
    }
}

/// The same cases as [`GOLDEN`], for N(0, 1): each within a rounding to float32.
const GOLDEN_NORMAL: [(u64, u64, [f32; 6]); 3] = [
    (0, 0, [0.950_735_87, -1.564_232_3, -0.296_060_9, 0.803_897_5, -1.017_988_3, -0.847_028_6]),
    (7, 3, [-0.461_475_64, -0.757_558_9, -0.887_746_93, 0.333_182_75, -0.706_283_9, 0.226_384_91]),
    (
        (1 << 63) + 5,
        1 << 40,
        [-0.641_109_4, 1.006_635_5, -0.730_788_7, 2.574_117, 0.123_774_626, 0.671_188_1],
    ),
];

#[test]
fn normal_latents_are_the_golden_ones() {
    for (seed, image, expected) in GOLDEN_NORMAL {
        let all = normal_latents(seed, image, 100);
        for (i, expected) in [0, 1, 2, 15, 16, 99].into_iter().zip(expected) {
            let difference = (all[i] - expected).abs();
            assert!(difference <= 1.2e-7 * expected.abs(), "seed {seed}, image {image}, [{i}]: {}", all[i]);
        }
    }
}

#[test]
fn normal_latents_are_normal_and_fewer_of_them_are_the_first_ones() {
    for count in [1, 2, 15, 99] {
        assert_eq!(normal_latents(4, 2, count), normal_latents(4, 2, 100)[..count]);
    }
    let numbers: Vec<f32> = (0..200).flat_map(|image| normal_latents(1, image, 100)).collect();
    let share = |test: &dyn Fn(f32) -> bool| numbers.iter().filter(|z| test(**z)).count() as f32 / 2e4;
    let mean = numbers.iter().sum::<f32>() / 2e4;
    let variance = numbers.iter().map(|z| z * z).sum::<f32>() / 2e4;
    // 20,000 draws: standard errors 0.0071 and 0.01; five of them.
    assert!(mean.abs() < 0.036 && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
    // 68.27 and 95.45 per cent; standard errors 0.0033 and 0.0015.
    assert!((share(&|z| z.abs() < 1.0) - 0.6827).abs() < 0.017);
    assert!((share(&|z| z.abs() < 2.0) - 0.9545).abs() < 0.008);
}

#[test]
fn a_batch_holds_each_image_s_own_latents() {
    let indices = [5, 2, 1 << 40];
    for distribution in [LatentDistribution::Uniform, LatentDistribution::Normal] {
        let batch = latent_batch(distribution, 9, &indices, 37);
        assert_eq!(batch.dim(), (3, 37));
        for (row, index) in batch.rows().into_iter().zip(indices) {
            let expected = match distribution {
                LatentDistribution::Uniform => latents(9, index, 37),
                LatentDistribution::Normal => normal_latents(9, index, 37),
            };
            assert_eq!(row.to_vec(), expected, "image {index}, {distribution}");
        }
    }
}

#[test]
fn latents_fill_their_range_evenly() {
    let numbers: Vec<f32> = (0..200).flat_map(|image| latents(1, image, 100)).collect();
    assert!(numbers.iter().all(|z| (-1.0..1.0).contains(z)));
    let mean = numbers.iter().sum::<f32>() / numbers.len() as f32;
    let variance = numbers.iter().map(|z| z * z).sum::<f32>() / numbers.len() as f32;
    // 20,000 draws: standard errors 0.0041 and 0.0021; five of them.
    assert!(mean.abs() < 0.021, "mean {mean}");
    assert!((variance - 1.0 / 3.0).abs() < 0.0106, "variance {variance}");
}
