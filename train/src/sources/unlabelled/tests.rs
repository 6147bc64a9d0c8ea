use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;

use contract::picture::{Background, Framing};

use super::{Folder, load};
use crate::sources::{DataError, LabelledImages, Loaded, Progress, Size, Split};

const WHITE: Background = Background([255; 3]);

fn grey(level: u8) -> DynamicImage {
    GrayImage::from_pixel(3, 2, Luma([level])).into()
}

fn colour(pixel: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(3, 2, Rgb(pixel)).into()
}

/// A folder `pictures` to load, and one for the cache.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::create_dir(place.pictures()).unwrap();
        place
    }

    /// With grey pictures of these levels, called 0.png, 1.png, …
    fn of_greys(levels: &[u8]) -> Self {
        let place = Self::new();
        for (index, &level) in levels.iter().enumerate() {
            place.draw(&format!("{index}.png"), &grey(level));
        }
        place
    }

    fn pictures(&self) -> PathBuf {
        self.0.path().join("pictures")
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache/deep")
    }

    fn write(&self, name: &str, data: impl AsRef<[u8]>) -> PathBuf {
        let path = self.pictures().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, data).unwrap();
        path
    }

    fn draw(&self, name: &str, picture: &DynamicImage) {
        picture.save(self.write(name, "")).unwrap();
    }

    /// Their own size, nothing kept.
    fn folder(&self) -> Folder {
        let size = Size { width: 3, height: 2 };
        let framing = Framing { crop: false, background: WHITE };
        Folder { path: self.pictures(), size, framing, split: Split::Train, cache: None }
    }

    fn cached(&self) -> Folder {
        Folder { cache: Some(self.cache()), ..self.folder() }
    }

    /// All of it, about which there is nothing to note.
    fn set(&self) -> LabelledImages {
        let Loaded { data, notes } = fresh(&self.folder());
        assert_eq!(notes, [""; 0]);
        data
    }

    fn error(&self) -> String {
        message(load(&self.folder(), &mut |_| {}))
    }

    /// The only file in the cache.
    fn kept(&self) -> PathBuf {
        let files: Vec<_> = fs::read_dir(self.cache()).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }
}

/// Loads, and tells whether pictures were decoded.
fn watched(folder: &Folder) -> (Loaded, bool) {
    let decoded = Cell::new(false);
    let loaded = load(folder, &mut |_| decoded.set(true)).unwrap();
    (loaded, decoded.get())
}

#[track_caller]
fn fresh(folder: &Folder) -> Loaded {
    let (loaded, decoded) = watched(folder);
    assert!(decoded, "came from the cache");
    loaded
}

#[track_caller]
fn from_cache(folder: &Folder) -> Loaded {
    let (loaded, decoded) = watched(folder);
    assert!(!decoded, "was decoded");
    loaded
}

fn message(result: Result<Loaded, DataError>) -> String {
    result.map(|loaded| loaded.notes).unwrap_err().to_string()
}

/// The first level of each picture.
fn levels(set: &LabelledImages) -> Vec<u8> {
    (0..set.len()).map(|index| set.images().image(index)[0]).collect()
}

#[test]
fn sub_folders_are_walked_in_natural_order() {
    let place = Place::new();
    for (name, level) in [
        ("b/10.png", 6),
        ("b/c/d/1.png", 7),
        ("2.png", 1),
        ("a.png", 3),
        ("10.png", 2),
        ("b/9.png", 5),
        ("a/x.PNG", 4),
    ] {
        place.draw(name, &grey(level));
    }
    // Neither hidden files nor files that aren't pictures.
    place.draw(".hidden/1.png", &grey(9));
    place.write("README", "BMW built cars");
    place.write("b/labels.csv", "file,label");
    fs::create_dir(place.pictures().join("empty")).unwrap();
    let set = place.set();
    assert_eq!(levels(&set), [1, 2, 4, 3, 5, 6, 7]);
    assert_eq!((set.images().channels(), set.images().height(), set.images().width()), (1, 2, 3));
}

#[test]
fn a_set_without_labels_has_no_classes() {
    let set = Place::of_greys(&[1, 2]).set();
    assert_eq!((set.classes(), set.labels(), set.name()), (0, &[0, 0][..], "pictures"));
    let one_class = LabelledImages::new(set.images().clone(), vec![0, 0], 1, "pictures").unwrap();
    assert_ne!(set.digest(), one_class.digest());
    assert_ne!(set.digest(), Place::of_greys(&[1, 3]).set().digest());
    for (first, second) in [(set.clone(), &one_class), (one_class.clone(), &set)] {
        let error = first.followed_by(second).unwrap_err().to_string();
        assert!(error.contains("has labels but"), "{error}");
    }
    assert_eq!(set.clone().followed_by(&set).unwrap().len(), 4);
}

