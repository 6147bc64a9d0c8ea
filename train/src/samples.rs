//! The fixed-noise grid: the same latents all through a run, one column a class, or eight columns of
//! pictures without labels.

use std::path::Path;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use contract::Picture;
use models::{Architecture, Network, Parameters};
use ndarray::Array4;

use crate::batches;

/// Rows of the grid.
const ROWS: usize = 8;
/// Its columns where there are no classes.
const COLUMNS: usize = 8;
/// Pixels between two pictures.
const GAP: usize = 2;

/// Pictures in a row of the grid.
pub fn columns(networks: &Architecture) -> usize {
    networks.classes().unwrap_or(COLUMNS)
}

/// Draws the grid's pictures from `parameters`: image i is of class i modulo the classes.
///
/// # Shapes
/// Returns (8 · columns, C, H, W) in [0, 1].
///
/// # Errors
/// Candle's.
pub fn draw(
    generator: &Network,
    parameters: &Parameters,
    seed: u64,
    networks: &Architecture,
) -> Result<Tensor> {
    let columns = columns(networks);
    let n = ROWS * columns;
    let z = batches::fixed_noise(seed, n, networks.sizes(), parameters.device())?;
    // The unlabelled generator doesn't look at them.
    let label = (0..n as u32).map(|i| i % columns as u32);
    let label = Tensor::from_iter(label, parameters.device())?;
    let images = generator.sample(parameters, &z, Some(&label))?;
    let black = networks.black();
    Ok(((images - black)? / (1. - black))?)
}

/// How much the pictures of each class differ, or all pictures where `classes` is 1: the standard
/// deviation of a pixel between them, as a mean over the pixels.
///
/// # Shapes
/// `images` (rows · `classes`, C, H, W) → one number a class
///
/// # Errors
/// Candle's.
pub fn variety(images: &Tensor, classes: usize) -> Result<Vec<f32>> {
    let pictures = images.flatten_from(1)?;
    let (n, pixels) = pictures.dims2()?;
    let pictures = pictures.reshape((n / classes, classes, pixels))?;
    let difference = pictures.broadcast_sub(&pictures.mean_keepdim(0)?)?;
    Ok(difference.sqr()?.mean(0)?.sqrt()?.mean(1)?.to_vec1()?)
}

/// Writes pictures to `path` as a PNG, `columns` in a row.
///
/// # Shapes
/// `images` (N, C, H, W) in [0, 1]
///
/// # Errors
/// If the file can't be written; Candle's.
pub fn write_grid(images: &Tensor, columns: usize, path: &Path) -> Result<()> {
    Ok(grid(images, columns)?.write_png(path, &[])?)
}

/// Pictures side by side, `columns` in a row, on black.
///
/// # Shapes
/// `images` (N, C, H, W) in [0, 1], C 1 for grey or 3 for colour
fn grid(images: &Tensor, columns: usize) -> Result<Picture> {
    let bytes = ((images.to_device(&Device::Cpu)? * 255.)?.round()?).to_dtype(DType::U8)?;
    let bytes = Array4::from_shape_vec(images.dims4()?, bytes.flatten_all()?.to_vec1::<u8>()?)?;
    Ok(Picture::spaced_grid(&bytes, columns, GAP))
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
        assert!(grid.is_greyscale());
        assert_eq!((grid.width(), grid.height()), (3 * 3 + 2 * 2, 2 * 2 + 2));
        let at = |x, y| grid.pixel(x, y)[0];
        assert_eq!(
            [at(5, 1), at(7, 0), at(10, 1), at(2, 4), at(5, 5), at(7, 5)],
            [64, 64, 128, 191, 255, 255]
        );
        // The gaps and the place of a sixth picture are black.
        assert_eq!([at(3, 0), at(8, 5), at(0, 2), at(12, 5)], [0; 4]);
    }

    #[test]
    fn variety_is_the_deviation_between_the_pictures_of_a_class() {
        // Two classes in turn, pictures of 1×3 pixels. The first class has 0, 1, 0, 1 in one pixel
        // and no difference in the others; the second's are all alike.
        let images: Vec<f32> = (0..4).flat_map(|row| [0.5, (row % 2) as f32, 0.2, 0.9, 0.1, 0.4]).collect();
        let images = Tensor::from_vec(images, (8, 1, 1, 3), &Device::Cpu).unwrap();
        let found = super::variety(&images, 2).unwrap();
        assert!((found[0] - 0.5 / 3.).abs() < 1e-6 && found[1].abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_grid_in_colour() {
        // Two pictures of 1×2 pixels, one below the other.
        let images = Tensor::arange(0u32, 12, &Device::Cpu).unwrap().reshape((2, 3, 1, 2)).unwrap();
        let images = (images.to_dtype(candle_core::DType::F32).unwrap() / 255.).unwrap();
        let grid = super::grid(&images, 1).unwrap();
        assert!(!grid.is_greyscale());
        assert_eq!((grid.width(), grid.height()), (2, 4));
        let at = |x, y| grid.pixel(x, y);
        assert_eq!([at(0, 0), at(1, 0), at(0, 3), at(1, 3)], [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]]);
        assert_eq!(at(1, 1), [0; 3]);
    }
}
