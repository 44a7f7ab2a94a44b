//! The form of a rule: a code with its page, and a pure function from a case to findings.

use crate::facts::Facts;
use crate::findings::Findings;
use crate::goroutine_verdicts::GoroutineVerdicts;
use crate::growth::Growth;
use crate::heap_cause::HeapCause;
use crate::last_straw::LastStraw;
use crate::partition::Partition;
pub(crate) use crate::rule_info::RuleInfo;
use crate::what_if::LimitWhatIf;
use crate::window::Window;

/// What a rule looks at. Room is left for the program's source, an `Option` beside these: a rule that needs
/// it says what it could not know where it is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// What the capture knows.
    pub(crate) facts: &'a Facts,
    /// What grew since the baseline.
    pub(crate) growth: &'a Growth,
    /// When memory grew; `None` if it did not.
    pub(crate) window: Option<&'a Window>,
    /// What the growth is made of; `None` if memory did not grow.
    pub(crate) parts: Option<Partition>,
    /// Why the Go heap grew; `None` where it is not much of the growth.
    pub(crate) heap: Option<&'a HeapCause<'a>>,
    /// What larger limits would buy; empty without a limit, or without a window.
    pub(crate) limits: &'a [LimitWhatIf],
    /// Why blocked goroutines are blocked.
    pub(crate) goroutines: &'a GoroutineVerdicts,
    /// Whether the growth only ended what had come before; `None` if not.
    pub(crate) last_straw: Option<&'a LastStraw>,
}

/// A rule. It has no state.
pub(crate) trait Rule {
    /// What is published of it.
    const INFO: RuleInfo;
    /// Whether it speaks only where no other has found anything.
    const LAST_RESORT: bool = false;
    /// Whether its findings stand beside the verdict of another: they say who holds memory, and not why it
    /// grew. Where another has found something they are worth knowing, and no more.
    const BESIDE: bool = false;

    /// Looks at a case, and tells what it finds, what it can rule out, and what it could not know.
    fn check(case: &Case<'_>, out: &mut Findings);
}
