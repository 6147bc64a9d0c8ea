//! Where results go: down pipes, into devices, through links, and never over what is read.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use contract::run;

use super::{Picture, Shell, shell, tiny_judge::TinyJudge, tiny_model::TinyModel};

/// Runs the program with its standard output going into a pipe, and nothing on standard error.
fn piped(shell: &Shell, arguments: &[&str]) -> Vec<u8> {
    let Output { status, stdout, stderr } = shell.run(arguments);
    assert!(status.success() && stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    stdout
}

fn mkfifo(shell: &Shell, name: &str) -> PathBuf {
    assert!(Command::new("mkfifo").arg(shell.path(name)).status().unwrap().success());
    shell.path(name)
}

#[test]
#[cfg(target_os = "linux")]
fn pipes_and_devices_are_written_into() {
    let shell = shell();
    let five = ["--digit", "5", "--seed", "7"];
    shell.succeed(&[&five[..], &["--quiet"]].concat());
    let expected = fs::read(shell.path("digit-5.png")).unwrap();
    for out in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert!(piped(&shell, &[&five[..], &["--out", out]].concat()) == expected, "{out}");
        shell.fail(&[&five[..], &["--out", out, "--json"]].concat(), 2, &["--json", "standard output"]);
    }
    let raw = ["dataset", "--count", "3", "--seed", "7", "--format", "raw", "--out"];
    let pixels = piped(&shell, &[&raw[..], &["-"]].concat());
    assert_eq!(pixels.len(), 3 * 28 * 28);
    assert!(piped(&shell, &[&raw[..], &["/dev/stdout"]].concat()) == pixels);

    // A pipe needs no extension, and stays a pipe.
    let pipe = mkfifo(&shell, "pipe");
    for (arguments, expected) in
        [([&five[..], &["--out", "pipe"]].concat(), &expected), ([&raw[..], &["pipe"]].concat(), &pixels)]
    {
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        let said = shell.succeed(&arguments);
        assert!(said.contains("seed 7: pipe"), "{said}");
        assert!(reader.join().unwrap() == *expected);
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    }
    assert_eq!(shell.files(), ["digit-5.png", "pipe"]);
    shell.succeed(&[&five[..], &["--out", "/dev/null"]].concat());
    shell.succeed(&[&raw[..], &["/dev/null"]].concat());
    for out in ["/dev/null", "/dev/full"] {
        assert!(fs::metadata(out).unwrap().file_type().is_char_device());
    }
    let full = ["/dev/full can't be written", "No space left"];
    shell.fail(&[&five[..], &["--out", "/dev/full"]].concat(), 1, &full);
    shell.fail(&[&raw[..], &["/dev/full"]].concat(), 1, &full);
    shell.fail(&["look", "grid", "--out", "/dev/full"], 1, &full);
    // What is a file or a folder can't go down a pipe.
    for format in ["npz", "idx", "folder"] {
        let request = ["dataset", "--count", "3", "--format", format, "--out"];
        for out in ["pipe", "-", "/dev/null"] {
            shell.fail(&[&request[..], &[out]].concat(), 2, &[out, "takes --format raw or jsonl"]);
        }
    }
    let resume = [&raw[..], &["pipe", "--resume"]].concat();
    shell.fail(&resume, 2, &["--out pipe", "can't be resumed"]);
}

