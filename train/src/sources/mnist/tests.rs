use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::files::{Files, MNIST, MnistFile};
use super::{load_fetched, load_given};
use crate::sources::{DataError, Download, Source, Split, load};

/// A dataset of MNIST's names, with a few pictures of 2×3, that counts as genuine in these tests.
struct Tiny {
    /// Content by name, uncompressed.
    content: Vec<(&'static str, Vec<u8>)>,
    files: Files,
}

impl Tiny {
    fn new() -> Self {
        let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
        let images = |count: u8, start: u8| {
            [words(&[2051, u32::from(count), 2, 3]), (start..start + 6 * count).collect()].concat()
        };
        let labels = |labels: &[u8]| [words(&[2049, labels.len() as u32]), labels.to_vec()].concat();
        let content = vec![
            (MNIST.train[0].name, images(3, 0)),
            (MNIST.train[1].name, labels(&[5, 0, 4])),
            (MNIST.test[0].name, images(2, 100)),
            (MNIST.test[1].name, labels(&[7, 2])),
        ];
        let file = |index: usize| {
            let (name, data): &(&'static str, Vec<u8>) = &content[index];
            // A test's few digests may live as long as it.
            let sha256 = Box::leak(format!("{:x}", Sha256::digest(data)).into_boxed_str());
            MnistFile { name, length: data.len() as u64, sha256 }
        };
        let files = Files { train: [file(0), file(1)], test: [file(2), file(3)] };
        Self { content, files }
    }

    fn data(&self, name: &str) -> &[u8] {
        &self.content.iter().find(|(n, _)| *n == name).unwrap().1
    }

    fn write(&self, folder: &Path, rename: impl Fn(&str) -> String) {
        for (name, data) in &self.content {
            let name = rename(name);
            let data = if name.ends_with(".gz") { gzip(data) } else { data.clone() };
            fs::write(folder.join(name), data).unwrap();
        }
    }

    /// The set as a mirror offers it: compressed, by path.
    fn offered(&self) -> Vec<(String, Vec<u8>)> {
        self.content.iter().map(|(name, data)| (format!("/mnist/{name}.gz"), gzip(data))).collect()
    }
}

pub(in crate::sources) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Answers requests on a loopback port until the test ends; returns the mirror's address.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/mnist/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            // The rest of the request, up to its empty line.
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            answer(request.split(' ').nth(1).unwrap(), &mut stream);
        }
    });
    address
}

/// A mirror with these files, by path; anything else is not found.
fn mirror(offered: Vec<(String, Vec<u8>)>) -> String {
    serve(move |path, stream| match offered.iter().find(|(name, _)| name == path) {
        Some((_, body)) => respond(stream, "200 OK", body.len(), body),
        None => respond(stream, "404 Not Found", 0, &[]),
    })
}

