//! `lastgasp capture PID|CORE`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lastgasp_agent::provenance;
use lastgasp_capture::Writer;
use lastgasp_decode::decode;
use lastgasp_goruntime::Extent;
use lastgasp_observe::core::take_core;
use lastgasp_observe::kernel::cgroup::Mounts;
use lastgasp_observe::kernel::limit::LimitUsage;
use lastgasp_observe::kernel::machine::Machine;
use lastgasp_observe::raw_capture::{Phase, RawCapture, Reason};
use lastgasp_observe::target::Target;
use lastgasp_observe::target::runtime_cache::RuntimeCache;
use lastgasp_observe::target::timeline::{PROFILING_ON, Sample, Timeline};
use lastgasp_recorder::journal;
use lastgasp_recorder::profiling::{Profiling, RATE};
use lastgasp_recorder::stop::{STOP_TIMEOUT_ON_DEMAND, Stopper};
use lastgasp_recorder::take::{CaptureContext, take};
use lastgasp_store::write;

use crate::exit::Exit;
use crate::output::{complain, say};

/// Whether a process stands still while it is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// For the milliseconds of the copy, which is then of one moment.
    ForTheCopy,
    /// It runs on.
    Never,
}

/// Takes a capture and prints its path.
pub(super) fn capture(
    subject: &str,
    exe: Option<&Path>,
    out: &Path,
    stop: Stop,
    enable_profiling: Option<u64>,
) -> Result<Exit> {
    for line in lastgasp_capture::recover(out) {
        complain(&format!("lastgasp: {line}"));
    }
    for line in journal::recover(out) {
        complain(&format!("lastgasp: {line}"));
    }
    let new = !out.exists();
    probe(out)?;
    let taken = match enable_profiling {
        Some(seconds) => pid_of(subject).and_then(|p| take_profiled(p, out, stop, Duration::from_secs(seconds))),
        None => take_subject(subject, exe, stop),
    };
    if taken.is_err() && new {
        // Nothing was taken: nothing is left behind. A journal that is kept stays, and its folder with it.
        let _ = std::fs::remove_dir(out);
    }
    let taken = taken?;
    let decoded = decode(&taken, &provenance());
    // Its bytes have been read: a large process's are tens of megabytes.
    drop(taken);
    let path = write(out, &decoded)?;
    let gaps = &decoded.facts.capture.gaps;
    for gap in gaps {
        complain(&format!("lastgasp: missing: {}: {}", gap.what, gap.why));
    }
    say(&format!("{}\n", path.display()));
    Ok(if gaps.is_empty() { Exit::Fine } else { Exit::Partial })
}

/// A capture is begun in the store and dropped, before anybody is stopped for one that could not be written.
fn probe(store: &Path) -> Result<()> {
    let writer = Writer::create(store, "probe");
    writer.map(drop).with_context(|| {
        format!("nothing was taken: no capture can be written to {}: give another folder with --out", store.display())
    })
}

/// Copies a process as it is now, or what a core file holds of one.
pub(super) fn take_subject(subject: &str, exe: Option<&Path>, stop: Stop) -> Result<RawCapture> {
    let path = Path::new(subject);
    match subject.parse::<i32>() {
        // A file with a number for its name is meant as `./4711`.
        Ok(pid) if pid > 0 => take_now(pid, stop),
        _ if path.is_file() => Ok(take_core(path, exe)?),
        _ => bail!("{subject} is neither a process number nor a core file"),
    }
}

fn pid_of(subject: &str) -> Result<i32> {
    match subject.parse() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => bail!("--enable-profiling needs a process number: {subject} is none"),
    }
}

/// Switches the memory profile on, waits, copies, switches it off.
fn take_profiled(pid: i32, store: &Path, stop: Stop, wait: Duration) -> Result<RawCapture> {
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
    let taken = take_target(target, stop, timeline);
    drop(on);
    Ok(taken)
}

/// Copies a process as it is now.
fn take_now(pid: i32, stop: Stop) -> Result<RawCapture> {
    let began = Instant::now();
    let target = Target::attach(pid, &Mounts::detect(), &RuntimeCache::of_user())?;
    // `cargo xtask real` reads this line.
    tracing::debug!(us = began.elapsed().as_micros() as u64, "located");
    Ok(take_target(target, stop, Timeline::default()))
}

fn take_target(mut target: Target, stop: Stop, mut timeline: Timeline) -> RawCapture {
    let (pid, mounts) = (target.process.pid(), Mounts::detect());
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
        patience: STOP_TIMEOUT_ON_DEMAND,
    };
    let stopper = Stopper::by_ptrace();
    let mut taken = take(&target, (stop == Stop::ForTheCopy).then_some(&stopper), around);
    if !target.process.is_alive() {
        taken.evidence.gaps.push(lastgasp_goruntime::Gap::new("some of it", "the process ended while it was copied"));
    }
    taken
}
