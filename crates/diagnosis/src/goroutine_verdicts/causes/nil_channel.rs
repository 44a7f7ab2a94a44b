//! A channel that was never made. The page: `nil-channel.md`.

use crate::facts::WaitOperation;

use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct NilChannel;

impl Cause for NilChannel {
    const INFO: RuleInfo = RuleInfo {
        code: "nil-channel",
        title: "a channel is nil: nobody can send on it or receive from it",
        doc: include_str!("nil-channel.md"),
    };
    const CURE: &'static str = "Make the channel before {place} uses it; where it is nil on purpose, to switch off a case, use it in a select that has another one.";

    fn check(_: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        if case.seen.does(&WaitOperation::AllNil) {
            return Some(Judged::sure("every channel of its select is nil, and no case of it ever comes"));
        }
        match case.seen.reason() {
            "chan send (nil chan)" => Some(Judged::sure("the channel is nil, and a send on it never ends")),
            "chan receive (nil chan)" => Some(Judged::sure("the channel is nil, and a receive from it never ends")),
            _ => None,
        }
    }
}
