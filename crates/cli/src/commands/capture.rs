//! `lastgasp capture PID`.

use std::path::Path;

use anyhow::Result;
use lastgasp_recorder::cgroup::Mounts;
use lastgasp_recorder::gauge::Gauge;
use lastgasp_recorder::locations::Locations;
use lastgasp_recorder::sampler::{Sample, Timeline};
use lastgasp_recorder::stop::Stopper;
use lastgasp_recorder::take::{Circumstances, Phase, Reason, Taken, take};
use lastgasp_recorder::target::Target;

use super::{complain, say};
use crate::decode::decode;
use crate::exit::Exit;
use crate::seal::seal;

/// Takes a capture and prints its path.
pub(super) fn capture(pid: i32, out: &Path, no_stop: bool) -> Result<Exit> {
    for line in lastgasp_capture::recover(out) {
        complain(&format!("lastgasp: {line}"));
    }
    let decoded = decode(&take_now(pid, !no_stop)?);
    let path = seal(out, &decoded)?;
    let gaps = &decoded.facts.capture.gaps;
    for (what, why) in gaps {
        complain(&format!("lastgasp: missing: {what}: {why}"));
    }
    say(&format!("{}\n", path.display()));
    Ok(if gaps.is_empty() { Exit::Fine } else { Exit::Partial })
}

/// Copies a process as it is now.
pub(super) fn take_now(pid: i32, stop: bool) -> Result<Taken> {
    let mounts = Mounts::detect();
    let target = Target::attach(pid, &mounts, &Locations::of_user())?;
    let gauge = Gauge::of(pid, target.process.rss().unwrap_or(0), None, None, &mounts);
    let mut timeline = Timeline::default();
    if let Some(gauges) = target.gauges() {
        let rss = target.process.rss().unwrap_or(0);
        timeline.push(Sample {
            t_ms: timeline.now_ms(),
            usage: gauge.usage(rss),
            rss,
            heap_live: gauges.heap_live,
            goroutines: gauges.goroutine_slots,
            gc_cycles: gauges.gc_cycles,
        });
    }
    let around = Circumstances {
        phase: Phase::Manual,
        reason: Reason::Manual,
        timeline: &timeline,
        limit: gauge.limit,
        last_usage: target.process.usage().map(|u| (u, 0)),
    };
    let mut stopper = Stopper::Ptrace;
    let mut taken = take(&target, stop.then_some(&mut stopper), around);
    if !target.process.is_alive() {
        taken.evidence.gaps.push(lastgasp_goruntime::Gap::new("some of it", "the process ended while it was copied"));
    }
    Ok(taken)
}
