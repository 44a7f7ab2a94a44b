//! A select none of whose cases comes. The page: `select-stuck.md`.

use crate::facts::WakeUp;

use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// Cases of a select that are told.
pub(super) const MAX_CASES: usize = 4;

/// The cause.
pub(in super::super) struct SelectStuck;

impl Cause for SelectStuck {
    const INFO: RuleInfo = RuleInfo {
        code: "select-stuck",
        title: "a select none of whose cases can come any more",
        doc: include_str!("select-stuck.md"),
    };
    const CURE: &'static str = "Give the select in {place} a way out that comes for certain: a context that is cancelled, a timer, a channel that its owner closes at the end.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        if !case.seen.is_select() || case.seen.g.waits.is_empty() {
            return None;
        }
        let waits = &case.seen.g.waits;
        let cases: Vec<String> = waits.iter().take(MAX_CASES).map(|w| words::wait(scene, w)).collect();
        let more = match waits.len().saturating_sub(MAX_CASES) {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        let can = if case.seen.g.wake_up == WakeUp::Nothing { "can come any more" } else { "comes" };
        Some(Judged::sure(format!("none of its cases {can} ({}{more})", cases.join("; "))))
    }
}
