//! A receive that nobody sends for. The page: `receive-nobody-sends.md`.

use crate::facts::{WaitOperation, WakeUp};

use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct ReceiveNobodySends;

impl Cause for ReceiveNobodySends {
    const INFO: RuleInfo = RuleInfo {
        code: "receive-nobody-sends",
        title: "a receive from a channel that nobody sends on or closes any more",
        doc: include_str!("receive-nobody-sends.md"),
    };
    const CURE: &'static str = "See why who should send to the channel that {place} receives from, or close it, has left without; give the wait a way out (select with a context).";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let wait = case.seen.only().filter(|w| w.operation == WaitOperation::Receive)?;
        let o = scene.object(wait);
        let what = o.map_or_else(|| "the channel".into(), words::object);
        let clause = match (&case.seen.g.wake_up, o.is_some_and(|o| o.is_timer)) {
            (WakeUp::Nothing, true) => {
                "the timer that would send was stopped, and nobody who can still run can start it again".to_owned()
            }
            (WakeUp::Nothing, false) => format!("nobody who can still run can send on it or close it ({what})"),
            _ => format!("nobody sends on it or closes it ({what})"),
        };
        Some(Judged::sure(clause))
    }
}
