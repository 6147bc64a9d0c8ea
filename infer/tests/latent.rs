//! The sampling contract against an implementation that shares no code with the crate:
//! `latent_golden.py`, beside this file, made the numbers.

use infer::latent::{latent_batch, latents};

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

#[test]
fn a_batch_holds_each_image_s_own_latents() {
    let indices = [5, 2, 1 << 40];
    let batch = latent_batch(9, &indices, 37);
    assert_eq!(batch.dim(), (3, 37));
    for (row, index) in batch.rows().into_iter().zip(indices) {
        assert_eq!(row.to_vec(), latents(9, index, 37), "image {index}");
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
