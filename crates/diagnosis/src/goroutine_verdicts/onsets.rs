//! Cause or consequence: when goroutines began to pile up against when memory began to grow, within one
//! process, or over two of them. What began when most of the growth had been made did not make it. Pure.
//!
//! A process that is started after a death has no time at rest: callers retry, goroutines pile up in its
//! first seconds, and memory grows with them. By itself it tells no order. But where the process before it
//! died by the same function, and its memory had grown without such a pile, the pile is not what kills: it
//! came with the restart.

use crate::facts::{Facts, GenerationBefore};
use crate::growth::Growth;
use crate::sentence::{RESTED_SECONDS, rested};
use crate::units::{count, percent, plural, seconds};
use crate::window::Window;

use super::thresholds::{AFTER_DEATH_MS, AFTER_START_MS, GROWN_BEFORE, ONSET_PART, RISE_MIN, SAME_ONSET_MS};

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
    /// The process before, where its memory tells the order; then the pile is a consequence, whatever the
    /// order is within this process.
    pub across: Option<Across>,
    /// All of it in a sentence.
    pub sentence: String,
}

/// Onsets in two processes of one service, one started after the other's death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Across {
    /// The process before.
    pub before: GenerationBefore,
    /// When its memory began to grow, milliseconds since 1970.
    pub memory_unix_ms: i64,
    /// When goroutines began to pile up in this one, milliseconds since 1970.
    pub goroutines_unix_ms: i64,
}

impl Across {
    /// Of a process whose goroutines began to pile up at a moment; `None` where the one before tells nothing:
    /// another build, another function, memory that was never seen at rest, or a pile in it too.
    fn of(facts: &Facts, goroutines_ms: u64) -> Option<Self> {
        let before = facts.death.as_ref()?.before.as_ref()?.last.as_ref()?;
        let memory_unix_ms = before.memory_unix_ms.filter(|_| before.memory_first)?;
        let goroutines_unix_ms = facts.unix_ms(goroutines_ms)?;
        let started = facts.unix_ms(facts.capture.t_ms)?.checked_sub(i64::try_from(facts.age_ms()?).ok()?)?;
        // Its capture is taken when it is dead; its successor may be there a moment before that.
        let gap = started.checked_sub(before.died_unix_ms)?;
        let is_next = (-AFTER_DEATH_MS / 100..=AFTER_DEATH_MS).contains(&gap);
        let young = facts.age_at(goroutines_ms).is_some_and(|ms| ms <= AFTER_START_MS);
        let same_build = facts.target.build_id.is_some() && before.build_id == facts.target.build_id;
        let culprit = Growth::of(facts).culprit.map(|c| c.frame.function);
        let same_function = culprit.is_some() && culprit == before.culprit;
        (is_next && young && same_build && same_function && memory_unix_ms < goroutines_unix_ms).then(|| Self {
            before: before.clone(),
            memory_unix_ms,
            goroutines_unix_ms,
        })
    }
}

