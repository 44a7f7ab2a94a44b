//! The other processes that count against a limit: those of the group, and of the groups below it. Kernel:
//! `cgroup.procs` (`Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/cgroups.rst`).

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lastgasp_inferior::{Stat, address_space};

use crate::kernel::cgroup::Cgroup;

/// Most processes that are looked at.
const MAX_PROCESSES: usize = 512;
/// Most groups below.
const MAX_GROUPS: usize = 128;
/// Most names that are told apart.
const MAX_NAMES: usize = 16;
/// Process numbers that are kept of each.
const MAX_PIDS: usize = 8;
/// Longest way from a process up to the target, parent by parent.
const MAX_PARENTS: usize = 32;

/// The others of a group at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// Path of the group below where the hierarchy is mounted; `/` for its root.
    pub group: String,
    /// By name, the most bytes first.
    pub others: Vec<Neighbour>,
    /// Resident bytes of all of them, those without a place in `others` included.
    pub rss: u64,
    /// Processes of the group for which there was no time.
    pub not_seen: u64,
}

/// Processes of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// `/proc/PID/comm`.
    pub name: String,
    /// Number of them.
    pub processes: u64,
    /// Of them descendants of the target.
    pub children: u64,
    /// Their numbers, the first few.
    pub pids: Vec<i32>,
    /// Resident bytes.
    pub rss: u64,
}

/// A process beside the target.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Other {
    pid: i32,
    name: String,
    child: bool,
    rss: u64,
}

impl Neighbours {
    /// Those who share a group with `target` now; `None` if it is gone. What is not read within `at_most` is
    /// left out: some 10 µs for each process.
    #[must_use]
    pub fn look(group: &Cgroup, target: i32, at_most: Duration) -> Option<Self> {
        let until = Instant::now() + at_most;
        let (pids, left) = processes(group, until)?;
        // Who stands in the group above is asked too: a shell between the target and its child may be there.
        let mut parents: HashMap<i32, i32> = HashMap::new();
        let mut is_child = |pid: i32| {
            let mut at = pid;
            for _ in 0..MAX_PARENTS {
                let up =
                    *parents.entry(at).or_insert_with(|| Stat::of_process(at).and_then(|s| s.parent()).unwrap_or(0));
                if up == target || up <= 1 {
                    return up == target;
                }
                at = up;
            }
            false
        };
        let (mut others, mut not_seen) = (Vec::new(), left);
        for pid in pids.into_iter().filter(|p| *p != target) {
            if Instant::now() >= until {
                not_seen += 1;
                continue;
            }
            // The dead have no memory, and neither have the kernel's threads.
            let Some((_, rss)) = address_space(pid) else { continue };
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            others.push(Other { pid, name: name.trim_end_matches('\n').to_owned(), child: is_child(pid), rss });
        }
        let path = group.memory.strip_prefix(group.root()).map(|p| format!("/{}", p.display())).unwrap_or_default();
        Some(Self { not_seen, ..Self::of(path, others) })
    }

    fn of(group: String, others: Vec<Other>) -> Self {
        let mut names: BTreeMap<String, Neighbour> = BTreeMap::new();
        let mut rss = 0u64;
        for o in others {
            rss = rss.saturating_add(o.rss);
            let n = names.entry(o.name.clone()).or_insert_with(|| Neighbour { name: o.name, ..Neighbour::default() });
            n.processes += 1;
            n.children += u64::from(o.child);
            n.rss = n.rss.saturating_add(o.rss);
            n.pids.push(o.pid);
        }
        let mut others: Vec<Neighbour> = names.into_values().collect();
        others.sort_by_key(|n| std::cmp::Reverse(n.rss));
        others.truncate(MAX_NAMES);
        for n in &mut others {
            n.pids.sort_unstable();
            n.pids.truncate(MAX_PIDS);
        }
        Self { group, others, rss, not_seen: 0 }
    }
}

/// Numbers of the processes of the group and of those below it, and how many more were seen.
fn processes(group: &Cgroup, until: Instant) -> Option<(Vec<i32>, u64)> {
    let mut pids = Vec::new();
    let mut folders: Vec<PathBuf> = vec![group.memory.clone()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs"));
        if seen == 0 && text.is_err() {
            return None;
        }
        seen += 1;
        pids.extend(text.unwrap_or_default().lines().filter_map(|l| l.parse::<i32>().ok()));
        if pids.len() >= MAX_PROCESSES || seen >= MAX_GROUPS || Instant::now() >= until {
            break;
        }
        let below = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(below.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).take(MAX_GROUPS));
    }
    let left = pids.len().saturating_sub(MAX_PROCESSES) as u64;
    pids.truncate(MAX_PROCESSES);
    Some((pids, left))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn they_are_told_by_name_the_most_bytes_first() {
        let other = |pid, name: &str, child, rss| Other { pid, name: name.into(), child, rss };
        let mut all: Vec<Other> = (0..12).map(|i| other(100 - i, "python3", i < 10, 1000)).collect();
        all.push(other(7, "sidecar", false, 20_000));
        all.extend((0..30).map(|i| other(200 + i, &format!("one-{i:02}"), false, 1)));
        let got = Neighbours::of("/pod".into(), all);
        assert_eq!((got.group.as_str(), got.rss, got.others.len()), ("/pod", 32_030, MAX_NAMES));
        assert_eq!((got.others[0].name.as_str(), got.others[0].processes), ("sidecar", 1));
        let python = &got.others[1];
        assert_eq!((python.processes, python.children, python.rss), (12, 10, 12_000));
        assert_eq!(python.pids, (89..97).collect::<Vec<_>>());
    }

    /// A folder that looks like a group, with a child of ours and a process that is none.
    #[test]
    fn those_of_the_group_and_below_are_found() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("pod/container");
        fs::create_dir_all(&below).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let ours = std::process::id() as i32;
        fs::write(root.path().join("pod/cgroup.procs"), format!("{ours}\n1\n")).unwrap();
        fs::write(below.join("cgroup.procs"), format!("{}\n", child.id())).unwrap();
        let group = Cgroup::at(root.path().join("pod"), root.path().into());
        let started = Instant::now();
        let named = |n: &Neighbour| n.name == "sleep";
        let got = loop {
            let got = Neighbours::look(&group, ours, Duration::from_secs(1)).unwrap();
            // Until its exec it has our name.
            if got.others.iter().any(named) || started.elapsed() > Duration::from_secs(10) {
                break got;
            }
        };
        let sleep = got.others.iter().find(|n| named(n)).unwrap();
        assert_eq!((sleep.processes, sleep.children, sleep.pids.as_slice()), (1, 1, &[child.id() as i32][..]));
        assert_eq!((got.group.as_str(), got.others.len()), ("/pod", 2), "and the first process: {got:?}");
        assert!(got.others.iter().all(|n| n.rss > 0 && (named(n) || n.children == 0)));
        child.kill().unwrap();
        child.wait().unwrap();
        let gone = Cgroup::at(root.path().join("gone"), root.path().into());
        assert_eq!(Neighbours::look(&gone, ours, Duration::from_secs(1)), None);
    }
}
