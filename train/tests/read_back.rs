//! `train` and `evaluate` read back all that `infer dataset` writes, whole and as it was stopped.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use contract::dataset::{Batch, FORMATS, Format, Manifest};
use serde_json::{Value, json};
use train::sources::{Images, LabelledImages, Source, Split, load, load_any};

/// Images, and how many of them are test images where the format has a place for these.
const COUNT: u64 = 230;
const TEST: u64 = 17;

/// Pixels that differ from image to image, channel to channel and place to place.
fn pixels(shape: [usize; 3]) -> Vec<u8> {
    (0..COUNT as usize * shape.iter().product::<usize>())
        .map(|i| (i * 7 + i / 13 * 5 + i / 101) as u8)
        .collect()
}

fn manifest(format: Format, shape: [usize; 3], classes: &[&str], test: u64) -> Manifest {
    let test = if format.has_test { test } else { 0 };
    let per_file = format.per_file.map(|_| 120);
    let manifest: Value = json!({
        "format": format, "model": "m", "model_sha256": "", "engine": "none", "seed": 1, "count": COUNT - test,
        "test": test, "per_file": per_file, "shard": {"index": 1, "of": 1}, "first": 0, "images": COUNT,
        "complete": 0, "labels": {"in_turn": {"classes": classes.len()}}, "classes": classes, "verified": null,
        "shape": shape, "tail": {"offset": 0, "crc32": 0},
    });
    serde_json::from_value(manifest).unwrap()
}

/// Writes a data set as `infer` does, whole.
fn write(folder: &Path, format: Format, shape: [usize; 3], classes: &[&str]) -> PathBuf {
    write_to(folder, manifest(format, shape, classes, TEST), COUNT)
}

/// As [`write`], as far as image `end`.
fn write_to(folder: &Path, mut manifest: Manifest, end: u64) -> PathBuf {
    let Manifest { format, ref classes, shape: Some(shape), .. } = manifest else { panic!("no shape") };
    let classes = classes.clone();
    let name = match format.extension {
        Some(extension) => format!("set.{extension}"),
        None => "set".into(),
    };
    let output = folder.join(name);
    if format.is_folder() {
        fs::create_dir(&output).unwrap();
    }
    let mut sink =
        format.definition().open(&manifest, &output, shape).map_err(|error| error.to_string()).unwrap();
    let (all, size) = (pixels(shape), shape.iter().product::<usize>());
    for first in (0..end).step_by(50) {
        let images = first..(first + 50).min(end);
        let labels: Vec<i64> =
            images.clone().map(|index| (index % classes.len().max(1) as u64) as i64).collect();
        let labels = if classes.is_empty() { &[] } else { labels.as_slice() };
        let pixels = &all[images.start as usize * size..images.end as usize * size];
        sink.append(&Batch { first, labels, pixels, shape, confidences: &[], strings: &[] }).unwrap();
    }
    manifest.tail = sink.checkpoint().unwrap();
    manifest.complete = sink.safe_up_to().unwrap_or(end);
    sink.finish().unwrap();
    manifest.write(&Manifest::path(format, &output)).unwrap();
    output
}

fn read(path: &Path, split: Split) -> LabelledImages {
    let source = Source { path: Some(path.into()), ..Source::default() };
    let loaded = load_any(&source, split, &mut |_| {});
    let loaded = loaded.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(loaded.notes, [""; 0], "{}", path.display());
    loaded.data
}

/// Pictures in the order in which they were drawn: folders have them class by class.
fn in_order(data: &LabelledImages, classes: usize) -> (Vec<u8>, Vec<u8>) {
    let mut next = vec![0; classes];
    let places: Vec<usize> = (0..data.len())
        .map(|i| {
            let class = i % classes;
            let place = data.labels().iter().enumerate().filter(|(_, label)| usize::from(**label) == class);
            let place = place.map(|(place, _)| place).nth(next[class]).unwrap();
            next[class] += 1;
            place
        })
        .collect();
    let images: Images = data.images().picked(&places).unwrap();
    (images.pixels().to_vec(), places.iter().map(|&place| data.labels()[place]).collect())
}

