//! `train`: where settings come from, what they do, and what is refused.

use std::fs;
use std::process::Command;

use candle_core::{Device, Tensor};
use contract::LatentDistribution;
use infer::ModelSource;
use models::checkpoint::Checkpoint;
use serde_json::Value;
use tests::Shell;

use super::train::{arguments, checkpoint, checkpoints, results, shell};

fn config(shell: &Shell, run: &str) -> Value {
    serde_json::from_slice(&fs::read(shell.path(run).join("config.json")).unwrap()).unwrap()
}

/// Runs what the command line's own parser must refuse, naming these parts.
fn refused(shell: &Shell, arguments: &[&str], parts: &[&str]) {
    let output = shell.run(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(parts.iter().all(|part| stderr.contains(part)), "{parts:?} in {stderr}");
}

/// Narrow networks, so that an iteration takes a millisecond.
pub(crate) const NARROW: [&str; 10] = [
    "--generator-filters",
    "3",
    "--generator-units",
    "12",
    "--discriminator-filters",
    "4",
    "--discriminator-units",
    "14",
    "--latent-dim",
    "7",
];

fn narrow<'a>(more: &[&'a str]) -> Vec<&'a str> {
    arguments(&[&NARROW[..], more].concat())
}

#[test]
fn malformed_files() {
    let shell = shell();
    let cases: &[(&str, &[&str])] = &[
        ("epoch = 5", &["no setting \"epoch\"", "such as epochs"]),
        ("learning_rate = 0.1", &["no setting \"learning_rate\"", "such as learning-rate"]),
        ("zzz = 1", &["no setting \"zzz\"", "train --help"]),
        ("out = \"run\"", &["no setting \"out\""]),
        ("[recipe]\nbeta1 = 0.5", &["recipe is a table", "expected \"reference\""]),
        ("[network]\nlatent-dim = 5", &["no setting \"network\""]),
        ("recipe = \"best\"", &["recipe is \"best\"", "expected \"reference\""]),
        ("epochs = \"five\"", &["epochs is \"five\"", "a whole number from 1 to"]),
        ("epochs = \"5\"", &["epochs is \"5\"", "a whole number"]),
        ("epochs = 5.0", &["epochs is 5.0", "a whole number"]),
        ("epochs = 0", &["epochs is 0", "from 1 to"]),
        ("epochs = -3", &["epochs is -3", "from 1 to"]),
        ("epochs = true", &["epochs is true", "a whole number"]),
        ("epochs = [5]", &["epochs is a list", "a whole number"]),
        ("epochs = 2026-01-01", &["epochs is the date 2026-01-01", "a whole number"]),
        ("batch-size = 1", &["batch-size is 1", "from 2 to 65536"]),
        ("seed = -1", &["seed is -1", "from 0 to 18446744073709551615"]),
        ("learning-rate = 0", &["learning-rate is 0", "a number above 0"]),
        ("learning-rate-d = -0.1", &["learning-rate-d is -0.1", "a number above 0"]),
        ("learning-rate-g = inf", &["learning-rate-g is inf", "a number above 0"]),
        ("learning-rate = nan", &["learning-rate is NaN", "a number above 0"]),
        ("beta1 = 1", &["beta1 is 1", "from 0 up to but not 1"]),
        ("beta2 = \"0.9\"", &["beta2 is \"0.9\"", "a number"]),
        ("smoothing = 0.6", &["smoothing is 0.6", "from 0 to 0.5"]),
        ("augment-probability = 2", &["augment-probability is 2", "from 0 to 1"]),
        ("translation = 4", &["translation is 4", "from 0 to 0.5"]),
        ("average-keep = 1.0", &["average-keep is 1.0", "not 1"]),
        ("decay = \"fast\"", &["decay is \"fast\"", "\"constant\" or \"linear\" or \"cosine\""]),
        ("decay = 1", &["decay is 1", "\"linear\""]),
        ("decay-from = 3", &["decay-from is 3", "decay is \"constant\""]),
        ("decay = \"linear\"\ndecay-from = 9\nepochs = 9", &["decay-from is 9", "9 epochs"]),
        ("latent = \"gaussian\"", &["latent is \"gaussian\"", "\"uniform\" or \"normal\""]),
        ("latent-dim = 65536", &["latent-dim is 65536", "from 1 to 65535"]),
        ("generator-filters = 0", &["generator-filters is 0", "from 1 to 65536"]),
        ("generator-updates = 0", &["generator-updates is 0", "from 1 to"]),
        ("split = \"val\"", &["split is \"val\"", "\"train\" or \"test\" or \"all\""]),
        ("size = 0", &["size is 0", "WIDTHxHEIGHT"]),
        ("size = \"64x\"", &["size is \"64x\"", "WIDTHxHEIGHT"]),
        ("data = 3", &["data is 3", "expected a path"]),
        ("data = \"\"", &["data is \"\"", "expected a path"]),
        ("precision = \"fp16\"", &["precision is \"fp16\"", "\"f32\" or \"tf32\" or \"bf16\" or \"auto\""]),
        ("tf32 = \"yes\"", &["tf32 is \"yes\"", "true or false"]),
        ("epochs 5", &["line 1 is not TOML"]),
        ("seed = 1\nepochs =\n", &["line 2 is not TOML"]),
        ("epochs = 5\nepochs = 6", &["line 2 is not TOML", "duplicate key"]),
        ("epochs = 5 6", &["line 1 is not TOML"]),
        ("decay = \"linear", &["line 1 is not TOML"]),
    ];
    for (text, parts) in cases {
        shell.write("run.toml", text);
        // Two sentences are about settings together, wherever they stand.
        let name: &[&str] = if text.contains("decay-from") { &[] } else { &["run.toml"] };
        shell.fail(&["--config", "run.toml", "--data", "digits"], 2, &[name, parts].concat());
    }
    shell.write("run.toml", [b'a', 0xff, 0xfe]);
    shell.fail(&["--config", "run.toml"], 2, &["run.toml", "can't be read"]);
    shell.fail(&["--config", "nowhere.toml"], 2, &["nowhere.toml", "can't be read"]);
}

