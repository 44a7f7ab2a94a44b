//! Cause or consequence: when goroutines began to pile up against when memory began to grow, within one
//! process. What began later did not begin it. Pure.

use crate::facts::Facts;
use crate::units::{count, plural, seconds};
use crate::window::Window;

use super::thresholds::{AFTER_START_MS, ONSET_PART, RISE_MIN, SAME_ONSET_MS};

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
    /// Whether the pile is a consequence: it came after memory had begun to grow, or with the start of a
    /// process whose predecessor had died.
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
        let (_, low) = *counted.first()?;
        let (end_ms, after) = *counted.last()?;
        let rise = after.saturating_sub(low);
        if rise < RISE_MIN.max(low) {
            return None;
        }
        let begun = low as f64 + rise as f64 * ONSET_PART;
        let goroutines_ms = counted.iter().rev().find(|(_, n)| *n as f64 <= begun)?.0;
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
            consequence: order == Order::MemoryFirst || (after_restart && order != Order::GoroutinesFirst),
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
                "; this process was {} old then, and the service had died {} in the hour before: what piled up belongs to the restart, as callers retry",
                at(age),
                times(self.deaths_before.unwrap_or(0))
            ),
            _ => String::new(),
        };
        match self.order {
            Order::MemoryFirst => {
                format!("{came} came after memory had begun to grow ({apart} later: {both}): a consequence{restart}")
            }
            Order::GoroutinesFirst => {
                format!("{came} had begun to come {apart} before memory grew ({both}): they may be the cause{restart}")
            }
            Order::Together if self.consequence => {
                format!("{came} came as memory began to grow ({both}){restart}: a consequence")
            }
            Order::Together => {
                format!(
                    "{came} came as memory began to grow ({both}): their order does not tell cause from consequence"
                )
            }
        }
    }
}

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
        assert!(o.sentence.contains("goroutines came after memory had begun to grow (3."), "{}", o.sentence);
        assert!(o.sentence.ends_with("a consequence"), "{}", o.sentence);
    }

    #[test]
    fn what_came_before_may_be_the_cause() {
        let o = onsets(&facts(10_000, 40)).unwrap();
        assert_eq!((o.order, o.consequence), (Order::GoroutinesFirst, false));
        assert!(o.sentence.contains("they may be the cause"), "{}", o.sentence);
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
    fn a_pile_after_a_restart_belongs_to_the_next_process() {
        let mut f = facts(20_000, 40);
        f.target.age_ms = Some(30_000);
        assert!(!onsets(&f).unwrap().consequence, "nobody died before");
        f.death =
            Some(Death { before: Some(DeathsBefore { last_hour: 2, ..DeathsBefore::default() }), ..Death::default() });
        let o = onsets(&f).unwrap();
        assert!(o.consequence && o.sentence.contains("had died 2 times in the hour before"), "{}", o.sentence);
        f.target.age_ms = Some(3_000_000);
        assert!(!onsets(&f).unwrap().consequence, "it had run for long");
    }
}
