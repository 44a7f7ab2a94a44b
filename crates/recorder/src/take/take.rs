//! Taking evidence: stop, copy, go. What comes out is bytes and a few numbers; decoding them is the caller's
//! business, later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_goruntime::{CopySource, Evidence, Extent, Gap, MemStats, SpanTable};
use lastgasp_inferior::{Memory, ThreadRegisters, Usage, clock_ticks};
use lastgasp_observe::kernel::cgroup::{Cgroup, Mounts};
use lastgasp_observe::kernel::neighbours::Neighbours;
use lastgasp_observe::raw_capture::{NOTHING_COPIED, Phase, RawCapture, Reason, Spans};
use lastgasp_observe::stillness::Stillness;
use lastgasp_observe::target::timeline::Timeline;
use lastgasp_observe::target::{COPY_CAP, Target};

use super::deadline::{Deadline, longest_copy};
use super::places::{OfTheDead, Places};
use super::spans;
use crate::act::stop::Stopper;

/// Longest look at the processes that share a group, after the copy.
const LOOK_AT_NEIGHBOURS: Duration = Duration::from_millis(20);

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
    /// The runtime's gauges of that moment.
    pub last_gauges: Option<MemStats>,
    /// Its neighbours as last seen, and when: its group may be gone with it.
    pub last_neighbours: Option<&'a (Neighbours, u64)>,
    /// The group whose limit counts.
    pub group: Option<&'a Cgroup>,
    /// What tells where its pages are when it is dead, as long as its address space is held.
    pub places: Option<&'a Places>,
    /// How long the last thread is waited for where the target is stopped: `STOP_TIMEOUT_*` in `act/stop.rs`.
    pub patience: Duration,
    /// Whether nothing can be read later, should the target die: what comes late is then better than nothing.
    pub only_copy: bool,
}

/// What else is to be done while a target stands still.
type Still<'a> = dyn FnMut(&RawCapture) -> Option<Arc<dyn Memory>> + 'a;

/// Takes evidence of `target`, stopping it if a way is given.
#[must_use]
pub fn take(target: &Target, stopper: Option<&Stopper>, context: CaptureContext<'_>) -> RawCapture {
    take_with(target, stopper, context, None)
}

/// As [`take()`]; when all is copied `still` is given what can be decoded of it, while the target stands
/// still: for more that must be of the same moment. It runs on when that returns, or when the stopper's time
/// is over. Of one that was not stopped nothing is given. If `still` has kept its memory it gives that back:
/// what else belongs to the copy is read there, and is of the same moment.
#[must_use]
pub fn take_and(
    target: &Target,
    stopper: Option<&Stopper>,
    context: CaptureContext<'_>,
    still: &mut Still<'_>,
) -> RawCapture {
    take_with(target, stopper, context, Some(still))
}

fn take_with(
    target: &Target,
    stopper: Option<&Stopper>,
    context: CaptureContext<'_>,
    still: Option<&mut Still<'_>>,
) -> RawCapture {
    let CaptureContext { extent, phase, .. } = context;
    // All memory that the copy needs is there before the target stands still.
    let mut evidence = Evidence::with_room(&target.source(&*target.process, &[]), extent, COPY_CAP);
    let monotonic_ns = Some(monotonic_ns());
    let t_ms = context.timeline.now_ms();
    let Copied { stillness, registers, spans, kept } = match stopper {
        Some(stopper) => copy_in_a_stop(&mut evidence, target, stopper, &context, still),
        None => copy_as_it_is(&mut evidence, target, &context),
    };
    let when = if spans.is_some() { stillness } else { unstopped(phase) };
    let mut spans = spans.or_else(|| spans::read_afterwards(target, phase, &mut evidence.gaps));
    if let Some(table) = &mut spans {
        table.name_types(&target.runtime, &*target.process);
    }
    // The dead are in no group any more; who dies meanwhile seems to be in the root, and what the whole
    // machine uses is none of it (seen: 19.8 GB "charged to the cgroup" of a limit of 157 MB).
    let group = (phase != Phase::PostKill).then(|| Cgroup::of(target.process.pid(), &Mounts::detect())).flatten();
    let charge = group.filter(|c| is_still_in(c, &target.identity.cgroup)).and_then(|c| c.charge());
    let neighbours = neighbours(target, &context);
    let due = is_residency_due(phase, context.last_usage);
    let alive = due.then(|| target.process.residency()).flatten();
    let residency_t_ms = context.timeline.now_ms();
    let (usage, gauges_at_usage, residency) = match target.process.usage() {
        Some(usage) => (Some((usage, residency_t_ms)), target.gauges(), alive),
        None => {
            let arenas = spans.as_ref().map_or(&[][..], |t| t.arenas.as_slice());
            let last = context.last_usage.map(|(u, _)| u);
            let places = context.places.filter(|_| due);
            match places.and_then(|p| p.of_the_dead(arenas, target.runtime.module.variables, last)) {
                Some(OfTheDead::Whole(sum, all)) => (Some((sum, residency_t_ms)), None, Some(all)),
                // The heap is of this moment, and so are the copy's gauges.
                Some(OfTheDead::Heap(now, all)) => (context.last_usage.map(|(_, seen)| (now, seen)), None, Some(all)),
                None => (context.last_usage, context.last_gauges, None),
            }
        }
    };
    evidence.finish();
    if extent == Extent::Whole {
        let began = Instant::now();
        evidence.copy_waits(&target.runtime, kept.as_deref().unwrap_or(&*target.process));
        tracing::debug!(us = began.elapsed().as_micros() as u64, "copied what goroutines wait on");
    }
    let (because, identity, runtime) = ((phase, context.reason), target.identity.clone(), target.runtime.clone());
    RawCapture {
        t_ms,
        registers,
        usage,
        spans: spans.map(|table| Spans::read(table, when)),
        residency,
        residency_t_ms,
        gauges_at_usage,
        age: age(target),
        neighbours,
        charge,
        limit: context.limit,
        timeline: context.timeline.clone(),
        baselines: target.baselines.clone(),
        census: target.census_at_the_capture(context.timeline.now_ms()),
        monotonic_ns,
        ..RawCapture::bare(because, stillness, identity, runtime, target.process.loaded(), evidence)
    }
}

