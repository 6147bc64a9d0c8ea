//! `train` and its siblings: what is too much, what can't be, and what is said in whose words.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tests::Shell;

use super::settings::NARROW;
use super::train::{arguments, shell};

fn narrow<'a>(more: &[&'a str]) -> Vec<&'a str> {
    arguments(&[&NARROW[..], more].concat())
}

#[test]
fn what_no_machine_has_room_for_is_refused_before_it_is_tried() {
    let shell = shell();
    let widths = ["--discriminator-filters", "65536", "--discriminator-units", "65536"];
    let batch = ["--data", "digits", "--batch-size", "65536", "--discriminator-filters", "65536"];
    for (run, advice) in [(arguments(&widths), "fewer"), (batch.to_vec(), "--batch-size")] {
        for how in [["--out=run"], ["--dry-run"]] {
            let parts = ["training would take ", " MB of memory, but this ", advice];
            shell.fail(&[&run[..], &how].concat(), 2, &parts);
        }
    }
    // A run that another machine started.
    shell.succeed(&narrow(&["--epochs", "1", "--out", "run", "--quiet"]));
    let mut config: Value =
        serde_json::from_slice(&fs::read(shell.path("run/config.json")).unwrap()).unwrap();
    config["networks"]["config"]["discriminator_filters"] = json!(65536);
    config["networks"]["config"]["discriminator_units"] = json!(65536);
    shell.write("run/config.json", config.to_string());
    shell.fail(&["--resume", "run", "--epochs", "2"], 2, &["training would take ", "MB of memory"]);
}

#[test]
fn threads_are_about_as_many_as_processors() {
    let shell = Shell::new("infer");
    for threads in ["5000", "0", "-1", "many", "18446744073709551616"] {
        let argument = format!("--threads={threads}");
        shell.fail(
            &["--digit", "5", &argument],
            2,
            &["--threads", "a whole number from 1 to ", "processors"],
        );
    }
}

/// A run's own file may have been edited, or be anyone's.
#[test]
fn numbers_that_no_run_has_are_refused_by_name() {
    let shell = shell();
    shell.succeed(&narrow(&["--epochs", "1", "--out", "run", "--quiet"]));
    let whole: Value = serde_json::from_slice(&fs::read(shell.path("run/config.json")).unwrap()).unwrap();
    let cases = [
        ("/images", json!(0), "images is 0; expected a whole number from 1"),
        ("/images", json!(1u64 << 40), "images is 1099511627776"),
        ("/batch_size", json!(0), "batch-size is 0; expected a whole number from 2"),
        ("/batch_size", json!(1u64 << 63), "batch-size is "),
        ("/epochs", json!(u64::MAX), "epochs is "),
        ("/keep", json!(0), "keep is 0"),
        ("/checkpoint_every", json!(0), "checkpoint-every is 0"),
        ("/recipe/generator_updates", json!(0), "generator-updates is 0"),
        ("/recipe/adam/learning_rate", json!(0.), "learning-rate is 0.0; expected a number above 0"),
        ("/recipe/adam/beta2", json!(1.5), "beta2 is 1.5; expected a number from 0"),
        ("/recipe/adam/epsilon", json!(-1.), "epsilon is -1"),
        ("/recipe/smoothing", json!(2.), "smoothing is 2.0"),
        ("/recipe/average_keep", json!(1.), "average-keep is 1.0"),
        ("/networks/config/height", json!(0), "height is 0"),
        ("/networks/config/classes", json!(3), "it names 10 classes, but its networks have 3"),
        ("/size", json!({"width": 0, "height": 5}), "size is \"0x5\""),
    ];
    for (place, number, part) in cases {
        let mut config = whole.clone();
        *config.pointer_mut(place).unwrap() = number;
        shell.write("run/config.json", config.to_string());
        shell.fail(&["--resume", "run", "--epochs", "3"], 2, &["run/config.json", part]);
    }
    shell.write("run/config.json", whole.to_string());
    shell.succeed(&["--resume", "run", "--epochs", "3", "--quiet"]);
}

#[test]
fn a_batch_of_more_pictures_than_there_are_ends_no_epoch_that_was_not_asked_for() {
    let shell = shell();
    let run = [&NARROW[..], &["--data", "digits", "--batch-size", "512", "--epochs", "1"]].concat();
    let said = shell.succeed(&[&run[..], &["--out", "run"]].concat());
    assert!(said.contains("\nepoch 1: ") && said.contains("run/samples/epoch-001.png"), "{said}");
    shell.fail(&["--resume", "run"], 2, &["has done its 1 epochs"]);
}

#[test]
fn the_largest_seed_goes_through_a_file_and_back() {
    let shell = shell();
    let seed = u64::MAX.to_string();
    let run = [&NARROW[..], &["--data", "digits", "--batch-size", "4", "--epochs", "1"]].concat();
    for written in [seed.clone(), format!("\"{seed}\""), "0xffffffffffffffff".to_string()] {
        shell.write("seed.toml", format!("seed = {written}\n"));
        let printed = shell.succeed(&[&run[..], &["--config", "seed.toml", "--dry-run"]].concat());
        assert!(printed.contains(&seed), "{printed}");
        shell.write("printed.toml", &printed);
        let plan = shell.succeed(&["--config", "printed.toml", "--dry-run", "--json"]);
        let plan: Value = serde_json::from_str(&plan).unwrap();
        assert_eq!(plan["settings"]["seed"], json!(u64::MAX));
    }
    shell.write("seed.toml", "seed = 18446744073709551616\n");
    let parts = ["seed.toml", "seed is 18446744073709551616", "from 0 to 18446744073709551615"];
    shell.fail(&["--config", "seed.toml", "--data", "digits"], 2, &parts);
}

