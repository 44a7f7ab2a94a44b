//! What it is not: suspects with the evidence that speaks against them.

use crate::facts::Facts;
use crate::finding::Source;
use crate::growth::Growth;
use crate::units::{bytes, count, percent, plural, seconds};
use crate::what_if::LimitWhatIf;
use crate::window::Window;

/// What a suspect has against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotIt {
    /// The suspect.
    pub suspect: &'static str,
    /// The evidence.
    pub because: String,
    /// Where its numbers come from.
    pub source: Source,
}

/// The false leads that cost hours in the incident of the notes, each with what speaks against it.
pub(crate) fn not_it(facts: &Facts, growth: &Growth, window: Option<&Window>, limits: &[LimitWhatIf]) -> Vec<NotIt> {
    let mut out = Vec::new();
    let Some(w) = window else { return out };
    let stacks = facts.goroutines.stack_bytes;
    let share = stacks as f64 / w.growth().max(1) as f64;
    if facts.goroutines.total > 0 && share < 0.1 {
        let mut because = format!(
            "{}, {} of stacks: {} of the growth",
            plural(facts.goroutines.total, "goroutine"),
            bytes(stacks),
            percent(share)
        );
        if let Some(c) = growth
            .culprit
            .as_ref()
            .filter(|c| c.in_flight(facts) >= 8 && c.in_flight(facts).saturating_mul(3) > facts.goroutines.total)
        {
            because += &format!(
                "; {} of them are the calls in flight, and what they hold is the growth",
                count(c.in_flight(facts))
            );
        }
        out.push(NotIt { suspect: "goroutine stacks", because, source: Source::Exact });
    }
    if let Some(double) = limits.get(1).filter(|l| l.seconds < 600.0) {
        let because = format!("a limit of {} would have bought {}", bytes(double.limit), seconds(double.seconds));
        out.push(NotIt { suspect: "the limit", because, source: Source::Estimated });
    }
    let gc = &facts.gc;
    if gc.percent >= 0 && growth.has_baseline && gc.heap_marked > 0 {
        let idle = gc.heap_free as f64 / w.end_bytes.max(1) as f64;
        if idle < 0.1 {
            let because = format!("{} ({}) of the memory is idle in the Go heap", bytes(gc.heap_free), percent(idle));
            out.push(NotIt { suspect: "memory that Go has not given back", because, source: Source::Exact });
        }
    }
    if let Some(rss) = facts.rss.filter(|_| gc.is_known()) {
        let outside = rss.anon.saturating_sub(gc.known());
        let share = outside as f64 / rss.rss.max(1) as f64;
        if share < 0.1 {
            let because = format!(
                "{} ({}) of the RSS is anonymous memory outside the Go runtime",
                bytes(outside),
                percent(share)
            );
            out.push(NotIt { suspect: "cgo or memory mapped by hand", because, source: Source::Estimated });
        }
    }
    out
}
