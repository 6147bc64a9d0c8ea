//! The library on the shipped model, in the ONNX Runtime that `make setup` fetches.

use std::path::Path;

use contract::LatentDistribution;
use contract::latent::latent_batch;
use infer::{Device, Engine, Error, Generator, ModelSource, Options, Runtime, Sample};
use ndarray::Array2;

fn model() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pretrained/mnist-generator.onnx"))
}

/// Loads the shipped model as for this many images.
fn load(expected_images: usize) -> Generator {
    load_in(Engine::OnnxRuntime, expected_images)
}

fn load_in(engine: Engine, expected_images: usize) -> Generator {
    let options = Options { engine, device: Device::Cpu, expected_images, ..Options::default() };
    Generator::load(&ModelSource::File(model()), &options).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn weights_that_are_lent_draw_what_loaded_ones_draw() {
    let labels = [3, 1, 4, 1, 5];
    let z = latent_batch(LatentDistribution::Uniform, 7, &[0, 1, 2, 3, 1 << 33], 100);
    let expected = load(usize::MAX).run(z.view(), &labels).unwrap();

    let lent = load(1).run(z.view(), &labels).unwrap();
    // One byte more in front, so that no weight is aligned: they are copied then.
    let mut bytes = vec![0];
    bytes.extend(std::fs::read(model()).unwrap());
    let source = ModelSource::Bytes { name: "shifted", bytes: &bytes[1..] };
    let options = Options { engine: Engine::OnnxRuntime, expected_images: 1, ..Options::default() };
    let shifted = Generator::load(&source, &options).unwrap().run(z.view(), &labels).unwrap();

    for (name, images) in [("lent", lent), ("shifted", shifted)] {
        assert_eq!(images.dim(), (5, 1, 28, 28));
        let differing: Vec<_> = (expected.indexed_iter().zip(&images))
            .filter(|((_, expected), image)| (*expected - *image).abs() > 1e-5)
            .take(5)
            .collect();
        assert!(differing.is_empty(), "{name}: {differing:?}");
    }
}

#[cfg(feature = "rten")]
#[test]
fn both_engines_draw_the_same() {
    let labels = [3, 1, 4, 1, 5];
    let z = latent_batch(LatentDistribution::Uniform, 7, &[0, 1, 2, 3, 1 << 33], 100);
    let expected = load(1).run(z.view(), &labels).unwrap();
    // Weights that are lent, and weights that were rearranged.
    for expected_images in [1, usize::MAX] {
        let mut rten = load_in(Engine::Rten, expected_images);
        assert_eq!((rten.engine(), rten.device()), (Engine::Rten, Device::Cpu));
        assert!(rten.runtime().is_none() && rten.engine_name().starts_with("rten "));
        let images = rten.run(z.view(), &labels).unwrap();
        assert_eq!(images.dim(), (5, 1, 28, 28));
        let differing: Vec<_> = (expected.indexed_iter().zip(&images))
            .filter(|((_, expected), image)| (*expected - *image).abs() > 1e-5)
            .take(5)
            .collect();
        assert!(differing.is_empty(), "for {expected_images}: {differing:?}");
    }
}

#[cfg(feature = "rten")]
#[test]
fn what_the_embedded_engine_cannot_do_is_refused() {
    let refusal = |options: Options| {
        let refused = Generator::load(&ModelSource::File(model()), &options).err();
        let refused = refused.filter(Error::is_bad_request);
        refused.map(|error| error.to_string()).unwrap_or_default()
    };
    let rten = Options { engine: Engine::Rten, ..Options::default() };
    assert!(refusal(Options { device: Device::Cuda(1), ..rten.clone() }).contains("for --device cuda:1"));
    assert!(refusal(Options { runtime: Some("lib.so".into()), ..rten }).contains("leave --runtime out"));
}

#[test]
fn samples_are_drawn_in_the_order_asked_for() {
    let mut generator = load(8);
    let consecutive = generator.images(&[5, 6, 7], 11, 40).unwrap();
    let picked = [42, 40].map(|index| Sample { index, label: index as i64 - 35 });
    let picked = generator.samples(11, &picked).unwrap();
    for (at, of) in [(0, 2), (1, 0)] {
        for ((at, left), right) in picked
            .index_axis(ndarray::Axis(0), at)
            .indexed_iter()
            .zip(consecutive.index_axis(ndarray::Axis(0), of))
        {
            assert!(left.abs_diff(*right) <= 1, "image {of}, pixel {at:?}: {left} and {right}");
        }
    }
}

#[test]
fn wrong_latents_and_labels_are_refused() {
    let mut generator = load(1);
    let mut refusal = |z: (usize, usize), labels: &[i64]| {
        let refused = generator.run(Array2::zeros(z).view(), labels);
        refused.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refusal((1, 99), &[0]).contains("z has shape (1, 99)"));
    assert!(refusal((0, 100), &[]).contains("z has shape (0, 100)"));
    assert!(refusal((2, 100), &[0]).contains("1 labels for 2 images"));
    assert!(refusal((1, 100), &[]).contains("0 labels for 1 images"));
    // ONNX would count −1 from the end and draw a nine.
    assert!(refusal((1, 100), &[-1]).contains("label -1 is not a class"));
    assert!(refusal((1, 100), &[10]).contains("label 10 is not a class"));
    assert!(generator.images(&[], 0, 0).is_err_and(|error| error.is_bad_request()));
}

#[test]
fn a_process_loads_one_runtime() {
    let first = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    let again = Runtime::load(Some(first.library())).unwrap();
    assert_eq!(again.library(), first.library());
    let other = Runtime::load(Some(Path::new("/other/libonnxruntime.so")));
    assert!(matches!(other, Err(Error::RuntimeLoadedAlready { .. })));
}

#[test]
fn the_runtime_itself_says_where_the_graph_runs() {
    // Several at a time: each must hear of its own graph and of no other.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let generator = load(1);
                assert_eq!(generator.device(), Device::Cpu);
                let [placement] = generator.placements() else { panic!("{:?}", generator.placements()) };
                assert_eq!(placement.provider, "CPUExecutionProvider");
                assert!(placement.nodes > 3, "{} nodes", placement.nodes);
            });
        }
    });
}
