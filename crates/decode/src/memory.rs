//! Facts of where the memory is: the runtime's gauges, the span table, what is resident, what is charged.

use std::collections::BTreeMap;

use lastgasp_diagnosis::facts::{Charge, Gc, Heap, HeapClass, LargeObjects, LeftOut, Neighbour, Neighbours, Residency};
use lastgasp_goruntime::{LargeObject, MemStats, SpanClass};
use lastgasp_inferior::{AddrRange, Resident};
use lastgasp_observe::kernel::{cgroup, neighbours};
use lastgasp_observe::raw_capture::Spans;

/// Heap of a span table, alike large objects together.
pub(crate) fn heap(spans: &Spans) -> Heap {
    let t = &spans.table;
    let class = |c: &SpanClass| HeapClass {
        size: c.elem_size,
        noscan: c.noscan,
        spans: c.spans,
        span_bytes: c.span_bytes,
        objects: c.objects,
        garbage: c.garbage,
    };
    let alike = |o: &LargeObject| (o.bytes, o.noscan, o.element.clone());
    let mut large: BTreeMap<_, u64> = BTreeMap::new();
    for object in &t.large {
        let count: &mut u64 = large.entry(alike(object)).or_default();
        *count = count.saturating_add(object.count);
    }
    let mut large: Vec<LargeObjects> = large
        .into_iter()
        .map(|((size, noscan, element), count)| {
            let (element, element_size) = element.map_or((None, 0), |(name, size)| (Some(name), size));
            LargeObjects { count, size, noscan, element, element_size }
        })
        .collect();
    large.sort_by_key(|l| std::cmp::Reverse((l.count.saturating_mul(l.size), l.size)));
    Heap {
        running: spans.running,
        span_bytes: t.span_bytes(),
        object_bytes: t.object_bytes(),
        objects: t.objects(),
        garbage_bytes: t.garbage_bytes(),
        classes: t.classes.iter().map(class).collect(),
        large,
        large_left_out: LeftOut { objects: t.large_left_out.0, bytes: t.large_left_out.1 },
    }
}

/// Resident anonymous memory by what it is for: `arenas` are the Go heap's, `variables` the program's data
/// and bss.
pub(crate) fn residency(resident: &[Resident], arenas: &[AddrRange], variables: AddrRange) -> Residency {
    let meets = |a: AddrRange, b: AddrRange| a.start < b.end && b.start < a.end;
    let mut out = Residency::default();
    for r in resident {
        let m = &r.mapping;
        let place = if m.inode == 0 && arenas.iter().any(|a| meets(*a, m.range)) {
            &mut out.go_heap
        } else if m.path.starts_with("[anon: Go:") {
            &mut out.go_named
        } else if m.inode != 0 || meets(variables, m.range) {
            &mut out.program_data
        } else if m.path == "[stack]" {
            &mut out.stack
        } else {
            &mut out.elsewhere
        };
        *place = place.saturating_add(r.anon);
        out.huge = out.huge.saturating_add(r.huge);
    }
    out
}

/// Charge of the memory cgroup, in bytes.
pub(crate) fn charge(c: cgroup::Charge) -> Charge {
    let cgroup::Charge { usage, anon, file, shmem, page_tables, kernel } = c;
    Charge { usage, anon, file, shmem, page_tables, kernel }
}

/// The other processes that count against the limit, as seen at that time.
pub(crate) fn neighbours(n: &neighbours::Neighbours, as_of_ms: u64) -> Neighbours {
    let other = |n: &neighbours::Neighbour| Neighbour {
        name: n.name.clone(),
        processes: n.processes,
        children: n.children,
        pids: n.pids.clone(),
        rss_bytes: n.rss,
    };
    let others = n.others.iter().map(other).collect();
    Neighbours { group: n.group.clone(), as_of_ms, others, rss_bytes: n.rss, not_seen: n.not_seen }
}

