//! Who may stop and copy next, when many die at once: so many at a time, the one nearest to its end first.
//! And how much evidence may wait to be written.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Lets so many in at a time, the most urgent first.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug)]
struct State {
    places: usize,
    inside: usize,
    /// By deadline, then by arrival.
    waiting: BTreeSet<(Instant, u64)>,
    next: u64,
}

/// A place inside. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Place(Arc<Gate>);

impl Gate {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        let state = State { places: places.max(1), inside: 0, waiting: BTreeSet::new(), next: 0 };
        Arc::new(Self { state: Mutex::new(state), moved: Condvar::new() })
    }

    /// Waits for a place; `None` if there was none for it until then: who is more urgent goes first.
    pub(crate) fn enter(self: &Arc<Self>, until: Instant) -> Option<Place> {
        let mut state = self.lock();
        let ticket = (until, state.next);
        state.next += 1;
        state.waiting.insert(ticket);
        loop {
            if state.inside < state.places && state.waiting.first() == Some(&ticket) {
                state.waiting.remove(&ticket);
                state.inside += 1;
                // There may be room for the next one too.
                self.moved.notify_all();
                return Some(Place(Arc::clone(self)));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.waiting.remove(&ticket);
                self.moved.notify_all();
                return None;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Another number of places, from now on.
    pub(crate) fn resize(&self, places: usize) {
        self.lock().places = places.max(1);
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        self.0.moved.notify_all();
    }
}

/// Bytes of evidence that are taken and not written yet.
#[derive(Debug)]
pub(crate) struct Budget {
    most: Mutex<u64>,
    used: Mutex<u64>,
}

/// A part of the budget. Dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    pub(crate) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most: Mutex::new(most), used: Mutex::new(0) })
    }

    pub(crate) fn resize(&self, most: u64) {
        *self.most.lock().unwrap_or_else(PoisonError::into_inner) = most;
    }

    /// So many bytes, if they are left. With nothing in flight one capture is always let in, however large.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Share> {
        let most = *self.most.lock().unwrap_or_else(PoisonError::into_inner);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if *used > 0 && *used + bytes > most {
            return None;
        }
        *used += bytes;
        Some(Share { budget: Arc::clone(self), bytes })
    }
}

impl Share {
    /// What was needed in the end.
    pub(crate) fn settle(&mut self, bytes: u64) {
        let mut used = self.budget.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(self.bytes) + bytes;
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.settle(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_most_urgent_goes_first() {
        let gate = Gate::new(1);
        let first = gate.enter(Instant::now() + Duration::from_secs(10)).unwrap();
        let (sender, order) = mpsc::channel();
        let now = Instant::now();
        let waiters: Vec<_> = [50u64, 20, 40, 30]
            .into_iter()
            .map(|seconds| {
                let (gate, sender) = (Arc::clone(&gate), sender.clone());
                std::thread::spawn(move || {
                    let place = gate.enter(now + Duration::from_secs(seconds)).unwrap();
                    sender.send(seconds).unwrap();
                    drop(place);
                })
            })
            .collect();
        while gate.lock().waiting.len() < 4 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(first);
        waiters.into_iter().for_each(|w| w.join().unwrap());
        drop(sender);
        assert_eq!(order.iter().collect::<Vec<_>>(), [20, 30, 40, 50]);
    }

    #[test]
    fn who_waits_too_long_goes_away_and_blocks_nobody() {
        let gate = Gate::new(1);
        let first = gate.enter(Instant::now() + Duration::from_secs(10)).unwrap();
        assert!(gate.enter(Instant::now() + Duration::from_millis(20)).is_none());
        drop(first);
        assert!(gate.enter(Instant::now() + Duration::from_millis(20)).is_some());
    }

    #[test]
    fn a_budget_is_kept_and_given_back() {
        let budget = Budget::new(100);
        let mut large = budget.reserve(1000).unwrap();
        assert!(budget.reserve(1).is_none());
        large.settle(60);
        let small = budget.reserve(40).unwrap();
        assert!(budget.reserve(1).is_none());
        drop((large, small));
        assert!(budget.reserve(100).is_some());
    }
}
