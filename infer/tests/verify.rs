//! The shipped judge on the shipped model: what is kept, and that it is each image's own.

#![cfg(test)]

use std::path::PathBuf;

use contract::LatentDistribution;
use contract::latent::{self, latents, normal_latents};
use infer::verify::{Kept, Verifier};
use infer::{Device, Engine, Error, Generator, Judge, ModelSource, Options, Reading, Sample};
use ndarray::{Array4, Axis};

const SEED: u64 = 5;
/// High enough that some of a hundred images are drawn more than twice.
const THRESHOLD: f64 = 0.9999;
const PIXELS: usize = 28 * 28;

fn model(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "models", "pretrained", name].iter().collect()
}

fn load(engine: Engine) -> (Generator, Judge) {
    let options = Options { engine, device: Device::Cpu, ..Options::default() };
    let generator = Generator::load(&ModelSource::File(&model("mnist-generator.onnx")), &options).unwrap();
    let judge = Judge::load(&ModelSource::File(&model("mnist-judge.onnx")), &generator, &options).unwrap();
    (generator, judge)
}

fn samples(count: u64) -> Vec<Sample> {
    (0..count).map(|index| Sample { index, label: (index % 10) as i64 }).collect()
}

/// One image by the rule's own words: draws from one stream, one after the other, until one is kept.
fn by_the_rule(generator: &mut Generator, judge: &mut Judge, sample: Sample) -> (Vec<u8>, Reading, usize) {
    for draw in 0..100 {
        let stream = latents(SEED, sample.index, 100 * (draw + 1));
        let (mut pixels, mut readings) = (Vec::new(), Vec::new());
        generator.draw(&stream[100 * draw..], &[sample.label], &mut pixels).unwrap();
        judge.read(&pixels, &mut readings).unwrap();
        if readings[0].label == sample.label && readings[0].confidence >= THRESHOLD {
            return (pixels, readings[0], draw);
        }
    }
    panic!("{sample:?} is never its label");
}

#[test]
fn what_is_kept_is_the_first_draw_of_the_image_s_own_stream_that_is_read_as_its_label() {
    let (mut generator, mut judge) = load(Engine::OnnxRuntime);
    let samples = samples(100);
    let expected: Vec<_> =
        samples.iter().map(|sample| by_the_rule(&mut generator, &mut judge, *sample)).collect();
    let draws = |least: usize| expected.iter().filter(|(.., draw)| *draw >= least).count();
    assert!(draws(1) >= 5 && draws(2) >= 1, "{} and {} redrawn: too few to tell", draws(1), draws(2));

    let mut verifier = Verifier::new(judge, THRESHOLD);
    let (images, kept) = verifier.samples(&mut generator, SEED, &samples).unwrap();
    assert_same(&images, &expected.iter().flat_map(|(pixels, ..)| pixels.clone()).collect::<Vec<_>>());
    for ((_, reading, _), confidence) in expected.iter().zip(&kept.confidences) {
        assert!((reading.confidence - confidence).abs() < 2e-4, "{reading:?} and {confidence}");
    }
    assert_eq!(kept.redrawn(), draws(1) as u64);
    assert_eq!(kept.redraws(), expected.iter().map(|(.., draw)| *draw as u64).sum::<u64>());
}

#[test]
fn what_is_kept_does_not_depend_on_what_else_is_drawn() {
    let (mut generator, judge) = load(Engine::OnnxRuntime);
    let mut verifier = Verifier::new(judge, THRESHOLD);
    let samples = samples(60);
    let (images, kept) = verifier.samples(&mut generator, SEED, &samples).unwrap();
    assert!(kept.redrawn() > 0);
    let whole = images.as_slice().unwrap();
    for size in [1, 7, 33] {
        let mut again = Kept::default();
        for (samples, whole) in samples.chunks(size).zip(whole.chunks(size * PIXELS)) {
            let labels: Vec<i64> = samples.iter().map(|sample| sample.label).collect();
            let z: Vec<f32> = samples.iter().flat_map(|sample| latents(SEED, sample.index, 100)).collect();
            let mut pixels = Vec::new();
            let shape = generator.draw(&z, &labels, &mut pixels).unwrap();
            let kept = verifier.verify(&mut generator, SEED, samples, shape, &mut pixels).unwrap();
            again.discarded.extend(kept.discarded);
            again.confidences.extend(kept.confidences);
            let images = Array4::from_shape_vec((samples.len(), 1, 28, 28), pixels).unwrap();
            assert_same(&images, whole);
        }
        assert_eq!(again.discarded, kept.discarded, "in batches of {size}");
        assert_eq!(again.confidences.len(), kept.confidences.len());
    }
}

