//! Who has the queue at hand that keeps most of the heap, and waits for something else: while its only reader
//! waits, nothing leaves a queue. Pure.
//!
//! Seen from outside in a shipper of logs: the line that fills the list was named, surely, and what it holds,
//! and nothing of the one goroutine that sends it away, which had waited for an answer since the growth
//! began.

use std::collections::HashMap;

use crate::facts::{Facts, Frame, GoroutineList, GraphCensus, Group, Kind};
use crate::graph_certainty::share_of_live;
use crate::library_waits::library_wait;
use crate::owner::{is_standard_library, owner_on};
use crate::thresholds::heap_growth::{HELD_UP, QUEUE};
use crate::units::{count, plural, seconds};
use crate::waits::{Doing, Wait, doing, is_writing};
use crate::window::Window;

/// Goroutines that have a queue at hand, and have waited for the larger part of its growth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeldUp<'a> {
    queue: &'a GraphCensus,
    /// Where they wait: the innermost function of the program.
    pub(crate) at: &'a Frame,
    /// What for.
    what: String,
    /// What ends that, if it is known.
    cure: &'static str,
    /// How many.
    goroutines: u64,
    /// That the one that has waited shortest has waited at least.
    waited_s: f64,
}

impl<'a> HeldUp<'a> {
    /// Those of the function in which most of them wait, the nearest to the queue if there are several.
    pub(crate) fn of(facts: &'a Facts, w: &Window) -> Option<Self> {
        let graph = facts.graph.as_ref().filter(|g| g.of_one_moment)?;
        let may_be_it = |c: &&GraphCensus| !c.at_hand.is_empty() && share_of_live(graph, c.retained_bytes) >= QUEUE;
        // Of several, each within the other, the innermost.
        let queue = graph.census.iter().filter(may_be_it).min_by_key(|c| c.retained_bytes)?;
        let waited: HashMap<u64, u64> =
            graph.blocked.as_ref()?.each.iter().map(|g| (g.id, g.waited_ns_at_least)).collect();
        let list = &facts.goroutines.list;
        let kind_of: HashMap<u64, u32> = list.each.iter().map(|g| (g.id, g.kind)).collect();
        let mut found: Vec<Self> = Vec::new();
        for id in &queue.at_hand {
            let waited_s = waited.get(id).map_or(0.0, |ns| *ns as f64 / 1e9);
            if waited_s < HELD_UP * w.seconds() {
                continue;
            }
            let kind = kind_of.get(id).and_then(|k| list.kinds.get(*k as usize));
            let Some((at, what, cure)) = kind.and_then(|kind| elsewhere(facts, kind)) else { continue };
            match found.iter_mut().find(|f| f.at.function == at.function && f.what == what) {
                Some(same) => {
                    same.goroutines += 1;
                    same.waited_s = same.waited_s.min(waited_s);
                }
                None => found.push(Self { queue, at, what, cure, goroutines: 1, waited_s }),
            }
        }
        // The first of the most: the nearest come first.
        found.into_iter().rev().max_by_key(|f| f.goroutines)
    }

    /// `1 goroutine in main.(*shipper).run, which has the []main.record of 385,465 elements at hand, waits
    /// for the answer of an HTTP server, for 38 s at least`.
    pub(crate) fn text(&self) -> String {
        let elements = plural(self.queue.elements, "element");
        let (queue, time) = (format!("the {} of {elements}", self.queue.type_name), seconds(self.waited_s));
        let (at, what) = (&self.at.function, &self.what);
        match self.goroutines {
            1 => format!("1 goroutine in {at}, which has {queue} at hand, waits for {what}, for {time} at least"),
            n => format!(
                "{} goroutines in {at}, which have {queue} at hand, wait for {what}, each for {time} at least",
                count(n)
            ),
        }
    }

