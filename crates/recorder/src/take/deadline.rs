//! Memory that can be read until a moment: a target must not stand still for longer than it was promised,
//! however slow the machine is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lastgasp_inferior::{Addr, Memory, Part, ReadCause, ReadError};
use lastgasp_observe::raw_capture::Phase;

/// Reads fail after the moment, at once and all of them: a copy then ends within a millisecond, with what it
/// has.
pub(crate) struct Deadline<'a> {
    memory: &'a (dyn Memory + Sync),
    until: Instant,
    missed: AtomicBool,
}

/// The most that a target may stand (seen under load: 350 ms, where nothing bounded it but the watchdog's
/// half second).
const LONGEST_STOP: Duration = Duration::from_millis(100);
/// The longest copy while a target stands still, from the begin of the stop on.
const LONGEST_COPY: Duration = Duration::from_millis(80);
/// Where a person asks for a capture: all of it is worth more to them, and the watchdog's half second is the
/// bound.
const LONGEST_COPY_ON_DEMAND: Duration = Duration::from_millis(400);

/// What is read between two looks at the clock: bytes of one piece, and pieces. A million goroutines are
/// asked for in one go.
const PIECE: usize = 1 << 20;
const PARTS: usize = 512;

/// Until when is copied, from the begin of a stop on: thousands of threads take their time to be let go,
/// which is time that they stand.
pub(crate) fn longest_copy(phase: Phase, letting_go: Duration) -> Duration {
    match phase {
        Phase::Manual => LONGEST_COPY_ON_DEMAND,
        _ => LONGEST_COPY.min(LONGEST_STOP.saturating_sub(letting_go)),
    }
}

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
        let (mut at, len) = (addr, buf.len());
        for piece in buf.chunks_mut(PIECE) {
            if self.is_over() {
                return Err(ReadError { addr, len, cause: ReadCause::TooLate });
            }
            self.memory.read(at, piece)?;
            at = at.plus(piece.len() as u64);
        }
        Ok(())
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        for some in parts.chunks_mut(PARTS) {
            if self.is_over() {
                return;
            }
            self.memory.read_parts(some);
        }
    }

    fn shared(&self) -> Option<&(dyn Memory + Sync)> {
        self.memory.shared().map(|_| self as _)
    }

    fn is_late(&self) -> bool {
        self.is_over()
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
    fn who_has_thousands_of_threads_is_copied_for_less_time() {
        let ms = Duration::from_millis;
        assert_eq!(longest_copy(Phase::PreKill, Duration::ZERO), LONGEST_COPY);
        assert_eq!(longest_copy(Phase::PreKill, ms(30)), ms(70));
        assert_eq!(longest_copy(Phase::PreKill, ms(300)), Duration::ZERO);
        assert_eq!(longest_copy(Phase::Manual, ms(30)), LONGEST_COPY_ON_DEMAND);
    }

    /// Memory of which each page takes its time: the moment passes within what was asked for in one go.
    #[test]
    fn nothing_large_is_read_beyond_the_moment() {
        struct Slow;
        impl Memory for Slow {
            fn read(&self, _: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
                std::thread::sleep(Duration::from_micros(buf.len() as u64 / 4096));
                Ok(())
            }

            fn read_parts(&self, parts: &mut [Part<'_>]) {
                std::thread::sleep(Duration::from_micros(10 * parts.len() as u64));
                parts.iter_mut().for_each(|p| p.ok = true);
            }
        }
        let mut bytes = vec![0; 64 << 20];
        let memory = Deadline::new(&Slow, Instant::now() + Duration::from_millis(2));
        assert_eq!(memory.read(Addr(8), &mut bytes).unwrap_err().cause, ReadCause::TooLate);
        // On a machine that gives this thread no processor the moment is over before the first piece is read.
        let read_something = (0..50).any(|_| {
            let mut parts: Vec<Part<'_>> =
                bytes.chunks_mut(64).take(100_000).map(|buf| Part { addr: Addr(8), buf, ok: false }).collect();
            let memory = Deadline::new(&Slow, Instant::now() + Duration::from_millis(12));
            memory.read_parts(&mut parts);
            let read = parts.iter().filter(|p| p.ok).count();
            assert!(memory.was_missed() && read < parts.len() / 2, "{read}");
            read >= PARTS
        });
        assert!(read_something);
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
