//! A context that nobody cancels any more. The page: `context-never-cancelled.md`.

use crate::facts::{Wait, WaitObject, WaitOperation, WakeUp};

use super::super::verdict::Sureness;
use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};
use super::select_stuck::MAX_CASES;

/// The cause.
pub(in super::super) struct ContextNeverCancelled;

impl Cause for ContextNeverCancelled {
    const INFO: RuleInfo = RuleInfo {
        code: "context-never-cancelled",
        title: "a context that nobody can cancel any more",
        doc: include_str!("context-never-cancelled.md"),
    };
    const CURE: &'static str =
        "Call the cancel function of every context on every way (defer cancel()), and derive it from one that ends.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let done = |w: &&Wait| w.operation == WaitOperation::Receive && scene.object(w).is_some_and(is_of_context);
        case.seen.g.waits.iter().find(done).filter(|_| case.seen.g.wake_up == WakeUp::Nothing)?;
        let others: Vec<String> =
            case.seen.g.waits.iter().filter(|w| !done(w)).take(MAX_CASES).map(|w| words::wait(scene, w)).collect();
        let clause = match others.as_slice() {
            [] => "nobody who can still run can cancel the context that it waits for".to_owned(),
            _ => format!(
                "its way out is a context that nobody who can still run can cancel, and nobody leads to its other cases ({})",
                others.join("; ")
            ),
        };
        Some(Judged::sure(clause).with(Sureness::Probable, Vec::new()))
    }
}

/// Whether a channel is that of a context's `Done`: of no elements, and a context has it.
fn is_of_context(o: &WaitObject) -> bool {
    let names = |name: &str| name.contains("context.") || name.contains("cancelCtx");
    o.type_name == "struct {}" && (names(&o.way) || o.referrers.iter().any(|r| names(&r.name)))
}
