//! The watchdog's eye on the pins: whether their threads wait, or turn in a loop ([`crate::pin`]). Only
//! somebody outside can end that, since the whole process may be stopped.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use lastgasp_inferior::Stat;
use nix::unistd::Pid;

use crate::pin::{THREAD, provide};

/// How often it looks; a look costs one file.
const EVERY: Duration = Duration::from_secs(2);
/// Share of a core above which it looks at the threads one by one.
const BUSY: f64 = 0.2;
/// How long the threads are watched then.
const WATCHED: Duration = Duration::from_millis(100);

/// The pins of another process.
#[derive(Debug)]
pub(super) struct Pins {
    /// The other process's userfaultfd: it is our standard output, since it costs no unsafe code to hand it
    /// on so.
    faults: OwnedFd,
    /// Where its pages are: address, bytes.
    range: (u64, u64),
    owner: Pid,
    due: Instant,
    /// Processor time of the whole process, and when.
    spent: Option<(Duration, Instant)>,
    /// Processor time of its pins when their watch began, if they are watched.
    watched: Option<Duration>,
}

impl Pins {
    /// `words`: address and bytes, hexadecimal, as the owner tells them.
    pub(super) fn parse(words: &str, owner: Pid, now: Instant) -> Option<Self> {
        let (start, len) = words.split_once(' ')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let range = (number(start)?, number(len)?);
        range.0.checked_add(range.1)?;
        let faults = io::stdout().as_fd().try_clone_to_owned().ok()?;
        Some(Self { faults, range, owner, due: now + EVERY, spent: None, watched: None })
    }

    /// When it is to look next.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Looks, if it is time for that, and ends what turns. Never waits: others rely on us within half a
    /// second.
    pub(super) fn look(&mut self, now: Instant) {
        if now < self.due {
            return;
        }
        self.due = now + EVERY;
        if let Some(before) = self.watched.take() {
            // One that frees what it has held works too, and to provide its page does it no harm.
            if self.of_threads().saturating_sub(before) > WATCHED.mul_f64(BUSY) {
                provide(self.faults.as_fd(), self.range.0, self.range.1);
            }
        } else if self.is_busy(now) {
            self.watched = Some(self.of_threads());
            self.due = now + WATCHED;
        }
    }

    fn is_busy(&mut self, now: Instant) -> bool {
        let Some(spent) = spent(Path::new(&format!("/proc/{}", self.owner))) else { return false };
        self.spent.replace((spent, now)).is_some_and(|(before, then)| {
            spent.saturating_sub(before).as_secs_f64() > BUSY * now.duration_since(then).as_secs_f64()
        })
    }

    /// Processor time of all threads that hold.
    fn of_threads(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.owner)).into_iter().flatten().flatten();
        let pins = tasks.filter(|t| fs::read_to_string(t.path().join("comm")).is_ok_and(|name| name.trim() == THREAD));
        pins.filter_map(|t| spent(&t.path())).sum()
    }
}

/// Processor time of a process or a thread, by its folder.
fn spent(folder: &Path) -> Option<Duration> {
    Stat::of(folder)?.processor_time()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_owner() {
        let parse = |words| Pins::parse(words, Pid::this(), Instant::now()).map(|p| p.range);
        assert_eq!(parse("7f0000001000 1000000"), Some((0x7f00_0000_1000, 0x100_0000)));
        for odd in ["", "1", "x 1", "1 x", "ffffffffffffffff 1000"] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn processor_time_is_counted() {
        let before = spent(Path::new("/proc/self")).unwrap();
        let began = Instant::now();
        while spent(Path::new("/proc/self")).unwrap() < before + Duration::from_millis(50) {
            assert!(began.elapsed() < Duration::from_secs(20));
        }
    }
}
