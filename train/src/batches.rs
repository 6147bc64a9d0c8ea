//! Which pictures each iteration sees, which of them mirrored, and its latents.
//!
//! All are functions of the seed and the iteration alone, drawn on the host: a run that goes on
//! from iteration t sees what it would have seen, and CPU and CUDA see the same.
//!
//! Epochs follow each other without a gap: iteration t takes the pictures t·N to (t+1)·N − 1 of an
//! endless row in which each epoch is a new order of all pictures. So every picture comes once an
//! epoch, and no batch is short where N doesn't divide the number of pictures.

use candle_core::{DType, Device, Result, Tensor};
use contract::LatentDistribution;
use models::Sizes;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::sources::LabelledImages;
use crate::streams::{Purpose, random};

/// `n` latents as the generator takes them.
fn draw(mut random: ChaCha8Rng, n: usize, sizes: &Sizes, device: &Device) -> Result<Tensor> {
    let numbers = 0..n * sizes.latent_dim;
    let z: Vec<f32> = match sizes.latent {
        LatentDistribution::Uniform => numbers.map(|_| random.random_range(-1f32..1.)).collect(),
        LatentDistribution::Normal => numbers.map(|_| random.sample(StandardNormal)).collect(),
    };
    Tensor::from_vec(z, (n, sizes.latent_dim), device)
}

/// z of an iteration.
///
/// # Shapes
/// (N, `latent_dim`)
///
/// # Errors
/// Candle's.
pub fn latents(seed: u64, iteration: u64, n: usize, sizes: &Sizes, device: &Device) -> Result<Tensor> {
    draw(random(seed, Purpose::Latent, 0, iteration), n, sizes, device)
}

/// z of the sample grid, the same all through a run.
///
/// # Shapes
/// (N, `latent_dim`)
///
/// # Errors
/// Candle's.
pub fn fixed_noise(seed: u64, n: usize, sizes: &Sizes, device: &Device) -> Result<Tensor> {
    draw(random(seed, Purpose::FixedNoise, 0, 0), n, sizes, device)
}

/// How pictures come in batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// N
    pub batch_size: usize,
    /// Key of the order, and of what is mirrored.
    pub seed: u64,
    /// What byte 0 becomes, where byte 255 becomes 1.
    pub black: f64,
    /// Whether pictures are mirrored left to right, each with a chance of one half in each epoch.
    pub flip: bool,
}

impl Options {
    /// Upright pictures in [0, 1].
    pub fn new(batch_size: usize, seed: u64) -> Options {
        Options { batch_size, seed, black: 0., flip: false }
    }
}

/// The training pictures on the device, as bytes, and their order.
pub struct Batches {
    /// (pictures, C·H·W) of u8
    images: Tensor,
    /// (pictures) of u32
    labels: Tensor,
    dims: [usize; 3],
    options: Options,
    epoch: Epoch,
}

/// The pictures of an epoch in their order, and which of them are mirrored.
struct Epoch {
    number: u64,
    order: Vec<u32>,
    /// As long as the order: of each place in it, 1 if that picture is mirrored.
    mirrored: Vec<u8>,
}

impl Epoch {
    fn new(number: u64, n: usize, options: &Options) -> Epoch {
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.shuffle(&mut random(options.seed, Purpose::Order, 0, number));
        let mut coin = random(options.seed, Purpose::Flip, 0, number);
        let mirrored = order.iter().map(|_| u8::from(options.flip && coin.random())).collect();
        Epoch { number, order, mirrored }
    }
}

impl Batches {
    /// Puts all pictures onto `device`.
    ///
    /// # Errors
    /// Candle's, if the device has no room.
    pub fn new(data: &LabelledImages, options: Options, device: &Device) -> Result<Batches> {
        let (n, pictures) = (data.len(), data.images());
        let dims = [pictures.channels(), pictures.height(), pictures.width()];
        let volume: usize = dims.iter().product();
        let images = Tensor::from_slice(pictures.pixels(), (n, volume), device)?;
        let labels = Tensor::from_iter(data.labels().iter().map(|&l| u32::from(l)), device)?;
        Ok(Batches { images, labels, dims, options, epoch: Epoch::new(0, n, &options) })
    }

