//! What is said of a heap's collections, as facts.

use lastgasp_diagnosis::facts::{CopyHolder, GraphCensus, GraphCopies, GraphFacts, GraphWaste};
use lastgasp_goheap::{Copies, Counted, Survey, Waste};

/// Of each list so many are kept.
const MOST: usize = 200;

/// Adds what a survey found.
pub(crate) fn add(facts: &mut GraphFacts, survey: Survey) {
    // The largest by bytes come first; those of the most elements are not to be missing.
    let mut census = survey.census;
    let by_bytes = census.len().min(MOST);
    let mut rest = census.split_off(by_bytes);
    rest.sort_by_key(|c| std::cmp::Reverse(c.elements));
    rest.truncate(MOST);
    facts.census = census.into_iter().chain(rest).map(counted).collect();
    facts.copies = survey.copies.into_iter().take(MOST).map(copies).collect();
    facts.waste = survey.waste.into_iter().take(MOST).map(waste).collect();
}

fn counted(c: Counted) -> GraphCensus {
    GraphCensus {
        owner: c.owner,
        type_name: c.type_name,
        kind: c.kind.name().into(),
        elements: c.elements,
        bytes: c.bytes,
        retained_bytes: c.retained_bytes,
        fill: if c.capacity > 0 { c.elements as f64 / c.capacity as f64 } else { 0.0 },
        count: c.count,
        at: c.at.0,
        at_hand: c.at_hand,
        ..GraphCensus::default()
    }
}

fn copies(c: Copies) -> GraphCopies {
    let built = c.built.unwrap_or_default();
    GraphCopies {
        type_name: c.type_name,
        copies: c.copies,
        elements: c.elements,
        bytes_each: c.total_bytes / c.copies.max(1),
        total_bytes: c.total_bytes,
        savable_bytes: c.total_bytes.saturating_sub(c.largest_bytes),
        equal: if c.of_content { "content" } else { "shape" }.into(),
        holders: c
            .holders
            .into_iter()
            .map(|h| CopyHolder { function: h.name, goroutines: h.goroutines, copies: h.copies })
            .collect(),
        site: built.function,
        site_at: built.place,
    }
}

fn waste(w: Waste) -> GraphWaste {
    let wasted_bytes = w.wasted_bytes();
    GraphWaste {
        kind: w.kind.name().into(),
        owner: w.owner,
        type_name: w.type_name,
        count: w.count,
        kept_bytes: w.kept_bytes,
        used_bytes: w.used_bytes,
        wasted_bytes,
    }
}
