use std::fs;
use std::path::{Path, PathBuf};

use contract::picture::Framing;
use image::{
    DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage,
};
use tempfile::TempDir;

use super::load;
use crate::sources::{DataError, Images, LabelledImages, Size, Split};

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
        let loaded = load(self.path(), split, (size, Framing::default()), &mut |_, _| {})?;
        Ok((loaded.data, loaded.notes))
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
    let (set, notes) = folder.load(Split::Train, None).unwrap();
    assert_eq!(set.class_names(), ["ant", "cat, tabby"]);
    assert_eq!(set.labels(), [1, 0]);
    assert_eq!([set.images().image(0)[0], set.images().image(1)[0]], [10, 100]);
    // What is left out beside it is said.
    assert_eq!(notes.len(), 1);
    let expected = ", being in no line of labels.csv: class 2/p2.PNG, class 2/p10.PNG";
    assert!(notes[0].ends_with(expected), "{notes:?}");
    folder.write("classes.txt", "cat, tabby\nant\n");
    assert_eq!(folder.load(Split::Train, None).unwrap().0.labels(), [0, 1]);
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
fn all_kinds_are_read_under_all_their_names() {
    let folder = Folder::new();
    for (index, name) in ["a.jfif", "b.JPE", "c.jpg"].iter().enumerate() {
        let picture = GrayImage::from_pixel(2, 3, Luma([50 * (index as u8 + 1)]));
        picture.save_with_format(folder.write(&format!("ant/{name}"), ""), image::ImageFormat::Jpeg).unwrap();
    }
    folder.draw("bee/a.bmp", &grey(10));
    folder.draw("bee/b.webp", &grey(20));
    let set = folder.set();
    assert_eq!(set.labels(), [0, 0, 0, 1, 1]);
    let first: Vec<u8> = (0..5).map(|index| set.images().image(index)[0]).collect();
    assert!(first[0].abs_diff(50) < 3 && first[2].abs_diff(150) < 3, "{first:?}");
    assert_eq!(first[3..], [10, 20]);
}

#[test]
fn what_systems_and_runs_leave_is_put_aside_and_said() {
    let folder = two_classes();
    for name in [
        "lost+found/x.png",
        "$Recycle.Bin/x.png",
        "__MACOSX/class 2/._p1.png",
        "class 2/@eaDir/p1.PNG/SYNOPHOTO_THUMB.jpg",
        "class 10/.ipynb_checkpoints/a-checkpoint.png",
        "runs/00001-pets/samples/epoch-001.png",
        "runs/00001-pets/.edgegan-run",
        "runs/notes.txt",
        "class 2/mine/config.json",
        "class 2/mine/metrics.jsonl",
        "class 2/mine/samples/epoch-001.png",
    ] {
        folder.write(name, "");
    }
    let (set, notes) = folder.load(Split::Train, None).unwrap();
    assert_eq!((set.len(), set.classes(), notes.len()), (4, 2, 3), "{notes:?}");
    let expected = "being runs of `train` and no data: class 2/mine, runs/00001-pets";
    assert!(notes[0].ends_with(expected), "{notes:?}");
    let expected = "being no data: $Recycle.Bin (Windows' bin), __MACOSX (macOS's own), \
                    class 2/@eaDir (a Synology's thumbnails), class 10/.ipynb_checkpoints (Jupyter's \
                    copies), lost+found (the file system's)";
    assert!(notes[1].ends_with(expected), "{notes:?}");
    assert!(notes[2].ends_with(": runs/notes.txt"), "{notes:?}");
}

