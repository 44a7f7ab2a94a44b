//! Where the memory is: every byte of the RSS, and every byte that is charged to the cgroup, in a named slice
//! or in "unknown". Pure.

use crate::facts::{Facts, Gc, Residency, Rss};
use crate::finding::Source;

/// A slice of the RSS, or of the charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Short name.
    pub name: &'static str,
    /// Bytes; negative only for `unknown`, where the named slices overlap or are not all resident.
    pub bytes: i64,
    /// Where the number comes from.
    pub source: Source,
    /// What it is.
    pub what: &'static str,
}

/// More than any address space: a gauge beyond it is garbage, and sums of such slices do not overflow.
const MAX_SLICE: u64 = 1 << 57;

fn slice(name: &'static str, bytes: u64, source: Source, what: &'static str) -> Slice {
    Slice { name, bytes: bytes.min(MAX_SLICE).cast_signed(), source, what }
}

/// Adds what is left of `total`.
fn close(mut slices: Vec<Slice>, total: u64, what: &'static str) -> Vec<Slice> {
    let named: i64 = slices.iter().map(|s| s.bytes).sum();
    slices.push(Slice {
        name: "unknown",
        bytes: total.min(MAX_SLICE).cast_signed() - named,
        source: Source::Estimated,
        what,
    });
    slices
}

/// The slices of the RSS; they sum to it. Empty if the RSS was never seen.
#[must_use]
pub fn ledger(facts: &Facts) -> Vec<Slice> {
    let Some(rss) = facts.rss else { return Vec::new() };
    let mut out = go_heap(facts, rss);
    let heap = out.iter().map(|s| s.bytes.unsigned_abs()).fold(0, u64::saturating_add);
    out.extend(outside_the_heap(facts, rss, heap));
    out.push(slice("files", rss.file, Source::Exact, "program code, data and mapped files that are resident"));
    out.push(slice("shared memory", rss.shmem, Source::Exact, "tmpfs and shared anonymous memory"));
    let rest = match facts.residency {
        Some(_) => "growth or shrinking between the readings",
        None if is_rss_old(facts, rss) => "growth between the reading of the RSS and the copy, some time later",
        None => "neither the Go runtime nor a file: cgo, memory mapped by the program, growth between the two readings",
    };
    close(out, rss.rss, rest)
}

/// The runtime's gauges of the moment when the RSS was read.
fn gauges(facts: &Facts) -> &Gc {
    facts.gauges_at_rss.as_ref().unwrap_or(&facts.gc)
}

/// The Go heap and its stacks. Where it is known how much of them is resident, the slices sum to that at
/// most, else to what anonymous memory has room for: what was never touched, or was returned, is taken from
/// where it must be.
fn go_heap(facts: &Facts, rss: Rss) -> Vec<Slice> {
    let gc = gauges(facts);
    let marked = gc.heap_marked.min(gc.heap_live);
    let garbage = facts.heap.as_ref().map(|h| h.garbage_bytes.min(gc.heap_in_use.saturating_sub(marked)));
    let new = match &facts.heap {
        Some(h) => h.object_bytes.saturating_sub(h.garbage_bytes).saturating_sub(marked),
        None => gc.heap_live.saturating_sub(gc.heap_marked),
    };
    let new = new.min(gc.heap_in_use.saturating_sub(marked.saturating_add(garbage.unwrap_or(0))));
    let free = gc.heap_in_use.saturating_sub(marked.saturating_add(garbage.unwrap_or(0)).saturating_add(new));
    // Large stacks are touched as far as they are used.
    let unused = match facts.goroutines.stack_used_bytes {
        0 => 0,
        used => facts.goroutines.stack_bytes.saturating_sub(used).min(gc.stacks),
    };
    let mut amounts = [marked, new, garbage.unwrap_or(0), free, gc.heap_free, gc.stacks - unused, unused];
    // Of a target that ran meanwhile the sums are of no single moment.
    let running = facts.heap.as_ref().is_some_and(|h| h.running);
    let mut source = if running { Source::Estimated } else { Source::Exact };
    let mut stacks_source = Source::Exact;
    let named = amounts.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
    let mut missing = named.saturating_sub(room_of_heap(facts, rss));
    // What large stacks do not use was never touched; idle pages may have been returned since, free slots and
    // fresh objects never touched; at last, buffers that are reachable and were never written.
    for i in [6, 4, 3, 1, 2, 0, 5] {
        let Some(amount) = amounts.get_mut(i) else { continue };
        let part = missing.min(*amount);
        if part > 0 {
            *(if i > 4 { &mut stacks_source } else { &mut source }) = Source::Estimated;
        }
        *amount -= part;
        missing -= part;
    }
    let returned = facts.residency.map_or(0, |_| room_of_heap(facts, rss).saturating_sub(named));
    let [marked, new, garbage, free, idle, used, unused] = amounts;
    let stacks = used.saturating_add(unused);
    vec![
        slice("go heap, live at last mark", marked, source, "reachable when the last GC finished marking"),
        slice(
            "go heap, allocated since",
            new,
            source,
            "allocated after that mark: live or garbage, the runtime does not know yet",
        ),
        slice("go heap, garbage", garbage, source, "found dead by the last GC and not swept yet"),
        slice("go heap, free in spans", free, source, "free slots in spans that hold objects"),
        slice("go heap, idle", idle, source, "free pages that the runtime has not given back"),
        slice(
            "go heap, returned yet resident",
            returned,
            Source::Estimated,
            "pages that the runtime gave back and the kernel has kept: huge pages, or MADV_FREE",
        ),
        slice("go stacks", stacks, stacks_source, "goroutine and system stacks"),
    ]
}

