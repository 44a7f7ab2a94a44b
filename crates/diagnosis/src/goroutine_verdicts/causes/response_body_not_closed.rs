//! An HTTP response whose body is neither read to its end nor closed keeps its connection, and the two
//! goroutines of that. The page: `response-body-not-closed.md`.

use crate::rival::Rival;

use super::super::scene::Seen;
use super::super::verdict::Sureness;
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct ResponseBodyNotClosed;

impl Cause for ResponseBodyNotClosed {
    const INFO: RuleInfo = RuleInfo {
        code: "response-body-not-closed",
        title: "HTTP responses whose bodies are neither read nor closed",
        doc: include_str!("response-body-not-closed.md"),
    };
    const CURE: &'static str = "Close the body of every response, also where it is not read (defer resp.Body.Close()), and read it to its end where the connection is to be used again.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let of_writer = case.seen.view.is_in("net/http.(*persistConn).writeLoop") && beside_such(scene, &case.seen);
        if !reads_body(&case.seen) && !of_writer {
            return None;
        }
        let rival = Rival::open(
            "a body that is still being read, slowly",
            "whether a goroutine of the program is inside a Read of that body",
        );
        let clause = "the connection waits until the body of its response is read to its end or closed";
        Some(Judged::sure(clause).with(Sureness::Probable, vec![rival]))
    }
}

/// Whether a goroutine is the reader of a client's connection that waits for the body of a response to be
/// read: an idle one waits for the network instead.
pub(in super::super) fn reads_body(seen: &Seen<'_>) -> bool {
    seen.view.is_in("net/http.(*persistConn).readLoop") && seen.reason() == "select"
}

/// Whether a writer's connection has such a reader: they share a channel.
fn beside_such(scene: &Scene<'_>, seen: &Seen<'_>) -> bool {
    let objects = seen.g.waits.iter().filter_map(|w| scene.object(w));
    let mut others = objects.flat_map(|o| &o.referrers).map(|r| r.goroutine).filter(|id| *id != seen.g.id);
    others.any(|id| scene.blocked_by_id(id).is_some_and(|s| reads_body(&s)))
}
