//! When processes that are no Go programs are looked at again, more closely: a program of another language
//! may load a Go library after its start, and has loaded none at its exec. Most processes of a node live for
//! a moment (shells, health checks): those cost a stat, and the list of their files is never read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How old they are then. Libraries that are loaded later still are not found.
const AT: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

/// Nobody waits for them: so long they are gathered, since a waking costs more than a look.
const GATHERED: Duration = Duration::from_millis(500);

/// Those that will be looked at again.
#[derive(Debug, Default)]
pub(crate) struct LibraryRescan {
    /// First seen when, and which look is next, which is due when.
    of: BTreeMap<i32, (Instant, usize, Instant)>,
    /// When some were last taken.
    taken: Option<Instant>,
}

impl LibraryRescan {
    /// A process has been seen that is no Go program itself.
    pub(crate) fn begin(&mut self, pid: i32, now: Instant) {
        self.of.insert(pid, (now, 0, now + AT[0]));
    }

    /// It has loaded no Go library either. Gives whether it will be looked at again.
    pub(crate) fn in_vain(&mut self, pid: i32) -> bool {
        let Some((seen, next, due)) = self.of.get_mut(&pid) else { return false };
        *next += 1;
        match AT.get(*next) {
            Some(age) => {
                *due = *seen + *age;
                true
            }
            None => {
                self.of.remove(&pid);
                false
            }
        }
    }

    /// It is gone, or another program, or watched.
    pub(crate) fn forget(&mut self, pid: i32) {
        self.of.remove(&pid);
    }

    pub(crate) fn knows(&self, pid: i32) -> bool {
        self.of.contains_key(&pid)
    }

    /// When the next is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let first = self.of.values().map(|(.., due)| *due).min()?;
        Some(self.taken.map_or(first, |taken| first.max(taken + GATHERED)))
    }

    /// Who is due; not again until the answer is there.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<i32> {
        if self.due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        self.taken = Some(now);
        let due = self.of.iter_mut().filter(|(_, (.., due))| *due <= now);
        due.map(|(pid, (.., due))| {
            *due = now + AT[AT.len() - 1];
            *pid
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_times_and_no_more() {
        let (mut looks, t) = (LibraryRescan::default(), Instant::now());
        looks.begin(7, t);
        for age in AT {
            assert_eq!(looks.due(), Some(t + age));
            assert!(looks.take_due(t + age - Duration::from_millis(1)).is_empty());
            assert_eq!(looks.take_due(t + age), [7]);
            assert!(looks.take_due(t + age).is_empty(), "the answer is not there yet");
            assert_eq!(looks.in_vain(7), age != AT[2]);
        }
        assert!(!looks.knows(7) && looks.due().is_none());
        assert!(!looks.in_vain(8), "never begun");
    }
}
