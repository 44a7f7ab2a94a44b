//! Goroutines by what they do: those of one stack, state and creator are one line of a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastgasp_diagnosis::facts::{Goroutines, Group, Key as StackKey};
use lastgasp_goruntime::{Call, CallSite, Goroutine, Status, is_system};
use rustc_hash::FxHashMap;

use crate::frames::{Frames, is_bottom};

/// What goroutines of a group have in common; its order is the order of groups of one size.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// Frames, innermost first, the bottom left out.
    stack: Vec<u32>,
    state: &'static str,
    wait_reason: &'static str,
    /// Frame of the `go` statement.
    created_by: Option<u32>,
    approximate: bool,
}

/// What a group's goroutines are known by at first: the list of calls, status, reason to wait, frame of the
/// `go` statement, whether the stack is approximate. Two of them may be one group.
type Alike = (*const Call, Status, &'static str, Option<u32>, bool);

/// Groups of the goroutines that are not the runtime's own, the largest first. Those whose stacks were left
/// out of the copy count with those like them; `decode_all_goroutines` has said so.
pub(crate) fn group(goroutines: &[Goroutine], frames: &mut Frames) -> Goroutines {
    // Goroutines that do the same share one list of calls and one `go` statement: comparing addresses first
    // spares comparing frames, of a hundred thousand.
    let mut stacks: FxHashMap<*const Call, Vec<u32>> = FxHashMap::default();
    let mut creators: FxHashMap<*const CallSite, u32> = FxHashMap::default();
    let mut alike: FxHashMap<Alike, usize> = FxHashMap::default();
    let mut counts: Vec<(Alike, u64)> = Vec::new();
    let mut out = Goroutines::default();
    for g in goroutines {
        out.stack_bytes = out.stack_bytes.saturating_add(g.stack_bytes);
        if is_system(g) {
            continue;
        }
        out.total += 1;
        out.running += u64::from(g.status == Status::Running);
        stacks
            .entry(g.stack.as_ptr())
            .or_insert_with(|| g.calls().filter(|c| !is_bottom(&c.frame)).map(|c| frames.of(&c.frame)).collect());
        let creator = |c: &Arc<CallSite>| *creators.entry(Arc::as_ptr(c)).or_insert_with(|| frames.of(&c.frame));
        let created_by = g.created_by.as_ref().map(creator);
        let key = (g.stack.as_ptr(), g.status, g.wait_reason, created_by, g.approximate);
        let index = *alike.entry(key).or_insert_with(|| {
            counts.push((key, 0));
            counts.len() - 1
        });
        if let Some((_, count)) = counts.get_mut(index) {
            *count += 1;
        }
    }
    let mut groups: BTreeMap<Key, u64> = BTreeMap::new();
    for ((stack, status, wait_reason, created_by, approximate), count) in counts {
        let stack = stacks.get(&stack).cloned().unwrap_or_default();
        *groups.entry(Key { stack, state: status.name(), wait_reason, created_by, approximate }).or_default() += count;
    }
    out.groups = groups
        .into_iter()
        .map(|(key, count)| Group {
            key: StackKey::default(),
            count,
            state: key.state.into(),
            wait_reason: key.wait_reason.into(),
            stack: key.stack,
            created_by: key.created_by,
            approximate: key.approximate,
            ..Group::default()
        })
        .collect();
    out.groups.sort_by_key(|g| std::cmp::Reverse(g.count));
    out
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::Frame;
    use lastgasp_inferior::Addr;

    use super::*;

    fn frame(function: &str) -> Frame {
        Frame { function: function.into(), file: "a.go".into(), line: 7 }
    }

    fn call(function: &str) -> Call {
        Call {
            frame: frame(function),
            pc: Addr(0x1000),
            offset: Some(1),
            inlined: false,
            arguments: false,
            elided: false,
            system: false,
        }
    }

    fn site(function: &str) -> Arc<CallSite> {
        Arc::new(CallSite { frame: frame(function), function: function.into(), offset: None })
    }

    /// Parked in `main.work`, started by `main.main`, on 2 KiB.
    fn waiting() -> Goroutine {
        Goroutine {
            goid: 1,
            status: Status::Waiting,
            wait_reason: "chan receive",
            wait_since_ns: 0,
            parent: 1,
            created_by: Some(site("main.main")),
            ancestors: Arc::new([]),
            start_function: Arc::new("main.work".into()),
            stack: Arc::new([call("runtime.gopark"), call("main.work"), call("runtime.goexit")]),
            cut: None,
            approximate: false,
            no_registers: None,
            left_out: false,
            locked: false,
            labels: Arc::new([]),
            stack_bytes: 2048,
        }
    }

    #[test]
    fn what_one_group_has_in_common() {
        let g = waiting();
        let elided = Call { elided: true, ..call("main.work-fm") };
        for (why, other, groups) in [
            ("the same, with a stack of its own", waiting(), 1),
            (
                "another number, wait, size and thread",
                Goroutine { goid: 9, wait_since_ns: 5, stack_bytes: 8192, locked: true, ..waiting() },
                1,
            ),
            (
                "a wrapper that Go hides",
                Goroutine { stack: Arc::new([call("runtime.gopark"), elided, call("main.work")]), ..waiting() },
                1,
            ),
            (
                "a stack that was left out of the copy",
                Goroutine { left_out: true, stack: Arc::clone(&g.stack), ..waiting() },
                1,
            ),
            ("another state", Goroutine { status: Status::Runnable, wait_reason: "", ..waiting() }, 2),
            ("another reason to wait", Goroutine { wait_reason: "select", ..waiting() }, 2),
            ("another creator", Goroutine { created_by: Some(site("main.other")), ..waiting() }, 2),
            ("no creator", Goroutine { created_by: None, ..waiting() }, 2),
            ("a stack that was reconstructed", Goroutine { approximate: true, ..waiting() }, 2),
            ("another stack", Goroutine { stack: Arc::new([call("main.work")]), ..waiting() }, 2),
        ] {
            let got = group(&[g.clone(), other], &mut Frames::default());
            assert_eq!((got.groups.len(), got.total), (groups, 2), "{why}");
        }
    }

    #[test]
    fn groups_are_as_the_goroutines_and_the_largest_comes_first() {
        let running = Goroutine { status: Status::Running, wait_reason: "", created_by: None, ..waiting() };
        let mut frames = Frames::default();
        let got = group(&[running, waiting(), waiting()], &mut frames);
        assert_eq!((got.total, got.running, got.stack_bytes), (3, 1, 3 * 2048));
        let [largest, smallest] = got.groups.as_slice() else { panic!("{:?}", got.groups) };
        let functions: Vec<&str> = largest.stack.iter().map(|i| frames.list[*i as usize].function.as_str()).collect();
        assert_eq!(functions, ["runtime.gopark", "main.work"], "without the bottom");
        assert_eq!((largest.count, largest.state.name(), largest.wait_reason.as_str()), (2, "waiting", "chan receive"));
        let creator = largest.created_by.map(|i| frames.list[i as usize].function.as_str());
        assert_eq!((creator, largest.approximate), (Some("main.main"), false));
        assert_eq!((smallest.count, smallest.state.name(), smallest.created_by), (1, "running", None));
    }

    /// As in Go's own listings: the runtime's own are not counted, but their stacks take memory like the
    /// others'.
    #[test]
    fn the_runtimes_own_are_hidden() {
        let started_by = |start: &str| Goroutine { start_function: Arc::new(start.into()), ..waiting() };
        for (start, total) in [("runtime.bgsweep", 0), ("runtime.main", 1), ("main.work", 1), ("", 1)] {
            let got = group(&[started_by(start)], &mut Frames::default());
            assert_eq!((got.total, got.groups.len() as u64, got.stack_bytes), (total, total, 2048), "{start:?}");
        }
    }

    /// A size is a foreign number.
    #[test]
    fn stacks_of_absurd_sizes_are_no_overflow() {
        let absurd = Goroutine { stack_bytes: u64::MAX, ..waiting() };
        assert_eq!(group(&[absurd, waiting()], &mut Frames::default()).stack_bytes, u64::MAX);
    }
}
