//! `lastgasp capture PID|CORE`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_agent::provenance;
use lastgasp_capture::Writer;
use lastgasp_decode::Provenance;
use lastgasp_goruntime::Extent;
use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::raw_capture::{MemoryMap, Phase, Reason, Source};
use lastgasp_observe::target::Target;
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use lastgasp_observe::target::timeline::{PROFILING_ON, Sample, Timeline};
use lastgasp_recorder::journal;
use lastgasp_recorder::profiling::{Profiling, RATE};
use lastgasp_recorder::stop::{STOP_TIMEOUT_ON_DEMAND, Stopper};
use lastgasp_recorder::take::{CaptureContext, take};
use lastgasp_store::{Form, KeepMemory, Told, write_keeping};

use super::heap::{Keep, take_with_heap};
use super::stop::Stop;
use super::subject::{Subject, Taken, of_core};
use crate::args::{HeapFlags, KeepFlags};
use crate::exit::Exit;
use crate::output::{complain, say};

/// How the heap is read as a graph, and where its memory is kept if it is to be.
type Heap<'a> = (&'a HeapFlags, Option<&'a Path>);

/// Takes a capture and prints its path.
pub(super) fn capture(
    subject: &str,
    exe: Option<&Path>,
    out: &Path,
    stop: Stop,
    enable_profiling: Option<u64>,
    heap: &HeapFlags,
    keep: &KeepFlags,
) -> Result<Exit> {
    let heap = heap.heap.then_some((heap, keep.keep_memory.then_some(out)));
    for line in lastgasp_capture::recover(out) {
        complain(&format!("lastgasp: {line}"));
    }
    for line in journal::recover(out) {
        complain(&format!("lastgasp: {line}"));
    }
    let new = !out.exists();
    probe(out)?;
    let taken = match enable_profiling {
        Some(seconds) => pid_of(subject).and_then(|p| take_profiled(p, out, stop, Duration::from_secs(seconds), heap)),
        None => Subject::of_evidence(subject).and_then(|s| take_subject_with(&s, exe, stop, heap)),
    };
    if taken.is_err() && new {
        // Nothing was taken: nothing is left behind. A journal that is kept stays, and its folder with it.
        let _ = std::fs::remove_dir(out);
    }
    let taken = taken?;
    let provenance = provenance_of(&taken);
    let decoded = taken.decoded(&provenance);
    let written = if keep.keep_memory {
        let Taken { raw, source, .. } = &taken;
        let memory =
            KeepMemory { raw, kernel: &provenance.kernel, source: source.as_ref(), max_bytes: keep.keep_memory_max };
        write_keeping(out, &decoded, &Told::alone(&decoded.facts), Form::Whole, Some(&memory))?
    } else {
        // Its bytes have been read: a large process's are tens of megabytes.
        drop(taken);
        write_keeping(out, &decoded, &Told::alone(&decoded.facts), Form::Whole, None)?
    };
    let gaps = &decoded.facts.capture.gaps;
    let said = gaps.iter().map(|g| (&g.what, &g.why));
    for (what, why) in said.chain(written.gaps.iter().map(|g| (&g.what, &g.why))) {
        complain(&format!("lastgasp: missing: {what}: {why}"));
    }
    say(&format!("{}\n", written.path.display()));
    Ok(if gaps.is_empty() && written.gaps.is_empty() { Exit::Fine } else { Exit::Partial })
}

/// Of evidence that was saved by another lastgasp on another machine, that one's.
pub(super) fn provenance_of(taken: &Taken) -> Provenance {
    taken.provenance.clone().unwrap_or_else(provenance)
}

/// A capture is begun in the store and dropped, before anybody is stopped for one that could not be written.
fn probe(store: &Path) -> Result<()> {
    let writer = Writer::create(store, "probe");
    writer.map(drop).with_context(|| {
        format!("nothing was taken: no capture can be written to {}: give another folder with --out", store.display())
    })
}

/// Copies a process as it is now, or what a core file holds of one.
pub(super) fn take_subject(subject: &Subject, exe: Option<&Path>, stop: Stop) -> Result<Taken> {
    take_subject_with(subject, exe, stop, None)
}