/// An answer that promises `length` bytes. The client may have hung up by then.
fn respond(stream: &mut TcpStream, status: &str, length: usize, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

fn ignore(_: Download<'_>) {}

/// Tries to fetch the training images from a mirror that offers them altered. Returns what the error
/// says of the mirror, without addresses, once it is sure that nothing was left behind.
fn fetch_altered(alter: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let tiny = Tiny::new();
    let mut offered = tiny.offered();
    let altered = alter(tiny.data(MNIST.train[0].name).to_vec());
    offered[0].1 = altered;
    failure(&tiny, &mirror(offered))
}

fn failure(tiny: &Tiny, mirror: &str) -> String {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("data/mnist");
    let error = load_fetched(&folder, &tiny.files, Split::Train, &[mirror], &mut ignore).unwrap_err();
    assert!(names_in(parent.path()).is_empty(), "left behind: {:?}", names_in(parent.path()));

    let text = error.to_string();
    let start = format!(
        "MNIST is not in {} and could not be downloaded ({mirror}train-images-idx3-ubyte.gz: ",
        folder.display()
    );
    let end = "); run `make setup`, or put train-images-idx3-ubyte, train-labels-idx1-ubyte there, \
               plain or as .gz, or give a folder that has them with --data";
    let failure = text.strip_prefix(&start).and_then(|rest| rest.strip_suffix(end));
    failure.unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn a_folder_may_spell_the_names_in_four_ways() {
    let tiny = Tiny::new();
    let dotted = |name: &str| name.replace("-idx", ".idx");
    let spellings: [&dyn Fn(&str) -> String; 4] =
        [&|name| name.to_owned(), &|name| format!("{name}.gz"), &|name| dotted(name), &|name| {
            format!("{}.gz", dotted(name))
        }];
    for spelling in spellings {
        let folder = TempDir::new().unwrap();
        tiny.write(folder.path(), spelling);
        let set = load_given(folder.path(), &tiny.files, Split::Train).unwrap();
        assert_eq!(set.labels(), [5, 0, 4]);
        assert_eq!(set.images().image(2), [12, 13, 14, 15, 16, 17]);
        assert_eq!((set.name(), set.classes()), ("mnist", 10));
    }
}

#[test]
fn a_split_is_its_half_or_both() {
    let tiny = Tiny::new();
    let folder = TempDir::new().unwrap();
    tiny.write(folder.path(), str::to_owned);
    let labels = |split| load_given(folder.path(), &tiny.files, split).unwrap().labels().to_vec();
    assert_eq!(labels(Split::Train), [5, 0, 4]);
    assert_eq!(labels(Split::Test), [7, 2]);
    assert_eq!(labels(Split::All), [5, 0, 4, 7, 2]);
}

#[test]
fn other_data_is_called_after_its_folder() {
    let mut tiny = Tiny::new();
    tiny.files.train[1].sha256 = "another";
    let parent = TempDir::new().unwrap();
    for (folder, name) in [("fashion", "fashion"), ("MNIST", "mnist-like")] {
        let folder = parent.path().join(folder);
        fs::create_dir(&folder).unwrap();
        tiny.write(&folder, str::to_owned);
        let set = load_given(&folder, &tiny.files, Split::All).unwrap();
        assert_eq!(set.name(), name);
        // The digits that are there are the classes, of whichever half.
        assert_eq!((set.class_names().join(" "), set.labels()), ("0 2 4 5 7".into(), &[3, 0, 2, 4, 1][..]));
        let half = load_given(&folder, &tiny.files, Split::Train).unwrap();
        assert_eq!((half.classes(), half.labels()), (5, &[3, 0, 2][..]));
        // The half that is genuine keeps its name.
        assert_eq!(load_given(&folder, &tiny.files, Split::Test).unwrap().name(), "mnist");
    }
}

#[test]
fn a_given_folder_that_lacks_a_file_is_not_filled() {
    let folder = TempDir::new().unwrap();
    let tiny = Tiny::new();
    tiny.write(folder.path(), str::to_owned);
    fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
    let (path, mirror) = (Some(folder.path().to_owned()), Some(mirror(tiny.offered())));
    let error = load(&Source { path, mirror, ..Source::default() }, Split::Test, &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} has no t10k-labels-idx1-ubyte (nor t10k-labels-idx1-ubyte.gz, \
             t10k-labels.idx1-ubyte or t10k-labels.idx1-ubyte.gz); put it there, or leave out --data \
             to have MNIST fetched",
            folder.path().display()
        )
    );
    assert_eq!(names_in(folder.path()).len(), 3);
}

#[test]
fn what_is_missing_is_downloaded() {
    let tiny = Tiny::new();
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("data/mnist");
    let address = mirror(tiny.offered());
    let mut seen = Vec::new();
    let mut progress = |p: Download<'_>| seen.push((p.file.to_owned(), p.received, p.total));

    let set = load_fetched(&folder, &tiny.files, Split::Test, &[&address], &mut progress).unwrap();
    assert_eq!((set.labels(), set.name()), ([7, 2].as_slice(), "mnist"));
    // Only the files of the split, whole and uncompressed.
    assert_eq!(names_in(&folder), ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]);
    for name in names_in(&folder) {
        assert_eq!(fs::read(folder.join(&name)).unwrap(), tiny.data(&name));
    }
    assert_eq!(
        seen,
        [("t10k-images-idx3-ubyte".to_owned(), 28, 28), ("t10k-labels-idx1-ubyte".to_owned(), 10, 10)]
    );

    // What is there stays: no mirror is asked for it again.
    let set = load_fetched(&folder, &tiny.files, Split::Test, &[], &mut ignore).unwrap();
    assert_eq!(set.labels(), [7, 2]);
}

#[test]
fn the_next_mirror_is_tried() {
    let tiny = Tiny::new();
    let parent = TempDir::new().unwrap();
    let mut half = tiny.offered();
    half.remove(1);
    let (first, second) = (mirror(half), mirror(tiny.offered()));
    let set = load_fetched(parent.path(), &tiny.files, Split::Train, &[&first, &second], &mut ignore);
    assert_eq!(set.unwrap().labels(), [5, 0, 4]);
}

