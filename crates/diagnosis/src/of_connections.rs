//! Goroutines that wait as those of open connections do, one for each: nothing is stuck, there are many, and
//! each keeps much. Pure.
//!
//! Seen blind: 402 connections of a chat, whose writers wait in a select for something to send; each keeps a
//! compressor of its own, and "see why no case of the select comes" was the cure.

use crate::calls::Waiting;
use crate::facts::{Facts, Group};
use crate::library_waits::library_wait;
use crate::owner::is_inside;
use crate::reachability::Reachability;
use crate::units::{bytes, count};
use crate::waits::{Wait, is_writing};

/// Part, as one in so many, of the goroutines that may not have a connection of their own: some have just
/// come or gone.
const ONE_IN: u64 = 5;

/// The call in which a goroutine reads from a file, a pipe or a connection; one that was just woken is in it
/// too.
const READS: &str = "internal/poll.(*FD).Read";

/// What to do where those that wait have an object each that keeps most of what grew, and a goroutine that
/// leads to each reads from its peer.
pub(crate) fn cure(facts: &Facts, reach: Option<&Reachability<'_>>, waiting: &Waiting<'_>) -> Option<String> {
    let idle = matches!(waiting.wait, Wait::Select | Wait::ChanReceive)
        || waiting.wait == Wait::Io && !is_writing(facts, waiting.group);
    // Who waits in a client of a library waits for an answer.
    let idle = idle && library_wait(facts, waiting.group).is_none();
    let crowd = reach?.crowd().filter(|_| idle)?;
    let as_many = waiting.count.saturating_mul(ONE_IN) >= crowd.count().saturating_mul(ONE_IN - 1);
    let reads = |name: &str| {
        let of = |g: &&Group| is_inside(facts, &g.stack, name) && is_inside(facts, &g.stack, READS);
        let all = facts.goroutines.groups.iter().filter(of).map(|g| g.count).fold(0, u64::saturating_add);
        all.saturating_mul(2) >= crowd.count()
    };
    let peers = as_many && crowd.led_to_by().any(reads);
    peers.then(|| {
        format!(
            "They are as many as there are connections: {} {} keep {}, about {} each. If these are idle: make what each keeps smaller (buffers and encoders from a pool, taken while there is something to do), or bound how many are open.",
            count(crowd.count()),
            crowd.name(),
            bytes(crowd.retained_bytes()),
            bytes(crowd.retained_bytes() / crowd.count().max(1))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Frame, Goroutines, GraphFacts, GraphLeader, GraphNode};

    #[test]
    fn those_of_connections_wait_as_idle_ones_do() {
        let frame = |f: &str| Frame { function: f.into(), ..Frame::default() };
        let group = |count, reason: &str, stack: &[u32]| Group {
            count,
            state: "waiting".into(),
            wait_reason: reason.into(),
            stack: stack.into(),
            ..Group::default()
        };
        let leader =
            |name: &str| GraphLeader { kind: "goroutine".into(), name: name.into(), objects: 400, goroutines: 400 };
        let peers = GraphNode {
            parent: Some(0),
            kind: "object".into(),
            name: "gate.peer".into(),
            count: 400,
            retained_bytes: 320_000_000,
            led_to_by: vec![leader("gate.session"), leader("gate.write")],
            ..GraphNode::default()
        };
        let graph = GraphFacts {
            of_one_moment: true,
            live_bytes: 330_000_000,
            tree: vec![GraphNode { count: 1, ..GraphNode::default() }, peers],
            ..GraphFacts::default()
        };
        let mut facts = Facts {
            goroutines: Goroutines {
                groups: vec![group(390, "select", &[1]), group(380, "IO wait", &[2, 0])],
                ..Goroutines::default()
            },
            frames: ["gate.session", "gate.write", READS].map(frame).into(),
            ..Facts::default()
        };
        let said = |facts: &Facts| {
            let reach = Reachability::of(Some(&graph), 320_000_000);
            let waiting = Waiting { group: &facts.goroutines.groups[0], wait: Wait::Select, count: 390 };
            cure(facts, reach.as_ref(), &waiting)
        };
        let cure = said(&facts).unwrap();
        assert!(cure.contains("400 gate.peer keep 320 MB, about 800 kB each"), "{cure}");
        facts.goroutines.groups[1].stack = vec![0];
        assert_eq!(said(&facts), None, "nobody reads from a peer");
    }
}