#[test]
fn a_picture_is_known_by_its_content() {
    let place = Place::new();
    // Even sides and lossless formats; JPEG's own error is small on one colour.
    let picture = colour([200, 100, 50]);
    for name in ["1.png", "2.jpg", "3.webp", "4.bmp"] {
        place.draw(name, &picture);
    }
    for (name, other) in [("1.png", "5.txt"), ("2.jpg", "6"), ("3.webp", "7.png"), ("4.bmp", "8.dat")] {
        fs::copy(place.pictures().join(name), place.pictures().join(other)).unwrap();
    }
    let set = place.set();
    assert_eq!((set.len(), set.images().channels()), (8, 3));
    for index in 0..8 {
        let image = set.images().image(index);
        for (found, expected) in [(image[0], 200), (image[6], 100), (image[17], 50)] {
            assert!(u8::abs_diff(found, expected) <= 3, "picture {index}: {image:?}");
        }
    }
}

#[test]
fn what_is_transparent_lies_on_the_background() {
    let place = Place::new();
    let half = RgbaImage::from_pixel(3, 2, Rgba([200, 100, 0, 128]));
    place.draw("1.png", &half.into());
    place.draw("2.webp", &RgbaImage::from_pixel(3, 2, Rgba([9, 9, 200, 0])).into());
    place.draw("3.png", &image::GrayAlphaImage::from_pixel(3, 2, LumaA([7, 255])).into());
    let on =
        |background| fresh(&Folder { framing: Framing { crop: false, background }, ..place.folder() }).data;
    for (background, half, clear) in [
        (WHITE, [227, 177, 127], [255; 3]),
        (Background([0; 3]), [100, 50, 0], [0; 3]),
        (Background([0, 0, 255]), [100, 50, 127], [0, 0, 255]),
    ] {
        let set = on(background);
        let pixel = |index| [0, 6, 12].map(|plane| set.images().image(index)[plane]);
        assert_eq!([pixel(0), pixel(1), pixel(2)], [half, clear, [7; 3]], "{background}");
    }
}

#[test]
fn of_two_parts_one_is_learned() {
    let place = Place::new();
    for (name, level) in [("train/a/1.png", 1), ("train/2.png", 2), ("test/3.png", 3), ("4.png", 4)] {
        place.draw(name, &grey(level));
    }
    let of = |split| fresh(&Folder { split, ..place.folder() });
    let levels = |loaded: &Loaded| {
        let mut levels: Vec<_> = loaded.data.images().pixels().chunks(6).map(|pixels| pixels[0]).collect();
        levels.sort_unstable();
        levels
    };
    for (split, expected) in [(Split::Train, &[1, 2][..]), (Split::Test, &[3]), (Split::All, &[1, 2, 3, 4])] {
        let loaded = of(split);
        assert_eq!((levels(&loaded), loaded.data.name()), (expected.to_vec(), "pictures"), "{split:?}");
        let noted = loaded.notes.iter().any(|note| note.contains("being in no part of it: 4.png"));
        assert_eq!(noted, split != Split::All, "{:?}", loaded.notes);
    }
    fs::remove_dir_all(place.pictures().join("test")).unwrap();
    assert_eq!(levels(&of(Split::Train)), [1, 2, 4]);
    let error = message(load(&Folder { split: Split::Test, ..place.folder() }, &mut |_| {}));
    assert!(error.contains("pictures: has no test part"), "{error}");
}

#[test]
fn all_are_grey_only_if_every_one_is_once_it_lies_on_the_background() {
    let place = Place::of_greys(&[10, 20]);
    place.draw("3.png", &colour([7; 3]));
    place.draw("4.png", &RgbaImage::from_pixel(3, 2, Rgba([255, 0, 0, 0])).into());
    assert_eq!(place.set().images().channels(), 1);
    let blue =
        Folder { framing: Framing { crop: false, background: Background([0, 0, 255]) }, ..place.folder() };
    assert_eq!(fresh(&blue).data.images().channels(), 3);
    place.draw("5.png", &colour([1, 2, 3]));
    let set = place.set();
    assert_eq!(set.images().image(0), [10; 18]);
    assert_eq!(set.images().image(4), [[1; 6], [2; 6], [3; 6]].concat());
}

