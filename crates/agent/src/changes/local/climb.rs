//! Whether the memory of a process climbs steadily, by looks at it seconds apart: pure.
//!
//! A climb that nobody has died of is worth telling of before somebody does; but caches that fill, and
//! services that have just been started, climb too, and rest again. So a climb must have gone on for half a
//! minute without resting, must be of a size that matters, and the limit must be in sight.

use lastgasp_incident::evidence::{Climb, UnixMs};

/// Looks of a climb at the least, and milliseconds from the first of them to the newest. Chosen: longer than
/// a start, and than the calls of a burst last.
const LEAST_LOOKS: usize = 6;
const LEAST_MS: i64 = 28_000;
/// What must have been added: such a part of the limit, and such a part of what there was.
const OF_LIMIT: u64 = 8;
const OF_WHAT_WAS: u64 = 2;
/// Each quarter of its time must have brought such a part of it: what comes in steps, or has come to rest, is
/// no steady climb.
const OF_A_QUARTER: u64 = 10;
/// The limit must be in sight: no farther away than so many times what the climb has taken so far.
const IN_SIGHT: u64 = 6;
/// The last sixth of its time must have brought a quarter of its share.
const LATE: i64 = 6;
const OF_LATE: u64 = 24;
/// A look that shows such a part of the growth shows that it has begun.
const BEGUN: u64 = 16;
/// So long it must have rested before, to be known to have been at rest, and have grown by no more than such
/// a part of what came then.
const REST_MS: i64 = 8_000;
const OF_REST: u64 = 8;
/// Looks that are kept: of the newest all, of those before them ever fewer.
const NEWEST: usize = 16;
const OLDER: usize = 32;

/// What a look at a process sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MemoryLook {
    pub at: UnixMs,
    pub usage: u64,
    pub heap: u64,
    pub goroutines: u64,
}

/// Looks at one process, oldest first; bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryLooks {
    newest: Vec<MemoryLook>,
    /// From before `newest`, no two closer together than `apart`.
    older: Vec<MemoryLook>,
    apart: i64,
}

impl MemoryLooks {
    /// Adds a look; one without a number, or from before the last, is none.
    pub(super) fn add(&mut self, look: MemoryLook) {
        let last = self.newest.last().map_or(i64::MIN, |l| l.at);
        if look.usage == 0 || look.at <= last {
            return;
        }
        self.newest.push(look);
        if self.newest.len() <= NEWEST {
            return;
        }
        let leaves = self.newest.remove(0);
        if self.older.last().is_none_or(|l| leaves.at.saturating_sub(l.at) >= self.apart) {
            self.older.push(leaves);
        }
        if self.older.len() > OLDER {
            self.older = self.older.iter().copied().step_by(2).collect();
            let span = self.older.last().zip(self.older.first()).map_or(0, |(b, a)| b.at.saturating_sub(a.at));
            self.apart = span / OLDER as i64 * 2;
        }
    }

    /// The climb that goes on at the newest look: by all that is remembered, or else by the newest looks.
    pub(super) fn climb(&self, limit: u64) -> Option<Climb> {
        let all: Vec<MemoryLook> = self.older.iter().chain(&self.newest).copied().collect();
        climb(&all, limit)
    }
}

/// The longest steady climb that ends at the newest look.
fn climb(looks: &[MemoryLook], limit: u64) -> Option<Climb> {
    let last = looks.last().filter(|l| l.usage < limit)?;
    let run = (0..looks.len()).find_map(|i| looks.get(i..).filter(|run| is_steady(run, limit)))?;
    let first = run.first()?;
    let grown = last.usage.saturating_sub(first.usage);
    // It began with the last look of which nothing of it can be seen.
    let begun = run.iter().position(|l| l.usage > first.usage.saturating_add(grown / BEGUN))?;
    let since = run.get(begun.saturating_sub(1)).copied()?;
    let begun = run.get(begun)?;
    let middle = since.at.saturating_add(last.at.saturating_sub(since.at) / 2);
    let half = run.iter().min_by_key(|l| l.at.abs_diff(middle))?;
    let before: Vec<&MemoryLook> = looks.iter().filter(|l| l.at <= since.at).collect();
    // At rest for as long as that goes back from where it began.
    let rest = before.iter().rev().take_while(|l| since.usage.abs_diff(l.usage) <= grown / OF_REST);
    let rested = rest.last().is_some_and(|l| since.at.saturating_sub(l.at) >= REST_MS);
    Some(Climb {
        since_unix_ms: since.at,
        begun_unix_ms: begun.at,
        seen_unix_ms: last.at,
        was_at_rest: rested,
        from_bytes: since.usage,
        to_bytes: last.usage,
        heap_from_bytes: since.heap,
        heap_to_bytes: last.heap,
        goroutines_from: since.goroutines,
        goroutines_half: half.goroutines,
        goroutines_to: last.goroutines,
    })
}

