//! The leak that grows: of all groups the one that a person should hear of before memory is full, in a
//! sentence with its rate, and when that will be. Pure.
//!
//! When memory is full is said only where three numbers agree: what the group holds, how fast its number
//! grows, and how fast memory grew at the same time. If others made the growth, the end comes by them.

use crate::facts::Facts;
use crate::units::{bytes, plural, seconds};

use super::thresholds::{LEAK_LEAST, LEAK_OF_GROWTH};
use super::tier::Tier;
use super::verdict::VerdictGroup;
use super::words;

/// A leak that grows.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// Index of its group in `GoroutineVerdicts::groups`.
    pub group: usize,
    /// Seconds until the limit is reached at this rate; absent where that cannot be said.
    pub seconds_to_full: Option<f64>,
    /// All of it in a sentence.
    pub sentence: String,
}

impl Leak {
    /// The largest group that is proved to be leaked, or else suspect, and that was counted as it grew;
    /// `None` where there is none.
    pub(super) fn of(facts: &Facts, groups: &[VerdictGroup], no_proof: &[String]) -> Option<Self> {
        let leaks = |g: &VerdictGroup| {
            matches!(g.tier, Tier::Proved | Tier::Suspect)
                && g.count >= LEAK_LEAST
                && g.over_time.as_ref().is_some_and(|o| o.grows())
        };
        let (group, g) = groups
            .iter()
            .enumerate()
            .filter(|(_, g)| leaks(g))
            .max_by_key(|(i, g)| (std::cmp::Reverse(g.tier), g.count, std::cmp::Reverse(*i)))?;
        let seconds_to_full = seconds_to_full(facts, g);
        Some(Self { group, seconds_to_full, sentence: sentence(g, seconds_to_full, no_proof) })
    }
}

fn sentence(g: &VerdictGroup, to_full: Option<f64>, no_proof: &[String]) -> String {
    let how = if g.tier == Tier::Proved { "leaked" } else { "may be leaked" };
    let are = match (g.tier, g.count) {
        (Tier::Proved, 1) => "is ",
        (Tier::Proved, _) => "are ",
        _ => "",
    };
    let place = g.waits_in.as_ref().map_or_else(String::new, |s| format!(" in {}", words::spot(s)));
    let by = g.created_by.as_ref().map_or_else(String::new, |s| format!(", started by {}", words::spot(s)));
    let cause = if g.cause.is_empty() { String::new() } else { format!(": {}", g.cause) };
    let mut out = format!("{} {are}{how}{place}{by}{cause}", plural(g.count, "goroutine"));
    if g.tier != Tier::Proved && !no_proof.is_empty() {
        out.push_str(&format!("; nothing is proved, since {}", no_proof.join(", and ")));
    }
    let stacks = (g.stack_bytes > 0).then(|| format!("{} of stacks", bytes(g.stack_bytes)));
    let heap = g.retained_bytes.filter(|n| *n > 0).map(|n| format!("{} of the heap", bytes(n)));
    let held: Vec<String> = heap.into_iter().chain(stacks).collect();
    if !held.is_empty() {
        out.push_str(&format!("; they hold {}", held.join(" and ")));
    }
    if let Some(o) = &g.over_time {
        out.push_str(&format!("; {}", o.in_words()));
    }
    if let Some(s) = to_full {
        out.push_str(&format!("; at this rate memory is full in {}", seconds(s)));
    }
    out
}

/// Seconds until the limit is reached; `None` where the group does not make most of memory's growth, or
/// memory did not grow all the time that the group did.
fn seconds_to_full(facts: &Facts, g: &VerdictGroup) -> Option<f64> {
    /// Longer than this nothing stays as it is. Chosen: three months.
    const MOST: f64 = 90.0 * 86_400.0;
    let limit = facts.target.limit_bytes.filter(|l| *l > 0)?;
    let o = g.over_time.as_ref()?;
    let samples: Vec<(u64, u64)> =
        facts.timeline.samples.iter().filter(|s| s.t_ms >= o.since_ms).map(|s| (s.t_ms, s.usage_bytes)).collect();
    let (first, last) = (*samples.first()?, *samples.last()?);
    let ms = last.0.checked_sub(first.0).filter(|ms| *ms >= o.ms / 2 && *ms > 0)?;
    let middle = samples.iter().min_by_key(|(t, _)| t.abs_diff(first.0 + ms / 2))?;
    let grew = last.1.checked_sub(first.1).filter(|n| *n > 0)?;
    let part = |from: u64, to: u64| to.saturating_sub(from) as f64 >= grew as f64 * 0.2;
    if !(part(first.1, middle.1) && part(middle.1, last.1)) {
        return None;
    }
    let memory = grew as f64 * 1e3 / ms as f64;
    // Without what they hold of the heap the stacks alone are known, which is too little and never too much.
    let held = g.retained_bytes.unwrap_or(0).saturating_add(g.stack_bytes) as f64 / g.count.max(1) as f64;
    let of_the_group = held * o.per_second();
    let [least, most] = LEAK_OF_GROWTH;
    if of_the_group < memory * least || of_the_group > memory * most {
        return None;
    }
    let left = limit.checked_sub(last.1)?;
    Some(left as f64 / memory).filter(|s| *s <= MOST)
}

