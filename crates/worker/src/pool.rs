//! Workers that wait. To start one takes some 10 ms, which nobody who looks at a new process has; so a few
//! have been started before they are needed, and one that was lost is replaced at once. They are started by
//! one thread that lives as long as they may: the kernel ends a worker with the thread that has started it.

use std::io;
use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use lastgasp_observe::kernel::files::means_out_of_descriptors;
use serde::de::DeserializeOwned;

use crate::hurry::run_before_others;
use crate::limits::Limits;
use crate::process::{Worker, stuck};

/// Workers of one kind that are in use at a time; more are waited for.
const MOST_IN_USE: usize = 6;
/// Workers that hang in the kernel, of all kinds, from which on no more are started: each is a process and a
/// thread.
pub(crate) const MOST_STUCK: usize = 64;
/// How long one is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause after one could not be started.
const AGAIN: Duration = Duration::from_millis(200);

/// How workers run beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// As whoever waits for them: what they do takes microseconds, and a process is not watched before it is
    /// done.
    BeforeOthers,
    /// As others: they reckon for seconds, and nobody who lives waits for it.
    AsOthers,
}

/// Workers of one kind.
#[derive(Debug)]
pub(crate) struct Pool<A> {
    state: Mutex<State<A>>,
    changed: Condvar,
    /// How many wait.
    warm: usize,
    lost: AtomicU64,
    /// Whether the last one could not be started for want of descriptors.
    starved: AtomicBool,
}

#[derive(Debug)]
struct State<A> {
    idle: Vec<Worker<A>>,
    in_use: usize,
    /// Since when it is counted how often it was said that one was lost, how often that was, and how many
    /// there were of whom it was not.
    said: Option<(Instant, u32)>,
    unsaid: u64,
}

/// A worker in use.
#[derive(Debug)]
pub(crate) struct Lent<A> {
    worker: Option<Worker<A>>,
    pool: Arc<Pool<A>>,
}

