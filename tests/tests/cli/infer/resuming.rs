//! Data sets that were stopped, damaged, moved to another engine, or written by two at once: what is
//! called safe is safe, and `--resume` builds on nothing else.

#![cfg(unix)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Shell, bad_runtime, shell};

/// Each form, with its output, its manifest, and the files that it has on record.
const FORMS: [(&str, &str, &str, &[&str]); 8] = [
    ("raw", "set.raw", "set.raw.manifest.json", &["set.raw"]),
    ("jsonl", "set.jsonl", "set.jsonl.manifest.json", &["set.jsonl"]),
    ("npz", "set.npz", "set.npz.manifest.json", &["set.npz"]),
    ("idx", "set", "set/manifest.json", &["set/train-images-idx3-ubyte", "set/train-labels-idx1-ubyte"]),
    ("folder", "set", "set/manifest.json", &["set/labels.csv", "set/0/000000000.png", "set/3/000000003.png"]),
    (
        "parquet",
        "set",
        "set/manifest.json",
        &["set/data/train-00000-of-{}.parquet", "set/data/train-00001-of-{}.parquet"],
    ),
    ("webdataset", "set", "set/manifest.json", &["set/train-000000.tar", "set/train-000001.tar"]),
    ("stylegan", "set.zip", "set.zip.manifest.json", &["set.zip"]),
];

/// Those in several files, of so few images each that a set that was stopped has some that are whole.
const IN_FILES: [&str; 2] = ["parquet", "webdataset"];
const PER_FILE: &str = "7";

/// Those that no version wrote before there were digests.
const NEW: [&str; 3] = ["parquet", "webdataset", "stylegan"];

/// The files' names of a set of so many images.
fn named(files: &[&str], count: &str) -> Vec<String> {
    let of = count.parse::<u64>().unwrap().div_ceil(PER_FILE.parse().unwrap());
    files.iter().map(|file| file.replace("{}", &format!("{of:05}"))).collect()
}

/// So many images that nobody waits for them.
const ENDLESS: &str = "100000";

/// A request of so many images, drawn slowly, one by one.
fn request<'a>(format: &'a str, out: &'a str, count: &'a str) -> Vec<&'a str> {
    let slow = ["--engine", "rten", "--batch-size", "1", "--threads", "1", "--seed", "3"];
    let per_file = if IN_FILES.contains(&format) { &["--per-file", PER_FILE][..] } else { &[] };
    [&["dataset", "--format", format, "--out", out, "--count", count, "--quiet"][..], &slow, per_file]
        .concat()
}

