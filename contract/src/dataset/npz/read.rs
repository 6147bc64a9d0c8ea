//! Reading NumPy's `.npz`: a ZIP archive of arrays in the format of `numpy.lib.format`, as `np.savez`,
//! `np.savez_compressed` and `infer dataset --format npz` write it.
//!
//! | array | shapes | types |
//! |---|---|---|
//! | `images` | (N, H, W), (N, C, H, W) or (N, H, W, C), C being 1 or 3 | see [`levels`] |
//! | `labels` | (N) or (N, 1) | whole numbers, of any type |

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek},
    path::Path,
};

use zip::ZipArchive;

use super::{IMAGES, LABELS, MAGIC, file_name};
use crate::{PixelRange, dataset::Images, few, files, printable};

/// How many of many arrays a message names.
const SHOWN: usize = 5;
/// More bytes than the header of an array of numbers has; NumPy's own limit.
const LONGEST_HEADER: usize = 10_000;
const EXPECTED: &str = "(N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 channels was expected";
/// Floats above 1 are levels up to 255 only if the brightest is at least this: below, they may as well be
/// levels up to 1 that went too far.
const BRIGHTEST: f64 = 16.;

/// Images and their labels, which are below `classes`. Where an array's shape leaves open which axis is the
/// channels, it is as in `wanted`: channels, height and width.
///
/// # Errors
/// One sentence, without the file's name, if the file can't be read or isn't such an archive.
pub fn read(path: &Path, wanted: [usize; 3], classes: usize) -> Result<(Images, Vec<u8>), String> {
    let unreadable = |error: io::Error| format!("can't be read: {error}");
    match path.is_file() {
        true => read_from(BufReader::new(File::open(path).map_err(unreadable)?), wanted, classes),
        // The archive's list is at its end.
        false => read_from(Cursor::new(files::read(path).map_err(unreadable)?), wanted, classes),
    }
}

/// As [`read`], from an archive's bytes.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    archive: impl Read + Seek,
    wanted: [usize; 3],
    classes: usize,
) -> Result<(Images, Vec<u8>), String> {
    let mut archive = ZipArchive::new(archive).map_err(|error| {
        format!("expected an .npz file with arrays images and labels, but this is no ZIP archive ({error})")
    })?;
    let images = Array::read(&mut archive, IMAGES)?;
    let labels = Array::read(&mut archive, LABELS)?;
    let images = images.images(wanted).map_err(|message| format!("images {message}"))?;
    let labels = labels.labels(images.count(), classes)?;
    Ok((images, labels))
}

/// The type of an array's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Number {
    /// As NumPy calls it: `<f4`, `|u1`, …
    name: String,
    kind: Kind,
    size: usize,
    is_big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
}

impl Number {
    /// The type of this name, if it is one of numbers.
    fn named(name: &str) -> Option<Number> {
        let mut letters = name.chars();
        let is_big_endian = match letters.next()? {
            '<' | '|' => false,
            '>' => true,
            _ => return None,
        };
        let (kind, sizes): (_, &[usize]) = match letters.next()? {
            'b' => (Kind::Bool, &[1]),
            'u' => (Kind::Unsigned, &[1, 2, 4, 8]),
            'i' => (Kind::Signed, &[1, 2, 4, 8]),
            'f' => (Kind::Float, &[2, 4, 8]),
            _ => return None,
        };
        let size = letters.as_str().parse().ok().filter(|size| sizes.contains(size))?;
        Some(Number { name: name.to_string(), kind, size, is_big_endian })
    }