impl<A: DeserializeOwned + Send + 'static> Pool<A> {
    /// Keeps `warm` of them ready; `ready` makes one so that was started by `command`.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start(
        name: &'static str,
        command: fn() -> Command,
        limits: Limits,
        warm: usize,
        turn: Turn,
        ready: fn(Worker<A>) -> io::Result<Worker<A>>,
    ) -> io::Result<Arc<Self>> {
        let state = State { idle: Vec::new(), in_use: 0, said: None, unsaid: 0 };
        let pool = Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            warm,
            lost: AtomicU64::new(0),
            starved: AtomicBool::new(false),
        });
        let ours = Arc::downgrade(&pool);
        let starter = move || {
            // What it starts inherits that.
            if turn == Turn::BeforeOthers {
                run_before_others();
            }
            while let Some(pool) = Self::wait_until_wanted(&ours) {
                match Worker::spawn(command(), limits).and_then(ready) {
                    Ok(worker) => {
                        pool.starved.store(false, Ordering::Relaxed);
                        pool.lock().idle.push(worker);
                        pool.changed.notify_all();
                    }
                    Err(e) => {
                        pool.starved.store(means_out_of_descriptors(&e), Ordering::Relaxed);
                        tracing::debug!("no worker can be started: {e}");
                        drop(pool);
                        std::thread::sleep(AGAIN);
                    }
                }
            }
        };
        std::thread::Builder::new().name(name.into()).stack_size(256 << 10).spawn(starter)?;
        Ok(pool)
    }

    /// Waits until one more is to be started; `None`: nobody has the pool any more.
    fn wait_until_wanted(pool: &Weak<Self>) -> Option<Arc<Self>> {
        loop {
            let pool = pool.upgrade()?;
            let state = pool.lock();
            let (mut state, waited) = pool
                .changed
                .wait_timeout_while(state, Duration::from_secs(1), |s| s.idle.len() >= pool.warm)
                .unwrap_or_else(PoisonError::into_inner);
            let wanted = state.idle.len() < pool.warm;
            // Those who were started for a crowd go home one by one: each is a process and some descriptors.
            let is_crowd = waited.timed_out() && state.idle.len() > pool.warm;
            let surplus = if is_crowd { state.idle.pop() } else { None };
            drop(state);
            drop(surplus);
            if wanted && stuck() < MOST_STUCK {
                return Some(pool);
            }
            if wanted {
                std::thread::sleep(AGAIN);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that waits; `None` if none comes in time.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Lent<A>> {
        self.take_within(PATIENCE)
    }

    /// The same; waited for only as long as nobody is in a hurry.
    pub(crate) fn take_unless(self: &Arc<Self>, hurried: &AtomicBool) -> Option<Lent<A>> {
        const SEEN: Duration = Duration::from_millis(2);
        let until = Instant::now() + PATIENCE;
        loop {
            let lent = self.take_within(SEEN);
            if lent.is_some() || hurried.load(Ordering::Acquire) || Instant::now() > until {
                return lent;
            }
        }
    }

    fn take_within(self: &Arc<Self>, patience: Duration) -> Option<Lent<A>> {
        let (mut state, _) = self
            .changed
            .wait_timeout_while(self.lock(), patience, |s| s.idle.is_empty() || s.in_use >= MOST_IN_USE)
            .unwrap_or_else(PoisonError::into_inner);
        let worker = if state.in_use < MOST_IN_USE { state.idle.pop() } else { None }?;
        state.in_use += 1;
        drop(state);
        self.changed.notify_all();
        Some(Lent { worker: Some(worker), pool: Arc::clone(self) })
    }

    /// Counts one that was lost over a process, and says so; not more often than once in a while, however
    /// many there are.
    pub(crate) fn lost(&self, pid: i32, what: &str, why: &str, pause: Duration) {
        const SPAN: Duration = Duration::from_secs(10);
        const MOST: u32 = 10;
        self.lost.fetch_add(1, Ordering::Relaxed);
        let others = {
            let mut state = self.lock();
            let (since, said) = state.said.filter(|(since, _)| since.elapsed() < SPAN).unwrap_or((Instant::now(), 0));
            if said >= MOST {
                state.unsaid += 1;
                return;
            }
            state.said = Some((since, said + 1));
            std::mem::take(&mut state.unsaid)
        };
        let again_in_s = (!pause.is_zero()).then_some(pause.as_secs_f64());
        tracing::warn!(
            pid,
            again_in_s,
            others,
            event = "worker-lost",
            "a worker was lost that {what}: {why}. It was replaced; that process is tried again, less and less often"
        );
    }
}

impl<A> Pool<A> {
    /// Whether none can be started for want of descriptors.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed)
    }

    /// How many were lost so far.
    pub(crate) fn count_lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl<A: Send + 'static> Lent<A> {
    /// It is used no longer and waits again, as good as before.
    pub(crate) fn give_back(mut self) {
        if let Some(worker) = self.worker.take() {
            let mut state = self.pool.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.idle.len() < MOST_IN_USE {
                state.idle.push(worker);
            }
        }
    }

    /// Nobody waits for it any more: it is ended by somebody who has time for that.
    pub(crate) fn abandon(mut self) {
        let Some(worker) = self.worker.take() else { return };
        let ending = std::thread::Builder::new().name("worker-end".into()).stack_size(64 << 10);
        // Where no thread can be had, it is dropped here.
        let _ = ending.spawn(move || drop(worker));
    }

    /// It is its user's for good.
    pub(crate) fn keep(mut self) -> Option<(Worker<A>, Self)> {
        Some((self.worker.take()?, self))
    }
}

impl<A> Deref for Lent<A> {
    type Target = Option<Worker<A>>;

    fn deref(&self) -> &Self::Target {
        &self.worker
    }
}

impl<A> DerefMut for Lent<A> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.worker
    }
}

impl<A> Drop for Lent<A> {
    fn drop(&mut self) {
        // One that is ended here may take its time.
        drop(self.worker.take());
        self.pool.state.lock().unwrap_or_else(PoisonError::into_inner).in_use -= 1;
        self.pool.changed.notify_all();
    }
}
