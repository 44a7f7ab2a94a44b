//! Where the memory is: the ledgers of the RSS and of the charge, the heap by its span table, the runtime's
//! gauges.

use lastgasp_diagnosis::facts::{self, Facts};
use lastgasp_diagnosis::{Slice, charge_ledger, heap_source, ledger};
use serde::Serialize;

/// Groups of large objects that are listed.
const MAX_LARGE: usize = 60;

/// The field `memory`.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    rss_bytes: Option<u64>,
    usage_bytes: Option<u64>,
    as_of_ms: Option<u64>,
    buckets: Vec<Bucket>,
    swap_bytes: Option<u64>,
    page_tables_bytes: Option<u64>,
    huge_page_bytes: Option<u64>,
    charge: Option<Charge>,
}

/// A slice of a ledger.
#[derive(Debug, Serialize)]
struct Bucket {
    name: &'static str,
    bytes: i64,
    source: &'static str,
    what: &'static str,
}

/// What is charged to the memory cgroup.
#[derive(Debug, Serialize)]
struct Charge {
    usage_bytes: u64,
    buckets: Vec<Bucket>,
}

/// The field `heap`.
#[derive(Debug, Serialize)]
pub(super) struct Heap<'a> {
    source: &'static str,
    span_bytes: u64,
    object_bytes: u64,
    objects: u64,
    garbage_bytes: u64,
    classes: Vec<Class>,
    large: Vec<Large<'a>>,
}

/// Small objects of one size.
#[derive(Debug, Serialize)]
struct Class {
    size_bytes: u64,
    pointers: bool,
    spans: u64,
    span_bytes: u64,
    objects: u64,
    object_bytes: u64,
    garbage_objects: u64,
}

/// Large objects that are alike.
#[derive(Debug, Serialize)]
struct Large<'a> {
    count: u64,
    size_bytes: u64,
    total_bytes: u64,
    pointers: bool,
    element_type: Option<&'a str>,
    element_bytes: Option<u64>,
}

/// The field `gc`.
#[derive(Debug, Serialize)]
pub(super) struct Gc {
    cycles: u32,
    percent: i32,
    memory_limit_bytes: Option<u64>,
    heap_live_bytes: u64,
    heap_marked_bytes: u64,
    heap_goal_bytes: Option<u64>,
    phase: &'static str,
    heap_in_use_bytes: u64,
    heap_idle_bytes: u64,
    heap_released_bytes: u64,
    stacks_bytes: u64,
    metadata_bytes: u64,
}

impl Memory {
    pub(super) fn of(facts: &Facts) -> Self {
        Self {
            rss_bytes: facts.rss.map(|r| r.rss),
            usage_bytes: facts.timeline.samples.last().map(|s| s.usage_bytes),
            as_of_ms: facts.rss.map(|r| r.as_of_ms),
            buckets: buckets(&ledger(facts)),
            swap_bytes: facts.rss.map(|r| r.swap),
            page_tables_bytes: facts.rss.map(|r| r.page_tables),
            huge_page_bytes: facts.residency.map(|r| r.huge),
            charge: facts.charge.map(|c| Charge { usage_bytes: c.usage, buckets: buckets(&charge_ledger(facts)) }),
        }
    }
}

fn buckets(slices: &[Slice]) -> Vec<Bucket> {
    slices.iter().map(|s| Bucket { name: s.name, bytes: s.bytes, source: s.source.name(), what: s.what }).collect()
}

impl<'a> Heap<'a> {
    pub(super) fn of(h: &'a facts::Heap) -> Self {
        Self {
            source: heap_source(h).name(),
            span_bytes: h.span_bytes,
            object_bytes: h.object_bytes,
            objects: h.objects,
            garbage_bytes: h.garbage_bytes,
            classes: h.classes.iter().map(Class::of).collect(),
            large: h.large.iter().take(MAX_LARGE).map(Large::of).collect(),
        }
    }
}

impl Class {
    fn of(c: &facts::HeapClass) -> Self {
        Self {
            size_bytes: c.size,
            pointers: !c.noscan,
            spans: c.spans,
            span_bytes: c.span_bytes,
            objects: c.objects,
            object_bytes: c.object_bytes(),
            garbage_objects: c.garbage,
        }
    }
}

impl<'a> Large<'a> {
    fn of(l: &'a facts::LargeObjects) -> Self {
        Self {
            count: l.count,
            size_bytes: l.size,
            total_bytes: l.total_bytes(),
            pointers: !l.noscan,
            element_type: l.element.as_deref(),
            element_bytes: l.element.as_ref().map(|_| l.element_size),
        }
    }
}

impl Gc {
    pub(super) fn of(facts: &Facts) -> Self {
        let g = &facts.gc;
        Self {
            cycles: g.cycles,
            percent: g.percent,
            memory_limit_bytes: g.memory_limit,
            heap_live_bytes: g.heap_live,
            heap_marked_bytes: g.heap_marked,
            heap_goal_bytes: g.heap_goal,
            phase: match g.phase {
                0 => "off",
                1 => "mark",
                2 => "mark termination",
                _ => "unknown",
            },
            heap_in_use_bytes: g.heap_in_use,
            heap_idle_bytes: g.heap_free,
            heap_released_bytes: g.heap_released,
            stacks_bytes: g.stacks,
            metadata_bytes: g.metadata,
        }
    }
}
