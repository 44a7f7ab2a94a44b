//! Threads that decode raw captures and write them to the store, while the watch goes on. Two of them may
//! decode at a time, which takes memory and a processor; the others wait for the disk, whose journal is
//! brought down once for all who wait for it.
//!
//! A panic costs one attempt at one capture: the second attempt does with less ([`write`]), and the thread
//! goes on to the next capture in any case.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastgasp_decode::Decoded;
use lastgasp_diagnosis::Tier;
use lastgasp_diagnosis::facts::{HEAP_GRAPH, Phase};
use lastgasp_observe::raw_capture::RawCapture;
use lastgasp_recorder::daemon::{Captured, Handle, Share};
use lastgasp_recorder::guard::{USUAL_STACK, guarded};
use lastgasp_recorder::own_process::{give_back_freed_memory, run_before_others};
use lastgasp_store::{Archive, Form, StoreError, Told};

use crate::destination::{Destination, Stored};
use crate::graphs::{Graphs, Waiting};
use crate::in_flight::InFlight;
use crate::leaks;
use crate::permits::Permits;
use crate::settings::decode_foreign;
use crate::vital_threads::{VitalThread, VitalThreads};

const THREADS: usize = 6;
/// So many of them decode at a time.
const DECODERS: usize = 2;
const NAME: &str = "capture-writer";
/// How long the capture from after a death waits at most for those from before it, that it may be told with
/// them. They are ahead of it by a quarter of a second, and to write one takes some 20 ms.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Running threads.
#[derive(Debug)]
pub struct CaptureWriters(Vec<VitalThread>);

impl CaptureWriters {
    /// Starts the threads.
    pub(crate) fn start(captured: Receiver<Captured>, to: Destination, vital: &VitalThreads) -> std::io::Result<Self> {
        let in_flight = InFlight::default();
        let begin = move |captured: &Captured| {
            let who = &captured.raw.identity;
            in_flight.begin((who.pid, who.started_unix))
        };
        let (graphs, graph_thread) = Graphs::start(to.clone(), vital)?;
        let decoders = Permits::new(DECODERS);
        let mut writers = Self::start_with(captured, vital, begin, move |captured, ticket| {
            let Captured { raw, began, answered, detected, share, dead, leak } = captured;
            let times = Times { began, answered, detected, stopped: raw.stopped };
            let mut held = Held { raw, _share: share };
            let graph = dead.map(|dead| graphs.begin(&held.raw, dead, &to.graph_limits));
            let permit = decoders.take();
            let Some(mut decoded) = decoded(&mut held, &to.handle) else { return };
            drop(permit);
            if let Some(look) = leak {
                drop(held);
                leaks::join(look, &mut decoded);
                return leaking(&decoded, &times, &to);
            }
            // Others may be taken in the place of its bytes.
            drop(held);
            if decoded.facts.capture.phase == Phase::PostKill {
                ticket.wait_for_earlier(MAX_WAIT);
            }
            let stored = stored(&decoded, &times, &to, |form| put(&decoded, &to.archive, form));
            match (stored, graph) {
                // The capture is whole before anything is joined to it; it is told of at once, and again with
                // its graph.
                (Some(stored), Some(graph)) => {
                    to.announce(&stored);
                    let Stored { path, form, .. } = stored;
                    graphs.join(graph, Waiting { decoded, path, form });
                }
                (Some(stored), None) => to.tell(&stored),
                (None, _) => {}
            }
        })?;
        writers.0.push(graph_thread);
        Ok(writers)
    }

    /// Starts threads that do `work` for each. `begin` is called of each in the order of the queue.
    fn start_with<T: Send + 'static, B: 'static>(
        queue: Receiver<T>,
        vital: &VitalThreads,
        begin: impl Fn(&T) -> B + Clone + Send + 'static,
        work: impl Fn(T, B) + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Mutex::new(queue));
        let busy = Arc::new(AtomicUsize::new(0));
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let (queue, busy) = (Arc::clone(&queue), Arc::clone(&busy));
            let (begin, work) = (begin.clone(), work.clone());
            threads.push(vital.spawn(NAME, USUAL_STACK, move || {
                // What is not on disk yet may be lost with the node; to decode and write it takes some 20 ms
                // of a processor.
                run_before_others();
                loop {
                    // Begun while nobody else can take the next.
                    let next = {
                        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                        queue.recv().map(|next| (begin(&next), next))
                    };
                    let Ok((begun, next)) = next else { return };
                    busy.fetch_add(1, Ordering::Relaxed);
                    // What it panicked of has been said.
                    let _ = guarded(NAME, || work(next, begun));
                    if busy.fetch_sub(1, Ordering::Relaxed) == 1 {
                        give_back_freed_memory();
                    }
                }
            })?);
        }
        Ok(Self(threads))
    }

    /// Waits until all that was taken is written.
    pub(crate) fn finish(self) {
        for thread in self.0 {
            let _ = thread.join();
        }
    }
}

