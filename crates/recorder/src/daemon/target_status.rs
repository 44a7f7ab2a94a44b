//! What is known of a watched process right now, for who asks; written by whoever looks at it.

use std::sync::{Mutex, PoisonError};

use lastgasp_observe::kernel::container::Home;
use lastgasp_observe::target::discover::GoProcess;
use lastgasp_observe::target::identity::Identity;
use lastgasp_observe::target::timeline::Sample;

use super::status::WardStatus;
use crate::decide::policy::{State, Step};
use crate::watch::watch_loop::Ward;

/// What is known of a watched process right now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vitals(pub(crate) WardStatus);

impl Vitals {
    /// Of a process that has just been found.
    pub(crate) fn new(identity: &Identity, home: &Home, found: &GoProcess) -> Self {
        let info = &found.executable.build_info;
        Self(WardStatus {
            pid: identity.pid,
            service: identity.service.clone(),
            container: home.container.clone(),
            pod: home.pod.clone(),
            unit: home.unit.clone(),
            cgroup: identity.cgroup.clone(),
            go_version: info.go_version.clone(),
            module_version: info.module.version.clone(),
            vcs_revision: info.setting("vcs.revision").map(str::to_owned),
            started_unix: identity.started_unix,
            state: "watch",
            ..WardStatus::default()
        })
    }

    /// Changes it.
    pub(crate) fn of<T>(vitals: &Mutex<Self>, change: impl FnOnce(&mut Self) -> T) -> T {
        change(&mut vitals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// After a look at its memory.
    pub(crate) fn sampled(&mut self, sample: &Sample) {
        self.0.usage_bytes = sample.usage;
        self.0.rss_bytes = sample.rss;
        self.0.heap_live_bytes = sample.heap_live;
        self.0.goroutines = sample.goroutines;
    }

    /// After a decision.
    pub(crate) fn decided(&mut self, usage: u64, step: &Step, ward: &Ward) {
        self.0.usage_bytes = usage;
        self.0.state = match ward.memory.state {
            State::Watch => "watch",
            State::Alert => "alert",
            State::Armed => "armed",
        };
        self.0.pinned = ward.pin.is_some();
        if self.0.cgroup != ward.identity.cgroup {
            self.0.cgroup.clone_from(&ward.identity.cgroup);
        }
        if self.0.limit_bytes != ward.limit_usage.limit.as_ref().map(|l| l.0) {
            self.0.limit_bytes = ward.limit_usage.limit.as_ref().map(|l| l.0);
            self.0.limit_source = ward.limit_usage.limit.as_ref().map(|l| l.1.clone());
        }
        self.0.slope_bytes_per_second = step.forecast.map(|f| f.rate.median);
        self.0.time_to_oom_seconds = step.forecast.and_then(|f| f.seconds).map(|s| (s.low, s.likely, s.high));
    }
}
