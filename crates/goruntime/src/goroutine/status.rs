//! Goroutine states. Source: `runtime/runtime2.go` (`_Gidle` and its followers).

/// `_Gscan`, or-ed to a status while the GC scans the stack.
const GSCAN: u32 = 0x1000;

/// `atomicstatus` of a goroutine that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Ready, waits for a P.
    Runnable,
    /// On a thread.
    Running,
    /// In a system call or cgo.
    Syscall,
    /// Parked; the wait reason says why.
    Waiting,
    /// Its stack is being moved.
    CopyStack,
    /// Stopped itself for a suspendG.
    Preempted,
    /// Found leaked by a goroutine-leak GC (Go 1.26 and newer).
    Leaked,
    /// A number that this version should not show.
    Unknown(u32),
}

impl Status {
    /// As Go's tracebacks name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Syscall => "syscall",
            Self::Waiting => "waiting",
            Self::CopyStack => "copystack",
            Self::Preempted => "preempted",
            Self::Leaked => "leaked",
            Self::Unknown(_) => "???",
        }
    }
}

/// Whether a `g` is a goroutine at this moment: they are never freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(Default))]
pub(crate) enum Presence {
    Live(Status),
    /// Idle or dead: free for the next `go` statement.
    #[cfg_attr(test, default)]
    Dead,
    /// `_Gdeadextra` (from Go 1.26): kept for the next call from a thread of C.
    ExtraThread,
}

impl Presence {
    pub(crate) fn parse(raw: u32) -> Self {
        Self::Live(match raw & !GSCAN {
            0 | 6 => return Self::Dead,
            11 => return Self::ExtraThread,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Syscall,
            4 => Status::Waiting,
            8 => Status::CopyStack,
            9 => Status::Preempted,
            10 => Status::Leaked,
            n => Status::Unknown(n),
        })
    }
}
