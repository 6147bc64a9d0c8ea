use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::{Error, images_from_bytes, labels_from_bytes, read_images, read_labels};

/// An IDX file, written independently of the reader.
fn idx(words: &[u32], body: &[u8]) -> Vec<u8> {
    let header = words.iter().flat_map(|word| word.to_be_bytes());
    header.chain(body.iter().copied()).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Five pictures of 3 rows and 4 columns, every pixel another value.
fn five_images() -> Vec<u8> {
    idx(&[2051, 5, 3, 4], &(0..60).collect::<Vec<u8>>())
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, data: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, data).unwrap();
        path
    }
}

/// An error's message, with the folder's path taken out of it.
fn message(path: &Path, error: &Error) -> String {
    error.to_string().replace(&format!("{}/", path.parent().unwrap().display()), "")
}

#[track_caller]
fn assert_images_error(data: &[u8], expected: &str) {
    assert_eq!(images_from_bytes(data, Path::new("images")).unwrap_err().to_string(), expected);
}

#[track_caller]
fn assert_labels_error(data: &[u8], expected: &str) {
    assert_eq!(labels_from_bytes(data, Path::new("labels")).unwrap_err().to_string(), expected);
}

#[test]
fn plain_and_gzip_give_the_same_pictures() {
    let folder = Folder::new();
    let plain = folder.write("plain", &five_images());
    // Seen from the content: a name says nothing.
    let packed = folder.write("packed", &gzip(&five_images()));
    for path in [plain, packed] {
        let images = read_images(&path).unwrap();
        assert_eq!((images.count(), images.height(), images.width()), (5, 3, 4));
        assert_eq!(images.image(0), (0..12).collect::<Vec<u8>>());
        assert_eq!(images.image(4), (48..60).collect::<Vec<u8>>());
        assert_eq!(images.pixels().len(), 60);
    }
}

#[test]
fn plain_and_gzip_give_the_same_labels() {
    let folder = Folder::new();
    let data = idx(&[2049, 4], &[7, 2, 1, 0]);
    for path in [folder.write("plain", &data), folder.write("packed", &gzip(&data))] {
        assert_eq!(read_labels(&path).unwrap(), [7, 2, 1, 0]);
    }
}

#[test]
fn a_gzip_file_of_several_members_is_read_to_its_end() {
    let folder = Folder::new();
    let data = five_images();
    let path = folder.write("images", &[gzip(&data[..30]), gzip(&data[30..])].concat());
    assert_eq!(read_images(&path).unwrap().pixels(), &data[16..]);
}

#[test]
fn a_gzip_file_may_be_filled_up_with_zeros() {
    let folder = Folder::new();
    let data = five_images();
    let [first, second] = [gzip(&data[..30]), gzip(&data[30..])];
    for zeros in [1, 3, 8192, 20_000] {
        let zeros = vec![0; zeros];
        let path = folder.write("images", &[&first[..], &zeros, &second, &zeros].concat());
        assert_eq!(read_images(&path).unwrap().pixels(), &data[16..]);
        let path = folder.write("images", &[&first[..], &second, &zeros, b"more"].concat());
        assert!(read_images(&path).unwrap_err().to_string().contains("damaged gzip file"));
    }
}

