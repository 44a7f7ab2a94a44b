//! What a watch remembers of a process: its target, timeline and baselines.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_goruntime::{Extent, MemStats};
use lastgasp_inferior::Usage;
use lastgasp_observe::kernel::cgroup::Cgroup;
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::neighbours::Neighbours;
use lastgasp_observe::raw_capture::{Phase, Reason};
use lastgasp_observe::target::Target;
use lastgasp_observe::target::timeline::{Sample, Timeline};
use nix::time::ClockId;

use super::observed::Pace;
use crate::act::stop::STOP_TIMEOUT;
use crate::decide::policy::State;
use crate::take::{CaptureContext, Places};

/// Processor time of one piece of a search for new collections: of one process that is watched by a thread of
/// its own, and of one of many.
const SEARCH_WATCHED: Duration = Duration::from_millis(10);
pub(crate) const SEARCH_CALM: Duration = Duration::from_millis(2);
/// How old the plan of a copy may be in danger.
const PLAN_AGE: Duration = Duration::from_millis(200);

/// What is known of a process, and what it did so far.
#[derive(Debug)]
pub(crate) struct TargetHistory {
    pub(crate) target: Target,
    pub(crate) timeline: Timeline,
    /// Its memory as last seen alive, and when: the dead have none.
    pub(crate) last_usage: Option<(Usage, u64)>,
    /// The gauges of that moment.
    pub(crate) last_gauges: Option<MemStats>,
    /// Who shared its group, and when that was looked at.
    last_neighbours: Option<(Neighbours, u64)>,
    /// What tells where its pages are, opened while it lives: it can be read when it is dead.
    places: Option<Places>,
    /// When evidence was taken last, on the timeline's clock.
    pub(crate) taken_ms: Option<u64>,
    /// When the next baseline is due, and when the plan was brought up to date.
    pub(crate) baseline_due: Instant,
    refreshed: Instant,
}

impl TargetHistory {
    /// Of a watch that begins now.
    pub(super) fn new(target: Target, timeline: Timeline) -> Self {
        let (now, places) = (Instant::now(), Places::open(&target.process).ok());
        Self {
            target,
            timeline,
            last_usage: None,
            last_gauges: None,
            last_neighbours: None,
            places,
            taken_ms: None,
            baseline_due: now,
            refreshed: now,
        }
    }

    /// One look, and the gauges that it was made of.
    pub(crate) fn sample(&self, limit_usage: &mut LimitUsage) -> Option<(Sample, MemStats)> {
        let rss = self.target.process.rss()?;
        let gauges = self.target.gauges()?;
        Some((Sample::of(self.timeline.now_ms(), limit_usage.usage(|| rss), rss, &gauges), gauges))
    }

    /// The first look, at one that has just been found: what it grows from, should it die before the next
    /// one.
    pub(crate) fn first_look(&mut self, limit_usage: &mut LimitUsage) {
        let usage = self.target.process.usage();
        let look = self.target.process.rss().zip(self.target.calm_gauges());
        let sample = |rss: u64, gauges: &MemStats, limit_usage: &mut LimitUsage| {
            Sample::of(self.timeline.now_ms(), limit_usage.usage(|| rss), rss, gauges)
        };
        if let Some((sample, gauges)) = look.map(|(rss, gauges)| (sample(rss, &gauges, limit_usage), gauges)) {
            self.timeline.push(sample);
            self.note_usage(usage, sample.t_ms, gauges);
        }
        self.note_baseline(SEARCH_WATCHED);
    }

    /// It comes into danger, or to its end: from now on nobody is waited for, and what tells of the dead is
    /// kept open.
    pub(super) fn danger(&mut self) {
        self.target.closely = true;
        if let Some(places) = &mut self.places {
            places.danger(&self.target.process);
        }
    }

    /// That is over.
    pub(super) fn calm(&mut self) {
        self.target.closely = false;
        if let Some(places) = &mut self.places {
            places.calm();
        }
    }

    /// Who had it was told to leave off: what he was about to bring up to date is that before anybody is
    /// stopped.
    pub(super) fn was_interrupted(&mut self) {
        self.refreshed = self.refreshed.checked_sub(PLAN_AGE).unwrap_or(self.refreshed);
    }

    /// Notes its memory use, with the gauges of the same look: the dead have none.
    pub(crate) fn note_usage(&mut self, usage: Option<Usage>, t_ms: u64, gauges: MemStats) {
        if let Some(usage) = usage {
            self.last_usage = Some((usage, t_ms));
            self.last_gauges = Some(gauges);
        }
    }