#[test]
fn flags_that_are_out_of_range() {
    let shell = shell();
    let cases = [
        ("--epochs", "0", "from 1"),
        ("--epochs", "-3", "from 1"),
        ("--learning-rate", "0", "a number above 0"),
        ("--learning-rate-d", "nan", "a number above 0"),
        ("--beta2", "1", "not 1"),
        ("--smoothing", "-0.1", "from 0 to 0.5"),
        ("--augment-probability", "1.1", "from 0 to 1"),
        ("--cutout", "0.6", "from 0 to 0.5"),
        ("--lecam", "-1", "from 0 to 100"),
        ("--projected", "101", "from 0 to 100"),
        ("--decay", "fast", "constant, linear, cosine"),
        ("--latent", "Normal", "uniform, normal"),
        ("--latent-dim", "0", "from 1 to 65535"),
        ("--generator-updates", "two", "a whole number"),
    ];
    for (flag, value, part) in cases {
        refused(&shell, &[flag, value], &[flag, part]);
    }
}

#[test]
fn a_run_records_what_its_file_and_flags_came_to() {
    let shell = shell();
    shell.write(
        "run.toml",
        "data = \"digits\"\nepochs = 1\nbatch-size = 4\nseed = 8\nlearning-rate = 0.001\ndecay = \"cosine\"\n\
         smoothing = 0.1\ngenerator-updates = 1\nlatent = \"normal\"\nlatent-dim = 5\ngenerator-filters = 6\n",
    );
    let flags = ["--config", "run.toml", "--seed", "9", "--learning-rate-d", "0.002", "--quiet"];
    shell.succeed(&[&flags[..], &["--out", "run"]].concat());
    let recorded = config(&shell, "run");
    assert_eq!((&recorded["seed"], &recorded["epochs"]), (&9.into(), &1.into()));
    let recipe = &recorded["recipe"];
    assert_eq!(recipe["adam"]["learning_rate"], 0.001);
    assert_eq!(recipe["learning_rate_d"], 0.002);
    assert_eq!((&recipe["smoothing"], &recipe["decay"]), (&0.1.into(), &"cosine".into()));
    assert_eq!(recipe["generator_updates"], 1);
    let sizes = &recorded["networks"]["config"];
    assert_eq!((&sizes["latent"], &sizes["latent_dim"]), (&"normal".into(), &5.into()));
    assert_eq!(sizes["generator_filters"], 6);
    let said = recorded["recipe_name"].as_str().unwrap();
    assert!(said.starts_with("reference: generator-updates = 1, learning-rate-g = 0.001"), "{said}");
}

