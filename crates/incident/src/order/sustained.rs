//! The metastable template: a trigger, then a loop that keeps the service down when the trigger is long gone.
//! (Bronson and others, HotOS 2021; Huang and others, OSDI 2022.)

use std::collections::BTreeMap;

use lastgasp_diagnosis::units::{count, seconds};

use super::{Onset, Relation};
use crate::evidence::UnixMs;
use crate::life::Life;

/// A restarted process that is killed younger than this died of what waited for it. Chosen: a start, and a
/// ramp as long as the notes' and more.
const YOUNG_MS: i64 = 120_000;
/// Part of all instances that must be killed more than once for it to be a loop.
const AGAIN: f64 = 0.25;

/// The loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// `retries`, `restarts into a backlog`, `restarts`.
    pub name: &'static str,
    /// In words.
    pub text: String,
    /// What to do of it once the trigger is gone.
    pub cure: &'static str,
    /// Instances that were killed more than once.
    pub again: u64,
    /// All instances.
    pub of: u64,
}

/// The loop that keeps it going; `None` where no instance, or few, were killed again. `order` is what the
/// series say; lives are those of the incident, killed or not.
#[must_use]
pub fn sustained(lives: &[&Life<'_>], order: &[Onset]) -> Option<Loop> {
    let mut kills: BTreeMap<&str, Vec<(UnixMs, UnixMs)>> = BTreeMap::new();
    for l in lives {
        if let Some(at) = l.killed() {
            kills.entry(&l.of.instance).or_default().push((l.of.started_unix_ms, at));
        }
    }
    let again = kills.values().filter(|k| k.iter().skip(1).any(|(from, to)| to.saturating_sub(*from) < YOUNG_MS));
    // Without instances' names each process is one: then young deaths after the first count.
    let again = again.count() as u64;
    let of = kills.len() as u64;
    if again == 0 || (again as f64) < of as f64 * AGAIN {
        return None;
    }
    let after = |name: &str| order.iter().find(|o| o.series == name && o.relation == Relation::After);
    let ages: Vec<f64> =
        kills.values().flat_map(|k| k.iter().skip(1)).map(|(from, to)| to.saturating_sub(*from) as f64 / 1e3).collect();
    let age = crate::statistics::robust::median(&ages).unwrap_or(0.0);
    let died = format!(
        "{} of {} instances were killed again, at the age of {} in the middle",
        count(again),
        count(of),
        seconds(age)
    );
    if let Some(r) = after("retries") {
        let (before, now) = r.levels.unwrap_or_default();
        return Some(Loop {
            name: "retries",
            text: format!(
                "{died}: failed requests are tried again ({before:.0}/s before, {now:.0}/s after the first deaths) and fall on those that are left or just started"
            ),
            cure: "drain or switch off retries once the trigger is gone: they keep the service down by themselves",
            again,
            of,
        });
    }
    // The pile of the restarted: goroutines at their end against those of the first that died.
    let piles = |first: bool| {
        let of = lives.iter().filter(|l| l.killed().is_some()).filter(|l| {
            let earlier = kills.get(l.of.instance.as_str()).and_then(|k| k.first()).map(|k| k.0);
            (earlier == Some(l.of.started_unix_ms)) == first
        });
        let counts: Vec<f64> =
            of.filter_map(|l| l.best()).map(|c| c.goroutines.at_end as f64).filter(|n| *n > 0.0).collect();
        crate::statistics::robust::median(&counts)
    };
    if let (Some(first), Some(later)) = (piles(true), piles(false))
        && later > first * 1.5
    {
        return Some(Loop {
            name: "restarts into a backlog",
            text: format!(
                "{died}: who is started meets what has piled up meanwhile ({} goroutines at the end, {} in those that died first)",
                count(later as u64),
                count(first as u64)
            ),
            cure: "let instances back one by one, with admission limited, once the trigger is gone",
            again,
            of,
        });
    }
    Some(Loop {
        name: "restarts",
        text: format!("{died}: what killed the first is still there when they are started"),
        cure: "restarting does not help before the trigger is gone",
        again,
        of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Ending, Generation};

    fn life(instance: &str, from: UnixMs, to: UnixMs) -> Life<'static> {
        Life {
            of: Generation {
                instance: instance.into(),
                started_unix_ms: from,
                ended_unix_ms: Some(to),
                ending: Ending::OomKill,
                ..Generation::default()
            },
            captures: Vec::new(),
        }
    }

    #[test]
    fn a_loop_needs_deaths_again() {
        let once = [life("a", 1, 900_000), life("b", 1, 901_000)];
        assert_eq!(sustained(&once.iter().collect::<Vec<_>>(), &[]), None);
        let again = [life("a", 1, 900_000), life("a", 901_000, 910_000), life("b", 1, 901_000)];
        let again: Vec<&Life<'_>> = again.iter().collect();
        assert_eq!(sustained(&again, &[]).map(|l| (l.name, l.again, l.of)), Some(("restarts", 1, 2)));
        let retries = Onset {
            series: "retries".into(),
            at: None,
            lag_ms: Some(6300),
            lag_between_ms: None,
            agree: 2,
            of: 2,
            p: None,
            relation: Relation::After,
            levels: Some((12.0, 1020.0)),
            window_ms: 0,
            with_deaths: false,
            text: String::new(),
        };
        assert_eq!(sustained(&again, &[retries]).map(|l| l.name), Some("retries"));
    }
}
