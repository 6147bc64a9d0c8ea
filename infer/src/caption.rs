//! Words in pictures: a grid whose every image has its class beneath.

use ndarray::{Array3, Array4, Axis, s};

use crate::Picture;

/// A character's cell, with a column between characters and a row above and below.
const WIDTH: usize = 4;
const HEIGHT: usize = 7;

/// The rows of a character, three pixels each as an octal digit, the top one first. There is one
/// form for both cases of a letter.
fn glyph(character: char) -> u32 {
    const DIGITS: [u32; 10] =
        [0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717];
    const LETTERS: [u32; 26] = [
        0o25755, 0o65656, 0o34443, 0o65556, 0o74647, 0o74644, 0o34553, 0o55755, 0o72227, 0o11152, 0o55655,
        0o44447, 0o57755, 0o65555, 0o25552, 0o65644, 0o25563, 0o65655, 0o34216, 0o72222, 0o55557, 0o55552,
        0o55775, 0o55255, 0o55222, 0o71247,
    ];
    match character.to_ascii_uppercase() {
        digit @ '0'..='9' => DIGITS[digit as usize - '0' as usize],
        letter @ 'A'..='Z' => LETTERS[letter as usize - 'A' as usize],
        ' ' => 0,
        '-' => 0o00700,
        '_' => 0o00007,
        '.' => 0o00002,
        '/' => 0o11244,
        _ => 0o71202,
    }
}

impl Picture {
    /// As [`grid`](Self::grid), with a caption in white beneath each image, cut to its width.
    ///
    /// # Shapes
    ///
    /// `images` is `(N, C, H, W)`, for N captions; each takes H + 7 rows.
    ///
    /// ```
    /// let images = ndarray::Array4::zeros((2, 1, 9, 8));
    /// let picture = infer::Picture::captioned_grid(&images, 2, &["1".into(), "rose".into()]);
    /// assert_eq!((picture.width(), picture.height()), (16, 16));
    /// // The foot of the 1.
    /// assert_eq!(picture.pixel(3, 14), [255; 3]);
    /// ```
    pub fn captioned_grid(images: &Array4<u8>, columns: usize, captions: &[String]) -> Self {
        let (count, channels, height, width) = images.dim();
        let mut captioned = Array4::zeros((count, channels, height + HEIGHT, width));
        captioned.slice_mut(s![.., .., ..height, ..]).assign(images);
        for (mut image, caption) in captioned.axis_iter_mut(Axis(0)).zip(captions) {
            let words = write(caption, width);
            let place = image.slice_mut(s![.., height.., ..]);
            if let Some(words) = words.broadcast(place.raw_dim()) {
                image.slice_mut(s![.., height.., ..]).assign(&words);
            }
        }
        Self::grid(&captioned, columns)
    }
}

/// A line of text in the middle of so many columns: `(1, 7, width)`.
fn write(text: &str, width: usize) -> Array3<u8> {
    let mut line = Array3::zeros((1, HEIGHT, width));
    let shown: Vec<u32> = text.chars().take((width + 1) / WIDTH).map(glyph).collect();
    let left = (width + 1).saturating_sub(shown.len() * WIDTH) / 2;
    for (i, glyph) in shown.iter().enumerate() {
        for (row, column) in (0..5).flat_map(|row| (0..3).map(move |column| (row, column))) {
            // Row 4 is the last octal digit, column 2 the last bit of a row.
            if glyph >> (3 * (4 - row) + 2 - column) & 1 == 1 {
                line[[0, row + 1, left + i * WIDTH + column]] = 255;
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, width: usize) -> Vec<String> {
        let line = write(text, width);
        let row = |y| (0..width).map(|x| if line[[0, y, x]] == 255 { '#' } else { '.' }).collect();
        (0..HEIGHT).map(row).collect()
    }

    #[test]
    fn text_stands_in_the_middle_and_is_cut_to_fit() {
        let expected = [
            "...........",
            "..###.#.#..",
            "....#.#.#..",
            "....#.###..",
            "....#...#..",
            "....#...#..",
            "...........",
        ];
        assert_eq!(shown("74", 11), expected);
        assert_eq!(shown("748", 7), shown("74", 7));
        assert_eq!(shown("748", 2), vec![".."; HEIGHT]);
    }

    #[test]
    fn a_letter_looks_alike_in_both_cases() {
        assert_eq!(shown("Rose", 20), shown("rOSE", 20));
        assert_ne!(shown("rose", 20), shown("ros", 20));
    }
}
