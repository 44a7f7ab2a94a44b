//! `lastgasp watch` on real processes: kills, many kills at once, its own death, what it must leave alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::time::{Duration, Instant};

use watching::{Daemon, Victim, captures, forget, program, turn, victim};

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
    let mut whole = 0;
    for pid in pids {
        let found = captures(store.path(), pid);
        assert!(found.iter().any(|(.., verdict)| verdict.contains("main.growA")), "process {pid}: {found:?}");
        whole += usize::from(found.iter().any(|(_, light, _)| !light));
    }
    assert_eq!(whole, 3, "victims that were written whole");
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
        let Some(mut victim) = victim(&program, 50 + round as usize, &["-after", "300ms", "-rate", "60000000"]) else {
            return;
        };
        // It dies two seconds after its start.
        std::thread::sleep(Duration::from_millis(1500 + round * 90));
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
        // Not stopped: it goes on, and dies of memory by itself.
        let began = Instant::now();
        while victim.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(10), "round {round}: it stands still");
            std::thread::sleep(Duration::from_millis(20));
        }
        victim.wait();
    }
    forget(&program);
}
