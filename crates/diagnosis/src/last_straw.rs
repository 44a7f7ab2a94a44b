//! The last straw: what came at the very end is a small part of what is used, and most of the rest had come
//! before while somebody looked on. A sentence about the end alone is true, and names the wrong one (seen
//! from outside: a store that had grown to 82 of 105 MB and then stood still, told as "not this process:
//! others fill the group" at 1.00, for a neighbour of 16 MB). Pure.

use crate::facts::Facts;
use crate::finding::{ConfidenceFactor, Finding};
use crate::thresholds::others_in_group::{CAME_BEFORE, SMALL};
use crate::units::{bytes, percent};
use crate::window::Window;

/// A growth that only ended what another had begun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LastStraw {
    /// Bytes that were used before it.
    before: u64,
    /// Bytes that were used at the end.
    end: u64,
}

impl LastStraw {
    /// Whether a growth was that; `None` too where what was there before may always have been.
    pub(crate) fn of(facts: &Facts, w: &Window) -> Option<Self> {
        let first = facts.timeline.samples.iter().map(|s| s.usage_bytes).find(|n| *n > 0)?;
        let it = Self { before: w.start_bytes, end: w.end_bytes };
        let came_before = w.start_bytes.saturating_sub(first) as f64 >= w.start_bytes as f64 * CAME_BEFORE;
        (it.part() < SMALL && came_before).then_some(it)
    }

    /// The part of what is used that came in it.
    fn part(&self) -> f64 {
        self.end.saturating_sub(self.before) as f64 / self.end.max(1) as f64
    }

    /// Whether the process itself holds most of what is used.
    pub(crate) fn is_mostly_own(&self, facts: &Facts) -> bool {
        facts.rss.is_some_and(|r| r.rss.saturating_mul(2) > self.end)
    }

    /// What a finding about the growth is worth, and says, then.
    pub(crate) fn temper(&self, finding: &mut Finding) {
        finding.factors.push(ConfidenceFactor {
            name: "what came in the end, of what is used (twice over)",
            value: (self.part() * 2.0).min(1.0),
        });
        finding.sentence.push_str(&format!(
            " That was the last straw: {} of the {} in use had come before ({}).",
            bytes(self.before),
            bytes(self.end),
            percent(1.0 - self.part())
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Neighbour, Neighbours, Rss, Sample};

    const MB: u64 = 1_000_000;

    /// The pushgateway from outside: it fills to 86 MB in 20 s, rests for 20, and then something else takes
    /// 18.
    fn straw(first: u64, own: u64) -> Facts {
        let curve = |t: u64| match t {
            0..20_000 => first + (86 * MB - first) / 20_000 * t,
            20_000..40_000 => 86 * MB,
            _ => 86 * MB + (t - 40_000) * 2000,
        };
        let of = |t: u64| match t {
            0..40_000 => curve(t),
            _ => 86 * MB,
        };
        let sample = |t: u64| Sample { t_ms: t, usage_bytes: curve(t), rss_bytes: of(t), ..Sample::default() };
        let mut facts = Facts::default();
        facts.timeline.samples = (0..49_000).step_by(20).map(sample).collect();
        facts.capture.t_ms = 49_000;
        facts.target.limit_bytes = Some(105 * MB);
        facts.target.service = "store".into();
        facts.rss = Some(Rss { rss: own, ..Rss::default() });
        let other = Neighbour { name: "python3".into(), processes: 1, rss_bytes: 25 * MB, ..Neighbour::default() };
        facts.neighbours = Some(Neighbours { rss_bytes: 25 * MB, others: vec![other], ..Neighbours::default() });
        facts
    }

    #[test]
    fn what_only_ended_it_is_never_sure() {
        let facts = straw(6 * MB, 96 * MB);
        let found = diagnose(&facts).verdict().cloned().unwrap();
        assert_eq!(found.code, "others-in-group");
        assert!(found.confidence() <= 0.5, "{found:?}");
        assert!(found.sentence.contains("That was the last straw: 86.0 MB of the 104 MB"), "{}", found.sentence);
        assert!(!found.title.contains("not this process") && !found.cure.contains("no change"), "{found:?}");
    }

    #[test]
    fn what_was_always_there_is_no_straws_doing() {
        let found = diagnose(&straw(80 * MB, 86 * MB)).verdict().cloned().unwrap();
        assert!(found.confidence() > 0.6 && !found.sentence.contains("straw"), "{found:?}");
    }
}
