//! Garbage beside what a finding about the heap says, where the collector would not have come to it: no cause
//! by itself, and the one thing that can be done without a new build. Pure.

use crate::collector::Pace;
use crate::facts::Facts;
use crate::finding::Evidence;
use crate::graph_certainty::source;
use crate::sentence::{memory_limit_for, set_memory_limit};
use crate::thresholds::collector_off::GARBAGE_BESIDE;
use crate::units::{bytes, percent};

/// Findings that are about what the Go heap holds.
const OF_THE_HEAP: [&str; 4] = ["heap-growth", "huge-object", "unprofiled-heap", "waiting-calls"];

/// What a finding of this code, with this cure, has to say of it too, and what can be done: if there is a
/// good part of it by the heap's references, and GOGC or its absence let it lie (seen from outside: a mail
/// server with GOGC=off and a GOMEMLIMIT of 2 GiB under 100 MiB, half of whose heap was garbage, and a
/// database with GOGC=800: neither was in any sentence).
pub(crate) fn garbage_beside(
    facts: &Facts,
    pace: Pace,
    code: &str,
    cure: &str,
) -> Option<(Evidence, (String, String))> {
    let graph = facts.graph.as_ref().filter(|g| g.of_one_moment && OF_THE_HEAP.contains(&code))?;
    let part = graph.garbage_bytes as f64 / graph.live_bytes.saturating_add(graph.garbage_bytes).max(1) as f64;
    let set = match pace {
        Pace::Off => "GOGC is off, and no GOMEMLIMIT lies below the limit".to_owned(),
        Pace::BeyondTheLimit if facts.gc.percent > 100 => {
            format!("GOGC is {}, and the collector's goal lies beyond the limit", facts.gc.percent)
        }
        _ => return None,
    };
    let value = memory_limit_for(facts.target.limit_bytes?);
    // The cure may say it already.
    if part < GARBAGE_BESIDE || cure.contains(&value) {
        return None;
    }
    let garbage = bytes(graph.garbage_bytes);
    let text = format!("{set}: {garbage} of the heap ({}) were garbage", percent(part));
    let act = set_memory_limit(facts, &value);
    let effect = format!("{garbage} of garbage would be freed; what then still grows is alive");
    Some((Evidence { text, source: source(graph) }, (act, effect)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::Collector;
    use crate::facts::{Gc, GraphFacts, Target};
    use crate::window::Window;

    #[test]
    fn a_collector_that_is_off_is_said_beside_what_is_alive() {
        let of = |percent, garbage_bytes, code| {
            let graph =
                GraphFacts { of_one_moment: true, live_bytes: 50_000_000, garbage_bytes, ..GraphFacts::default() };
            let heap_goal = (percent > 0).then_some(400_000_000);
            let gc = Gc { percent, heap_goal, heap_in_use: 100_000_000, memory_limit: Some(2 << 30), ..Gc::default() };
            let target = Target { limit_bytes: Some(105_000_000), ..Target::default() };
            let facts = Facts { graph: Some(graph), gc, target, ..Facts::default() };
            garbage_beside(&facts, Collector::of(&facts, &Window::default()).pace, code, "")
                .map(|(evidence, _)| evidence.text)
        };
        let said = "GOGC is off, and no GOMEMLIMIT lies below the limit: 50.0 MB of the heap (50 %) were garbage";
        assert_eq!(of(-1, 50_000_000, "unprofiled-heap").as_deref(), Some(said));
        assert!(of(800, 50_000_000, "heap-growth").is_some_and(|text| text.starts_with("GOGC is 800, and")));
        assert_eq!(of(100, 50_000_000, "heap-growth"), None, "as it comes");
        assert_eq!(of(-1, 1_000_000, "heap-growth"), None, "hardly any");
        assert_eq!(of(-1, 50_000_000, "others-in-group"), None);
    }
}
