//! Where the memory is, to facts: the runtime's gauges, the span table, what is resident, what is charged.

use std::collections::BTreeMap;

use lastgasp_diagnosis::facts::{Charge, Gc, Heap, HeapClass, LargeObjects, Residency};
use lastgasp_goruntime::{Gauges, LargeObject, SpanClass};
use lastgasp_inferior::AddrRange;
use lastgasp_observe::kernel::cgroup;
use lastgasp_observe::raw_capture::{RawCapture, Spans};

/// The span table, alike large objects together.
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
        *large.entry(alike(object)).or_default() += 1;
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
    }
}

/// Resident anonymous memory by what it is for. Without the span table nobody knows where the Go heap is.
pub(crate) fn residency(taken: &RawCapture) -> Option<Residency> {
    let arenas = &taken.spans.as_ref()?.table.arenas;
    let meets = |a: AddrRange, b: AddrRange| a.start < b.end && b.start < a.end;
    let mut out = Residency::default();
    for r in taken.residency.as_ref()? {
        let m = &r.mapping;
        let place = if m.inode == 0 && arenas.iter().any(|a| meets(*a, m.range)) {
            &mut out.go_heap
        } else if m.path.starts_with("[anon: Go:") {
            &mut out.go_named
        } else if m.inode != 0 || meets(taken.runtime.module.variables, m.range) {
            &mut out.program_data
        } else if m.path == "[stack]" {
            &mut out.stack
        } else {
            &mut out.elsewhere
        };
        *place = place.saturating_add(r.anon);
        out.huge = out.huge.saturating_add(r.huge);
    }
    Some(out)
}

/// What is charged to the cgroup.
pub(crate) fn charge(c: cgroup::Charge) -> Charge {
    let cgroup::Charge { usage, anon, file, shmem, page_tables, kernel } = c;
    Charge { usage, anon, file, shmem, page_tables, kernel }
}

/// The runtime's gauges.
pub(crate) fn gc(g: &Gauges) -> Gc {
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
    }
}
