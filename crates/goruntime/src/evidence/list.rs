//! The collectors, ordered by worth, and how they share one copy.

use lastgasp_inferior::Snapshot;

use super::collector::{Collector, CopySource, Leads, Room, Sink};
use super::extent::Extent;
use super::goroutines::Goroutines;
use super::memory_profile::MemoryProfile;
use super::pointed::{ANCESTORS, LABELS};
use super::runtime_variables::RuntimeVariables;
use super::threads::Threads;
use crate::gap::Gap;

/// All of them, what is worth most first: a copy that is cut short has what names the culprit. Extents only
/// grow along it.
static COLLECTORS: &[&dyn Collector] = &[&RuntimeVariables, &MemoryProfile, &Threads, &Goroutines, &LABELS, &ANCESTORS];

/// Most pieces that room is made for at once.
const MAX_PIECES: usize = 1 << 20;

/// Those of an extent: a prefix of the list.
pub(super) fn of(extent: Extent) -> &'static [&'static dyn Collector] {
    let end = COLLECTORS.iter().take_while(|c| c.extent() <= extent).count();
    COLLECTORS.get(..end).unwrap_or(COLLECTORS)
}

/// Room for all of `collectors`, at most `cap` bytes.
pub(super) fn room(collectors: &[&dyn Collector], source: &CopySource<'_>, cap: usize) -> Room {
    let sum = collectors.iter().fold(Room::default(), |sum, c| sum + c.room(source));
    Room { bytes: sum.bytes.min(cap), pieces: sum.pieces.min(MAX_PIECES) }
}

/// Has each of `collectors` copy in turn. One that fails, or finds no room, says so, and the next has its
/// turn.
pub(super) fn copy(collectors: &[&dyn Collector], from: &CopySource<'_>, snapshot: &mut Snapshot, gaps: &mut Vec<Gap>) {
    let mut leads = Leads::default();
    let whole = snapshot.budget();
    for collector in collectors {
        let before = snapshot.refused();
        snapshot.set_budget(whole.min(snapshot.len().saturating_add(collector.share())));
        collector.copy(from, &mut Sink { snapshot, gaps, leads: &mut leads });
        snapshot.set_budget(whole);
        let refused = snapshot.refused() - before;
        if refused > 0 {
            let what = format!("{refused} bytes of {}", collector.name());
            gaps.push(Gap::new(what, "over the byte budget of one capture"));
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::Addr;

    use super::super::fixture::Fixture;
    use super::super::plan::EvidencePlan;
    use super::*;

    /// Takes as many pieces of 1000 bytes as it is let, up to ten.
    struct Greedy {
        name: &'static str,
        share: usize,
        place: u64,
    }

    impl Collector for Greedy {
        fn name(&self) -> &'static str {
            self.name
        }

        fn extent(&self) -> Extent {
            Extent::Whole
        }

        fn room(&self, _: &CopySource<'_>) -> Room {
            Room { bytes: 2000, pieces: 2 }
        }

        fn share(&self) -> usize {
            self.share
        }

        fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>) {
            for i in 0..10 {
                into.snapshot.copy(from.mem, Addr(self.place + i * 1000), 1000);
            }
        }
    }

    /// Reads nothing at all.
    struct Failing;

    impl Collector for Failing {
        fn name(&self) -> &'static str {
            "failing"
        }

        fn extent(&self) -> Extent {
            Extent::Whole
        }

        fn room(&self, _: &CopySource<'_>) -> Room {
            Room { bytes: 1000, pieces: 1 }
        }

        fn copy(&self, from: &CopySource<'_>, into: &mut Sink<'_>) {
            let failed = into.snapshot.copy_all(from.mem, &[(Addr(8), 8)]);
            into.gaps.push(Gap::new(self.name(), format!("{failed} pieces could not be read")));
        }
    }

    fn played(collectors: &[&dyn Collector], cap: usize) -> (Snapshot, Vec<(String, String)>) {
        let fixture = Fixture::many(4000);
        let plan = EvidencePlan::default();
        let source = fixture.source(&plan);
        let room = room(collectors, &source, cap);
        let mut snapshot = Snapshot::with_budget(room.bytes, room.pieces);
        let mut gaps = Vec::new();
        copy(collectors, &source, &mut snapshot, &mut gaps);
        snapshot.seal();
        (snapshot, gaps.into_iter().map(|g| (g.what, g.why)).collect())
    }

    fn said(what: &str) -> (String, String) {
        (what.to_owned(), "over the byte budget of one capture".to_owned())
    }

    /// Where nothing is lost to reading: the list of goroutines' pointers.
    const SOMEWHERE: u64 = 0xc0_0000_0000;

    #[test]
    fn who_wants_too_much_takes_nothing_from_those_before() {
        let first = Greedy { name: "first", share: 1000, place: SOMEWHERE };
        let second = Greedy { name: "second", share: usize::MAX, place: SOMEWHERE + 10_000 };
        let third = Greedy { name: "third", share: usize::MAX, place: SOMEWHERE + 20_000 };
        let (copied, gaps) = played(&[&first, &second, &third], 96 << 20);
        // Room for 6000: its share for the first, what is left for the second, nothing for the last.
        assert_eq!(copied.len(), 6000);
        assert_eq!(gaps, [said("9000 bytes of first"), said("5000 bytes of second"), said("10000 bytes of third")]);
    }

    #[test]
    fn a_cap_is_a_cap() {
        let one = Greedy { name: "one", share: usize::MAX, place: SOMEWHERE };
        let (copied, gaps) = played(&[&one, &one], 1500);
        assert_eq!((copied.len(), gaps.len()), (1000, 2));
    }

    #[test]
    fn who_fails_says_so_and_the_next_has_its_turn() {
        let after = Greedy { name: "after", share: 1000, place: SOMEWHERE };
        let (copied, gaps) = played(&[&Failing, &after], 96 << 20);
        assert_eq!(copied.len(), 1000);
        assert_eq!(gaps[0], ("failing".to_owned(), "1 pieces could not be read".to_owned()));
        assert_eq!(gaps[1], said("9000 bytes of after"));
    }

    #[test]
    fn an_extent_is_a_prefix() {
        assert!(COLLECTORS.is_sorted_by_key(|c| c.extent()));
        let names = |extent| of(extent).iter().map(|c| c.name()).collect::<Vec<_>>();
        assert_eq!(names(Extent::Numbers), ["runtime variables"]);
        assert_eq!(names(Extent::Profile), ["runtime variables", "memory profile"]);
        assert_eq!(
            names(Extent::Whole),
            ["runtime variables", "memory profile", "threads", "goroutines", "label sets", "lists of ancestors"]
        );
    }
}
