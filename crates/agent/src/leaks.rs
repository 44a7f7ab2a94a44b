//! Captures of calm processes whose goroutines seem to leak: the heap is read by a worker while the process
//! stands still, and the capture is kept only if its verdicts name a leak that grows. Else it is thrown away,
//! and the service is asked again later (`lastgasp_recorder`'s turns).

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_decode::Decoded;
use lastgasp_diagnosis::{Leak, VerdictGroup};
use lastgasp_inferior::LiveProcess;
use lastgasp_observe::raw_capture::RawCapture;
use lastgasp_recorder::daemon::{HeapReader, HeapReaders, LeakLook, LeakRules};
use lastgasp_store::Told;
use lastgasp_worker::{GraphAnswer, GraphWorker, Whose};

use crate::config::Config;
use crate::graphs::GraphLimits;
use crate::settings::graph_limits_of;

/// What looks for leaks may do by that configuration; `None`: there are none.
pub(crate) fn rules(config: &Config) -> Option<LeakRules> {
    let leaks = &config.leaks;
    let readers = Arc::new(Workers(GraphLimits::new(graph_limits_of(config))));
    leaks.enabled.then(|| LeakRules { readers, stop: leaks.stop.0, pause: leaks.pause.0 })
}

/// Starts workers that read heaps.
#[derive(Debug)]
struct Workers(GraphLimits);

impl HeapReaders for Workers {
    fn start(&self, process: &LiveProcess) -> io::Result<Box<dyn HeapReader>> {
        let worker = GraphWorker::start(process, Whose::Live(process.pid()), self.0.now())?;
        Ok(Box::new(Reading(worker)))
    }
}

/// A worker that reads one.
#[derive(Debug)]
struct Reading(GraphWorker);

impl HeapReader for Reading {
    fn begin(&mut self, raw: &RawCapture) -> io::Result<()> {
        self.0.begin(raw)
    }

    fn has_read(&mut self, until: Instant) -> bool {
        self.0.has_read(until)
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
        Ok(reading) => reading.0.answer(EVERY, &mut || Ok(())),
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
