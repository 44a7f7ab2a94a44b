//! What a watch loop has others do for it: sleeping, taking evidence, braking.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::raw_capture::RawCapture;
use lastgasp_observe::target::Target;
use lastgasp_observe::target::timeline::Sample;

use super::decisions::Decided;
use crate::decide::policy::BrakeAct;
use crate::take::CaptureContext;

/// Why a sleep is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Time.
    Due,
    /// The kernel has told of its memory, or of a limit of its: that is read again at this look.
    Told,
    /// The process has ended.
    Exited,
    /// Somebody wants us elsewhere.
    CalledAway,
}

/// Where a watch loop sleeps between two looks.
pub(crate) trait Sleeper {
    /// Sleeps for that time, or until the process behind `exit` ends.
    fn sleep(&mut self, exit: Option<BorrowedFd<'_>>, at_most: Duration) -> Woken;
}

/// What a watch loop can have done.
pub(crate) trait Actor: Sleeper {
    /// Takes evidence and hands it on; the target is stopped for it if it lives. Gives why there is none, if
    /// so. What is taken after `until` is worth nothing.
    fn take(&mut self, target: &Target, context: CaptureContext<'_>, until: Instant) -> Result<(), String>;
    /// Hands on what is known of a dead target without a copy of its memory.
    fn hand_on(&mut self, raw: RawCapture);
    /// Sets the brake or takes it back; gives whether anything was done.
    fn brake(&mut self, act: BrakeAct, limit_usage: &LimitUsage) -> Result<bool, String>;
    /// A look was taken.
    fn seen(&mut self, sample: &Sample, decided: &Decided<'_>);
    /// Whether there is something else to watch, now that it is calm.
    fn looks_elsewhere(&mut self, sample: &Sample, pid: i32) -> bool;
    /// Something could not be done.
    fn note(&mut self, note: String);
}
