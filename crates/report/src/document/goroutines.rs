//! Goroutines: by state, and in groups of those that do the same.

use lastgasp_diagnosis::facts::{self, Facts};
use lastgasp_diagnosis::{Diagnosis, GoroutineSummary};
use serde::Serialize;

use super::profile::{Frame, stack};

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
            by_state: summary.by_state.iter().map(|(state, count)| State { state, count: *count }).collect(),
        }
    }
}
