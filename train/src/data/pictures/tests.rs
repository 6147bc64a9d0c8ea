use std::fs;
use std::path::{Path, PathBuf};

use image::{
    DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage,
};
use tempfile::TempDir;

use super::load;
use crate::data::{DataError, LabelledImages, Size, Split};

/// Three rows of two pixels, each a level of its own above `start`.
fn grey(start: u8) -> DynamicImage {
    GrayImage::from_fn(2, 3, |x, y| Luma([start + (y * 2 + x) as u8])).into()
}

fn colour(pixel: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(2, 3, Rgb(pixel)).into()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, data: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, data).unwrap();
        path
    }

    fn draw(&self, name: &str, picture: &DynamicImage) {
        let path = self.write(name, "");
        picture.save(path).unwrap();
    }

    fn load(&self, split: Split, size: Option<Size>) -> Result<(LabelledImages, Vec<String>), DataError> {
        load(self.path(), split, size, &mut |_, _| {})
    }

    /// The whole set, about which there is nothing to note.
    fn set(&self) -> LabelledImages {
        let (set, notes) = self.load(Split::Train, None).unwrap();
        assert_eq!(notes, Vec::<String>::new());
        set
    }
}

/// Two classes of 1 and 3 grey pictures.
fn two_classes() -> Folder {
    let folder = Folder::new();
    folder.draw("class 10/a.png", &grey(100));
    for (name, start) in [("p1", 10), ("p2", 20), ("p10", 30)] {
        folder.draw(&format!("class 2/{name}.PNG"), &grey(start));
    }
    folder
}

#[test]
fn folders_are_classes_in_natural_order() {
    let folder = two_classes();
    folder.write("class 2/.hidden", "");
    folder.write("class 2/Thumbs.db", "");
    folder.write(".git/config", "");
    let set = folder.set();
    assert_eq!(set.class_names(), ["class 2", "class 10"]);
    assert_eq!(set.labels(), [0, 0, 0, 1]);
    let images = set.images();
    assert_eq!((images.channels(), images.height(), images.width()), (1, 3, 2));
    assert_eq!(images.image(0), [10, 11, 12, 13, 14, 15]);
    assert_eq!([images.image(1)[0], images.image(2)[0], images.image(3)[5]], [20, 30, 105]);
}

#[test]
fn what_is_no_picture_is_left_out_with_a_note() {
    let folder = two_classes();
    for name in ["README.md", "class 2/notes.txt", "class 10/more/b.png", "class 2/z"] {
        folder.write(name, "");
    }
    let (set, notes) = folder.load(Split::Train, None).unwrap();
    assert_eq!((set.len(), notes.len()), (4, 1));
    let expected = "being no pictures of a class: README.md, class 2/notes.txt, class 2/z, and 1 more";
    assert!(notes[0].ends_with(expected), "{notes:?}");
}

#[test]
fn a_table_names_pictures_in_any_place() {
    let folder = two_classes();
    let table = "\u{feff}File, label ,by\r\n./class 2/p1.PNG,\"cat, tabby\",me\nclass 10/a.png,ant,\n\n";
    folder.write("labels.csv", table);
    let set = folder.set();
    assert_eq!(set.class_names(), ["ant", "cat, tabby"]);
    assert_eq!(set.labels(), [1, 0]);
    assert_eq!([set.images().image(0)[0], set.images().image(1)[0]], [10, 100]);
    folder.write("classes.txt", "cat, tabby\nant\n");
    assert_eq!(folder.set().labels(), [0, 1]);
}

#[test]
fn parts_are_folders_that_hold_a_set_each() {
    let folder = Folder::new();
    folder.draw("train/b/1.png", &grey(1));
    folder.draw("train/c/1.png", &grey(2));
    folder.draw("test/t.png", &grey(3));
    folder.write("test/labels.csv", "label,file\na,t.png\n");
    folder.write("licence.txt", "");
    for (split, labels) in [(Split::Train, &[1, 2][..]), (Split::Test, &[0]), (Split::All, &[1, 2, 0])] {
        let (set, notes) = folder.load(split, None).unwrap();
        // The classes are those of both parts.
        assert_eq!((set.class_names().join(""), set.labels()), ("abc".to_string(), labels));
        assert!(notes[0].ends_with(": licence.txt"), "{notes:?}");
    }
}

