use std::fs;
use std::path::{Path, PathBuf};

use contract::dataset::idx::header;
use tempfile::TempDir;

use super::LabelledImages;
use crate::sources::mnist::tests::gzip;
use crate::sources::{DataError, Images};

/// Five pictures of 3 rows and 4 columns, every pixel another value.
fn five_images() -> Vec<u8> {
    header(5, &[3, 4]).into_iter().chain(0..60).collect()
}

/// Their labels, or any others.
fn labels_file(labels: &[u8]) -> Vec<u8> {
    [header(labels.len() as u32, &[]), labels.to_vec()].concat()
}

fn write(folder: &TempDir, name: &str, data: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, data).unwrap();
    path
}

/// An error's message, with the folder's path taken out of it.
fn message(path: &Path, error: &DataError) -> String {
    error.to_string().replace(&format!("{}/", path.parent().unwrap().display()), "")
}

#[test]
fn grey_sets_and_sets_in_colour_are_not_joined() {
    let set = |channels, name| {
        let images = Images::with_channels(channels, 2, 3, vec![0; 6 * channels]).unwrap();
        LabelledImages::new(images, vec![0], 10, name).unwrap()
    };
    for (first, second) in [(set(1, "grey"), set(3, "bright")), (set(3, "bright"), set(1, "grey"))] {
        assert_eq!(
            first.followed_by(&second).unwrap_err().to_string(),
            "the pictures of grey are grey but those of bright in colour; give files of one kind"
        );
    }
}

#[test]
fn images_and_labels_must_be_equally_many() {
    let folder = TempDir::new().unwrap();
    let images = write(&folder, "images", &five_images());
    let labels = write(&folder, "labels", &labels_file(&[0, 1, 2, 3]));
    let error = LabelledImages::read(&images, &labels, 10, "five").unwrap_err();
    assert_eq!(
        message(&images, &error),
        "images holds 5 images but labels holds 4 labels; give the two files that belong together"
    );
}

#[test]
fn labels_must_be_below_the_number_of_classes() {
    let folder = TempDir::new().unwrap();
    let images = write(&folder, "images", &five_images());
    let labels = write(&folder, "labels", &labels_file(&[0, 9, 2, 10, 11]));
    let error = LabelledImages::read(&images, &labels, 10, "five").unwrap_err();
    assert_eq!(
        message(&images, &error),
        "label 3 of labels is 10, but every label must be below 10, the number of classes; \
         give labels of 10 classes"
    );
    let set = LabelledImages::read(&images, &labels, 12, "five").unwrap();
    assert_eq!(set.labels(), [0, 9, 2, 10, 11]);
}

#[test]
fn a_set_from_memory_is_checked_as_a_read_one() {
    let images = || Images::new(2, 3, (0..12).collect()).unwrap();
    assert_eq!(
        LabelledImages::new(images(), vec![0], 10, "tiny").unwrap_err().to_string(),
        "tiny holds 2 images but tiny holds 1 labels; give the two files that belong together"
    );
    assert_eq!(
        LabelledImages::new(images(), vec![3, 4], 4, "tiny").unwrap_err().to_string(),
        "label 1 of tiny is 4, but every label must be below 4, the number of classes; \
         give labels of 4 classes"
    );
    let set = LabelledImages::new(images(), vec![3, 0], 4, "tiny").unwrap();
    assert_eq!((set.len(), set.classes(), set.name()), (2, 4, "tiny"));
}

#[test]
fn sets_are_joined_in_order() {
    let set = |start: u8, labels: &[u8]| {
        let pixels = (start..start + 6 * labels.len() as u8).collect();
        LabelledImages::new(Images::new(2, 3, pixels).unwrap(), labels.to_vec(), 10, "part").unwrap()
    };
    let joined = set(0, &[4, 5]).followed_by(&set(100, &[6])).unwrap();
    assert_eq!(joined.labels(), [4, 5, 6]);
    assert_eq!(joined.images().image(1), [6, 7, 8, 9, 10, 11]);
    assert_eq!(joined.images().image(2), [100, 101, 102, 103, 104, 105]);
}

#[test]
fn sets_with_pictures_of_other_sizes_are_not_joined() {
    let set = |height, width, name| {
        let images = Images::new(height, width, vec![0; 6]).unwrap();
        LabelledImages::new(images, vec![0], 10, name).unwrap()
    };
    assert_eq!(
        set(2, 3, "wide").followed_by(&set(3, 2, "tall")).unwrap_err().to_string(),
        "the pictures of wide are 2×3 but those of tall are 3×2; give files with pictures of one size"
    );
}

#[test]
fn the_digest_is_that_of_the_files() {
    let folder = TempDir::new().unwrap();
    let labels = labels_file(&[0, 9, 2, 3, 4]);
    let set = LabelledImages::read(
        &write(&folder, "images", &gzip(&five_images())),
        &write(&folder, "labels", &labels),
        10,
        "five",
    )
    .unwrap();
    let files = [five_images(), labels].concat();
    assert_eq!(set.digest(), format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(files)));
}
