//! Memory that can be read until a moment: a target must not stand still for longer than it was promised,
//! however slow the machine is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lastgasp_inferior::{Addr, Memory, Part, ReadCause, ReadError};

/// Reads fail after the moment, at once and all of them: a copy then ends within a millisecond, with what it
/// has.
pub(crate) struct Deadline<'a> {
    memory: &'a (dyn Memory + Sync),
    until: Instant,
    missed: AtomicBool,
}

/// The longest copy while a target stands still. With the freeze before and the thaw after it that makes the
/// tenth of a second that is the most it may stand (seen under load: 350 ms, where nothing bounded it but the
/// watchdog's half second).
pub(crate) const LONGEST_COPY: Duration = Duration::from_millis(80);
/// Where a person asks for a capture: all of it is worth more to them, and the watchdog's half second is the
/// bound.
pub(crate) const LONGEST_COPY_ON_DEMAND: Duration = Duration::from_millis(400);

impl<'a> Deadline<'a> {
    /// `memory`, until that moment.
    pub(crate) fn new(memory: &'a (dyn Memory + Sync), until: Instant) -> Self {
        Self { memory, until, missed: AtomicBool::new(false) }
    }

    /// Whether anything was asked for after the moment.
    pub(crate) fn was_missed(&self) -> bool {
        self.missed.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        let over = Instant::now() >= self.until;
        if over {
            self.missed.store(true, Ordering::Relaxed);
        }
        over
    }
}

impl Memory for Deadline<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if self.is_over() {
            return Err(ReadError { addr, len: buf.len(), cause: ReadCause::TooLate });
        }
        self.memory.read(addr, buf)
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        if !self.is_over() {
            self.memory.read_parts(parts);
        }
    }

    fn shared(&self) -> Option<&(dyn Memory + Sync)> {
        self.memory.shared().map(|_| self as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeroes;

    impl Memory for Zeroes {
        fn read(&self, _: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            buf.fill(0);
            Ok(())
        }
    }

    #[test]
    fn nothing_is_read_after_the_moment() {
        let now = Instant::now();
        let early = Deadline::new(&Zeroes, now + Duration::from_secs(60));
        assert!(early.u64(Addr(8)).is_ok() && !early.was_missed());
        let late = Deadline::new(&Zeroes, now);
        let (mut a, mut b) = ([1; 8], [1; 8]);
        let mut parts =
            [Part { addr: Addr(0), buf: &mut a, ok: false }, Part { addr: Addr(8), buf: &mut b, ok: false }];
        late.read_parts(&mut parts);
        assert!(parts.iter().all(|p| !p.ok) && late.was_missed());
        assert_eq!(late.u64(Addr(8)).unwrap_err().cause, ReadCause::TooLate);
    }
}