#[cfg(feature = "rten")]
#[test]
fn both_engines_keep_the_same() {
    let [first, second] = [Engine::OnnxRuntime, Engine::Rten].map(|engine| {
        let (mut generator, judge) = load(engine);
        Verifier::new(judge, 0.99).samples(&mut generator, SEED, &samples(150)).unwrap()
    });
    assert!(first.1.redrawn() > 0);
    assert_eq!(first.1.discarded, second.1.discarded);
    assert_same(&first.0, second.0.as_slice().unwrap());
    for (first, second) in first.1.confidences.iter().zip(&second.1.confidences) {
        assert!((first - second).abs() < 2e-3, "{first} and {second}");
    }
}

#[test]
fn an_image_that_is_never_its_label_is_an_error() {
    let (mut generator, judge) = load(Engine::OnnxRuntime);
    // No confidence is more than 1.
    let refused = Verifier::new(judge, 1.5).samples(&mut generator, SEED, &samples(8)[6..]);
    let error = refused.err().unwrap();
    assert!(!error.is_bad_request());
    let said = error.to_string();
    for part in ["image 6 of seed 5 is not read as 6", "1.5", "mnist-judge.onnx in 100 draws", "--verify"] {
        assert!(said.contains(part), "expected {part:?} in {said}");
    }
}

#[test]
fn a_judge_reads_whole_pictures_of_its_size() {
    let (generator, mut judge) = load(Engine::OnnxRuntime);
    let mut readings = Vec::new();
    for pixels in [0, 1, PIXELS + 1] {
        let refused = judge.read(&vec![0; pixels], &mut readings).err();
        let said = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(said.starts_with(&format!("{pixels} pixels are no pictures of 1×28×28")), "{said}");
    }
    assert!(readings.is_empty());
    let none = ModelSource::File(&model("mnist-generator.onnx"));
    let refused = Judge::load(&none, &generator, &Options::default()).err();
    assert!(matches!(refused, Some(Error::NotAJudge { found, .. }) if found == "it is a generator"));
}

#[test]
fn redraws_follow_each_other_in_the_image_s_stream() {
    for (distribution, whole) in [
        (LatentDistribution::Uniform, latents(9, 1 << 40, 400)),
        (LatentDistribution::Normal, normal_latents(9, 1 << 40, 400)),
    ] {
        for (redraw, expected) in whole.chunks(100).enumerate() {
            let mut drawn = [0.0; 100];
            latent::fill_redraw(distribution, 9, 1 << 40, redraw as u32, &mut drawn);
            assert_eq!(drawn[..], *expected, "{distribution}, redraw {redraw}");
        }
    }
    // 7 normal latents are 8 numbers of the stream; 7 uniform ones are 7.
    let mut drawn = [0.0; 7];
    latent::fill_redraw(LatentDistribution::Normal, 9, 3, 2, &mut drawn);
    assert_eq!(drawn[..], normal_latents(9, 3, 23)[16..]);
    latent::fill_redraw(LatentDistribution::Uniform, 9, 3, 2, &mut drawn);
    assert_eq!(drawn[..], latents(9, 3, 21)[14..]);
}

/// Asserts that pictures are the same to one level: a batch of another size may round otherwise.
#[track_caller]
fn assert_same(images: &Array4<u8>, expected: &[u8]) {
    assert_eq!(images.len(), expected.len());
    let expected = Array4::from_shape_vec(images.dim(), expected.to_vec()).unwrap();
    for (i, (image, expected)) in images.axis_iter(Axis(0)).zip(expected.axis_iter(Axis(0))).enumerate() {
        let differing: Vec<_> = (image.indexed_iter().zip(&expected))
            .filter(|((_, left), right)| left.abs_diff(**right) > 1)
            .take(5)
            .collect();
        assert!(differing.is_empty(), "image {i}: {differing:?}");
    }
}
