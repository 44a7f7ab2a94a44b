//! Taking evidence: stop, copy, go. What comes out is bytes and a few numbers; decoding them is the caller's
//! business, later.

use std::time::{Duration, Instant, SystemTime};

use lastgasp_goruntime::{Evidence, Gap, SpanTable};
use lastgasp_inferior::{Memory, Resident, ThreadRegisters, Usage};
use lastgasp_observe::kernel::cgroup::{Cgroup, Mounts};
use lastgasp_observe::raw_capture::{Binary, Extent, Phase, RawCapture, Reason, Spans};
use lastgasp_observe::target::timeline::Timeline;
use lastgasp_observe::target::{COPY_CAP, Target};

use super::deadline::{Deadline, LONGEST_COPY, LONGEST_COPY_ON_DEMAND};
use crate::act::stop::Stopper;

/// What the caller knows around the copy.
#[derive(Debug)]
pub struct CaptureContext<'a> {
    /// How much to take.
    pub extent: Extent,
    /// Before or after the kill.
    pub phase: Phase,
    /// Why.
    pub reason: Reason,
    /// The watch so far.
    pub timeline: &'a Timeline,
    /// The limit that applies, and where it stands.
    pub limit: Option<(u64, String)>,
    /// Memory use as last seen alive, and when: for a dead target, which has none.
    pub last_usage: Option<(Usage, u64)>,
    /// How long the last thread is waited for where the target is stopped: `STOP_TIMEOUT_*` in `act/stop.rs`.
    pub patience: Duration,
}

/// Takes evidence of `target`, stopping it if a way is given.
#[must_use]
pub fn take(target: &Target, stopper: Option<&Stopper>, context: CaptureContext<'_>) -> RawCapture {
    // All memory that the copy needs is there before the target stands still.
    let mut evidence = match context.extent {
        Extent::Whole => Evidence::with_room(&target.runtime, &target.plan, &*target.process, COPY_CAP),
        Extent::Profile => Evidence::with_room_for_profile(&target.plan, COPY_CAP),
    };
    let mut registers = Vec::new();
    let mut spans = None;
    let mut stood_still = false;
    let mut stopped_for = Duration::ZERO;
    let monotonic_ns = Some(monotonic_ns());
    let t_ms = context.timeline.now_ms();
    match stopper {
        Some(stopper) => {
            let started = Instant::now();
            let on_demand = context.phase == Phase::Manual;
            let mut stopped = stopper.stop(target.process.pid(), context.patience);
            registers = std::mem::take(&mut stopped.registers);
            let longest = if on_demand { LONGEST_COPY_ON_DEMAND } else { LONGEST_COPY };
            let memory = Deadline::new(&*target.process, started + longest);
            copy(&mut evidence, target, &memory, context.extent, &registers);
            if spans_in_the_stop(target, context.phase) {
                spans = SpanTable::read(&target.runtime, &memory, &mut evidence.gaps);
            }
            if memory.was_missed() {
                let why = format!("the copy was cut off after {} ms: the target must run on", longest.as_millis());
                evidence.gaps.push(Gap::new("standstill", why));
            }
            let trouble = stopped.trouble.take();
            let to_the_end = stopped.still_holds();
            if stopped.held_at_all() && !to_the_end {
                evidence.gaps.push(Gap::new(
                    "standstill",
                    "the copy took longer than a target may be held: it ran on before the end",
                ));
            }
            stood_still = to_the_end && trouble.is_none();
            let held = stopped.held_at_all();
            drop(stopped);
            stopped_for = if held { started.elapsed() } else { Duration::ZERO };
            evidence.gaps.extend(trouble.map(|why| Gap::new("standstill", why)));
        }
        None => {
            copy(&mut evidence, target, &*target.process, context.extent, &[]);
            if context.phase != Phase::PostKill {
                evidence.gaps.push(Gap::new("standstill", "the target ran on while it was copied"));
            }
        }
    }
    let running = !(spans.is_some() && stood_still) && context.phase != Phase::PostKill;
    let hurried = context.phase != Phase::Manual;
    let mut spans = spans.or_else(|| spans_afterwards(target, context.phase, &mut evidence.gaps));
    if let Some(table) = &mut spans {
        table.name_types(&target.runtime, &*target.process);
    }
    // The dead are in no group any more.
    let group =
        (context.phase != Phase::PostKill).then(|| Cgroup::of(target.process.pid(), &Mounts::detect())).flatten();
    let charge = group.and_then(|c| c.charge());
    let usage = target.process.usage().map(|u| (u, t_ms)).or(context.last_usage);
    evidence.finish();
    RawCapture {
        phase: context.phase,
        reason: context.reason,
        at: SystemTime::now(),
        t_ms,
        identity: target.identity.clone(),
        runtime: target.runtime.clone(),
        binary: Binary::of(target.process.loaded()),
        bytes_copied: evidence.snapshot.len() as u64,
        evidence,
        registers,
        usage,
        spans: spans.map(|table| Spans { table, running }),
        residency: residency(target, hurried, usage),
        charge,
        limit: context.limit,
        stopped: stopped_for,
        timeline: context.timeline.clone(),
        baselines: target.baselines.clone(),
        monotonic_ns,
    }
}

