//! The death: by which captures it is told, how it came, and what died before; and who else was in the group.

use lastgasp_diagnosis::at_limit;
use lastgasp_diagnosis::facts::{self, Facts, Figure};
use serde::Serialize;

use crate::death_sentence::death_sentence;

/// The field `death`.
#[derive(Debug, Serialize)]
pub(crate) struct Death<'a> {
    sentence: String,
    at_limit_seconds: Option<f64>,
    at_limit_at_least: bool,
    before: Option<Before<'a>>,
    captures: Vec<Part<'a>>,
}

/// Deaths of the same service before.
#[derive(Debug, Serialize)]
struct Before<'a> {
    last_hour: u64,
    last_day: u64,
    since: Option<&'a str>,
}

/// A capture of the death.
#[derive(Debug, Serialize)]
struct Part<'a> {
    folder: Option<&'a str>,
    phase: &'a str,
    reason: &'a str,
    taken_at: &'a str,
    t_ms: u64,
    gives: Vec<&'static str>,
}

/// The field `neighbours`.
#[derive(Debug, Serialize)]
pub(super) struct Neighbours<'a> {
    group: &'a str,
    as_of_ms: u64,
    rss_bytes: u64,
    others: Vec<Neighbour<'a>>,
}

/// An element of `neighbours.others`.
#[derive(Debug, Serialize)]
struct Neighbour<'a> {
    name: &'a str,
    processes: u64,
    children: u64,
    pids: &'a [i32],
    rss_bytes: u64,
}

impl<'a> Death<'a> {
    pub(crate) fn of(facts: &'a Facts) -> Option<Self> {
        let death = facts.death.as_ref()?;
        let stood = at_limit(facts);
        Some(Self {
            sentence: death_sentence(facts).unwrap_or_default(),
            at_limit_seconds: stood.map(|s| s.ms as f64 / 1000.0),
            at_limit_at_least: stood.is_some_and(|s| s.at_least),
            before: death.before.as_ref().map(|b| Before {
                last_hour: b.last_hour,
                last_day: b.last_day,
                since: b.since.as_deref(),
            }),
            captures: death.parts.iter().map(Part::of).collect(),
        })
    }
}

impl<'a> Part<'a> {
    fn of(p: &'a facts::Part) -> Self {
        Self {
            folder: Some(p.folder.as_str()).filter(|f| !f.is_empty()),
            phase: p.phase.name(),
            reason: p.reason.name(),
            taken_at: &p.taken_at,
            t_ms: p.t_ms,
            gives: p.gives.iter().copied().map(Figure::name).collect(),
        }
    }
}

impl<'a> Neighbours<'a> {
    pub(super) fn of(n: &'a facts::Neighbours) -> Self {
        let one = |o: &'a facts::Neighbour| Neighbour {
            name: &o.name,
            processes: o.processes,
            children: o.children,
            pids: &o.pids,
            rss_bytes: o.rss_bytes,
        };
        Self {
            group: &n.group,
            as_of_ms: n.as_of_ms,
            rss_bytes: n.rss_bytes,
            others: n.others.iter().take(MAX_OTHERS).map(one).collect(),
        }
    }
}

/// Names of others that are listed.
const MAX_OTHERS: usize = 60;
