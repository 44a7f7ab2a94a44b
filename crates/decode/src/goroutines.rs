//! Goroutines by what they do: those of one stack, state and creator are one line of a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use lastgasp_diagnosis::facts::{Goroutines, Group, Key as StackKey, Repeat, WaitsOn};
use lastgasp_goruntime::{Call, CallSite, Depth, Goroutine, Status, is_system};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use crate::frames::{Frames, is_bottom};
use crate::recursion::folded;

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

/// What goroutines of a group add up to.
#[derive(Default)]
struct Sums {
    count: u64,
    stack_bytes: u64,
    depth: Depth,
    repeats: Option<Repeat>,
    /// Waits in milliseconds, of those that are known.
    waits: Vec<u64>,
    /// Goroutines by what they wait on, and how many of them it is known of.
    objects: BTreeMap<Addr, u64>,
    known: u64,
    /// Those that wait for a descriptor, with a deadline and without.
    deadline: [u64; 2],
}

impl Sums {
    fn add(&mut self, g: &Goroutine, now_ns: u64) {
        self.count += 1;
        self.stack_bytes = self.stack_bytes.saturating_add(g.stack_bytes);
        if g.depth.calls > self.depth.calls {
            self.depth = g.depth;
        }
        self.waits.extend(waited_ms(g, now_ns));
        self.known += u64::from(!g.waits_on.objects.is_empty());
        for object in g.waits_on.objects.iter() {
            *self.objects.entry(*object).or_default() += 1;
        }
        if let Some(has) = g.waits_on.has_deadline {
            self.deadline[usize::from(!has)] += 1;
        }
    }

    fn merge(&mut self, mut other: Self) {
        self.count += other.count;
        self.stack_bytes = self.stack_bytes.saturating_add(other.stack_bytes);
        if other.depth.calls > self.depth.calls {
            self.depth = other.depth;
        }
        if other.repeats.map(|r| r.times) > self.repeats.map(|r| r.times) {
            self.repeats = other.repeats;
        }
        self.waits.append(&mut other.waits);
        self.known += other.known;
        // Sums: in whichever order.
        other.objects.into_iter().for_each(|(object, n)| *self.objects.entry(object).or_default() += n);
        let ([with, without], [w, wo]) = (&mut self.deadline, other.deadline);
        *with += w;
        *without += wo;
    }