    /// Notes who shares its group, once in a while: that group may be gone with it.
    pub(super) fn near_its_end(&mut self, group: Option<&Cgroup>) {
        /// Time between two looks at neighbours.
        const EVERY_MS: u64 = 1000;
        /// Longest such look: the end is near.
        const AT_MOST: Duration = Duration::from_millis(2);
        let now = self.timeline.now_ms();
        if self.last_neighbours.as_ref().is_none_or(|(_, t)| now.saturating_sub(*t) >= EVERY_MS)
            && let Some(look) = group.and_then(|g| Neighbours::look(g, self.target.process.pid(), AT_MOST))
        {
            self.last_neighbours = Some((look, now));
        }
    }

    /// What a dead process's own numbers are at its end, beside the last that was known of its charge.
    pub(super) fn last_sample(&mut self, usage: Option<u64>) {
        let Some(gauges) = self.target.gauges() else { return };
        // What was resident long before a fast death says nothing of it (seen on a starved machine: 13 MB,
        // two seconds before the end at 132 MB of heap). A heap may be far larger than what is resident of
        // it; it is its growth since then that counts.
        let then = self.last_gauges.map_or(0, |g| g.heap_in_use);
        let grown = gauges.heap_in_use.saturating_sub(then);
        self.last_usage = self.last_usage.filter(|(u, _)| grown < u.rss.saturating_add(u.swap) / 2);
        self.last_gauges = self.last_gauges.filter(|_| self.last_usage.is_some());
        let rss = self.last_usage.map(|(u, _)| u.rss);
        let (Some(rss), Some(usage)) = (rss.or(usage), usage.or(rss)) else { return };
        self.timeline.push(Sample::of(self.timeline.now_ms(), usage, rss, &gauges));
    }

    /// Notes a baseline or brings the plan up to date, when it is time for that.
    pub(super) fn keep_up(&mut self, pace: Pace, state: State) {
        // A service may be steady at 70 % of its limit: what counts for a baseline is that it does not grow.
        if pace == Pace::Steady && self.baseline_due <= Instant::now() {
            self.note_baseline(SEARCH_WATCHED);
        } else if state != State::Watch && self.refreshed.elapsed() >= PLAN_AGE {
            self.target.refresh();
            self.refreshed = Instant::now();
        }
    }

    /// Notes the profile and the known collections of this moment, and searches for new ones for as long as
    /// `search`.
    pub(crate) fn note_baseline(&mut self, search: Duration) {
        let before = own_processor_time();
        self.target.refresh();
        self.target.note_baseline(self.timeline.now_ms());
        let now = self.timeline.now_ms();
        self.target.look_at_goroutines(&mut self.timeline.goroutines, now);
        self.refreshed = Instant::now();
        // Calm cost at most one part in a thousand of a core, however large the profile. By processor time:
        // on a busy machine, where it matters most, the clock on the wall says ten times as much, and of a
        // service that died in its first quarter minute there was no look but the first.
        let worked = own_processor_time().saturating_sub(before);
        // A search for new collections is rare, and bounded by itself.
        self.target.note_census(self.timeline.now_ms(), search);
        self.baseline_due = self.refreshed + (worked * 1000).clamp(Duration::from_secs(2), Duration::from_secs(300));
    }

    /// It may have been moved since it was found.
    pub(super) fn is_now_in(&mut self, cgroup: &str) {
        if self.target.identity.cgroup != cgroup {
            self.target.identity.cgroup = cgroup.to_owned();
            self.timeline.note("moved", format!("into the group {cgroup}"));
        }
    }

    pub(super) fn context<'a>(
        &'a self,
        phase: Phase,
        reason: Reason,
        limit: Option<(u64, String)>,
        group: Option<&'a Cgroup>,
    ) -> CaptureContext<'a> {
        CaptureContext {
            extent: Extent::Whole,
            phase,
            reason,
            timeline: &self.timeline,
            limit,
            last_usage: self.last_usage,
            last_gauges: self.last_gauges,
            last_neighbours: self.last_neighbours.as_ref(),
            group,
            places: self.places.as_ref(),
            patience: STOP_TIMEOUT,
            only_copy: false,
        }
    }
}

/// What the calling thread has worked.
pub(crate) fn own_processor_time() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().map_or(Duration::ZERO, Duration::from)
}

/// The history, whatever became of another thread that held it.
pub(crate) fn lock(history: &Mutex<TargetHistory>) -> MutexGuard<'_, TargetHistory> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}
