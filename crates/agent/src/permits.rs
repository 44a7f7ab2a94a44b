//! Permits for work that only so many threads may do at a time.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Permits; shared by threads.
#[derive(Clone, Debug)]
pub(crate) struct Permits(Arc<(Mutex<usize>, Condvar)>);

/// One of them. Dropping it gives it back, also in an unwinding.
#[derive(Debug)]
pub(crate) struct Permit(Permits);

impl Permits {
    /// So many.
    pub(crate) fn new(number: usize) -> Self {
        Self(Arc::new((Mutex::new(number), Condvar::new())))
    }

    /// Waits for one.
    pub(crate) fn take(&self) -> Permit {
        let (left, returned) = &*self.0;
        let none = |left: &mut usize| *left == 0;
        let left = returned.wait_while(left.lock().unwrap_or_else(PoisonError::into_inner), none);
        *left.unwrap_or_else(PoisonError::into_inner) -= 1;
        Permit(self.clone())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (left, returned) = &*self.0.0;
        *left.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_more_than_so_many_at_a_time() {
        let (permits, inside, most) = (Permits::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            for _ in 0..6 {
                threads.spawn(|| {
                    for _ in 0..5 {
                        let _permit = permits.take();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(1));
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 2);
    }

    /// A panic of one does not cost the others their turn.
    #[test]
    fn a_panic_gives_it_back() {
        let permits = Permits::new(1);
        let with_it = permits.clone();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _permit = with_it.take();
            std::panic::resume_unwind(Box::new("made to"));
        }));
        assert!(panicked.is_err());
        drop(permits.take());
    }
}
