//! The heap's span table: whether it is read while the target stands still, afterwards, or not at all.
//!
//! It stands apart from the collectors of evidence (`goruntime/src/evidence`): it is summed up and not
//! copied, which costs less than to keep its bytes, and when it is read hangs on the phase, on the number of
//! spans and on whether there is a profile.

use lastgasp_goruntime::{Gap, SpanTable};
use lastgasp_inferior::Memory;
use lastgasp_observe::raw_capture::Phase;
use lastgasp_observe::target::Target;

/// The span table, if it is to be read while the target stands still; by way of `memory`, which may end.
pub(super) fn read_in_the_stop(
    target: &Target,
    memory: &dyn Memory,
    phase: Phase,
    gaps: &mut Vec<Gap>,
) -> Option<SpanTable> {
    let spans = SpanTable::count(&target.runtime, &*target.process).unwrap_or(u64::MAX);
    let due = is_due_in_the_stop(phase, !target.is_unprofiled(), spans);
    due.then(|| SpanTable::read(&target.runtime, memory, gaps)).flatten()
}

/// Whether the span table is to be read while the target stands still. Where no profile is kept it is the
/// best evidence there is; where somebody asks for a capture of a service that is well, a few milliseconds
/// more are worth an exact one. Else it can wait until the target runs again.
fn is_due_in_the_stop(phase: Phase, profiled: bool, spans: u64) -> bool {
    /// Some 20 ms to read: spans of 2 GB of small objects.
    const MAX_SPANS_WITHOUT_A_PROFILE: u64 = 1 << 18;
    /// Some 5 ms.
    const MAX_SPANS_ON_DEMAND: u64 = 1 << 16;
    spans <= MAX_SPANS_WITHOUT_A_PROFILE && (!profiled || (phase == Phase::Manual && spans <= MAX_SPANS_ON_DEMAND))
}

/// The span table, read when the target runs again or is dead. Around a kill the loop that calls us has two
/// seconds at most: of a heap of very many spans the other evidence must do.
///
/// Of a program that keeps a profile it is an extra, read last: where the kernel takes the memory away under
/// it (seen on a starved machine, two seconds after the kill; and of one that was stopped, ran on and was
/// killed before it was read, without a pin) there is none, and the report says so, but the evidence that
/// names the culprit is whole.
pub(super) fn read_afterwards(target: &Target, phase: Phase, gaps: &mut Vec<Gap>) -> Option<SpanTable> {
    let spans = SpanTable::count(&target.runtime, &*target.process).unwrap_or(0);
    if !is_due_afterwards(phase, spans) {
        gaps.push(Gap::new("span table", format!("{spans} spans: too many to read around a kill")));
        return None;
    }
    let unprofiled = target.is_unprofiled();
    let mut lost = Vec::new();
    let table = SpanTable::read(&target.runtime, &*target.process, &mut lost);
    if phase != Phase::Manual && !unprofiled && !lost.is_empty() {
        return None;
    }
    gaps.append(&mut lost);
    table
}

fn is_due_afterwards(phase: Phase, spans: u64) -> bool {
    /// Some 0.1 s to read: spans of 8 GB of small objects.
    const MAX_AROUND_A_KILL: u64 = 1 << 20;
    phase == Phase::Manual || spans <= MAX_AROUND_A_KILL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_stands_still_for_it_where_it_is_worth_that() {
        for phase in [Phase::PreKill, Phase::PostKill] {
            assert!(is_due_in_the_stop(phase, false, 1 << 18) && !is_due_in_the_stop(phase, false, (1 << 18) + 1));
            assert!(!is_due_in_the_stop(phase, true, 1));
        }
        assert!(is_due_in_the_stop(Phase::Manual, true, 1 << 16));
        assert!(!is_due_in_the_stop(Phase::Manual, true, (1 << 16) + 1));
        assert!(is_due_in_the_stop(Phase::Manual, false, 1 << 18));
        assert!(!is_due_in_the_stop(Phase::Manual, false, u64::MAX), "how many there are cannot be read");
    }

    #[test]
    fn around_a_kill_there_is_no_time_for_very_many() {
        assert!(is_due_afterwards(Phase::PreKill, 1 << 20) && !is_due_afterwards(Phase::PreKill, (1 << 20) + 1));
        assert!(!is_due_afterwards(Phase::PostKill, u64::MAX) && is_due_afterwards(Phase::Manual, u64::MAX));
    }
}