/// The runtime's gauges, as facts name them.
pub(crate) fn gc(g: &MemStats) -> Gc {
    Gc {
        cycles: g.gc_cycles,
        percent: g.gc_percent,
        memory_limit: g.memory_limit,
        heap_live: g.heap_live,
        heap_marked: g.heap_marked,
        heap_goal: g.heap_goal,
        heap_in_use: g.heap_in_use,
        heap_free: g.heap_free,
        heap_released: g.heap_released,
        stacks: g.stacks,
        metadata: g.metadata,
        phase: g.gc_phase,
        cpu_share: g.gc_cpu_ppm.map(|n| f64::from(n) / 1e6),
        last_gc_ms_ago: None,
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::SpanTable;
    use lastgasp_inferior::{Addr, Mapping};

    use super::*;

    fn range(start: u64, end: u64) -> AddrRange {
        AddrRange { start: Addr(start), end: Addr(end) }
    }

    fn resident(range: AddrRange, inode: u64, path: &str) -> Resident {
        let mapping =
            Mapping { range, readable: true, writable: true, executable: false, offset: 0, inode, path: path.into() };
        Resident { mapping, rss: 3, anon: 2, huge: 1 }
    }

    #[test]
    fn what_a_mapping_is_for() {
        let arenas = [range(0xc000_0000, 0xc400_0000)];
        let variables = range(0x60_0000, 0x70_0000);
        let heap = |r: &Residency| r.go_heap;
        let named = |r: &Residency| r.go_named;
        let data = |r: &Residency| r.program_data;
        let stack = |r: &Residency| r.stack;
        let elsewhere = |r: &Residency| r.elsewhere;
        type Place = fn(&Residency) -> u64;
        for (why, start, end, inode, path, place) in [
            ("an arena", 0xc000_0000, 0xc040_0000, 0, "", heap as Place),
            ("an arena that is named", 0xc000_0000, 0xc040_0000, 0, "[anon: Go: heap]", heap),
            ("a mapping that reaches into an arena", 0xb000_0000, 0xc000_0001, 0, "", heap),
            ("one that ends where the arena begins", 0xb000_0000, 0xc000_0000, 0, "", elsewhere),
            ("one that begins where the arena ends", 0xc400_0000, 0xc500_0000, 0, "", elsewhere),
            ("a file at an arena's place", 0xc000_0000, 0xc040_0000, 7, "/data", data),
            ("the runtime's tables, named", 0x7f00_0000, 0x7f10_0000, 0, "[anon: Go: gc bits]", named),
            ("somebody else's name", 0x7f00_0000, 0x7f10_0000, 0, "[anon: glibc]", elsewhere),
            ("written pages of the executable", 0x50_0000, 0x60_0000, 7, "/srv/service", data),
            ("bss, which is of no file", 0x6f_0000, 0x80_0000, 0, "", data),
            ("behind bss", 0x70_0000, 0x80_0000, 0, "[heap]", elsewhere),
            ("the first thread's stack", 0x7ffd_0000, 0x7ffe_0000, 0, "[stack]", stack),
            ("any other", 0x7f00_0000, 0x7f10_0000, 0, "", elsewhere),
        ] {
            let got = residency(&[resident(range(start, end), inode, path)], &arenas, variables);
            assert_eq!(place(&got), 2, "{why}: {got:?}");
            let all = got.go_heap + got.go_named + got.program_data + got.stack + got.elsewhere;
            assert_eq!((all, got.huge), (2, 1), "{why}: once, and what is huge of it");
        }
    }

    #[test]
    fn alike_large_objects_are_one_line_and_the_most_bytes_come_first() {
        let large = |bytes, noscan, element: Option<(&str, u64)>| LargeObject {
            count: 1,
            bytes,
            noscan,
            type_at: None,
            element: element.map(|(name, size)| (name.to_owned(), size)),
        };
        let table = SpanTable {
            large: vec![
                large(1 << 20, true, None),
                large(40_960, false, Some(("main.block", 64))),
                large(40_960, false, Some(("main.block", 64))),
                large(40_960, false, Some(("main.other", 64))),
                large(40_960, false, None),
                large(40_960, true, None),
                large(600_000, false, Some(("[]int", 8))),
                // Of a type of that name in another package of the same name.
                LargeObject { count: 447, ..large(600_000, false, Some(("[]int", 8))) },
            ],
            large_left_out: (3, 120_000),
            ..SpanTable::default()
        };
        let got = heap(&Spans { table, running: true });
        assert!(got.running);
        let rows: Vec<_> =
            got.large.iter().map(|l| (l.count, l.size, l.noscan, l.element.as_deref(), l.element_size)).collect();
        assert_eq!(
            rows[..3],
            [
                (448, 600_000, false, Some("[]int"), 8),
                (1, 1 << 20, true, None, 0),
                (2, 40_960, false, Some("main.block"), 64),
            ]
        );
        assert_eq!(got.large_left_out, LeftOut { objects: 3, bytes: 120_000 });
        assert_eq!(rows.len(), 6, "type and pointers tell objects apart: {rows:?}");
        assert!(rows[3..].iter().all(|r| (r.0, r.1) == (1, 40_960)), "{rows:?}");
    }

    #[test]
    fn classes_and_sums_are_the_tables() {
        let class = SpanClass { elem_size: 64, noscan: true, spans: 2, span_bytes: 16384, objects: 100, garbage: 10 };
        let large = SpanClass { spans: 1, span_bytes: 40_960, objects: 1, ..SpanClass::default() };
        let table = SpanTable {
            classes: vec![class],
            large_total: [large, SpanClass::default()],
            large_bytes: [40_000, 0],
            large_garbage_bytes: 5,
            ..SpanTable::default()
        };
        let got = heap(&Spans { table, running: false });
        let [c] = got.classes.as_slice() else { panic!("{:?}", got.classes) };
        assert_eq!((c.size, c.noscan, c.spans, c.span_bytes, c.objects, c.garbage), (64, true, 2, 16384, 100, 10));
        assert_eq!((got.span_bytes, got.object_bytes), (16384 + 40_960, 6400 + 40_000));
        assert_eq!((got.objects, got.garbage_bytes, got.running), (101, 640 + 5, false));
    }

    #[test]
    fn gauges_by_their_names() {
        let g = MemStats {
            gc_percent: -1,
            memory_limit: Some(1),
            heap_goal: None,
            heap_live: 2,
            heap_marked: 3,
            heap_in_use: 4,
            heap_released: 5,
            heap_free: 6,
            stacks: 7,
            metadata: 8,
            gc_cycles: 9,
            gc_phase: 1,
            gc_cpu_ppm: Some(125_000),
            ..MemStats::default()
        };
        let want = Gc {
            cycles: 9,
            percent: -1,
            memory_limit: Some(1),
            heap_live: 2,
            heap_marked: 3,
            heap_goal: None,
            heap_in_use: 4,
            heap_free: 6,
            heap_released: 5,
            stacks: 7,
            metadata: 8,
            phase: 1,
            cpu_share: Some(0.125),
            last_gc_ms_ago: None,
        };
        assert_eq!(gc(&g), want);
        let c = cgroup::Charge { usage: 1, anon: 2, file: 3, shmem: 4, page_tables: 5, kernel: 6 };
        assert_eq!(charge(c), Charge { usage: 1, anon: 2, file: 3, shmem: 4, page_tables: 5, kernel: 6 });
    }
}