#[test]
fn what_standard_output_does_not_take_is_an_error() {
    let shell = shell();
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for arguments in [
        &["--digit", "5", "--out", "-"][..],
        &["--digit", "5", "--json"],
        &["look", "walk", "--stops", "2", "--out", "-"],
        &["look", "grid", "--json"],
        &["dataset", "--count", "3", "--format", "jsonl", "--out", "-"],
        &["dataset", "--count", "3", "--out", "set.npz", "--json"],
        &["self-test"],
    ] {
        let output = shell.command(arguments).stdout(full()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains("No space left"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_view_goes_to_standard_output_as_what_it_is() {
    let shell = shell();
    for (view, begins) in [("walk", &b"GIF89a"[..]), ("grid", b"\x89PNG"), ("between", b"\x89PNG")] {
        let arguments = ["look", view, "--seed", "7", "--out"];
        let written = piped(&shell, &[&arguments[..], &["-"]].concat());
        assert!(written.starts_with(begins), "{view}");
        let name = if view == "walk" { "walk.gif" } else { "view.png" };
        shell.succeed(&[&arguments[..], &[name]].concat());
        assert!(fs::read(shell.path(name)).unwrap() == written, "{view}");
        shell.fail(&[&arguments[..], &["-", "--json"]].concat(), 2, &["--json", "standard output"]);
    }
    // A pipe may say by its name that it is to be the other kind.
    let pipe = mkfifo(&shell, "walk.png");
    let reader = thread::spawn(move || fs::read(pipe).unwrap());
    shell.succeed(&["look", "walk", "--seed", "7", "--out", "walk.png"]);
    assert!(reader.join().unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn links_stay_and_what_they_lead_to_is_written() {
    let shell = shell();
    fs::create_dir(shell.path("store")).unwrap();
    for (link, target) in [
        ("link.png", "store/five.png"),
        ("link.gif", "store/walk.gif"),
        ("link.raw", "store/set.raw"),
        ("link", "store/set"),
    ] {
        symlink(target, shell.path(link)).unwrap();
    }
    shell.succeed(&["--digit", "5", "--out", "link.png"]);
    shell.succeed(&["look", "walk", "--stops", "2", "--out", "link.gif"]);
    let data_set = |out: &'static str| ["dataset", "--count", "3", "--seed", "7", "--out", out, "--resume"];
    // Where nothing was yet, and where something is.
    for _ in 0..2 {
        shell.succeed(&data_set("link.raw"));
        shell.succeed(&data_set("link"));
    }
    for (link, file) in [
        ("link.png", "store/five.png"),
        ("link.gif", "store/walk.gif"),
        ("link.raw", "store/set.raw"),
        ("link", "store/set/manifest.json"),
    ] {
        assert!(fs::symlink_metadata(shell.path(link)).unwrap().is_symlink(), "{link}");
        assert!(fs::metadata(shell.path(file)).unwrap().len() > 0, "{file}");
    }
}

#[test]
fn what_is_read_is_never_written_over() {
    let shell = shell();
    shell.write("model.png", TinyModel::default().bytes());
    shell.write("judge.png", TinyJudge::default().bytes());
    fs::copy(tests::runtime_library(), shell.path("library.png")).unwrap();
    symlink("model.png", shell.path("link.png")).unwrap();
    let model = ["--model", "model.png", "--label", "middle"];
    let with = |more: &[&'static str]| [&model[..], more].concat();
    let this = |what: &str| format!("this is the {what} that is read; name another file");
    shell.fail(&with(&["--out", "model.png"]), 2, &["model.png", &this("model")]);
    shell.fail(&with(&["--out", "link.png"]), 2, &["link.png", &this("model")]);
    let judged = with(&["--verify", "0.1", "--judge", "judge.png", "--out", "judge.png"]);
    shell.fail(&judged, 2, &["judge.png", &this("judge")]);
    let named = with(&["--runtime", "library.png", "--out", "library.png"]);
    shell.fail(&named, 2, &["library.png", &this("library")]);
    let view = ["look", "walk", "--model", "model.png", "--out", "model.png"];
    shell.fail(&view, 2, &["model.png", &this("model")]);
    for format in ["raw", "jsonl", "npz"] {
        let set = ["dataset", "--count", "3", "--format", format, "--model", "model.png", "--out"];
        shell.fail(&[&set[..], &["model.png"]].concat(), 2, &["model.png", &this("model")]);
    }
    // Somebody's pictures, where those of a class would go.
    fs::create_dir_all(shell.path("mine/short")).unwrap();
    shell.write("mine/short/000000000.png", "mine");
    let set = ["dataset", "--count", "3", "--format", "folder", "--model", "model.png", "--out", "mine"];
    shell.fail(&set, 2, &["mine/short is there already"]);
}

#[test]
fn a_training_run_is_left_alone() {
    let shell = shell();
    fs::create_dir_all(shell.path("run/samples")).unwrap();
    for name in [run::MARKER, run::CONFIG, run::ANIMATION, "samples/epoch-0001.png"] {
        shell.write(&format!("run/{name}"), "of the run");
    }
    let belongs = ["belongs to a training run"];
    shell.fail(&["--digit", "5", "--out", "run/samples/epoch-0001.png"], 2, &belongs);
    shell.fail(&["--digit", "5", "--out", "run/samples/new.png"], 2, &belongs);
    shell.fail(&["look", "walk", "--out", "run/samples.gif"], 2, &belongs);
    for (format, out) in [
        ("folder", "run"),
        ("idx", "run"),
        ("idx", "run/samples"),
        ("idx", "run/checkpoints/set"),
        ("raw", "run/config.json"),
    ] {
        let set = ["dataset", "--count", "3", "--format", format, "--out", out];
        shell.fail(&set, 2, &[out, belongs[0]]);
    }
    shell.succeed(&["--digit", "5", "--out", "run/five.png"]);
    shell.succeed(&["dataset", "--count", "3", "--out", "run/set"]);
    assert_eq!(Picture::read(&shell.path("run/five.png")).width, 28);
}

#[test]
fn the_umask_says_who_may_read() {
    let shell = shell();
    let script = r#"umask 027
        "$0" --digit 5 --out five.png --quiet
        "$0" look walk --stops 2 --quiet
        for format in raw npz jsonl; do "$0" dataset --count 3 --out new/set.$format --quiet; done
        for format in idx folder; do "$0" dataset --count 3 --format $format --out new/$format --quiet; done"#;
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).arg(&shell.program).current_dir(shell.folder());
    command.env("ORT_DYLIB_PATH", tests::runtime_library());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = shell.files();
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let found = fs::metadata(shell.path(&file)).unwrap();
        let expected = if found.is_dir() { 0o750 } else { 0o640 };
        assert_eq!(found.permissions().mode() & 0o777, expected, "{file}");
    }
}

/// Two names that a program that takes them for text would take for one.
#[test]
#[cfg(target_os = "linux")]
fn names_that_are_not_utf_8_stay_apart() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let shell = shell();
    let names = [&b"a\xffb.raw"[..], b"a\xfeb.raw"].map(OsStr::from_bytes);
    for (name, seed) in names.iter().zip(["1", "2"]) {
        let request = ["dataset", "--count", "4", "--shard", "1/2", "--seed", seed, "--quiet", "--out"];
        shell.succeed(&request.map(OsStr::new).into_iter().chain([*name]).collect::<Vec<_>>());
    }
    let parts = [&b"a\xffb-1-of-2.raw"[..], b"a\xfeb-1-of-2.raw"].map(OsStr::from_bytes);
    let [one, two] = parts.map(|part| fs::read(shell.path(Path::new(part))).unwrap());
    assert!(one.len() == 2 * 28 * 28 && two.len() == one.len() && one != two);
}