    /// Of all of them, as it is of those that it is known of: of very many a sample is looked at.
    fn of_all(&self, part: u64, known: u64) -> u64 {
        let all = u128::from(part) * u128::from(self.count) / u128::from(known.max(1));
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    fn waits_on(&self) -> Option<WaitsOn> {
        let most = *self.objects.values().max()?;
        // One of a sample tells nothing of all.
        let most = if most > 1 { self.of_all(most, self.known) } else { most };
        Some(WaitsOn { objects: self.objects.len() as u64, most, known: self.known })
    }

    fn no_deadline(&self) -> Option<u64> {
        let [with, without] = self.deadline;
        (with + without > 0).then(|| self.of_all(without, with + without))
    }
}

/// The frames that are shown of a stack. One that has not run yet stands in what the compiler made of its
/// `go` statement (`main.f.gowrap1`, at that statement), and has no other.
fn visible(g: &Goroutine, frames: &mut Frames) -> Vec<u32> {
    let calls = || g.stack.iter().filter(|c| !is_bottom(&c.frame));
    let all_elided = calls().all(|c| c.elided);
    calls().filter(|c| all_elided || !c.elided).map(|c| frames.of(&c.frame)).collect()
}

/// Bytes of its stack that it is taken to have written to. Small stacks are handed from one goroutine to the
/// next, and are touched all over; large ones only as far as they were used.
fn touched(g: &Goroutine) -> u64 {
    const LARGE: u64 = 64 << 10;
    const PAGE: u64 = 4096;
    if g.stack_bytes < LARGE || g.stack_used == 0 {
        return g.stack_bytes;
    }
    g.stack_used.div_ceil(PAGE).saturating_mul(PAGE).min(g.stack_bytes)
}

/// Milliseconds that it has waited, if the runtime has noted a beginning. `now_ns` is the target's clock.
pub(crate) fn waited_ms(g: &Goroutine, now_ns: u64) -> Option<u64> {
    let since = u64::try_from(g.wait_since_ns).ok().filter(|since| *since > 0)?;
    Some(now_ns.saturating_sub(since) / 1_000_000)
}

/// Groups of the goroutines that are not the runtime's own, the largest first. Those whose stacks were left
/// out of the copy count with those like them; `decode_all_goroutines` has said so. `now_ns` is the target's
/// clock (`CLOCK_MONOTONIC`) at the copy.
pub(crate) fn group(goroutines: &[Goroutine], now_ns: u64, frames: &mut Frames) -> Goroutines {
    // Goroutines that do the same share one list of calls and one `go` statement: comparing addresses first
    // spares comparing frames, of a hundred thousand.
    let mut stacks: FxHashMap<*const Call, (Vec<u32>, Option<Repeat>)> = FxHashMap::default();
    let mut creators: FxHashMap<*const CallSite, u32> = FxHashMap::default();
    let mut alike: FxHashMap<Alike, usize> = FxHashMap::default();
    let mut sums: Vec<(Alike, Sums)> = Vec::new();
    let mut out = Goroutines::default();
    for g in goroutines {
        out.stack_bytes = out.stack_bytes.saturating_add(g.stack_bytes);
        out.stack_used_bytes = out.stack_used_bytes.saturating_add(touched(g));
        if is_system(g) {
            continue;
        }
        out.total += 1;
        out.running += u64::from(g.status == Status::Running);
        stacks.entry(g.stack.as_ptr()).or_insert_with(|| folded(visible(g, frames), &frames.list));
        let creator = |c: &Arc<CallSite>| *creators.entry(Arc::as_ptr(c)).or_insert_with(|| frames.of(&c.frame));
        let created_by = g.created_by.as_ref().map(creator);
        let key = (g.stack.as_ptr(), g.status, g.wait_reason, created_by, g.approximate);
        let index = *alike.entry(key).or_insert_with(|| {
            sums.push((key, Sums::default()));
            sums.len() - 1
        });
        if let Some((_, sums)) = sums.get_mut(index) {
            sums.add(g, now_ns);
        }
    }
    let mut groups: BTreeMap<Key, Sums> = BTreeMap::new();
    for ((stack, status, wait_reason, created_by, approximate), sums) in sums {
        let (stack, repeats) = stacks.get(&stack).cloned().unwrap_or_default();
        let key = Key { stack, state: status.name(), wait_reason, created_by, approximate };
        groups.entry(key).or_default().merge(Sums { repeats, ..sums });
    }
    out.groups = groups.into_iter().map(|(key, sums)| one(key, sums)).collect();
    out.groups.sort_by_key(|g| std::cmp::Reverse(g.count));
    out
}

fn one(key: Key, mut sums: Sums) -> Group {
    sums.waits.sort_unstable();
    Group {
        key: StackKey::default(),
        count: sums.count,
        state: key.state.into(),
        wait_reason: key.wait_reason.into(),
        stack: key.stack,
        created_by: key.created_by,
        approximate: key.approximate,
        stack_bytes: sums.stack_bytes,
        depth: sums.depth.calls,
        depth_estimated: sums.depth.estimated,
        repeats: sums.repeats,
        oldest_wait_ms: sums.waits.last().copied().unwrap_or(0),
        waited_ms_median: sums.waits.get(sums.waits.len() / 2).copied().unwrap_or(0),
        waits_on: sums.waits_on(),
        no_deadline: sums.no_deadline(),
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::{Frame, WaitsOn};

    use super::*;

    /// The target's clock at the copy.
    const NOW: u64 = 90_000_000_000;

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
            stack_used: 500,
            waits_on: WaitsOn::default(),
            depth: Depth { calls: 3, estimated: false },
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
            let got = group(&[g.clone(), other], NOW, &mut Frames::default());
            assert_eq!((got.groups.len(), got.total), (groups, 2), "{why}");
        }
    }

    #[test]
    fn groups_are_as_the_goroutines_and_the_largest_comes_first() {
        let running = Goroutine { status: Status::Running, wait_reason: "", created_by: None, ..waiting() };
        let mut frames = Frames::default();
        let got = group(&[running, waiting(), waiting()], NOW, &mut frames);
        assert_eq!((got.total, got.running, got.stack_bytes), (3, 1, 3 * 2048));
        let [largest, smallest] = got.groups.as_slice() else { panic!("{:?}", got.groups) };
        let functions: Vec<&str> = largest.stack.iter().map(|i| frames.list[*i as usize].function.as_str()).collect();
        assert_eq!(functions, ["runtime.gopark", "main.work"], "without the bottom");
        assert_eq!((largest.count, largest.state.name(), largest.wait_reason.as_str()), (2, "waiting", "chan receive"));
        let creator = largest.created_by.map(|i| frames.list[i as usize].function.as_str());
        assert_eq!((creator, largest.approximate), (Some("main.main"), false));
        assert_eq!((smallest.count, smallest.state.name(), smallest.created_by), (1, "running", None));
    }

    /// 12 were once "runnable: ?".
    #[test]
    fn one_that_has_not_run_stands_at_its_go_statement() {
        let wrapper = Call { elided: true, ..call("main.main.gowrap1") };
        let stack = Arc::new([wrapper, call("runtime.goexit")]);
        let mut frames = Frames::default();
        let got = group(&[Goroutine { status: Status::Runnable, stack, ..waiting() }], NOW, &mut frames);
        let names: Vec<&str> = got.groups[0].stack.iter().map(|i| frames.list[*i as usize].function.as_str()).collect();
        assert_eq!(names, ["main.main.gowrap1"]);
    }

