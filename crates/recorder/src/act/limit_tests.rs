//! Limits of real groups as [`lastgasp_observe::kernel::limit`] sees them: groups are made for it, which only
//! this crate does.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain;
use lastgasp_observe::kernel::cgroup::{Cgroup, Mounts};
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;

use crate::act::own_cgroup::OwnCgroup;
use crate::undo::cgroup_file::{remove_when_empty, write};

fn group(name: &str, limit: Option<u64>) -> Option<OwnCgroup> {
    let name = format!("lastgasp-limit-{name}-{}", std::process::id());
    match OwnCgroup::create(&Mounts::detect(), &name, limit) {
        Ok(group) => Some(group),
        Err(e) => {
            println!("SKIPPED: {e}");
            None
        }
    }
}

/// A program of the lab, in the group at `folder` from its first breath.
fn play(name: &str, folder: &Path, args: &[&str]) -> Ended {
    let go = toolchain::any(&cache_dir()).unwrap();
    let program = build(&go, Mode::Stripped, &repo_root().join("lab/programs").join(name), ".").unwrap();
    let enter = format!("echo 0 > {}/cgroup.procs && exec \"$@\"", folder.display());
    let child = Command::new("sh").args(["-c", &enter, "sh"]).arg(program).args(args).stderr(Stdio::null()).spawn();
    Ended(child.unwrap())
}

/// Killed and reaped at the end of a test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not come to that");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A limit that is set, and changed, while we watch.
#[test]
fn a_first_limit_is_found_while_watching() {
    let (mounts, machine) = (Mounts::detect(), Machine::detect());
    let Some(group) = group("first", None) else { return };
    let mut limit_usage =
        LimitUsage::of(std::process::id() as i32, 1 << 20, Some(&group.cgroup), None, &mounts, &machine);
    let before = limit_usage.changes();
    for mib in [64u64, 32] {
        write(&group.cgroup.limit_file(), &(mib << 20).to_string()).unwrap();
        limit_usage.refresh(|| 1 << 20, &machine, Duration::ZERO);
        assert_eq!(limit_usage.limit.as_ref().map(|l| l.0), Some(mib << 20));
    }
    assert_eq!(limit_usage.changes(), before + 2);
    assert!(group.remove());
}

/// A pod's limit is nearer than the container's own, and what counts against it is the memory of the
/// container beside it.
#[test]
fn the_limit_of_the_pod_is_reached_first() {
    let (mounts, machine) = (Mounts::detect(), Machine::detect());
    let Some(pod) = group("pod", Some(96 << 20)) else { return };
    let [container, beside] = ["container", "beside"].map(|n| pod.cgroup.memory.join(n));
    if pod.cgroup.v2 {
        write(&pod.cgroup.memory.join("cgroup.subtree_control"), "+memory").unwrap();
    }
    for folder in [&container, &beside] {
        std::fs::create_dir(folder).unwrap();
    }
    let mut of_container = pod.cgroup.clone();
    of_container.memory.clone_from(&container);
    write(&of_container.limit_file(), &(64u64 << 20).to_string()).unwrap();
    let child = play("dies", &container, &["-base", "1000000", "-after", "1h"]);
    let pid = child.0.id() as i32;
    wait_until(|| Cgroup::of(pid, &mounts).is_some_and(|g| g.memory == container));
    let mut limit_usage = LimitUsage::of(pid, 1 << 20, None, None, &mounts, &machine);
    assert_eq!(limit_usage.limits().take(2).map(|l| l.1 >> 20).collect::<Vec<_>>(), [64, 96]);
    assert_eq!(limit_usage.limiting().map(|g| &g.memory), Some(&container));
    assert!(!limit_usage.is_outdated(&machine));
    let neighbour = play("dies", &beside, &["-base", "60000000", "-after", "1h"]);
    wait_until(|| limit_usage.is_outdated(&machine));
    limit_usage.refresh(|| 1 << 20, &machine, Duration::ZERO);
    assert_eq!(limit_usage.limiting().map(|g| &g.memory), Some(&pod.cgroup.memory));
    assert!(!limit_usage.is_outdated(&machine));
    wait_until(|| limit_usage.usage(|| 0) > 60_000_000);
    assert_eq!(limit_usage.limit.as_ref().map(|l| l.0 >> 20), Some(96));
    drop((child, neighbour));
    assert!(remove_when_empty(&container) && remove_when_empty(&beside) && pod.remove());
}

/// Without a limit, or with one that is more than the machine has left, it is the machine's memory that will
/// be used up.
#[test]
fn without_a_limit_the_machine_is_the_limit() {
    let (mounts, machine) = (Mounts::detect(), Machine::detect());
    let Some(group) = group("machine", None) else { return };
    let (pid, rss, left) = (std::process::id() as i32, 5 << 20, machine.available().unwrap());
    for limit in [None, Some(left + (1 << 40))] {
        if let Some(limit) = limit {
            write(&group.cgroup.limit_file(), &limit.to_string()).unwrap();
        }
        let mut limit_usage = LimitUsage::of(pid, rss, Some(&group.cgroup), None, &mounts, &machine);
        if limit_usage.limits().skip(usize::from(limit.is_some())).count() > 0 {
            return println!("SKIPPED: there is a limit above us");
        }
        assert_eq!(limit_usage.limit, Some((rss + left, "/proc/meminfo MemAvailable".into())));
        assert!(!limit_usage.is_of_group() && limit_usage.limiting().is_none());
        assert_eq!(limit_usage.usage(|| rss), rss);
    }
    assert!(group.remove());
}

/// A process that holds half of its group's limit and writes a large file: the kernel counts the group as
/// full, and we do not, at no look.
#[test]
fn page_cache_is_no_use() {
    const LIMIT: u64 = 96 << 20;
    let (mounts, machine) = (Mounts::detect(), Machine::detect());
    let Some(group) = group("cache", Some(LIMIT)) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large");
    let args = ["-base", "45000000", "-file", file.to_str().unwrap()];
    let writer = play("writes", &group.cgroup.memory, &args);
    wait_until(|| file.exists());
    let pid = writer.0.id() as i32;
    let mut limit_usage = LimitUsage::of(pid, 1 << 20, Some(&group.cgroup), None, &mounts, &machine);
    let (mut raw, mut used) = (0, 0);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        used = used.max(limit_usage.usage(|| 0));
        raw = raw.max(group.cgroup.usage().unwrap());
        std::thread::sleep(Duration::from_millis(2));
    }
    println!("the kernel says up to {} %, we say up to {} %", raw * 100 / LIMIT, used * 100 / LIMIT);
    assert!(raw > LIMIT / 10 * 9, "the page cache never filled the group: nothing was tried");
    assert!(used < LIMIT / 10 * 7, "{} %", used * 100 / LIMIT);
    drop(writer);
    assert!(group.remove());
}
