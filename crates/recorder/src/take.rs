//! Taking evidence: stop, copy, go. What comes out is bytes and a few numbers; decoding them is the caller's business, later.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lastgasp_goruntime::{Evidence, Gap, Runtime};
use lastgasp_inferior::{LiveProcess, ThreadRegisters, Usage};

use crate::sampler::Timeline;
use crate::stop::Stopper;
use crate::target::{Baseline, COPY_CAP, Identity, Target};

/// Before or after a kill, or at somebody's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The target lived.
    PreKill,
    /// The target was dead, its memory held by the pin.
    PostKill,
    /// A capture that somebody asked for.
    Manual,
}

/// What made us take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The forecast said that memory is about to be used up.
    Forecast,
    /// The kernel's OOM killer.
    OomKill,
    /// A SIGKILL that the cgroup did not count as an OOM kill.
    Killed,
    /// Somebody asked.
    Manual,
}

/// Evidence, taken.
#[derive(Debug)]
pub struct Taken {
    /// Before or after the kill.
    pub phase: Phase,
    /// Why it was taken.
    pub reason: Reason,
    /// When.
    pub at: SystemTime,
    /// When, on the timeline's clock.
    pub t_ms: u64,
    /// Who.
    pub identity: Identity,
    /// Located runtime.
    pub runtime: Runtime,
    /// The process, for its executable's file.
    pub process: Arc<LiveProcess>,
    /// The copy.
    pub evidence: Evidence,
    /// Registers of its threads.
    pub registers: Vec<ThreadRegisters>,
    /// Its memory use, and when that was read on the timeline's clock.
    pub usage: Option<(Usage, u64)>,
    /// The limit that applies, and where it stands.
    pub limit: Option<(u64, String)>,
    /// How long the target stood still; zero if it was dead or could not be stopped.
    pub stopped: Duration,
    /// The watch so far.
    pub timeline: Timeline,
    /// Calmer times.
    pub baselines: Vec<Baseline>,
    /// `CLOCK_MONOTONIC` at the copy, which the runtime's clock is.
    pub monotonic_ns: u64,
}

/// What the caller knows around the copy.
#[derive(Debug)]
pub struct Circumstances<'a> {
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
}

/// Takes evidence of `target`, stopping it if a way is given.
#[must_use]
pub fn take(target: &Target, stopper: Option<&mut Stopper>, around: Circumstances<'_>) -> Taken {
    // All memory that the copy needs is there before the target stands still.
    let mut evidence = Evidence::with_room(&target.runtime, &target.plan, COPY_CAP);
    let mut registers = Vec::new();
    let mut stopped_for = Duration::ZERO;
    let monotonic_ns = monotonic_ns();
    let t_ms = around.timeline.now_ms();
    match stopper {
        Some(stopper) => {
            let started = Instant::now();
            let mut stopped = stopper.stop(target.process.pid());
            registers = std::mem::take(&mut stopped.registers);
            evidence.copy_with(&target.runtime, &target.plan, &*target.process, &registers);
            let trouble = stopped.trouble.take();
            if !stopped.still_holds() {
                evidence.gaps.push(Gap::new(
                    "standstill",
                    "the copy took longer than a target may be held: it ran on before the end",
                ));
            }
            drop(stopped);
            stopped_for = started.elapsed();
            evidence.gaps.extend(trouble.map(|why| Gap::new("standstill", why)));
        }
        None => {
            evidence.copy(&target.runtime, &target.plan, &*target.process);
            if around.phase != Phase::PostKill {
                evidence.gaps.push(Gap::new("standstill", "the target ran on while it was copied"));
            }
        }
    }
    let usage = target.process.usage().map(|u| (u, t_ms)).or(around.last_usage);
    evidence.finish();
    Taken {
        phase: around.phase,
        reason: around.reason,
        at: SystemTime::now(),
        t_ms,
        identity: target.identity.clone(),
        runtime: target.runtime.clone(),
        process: Arc::clone(&target.process),
        evidence,
        registers,
        usage,
        limit: around.limit,
        stopped: stopped_for,
        timeline: around.timeline.clone(),
        baselines: target.baselines.clone(),
        monotonic_ns,
    }
}

fn monotonic_ns() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| t.tv_sec().unsigned_abs() * 1_000_000_000 + t.tv_nsec().unsigned_abs())
}