    fn value(&self, bytes: &[u8]) -> f64 {
        let mut little = [0; 8];
        little[..self.size].copy_from_slice(bytes);
        if self.is_big_endian {
            little[..self.size].reverse();
        }
        let bits = u64::from_le_bytes(little);
        let unused = 64 - 8 * self.size;
        match (self.kind, self.size) {
            (Kind::Bool, _) => f64::from(u8::from(bits != 0)),
            (Kind::Unsigned, _) => bits as f64,
            (Kind::Signed, _) => ((bits << unused) as i64 >> unused) as f64,
            (Kind::Float, 2) => f64::from(half::f16::from_bits(bits as u16)),
            (Kind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (Kind::Float, _) => f64::from_bits(bits),
        }
    }
}

/// An array as it lies in its file.
struct Array {
    number: Number,
    shape: Vec<usize>,
    /// Whether the first axis is the fastest, as in Fortran, or the last.
    is_fortran: bool,
    bytes: Vec<u8>,
}

impl Array {
    fn read(archive: &mut ZipArchive<impl Read + Seek>, name: &str) -> Result<Array, String> {
        let file = file_name(name);
        if archive.index_for_name(&file).is_none() {
            let names = archive.file_names().flatten();
            let names: Vec<_> =
                names.map(|name| printable(name.trim_end_matches(".npy")).into_owned()).collect();
            let found = if names.is_empty() { "none".into() } else { few(names.iter(), SHOWN) };
            return Err(format!(
                "expected an .npz file with arrays images and labels, but it holds {found}; save them with \
                 np.savez(file, images=…, labels=…)"
            ));
        }
        let damaged = |error: &dyn fmt::Display| format!("the array {name} can't be read ({error})");
        let mut file = archive.by_name(&file).map_err(|error| damaged(&error))?;
        let header = header(&mut file).map_err(|error| damaged(&error))?;
        let header = header.ok_or_else(|| format!("the array {name} is in no form that NumPy writes"))?;
        let Some((number, shape, is_fortran)) = parse(&header) else {
            let header = printable(&header);
            let header = header.trim();
            return Err(format!(
                "the array {name} is none of numbers, but {header}; expected bool, integers or floats"
            ));
        };
        let length = shape.iter().try_fold(number.size, |length, &dim| length.checked_mul(dim));
        let mut bytes = Vec::new();
        // One more, for what follows; reading to the end has the archive check its checksum.
        let limit = length.map_or(0, |length| length as u64).saturating_add(1);
        file.by_ref().take(limit).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        if Some(bytes.len()) != length {
            return Err(format!(
                "the array {name} is not as long as its shape {shape:?} says; save the file again"
            ));
        }
        Ok(Array { number, shape, is_fortran, bytes })
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.bytes.chunks_exact(self.number.size).map(|bytes| self.number.value(bytes))
    }

    fn images(self, wanted: [usize; 3]) -> Result<Images, String> {
        let mut levels = self.levels()?;
        if self.is_fortran {
            levels = in_c_order(&levels, &self.shape);
        }
        let wrong = |what: &str| Err(format!("is of shape {:?}, {what}", self.shape));
        let images = match *self.shape {
            [_, height, width] => Images::new(height, width, levels),
            [_, a, b, c] => match [a, c].map(|count| count == 1 || count == 3) {
                [false, false] => return wrong(EXPECTED),
                // Either may be the channels: then it is as the judge has them.
                [true, true] if [c, a, b] == wanted && [a, b, c] != wanted => {
                    Images::interleaved(c, a, b, &levels)
                }
                [true, _] => Images::with_channels(a, b, c, levels),
                [false, true] => Images::interleaved(c, a, b, &levels),
            },
            _ => return wrong(EXPECTED),
        };
        images.or_else(|_| wrong("which holds no images"))
    }

    /// Pixels as levels from 0 to 255.
    ///
    /// | type | levels |
    /// |---|---|
    /// | bool | false is 0, true is 255 |
    /// | integers | as they are, from 0 to 255; not all of them 0 or 1 |
    /// | floats | from 0 to 1; or from 0 to 255, the brightest at least 16 |
    ///
    /// What is neither is refused: it could mean several things.
    fn levels(&self) -> Result<Vec<u8>, String> {
        let name = &self.number.name;
        let (mut least, mut most) = (0f64, 0f64);
        for value in self.values() {
            if !value.is_finite() {
                return Err("has pixels that are no numbers (NaN or infinite)".to_string());
            }
            (least, most) = (least.min(value), most.max(value));
        }
        if least < 0. || most > 255. {
            let odd = if least < 0. { least } else { most };
            return Err(format!(
                "of type {name} has a pixel {odd}; expected {}",
                match self.number.kind {
                    Kind::Float => "values from 0 to 1, or from 0 to 255",
                    _ => "values from 0 to 255",
                }
            ));
        }
        let level: fn(f64) -> u8 = match self.number.kind {
            Kind::Bool => |value| if value == 0. { 0 } else { 255 },
            Kind::Float if most <= 1. => |value| PixelRange::ZeroToOne.to_u8(value as f32),
            Kind::Float if most < BRIGHTEST => {
                return Err(format!(
                    "of type {name} has no pixel above {most}, so that white may be 1 or 255; clip the \
                     pixels to 1, or save them as uint8"
                ));
            }
            Kind::Unsigned | Kind::Signed if most == 1. => {
                return Err(format!(
                    "of type {name} has no pixels but 0 and 1, so that white may be 1 or 255; save them as \
                     bool, or multiply by 255"
                ));
            }
            _ => |value| (value + 0.5) as u8,
        };
        Ok(self.values().map(level).collect())
    }