#[test]
fn a_mirror_may_leave_compression_to_the_transfer() {
    let tiny = Tiny::new();
    let plain = tiny.content.iter().map(|(name, data)| (format!("/mnist/{name}.gz"), data.clone()));
    let address = mirror(plain.collect());
    let parent = TempDir::new().unwrap();
    let set = load_fetched(parent.path(), &tiny.files, Split::Train, &[&address], &mut ignore);
    assert_eq!(set.unwrap().labels(), [5, 0, 4]);
}

#[test]
fn a_mirror_may_not_have_the_file() {
    assert_eq!(failure(&Tiny::new(), &mirror(Vec::new())), "http status: 404");
}

#[test]
fn a_mirror_may_be_out_of_reach() {
    // A port that was free a moment ago, and that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = failure(&Tiny::new(), &format!("http://127.0.0.1:{port}/mnist/"));
    assert!(text.contains("Connection refused"), "{text}");
}

#[test]
fn a_mirror_may_have_another_file() {
    let text = fetch_altered(|mut data| {
        data[20] ^= 1;
        gzip(&data)
    });
    assert!(text.starts_with("is not the genuine file: SHA-256 "), "{text}");
}

#[test]
fn a_mirror_may_have_a_longer_file() {
    assert_eq!(
        fetch_altered(|data| gzip(&[data, vec![0]].concat())),
        "holds more than the 34 bytes of train-images-idx3-ubyte"
    );
}

#[test]
fn a_mirror_may_send_without_end() {
    // A small file that unpacks to 16 MiB, and a terabyte that isn't packed.
    let tiny = Tiny::new();
    let expected = "holds more than the 34 bytes of train-images-idx3-ubyte";
    assert_eq!(fetch_altered(|_| gzip(&vec![0; 1 << 24])), expected);
    let address = serve(|_, stream| respond(stream, "200 OK", 1 << 40, &[7; 1 << 20]));
    assert_eq!(failure(&tiny, &address), expected);
}

#[test]
fn a_gzip_stream_may_be_cut_off() {
    let text = fetch_altered(|data| {
        let packed = gzip(&data);
        packed[..packed.len() - 5].to_vec()
    });
    assert!(text.contains("unexpected end of file") || text.contains("corrupt"), "{text}");
}

#[test]
fn a_transfer_may_be_cut_off() {
    let tiny = Tiny::new();
    let packed = gzip(tiny.data(MNIST.train[0].name));
    let address = serve(move |_, stream| {
        respond(stream, "200 OK", packed.len(), &packed[..packed.len() / 2]);
    });
    let text = failure(&tiny, &address);
    assert!(text.contains("disconnected") || text.contains("end of file"), "{text}");
}

#[test]
fn a_file_that_is_not_genuine_is_refused_in_the_default_folder() {
    let tiny = Tiny::new();
    let folder = TempDir::new().unwrap();
    tiny.write(folder.path(), str::to_owned);
    let path = folder.path().join("train-labels-idx1-ubyte");
    let mut data = fs::read(&path).unwrap();
    data[8] = 6;
    fs::write(&path, &data).unwrap();
    let error = load_fetched(folder.path(), &tiny.files, Split::Train, &[], &mut ignore).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is not the genuine train-labels-idx1-ubyte: its uncompressed SHA-256 is {:x}, not {}; \
             move it away to have it fetched again, or give your own data with --data",
            path.display(),
            Sha256::digest(&data),
            tiny.files.train[1].sha256
        )
    );
    assert!(matches!(error, DataError::Unusable(_)));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let tiny = Tiny::new();
    let parent = TempDir::new().unwrap();
    // A file where the folder should be: that stops root, too.
    fs::write(parent.path().join("data"), "").unwrap();
    let folder = parent.path().join("data/mnist");
    let address = mirror(tiny.offered());
    let error = load_fetched(&folder, &tiny.files, Split::Train, &[&address], &mut ignore).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot keep MNIST in {}: ", folder.display())), "{text}");
    assert!(text.ends_with("or give a folder that has MNIST with --data"), "{text}");
}

#[test]
fn every_split_names_its_files() {
    let names = |split| MNIST.of(split).iter().map(|file| file.name).collect::<Vec<_>>();
    assert_eq!(names(Split::Train), ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]);
    assert_eq!(names(Split::Test), ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]);
    assert_eq!(names(Split::All), [names(Split::Train), names(Split::Test)].concat());
}
