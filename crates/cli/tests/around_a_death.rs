//! What captures know around a death: who else was in the group, how old the process was, and where all of
//! its memory was at the moment of the copy, dead or alive.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use lastgasp_diagnosis::facts::Phase;
use lastgasp_diagnosis::{Facts, ledger};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain::find_or_fetch;

/// Captures of a death at a limit, with two children that sleep.
fn captures(minor: u16, store: &Path) -> Option<Vec<Facts>> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: needs root for a group");
        return None;
    }
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    let program = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs/dies"), ".").unwrap();
    // The shell becomes the program, whose children the others are then.
    let script = "for i in 1 2; do sleep 20 >/dev/null 2>&1 & done; exec \"$0\" -rate 6e7 -after 1500ms";
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
    command.args(["run", "--memory-max", "250M", "--store"]).arg(store).args(["--", "sh", "-c", script]).arg(program);
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let mut all = Vec::new();
    for folder in std::fs::read_dir(store).unwrap() {
        let path = folder.unwrap().path();
        if path.join("manifest.json").exists() {
            all.push(lastgasp_store::read(&path).unwrap());
        }
    }
    assert!(!all.is_empty(), "{said}");
    Some(all)
}

fn what_was_around_it(minor: u16) {
    let store = tempfile::tempdir().unwrap();
    let Some(all) = captures(minor, store.path()) else { return };
    assert!(all.iter().any(|f| f.capture.phase == Phase::PostKill));
    for f in all {
        let phase = f.capture.phase.name();
        let n = f.neighbours.as_ref().unwrap_or_else(|| panic!("{phase}"));
        let [sleep] = n.others.as_slice() else { panic!("{phase}: {n:?}") };
        assert_eq!((sleep.name.as_str(), sleep.processes, sleep.children, sleep.pids.len()), ("sleep", 2, 2, 2));
        assert!(sleep.rss_bytes > 0 && n.rss_bytes == sleep.rss_bytes && n.group.contains("lastgasp"), "{n:?}");
        assert!(f.capture.t_ms.abs_diff(n.as_of_ms) < 1500, "{phase}: {n:?}");
        let age = f.target.age_ms.unwrap();
        assert!((1500..60_000).contains(&age), "{phase}: {age} ms");
        // Of one moment, and all of it is named.
        let rss = f.rss.unwrap();
        assert!(rss.as_of_ms.abs_diff(f.capture.t_ms) < 500, "{phase}: {rss:?} {}", f.capture.t_ms);
        let unknown = ledger(&f).iter().find(|s| s.name == "unknown").unwrap().bytes;
        assert!(unknown.unsigned_abs() <= rss.rss * 3 / 100, "{phase}: {unknown} of {rss:?}");
        let resident = f.residency.unwrap();
        assert!(resident.go_heap > rss.anon / 10 * 9 && resident.as_of_ms >= f.capture.t_ms, "{phase}: {resident:?}");
    }
}

#[test]
fn around_a_death_go1_19() {
    what_was_around_it(19);
}

#[test]
fn around_a_death_go1_26() {
    what_was_around_it(26);
}
