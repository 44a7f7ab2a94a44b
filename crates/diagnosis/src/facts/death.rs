//! The death that facts tell of: by which captures of it, and how many there were before. Stored nowhere:
//! it is found out whenever a capture is read, from what stands beside it in the store.

use super::capture::{Phase, Reason};

/// A death.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Death {
    /// Captures that it is told by, oldest first; the last one is from after the kill.
    pub parts: Vec<Part>,
    /// Deaths of the same service before this one; absent where no store could be asked.
    pub before: Option<DeathsBefore>,
}

/// A capture of a death.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Name of its folder; empty if it is not stored yet.
    pub folder: String,
    /// Moment in the life of the target.
    pub phase: Phase,
    /// Why it was taken.
    pub reason: Reason,
    /// Wall-clock time of the copy, RFC 3339.
    pub taken_at: String,
    /// Time of the copy in milliseconds on the timeline's clock.
    pub t_ms: u64,
    /// Figures of the joined facts that are this capture's.
    pub gives: Vec<Figure>,
}

/// Figures of facts that stand or fall together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Samples and events of the watch; the captures of one watch complete each other.
    Timeline,
    /// The profile before the growth, which growth is measured from.
    Baseline,
    /// The memory profile.
    Profile,
    /// Goroutines and their stacks.
    Goroutines,
    /// The runtime's gauges.
    Gauges,
    /// The heap by its span table.
    Heap,
    /// Resident memory: the RSS, by what it is for, and the group's charge.
    Resident,
    /// Others who count against the same limit.
    Neighbours,
}

impl Figure {
    /// As contracts and reports name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeline => "timeline",
            Self::Baseline => "baseline",
            Self::Profile => "profile",
            Self::Goroutines => "goroutines",
            Self::Gauges => "gauges",
            Self::Heap => "heap",
            Self::Resident => "resident memory",
            Self::Neighbours => "neighbours",
        }
    }
}

/// Deaths of the same service before: those that left a capture from after the kill which the store still
/// has. There may have been more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeathsBefore {
    /// In the hour before this one.
    pub last_hour: u64,
    /// In the day before this one, that hour included.
    pub last_day: u64,
    /// When the first of that day was, RFC 3339; absent if there was none.
    pub since: Option<String>,
    /// The process that this one was started after, if it died shortly before; absent where none did, or its
    /// capture could not be read.
    pub last: Option<GenerationBefore>,
}

/// The process of a service that died before this one was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GenerationBefore {
    /// Its number.
    pub pid: i32,
    /// Its build.
    pub build_id: Option<String>,
    /// When its memory began to grow, milliseconds since 1970; absent where it was never seen at rest.
    pub memory_unix_ms: Option<i64>,
    /// When it had died, milliseconds since 1970.
    pub died_unix_ms: i64,
    /// Goroutine structures when its memory began to grow.
    pub goroutines_at_onset: u64,
    /// At its end.
    pub goroutines_at_end: u64,
    /// Whether its memory had been at rest and grew without a pile of goroutines, or before one.
    pub memory_first: bool,
    /// The function that most of its growth is named after.
    pub culprit: Option<String>,
}
