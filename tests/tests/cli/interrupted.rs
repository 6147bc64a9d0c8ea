//! Runs that are stopped, damaged, crowded or left without room: what is said, and what remains.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use models::checkpoint::Checkpoint;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use tests::Shell;

use super::train::checkpoint;

/// 43 pictures of 5×3 pixels in three classes: the networks are small, and with batches of 4 epochs
/// end in iterations 11, 22, 33, 43, 54, ….
fn shell() -> Shell {
    let shell = Shell::new("train");
    let (n, height, width) = (43u32, 5u32, 3u32);
    let mut images = [2051, n, height, width].map(u32::to_be_bytes).concat();
    images.extend((0..n * height * width).map(|i| (i * 37 % 251) as u8));
    let mut labels = [2049, n].map(u32::to_be_bytes).concat();
    labels.extend((0..n).map(|i| (i * 7 % 3) as u8));
    fs::create_dir(shell.path("digits")).unwrap();
    shell.write("digits/train-images-idx3-ubyte", images);
    shell.write("digits/train-labels-idx1-ubyte", labels);
    shell
}

/// A new run of as many epochs.
fn new_run<'a>(run: &'a str, epochs: &'a str) -> Vec<&'a str> {
    vec!["--data", "digits", "--batch-size", "4", "--seed", "3", "--out", run, "--epochs", epochs]
}

/// A run that nobody waits for.
const ENDLESS: &str = "1000000";

/// A run under way.
struct Training(Child);

