//! A loop over a channel that nobody closes. The page: `range-over-open-channel.md`.

use crate::facts::{WaitOperation, WakeUp};
use crate::rival::Rival;

use super::super::verdict::Sureness;
use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct RangeOverOpenChannel;

impl Cause for RangeOverOpenChannel {
    const INFO: RuleInfo = RuleInfo {
        code: "range-over-open-channel",
        title: "a loop over a channel that nobody sends on or closes any more",
        doc: include_str!("range-over-open-channel.md"),
    };
    const CURE: &'static str = "Close the channel that {place} ranges over when its last sender is done (a defer close in who sends, or after a WaitGroup of the senders).";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let wait = case.seen.only().filter(|w| w.operation == WaitOperation::Receive)?;
        if !case.seen.view.is_in("runtime.chanrecv2") || scene.object(wait).is_some_and(|o| o.is_timer) {
            return None;
        }
        let what = scene.object(wait).map_or_else(|| "the channel".into(), words::object);
        let clause = match case.seen.g.wake_up {
            WakeUp::Nothing => format!("nobody who can still run can send on it or close it ({what})"),
            _ => format!("nobody sends on it or closes it ({what})"),
        };
        let rivals = vec![Rival::open(
            "a receive with two results (v, ok := <-c) that is no loop",
            "the line that it waits in: both are the same call of the runtime",
        )];
        Some(Judged::sure(clause).with(Sureness::Probable, rivals))
    }
}