/// What the settings are, at every step, decides the weights: a resumed run has them all.
#[test]
fn a_resumed_run_keeps_its_settings() {
    let shell = shell();
    let settings = ["--learning-rate-d", "0.001", "--smoothing", "0.2", "--generator-updates", "3"];
    let more = [
        "--guide",
        "0.5",
        "--projected",
        "2",
        "--beta1",
        "0.3",
        "--average-keep",
        "0.5",
        "--latent",
        "normal",
        "--quiet",
    ];
    let of_d = ["--augment-probability", "0.5", "--consistency", "2", "--lecam", "0.3"];
    let run = narrow(&[&settings[..], &more, &of_d].concat());
    shell.succeed(&[&run[..], &["--epochs", "4", "--out", "unbroken"]].concat());
    shell.succeed(&[&run[..], &["--epochs", "2", "--out", "broken"]].concat());
    shell.succeed(&["--resume", "broken", "--epochs", "3", "--quiet"]);
    // Without its file, the guide is trained again.
    fs::remove_file(shell.path("broken/guide.safetensors")).unwrap();
    shell.succeed(&["--resume", "broken", "--epochs", "4", "--quiet"]);
    assert!(results(&shell, "unbroken", 4) == results(&shell, "broken", 4));

    // A record from before there was a choice.
    shell.succeed(&arguments(&["--epochs", "1", "--out", "old", "--quiet"]));
    let mut old = config(&shell, "old");
    let later = ["learning_rate_d", "decay", "decay_from", "smoothing", "mismatch", "contrast", "projected"];
    let guide = ["guide", "guide_finish"];
    let of_d = ["augment_probability", "translation", "cutout", "consistency", "lecam"];
    for key in later.into_iter().chain(guide).chain(of_d) {
        assert!(old["recipe"].as_object_mut().unwrap().remove(key).is_some());
    }
    // And an architecture.
    assert_eq!(old["networks"]["architecture"], "labelled-dcgan");
    old["networks"] = old["networks"]["config"].take();
    assert!(old["networks"].as_object_mut().unwrap().remove("latent").is_some());
    shell.write("old/config.json", old.to_string());
    shell.succeed(&["--resume", "old", "--epochs", "2", "--quiet"]);
    shell.succeed(&arguments(&["--epochs", "2", "--out", "new", "--quiet"]));
    assert!(results(&shell, "old", 2) == results(&shell, "new", 2));
    refused(&shell, &["--resume", "old", "--beta1", "0.1"], &["--beta1", "--resume"]);
    refused(&shell, &["--resume", "old", "--config", "run.toml"], &["--config", "--resume"]);
}

/// The iterations before a stop are those of a run that never stopped, also where each has another
/// learning rate, and the last ones a stronger guide.
#[test]
fn a_decaying_run_goes_on_where_it_stopped() {
    let shell = shell();
    let decay = ["--decay", "linear", "--decay-from", "1", "--learning-rate", "0.01", "--quiet"];
    let run = narrow(&[&decay[..], &["--guide", "0.5", "--guide-finish", "8"]].concat());
    let endless = [&run[..], &["--epochs", "150", "--out", "broken"]].concat();
    let train = shell.command(&endless).spawn().unwrap();
    while checkpoints(&shell, "broken").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &train.id().to_string()]).status().unwrap().success());
    assert_eq!(train.wait_with_output().unwrap().status.code(), Some(130));
    let state = Checkpoint::load(&checkpoints(&shell, "broken").pop().unwrap()).unwrap();
    let done = state.header.provenance.iterations;
    assert!(done < 412, "stopped after {done} iterations");

    shell.succeed(&["--resume", "broken", "--quiet"]);
    shell.succeed(&[&run[..], &["--epochs", "150", "--out", "unbroken"]].concat());
    assert!(results(&shell, "unbroken", 150) == results(&shell, "broken", 150));
}

