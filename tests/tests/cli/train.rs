//! `train`: what a run leaves, and what it says to bad input.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use models::checkpoint::{Checkpoint, Contents, Header};
use models::{Architecture, Sizes};
use tests::Shell;

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

/// 11 pictures of 8×12 pixels with labels 0 to 9: few enough to be quick, and they don't divide
/// into batches of 4.
fn write_digits(shell: &Shell, folder: &str) -> PathBuf {
    let (n, height, width) = (11u32, 8u32, 12u32);
    let mut images = [2051, n, height, width].map(u32::to_be_bytes).concat();
    images.extend((0..n * height * width).map(|i| (i * 37 % 251) as u8));
    let mut labels = [2049, n].map(u32::to_be_bytes).concat();
    labels.extend((0..n).map(|i| (i * 7 % 10) as u8));
    fs::create_dir_all(shell.path(folder)).unwrap();
    shell.write(&format!("{folder}/{IMAGES}"), images);
    shell.write(&format!("{folder}/{LABELS}"), labels);
    shell.path(folder)
}

/// A shell with data in `digits/`.
pub(crate) fn shell() -> Shell {
    let shell = Shell::new("train");
    write_digits(&shell, "digits");
    shell
}

const RUN: [&str; 6] = ["--data", "digits", "--batch-size", "4", "--seed", "3"];

pub(crate) fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    RUN.iter().copied().chain(more.iter().copied()).collect()
}

/// Ten columns of 12 and eight rows of 8 pixels, two between them.
pub(crate) const GRID: (u32, u32) = (10 * 14 - 2, 8 * 10 - 2);

/// The greys of an epoch's grid.
fn picture_bytes(shell: &Shell, run: &str, epoch: u64) -> Vec<u8> {
    image::open(shell.path(run).join(format!("samples/epoch-{epoch:03}.png")))
        .unwrap()
        .into_luma8()
        .into_raw()
}

/// The greys of each frame of the run's animation.
pub(crate) fn frames(shell: &Shell, run: &str) -> Vec<Vec<u8>> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let file = File::open(shell.path(run).join("samples.gif")).unwrap();
    let frames = options.read_info(file).unwrap().into_iter();
    frames.map(|frame| frame.unwrap().buffer.chunks(4).map(|pixel| pixel[0]).collect()).collect()
}