#[test]
fn a_folder_without_pictures_is_called_what_it_is() {
    let error = |files: &[&str]| {
        let folder = Folder::new();
        files.iter().filter(|name| name.ends_with("png")).for_each(|name| folder.draw(name, &grey(1)));
        files.iter().filter(|name| !name.ends_with("png")).for_each(|name| {
            folder.write(name, "");
        });
        let error = folder.load(Split::Train, None).unwrap_err().to_string();
        error.replace(&folder.path().display().to_string(), "pets")
    };
    for (files, expected) in [
        (
            &["ant/1.png", "cat/notes.txt"][..],
            "pets/cat: a class's folder without a PNG, JPEG, WebP or BMP picture; put the class's pictures \
             there, or move the folder to another place",
        ),
        (
            &["animals/ant/1.png", "animals/bee/1.png"],
            "pets/animals: a class's folder without a PNG, JPEG, WebP or BMP picture; its folders (ant, bee) \
             may be classes themselves: then name pets/animals, or else put their pictures there",
        ),
        (
            &["Train/ant/1.png", "Test/ant/1.png"],
            "pets: its folder Test is no class but a part of the data by its name; the parts are called \
             train and test, so rename it to test",
        ),
        (
            &["training/ant/1.png"],
            "pets: its folder training is no class but a part of the data by its name; the parts are called \
             train and test, so rename it to train",
        ),
        (
            &["FashionMNIST/raw/t10k-images-idx3-ubyte", "cache/x"],
            "pets: it holds no pictures, but a data set lies in pets/FashionMNIST/raw; name that folder",
        ),
        (
            &["raw/gzip/emnist-letters-train-images-idx3-ubyte.gz"],
            "pets: it holds no pictures, but a data set lies in pets/raw/gzip; name that folder",
        ),
    ] {
        assert_eq!(error(files), expected);
    }
    let folder = Folder::new();
    folder.draw("train/ant/1.png", &grey(1));
    folder.draw("val/ant/1.png", &grey(1));
    let error = folder.load(Split::Test, None).unwrap_err().to_string();
    assert!(error.ends_with("(if val is that part, rename it to test)"), "{error}");
}

#[test]
fn classes_that_look_alike_are_noted() {
    let folder = Folder::new();
    for name in ["1/a.png", "2/a.png", "a/a.png", "A/a.png", "rose/a.png", "tulip/a.png"] {
        folder.draw(name, &grey(1));
    }
    folder.set();
    let table =
        "file,label\n1/a.png,1\n2/a.png,1.0\na/a.png,01\nA/a.png,rose\nrose/a.png,Rose\ntulip/a.png,2";
    folder.write("labels.csv", table);
    let (set, notes) = folder.load(Split::Train, None).unwrap();
    let expected = "these classes look alike but are told apart: 01, 1, 1.0; Rose, rose; give what is one class one name";
    assert_eq!((set.classes(), notes), (6, vec![expected.to_string()]));
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
    load(two_classes().path(), Split::Train, (None, Framing::default()), &mut |done, total| {
        seen.push((done, total))
    })
    .unwrap();
    assert_eq!(seen, [(4, 4)]);
}

/// Files that the image crate can't write; samples/make.py made them.
fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources/pictures/samples");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pictures = files.filter(|path| path.extension().is_some_and(|e| e != "py"));
    pictures
        .map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(path).unwrap()))
        .collect()
}

/// The picture of a file that is the folder's only one.
fn only(name: &str, bytes: &[u8]) -> Result<Images, String> {
    let folder = Folder::new();
    folder.write(&format!("a/{name}"), bytes);
    folder.load(Split::Train, None).map(|(set, _)| set.images().clone()).map_err(|error| error.to_string())
}

#[test]
fn a_file_that_was_cut_off_is_an_error_at_every_length() {
    let mut files = samples();
    assert_eq!(files.len(), 6);
    let picture = colour([1, 2, 3]).resize_exact(24, 16, image::imageops::FilterType::Nearest);
    for extension in ["png", "jpg", "bmp", "webp"] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::from_extension(extension).unwrap()).unwrap();
        files.push((format!("own.{extension}"), bytes.into_inner()));
    }
    for (name, bytes) in files {
        let whole = only(&name, &bytes).unwrap();
        assert_eq!((whole.height(), whole.width()), (16, 24), "{name}");
        // Anything after the end is ignored.
        assert_eq!(only(&name, &[&bytes[..], &[0; 100]].concat()).unwrap(), whole, "{name}");
        // A PNG ends with an empty chunk, whose last four bytes are its check.
        let spare = if name.ends_with("png") { 4 } else { 0 };
        for length in 0..bytes.len() - spare {
            let error = only(&name, &bytes[..length]).expect_err(&format!("{length} bytes of {name}"));
            let reason = if length < 16 { "can't be read" } else { "(the file is cut off)" };
            assert!(error.contains(reason), "{length} bytes of {name}: {error}");
        }
        // A download that went no further into a file of the whole length.
        if name.ends_with("jpg") {
            let half = [&bytes[..bytes.len() / 2], &vec![0; bytes.len() / 2]].concat();
            assert!(only(&name, &half).unwrap_err().contains("cut off"), "{name}");
        }
    }
}