    /// The pictures of iteration `t`, from [`Options::black`] to 1, and their labels.
    ///
    /// # Shapes
    /// (N, C, H, W) and (N) of u32
    ///
    /// # Errors
    /// Candle's.
    pub fn batch(&mut self, t: u64) -> Result<(Tensor, Tensor)> {
        let Options { batch_size, black, flip, .. } = self.options;
        let (n, device) = (self.labels.elem_count() as u64, self.labels.device().clone());
        let first = t * batch_size as u64;
        let chosen = (first..first + batch_size as u64).map(|position| {
            if self.epoch.number != position / n {
                self.epoch = Epoch::new(position / n, n as usize, &self.options);
            }
            let place = (position % n) as usize;
            (self.epoch.order[place], self.epoch.mirrored[place])
        });
        let (indices, mirrored): (Vec<u32>, Vec<u8>) = chosen.unzip();
        let indices = Tensor::new(indices, &device)?;
        let [c, h, w] = self.dims;
        let mut x = self.images.index_select(&indices, 0)?.reshape((batch_size, c, h, w))?;
        if flip {
            let mirrored = Tensor::new(mirrored, &device)?.reshape((batch_size, 1, 1, 1))?;
            x = mirrored.broadcast_as(x.shape())?.where_cond(&x.flip(&[3])?, &x)?;
        }
        let x = x.to_dtype(DType::F32)?.affine((1. - black) / 255., black)?;
        Ok((x, self.labels.index_select(&indices, 0)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use contract::LatentDistribution;
    use models::Sizes;

    use super::{Batches, Options, latents};
    use crate::sources::{Images, LabelledImages};

    /// Seven pictures of 2×3 pixels; the first pixel of picture i is i.
    fn seven() -> LabelledImages {
        let pixels = (0..7u8).flat_map(|i| [i, 50, 100, 150, 200, 255]).collect();
        LabelledImages::new(Images::new(2, 3, pixels).unwrap(), vec![0, 1, 2, 0, 1, 2, 0], 3, "seven")
            .unwrap()
    }

    #[test]
    fn every_picture_comes_once_an_epoch_in_a_new_order() {
        let mut batches = Batches::new(&seven(), Options::new(4, 9), &Device::Cpu).unwrap();
        let mut seen = Vec::new();
        for t in 0..7 {
            let (x, y) = batches.batch(t).unwrap();
            assert_eq!(x.dims(), [4, 1, 2, 3]);
            let x = x.flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
            for (x, y) in x.iter().zip(y.to_vec1::<u32>().unwrap()) {
                let expected = [50., 100., 150., 200., 255.].map(|byte: f32| byte / 255.);
                // Candle multiplies by the reciprocal: the last bit may differ.
                assert!(x[1..].iter().zip(expected).all(|(x, e)| (x - e).abs() < 1e-7), "{x:?}");
                let i = (x[0] * 255.).round() as u32;
                assert_eq!(y, i % 3, "picture {i} came with another's label");
                seen.push(i);
            }
        }
        let epochs: Vec<&[u32]> = seen.chunks(7).collect();
        for epoch in &epochs {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6]);
        }
        assert!(epochs.iter().any(|e| e != &epochs[0]), "every epoch had the same order");
    }

    #[test]
    fn coloured_pictures_keep_their_channels() {
        // Two pictures of three channels and 1×2 pixels.
        let images = Images::with_channels(3, 1, 2, (0..12).collect()).unwrap();
        let data = LabelledImages::new(images, vec![0, 1], 2, "two").unwrap();
        let mut batches = Batches::new(&data, Options::new(2, 9), &Device::Cpu).unwrap();
        let (x, y) = batches.batch(0).unwrap();
        assert_eq!(x.dims(), [2, 3, 1, 2]);
        let x = (x * 255.).unwrap().round().unwrap().flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
        for (x, y) in x.iter().zip(y.to_vec1::<u32>().unwrap()) {
            let expected: Vec<f32> = (y * 6..y * 6 + 6).map(|byte| byte as f32).collect();
            assert_eq!(x, &expected);
        }
    }

    #[test]
    fn half_of_the_pictures_are_mirrored_and_others_in_the_next_epoch() {
        // Forty pictures of two channels and 1×3 pixels; the byte in the middle is the picture's number.
        let pixels = (0..40u8).flat_map(|i| [100, i, 200, 101, i, 201]).collect();
        let images = Images::with_channels(2, 1, 3, pixels).unwrap();
        let data = LabelledImages::new(images, vec![0; 40], 1, "forty").unwrap();
        let options = Options { black: -1., flip: true, ..Options::new(8, 3) };
        let mut batches = Batches::new(&data, options, &Device::Cpu).unwrap();
        let mut epoch = |first: u64| {
            let mut mirrored = vec![None; 40];
            for t in first..first + 5 {
                let x = ((batches.batch(t).unwrap().0 + 1.).unwrap() * 127.5).unwrap().round().unwrap();
                for x in x.flatten_from(1).unwrap().to_vec2::<f32>().unwrap() {
                    let is_mirrored = x[0] == 200.;
                    let expected =
                        [[100., x[1], 200., 101., x[1], 201.], [200., x[1], 100., 201., x[1], 101.]];
                    assert_eq!(x, expected[usize::from(is_mirrored)]);
                    mirrored[x[1] as usize] = Some(is_mirrored);
                }
            }
            mirrored.into_iter().map(Option::unwrap).collect::<Vec<bool>>()
        };
        let epochs = [epoch(0), epoch(5)];
        for mirrored in &epochs {
            let count = mirrored.iter().filter(|&&m| m).count();
            assert!((10..=30).contains(&count), "{count} of 40 pictures are mirrored");
        }
        assert_ne!(epochs[0], epochs[1]);
        // What was seen before doesn't matter.
        assert_eq!(epoch(0), epochs[0]);
    }

    #[test]
    fn an_iteration_depends_on_seed_and_number_alone() {
        let values = |seed, t| {
            let mut batches = Batches::new(&seven(), Options::new(4, seed), &Device::Cpu).unwrap();
            let (x, _) = batches.batch(t).unwrap();
            let networks = Sizes { latent_dim: 5, ..Sizes::default() };
            let z = latents(seed, t, 4, &networks, &Device::Cpu).unwrap();
            (
                x.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
                z.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            )
        };
        let mut walked = Batches::new(&seven(), Options::new(4, 1), &Device::Cpu).unwrap();
        for t in 0..5 {
            walked.batch(t).unwrap();
        }
        assert_eq!(
            walked.batch(5).unwrap().0.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            values(1, 5).0
        );
        assert_ne!(values(1, 5), values(2, 5));
        assert!(values(1, 5).1.iter().all(|z| (-1. ..1.).contains(z)));
    }

    #[test]
    fn normal_latents_have_mean_0_and_variance_1() {
        let networks = Sizes { latent: LatentDistribution::Normal, ..Sizes::default() };
        let z = latents(3, 1, 200, &networks, &Device::Cpu).unwrap();
        assert_eq!(z.dims(), [200, 100]);
        let z = z.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mean = z.iter().sum::<f32>() / 2e4;
        let variance = z.iter().map(|z| z * z).sum::<f32>() / 2e4;
        // Standard errors 0.0071 and 0.01; five of them.
        assert!(mean.abs() < 0.036 && (variance - 1.).abs() < 0.05, "{mean} {variance}");
    }
}