/// When what happened, for the log ([`Captured`]).
#[derive(Clone, Copy, Debug)]
struct Times {
    began: Instant,
    answered: Duration,
    detected: Duration,
    stopped: Duration,
}

/// Evidence that can be decoded.
trait Evidence {
    fn pid(&self) -> i32;
    /// Decodes it; why not, if so.
    fn decode(&self) -> Result<Decoded, String>;
    /// Leaves out what can be done without; `why` it is incomplete.
    fn reduce(&mut self, why: &str);
}

/// A raw capture, with its share of the memory for them: when its bytes have been read, others may be taken
/// in their place.
struct Held {
    raw: RawCapture,
    _share: Share,
}

impl Evidence for &mut Held {
    fn pid(&self) -> i32 {
        self.raw.identity.pid
    }

    fn decode(&self) -> Result<Decoded, String> {
        decode_foreign(&self.raw)
    }

    fn reduce(&mut self, why: &str) {
        self.raw.reduce(why);
    }
}

/// Decodes evidence; with less of it if that panics. `None`, counted and said: it cannot be.
fn decoded(mut evidence: impl Evidence, handle: &Handle) -> Option<Decoded> {
    let attempt = |evidence: &dyn Evidence| match guarded(NAME, || evidence.decode()) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(why)) => Err(why),
        Err(panicked) => Err(format!("it panicked ({})", panicked.message)),
    };
    let decoded = attempt(&evidence).or_else(|why| {
        let _ = guarded(NAME, || evidence.reduce(&format!("it was decoded with less, after a first attempt: {why}")));
        attempt(&evidence)
    });
    decoded.map_err(|why| failed(handle, evidence.pid(), &format!("decoding: {why}"))).ok()
}

/// Judges it, with what there is of its death, and puts it into the store: `wanted` in that form, or else as
/// the store's rules say.
fn put<'a>(decoded: &'a Decoded, archive: &Archive, wanted: Option<Form>) -> Result<Stored<'a>, StoreError> {
    // What is tried a second time does with less.
    let told = match wanted {
        Some(_) => Told::alone(&decoded.facts),
        None => archive.tell(&decoded.facts),
    };
    let (path, form) = match wanted {
        Some(Form::Light) => archive.put_light(decoded, &told)?,
        _ => archive.put(decoded, &told)?,
    };
    Ok(Stored { told, path, form })
}

/// Writes a capture by `put`. If that panics it is tried once more, light. `None`, counted and said: it is
/// lost.
fn stored<'a>(
    decoded: &'a Decoded,
    times: &Times,
    to: &Destination,
    put: impl Fn(Option<Form>) -> Result<Stored<'a>, StoreError>,
) -> Option<Stored<'a>> {
    let facts = &decoded.facts;
    let stored = guarded(NAME, || put(None)).or_else(|_| guarded(NAME, || put(Some(Form::Light))));
    match stored {
        Ok(Ok(stored)) => {
            let light = stored.form == Form::Light;
            let written = times.began.elapsed();
            to.handle.count(|c| {
                c.captures_full += u64::from(!light);
                c.captures_light += u64::from(light);
                c.evidence_seconds.add(written);
            });
            tracing::info!(
                pid = facts.target.pid,
                service = facts.target.service,
                container = facts.target.container.as_deref(),
                phase = facts.capture.phase.name(),
                light,
                detect_ms = ms(times.detected),
                answer_ms = ms(times.answered),
                stopped_ms = ms(times.stopped),
                evidence_ms = ms(written),
                capture = %stored.path.display(),
                event = "captured",
                "captured: {}",
                stored.told.diagnosis.verdict().map_or("nothing found", |f| f.sentence.as_str())
            );
            Some(stored)
        }
        Ok(Err(e)) => {
            failed(&to.handle, facts.target.pid, &e);
            None
        }
        Err(panicked) => {
            failed(&to.handle, facts.target.pid, &panicked);
            None
        }
    }
}

/// Keeps the capture of a process whose goroutines seemed to leak if they do; says what came of it in any
/// case.
fn leaking(decoded: &Decoded, times: &Times, to: &Destination) {
    let target = &decoded.facts.target;
    let judged = guarded(NAME, || {
        let told = Told::alone(&decoded.facts);
        (leaks::found(&told).map(|(_, group)| group.count), told.diagnosis.goroutines.tiers)
    });
    let (leaked, tiers) = judged.unwrap_or_default();
    to.handle.leak_judged(target.pid, &target.service, leaked);
    if leaked.is_none() {
        return tracing::info!(
            pid = target.pid,
            service = target.service,
            stopped_ms = ms(times.stopped),
            proved = tiers.of(Tier::Proved),
            suspect = tiers.of(Tier::Suspect),
            no_graph = decoded.facts.capture.gaps.iter().find(|g| g.what == HEAP_GRAPH).map(|g| g.why.as_str()),
            event = "no-leak",
            "goroutines grew in number, and no leak was found: the capture is thrown away"
        );
    }
    if let Some(stored) = stored(decoded, times, to, |form| put(decoded, &to.archive, form)) {
        leaks::say(&stored.told, &stored.path);
        to.tell(&stored);
    }
}