    fn labels(self, images: usize, classes: usize) -> Result<Vec<u8>, String> {
        match *self.shape {
            [n] | [n, 1] if n == images => {}
            _ => {
                let shape = &self.shape;
                return Err(format!("labels is of shape {shape:?}, but there are {images} images"));
            }
        }
        let fits = |value: f64| value.fract() == 0. && (0. ..classes as f64).contains(&value);
        let label = |(index, value): (usize, f64)| match fits(value) {
            true => Ok(value as u8),
            false => Err(format!(
                "label {value} of image {index} is no whole number from 0 to {}, the last class",
                classes.saturating_sub(1)
            )),
        };
        self.values().enumerate().map(label).collect()
    }
}

/// An array's header, if it starts as one: a Python dictionary as text.
fn header(file: &mut impl Read) -> io::Result<Option<String>> {
    let mut start = [0; MAGIC.len() + 2];
    file.read_exact(&mut start)?;
    let [magic @ .., major, _] = start;
    // Since version 2 its length takes four bytes.
    let mut length = [0; 4];
    file.read_exact(if major == 1 { &mut length[..2] } else { &mut length })?;
    let length = u32::from_le_bytes(length) as usize;
    if magic != MAGIC || !(1..=3).contains(&major) || length > LONGEST_HEADER {
        return Ok(None);
    }
    let mut header = vec![0; length];
    file.read_exact(&mut header)?;
    Ok(String::from_utf8(header).ok())
}

/// The type, the shape and the order of an array of numbers.
fn parse(header: &str) -> Option<(Number, Vec<usize>, bool)> {
    let value = |key: &str| {
        let quoted = ['\'', '"'].map(|quote| format!("{quote}{key}{quote}"));
        let (_, rest) = quoted.iter().find_map(|key| header.split_once(key.as_str()))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    };
    let name = value("descr")?;
    let quote = name.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
    let number = Number::named(name[1..].split_once(quote)?.0)?;
    let order = value("fortran_order")?;
    let is_fortran = order.starts_with("True");
    let shape = value("shape")?.strip_prefix('(')?.split_once(')')?.0;
    // Python 2 writes 28L.
    let dims = shape.split(',').map(|dim| dim.trim().trim_end_matches('L')).filter(|dim| !dim.is_empty());
    let shape = dims.map(|dim| dim.parse().ok()).collect::<Option<_>>()?;
    (is_fortran || order.starts_with("False")).then_some((number, shape, is_fortran))
}

/// Values whose first axis is the fastest, in the order in which the last one is.
fn in_c_order(values: &[u8], shape: &[usize]) -> Vec<u8> {
    let place = |index: usize| {
        let (mut rest, mut stride, mut place) = (index, values.len(), 0);
        for &dim in shape.iter().rev() {
            stride /= dim;
            place += rest % dim * stride;
            rest /= dim;
        }
        place
    };
    (0..values.len()).map(|index| values[place(index)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grey images of 2×3 pixels.
    const WANTED: [usize; 3] = [1, 2, 3];

    fn array(name: &str, shape: &[usize], is_fortran: bool, bytes: &[u8]) -> Array {
        let number = Number::named(name).unwrap();
        Array { number, shape: shape.to_vec(), is_fortran, bytes: bytes.to_vec() }
    }

    #[test]
    fn every_type_has_its_rule() {
        let levels = |name: &str, bytes: &[u8]| {
            array(name, &[1, bytes.len()], false, bytes).levels().map_err(|error| error.to_string())
        };
        let floats = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let halves = [0f32, 0.5, 1.].map(|v| half::f16::from_f32(v).to_be_bytes()).concat();
        for (name, bytes, expected) in [
            ("|b1", vec![0, 1, 1], vec![0, 255, 255]),
            ("|u1", vec![0, 1, 200], vec![0, 1, 200]),
            ("|u1", vec![0, 0], vec![0, 0]),
            ("|i1", vec![0, 1, 127], vec![0, 1, 127]),
            (">u2", vec![0, 9, 0, 255], vec![9, 255]),
            ("<i8", [[7i64, 255].map(i64::to_le_bytes).concat()].concat(), vec![7, 255]),
            ("<f4", floats(&[0., 0.5, 1.]), vec![0, 128, 255]),
            ("<f4", floats(&[0., 0.5, 254.6]), vec![0, 1, 255]),
            (">f2", halves, vec![0, 128, 255]),
            ("<f8", [0.25f64, 1.].map(f64::to_le_bytes).concat(), vec![64, 255]),
        ] {
            assert_eq!(levels(name, &bytes), Ok(expected), "{name}");
        }
        for (name, bytes, expected) in [
            ("|u1", vec![0, 1, 1], "no pixels but 0 and 1"),
            ("<u2", vec![0, 1], "has a pixel 256; expected values from 0 to 255"),
            ("|i1", vec![0, 255], "has a pixel -1;"),
            ("<f4", floats(&[-0.5, 1.]), "has a pixel -0.5; expected values from 0 to 1, or from 0 to 255"),
            ("<f4", floats(&[0., 1.5]), "no pixel above 1.5, so that white may be 1 or 255"),
            ("<f4", floats(&[0., 255.5]), "has a pixel 255.5"),
            ("<f4", floats(&[f32::NAN, 1.]), "no numbers"),
            ("<f4", floats(&[f32::INFINITY, 1.]), "no numbers"),
        ] {
            let error = levels(name, &bytes).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        for name in ["<U3", "|O", "<c8", "<f16", "|V3", "u1", "", "<", "<é4"] {
            assert_eq!(Number::named(name), None, "{name}");
        }
    }

    #[test]
    fn channels_may_be_first_or_last_and_the_order_fortran_s() {
        let bytes: Vec<u8> = (100..118).collect();
        let images = |shape: &[usize], is_fortran, wanted| {
            array("|u1", shape, is_fortran, &bytes).images(wanted).unwrap()
        };
        let colour = [3, 2, 3];
        let first = images(&[1, 3, 2, 3], false, colour);
        assert_eq!((first.channels(), first.height(), first.pixels()), (3, 2, &bytes[..]));
        let last = images(&[1, 2, 3, 3], false, colour);
        assert_eq!((last.channels(), last.height(), &last.pixels()[..3]), (3, 2, &[100, 103, 106][..]));
        // 3×6 pixels of one channel, or 6×1 of three.
        for (channels, height, width) in [(3, 6, 1), (1, 3, 6)] {
            let wanted = [channels, height, width];
            assert_eq!(images(&[1, 3, 6, 1], false, wanted).channels(), channels);
        }
        assert_eq!(images(&[3, 2, 3], false, WANTED).count(), 3);
        assert_eq!(images(&[3, 2, 3, 1], false, WANTED).pixels(), bytes);
        // As np.asfortranarray(x.reshape(3, 2, 3)) lies in a file.
        let fortran = images(&[3, 2, 3], true, WANTED);
        assert_eq!(fortran.image(1), [101, 107, 113, 104, 110, 116]);
        for shape in [&[18][..], &[1, 2, 3, 3, 1], &[1, 2, 9, 1, 1]] {
            assert!(array("|u1", shape, false, &bytes).images(WANTED).is_err());
        }
        let error = array("|u1", &[1, 2, 2, 2], false, &[9; 8]).images(WANTED).unwrap_err();
        assert!(error.contains("[1, 2, 2, 2], (N, H, W)"), "{error}");
        assert!(array("|u1", &[0, 2, 3], true, &[]).images(WANTED).unwrap_err().contains("no images"));
    }

    #[test]
    fn headers_as_several_programs_write_them() {
        for header in [
            "{'descr': '|u1', 'fortran_order': False, 'shape': (10, 28, 28), }    \n",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (10, 28, 28, ), }\n",
            "{\"shape\":(10L,28L,28L),\"fortran_order\":False,\"descr\":\"|u1\"}",
        ] {
            let (number, shape, is_fortran) = parse(header).unwrap();
            assert_eq!((number.name.as_str(), shape, is_fortran), ("|u1", vec![10, 28, 28], false));
        }
        let one = parse("{'descr': '<i8', 'fortran_order': True, 'shape': (7,), }").unwrap();
        assert_eq!((one.1, one.2), (vec![7], true));
        for header in [
            "",
            "{'descr': [('shape', '<f4')], 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '|u1', 'fortran_order': 0, 'shape': (3,), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (-3,), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (3",
            "{'descr'",
        ] {
            assert!(parse(header).is_none(), "{header}");
        }
    }

    #[test]
    fn labels_are_whole_numbers_of_the_judge_s_classes() {
        let labels = |name: &str, shape: &[usize], bytes: &[u8], images| {
            array(name, shape, false, bytes).labels(images, 10)
        };
        assert_eq!(labels("|u1", &[3], &[0, 9, 1], 3), Ok(vec![0, 9, 1]));
        assert_eq!(labels("|i1", &[2, 1], &[4, 5], 2), Ok(vec![4, 5]));
        assert_eq!(labels("<f4", &[1], &7f32.to_le_bytes(), 1), Ok(vec![7]));
        for (result, expected) in [
            (labels("|u1", &[2], &[3, 10], 2), "label 10 of image 1 is no whole number from 0 to 9"),
            (labels("|i1", &[1], &[255], 1), "label -1 of image 0"),
            (labels("<f4", &[1], &0.5f32.to_le_bytes(), 1), "label 0.5 of image 0"),
            (labels("|u1", &[2], &[1, 2], 3), "labels is of shape [2], but there are 3 images"),
            (labels("|u1", &[1, 10], &[0; 10], 1), "labels is of shape [1, 10], but there are 1 images"),
        ] {
            assert!(result.as_ref().is_err_and(|error| error.contains(expected)), "{result:?}");
        }
    }
}
