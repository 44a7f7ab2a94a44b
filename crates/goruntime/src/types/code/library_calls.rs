//! Functions of libraries that keep something which no type tells of: who calls them is where it comes from.

use lastgasp_inferior::Addr;

/// What such a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LibraryCall {
    /// It maps memory outside of the heap (`syscall.Mmap`, `golang.org/x/sys/unix.Mmap`).
    Mmap,
    /// It derives a context that is to be cancelled (`context.WithCancel`, `WithTimeout`, `WithDeadline`).
    Context,
    /// It sets a timer that keeps what it leads to until it fires (`time.AfterFunc`, `NewTimer`, `After`).
    Timer,
    /// It gives an object a finalizer, or a cleanup.
    Finalizer,
}

impl LibraryCall {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mmap, Self::Context, Self::Timer, Self::Finalizer];

    /// What the function of a name does. Of those that are inlined into who calls them what they call is here
    /// as well, as `context.WithCancel` calls `context.withCancel` from Go 1.21 on.
    pub(super) fn of(function: &str) -> Option<Self> {
        Some(match function {
            "syscall.Mmap" | "syscall.(*mmapper).Mmap" | "golang.org/x/sys/unix.Mmap" => Self::Mmap,
            "golang.org/x/sys/unix.MmapPtr" | "golang.org/x/sys/unix.(*mmapper).Mmap" => Self::Mmap,
            "context.WithCancel" | "context.withCancel" | "context.WithCancelCause" => Self::Context,
            "context.WithTimeout" | "context.WithTimeoutCause" => Self::Context,
            "context.WithDeadline" | "context.WithDeadlineCause" => Self::Context,
            "time.AfterFunc" | "time.NewTimer" | "time.After" | "time.NewTicker" | "time.Tick" => Self::Timer,
            "runtime.SetFinalizer" => Self::Finalizer,
            _ if function.starts_with("runtime.AddCleanup[") => Self::Finalizer,
            _ => return None,
        })
    }

    /// What stands for it among types.
    pub(super) fn key(self) -> Addr {
        Addr(self as u64)
    }

    /// One word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mmap => "mmap",
            Self::Context => "context",
            Self::Timer => "timer",
            Self::Finalizer => "finalizer",
        }
    }
}
