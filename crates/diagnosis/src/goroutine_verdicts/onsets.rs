//! Cause or consequence: when goroutines began to pile up against when memory began to grow, within one
//! process. What began when most of the growth had been made did not make it. Pure.

use crate::facts::Facts;
use crate::sentence::{RESTED_SECONDS, rested};
use crate::units::{count, percent, plural, seconds};
use crate::window::Window;

use super::thresholds::{AFTER_START_MS, GROWN_BEFORE, ONSET_PART, RISE_MIN, SAME_ONSET_MS};

/// The order of two onsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Goroutines had begun to pile up before memory grew.
    GoroutinesFirst,
    /// Memory had begun to grow before goroutines piled up.
    MemoryFirst,
    /// Too near to each other to tell.
    Together,
}

impl Order {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GoroutinesFirst => "goroutines first",
            Self::MemoryFirst => "memory first",
            Self::Together => "together",
        }
    }
}

/// Both onsets of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Onsets {
    /// When goroutines began to pile up, in milliseconds on the timeline's clock.
    pub goroutines_ms: u64,
    /// When memory began to grow, likewise.
    pub memory_ms: u64,
    /// Goroutine structures at the first of the two onsets.
    pub before: u64,
    /// At the end.
    pub after: u64,
    /// Which came first.
    pub order: Order,
    /// Milliseconds that the process had lived when goroutines began to pile up; absent if it is not known.
    pub process_age_ms: Option<u64>,
    /// Deaths of the service in the hour before this process ended; absent where no store could be asked.
    pub deaths_before: Option<u64>,
    /// Part of the growth of memory that had been made when goroutines began to pile up: 0 to 1.
    pub grown_before: f64,
    /// Whether the pile is a consequence: memory had been at rest, began to grow, and had made most of its
    /// growth when goroutines began to pile up. That they came later alone says little: the first requests of
    /// a pile that fills the memory take some, too (seen: 678 calls that waited for a slow peer, test
    /// `a_pile_that_makes_the_growth_is_no_consequence`).
    pub consequence: bool,
    /// All of it in a sentence.
    pub sentence: String,
}

impl Onsets {
    /// Of a process whose memory grew and whose goroutines piled up; `None` of others, and where goroutines
    /// may have piled up unseen: structures of goroutines that have ended are used again, and only what goes
    /// beyond the highest number so far is counted.
    #[must_use]
    pub fn of(facts: &Facts, window: Option<&Window>) -> Option<Self> {
        let w = window?;
        let counted: Vec<(u64, u64)> =
            facts.timeline.samples.iter().filter(|s| s.goroutines > 0).map(|s| (s.t_ms, s.goroutines)).collect();
        let (end_ms, after) = *counted.last()?;
        let (foot_ms, low) = foot(&counted)?;
        // What came long before, and stayed, is another story.
        let rise = after.saturating_sub(low);
        if rise < RISE_MIN.max(low) {
            return None;
        }
        let begun = low as f64 + rise as f64 * ONSET_PART;
        let climb = counted.iter().rev().take_while(|(t, _)| *t >= foot_ms);
        let goroutines_ms = climb.into_iter().find(|(_, n)| *n as f64 <= begun)?.0;
        let first = goroutines_ms.min(w.onset_ms);
        let before = counted.iter().rev().find(|(t, _)| *t <= first).map_or(low, |(_, n)| *n);
        if before > after / 4 {
            return None;
        }
        let same = SAME_ONSET_MS.max(end_ms.saturating_sub(first) / 5);
        let order = match goroutines_ms.abs_diff(w.onset_ms) {
            near if near <= same => Order::Together,
            _ if goroutines_ms > w.onset_ms => Order::MemoryFirst,
            _ => Order::GoroutinesFirst,
        };
        let grown_before = grown(facts, w, goroutines_ms);
        let at_rest = rested(facts, w).is_some_and(|seconds| seconds >= RESTED_SECONDS);
        let process_age_ms = facts.age_at(goroutines_ms);
        let deaths_before = facts.death.as_ref().and_then(|d| d.before.as_ref()).map(|b| b.last_hour);
        let after_restart =
            process_age_ms.is_some_and(|ms| ms <= AFTER_START_MS) && deaths_before.is_some_and(|n| n > 0);
        let mut onsets = Self {
            goroutines_ms,
            memory_ms: w.onset_ms,
            before,
            after,
            order,
            process_age_ms,
            deaths_before,
            grown_before,
            consequence: order == Order::MemoryFirst && at_rest && grown_before >= GROWN_BEFORE,
            sentence: String::new(),
        };
        onsets.sentence = onsets.in_words(after_restart);
        Some(onsets)
    }

