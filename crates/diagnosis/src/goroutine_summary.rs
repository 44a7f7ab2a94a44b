//! Goroutines by state, and those that are inside the function that grew most.

use std::collections::BTreeMap;

use crate::facts::{Facts, Group};
use crate::growth::Growth;
use crate::owner::is_inside;

/// The summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoroutineSummary<'a> {
    /// Goroutines by state: the reason why they wait, or else their status; in the order of the names.
    pub by_state: Vec<(&'a str, u64)>,
    /// The function that is asked for: the culprit's caller, or the culprit; absent if nothing grew.
    pub site_function: Option<&'a str>,
    /// Goroutines that have it on their stack.
    pub in_site: Option<u64>,
}

impl<'a> GoroutineSummary<'a> {
    /// Sums up.
    #[must_use]
    pub fn of(facts: &'a Facts, growth: &'a Growth) -> Self {
        let mut by_state: BTreeMap<&str, u64> = BTreeMap::new();
        for group in &facts.goroutines.groups {
            let n = by_state.entry(group.why()).or_default();
            *n = group.count.saturating_add(*n);
        }
        let culprit = growth.culprit.as_ref();
        Self {
            by_state: by_state.into_iter().collect(),
            site_function: culprit.map(|c| c.caller.as_ref().unwrap_or(&c.frame).function.as_str()),
            in_site: culprit.map(|c| c.goroutines_inside(facts)),
        }
    }

    /// Whether a group has [`Self::site_function`] on its stack.
    #[must_use]
    pub fn is_in_site(&self, facts: &Facts, group: &Group) -> bool {
        self.site_function.is_some_and(|name| is_inside(facts, &group.stack, name))
    }
}