/// What residency has outside the heap: the runtime's tables, and all other. Named by the runtime itself, or
/// else as many bytes as it says it has mapped, as far as there are that many.
fn tables_and_rest(r: Residency, metadata: u64) -> (u64, u64) {
    if r.go_named > 0 {
        return (r.go_named, r.elsewhere);
    }
    let tables = metadata.min(r.elsewhere);
    (tables, r.elsewhere - tables)
}

/// By how much mappings were larger, when they were looked through, than the anonymous memory of the RSS.
fn surplus(r: Residency, rss: Rss) -> u64 {
    let parts = [r.go_heap, r.go_named, r.program_data, r.stack, r.elsewhere];
    parts.into_iter().fold(0, u64::saturating_add).saturating_sub(rss.anon)
}

/// Whether the gauges are of long after the RSS was read (captures of before, of fast deaths: 13 MB and 165
/// MB of heap, 785 ms later): then nothing that was not resident yet can be told from what never was.
fn is_rss_old(facts: &Facts, rss: Rss) -> bool {
    const OLD_MS: u64 = 50;
    facts.gauges_at_rss.is_none()
        && facts.residency.is_none()
        && rss.as_of_ms.saturating_add(OLD_MS) < facts.capture.t_ms
}

/// What the heap and its stacks have room in: what is resident of the arenas, or all anonymous memory.
fn room_of_heap(facts: &Facts, rss: Rss) -> u64 {
    let Some(r) = facts.residency else {
        return if is_rss_old(facts, rss) { u64::MAX } else { rss.anon };
    };
    let (_, rest) = tables_and_rest(r, gauges(facts).metadata);
    r.go_heap.saturating_sub(surplus(r, rss).saturating_sub(rest))
}

/// `heap` is what the slices of the heap sum to.
fn outside_the_heap(facts: &Facts, rss: Rss, heap: u64) -> Vec<Slice> {
    let runtime = "span, cache, profile and GC tables";
    let metadata = gauges(facts).metadata;
    let Some(r) = facts.residency else {
        // Mapped, and touched as far as there is anonymous memory for it.
        let room = if is_rss_old(facts, rss) { u64::MAX } else { rss.anon };
        let tables = metadata.min(room.saturating_sub(heap));
        let source = if tables < metadata { Source::Estimated } else { Source::Exact };
        return vec![slice("go runtime", tables, source, runtime)];
    };
    let (tables, rest) = tables_and_rest(r, metadata);
    let source = if r.go_named > 0 { Source::Exact } else { Source::Estimated };
    vec![
        slice("go runtime", tables, source, runtime),
        slice(
            "program data",
            r.program_data,
            Source::Exact,
            "package-level variables: written pages of the program's files, and bss",
        ),
        slice("first thread's stack", r.stack, Source::Exact, "the stack that the kernel made"),
        slice(
            "off-heap",
            rest.saturating_sub(surplus(r, rss)),
            source,
            "anonymous memory that is not the Go runtime's: cgo, memory mapped by the program, stacks of C threads",
        ),
    ]
}

