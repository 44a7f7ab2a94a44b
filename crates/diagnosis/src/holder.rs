//! Who holds most of what is in use, whether it grew or not.

use std::collections::BTreeMap;

use crate::facts::{Facts, Frame};
use crate::owner::{frame, owning_frame};
use crate::thresholds::stands_at_limit::MOST;

/// Whose allocations are most of what the profile has in use, and how many bytes.
pub(crate) fn holder(facts: &Facts) -> Option<(&Frame, u64)> {
    let mut by: BTreeMap<&str, (&Frame, u64, u64)> = BTreeMap::new();
    for site in &facts.profile.sites {
        let Some(f) = owning_frame(facts, &site.stack).and_then(|i| frame(facts, *site.stack.get(i)?)) else {
            continue;
        };
        let known = by.entry(f.function.as_str()).or_insert((f, 0, 0));
        known.1 = known.1.saturating_add(site.current.bytes);
        if site.current.bytes > known.2 {
            (known.0, known.2) = (f, site.current.bytes);
        }
    }
    let all = facts.profile.sites.iter().map(|s| s.current.bytes).fold(0, u64::saturating_add);
    let (f, n, _) = by.into_values().max_by_key(|(_, n, _)| *n)?;
    (n as f64 >= all as f64 * MOST).then_some((f, n))
}
