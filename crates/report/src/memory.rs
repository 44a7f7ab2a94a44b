//! Where the memory is, for the JSON document and the terminal: the ledgers, and the heap by its span table.

use lastgasp_diagnosis::facts::{Facts, HeapClass, LargeObjects};
use lastgasp_diagnosis::units::{bytes, count};
use lastgasp_diagnosis::{Slice, charge_ledger, heap_summary, ledger};
use serde_json::{Value, json};

/// Groups of large objects that are listed.
const MOST_LARGE: usize = 60;

/// The field `memory` of the document.
pub(crate) fn memory(facts: &Facts) -> Value {
    let list = |slices: &[Slice]| -> Vec<Value> {
        slices
            .iter()
            .map(|s| json!({"name": s.name, "bytes": s.bytes, "source": s.source.name(), "what": s.what}))
            .collect()
    };
    let usage = facts.timeline.samples.last().map(|s| s.usage_bytes);
    let charge = facts.charge.map(|c| json!({"usage_bytes": c.usage, "buckets": list(&charge_ledger(facts))}));
    json!({
        "rss_bytes": facts.rss.map(|r| r.rss), "usage_bytes": usage, "as_of_ms": facts.rss.map(|r| r.as_of_ms), "buckets": list(&ledger(facts)),
        "swap_bytes": facts.rss.map(|r| r.swap), "page_tables_bytes": facts.rss.map(|r| r.page_tables),
        "huge_page_bytes": facts.residency.map(|r| r.huge), "charge": charge,
    })
}

/// The field `heap` of the document.
pub(crate) fn heap(facts: &Facts) -> Value {
    let Some(h) = &facts.heap else { return Value::Null };
    let class = |c: &HeapClass| {
        json!({
            "size_bytes": c.size, "pointers": !c.noscan, "spans": c.spans, "span_bytes": c.span_bytes, "objects": c.objects,
            "object_bytes": c.objects.saturating_mul(c.size), "garbage_objects": c.garbage,
        })
    };
    let large = |l: &LargeObjects| {
        json!({
            "count": l.count, "size_bytes": l.size, "total_bytes": l.count.saturating_mul(l.size), "pointers": !l.noscan, "element_type": l.element,
            "element_bytes": l.element.as_ref().map(|_| l.element_size),
        })
    };
    json!({
        "source": if h.running { "estimated" } else { "exact" }, "span_bytes": h.span_bytes, "object_bytes": h.object_bytes, "objects": h.objects,
        "garbage_bytes": h.garbage_bytes, "classes": h.classes.iter().map(class).collect::<Vec<_>>(),
        "large": h.large.iter().take(MOST_LARGE).map(large).collect::<Vec<_>>(),
    })
}

/// Lines for the terminal: the two sums, each over its parts.
pub(crate) fn sums(facts: &Facts) -> Vec<String> {
    let signed = |n: i64| {
        if n < 0 { format!("-{}", bytes(n.unsigned_abs())) } else { bytes(n.unsigned_abs()) }
    };
    let sum = |name: &str, total: u64, slices: &[Slice]| {
        let parts: Vec<String> =
            slices.iter().filter(|s| s.bytes != 0).map(|s| format!("{} {}", s.name, signed(s.bytes))).collect();
        format!("{name} {} = {}", bytes(total), parts.join(" + "))
    };
    let mut out = Vec::new();
    if let Some(rss) = facts.rss {
        out.push(sum("RSS", rss.rss, &ledger(facts)));
        let charged = charge_ledger(facts);
        if let Some(c) = facts.charge.filter(|_| !charged.is_empty()) {
            out.push(sum("charged to the cgroup", c.usage, &charged));
        }
    }
    if let Some(r) = facts.residency.filter(|r| r.huge > 0) {
        out.push(format!("{} of it in huge pages", bytes(r.huge)));
    }
    out
}

/// Lines for the terminal: what the heap holds, the largest first.
pub(crate) fn heap_lines(facts: &Facts) -> Vec<String> {
    let Some(h) = &facts.heap else { return Vec::new() };
    let sources = if h.running { "estimated: read while it ran" } else { "exact" };
    let mut out = vec![format!(
        "{} objects, {} in {} of spans, {} of it garbage not swept yet [{sources}]",
        count(h.objects),
        bytes(h.object_bytes),
        bytes(h.span_bytes),
        bytes(h.garbage_bytes)
    )];
    out.extend(heap_summary(h).into_iter().take(4).map(|(n, text)| format!("{:>8} {text}", bytes(n))));
    out
}
