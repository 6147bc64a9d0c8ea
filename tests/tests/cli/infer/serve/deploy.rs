//! The files of deploy/: every option in them is one, and systemd knows every setting.

use std::{collections::BTreeSet, fs, process::Command};

use tests::checkout;

use super::shell;

#[test]
fn what_is_deployed_names_options_that_there_are() {
    let help = shell().succeed(&["serve", "--help"]);
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '-';
    for (file, least) in [("infer-serve.service", 2), ("Dockerfile", 2), ("kubernetes.yaml", 3)] {
        let text = fs::read_to_string(checkout().join("deploy").join(file)).unwrap();
        // What follows the program's name, or its image's arguments.
        let lines = text.lines().filter(|line| {
            ["ExecStart=", "ENTRYPOINT", "infer --token", "args: ["].iter().any(|sign| line.contains(sign))
        });
        let options: BTreeSet<&str> = lines
            .flat_map(|line| line.split("--").skip(1))
            .map(|rest| rest.split(|c| !is_letter(c)).next().unwrap_or_default())
            .collect();
        assert!(options.len() >= least, "{file}: {options:?}");
        for option in options {
            assert!(help.contains(&format!("--{option} ")), "{file} has --{option}");
        }
    }
}

#[test]
fn systemd_takes_the_unit() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("no systemd-analyze here, so the unit is not checked");
        return;
    }
    let shell = shell();
    let unit = fs::read_to_string(checkout().join("deploy/infer-serve.service")).unwrap();
    // The program has to be there.
    let unit = unit.replace("/opt/infer/infer", shell.program.to_str().unwrap());
    let file = shell.write("infer-serve.service", unit);
    let output = Command::new("systemd-analyze").arg("verify").arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // It also speaks of units of this machine.
    assert!(output.status.success() && !said.contains("infer-serve"), "{said}");
}
