//! `lastgasp ps`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use lastgasp_diagnosis::units::{bytes, seconds};
use lastgasp_goruntime::{MemStats, count_goroutines};
use lastgasp_inferior::{Memory as _, OpenError, resident_bytes};
use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::target::discover::{Discoverer, GoProcess};
use lastgasp_observe::target::identity::{CgroupPath, IdentitySource as _, identity};
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use lastgasp_observe::target::{AttachError, open};
use lastgasp_recorder::forecast::time_to_oom;
use lastgasp_report::{printable, started_at};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::output::say;

/// Less growth than this between two looks is noise.
const GROWS: u64 = 1 << 20;
const DENIED: &str = "needs CAP_SYS_PTRACE: run as root";
const ONE_LOOK: &str = "one look cannot tell who grows: give --look 1, or have `lastgasp watch` look on";

/// Form of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For a terminal.
    Table,
    /// Schema lastgasp.ps/1.
    Json,
}

/// How often the processes were looked at: growth takes two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    One,
    Two,
}

/// Lists Go processes; with two looks `apart` seconds from each other tells who grows.
pub(super) fn ps(form: Form, apart: Option<f64>) -> Result<Exit> {
    let mounts = Mounts::detect();
    let machine = Machine::detect();
    let cache = RuntimeCache::of_user();
    let found = Discoverer::default().all();
    let usage = |p: &GoProcess| -> u64 {
        let rss = resident_bytes(p.pid).unwrap_or(0);
        LimitUsage::of(p.pid, rss, None, None, &mounts, &machine).usage(|| rss)
    };
    let before: Option<(Vec<u64>, Instant)> = apart.map(|seconds| {
        let first = found.processes.iter().map(usage).collect();
        let began = Instant::now();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        (first, began)
    });
    let mut denied = found.denied;
    let mut rows = Vec::with_capacity(found.processes.len());
    for (i, p) in found.processes.iter().enumerate() {
        let before = before.as_ref().and_then(|(first, began)| Some((*first.get(i)?, began.elapsed().as_secs_f64())));
        let (row, was_denied) = row(p, &mounts, &machine, &cache, before);
        denied += usize::from(was_denied);
        rows.push(row);
    }
    let notes = notes(denied, if before.is_some() { Looks::Two } else { Looks::One });
    if form == Form::Json {
        let document = json!({"schema": "lastgasp.ps/1", "processes": rows, "denied": denied, "notes": notes});
        say(&(serde_json::to_string_pretty(&document)? + "\n"));
    } else {
        say(&table(&rows, &notes));
    }
    Ok(Exit::Fine)
}

/// What is said once and not for each process.
fn notes(denied: usize, looks: Looks) -> Vec<String> {
    let mut notes = Vec::new();
    if denied > 0 {
        // PID 1 of a sandbox, say.
        let why = if nix::unistd::geteuid().is_root() {
            "not even by this root, who lacks CAP_SYS_PTRACE over them"
        } else {
            DENIED
        };
        notes.push(format!("{denied} of the processes here could not be read: {why}"));
    }
    if looks == Looks::One {
        notes.push(format!("time to OOM unknown: {ONE_LOOK}"));
    }
    notes
}

