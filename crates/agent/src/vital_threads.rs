//! Threads that the daemon cannot do without: should a panic end one for good, `/healthz` says so, and
//! somebody may start the daemon again. What such a thread does piece by piece is guarded piece by piece
//! (`lastgasp_recorder::guard`), so that this is the last resort.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use lastgasp_recorder::guard::{Panicked, guarded, lost_threads, spawn_guarded};

/// A running one.
pub(crate) type VitalThread = JoinHandle<Result<(), Panicked>>;

/// Those that have ended by a panic, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct VitalThreads(Arc<Mutex<BTreeSet<&'static str>>>);

impl VitalThreads {
    /// A thread of that name, with a stack of so many bytes.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        stack: usize,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<VitalThread> {
        let lost = Arc::clone(&self.0);
        spawn_guarded(name, stack, move || {
            if guarded(name, work).is_err() {
                lost.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
            }
        })
    }

    /// What is wrong, a sentence each; empty while all is well.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut lost = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Those of the watch, and of webhooks.
        lost.extend(lost_threads());
        lost.iter()
            .map(|name| format!("a thread ({name}) has ended by a panic: lastgasp is to be started again"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_gone_for_good_is_a_problem() {
        let vital = VitalThreads::default();
        vital.spawn("well", 64 << 10, || {}).unwrap().join().unwrap().unwrap();
        assert!(vital.problems().is_empty());
        vital.spawn("unwell", 64 << 10, || panic!("made to")).unwrap().join().unwrap().unwrap();
        assert!(vital.problems()[0].contains("(unwell)"), "{:?}", vital.problems());
    }
}