#[test]
fn a_class_may_be_called_train() {
    let folder = Folder::new();
    folder.draw("train/1.png", &grey(1));
    folder.draw("bus/1.png", &grey(2));
    assert_eq!(folder.set().class_names(), ["bus", "train"]);
    let error = folder.load(Split::Test, None).unwrap_err().to_string();
    assert!(error.contains("has no test part; leave out --split"), "{error}");
    assert_eq!(folder.load(Split::All, None).unwrap().0.len(), 2);
}

#[test]
fn one_coloured_picture_makes_all_coloured() {
    let folder = two_classes();
    // Grey, though it is saved as red, green and blue.
    folder.draw("class 2/p3.png", &colour([7, 7, 7]));
    assert_eq!(folder.set().images().channels(), 1);
    folder.draw("class 10/b.png", &colour([1, 2, 3]));
    let set = folder.set();
    assert_eq!((set.images().channels(), set.len()), (3, 6));
    assert_eq!(set.images().image(0), [10, 11, 12, 13, 14, 15].repeat(3));
    assert_eq!(set.images().image(5), [[1; 6], [2; 6], [3; 6]].concat());
}

#[test]
fn depth_opacity_and_palettes_come_down_to_bytes() {
    let wide = ImageBuffer::<Luma<u16>, _>::from_pixel(2, 3, Luma([0x8000]));
    let half = RgbaImage::from_pixel(2, 3, Rgba([200, 100, 0, 128]));
    let clear = GrayAlphaImage::from_pixel(2, 3, LumaA([200, 0]));
    for (picture, expected) in [
        (wide.into(), [128; 3]),
        (half.into(), [100, 50, 0]),
        (clear.into(), [0; 3]),
        (colour([255, 0, 9]), [255, 0, 9]),
    ] {
        let folder = Folder::new();
        folder.draw("a/1.png", &picture);
        // One with colour, so that all are.
        folder.draw("b/1.png", &colour([1, 2, 3]));
        let set = folder.set();
        let image = set.images().image(0);
        assert_eq!([image[0], image[6], image[17]], expected);
    }
}

#[test]
fn jpeg_is_read_whatever_its_extension() {
    let folder = Folder::new();
    let picture = RgbImage::from_fn(16, 8, |x, _| Rgb(if x < 8 { [250, 10, 10] } else { [10, 10, 250] }));
    picture.save(folder.write("a/1.jpeg", "")).unwrap();
    fs::copy(folder.path().join("a/1.jpeg"), folder.path().join("a/2.png")).unwrap();
    let set = folder.set();
    assert_eq!((set.images().height(), set.images().width(), set.images().channels()), (8, 16, 3));
    for picture in [set.images().image(0), set.images().image(1)] {
        let [red, blue] = [&picture[..128], &picture[256..]];
        assert!(red[0] > 230 && red[15] < 40 && blue[0] < 40 && blue[15] > 230, "{picture:?}");
    }
}

#[test]
fn a_size_makes_one_of_many() {
    let folder = two_classes();
    folder.draw("class 2/wide.png", &GrayImage::from_pixel(9, 4, Luma([80])).into());
    let error = folder.load(Split::Train, None).unwrap_err().to_string();
    for part in ["p1.PNG is 2x3 but", "wide.png is 9x4", "--size 2x3"] {
        assert!(error.contains(part), "{error}");
    }
    let (set, _) = folder.load(Split::Train, Some(Size { width: 5, height: 4 })).unwrap();
    assert_eq!((set.images().height(), set.images().width()), (4, 5));
    assert_eq!(set.images().image(3), [80; 20]);
}

#[test]
fn a_picture_too_large_to_learn_is_named_before_any_is_decoded() {
    let folder = two_classes();
    // The rest of the files is damaged, which decoding would find.
    let whole = |picture: DynamicImage| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let large = whole(GrayImage::new(1000, 800).into());
    folder.write("class 2/large.png", &large[..60]);
    let error = folder.load(Split::Train, None).unwrap_err().to_string();
    for part in ["large.png has 1000x800 pixels", "--size 64x51"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn progress_ends_at_the_last_picture() {
    let mut seen = Vec::new();
    load(two_classes().path(), Split::Train, None, &mut |done, total| seen.push((done, total))).unwrap();
    assert_eq!(seen, [(4, 4)]);
}