#[test]
fn each_setting_of_learning_changes_what_is_learned() {
    let shell = shell();
    let weights = |name: &str, more: &[&str]| {
        shell.succeed(&narrow(&[&["--epochs", "2", "--quiet", "--out", name], more].concat()));
        results(&shell, name, 2)[1].clone()
    };
    let reference = weights("reference", &[]);
    let changes: [&[&str]; 20] = [
        &["--generator-updates", "1"],
        &["--learning-rate", "0.001"],
        &["--learning-rate-g", "0.001"],
        &["--learning-rate-d", "0.001"],
        &["--decay", "linear"],
        &["--decay", "cosine"],
        &["--beta1", "0.9"],
        &["--beta2", "0.9"],
        &["--smoothing", "0.1"],
        &["--mismatch", "0.5"],
        &["--contrast", "0.5"],
        &["--guide", "0.5"],
        &["--guide", "0.5", "--guide-finish", "8"],
        &["--projected", "0.5"],
        &["--augment-probability", "0.5"],
        &["--augment-probability", "0.5", "--translation", "0"],
        &["--augment-probability", "0.5", "--cutout", "0"],
        &["--consistency", "0.5"],
        &["--lecam", "0.5"],
        &["--latent", "normal"],
    ];
    let mut seen = vec![reference];
    for (i, change) in changes.iter().enumerate() {
        let found = weights(&format!("run-{i}"), change);
        assert!(!seen.contains(&found), "{change:?} changes nothing, or as another one does");
        seen.push(found);
    }
}

#[test]
fn widths_and_latents_go_from_training_into_pictures() {
    let shell = shell();
    shell.succeed(&narrow(&["--latent", "normal", "--epochs", "2", "--out", "run", "--quiet"]));
    let checkpoint = Checkpoint::load(&shell.path("run/generator.safetensors")).unwrap();
    let pair = checkpoint.header.architecture;
    let sizes = pair.sizes();
    assert_eq!((sizes.generator_filters, sizes.generator_units, sizes.latent_dim), (3, 12, 7));
    shell.succeed_as("export", &["--checkpoint", "run", "--out", "gen.onnx", "--quiet"]);
    let contract = ModelSource::File(&shell.path("gen.onnx")).contract().unwrap();
    assert_eq!((contract.latent_dim, contract.latent_distribution), (7, LatentDistribution::Normal));
    assert!(contract.training.recipe.unwrap().starts_with("reference: latent = \"normal\""));

    shell.succeed_as("infer", &["--digit", "4", "--seed", "6", "--model", "gen.onnx", "--quiet"]);
    let drawn = image::open(shell.path("digit-4.png")).unwrap().into_luma8();
    // The same picture from Candle, with the contract's normal latents.
    let generator = pair.generator().unwrap();
    let parameters = checkpoint.parameters("average", &generator, &Device::Cpu).unwrap();
    let z = contract::latent::normal_latents(6, 0, 7);
    let z = Tensor::from_vec(z, (1, 7), &Device::Cpu).unwrap();
    let label = Tensor::new(&[4u32], &Device::Cpu).unwrap();
    let expected = generator.sample(&parameters, &z, Some(&label)).unwrap();
    let expected = expected.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (i, (found, expected)) in drawn.as_raw().iter().zip(expected).enumerate() {
        assert!((f32::from(*found) - expected * 255.).abs() < 0.51, "pixel {i}: {found}, {expected}");
    }
}