/// A capture is lost.
fn failed(handle: &Handle, pid: i32, why: &dyn fmt::Display) {
    handle.count(|c| c.captures_failed += 1);
    tracing::error!(pid, event = "capture-failed", "a capture could not be written: {why:#}");
}

/// Milliseconds for the log, to the microsecond.
fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc::{Sender, channel};

    use lastgasp_capture::retention::Quota;
    use lastgasp_diagnosis::Facts;
    use lastgasp_recorder::daemon::{Daemon, Settings};
    use lastgasp_store::Rules;

    use super::*;
    use crate::graph_limits::GraphLimits;

    fn facts() -> Decoded {
        let mut facts = Facts { schema: lastgasp_diagnosis::facts::SCHEMA.into(), ..Facts::default() };
        facts.target.pid = 7;
        facts.target.service = "svc".into();
        Decoded { facts, monotonic_ns: 1, unix_ns: 1_700_000_000_000_000_000 }
    }

    const MS: Duration = Duration::from_millis(1);

    /// Evidence whose decoding panics so many times.
    struct Bad {
        panics: Cell<usize>,
        reduced: Option<String>,
    }

    impl Evidence for &mut Bad {
        fn pid(&self) -> i32 {
            7
        }

        fn decode(&self) -> Result<Decoded, String> {
            let left = self.panics.get();
            self.panics.set(left.saturating_sub(1));
            assert_eq!(left, 0, "made to");
            Ok(facts())
        }

        fn reduce(&mut self, why: &str) {
            self.reduced = Some(why.into());
        }
    }

    fn to(store: &std::path::Path) -> Destination {
        let rules = Rules { quota: Quota { bytes: 1 << 30, captures: 9 }, full_per_cause: 9, cause_window_ms: 1000 };
        Destination {
            archive: Arc::new(Archive::open(store, rules)),
            recent: Arc::default(),
            handle: Daemon::new(Settings::default(), channel().0).unwrap().handle(),
            webhooks: Arc::default(),
            graph_limits: GraphLimits::new(lastgasp_worker::Limits::of_a_graph(1 << 30, MS)),
            counts: Arc::default(),
        }
    }

    /// Whole, light and failed captures so far.
    fn counted(to: &Destination) -> (u64, u64, u64) {
        let mut seen = (0, 0, 0);
        to.handle.count(|c| seen = (c.captures_full, c.captures_light, c.captures_failed));
        seen
    }

    #[test]
    fn what_decoding_stumbles_over_is_decoded_with_less_or_counted() {
        let store = tempfile::tempdir().unwrap();
        let to = to(store.path());
        for (panics, decodes, reduced) in [(0, true, false), (1, true, true), (2, false, true)] {
            let mut bad = Bad { panics: Cell::new(panics), reduced: None };
            assert_eq!(decoded(&mut bad, &to.handle).is_some(), decodes);
            assert_eq!(bad.reduced.as_ref().is_some_and(|why| why.contains("made to")), reduced, "{:?}", bad.reduced);
        }
        assert_eq!(counted(&to), (0, 0, 1));
    }

    /// A panic while it is judged or written: once more, light; then it is counted as failed.
    #[test]
    fn what_writing_stumbles_over_is_written_light_or_counted() {
        let store = tempfile::tempdir().unwrap();
        let (to, decoded) = (to(store.path()), facts());
        let now = Times { began: Instant::now(), answered: MS, detected: MS, stopped: MS };
        for panics in 0..3 {
            let tried = Cell::new(0);
            let stored = stored(&decoded, &now, &to, |form| {
                tried.set(tried.get() + 1);
                assert!(tried.get() > panics, "made to");
                put(&decoded, &to.archive, form)
            });
            stored.iter().for_each(|stored| to.tell(stored));
        }
        assert_eq!(counted(&to), (1, 1, 1));
        let lights: Vec<bool> = to.recent.all().iter().map(|c| c.light).collect();
        assert_eq!((lights, to.archive.size().0), (vec![true, false], 2), "newest first");
    }

    /// Whatever becomes of one piece of work, both threads go on to the next.
    #[test]
    fn writers_outlive_panics() {
        let (vital, (queue, work)) = (VitalThreads::default(), channel());
        let (done, all): (Sender<i32>, _) = channel();
        let writers = CaptureWriters::start_with(
            work,
            &vital,
            |_| (),
            move |job: i32, ()| {
                assert!(job % 2 == 0, "made to");
                let _ = done.send(job);
            },
        );
        (0..20).for_each(|job| queue.send(job).unwrap());
        drop(queue);
        writers.unwrap().finish();
        assert_eq!(all.iter().count(), 10);
        assert!(vital.problems().is_empty());
    }
}