/// A process as JSON, and whether the kernel would not let us read it. `before`: the usage some seconds ago.
fn row(
    p: &GoProcess,
    mounts: &Mounts,
    machine: &Machine,
    cache: &RuntimeCache,
    before: Option<(u64, f64)>,
) -> (Value, bool) {
    let who = identity(p.pid, mounts, p.start_time);
    let lives_in = CgroupPath.home(p.pid, &who.cgroup);
    let rss = resident_bytes(p.pid).unwrap_or(0);
    let mut limit_usage = LimitUsage::of(p.pid, rss, None, None, mounts, machine);
    let usage = limit_usage.usage(|| rss);
    let opened = open(p.pid, cache);
    let denied = matches!(&opened, Err(AttachError::Open(OpenError::Denied { .. })));
    let (gauges, live, rate, problem) = match &opened {
        Ok((process, runtime)) => (
            MemStats::read(runtime, process).ok(),
            count_goroutines(runtime, process, process),
            process.u64(runtime.globals.mem_profile_rate).ok().map(positive),
            None,
        ),
        Err(_) if denied => (None, None, None, Some(DENIED.to_owned())),
        Err(e) => (None, None, None, Some(e.to_string())),
    };
    let to_oom = before.zip(limit_usage.limit.as_ref()).and_then(|((before, seconds), (limit, _))| {
        let grown = usage.checked_sub(before).filter(|g| *g >= GROWS)?;
        time_to_oom(limit.saturating_sub(usage), grown as f64 / seconds)
    });
    let limit = limit_usage.limit.as_ref().filter(|_| limit_usage.is_of_group());
    let info = &p.executable.build_info;
    let row = json!({
        "pid": p.pid, "service": who.service, "go_version": some(&info.go_version),
        "module": {"path": some(&info.module.path), "version": some(&info.module.version)},
        "vcs_revision": info.setting("vcs.revision"),
        "cgroup": who.cgroup, "container": lives_in.container, "container_runtime": lives_in.runtime, "pod_uid": lives_in.pod,
        "unit": lives_in.unit, "home": lives_in.to_string(),
        "started_at": started_at(who.started_unix), "started_at_unix": who.started_unix, "stripped": p.executable.stripped,
        "rss_bytes": Some(rss).filter(|r| *r > 0), "usage_bytes": limit.map(|_| usage),
        "limit_bytes": limit.map(|l| l.0), "limit_source": limit.map(|l| l.1.as_str()),
        "goroutines": live, "goroutine_structures": gauges.map(|g| g.goroutine_slots), "heap_live_bytes": gauges.map(|g| g.heap_live),
        "profile_rate": rate, "profile_on": rate.map(|r| r > 0), "time_to_oom_seconds": to_oom, "problem": problem,
    });
    (row, denied)
}

/// `MemProfileRate`: what is not positive is off.
fn positive(rate: u64) -> u64 {
    rate.cast_signed().max(0).cast_unsigned()
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

/// How long ago, as `ps` and `docker` say it.
fn age(started_unix: u64, now: u64) -> String {
    let s = now.saturating_sub(started_unix);
    match s {
        0..120 => format!("{s}s"),
        120..7200 => format!("{}m", s / 60),
        7200..172_800 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86400),
    }
}

/// Module version and revision in a word.
fn build(row: &Value) -> String {
    let version = row["module"]["version"].as_str().filter(|v| *v != "(devel)");
    let revision = row["vcs_revision"].as_str().map(|r| r.get(..12).unwrap_or(r));
    match (version, revision) {
        // A pseudo-version holds the revision.
        (Some(v), Some(r)) if !v.contains(r) => format!("{v} {r}"),
        (Some(v), _) => v.to_owned(),
        (None, Some(r)) => r.to_owned(),
        (None, None) => "-".to_owned(),
    }
}

/// Which side of a column is straight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// Columns of the table; each is as wide as its longest cell.
const COLUMNS: [(&str, Align); 13] = [
    ("PID", Align::Right),
    ("SERVICE", Align::Left),
    ("GO", Align::Left),
    ("RSS", Align::Right),
    ("HEAP", Align::Right),
    ("LIMIT", Align::Right),
    ("GOROUT", Align::Right),
    ("TO OOM", Align::Right),
    ("AGE", Align::Right),
    ("STRIPPED", Align::Left),
    ("PROFILE", Align::Left),
    ("WHERE", Align::Left),
    ("BUILD", Align::Left),
];

type Row = [String; COLUMNS.len()];

/// Longest name in a cell: a longer one is cut, and `--json` has all of it.
const MAX_CELL: usize = 40;

/// The cells of a process. All names are named by the process itself.
fn cells(r: &Value, now: u64) -> Row {
    let cell = |text: &str| {
        let text = printable(text);
        match text.char_indices().nth(MAX_CELL) {
            Some(_) => text.chars().take(MAX_CELL - 3).collect::<String>() + "...",
            None => text.into_owned(),
        }
    };
    let text = |k: &str, none: &str| cell(r[k].as_str().unwrap_or(none));
    let size = |k: &str| r[k].as_u64().map_or_else(|| "-".into(), bytes);
    let yes = |k: &str, yes: &str, no: &str| r[k].as_bool().map_or("?", |b| if b { yes } else { no }).to_owned();
    [
        r["pid"].to_string(),
        text("service", "?"),
        text("go_version", "?"),
        size("rss_bytes"),
        size("heap_live_bytes"),
        size("limit_bytes"),
        r["goroutines"].as_u64().map_or_else(|| "-".into(), |n| n.to_string()),
        r["time_to_oom_seconds"].as_f64().map_or_else(|| "-".into(), seconds),
        age(r["started_at_unix"].as_u64().unwrap_or(now), now),
        yes("stripped", "yes", "no"),
        yes("profile_on", "on", "off"),
        text("home", "-"),
        cell(&build(r)),
    ]
}