#[test]
fn a_dry_run_says_what_a_run_would_be_and_writes_nothing() {
    let shell = shell();
    let dry = narrow(&["--epochs", "3", "--latent", "normal", "--dry-run"]);
    let before = shell.files();
    let said = shell.succeed(&dry);
    let plan: Value = serde_json::from_str(&shell.succeed(&[&dry[..], &["--json"]].concat())).unwrap();
    assert_eq!(shell.files(), before);

    for part in [
        "\nlatent = \"normal\"\n",
        "\nbeta1 = 0.5\n",
        "# Data: digits, 11 images of 12×8 in 10 classes\n",
        "# h0.label     ⊕ y of 10 classes                                N, 17\n",
        "# h0.linear    linear to 12                                     N, 12                      216\n",
        "# Time: 9 iterations of ",
    ] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert_eq!(plan["settings"]["latent"], "normal");
    assert_eq!((&plan["data"]["images"], &plan["data"]["width"]), (&11.into(), &12.into()));
    for network in ["generator", "discriminator"] {
        let layers = plan[network]["layers"].as_array().unwrap();
        let sum: u64 = layers.iter().map(|layer| layer["parameters"].as_u64().unwrap()).sum();
        assert_eq!(Some(sum), plan[network]["trainable"].as_u64());
    }
    assert_eq!(plan["time"]["iterations"], 9);
    assert!(plan["memory"]["total"].as_u64().unwrap() > 100_000);
    assert!(plan["time"]["seconds"].as_f64().unwrap() > 0.);

    // What it said is a file that means the same.
    shell.write("run.toml", &said);
    shell.succeed(&["--config", "run.toml", "--out", "from-file", "--quiet"]);
    let flags = &dry[..dry.len() - 1];
    shell.succeed(&[flags, &["--out", "from-flags", "--quiet"]].concat());
    assert_eq!(config(&shell, "from-file"), config(&shell, "from-flags"));
    assert!(results(&shell, "from-file", 3) == results(&shell, "from-flags", 3));
}

#[test]
fn a_dry_run_fetches_nothing() {
    let shell = shell();
    shell.fail(&["--dry-run"], 2, &["a dry run fetches nothing", "data/mnist"]);
    refused(&shell, &["--dry-run", "--resume"], &["--dry-run", "--resume"]);
}

#[test]
fn losses_that_are_no_numbers_end_a_run_and_leave_its_checkpoint() {
    let shell = shell();
    let run = narrow(&["--epochs", "400", "--out", "run", "--quiet"]);
    let output = shell.run(&[&run[..], &["--learning-rate", "1e30"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for part in ["error: training came to ", "no finite numbers", "iteration ", "--learning-rate", "run"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    assert!(checkpoints(&shell, "run").is_empty());

    // A good checkpoint, and then the same.
    shell.succeed(&narrow(&["--epochs", "1", "--out", "good", "--quiet"]));
    let good = results(&shell, "good", 1);
    let mut broken = config(&shell, "good");
    broken["recipe"]["adam"]["learning_rate"] = 1e30.into();
    shell.write("good/config.json", broken.to_string());
    let output = shell.run(&["--resume", "good", "--epochs", "300", "--quiet"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the last good checkpoint is good/checkpoints/00000003.safetensors"), "{stderr}");
    assert!(results(&shell, "good", 1) == good);
}

#[test]
fn a_discriminator_that_runs_away_ends_a_watched_run() {
    let shell = shell();
    // D learns fast, and G stays where it is: D's loss falls below 0.001 after 195 iterations.
    let rates = ["--learning-rate-d", "0.02", "--beta1", "0.9", "--learning-rate-g", "1e-9"];
    let widths =
        ["--generator-filters", "3", "--discriminator-filters", "32", "--discriminator-units", "256"];
    let run = ["--data", "digits", "--batch-size", "11", "--epochs", "230", "--watch", "stop", "--quiet"];
    let output = shell.run(&[&run[..], &rates, &widths, &["--out", "run"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let said =
        "error: stopped: the discriminator's loss is at its least in 3 measurements in a row, by iteration ";
    assert!(stderr.starts_with(said), "{stderr}");
    assert!(stderr.contains("the last good checkpoint is run/checkpoints/"), "{stderr}");
    shell.succeed(&["--resume", "run", "--watch", "off", "--quiet"]);
}

#[test]
fn pictures_that_stay_alike_are_a_warning() {
    let shell = shell();
    // 605 iterations of a generator that hardly learns.
    let run = ["--data", "digits", "--batch-size", "2", "--epochs", "110", "--learning-rate-g", "1e-9"];
    let run = [&run[..], &NARROW].concat();
    let output = shell.run(&[&run[..], &["--out", "warned"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("warning: the pictures of class "), "{stderr}");
    assert!(stderr.contains("warned/samples/epoch-091.png"), "{stderr}");

    let output = shell.run(&[&run[..], &["--out", "stopped", "--watch", "stop", "--quiet"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: stopped: the pictures of class "), "{stderr}");
    // The collapsed epoch is in none.
    assert_eq!(checkpoints(&shell, "stopped").pop().unwrap(), checkpoint(&shell, "stopped", 495));
}
