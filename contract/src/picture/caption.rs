//! Captions: a grid with a line of text beneath each image.

use ndarray::{Array3, Array4, Axis, s};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::Picture;
use crate::printable;

/// A character's cell, with a column between characters and a row above and below.
const WIDTH: usize = 4;
const HEIGHT: usize = 7;

/// What stands for a character that has no form here.
const BOX: u32 = 0o77777;

/// The rows of an ASCII character, three pixels each as an octal digit, the top one first. There is one
/// form for both cases of a letter.
fn glyph(character: char) -> Option<u32> {
    const DIGITS: [u32; 10] =
        [0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717];
    const LETTERS: [u32; 26] = [
        0o25755, 0o65656, 0o34443, 0o65556, 0o74647, 0o74644, 0o34553, 0o55755, 0o72227, 0o11152, 0o55655,
        0o44447, 0o57755, 0o65555, 0o25552, 0o65644, 0o25563, 0o65655, 0o34216, 0o72222, 0o55557, 0o55552,
        0o55775, 0o55255, 0o55222, 0o71247,
    ];
    Some(match character.to_ascii_uppercase() {
        digit @ '0'..='9' => DIGITS[digit as usize - '0' as usize],
        letter @ 'A'..='Z' => LETTERS[letter as usize - 'A' as usize],
        ' ' => 0,
        '-' => 0o00700,
        '_' => 0o00007,
        '.' => 0o00002,
        '/' => 0o11244,
        '!' => 0o22202,
        '"' => 0o55000,
        '#' => 0o57575,
        '$' => 0o36736,
        '%' => 0o51245,
        '&' => 0o25253,
        '\'' => 0o22000,
        '(' => 0o12221,
        ')' => 0o42224,
        '*' => 0o05250,
        '+' => 0o02720,
        ',' => 0o00024,
        ':' => 0o02020,
        ';' => 0o02024,
        '<' => 0o12421,
        '=' => 0o07070,
        '>' => 0o42124,
        '?' => 0o71202,
        '@' => 0o75547,
        '[' => 0o64446,
        '\\' => 0o44211,
        ']' => 0o31113,
        '^' => 0o25000,
        '`' => 0o42000,
        '{' => 0o32423,
        '|' => 0o22222,
        '}' => 0o62126,
        '~' => 0o01740,
        _ => return None,
    })
}

/// ASCII for letters and marks that Unicode doesn't decompose, as people write them without them.
fn plain(character: char) -> &'static str {
    match character {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ħ' | 'Ħ' => "h",
        'ŧ' | 'Ŧ' => "t",
        'ı' => "i",
        '–' | '—' | '−' | '‐' => "-",
        '‘' | '’' => "'",
        '“' | '”' | '„' => "\"",
        '×' => "x",
        '·' => ".",
        _ => "",
    }
}

/// The forms of a character: an é is an e. None if one of its parts has no form.
fn forms(character: char) -> Option<Vec<u32>> {
    let mut forms = Vec::new();
    for part in character.nfkd().filter(|part| !is_combining_mark(*part)) {
        match (glyph(part), plain(part)) {
            (Some(form), _) => forms.push(form),
            (None, "") => return None,
            (None, letters) => forms.extend(letters.chars().filter_map(glyph)),
        }
    }
    Some(forms)
}

impl Picture {
    /// As [`grid`](Self::grid), with a caption in white beneath each image, cut to its width. Letters have
    /// no accents; a filled box stands for what has no form, see [`captions_note`](Self::captions_note).
    ///
    /// # Shapes
    ///
    /// `images` is `(N, C, H, W)`, for N captions; each takes H + 7 rows.
    ///
    /// ```
    /// let images = ndarray::Array4::zeros((2, 1, 9, 8));
    /// let picture = contract::Picture::captioned_grid(&images, 2, &["1".into(), "rose".into()]);
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

    /// A sentence about the characters of captions that have no form; `None` if all have one.
    ///
    /// ```
    /// assert_eq!(contract::Picture::captions_note(&["Rosé".into()]), None);
    /// assert!(contract::Picture::captions_note(&["花".into()]).is_some());
    /// ```
    pub fn captions_note(captions: &[String]) -> Option<String> {
        let mut without: Vec<char> =
            captions.iter().flat_map(|caption| caption.chars()).filter(|c| forms(*c).is_none()).collect();
        without.sort_unstable();
        without.dedup();
        let names: Vec<String> = without.iter().map(|c| printable(&c.to_string()).into_owned()).collect();
        match names.as_slice() {
            [] => None,
            [only] => Some(format!("captions have no small form of {only}: a box stands for it")),
            several => {
                Some(format!("captions have no small form of {}: boxes stand for them", several.join(" ")))
            }
        }
    }
}

/// A line of text, centred in `width` columns: `(1, 7, width)`.
fn write(text: &str, width: usize) -> Array3<u8> {
    let mut line = Array3::zeros((1, HEIGHT, width));
    let forms = text.chars().flat_map(|c| forms(c).unwrap_or_else(|| vec![BOX]));
    let shown: Vec<u32> = forms.take((width + 1) / WIDTH).collect();
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

    #[test]
    fn accents_are_left_out_and_what_has_no_form_is_a_box() {
        for (name, plain) in [
            ("Rosé", "rose"),
            ("cafe\u{301}", "cafe"),
            ("Größe", "grosse"),
            ("smørrebrød", "smorrebrod"),
            ("Łódź", "lodz"),
            ("Ångström’s", "angstrom's"),
            ("ﬁn…", "fin..."),
            ("T‑shirt", "t-shirt"),
        ] {
            assert_eq!(shown(name, 60), shown(plain, 60), "{name}");
            assert_eq!(Picture::captions_note(&[name.into()]), None, "{name}");
        }
        let expected = ["...", "###", "###", "###", "###", "###", "..."];
        assert_eq!(
            (shown("花", 3), shown("한", 3), shown("\t", 3)),
            (expected.map(String::from).to_vec(), shown("花", 3), shown("花", 3))
        );
        assert_eq!(
            Picture::captions_note(&["a花".into()]).unwrap(),
            "captions have no small form of 花: a box stands for it"
        );
        let note = Picture::captions_note(&["花".into(), "b\t花".into()]).unwrap();
        assert_eq!(note, "captions have no small form of \\t 花: boxes stand for them");
    }

    #[test]
    fn all_that_ascii_can_write_has_a_form_of_its_own() {
        let forms: Vec<u32> = (' '..='`').chain('{'..='~').filter_map(glyph).collect();
        assert_eq!(forms.len(), 69);
        let different: std::collections::BTreeSet<u32> = forms.iter().copied().collect();
        assert_eq!(different.len(), forms.len());
        assert!(!different.contains(&BOX) && glyph('\u{7f}').is_none());
    }
}
