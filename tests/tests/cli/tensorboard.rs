//! A run's event files as TensorBoard's own reader sees them: they say what `metrics.jsonl` says.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tests::Shell;

use super::train::{GRID, arguments, checkpoint, frames, shell};

/// Tags of scalars, and the metrics that they show.
const SCALARS: [(&str, &str); 5] = [
    ("loss/d", "loss_d"),
    ("loss/g", "loss_g"),
    ("probability/d_fake", "d_fake"),
    ("probability/d_real", "d_real"),
    ("speed/images_per_second", "images_per_second"),
];

/// What the reader finds in `run/`.
fn read(shell: &Shell) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/read_events.py");
    let output = Command::new(tests::python()).arg(script).arg(shell.path("run")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the reader refused the run:\n{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The lines of `run/metrics.jsonl`.
fn metrics(shell: &Shell) -> Vec<Value> {
    let text = fs::read_to_string(shell.path("run/metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The event files of `run/`, oldest first.
fn event_files(shell: &Shell) -> Vec<PathBuf> {
    let files = shell.files().into_iter();
    files.filter(|name| name.starts_with("run/events.out.tfevents.")).map(|name| shell.path(name)).collect()
}

/// The same steps once each, in order, with the same values.
fn assert_scalars_are_the_metrics(found: &Value, metrics: &[Value]) {
    let tags: Vec<&str> = found["scalars"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(tags, SCALARS.map(|(tag, _)| tag));
    for (tag, key) in SCALARS {
        // An event holds 32 bits of a number; JSON's reader may differ in the last of 64.
        let number = |value: &Value| value.as_f64().unwrap() as f32;
        let expected = metrics.iter().map(|line| (line["iteration"].as_u64().unwrap(), number(&line[key])));
        let scalars = found["scalars"][tag].as_array().unwrap().iter();
        let scalars = scalars.map(|scalar| (scalar[0].as_u64().unwrap(), number(&scalar[1])));
        assert_eq!(scalars.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{tag}");
    }
}

/// The grids of these steps, the first of which is epoch 1's, byte for byte.
fn assert_images_are_the_grids(found: &Value, shell: &Shell, steps: &[u64]) {
    let images = found["images"]["samples"].as_array().unwrap();
    assert_eq!(images.len(), steps.len());
    for ((image, step), epoch) in images.iter().zip(steps).zip(1..) {
        assert_eq!(image[0].as_u64(), Some(*step));
        assert_eq!((image[1].as_u64().unwrap(), image[2].as_u64().unwrap()), (GRID.0.into(), GRID.1.into()));
        let bytes: Vec<u8> = serde_json::from_value(image[3].clone()).unwrap();
        assert!(bytes == fs::read(shell.path(format!("run/samples/epoch-{epoch:03}.png"))).unwrap());
        let picture = image::load_from_memory(&bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), GRID);
    }
}

/// The histograms of these steps count each of a batch's 4 pictures once and have the metrics' mean.
fn assert_histograms_fit_the_metrics(found: &Value, metrics: &[Value], steps: &[u64]) {
    for key in ["d_real", "d_fake"] {
        let histograms = found["histograms"][format!("probabilities/{key}")].as_array().unwrap();
        assert_eq!(histograms.iter().map(|h| h[0].as_u64().unwrap()).collect::<Vec<_>>(), steps);
        for histogram in histograms {
            let line = metrics.iter().find(|line| line["iteration"] == histogram[0]).unwrap();
            let number = |name: &str| histogram[1][name].as_f64().unwrap();
            let numbers =
                |name: &str| serde_json::from_value::<Vec<f64>>(histogram[1][name].clone()).unwrap();
            let (min, max, sum) = (number("min"), number("max"), number("sum"));
            assert_eq!(number("num"), 4.);
            assert!((sum / 4. - line[key].as_f64().unwrap()).abs() < 1e-6, "{key} {histogram} {line}");
            assert!(0. <= min && min <= sum / 4. && sum / 4. <= max && max <= 1., "{key} {histogram}");
            let squares = number("sum_squares");
            assert!(sum * sum / 4. <= squares + 1e-12 && squares <= max * sum + 1e-12, "{key} {histogram}");

            let (limits, counts) = (numbers("bucket_limit"), numbers("bucket"));
            assert_eq!((limits.len(), counts.iter().sum::<f64>()), (counts.len(), 4.));
            assert!(limits.is_sorted_by(|a, b| a < b), "{limits:?}");
            // The first bucket holds the smallest value and the last the largest.
            assert!(counts[0] > 0. && counts[counts.len() - 1] > 0., "{counts:?}");
            assert!(min < limits[0] && max <= limits[limits.len() - 1], "{key} {histogram}");
            assert!(limits.iter().rev().skip(1).all(|&limit| limit <= max), "{key} {histogram}");
        }
    }
}

#[test]
fn tensorboard_reads_what_the_metrics_say() {
    let shell = shell();
    shell.succeed(&arguments(&["--epochs", "3", "--out", "run", "--quiet"]));
    let (found, metrics) = (read(&shell), metrics(&shell));
    // 33 pictures in batches of 4: the first iteration is logged, and the last of each epoch.
    let steps = metrics.iter().map(|line| line["iteration"].as_u64().unwrap());
    assert_eq!(steps.collect::<Vec<_>>(), [1, 3, 6, 9]);
    assert_scalars_are_the_metrics(&found, &metrics);
    assert_images_are_the_grids(&found, &shell, &[3, 6, 9]);
    assert_histograms_fit_the_metrics(&found, &metrics, &[3, 6, 9]);
}

#[test]
fn what_a_killed_run_did_after_its_checkpoint_is_shown_once() {
    let shell = shell();
    shell.succeed(&arguments(&["--epochs", "1", "--out", "run", "--quiet"]));
    let first = fs::read(checkpoint(&shell, "run", 3)).unwrap();
    shell.succeed(&["--resume", "run", "--epochs", "3", "--quiet"]);

    // As after a kill in the third epoch that left half an event: the checkpoint is the first's.
    fs::remove_dir_all(shell.path("run/checkpoints")).unwrap();
    fs::create_dir(shell.path("run/checkpoints")).unwrap();
    fs::write(checkpoint(&shell, "run", 3), first).unwrap();
    let newest = event_files(&shell).pop().unwrap();
    File::options().append(true).open(newest).unwrap().write_all(&[24, 0, 0, 0, 0, 0, 0, 0, 163]).unwrap();
    let lost = metrics(&shell);
    assert_scalars_are_the_metrics(&read(&shell), &lost);
    shell.succeed(&["--resume", "run", "--epochs", "2", "--quiet"]);

    assert_eq!(event_files(&shell).len(), 3);
    let (found, metrics) = (read(&shell), metrics(&shell));
    let steps: Vec<u64> = metrics.iter().map(|line| line["iteration"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 3, 6]);
    assert_scalars_are_the_metrics(&found, &metrics);
    assert_images_are_the_grids(&found, &shell, &[3, 6]);
    assert_histograms_fit_the_metrics(&found, &metrics, &[3, 6]);
    assert!(!shell.path("run/samples/epoch-003.png").exists());
    assert_eq!(frames(&shell, "run").len(), 2);
    // Time goes on from the last line that was kept.
    let elapsed = metrics.iter().map(|line| line["elapsed_seconds"].as_f64().unwrap());
    assert!(elapsed.is_sorted(), "{metrics:?}");
}