fn start(shell: &Shell, request: &[&str]) -> Child {
    shell.command(request).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: &str) {
    let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

fn wait_for(path: &Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "{} wasn't begun", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Begins a data set and stops it by a signal, which it must say it heard.
fn stop(shell: &Shell, request: &[&str], file: &str, by: &str) {
    let child = start(shell, request);
    wait_for(&shell.path(file));
    thread::sleep(Duration::from_millis(20));
    signal(&child, by);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("is complete up to image ") && said.contains("go on with --resume"), "{said}");
}

fn manifest(shell: &Shell, name: &str) -> Value {
    serde_json::from_slice(&fs::read(shell.path(name)).unwrap()).unwrap()
}

fn rewrite(shell: &Shell, name: &str, change: impl FnOnce(&mut Value)) {
    let mut read = manifest(shell, name);
    change(&mut read);
    shell.write(name, serde_json::to_vec(&read).unwrap());
}

/// As a version of before there were digests wrote it.
fn make_old(shell: &Shell, name: &str) {
    rewrite(shell, name, |manifest| {
        let manifest = manifest.as_object_mut().unwrap();
        assert!(manifest.remove("device").is_some() && manifest.remove("test").is_some());
        let tail = manifest["tail"].as_object_mut().unwrap();
        assert!(!tail.remove("files").unwrap().as_object().unwrap().is_empty());
    });
}

type Damage = fn(&Path);
const DAMAGES: [(&str, Damage); 4] = [
    ("deleted", |path| fs::remove_file(path).unwrap()),
    ("emptied", |path| fs::write(path, "").unwrap()),
    ("cut short", |path| {
        let length = fs::metadata(path).unwrap().len();
        fs::File::options().write(true).open(path).unwrap().set_len(length * 2 / 3).unwrap();
    }),
    ("overwritten", |path| {
        let mut bytes = fs::read(path).unwrap();
        // Behind the headers, and early enough to be safe of a set that was stopped.
        let place = if bytes.len() > 1000 { 400 } else { bytes.len() * 4 / 5 };
        bytes[place] ^= 0x10;
        fs::write(path, bytes).unwrap();
    }),
];

/// Damages each file of a data set in each way, one at a time, and asserts that a resume sees it.
fn assert_noticed(shell: &Shell, request: &[&str], files: &[String], seen: impl Fn(&str, &str) -> bool) {
    for file in files {
        let path = shell.path(file);
        let whole = fs::read(&path).unwrap();
        for (what, damage) in DAMAGES.into_iter().filter(|(what, _)| seen(file, what)) {
            damage(&path);
            let output = shell.run(request);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{file} {what}: {said}");
            assert!(said.starts_with(&format!("error: {file} ")), "{file} {what}: {said}");
            let advice = "; restore it, or begin anew with another --out\n";
            assert!(said.ends_with(advice) && said.lines().count() == 1, "{file} {what}: {said}");
            fs::write(&path, &whole).unwrap();
        }
    }
}

#[test]
fn a_finished_set_that_was_changed_is_no_longer_called_complete() {
    for (format, out, name, files) in FORMS {
        let shell = shell();
        let (request, files) = (request(format, out, "40"), named(files, "40"));
        shell.succeed(&request);
        let resume = [&request[..], &["--resume"]].concat();
        assert_noticed(&shell, &resume, &files, |_, _| true);
        // More than there was, and a change at either end, where the headers and the directory are.
        for file in files.iter().filter(|file| !file.ends_with(".png")) {
            let whole = fs::read(shell.path(file)).unwrap();
            let mut first = whole.clone();
            first[1] ^= 1;
            let mut last = whole.clone();
            *last.last_mut().unwrap() ^= 1;
            for changed in [[&whole[..], b"x"].concat(), first, last] {
                shell.write(file, changed);
                shell.fail(&resume, 2, &[file, "restore it, or begin anew"]);
            }
            shell.write(file, whole);
        }
        // As it was, it is complete, and nothing is written.
        let before = fs::read(shell.path(name)).unwrap();
        shell.succeed(&resume);
        assert!(fs::read(shell.path(name)).unwrap() == before);
        if NEW.contains(&format) {
            // Without digests it is of nobody's.
            if IN_FILES.contains(&format) {
                make_old(&shell, name);
                shell.fail(&resume, 2, &[&files[0], "is not on record", "restore it, or begin anew"]);
            }
            continue;
        }

        make_old(&shell, name);
        // The lengths are known of the files of old, of pixels in an archive their checksum, and a PNG
        // file has one of its own.
        assert_noticed(&shell, &resume, &files, |file, what| {
            what != "overwritten" || file.ends_with(".npz") || file.ends_with(".png")
        });
        shell.succeed(&resume);
        assert_eq!(manifest(&shell, name)["tail"], serde_json::from_slice::<Value>(&before).unwrap()["tail"]);
    }
}

#[test]
fn a_stopped_set_that_was_changed_is_not_gone_on_with() {
    for (format, out, name, files) in FORMS {
        let shell = shell();
        let (request, files) = (request(format, out, "300"), named(files, "300"));
        // One whole file, where there are several.
        let has_come = if IN_FILES.contains(&format) { &files[1] } else { &files[0] };
        stop(&shell, &request, has_come, "INT");
        let complete = manifest(&shell, name)["complete"].as_u64().unwrap();
        assert!((1..300).contains(&complete), "{format}: {complete}");
        let resume = [&request[..], &["--resume"]].concat();
        // Only what has come is looked at.
        let per_file: u64 = if IN_FILES.contains(&format) { PER_FILE.parse().unwrap() } else { 0 };
        let safe = files.iter().zip(0..).filter(|(_, number)| number * per_file < complete);
        let there: Vec<String> =
            safe.map(|(file, _)| file.clone()).filter(|file| shell.path(file).exists()).collect();
        assert_noticed(&shell, &resume, &there, |_, _| true);

        if !NEW.contains(&format) {
            make_old(&shell, name);
            assert_noticed(&shell, &resume, &there, |file, what| {
                what != "overwritten" || file.ends_with(".npz") || file.ends_with(".png")
            });
        }
        shell.succeed(&resume);
        let whole = [&request[..], &["--out"]].concat();
        let elsewhere = format!("whole/{out}");
        let mut whole: Vec<&str> = whole[..whole.len() - 1].to_vec();
        let place = whole.iter().position(|word| *word == out).unwrap();
        whole[place] = &elsewhere;
        shell.succeed(&whole);
        let all =
            shell.files().into_iter().filter(|file| file.starts_with("set") && shell.path(file).is_file());
        let all: Vec<String> = all.filter(|file| file != name).collect();
        assert!(files.iter().all(|file| all.contains(file)), "{all:?}");
        for file in &all {
            let [found, expected] =
                [file.to_string(), format!("whole/{file}")].map(|f| fs::read(shell.path(f)));
            assert!(found.unwrap() == expected.unwrap(), "{file} is another");
        }
        let [found, expected] = [name.to_string(), format!("whole/{name}")].map(|n| manifest(&shell, &n));
        assert_eq!(found["tail"], expected["tail"], "{format}");
    }
}

#[test]
fn a_manifest_that_can_not_be_is_refused() {
    let shell = shell();
    let request = request("raw", "set.raw", "20");
    shell.succeed(&request);
    let name = "set.raw.manifest.json";
    let whole = manifest(&shell, name);
    let resume = [&request[..], &["--resume"]].concat();
    for (key, value, part) in [
        ("complete", Value::from(u64::MAX), "18446744073709551615 of 20 images are complete"),
        ("complete", 21.into(), "21 of 20 images"),
        ("images", 21.into(), "is not 21 images from 0 on"),
        ("shard", serde_json::json!({"index": 0, "of": 0}), "no part 0 of 0"),
        ("shape", serde_json::json!([1, 0, 0]), "no picture has the shape"),
    ] {
        rewrite(&shell, name, |manifest| manifest[key] = value);
        for request in [&request, &resume] {
            let parts = ["set.raw.manifest.json is no manifest of infer's: ", part, "begin anew"];
            shell.fail(request, 2, &parts);
        }
        shell.write(name, serde_json::to_vec(&whole).unwrap());
    }
}

/// Two engines round otherwise, and so do two versions of one.
#[test]
fn a_set_goes_on_with_the_engine_that_began_it() {
    let shell = shell();
    let by = |engine: &'static str| -> Vec<&str> {
        let request = request("raw", "set.raw", "600");
        request.into_iter().map(|word| if word == "rten" { engine } else { word }).collect()
    };
    let resume = |engine| [&by(engine)[..], &["--resume"]].concat();
    stop(&shell, &by("onnxruntime"), "set.raw", "INT");
    let begun = manifest(&shell, "set.raw.manifest.json");
    let engine = begun["engine"].as_str().unwrap();
    assert_eq!(begun["device"], "cpu");
    let parts =
        ["set.raw.manifest.json: begun on ", engine, "now it is rten", "--engine onnxruntime", "--out"];
    shell.fail(&resume("rten"), 2, &parts);
    let oldest = tests::oldest_runtime_library();
    let old = [&resume("auto")[..], &["--runtime", oldest.to_str().unwrap()]].concat();
    shell.fail(&old, 2, &["begun on ", engine, "now it is ONNX Runtime 1.17", "with --runtime"]);
    shell.succeed(&resume("auto"));
    let whole = |engine| -> Vec<&str> {
        by(engine).into_iter().map(|word| if word == "set.raw" { "whole.raw" } else { word }).collect()
    };
    shell.succeed(&whole("onnxruntime"));
    let read = |name: &str| fs::read(shell.path(name)).unwrap();
    assert!(read("set.raw") == read("whole.raw"));

    // Where there is ONNX Runtime too, `auto` would take it.
    for name in ["set.raw", "whole.raw", "set.raw.manifest.json", "whole.raw.manifest.json"] {
        fs::remove_file(shell.path(name)).unwrap();
    }
    stop(&shell, &by("rten"), "set.raw", "TERM");
    shell.fail(&resume("onnxruntime"), 2, &["begun on rten 0.", "now it is ONNX Runtime", "--engine rten"]);
    shell.succeed(&resume("auto"));
    shell.succeed(&whole("rten"));
    assert!(read("set.raw") == read("whole.raw"));
    assert!(manifest(&shell, "set.raw.manifest.json")["engine"].as_str().unwrap().starts_with("rten "));
    // A complete one is drawn by nobody, and stays what it was.
    shell.succeed(&resume("onnxruntime"));
    assert!(manifest(&shell, "set.raw.manifest.json")["engine"].as_str().unwrap().starts_with("rten "));
    rewrite(&shell, "set.raw.manifest.json", |manifest| {
        manifest["complete"] = 1.into();
        manifest["device"] = "cuda:0".into();
    });
    let parts = ["set.raw.manifest.json: begun on cuda:0, and now it is cpu", "resume with --device cuda:0"];
    shell.fail(&[&resume("rten")[..], &["--device", "cpu"]].concat(), 2, &parts);
}

