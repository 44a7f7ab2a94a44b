//! A target as the watch loop sees it: what it reads of it, holds of it, and has taken of it. `live` is one
//! that runs; tests have one that follows a curve.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use lastgasp_observe::raw_capture::{Phase, Reason};
use lastgasp_observe::target::timeline::Sample;
use nix::sys::wait::WaitStatus;

use super::actor::Actor;
use super::decisions::{Decided, Decisions};
use crate::decide::policy::{BrakeAct, Exit, State, Step};

/// How a target's memory goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It was seen not to grow: there is time for a baseline.
    Steady,
    /// It grows, or may.
    Growing,
}

/// The limit that will be reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) bytes: u64,
    /// Whether it is a group's: the machine's memory is the other.
    pub(crate) of_group: bool,
}

/// What is to be taken of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Taking {
    pub(crate) phase: Phase,
    pub(crate) reason: Reason,
    /// How long the last thread is waited for where the target is stopped; the usual time where none is
    /// given.
    pub(crate) patience: Option<Duration>,
    /// What is taken later is worth nothing.
    pub(crate) until: Instant,
}

/// A target that is watched closely.
pub(crate) trait Observed {
    /// Process number.
    fn pid(&self) -> i32;
    /// The time.
    fn now(&self) -> Instant;
    /// The decisions for it.
    fn decisions(&mut self) -> &mut Decisions;
    /// A decision for it, for who shows it.
    fn decided<'a>(&'a self, usage: u64, step: &'a Step) -> Decided<'a>;

    /// Brings limits up to date that are older than that, or that are known to be outdated; gives whether any
    /// were.
    fn refresh_limits(&mut self, older_than: Duration) -> bool;
    /// Whether it has become another program by exec.
    fn is_replaced(&self) -> bool;
    /// A look at its memory, which is noted; `None` if it is gone.
    fn sample(&mut self, state: State) -> Option<Sample>;
    /// The usage up to which growth is the collector's ordinary climb, by the last sample.
    fn collects_at(&self) -> Option<u64>;
    /// Notes a baseline or brings the plan up to date, when it is time for that.
    fn keep_up(&mut self, pace: Pace, state: State);
    /// The limit that will be reached first.
    fn limit(&self) -> Option<Limit>;
    /// Readable when it has ended; kernels before 5.3 have none.
    fn exit(&self) -> Option<BorrowedFd<'_>>;
    /// Whether there is still such a process.
    fn is_alive(&self) -> bool;
    /// How it ended, after it has.
    fn end(&mut self) -> (Option<WaitStatus>, Exit);
    /// Whether its memory can still be read.
    fn is_readable(&self) -> bool;
    /// Notes a dead one's own numbers at its end, with that usage if it is known.
    fn last_sample(&mut self, usage: Option<u64>);

    /// Notes an event in its timeline.
    fn note(&mut self, kind: &'static str, text: String);
    /// Holds its address space.
    fn hold(&mut self) -> Result<(), String>;
    /// Lets go of it.
    fn release(&mut self);
    /// Whether it is held.
    fn is_held(&self) -> bool;
    /// Has evidence of it taken.
    fn take(&mut self, actor: &mut dyn Actor, taking: Taking) -> Result<(), String>;
    /// Has what is known of it written without a copy of its memory, and `why` there is none; unless evidence
    /// was taken in this crisis.
    fn leave_what_is_known(&mut self, actor: &mut dyn Actor, reason: Reason, why: &str);
    /// Has its group braked, or not any more; gives whether anything was done.
    fn brake(&mut self, actor: &mut dyn Actor, act: BrakeAct) -> Result<bool, String>;
}
