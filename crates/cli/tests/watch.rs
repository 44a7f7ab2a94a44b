//! `lastgasp watch` on real processes: kills, many kills at once, its own death, what it must leave alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use watching::{Daemon, Victim, captures, facts_of, folders, forget, json, lastgasp, program, turn, victim, wait_for};

mod watching;

/// One after the other and slow enough to be seen coming: struck before, and read after.
#[test]
fn a_kill_is_captured_before_and_after() {
    let _turn = turn();
    let (program, store) = (program("dies-one"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-one", &[]);
    let Some(victim) = victim(&program, 0, &["-after", "1s", "-rate", "100000000"]) else { return };
    let pid = victim.wait();
    daemon.stop();
    let found = captures(store.path(), pid);
    for phase in ["pre-kill", "post-kill"] {
        assert!(found.iter().any(|(p, ..)| p == phase), "no {phase}: {found:?}");
    }
    assert!(found.iter().all(|(.., verdict)| verdict.contains("main.growA")), "{found:?}");
    forget(&program);
}

/// The heap of the first that dies is in its capture as a graph; another death of the same build has none so
/// soon, and says so. Switched off there is none, and nothing is said.
#[test]
fn the_heap_of_the_dead_is_a_graph_of_its_capture() {
    let _turn = turn();
    for (number, config) in [(11, ""), (13, "[graph]\nof_the_dead = false\n")] {
        let (program, store) = (program("dies-graph"), tempfile::tempdir().unwrap());
        let daemon = Daemon::start_by(lastgasp(), store.path(), "dies-graph", config, &[]);
        let mut dead = Vec::new();
        for n in [number, number + 1] {
            let Some(mut victim) = victim(&program, n, &["-after", "1s", "-rate", "100000000"]) else { return };
            let pid = victim.pid();
            daemon.watches(pid);
            // Its group says that it was killed for memory, and without that there is no graph.
            victim.is_killed();
            dead.push(pid);
            // Not stopped before it has seen for itself what the end was.
            let taken =
                || folders(store.path(), pid).iter().any(|f| f.to_string_lossy().contains("post-kill")).then_some(());
            assert!(wait_for(taken).is_some(), "nothing was captured of {pid}:\n{}", daemon.log());
            victim.wait();
            // It is written again with its graph.
            if config.is_empty() {
                let said = || daemon.log().contains("heap-graph").then_some(());
                assert!(wait_for(said).is_some(), "no graph was made:\n{}", daemon.log());
            }
        }
        daemon.stop();
        let graphs = dead.iter().map(|pid| {
            let after = folders(store.path(), *pid).into_iter().find(|f| f.to_string_lossy().contains("post-kill"));
            let facts = facts_of(&after.unwrap());
            let gaps = facts["capture"]["gaps"].as_array().unwrap().clone();
            let why = gaps.iter().find(|g| g["what"] == "heap graph").map(|g| g["why"].to_string());
            (facts["graph"].clone(), why)
        });
        let graphs: Vec<_> = graphs.collect();
        if config.is_empty() {
            let (graph, why) = &graphs[0];
            assert_eq!((&graph["source"], why), (&"dead".into(), &None), "{graph:#}");
            assert!(graph["live_bytes"].as_u64().unwrap() > 64 << 20, "{graph:#}");
            let (graph, why) = &graphs[1];
            let is_refused = graph.is_null() && why.as_ref().is_some_and(|w| w.contains("graph.pause"));
            assert!(is_refused, "{why:?} {}\n{:?}", graph["source"], folders(store.path(), dead[1]));
        } else {
            assert!(graphs.iter().all(|(graph, why)| graph.is_null() && why.is_none()), "{graphs:?}");
        }
        forget(&program);
    }
}

/// In observe mode nothing is ever stopped: there is evidence from after the kill alone.
#[test]
fn an_observer_stops_nobody() {
    let _turn = turn();
    let (program, store) = (program("dies-seen"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-seen", &["--mode", "observe"]);
    let Some(victim) = victim(&program, 10, &["-after", "1s", "-rate", "100000000"]) else { return };
    let pid = victim.wait();
    daemon.stop();
    let phases: Vec<String> = captures(store.path(), pid).into_iter().map(|(p, ..)| p).collect();
    assert_eq!(phases, ["post-kill"]);
    forget(&program);
}

/// Twenty of the same cause at once: every one has its capture, the first three whole, the others light.
#[test]
fn twenty_die_at_once() {
    let _turn = turn();
    let (program, store) = (program("dies-many"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(store.path(), "dies-many", &[]);
    let victims: Vec<Option<Victim>> = (20..40).map(|i| victim(&program, i, &["-after", "2s", "-rate", "0"])).collect();
    let Some(victims) = victims.into_iter().collect::<Option<Vec<Victim>>>() else { return };
    let pids: Vec<i32> = victims.into_iter().map(Victim::wait).collect();
    daemon.stop();
    // By cause: on a busy machine one may seem to have died of another (its heap doubled before a collection
    // ended), and is news then.
    let mut whole: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for pid in pids {
        let found = captures(store.path(), pid);
        assert!(found.iter().any(|(.., verdict)| verdict.contains("main.growA")), "process {pid}: {found:?}");
        for manifest in folders(store.path(), pid).iter().map(|folder| json(&folder.join("manifest.json"))) {
            if manifest["light"] != true {
                whole.entry(manifest["cause"].as_str().unwrap().to_owned()).or_default().insert(pid);
            }
        }
    }
    assert!(whole.values().all(|victims| victims.len() <= 3), "victims that were written whole: {whole:?}");
    assert!(whole.values().any(|victims| victims.len() == 3), "victims that were written whole: {whole:?}");
    forget(&program);
}

/// Killed itself, at moments all over a victim's last second: the victim is never left stopped.
#[test]
fn the_daemon_killed_at_any_moment_leaves_nobody_stopped() {
    let _turn = turn();
    let program = program("dies-left");
    for round in 0..8u64 {
        let store = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start(store.path(), "dies-left", &[]);
        let Some(victim) = victim(&program, 50 + round as usize, &["-after", "300ms", "-rate", "60000000"]) else {
            return;
        };
        // It dies two seconds after its start.
        std::thread::sleep(Duration::from_millis(1500 + round * 90));
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
        // Not stopped: it goes on, and dies of memory by itself.
        victim.wait();
    }
    forget(&program);
}
