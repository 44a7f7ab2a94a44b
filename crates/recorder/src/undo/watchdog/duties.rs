//! What the watchdog has been told, and what it must do when. Pure.
//!
//! | line | what it means |
//! |---|---|
//! | `hold N [MILLISECONDS]`, `held N` | about to hold a target by ptrace, for half a second or as long as said. Should it last twice as long we are stopped ourselves (Ctrl-Z, a paused container) and are ended: the kernel then lets the target go |
//! | `profiling PID START ADDRESS SECONDS` | about to switch a memory profile on: off again after that time |
//! | `tripwire MILLISECONDS OURS SAVED FILE`, `restored FILE` | about to write `OURS` into a cgroup's file: `SAVED` again after that time, or when nothing was heard for half a second |
//! | `beat` | a sign of life |
//! | `pins START BYTES` | where the pages are that the pins wait for, hexadecimal; their userfaultfd is the standard output (`pins.rs`) |
//! | `bye` | all is undone: leave |

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::undo::cgroup_limit::CgroupLimitChange;
use crate::undo::profile_rate::ProfileRateChange;

/// A target that stands still runs on after this time at the latest, whatever we do.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// Longest time that a person may have a target held for, by ptrace.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(10);
/// Longest time that a brake may be asked for.
const LONGEST_BRAKE: Duration = Duration::from_secs(60);

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    EndOwner,
    ProfilingOff(ProfileRateChange),
    Restore(CgroupLimitChange),
}

/// Everything that is outstanding, with its deadlines.
#[derive(Debug)]
pub(super) struct Duties {
    held: BTreeMap<u64, Instant>,
    profiling: Vec<(ProfileRateChange, Instant)>,
    brakes: BTreeMap<PathBuf, (CgroupLimitChange, Instant)>,
    heard: Instant,
}

impl Duties {
    pub(super) fn new(now: Instant) -> Self {
        Self { held: BTreeMap::new(), profiling: Vec::new(), brakes: BTreeMap::new(), heard: now }
    }

    /// One line; gives whether it is time to leave. What is not understood is a sign of life and nothing
    /// else.
    pub(super) fn hear(&mut self, line: &str, now: Instant) -> bool {
        self.heard = now;
        let (word, rest) = line.trim_end_matches('\n').split_once(' ').unwrap_or((line.trim_end(), ""));
        match word {
            "hold" => {
                if let Some((number, most)) = parse_hold(rest) {
                    self.held.insert(number, now + most * 2);
                }
            }
            "held" => drop(rest.parse().map(|n: u64| self.held.remove(&n))),
            "profiling" => self.profiling.extend(parse_profiling(rest, now)),
            "tripwire" => {
                if let Some((change, until)) = parse_brake(rest, now) {
                    self.brakes.insert(change.file.clone(), (change, until));
                }
            }
            "restored" => drop(self.brakes.remove(&PathBuf::from(rest))),
            "bye" => return true,
            _ => {}
        }
        false
    }

    /// When something must be done at the latest.
    pub(super) fn next(&self) -> Option<Instant> {
        let silence = (!self.brakes.is_empty()).then_some(self.heard + PATIENCE);
        let all = self.held.values().copied();
        let timed = self.profiling.iter().map(|(_, until)| *until).chain(self.brakes.values().map(|(_, u)| *u));
        all.chain(timed).chain(silence).min()
    }

    /// What must be done now. Brakes stay on the list, as what was announced may be written only after this:
    /// they are taken back again and again until we hear that it is over.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.held.values().any(|until| *until <= now) {
            self.held.clear();
            acts.push(Act::EndOwner);
        }
        self.profiling.retain(|(change, until)| {
            let over = *until <= now;
            if over {
                acts.push(Act::ProfilingOff(change.clone()));
            }
            !over
        });
        let silent = self.heard + PATIENCE <= now;
        for (change, until) in self.brakes.values_mut().filter(|(_, until)| silent || *until <= now) {
            acts.push(Act::Restore(change.clone()));
            *until = now + PATIENCE;
        }
        if silent {
            self.heard = now;
        }
        acts
    }

    /// Everything: the owner is dead.
    pub(super) fn all(self) -> Vec<Act> {
        let profiling = self.profiling.into_iter().map(|(change, _)| Act::ProfilingOff(change));
        let brakes = self.brakes.into_values().map(|(change, _)| Act::Restore(change));
        brakes.chain(profiling).collect()
    }
}