/// Killed after some of it was called safe, and once more, in the middle of files and of groups of rows.
#[test]
fn what_was_killed_twice_ends_as_if_it_had_never_been() {
    thread::scope(|scope| {
        for (format, out, name) in
            FORMS.iter().filter(|form| NEW.contains(&form.0)).map(|form| (form.0, form.1, form.2))
        {
            scope.spawn(move || {
                let shell = shell();
                let per_file = if IN_FILES.contains(&format) { &["--per-file", "1234"][..] } else { &[] };
                let request =
                    ["dataset", "--format", format, "--count", "20000", "--quiet", "--engine", "rten"];
                let request = [&request[..], &["--seed", "3"], per_file].concat();
                let resume = [&request[..], &["--resume", "--out", out]].concat();
                let slowly = [&resume[..], &["--batch-size", "1", "--threads", "1"]].concat();
                let complete = || match fs::read(shell.path(name)) {
                    Ok(bytes) => {
                        serde_json::from_slice::<Value>(&bytes).unwrap()["complete"].as_u64().unwrap()
                    }
                    Err(_) => 0,
                };
                for _ in 0..2 {
                    let (before, child) = (complete(), start(&shell, &slowly));
                    let started = Instant::now();
                    while complete() == before {
                        assert!(started.elapsed() < Duration::from_secs(120), "{format}: nothing was saved");
                        thread::sleep(Duration::from_millis(20));
                    }
                    signal(&child, "KILL");
                    child.wait_with_output().unwrap();
                    assert!((1..20000).contains(&complete()), "{format}: {}", complete());
                }
                shell.succeed(&resume);
                let elsewhere = format!("whole/{out}");
                shell.succeed(&[&request[..], &["--out", &elsewhere]].concat());
                let files = shell.files().into_iter().filter(|file| file.starts_with("set") && file != name);
                let files: Vec<String> = files.filter(|file| shell.path(file).is_file()).collect();
                assert!(!files.is_empty());
                for file in files {
                    let [found, expected] =
                        [file.clone(), format!("whole/{file}")].map(|f| fs::read(shell.path(f)));
                    assert!(found.unwrap() == expected.unwrap(), "{file} is another");
                }
            });
        }
    });
}