    /// What to do about it, and about the queue.
    pub(crate) fn cure(&self) -> String {
        let cure = if self.cure.is_empty() { String::new() } else { format!("{} ", self.cure) };
        format!(
            "See why {} waits for {} (for {} at least): if it is who empties {} ({}, {}), nothing leaves that meanwhile. {cure}And bound what may be queued there: drop, refuse or slow down what comes when it is full.",
            self.at.function,
            self.what,
            seconds(self.waited_s),
            self.queue.owner,
            self.queue.type_name,
            plural(self.queue.elements, "element"),
        )
    }
}

/// Where goroutines of a kind wait, for what, and what ends it: `None` of those that run, that wait for the
/// next piece of work or for time, and that read from somebody who may have nothing to say.
fn elsewhere<'a>(facts: &'a Facts, kind: &Kind) -> Option<(&'a Frame, String, &'static str)> {
    let stack = frames_of(&facts.goroutines.list, kind);
    let group =
        Group { count: 1, state: kind.state.clone(), wait_reason: kind.wait_reason.clone(), stack, ..Group::default() };
    let Doing::Waiting(wait) = doing(facts, &group) else { return None };
    let module = &facts.target.module.path;
    let at = owner_on(facts, &group.stack).filter(|at| !is_standard_library(&at.function, module))?;
    let is_in = |of: fn(&str) -> bool| {
        group.stack.iter().filter_map(|i| facts.frames.get(*i as usize)).any(|f| of(&f.function))
    };
    if let Some(known) = library_wait(facts, &group) {
        let gives = || is_in(|f| [").Write", ").write", ").Send", ".Invoke"].iter().any(|end| f.contains(end)));
        return (!known.may_be_idle() || gives()).then(|| (at, known.what.to_owned(), known.cure));
    }
    let asks_a_database = || is_in(|f| f.starts_with("database/sql."));
    let what = match wait {
        Wait::Io if is_writing(facts, &group) => {
            return Some((
                at,
                "its peer to read what it writes".into(),
                "Set a deadline for writes (SetWriteDeadline), and part with a peer that does not keep up.",
            ));
        }
        Wait::Io if asks_a_database() => "the answer of a database".into(),
        Wait::Mutex | Wait::RwMutex | Wait::Once | Wait::Semaphore | Wait::NilChan => wait.what().into(),
        Wait::ChanSend => "somebody to receive what it sends".into(),
        // The next piece of work, those that do the work, the next tick, the next word of a peer; or nobody
        // knows.
        _ => return None,
    };
    Some((at, what, ""))
}

