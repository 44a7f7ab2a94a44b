//! Two pieces of work that need nothing of each other, each on a thread.

use std::sync::{Mutex, PoisonError};

/// Does both, `here` on this thread; one after the other where there is no second thread to be had.
pub fn side_by_side<A, B: Send>(here: impl FnOnce() -> A, there: impl FnOnce() -> B + Send) -> (A, B) {
    let there = Mutex::new(Some(there));
    let take = || there.lock().unwrap_or_else(PoisonError::into_inner).take();
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, || take().map(|there| there()));
        let a = here();
        let done = match other.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => None,
        };
        // What no thread took is done now.
        match done.or_else(|| take().map(|there| there())) {
            Some(b) => (a, b),
            None => unreachable!("work that no thread took is still there"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::side_by_side;

    #[test]
    fn both_are_done_and_a_panic_comes_through() {
        let mut seen = Vec::new();
        assert_eq!(side_by_side(|| seen.push(1), || 2), ((), 2));
        assert_eq!(seen, [1]);
        let lost = std::panic::catch_unwind(|| {
            side_by_side(
                || 1,
                || {
                    if seen.len() == 1 {
                        panic!("lost")
                    }
                },
            )
        });
        assert!(lost.is_err());
    }
}
