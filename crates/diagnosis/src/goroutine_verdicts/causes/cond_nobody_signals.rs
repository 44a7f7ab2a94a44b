//! A condition variable that nobody signals. The page: `cond-nobody-signals.md`.

use crate::facts::{WaitOperation, WakeUp};
use crate::rival::Rival;

use super::super::verdict::Sureness;
use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct CondNobodySignals;

impl Cause for CondNobodySignals {
    const INFO: RuleInfo = RuleInfo {
        code: "cond-nobody-signals",
        title: "a condition variable that nobody signals any more",
        doc: include_str!("cond-nobody-signals.md"),
    };
    const CURE: &'static str = "Signal, or broadcast, on every way on which what {place} waits for may become true, and at the end: whoever leaves last must wake the waiters.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let wait = case.seen.only().filter(|w| w.operation == WaitOperation::CondWait)?;
        let what = scene.object(wait).map_or_else(|| "a condition variable".into(), words::object);
        let clause = match case.seen.g.wake_up {
            WakeUp::Nothing => format!("nobody who can still run can signal {what}"),
            _ => format!("nobody has signalled {what}"),
        };
        let rivals = vec![Rival::open(
            "a signal that came before the wait, and was lost",
            "whether the condition is tested under the lock before each Wait",
        )];
        Some(Judged::sure(clause).with(Sureness::Sure, rivals))
    }
}