    fn in_words(&self, after_restart: bool) -> String {
        let came = plural(self.after.saturating_sub(self.before), "goroutine");
        let at = |ms: u64| seconds(ms as f64 / 1e3);
        let apart = at(self.goroutines_ms.abs_diff(self.memory_ms));
        let both = format!("goroutines at {}, memory at {} of the watch", at(self.goroutines_ms), at(self.memory_ms));
        let restart = match (after_restart, self.process_age_ms) {
            (true, Some(age)) => format!(
                "; this process was {} old then, and the service had died {} in the hour before: callers that retry pile up after a restart, whatever had killed it",
                at(age),
                times(self.deaths_before.unwrap_or(0))
            ),
            _ => String::new(),
        };
        match self.order {
            Order::MemoryFirst if self.consequence => {
                let part = percent(self.grown_before);
                format!(
                    "{came} came when {part} of the growth had been made ({apart} after memory had begun to grow: {both}): a consequence{restart}"
                )
            }
            Order::MemoryFirst => {
                format!(
                    "{came} came {apart} after memory had begun to grow ({both}): by itself that says nothing of the cause{restart}"
                )
            }
            Order::GoroutinesFirst => {
                format!(
                    "{came} had begun to come {apart} before memory grew ({both}): by itself that says nothing of the cause{restart}"
                )
            }
            Order::Together => {
                format!(
                    "{came} came as memory began to grow ({both}): their order does not tell cause from consequence{restart}"
                )
            }
        }
    }
}

/// Part of the growth that usage had made at a moment.
fn grown(facts: &Facts, w: &Window, at_ms: u64) -> f64 {
    let sample = facts.timeline.samples.iter().rev().find(|s| s.t_ms <= at_ms);
    let gained = sample.map_or(0, |s| s.usage_bytes.saturating_sub(w.start_bytes));
    (gained as f64 / w.growth().max(1) as f64).min(1.0)
}

/// Where the last climb begins: the sample before which the number rested for longer than the climb that
/// followed has lasted, and for more than a second. Goroutines that came as load began, and stayed, do not
/// begin a growth of memory twenty seconds later (seen in the recorded incident; test
/// `a_rest_ends_the_climb`).
fn foot(counted: &[(u64, u64)]) -> Option<(u64, u64)> {
    let last = *counted.last()?;
    let mut foot = last;
    for here in counted.iter().rev() {
        if here.1 < foot.1 {
            foot = *here;
        } else if foot.0.saturating_sub(here.0) > last.0.saturating_sub(foot.0).max(REST_MS) {
            break;
        }
    }
    Some(foot)
}

/// A shorter rest is part of a climb.
const REST_MS: u64 = 1000;

