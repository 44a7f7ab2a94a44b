//! Verdicts: of one goroutine, and of those alike.

use super::over_time::OverTime;
use super::tier::Tier;
use crate::rival::Rival;

/// How sure a statement about a cause or a holder is. Memory proves that nobody can wake a goroutine; by
/// whom a mutex is held it never says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sureness {
    /// Some sign, and others that speak as well for something else.
    Possible,
    /// A sign that hardly anything else would leave.
    Probable,
    /// Read as it is.
    Sure,
}

impl Sureness {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Probable => "probable",
            Self::Sure => "sure",
        }
    }
}

/// Who seems to hold a lock, or to owe what is waited for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The goroutine; 0 where it is no living one.
    pub goroutine: u64,
    /// The function of the program that it is in; empty where it is not known.
    pub function: String,
    /// What it does there: `waits for the mutex ...`, `runs`.
    pub does: String,
    /// What speaks for it.
    pub sign: String,
    /// How sure it is.
    pub sureness: Sureness,
}

/// The verdict on a blocked goroutine.
#[derive(Clone, Debug, PartialEq)]
pub struct GoroutineVerdict {
    /// `goid`.
    pub id: u64,
    /// Index in `GraphFacts.blocked.each`: what it waits for, and the bytes that it holds, stand there.
    pub blocked: usize,
    /// How much is known against it.
    pub tier: Tier,
    /// Code of the cause; empty where there is none, as of most that are healthy.
    pub code: &'static str,
    /// The cause in a clause; of what is healthy who can wake it.
    pub cause: String,
    /// How sure the cause is. That of the tier is the tier's own.
    pub sureness: Sureness,
    /// Who holds it up, the surest first.
    pub holders: Vec<Holder>,
    /// Other causes that would look the same.
    pub rivals: Vec<Rival>,
    /// Group that it is counted in: an index into `GoroutineVerdicts::groups`.
    pub group: usize,
}

/// A place in the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// Function, as Go names it.
    pub function: String,
    /// Its file.
    pub file: String,
    /// Line in it; 0 if it is not known.
    pub line: u32,
}

/// Blocked goroutines of one tier and cause, started by one `go` statement, that wait in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictGroup {
    /// Number of goroutines.
    pub count: u64,
    /// Their tier.
    pub tier: Tier,
    /// Code of the cause; empty where there is none.
    pub code: &'static str,
    /// The cause in a clause.
    pub cause: String,
    /// How sure the cause is.
    pub sureness: Sureness,
    /// Their `go` statement; absent where it is not known, and of the first goroutine.
    pub created_by: Option<Spot>,
    /// The function that they began in; empty where no stack was read to its end.
    pub starts: String,
    /// Where they wait: the innermost function of the program.
    pub waits_in: Option<Spot>,
    /// Bytes that would be garbage without them: the sum of what each holds alone, so that what several hold
    /// together is not in it. Absent without a graph.
    pub retained_bytes: Option<u64>,
    /// Bytes of their stacks.
    pub stack_bytes: u64,
    /// Nanoseconds that the one has waited at least that has waited longest; 0 if it is not known.
    pub oldest_wait_ns: u64,
    /// Nanoseconds within which nearly each of them is woken by a timer of its own that fires once; absent
    /// where that is not so.
    pub wakes_within_ns: Option<u64>,
    /// Whether their number grows: see `Growing`.
    pub growing: bool,
    /// All goroutines of their `go` statement along the watch; absent where they were not counted.
    pub over_time: Option<OverTime>,
    /// All of it in a sentence.
    pub sentence: String,
    /// What would end it.
    pub cure: String,
    /// Some of them, by number.
    pub examples: Vec<u64>,
    /// Who holds them up, the surest first.
    pub holders: Vec<Holder>,
    /// Other causes that would look the same.
    pub rivals: Vec<Rival>,
    /// Index in `GoroutineVerdicts::each` of one of them.
    pub first: usize,
}
