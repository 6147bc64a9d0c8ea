//! The fixed-noise grid: the same latents all through a run, one column a class.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use models::{Network, Parameters};

use crate::batches;

/// Rows of the grid.
const ROWS: usize = 8;
/// Pixels between two pictures.
const GAP: usize = 2;

/// Draws the grid from `parameters` and writes it to `path` as a PNG.
///
/// # Errors
/// If the file can't be written; Candle's.
pub fn write_grid(
    generator: &Network,
    parameters: &Parameters,
    seed: u64,
    latent_dim: usize,
    path: &Path,
) -> Result<()> {
    let classes = generator.classes().unwrap_or(1);
    let n = ROWS * classes;
    let z = batches::fixed_noise(seed, n, latent_dim, parameters.device())?;
    let label = Tensor::from_iter((0..n as u32).map(|i| i % classes as u32), parameters.device())?;
    let images = generator.sample(parameters, &z, Some(&label))?;
    let picture = grid(&images, classes)?;
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).context("can't encode the sample grid")?;
    models::files::write_atomically(path, |file| file.write_all(png.get_ref()))?;
    Ok(())
}

/// Pictures side by side, `columns` in a row, on black.
///
/// # Shapes
/// `images` (N, C, H, W) in [0, 1], C 1 for grey or 3 for colour
fn grid(images: &Tensor, columns: usize) -> Result<image::DynamicImage> {
    let (n, c, h, w) = images.dims4()?;
    let bytes = ((images.to_device(&Device::Cpu)? * 255.)?.round()?).to_dtype(DType::U8)?;
    let bytes = bytes.flatten_all()?.to_vec1::<u8>()?;
    let (height, width) = (n.div_ceil(columns) * (h + GAP) - GAP, columns * (w + GAP) - GAP);
    let mut picture = image::RgbImage::new(width as u32, height as u32);
    for (i, image) in bytes.chunks(c * h * w).enumerate() {
        let (left, top) = (i % columns * (w + GAP), i / columns * (h + GAP));
        for p in 0..h * w {
            // Grey has one plane for all three.
            let pixel = [0, 1, 2].map(|channel| image[channel.min(c - 1) * h * w + p]);
            picture.put_pixel((left + p % w) as u32, (top + p / w) as u32, image::Rgb(pixel));
        }
    }
    let picture = image::DynamicImage::from(picture);
    Ok(if c == 1 { picture.into_luma8().into() } else { picture })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    #[test]
    fn a_grid_of_uneven_pictures() {
        // Five pictures of 2×3 pixels, each of one grey, three in a row.
        let greys = [0., 0.25, 0.5, 0.75, 1.];
        let images: Vec<f32> = greys.iter().flat_map(|&g| [g; 6]).collect();
        let images = Tensor::from_vec(images, (5, 1, 2, 3), &Device::Cpu).unwrap();
        let grid = super::grid(&images, 3).unwrap();
        let grid = grid.as_luma8().unwrap();
        assert_eq!(grid.dimensions(), (3 * 3 + 2 * 2, 2 * 2 + 2));
        let at = |x, y| grid.get_pixel(x, y)[0];
        assert_eq!(
            [at(5, 1), at(7, 0), at(10, 1), at(2, 4), at(5, 5), at(7, 5)],
            [64, 64, 128, 191, 255, 255]
        );
        // The gaps and the place of a sixth picture are black.
        assert_eq!([at(3, 0), at(8, 5), at(0, 2), at(12, 5)], [0; 4]);
    }

    #[test]
    fn a_grid_in_colour() {
        // Two pictures of 1×2 pixels, one below the other.
        let images = Tensor::arange(0u32, 12, &Device::Cpu).unwrap().reshape((2, 3, 1, 2)).unwrap();
        let images = (images.to_dtype(candle_core::DType::F32).unwrap() / 255.).unwrap();
        let grid = super::grid(&images, 1).unwrap();
        let grid = grid.as_rgb8().unwrap();
        assert_eq!(grid.dimensions(), (2, 4));
        let at = |x, y| grid.get_pixel(x, y).0;
        assert_eq!([at(0, 0), at(1, 0), at(0, 3), at(1, 3)], [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]]);
        assert_eq!(at(1, 1), [0; 3]);
    }
}