#[test]
fn a_crop_keeps_the_middle_and_a_stretch_keeps_all() {
    let place = Place::new();
    // Four columns of dark and bright stripes, and likewise rows.
    let level = |place: u32| Luma([[0, 80, 160, 240][place as usize / 8]]);
    place.draw("1.png", &GrayImage::from_fn(32, 8, |x, _| level(x)).into());
    place.draw("2.png", &GrayImage::from_fn(8, 32, |_, y| level(y)).into());
    let of = |width, height, crop| {
        let framing = Framing { crop, background: WHITE };
        fresh(&Folder { size: Size { width, height }, framing, ..place.folder() }).data
    };
    // The middle half of the first, two columns of one level each; of the second less, for it is tall.
    let set = of(16, 8, true);
    assert_eq!((set.images().height(), set.images().width()), (8, 16));
    assert_eq!(set.images().image(0), [[80; 8], [160; 8]].concat().repeat(8));
    let tall = set.images().image(1);
    assert!(
        tall[..32].iter().all(|&level| level < 110) && tall[96..].iter().all(|&level| level > 130),
        "{tall:?}"
    );
    // All four levels stay.
    let set = of(16, 8, false);
    for (column, expected) in [(1, 0), (6, 80), (9, 160), (14, 240)] {
        assert!(set.images().image(0)[column].abs_diff(expected) < 12, "{:?}", &set.images().image(0)[..16]);
    }
    for (row, expected) in [(0, 0), (7, 240)] {
        assert!(set.images().image(1)[row * 16].abs_diff(expected) < 12, "{:?}", set.images().image(1));
    }
    // Pictures of one row or column have a middle, too.
    place.draw("3.png", &GrayImage::from_pixel(90, 1, Luma([5])).into());
    place.draw("4.png", &GrayImage::from_pixel(1, 90, Luma([6])).into());
    for crop in [false, true] {
        let set = of(3, 2, crop);
        assert_eq!([set.images().image(2), set.images().image(3)], [[5; 6], [6; 6]]);
    }
}

#[test]
fn a_few_unreadable_pictures_are_left_out_with_a_note() {
    let place = Place::of_greys(&[7; 40]);
    let whole = fs::read(place.pictures().join("0.png")).unwrap();
    place.write("a/half.png", &whole[..whole.len() / 2]);
    place.write("a/other.jpg", "hello");
    place.write("a/b/old.GIF", "GIF89a");
    place.write("empty.webp", "");
    let Loaded { data, notes } = fresh(&place.folder());
    assert_eq!(levels(&data), [7; 40]);
    assert_eq!(
        notes,
        ["4 of 44 pictures can't be read and are left out: a/b/old.GIF, a/half.png, a/other.jpg, and 1 more"]
    );
}

