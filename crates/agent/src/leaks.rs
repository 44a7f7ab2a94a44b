//! Captures of calm processes whose goroutines seem to leak: the heap is read by a worker while the process
//! stands still, and the capture is kept only if its verdicts name a leak that grows. Else it is thrown away,
//! and the service is asked again later (`lastgasp_recorder`'s turns).

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_decode::Decoded;
use lastgasp_diagnosis::{Leak, VerdictGroup};
use lastgasp_inferior::LiveProcess;
use lastgasp_observe::raw_capture::RawCapture;
use lastgasp_recorder::daemon::{HeapReader, HeapReaders, LeakLook, LeakRules};
use lastgasp_recorder::guard::spawn_guarded;
use lastgasp_store::Told;
use lastgasp_worker::{GraphAnswer, GraphWorker, Limits, Whose};

use crate::config::Leaks;

/// What looks for leaks may do by that configuration, and what the graph of a heap may use; `None`: there are
/// none.
pub(crate) fn rules(leaks: &Leaks, limits: Limits) -> Option<LeakRules> {
    let readers = Arc::new(Workers { limits, starter: Mutex::default() });
    leaks.enabled.then(|| LeakRules { readers, stop: leaks.stop.0, pause: leaks.pause.0 })
}

/// Starts workers that read heaps: on a thread that lives as long as they do, since the kernel ends a worker
/// with the thread that has started it, and the one that stops the target is gone before the graph is
/// reckoned (seen: "its worker ended by SIGKILL").
#[derive(Debug)]
struct Workers {
    limits: Limits,
    /// That thread, from the first look on.
    starter: Mutex<Option<Sender<Order>>>,
}

/// A worker that is wanted.
type Order = (Arc<LiveProcess>, Limits, Sender<io::Result<GraphWorker>>);

impl Workers {
    fn starter(&self) -> io::Result<Sender<Order>> {
        let mut starter = self.starter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(starter) = &*starter {
            return Ok(starter.clone());
        }
        let (orders, wanted) = channel::<Order>();
        spawn_guarded("leak-workers", 256 << 10, move || {
            for (process, limits, answer) in wanted {
                let _ = answer.send(GraphWorker::start(&process, Whose::Live(process.pid()), limits));
            }
        })?;
        *starter = Some(orders.clone());
        Ok(orders)
    }
}

impl HeapReaders for Workers {
    fn start(&self, process: &Arc<LiveProcess>) -> io::Result<Box<dyn HeapReader>> {
        let starter = self.starter()?;
        let (answer, started) = channel();
        let gone = || io::Error::other("nobody starts workers any more");
        starter.send((Arc::clone(process), self.limits, answer)).map_err(|_| gone())?;
        let worker = started.recv().map_err(|_| gone())??;
        Ok(Box::new(Reading { worker, _starter: starter }))
    }
}

/// A worker that reads one.
#[derive(Debug)]
struct Reading {
    worker: GraphWorker,
    /// Its thread goes on as long as this is there, whatever becomes of the configuration.
    _starter: Sender<Order>,
}

impl HeapReader for Reading {
    fn begin(&mut self, raw: &RawCapture) -> io::Result<()> {
        self.worker.begin(raw)
    }

    fn has_read(&mut self, until: Instant) -> bool {
        self.worker.has_read(until)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

/// Waits for the graph of a heap, and joins it to its capture.
pub(crate) fn join(look: LeakLook, decoded: &mut Decoded) {
    /// It is asked for nothing meanwhile.
    const EVERY: Duration = Duration::from_secs(1);
    let mut answer = match look.reader.into_any().downcast::<Reading>() {
        Ok(reading) => {
            let Reading { worker, _starter } = *reading;
            worker.answer(EVERY, &mut || Ok(()))
        }
        Err(_) => GraphAnswer::none("nobody knows its reader"),
    };
    if let Some(why) = &look.moved {
        answer.not_of_one_moment(why);
    }
    answer.join(&mut decoded.facts);
}

/// The leak that a capture is kept for, with its group.
pub(crate) fn found<'a>(told: &'a Told<'_>) -> Option<(&'a Leak, &'a VerdictGroup)> {
    let goroutines = &told.diagnosis.goroutines;
    let leak = goroutines.leak.as_ref()?;
    Some((leak, goroutines.groups.get(leak.group)?))
}

/// Tells the log of a leak.
pub(crate) fn say(told: &Told<'_>, path: &Path) {
    let Some((leak, group)) = found(told) else { return };
    let target = &told.facts.target;
    tracing::warn!(
        pid = target.pid,
        service = target.service,
        container = target.container.as_deref(),
        goroutines = group.count,
        tier = group.tier.name(),
        code = group.code,
        site = group.created_by.as_ref().map(|s| s.function.as_str()),
        seconds_to_full = leak.seconds_to_full.map(|s| s.round() as u64),
        stopped_ms = told.facts.capture.stopped_ns as f64 / 1e6,
        capture = %path.display(),
        event = "leak",
        "{}",
        leak.sentence
    );
}
