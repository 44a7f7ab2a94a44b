//! `lastgasp ps`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use lastgasp_diagnosis::units::{bytes, seconds};
use lastgasp_inferior::resident_bytes;
use lastgasp_recorder::cgroup::{Cgroup, Mounts};
use lastgasp_recorder::discover::{Discoverer, GoProcess};
use lastgasp_recorder::forecast::time_to_oom;
use lastgasp_recorder::target::{Target, identity};
use serde_json::{Value, json};

use super::say;
use crate::exit::Exit;

/// Lists Go processes.
pub(super) fn ps(as_json: bool) -> Result<Exit> {
    let mounts = Mounts::detect();
    let found = Discoverer::default().all();
    // Two looks a moment apart tell who grows.
    let before: Vec<u64> = found.iter().map(|p| resident_bytes(p.pid).unwrap_or(0)).collect();
    let began = Instant::now();
    std::thread::sleep(LOOK);
    let rows: Vec<Value> = found.iter().zip(before).map(|(p, b)| row(p, &mounts, b, began)).collect();
    if as_json {
        say(&(serde_json::to_string_pretty(&json!({"schema": "lastgasp.ps/1", "processes": rows}))? + "\n"));
    } else {
        say(&table(&rows));
    }
    Ok(Exit::Fine)
}

/// Between the two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Less growth than this between them is noise.
const GROWS: u64 = 1 << 20;

fn row(p: &GoProcess, mounts: &Mounts, before: u64, began: Instant) -> Value {
    let who = identity(p.pid, mounts, p.start_time);
    let cgroup = Cgroup::of(p.pid, mounts);
    let limit = cgroup.as_ref().and_then(Cgroup::limit).map(|(l, _)| l.bytes);
    let target = Target::attach(p.pid, mounts);
    let (gauges, rss, rate, problem) = match &target {
        Ok(t) => {
            use lastgasp_inferior::Memory as _;
            (t.gauges(), t.process.rss(), t.process.u64(t.runtime.globals.mem_profile_rate).ok(), None)
        }
        Err(e) => (None, None, None, Some(e.to_string())),
    };
    let now = resident_bytes(p.pid).unwrap_or(0);
    let grown = now.saturating_sub(before);
    let time_to_oom = limit.filter(|_| grown >= GROWS).and_then(|l| {
        time_to_oom(
            l.saturating_sub(cgroup.as_ref().and_then(Cgroup::usage).unwrap_or(now)),
            grown as f64 / began.elapsed().as_secs_f64(),
        )
    });
    json!({
        "time_to_oom_seconds": time_to_oom,
        "pid": p.pid, "service": who.service, "go_version": p.build_info.go_version,
        "module": {"path": p.build_info.module.path, "version": p.build_info.module.version},
        "vcs_revision": p.build_info.setting("vcs.revision"), "container": who.container, "cgroup": who.cgroup,
        "started_at_unix": who.started_unix, "stripped": p.stripped, "rss_bytes": rss, "limit_bytes": limit,
        "goroutines": gauges.map(|g| g.goroutine_slots), "heap_live_bytes": gauges.map(|g| g.heap_live),
        "profile_rate": rate, "profile_on": rate.map(|r| r > 0), "problem": problem,
    })
}

fn table(rows: &[Value]) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:>8}  {:<24} {:<12} {:>9} {:>9} {:>9} {:>6} {:>8}  {:<8} {:<7}",
        "PID", "SERVICE", "GO", "RSS", "HEAP", "LIMIT", "GOROUT", "TO OOM", "STRIPPED", "PROFILE"
    );
    for r in rows {
        let size = |k: &str| r[k].as_u64().map_or_else(|| "-".into(), bytes);
        let yes =
            |k: &str, yes: &'static str, no: &'static str| r[k].as_bool().map_or("?", |b| if b { yes } else { no });
        let _ = writeln!(
            out,
            "{:>8}  {:<24} {:<12} {:>9} {:>9} {:>9} {:>6} {:>8}  {:<8} {:<7}{}",
            r["pid"],
            r["service"].as_str().unwrap_or("?"),
            r["go_version"].as_str().unwrap_or("?"),
            size("rss_bytes"),
            size("heap_live_bytes"),
            size("limit_bytes"),
            r["goroutines"].as_u64().map_or_else(|| "-".into(), |n| n.to_string()),
            r["time_to_oom_seconds"].as_f64().map_or_else(|| "-".into(), seconds),
            yes("stripped", "yes", "no"),
            yes("profile_on", "on", "off"),
            r["problem"].as_str().map_or_else(String::new, |p| format!("  ({p})")),
        );
    }
    if rows.is_empty() {
        out.push_str("no Go process that may be read (as root: all of them)\n");
    }
    out
}