#[test]
fn a_closed_terminal_loses_nothing() {
    let shell = shell();
    let request = request("idx", "set", "600");
    stop(&shell, &request, "set/train-labels-idx1-ubyte", "HUP");
    assert!(manifest(&shell, "set/manifest.json")["complete"].as_u64() > Some(0));
    shell.succeed(&[&request[..], &["--resume"]].concat());

    // Under nohup it goes on.
    let mut command = Command::new("nohup");
    command.arg(&shell.program).args(["dataset", "--count", "600", "--engine", "rten", "--batch-size", "1"]);
    command.args(["--threads", "1", "--out", "other", "--quiet"]).current_dir(shell.folder());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for(&shell.path("other/train-labels-idx1-ubyte"));
    signal(&child, "HUP");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(manifest(&shell, "other/manifest.json")["complete"], 600);
}

#[test]
fn one_data_set_is_written_by_one_process() {
    for (format, out, name, files) in FORMS {
        let shell = shell();
        let shard = ["--shard", "2/3"];
        let part = match out.rsplit_once('.') {
            Some((stem, extension)) => format!("{stem}-2-of-3.{extension}"),
            None => format!("{out}/2-of-3"),
        };
        let files = named(files, ENDLESS);
        // The whole, and one of its parts.
        for (more, place) in [(&[][..], out), (&shard, &part)] {
            let request = [&request(format, out, ENDLESS)[..], more].concat();
            let first = start(&shell, &request);
            let (manifest, file) = (name.replacen(out, place, 1), files[0].replacen(out, place, 1));
            // A part's files have their numbers in the whole.
            if more.is_empty() || !IN_FILES.contains(&format) {
                wait_for(&shell.path(&file));
            }
            wait_for(&shell.path(&manifest));
            let sentence =
                format!("error: another process is writing {place}; let it end, or name another --out\n");
            for again in [&[][..], &["--resume"]] {
                let output = shell.run(&[&request[..], again].concat());
                assert_eq!(String::from_utf8(output.stderr).unwrap(), sentence);
                assert_eq!(output.status.code(), Some(2));
            }
            // By another name, too.
            if more.is_empty() {
                let link = format!("link-{out}");
                std::os::unix::fs::symlink(out, shell.path(&link)).unwrap();
                let by_link: Vec<&str> =
                    request.iter().map(|word| if *word == out { link.as_str() } else { word }).collect();
                let output = shell.run(&by_link);
                let said = String::from_utf8(output.stderr).unwrap();
                assert!(
                    said.contains("another process is writing") && output.status.code() == Some(2),
                    "{said}"
                );
            }
            // A kill leaves no lock that would keep the next one out.
            signal(&first, "KILL");
            first.wait_with_output().unwrap();
            let second = start(&shell, &[&request[..], &["--resume"]].concat());
            thread::sleep(Duration::from_millis(300));
            signal(&second, "INT");
            let said = String::from_utf8(second.wait_with_output().unwrap().stderr).unwrap();
            assert!(said.is_empty() || said.contains("stopped"), "{said}");
        }
        let locks: Vec<String> = shell.files().into_iter().filter(|file| file.ends_with(".lock")).collect();
        assert_eq!(locks, [""; 0], "{format}");
    }
}