/// Which hold, and how long it may last.
fn parse_hold(words: &str) -> Option<(u64, Duration)> {
    let (number, most) = words.split_once(' ').map_or((words, None), |(n, ms)| (n, Some(ms)));
    let most = match most {
        Some(ms) => Duration::from_millis(ms.parse().ok()?).clamp(PATIENCE, LONGEST_HOLD),
        None => PATIENCE,
    };
    Some((number.parse().ok()?, most))
}

/// What, and for how many seconds at most.
fn parse_profiling(words: &str, now: Instant) -> Option<(ProfileRateChange, Instant)> {
    let (change, seconds) = words.rsplit_once(' ')?;
    let until = now.checked_add(Duration::from_secs(seconds.parse().ok()?))?;
    Some((ProfileRateChange::parse(change)?, until))
}

fn parse_brake(words: &str, now: Instant) -> Option<(CgroupLimitChange, Instant)> {
    let (ms, change) = words.split_once(' ')?;
    let most = Duration::from_millis(ms.parse().ok()?).min(LONGEST_BRAKE);
    Some((CgroupLimitChange::parse(change)?, now + most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn many_duties_at_once_each_with_its_own_end() {
        let t = Instant::now();
        let mut duties = Duties::new(t);
        assert_eq!(duties.next(), None);
        duties.hear("tripwire 500 900 max /a b/memory.high\n", t);
        duties.hear("tripwire 500 900 max /c/memory.high\n", t + ms(100));
        duties.hear("hold 1\n", t + ms(100));
        duties.hear("hold 2\n", t + ms(100));
        duties.hear("restored /c/memory.high\n", t + ms(200));
        duties.hear("held 2\n", t + ms(200));
        let file = PathBuf::from("/a b/memory.high");
        let restore = Act::Restore(CgroupLimitChange { file, ours: "900".into(), saved: "max".into() });
        assert_eq!(duties.next(), Some(t + ms(500)));
        assert_eq!(duties.due(t + ms(499)), []);
        assert_eq!(duties.due(t + ms(500)), std::slice::from_ref(&restore));
        // Not heard of since: once more.
        assert_eq!(duties.due(t + ms(1000)), std::slice::from_ref(&restore));
        assert_eq!(duties.due(t + ms(1100)), [Act::EndOwner]);
        assert_eq!(duties.all(), [restore]);
    }

    #[test]
    fn a_tripwire_goes_with_time_and_with_silence() {
        let t = Instant::now();
        let mut duties = Duties::new(t);
        duties.hear("tripwire 2000 900 max /g/memory.high\n", t);
        let restore =
            Act::Restore(CgroupLimitChange { file: "/g/memory.high".into(), ours: "900".into(), saved: "max".into() });
        for i in 1..=4 {
            duties.hear("beat\n", t + ms(400 * i));
            assert_eq!(duties.due(t + ms(400 * i + 100)), []);
        }
        assert_eq!(duties.due(t + ms(2000)), std::slice::from_ref(&restore));
        assert_eq!(duties.due(t + ms(2600)), std::slice::from_ref(&restore), "until we hear that it is over");
        duties.hear("restored /g/memory.high\n", t + ms(2700));
        assert_eq!(duties.next(), None);
        duties.hear("tripwire 5000 900 max /g/memory.high\n", t + ms(3000));
        assert_eq!(duties.due(t + ms(3500)), [restore], "silence");
    }

    /// Whoever asks for longer may have longer, within bounds.
    #[test]
    fn a_hold_is_as_long_as_it_was_asked_for() {
        let t = Instant::now();
        for (line, most) in [("hold 1", 1000), ("hold 1 2000", 4000), ("hold 1 99999999", 20_000), ("hold 1 7", 1000)] {
            let mut duties = Duties::new(t);
            duties.hear(line, t);
            assert_eq!((duties.next(), duties.due(t + ms(most))), (Some(t + ms(most)), vec![Act::EndOwner]), "{line}");
        }
    }

    #[test]
    fn nonsense_is_a_sign_of_life_only() {
        let t = Instant::now();
        let mut duties = Duties::new(t);
        for line in ["", "\n", "hold x", "hold 1 x", "tripwire", "tripwire 1 2", "profiling 1", "bye2", "freeze /a"] {
            assert!(!duties.hear(line, t));
        }
        assert!(duties.hear("bye\n", t));
    }
}
