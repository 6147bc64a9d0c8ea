//! Does the generator draw, or does it remember? The distance of each picture to the nearest
//! training picture, beside that of real pictures that are none of the training pictures. Where there are
//! none of those, beside that of the training pictures to one another.

use anyhow::Result;
use serde::Serialize;

use super::distances::Points;
use super::interval::Estimate;
use super::shuffled;
use crate::sources::Images;

/// Pictures that are looked up: enough for the figures, and quick.
const QUERIES: usize = 1000;
/// Numbers of training pictures at a time: 5,000 of MNIST.
const BLOCK: usize = 5000 * 784;

/// A picture and the training picture nearest to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Match {
    /// Index of the picture in its set.
    pub image: usize,
    /// Index of the training picture.
    pub nearest: usize,
    /// Root of the mean squared difference of a pixel, in levels of 255.
    pub distance: f64,
}

/// How distances are spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// 1 % are closer.
    pub percent_1: f64,
    /// Half are closer.
    pub median: f64,
    /// 99 % are closer.
    pub percent_99: f64,
    /// Pictures looked up.
    pub n: usize,
}

/// How close a set comes to the training pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Nearest {
    /// The set's distances.
    pub generated: Spread,
    /// Those of real pictures.
    pub real: Spread,
    /// What these real pictures are.
    pub real_images: &'static str,
    /// The part of the set that is closer than all but 1 % of the real pictures.
    pub suspicious: Estimate,
    /// Pictures that are a training picture, to the pixel.
    pub copies: usize,
    /// The closest of all.
    pub closest: Vec<Match>,
}

/// Measures; `test` are real pictures that are not among `training`, if there are such.
///
/// # Errors
/// Candle's.
pub fn nearest(images: &Images, test: Option<&Images>, training: &Images, shown: usize) -> Result<Nearest> {
    let mut found = matches(images, training, false)?;
    let baseline = matches(test.unwrap_or(training), training, test.is_none())?;
    found.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    let (generated, real) = (spread(&found), spread(&baseline));
    let closer = found.iter().filter(|m| m.distance < real.percent_1).count();
    let mut closest = found.clone();
    closest.truncate(shown);
    Ok(Nearest {
        generated,
        real,
        real_images: if test.is_some() { "real test images" } else { "training images" },
        suspicious: Estimate::proportion(closer, found.len()),
        copies: found.iter().filter(|m| m.distance == 0.).count(),
        closest,
    })
}

/// Looks up [`QUERIES`] pictures of a set, the same every time. If they are `training` themselves, none is
/// its own nearest.
fn matches(images: &Images, training: &Images, are_training: bool) -> Result<Vec<Match>> {
    let volume = images.image(0).len();
    let numbers = |image: &[u8]| image.iter().map(|&byte| f64::from(byte)).collect::<Vec<_>>();
    let mut queries = shuffled(images.count());
    queries.truncate(QUERIES);
    let points = Points::new(queries.iter().flat_map(|&i| numbers(images.image(i))).collect(), volume)?;
    let mut best = vec![(f64::INFINITY, 0); queries.len()];
    let rows = (BLOCK / volume).max(1);
    for (block, pixels) in training.pixels().chunks(rows * volume).enumerate() {
        let block_points = Points::new(numbers(pixels), volume)?;
        let found = points.map_distances(&block_points, |i, line| {
            let own = queries[i].checked_sub(block * rows).filter(|_| are_training);
            if let Some(own) = own.and_then(|own| line.get_mut(own)) {
                *own = f64::INFINITY;
            }
            let nearest = line.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            nearest.map_or((f64::INFINITY, 0), |(j, &d)| (d, block * rows + j))
        })?;
        for (best, found) in best.iter_mut().zip(found) {
            if found.0 < best.0 {
                *best = found;
            }
        }
    }
    let found = queries.into_iter().zip(best).map(|(image, (squared, nearest))| Match {
        image,
        nearest,
        distance: (squared / volume as f64).sqrt(),
    });
    Ok(found.collect())
}

fn spread(found: &[Match]) -> Spread {
    let mut distances: Vec<f64> = found.iter().map(|m| m.distance).collect();
    distances.sort_by(f64::total_cmp);
    let at = |part: f64| distances[((distances.len() - 1) as f64 * part).round() as usize];
    Spread { percent_1: at(0.01), median: at(0.5), percent_99: at(0.99), n: distances.len() }
}

#[cfg(test)]
mod tests {
    use super::nearest;
    use crate::sources::Images;

    #[test]
    fn copies_are_found() {
        let images = |bytes: &[u8]| Images::new(1, 2, bytes.to_vec()).unwrap();
        let training = images(&[0, 0, 100, 100, 200, 200]);
        let found =
            nearest(&images(&[200, 200, 100, 106]), Some(&images(&[0, 10, 90, 100])), &training, 1).unwrap();
        assert_eq!((found.copies, found.suspicious.value), (1, 1.));
        assert_eq!((found.closest[0].image, found.closest[0].nearest, found.closest.len()), (0, 2, 1));
        assert_eq!(found.real.median, 50f64.sqrt());
        assert_eq!(found.generated.percent_99, 18f64.sqrt());

        // Without test pictures, the training pictures are as near to one another as they are.
        let found = nearest(&images(&[200, 200, 100, 106]), None, &training, 1).unwrap();
        assert_eq!((found.copies, found.real.percent_1, found.real_images), (1, 100., "training images"));
    }
}