#[test]
fn a_run_leaves_checkpoints_metrics_and_pictures() {
    let shell = shell();
    let stdout = shell.succeed(&arguments(&["--epochs", "2", "--out", "run", "--json"]));
    let lines: Vec<serde_json::Value> = stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    // 22 pictures in batches of 4: the first epoch ends in iteration 3, the second in iteration 6.
    assert_eq!(lines.iter().map(|l| l["iteration"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 6]);
    for line in &lines {
        for figure in
            ["epoch", "loss_d", "loss_g", "d_real", "d_fake", "images_per_second", "elapsed_seconds"]
        {
            assert!(line[figure].as_f64().unwrap() > 0., "{figure} in {line}");
        }
    }

    let metrics = fs::read_to_string(shell.path("run/metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().last(), stdout.lines().last());
    for epoch in 1..=2 {
        let picture = image::open(shell.path(format!("run/samples/epoch-00{epoch}.png"))).unwrap();
        assert_eq!((picture.width(), picture.height()), GRID);
    }
    assert_eq!(frames(&shell, "run"), [picture_bytes(&shell, "run", 1), picture_bytes(&shell, "run", 2)]);

    let checkpoint = Checkpoint::load(&shell.path("run/generator.safetensors")).unwrap();
    let provenance = &checkpoint.header.provenance;
    assert_eq!((provenance.dataset.as_str(), provenance.iterations, provenance.seed), ("digits", 6, 3));
    let architecture = checkpoint.header.architecture;
    assert_eq!((architecture.sizes().height, architecture.sizes().width), (8, 12));
    let generator = architecture.generator().unwrap();
    for group in ["average", "raw"] {
        checkpoint.parameters(group, &generator, &candle_core::Device::Cpu).unwrap();
    }
}

/// A run's checkpoints, oldest first.
pub(crate) fn checkpoints(shell: &Shell, run: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(shell.path(run).join("checkpoints")).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The tensors of the newest checkpoint and of the generator, and the grid after `epoch`.
pub(crate) fn results(shell: &Shell, run: &str, epoch: u64) -> [Vec<u8>; 3] {
    let tensors = |file: &Path| {
        let bytes = fs::read(file).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    let grid = fs::read(shell.path(run).join(format!("samples/epoch-{epoch:03}.png"))).unwrap();
    let newest = checkpoints(shell, run).pop().unwrap();
    [tensors(&newest), tensors(&shell.path(run).join("generator.safetensors")), grid]
}

/// A run's checkpoint after `iterations`.
pub(crate) fn checkpoint(shell: &Shell, run: &str, iterations: u64) -> PathBuf {
    shell.path(run).join(format!("checkpoints/{iterations:08}.safetensors"))
}

#[test]
fn a_reader_that_closes_the_pipe_ends_no_training() {
    let shell = shell();
    let run = arguments(&["--epochs", "2", "--out", "run", "--json"]);
    let mut train = shell.command(&run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(train.stdout.take());
    let output = train.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(Checkpoint::load(&checkpoint(&shell, "run", 6)).unwrap().header.provenance.iterations, 6);
}

#[test]
fn the_newest_run_is_resumed_and_a_finished_one_says_so() {
    let shell = shell();
    shell.fail(&["--resume"], 2, &["there is no run under runs/", "cargo train"]);
    shell.succeed(&arguments(&["--epochs", "1", "--quiet"]));
    assert!(checkpoint(&shell, "runs/00001-digits", 3).exists());
    shell.fail(&["--resume"], 2, &["runs/00001-digits has done its 1 epochs", "--epochs"]);
    shell.succeed(&["--resume", "--epochs", "2", "--quiet"]);
    assert!(shell.path("runs/00001-digits/samples/epoch-002.png").exists());
    shell.fail(&arguments(&["--out", "runs/00001-digits"]), 2, &["holds a run already", "--resume"]);
}

#[test]
fn data_that_are_not_there_or_not_whole() {
    let shell = shell();
    shell.fail(&["--data", "nowhere"], 2, &["nowhere"]);
    let whole = fs::read(shell.path(format!("digits/{IMAGES}"))).unwrap();

    shell.write(&format!("digits/{IMAGES}"), &whole[..whole.len() - 5]);
    shell.fail(&arguments(&["--out", "run"]), 2, &[IMAGES, "1051 bytes", "1056"]);

    shell.write(&format!("digits/{IMAGES}"), [&2049u32.to_be_bytes(), &whole[4..]].concat());
    shell.fail(&arguments(&["--out", "run"]), 2, &[IMAGES, "magic number 2049", "2051"]);

    shell.write(&format!("digits/{IMAGES}"), &whole);
    let labels = fs::read(shell.path(format!("digits/{LABELS}"))).unwrap();
    let fewer = [&2049u32.to_be_bytes()[..], &10u32.to_be_bytes(), &labels[8..18]].concat();
    shell.write(&format!("digits/{LABELS}"), fewer);
    shell.fail(&arguments(&["--out", "run"]), 2, &[IMAGES, "11", LABELS, "10"]);
}

#[test]
fn a_checkpoint_that_cannot_be_resumed_from() {
    let shell = shell();
    shell.succeed(&arguments(&["--epochs", "1", "--out", "run", "--quiet"]));
    let state = checkpoint(&shell, "run", 3);
    let name = "run/checkpoints/00000003.safetensors";
    let whole = fs::read(&state).unwrap();
    let again = ["--resume", "run", "--epochs", "2"];

    fs::write(&state, &whole[..whole.len() / 2]).unwrap();
    shell.fail(&again, 2, &["no checkpoint of run is left", name, "cut short", "start a new run"]);

    fs::write(&state, "no tensors at all").unwrap();
    shell.fail(&again, 2, &[name, "no safetensors file"]);

    fs::write(&state, &whole).unwrap();
    let header = Checkpoint::load(&state).unwrap().header;
    let sizes = Sizes { generator_filters: 8, ..*header.architecture.sizes() };
    let other = Header { architecture: Architecture::LabelledDcgan(sizes), ..header.clone() };
    Contents::default().save(&other, &state).unwrap();
    shell.fail(&again, 2, &[name, "another architecture"]);

    Contents::default().save(&header, &state).unwrap();
    shell.fail(&again, 2, &[name, "h0.linear.weight", "not there"]);

    fs::write(&state, &whole).unwrap();
    let labels = shell.path(format!("digits/{LABELS}"));
    let mut changed = fs::read(&labels).unwrap();
    changed[9] ^= 1;
    fs::write(&labels, changed).unwrap();
    shell.fail(&again, 2, &["the data differ", "run"]);
    changed = fs::read(&labels).unwrap();
    changed[9] ^= 1;
    fs::write(&labels, changed).unwrap();

    fs::remove_file(&state).unwrap();
    shell.fail(&again, 2, &["run has no checkpoint left", "generator.safetensors"]);
    shell.fail(&["--resume", "nowhere"], 2, &["nowhere holds no run to resume"]);
}

#[test]
fn a_folder_that_cannot_be_written_and_devices_that_are_not_there() {
    let shell = shell();
    shell.write("file", "");
    shell.fail(&arguments(&["--out", "file/run"]), 2, &["file/run", "--out"]);
    // This program is built without CUDA, or the machine that tests it has none.
    shell.fail(&arguments(&["--device", "cuda:7", "--out", "run"]), 2, &["--device cuda:7", "--device cpu"]);
    shell.fail(
        &arguments(&["--device", "cpu", "--tf32", "--out", "run"]),
        2,
        &["--tf32", "CUDA", "on the cpu"],
    );
    shell.fail(&arguments(&["--device", "tpu"]), 2, &["tpu", "auto, cpu, cuda or cuda:INDEX"]);
    shell.fail(&["--batch-size", "1"], 2, &["--batch-size", "from 2 to 65536"]);
}
