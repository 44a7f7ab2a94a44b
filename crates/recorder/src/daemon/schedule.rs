//! When which process is looked at next: one entry each, the earliest first, and looks that are nearly due
//! taken together. Pure: the clock is the caller's.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

/// Looks that are due within this time are taken together: one waking for many.
const TOGETHER: Duration = Duration::from_millis(16);
/// Looks that are far apart are due at the same few moments of a second, for all processes: a waking costs
/// more than a look.
const MOMENT: Duration = Duration::from_millis(250);

/// How often limits are read again unasked, and whether a process is still in its group: after a quarter of
/// the time that it is watched for, within these. A new process may be moved into its group after its start;
/// later that is seldom. Of a limit that is written we are told ([`super::limit_notices`]); who is not told
/// reads it every second.
pub(crate) const LIMITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// Of groups that are above several, what one process's reading has shown is good for the others for such a
/// part of this time. They read so much earlier for that.
const SHARED: u32 = 16;

/// When a process's limits are read again, and how old a reading of another's may be then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitsAgain {
    pub(crate) after: Duration,
    pub(crate) at_most: Duration,
}

/// Of one that is watched for so long; `told`: whether we are told of a limit that is written. Who is not
/// takes nobody else's word.
pub(crate) fn limits_again(watched_for: Duration, told: bool) -> LimitsAgain {
    let (most, shared) = if told { (LIMITS.1, 1) } else { (LIMITS.0, 0) };
    let age = (watched_for / 4).clamp(LIMITS.0, most);
    let at_most = age / SHARED * shared;
    LimitsAgain { after: age - at_most, at_most }
}

/// The looks that are due, by process number.
#[derive(Debug)]
pub(crate) struct Schedule {
    started: Instant,
    /// When the next look at each is due; other entries of the heap are void.
    next: BTreeMap<i32, Instant>,
    heap: BinaryHeap<Reverse<(Instant, i32)>>,
}

/// One round: all looks that are due when it begins, and those nearly due that are taken along.
#[derive(Debug)]
pub(crate) struct Round {
    now: Instant,
    looked: bool,
}

impl Schedule {
    /// Nobody is looked at yet; moments are counted from `started`.
    pub(crate) fn new(started: Instant) -> Self {
        Self { started, next: BTreeMap::new(), heap: BinaryHeap::new() }
    }

    /// The next look at that process is due at that time, and no other is.
    pub(crate) fn set(&mut self, pid: i32, due: Instant) {
        self.next.insert(pid, due);
        self.heap.push(Reverse((due, pid)));
    }

    /// The next look is due in so long, or at the moment before that: never later than the policy wants it.
    pub(crate) fn set_after(&mut self, pid: i32, now: Instant, sleep: Duration) {
        self.set(pid, together(self.started, now + sleep, sleep));
    }

    /// That process is not looked at any more.
    pub(crate) fn forget(&mut self, pid: i32) {
        self.next.remove(&pid);
    }

    /// When to come back.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Begins a round.
    pub(crate) fn round(now: Instant) -> Round {
        Round { now, looked: false }
    }

    /// The next process of that round; what it is due for is done with.
    pub(crate) fn next_of(&mut self, round: &mut Round) -> Option<i32> {
        while let Some(Reverse((at, pid))) = self.heap.peek().copied() {
            // The first one was waited for; others that are nearly due are taken along.
            if at > round.now + if round.looked { TOGETHER } else { Duration::ZERO } {
                return None;
            }
            self.heap.pop();
            if self.next.get(&pid) == Some(&at) {
                self.next.remove(&pid);
                round.looked = true;
                return Some(pid);
            }
        }
        None
    }
}

