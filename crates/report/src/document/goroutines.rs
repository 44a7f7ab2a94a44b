//! Goroutines: by state, and in groups of those that do the same.

use lastgasp_diagnosis::facts::{self, Facts};
use lastgasp_diagnosis::{Diagnosis, GoroutineSummary};
use serde::Serialize;

use super::profile::{Frame, stack};
use super::verdicts::{Along, Leak, Onsets, Tiers, Verdict, VerdictGroup, WaitFor};

/// Groups that are listed.
const MAX_GROUPS: usize = 200;

/// The field `goroutines`.
#[derive(Debug, Serialize)]
pub(super) struct Goroutines<'a> {
    total: u64,
    running: u64,
    stack_bytes: u64,
    in_site: Option<u64>,
    site_function: Option<&'a str>,
    by_state: Vec<State<'a>>,
    groups: Vec<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    along: Option<Along>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leak: Option<Leak<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    onsets: Option<Onsets<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tiers: Option<Tiers>,
    no_proof: &'a [String],
    verdict_groups: Vec<VerdictGroup<'a>>,
    verdicts: Vec<Verdict<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_for: Option<WaitFor<'a>>,
}

/// An element of `goroutines.by_state`.
#[derive(Debug, Serialize)]
struct State<'a> {
    state: &'a str,
    count: u64,
}

/// An element of `goroutines.groups`.
#[derive(Debug, Serialize)]
struct Group<'a> {
    count: u64,
    state: &'a str,
    wait_reason: &'a str,
    stack: Vec<Frame<'a>>,
    created_by: Option<Frame<'a>>,
    in_site: bool,
    approximate: bool,
}

impl<'a> Goroutines<'a> {
    pub(super) fn of(facts: &'a Facts, d: &'a Diagnosis) -> Self {
        let g = &facts.goroutines;
        let summary = GoroutineSummary::of(facts, &d.growth);
        let group = |group: &'a facts::Group| Group {
            count: group.count,
            state: group.state.name(),
            wait_reason: &group.wait_reason,
            stack: stack(facts, &group.stack),
            created_by: group.created_by.and_then(|i| facts.frames.get(i as usize)).map(Frame::of),
            in_site: summary.is_in_site(facts, group),
            approximate: group.approximate,
        };
        Self {
            total: g.total,
            running: g.running,
            stack_bytes: g.stack_bytes,
            in_site: summary.in_site,
            site_function: summary.site_function,
            groups: g.groups.iter().take(MAX_GROUPS).map(group).collect(),
            along: d.goroutines.along.as_ref().map(|a| Along::of(facts, a)),
            leak: Leak::of(&d.goroutines),
            onsets: d.goroutines.onsets.as_ref().map(Onsets::of),
            // Of none that were followed there is nothing to count.
            tiers: (d.goroutines.total > 0).then(|| Tiers::of(&d.goroutines)),
            no_proof: &d.goroutines.no_proof,
            verdict_groups: VerdictGroup::of(facts, &d.goroutines),
            verdicts: Verdict::of(facts, &d.goroutines),
            wait_for: (!d.goroutines.wait_for.edges.is_empty()).then(|| WaitFor::of(&d.goroutines.wait_for)),
            by_state: summary.by_state.iter().map(|(state, count)| State { state, count: *count }).collect(),
        }
    }
}
