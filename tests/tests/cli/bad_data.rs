//! Data that can't be learned from: what `train` says, and that no run is left behind.

use std::fs;
use std::process::Command;

use image::{GrayImage, Luma};
use tests::Shell;

/// What is done to good data, the arguments after `--data pets`, and parts of the sentence.
type Case<'a> = (&'a str, &'a dyn Fn(&Shell), &'a [&'a str], &'a [&'a str]);

fn check(good: impl Fn(&Shell), cases: &[Case<'_>]) {
    for (name, spoil, more, parts) in cases {
        let shell = Shell::new("train");
        fs::create_dir(shell.path("pets")).unwrap();
        good(&shell);
        spoil(&shell);
        println!("{name}");
        shell.fail(&[&["--data", "pets", "--batch-size", "2"][..], more].concat(), 2, parts);
    }
}

/// A PNG of 6×4 pixels.
fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = GrayImage::from_fn(6, 4, |x, y| Luma([(x * 40 + y) as u8]));
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// The same file, whose header says that it has so many columns and rows.
fn claiming(side: u32) -> Vec<u8> {
    let mut bytes = png();
    // The header's chunk: its name, the sizes, five bytes, and the check of them all.
    bytes[16..24].copy_from_slice(&[side.to_be_bytes(), side.to_be_bytes()].concat());
    let check = !bytes[12..29].iter().fold(!0u32, |check, &byte| {
        (0..8).fold(check ^ u32::from(byte), |c, _| c >> 1 ^ if c & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    bytes[29..33].copy_from_slice(&check.to_be_bytes());
    bytes
}

fn write(shell: &Shell, name: &str, data: impl AsRef<[u8]>) {
    fs::create_dir_all(shell.path(name).parent().unwrap()).unwrap();
    shell.write(name, data);
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// An IDX file's header and what follows it.
fn idx(header: &[u32], body: &[u8]) -> Vec<u8> {
    [&words(header)[..], body].concat()
}

const IMAGES: &str = "pets/train-images-idx3-ubyte";
const LABELS: &str = "pets/train-labels-idx1-ubyte";

/// Three pictures of 2×3 pixels with labels 0, 1 and 2.
fn good_idx(shell: &Shell) {
    write(shell, IMAGES, idx(&[2051, 3, 2, 3], &[9; 18]));
    write(shell, LABELS, idx(&[2049, 3], &[0, 1, 2]));
}

#[test]
fn idx_files() {
    check(
        good_idx,
        &[
            (
                "truncated",
                &|s| write(s, IMAGES, idx(&[2051, 3, 2, 3], &[9; 17])),
                &[],
                &[IMAGES, "17 bytes", "18"],
            ),
            (
                "too long",
                &|s| write(s, LABELS, idx(&[2049, 3], &[0, 1, 2, 2])),
                &[],
                &[LABELS, "4 bytes", "3"],
            ),
            ("header", &|s| write(s, IMAGES, words(&[2051, 3])), &[], &[IMAGES, "8 bytes", "16-byte header"]),
            ("empty file", &|s| write(s, LABELS, ""), &[], &[LABELS, "ends after 0 bytes"]),
            ("magic", &|s| write(s, IMAGES, idx(&[2052, 3, 2, 3], &[9; 18])), &[], &[IMAGES, "2052", "2051"]),
            (
                "huge counts",
                &|s| write(s, IMAGES, idx(&[2051, u32::MAX, u32::MAX, u32::MAX], &[9; 18])),
                &[],
                &[IMAGES, "4294967295 images of 4294967295×4294967295", "18 bytes"],
            ),
            (
                "large pictures",
                &|s| write(s, IMAGES, idx(&[2051, 3, 800, 1000], &[9; 3 * 800 * 1000])),
                &[],
                &["1000x800 pixels", "more than fit into an ONNX file", "--size 64x51"],
            ),
            (
                "no pictures",
                &|s| write(s, IMAGES, words(&[2051, 0, 2, 3])),
                &[],
                &[IMAGES, "holds no images"],
            ),
            (
                "count mismatch",
                &|s| write(s, LABELS, idx(&[2049, 2], &[0, 1])),
                &[],
                &["holds 3 images", "2 labels"],
            ),
            (
                "no labels",
                &|s| fs::remove_file(s.path(LABELS)).unwrap(),
                &[],
                &["has no train-labels-idx1-ubyte"],
            ),
            (
                "no test half",
                &|_| (),
                &["--split", "all"],
                &["pets has no t10k-images-idx3-ubyte", "put it there"],
            ),
            ("damaged gzip", &|s| write(s, LABELS, [0x1f, 0x8b, 8, 0]), &[], &[LABELS, "damaged gzip file"]),
            (
                "fewer names than classes",
                &|s| write(s, "pets/classes.txt", "ant\nbee\n"),
                &[],
                &["pets/classes.txt: it names 2 classes, but the labels are of 3: 0, 1, 2"],
            ),
            (
                "a name twice",
                &|s| write(s, "pets/classes.txt", "ant\nbee\nant\n"),
                &[],
                &["pets/classes.txt: line 3", "\"ant\" is in line 1 already"],
            ),
            (
                "a label that no name is for",
                &|s| {
                    write(s, LABELS, idx(&[2049, 3], &[0, 200, 7]));
                    write(s, "pets/classes.txt", "a\nb\nc\nd\n");
                },
                &[],
                &["it names 4 classes, but the labels are of 3: 0, 7, 200"],
            ),
        ],
    );
}

#[test]
fn emnist_files() {
    let good = |shell: &Shell| {
        write(shell, "pets/emnist-letters-train-images-idx3-ubyte", idx(&[2051, 2, 2, 3], &[9; 12]));
        write(shell, "pets/emnist-letters-train-labels-idx1-ubyte", idx(&[2049, 2], &[1, 26]));
    };
    let mapping = "pets/emnist-letters-mapping.txt";
    check(
        good,
        &[
            (
                "a label without a letter",
                &|s| write(s, mapping, "1 65 97\n"),
                &[],
                &[mapping, "lacks the label 26"],
            ),
            (
                "no mapping at all",
                &|s| write(s, mapping, "<html>"),
                &[],
                &[mapping, "line 1: \"<html>\" is not"],
            ),
            (
                "several sets",
                &|s| write(s, "pets/emnist-digits-test-labels-idx1-ubyte", ""),
                &[],
                &["several sets of EMNIST (digits, letters)", "--data pets/emnist-digits"],
            ),
            (
                "no test half",
                &|_| (),
                &["--split", "test"],
                &["has no emnist-letters-test-images-idx3-ubyte"],
            ),
        ],
    );
}

#[test]
fn folders_of_pictures() {
    let good = |shell: &Shell| {
        for name in ["ant/1.png", "ant/2.png", "bee/1.png"] {
            write(shell, &format!("pets/{name}"), png());
        }
    };
    let other = |s: &Shell| GrayImage::new(4, 6).save(s.path("pets/ant/2.png")).unwrap();
    check(
        good,
        &[
            (
                "no folder",
                &|s| fs::remove_dir_all(s.path("pets")).unwrap(),
                &[],
                &["pets: can't be read", "expected IDX"],
            ),
            (
                "empty folder",
                &|s| {
                    fs::remove_dir_all(s.path("pets")).unwrap();
                    fs::create_dir(s.path("pets")).unwrap();
                },
                &[],
                &["pets: the folder is empty", "a folder for each class", "labels.csv"],
            ),
            (
                "loose pictures",
                &|s| {
                    fs::remove_dir_all(s.path("pets")).unwrap();
                    write(s, "pets/1.png", png());
                },
                &[],
                &["pets: has no data that are known here", "a folder for each class"],
            ),
            (
                "a file",
                &|s| {
                    fs::remove_dir_all(s.path("pets")).unwrap();
                    write(s, "pets", "");
                },
                &[],
                &["pets: this is a file; name its folder"],
            ),
            (
                "empty class folder",
                &|s| fs::create_dir(s.path("pets/cat")).unwrap(),
                &[],
                &["pets/cat: a class's folder without a PNG, JPEG, WebP or BMP picture"],
            ),
            (
                "class folder without pictures",
                &|s| write(s, "pets/cat/notes.txt", "miaow"),
                &[],
                &["pets/cat: a class's folder without a PNG, JPEG, WebP or BMP picture"],
            ),
            (
                "class name",
                &|s| fs::rename(s.path("pets/bee"), s.path("pets/b\te")).unwrap(),
                &[],
                &["the class name \"b\\te\" has control characters", "rename"],
            ),
            (
                "blanks around a class name",
                &|s| fs::rename(s.path("pets/bee"), s.path("pets/bee ")).unwrap(),
                &[],
                &["the class name \"bee \" has blanks at its ends", "rename"],
            ),
            (
                "other format",
                &|s| write(s, "pets/ant/3.GIF", ""),
                &[],
                &["pets/ant/3.GIF", "only PNG, JPEG, WebP and BMP", "convert"],
            ),
            (
                "no picture",
                &|s| write(s, "pets/ant/2.png", "miaow"),
                &[],
                &["pets/ant/2.png can't be read as a PNG, JPEG, WebP or BMP picture"],
            ),
            ("empty picture", &|s| write(s, "pets/ant/2.png", ""), &[], &["pets/ant/2.png can't be read"]),
            (
                "truncated picture",
                &|s| write(s, "pets/ant/2.png", &png()[..png().len() - 20]),
                &[],
                &["pets/ant/2.png can't be read", "take it out"],
            ),
            (
                "damaged picture",
                &|s| {
                    let mut bytes = png();
                    let middle = bytes.len() / 2;
                    bytes[middle..middle + 4].fill(0);
                    write(s, "pets/ant/2.png", bytes);
                },
                &[],
                &["pets/ant/2.png can't be read"],
            ),
            (
                "huge claim",
                &|s| write(s, "pets/ant/2.png", claiming(60_000)),
                &[],
                &["pets/ant/2.png can't be read", "over 16384 rows or columns"],
            ),
            (
                "huge claim, to be resized",
                &|s| write(s, "pets/ant/2.png", claiming(60_000)),
                &["--size", "6x4"],
                &["pets/ant/2.png can't be read", "over 16384 rows or columns"],
            ),
            (
                "large claim",
                &|s| write(s, "pets/ant/2.png", claiming(9000)),
                &[],
                &["pets/ant/2.png has 9000x9000", "--size 64x64"],
            ),
            ("mixed sizes", &other, &[], &["pets/ant/1.png is 6x4 but pets/ant/2.png is 4x6", "--size 6x4"]),
            ("no test part", &|_| (), &["--split", "test"], &["pets: has no test part", "--split"]),
            (
                "train part alone",
                &|s| write(s, "pets/train/ant/1.png", png()),
                &["--split", "all"],
                &["pets: has a train part but no test part"],
            ),
            (
                "size 0",
                &|_| (),
                &["--size", "0x5"],
                &["'0x5'", "--size", "WIDTHxHEIGHT, each from 1 to 1024"],
            ),
            ("size in words", &|_| (), &["--size", "abc"], &["'abc'", "--size", "such as 64x48"]),
            ("half a size", &|_| (), &["--size", "5x"], &["'5x'", "--size", "such as 64x48"]),
            (
                "a size too large to train",
                &|_| (),
                &["--size", "1024x1024"],
                &["1024x1024 pixels", "more than fit into an ONNX file", "--size 64x64"],
            ),
            (
                "a class that no folder is for",
                &|s| write(s, "pets/classes.txt", "bee\nant\ncat\n"),
                &[],
                &["pets/classes.txt: no picture is of the class \"cat\""],
            ),
            (
                "a class not listed",
                &|s| write(s, "pets/classes.txt", "bee\n"),
                &[],
                &["pets/classes.txt: it lacks the class \"ant\""],
            ),
            (
                "an empty list",
                &|s| write(s, "pets/classes.txt", "\n"),
                &[],
                &["pets/classes.txt: it names no class"],
            ),
            (
                "a list in Latin-1",
                &|s| write(s, "pets/classes.txt", b"ant\nb\xe9e\n"),
                &[],
                &["classes.txt: byte 6 is not UTF-8"],
            ),
        ],
    );
}

#[cfg(unix)]
#[test]
fn pipes_where_files_should_lie_are_refused_at_once() {
    fn pipe(name: &str) -> impl Fn(&Shell) {
        move |shell| {
            let path = shell.path(name);
            let _ = fs::remove_file(&path);
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }
    }
    let good = |shell: &Shell| {
        for name in ["ant/1.png", "ant/2.png", "bee/1.png"] {
            write(shell, &format!("pets/{name}"), png());
        }
    };
    let list = "this is no ordinary file; put one in its place";
    check(
        good,
        &[
            ("names of classes", &pipe("pets/classes.txt"), &[], &["pets/classes.txt", list]),
            ("table", &pipe("pets/labels.csv"), &[], &["pets/labels.csv", list]),
            ("picture", &pipe("pets/ant/2.png"), &[], &["pets/ant/2.png can't be read", "no ordinary file"]),
            (
                "settings that nobody writes",
                &pipe("run.toml"),
                &["--config", "run.toml"],
                &["--config run.toml: can't be read", "nobody writes into this pipe"],
            ),
            (
                "a judge that nobody writes",
                &pipe("judge"),
                &["--evaluate-every", "1", "--judge", "judge"],
                &["can't read judge", "nobody writes into this pipe"],
            ),
        ],
    );
    check(good_idx, &[("names of IDX classes", &pipe("pets/classes.txt"), &[], &["pets/classes.txt", list])]);
}

#[test]
fn folders_that_hold_no_class() {
    let good = |shell: &Shell| {
        for name in ["ant/1.png", "ant/2.png", "bee/1.png"] {
            write(shell, &format!("pets/{name}"), png());
        }
    };
    check(
        good,
        &[
            (
                "classes one folder below",
                &|s| write(s, "pets/birds/jay/1.png", png()),
                &[],
                &["pets/birds: a class's folder without", "its folders (jay)", "name pets/birds"],
            ),
            (
                "a part in capitals",
                &|s| write(s, "pets/Train/ant/1.png", png()),
                &[],
                &["its folder Train is no class but a part", "rename it to train"],
            ),
            (
                "torchvision's folder",
                &|s| write(s, "pets/MNIST/raw/train-labels-idx1-ubyte", ""),
                &[],
                &["a data set lies in pets/MNIST/raw; name that folder"],
            ),
            (
                "loose pictures alone",
                &|s| {
                    fs::remove_dir_all(s.path("pets")).unwrap();
                    write(s, "pets/1.png", png());
                },
                &[],
                &["pictures without labels (1)", "--unlabelled"],
            ),
            (
                "two columns of labels",
                &|s| write(s, "pets/labels.csv", "file,label,Label\nant/1.png,ant,insect\n"),
                &[],
                &["labels.csv: line 1: the header is \"file,label,Label\", which has label twice"],
            ),
        ],
    );
}

#[test]
fn tables_of_pictures() {
    let good = |shell: &Shell| {
        write(shell, "pets/a.png", png());
        write(shell, "pets/b.png", png());
        write(shell, "outside.png", png());
    };
    fn table(text: &str) -> impl Fn(&Shell) {
        move |shell| write(shell, "pets/labels.csv", text)
    }
    check(
        good,
        &[
            (
                "no header",
                &table("a.png,ant\nb.png,bee\n"),
                &[],
                &["labels.csv: line 1: the header is \"a.png,ant\"", "\"file,label\""],
            ),
            ("empty", &table(""), &[], &["labels.csv: line 1: the header is \"\""]),
            ("header alone", &table("file,label\n"), &[], &["labels.csv: lists no picture"]),
            (
                "missing file",
                &table("file,label\na.png,ant\nc.png,bee\n"),
                &[],
                &["labels.csv: line 3: there is no file pets/c.png"],
            ),
            ("no file", &table("file,label\n,ant\n"), &[], &["labels.csv: line 2: the file is \"\""]),
            ("a folder", &table("file,label\n.,ant\n"), &[], &["labels.csv: line 2: there is no file pets"]),
            (
                "empty label",
                &table("file,label\na.png,\n"),
                &[],
                &["labels.csv: line 2: the label \"\" is empty"],
            ),
            (
                "label of two lines",
                &table("file,label\na.png,\"a\nb\"\n"),
                &[],
                &["line 2: the label \"a\\nb\" has control"],
            ),
            (
                "path out of the folder",
                &table("file,label\n../outside.png,ant\n"),
                &[],
                &["line 2: the file is \"../outside.png\"", "inside"],
            ),
            (
                "absolute path",
                &table("file,label\n/etc/passwd,ant\n"),
                &[],
                &["line 2: the file is \"/etc/passwd\"", "inside"],
            ),
            (
                "a picture twice",
                &table("file,label\na.png,ant\nb.png,bee\n./a.png,bee\n"),
                &[],
                &["line 4: ./a.png is in line 2 already"],
            ),
            (
                "too many fields",
                &table("file,label\na.png,ant,big\n"),
                &[],
                &["line 2: 3 fields, but the header has 2"],
            ),
            (
                "too few fields",
                &table("file,label\na.png\n"),
                &[],
                &["line 2: 1 fields, but the header has 2"],
            ),
            (
                "not UTF-8",
                &|s| write(s, "pets/labels.csv", b"file,label\na.png,b\xe9e\n"),
                &[],
                &["labels.csv: line 2: not UTF-8 text"],
            ),
            (
                "a picture that is none",
                &|s| {
                    write(s, "pets/b.png", "miaow");
                    write(s, "pets/labels.csv", "file,label\na.png,ant\nb.png,bee\n");
                },
                &[],
                &["pets/b.png can't be read as a PNG, JPEG, WebP or BMP picture"],
            ),
            (
                "more classes than a label can say",
                &|s| {
                    let mut text = "file,label\n".to_string();
                    for class in 0..257 {
                        write(s, &format!("pets/{class}.png"), png());
                        text.push_str(&format!("{class}.png,{class}\n"));
                    }
                    write(s, "pets/labels.csv", text);
                },
                &[],
                &["pets: 257 classes, but at most 256"],
            ),
        ],
    );
}
