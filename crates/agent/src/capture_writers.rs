//! Threads that decode raw captures and write them to the store, while the watch goes on. Two, so that one
//! decodes while the other waits for the disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use lastgasp_decode::decode;
use lastgasp_diagnosis::cause;
use lastgasp_diagnosis::diagnose;
use lastgasp_recorder::daemon::{Captured, Handle};
use lastgasp_recorder::own_process::{give_back_freed_memory, run_before_others};
use lastgasp_store::{Archive, Form};

use crate::provenance::provenance;
use crate::recent_captures::{RecentCapture, RecentCaptures};
use crate::webhook::{Webhooks, event};

const THREADS: usize = 2;

/// Who is told of captures, and where they are written to.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) archive: Arc<Archive>,
    pub(crate) recent: Arc<RecentCaptures>,
    pub(crate) handle: Handle,
    pub(crate) webhooks: Arc<Mutex<Webhooks>>,
}

/// Running threads.
#[derive(Debug)]
pub struct CaptureWriters(Vec<JoinHandle<()>>);

impl CaptureWriters {
    /// Starts the threads.
    pub(crate) fn start(captured: Receiver<Captured>, to: Destination) -> std::io::Result<Self> {
        let captured = Arc::new(Mutex::new(captured));
        let busy = Arc::new(AtomicUsize::new(0));
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let (captured, busy, to) = (Arc::clone(&captured), Arc::clone(&busy), to.clone());
            let thread = std::thread::Builder::new().name("capture-writer".into());
            threads.push(thread.spawn(move || {
                // What is not on disk yet may be lost with the node; to decode and write it takes some 20 ms
                // of a processor.
                run_before_others();
                loop {
                    let next = captured.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(next) = next else { return };
                    busy.fetch_add(1, Ordering::Relaxed);
                    write(next, &to);
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

fn write(captured: Captured, to: &Destination) {
    let Destination { archive, recent, handle, webhooks } = to;
    let Captured { raw, began, answered, detected, share } = captured;
    let stopped = raw.stopped;
    let decoded = decode(&raw, &provenance());
    // Its bytes have been read: others may be taken in their place.
    drop((raw, share));
    let diagnosis = diagnose(&decoded.facts);
    match archive.put(&decoded, &diagnosis) {
        Ok((path, form)) => {
            let light = form == Form::Light;
            let written = began.elapsed();
            handle.count(|c| {
                c.captures_full += u64::from(!light);
                c.captures_light += u64::from(light);
                c.evidence_seconds.add(written);
            });
            let facts = &decoded.facts;
            tracing::info!(
                pid = facts.target.pid,
                service = facts.target.service,
                phase = facts.capture.phase.name(),
                light,
                detect_ms = ms(detected),
                answer_ms = ms(answered),
                stopped_ms = ms(stopped),
                evidence_ms = ms(written),
                capture = %path.display(),
                event = "captured",
                "captured: {}",
                diagnosis.verdict().map_or("nothing found", |f| f.sentence.as_str())
            );
            recent.add(RecentCapture {
                pid: facts.target.pid,
                service: facts.target.service.clone(),
                phase: facts.capture.phase.to_string(),
                taken_at: facts.capture.taken_at.clone(),
                light,
                path: path.clone(),
                verdict: diagnosis.verdict().map(|v| (v.code, v.sentence.clone())),
            });
            let event = event(facts, &diagnosis, &cause(facts, &diagnosis), &path, form);
            webhooks.lock().unwrap_or_else(PoisonError::into_inner).send(&event);
        }
        Err(e) => {
            handle.count(|c| c.captures_failed += 1);
            tracing::error!(
                pid = decoded.facts.target.pid,
                event = "capture-failed",
                "a capture could not be written: {e:#}"
            );
        }
    }
}

/// Milliseconds for the log, to the microsecond.
fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