/// What is known of a dead target of which nothing could be copied, and `why`: the watch so far, with what
/// its profile held when it was last looked at. No death is without any folder.
pub(crate) fn from_the_flight_ring(target: &Target, context: CaptureContext<'_>, why: &str) -> RawCapture {
    let mut evidence = Evidence::default();
    evidence.gaps.push(Gap::new(NOTHING_COPIED, why));
    evidence.finish();
    let because = (context.phase, context.reason);
    let (identity, runtime) = (target.identity.clone(), target.runtime.clone());
    RawCapture {
        t_ms: context.timeline.now_ms(),
        usage: context.last_usage,
        gauges_at_usage: context.last_gauges,
        age: age(target),
        neighbours: neighbours(target, &context),
        limit: context.limit,
        timeline: context.timeline.clone(),
        baselines: target.baselines.clone(),
        census: target.census.history().clone(),
        ..RawCapture::bare(because, Stillness::Dead, identity, runtime, target.process.loaded(), evidence)
    }
}

/// What came of a copy beside the bytes.
struct Copied {
    stillness: Stillness,
    registers: Vec<ThreadRegisters>,
    /// The span table, if it was read at once.
    spans: Option<SpanTable>,
    /// All of its memory, if it was kept.
    kept: Option<Arc<dyn Memory>>,
}

/// Stops the target, copies, and lets it go on.
fn copy_in_a_stop(
    evidence: &mut Evidence,
    target: &Target,
    stopper: &Stopper,
    context: &CaptureContext<'_>,
    still: Option<&mut Still<'_>>,
) -> Copied {
    let started = Instant::now();
    let mut stopped = stopper.stop(target.process.pid(), context.patience);
    let longest = longest_copy(context.phase, stopped.letting_go()).min(stopper.longest());
    let registers = std::mem::take(&mut stopped.registers);
    let memory = Deadline::new(&*target.process, started + longest);
    copy(evidence, &target.source(&memory, &registers), context.extent);
    let spans = spans::read_in_the_stop(target, &memory, context.phase, &mut evidence.gaps);
    if memory.was_missed() {
        let why = format!("the copy was cut off after {} ms: the target must run on", longest.as_millis());
        evidence.gaps.push(Gap::new("standstill", why));
    }
    if stopped.threads_not_read > 0 {
        let why = format!("of {} there was no time to ask where they stand", stopped.threads_not_read);
        evidence.gaps.push(Gap::new("threads", why));
    }
    let trouble = stopped.trouble.take();
    // What comes now is no part of the copy.
    let to_the_end = stopped.still_holds();
    let mut kept = None;
    // A third of a large stop went into making the copy readable, for nobody.
    if let Some(still) = still.filter(|_| stopped.held_at_all() && trouble.is_none()) {
        let raw = interim(std::mem::take(evidence), &registers, target, context);
        kept = still(&raw);
        *evidence = raw.evidence;
    }
    let held = stopped.held_at_all();
    let stood = stopped.held();
    drop(stopped);
    let held = held.then_some(stood);
    if held.is_some() && !to_the_end {
        evidence
            .gaps
            .push(Gap::new("standstill", "the copy took longer than a target may be held: it ran on before the end"));
    }
    let stillness = Stillness::of_a_stop(held, to_the_end && trouble.is_none());
    evidence.gaps.extend(trouble.map(|why| Gap::new("standstill", why)));
    Copied { stillness, registers, spans, kept }
}

