//! `lastgasp watch` beside a service whose goroutines grow in number: a leak is told of once, long before
//! memory is full; what only comes and goes is looked at, and left alone. Needs root and cgroups.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::time::{Duration, Instant};

use watching::{Daemon, Victim, folders, forget, json, lastgasp, program_of, turn, victim};

mod watching;

/// Samples come closer together than they do by default, and a build without optimisation on a busy machine
/// reads slowly.
const CONFIG: &str = "[watch]\nsample = \"2s\"\n[leaks]\nstop = \"500ms\"\n";

/// Waits until the daemon has said that of a process.
fn says(daemon: &Daemon, event: &str, victim: &Victim, within: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < within {
        if daemon.log.has(event, victim.pid()) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

/// 200 goroutines a second, each at a channel that nobody else knows any more.
#[test]
fn a_leak_that_grows_is_captured_once_and_told() {
    let _turn = turn();
    let (program, store) = (program_of("leaks", "leaks-calls"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start_by(lastgasp(), store.path(), "leaks-calls", CONFIG, &[]);
    let Some(mut victim) = victim(&program, 70, &["-rate", "200"]) else { return };
    daemon.watches(victim.pid());
    let told = says(&daemon, "leak", &victim, Duration::from_secs(180));
    assert!(told, "no leak is told of:\n{}", daemon.log());
    assert!(victim.child.try_wait().unwrap().is_none(), "it lives, and long before its end");
    // Once: it grows on.
    std::thread::sleep(Duration::from_secs(8));
    let found = folders(store.path(), victim.pid());
    assert_eq!(found.len(), 1, "{found:?}\n{}", daemon.log());
    let manifest = json(&found[0].join("manifest.json"));
    assert_eq!((&manifest["phase"], &manifest["reason"]), (&"manual".into(), &"leak".into()));
    let page = lastgasp().args(["report", "--format", "json"]).arg(&found[0]).output().unwrap();
    let r: serde_json::Value = serde_json::from_slice(&page.stdout).unwrap();
    let leak = r["goroutines"]["leak"].clone();
    let sentence = leak["sentence"].as_str().unwrap_or_default();
    println!("{sentence}");
    assert!(sentence.contains("started by main.caller") && sentence.contains("main.answer"), "{leak:#}");
    let group = &r["goroutines"]["verdict_groups"][0];
    assert_eq!((&group["code"], &group["growing"]), (&"send-nobody-receives".into(), &true.into()), "{group:#}");
    let rate = group["over_time"]["per_second"].as_f64().unwrap();
    assert!((120.0..=220.0).contains(&rate), "{group:#}");
    let metrics = daemon.log.page("/metrics").unwrap_or_default();
    assert!(metrics.contains("lastgasp_leak_looks_total{result=\"found\"} 1"), "{metrics}");
    victim.child.kill().unwrap();
    victim.wait();
    daemon.stop();
    forget(&program);
}

/// As many, and their number grows as steadily, until they are let go: a capture is taken, which says so, and
/// is thrown away.
#[test]
fn what_will_be_let_go_is_looked_at_and_left_alone() {
    let _turn = turn();
    let (program, store) = (program_of("leaks", "leaks-guests"), tempfile::tempdir().unwrap());
    let daemon = Daemon::start_by(lastgasp(), store.path(), "leaks-guests", CONFIG, &[]);
    let Some(mut victim) = victim(&program, 71, &["-rate", "200", "-healthy"]) else { return };
    daemon.watches(victim.pid());
    let said = says(&daemon, "no-leak", &victim, Duration::from_secs(180));
    assert!(said, "it was not looked at:\n{}", daemon.log());
    assert!(!daemon.log.has("leak", victim.pid()), "{}", daemon.log());
    assert_eq!(folders(store.path(), victim.pid()).len(), 0);
    victim.child.kill().unwrap();
    victim.wait();
    daemon.stop();
    forget(&program);
}
