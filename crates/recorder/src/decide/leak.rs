//! Whether goroutines of a calm process seem to leak, by counts of them alone; and whose turn it is to be
//! looked at for that. Pure.
//!
//! A count proves nothing: a service to which ever more clients connect looks the same. So it is only the
//! reason for one capture, and that is kept if its verdicts say so (`agent`). Who was looked at in vain is
//! looked at again ever more rarely.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lastgasp_inferior::Addr;
use lastgasp_observe::target::goroutine_looks::GoroutineLook;

/// Looks in a row that must have seen the number grow.
const LOOKS: usize = 4;
/// Milliseconds that they must be apart, the first and the last: what comes with the start of a service, or
/// with a burst, comes faster. Chosen.
const APART_MS: u64 = 20_000;
/// Goroutines that must have come.
const LEAST: u64 = 1_000;
/// Part of what there are now that must have come.
const PART: u64 = 4;
/// Part of what came that must have come in each half of the time.
const OF_A_HALF: u64 = 5;
/// Services that are remembered at most.
const MAX_SERVICES: usize = 1024;
/// Pause after the first look in vain; it doubles with each.
const AFTER_NOTHING: Duration = Duration::from_secs(600);

/// Goroutines of one `go` statement that grew in number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SteadyGrowth {
    /// The address that its call returns to.
    pub(crate) site: Addr,
    /// How many there were, and are.
    pub(crate) from: u64,
    /// At the newest look.
    pub(crate) to: u64,
    /// Milliseconds between the two.
    pub(crate) ms: u64,
}

/// The `go` statement whose goroutines grew most, steadily, up to the newest look.
#[must_use]
pub(crate) fn steady_growth(looks: &[GoroutineLook]) -> Option<SteadyGrowth> {
    let last = looks.last()?;
    let of = |site: Addr| {
        // Backwards, as far as each look saw fewer than the next.
        let mut run: Vec<(u64, u64)> = Vec::new();
        for look in looks.iter().rev() {
            match look.of(site) {
                Some(n) if run.last().is_none_or(|(_, later)| n < *later) => run.push((look.t_ms, n)),
                _ => break,
            }
        }
        let (newest, oldest) = (*run.first()?, *run.last()?);
        let (grew, ms) = (newest.1.checked_sub(oldest.1)?, newest.0.checked_sub(oldest.0)?);
        let middle = run.iter().min_by_key(|(t, _)| t.abs_diff(oldest.0 + ms / 2))?;
        let halves = [middle.1.saturating_sub(oldest.1), newest.1.saturating_sub(middle.1)];
        let steady = run.len() >= LOOKS
            && ms >= APART_MS
            && grew >= LEAST
            && grew >= newest.1 / PART
            && halves.iter().all(|half| *half >= grew / OF_A_HALF);
        steady.then_some(SteadyGrowth { site, from: oldest.1, to: newest.1, ms })
    };
    last.seen.sites.iter().filter_map(|(site, _)| of(*site)).max_by_key(|g| g.to.saturating_sub(g.from))
}

/// When each service may be looked at for a leak again.
#[derive(Debug, Default)]
pub(crate) struct LeakTurns(BTreeMap<String, Turn>);

#[derive(Clone, Copy, Debug)]
struct Turn {
    next: Instant,
    /// The pause that began with the last look, if that was in vain.
    pause: Duration,
}

impl LeakTurns {
    /// Takes the turn of a service, if it is one: from then on it is none until [`LeakTurns::judged`] says
    /// more, and for ten minutes at least.
    pub(crate) fn take(&mut self, service: &str, now: Instant) -> bool {
        if self.0.get(service).is_some_and(|turn| now < turn.next) {
            return false;
        }
        if self.0.len() >= MAX_SERVICES && !self.0.contains_key(service) {
            let first = self.0.iter().min_by_key(|(_, turn)| turn.next).map(|(name, _)| name.clone());
            first.and_then(|name| self.0.remove(&name));
        }
        let before = self.0.get(service).map_or(Duration::ZERO, |turn| turn.pause);
        let pause = (before * 2).max(AFTER_NOTHING);
        self.0.insert(service.to_owned(), Turn { next: now + pause, pause });
        true
    }