pub(super) fn take_subject_with(
    subject: &Subject,
    exe: Option<&Path>,
    stop: Stop,
    heap: Option<Heap<'_>>,
) -> Result<Taken> {
    match subject {
        Subject::Pid(pid) => take_now(*pid, stop, heap),
        Subject::Core(path) => of_core(path, exe),
        Subject::Capture(path) => bail!("{} is neither a process number nor a core file", path.display()),
    }
}

fn pid_of(subject: &str) -> Result<i32> {
    match subject.parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => bail!("--enable-profiling needs a process number: {subject} is none"),
    }
}

/// Switches the memory profile on, waits, copies, switches it off.
fn take_profiled(pid: i32, store: &Path, stop: Stop, wait: Duration, heap: Option<Heap<'_>>) -> Result<Taken> {
    let target = Target::attach(pid, &Mounts::detect(), &RuntimeCache::of_user())?;
    let mut timeline = Timeline::default();
    // Should we be killed meanwhile, its watchdog switches it off.
    let on = Profiling::enable(&target, store, wait + Duration::from_secs(5))?;
    timeline
        .note(PROFILING_ON, "the memory profile was switched on by lastgasp: what was allocated before has no site");
    complain(&format!(
        "lastgasp: --enable-profiling: wrote {RATE} to runtime.MemProfileRate of process {pid} (at {}); back to 0 in {} s",
        on.addr(),
        wait.as_secs()
    ));
    let until = Instant::now() + wait;
    while Instant::now() < until && target.process.is_alive() {
        std::thread::sleep(Duration::from_millis(20));
    }
    // Before it is switched off: a capture shows the rate that its samples were taken with.
    let taken = take_target(target, stop, timeline, heap);
    drop(on);
    taken
}

/// Copies a process as it is now.
fn take_now(pid: i32, stop: Stop, heap: Option<Heap<'_>>) -> Result<Taken> {
    let began = Instant::now();
    let target = Target::attach(pid, &Mounts::detect(), &RuntimeCache::of_user())?;
    // `cargo xtask real` reads this line.
    tracing::debug!(us = began.elapsed().as_micros() as u64, "located");
    take_target(target, stop, Timeline::default(), heap)
}

fn take_target(mut target: Target, stop: Stop, mut timeline: Timeline, heap: Option<Heap<'_>>) -> Result<Taken> {
    let (pid, mounts) = (target.process.pid(), Mounts::detect());
    // While it lives: asked for if its memory is to be kept.
    let map = MemoryMap::open(&target.process);
    target.refresh();
    let mut limit_usage =
        LimitUsage::of(pid, target.process.rss().unwrap_or(0), None, None, &mounts, &Machine::detect());
    if let Some(gauges) = target.gauges() {
        let rss = target.process.rss().unwrap_or(0);
        timeline.push(Sample::of(timeline.now_ms(), limit_usage.usage(|| rss), rss, &gauges));
    }
    let around = CaptureContext {
        extent: Extent::Whole,
        phase: Phase::Manual,
        reason: Reason::Manual,
        timeline: &timeline,
        limit: limit_usage.limit.clone(),
        last_usage: target.process.usage().map(|u| (u, 0)),
        last_gauges: None,
        last_neighbours: None,
        group: limit_usage.limiting(),
        places: None,
        patience: STOP_TIMEOUT_ON_DEMAND,
        only_copy: true,
    };
    let mut kept = None;
    let (mut raw, graph) = match heap {
        Some((flags, folder)) => {
            let keep = map.as_ref().ok().zip(folder).map(|(map, folder)| Keep { map, folder });
            let (raw, graph, still) = take_with_heap(&target, stop, around, flags, keep)?;
            kept = still;
            (raw, Some(graph))
        }
        None => {
            let stopper = Stopper::by_ptrace();
            (take(&target, (stop == Stop::ForTheCopy).then_some(&stopper), around), None)
        }
    };
    if !target.process.is_alive() {
        raw.evidence.gaps.push(lastgasp_goruntime::Gap::new("some of it", "the process ended while it was copied"));
    }
    let running = || map.ok().map(|map| Source::running(Arc::clone(&target.process), Arc::new(map)));
    let source = kept.or_else(running);
    Ok(Taken { raw, source, provenance: None, graph })
}