/// Says on standard error which files are opened for writing, written and synced, in order.
const WATCH: &str = r#"
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <fcntl.h>
    #include <stdarg.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/stat.h>
    #include <unistd.h>
    static void say(const char* what, const char* path) {
        char line[5000];
        int length = snprintf(line, sizeof line, "%s %s\n", what, path);
        static ssize_t (*real)(int, const void*, size_t);
        if (!real) real = dlsym(RTLD_NEXT, "write");
        real(2, line, length);
    }
    static void say_file(const char* what, int file) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0 && path[0] == '/') { path[length] = 0; say(what, path); }
    }
    static int opened(int file, int flags) {
        if (file >= 0 && (flags & O_ACCMODE) != O_RDONLY && (flags & O_CREAT)) say_file("open", file);
        return file;
    }
    int open64(const char* path, int flags, ...) {
        va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest);
        static int (*real)(const char*, int, ...);
        if (!real) real = dlsym(RTLD_NEXT, "open64");
        return opened(real(path, flags, mode), flags);
    }
    int mkdir(const char* path, mode_t mode) {
        static int (*real)(const char*, mode_t);
        if (!real) real = dlsym(RTLD_NEXT, "mkdir");
        int result = real(path, mode);
        char whole[4096];
        if (result == 0 && realpath(path, whole)) say("mkdir", whole);
        return result;
    }
    ssize_t write(int file, const void* bytes, size_t length) {
        static ssize_t (*real)(int, const void*, size_t);
        if (!real) real = dlsym(RTLD_NEXT, "write");
        if (file > 2) say_file("write", file);
        return real(file, bytes, length);
    }
    int fsync(int file) {
        static int (*real)(int);
        if (!real) real = dlsym(RTLD_NEXT, "fsync");
        int result = real(file);
        if (result == 0) say_file("sync", file);
        return result;
    }
    int fdatasync(int file) {
        static int (*real)(int);
        if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
        int result = real(file);
        if (result == 0) say_file("sync", file);
        return result;
    }
    int syncfs(int file) {
        static int (*real)(int);
        if (!real) real = dlsym(RTLD_NEXT, "syncfs");
        int result = real(file);
        if (result == 0) say_file("syncfs", file);
        return result;
    }