    /// A look is judged: one that found a leak is the last for `after_leak`; after one in vain the pause that
    /// has begun stays, and is no longer than that either.
    pub(crate) fn judged(&mut self, service: &str, found: bool, after_leak: Duration, now: Instant) {
        if let Some(turn) = self.0.get_mut(service) {
            if found {
                *turn = Turn { next: now + after_leak, pause: Duration::ZERO };
            } else {
                turn.pause = turn.pause.min(after_leak);
                turn.next = turn.next.min(now + after_leak);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::GoroutinesBySite;

    use super::*;

    fn looks(every_ms: u64, counts: &[&[(u64, u64)]]) -> Vec<GoroutineLook> {
        let one = |(i, sites): (usize, &&[(u64, u64)])| GoroutineLook {
            t_ms: i as u64 * every_ms,
            seen: GoroutinesBySite {
                sites: sites.iter().map(|(at, n)| (Addr(*at), *n)).collect(),
                one_in: 1,
                ..GoroutinesBySite::default()
            },
        };
        counts.iter().enumerate().map(one).collect()
    }

    fn of(every_ms: u64, counts: &[u64]) -> Option<(u64, u64, u64)> {
        let sites: Vec<[(u64, u64); 2]> = counts.iter().map(|n| [(1, *n), (2, 40)]).collect();
        let sites: Vec<&[(u64, u64)]> = sites.iter().map(|s| &s[..]).collect();
        steady_growth(&looks(every_ms, &sites)).map(|g| (g.from, g.to, g.ms))
    }

    #[test]
    fn what_grows_at_every_look_seems_to_leak() {
        assert_eq!(of(10_000, &[0, 1000, 2000, 3000]), Some((0, 3000, 30_000)));
        assert_eq!(of(10_000, &[5000, 40, 500, 1000, 1500, 2000]), Some((40, 2000, 40_000)), "since it fell");
        assert_eq!(of(600_000, &[0, 300, 600, 900, 1200]), Some((0, 1200, 2_400_000)), "slowly");
    }

    #[test]
    fn what_does_not_is_left_alone() {
        for (why, every, counts) in [
            ("three looks", 10_000, &[0, 1000, 2000][..]),
            ("all at once", 5_000, &[0, 1000, 2000, 3000]),
            ("it rests now", 10_000, &[0, 1000, 2000, 3000, 3000]),
            ("it comes and goes", 10_000, &[0, 9000, 100, 8000, 50, 9000]),
            ("few", 10_000, &[0, 100, 200, 300, 400]),
            ("few of many", 10_000, &[90_000, 90_500, 91_000, 91_500]),
            ("a jump", 10_000, &[0, 1, 2, 3, 9000]),
            ("a jump, long ago", 10_000, &[0, 9000, 9001, 9002, 9003]),
            ("none", 10_000, &[]),
        ] {
            assert_eq!(of(every, counts), None, "{why}");
        }
    }

    #[test]
    fn what_was_not_kept_of_a_look_is_no_zero() {
        let mut all = looks(10_000, &[&[], &[(1, 1000)], &[(1, 2000)], &[(1, 3000)]]);
        assert_eq!(steady_growth(&all).map(|g| g.from), Some(0));
        all[0].seen.more = true;
        assert_eq!(steady_growth(&all), None);
    }

    #[test]
    fn a_service_is_looked_at_again_ever_more_rarely() {
        let (day, began) = (Duration::from_secs(86_400), Instant::now());
        let (mut turns, mut now, mut pauses) = (LeakTurns::default(), began, Vec::new());
        for _ in 0..12 {
            let before = now;
            while !turns.take("svc", now) {
                now += Duration::from_secs(60);
            }
            pauses.push((now - before).as_secs());
            turns.judged("svc", false, day, now);
        }
        assert_eq!(pauses[..4], [0, 600, 1200, 2400]);
        assert!(pauses.iter().all(|s| *s <= 86_400) && pauses[11] == 86_400, "{pauses:?}");
        assert!(turns.take("other", began));
    }

    #[test]
    fn a_leak_that_was_found_is_told_once_a_day() {
        let (day, now) = (Duration::from_secs(86_400), Instant::now());
        let mut turns = LeakTurns::default();
        assert!(turns.take("svc", now) && !turns.take("svc", now));
        turns.judged("svc", true, day, now);
        assert!(!turns.take("svc", now + day - Duration::from_secs(1)) && turns.take("svc", now + day));
        for i in 0..5000 {
            assert!(turns.take(&i.to_string(), now + Duration::from_secs(i)));
        }
        assert!(turns.0.len() <= MAX_SERVICES);
    }
}
