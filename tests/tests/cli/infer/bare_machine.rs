//! What a small container has and hasn't: a share of the processors, and no place to write to.

use std::{fs, path::PathBuf, process::Command};

use super::shell;

/// Nothing can be written, and there is neither a home nor the machine's number.
#[test]
#[cfg(target_os = "linux")]
fn a_read_only_machine_draws() {
    let shell = shell();
    let bare = r#"
        mount --rbind / bare
        mount -o remount,bind,ro bare
        if [ -e bare/etc/machine-id ]; then mount --bind /dev/null bare/etc/machine-id; fi
        exec chroot bare env -i ORT_DYLIB_PATH="$0" "$@""#;
    let run = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-e", "-c", bare]);
        unshare.arg(tests::runtime_library()).args(command).current_dir(shell.folder()).output()
    };
    fs::create_dir(shell.path("bare")).unwrap();
    if !run(&["true"]).is_ok_and(|output| output.status.success()) {
        println!("skipped: this machine lets no user mount a file system (unshare --user --mount)");
        return;
    }
    let touched = run(&["touch", "/tmp/edgegan-was-here"]).unwrap();
    assert!(!touched.status.success(), "the machine can be written");
    for engine in ["onnxruntime", "rten"] {
        let draw = ["--digit", "5", "--seed", "7", "--engine", engine, "--out", "-"];
        let drawn = run(&[&[shell.program.to_str().unwrap()], &draw[..]].concat()).unwrap();
        assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
        assert_eq!(drawn.stdout, shell.run(&draw).stdout, "{engine}");
        assert!(drawn.stderr.is_empty());
    }
}

/// A control group of one processor, removed with this value. `None` where there can't be one.
struct OneProcessor(PathBuf);

impl OneProcessor {
    fn new() -> Option<Self> {
        let name = format!("edgegan-{}", std::process::id());
        // Version 1 has a tree for processors, version 2 one for everything.
        for (tree, quota, value) in [
            ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "100000"),
            ("/sys/fs/cgroup", "cpu.max", "100000 100000"),
        ] {
            let group = PathBuf::from(tree).join(&name);
            if fs::create_dir(&group).is_ok() {
                let group = Self(group);
                if fs::write(group.0.join(quota), value).is_ok() {
                    return Some(group);
                }
            }
        }
        None
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn threads_follow_the_share_of_the_processors() {
    let shell = shell();
    let Some(group) = OneProcessor::new() else {
        println!("skipped: this machine lets this user make no control group");
        return;
    };
    let measure = ["bench", "--batch-sizes", "1", "--seconds", "0.01", "--json"];
    let mut limited = Command::new("sh");
    limited.args(["-e", "-c", r#"echo $$ > "$0/cgroup.procs"; exec "$@""#]).arg(&group.0);
    limited.arg(&shell.program).args(measure).env("ORT_DYLIB_PATH", tests::runtime_library());
    let output = limited.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // Measured on one thread and on all: here all are one.
    let threads: Vec<_> =
        report["cases"].as_array().unwrap().iter().map(|case| case["threads"].as_u64()).collect();
    assert_eq!(threads, [Some(1)]);
}
