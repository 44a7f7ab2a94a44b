//! What the top sites held at each earlier look at the profile: the slope of a site needs no second road.

use lastgasp_diagnosis::facts::{Series, Site};
use lastgasp_goruntime::{Counts, unsample};
use lastgasp_inferior::Addr;
use lastgasp_observe::target::baselines::BaselineHistory;

/// Most sites that have a series.
const MAX_SITES: usize = 50;
/// Of them those that grew most since the baseline; the others are the largest of what is left.
const MAX_GROWING: usize = 25;

/// When the looks were, on the timeline's clock, and the series of the top sites. `buckets` are those of each
/// of `sites`, which are sorted by what they hold; `rate` is the profile's.
pub(crate) fn series(
    sites: &[Site],
    buckets: &[Vec<Addr>],
    rate: u64,
    history: &BaselineHistory,
) -> (Vec<u64>, Vec<Series>) {
    if history.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let top = top(sites);
    let of = |i: &usize| buckets.get(*i).map(Vec::as_slice).unwrap_or_default();
    let wanted: Vec<Addr> = top.iter().flat_map(of).copied().collect();
    let mut out: Vec<Series> = top.iter().map(|i| Series { site: *i as u32, ..Series::default() }).collect();
    let mut times = Vec::new();
    for (t_ms, _, held) in history.history(&wanted) {
        times.push(t_ms);
        let mut held = held.iter();
        for (series, i) in out.iter_mut().zip(&top) {
            let (mut in_use, mut allocated) = (0u64, 0u64);
            for counts in held.by_ref().take(of(i).len()) {
                let bytes = |raw: Counts| unsample(raw, rate).bytes;
                in_use = in_use.saturating_add(bytes(counts.in_use));
                allocated = allocated.saturating_add(bytes(counts.allocated));
            }
            series.in_use_bytes.push(in_use);
            series.allocated_bytes.push(allocated);
        }
    }
    (times, out)
}

/// Indices of the sites that grew most, and of the largest, ascending.
fn top(sites: &[Site]) -> Vec<usize> {
    let growth = |s: &Site| s.current.minus(s.baseline).bytes;
    let mut growing: Vec<usize> = (0..sites.len()).filter(|i| sites.get(*i).is_some_and(|s| growth(s) > 0)).collect();
    // Stable: of equal growth the larger.
    growing.sort_by_key(|i| std::cmp::Reverse(sites.get(*i).map_or(0, growth)));
    growing.truncate(MAX_GROWING);
    let mut out: Vec<usize> = (0..sites.len()).filter(|i| !growing.contains(i)).collect();
    out.truncate(MAX_SITES - growing.len());
    out.append(&mut growing);
    out.sort_unstable();
    out
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::Amount;
    use lastgasp_observe::target::baselines::{Baseline, SiteCounts};

    use super::*;

    fn site(now: u64, then: u64) -> Site {
        let amount = |bytes| Amount { bytes, objects: 1 };
        Site { current: amount(now), baseline: amount(then), ..Site::default() }
    }

    #[test]
    fn the_largest_and_those_that_grew_most() {
        for (why, sites, chosen) in [
            ("none", vec![], vec![]),
            ("few: all", vec![site(9, 9), site(5, 1), site(1, 0)], vec![0, 1, 2]),
            ("large ones", (0..80).map(|i| site(1000 - i, 1000 - i)).collect(), (0..50).collect()),
            (
                "a small one that grew",
                (0..80).map(|i| site(1000 - i, 1000 - i)).chain([site(10, 3), site(9, 9)]).collect(),
                (0..49).chain([80]).collect(),
            ),
            (
                "many small ones that grew: those that grew most",
                (0..80).map(|_| site(1000, 1000)).chain((0..60).map(|i| site(100 + i, 0))).collect(),
                (0..25).chain(115..140).collect::<Vec<usize>>(),
            ),
        ] {
            assert_eq!(top(&sites), chosen, "{why}");
        }
    }

    #[test]
    fn a_series_is_of_all_buckets_of_a_site() {
        let held = |addr, objects| SiteCounts {
            addr: Addr(addr),
            allocated: Counts { objects: 2 * objects, bytes: 32 * objects },
            in_use: Counts { objects, bytes: 16 * objects },
        };
        let mut history = BaselineHistory::default();
        assert_eq!(series(&[site(1, 0)], &[vec![Addr(1)]], 1, &history), (vec![], vec![]), "nobody looked");
        for (t_ms, sites) in [
            (1000, vec![held(1, 1)]),
            (2000, vec![held(1, 2), held(2, 10)]),
            (3000, vec![held(1, 3), held(2, 20), held(3, 5)]),
        ] {
            history.push(Baseline { t_ms, sites, rate: 1, ..Baseline::default() });
        }
        // The last is new since the last look.
        let buckets = [vec![Addr(1), Addr(2)], vec![Addr(3)], vec![Addr(4)]];
        let (times, got) = series(&[site(9, 0), site(8, 0), site(7, 0)], &buckets, 1, &history);
        assert_eq!(times, [1000, 2000, 3000]);
        let of: Vec<_> =
            got.iter().map(|s| (s.site, s.in_use_bytes.as_slice(), s.allocated_bytes.as_slice())).collect();
        assert_eq!(
            of,
            [
                (0, &[16, 192, 368][..], &[32, 384, 736][..]),
                (1, &[0, 0, 80], &[0, 0, 160]),
                (2, &[0, 0, 0], &[0, 0, 0]),
            ]
        );
        // Un-sampled: at a rate of 512 KiB a sample of 16 bytes stands for 512 KiB.
        let (_, got) = series(&[site(9, 0)], &[vec![Addr(1)]], 512 << 10, &history);
        assert!(got[0].in_use_bytes[0].abs_diff(512 << 10) < 16, "{got:?}");
    }
}
