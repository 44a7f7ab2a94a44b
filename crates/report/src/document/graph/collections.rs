//! Maps, slices, strings and channels: the largest, those of equal content, what they waste.

use lastgasp_diagnosis::facts::{CopyHolder, GraphCensus, GraphCopies, GraphWaste};
use serde::Serialize;

/// A collection.
#[derive(Debug, Serialize)]
pub(super) struct Census<'a> {
    owner: &'a str,
    #[serde(rename = "type")]
    type_name: &'a str,
    kind: &'a str,
    elements: u64,
    bytes: u64,
    retained_bytes: u64,
    fill: f64,
    before: Option<u64>,
    before_ms_ago: Option<u64>,
    looks: Vec<Look>,
    count: u64,
}

/// Elements at an earlier look.
#[derive(Debug, Serialize)]
struct Look {
    ms_ago: u64,
    elements: u64,
}

/// Collections of equal content.
#[derive(Debug, Serialize)]
pub(super) struct Copies<'a> {
    #[serde(rename = "type")]
    type_name: &'a str,
    copies: u64,
    elements: u64,
    bytes_each: u64,
    total_bytes: u64,
    savable_bytes: u64,
    equal: &'a str,
    holders: Vec<Holder<'a>>,
    site: &'a str,
    site_at: &'a str,
}

/// Who holds some of the copies.
#[derive(Debug, Serialize)]
struct Holder<'a> {
    function: &'a str,
    goroutines: u64,
    copies: u64,
}

/// Memory that is kept and not used.
#[derive(Debug, Serialize)]
pub(super) struct Waste<'a> {
    kind: &'a str,
    owner: &'a str,
    #[serde(rename = "type")]
    type_name: &'a str,
    count: u64,
    kept_bytes: u64,
    used_bytes: u64,
    wasted_bytes: u64,
}

/// Holders of one group of copies, and looks at one collection.
const MOST_OF_ONE: usize = 100;

impl<'a> Census<'a> {
    pub(super) fn of(c: &'a GraphCensus) -> Self {
        // The latest looks stand last.
        let looks = c.looks.get(c.looks.len().saturating_sub(MOST_OF_ONE)..).unwrap_or_default();
        Self {
            owner: &c.owner,
            type_name: &c.type_name,
            kind: &c.kind,
            elements: c.elements,
            bytes: c.bytes,
            retained_bytes: c.retained_bytes,
            fill: if c.fill.is_finite() { c.fill } else { 0.0 },
            before: c.before,
            before_ms_ago: c.before_ms_ago,
            looks: looks.iter().map(|(ms_ago, elements)| Look { ms_ago: *ms_ago, elements: *elements }).collect(),
            count: c.count,
        }
    }
}

impl<'a> Copies<'a> {
    pub(super) fn of(c: &'a GraphCopies) -> Self {
        let holder = |h: &'a CopyHolder| Holder { function: &h.function, goroutines: h.goroutines, copies: h.copies };
        Self {
            type_name: &c.type_name,
            copies: c.copies,
            elements: c.elements,
            bytes_each: c.bytes_each,
            total_bytes: c.total_bytes,
            savable_bytes: c.savable_bytes,
            equal: &c.equal,
            holders: c.holders.iter().take(MOST_OF_ONE).map(holder).collect(),
            site: &c.site,
            site_at: &c.site_at,
        }
    }
}

impl<'a> Waste<'a> {
    pub(super) fn of(w: &'a GraphWaste) -> Self {
        Self {
            kind: &w.kind,
            owner: &w.owner,
            type_name: &w.type_name,
            count: w.count,
            kept_bytes: w.kept_bytes,
            used_bytes: w.used_bytes,
            wasted_bytes: w.wasted_bytes,
        }
    }
}