#[test]
fn more_than_a_tenth_unreadable_is_an_error() {
    let place = Place::of_greys(&[7; 9]);
    place.write("bad.png", "");
    assert_eq!(fresh(&place.folder()).notes.len(), 1);
    place.write("worse.tiff", "");
    let error = place.error();
    for part in ["2 of 11 pictures can't be read", "bad.png, worse.tiff", "convert them to PNG"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn an_error_says_why_the_first_can_not_be_read() {
    let place = Place::of_greys(&[7; 9]);
    let whole = fs::read(place.pictures().join("0.png")).unwrap();
    place.write("a.png", &whole[..whole.len() / 2]);
    place.write("b.png", "");
    let expected = ": a.png, b.png (the first: the file is cut off); convert them to PNG, JPEG, WebP or BMP";
    assert!(place.error().contains(expected), "{}", place.error());
    fs::remove_file(place.pictures().join("a.png")).unwrap();
    place.write("c.png", "");
    assert!(place.error().contains("(the first: it is empty)"), "{}", place.error());
}

#[test]
fn runs_among_the_pictures_are_no_data() {
    let place = Place::of_greys(&[5; 4]);
    for run in ["runs/00001-pictures", "mine"] {
        place.write(&format!("{run}/.edgegan-run"), "");
        place.draw(&format!("{run}/samples/epoch-001.png"), &colour([1, 2, 3]));
    }
    place.draw("@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg", &colour([1, 2, 3]));
    let check = |Loaded { data, notes }: Loaded| {
        assert_eq!((data.len(), data.images().channels(), notes.len()), (4, 1, 2), "{notes:?}");
        let expected = ", being runs of `train` and no data: mine, runs/00001-pictures";
        assert!(notes[0].ends_with(expected), "{notes:?}");
        assert!(notes[1].ends_with(", being no data: @eaDir (a Synology's thumbnails)"), "{notes:?}");
    };
    check(fresh(&place.cached()));
    check(from_cache(&place.cached()));
    // Named itself, a run's grids may be meant; the run as a whole isn't.
    let run = |name: &str| Folder { path: place.pictures().join("mine").join(name), ..place.folder() };
    assert_eq!(fresh(&run("samples")).data.len(), 1);
    assert!(message(load(&run(""), &mut |_| {})).contains("this is a run of `train` and no data"));
}

#[test]
fn a_header_that_promises_too_much_is_not_believed() {
    let place = Place::of_greys(&[7; 10]);
    let mut bmp = fs::read({
        place.draw("big.bmp", &colour([1; 3]));
        place.pictures().join("big.bmp")
    })
    .unwrap();
    bmp[18..26].copy_from_slice(&[0, 0x3e, 0, 0, 0, 0x3e, 0, 0]);
    place.write("big.bmp", bmp);
    let notes = fresh(&place.folder()).notes;
    assert_eq!(notes, ["1 of 11 pictures can't be read and are left out: big.bmp"]);
}

#[test]
fn a_folder_without_pictures() {
    let place = Place::new();
    assert!(place.error().contains("pictures: the folder is empty; expected PNG, JPEG"), "{}", place.error());
    let text = place.write("deep/notes.txt", "");
    assert!(place.error().contains("no pictures in it, only other files (1)"), "{}", place.error());
    for (path, expected) in [
        (text, "this is a file; name the folder that it lies in"),
        (place.pictures().join("gone"), "gone: can't be read: No such file"),
    ] {
        let error = message(load(&Folder { path, ..place.folder() }, &mut |_| {}));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn progress_counts_all_pictures() {
    let mut seen = Vec::new();
    load(&Place::of_greys(&[0; 300]).folder(), &mut |progress| match progress {
        Progress::Decode { done, total } => seen.push((done, total)),
        Progress::Download(file) => panic!("{file:?} was fetched"),
    })
    .unwrap();
    assert_eq!(seen, [(256, 300), (300, 300)]);
}

#[cfg(unix)]
mod on_unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn links_are_followed_but_not_in_circles() {
        let place = Place::new();
        place.draw("b/1.png", &grey(1));
        let elsewhere = TempDir::new().unwrap();
        grey(2).save(elsewhere.path().join("2.png")).unwrap();
        let link = |to: &Path, name: &str| symlink(to, place.pictures().join(name)).unwrap();
        link(elsewhere.path(), "c");
        link(&elsewhere.path().join("2.png"), "d.png");
        for loops in ["a", "b/a", "b/z"] {
            link(&place.pictures(), loops);
        }
        assert_eq!(levels(&place.set()), [1, 2, 2]);
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_a_picture() {
        let place = Place::of_greys(&[1; 20]);
        let _socket = UnixListener::bind(place.pictures().join("s.png")).unwrap();
        symlink("gone.png", place.pictures().join("t.png")).unwrap();
        symlink("gone", place.pictures().join("u")).unwrap();
        let notes = fresh(&place.folder()).notes;
        assert_eq!(notes, ["2 of 22 pictures can't be read and are left out: s.png, t.png"]);
    }

    #[test]
    fn names_may_be_any_bytes() {
        let place = Place::new();
        for (name, level) in [(&b"\xfe.png"[..], 1), (b"\xff.png", 2), (b"a\xff/1.png", 0)] {
            let path = place.pictures().join(OsStr::from_bytes(name));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            grey(level).save(path).unwrap();
        }
        assert_eq!(levels(&fresh(&place.cached()).data), [0, 1, 2]);
        assert_eq!(levels(&from_cache(&place.cached()).data), [0, 1, 2]);
    }

    #[test]
    fn a_folder_that_may_not_be_read() {
        let place = Place::of_greys(&[1]);
        place.write("closed/1.png", "");
        let closed = place.pictures().join("closed");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        // The administrator may read everything.
        if fs::read_dir(&closed).is_err() {
            assert!(place.error().contains("closed: can't be read: Permission denied"), "{}", place.error());
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn pictures_are_decoded_once() {
    let place = Place::of_greys(&[5; 20]);
    place.draw("c.png", &colour([1, 2, 3]));
    place.write("d.png", "");
    let first = fresh(&place.cached());
    let second = from_cache(&place.cached());
    assert_eq!((&second.data, &second.notes), (&first.data, &first.notes));
    assert_eq!((first.notes.len(), first.data.digest()), (1, second.data.digest()));
    // Files that aren't pictures don't matter, not even if it is the cache itself.
    place.write("notes.txt", "");
    let inside = Folder { cache: Some(place.pictures().join("cache")), ..place.folder() };
    fresh(&inside);
    from_cache(&inside);
    from_cache(&place.cached());
}

#[test]
fn whatever_changes_the_pictures_is_decoded_anew() {
    let place = Place::of_greys(&[5; 20]);
    fresh(&place.cached());
    for other in [
        Folder { size: Size { width: 2, height: 3 }, ..place.cached() },
        Folder { framing: Framing { crop: true, background: WHITE }, ..place.cached() },
        Folder { framing: Framing::default(), ..place.cached() },
    ] {
        fresh(&other);
        from_cache(&other);
    }
    // A file of another time, of another length, another file, and one under another name.
    let path = place.pictures().join("0.png");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH - std::time::Duration::from_nanos(1)).unwrap();
    fresh(&place.cached());
    from_cache(&place.cached());
    place.draw("0.png", &colour([1, 2, 3]));
    assert_eq!(fresh(&place.cached()).data.images().channels(), 3);
    place.draw("deep/0.png", &grey(6));
    assert_eq!(fresh(&place.cached()).data.len(), 21);
    fs::rename(&path, place.pictures().join("zero.png")).unwrap();
    assert_eq!(fresh(&place.cached()).data.images().image(20)[6], 2);
}

#[test]
#[cfg(unix)]
fn another_file_of_one_size_and_time_is_decoded_anew() {
    let place = Place::new();
    let write = |levels: [u8; 2]| {
        for (name, level) in ["a.bmp", "b.bmp"].into_iter().zip(levels) {
            place.draw(name, &grey(level));
            let file = fs::File::options().write(true).open(place.pictures().join(name)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
    };
    write([1, 2]);
    assert_eq!(levels(&fresh(&place.cached()).data), [1, 2]);
    // Written over, and in place of the old ones.
    write([3, 4]);
    assert_eq!(levels(&fresh(&place.cached()).data), [3, 4]);
    let (a, b, c) = ("a.bmp", "b.bmp", "c");
    for (from, to) in [(a, c), (b, a), (c, b)] {
        fs::rename(place.pictures().join(from), place.pictures().join(to)).unwrap();
    }
    assert_eq!(levels(&fresh(&place.cached()).data), [4, 3]);
    from_cache(&place.cached());
    // The files of before are not kept.
    place.kept();
}

#[test]
fn a_damaged_cache_is_written_anew() {
    let place = Place::of_greys(&[5; 20]);
    place.write("d.png", "");
    let first = fresh(&place.cached());
    let kept = place.kept();
    let whole = fs::read(&kept).unwrap();
    let mut damaged: Vec<Vec<u8>> = [0, 1, 15, 16, 50, 90, whole.len() / 2, whole.len() - 1]
        .iter()
        .map(|&length| whole[..length].to_vec())
        .collect();
    damaged.push([&whole[..], b"x"].concat());
    damaged.push(b"something else".repeat(100));
    for place in (0..whole.len()).step_by(7) {
        let mut other = whole.clone();
        other[place] ^= 0x40;
        damaged.push(other);
    }
    for bytes in damaged {
        fs::write(&kept, bytes).unwrap();
        let again = fresh(&place.cached());
        assert_eq!((&again.data, &again.notes), (&first.data, &first.notes));
        assert_eq!(fs::read(&kept).unwrap(), whole);
    }
    // A file that claims to be vast, and is.
    fs::File::options().write(true).open(&kept).unwrap().set_len(1 << 40).unwrap();
    fresh(&place.cached());
    assert_eq!(fs::read(place.kept()).unwrap(), whole);
    // One of another folder under this name.
    let other = Place::of_greys(&[6; 20]);
    fresh(&other.cached());
    fs::copy(other.kept(), &kept).unwrap();
    assert_eq!(levels(&fresh(&place.cached()).data), [5; 20]);
}

#[test]
fn a_cache_that_cannot_be_written_is_only_a_note() {
    let place = Place::of_greys(&[5; 20]);
    fs::write(place.0.path().join("cache"), "a file in its place").unwrap();
    for _ in 0..2 {
        let notes = fresh(&place.cached()).notes;
        assert!(
            notes.len() == 1 && notes[0].contains("decoded again the next time: can't make "),
            "{notes:?}"
        );
    }
    fs::remove_file(place.0.path().join("cache")).unwrap();
    fs::create_dir_all(place.cache()).unwrap();
    fresh(&place.cached());
    // A folder where the file should be.
    let kept = place.kept();
    fs::remove_file(&kept).unwrap();
    fs::create_dir(&kept).unwrap();
    let notes = fresh(&place.cached()).notes;
    assert!(notes.len() == 1 && notes[0].contains("the next time: can't write "), "{notes:?}");
    assert_eq!(fs::read_dir(place.cache()).unwrap().count(), 1);
}
