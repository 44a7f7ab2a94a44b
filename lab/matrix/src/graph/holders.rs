//! Sums, types, and who keeps what.

use serde_json::Value;

use super::{Case, list, number, within_a_hundredth};
use crate::Outcome;

/// Goroutines' own needs beside what a function holds, in bytes each.
const OF_A_GOROUTINE: u64 = 1024;
/// Elements of each list that the document has.
const LISTED: usize = 60;

/// Live, garbage and free are the span table's; live is what the runtime counted after its last collection.
pub(super) fn sums(out: &mut Outcome, case: &Case<'_>, document: &Value) {
    const WHAT: &str = "sums";
    let [live, garbage, objects, garbage_objects] =
        ["live_bytes", "garbage_bytes", "objects", "garbage_objects"].map(|name| number(&case.graph[name]));
    let heap = &document["heap"];
    out.equal(WHAT, "bytes of objects", &live.saturating_add(garbage), &number(&heap["object_bytes"]));
    out.equal(WHAT, "objects", &objects.saturating_add(garbage_objects), &number(&heap["objects"]));
    let said = case.truth.heap_alloc;
    if live.abs_diff(said) * 1000 > said {
        out.note(WHAT, format!("{live} bytes live, {said} by the runtime's count: more than a thousandth off"));
    }
    let planted = case.truth.garbage;
    // The runtime's own few.
    if garbage_objects.abs_diff(planted.objects) > 100 || garbage.abs_diff(planted.bytes) > 32 << 10 {
        out.note(
            WHAT,
            format!(
                "{garbage_objects} objects of {garbage} bytes are garbage; planted: {} of {}",
                planted.objects, planted.bytes
            ),
        );
    }
    // Which objects are sampled is chance, and with it what is known of those that nothing else names: slices of
    // three elements out of the middle of arrays of a megabyte. Of all of them sampled 0.999 were seen with names
    // and 0.996 without, of none 0.93.
    let floor = if case.named { 0.95 } else { 0.9 };
    let share = case.graph["typed_share"].as_f64().unwrap_or(0.0);
    if share < floor {
        out.note("typed share", format!("{share:.4} of the live bytes have a type, at least {floor} must"));
    }
}

/// Types by name: as many objects as there are. Where not all can be known, never more.
pub(super) fn types(out: &mut Outcome, case: &Case<'_>) {
    const WHAT: &str = "types";
    let said = list(case.graph, "types");
    let least = if said.len() < LISTED { 0 } else { said.last().map_or(0, |t| number(&t["bytes"])) };
    for planted in &case.truth.types {
        let found = said.iter().find(|t| t["type"] == planted.name.as_str());
        let amount = found.map_or((0, 0), |t| (number(&t["objects"]), number(&t["bytes"])));
        let is_listed = planted.bytes > least;
        let right = if case.named && is_listed {
            amount == (planted.objects, planted.bytes)
        } else {
            amount.0 <= planted.objects && amount.1 <= planted.bytes
        };
        if !right {
            out.note(
                WHAT,
                format!(
                    "{}: {} objects, {} bytes; planted: {}, {}",
                    planted.name, amount.0, amount.1, planted.objects, planted.bytes
                ),
            );
        }
    }
}

/// What variables keep alone, goroutines of one function, and finalizers.
pub(super) fn owners(out: &mut Outcome, case: &Case<'_>) {
    const WHAT: &str = "owners";
    let roots = list(case.graph, "roots");
    let least = if roots.len() < LISTED { 0 } else { roots.last().map_or(0, |r| number(&r["retained_bytes"])) };
    for planted in case.truth.owners.iter().filter(|o| o.bytes > least) {
        let fits = |r: &&Value| {
            r["kind"] == "global"
                && (!case.named || r["name"] == planted.name.as_str())
                && (number(&r["objects"]), number(&r["retained_bytes"])) == (planted.objects, planted.bytes)
        };
        if !roots.iter().any(|r| fits(&r)) {
            let said = roots.iter().find(|r| r["name"] == planted.name.as_str());
            out.note(
                WHAT,
                format!("{} keeps {} objects, {} bytes; said: {said:?}", planted.name, planted.objects, planted.bytes),
            );
        }
    }
    for planted in case.truth.copies.iter().filter(|c| !c.holder.is_empty()) {
        let group = roots.iter().find(|r| r["kind"] == "goroutine" && r["name"] == planted.holder.as_str());
        let held = group.map_or((0, 0), |g| (number(&g["goroutines"]), number(&g["retained_bytes"])));
        let most = planted.bytes + planted.copies * OF_A_GOROUTINE;
        if held.0 != planted.copies || held.1 * 100 < planted.bytes * 99 || held.1 > most {
            out.note(
                WHAT,
                format!(
                    "{} goroutines in {} hold {} bytes; said: {group:?}",
                    planted.copies, planted.holder, planted.bytes
                ),
            );
        }
    }
    let of_finalizers: u64 =
        roots.iter().filter(|r| r["kind"] == "finalizer").map(|r| number(&r["retained_bytes"])).sum();
    // The closures that hold the buffers, too.
    let planted = case.truth.finalizers;
    if !within_a_hundredth(of_finalizers, planted.bytes) {
        out.note(
            WHAT,
            format!(
                "{} objects, {} bytes are held by finalizers; said: {of_finalizers}",
                planted.objects, planted.bytes
            ),
        );
    }
}