/// The frames of a kind, innermost first.
fn frames_of(list: &GoroutineList, kind: &Kind) -> Vec<u32> {
    let calls = list.stacks.get(kind.stack as usize).map(|s| s.calls.as_slice()).unwrap_or_default();
    calls.iter().filter_map(|c| list.calls.get(*c as usize)).map(|c| c.frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{BlockedGoroutine, BlockedGoroutines, Call, Goroutine, GoroutineState, GraphFacts, Stack};

    /// A list of 300,000 elements, which keeps nine tenths of the heap; its goroutines by their functions
    /// (innermost first), reasons, and seconds that they have waited.
    fn facts(goroutines: &[(&[&str], &str, u64)]) -> Facts {
        let mut facts = Facts::default();
        let mut blocked = BlockedGoroutines::default();
        let list = &mut facts.goroutines.list;
        for (i, (stack, reason, waited)) in (1_u32..).zip(goroutines) {
            let first = facts.frames.len() as u32;
            facts.frames.extend(stack.iter().map(|f| Frame { function: (*f).into(), ..Frame::default() }));
            let calls = (first..facts.frames.len() as u32).map(|frame| {
                list.calls.push(Call { frame, ..Call::default() });
                (list.calls.len() - 1) as u32
            });
            let calls = calls.collect();
            list.stacks.push(Stack { calls });
            let state = if reason.is_empty() { GoroutineState::Running } else { GoroutineState::Waiting };
            let wait_reason = (*reason).to_owned();
            list.kinds.push(Kind { state, wait_reason, stack: i - 1, ..Kind::default() });
            list.each.0.push(Goroutine { id: u64::from(i), kind: i - 1, ..Goroutine::default() });
            let waited_ns_at_least = waited * 1_000_000_000;
            blocked.each.push(BlockedGoroutine { id: u64::from(i), waited_ns_at_least, ..BlockedGoroutine::default() });
        }
        let queue = GraphCensus {
            owner: "goroutine in main.(*shipper).run .in .pending".into(),
            type_name: "[]main.record".into(),
            kind: "slice".into(),
            elements: 300_000,
            retained_bytes: 180_000_000,
            count: 1,
            at_hand: (1..=goroutines.len() as u64).collect(),
            ..GraphCensus::default()
        };
        let graph = GraphFacts {
            of_one_moment: true,
            live_bytes: 200_000_000,
            census: vec![queue],
            blocked: Some(blocked),
            ..GraphFacts::default()
        };
        facts.graph = Some(graph);
        facts
    }

    fn said(goroutines: &[(&[&str], &str, u64)]) -> Option<String> {
        let w = Window { onset_ms: 0, end_ms: 39_000, ..Window::default() };
        HeldUp::of(&facts(goroutines), &w).map(|held| held.text())
    }

    const FILLS: (&[&str], &str, u64) = (&["main.(*buffer).add", "main.main"], "", 0);
    const ASKS: &[&str] = &["runtime.gopark", "net/http.(*persistConn).roundTrip", "main.(*shipper).run"];
    const WRITES: &[&str] = &["internal/poll.(*pollDesc).waitWrite", "net.(*conn).Write", "main.(*client).send"];
    const READS: &[&str] = &["internal/poll.(*pollDesc).waitRead", "net.(*conn).Read", "main.(*client).read"];

    #[test]
    fn who_sends_it_away_and_waits_for_an_answer() {
        let of_the_shipper = said(&[FILLS, (ASKS, "select", 38)]).unwrap();
        assert_eq!(
            of_the_shipper,
            "1 goroutine in main.(*shipper).run, which has the []main.record of 300,000 elements at hand, waits for \
             the answer of an HTTP server, for 38 s at least"
        );
        let clients = said(&[FILLS, (READS, "IO wait", 39), (WRITES, "IO wait", 30), (WRITES, "IO wait", 25)]).unwrap();
        assert!(clients.starts_with("2 goroutines in main.(*client).send, which have the "), "{clients}");
        assert!(clients.ends_with("wait for its peer to read what it writes, each for 25 s at least"), "{clients}");
        let w = Window { onset_ms: 0, end_ms: 39_000, ..Window::default() };
        let facts = facts(&[FILLS, (ASKS, "select", 38)]);
        let cure = HeldUp::of(&facts, &w).unwrap().cure();
        assert!(cure.contains("if it is who empties goroutine in main.(*shipper).run .in .pending"), "{cure}");
        assert!(cure.contains("Give requests a timeout"), "{cure}");
    }

    #[test]
    fn who_is_not_held_up_is_not_told() {
        // A moment's answer; a reader whose peer may have nothing to say; a parent; a worker without work.
        assert_eq!(said(&[FILLS, (ASKS, "select", 1)]), None);
        assert_eq!(said(&[FILLS, (READS, "IO wait", 39)]), None);
        assert_eq!(said(&[FILLS, (&["sync.(*WaitGroup).Wait", "main.main"], "sync.WaitGroup.Wait", 39)]), None);
        assert_eq!(said(&[FILLS, (&["main.(*client).work"], "sync.Cond.Wait", 39)]), None);
        assert_eq!(said(&[FILLS, (&["main.(*client).work"], "chan receive", 39)]), None);
        assert!(said(&[FILLS, (&["main.(*client).work"], "chan send", 39)]).is_some());
        // The one end of a pipe may have nothing to say, and the other waits for who does not read.
        let pipe =
            |does: &'static str| said(&[FILLS, (&["io.(*pipe).read", does, "main.(*client).work"], "select", 39)]);
        assert!(pipe("io.(*PipeReader).Read").is_none() && pipe("io.(*PipeWriter).Write").is_some());
    }
}