fn copy(evidence: &mut Evidence, target: &Target, memory: &dyn Memory, extent: Extent, registers: &[ThreadRegisters]) {
    match extent {
        Extent::Whole => evidence.copy_with(&target.runtime, &target.plan, memory, registers),
        Extent::Profile => {
            evidence.copy_profile(&target.runtime, &target.plan, memory);
            evidence.gaps.push(Gap::new("goroutines", "many died at once: the memory profile alone was copied"));
        }
    }
}

/// Whether the span table is to be read while the target stands still. Where no profile is kept it is the
/// best evidence there is; where somebody asks for a capture of a service that is well, a few milliseconds
/// more are worth an exact one. Else it can wait until the target runs again.
fn spans_in_the_stop(target: &Target, phase: Phase) -> bool {
    /// Some 20 ms to read: spans of 2 GB of small objects.
    const MAX_SPANS_WITHOUT_A_PROFILE: u64 = 1 << 18;
    /// Some 5 ms.
    const MAX_SPANS_ON_DEMAND: u64 = 1 << 16;
    let spans = SpanTable::count(&target.runtime, &*target.process).unwrap_or(u64::MAX);
    let profiled = !target.is_unprofiled();
    spans <= MAX_SPANS_WITHOUT_A_PROFILE && (!profiled || (phase == Phase::Manual && spans <= MAX_SPANS_ON_DEMAND))
}

/// The span table, read when the target runs again or is dead. Around a kill the loop that calls us has two
/// seconds at most: of a heap of very many spans the other evidence must do.
///
/// Of a dead program that keeps a profile it is an extra, read last: where the kernel takes the memory away
/// under it (seen on a starved machine, two seconds after the kill) there is none, and the report says so,
/// but the evidence that names the culprit is whole.
fn spans_afterwards(target: &Target, phase: Phase, gaps: &mut Vec<Gap>) -> Option<SpanTable> {
    /// Some 0.1 s to read: spans of 8 GB of small objects.
    const MAX_AROUND_A_KILL: u64 = 1 << 20;
    let spans = SpanTable::count(&target.runtime, &*target.process).unwrap_or(0);
    if phase != Phase::Manual && spans > MAX_AROUND_A_KILL {
        gaps.push(Gap::new("span table", format!("{spans} spans: too many to read around a kill")));
        return None;
    }
    let unprofiled = target.is_unprofiled();
    let mut lost = Vec::new();
    let table = SpanTable::read(&target.runtime, &*target.process, &mut lost);
    if phase == Phase::PostKill && !unprofiled && !lost.is_empty() {
        return None;
    }
    gaps.append(&mut lost);
    table
}

/// What of each mapping is resident: the kernel walks the page tables for it, some milliseconds per gigabyte.
fn residency(target: &Target, hurried: bool, usage: Option<(Usage, u64)>) -> Option<Vec<Resident>> {
    const MAX_AROUND_A_KILL: u64 = 16 << 30;
    let large = usage.is_some_and(|(u, _)| u.rss > MAX_AROUND_A_KILL);
    if hurried && large { None } else { target.process.residency() }
}

fn monotonic_ns() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| t.tv_sec().unsigned_abs() * 1_000_000_000 + t.tv_nsec().unsigned_abs())
}