    /// What they add up to; the median is of those whose wait is known.
    #[test]
    fn sums_of_a_group() {
        let deep = |calls, estimated| Goroutine { depth: Depth { calls, estimated }, ..waiting() };
        let since = |ms: i64| Goroutine { wait_since_ns: NOW as i64 - ms * 1_000_000, ..waiting() };
        let all = [deep(5, false), deep(900, true), since(70), since(10), since(50), since(20), waiting()];
        let got = group(&all, NOW, &mut Frames::default());
        let [g] = got.groups.as_slice() else { panic!("{:?}", got.groups) };
        assert_eq!((g.count, g.stack_bytes, g.depth, g.depth_estimated), (7, 7 * 2048, 900, true));
        assert_eq!((g.oldest_wait_ms, g.waited_ms_median, g.repeats), (70, 50, None));
        let got = group(&[waiting()], NOW, &mut Frames::default());
        assert_eq!((got.groups[0].oldest_wait_ms, got.groups[0].waited_ms_median), (0, 0));
    }

    /// Of very many a sample is known.
    #[test]
    fn what_they_wait_on_is_counted_over() {
        let on = |objects: &[u64]| {
            let objects = objects.iter().map(|a| Addr(*a)).collect();
            Goroutine { waits_on: WaitsOn { objects, has_deadline: None }, ..waiting() }
        };
        let poll = |has| Goroutine { waits_on: WaitsOn { has_deadline: has, ..WaitsOn::default() }, ..waiting() };
        let (none, one) = (waiting(), on(&[1]));
        for (all, want) in [
            (vec![none.clone(), none.clone()], (None, None)),
            (vec![one.clone(), one.clone(), on(&[2])], (Some((2, 2, 3)), None)),
            (vec![one.clone(), one.clone(), none.clone(), none.clone()], (Some((1, 4, 2)), None)),
            (vec![one, on(&[1, 3]), on(&[1, 4]), on(&[2])], (Some((4, 3, 4)), None)),
            (vec![on(&[1]), on(&[2]), none.clone(), none.clone()], (Some((2, 1, 2)), None)),
            (vec![poll(Some(true)), poll(Some(false)), none.clone(), none.clone()], (None, Some(2))),
            (vec![poll(Some(true)), none], (None, Some(0))),
        ] {
            let got = group(&all, NOW, &mut Frames::default());
            let g = &got.groups[0];
            assert_eq!((g.waits_on.map(|w| (w.objects, w.most, w.known)), g.no_deadline), want, "{all:?}");
        }
    }

    /// As deep as each of them is.
    #[test]
    fn a_recursion_is_one_group() {
        let stack = |depth: usize| -> Arc<[Call]> {
            let walk = (0..depth).map(|i| if i % 3 == 0 { call("main.leaf") } else { call("main.walk") });
            [call("runtime.gopark")]
                .into_iter()
                .chain(walk)
                .chain([call("main.handle"), call("runtime.goexit")])
                .collect()
        };
        let at = |depth| Goroutine { stack: stack(depth), ..waiting() };
        let mut frames = Frames::default();
        let got = group(&[at(30), at(61), at(40)], NOW, &mut frames);
        let [g] = got.groups.as_slice() else { panic!("{:?}", got.groups) };
        let name = |i: u32| frames.list[i as usize].function.as_str();
        let names: Vec<&str> = g.stack.iter().map(|i| name(*i)).collect();
        assert_eq!(names, ["runtime.gopark", "main.leaf", "main.walk", "main.handle"]);
        let repeats = g.repeats.unwrap();
        assert_eq!((g.count, name(repeats.frame), repeats.times), (3, "main.walk", 40));
    }

    /// As in Go's own listings: the runtime's own are not counted, but their stacks take memory like the
    /// others'.
    #[test]
    fn the_runtimes_own_are_hidden() {
        let started_by = |start: &str| Goroutine { start_function: Arc::new(start.into()), ..waiting() };
        for (start, total) in [("runtime.bgsweep", 0), ("runtime.main", 1), ("main.work", 1), ("", 1)] {
            let got = group(&[started_by(start)], NOW, &mut Frames::default());
            assert_eq!((got.total, got.groups.len() as u64, got.stack_bytes), (total, total, 2048), "{start:?}");
        }
    }

    #[test]
    fn of_large_stacks_what_is_used_is_touched() {
        let g = |stack_bytes, stack_used| Goroutine { stack_bytes, stack_used, ..waiting() };
        let all = [g(2048, 500), g(32 << 10, 500), g(64 << 10, 5000), g(4 << 20, 0), g(4 << 20, 5 << 20)];
        let got = group(&all, NOW, &mut Frames::default());
        assert_eq!(got.stack_used_bytes, 2048 + (32 << 10) + 8192 + (4 << 20) * 2);
    }

    /// A size is a foreign number.
    #[test]
    fn stacks_of_absurd_sizes_are_no_overflow() {
        let absurd = Goroutine { stack_bytes: u64::MAX, ..waiting() };
        assert_eq!(group(&[absurd, waiting()], NOW, &mut Frames::default()).stack_bytes, u64::MAX);
    }
}
