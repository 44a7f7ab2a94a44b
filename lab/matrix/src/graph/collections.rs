//! Collections, copies of one content, and waste.

use serde_json::Value;

use super::{Case, is_owner, list, number, within_a_hundredth};
use crate::Outcome;

/// Each planted collection is in the census, with its elements and its owner.
pub(super) fn census(out: &mut Outcome, case: &Case<'_>) {
    const WHAT: &str = "census";
    let said = list(case.graph, "census");
    for planted in &case.truth.census {
        let of_type = |c: &&Value| c["type"] == planted.name.as_str() && number(&c["elements"]) == planted.elements;
        let found: Vec<&Value> = said.iter().filter(of_type).collect();
        let owner = |c: &&&Value| !case.named || is_owner(c["owner"].as_str().unwrap_or(""), &planted.owner);
        let Some(one) = found.iter().find(owner) else {
            out.note(
                WHAT,
                format!(
                    "{} ({}, {} elements) is not in it; said: {found:?}",
                    planted.owner, planted.name, planted.elements
                ),
            );
            continue;
        };
        let fill = one["fill"].as_f64().unwrap_or(-1.0);
        let right = match planted.room {
            0 => fill > 0.0 && fill <= 1.0,
            room => (fill - planted.elements as f64 / room as f64).abs() < 0.001,
        };
        if !right {
            out.note(WHAT, format!("{}: fill {fill}, room for {}", planted.owner, planted.room));
        }
    }
}

/// Copies of one content: all of them, and none that only looks like one.
pub(super) fn copies(out: &mut Outcome, case: &Case<'_>) {
    const WHAT: &str = "copies";
    let said = list(case.graph, "copies");
    let equal = |name: &str, elements: u64| -> Vec<&Value> {
        let is = |c: &&Value| c["type"] == name && number(&c["elements"]) == elements && c["equal"] == "content";
        said.iter().filter(is).collect()
    };
    for planted in &case.truth.copies {
        let found = equal(&planted.name, planted.elements);
        let name = format!("{} of {} elements", planted.name, planted.elements);
        let [one] = found[..] else {
            out.note(WHAT, format!("{} copies of {name} are {} groups: {found:?}", planted.copies, found.len()));
            continue;
        };
        out.equal(WHAT, &format!("{name}: copies"), &number(&one["copies"]), &planted.copies);
        // What the copies share, or somebody else holds too, is none of theirs; keys of maps are.
        let bytes = number(&one["total_bytes"]);
        if bytes > planted.bytes + planted.bytes / 50 || bytes * 2 < planted.bytes {
            out.note(WHAT, format!("{name}: {bytes} bytes; planted: {}", planted.bytes));
        }
        let (each, savable) = (number(&one["bytes_each"]), number(&one["savable_bytes"]));
        let together = each.saturating_mul(planted.copies);
        if !within_a_hundredth(together, bytes) || savable > bytes || savable < bytes.saturating_sub(2 * each) {
            out.note(WHAT, format!("{name}: {each} each, {bytes} together, {savable} to save"));
        }
        let holders = list(one, "holders");
        if !planted.holder.is_empty() {
            let group = holders.iter().find(|h| h["function"] == planted.holder.as_str());
            let count = group.map_or(0, |h| number(&h["goroutines"]));
            out.equal(WHAT, &format!("{name}: goroutines in {}", planted.holder), &count, &planted.copies);
        }
        // Built by a function that is sampled or not: none may be named but the right one.
        let site = one["site"].as_str().unwrap_or("");
        if !site.is_empty() && site != planted.site && site != planted.holder {
            out.note(WHAT, format!("{name}: built in {site}; planted: {}", planted.site));
        }
    }
    for planted in &case.truth.not_copies {
        for one in equal(&planted.name, planted.elements) {
            out.note(WHAT, format!("{} are no copies: {one}", planted.owner));
        }
    }
}

/// Memory that is kept and not used: each within a hundredth; and none of what is all used.
pub(super) fn waste(out: &mut Outcome, case: &Case<'_>) {
    const WHAT: &str = "waste";
    let said = list(case.graph, "waste");
    let mut taken = vec![false; said.len()];
    for planted in &case.truth.waste {
        let wasted = planted.kept.saturating_sub(planted.used);
        let by_goroutines = !planted.holder.is_empty();
        // Of a binary without names what was not sampled may be an array of something unknown.
        let may_be_unknown = !case.named && !by_goroutines;
        let is_unknown = |w: &Value| w["type"].as_str().is_some_and(|t| t.starts_with("[]unknown"));
        let fits = |w: &Value, unknown: bool| {
            let owner = w["owner"].as_str().unwrap_or("");
            let is_owned = match (by_goroutines, case.named) {
                (true, _) => owner.contains(&planted.holder),
                (false, true) => is_owner(owner, &planted.owner),
                (false, false) => w["type"] == planted.name.as_str() || unknown && is_unknown(w),
            };
            let bytes = number(&w["wasted_bytes"]);
            let is_right =
                if planted.kept == 0 { bytes > 0 && bytes < u64::MAX } else { within_a_hundredth(bytes, wasted) };
            w["kind"] == planted.kind.as_str() && is_owned && is_right
        };
        let find = |unknown: bool| {
            said.iter().enumerate().position(|(i, w)| !taken.get(i).is_some_and(|t| *t) && fits(w, unknown))
        };
        let found = find(false).or_else(|| find(true).filter(|_| may_be_unknown));
        match found {
            Some(at) => {
                taken[at] = true;
                let count = number(&said[at]["count"]);
                let typed = said[at]["type"] == planted.name.as_str() || may_be_unknown && is_unknown(&said[at]);
                if !typed || count != planted.count {
                    out.note(
                        WHAT,
                        format!(
                            "{} {}: {} of {}; said: {}",
                            planted.kind, planted.owner, planted.count, planted.name, said[at]
                        ),
                    );
                }
            }
            None => {
                let near: Vec<&Value> = said
                    .iter()
                    .filter(|w| {
                        is_owner(w["owner"].as_str().unwrap_or(""), &planted.owner)
                            || w["owner"].as_str().is_some_and(|o| by_goroutines && o.contains(&planted.holder))
                    })
                    .collect();
                out.note(
                    WHAT,
                    format!(
                        "{} of {}{} ({}): {wasted} bytes; said: {near:?}",
                        planted.kind, planted.owner, planted.holder, planted.name
                    ),
                );
            }
        }
    }
    for owner in &case.truth.thrifty {
        for w in said.iter().filter(|w| is_owner(w["owner"].as_str().unwrap_or(""), owner)) {
            out.note(WHAT, format!("{owner} wastes nothing: {w}"));
        }
    }
}
