//! A send that nobody receives. The page: `send-nobody-receives.md`.

use crate::facts::{WaitOperation, WakeUp};

use super::super::words;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct SendNobodyReceives;

impl Cause for SendNobodyReceives {
    const INFO: RuleInfo = RuleInfo {
        code: "send-nobody-receives",
        title: "a send on a channel that nobody receives from any more",
        doc: include_str!("send-nobody-receives.md"),
    };
    const CURE: &'static str = "See why who should receive from the channel that {place} sends on has left: an early return, a timeout, a first error; give the send a way out (select with a context), or the channel a buffer for each sender.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let wait = case.seen.only().filter(|w| w.operation == WaitOperation::Send)?;
        let what = scene.object(wait).map_or_else(|| "the channel".into(), words::object);
        let clause = match case.seen.g.wake_up {
            WakeUp::Nothing => format!("nobody who can still run can receive from it ({what})"),
            _ => format!("nobody receives from it ({what})"),
        };
        Some(Judged::sure(clause))
    }
}