/// The moment at or before `due`, for sleeps that are long: never later than the policy wants it.
fn together(started: Instant, due: Instant, sleep: Duration) -> Instant {
    if sleep < 2 * MOMENT {
        return due;
    }
    let since = due.duration_since(started);
    due - Duration::from_nanos((since.as_nanos() % MOMENT.as_nanos()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn all_at(schedule: &mut Schedule, now: Instant) -> Vec<i32> {
        let mut round = Schedule::round(now);
        std::iter::from_fn(|| schedule.next_of(&mut round)).collect()
    }

    #[test]
    fn those_nearly_due_are_taken_along_and_wake_nobody_by_themselves() {
        let began = Instant::now();
        let mut schedule = Schedule::new(began);
        for (pid, at) in [(1, 100), (2, 116), (3, 117), (4, 50)] {
            schedule.set(pid, began + ms(at));
        }
        assert_eq!(schedule.due(), Some(began + ms(50)));
        assert_eq!(all_at(&mut schedule, began + ms(49)), [0_i32; 0]);
        assert_eq!(all_at(&mut schedule, began + ms(50)), [4]);
        assert_eq!(all_at(&mut schedule, began + ms(99)), [0_i32; 0], "nobody was due");
        assert_eq!(all_at(&mut schedule, began + ms(100)), [1, 2]);
        assert_eq!(schedule.due(), Some(began + ms(117)));
    }

    #[test]
    fn of_several_times_the_last_that_was_set_counts() {
        let began = Instant::now();
        let mut schedule = Schedule::new(began);
        schedule.set(1, began + ms(10));
        schedule.set(1, began + ms(30));
        schedule.set(2, began + ms(12));
        schedule.forget(2);
        // The void entries wake us once, and are gone then.
        assert_eq!(all_at(&mut schedule, began + ms(12)), [0_i32; 0]);
        assert_eq!(schedule.due(), Some(began + ms(30)));
        assert_eq!(all_at(&mut schedule, began + ms(40)), [1]);
        assert_eq!((schedule.due(), all_at(&mut schedule, began + ms(1000))), (None, vec![]));
    }

    /// A process that is looked at and due again at once does not keep the round from its end.
    #[test]
    fn a_round_ends() {
        let began = Instant::now();
        let (mut schedule, mut round, mut looks) = (Schedule::new(began), Schedule::round(began), 0);
        schedule.set(1, began);
        while let Some(pid) = schedule.next_of(&mut round) {
            schedule.set_after(pid, began + ms(looks), ms(2));
            looks += 1;
            assert!(looks < 100);
        }
        assert!(schedule.due().unwrap() > began + TOGETHER);
    }

    #[test]
    fn looks_that_are_far_apart_share_their_moments() {
        let began = Instant::now();
        let mut schedule = Schedule::new(began);
        for (pid, now) in [(1, 10), (2, 130), (3, 249)] {
            schedule.set_after(pid, began + ms(now), ms(2000));
        }
        schedule.set_after(4, began + ms(3), ms(499));
        assert_eq!(all_at(&mut schedule, began + ms(502)), [4], "short sleeps are exact");
        assert_eq!(schedule.due(), Some(began + ms(2000)));
        assert_eq!(all_at(&mut schedule, began + ms(2000)), [1, 2, 3]);
        assert_eq!(together(began, began + ms(750), ms(500)), began + ms(750), "on a moment already");
    }

    /// What is known of a limit is never older than a quarter of the time that a process is watched for, nor
    /// than a second where nobody tells of another, and a quarter of a minute where somebody does.
    #[test]
    fn what_others_have_read_makes_nothing_known_later() {
        for seconds in [0, 1, 4, 10, 30, 60, 3600] {
            for (told, most) in [(false, 1.0), (true, 15.0)] {
                let again = limits_again(Duration::from_secs(seconds), told);
                let oldest = (again.after + again.at_most).as_secs_f64();
                assert!(oldest <= (seconds as f64 / 4.0).clamp(1.0, most) + 1e-6, "{seconds} s, {told}: {again:?}");
                assert!(again.at_most < again.after / 10, "{again:?}");
                assert!(told || again.at_most.is_zero(), "nobody else's word");
            }
        }
    }
}
