//! Guarded threads: a panic ends one piece of work, and not the watch. It is caught, said in the log with the
//! thread's name, and counted for the whole process ([`panics`]); whoever began the work learns of it as a
//! value and hands the work on.
//!
//! A thread that does one thing is started by [`spawn_guarded`]. One that serves a queue calls [`guarded`]
//! for each job: the job is lost, the thread goes on. What a job may have left half changed is not used
//! afterwards, or is whole at every moment: locks are taken whatever became of another thread that held
//! them, and what is stopped or braked is undone as it is dropped, in the unwinding.

use std::any::Any;
use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Stack of a thread that needs no other, in bytes: what the standard library gives.
pub const USUAL_STACK: usize = 2 << 20;

/// Panics caught in this process.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// A panic that was caught.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} panicked: {message}")]
pub struct Panicked {
    /// Name of the thread, or of the work.
    pub name: String,
    /// Message of the panic.
    pub message: String,
}

/// A thread of that name, with a stack of so many bytes, whose panic is caught: joined, it gives what `work`
/// gave, or that it panicked.
///
/// # Errors
/// The system's error: no thread.
pub fn spawn_guarded<T: Send + 'static>(
    name: &'static str,
    stack: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<Result<T, Panicked>>> {
    Builder::new().name(name.into()).stack_size(stack).spawn(move || guarded(name, work))
}

/// Threads that ended by a panic and are to go on for as long as the process does, by name.
static LOST: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// As [`spawn_guarded`], for a thread that the watch cannot do without: what it does piece by piece is
/// guarded piece by piece, and should it end by a panic all the same, [`lost_threads`] says so.
///
/// # Errors
/// As there.
pub fn spawn_vital<T: Send + 'static>(
    name: &'static str,
    stack: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<Result<T, Panicked>>> {
    Builder::new().name(name.into()).stack_size(stack).spawn(move || {
        guarded(name, work).inspect_err(|_| {
            LOST.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        })
    })
}

/// Names of the threads that the watch has lost for good.
#[must_use]
pub fn lost_threads() -> Vec<&'static str> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
}

/// Does one piece of work on this thread and catches its panic. `name` is the thread's, for the log.
///
/// # Errors
/// It panicked, which has been said and counted.
pub fn guarded<T>(name: &str, work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let panicked = Panicked { name: name.to_owned(), message: message(&*payload) };
        PANICS.fetch_add(1, Ordering::Relaxed);
        tracing::error!(thread = name, "a thread panicked: {}", panicked.message);
        // A payload may panic itself as it is dropped: it is not worth another unwinding.
        std::mem::forget(payload);
        panicked
    })
}

/// Number of panics caught in this process since its start.
#[must_use]
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// What `panic!` was given; other payloads have no words.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_vital_thread_that_is_lost_is_named() {
        spawn_vital("well", 64 << 10, || 7).unwrap().join().unwrap().unwrap();
        assert!(spawn_vital("unwell", 64 << 10, || panic!("made to")).unwrap().join().unwrap().is_err());
        assert_eq!(lost_threads(), ["unwell"]);
    }

    #[test]
    fn a_panic_is_a_value_and_is_counted() {
        let before = panics();
        let ended = spawn_guarded("greedy", 64 << 10, move || {
            if before < u64::MAX {
                panic!("{} bytes", 7)
            }
        });
        let ended = ended.unwrap();
        let panicked = ended.join().unwrap().unwrap_err();
        assert_eq!(panicked.to_string(), "greedy panicked: 7 bytes");
        assert!(guarded("w", || std::panic::panic_any(7_u8)).unwrap_err().message.starts_with('('));
        assert!(panics() >= before + 2, "counted");
        let named = spawn_guarded("named", 64 << 10, || std::thread::current().name().map(str::to_owned)).unwrap();
        assert_eq!(named.join().unwrap(), Ok(Some("named".into())));
    }

    /// A queue is served on, and what the lost job held is let go.
    #[test]
    fn a_lost_job_is_the_only_one_that_is_lost() {
        let (held, done) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (lock, list) = (Arc::clone(&held), Arc::clone(&done));
        let thread = spawn_guarded("serve", 64 << 10, move || {
            for job in 0..4 {
                let served = guarded("serve", || {
                    *lock.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                    let _held = lock.lock();
                    if job == 1 {
                        panic!("job {job}");
                    }
                });
                list.lock().unwrap().push(served.is_ok());
            }
        });
        thread.unwrap().join().unwrap().unwrap();
        assert_eq!(*done.lock().unwrap(), [true, false, true, true]);
        assert_eq!(*held.lock().unwrap_or_else(PoisonError::into_inner), 4);
    }
}
