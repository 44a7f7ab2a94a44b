//! Light samples of calm processes: gauges every few seconds, the profile as often as a small share of one
//! core allows. On a thread of its own, since reading a process's memory can hang; nothing is stopped for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use lastgasp_observe::target::inspect::ForeignMemory;
use lastgasp_observe::target::timeline::Sample;

use super::lives::census_jumps;
use super::target_status::TargetStatus;
use crate::decide::leak::steady_growth;
use crate::guard::{guarded, spawn_vital};
use crate::own_process::run_before_others;
use crate::watch::history::{SEARCH_CALM, TargetHistory, own_processor_time};

/// Name of the thread.
const NAME: &str = "light";
/// For each second of work so many of rest: 0.25 % of a core, however many there are to sample. A hundred
/// idle processes are always more than that: of them one or two a second are sampled, in turns.
const REST: u32 = 400;
/// Longest rest, for the sake of those who wait: a sample that takes more than 5 ms costs more than its
/// share. (With half of that the samples of processes that had just been found, whose collections are
/// searched for the first times, cost nearly twice their share: of a hundred idle ones 4 ms each, for
/// minutes.)
const LONGEST_REST: Duration = Duration::from_secs(2);
/// Several are sampled before it rests: a waking, with cold caches, costs more than a sample.
const TOGETHER: Duration = Duration::from_millis(200);

/// A look at goroutines that is older than this says nothing of now.
const FRESH_MS: u64 = 60_000;

/// One process to be sampled.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) history: Arc<Mutex<TargetHistory>>,
    pub(crate) status: Arc<Mutex<TargetStatus>>,
    pub(crate) usage: u64,
    /// Set when its goroutines seem to leak.
    pub(crate) leaking: Arc<AtomicBool>,
    /// Whether its collections are counted.
    pub(crate) census: bool,
    /// Set while it waits for its turn, or is sampled.
    pub(crate) busy: Arc<AtomicBool>,
}

impl AsRef<AtomicBool> for Job {
    fn as_ref(&self) -> &AtomicBool {
        &self.busy
    }
}

/// The thread.
#[derive(Debug)]
pub(crate) struct CalmSampler {
    jobs: SyncSender<Job>,
}

impl CalmSampler {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(4096);
        spawn_vital(NAME, 1 << 20, move || {
            // What it holds, a process in danger waits for; and what it works is bounded (`REST`).
            run_before_others();
            serve(&queue, sample);
        })?;
        Ok(Self { jobs })
    }

    /// Has a process sampled, unless it still waits for that.
    pub(crate) fn sample(&self, job: Job) {
        if job.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = self.jobs.try_send(job) {
            job.busy.store(false, Ordering::Release);
        }
    }
}

/// Samples one process after the other. One at which a sample panics is sampled again in its turn, and the
/// next one is sampled.
fn serve<J: AsRef<AtomicBool>>(queue: &Receiver<J>, sample: impl Fn(&J) -> Duration) {
    let mut owed = Duration::ZERO;
    for job in queue {
        owed += guarded(NAME, || sample(&job)).unwrap_or_default() * REST;
        job.as_ref().store(false, Ordering::Release);
        if owed >= TOGETHER {
            std::thread::sleep(owed.min(LONGEST_REST));
            owed = Duration::ZERO;
        }
    }
}

