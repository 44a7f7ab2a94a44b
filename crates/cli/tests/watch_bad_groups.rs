//! Groups that change under `lastgasp watch`, nested ones, and ones that many processes share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watching::{
    Daemon, LIMIT, captures, ends, facts_of, folders, forget, group, is_captured, limit_file, limit_of, program,
    runs_again, start_in, turn, victim, wait_for,
};

mod watching;

const MIB: u64 = 1 << 20;

/// Moved into another group while it is watched, and its old one removed: the new limit counts, and the kill
/// there is known for what it is.
#[test]
fn a_group_that_is_removed_while_watched() {
    let _turn = turn();
    let (program, store) = (program("dies-moved"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-moved", &[]);
    let Some(victim) = victim(&program, 400, &["-after", "5s", "-rate", "100000000"]) else { return };
    let Some(other) = group(401, Some(96 * MIB)) else { return };
    let (pid, mut child) = (victim.pid(), victim.child);
    daemon.watches(pid);
    for dir in other.dirs() {
        fs::write(dir.join("cgroup.procs"), pid.to_string()).unwrap();
    }
    assert!(victim.group.remove());
    assert_eq!(ends(&mut child).signal(), Some(9));
    assert!(other.remove());
    daemon.stop();
    is_captured(store.path(), pid);
    for folder in folders(store.path(), pid) {
        assert_eq!(limit_of(&folder).0, 96 * MIB);
    }
    forget(&program);
}

/// Raised for one and lowered for another while they are watched: each is captured at the limit that holds in
/// the end.
#[test]
fn a_limit_that_is_changed_while_watched() {
    let _turn = turn();
    let (program, store) = (program("dies-changed"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-changed", &[]);
    let victims = [(410, 192 * MIB), (411, 80 * MIB)].map(|(number, new)| {
        let victim = victim(&program, number, &["-after", "4s", "-rate", "60000000"])?;
        daemon.watches(victim.pid());
        Some((victim, new))
    });
    let Some(victims) = victims.into_iter().collect::<Option<Vec<_>>>() else { return };
    for (victim, new) in &victims {
        let dir = &victim.group.dirs()[0];
        // Memory and swap together may not be less than memory: the one first when raised, the other when
        // lowered.
        let both = dir.join("memory.memsw.limit_in_bytes");
        let _ = fs::write(&both, new.to_string());
        fs::write(limit_file(dir), new.to_string()).unwrap();
        let _ = fs::write(&both, new.to_string());
    }
    let done: Vec<(i32, u64)> = victims.into_iter().map(|(victim, new)| (victim.wait(), new)).collect();
    daemon.stop();
    for (pid, new) in done {
        is_captured(store.path(), pid);
        for folder in folders(store.path(), pid) {
            assert_eq!(limit_of(&folder).0, new, "{}", folder.display());
        }
    }
    forget(&program);
}

/// Lowers a group's limit of memory, and of memory and swap together, which may not be less.
fn lower(dir: &Path, to: u64) {
    fs::write(limit_file(dir), to.to_string()).unwrap();
    let _ = fs::write(dir.join("memory.memsw.limit_in_bytes"), to.to_string());
}

/// A program that is calm under a limit of 2 GB until `at`, milliseconds since 1970, and then grows by 60
/// MB/s; gives its number after its limit was lowered, just before it grows, and it has died of that.
fn dies_of_a_lowered_limit(program: &Path, daemon: &Daemon, number: usize, to: u64) -> Option<i32> {
    let group = group(number, Some(2 << 30))?;
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    // After so long limits that nobody tells of are read every few seconds.
    let at = now() + Duration::from_secs(14);
    let mut child = start_in(group.dirs(), program, &["-at", &at.as_millis().to_string(), "-rate", "60000000"]);
    daemon.watches(child.id() as i32);
    std::thread::sleep((at - Duration::from_millis(30)).saturating_sub(now()));
    lower(&group.dirs()[0], to);
    assert_eq!(ends(&mut child).signal(), Some(9), "killed by the kernel");
    assert!(group.remove());
    Some(child.id() as i32)
}

/// As `docker update` and an in-place resize of a pod do: lowered far out of the calm, to what is used up a
/// second later.
#[test]
fn a_limit_that_is_lowered_on_a_calm_process() {
    let _turn = turn();
    let (program, store) = (program("dies-lowered"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-lowered", &[]);
    let Some(pid) = dies_of_a_lowered_limit(&program, &daemon, 420, 80 * MIB) else { return };
    assert!(daemon.log.has("limit-notice", pid), "it was found by chance:\n{}", daemon.log());
    daemon.stop();
    is_captured(store.path(), pid);
    for folder in folders(store.path(), pid) {
        assert_eq!(limit_of(&folder).0, 80 * MIB, "{}", folder.display());
    }
    forget(&program);
}

/// Where nothing may be held and nobody stopped there is a folder all the same: when it died, at which limit,
/// what it used, and what its profile held when that was last looked at.
#[test]
fn a_death_of_which_nothing_could_be_copied_leaves_a_folder() {
    let _turn = turn();
    let (program, store) = (program("dies-unread"), tempfile::tempdir().unwrap());
    let config = "[watch]\nmode = 'observe'\n[pin]\nenabled = false\n";
    let daemon = Daemon::start_by(watching::lastgasp(), store.path(), "dies-unread", config, &[]);
    let Some(pid) = dies_of_a_lowered_limit(&program, &daemon, 421, 80 * MIB) else { return };
    daemon.stop();
    let found = folders(store.path(), pid);
    let [folder] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(limit_of(folder).0, 80 * MIB);
    let facts = facts_of(folder);
    assert_eq!(facts["capture"]["reason"], "oom-kill");
    let gaps = facts["capture"]["gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|g| g["what"] == "evidence"), "{gaps:?}");
    assert!(!facts["timeline"]["samples"].as_array().unwrap().is_empty());
    let sites = facts["last_look"]["sites"].as_array().unwrap();
    let function = |site: &serde_json::Value| {
        let frame = site["stack"][0].as_u64().unwrap() as usize;
        facts["frames"][frame]["function"].as_str().unwrap().to_owned()
    };
    assert!(sites.iter().any(|site| function(site) == "main.growA"), "{sites:?}");
    let report = fs::read_to_string(folder.join("report.txt")).unwrap();
    println!("{report}");
    assert!(report.contains("nothing could be copied") && report.contains("main.growA"));
    let events = facts["timeline"]["events"].as_array().unwrap();
    assert!(["oom-kill", "last-look"].iter().all(|kind| events.iter().any(|e| e["kind"] == *kind)), "{events:?}");
    forget(&program);
}

/// The limit stands on the group above, as Kubernetes sets a pod's.
#[test]
fn the_limit_of_a_group_above() {
    let _turn = turn();
    let (program, store) = (program("dies-nested"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-nested", &[]);
    let Some(pod) = group(450, Some(LIMIT)) else { return };
    let inner: Vec<PathBuf> = pod.dirs().iter().map(|d| d.join("inner")).collect();
    for dir in &inner {
        fs::create_dir(dir).unwrap();
    }
    let mut child = start_in(&inner, &program, &["-after", "1s", "-rate", "100000000"]);
    let pid = child.id() as i32;
    let status = ends(&mut child);
    for dir in &inner {
        assert!(wait_for(|| fs::remove_dir(dir).ok()).is_some());
    }
    assert_eq!(status.signal(), Some(9));
    let source = limit_file(&pod.dirs()[0]).display().to_string();
    assert!(pod.remove());
    daemon.stop();
    is_captured(store.path(), pid);
    for folder in folders(store.path(), pid) {
        assert_eq!(limit_of(&folder), (LIMIT, source.clone()));
    }
    forget(&program);
}

/// Two Go programs and another one in one group: the one that is killed is captured, and the one that is left
/// goes on being watched, to its own end.
#[test]
fn many_processes_in_one_group() {
    let _turn = turn();
    let (program, store) = (program("dies-first"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-first", &[]);
    let Some(group) = group(470, Some(LIMIT)) else { return };
    let mut grows = start_in(group.dirs(), &program, &["-after", "1s", "-rate", "100000000"]);
    let mut stays = start_in(group.dirs(), &program, &["-after", "6s", "-rate", "100000000"]);
    let mut other = start_in(group.dirs(), Path::new("/bin/sleep"), &["60"]);
    assert_eq!(ends(&mut grows).signal(), Some(9));
    assert!(stays.try_wait().unwrap().is_none() && other.try_wait().unwrap().is_none(), "the largest was killed");
    runs_again(stays.id(), Some(&group));
    assert_eq!(ends(&mut stays).signal(), Some(9));
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    ends(&mut other);
    assert!(group.remove());
    daemon.stop();
    // Who stayed is struck with it, since the limit is theirs together; what it says then is not that it was
    // itself.
    let (grows, stays) = (grows.id() as i32, stays.id() as i32);
    is_captured(store.path(), grows);
    let died = |(phase, _, verdict): &(String, bool, String)| phase == "post-kill" && verdict.contains("main.growA");
    assert!(captures(store.path(), stays).iter().any(died), "process {stays}: {:?}", captures(store.path(), stays));
    // Each is told what the group had lost beside it by then.
    let killed_beside = |pid: i32| {
        let after = |f: &PathBuf| f.to_string_lossy().contains("post-kill");
        let events =
            facts_of(folders(store.path(), pid).iter().find(|f| after(f)).unwrap())["timeline"]["events"].clone();
        let of_it = |e: &&serde_json::Value| e["kind"] == "neighbours-killed";
        events.as_array().unwrap().iter().find(of_it).map(|e| e["text"].as_str().unwrap().to_owned())
    };
    assert!(killed_beside(stays).is_some_and(|text| text.contains("killed 1 other process")));
    assert_eq!(killed_beside(grows), None);
    forget(&program);
}

/// Groups that are removed as soon as the kernel lets them be, as a container's runtime may: what they have
/// counted goes with them, on cgroup v1 no other counts for them, and each kill is told for what it was all
/// the same. (Half of them were plain kills when what the kernel says beside the counters was not heard.)
#[test]
fn a_kill_whose_group_is_removed_at_once() {
    let _turn = turn();
    let (program, store) = (program("dies-gone"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-gone", &[]);
    let mut pids = Vec::new();
    for number in 480..488 {
        let Some(mut victim) = victim(&program, number, &["-after", "700ms", "-rate", "100000000"]) else { return };
        daemon.watches(victim.pid());
        // A folder with living processes stays: nobody needs to know when the end is.
        let memory = victim.group.dirs()[0].clone();
        let removed = wait_for(|| (0..2000).find_map(|_| fs::remove_dir(&memory).ok()));
        assert!(removed.is_some(), "its group is not removed");
        victim.is_killed();
        pids.push(victim.pid());
        assert!(victim.group.remove());
    }
    // Not stopped before it has seen all the ends for itself.
    let taken = |pid: i32| folders(store.path(), pid).iter().any(|f| f.to_string_lossy().contains("post-kill"));
    assert!(wait_for(|| pids.iter().all(|pid| taken(*pid)).then_some(())).is_some(), "{}", daemon.log());
    daemon.stop();
    for pid in pids {
        is_captured(store.path(), pid);
        let after = folders(store.path(), pid).into_iter().find(|f| f.to_string_lossy().contains("post-kill"));
        let capture = facts_of(&after.unwrap())["capture"].clone();
        assert_eq!(capture["reason"], "oom-kill", "process {pid}");
    }
    forget(&program);
}

/// A neighbour that the kernel chose first is no word on how the process itself ends later: killed by an
/// operator, it was not out of memory.
#[test]
fn a_kill_after_a_neighbours() {
    let _turn = turn();
    let (program, store) = (program("dies-later"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-later", &[]);
    let Some(mut calm) = victim(&program, 490, &["-after", "300s"]) else { return };
    daemon.watches(calm.pid());
    // It keeps in memory what has no end of a line.
    let mut hungry = start_in(calm.group.dirs(), Path::new("/usr/bin/tail"), &["/dev/zero"]);
    assert_eq!(ends(&mut hungry).signal(), Some(9));
    assert!(calm.child.try_wait().unwrap().is_none(), "the largest was killed");
    // Longer than a process takes to die.
    std::thread::sleep(Duration::from_secs(12));
    calm.child.kill().unwrap();
    calm.is_killed();
    assert!(wait_for(|| daemon.log.has("ended", calm.pid()).then_some(())).is_some(), "{}", daemon.log());
    daemon.stop();
    for folder in folders(store.path(), calm.pid()) {
        assert_ne!(facts_of(&folder)["capture"]["reason"], "oom-kill", "{}", folder.display());
    }
    assert!(calm.group.remove());
    forget(&program);
}