/// Names are anyone's text, and a terminal obeys some of it.
#[test]
fn nothing_that_steers_a_terminal_is_printed() {
    const NAME: &str = "a\x1b]0;b\x07\n\u{202e}c";
    let is_plain = |text: &str| {
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    };
    let shell = shell();
    shell.fail(&["--data", NAME], 2, &["a\\u{1b}]0;b"]);
    is_plain(&String::from_utf8(shell.run(&["--data", NAME]).stderr).unwrap());
    fs::rename(shell.path("digits"), shell.path(NAME)).unwrap();
    let run = [&NARROW[..], &["--data", NAME, "--batch-size", "4", "--epochs", "1"]].concat();
    let said = shell.succeed(&[&run[..], &["--out", NAME.to_uppercase().as_str()]].concat());
    is_plain(&said);
    let printed = shell.succeed(&[&run[..], &["--dry-run"]].concat());
    is_plain(&printed);
    shell.write("printed.toml", &printed);
    shell.succeed(&["--config", "printed.toml", "--out", "run", "--quiet"]);
}

/// Status, and what is said, of a command that is looked up by a shell: what a reader would copy.
#[test]
fn the_next_step_that_is_printed_runs() {
    let shell = shell();
    tests::program("export");
    let said = shell.succeed(&narrow(&["--epochs", "1", "--out", "my run"]));
    let next = said.trim_end().rsplit_once("; next: ").unwrap().1;
    assert!(next.ends_with("export --checkpoint 'my run' --out gen.onnx"), "{next}");
    let runtime = shell.variables.clone();
    let run = |command: &str| {
        let mut bash = Command::new("sh");
        bash.args(["-c", command]).current_dir(shell.folder()).envs(runtime.clone());
        bash.output().unwrap()
    };
    let output = run(next);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(shell.path("gen.onnx").exists());

    // Under cargo it is cargo's.
    let mut train = shell.command(&narrow(&["--epochs", "1", "--out", "run"]));
    let said = train.env("CARGO_MANIFEST_DIR", shell.folder()).output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(said.ends_with("; next: cargo export --checkpoint run --out gen.onnx\n"), "{said}");
}

/// As in a container: nothing can be written but the working folder, and no variable is set.
#[test]
#[cfg(target_os = "linux")]
fn a_bare_machine_trains() {
    let shell = shell();
    let run = narrow(&["--epochs", "1", "--out", "run", "--quiet"]);
    let train = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-e", "-c", script]);
        command.arg(&shell.program).args(&run).current_dir(shell.folder());
        command.output().unwrap()
    };
    let bare = r#"here=$PWD; mount --bind . .; mount -o remount,ro,bind /; cd "$here""#;
    if !train(bare).status.success() {
        println!("skipped: this machine lets no user make its root read-only (unshare --user --mount)");
        return;
    }
    let output = train(&format!(r#"{bare}; exec env -i TMPDIR=/nowhere "$0" "$@""#));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(shell.path("run/generator.safetensors").exists());
}

/// A container's share of the processors is its control group's quota, which the number of processors
/// doesn't tell.
#[test]
#[cfg(target_os = "linux")]
fn threads_follow_the_quota_of_the_control_group() {
    let processors = std::thread::available_parallelism().unwrap().get();
    let Some(group) = (processors > 1).then(Group::of_one_processor).flatten() else {
        println!("skipped: this process may make no control group, or has one processor");
        return;
    };
    let shell = shell();
    let threads = |join: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!(r#"{join} exec "$0" "$@""#)]).arg(&shell.program);
        command.args(narrow(&["--epochs", "100000", "--quiet", "--out", "run"])).current_dir(shell.folder());
        let mut train = command.spawn().unwrap();
        let checkpoint = shell.path("run/generator.safetensors");
        while !checkpoint.exists() {
            assert!(train.try_wait().unwrap().is_none(), "training ended");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let threads = fs::read_dir(format!("/proc/{}/task", train.id())).unwrap().count();
        train.kill().unwrap();
        train.wait().unwrap();
        fs::remove_dir_all(shell.path("run")).unwrap();
        threads
    };
    let (whole, share) =
        (threads(""), threads(&format!("echo $$ > {};", group.0.join("cgroup.procs").display())));
    assert_eq!(whole - share, processors - 1, "{whole} threads, {share} with a quota of one processor");
}

/// A control group of one processor's time, removed in the end.
struct Group(std::path::PathBuf);

impl Group {
    fn of_one_processor() -> Option<Group> {
        let name = format!("edgegan-test-{}", std::process::id());
        for (root, file, quota) in [
            ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "100000"),
            ("/sys/fs/cgroup", "cpu.max", "100000 100000"),
        ] {
            let folder = Path::new(root).join(&name);
            if fs::create_dir(&folder).is_ok() {
                let group = Group(folder);
                // A file that is made there is no setting.
                let is_set = group.0.join(file).exists() && fs::write(group.0.join(file), quota).is_ok();
                if is_set {
                    return Some(group);
                }
            }
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
