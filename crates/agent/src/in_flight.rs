//! Captures that are being decoded and written, so that the one from after a death finds those from before it
//! in the store: they come within milliseconds, and several threads write.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Process number and start.
pub(crate) type Victim = (i32, u64);

/// Captures in the making; shared by threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    by_number: BTreeMap<u64, Victim>,
}

/// A capture in the making; dropped when it is written, or lost.
#[derive(Debug)]
pub(crate) struct Ticket {
    all: InFlight,
    number: u64,
    victim: Victim,
}

impl InFlight {
    /// A capture of that process is begun.
    pub(crate) fn begin(&self, victim: Victim) -> Ticket {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.by_number.insert(number, victim);
        Ticket { all: self.clone(), number, victim }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Waits until the captures of the same process that were begun before are written, and no longer than
    /// that. Whoever was begun first waits for nobody: no two wait for each other.
    pub(crate) fn wait_for_earlier(&self, most: Duration) {
        let earlier = |state: &mut State| state.by_number.range(..self.number).any(|(_, v)| *v == self.victim);
        let waited = self.all.0.written.wait_timeout_while(self.all.lock(), most, earlier);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.all.lock().by_number.remove(&self.number);
        self.all.0.written.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn the_later_one_waits_for_the_earlier_of_the_same_process() {
        let all = InFlight::default();
        let (first, other, last) = (all.begin((1, 5)), all.begin((2, 5)), all.begin((1, 5)));
        let began = Instant::now();
        first.wait_for_earlier(LONG);
        other.wait_for_earlier(LONG);
        last.wait_for_earlier(Duration::from_millis(20));
        assert!(began.elapsed() >= Duration::from_millis(20), "the earlier one is not written yet");
        std::thread::scope(|threads| {
            threads.spawn(|| last.wait_for_earlier(LONG));
            std::thread::sleep(Duration::from_millis(5));
            drop(first);
        });
        last.wait_for_earlier(LONG);
        assert!(began.elapsed() < LONG);
    }

    /// What is lost to a panic holds nobody up.
    #[test]
    fn a_panic_ends_the_wait() {
        let all = InFlight::default();
        let first = all.begin((1, 5));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _first = first;
            std::panic::resume_unwind(Box::new("made to"));
        }));
        assert!(panicked.is_err());
        let began = Instant::now();
        all.begin((1, 5)).wait_for_earlier(LONG);
        assert!(began.elapsed() < LONG);
    }
}
