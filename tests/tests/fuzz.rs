//! The readers of files that anyone may have written, on a million inputs that are almost right:
//! no panic, and no more memory than the input's size allows for. What the ordinary tests run is a
//! few thousand; all of them:
//!
//! ```text
//! cargo test -p tests --test fuzz -- --ignored --nocapture
//! ```
//!
//! Every input follows from its number alone, so that a failure names all that it takes to see it
//! again: `FUZZ_INPUT=12345 cargo test -p tests --test fuzz NAME`.
#![cfg(test)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::Instant;

use candle_core::{Device, Tensor};
use contract::dataset::idx::{images_from_bytes, labels_from_bytes};
use contract::{Contract, Golden, LatentDistribution, PixelRange, Training};
use flate2::Compression;
use flate2::write::GzEncoder;
use infer::{ModelSource, protocol::InferRequest};
use models::checkpoint::{Checkpoint, Contents, FORMAT, Header, Provenance};
use models::{Architecture, Sizes};
use ndarray::Array4;
use rand::Rng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

#[path = "cli/infer/tiny_model.rs"]
#[allow(dead_code, reason = "the end-to-end tests use all of it")]
mod tiny_model;

/// The system's allocator, which counts what this thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends has no counters any more, and nobody reads them.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: all work is the system allocator's; counting neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    // `alloc_zeroed` and `realloc` come through these two. A reallocation holds both, as the worst
    // case of the system's does.
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` holds at a time, beyond what was held before.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before) as usize)
}

/// What a reader may hold: some buffers of its own, and a multiple of the input.
struct Limit {
    buffers: usize,
    multiple: usize,
}

/// Makes an input from one of the seeds: flips, truncations, splices, insertions, and numbers that
/// readers trip over. Most changes are within the first `head` bytes, where readers decide.
fn mutate(random: &mut ChaCha8Rng, seeds: &[Vec<u8>], head: usize) -> Vec<u8> {
    let mut input = seeds.choose(random).unwrap().clone();
    for _ in 0..1 << random.random_range(0..4) {
        if input.is_empty() {
            break;
        }
        let length = input.len();
        let near = if random.random_bool(0.8) { length.min(head) } else { length };
        let at = random.random_range(0..near);
        match random.random_range(0..8) {
            0 => input[at] ^= 1 << random.random_range(0..8),
            1 => input[at] = random.random(),
            2 => input.truncate(random.random_range(0..length)),
            3 => {
                // A piece of another.
                let other = seeds.choose(random).unwrap();
                let start = random.random_range(0..other.len());
                let piece = &other[start..][..random.random_range(0..(other.len() - start).min(64) + 1)];
                input.splice(at..at, piece.iter().copied());
            }
            4 => {
                let end = (at + random.random_range(1..17)).min(length);
                input.drain(at..end);
            }
            5 => {
                let number: u32 =
                    *[0, 1, 2049, 2051, 0x7fff_ffff, 0x8000_0000, u32::MAX].choose(random).unwrap();
                let bytes = number.to_be_bytes();
                input.iter_mut().skip(at & !3).zip(bytes).for_each(|(byte, new)| *byte = new);
            }
            6 => {
                // A decimal number becomes another.
                if let Some(digit) = (at..length).find(|&i| input[i].is_ascii_digit()) {
                    let end = (digit..length).find(|&i| !input[i].is_ascii_digit()).unwrap_or(length);
                    let number: &&str = [
                        "0",
                        "1",
                        "-1",
                        "2.5",
                        "1e99",
                        "65537",
                        "4294967296",
                        "2305843009213693951",
                        "18446744073709551615",
                    ]
                    .choose(random)
                    .unwrap();
                    input.splice(digit..end, number.bytes());
                }
            }
            _ => {
                let more = random.random_range(1..200);
                input.extend((0..more).map(|i| (i * 7) as u8));
            }
        }
    }
    input
}

/// What became of the inputs.
#[derive(Default)]
struct Seen {
    accepted: usize,
    refused: usize,
    /// The most bytes held, for any input.
    peak: usize,
    /// The most bytes held for a byte of input.
    dearest: f64,
}

/// Feeds `read` with inputs number 0 to `count` − 1; it says whether it accepts one.
fn fuzz(
    name: &str,
    count: u64,
    limit: &Limit,
    make: impl Fn(&mut ChaCha8Rng) -> Vec<u8>,
    read: impl Fn(&[u8]) -> bool,
) {
    let only: Option<u64> = std::env::var("FUZZ_INPUT").ok().and_then(|number| number.parse().ok());
    let started = Instant::now();
    let mut seen = Seen::default();
    for number in only.map_or(0..count, |only| only..only + 1) {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let input = make(&mut random);
        let reading = std::panic::AssertUnwindSafe(|| peak_of(|| read(&input)));
        let Ok((accepted, peak)) = std::panic::catch_unwind(reading) else {
            panic!("{name} panics on FUZZ_INPUT={number}, {} bytes", input.len());
        };
        let allowed = limit.buffers + limit.multiple * input.len();
        assert!(peak <= allowed, "{name} holds {peak} bytes for {} of FUZZ_INPUT={number}", input.len());
        seen.peak = seen.peak.max(peak);
        seen.dearest = seen.dearest.max(peak as f64 / input.len().max(1) as f64);
        *(if accepted { &mut seen.accepted } else { &mut seen.refused }) += 1;
    }
    let Seen { accepted, refused, peak, dearest } = seen;
    println!(
        "{name}: {accepted} accepted, {refused} refused, at most {peak} bytes held, and {dearest:.1} a byte of \
         input, {:.1} s",
        started.elapsed().as_secs_f64()
    );
    // Inputs that are all refused at the door would test nothing.
    assert!(only.is_some() || (accepted > 0 && refused > 0));
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file of `words` and `length` bytes after them.
fn idx(words: &[u32], length: usize) -> Vec<u8> {
    let header = words.iter().flat_map(|word| word.to_be_bytes());
    header.chain((0..length).map(|i| (i * 37 % 251) as u8)).collect()
}

/// Pictures and labels, plain. Compressed ones are made of the mutated half of the time: else gzip's
/// checksum would refuse nearly all.
fn fuzz_idx(count: u64) {
    let seeds =
        [idx(&[2051, 5, 3, 4], 60), idx(&[2051, 1, 28, 28], 784), idx(&[2049, 7], 7), idx(&[2049, 300], 300)];
    let read = |input: &[u8]| {
        let images = images_from_bytes(input, Path::new("fuzz"));
        let labels = labels_from_bytes(input, Path::new("fuzz"));
        if let Ok(images) = &images {
            assert_eq!(images.pixels().len(), images.count() * images.height() * images.width());
        }
        images.is_ok() || labels.is_ok()
    };
    const HEAD: usize = 20;
    let packed = seeds.each_ref().map(|seed| gzip(seed));
    let plain = Limit { buffers: 4 << 10, multiple: 4 };
    fuzz("plain IDX", count, &plain, |random| mutate(random, &seeds, HEAD), read);
    // What gzip promises at most, and a vector that grows by doubling.
    let inflated = Limit { buffers: 128 << 10, multiple: 3 * 1032 };
    let make = |random: &mut ChaCha8Rng| match random.random_bool(0.5) {
        true => gzip(&mutate(random, &seeds, HEAD)),
        false => mutate(random, &packed, 32),
    };
    fuzz("gzip IDX", count, &inflated, make, read);
}

/// An array as NumPy writes it, of this type and shape, and `length` bytes long.
fn npy(kind: &str, is_fortran: &str, shape: &str, length: u8) -> Vec<u8> {
    let dict = format!("{{'descr': '{kind}', 'fortran_order': {is_fortran}, 'shape': ({shape}), }}\n");
    let start = [&b"\x93NUMPY\x01\x00"[..], &(dict.len() as u16).to_le_bytes(), dict.as_bytes()].concat();
    start.into_iter().chain((0..length).map(|i| i % 3)).collect()
}

/// An archive of two arrays, whose checksums are right whatever is in them.
fn npz([images, labels]: &[Vec<u8>; 2], method: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, array) in [("images.npy", images), ("labels.npy", labels)] {
        archive.start_file(name, options).unwrap();
        archive.write_all(array).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// NumPy's archives. The arrays in them are changed half of the time, and the archives themselves the other
/// half.
fn fuzz_npz(count: u64) {
    let arrays = [
        [npy("|u1", "False", "5, 3, 4", 60), npy("<i8", "False", "5,", 40)],
        [npy("<f4", "False", "2, 1, 3, 4", 96), npy("|u1", "False", "2, 1", 2)],
        [npy("|b1", "True", "3, 3, 4, 3", 108), npy(">u2", "True", "3,", 6)],
        [npy(">f2", "False", "1, 3, 4, 1", 24), npy("<f8", "False", "1,", 8)],
    ];
    let read = |input: &[u8]| {
        let read = contract::dataset::npz::read_from(Cursor::new(input), [1, 3, 4], 256);
        if let Ok((images, labels)) = &read {
            assert_eq!(images.count(), labels.len());
            let volume = images.channels() * images.height() * images.width();
            assert_eq!(images.pixels().len(), labels.len() * volume);
        }
        read.is_ok()
    };
    let make = |random: &mut ChaCha8Rng, method| match random.random_bool(0.5) {
        true => {
            let [images, labels] = arrays.choose(random).unwrap().clone();
            // Most of what is wrong with both is what is wrong with the first.
            let other = if random.random_bool(0.2) {
                mutate(random, std::slice::from_ref(&labels), 100)
            } else {
                labels
            };
            npz(&[mutate(random, &[images], 100), other], method)
        }
        false => {
            let whole: Vec<_> = arrays.iter().map(|arrays| npz(arrays, method)).collect();
            mutate(random, &whole, usize::MAX)
        }
    };
    let stored = Limit { buffers: 128 << 10, multiple: 16 };
    let method = zip::CompressionMethod::Stored;
    fuzz("stored NPZ", count, &stored, |random| make(random, method), read);
    // What deflate promises at most, and a vector that grows by doubling.
    let inflated = Limit { buffers: 128 << 10, multiple: 3 * 1032 };
    let method = zip::CompressionMethod::Deflated;
    fuzz("deflated NPZ", count, &inflated, |random| make(random, method), read);
}

/// A data set of encoded pictures in one of these formats, as `infer dataset` writes it.
fn packed(format: &str, file: &str) -> Vec<u8> {
    let format: contract::dataset::Format = format.parse().unwrap();
    let manifest = serde_json::json!({
        "format": format, "model": "m", "model_sha256": "", "engine": "none", "seed": 1, "count": 9,
        "per_file": format.per_file.map(|_| 9), "shard": {"index": 1, "of": 1}, "first": 0, "images": 9,
        "complete": 0, "labels": {"in_turn": {"classes": 2}}, "classes": ["a", "b"], "verified": null,
        "shape": [1, 3, 4], "tail": {"offset": 0, "crc32": 0},
    });
    let manifest: contract::dataset::Manifest = serde_json::from_value(manifest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join(if format.is_folder() { "" } else { file });
    let Ok(mut sink) = format.definition().open(&manifest, &output, [1, 3, 4]) else { panic!("{format}") };
    let pixels: Vec<u8> = (0..9 * 12).collect();
    let labels: Vec<i64> = (0..9).map(|index| index % 2).collect();
    let batch = contract::dataset::Batch {
        first: 0,
        labels: &labels,
        pixels: &pixels,
        shape: [1, 3, 4],
        confidences: &[],
        strings: &[],
    };
    sink.append(&batch).unwrap();
    sink.finish().unwrap();
    std::fs::read(folder.path().join(file)).unwrap()
}

/// Parquet and tar files and StyleGAN's archives: their frames. What decodes the pictures in them is elsewhere.
fn fuzz_packed(count: u64) {
    use contract::dataset::{packed::Packed, parquet, stylegan, webdataset};
    type Read = fn(&std::path::Path) -> Result<Packed, String>;
    let formats: [(&str, &str, Read, usize); 3] = [
        // The library keeps the whole of a footer, decoded.
        ("parquet", "data/train-00000-of-00001.parquet", parquet::read, 256),
        ("webdataset", "train-000000.tar", webdataset::read, 16),
        // What deflate promises at most, and a vector that grows by doubling.
        ("stylegan", "set.zip", stylegan::read, 3 * 1032),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (format, name, read, multiple) in formats {
        let whole = packed(format, name);
        let path = folder.path().join(format);
        let read = |input: &[u8]| {
            std::fs::write(&path, input).unwrap();
            let read = read(&path);
            if let Ok((pictures, labels)) = &read {
                assert!(labels.labels.is_empty() || labels.labels.len() == pictures.len());
            }
            if let Err(sentence) = &read {
                assert_eq!(sentence.lines().count(), 1, "{sentence}");
            }
            read.is_ok()
        };
        // What a Parquet file and an archive are is at their end.
        let seeds = [whole.clone()];
        let make = |random: &mut ChaCha8Rng| match random.random_bool(0.5) {
            true => mutate(random, &seeds, usize::MAX),
            false => {
                let reversed: Vec<u8> = seeds[0].iter().rev().copied().collect();
                mutate(random, &[reversed], 1500).into_iter().rev().collect()
            }
        };
        fuzz(format, count, &Limit { buffers: 1 << 20, multiple }, make, read);
    }
}

fn checkpoint() -> (Architecture, Vec<u8>) {
    let architecture = Architecture::LabelledDcgan(Sizes {
        latent: LatentDistribution::Uniform,
        latent_dim: 3,
        classes: 2,
        channels: 1,
        height: 2,
        width: 3,
        generator_filters: 1,
        generator_units: 2,
        discriminator_filters: 1,
        discriminator_units: 2,
    });
    let header = Header {
        format: FORMAT,
        architecture,
        provenance: Provenance {
            version: "0".to_string(),
            dataset: "data".to_string(),
            dataset_sha256: "ab".repeat(32),
            split: "train".to_string(),
            classes: vec!["a".to_string(), "b".to_string()],
            images: 7,
            recipe: "reference".to_string(),
            seed: 3,
            batch_size: 2,
            iterations: 5,
            epochs: 1.5,
            device: "cpu".to_string(),
        },
    };
    let generator = architecture.generator().unwrap().initialise(0, &Device::Cpu).unwrap();
    let mut contents = Contents::default();
    contents.parameters("raw", &generator);
    contents.tensor("scalar", &Tensor::new(1f32, &Device::Cpu).unwrap());
    (architecture, contents.to_bytes(&header, Path::new("fuzz")).unwrap())
}

/// Gives a changed checkpoint the digest of what it now is, so that what lies behind the check is
/// reached.
fn reseal(bytes: &mut [u8]) {
    const SEAL: &[u8] = br#"\"file_sha256\":\""#;
    let Some(start) = bytes.windows(SEAL.len()).position(|window| window == SEAL) else { return };
    let Some(digest) = bytes.get_mut(start + SEAL.len()..).and_then(|rest| rest.get_mut(..64)) else {
        return;
    };
    digest.fill(b'0');
    let hex: String = Sha256::digest(&*bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    bytes[start + SEAL.len()..][..64].copy_from_slice(hex.as_bytes());
}

/// Says how long a changed header is: else almost all would be refused there.
fn restate_length(bytes: &mut [u8]) {
    let Some(end) = bytes.windows(3).position(|window| window == b"]}}") else { return };
    let padding = bytes[end + 3..].iter().take_while(|&&byte| byte == b' ').count();
    if let Some(length) = (end + 3 + padding).checked_sub(8) {
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
    }
}

fn fuzz_checkpoint(count: u64) {
    const OLD: &[u8] = br#"\"format\":1,"#;
    let (architecture, whole) = checkpoint();
    let head = whole.windows(3).position(|window| window == b"]}}").unwrap();
    let seeds = [whole.clone()];
    let make = |random: &mut ChaCha8Rng| {
        let mut input = mutate(random, &seeds, head);
        if random.random_bool(0.7) {
            restate_length(&mut input);
            reseal(&mut input);
        }
        input
    };
    let network = architecture.generator().unwrap();
    let read = |input: &[u8]| {
        let Ok(checkpoint) = Checkpoint::from_bytes(input, Path::new("fuzz")) else { return false };
        let weights = checkpoint.parameters("raw", &network, &Device::Cpu);
        if let Ok(weights) = &weights {
            assert_eq!(weights.iter().count(), network.parameters().len());
        }
        // What `export` does with a file of anyone's.
        let _ = checkpoint.header.architecture.generator().map(|generator| generator.trainable());
        true
    };
    // Without a new digest nothing passes but the file itself.
    fuzz(
        "changed checkpoint",
        count,
        &Limit { buffers: 8 << 10, multiple: 16 },
        |random| match random.random_bool(0.01) {
            true => whole.clone(),
            false => mutate(random, &seeds, head),
        },
        |input| {
            let accepted = read(input);
            // Or what has become a file of the format before, which had no digest.
            let is_old = input.windows(OLD.len()).any(|window| window == OLD);
            assert!(accepted == (input == whole) || is_old, "a changed file was accepted");
            accepted
        },
    );
    fuzz("resealed checkpoint", count, &Limit { buffers: 8 << 10, multiple: 16 }, make, read);
}

/// A protobuf message of random fields, in one another up to `depth` times: the numbers are those of
/// onnx.proto3, so that many of them mean something there.
fn message(random: &mut ChaCha8Rng, depth: usize) -> Vec<u8> {
    const SIZES: [u64; 8] = [0, 1, 2, 3, 7, 1 << 31, 1 << 62, u64::MAX];
    let mut message = Vec::new();
    for _ in 0..random.random_range(0..7) {
        let field = random.random_range(1..27);
        match random.random_range(0..4) {
            0 => tiny_model::number(&mut message, field, *SIZES.choose(random).unwrap()),
            1 => {
                let length = random.random_range(0..20);
                let text: Vec<u8> = (0..length).map(|_| random.random_range(0..128)).collect();
                tiny_model::bytes(&mut message, field, &text);
            }
            _ if depth > 0 => {
                let inner = self::message(random, depth - 1);
                // Often the fields that lead to others: graphs, nodes, attributes, types.
                let field = *[1, 1, 2, 4, 5, 5, 6, 7, 11, 13, 14, 15, field].choose(random).unwrap();
                tiny_model::bytes(&mut message, field, &inner);
            }
            _ => tiny_model::bytes(&mut message, field, &[]),
        }
    }
    message
}

/// ONNX files: right ones that were changed, and messages of which nearly all is wrong but the encoding.
fn fuzz_onnx(count: u64) {
    let seeds = [
        tiny_model::TinyModel::default().bytes(),
        tiny_model::TinyModel { contract: None, ..Default::default() }.bytes(),
    ];
    let make = |random: &mut ChaCha8Rng| {
        let input = match random.random_range(0..3) {
            0 => mutate(random, &seeds, usize::MAX),
            // All lengths stay right, so that what lies behind the encoding is reached.
            1 => {
                let mut input = seeds.choose(random).unwrap().clone();
                for _ in 0..random.random_range(1..4) {
                    *input.choose_mut(random).unwrap() = random.random();
                }
                input
            }
            _ => {
                let mut model = Vec::new();
                tiny_model::number(&mut model, 1, 8);
                tiny_model::bytes(&mut model, 7, &message(random, 7));
                model.extend(message(random, 4));
                model
            }
        };
        match !input.is_empty() && random.random_bool(0.2) {
            true => mutate(random, &[input, seeds[0].clone()], usize::MAX),
            false => input,
        }
    };
    let path = Path::new("fuzz");
    let decoded = Limit { buffers: 16 << 10, multiple: 100 };
    fuzz("ONNX reader", count, &decoded, make, |input| export::reader::decode(input, path).is_ok());
    let described = Limit { buffers: 16 << 10, multiple: 150 };
    fuzz("ONNX report", count, &described, make, |input| {
        let Ok(report) = export::inspect::describe(input, path) else { return false };
        assert_eq!(report.bytes, input.len());
        let text = report.to_string();
        assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
        serde_json::to_string_pretty(&report).unwrap();
        true
    });
}

/// The most memory for a byte: the same part without contents again and again, at every place that
/// parts of an ONNX file have.
#[test]
fn onnx_files_made_to_fill_memory() {
    const PLACES: [&[u64]; 12] = [
        &[],
        &[7],
        &[7, 1],
        &[7, 1, 5],
        &[7, 1, 5, 5],
        &[7, 5],
        &[7, 5, 13],
        &[7, 11],
        &[7, 11, 2],
        &[7, 11, 2, 1, 2],
        &[25],
        &[25, 7, 5],
    ];
    const LENGTH: usize = 50_000;
    let mut dearest = (0, Vec::new());
    for place in PLACES {
        for (field, wire) in (1..27u64).flat_map(|field| [0, 1, 2].map(|wire| (field, wire))) {
            let mut part = Vec::new();
            match wire {
                0 => (0..LENGTH).for_each(|_| tiny_model::number(&mut part, field, 0)),
                1 => (0..LENGTH).for_each(|_| tiny_model::bytes(&mut part, field, &[])),
                // The numbers of a packed list.
                _ => tiny_model::bytes(&mut part, field, &vec![0; LENGTH]),
            }
            let mut model = place.iter().rev().fold(part, |inner, &field| {
                let mut outer = Vec::new();
                tiny_model::bytes(&mut outer, field, &inner);
                outer
            });
            tiny_model::number(&mut model, 1, 8);
            let (_, peak) = peak_of(|| export::reader::decode(&model, Path::new("fuzz")).is_ok());
            let allowed = (1 << 20) + 450 * model.len();
            assert!(peak <= allowed, "field {field} in {place:?} takes {peak} bytes of {}", model.len());
            dearest = dearest.max((peak / model.len(), [place, &[field]].concat()));
        }
    }
    println!("at most {} bytes for a byte, field {:?}", dearest.0, dearest.1);
}

/// Files that were changed in a few bytes, and that ONNX Runtime gets to see if they pass the reader.
#[test]
fn changed_onnx_files_are_compared_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = tiny_model::TinyModel::default().bytes();
    let [a, b] = ["whole.onnx", "changed.onnx"].map(|name| folder.path().join(name));
    std::fs::write(&a, &whole).unwrap();
    let options = export::diff::Options {
        a,
        b: b.clone(),
        tolerance: export::diff::TOLERANCE,
        seed: 0,
        sizes: Default::default(),
        runtime: Some(tests::runtime_library()),
    };
    let (mut same, mut other, mut refused) = (0, 0, 0);
    for number in 0..300 {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let mut changed = whole.clone();
        for _ in 0..random.random_range(1..4) {
            *changed.choose_mut(&mut random).unwrap() = random.random();
        }
        std::fs::write(&b, changed).unwrap();
        match export::diff::diff(&options) {
            Ok(report) if report.within => same += 1,
            Ok(_) => other += 1,
            Err(error) => {
                assert!(error.is_bad_request(), "{number}: {error}");
                refused += 1;
            }
        }
    }
    println!("{same} the same, {other} not the same, {refused} refused");
    assert!(same > 0 && other > 0 && refused > 0);
}

/// A generator's file in single precision as `export` writes it, too small to draw anything, without a golden
/// case: an input that was changed would not draw it.
fn exported() -> Vec<u8> {
    let pair = Architecture::LabelledDcgan(Sizes {
        latent: LatentDistribution::Uniform,
        latent_dim: 3,
        classes: 2,
        channels: 1,
        height: 4,
        width: 6,
        generator_filters: 1,
        generator_units: 2,
        discriminator_filters: 1,
        discriminator_units: 2,
    });
    let network = pair.generator().unwrap();
    let weights = network.initialise(3, &Device::Cpu).unwrap();
    let names = export::lower::Names { input: "z", label: "label", output: "image" };
    let graph = export::lower::lower(&network, &weights, &names).unwrap();
    let graph = export::passes::simplify(graph).unwrap();
    let producer = export::onnx::Producer { name: "edgegan".into(), version: "0.1.0".into() };
    let mut model = export::onnx::Model::new(&graph, producer).unwrap();
    let contract = Contract {
        architecture: "labelled-dcgan".into(),
        dataset: "fuzz".into(),
        classes: vec!["a".into(), "b".into()],
        latent_dim: 3,
        latent_distribution: LatentDistribution::Uniform,
        pixel_range: PixelRange::ZeroToOne,
        training: Training::default(),
        quality: Default::default(),
        golden: None,
    };
    model.set_metadata(contract.to_metadata());
    model.encode()
}

/// A few bytes of a file changed, its lengths mostly right.
fn slightly_changed(random: &mut ChaCha8Rng, whole: &[u8]) -> Vec<u8> {
    let mut changed = whole.to_vec();
    for _ in 0..random.random_range(1..4) {
        *changed.choose_mut(random).unwrap() = random.random();
    }
    changed
}

/// Files for `export --from`, read into its own graph.
fn fuzz_exported(count: u64) {
    let seeds = [exported()];
    let make = |random: &mut ChaCha8Rng| match random.random_bool(0.3) {
        true => mutate(random, &seeds, usize::MAX),
        false => slightly_changed(random, &seeds[0]),
    };
    let limit = Limit { buffers: 64 << 10, multiple: 150 };
    fuzz("exported file", count, &limit, make, |input| {
        export::from_file::Source::from_bytes(input.to_vec(), Path::new("fuzz")).is_ok()
    });
}

#[test]
fn exported_files() {
    fuzz_exported(5_000);
}

#[test]
#[ignore = "takes minutes; see the top of this file"]
fn a_million_exported_files() {
    fuzz_exported(1_000_000);
}

/// What becomes of files that were changed in a few bytes: written anew, or refused in one line with nothing
/// written.
fn made_or_refused(name: &str, whole: &[u8], count: u64, make: impl Fn(&Path, &Path) -> export::Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let [file, out] = ["changed.onnx", "new.onnx"].map(|name| folder.path().join(name));
    let (mut made, mut refused) = (0, 0);
    for number in 0..count {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        std::fs::write(&file, slightly_changed(&mut random, whole)).unwrap();
        match make(&file, &out) {
            Ok(()) => {
                std::fs::remove_file(&out).unwrap();
                made += 1;
            }
            Err(_) => {
                assert!(!out.exists(), "{name} {number}");
                refused += 1;
            }
        }
    }
    println!("{name}: {made} made, {refused} refused");
    assert!(made > 0 && refused > 0);
}

#[test]
fn changed_files_take_another_form_or_are_refused() {
    made_or_refused("--from", &exported(), 300, |file, out| {
        let form =
            export::form::Form { precision: export::form::Precision::Fp16, ..export::form::Form::default() };
        let runtime = Some(tests::runtime_library());
        let (from, out) = (file.to_path_buf(), out.to_path_buf());
        export::from_file::export(&export::from_file::Options {
            from,
            form,
            target: None,
            judge: None,
            out,
            runtime,
        })
        .map(|_| ())
    });
}

#[test]
fn changed_files_are_adopted_or_refused() {
    let bare = tiny_model::TinyModel { contract: None, ..Default::default() }.bytes();
    let levels = std::fs::read(tests::checkout().join("tests/adopt/levels.onnx")).unwrap();
    for (name, whole, layout) in
        [("bare", bare, export::adopt::Layout::Nchw), ("levels", levels, export::adopt::Layout::Nhwc)]
    {
        made_or_refused(name, &whole, 150, |file, out| {
            let options = export::adopt::Options {
                file: file.to_path_buf(),
                out: out.to_path_buf(),
                latent: Some(LatentDistribution::Normal),
                classes: Some(["a", "b", "c"].map(String::from).to_vec()),
                layout: Some(layout),
                runtime: Some(tests::runtime_library()),
                ..Default::default()
            };
            export::adopt::adopt(&options).map(|_| ())
        });
    }
}

/// Every truncation of a file, not only some.
#[test]
fn truncated_onnx_files() {
    let whole = tiny_model::TinyModel::default().bytes();
    let whole_report = export::inspect::describe(&whole, Path::new("fuzz")).unwrap();
    for length in 0..whole.len() {
        // A cut between two entries of the metadata, which come last, leaves a shorter model.
        if let Ok(report) = export::inspect::describe(&whole[..length], Path::new("fuzz")) {
            assert_eq!(report.nodes, whole_report.nodes, "cut to {length} bytes");
            assert!(report.metadata.len() < whole_report.metadata.len(), "cut to {length} bytes");
        }
    }
}

/// A model as `infer` reads it before any engine does: a graph with a node, a weight, the inputs and
/// the output of a generator, and its metadata.
fn model() -> Vec<u8> {
    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = value.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(value);
        bytes
    }
    // `ValueInfoProto` of a tensor whose first dimension is `batch`.
    let outlet = |name: &str, element: u8, dims: &[u8]| {
        let fixed = dims.iter().flat_map(|&dim| field(1, &[8, dim]));
        let shape: Vec<u8> = field(1, &field(2, b"batch")).into_iter().chain(fixed).collect();
        let tensor = [vec![8, element], field(2, &shape)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    };
    let graph = [
        field(1, &[field(1, b"z"), field(4, b"MatMul")].concat()),
        field(5, &[field(8, b"weight"), field(9, &[7; 300])].concat()),
        field(11, &outlet("z", 1, &[4])),
        field(11, &outlet("label", 7, &[])),
        field(12, &outlet("image", 1, &[1, 2, 3])),
    ]
    .concat();
    let contract = Contract {
        architecture: "tiny".into(),
        dataset: "data".into(),
        classes: vec!["a".into(), "b".into()],
        latent_dim: 4,
        latent_distribution: LatentDistribution::Normal,
        pixel_range: PixelRange::MinusOneToOne,
        training: Training { epochs: Some(3), ..Training::default() },
        quality: Default::default(),
        golden: Some(Golden::new(0, vec![0, 1], &Array4::zeros((2, 1, 2, 3)), 1)),
    };
    let metadata = contract.to_metadata().into_iter();
    let metadata = metadata
        .flat_map(|(key, value)| field(14, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat()));
    [vec![8, 8], field(7, &graph)].concat().into_iter().chain(metadata).collect()
}

fn fuzz_model(count: u64) {
    let seeds = [model()];
    let read = |bytes: &[u8]| ModelSource::Bytes { name: "fuzz", bytes }.contract().is_ok();
    // JSON's values are larger than their text, by far where it is `[[],[],…]`.
    let limit = Limit { buffers: 16 << 10, multiple: 16 };
    fuzz("model", count, &limit, |random| mutate(random, &seeds, usize::MAX), read);
}

/// A request of the server's protocol: four bytes that say how much is JSON, as a header does, then the body.
fn protocol_request(json: &str, binary: &[u8]) -> Vec<u8> {
    [&(json.len() as u32).to_le_bytes()[..], json.as_bytes(), binary].concat()
}

fn fuzz_protocol(count: u64) {
    let label = r#"{"name": "label", "shape": [3], "datatype": "INT64", "data": [5, 0, -9]}"#;
    let seeds = [
        protocol_request(
            &format!(r#"{{"id": "a", "parameters": {{"seed": 7, "x": [[], {{}}]}}, "inputs": [{label}]}}"#),
            b"",
        ),
        protocol_request(
            r#"{"inputs": [{"name": "z", "shape": [2, 3], "datatype": "FP32", "data": [[0.5, -1, 2e-3], [1, 2, 3]]}]}"#,
            b"",
        ),
        protocol_request(
            r#"{"inputs": [{"name": "z", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}},
                {"name": "label", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": 16}},
                {"name": "u", "shape": [1], "datatype": "UINT8", "parameters": {"binary_data_size": 1}}],
                "outputs": [{"name": "image", "parameters": {"binary_data": true}}]}"#,
            &[7; 33],
        ),
    ];
    let make = |random: &mut ChaCha8Rng| {
        let mut input = mutate(random, &seeds, usize::MAX);
        // Else what changes the JSON's length is nearly always refused for that alone.
        if random.random_bool(0.7)
            && let Some(end) = input.iter().rposition(|byte| *byte == b'}').filter(|end| *end >= 4)
        {
            input[..4].copy_from_slice(&(end as u32 - 3).to_le_bytes());
        }
        input
    };
    let read = |input: &[u8]| {
        let Some((length, body)) = input.split_first_chunk() else { return false };
        let length = u32::from_le_bytes(*length) as usize;
        let read = InferRequest::parse(body, (length != 1).then_some(length));
        if let Ok(request) = &read {
            for tensor in &request.inputs {
                assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len());
            }
        }
        read.is_ok()
    };
    // JSON's values are larger than their text, as above.
    let limit = Limit { buffers: 16 << 10, multiple: 24 };
    fuzz("request", count, &limit, make, read);
}

#[test]
fn a_million_requests() {
    fuzz_protocol(1_000_000);
}

#[test]
fn models() {
    fuzz_model(5_000);
}

#[test]
#[ignore = "takes minutes; see the top of this file"]
fn a_million_models() {
    fuzz_model(1_000_000);
}

#[test]
fn idx_files() {
    fuzz_idx(5_000);
}

#[test]
fn files_of_encoded_pictures() {
    fuzz_packed(1_000);
}

#[test]
#[ignore = "takes minutes; see the top of this file"]
fn many_files_of_encoded_pictures() {
    fuzz_packed(100_000);
}

#[test]
fn npz_files() {
    fuzz_npz(5_000);
}

#[test]
#[ignore = "takes minutes; see the top of this file"]
fn a_million_npz_files() {
    fuzz_npz(1_000_000);
}

#[test]
fn checkpoints() {
    fuzz_checkpoint(5_000);
}

#[test]
fn onnx_files() {
    fuzz_onnx(5_000);
}

#[test]
#[ignore = "takes minutes; see the top of this file"]
fn a_million_onnx_files() {
    fuzz_onnx(1_000_000);
}

#[test]
#[ignore = "takes minutes; see the top of this file"]
fn a_million_idx_files() {
    fuzz_idx(1_000_000);
}

#[test]
#[ignore = "takes minutes; see the top of this file"]
fn a_million_checkpoints() {
    fuzz_checkpoint(1_000_000);
}
