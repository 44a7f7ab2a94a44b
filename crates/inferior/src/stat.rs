//! `/proc/PID/stat` and `/proc/PID/task/TID/stat`: what the kernel says of a process or a thread in one line
//! (proc_pid_stat(5)).

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::arch::clock_ticks;

/// The fields behind the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// From field 3 on, as it was read.
    fields: String,
}

impl Stat {
    /// Of the process or thread whose folder in `/proc` that is; `None` when it is gone.
    #[must_use]
    pub fn of(folder: &Path) -> Option<Self> {
        // A name may be any bytes, also some that are no text.
        Self::parse(&String::from_utf8_lossy(&fs::read(folder.join("stat")).ok()?))
    }

    /// Of a process.
    #[must_use]
    pub fn of_process(pid: i32) -> Option<Self> {
        Self::of(Path::new(&format!("/proc/{pid}")))
    }

    /// Of a thread.
    #[must_use]
    pub fn of_thread(pid: i32, tid: i32) -> Option<Self> {
        Self::of(Path::new(&format!("/proc/{pid}/task/{tid}")))
    }

    /// From the file's text. The name in parentheses may hold anything, parentheses too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.rsplit_once(')').map(|(_, fields)| Self { fields: fields.trim().to_owned() })
    }

    /// Field 3, the state: `R` it runs or waits for a processor, `S` and `D` it sleeps, `T` and `t` it is
    /// stopped, `Z` and `X` it has ended.
    #[must_use]
    pub fn state(&self) -> Option<char> {
        self.fields.chars().next()
    }

    /// Field 4: its parent; 0 for the first process.
    #[must_use]
    pub fn parent(&self) -> Option<i32> {
        self.field(4)?.parse().ok()
    }

    /// Fields 14 and 15, user and system time together: processor time that it has used.
    #[must_use]
    pub fn processor_time(&self) -> Option<Duration> {
        let ticks = |n| self.field(n).and_then(|f| f.parse::<u64>().ok());
        Some(clock_ticks(ticks(14)?.saturating_add(ticks(15)?)))
    }

    /// Field 22: when it started, in clock ticks since boot.
    #[must_use]
    pub fn start_time(&self) -> Option<u64> {
        self.field(22)?.parse().ok()
    }

    /// The last field, 52: its wait status, if it has ended; 0 for whoever may not ask.
    #[must_use]
    pub fn exit_status(&self) -> Option<i32> {
        self.fields.split_whitespace().next_back()?.parse().ok()
    }

    /// A field by the number that the manual gives it, 3 and above.
    fn field(&self, number: usize) -> Option<&str> {
        self.fields.split_whitespace().nth(number.checked_sub(3)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Linux 6.1, the name made odd.
    const LINE: &str = "4711 (a) R (b) Z 1 4711 4711 0 -1 4228364 99 0 0 0 250 150 0 0 20 0 1 0 987654 0 0 \
                        18446744073709551615 0 0 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 9\n";

    #[test]
    fn fields_are_counted_from_behind_the_name() {
        let stat = Stat::parse(LINE).unwrap();
        assert_eq!((stat.state(), stat.start_time(), stat.exit_status()), (Some('Z'), Some(987_654), Some(9)));
        assert_eq!(stat.processor_time(), Some(clock_ticks(400)));
    }

    #[test]
    fn what_is_cut_short_has_no_more_than_it_has() {
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("4711 (sleep"), None);
        let stat = Stat::parse("4711 (sleep)").unwrap();
        assert_eq!((stat.state(), stat.start_time(), stat.exit_status()), (None, None, None));
        let stat = Stat::parse("4711 (sleep) S 1").unwrap();
        assert_eq!((stat.state(), stat.start_time(), stat.processor_time()), (Some('S'), None, None));
    }

    #[test]
    fn the_kernels_own_line_is_read() {
        let me = std::process::id() as i32;
        let stat = Stat::of_process(me).unwrap();
        assert!(matches!(stat.state(), Some('R' | 'S' | 'D')), "{stat:?}");
        assert!(stat.start_time().unwrap() > 0);
        assert_eq!(Stat::of_thread(me, me).unwrap().start_time(), stat.start_time());
        assert_eq!(Stat::of_process(i32::MAX), None);
    }

    /// Seen nowhere yet, but anybody may name a process so.
    #[test]
    fn a_name_that_is_no_text_hides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("stat"), b"7 (\xff\xfe) S 1 7 7\n").unwrap();
        assert_eq!(Stat::of(dir.path()).unwrap().state(), Some('S'));
    }
}
