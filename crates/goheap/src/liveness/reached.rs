//! Whether something is reached by what can run, and from where first.

use lastgasp_heapgraph::RootId;

/// Whether something is reached, and from where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reached {
    /// From nothing.
    #[default]
    Never,
    /// From package variables alone.
    ByVariables,
    /// From what can run.
    ByRunning,
}

/// From where something was reached first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// From nowhere, or what is no root: it is a package variable itself, or stands where we see no pointers.
    #[default]
    Itself,
    /// From a timer that is set.
    Timer,
    /// From a thread that runs no goroutine: the scheduler's.
    Scheduler,
    /// From a root.
    Root(RootId),
}