#[cfg(test)]
mod tests {
    use super::super::over_time::OverTime;
    use super::super::verdict::{Spot, Sureness};
    use super::*;
    use crate::facts::Sample;

    fn group(tier: Tier, count: u64) -> VerdictGroup {
        VerdictGroup {
            count,
            tier,
            code: "send-nobody-receives",
            cause: "nobody receives".into(),
            sureness: Sureness::Sure,
            created_by: Some(Spot { function: "main.serve".into(), file: "svc/main.go".into(), line: 7 }),
            starts: String::new(),
            waits_in: Some(Spot { function: "main.work".into(), file: "svc/main.go".into(), line: 9 }),
            retained_bytes: Some(count * 6_000),
            stack_bytes: count * 2_000,
            oldest_wait_ns: 0,
            wakes_within_ns: None,
            growing: true,
            over_time: Some(OverTime {
                first: 0,
                since_ms: 0,
                now: count,
                ms: 100_000,
                steady: true,
                started_per_second: None,
                ended_per_second: None,
            }),
            sentence: String::new(),
            cure: String::new(),
            examples: Vec::new(),
            holders: Vec::new(),
            rivals: Vec::new(),
            first: 0,
        }
    }

    /// Memory grows by that in a second, for 100 s, to 200 MB of a gigabyte.
    fn facts(per_second: u64) -> Facts {
        let mut f = Facts::default();
        f.target.limit_bytes = Some(1_000_000_000);
        let at = |s: u64| 200_000_000 - (100 - s) * per_second;
        f.timeline.samples =
            (0..=100).map(|s| Sample { t_ms: s * 1000, usage_bytes: at(s), ..Sample::default() }).collect();
        f
    }

    #[test]
    fn a_leak_is_told_with_its_rate_and_the_end() {
        // 100 a second of 8,000 bytes, and memory grows by a megabyte.
        let leak = Leak::of(&facts(1_000_000), &[group(Tier::Proved, 10_000)], &[]).unwrap();
        assert_eq!(leak.seconds_to_full, Some(800.0));
        assert_eq!(
            leak.sentence,
            "10,000 goroutines are leaked in main.work (svc/main.go:9), started by main.serve (svc/main.go:7): nobody receives; they hold 60.0 MB of the heap and 20.0 MB of stacks; this go statement had 0 at 0.0 s of the watch and has 10,000 now, 100 more a second; at this rate memory is full in 13.3 min"
        );
    }

    #[test]
    fn the_end_is_said_only_where_the_leak_makes_the_growth() {
        let to_full = |f: &Facts| Leak::of(f, &[group(Tier::Proved, 10_000)], &[]).unwrap().seconds_to_full;
        assert_eq!(to_full(&facts(10_000)), None, "less than they hold: they are not what it is of");
        assert_eq!(to_full(&facts(2_000_000)), None, "others make most of it");
        let mut f = facts(1_000_000);
        f.target.limit_bytes = None;
        assert_eq!(to_full(&f), None, "no limit");
        let mut f = facts(1_000_000);
        f.timeline
            .samples
            .iter_mut()
            .for_each(|s| s.usage_bytes = 200_000_000 - u64::from(s.t_ms < 90_000) * 90_000_000);
        assert_eq!(to_full(&f), None, "one jump");
        let mut f = facts(1_000_000);
        f.timeline.samples.retain(|s| s.t_ms > 80_000);
        assert_eq!(to_full(&f), None, "too little was seen of it");
        assert_eq!(to_full(&Facts::default()), None);
    }

    #[test]
    fn what_does_not_grow_or_is_well_is_no_leak() {
        let f = facts(1_000_000);
        assert_eq!(Leak::of(&f, &[group(Tier::Stalled, 10_000), group(Tier::Healthy, 10_000)], &[]), None);
        assert_eq!(Leak::of(&f, &[VerdictGroup { over_time: None, ..group(Tier::Proved, 10_000) }], &[]), None);
        assert_eq!(Leak::of(&f, &[group(Tier::Proved, 3)], &[]), None, "few");
        let both = [group(Tier::Suspect, 90_000), group(Tier::Proved, 1_000)];
        assert_eq!(Leak::of(&f, &both, &[]).unwrap().group, 1, "what is proved comes first");
        let why = ["the heap was not read of one moment".to_owned()];
        let told = Leak::of(&f, &both[..1], &why).unwrap().sentence;
        assert!(told.starts_with("90,000 goroutines may be leaked in"), "{told}");
        assert!(told.contains("; nothing is proved, since the heap was not read of one moment; they hold"), "{told}");
    }
}