#[test]
fn pictures_in_colour_are_in_files_of_four_dimensions() {
    let folder = Folder::new();
    // Two pictures of 2×3 pixels, each pixel red, green and blue.
    let data = idx(&[2052, 2, 2, 3, 3], &(0..36).collect::<Vec<u8>>());
    for (name, data) in [("a-idx4-ubyte", data.clone()), ("a-idx4-ubyte.gz", gzip(&data))] {
        let images = read_images(&folder.write(name, &data)).unwrap();
        assert_eq!((images.count(), images.channels(), images.height(), images.width()), (2, 3, 2, 3));
        assert_eq!(images.image(1)[..7], [18, 21, 24, 27, 30, 33, 19]);
    }
    let grey = folder.write("b-idx4-ubyte", &idx(&[2052, 1, 2, 3, 1], &[7; 6]));
    assert_eq!(read_images(&grey).unwrap().channels(), 1);
    for (data, expected) in [
        (idx(&[2052, 1, 2, 3, 4], &[7; 24]), "holds pictures of 4 channels; 1 (grey) or 3"),
        (idx(&[2051, 1, 2, 3], &[7; 6]), "magic number 2051, but an IDX images file starts with 2052"),
        (data[..40].to_vec(), "holds 20 bytes after its header, but 2 images of 2×3 in 3 channels take 36"),
        (
            idx(&[2052, u32::MAX, u32::MAX, u32::MAX, u32::MAX], &[]),
            "take 340282366604025813516997721482669850625",
        ),
    ] {
        let error = read_images(&folder.write("c-idx4-ubyte", &data)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = Folder::new();
    let path = folder.0.path().join("images");
    assert_eq!(
        message(&path, &read_images(&path).unwrap_err()),
        "cannot read images: No such file or directory (os error 2); check the path and its permissions"
    );
}

#[test]
fn an_empty_file_is_cut_off() {
    assert_images_error(
        &[],
        "images ends after 0 bytes, within the 16-byte header of an IDX images file; fetch it again",
    );
}

#[test]
fn a_header_may_be_cut_off() {
    assert_images_error(
        &five_images()[..13],
        "images ends after 13 bytes, within the 16-byte header of an IDX images file; fetch it again",
    );
    assert_labels_error(
        &gzip(&idx(&[2049], &[0, 0])),
        "labels ends after 6 bytes, within the 8-byte header of an IDX labels file; fetch it again",
    );
}

#[test]
fn images_and_labels_may_be_swapped() {
    assert_images_error(
        &idx(&[2049, 2], &[1, 2]),
        "images starts with the magic number 2049, but an IDX images file starts with 2051; \
         check that this is the images file",
    );
    assert_labels_error(
        &five_images(),
        "labels starts with the magic number 2051, but an IDX labels file starts with 2049; \
         check that this is the labels file",
    );
}

#[test]
fn a_file_may_be_something_else_altogether() {
    assert_images_error(
        b"<!DOCTYPE html>",
        "images starts with the magic number 1008813135, but an IDX images file starts with 2051; \
         check that this is the images file",
    );
}

#[test]
fn a_set_may_be_empty() {
    assert_images_error(
        &idx(&[2051, 0, 28, 28], &[]),
        "images holds no images: its header says 0 images of 28×28; a file with at least one is needed",
    );
    assert_images_error(
        &idx(&[2051, 5, 0, 28], &[]),
        "images holds no images: its header says 5 images of 0×28; a file with at least one is needed",
    );
    assert_labels_error(
        &gzip(&idx(&[2049, 0], &[])),
        "labels holds no labels: its header says 0 labels; a file with at least one is needed",
    );
}

#[test]
fn pixels_may_be_cut_off() {
    let data = five_images();
    let expected = "images holds 59 bytes after its header, but 5 images of 3×4 take 60; \
                    it is cut off or not whole, so fetch it again";
    assert_images_error(&data[..data.len() - 1], expected);
    assert_images_error(&gzip(&data[..data.len() - 1]), expected);
}

#[test]
fn bytes_may_follow_the_last_one() {
    let data = idx(&[2049, 3], &[1, 2, 3, 4, 5]);
    assert_labels_error(
        &data,
        "labels holds 5 bytes after its header, but 3 labels take 3; \
         it is cut off or not whole, so fetch it again",
    );
    assert_labels_error(
        &gzip(&data),
        "labels holds at least 4 bytes after its header, but 3 labels take 3; \
         it is cut off or not whole, so fetch it again",
    );
}

#[test]
fn a_huge_count_is_refused_before_memory_is_asked_for() {
    // 79 billion billion billion bytes: asking for them would abort the test.
    let data = idx(&[2051, u32::MAX, u32::MAX, u32::MAX], &[0; 100]);
    assert_images_error(
        &data,
        "images holds 100 bytes after its header, but 4294967295 images of 4294967295×4294967295 \
         take 79228162458924105385300197375; it is cut off or not whole, so fetch it again",
    );
    let packed = gzip(&data);
    assert_images_error(
        &packed,
        &format!(
            "images holds at most {} bytes after its header, but 4294967295 images of \
             4294967295×4294967295 take 79228162458924105385300197375; it is cut off or not whole, \
             so fetch it again",
            packed.len() * 1032
        ),
    );
}

#[test]
fn sizes_whose_product_wraps_around_are_refused() {
    // 2¹⁶ × 2²⁴ × 2²⁴ is 2⁶⁴: zero, to whoever multiplies 64-bit numbers.
    assert_images_error(
        &idx(&[2051, 1 << 16, 1 << 24, 1 << 24], &[]),
        "images holds 0 bytes after its header, but 65536 images of 16777216×16777216 take \
         18446744073709551616; it is cut off or not whole, so fetch it again",
    );
}

#[test]
fn a_gzip_file_may_be_cut_off() {
    let packed = gzip(&five_images());
    let folder = Folder::new();
    // Within the data, and within the checksum behind it.
    for length in [packed.len() / 2, packed.len() - 3] {
        let path = folder.write("images", &packed[..length]);
        let text = message(&path, &read_images(&path).unwrap_err());
        assert!(text.starts_with("images is a damaged gzip file ("), "{text}");
        assert!(text.ends_with("); fetch it again"), "{text}");
    }
}

#[test]
fn a_gzip_file_may_be_altered() {
    let mut packed = gzip(&five_images());
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    assert_images_error(
        &packed,
        "images is a damaged gzip file (corrupt gzip stream does not have a matching checksum); \
         fetch it again",
    );
}

#[test]
fn something_may_follow_the_gzip_stream() {
    let folder = Folder::new();
    let path = folder.write("images", &[gzip(&five_images()), b"more".to_vec()].concat());
    let text = message(&path, &read_images(&path).unwrap_err());
    assert!(text.starts_with("images is a damaged gzip file ("), "{text}");
}
