//! Where the memory is, in lines for the terminal: the ledgers, and the heap by its span table.

use lastgasp_diagnosis::facts::Facts;
use lastgasp_diagnosis::units::{bytes, count};
use lastgasp_diagnosis::{Slice, charge_ledger, heap_summary, ledger};

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