"#;

/// Every file, and every name of a file or folder, is synced before a manifest calls it safe.
#[test]
#[cfg(target_os = "linux")]
fn what_is_called_safe_is_on_the_disk() {
    for (format, out, more) in [
        ("raw", "new/set.raw", &[][..]),
        ("jsonl", "new/set.jsonl", &[]),
        ("npz", "new/set.npz", &[]),
        ("idx", "new/set", &["--test", "7"]),
        ("folder", "new/set", &[]),
        ("folder", "new/set", &["--shard", "2/2"]),
        ("parquet", "new/set", &["--test", "9"]),
        ("webdataset", "new/set", &["--shard", "2/2"]),
        ("stylegan", "new/set.zip", &[]),
    ] {
        let shell = shell();
        let watch = bad_runtime::library(&shell, "watch.so", &format!("#include <stdlib.h>\n{WATCH}"));
        let request = [&request(format, out, "40")[..], more].concat();
        let output = shell.command(&request).env("LD_PRELOAD", watch).output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{log}");

        let root = shell.folder().canonicalize().unwrap();
        let (mut unsafe_paths, mut manifests, mut seen) = (BTreeSet::<PathBuf>::new(), 0, BTreeSet::new());
        for line in log.lines() {
            let (what, path) = line.split_once(' ').unwrap();
            let path = PathBuf::from(path.trim_end_matches(" (deleted)"));
            if !path.starts_with(&root) || path.extension().is_some_and(|extension| extension == "lock") {
                continue;
            }
            let folder = path.parent().unwrap().to_path_buf();
            let is_manifest = path.extension().is_some_and(|extension| extension == "tmp");
            match what {
                // The first one says that nothing is complete.
                "open" if is_manifest => {
                    manifests += 1;
                    let names: Vec<_> = unsafe_paths.iter().map(|path| path.display().to_string()).collect();
                    assert_eq!(names, [""; 0], "{format}: not on the disk before manifest {manifests}");
                }
                "mkdir" => drop(unsafe_paths.insert(folder)),
                "open" => {
                    seen.insert(path.clone());
                    unsafe_paths.extend([path, folder]);
                }
                "write" => drop(unsafe_paths.insert(path)),
                "sync" => drop(unsafe_paths.remove(&path)),
                "syncfs" => unsafe_paths.clear(),
                _ => panic!("{line}"),
            }
        }
        assert!(manifests >= 2, "{log}");
        assert!(!seen.is_empty(), "{log}");
    }
}
