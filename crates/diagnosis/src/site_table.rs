//! The sites of the memory profile as a table: those that grew most first, the rest summed up.

use std::cmp::Reverse;

use crate::facts::{Amount, Facts, Site};
use crate::growth::Growth;

/// Sites that are listed one by one.
const MAX_SITES: usize = 400;

/// The table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteTable {
    /// Listed sites, by growth; by what is in use where there is no baseline.
    pub rows: Vec<SiteRow>,
    /// Sum of the sites that are not listed; absent if all are.
    pub other: Option<SiteSums>,
    /// Sum of all sites.
    pub total: SiteSums,
}

/// A site of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SiteRow {
    /// Index into `facts.profile.sites`.
    pub id: usize,
    /// Its counters.
    pub sums: SiteSums,
    /// Rates since the baseline; absent without one.
    pub rates: Option<SiteRates>,
}

/// How fast a site allocated and freed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SiteRates {
    /// Allocated per second.
    pub allocated: Amount,
    /// Freed per second.
    pub freed: Amount,
    /// Seconds from the baseline to the capture.
    pub seconds: f64,
}

/// Counters of a site, or sums over several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SiteSums {
    /// In use.
    pub current: Amount,
    /// In use, as pprof would have shown it.
    pub published: Amount,
    /// In use at the baseline; absent without one.
    pub baseline: Option<Amount>,
    /// Growth since the baseline; absent without one.
    pub growth: Option<Amount>,
    /// Allocated since the last mark termination.
    pub burst: Amount,
}

impl SiteTable {
    /// Sorts, and sums up.
    #[must_use]
    pub fn of(facts: &Facts, growth: &Growth) -> Self {
        let sites = &facts.profile.sites;
        let grown = |i: usize| growth.by_site.get(i).copied().unwrap_or_default();
        let key = |i: &usize| {
            (if growth.has_baseline { grown(*i).bytes } else { 0 }, sites.get(*i).map_or(0, |s| s.current.bytes))
        };
        let mut order: Vec<usize> = (0..sites.len()).collect();
        order.sort_by_key(|i| (Reverse(key(i)), *i));
        let sum = |indices: &[usize]| {
            let of = indices.iter().filter_map(|i| Some((sites.get(*i)?, grown(*i))));
            SiteSums::of(of, growth.has_baseline.then(Amount::default))
        };
        let (listed, rest) = order.split_at(order.len().min(MAX_SITES));
        let seconds = facts.seconds_since_baseline();
        let row = |i: &usize| {
            let site = sites.get(*i)?;
            Some(SiteRow { id: *i, sums: sum(&[*i]), rates: seconds.map(|seconds| rates(site, seconds)) })
        };
        Self {
            rows: listed.iter().filter_map(row).collect(),
            other: (!rest.is_empty()).then(|| sum(rest)),
            total: sum(&order),
        }
    }
}

impl SiteSums {
    /// Of sites with what each grew by. What is measured from the baseline starts from `zero`: absent without
    /// one.
    fn of<'a>(sites: impl Iterator<Item = (&'a Site, Amount)>, zero: Option<Amount>) -> Self {
        let mut out = Self { baseline: zero, growth: zero, ..Self::default() };
        for (site, growth) in sites {
            out.current = out.current.plus(site.current);
            out.published = out.published.plus(site.published);
            out.baseline = out.baseline.map(|sum| sum.plus(site.baseline));
            out.growth = out.growth.map(|sum| sum.plus(growth));
            out.burst = out.burst.plus(site.burst);
        }
        out
    }
}

fn rates(site: &Site, seconds: f64) -> SiteRates {
    let per_second =
        |a: Amount| Amount { bytes: (a.bytes as f64 / seconds) as u64, objects: (a.objects as f64 / seconds) as u64 };
    let (allocated, freed) = site.since_baseline();
    SiteRates { allocated: per_second(allocated), freed: per_second(freed), seconds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(n: u64, baseline: bool) -> Facts {
        let mut facts = Facts::default();
        facts.profile.baseline_t_ms = baseline.then_some(0);
        facts.capture.t_ms = 2000;
        for i in 0..n {
            let amount = |bytes| Amount { bytes, objects: 1 };
            // The later ones hold less and grew more.
            facts.profile.sites.push(Site {
                current: amount(1000 + n - i),
                baseline: amount(1000 + n - 3 * i.min(300)),
                allocated: amount(4000),
                ..Site::default()
            });
        }
        facts
    }

    #[test]
    fn what_grew_most_comes_first_or_else_what_holds_most() {
        let with = facts(10, true);
        assert_eq!(SiteTable::of(&with, &Growth::of(&with)).rows[0].id, 9);
        let without = facts(10, false);
        let table = SiteTable::of(&without, &Growth::of(&without));
        assert_eq!((table.rows[0].id, table.rows[0].rates), (0, None));
    }

    #[test]
    fn what_is_not_listed_is_summed_up() {
        let facts = facts(450, true);
        let table = SiteTable::of(&facts, &Growth::of(&facts));
        assert_eq!((table.rows.len(), table.other.unwrap().current.objects), (400, 50));
        assert_eq!(table.total.current.objects, 450);
        let rates = table.rows[0].rates.unwrap();
        assert_eq!((rates.allocated.bytes, rates.seconds), (2000, 2.0));
    }
}
