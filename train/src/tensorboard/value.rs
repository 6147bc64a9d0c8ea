//! The values of an event: scalars, pictures, histograms.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result};
use image::{ImageDecoder, codecs::png::PngDecoder};

use super::event::{Datum, Histogram, Image, Value};

/// Equal parts of [0, 1] that probabilities are counted in.
const BUCKETS: usize = 100;

/// A point of a curve.
pub fn scalar(tag: &str, value: f32) -> Value {
    Value { tag: tag.to_string(), datum: Some(Datum::Scalar(value)) }
}

/// A PNG file, as it is.
///
/// # Errors
/// If the file can't be read or is no PNG.
pub fn image(tag: &str, path: &Path) -> Result<Value> {
    let encoded = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    let decoder =
        PngDecoder::new(Cursor::new(&encoded)).with_context(|| format!("{} is no PNG", path.display()))?;
    let (width, height) = decoder.dimensions();
    let colorspace = i32::from(decoder.color_type().channel_count());
    let image = Image { height: height as i32, width: width as i32, colorspace, encoded };
    Ok(Value { tag: tag.to_string(), datum: Some(Datum::Image(image)) })
}

/// The distribution of probabilities, without the empty buckets at both ends: readers take the
/// smallest value for the lower end of the first bucket and the largest for the upper end of the
/// last, so an empty one there would run backwards.
pub fn histogram(tag: &str, probabilities: &[f32]) -> Value {
    let bucket_limit: Vec<f64> = (1..=BUCKETS).map(|i| i as f64 / BUCKETS as f64).collect();
    let mut bucket = vec![0.; BUCKETS];
    let values = || probabilities.iter().map(|&p| f64::from(p));
    for value in values() {
        // 1 itself belongs to the last bucket.
        bucket[bucket_limit.partition_point(|&limit| limit <= value).min(BUCKETS - 1)] += 1.;
    }
    let first = bucket.iter().position(|&count| count > 0.).unwrap_or(0);
    let end = bucket.iter().rposition(|&count| count > 0.).map_or(0, |last| last + 1);
    let histogram = Histogram {
        min: values().reduce(f64::min).unwrap_or(0.),
        max: values().reduce(f64::max).unwrap_or(0.),
        num: probabilities.len() as f64,
        sum: values().sum(),
        sum_squares: values().map(|v| v * v).sum(),
        bucket_limit: bucket_limit[first..end].to_vec(),
        bucket: bucket[first..end].to_vec(),
    };
    Value { tag: tag.to_string(), datum: Some(Datum::Histogram(histogram)) }
}

#[cfg(test)]
mod tests {
    use super::super::event::Datum;
    use super::{histogram, image};

    #[test]
    fn probabilities_are_counted_where_they_lie() {
        let count = |probabilities: &[f32]| match histogram("d", probabilities).datum {
            Some(Datum::Histogram(histogram)) => histogram,
            other => panic!("{other:?}"),
        };
        let h = count(&[0., 0.005, 0.5, 0.75, 1.]);
        assert_eq!((h.min, h.max, h.num), (0., 1., 5.));
        assert!((h.sum - 2.255).abs() < 1e-6 && (h.sum_squares - 1.812525).abs() < 1e-6, "{h:?}");
        let filled: Vec<_> = (0..100).filter(|&i| h.bucket[i] > 0.).map(|i| (i, h.bucket[i])).collect();
        // 0.5 is the limit of bucket 49, so it lies in the next; 1 is in the last all the same.
        assert_eq!(filled, [(0, 2.), (50, 1.), (75, 1.), (99, 1.)]);
        assert_eq!((h.bucket_limit[49], h.bucket_limit[99]), (0.5, 1.));

        let h = count(&[0.255, 0.225, 0.251]);
        assert_eq!((h.bucket_limit, h.bucket), (vec![0.23, 0.24, 0.25, 0.26], vec![1., 0., 0., 2.]));
        assert!(count(&[]).bucket.is_empty());
    }

    #[test]
    fn a_picture_of_any_colour_keeps_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (grey, colour) = (folder.path().join("grey.png"), folder.path().join("colour.png"));
        image::GrayImage::new(5, 3).save(&grey).unwrap();
        image::RgbImage::new(2, 7).save(&colour).unwrap();
        for (path, expected) in [(grey, (5, 3, 1)), (colour, (2, 7, 3))] {
            let value = image("samples", &path).unwrap();
            let Some(Datum::Image(picture)) = value.datum else { panic!("{value:?}") };
            assert_eq!((picture.width, picture.height, picture.colorspace), expected);
            assert_eq!(picture.encoded, std::fs::read(&path).unwrap());
        }
        std::fs::write(folder.path().join("text.png"), "text").unwrap();
        let error = image("samples", &folder.path().join("text.png")).unwrap_err();
        assert!(error.to_string().ends_with("text.png is no PNG"), "{error:#}");
    }
}
