//! The figures as a picture: on the left the confusion table (labels down, the judge's classes
//! across), in the middle the first pictures of each class, on the right the pictures that are
//! closest to training pictures, each beside its training picture. Without labels there is no table, and in
//! the middle are the first pictures.

use std::path::Path;

use anyhow::Result;
use contract::Picture;
use ndarray::{Array3, ArrayView3};

use super::agreement::Agreement;
use super::nearest::Nearest;
use crate::sources::{Images, LabelledImages};

/// Pixels of a cell of the table.
const CELL: usize = 26;
/// Pixels between two pictures.
const GAP: usize = 2;
/// Pixels around each part.
const MARGIN: usize = 12;
/// Pictures of each class.
const ROWS: usize = 10;
/// Columns of pictures without labels.
const COLUMNS: usize = 10;
/// Pairs below one another.
const PAIRS: usize = 10;

/// Draws the picture and writes it as a PNG.
///
/// # Errors
/// If the file can't be written.
pub fn write(
    path: &Path,
    data: &LabelledImages,
    training: &Images,
    agreement: Option<&Agreement>,
    nearest: &Nearest,
) -> Result<()> {
    Ok(draw(data, training, agreement, nearest)?.write_png(path, &[])?)
}

fn draw(
    data: &LabelledImages,
    training: &Images,
    agreement: Option<&Agreement>,
    nearest: &Nearest,
) -> Result<Picture> {
    let images = data.images();
    let (across, down) = (images.width() + GAP, images.height() + GAP);
    let table = data.classes() * CELL;
    let column = |i: usize| if data.has_labels() { usize::from(data.labels()[i]) } else { i % COLUMNS };
    let grid_columns = if data.has_labels() { data.classes() } else { COLUMNS };
    let grid = grid_columns * across;
    let columns = nearest.closest.len().div_ceil(PAIRS).max(1);
    let pairs = columns * (2 * across + MARGIN);
    let width = table + grid + pairs + 4 * MARGIN;
    let height = table.max(ROWS * down).max(PAIRS * down) + 2 * MARGIN;
    let mut picture = Picture::filled(width, height, [40, 40, 48]);

    for (y, row) in agreement.iter().flat_map(|agreement| &agreement.confusion).enumerate() {
        let total = row.iter().sum::<usize>().max(1) as f64;
        for (x, &count) in row.iter().enumerate() {
            // The square root, so that one in a thousand is seen.
            let level = ((count as f64 / total).sqrt() * 255.).round() as u8;
            let colour = if x == y { [0, level, level / 2] } else { [level, level / 3, 0] };
            let cell = Array3::from_shape_fn((3, CELL - 1, CELL - 1), |(channel, ..)| colour[channel]);
            picture.paste(cell.view(), [MARGIN + x * CELL, MARGIN + y * CELL]);
        }
    }
    for place in 0..grid_columns {
        let members = (0..data.len()).filter(|&i| column(i) == place);
        for (row, i) in members.take(ROWS).enumerate() {
            picture.paste(view(images, i)?, [2 * MARGIN + table + place * across, MARGIN + row * down]);
        }
    }
    let left = 3 * MARGIN + table + grid;
    for (place, pair) in nearest.closest.iter().enumerate() {
        let x = left + place / PAIRS * (2 * across + MARGIN);
        let y = MARGIN + place % PAIRS * down;
        picture.paste(view(images, pair.image)?, [x, y]);
        picture.paste(view(training, pair.nearest)?, [x + across, y]);
    }
    Ok(picture)
}

/// A picture as (C, H, W).
fn view(images: &Images, index: usize) -> Result<ArrayView3<'_, u8>> {
    let shape = (images.channels(), images.height(), images.width());
    Ok(ArrayView3::from_shape(shape, images.image(index))?)
}

#[cfg(test)]
mod tests {
    use super::{CELL, GAP, MARGIN, draw};
    use crate::evaluate::agreement::Agreement;
    use crate::evaluate::nearest::nearest;
    use crate::sources::{Images, LabelledImages};

    #[test]
    fn every_part_is_in_its_place() {
        // Four pictures of 2×3 pixels, two classes.
        let pixels = (0..4).flat_map(|i| [60 * i as u8 + 20; 6]).collect();
        let images = Images::new(2, 3, pixels).unwrap();
        let data = LabelledImages::new(images.clone(), vec![0, 1, 0, 1], 2, "data").unwrap();
        let training = Images::new(2, 3, vec![255; 6]).unwrap();
        let agreement = Agreement::of(&[0, 1, 0, 1], &[0, 0, 0, 1], 2);
        let nearest = nearest(&images, Some(&images), &training, 4).unwrap();
        let picture = draw(&data, &training, Some(&agreement), &nearest).unwrap();
        let at = |x, y| picture.pixel(x, y);
        // Label 0 is always right, label 1 half of the time.
        assert_eq!(at(MARGIN, MARGIN), [0, 255, 127]);
        assert_eq!(at(MARGIN, MARGIN + CELL), [180, 60, 0]);
        let grid = 2 * MARGIN + 2 * CELL;
        assert_eq!(at(grid + 2, MARGIN + 1), [20; 3]);
        assert_eq!(at(grid + 3 + GAP, MARGIN), [80; 3]);
        assert_eq!(at(grid, MARGIN + 2 + GAP), [140; 3]);
        // The brightest is the closest to white.
        let pairs = 3 * MARGIN + 2 * CELL + 2 * (3 + GAP);
        assert_eq!([at(pairs, MARGIN), at(pairs + 3 + GAP, MARGIN)], [[200; 3], [255; 3]]);

        let picture = draw(&LabelledImages::unlabelled(images, "data"), &training, None, &nearest).unwrap();
        assert_eq!(picture.pixel(2 * MARGIN + 3 * (3 + GAP), MARGIN), [200; 3]);
    }
}