impl Training {
    fn start(mut command: Command) -> Training {
        Training(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits until `done`, which comes before the end of training.
    fn wait_until(&mut self, mut done: impl FnMut() -> bool) {
        while !done() {
            if let Some(status) = self.0.try_wait().unwrap() {
                let mut text = String::new();
                self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
                panic!("training ended too early, {status}: {text}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How it ends, and what it says then.
    fn end(self) -> (ExitStatus, String) {
        let output = self.0.wait_with_output().unwrap();
        (output.status, String::from_utf8(output.stderr).unwrap())
    }

    /// It ends by itself with status 1 and one sentence that has these parts.
    fn fails(self, parts: &[&str]) {
        let (status, stderr) = self.end();
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with("error: ") && stderr.lines().count() == 1, "{stderr}");
        for part in parts {
            assert!(stderr.contains(part), "expected {part:?} in {stderr:?}");
        }
    }
}

/// The files of a run by their names there, but for those that tell of sessions and times.
fn files(shell: &Shell, run: &str) -> BTreeMap<String, Vec<u8>> {
    let prefix = format!("{run}/");
    let names = shell.files().into_iter();
    let names = names.filter_map(|name| Some(name.strip_prefix(&prefix)?.to_string()));
    let names = names.filter(|name| name != ".lock" && !name.starts_with("events.out.tfevents."));
    names.filter_map(|name| Some((name.clone(), fs::read(shell.path(run).join(name)).ok()?))).collect()
}

/// The same files, to the bit but for the times in the metrics.
#[track_caller]
fn assert_same_run(shell: &Shell, run: &str, expected: &str) {
    let [mut found, mut expected] = [files(shell, run), files(shell, expected)];
    let timeless = |metrics: Vec<u8>| -> Vec<Value> {
        let lines = String::from_utf8(metrics).unwrap();
        let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in lines.iter_mut().map(|line| line.as_object_mut().unwrap()) {
            assert!(line.remove("images_per_second").is_some() && line.remove("elapsed_seconds").is_some());
        }
        lines
    };
    let metrics = [&mut found, &mut expected].map(|files| timeless(files.remove("metrics.jsonl").unwrap()));
    assert_eq!(metrics[0], metrics[1]);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    for (name, bytes) in found {
        assert!(bytes == expected[&name], "{name} differs");
    }
}

/// Iterations of the newest checkpoint of a run, as its name says.
fn saved(run: &Path) -> u64 {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    let iterations = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".safetensors")?.parse::<u64>().ok());
    iterations.max().unwrap_or(0)
}

/// Every file that has its name is whole, whatever the moment.
fn assert_whole(shell: &Shell, run: &str) {
    for (name, bytes) in files(shell, run) {
        let path = Path::new(&name);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("safetensors") => drop(Checkpoint::from_bytes(&bytes, path).unwrap()),
            Some("png") => drop(image::load_from_memory(&bytes).unwrap()),
            Some("json") => drop(serde_json::from_slice::<Value>(&bytes).unwrap()),
            Some("gif") => {
                let frames = gif::DecodeOptions::new().read_info(BufReader::new(&bytes[..])).unwrap();
                frames.into_iter().for_each(|frame| drop(frame.unwrap()));
            }
            _ => {}
        }
    }
}

#[test]
fn a_run_stopped_twenty_times_ends_as_one_that_never_was() {
    const STOPS: u64 = 20;
    /// Stops at any time after the start, most of them before the first checkpoint.
    const EARLY: u64 = 5;
    let shell = shell();
    let every = ["--checkpoint-every", "5", "--quiet"];
    let run = |name| [&new_run(name, "25")[..], &every].concat();
    shell.succeed(&run("unbroken"));
    let total = saved(&shell.path("unbroken"));

    let broken = shell.path("broken");
    let mut random = ChaCha8Rng::seed_from_u64(20);
    let mut stopped_by = BTreeMap::new();
    for stop in 0..STOPS {
        let resume = vec!["--resume", "broken", "--quiet"];
        let arguments = if broken.join("config.json").exists() { resume } else { run("broken") };
        let mut training = Training::start(shell.command(&arguments));
        match stop.checked_sub(EARLY) {
            None => std::thread::sleep(Duration::from_millis(random.random_range(0..300))),
            Some(late) => {
                let goal = late * total / (STOPS - EARLY + 1);
                training.wait_until(|| saved(&broken) >= goal);
                std::thread::sleep(Duration::from_micros(random.random_range(0..40_000)));
            }
        }
        let signal = ["-KILL", "-KILL", "-TERM", "-INT"][random.random_range(0..4)];
        training.signal(signal);
        let (status, stderr) = training.end();
        *stopped_by.entry((signal, status.code())).or_insert(0) += 1;
        // Before it catches signals, it ends at once as any other program.
        assert!(matches!((signal, status.code()), ("-KILL", None) | (_, Some(130) | None)), "{stderr}");
        assert!(stderr.is_empty() || stderr.contains("stopped before its first checkpoint"), "{stderr}");
        assert_whole(&shell, "broken");
        println!("{signal} {status}: {} of {total} iterations saved", saved(&broken));
    }
    println!("{stopped_by:?}");
    shell.succeed(&["--resume", "broken", "--quiet"]);
    assert_same_run(&shell, "broken", "unbroken");
    assert_eq!(files(&shell, "broken").keys().filter(|name| name.starts_with("checkpoints/")).count(), 2);
}

#[test]
fn a_stopped_run_says_how_to_go_on() {
    let shell = shell();
    for (signal, run) in [("-INT", "interrupted"), ("-TERM", "terminated")] {
        let mut training = Training::start(shell.command(&new_run(run, ENDLESS)));
        let metrics = shell.path(run).join("metrics.jsonl");
        training.wait_until(|| fs::read_to_string(&metrics).unwrap_or_default().lines().count() > 2);
        training.signal(signal);
        let (status, stderr) = training.end();
        assert_eq!(status.code(), Some(130), "{stderr}");
        let expected = format!("stopped after iteration {} of ", saved(&shell.path(run)));
        assert!(stderr.starts_with(&expected), "{stderr}");
        let go_on = format!("all saved; go on with: {} --resume {run}\n", shell.program.display());
        assert!(stderr.ends_with(&go_on), "{stderr}");
    }
}

/// A closed terminal: the system and the shell in it send SIGHUP, and neither waits for the other.
#[test]
#[cfg(target_os = "linux")]
fn a_run_whose_terminal_closes_saves_and_one_under_nohup_goes_on() {
    let shell = shell();
    let start = |disposition: &str, run| {
        // Whatever the tests' own process ignores.
        let mut command = shell.command(&new_run(run, ENDLESS));
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_os_string()).collect();
        command = Command::new("env");
        command.arg(disposition).arg(&shell.program).args(arguments).current_dir(shell.folder());
        Training::start(command)
    };
    if !Command::new("env").args(["--default-signal=HUP", "true"]).status().is_ok_and(|s| s.success()) {
        println!("skipped: this machine's env doesn't set what a signal does");
        return;
    }
    let folder = shell.path("closed");
    let mut training = start("--default-signal=HUP", "closed");
    training.wait_until(|| saved(&folder) >= 11);
    training.signal("-HUP");
    training.signal("-HUP");
    let (status, stderr) = training.end();
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert!(stderr.starts_with(&format!("stopped after iteration {} of ", saved(&folder))), "{stderr}");

    let folder = shell.path("nohup");
    let mut training = start("--ignore-signal=HUP", "nohup");
    training.wait_until(|| saved(&folder) >= 11);
    training.signal("-HUP");
    let then = saved(&folder);
    training.wait_until(|| saved(&folder) > then + 30);
    training.signal("-TERM");
    assert_eq!(training.end().0.code(), Some(130));
}

/// A guide of all of MNIST takes minutes, and until it is trained there is nothing to save.
#[test]
fn the_first_signal_ends_a_run_whose_guide_is_trained() {
    let shell = Shell::new("train");
    let data = tests::checkout().join("data/mnist");
    let arguments = ["--guide", "1", "--device", "cpu", "--out", "run", "--data", data.to_str().unwrap()];
    let mut training = Training::start(shell.command(&arguments));
    let config = shell.path("run/config.json");
    training.wait_until(|| config.exists());
    training.signal("-INT");
    let (status, stderr) = training.end();
    assert_eq!((status.signal(), stderr.as_str()), (Some(2), ""), "{status}");
    assert!(!shell.path("run/guide.safetensors").exists() && saved(&shell.path("run")) == 0);
}

#[test]
fn what_a_kill_after_the_last_checkpoint_left_undone_is_done() {
    let shell = shell();
    shell.succeed(&[&new_run("unbroken", "3")[..], &["--quiet"]].concat());
    shell.succeed(&[&new_run("broken", "2")[..], &["--quiet"]].concat());
    // The generator and the animation of the epoch before, its checkpoint, and half a file.
    let from_to = |from: PathBuf, to: PathBuf| assert!(fs::copy(from, to).unwrap() > 0);
    let keep = |name: &str| from_to(shell.path("broken").join(name), shell.path(name));
    let put_back = |name: &str| from_to(shell.path(name), shell.path("broken").join(name));
    let first = "checkpoints/00000011.safetensors";
    fs::create_dir(shell.path("checkpoints")).unwrap();
    let names = ["generator.safetensors", "samples.gif", first];
    names.iter().for_each(|name| keep(name));
    shell.succeed(&["--resume", "broken", "--epochs", "3", "--quiet"]);
    names.iter().for_each(|name| put_back(name));
    shell.write("broken/checkpoints/.edgegan-Xyz123.tmp", "half a checkpoint");

    let output = shell.run(&["--resume", "broken"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("broken has done its 3 epochs"), "{stderr}");
    assert_same_run(&shell, "broken", "unbroken");
}

/// A folder and everything in it, again.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

#[test]
fn the_checkpoint_before_a_damaged_one_is_used() {
    let shell = shell();
    shell.succeed(&[&new_run("unbroken", "3")[..], &["--quiet"]].concat());
    shell.succeed(&[&new_run("whole", "2")[..], &["--quiet"]].concat());
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 3] = [
        ("cut short", |bytes| bytes.truncate(bytes.len() * 2 / 3)),
        ("changed since it was written", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        }),
        ("cut short", Vec::clear),
    ];
    for (i, (what, damage)) in damages.into_iter().enumerate() {
        let run = &format!("damaged-{i}");
        copy(&shell.path("whole"), &shell.path(run));
        let newest = checkpoint(&shell, run, 22);
        let mut bytes = fs::read(&newest).unwrap();
        damage(&mut bytes);
        fs::write(&newest, bytes).unwrap();

        let output = shell.run(&["--resume", run, "--epochs", "3", "--quiet"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        let [bad, good] = [22, 11].map(|n| format!("{run}/checkpoints/{n:08}.safetensors"));
        let sentence = format!("warning: {bad} can't be used, {what}");
        assert!(stderr.starts_with(&sentence) && stderr.lines().count() == 1, "{stderr}");
        assert!(stderr.ends_with(&format!("; going on from {good}\n")), "{stderr}");
        assert_same_run(&shell, run, "unbroken");

        // Both: each is named, and nothing is touched.
        if i == 0 {
            for iterations in [22, 33] {
                fs::write(checkpoint(&shell, run, iterations), "no tensors").unwrap();
            }
            let parts =
                ["00000022.safetensors can't be used", "00000033.safetensors can't", "start a new run"];
            shell.fail(&["--resume", run, "--epochs", "4"], 2, &parts);
        }
    }
}

#[test]
fn a_run_of_an_older_version_goes_on() {
    let shell = shell();
    shell.succeed(&[&new_run("unbroken", "3")[..], &["--quiet"]].concat());
    shell.succeed(&[&new_run("old", "1")[..], &["--quiet"]].concat());
    fs::rename(checkpoint(&shell, "old", 11), shell.path("old/state.safetensors")).unwrap();
    fs::remove_dir(shell.path("old/checkpoints")).unwrap();
    fs::remove_file(shell.path("old/.lock")).unwrap();
    let mut config: Value =
        serde_json::from_slice(&fs::read(shell.path("old/config.json")).unwrap()).unwrap();
    for setting in ["keep", "checkpoint_every"] {
        assert!(config.as_object_mut().unwrap().remove(setting).is_some());
    }
    shell.write("old/config.json", config.to_string());
    shell.succeed(&["--resume", "old", "--epochs", "3", "--quiet"]);
    assert_same_run(&shell, "old", "unbroken");
}

#[test]
fn a_run_in_bfloat16_goes_on_as_one_that_never_stopped() {
    let shell = shell();
    let new = |run, epochs| [&new_run(run, epochs)[..], &["--precision", "bf16", "--quiet"]].concat();
    shell.succeed(&new("unbroken", "2"));
    shell.succeed(&new("broken", "1"));
    shell.succeed(&["--resume", "broken", "--epochs", "2", "--quiet"]);
    assert_same_run(&shell, "broken", "unbroken");
    let config = fs::read(shell.path("broken/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["precision"], "bf16");
    assert!(config["device"].as_str().unwrap().starts_with("cpu in bfloat16 ("), "{config}");

    shell.succeed(&[&new_run("float32", "2")[..], &["--quiet"]].concat());
    let weights = |run: &str| fs::read(shell.path(run).join("generator.safetensors")).unwrap();
    assert!(weights("float32") != weights("unbroken"), "nothing was rounded");
    let both = [&new("both", "1")[..], &["--tf32"]].concat();
    shell.fail(&both, 2, &["tf32", "precision", "one of them"]);
}

#[test]
fn settings_of_a_resumed_run_are_kept_for_the_next() {
    let shell = shell();
    shell.succeed(&[&new_run("run", "1")[..], &["--quiet"]].concat());
    let more = ["--epochs", "2", "--keep", "3", "--checkpoint-every", "4", "--quiet"];
    shell.succeed(&[&["--resume", "run"], &more[..]].concat());
    let names: Vec<String> =
        files(&shell, "run").into_keys().filter(|n| n.starts_with("checkpoints")).collect();
    assert_eq!(names, [16, 20, 22].map(|n| format!("checkpoints/{n:08}.safetensors")));
    // To two epochs in all, it says, and not to the one that it was started with.
    shell.fail(&["--resume", "run"], 2, &["has done its 2 epochs"]);
    shell.fail(&["--resume", "run", "--keep", "0"], 2, &["--keep"]);
    shell.fail(&["--resume", "run", "--checkpoint-every", "0"], 2, &["--checkpoint-every"]);
}

#[test]
fn one_folder_is_trained_by_one_process_and_can_be_read_meanwhile() {
    let shell = shell();
    let mut training = Training::start(shell.command(&new_run("run", ENDLESS)));
    let generator = shell.path("run/generator.safetensors");
    training.wait_until(|| generator.exists());
    for second in [vec!["--resume", "run"], new_run("run", "1")] {
        let output = shell.run(&second);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with("error: another process is training in run; "), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    // As `export` does, over several epochs.
    let first = saved(&shell.path("run"));
    training.wait_until(|| {
        Checkpoint::load(&generator).unwrap();
        saved(&shell.path("run")) > first + 30
    });
    // The system lets go of the lock of a process that was killed.
    training.signal("-KILL");
    training.end();
    let more = (saved(&shell.path("run")) * 4 / 43 + 1).to_string();
    shell.succeed(&["--resume", "run", "--epochs", &more, "--quiet"]);
}

/// The names in a run's folder that no other run has.
fn temporaries(shell: &Shell) -> Vec<String> {
    shell.files().into_iter().filter(|name| name.ends_with(".tmp")).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn metrics_without_room() {
    let shell = shell();
    shell.succeed(&[&new_run("unbroken", "1")[..], &["--quiet"]].concat());
    // Linux's own full disk.
    fs::create_dir(shell.path("run")).unwrap();
    std::os::unix::fs::symlink("/dev/full", shell.path("run/metrics.jsonl")).unwrap();
    let training = Training::start(shell.command(&new_run("run", "1")));
    training.fails(&["can't write run/metrics.jsonl: No space left", "make room", "train --resume run"]);
    assert_eq!(temporaries(&shell), [""; 0]);
    fs::remove_file(shell.path("run/metrics.jsonl")).unwrap();
    let output = shell.run(&["--resume", "run", "--quiet"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "warning: run was stopped before its first checkpoint: it starts again\n");
    assert_same_run(&shell, "run", "unbroken");
}

/// A limit on the size of files stands for a full disk: a write fails half-way through the checkpoint.
/// The error's number is another one (EFBIG), and its way through the program the same.
#[test]
#[cfg(unix)]
fn a_checkpoint_without_room() {
    let shell = shell();
    shell.succeed(&[&new_run("unbroken", "3")[..], &["--quiet"]].concat());
    shell.succeed(&[&new_run("run", "1")[..], &["--quiet"]].concat());
    let before = fs::read(checkpoint(&shell, "run", 11)).unwrap();
    // 10 MB of a file's 15, and the signal ignored that comes with the limit.
    let mut limited = Command::new("sh");
    let script = r#"trap '' 25; ulimit -f 20000; exec "$0" --resume run --epochs 3"#;
    limited.args(["-c", script]).arg(&shell.program).current_dir(shell.folder());
    let name = "can't write run/checkpoints/00000022.safetensors: File too large";
    Training::start(limited).fails(&[name, "make room there", "go on with: ", "train --resume run"]);
    assert_eq!(temporaries(&shell), [""; 0]);
    assert_eq!(saved(&shell.path("run")), 11);
    assert!(fs::read(checkpoint(&shell, "run", 11)).unwrap() == before);
    shell.succeed(&["--resume", "run", "--epochs", "3", "--quiet"]);
    assert_same_run(&shell, "run", "unbroken");
}

/// A full disk in earnest, where a user may mount one: in a namespace of one's own.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk() {
    let shell = shell();
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-e", "-c", script]);
        command.arg(&shell.program).current_dir(shell.folder());
        command
    };
    fs::create_dir(shell.path("disk")).unwrap();
    let mount = "mount -t tmpfs -o size=40m tmpfs disk";
    if !namespace(mount).status().is_ok_and(|status| status.success()) {
        println!("skipped: this machine lets no user mount a file system (unshare --user --mount)");
        return;
    }
    shell.succeed(&[&new_run("disk/run", "4")[..], &["--quiet"]].concat());
    fs::rename(shell.path("disk/run"), shell.path("unbroken")).unwrap();

    // Two checkpoints and a generator are 36 MB: there is no room for a third.
    let script = format!(
        r#"{mount}
        "$0" --data digits --batch-size 4 --seed 3 --out disk/run --epochs 4 --quiet 2> said || echo $? > status
        find disk -name '*.tmp' > temporaries
        cp -r disk/run full
        mount -o remount,size=400m disk
        "$0" --resume disk/run --quiet
        cp -r disk/run run"#
    );
    let output = namespace(&script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| fs::read_to_string(shell.path(name)).unwrap();
    let said = read("said");
    assert!(said.starts_with("error: can't write disk/run/") && said.lines().count() == 1, "{said}");
    for part in ["No space left on device", "make room there, then go on with: ", "train --resume disk/run"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!((read("status").as_str(), read("temporaries").as_str()), ("1\n", ""));
    assert_whole(&shell, "full");
    assert!(saved(&shell.path("full")) >= 11);
    assert_same_run(&shell, "run", "unbroken");
}

#[test]
fn a_folder_that_is_removed_or_renamed() {
    let shell = shell();
    let begun = |run: &str| {
        let mut training = Training::start(shell.command(&new_run(run, ENDLESS)));
        let run = shell.path(run);
        training.wait_until(|| saved(&run) >= 11);
        training
    };
    let renamed = begun("run");
    fs::rename(shell.path("run"), shell.path("elsewhere")).unwrap();
    renamed.fails(&["run was removed or renamed while training", "train --resume run"]);
    assert_whole(&shell, "elsewhere");
    let more = (saved(&shell.path("elsewhere")) * 4 / 43 + 1).to_string();
    shell.succeed(&["--resume", "elsewhere", "--epochs", &more, "--quiet"]);

    let removed = begun("run");
    // What is written meanwhile may stand in the way.
    while shell.path("run").exists() {
        let _ = fs::remove_dir_all(shell.path("run"));
    }
    removed.fails(&["removed", "while training wrote into it", "start a new run"]);
    assert!(!shell.path("run").exists());
}

/// To root every folder is writable: then the program runs as a user who is nobody.
#[test]
#[cfg(unix)]
fn a_folder_that_becomes_read_only() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;

    let shell = shell();
    let is_root = fs::metadata(shell.folder()).unwrap().uid() == 0;
    let as_user = |arguments: &[&str]| {
        let mut command = shell.command(arguments);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    let allow = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if is_root {
        allow(shell.folder().to_path_buf(), 0o755);
        chown(shell.folder(), Some(NOBODY), Some(NOBODY)).unwrap();
        if !as_user(&["--version"]).output().is_ok_and(|output| output.status.success()) {
            println!("skipped: root runs this test, and nobody else may run {}", shell.program.display());
            return;
        }
    }
    let mut training = Training::start(as_user(&new_run("run", ENDLESS)));
    training.wait_until(|| saved(&shell.path("run")) >= 11);
    let folders = ["run", "run/samples", "run/checkpoints"];
    folders.iter().for_each(|folder| allow(shell.path(folder), 0o555));
    training.fails(&["can't write run/", "Permission denied", "let this user write in run", "--resume run"]);
    folders.iter().for_each(|folder| allow(shell.path(folder), 0o755));
    // What was being written just then can't be removed by anybody: a run that goes on does so.
    shell.write("run/.edgegan-begun.tmp", "half a file");
    assert_whole(&shell, "run");

    let more = (saved(&shell.path("run")) * 4 / 43 + 1).to_string();
    let resume = ["--resume", "run", "--epochs", &more, "--quiet"];
    allow(shell.path("run/metrics.jsonl"), 0o444);
    let output = as_user(&resume).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error: can't write run/metrics.jsonl; check its permissions"), "{stderr}");
    allow(shell.path("run/metrics.jsonl"), 0o644);
    let output = as_user(&resume).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(temporaries(&shell), [""; 0]);
}
