//! The memory profile, site by site, and what pprof would have shown of it.

use lastgasp_diagnosis::facts::{self, Facts};
use lastgasp_diagnosis::{Diagnosis, SiteRates, SiteRow, SiteSums, SiteTable, pprof_view};
use serde::Serialize;

/// The field `profile`.
#[derive(Debug, Serialize)]
pub(super) struct Profile<'a> {
    rate_bytes: u64,
    baseline_ms: Option<u64>,
    totals: Counters,
    sites: Vec<Site<'a>>,
}

/// An element of `profile.sites`.
#[derive(Debug, Serialize)]
struct Site<'a> {
    id: i64,
    function: &'a str,
    #[serde(flatten)]
    counters: Counters,
    /// Absent of the other sites, which are one.
    #[serde(flatten)]
    of: Option<Details<'a>>,
}

/// What one site has beyond its counters.
#[derive(Debug, Serialize)]
struct Details<'a> {
    file: &'a str,
    line: u32,
    stack: Vec<Frame<'a>>,
    samples: u64,
    error_bytes: u64,
    range_bytes: [u64; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    rates: Option<Rates>,
}

/// The counters of a site, or of all.
#[derive(Debug, Serialize)]
struct Counters {
    current: Amount,
    published: Amount,
    baseline: Option<Amount>,
    growth: Option<Amount>,
    burst: Amount,
}

/// Bytes and objects.
#[derive(Debug, Serialize)]
struct Amount {
    bytes: u64,
    objects: u64,
}

/// The field `rates` of a site.
#[derive(Debug, Serialize)]
struct Rates {
    allocated: Rate,
    freed: Rate,
    seconds: f64,
}

/// Bytes and objects per second.
#[derive(Debug, Serialize)]
struct Rate {
    bytes_per_s: u64,
    objects_per_s: u64,
}

/// A call.
#[derive(Debug, Serialize)]
pub(super) struct Frame<'a> {
    function: &'a str,
    file: &'a str,
    line: u32,
}

/// The field `pprof`.
#[derive(Debug, Serialize)]
pub(super) struct Pprof {
    /// Absent if nothing grew.
    #[serde(flatten)]
    of: Option<PprofOfSite>,
    total_published_bytes: u64,
    total_current_bytes: u64,
}

/// What pprof would have shown of the function that grew most.
#[derive(Debug, Serialize)]
struct PprofOfSite {
    sentence: String,
    site_published_bytes: u64,
    site_current_bytes: u64,
}

impl<'a> Profile<'a> {
    pub(super) fn of(facts: &'a Facts, d: &Diagnosis) -> Self {
        let table = SiteTable::of(facts, &d.growth);
        let site = |row: &SiteRow| Some(Site::of(facts, row, facts.profile.sites.get(row.id)?));
        let mut sites: Vec<Site<'_>> = table.rows.iter().filter_map(site).collect();
        sites.extend(table.other.map(|sums| Site {
            id: -1,
            function: "(other sites)",
            counters: Counters::of(&sums),
            of: None,
        }));
        Self {
            rate_bytes: facts.profile.rate,
            baseline_ms: facts.profile.baseline_t_ms,
            totals: Counters::of(&table.total),
            sites,
        }
    }
}

impl<'a> Site<'a> {
    fn of(facts: &'a Facts, row: &SiteRow, s: &facts::Site) -> Self {
        let top = s.stack.first().and_then(|i| facts.frames.get(*i as usize));
        let (low, high) = s.range_bytes();
        Self {
            id: row.id as i64,
            function: top.map_or("", |f| &f.function),
            counters: Counters::of(&row.sums),
            of: Some(Details {
                file: top.map_or("", |f| &f.file),
                line: top.map_or(0, |f| f.line),
                stack: stack(facts, &s.stack),
                samples: s.samples,
                error_bytes: s.error_bytes,
                range_bytes: [low, high],
                rates: row.rates.as_ref().map(Rates::of),
            }),
        }
    }
}

impl Counters {
    fn of(s: &SiteSums) -> Self {
        Self {
            current: Amount::of(s.current),
            published: Amount::of(s.published),
            baseline: s.baseline.map(Amount::of),
            growth: s.growth.map(Amount::of),
            burst: Amount::of(s.burst),
        }
    }
}

impl Amount {
    fn of(a: facts::Amount) -> Self {
        Self { bytes: a.bytes, objects: a.objects }
    }
}

impl Rates {
    fn of(r: &SiteRates) -> Self {
        let rate = |a: facts::Amount| Rate { bytes_per_s: a.bytes, objects_per_s: a.objects };
        Self { allocated: rate(r.allocated), freed: rate(r.freed), seconds: r.seconds }
    }
}

impl<'a> Frame<'a> {
    pub(super) fn of(f: &'a facts::Frame) -> Self {
        Self { function: &f.function, file: &f.file, line: f.line }
    }
}

/// Frames by their indices, innermost first.
pub(super) fn stack<'a>(facts: &'a Facts, indices: &[u32]) -> Vec<Frame<'a>> {
    indices.iter().filter_map(|i| facts.frames.get(*i as usize)).map(Frame::of).collect()
}

impl Pprof {
    pub(super) fn of(facts: &Facts, d: &Diagnosis) -> Self {
        let view = pprof_view(facts, &d.growth);
        Self {
            of: view.culprit.map(|c| PprofOfSite {
                sentence: c.sentence,
                site_published_bytes: c.published,
                site_current_bytes: c.current,
            }),
            total_published_bytes: view.total_published,
            total_current_bytes: view.total_current,
        }
    }
}
