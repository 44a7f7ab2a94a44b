//! One watched process in the status document.

use lastgasp_recorder::daemon::status::TargetStatus;
use lastgasp_report::started_at;
use serde::Serialize;

use super::text::clip;

#[derive(Debug, Serialize)]
pub(super) struct Target<'a> {
    pid: i32,
    service: &'a str,
    container: Option<&'a str>,
    container_runtime: Option<&'static str>,
    pod_uid: Option<&'a str>,
    unit: Option<&'a str>,
    cgroup: &'a str,
    go_version: &'a str,
    module: Module<'a>,
    vcs_revision: Option<&'a str>,
    started_at: Option<String>,
    danger: &'static str,
    usage_bytes: u64,
    limit_bytes: Option<u64>,
    limit_source: Option<&'a str>,
    slope_bytes_per_second: Option<f64>,
    time_to_oom_seconds: Option<TimeToOom>,
    rss_bytes: u64,
    heap_live_bytes: u64,
    goroutines: u64,
    leaked_goroutines: Option<u64>,
    pinned: bool,
    baselines: u64,
    captures: u64,
    last_capture_unix: Option<u64>,
    problem: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Module<'a> {
    path: &'a str,
    version: &'a str,
}

#[derive(Debug, Serialize)]
struct TimeToOom {
    low: f64,
    likely: f64,
    high: f64,
}

impl<'a> Target<'a> {
    pub(super) fn of(target: &'a TargetStatus) -> Self {
        let text = |field: &'a Option<String>| field.as_deref().map(clip);
        Self {
            pid: target.pid,
            service: clip(&target.service),
            container: text(&target.container),
            container_runtime: target.container_runtime,
            pod_uid: text(&target.pod),
            unit: text(&target.unit),
            cgroup: clip(&target.cgroup),
            go_version: clip(&target.go_version),
            module: Module { path: clip(&target.module_path), version: clip(&target.module_version) },
            vcs_revision: text(&target.vcs_revision),
            started_at: started_at(target.started_unix),
            danger: danger(target.state).1,
            usage_bytes: target.usage_bytes,
            limit_bytes: target.limit_bytes,
            limit_source: text(&target.limit_source),
            slope_bytes_per_second: target.slope_bytes_per_second,
            time_to_oom_seconds: target.time_to_oom_seconds.map(|(low, likely, high)| TimeToOom { low, likely, high }),
            rss_bytes: target.rss_bytes,
            heap_live_bytes: target.heap_live_bytes,
            goroutines: target.goroutines,
            leaked_goroutines: target.leaked_goroutines,
            pinned: target.pinned,
            baselines: target.baselines,
            captures: target.captures,
            last_capture_unix: target.last_capture_unix,
            problem: text(&target.problem),
        }
    }
}

/// Danger by what the policy calls the state of a watch: a number that grows with it (that of
/// `lastgasp_container_danger`), and its name.
pub(crate) fn danger(state: &str) -> (u64, &'static str) {
    match state {
        "armed" => (2, "armed"),
        "alert" => (1, "alert"),
        _ => (0, "calm"),
    }
}
