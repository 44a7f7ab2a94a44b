//! What is known of a watched process right now, for who asks; written by whoever looks at it.

use std::sync::{Mutex, PoisonError};

use lastgasp_goruntime::MemStats;
use lastgasp_observe::kernel::container::Home;
use lastgasp_observe::target::discover::GoProcess;
use lastgasp_observe::target::identity::Identity;
use lastgasp_observe::target::timeline::Sample;

use crate::decide::policy::State;
use crate::watch::decisions::Decided;

/// A collection that has many times the elements that it had at the look before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CensusJump {
    /// Where it stands: `variables+0x1f20 [+8]`, the same for all processes of a build.
    pub owner: String,
    /// `map` or `slice`.
    pub kind: &'static str,
    /// Elements before.
    pub before: u64,
    /// Elements since.
    pub elements: u64,
    /// When the look was that showed it, seconds since 1970.
    pub seen_unix: u64,
}

/// A process under watch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetStatus {
    /// Process number.
    pub pid: i32,
    /// Name of its executable.
    pub service: String,
    /// Its container's id.
    pub container: Option<String>,
    /// What made the container.
    pub container_runtime: Option<&'static str>,
    /// Its pod's uid.
    pub pod: Option<String>,
    /// The systemd unit that it is of, outside of containers.
    pub unit: Option<String>,
    /// Path of its memory cgroup.
    pub cgroup: String,
    /// `go1.22.10`.
    pub go_version: String,
    /// Path of its main module.
    pub module_path: String,
    /// Version of its main module.
    pub module_version: String,
    /// `vcs.revision` of its build.
    pub vcs_revision: Option<String>,
    /// `vcs.time` of its build.
    pub vcs_time: Option<String>,
    /// Whether its sources were modified (`vcs.modified`).
    pub vcs_modified: bool,
    /// When it started, seconds since 1970.
    pub started_unix: u64,
    /// GOGC in percent, -1: off; absent until its gauges were read.
    pub gc_percent: Option<i32>,
    /// GOMEMLIMIT in bytes; absent where there is none.
    pub memory_limit: Option<u64>,
    /// Collections that jumped from one look at them to the next, the latest.
    pub census_jumps: Vec<CensusJump>,
    /// `watch`, `alert`, `armed`.
    pub state: &'static str,
    /// Bytes that count against the limit.
    pub usage_bytes: u64,
    /// The limit that will be reached first.
    pub limit_bytes: Option<u64>,
    /// Where it stands.
    pub limit_source: Option<String>,
    /// Resident bytes.
    pub rss_bytes: u64,
    /// Go heap, live at the last mark and allocated since.
    pub heap_live_bytes: u64,
    /// Goroutine structures.
    pub goroutines: u64,
    /// Goroutines that were leaked when it was looked at for that; absent if it never was, or none were.
    pub leaked_goroutines: Option<u64>,
    /// Growth.
    pub slope_bytes_per_second: Option<f64>,
    /// Seconds to the limit: at least, likely, at most.
    pub time_to_oom_seconds: Option<(f64, f64, f64)>,
    /// Whether its address space is held.
    pub pinned: bool,
    /// Baselines held of its profile, as of the latest look at that.
    pub baselines: u64,
    /// Captures taken of it.
    pub captures: u64,
    /// When the latest of them was taken, seconds since 1970.
    pub last_capture_unix: Option<u64>,
    /// What is wrong with it, or with the watch of it.
    pub problem: Option<String>,
}

impl TargetStatus {
    /// Of a process that has just been found.
    pub(crate) fn new(identity: &Identity, home: &Home, found: &GoProcess) -> Self {
        let info = &found.executable.build_info;
        Self {
            pid: identity.pid,
            service: identity.service.clone(),
            container: home.container.clone(),
            container_runtime: home.runtime,
            pod: home.pod.clone(),
            unit: home.unit.clone(),
            cgroup: identity.cgroup.clone(),
            go_version: info.go_version.clone(),
            module_path: info.module.path.clone(),
            module_version: info.module.version.clone(),
            vcs_revision: info.setting("vcs.revision").map(str::to_owned),
            vcs_time: info.setting("vcs.time").map(str::to_owned),
            vcs_modified: info.setting("vcs.modified") == Some("true"),
            started_unix: identity.started_unix,
            state: "watch",
            ..Self::default()
        }
    }

    /// Changes it.
    pub(crate) fn change<T>(status: &Mutex<Self>, change: impl FnOnce(&mut Self) -> T) -> T {
        change(&mut status.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// After a look at its memory.
    pub(crate) fn sampled(&mut self, sample: &Sample) {
        self.usage_bytes = sample.usage;
        self.rss_bytes = sample.rss;
        self.heap_live_bytes = sample.heap_live;
        self.goroutines = sample.goroutines;
    }

    /// After its gauges were read.
    pub(crate) fn gauged(&mut self, gauges: &MemStats) {
        self.gc_percent = Some(gauges.gc_percent);
        self.memory_limit = gauges.memory_limit;
    }

    /// After a decision.
    pub(crate) fn decided(&mut self, decided: &Decided<'_>) {
        let Decided { usage, step, state, pinned, cgroup, limit } = *decided;
        self.usage_bytes = usage;
        self.state = match state {
            State::Watch => "watch",
            State::Alert => "alert",
            State::Armed => "armed",
        };
        self.pinned = pinned;
        if self.cgroup != cgroup {
            cgroup.clone_into(&mut self.cgroup);
        }
        if self.limit_bytes != limit.map(|l| l.0) {
            self.limit_bytes = limit.map(|l| l.0);
            self.limit_source = limit.map(|l| l.1.clone());
        }
        self.slope_bytes_per_second = step.forecast.map(|f| f.rate.median);
        self.time_to_oom_seconds = step.forecast.and_then(|f| f.seconds).map(|s| (s.low, s.likely, s.high));
    }
}