fn times(n: u64) -> String {
    match n {
        1 => "once".into(),
        n => format!("{} times", count(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Death, DeathsBefore, Sample};
    use crate::window::window;

    /// Memory grows from 20 s on; goroutines from another time on.
    fn facts(goroutines_from: u64, before: u64) -> Facts {
        let mut f = Facts::default();
        for t in (0..26_000).step_by(20) {
            f.timeline.samples.push(Sample {
                t_ms: t,
                usage_bytes: 300_000_000 + t.saturating_sub(20_000) * 100_000,
                goroutines: before + t.saturating_sub(goroutines_from) / 2,
                ..Sample::default()
            });
        }
        f.capture.t_ms = 26_000;
        f
    }

    fn onsets(f: &Facts) -> Option<Onsets> {
        Onsets::of(f, window(f).as_ref())
    }

    #[test]
    fn what_came_later_is_a_consequence() {
        let o = onsets(&facts(23_000, 40)).unwrap();
        assert_eq!((o.order, o.consequence), (Order::MemoryFirst, true));
        assert!(o.goroutines_ms.abs_diff(23_300) < 100 && o.memory_ms.abs_diff(20_000) < 400, "{o:?}");
        assert!(o.sentence.contains("% of the growth had been made (3."), "{}", o.sentence);
        assert!(o.sentence.ends_with("a consequence"), "{}", o.sentence);
    }

    #[test]
    fn a_pile_that_makes_the_growth_is_no_consequence() {
        // They came later, and all but a seventh of the growth with them.
        let o = onsets(&facts(20_600, 40)).unwrap();
        assert!(!o.consequence && o.grown_before < 0.25, "{o:?}");
        let mut f = facts(21_500, 40);
        for s in f.timeline.samples.iter_mut().filter(|s| s.t_ms > 21_500) {
            s.usage_bytes += (s.t_ms - 21_500) * 1_000_000;
        }
        let o = onsets(&f).unwrap();
        assert!(!o.consequence && o.sentence.contains("by itself that says nothing"), "{o:?}");
        // Nobody knows what was before a watch that begins in the growth.
        let mut f = facts(23_000, 40);
        f.timeline.samples.retain(|s| s.t_ms >= 20_200);
        assert!(onsets(&f).is_none_or(|o| !o.consequence), "{:?}", onsets(&f));
    }

    #[test]
    fn what_came_before_may_be_the_cause() {
        let o = onsets(&facts(10_000, 40)).unwrap();
        assert_eq!((o.order, o.consequence), (Order::GoroutinesFirst, false));
        assert!(o.sentence.contains("by itself that says nothing of the cause"), "{}", o.sentence);
        let o = onsets(&facts(20_000, 40)).unwrap();
        assert_eq!(o.order, Order::Together, "{o:?}");
        assert!(o.sentence.contains("does not tell"), "{}", o.sentence);
    }

    /// Structures are used again: a pile within a peak of before is not seen, and no order is claimed.
    #[test]
    fn a_peak_of_before_hides_a_beginning() {
        assert_eq!(onsets(&facts(23_000, 800)), None);
        assert_eq!(onsets(&facts(25_900, 40)), None, "hardly any came");
        assert_eq!(onsets(&Facts::default()), None);
    }

    #[test]
    fn a_rest_ends_the_climb() {
        let mut f = facts(1_000, 3);
        f.timeline.samples.iter_mut().for_each(|s| s.goroutines = s.goroutines.min(325));
        assert_eq!(onsets(&f), None, "they had come, and stayed, long before");
    }

    #[test]
    fn a_pile_after_a_restart_belongs_to_the_next_process() {
        let mut f = facts(20_000, 40);
        f.target.age_ms = Some(30_000);
        assert!(!onsets(&f).unwrap().consequence, "nobody died before");
        f.death =
            Some(Death { before: Some(DeathsBefore { last_hour: 2, ..DeathsBefore::default() }), ..Death::default() });
        let o = onsets(&f).unwrap();
        assert!(o.sentence.contains("had died 2 times in the hour before: callers that retry"), "{}", o.sentence);
        assert!(!o.consequence, "a pile that kills each process anew has a restart before it, too");
        f.target.age_ms = Some(3_000_000);
        assert!(!onsets(&f).unwrap().sentence.contains("hour before"), "it had run for long");
    }
}