#[test]
fn every_form_in_grey_and_in_colour_with_its_classes() {
    let classes = ["short", "middle", "long"];
    for shape in [[1, 4, 3], [3, 4, 3]] {
        for &format in FORMATS {
            let folder = tempfile::tempdir().unwrap();
            let path = write(folder.path(), format, shape, &classes);
            let data = read(&path, if format.has_test { Split::All } else { Split::Train });
            assert_eq!(data.images().shape(), shape, "{format}");
            // A folder has no order of classes but that of their names.
            if format.name == "folder" {
                assert_eq!(data.class_names(), ["long", "middle", "short"]);
                fs::write(path.join("classes.txt"), classes.join("\n")).unwrap();
            } else {
                assert_eq!(data.class_names(), classes, "{format}");
            }
            let data = read(&path, if format.has_test { Split::All } else { Split::Train });
            let (found, labels) = in_order(&data, 3);
            assert!(labels.iter().enumerate().all(|(i, label)| i % 3 == usize::from(*label)), "{format}");
            assert!(found == pixels(shape), "{format}, {shape:?}: other pixels");
            if format.has_test {
                let test = read(&path, Split::Test);
                assert_eq!((test.len() as u64, test.class_names()), (TEST, &classes.map(String::from)[..]));
                let first = (COUNT - TEST) as usize * shape.iter().product::<usize>();
                assert!(test.images().pixels() == &pixels(shape)[first..], "{format}, {shape:?}");
            }
        }
    }
}

#[test]
fn what_was_stopped_is_read_as_far_as_it_is_complete() {
    let classes = ["a", "b"];
    for &format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        // 50 images into the second file of those that are in several, after no whole group of rows.
        let path = write_to(folder.path(), manifest(format, [1, 4, 3], &classes, 0), 170);
        let data = read(&path, Split::Train);
        let expected = if format.name == "parquet" { 120 } else { 170 };
        assert_eq!(data.len(), expected, "{format}");
        assert!(in_order(&data, 2).0 == pixels([1, 4, 3])[..expected * 12], "{format}");
    }
}

#[test]
fn pictures_without_labels_are_for_evaluate_and_refused_by_train() {
    for &format in FORMATS.iter().filter(|format| !["idx", "folder", "npz"].contains(&format.name)) {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), format, [3, 4, 3], &[]);
        let data = read(&path, if format.has_test { Split::All } else { Split::Train });
        assert!(!data.has_labels() && data.images().pixels() == pixels([3, 4, 3]), "{format}");
        let source = Source { path: Some(path), ..Source::default() };
        let error = load(&source, Split::Train, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("have no labels") && error.contains("--unlabelled"), "{error}");
    }
}

/// Cut off, changed and empty files are refused in a sentence that names them.
#[test]
fn damage_is_one_sentence() {
    for name in ["parquet", "webdataset", "stylegan", "jsonl", "raw", "npz"] {
        let format: Format = name.parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), format, [1, 4, 3], &["a", "b"]);
        let file = match name {
            "parquet" => path.join("data/train-00000-of-00002.parquet"),
            "webdataset" => path.join("train-000000.tar"),
            _ => path.clone(),
        };
        let whole = fs::read(&file).unwrap();
        let source = Source { path: Some(path), ..Source::default() };
        for damaged in [&whole[..0], &whole[..whole.len() / 2 + 9], &[7; 5000]] {
            fs::write(&file, damaged).unwrap();
            let error = load(&source, Split::Train, &mut |_| {}).unwrap_err().to_string();
            let known = error.contains(&file.display().to_string()) && error.lines().count() == 1;
            assert!(known, "{name}, {} bytes: {error}", damaged.len());
        }
    }
}
