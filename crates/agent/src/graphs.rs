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

/// A capture with a worker at its graph.
struct Job {
    worker: Result<GraphWorker, String>,
    began: Instant,
    /// Held until the answer is there.
    dead: DeadMemory,
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
        let busy = Arc::new(AtomicBool::new(false));
        let is_busy = Arc::clone(&busy);
        let thread = vital.spawn(NAME, USUAL_STACK, move || {
            for job in queue {
                let _ = guarded(NAME, || finish(job, &to));
                is_busy.store(false, Ordering::SeqCst);
            }
        })?;
        Ok((Self { jobs, busy }, thread))
    }

    /// Has the graph made of a dead process that is held, for a capture that is written.
    pub(crate) fn make(&self, raw: &RawCapture, dead: DeadMemory, limits: &GraphLimits, waiting: Waiting) {
        // One that ended its time of holding may be reckoned still.
        let worker = if self.busy.swap(true, Ordering::SeqCst) {
            Err("the graph of another process was being made".into())
        } else {
            GraphWorker::of_the_dead(raw, &dead, limits.now()).map_err(|e| format!("no worker for it: {e}"))
        };
        let _ = self.jobs.send(Job { worker, began: Instant::now(), dead, waiting });
    }
}

/// Waits for the answer, and joins it to its capture.
fn finish(job: Job, to: &Destination) {
    /// It is asked for nothing meanwhile.
    const EVERY: Duration = Duration::from_secs(1);
    let Job { worker, began, dead, waiting: Waiting { mut decoded, path, form } } = job;
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
