//! `/status`: what the daemon knows, as a JSON document that a terminal view can be made of. The contract is
//! docs/formats/status-json.md, which a test holds against these structs. Its size is bounded, whatever runs
//! on the node, and there are neither addresses of webhooks nor anything of a target's memory in it.

#[cfg(test)]
mod contract;
mod counters;
mod target;
mod text;

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::path::Path;
use std::time::SystemTime;

use lastgasp_recorder::daemon::status::{Status, TargetStatus};
use lastgasp_recorder::pin_window::PinWindow;
use lastgasp_report::started_at;
use serde::Serialize;

use crate::recent_captures::RecentCapture;
use crate::self_stats::SelfStats;
use counters::Counters;
use target::Target;
pub(crate) use target::danger;
use text::clip;

/// Name and version of the document.
const SCHEMA: &str = "lastgasp.status/1";
/// Targets in the document; of more those in the greatest danger are there.
const MAX_TARGETS: usize = 1000;

/// What the document is made of.
#[derive(Debug)]
pub(crate) struct Snapshot<'a> {
    /// What the watch knows.
    pub(crate) status: &'a Status,
    /// What the daemon knows of itself.
    pub(crate) own: &'a SelfStats,
    /// Why it is not healthy; empty if it is.
    pub(crate) problems: &'a [String],
    /// Newest first.
    pub(crate) captures: &'a [RecentCapture],
    /// Where captures are, and how many bytes and captures are kept.
    pub(crate) store: (&'a Path, u64, usize),
}

/// The document's text.
pub(crate) fn text(snapshot: &Snapshot<'_>) -> String {
    // Plain data with names for keys: that cannot fail.
    serde_json::to_string(&Document::of(snapshot)).unwrap_or_default()
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    at_unix_ms: u64,
    started_at: Option<String>,
    mode: &'static str,
    process_events: bool,
    healthy: bool,
    problems: Vec<&'a str>,
    pin_window: Option<Window<'a>>,
    agent: Agent,
    store: Store<'a>,
    counters: Counters<'a>,
    targets: Vec<Target<'a>>,
    targets_left_out: usize,
    captures: Vec<Capture<'a>>,
}

#[derive(Debug, Serialize)]
struct Window<'a> {
    state: &'static str,
    seconds: Option<f64>,
    why: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Agent {
    memory_bytes: u64,
    cpu_seconds: f64,
    open_files: u64,
}

#[derive(Debug, Serialize)]
struct Store<'a> {
    path: Cow<'a, str>,
    captures: usize,
    bytes: u64,
    max_captures: usize,
    max_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Capture<'a> {
    pid: i32,
    service: &'a str,
    phase: &'a str,
    taken_at: &'a str,
    light: bool,
    path: Cow<'a, str>,
    code: Option<&'static str>,
    sentence: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn of(snapshot: &Snapshot<'a>) -> Self {
        let Snapshot { status, own, problems, captures, store } = snapshot;
        let mut targets: Vec<&TargetStatus> = status.targets.iter().collect();
        targets.sort_by(|a, b| by_danger(a, b));
        targets.truncate(MAX_TARGETS);
        targets.sort_by_key(|t| t.pid);
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            at_unix_ms: SystemTime::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_millis() as u64),
            started_at: started_at(status.started_unix),
            mode: status.mode,
            process_events: status.process_events,
            healthy: problems.is_empty(),
            problems: problems.iter().map(|p| clip(p)).collect(),
            pin_window: status.pin_window.as_ref().map(Window::of),
            agent: Agent { memory_bytes: own.rss, cpu_seconds: own.cpu_seconds, open_files: own.descriptors },
            store: Store {
                path: store.0.to_string_lossy(),
                captures: own.store.0,
                bytes: own.store.1,
                max_captures: store.2,
                max_bytes: store.1,
            },
            counters: Counters::of(&status.counters, own),
            targets_left_out: status.targets.len() - targets.len(),
            targets: targets.into_iter().map(Target::of).collect(),
            captures: captures.iter().map(Capture::of).collect(),
        }
    }
}

/// The greatest danger and the nearest end first.
fn by_danger(a: &TargetStatus, b: &TargetStatus) -> Ordering {
    let danger = |t: &TargetStatus| Reverse(danger(t.state).0);
    let end = |t: &TargetStatus| t.time_to_oom_seconds.map_or(f64::INFINITY, |(_, likely, _)| likely);
    danger(a).cmp(&danger(b)).then(end(a).total_cmp(&end(b))).then(a.pid.cmp(&b.pid))
}

impl<'a> Window<'a> {
    fn of(window: &'a PinWindow) -> Self {
        match window {
            PinWindow::Measured(time) => Self { state: "measured", seconds: Some(time.as_secs_f64()), why: None },
            PinWindow::Unmeasured { why } => Self { state: "unmeasured", seconds: None, why: Some(clip(why)) },
            PinWindow::Refused { why } => Self { state: "refused", seconds: None, why: Some(clip(why)) },
        }
    }
}

impl<'a> Capture<'a> {
    fn of(capture: &'a RecentCapture) -> Self {
        Self {
            pid: capture.pid,
            service: clip(&capture.service),
            phase: &capture.phase,
            taken_at: &capture.taken_at,
            light: capture.light,
            path: capture.path.to_string_lossy(),
            code: capture.verdict.as_ref().map(|v| v.0),
            sentence: capture.verdict.as_ref().map(|v| clip(&v.1)),
        }
    }
}
