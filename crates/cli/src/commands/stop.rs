//! Whether a process stands still for a capture.

/// Whether a process stands still while it is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// For the milliseconds of the copy, which is then of one moment.
    ForTheCopy,
    /// It runs on.
    Never,
}