fn table(rows: &[Value], notes: &[String]) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs());
    let mut out = String::new();
    if rows.is_empty() {
        out.push_str("no Go process that may be read\n");
    } else {
        let head = COLUMNS.map(|(name, _)| name.to_owned());
        let all: Vec<Row> = std::iter::once(head).chain(rows.iter().map(|r| cells(r, now))).collect();
        let width = |i: usize| all.iter().filter_map(|row| row.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
        for row in &all {
            let mut line = String::new();
            for ((cell, (_, align)), width) in row.iter().zip(COLUMNS).zip(&widths) {
                let _ = match align {
                    Align::Right => write!(line, "{cell:>width$}  "),
                    Align::Left => write!(line, "{cell:<width$}  "),
                };
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    // Denial is said below for all of them.
    for (r, problem) in rows.iter().filter_map(|r| Some((r, r["problem"].as_str().filter(|p| *p != DENIED)?))) {
        let _ = writeln!(out, "{}: {}", r["pid"], printable(problem));
    }
    for note in notes {
        let _ = writeln!(out, "{note}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_is_called() {
        let of = |version: &str, revision: Option<&str>| {
            build(&json!({"module": {"version": version}, "vcs_revision": revision}))
        };
        assert_eq!(of("(devel)", None), "-");
        assert_eq!(of("(devel)", Some("0123456789abcdef")), "0123456789ab");
        assert_eq!(of("v1.2.3", Some("0123456789abcdef")), "v1.2.3 0123456789ab");
        assert_eq!(
            of("v0.0.0-20251123015300-0123456789ab", Some("0123456789abcdef")),
            "v0.0.0-20251123015300-0123456789ab"
        );
    }

    #[test]
    fn ages() {
        let of = |s: u64| age(1_000_000, 1_000_000 + s);
        assert_eq!(
            [of(0), of(119), of(120), of(7199), of(7200), of(200_000)],
            ["0s", "119s", "2m", "119m", "2h", "2d"]
        );
        assert_eq!(age(5, 3), "0s", "a clock that was set back");
    }

    /// A long name once pushed all that stands to the right of it out of its column.
    #[test]
    fn columns_are_straight_whatever_the_names() {
        let row = |service: &str, go: &str| json!({"pid": 4711, "service": service, "go_version": go, "home": "x"});
        let long = "a-service-with-a-name-of-31-chars".repeat(3);
        let text = table(&[row(&long, "go1.26-devel_0123456789"), row("b\u{e9}", "go1.27.3"), json!({})], &[]);
        let column = |line: &str, what: &str| line.find(what).map(|at| line[..at].chars().count());
        let lines: Vec<&str> = text.lines().collect();
        let at = column(lines[0], "GO ").unwrap();
        assert_eq!((column(lines[1], "go1.26"), column(lines[2], "go1.27")), (Some(at), Some(at)), "{text}");
        assert!(lines[1].contains("a-service-with-a-name-of-31-charsa-se..."), "{text}");
        assert!(lines.iter().all(|l| l.chars().count() < 200), "{text}");
    }

    /// Executable, cgroup and build information are the process's own words.
    #[test]
    fn hostile_names_reach_no_terminal() {
        let bad = "x\x1b[2J\n1 fake\u{9b}\u{202e}";
        let module = json!({"path": bad, "version": bad});
        let row = json!({"pid": 1, "service": bad, "go_version": bad, "home": bad, "module": module, "vcs_revision": bad, "problem": bad});
        let text = table(&[row], &[]);
        assert_eq!(text.lines().count(), 3, "{text:?}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text:?}");
    }

    #[test]
    fn what_is_not_positive_is_no_rate() {
        let of = |rate: i64| positive(rate.cast_unsigned());
        assert_eq!([of(-1), of(i64::MIN), of(0), of(512)], [0, 0, 0, 512]);
    }

    /// Who may not be read is counted once, whatever the number of processes.
    #[test]
    fn denial_is_said_once() {
        let row = json!({"pid": 1, "problem": DENIED});
        let text = table(&[row.clone(), row], &notes(2, Looks::Two));
        assert_eq!(text.matches("CAP_SYS_PTRACE").count(), 1, "{text}");
        assert!(text.contains("2 of the processes here could not be read"), "{text}");
    }
}