/// What can be decoded of a copy that is not at its end.
fn interim(
    mut evidence: Evidence,
    registers: &[ThreadRegisters],
    target: &Target,
    context: &CaptureContext<'_>,
) -> RawCapture {
    evidence.finish();
    let because = (context.phase, context.reason);
    let (identity, runtime) = (target.identity.clone(), target.runtime.clone());
    let registers = registers.to_vec();
    RawCapture {
        registers,
        monotonic_ns: Some(monotonic_ns()),
        ..RawCapture::bare(because, Stillness::RanOn, identity, runtime, target.process.loaded(), evidence)
    }
}

/// Copies a target that nobody stops: it runs on, or it is dead.
fn copy_as_it_is(evidence: &mut Evidence, target: &Target, context: &CaptureContext<'_>) -> Copied {
    copy(evidence, &target.source(&*target.process, &[]), context.extent);
    let stillness = unstopped(context.phase);
    if stillness == Stillness::RanOn {
        evidence.gaps.push(Gap::new("standstill", "the target ran on while it was copied"));
    }
    Copied { stillness, registers: Vec::new(), spans: None, kept: None }
}

/// How still a target is that nobody holds.
fn unstopped(phase: Phase) -> Stillness {
    if phase == Phase::PostKill { Stillness::Dead } else { Stillness::RanOn }
}

fn copy(evidence: &mut Evidence, source: &CopySource<'_>, extent: Extent) {
    evidence.copy(source, extent);
    if extent < Extent::Whole {
        evidence.gaps.push(Gap::new("goroutines", "many died at once: the memory profile alone was copied"));
    }
}

/// Whether a process is in a group of its own, or always was in the root.
fn is_still_in(now: &Cgroup, before: &str) -> bool {
    now.path != "/" || before.is_empty() || before == "/"
}

/// Who shares its group: of the dead those who did a moment before, since the others may have gone with it.
fn neighbours(target: &Target, context: &CaptureContext<'_>) -> Option<(Neighbours, u64)> {
    /// A look that is no older is of the death too.
    const OF_THE_DEATH_MS: u64 = 1500;
    let now = context.timeline.now_ms();
    let last = context.last_neighbours.filter(|(_, t)| now.saturating_sub(*t) <= OF_THE_DEATH_MS);
    if let Some(last) = last.filter(|_| context.phase == Phase::PostKill) {
        return Some(last.clone());
    }
    let look = Neighbours::look(context.group?, target.process.pid(), LOOK_AT_NEIGHBOURS);
    look.map(|n| (n, now)).or_else(|| context.last_neighbours.cloned())
}

/// How long it has lived.
fn age(target: &Target) -> Option<Duration> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).ok()?;
    Duration::from(now).checked_sub(clock_ticks(target.process.start_time()))
}

/// Whether it is asked what of each mapping is resident: the kernel walks the page tables for it, some
/// milliseconds per gigabyte, 28 of them where pages are small. The memory of the dead is held meanwhile.
fn is_residency_due(phase: Phase, usage: Option<(Usage, u64)>) -> bool {
    let most = match phase {
        Phase::Manual => u64::MAX,
        Phase::PostKill => 2 << 30,
        _ => 16 << 30,
    };
    usage.is_none_or(|(u, _)| u.rss <= most)
}

fn monotonic_ns() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| t.tv_sec().unsigned_abs() * 1_000_000_000 + t.tv_nsec().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_are_still_by_themselves() {
        assert_eq!(unstopped(Phase::PostKill), Stillness::Dead);
        assert_eq!([Phase::PreKill, Phase::Manual].map(unstopped), [Stillness::RanOn; 2]);
    }

    #[test]
    fn around_a_kill_a_large_process_is_not_asked_where_its_pages_are() {
        let usage = |rss| Some((Usage { rss, ..Usage::default() }, 0));
        for (phase, most) in [(Phase::PreKill, 16 << 30), (Phase::PostKill, 2 << 30)] {
            assert!(is_residency_due(phase, usage(most)) && is_residency_due(phase, None));
            assert!(!is_residency_due(phase, usage(most + 1)));
        }
        assert!(is_residency_due(Phase::Manual, usage(100 << 30)));
    }
}
