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
use crate::process::{MOST_STUCK, Worker, stuck};

/// Workers of one kind that are in use at a time; more are waited for.
const MOST_IN_USE: usize = 6;
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

/// What becomes of a worker that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It has read what is foreign, and does nothing else any more.
    Once,
    /// It comes back, in microseconds, and is used again: another one is started only for who waits while all
    /// are in use. (One was started whenever one was in use, and ended a second later, ten times a second: of
    /// all that a calm machine cost that was a third.)
    Again,
}

/// Workers of one kind.
#[derive(Debug)]
pub(crate) struct Pool<A> {
    state: Mutex<State<A>>,
    /// One has come back, or was started.
    changed: Condvar,
    /// One more is wanted.
    wanted: Condvar,
    /// How many wait.
    warm: usize,
    of_use: Use,
    lost: AtomicU64,
    /// Whether the last one could not be started for want of descriptors.
    starved: AtomicBool,
}

#[derive(Debug)]
struct State<A> {
    idle: Vec<Worker<A>>,
    in_use: usize,
    /// Who waits for one.
    waiting: usize,
    /// Since when it is counted how often it was said that one was lost, how often that was, and how many
    /// there were of whom it was not.
    said: Option<(Instant, u32)>,
    unsaid: u64,
}

impl<A> State<A> {
    /// Whether one more is to be started.
    fn wants_another(&self, warm: usize, of_use: Use) -> bool {
        match of_use {
            Use::Once => self.idle.len() < warm,
            Use::Again => {
                let is_waited_for = self.waiting > 0 && self.idle.is_empty() && self.in_use < MOST_IN_USE;
                self.idle.len() + self.in_use < warm || is_waited_for
            }
        }
    }
}

/// A worker in use.
#[derive(Debug)]
pub(crate) struct Lent<A> {
    worker: Option<Worker<A>>,
    pool: Arc<Pool<A>>,
}

impl<A: DeserializeOwned + Send + 'static> Pool<A> {
    /// Keeps `warm` of them ready, that are used so; `ready` makes one so that was started by `command`.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start(
        name: &'static str,
        command: fn() -> Command,
        limits: Limits,
        (warm, of_use): (usize, Use),
        turn: Turn,
        ready: fn(Worker<A>) -> io::Result<Worker<A>>,
    ) -> io::Result<Arc<Self>> {
        let state = State { idle: Vec::new(), in_use: 0, waiting: 0, said: None, unsaid: 0 };
        let pool = Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            wanted: Condvar::new(),
            warm,
            of_use,
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
                        let mut state = pool.lock();
                        state.idle.push(worker);
                        pool.tell(&state);
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
                .wanted
                .wait_timeout_while(state, Duration::from_secs(1), |s| !s.wants_another(pool.warm, pool.of_use))
                .unwrap_or_else(PoisonError::into_inner);
            let wanted = state.wants_another(pool.warm, pool.of_use);
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
        let is_none = |s: &State<A>| s.idle.is_empty() || s.in_use >= MOST_IN_USE;
        let mut state = self.lock();
        if is_none(&state) {
            state.waiting += 1;
            self.tell(&state);
            state = self
                .changed
                .wait_timeout_while(state, patience, |s| is_none(s))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            state.waiting -= 1;
        }
        let worker = if state.in_use < MOST_IN_USE { state.idle.pop() } else { None }?;
        state.in_use += 1;
        self.tell(&state);
        drop(state);
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
    /// Wakes whoever waits for what is the case now, and nobody else: each waking is a system call.
    fn tell(&self, state: &State<A>) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        if state.wants_another(self.warm, self.of_use) {
            self.wanted.notify_one();
        }
    }

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
        let mut state = self.pool.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.in_use -= 1;
        self.pool.tell(&state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeps() -> Command {
        let mut command = Command::new("sleep");
        command.arg("60");
        command
    }

    fn pool(of_use: Use) -> Arc<Pool<()>> {
        let limits = Limits { memory: 1 << 20, time: Duration::from_secs(60), processor: Duration::from_secs(60) };
        Pool::start("sleepers", sleeps, limits, (1, of_use), Turn::AsOthers, Ok).unwrap()
    }

    fn number(lent: &Lent<()>) -> u32 {
        lent.as_ref().and_then(Worker::pid).unwrap()
    }

    /// Until as many wait, or for long.
    fn idle(pool: &Pool<()>, n: usize) -> bool {
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if pool.state.lock().unwrap().idle.len() == n {
                return true;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// One that comes back is the only one that is ever started, however often it is used; another is for who
    /// waits while it is in use, and for one that is lost.
    #[test]
    fn one_that_is_used_again_makes_no_others() {
        let pool = pool(Use::Again);
        let take = || pool.take_within(Duration::from_secs(10)).unwrap();
        let first = number(&{ take() });
        // That one was lost: dropped, and not given back.
        let lent = take();
        let second = number(&lent);
        assert_ne!(first, second);
        std::thread::sleep(Duration::from_millis(50));
        assert!(idle(&pool, 0), "one is in use, and one was to be ready");
        lent.give_back();
        for _ in 0..50 {
            let lent = take();
            assert_eq!(number(&lent), second);
            lent.give_back();
        }
        assert!(idle(&pool, 1));
        let held = take();
        let other = take();
        assert_ne!(number(&other), second, "nobody waits for who may hang");
        other.give_back();
        held.give_back();
        assert!(idle(&pool, 2));
        assert!(idle(&pool, 1), "who was started for a crowd goes home");
    }

    /// One that is used once is replaced while it is in use.
    #[test]
    fn one_that_is_used_once_is_replaced_at_once() {
        let pool = pool(Use::Once);
        let lent = pool.take_within(Duration::from_secs(10)).unwrap();
        assert!(idle(&pool, 1));
        let (worker, place) = lent.keep().unwrap();
        drop((worker, place));
        let state = pool.state.lock().unwrap();
        assert_eq!((state.idle.len(), state.in_use, state.waiting), (1, 0, 0));
    }
}
