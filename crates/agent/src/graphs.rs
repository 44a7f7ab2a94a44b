//! Heap graphs of the dead, beside the capture writers: one thread that waits for a worker's answer, writes
//! the capture once more with it, and tells of it. The capture stands in the store all that time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use lastgasp_decode::Decoded;
use lastgasp_observe::raw_capture::{DeadMemory, RawCapture};
use lastgasp_recorder::guard::{USUAL_STACK, guarded};
use lastgasp_store::Form;
use lastgasp_worker::{GraphAnswer, GraphWorker};

use crate::destination::{Destination, Stored};
use crate::graph_limits::GraphLimits;
use crate::vital_threads::{VitalThread, VitalThreads};

const NAME: &str = "heap-graph";

/// A capture that is written, and waits for its graph.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) decoded: Decoded,
    pub(crate) path: PathBuf,
    pub(crate) form: Form,
}

/// A worker at the graph of a dead process, whose capture is not written yet. Dropping it ends the worker.
#[derive(Debug)]
pub(crate) struct Begun {
    worker: Result<GraphWorker, String>,
    began: Instant,
    /// Held until the answer is there.
    dead: DeadMemory,
    /// Where it is the one that is being made.
    _turn: Option<Busy>,
}

/// That a graph is being made, until it is dropped.
#[derive(Debug)]
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn unless_another(is_busy: &Arc<AtomicBool>) -> Option<Self> {
        (!is_busy.swap(true, Ordering::SeqCst)).then(|| Self(Arc::clone(is_busy)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// A capture with a worker at its graph.
struct Job {
    begun: Begun,
    waiting: Waiting,
}

/// Who makes them.
#[derive(Clone, Debug)]
pub(crate) struct Graphs {
    jobs: Sender<Job>,
    busy: Arc<AtomicBool>,
}

impl Graphs {
    /// Starts the thread; it ends when nobody has anything for it any more.
    pub(crate) fn start(to: Destination, vital: &VitalThreads) -> std::io::Result<(Self, VitalThread)> {
        let (jobs, queue) = channel::<Job>();
        let busy = Arc::default();
        let thread = vital.spawn(NAME, USUAL_STACK, move || {
            for job in queue {
                let _ = guarded(NAME, || finish(job, &to));
            }
        })?;
        Ok((Self { jobs, busy }, thread))
    }

    /// Begins with the graph of a dead process that is held. Its memory lasts for two seconds, of which to
    /// write the capture of 60,000 goroutines took half of one: the worker copies it meanwhile.
    pub(crate) fn begin(&self, raw: &RawCapture, dead: DeadMemory, limits: &GraphLimits) -> Begun {
        let turn = Busy::unless_another(&self.busy);
        // One that ended its time of holding may be reckoned still.
        let worker = if turn.is_none() {
            Err("the graph of another process was being made".into())
        } else {
            GraphWorker::of_the_dead(raw, &dead, limits.now()).map_err(|e| format!("no worker for it: {e}"))
        };
        Begun { worker, began: Instant::now(), dead, _turn: turn }
    }

    /// Has the graph joined to a capture that is written.
    pub(crate) fn join(&self, begun: Begun, waiting: Waiting) {
        let _ = self.jobs.send(Job { begun, waiting });
    }
}

/// Waits for the answer, and joins it to its capture.
fn finish(job: Job, to: &Destination) {
    /// It is asked for nothing meanwhile.
    const EVERY: Duration = Duration::from_secs(1);
    let Job { begun: Begun { worker, began, dead, _turn }, waiting: Waiting { mut decoded, path, form } } = job;
    let pid = decoded.facts.target.pid;
    let answer = worker.map_or_else(GraphAnswer::none, |worker| worker.answer(EVERY, &mut || Ok(())));
    drop(dead);
    let cost = answer.cost.unwrap_or_default();
    tracing::info!(
        pid,
        ms = began.elapsed().as_millis() as u64,
        processor_ms = cost.processor_us / 1000,
        peak_mb = cost.peak_bytes >> 20,
        whole = answer.gap.is_none(),
        event = "heap-graph",
        "the heap graph of the dead: {}",
        answer.gap.as_deref().unwrap_or("whole")
    );
    answer.join(&mut decoded.facts);
    let told = to.archive.tell(&decoded.facts);
    if let Err(e) = to.archive.put_again(&path, &decoded, &told, form) {
        tracing::error!(pid, "the heap graph could not be put to its capture: {e:#}");
    }
    to.tell_more(&Stored { told, path, form });
}
