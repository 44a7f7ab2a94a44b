//! How long memory stood at the limit before the end. Pure.

use crate::facts::Facts;

/// A stand at the limit that lasted to the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtLimit {
    /// Milliseconds.
    pub ms: u64,
    /// Whether it stood there already when the watch began, so that it was longer.
    pub at_least: bool,
}

/// From this part of the limit on memory is at the limit. The kernel kills below the limit proper: what it
/// can take back by itself does not count as use.
const AT_LIMIT: f64 = 0.97;
/// Below this part it has left the limit: a collection that frees some pages, or a dropped page cache, is no
/// way out. (`window` goes by the same two.)
const LEFT_LIMIT: f64 = 0.93;
/// A killed process may be looked at once more, as it is taken apart.
const AFTER_KILL_MS: u64 = 200;

/// The stand at the limit that lasted to the last sample; `None` if memory was not at the limit then, or
/// there is none.
#[must_use]
pub fn at_limit(facts: &Facts) -> Option<AtLimit> {
    let limit = facts.target.limit_bytes.filter(|l| *l > 0)? as f64;
    let samples = &facts.timeline.samples;
    let last = samples.last()?;
    // A look at what the kill has left is no part of the stand.
    let most = (0..samples.len())
        .rev()
        .take_while(|i| samples.get(*i).is_some_and(|s| s.t_ms.saturating_add(AFTER_KILL_MS) >= last.t_ms))
        .max_by_key(|i| samples.get(*i).map(|s| s.usage_bytes))?;
    let samples = samples.get(..=most)?;
    let part = |usage: u64| usage as f64 / limit;
    let after_leaving = samples.iter().rposition(|s| part(s.usage_bytes) < LEFT_LIMIT).map_or(0, |i| i + 1);
    let first = after_leaving + samples.get(after_leaving..)?.iter().position(|s| part(s.usage_bytes) >= AT_LIMIT)?;
    let since = samples.get(first)?.t_ms;
    Some(AtLimit { ms: last.t_ms.saturating_sub(since), at_least: first == 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Sample;

    const MB: u64 = 1_000_000;

    fn facts(curve: impl Fn(u64) -> u64, ms: u64) -> Facts {
        let mut f = Facts::default();
        f.target.limit_bytes = Some(500 * MB);
        f.timeline.samples = (0..=ms / 100)
            .map(|i| Sample { t_ms: i * 100, usage_bytes: curve(i * 100), ..Sample::default() })
            .collect();
        f.capture.t_ms = ms + 20;
        f
    }

    /// centrifugo stood at its limit for 5.7 minutes before the kernel killed it.
    #[test]
    fn a_rest_at_the_limit_is_measured_to_the_end() {
        let ramp_and_rest = |t: u64| (100 * MB + t * 40_000).min(498 * MB);
        let stood = at_limit(&facts(ramp_and_rest, 130_000)).unwrap();
        assert!(stood.ms.abs_diff(120_300) < 300 && !stood.at_least, "{stood:?}");
    }

    #[test]
    fn a_dip_is_no_way_out_and_a_fall_is() {
        let dips = |to: u64| move |t: u64| if t.is_multiple_of(5000) && t > 0 { to } else { 497 * MB };
        assert_eq!(at_limit(&facts(dips(480 * MB), 30_400)), Some(AtLimit { ms: 30_400, at_least: true }));
        assert_eq!(at_limit(&facts(dips(300 * MB), 30_400)), Some(AtLimit { ms: 300, at_least: false }));
    }

    #[test]
    fn who_is_not_at_the_limit_did_not_stand_there() {
        assert_eq!(at_limit(&facts(|_| 480 * MB, 10_000)), None);
        assert_eq!(at_limit(&facts(|t| if t < 9000 { 500 * MB } else { 100 * MB }, 10_000)), None);
        let dead = facts(|t| if t < 9900 { 500 * MB } else { 100 * MB }, 10_000);
        assert_eq!(at_limit(&dead), Some(AtLimit { ms: 10_000, at_least: true }), "a look at the dead");
        let mut without = facts(|_| 500 * MB, 1000);
        without.target.limit_bytes = None;
        assert_eq!(at_limit(&without), None);
        (without.target.limit_bytes, without.timeline.samples) = (Some(0), Vec::new());
        assert_eq!((at_limit(&without), at_limit(&Facts::default())), (None, None));
    }
}
