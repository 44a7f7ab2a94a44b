//! A WaitGroup whose counter is not above zero, and that somebody waits for. The page: `add-after-wait.md`.

use crate::facts::WaitOperation;
use crate::rival::Rival;

use super::super::verdict::Sureness;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct AddAfterWait;

impl Cause for AddAfterWait {
    const INFO: RuleInfo = RuleInfo {
        code: "add-after-wait",
        title: "a WaitGroup is waited for with nothing to wait for: Add ran beside Wait",
        doc: include_str!("add-after-wait.md"),
    };
    const CURE: &'static str = "Call Add before the go statement and before Wait, never inside of the goroutine that is waited for, and use a WaitGroup again only when all Waits have returned.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let wait = case.seen.only().filter(|w| w.operation == WaitOperation::WaitGroup)?;
        let missing = scene.object(wait)?.missing_done.filter(|n| *n <= 0)?;
        let clause = format!(
            "its counter is {missing}, and yet it is waited for: Add or Done ran beside a Wait that had begun, or the WaitGroup was used again too early"
        );
        let rivals = vec![Rival::open(
            "a waiter that is about to be woken",
            "another look: the last Done sets the counter to 0 and wakes the waiters at once",
        )];
        Some(Judged::sure(clause).with(Sureness::Probable, rivals))
    }
}
