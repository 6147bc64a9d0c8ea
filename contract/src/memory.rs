//! How much memory a process may still take: the system kills one that takes more, without a message.

use std::{fs, path::Path};

/// Memory that a process may still take.
#[derive(Debug, PartialEq, Eq)]
pub struct Available {
    /// How much.
    pub bytes: u64,
    /// Who has or limits it, as the words before the number.
    pub whose: &'static str,
}

/// The machine's free memory, or the limit of this process's control group where that is less; `None` if
/// the system says neither.
pub fn available() -> Option<Available> {
    available_in(Path::new("/"))
}

/// As [`available`], by the system's files under `root`.
fn available_in(root: &Path) -> Option<Available> {
    let machine = free(&fs::read_to_string(root.join("proc/meminfo")).ok()?);
    let machine = machine.map(|bytes| Available { bytes, whose: "this machine has" });
    let group =
        group_limit(root).map(|bytes| Available { bytes, whose: "this container or control group may take" });
    machine.into_iter().chain(group).min_by_key(|available| available.bytes)
}

/// What Linux would give without taking from others, and what it would move to the swap space.
fn free(meminfo: &str) -> Option<u64> {
    let kilobytes = |key: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some((kilobytes("MemAvailable")? + kilobytes("SwapFree").unwrap_or_default()) << 10)
}

/// The least limit of this process's control group and those around it, of either version of them.
/// In a container, the group's own folder is where the outermost one would be.
fn group_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut limits = Vec::new();
    for line in groups.lines() {
        // Version 2: "0::/path"; version 1: "4:memory:/path".
        let (folder, file, path) = match line.splitn(3, ':').collect::<Vec<_>>()[..] {
            [_, "", path] => ("sys/fs/cgroup", "memory.max", path),
            [_, controllers, path] if controllers.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes", path)
            }
            _ => continue,
        };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let text = fs::read_to_string(root.join(folder).join(group).join(file));
            // Without a limit it says "max", or a number that no machine has.
            limits.extend(text.ok().and_then(|text| text.trim().parse::<u64>().ok()));
        }
    }
    limits.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine's files, as Linux has them.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_machine_has_what_is_free_or_what_the_group_may_take() {
        const MEMORY: &str = "MemTotal:  9000 kB\nMemAvailable:    3000 kB\nSwapFree:   100 kB\n";
        assert_eq!(free(MEMORY), Some(3100 << 10));
        assert_eq!(free("MemTotal: 9000 kB\n"), None);
        let whole = machine(&[("proc/meminfo", MEMORY), ("proc/self/cgroup", "0::/\n")]);
        assert_eq!(
            available_in(whole.path()),
            Some(Available { bytes: 3100 << 10, whose: "this machine has" })
        );
        assert_eq!(available_in(Path::new("/nowhere")), None);

        // Version 2: the group around has the smaller limit, or the group is the container's whole tree.
        let of = |files: &[(&str, &str)]| group_limit(machine(files).path());
        let nested = [
            ("proc/self/cgroup", "0::/slice/unit\n"),
            ("sys/fs/cgroup/slice/memory.max", "1000000\n"),
            ("sys/fs/cgroup/slice/unit/memory.max", "max\n"),
        ];
        assert_eq!(of(&nested), Some(1_000_000));
        assert_eq!(of(&[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "5\n")]), Some(5));
        // Version 1, where a container sees its own group in place of the outermost.
        let old = "9:cpu,memory:/docker/abc\n0::/\n";
        let limit = "sys/fs/cgroup/memory/memory.limit_in_bytes";
        assert_eq!(of(&[("proc/self/cgroup", old), (limit, "2000000\n")]), Some(2_000_000));
        assert_eq!(of(&[("proc/self/cgroup", "8:pids:/\n"), (limit, "2000000\n")]), None);
        let limited = machine(&[("proc/meminfo", MEMORY), ("proc/self/cgroup", old), (limit, "2000000")]);
        assert_eq!(available_in(limited.path()).unwrap().bytes, 2_000_000);
    }
}