/// Samples a process; gives the processor time that this took, here and of whoever read for us. By the clock
/// on the wall a busy machine, on which both wait for their turns, would have few processes sampled: the
/// flight ring would see least where it matters most.
fn sample(job: &Job) -> Duration {
    let mut history = match job.history.try_lock() {
        Ok(history) => history,
        Err(TryLockError::Poisoned(e)) => e.into_inner(),
        // A worker watches it.
        Err(TryLockError::WouldBlock) => return Duration::ZERO,
    };
    let reader = history.target.foreign.clone();
    let before = worked(reader.as_ref());
    let worked = || worked(reader.as_ref()).saturating_sub(before);
    let (Some(usage), Some(gauges)) = (history.target.process.usage(), history.target.calm_gauges()) else {
        return worked();
    };
    let sample = Sample::of(history.timeline.now_ms(), job.usage, usage.rss, &gauges);
    history.timeline.push(sample);
    history.last_usage = Some((usage, sample.t_ms));
    history.last_gauges = Some(gauges);
    history.target.census.switch(job.census);
    if history.baseline_due <= Instant::now() {
        history.note_baseline(SEARCH_CALM);
    }
    let baselines = history.target.baselines.times().len() as u64;
    let looks = history.timeline.goroutines.all();
    // A look that is older says nothing of now.
    let fresh = looks.last().is_some_and(|l| history.timeline.now_ms().saturating_sub(l.t_ms) < FRESH_MS);
    if let Some(growth) = steady_growth(looks).filter(|_| fresh) {
        tracing::debug!(pid = history.target.identity.pid, ?growth, "goroutines grow in number");
        job.leaking.store(true, Ordering::Release);
    }
    let jumps = census_jumps(&history.target, history.timeline.now_ms());
    drop(history);
    TargetStatus::change(&job.status, |s| {
        s.sampled(&sample);
        s.gauged(&gauges);
        s.census_jumps = jumps;
        s.baselines = baselines;
    });
    worked()
}

/// Processor time so far, of this thread and of whoever reads for it.
fn worked(reader: Option<&ForeignMemory>) -> Duration {
    own_processor_time().saturating_add(reader.map_or(Duration::ZERO, |r| r.worked()))
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::{Addr, Memory, ReadCause, ReadError};
    use lastgasp_observe::target::inspect::ReadByAnother;

    use super::*;

    /// Memory of a process for which others work now and then, and mostly wait.
    #[derive(Debug)]
    struct Slow(std::sync::atomic::AtomicU64);

    impl Memory for Slow {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            std::thread::sleep(Duration::from_millis(100));
            self.0.fetch_add(3, Ordering::Relaxed);
            Err(ReadError { addr, len: buf.len(), cause: ReadCause::Absent })
        }
    }

    impl ReadByAnother for Slow {
        fn hurry(&self, _: bool) {}

        fn is_hurried(&self) -> bool {
            false
        }

        fn worked(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    /// Who waits for his turn has not worked, and is not made to rest for it.
    #[test]
    fn work_is_charged_and_waiting_is_not() {
        let slow = Arc::new(Slow(0.into()));
        let reader: ForeignMemory = slow.clone();
        let before = worked(Some(&reader));
        assert!(slow.read(Addr(0), &mut [0]).is_err());
        let charged = worked(Some(&reader)).saturating_sub(before);
        assert!((Duration::from_millis(3)..Duration::from_millis(50)).contains(&charged), "{charged:?}");
    }

    struct Asked(u32, Arc<AtomicBool>);

    impl AsRef<AtomicBool> for Asked {
        fn as_ref(&self) -> &AtomicBool {
            &self.1
        }
    }

    /// After a sample that panics the next process is sampled, and that one too in its turn.
    #[test]
    fn a_panic_costs_one_sample() {
        let busy: Vec<_> = (0..3).map(|_| Arc::new(AtomicBool::new(true))).collect();
        let (jobs, queue) = sync_channel(8);
        for (n, busy) in (0..).zip(&busy) {
            jobs.send(Asked(n, Arc::clone(busy))).unwrap();
        }
        drop(jobs);
        let sampled = Mutex::new(Vec::new());
        serve(&queue, |job: &Asked| {
            assert!(job.0 != 1, "its memory is odd");
            sampled.lock().unwrap().push(job.0);
            Duration::ZERO
        });
        assert_eq!(*sampled.lock().unwrap(), [0, 2]);
        assert!(busy.iter().all(|b| !b.load(Ordering::Acquire)));
    }
}
