//! A process under watch: what is held of it and known of it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lastgasp_inferior::Addr;
use lastgasp_observe::kernel::exit::OomCounters;
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::kernel::sys::pidfd_open;
use lastgasp_observe::target::Target;
use lastgasp_observe::target::identity::Identity;
use lastgasp_observe::target::inspect::ForeignMemory;
use lastgasp_observe::target::timeline::{Clock, Timeline};

use super::decisions::{Decided, Decisions, Look};
use super::history::TargetHistory;
use super::oom_notice::OomNotice;
use crate::decide::forecast::Point;
use crate::decide::policy::{Measured, Memory, Policy, Step};
use crate::pin::Pin;

/// A process under watch, with what the watch of it needs.
#[derive(Debug)]
pub(crate) struct TargetWatch {
    /// Process number.
    pub(crate) pid: i32,
    /// Who it is.
    pub(crate) identity: Identity,
    /// What is known and remembered of it. Reading its memory can hang where the kernel holds its address
    /// space; nobody who must not hang locks this.
    pub(crate) history: Arc<Mutex<TargetHistory>>,
    /// Who reads its memory for those that are in no hurry.
    pub(crate) foreign: Option<ForeignMemory>,
    /// How much of which limit it uses.
    pub(crate) limit_usage: LimitUsage,
    /// What was decided, and by what.
    pub(crate) decisions: Decisions,
    /// Its address space, held.
    pub(crate) pin: Option<Pin>,
    /// Readable when it has ended.
    pub(crate) exit: Option<Arc<OwnedFd>>,
    /// The timeline's.
    pub(crate) clock: Clock,
    series: u64,
    moves: u64,
    pub(crate) counters: OomCounters,
    /// The kernel's word that its group has run out, where that is asked for and version 1.
    pub(super) oom_notice: Option<OomNotice>,
    mem: Arc<File>,
    readable: Addr,
    image: Option<Vec<u8>>,
}

impl TargetWatch {
    /// A process to be watched. `limit_usage` says what it may use.
    pub(crate) fn new(target: Target, limit_usage: LimitUsage, machine: &Machine) -> Self {
        let pid = target.process.pid();
        let mut timeline = Timeline::default();
        timeline.note("attach", format!("process {pid}, {}", target.runtime.version));
        Self {
            pid,
            identity: target.identity.clone(),
            counters: OomCounters::note(&limit_usage, machine),
            exit: target.process.pidfd().or_else(|| pidfd_open(pid).map(Arc::new)),
            clock: timeline.clock(),
            mem: target.process.mem_shared(),
            readable: target.readable(),
            image: auxv(pid),
            // Else the first refresh, which may be in the crisis, would forget all points.
            series: limit_usage.changes(),
            limit_usage,
            decisions: Decisions::default(),
            pin: None,
            oom_notice: None,
            moves: 0,
            foreign: target.foreign.clone(),
            history: Arc::new(Mutex::new(TargetHistory::new(target, timeline))),
        }
    }

    /// Holds its address space.
    pub(crate) fn arm(&mut self) -> Result<(), String> {
        self.pin = Some(Pin::hold(Arc::clone(&self.mem), self.readable).map_err(|e| e.to_string())?);
        Ok(())
    }

    /// Has the kernel tell when its group runs out of memory, for a group that will be gone before it can be
    /// asked. What cannot be had is done without.
    pub(super) fn listen_for_ooms(&mut self) {
        // The one of another group goes first.
        self.oom_notice = None;
        let notice = self.limit_usage.own().map(OomNotice::of).transpose();
        self.oom_notice = notice.map(Option::flatten).unwrap_or_else(|e| {
            tracing::debug!(pid = self.pid, "the kernel tells of no kill in a group that is gone: {e}");
            None
        });
    }

    /// Whether it has become another program by exec: the old one's memory would stay charged to it as long
    /// as we held on, and what we know of it is void.
    pub(crate) fn is_replaced(&self) -> bool {
        auxv(self.pid).is_some_and(|now| Some(now) != self.image)
    }

    /// Bytes in use as last seen, and how many milliseconds ago that was.
    pub(crate) fn last_look(&self) -> (u64, u64) {
        self.decisions.last().map_or((0, 0), |p| (p.bytes, self.clock.now_ms().saturating_sub(p.t_ms)))
    }

    /// Brings the limit up to date, as of not longer ago than `at_most`.
    pub(crate) fn refresh_limits(&mut self, rss: impl FnOnce() -> u64, machine: &Machine, at_most: Duration) {
        self.limit_usage.refresh(rss, machine, at_most);
        if self.limit_usage.changes() != self.series {
            self.series = self.limit_usage.changes();
            self.decisions.forget_points();
        }
        if self.limit_usage.moves() != self.moves {
            self.moves = self.limit_usage.moves();
            // A kill in the new group is counted there.
            self.counters = OomCounters::note(&self.limit_usage, machine);
            if self.oom_notice.is_some() {
                self.listen_for_ooms();
            }
            self.identity.cgroup = self.limit_usage.own().map(|g| g.path.clone()).unwrap_or_default();
            tracing::debug!(pid = self.pid, cgroup = self.identity.cgroup, "moved into another group");
        } else {
            self.counters.keep_up();
        }
    }

    /// Notes a look, and decides: gives what is to be remembered of that if it is carried out, and what is to
    /// be done.
    pub(crate) fn decide(&mut self, policy: &Policy, measured: Measured, bytes: u64) -> (Memory, Step) {
        let point = Point { t_ms: self.clock.now_ms(), bytes };
        let limit = self.limit_usage.limit.as_ref().map(|l| l.0);
        self.decisions.decide(policy, measured, Look { point, limit, pinned: self.pin.is_some(), collects_at: None })
    }

    /// A decision, for who shows it.
    pub(crate) fn decided<'a>(&'a self, usage: u64, step: &'a Step) -> Decided<'a> {
        Decided {
            usage,
            step,
            state: self.decisions.state(),
            pinned: self.pin.is_some(),
            cgroup: &self.identity.cgroup,
            limit: self.limit_usage.limit.as_ref(),
        }
    }
}

/// The kernel's words to the program at its start, which hold random addresses: they change with every exec
/// and with nothing else.
fn auxv(pid: i32) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/auxv")).ok().filter(|b| !b.is_empty())
}
