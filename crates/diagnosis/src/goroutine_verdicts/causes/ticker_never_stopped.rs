//! A loop that its own ticker wakes for ever. The page: `ticker-never-stopped.md`.

use crate::facts::{Wait, WaitOperation, WakeUp};
use crate::rival::Rival;
use crate::units::seconds;

use super::super::verdict::Sureness;
use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};
use super::select_stuck::MAX_CASES;

/// The cause.
pub(in super::super) struct TickerNeverStopped;

impl Cause for TickerNeverStopped {
    const INFO: RuleInfo = RuleInfo {
        code: "ticker-never-stopped",
        title: "a ticker wakes a goroutine for ever, and nothing leads to its way out",
        doc: include_str!("ticker-never-stopped.md"),
    };
    const CURE: &'static str = "Give the loop in {place} a way out (a context, a channel that is closed), take it, and stop the ticker with defer.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let ticks = |w: &&Wait| {
            w.operation == WaitOperation::Receive
                && scene.object(w).is_some_and(|o| o.is_timer && o.timer_period_ns > 0)
        };
        let wait = case.seen.g.waits.iter().find(ticks).filter(|_| case.seen.g.wake_up == WakeUp::OwnTimer)?;
        let every = scene.object(wait).map_or(0, |o| o.timer_period_ns);
        let others: Vec<String> =
            case.seen.g.waits.iter().filter(|w| *w != wait).take(MAX_CASES).map(|w| words::wait(scene, w)).collect();
        let way_out = match others.as_slice() {
            [] => "and it waits for nothing else".to_owned(),
            _ => format!("and nobody who can still run leads to its other cases ({})", others.join("; ")),
        };
        let clause = format!("its own ticker wakes it every {}, {way_out}", seconds(every as f64 / 1e9));
        let rivals = vec![Rival::open(
            "a loop that is meant to run as long as the program does",
            "whether there are more of them than the program should have",
        )];
        Some(Judged::sure(clause).with(Sureness::Sure, rivals))
    }
}
