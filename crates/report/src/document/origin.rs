//! Where a report comes from: capture, target, provenance.

use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::Phase;
use serde::Serialize;

use crate::started_at::started_at;

/// The field `capture`.
#[derive(Debug, Serialize)]
pub(super) struct Capture<'a> {
    id: Option<&'a str>,
    path: Option<&'a str>,
    phase: &'a str,
    reason: &'a str,
    taken_at: &'a str,
    complete: bool,
    stopped_ns: u64,
    gaps: Vec<Gap<'a>>,
}

/// What could not be read.
#[derive(Debug, Serialize)]
struct Gap<'a> {
    what: &'a str,
    why: &'a str,
}

/// The field `target`.
#[derive(Debug, Serialize)]
pub(super) struct Target<'a> {
    pid: i32,
    service: &'a str,
    go_version: &'a str,
    module: Module<'a>,
    vcs: Option<Vcs<'a>>,
    build_id: Option<&'a str>,
    stripped: bool,
    cgroup: &'a str,
    container: Option<&'a str>,
    limit_bytes: Option<u64>,
    limit_source: Option<&'a str>,
    started_at: Option<String>,
    age_seconds: Option<f64>,
}

/// The main module.
#[derive(Debug, Serialize)]
struct Module<'a> {
    path: &'a str,
    version: &'a str,
}

/// The commit that it was built from.
#[derive(Debug, Serialize)]
struct Vcs<'a> {
    revision: &'a str,
    time: &'a str,
    modified: bool,
}

/// The field `provenance`.
#[derive(Debug, Serialize)]
pub(super) struct Provenance<'a> {
    lastgasp_version: &'a str,
    kernel: &'a str,
    layout: &'a str,
    bytes_copied: u64,
    notes: Vec<&'static str>,
}

impl<'a> Capture<'a> {
    pub(super) fn of(facts: &'a Facts, path: Option<&'a str>) -> Self {
        let c = &facts.capture;
        Self {
            id: path.and_then(|p| p.trim_end_matches('/').rsplit('/').next()),
            path,
            phase: c.phase.name(),
            reason: c.reason.name(),
            taken_at: &c.taken_at,
            complete: c.is_complete(),
            stopped_ns: c.stopped_ns,
            gaps: c.gaps.iter().map(|g| Gap { what: &g.what, why: &g.why }).collect(),
        }
    }
}

impl<'a> Target<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let t = &facts.target;
        let vcs = t.vcs.as_ref();
        Self {
            pid: t.pid,
            service: &t.service,
            go_version: &t.go_version,
            module: Module { path: &t.module.path, version: &t.module.version },
            vcs: vcs.map(|v| Vcs { revision: &v.revision, time: &v.time, modified: v.modified == "true" }),
            build_id: t.build_id.as_deref(),
            stripped: t.stripped,
            cgroup: &t.cgroup,
            container: t.container.as_deref(),
            limit_bytes: t.limit_bytes,
            limit_source: t.limit_source.as_deref(),
            started_at: started_at(t.started_unix),
            age_seconds: facts.age_ms().map(|ms| ms as f64 / 1000.0),
        }
    }
}

impl<'a> Provenance<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let mut notes = vec![
            "profile figures are estimates from the runtime's samples (un-sampled with the process's own rate)",
            "goroutine counts of the timeline are structures in existence: they never go down",
        ];
        if facts.capture.phase == Phase::PostKill {
            notes.push("read from the dead process's memory, which lastgasp held for a moment");
        }
        Self {
            lastgasp_version: &facts.capture.lastgasp_version,
            kernel: &facts.capture.kernel,
            layout: &facts.target.layout,
            bytes_copied: facts.capture.bytes_copied,
            notes,
        }
    }
}