/// What is charged to the cgroup; the slices sum to it. Empty where it is not known.
#[must_use]
pub fn charge_ledger(facts: &Facts) -> Vec<Slice> {
    let (Some(c), Some(rss)) = (facts.charge, facts.rss) else { return Vec::new() };
    let tables = if c.page_tables > 0 { c.page_tables } else { rss.page_tables.min(c.kernel) };
    let own = rss.anon.min(c.anon);
    let out = vec![
        slice("anonymous memory of this process", own, Source::Exact, "the heap and all that is not of a file"),
        slice(
            "anonymous memory of others in the group",
            c.anon - own,
            Source::Exact,
            "processes beside it that count against the same limit",
        ),
        slice("page cache", c.file, Source::Exact, "files, mapped or not; the kernel drops them before it kills"),
        slice("shared memory", c.shmem, Source::Exact, "tmpfs and shared anonymous memory: it cannot be dropped"),
        slice("page tables", tables, Source::Exact, "for the memory above"),
        slice(
            "other kernel memory",
            c.kernel.saturating_sub(tables),
            Source::Exact,
            "kernel stacks, slab, socket buffers, per-cpu data",
        ),
    ];
    close(out, c.usage, "charged ahead in batches by each processor, or changed between the readings")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::{Charge, Heap};

    fn facts() -> Facts {
        let gc = Gc {
            heap_live: 700,
            heap_marked: 500,
            heap_in_use: 800,
            heap_free: 50,
            stacks: 20,
            metadata: 10,
            ..Gc::default()
        };
        Facts { gc, rss: Some(Rss { rss: 1000, anon: 900, file: 100, ..Rss::default() }), ..Facts::default() }
    }

    fn of(slices: &[Slice], name: &str) -> i64 {
        slices.iter().find(|s| s.name == name).map_or(0, |s| s.bytes)
    }

    #[test]
    fn slices_sum_to_the_rss() {
        let slices = ledger(&facts());
        assert_eq!(slices.iter().map(|s| s.bytes).sum::<i64>(), 1000);
        assert_eq!(of(&slices, "unknown"), 20);
        assert_eq!(ledger(&Facts::default()), []);
    }

    #[test]
    fn garbage_and_off_heap_have_slices_of_their_own() {
        let heap = Heap { object_bytes: 750, garbage_bytes: 60, span_bytes: 800, ..Heap::default() };
        let residency = Residency { go_heap: 860, program_data: 5, elsewhere: 35, ..Residency::default() };
        let slices = ledger(&Facts { heap: Some(heap), residency: Some(residency), ..facts() });
        assert_eq!(of(&slices, "go heap, garbage"), 60);
        assert_eq!(of(&slices, "go heap, allocated since"), 190);
        // 870 are named, 860 resident: ten idle bytes have gone.
        assert_eq!(of(&slices, "go heap, idle"), 40);
        assert_eq!(of(&slices, "off-heap"), 25);
        assert_eq!(of(&slices, "unknown"), 0);
    }

    /// 258 deep stacks of 672 MB in 511 MB of memory were once "unknown -161 MB".
    #[test]
    fn what_was_never_touched_is_not_counted() {
        for residency in [None, Some(Residency { go_heap: 900, ..Residency::default() })] {
            let mut f = Facts { residency, ..facts() };
            (f.gc.stacks, f.goroutines.stack_bytes, f.goroutines.stack_used_bytes) = (700, 600, 250);
            let slices = ledger(&f);
            // 1550 are named, 900 resident: 350 of stacks, 50 idle, 100 free, 150 of what was allocated
            // since.
            let names = ["go stacks", "go heap, idle", "go heap, free in spans", "go heap, allocated since"];
            assert_eq!(names.map(|n| of(&slices, n)), [350, 0, 0, 50], "{slices:?}");
            assert_eq!((of(&slices, "go heap, live at last mark"), of(&slices, "unknown")), (500, 0));
            let stacks = slices.iter().find(|s| s.name == "go stacks").unwrap();
            assert_eq!(stacks.source, Source::Estimated);
        }
        // Stacks alone, more than there is room for.
        let gc = Gc { stacks: 5000, metadata: 30, ..Gc::default() };
        let slices = ledger(&Facts { gc, ..facts() });
        assert_eq!((of(&slices, "go stacks"), of(&slices, "go runtime"), of(&slices, "unknown")), (900, 0, 0));
    }

    /// The RSS of the dead is of the last look alive, and so are the gauges that it is compared with.
    #[test]
    fn like_is_compared_with_like() {
        let grown = Gc { heap_live: 900, heap_in_use: 2000, ..facts().gc };
        let f = Facts { gc: grown, gauges_at_rss: Some(facts().gc), ..facts() };
        assert_eq!(ledger(&f), ledger(&facts()));
    }

    /// What was not resident yet is no part of what was.
    #[test]
    fn an_rss_of_long_before_cuts_nothing() {
        let mut f = facts();
        f.gc.heap_in_use = 5000;
        f.capture.t_ms = 785;
        let slices = ledger(&f);
        assert_eq!((of(&slices, "go heap, live at last mark"), of(&slices, "unknown")), (500, 20 - 4200));
        let mut at_once = f.clone();
        at_once.capture.t_ms = 40;
        assert_eq!(of(&ledger(&at_once), "unknown"), 0);
        f.gauges_at_rss = Some(facts().gc);
        assert_eq!(of(&ledger(&f), "unknown"), 20);
    }

    #[test]
    fn what_was_read_while_it_ran_is_not_exact() {
        for running in [false, true] {
            let heap = Heap { object_bytes: 750, span_bytes: 800, running, ..Heap::default() };
            let slices = ledger(&Facts { heap: Some(heap), ..facts() });
            let estimated = |s: &Slice| s.source == Source::Estimated;
            let of_heap = slices.iter().filter(|s| s.name.starts_with("go heap") && !s.name.ends_with("yet resident"));
            assert!(of_heap.clone().count() > 3 && of_heap.clone().all(|s| estimated(s) == running), "{slices:?}");
        }
    }

    /// The gauges are foreign numbers.
    #[test]
    fn hostile_gauges_do_not_overflow() {
        let n = u64::MAX;
        let gc =
            Gc { heap_live: n, heap_marked: n, heap_in_use: n, heap_free: n, stacks: n, metadata: n, ..Gc::default() };
        let heap = Heap { object_bytes: n, garbage_bytes: n, ..Heap::default() };
        for residency in [None, Some(Residency::default())] {
            let slices = ledger(&Facts { gc, heap: Some(heap.clone()), residency, ..facts() });
            assert_eq!(slices.iter().map(|s| s.bytes).sum::<i64>(), 1000);
        }
    }

    #[test]
    fn the_charge_names_the_neighbours_and_the_kernel() {
        let charge = Charge { usage: 2000, anon: 1500, file: 300, kernel: 150, page_tables: 40, ..Charge::default() };
        let slices = charge_ledger(&Facts { charge: Some(charge), ..facts() });
        assert_eq!(of(&slices, "anonymous memory of others in the group"), 600);
        assert_eq!(of(&slices, "other kernel memory"), 110);
        assert_eq!(of(&slices, "unknown"), 50);
    }

    proptest! {
        /// Whatever the numbers, which are read at different moments: the slices sum to the whole, and only
        /// `unknown` may be negative.
        #[test]
        fn always_sums(n in proptest::collection::vec(0u64..1 << 40, 20)) {
            let gc = Gc { heap_live: n[0], heap_marked: n[1], heap_in_use: n[2], heap_free: n[3], stacks: n[4], metadata: n[5], ..Gc::default() };
            let rss = Rss { rss: n[6], anon: n[7], file: n[8], shmem: n[9], ..Rss::default() };
            let heap = Heap { object_bytes: n[10], garbage_bytes: n[11], ..Heap::default() };
            let residency = Residency { go_heap: n[12], go_named: n[13] % 2 * n[14], program_data: n[15], stack: n[16], elsewhere: n[17], ..Residency::default() };
            let charge = Charge { usage: n[18], anon: n[19], file: n[0], shmem: n[1], page_tables: n[2], kernel: n[3] };
            for residency in [None, Some(residency)] {
                let f = Facts { gc, rss: Some(rss), heap: Some(heap.clone()), residency, charge: Some(charge), ..Facts::default() };
                for (slices, total) in [(ledger(&f), n[6]), (charge_ledger(&f), n[18])] {
                    prop_assert_eq!(slices.iter().map(|s| s.bytes).sum::<i64>(), total as i64);
                    prop_assert!(slices.iter().all(|s| s.bytes >= 0 || s.name == "unknown"));
                }
            }
        }
    }
}