impl Onsets {
    /// Goroutines that make a pile at least.
    pub(crate) const LEAST: u64 = RISE_MIN;

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
            across: Across::of(facts, goroutines_ms),
            sentence: String::new(),
        };
        onsets.consequence |= onsets.across.is_some();
        onsets.sentence = onsets.in_words(after_restart);
        Some(onsets)
    }

    fn in_words(&self, after_restart: bool) -> String {
        let came = plural(self.after.saturating_sub(self.before), "goroutine");
        let at = |ms: u64| seconds(ms as f64 / 1e3);
        if let Some(across) = &self.across {
            return self.in_words_of_two(across, &came);
        }
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

impl Onsets {
    fn in_words_of_two(&self, across: &Across, came: &str) -> String {
        let Across { before, memory_unix_ms, goroutines_unix_ms } = across;
        let age = self
            .process_age_ms
            .map_or_else(String::new, |ms| format!(" ({} after it was started)", seconds(ms as f64 / 1e3)));
        let within = match self.order {
            Order::GoroutinesFirst => "goroutines first",
            Order::MemoryFirst => "memory first",
            Order::Together => "both together",
        };
        let apart = seconds(goroutines_unix_ms.saturating_sub(*memory_unix_ms) as f64 / 1e3);
        format!(
            "{came} began to pile up at {} in this process{age}; memory had begun to grow at {}, {apart} before, in the process before it ({}), which died at {} by the same function, {}, with {} goroutines ({} when its memory began to grow): memory first, a restart, then the pile of goroutines, which is a consequence of the restart and not what had killed before. Of this process alone ({within}) the order says nothing: it began with callers that had waited for it",
            clock(*goroutines_unix_ms),
            clock(*memory_unix_ms),
            before.pid,
            clock(before.died_unix_ms),
            before.culprit.as_deref().unwrap_or("?"),
            count(before.goroutines_at_end),
            count(before.goroutines_at_onset),
        )
    }
}

/// A moment for people: `12:00:31.4 UTC`.
fn clock(unix_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_ms)
        .map_or_else(|_| "?".into(), |t| t.strftime("%H:%M:%S%.1f UTC").to_string())
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

    /// Goroutines pile up in the first seconds of a process, and its memory grows as they do; the one before
    /// died by the same function, and had no pile.
    fn after_a_restart() -> Facts {
        use crate::facts::{Amount, Frame, Site};
        let mut f = facts(100, 4);
        f.timeline.samples.retain(|s| s.t_ms <= 4_000);
        f.timeline.samples.iter_mut().for_each(|s| s.usage_bytes = 5_000_000 + s.t_ms * 100_000);
        f.capture.t_ms = 4_000;
        f.capture.taken_at = "2026-11-26T12:00:44Z".into();
        (f.target.age_ms, f.target.build_id) = (Some(4_200), Some("b1".into()));
        f.frames = vec![Frame { function: "main.build".into(), file: "a.go".into(), line: 7 }];
        let current = Amount { bytes: 400_000_000, objects: 1000 };
        f.profile.sites = vec![Site { current, stack: vec![0], ..Site::default() }];
        let second = |s: i64| 1_795_694_400_000 + s * 1000;
        let last = GenerationBefore {
            pid: 41,
            build_id: Some("b1".into()),
            memory_unix_ms: Some(second(30)),
            died_unix_ms: second(38),
            goroutines_at_onset: 238,
            goroutines_at_end: 245,
            memory_first: true,
            culprit: Some("main.build".into()),
        };
        let before = DeathsBefore { last_hour: 1, last: Some(last), ..DeathsBefore::default() };
        f.death = Some(Death { before: Some(before), ..Death::default() });
        f
    }

    fn last(f: &mut Facts) -> &mut GenerationBefore {
        f.death.as_mut().unwrap().before.as_mut().unwrap().last.as_mut().unwrap()
    }

    #[test]
    fn the_process_before_tells_the_order_that_this_one_cannot() {
        let o = onsets(&after_a_restart()).unwrap();
        assert!(o.consequence && o.across.is_some(), "{o:?}");
        assert!(o.sentence.contains("goroutines began to pile up at 12:00:40"), "{}", o.sentence);
        let both = "memory had begun to grow at 12:00:30.0 UTC, 10 s before, in the process before it (41), which died at 12:00:38.0 UTC by the same function, main.build, with 245 goroutines (238 when its memory began to grow): memory first, a restart, then the pile";
        assert!(o.sentence.contains(both), "{}", o.sentence);
        assert!(o.sentence.contains("Of this process alone"), "{}", o.sentence);
    }

    #[test]
    fn what_was_not_seen_of_the_process_before_is_not_claimed() {
        type Lie = (&'static str, fn(&mut Facts));
        let lies: [Lie; 7] = [
            ("its memory was never at rest", |f| last(f).memory_unix_ms = None),
            ("goroutines had piled up in it too", |f| last(f).memory_first = false),
            ("another function", |f| last(f).culprit = Some("main.other".into())),
            ("no function is known", |f| last(f).culprit = None),
            ("another build", |f| last(f).build_id = Some("b2".into())),
            ("it died long before", |f| last(f).died_unix_ms -= 3_600_000),
            ("this one had run for long", |f| f.target.age_ms = Some(200_000)),
        ];
        for (why, lie) in lies {
            let mut f = after_a_restart();
            lie(&mut f);
            let o = onsets(&f).unwrap();
            assert!(!o.consequence && o.across.is_none(), "{why}: {}", o.sentence);
        }
    }

    #[test]
    fn a_process_that_died_tells_what_was_seen_of_it() {
        let mut f = facts(1_000, 3);
        f.timeline.samples.iter_mut().for_each(|s| s.goroutines = s.goroutines.min(325));
        f.capture.taken_at = "2026-11-26T12:00:26Z".into();
        let before = GenerationBefore::of(&f).unwrap();
        assert!(before.memory_first && before.goroutines_at_end == 325, "{before:?}");
        let second = |ms: i64| (ms - 1_795_694_400_000) / 1000;
        assert_eq!((before.memory_unix_ms.map(second), second(before.died_unix_ms)), (Some(20), 26));
        // A pile that came as memory began to grow, and memory that nobody saw at rest.
        let mut piled = facts(20_000, 40);
        piled.capture.taken_at = f.capture.taken_at.clone();
        assert!(!GenerationBefore::of(&piled).unwrap().memory_first);
        f.timeline.samples.retain(|s| s.t_ms >= 20_200);
        assert!(GenerationBefore::of(&f).is_none_or(|b| !b.memory_first && b.memory_unix_ms.is_none()));
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
