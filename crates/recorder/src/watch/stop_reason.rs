//! How a close watch ends, and how the process did, if that is why.

use std::time::Instant;

use nix::sys::wait::WaitStatus;

/// Why a process is watched closely no longer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StopReason {
    /// It has ended.
    Ended(ExitReport),
    /// It has become another program by exec.
    Replaced,
    /// It has been calm for long.
    Calm,
    /// Somebody wants us elsewhere.
    CalledAway,
}

/// How a process ended, and what we have of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExitReport {
    /// Its wait status, if that is known.
    pub(crate) status: Option<WaitStatus>,
    /// Killed by the kernel for memory.
    pub(crate) oom: bool,
    /// As memory of the whole machine ran out, and not of its group alone.
    pub(crate) machine: bool,
    /// Killed.
    pub(crate) killed: bool,
    /// When its end was heard of: it may be read for seconds after that.
    pub(crate) died: Option<Instant>,
    /// Why it could not be read afterwards, if it should have been.
    pub(crate) unread: Option<String>,
}