/// Whether a run of looks is one climb that goes on.
fn is_steady(run: &[MemoryLook], limit: u64) -> bool {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return false };
    let ms = last.at.saturating_sub(first.at);
    let Some(grown) = last.usage.checked_sub(first.usage) else { return false };
    if run.len() < LEAST_LOOKS || ms < LEAST_MS || grown < limit / OF_LIMIT || grown < first.usage / OF_WHAT_WAS {
        return false;
    }
    // The usage at a moment: of the look that is nearest.
    let at = |moment: i64| run.iter().min_by_key(|l| l.at.abs_diff(moment)).map_or(0, |l| l.usage);
    let ends: Vec<u64> = (0..=4).map(|q| at(first.at.saturating_add(ms / 4 * q))).collect();
    let each = ends.windows(2).all(|w| matches!(w, [a, b] if b.saturating_sub(*a) >= grown / OF_A_QUARTER));
    // And the newest looks by themselves: a climb that has just come to rest is over.
    let late = run.iter().rev().skip(1).min_by_key(|l| l.at.abs_diff(last.at.saturating_sub(ms / LATE)));
    let goes_on = late.is_some_and(|l| last.usage.saturating_sub(l.usage) >= grown / OF_LATE);
    each && goes_on && limit.saturating_sub(last.usage) <= grown.saturating_mul(IN_SIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    /// Looks five seconds apart; heap is three quarters of it.
    fn looks(megabytes: &[u64]) -> Vec<MemoryLook> {
        let look = |(i, mb): (usize, &u64)| MemoryLook {
            at: 100_000 + i as i64 * 5_000,
            usage: mb * MB,
            heap: mb * MB * 3 / 4,
            goroutines: 80 + i as u64,
        };
        megabytes.iter().enumerate().map(look).collect()
    }

    fn of(megabytes: &[u64], limit: u64) -> Option<(i64, u64, u64, bool)> {
        let c = climb(&looks(megabytes), limit * MB)?;
        Some(((c.since_unix_ms - 100_000) / 1000, c.from_bytes / MB, c.to_bytes / MB, c.was_at_rest))
    }

    #[test]
    fn what_climbs_from_rest_and_from_the_start() {
        let rested = [60, 61, 60, 61, 62, 90, 120, 150, 180, 210, 240, 270];
        assert_eq!(of(&rested, 400), Some((20, 62, 270, true)));
        let from_start = [53, 92, 120, 145, 170, 196, 220, 246, 270];
        let (_, from, to, rested) = of(&from_start, 480).unwrap();
        assert_eq!((from, to, rested), (53, 270, false));
        // A third of a limit that is far away, and it comes nearer all the time.
        assert!(of(&[54, 64, 74, 84, 94, 104, 114, 124, 134, 144, 154, 164], 512).is_some());
    }

    #[test]
    fn what_rests_or_comes_in_steps_or_is_small_does_not() {
        for (why, megabytes, limit) in [
            ("a cache that is full", &[50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 140, 140][..], 320),
            ("one step", &[50, 50, 50, 50, 140, 141, 142, 143, 144, 145], 320),
            ("a saw", &[50, 90, 130, 60, 100, 140, 70, 110, 150], 320),
            ("a start", &[20, 46, 50, 52, 53, 54, 55, 55, 56, 57], 224),
            ("little of a large limit", &[50, 55, 60, 65, 70, 75, 80, 85, 90], 4096),
            ("too short", &[50, 100, 150, 200, 220], 320),
            ("at its limit", &[50, 100, 150, 200, 250, 300, 320], 320),
        ] {
            assert_eq!(of(megabytes, limit), None, "{why}");
        }
        assert_eq!(climb(&[], 100), None);
    }

    #[test]
    fn looks_of_weeks_are_few_and_a_climb_of_weeks_is_seen() {
        let mut all = MemoryLooks::default();
        for i in 0..250_000_i64 {
            let look = MemoryLook { at: i * 5_000 + 1, usage: (100 * MB) + i as u64 * 1000, heap: MB, goroutines: 9 };
            all.add(look);
            assert!(all.older.len() <= OLDER && all.newest.len() <= NEWEST);
        }
        let c = all.climb(512 * MB).unwrap();
        assert!(c.seconds() > 800_000.0, "{}", c.seconds());
        // What was quick begins again after weeks of rest.
        let mut all = MemoryLooks::default();
        (0..100_000_i64)
            .for_each(|i| all.add(MemoryLook { at: i * 5_000 + 1, usage: 60 * MB, ..MemoryLook::default() }));
        let from = 100_000 * 5_000;
        (0..10_i64).for_each(|i| {
            all.add(MemoryLook { at: from + i * 5_000, usage: (60 + 20 * i as u64) * MB, ..MemoryLook::default() });
        });
        let c = all.climb(400 * MB).unwrap();
        assert!(c.was_at_rest && c.since_unix_ms >= from - 10_000, "{c:?}");
        all.add(MemoryLook { at: 1, usage: MB, ..MemoryLook::default() });
        assert_eq!(all.newest.last().map(|l| l.usage), Some(240 * MB), "from before");
    }
}
