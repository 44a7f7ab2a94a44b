//! Kills that belong together: one incident, however many instances it kills and however often.

use crate::evidence::UnixMs;
use crate::life::Life;

/// Longest time without a kill within an incident, whatever the kills look like. Chosen: a restart, its
/// back-off of five minutes at most (Kubernetes), and a death.
pub(crate) const QUIET_MS: i64 = 15 * 60_000;
/// The same among kills of one cause: a leak takes its time from one death to the next, and the notes'
/// incident went on for hours.
pub(crate) const QUIET_OF_ONE_CAUSE_MS: i64 = 6 * 3_600_000;

/// An incident by its lives: indices of those that were killed, and of those that nearly were, by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// Killed lives, by the time of the kill.
    pub killed: Vec<usize>,
    /// Lives that were captured as memory was about to run out, or as goroutines leaked, and were not killed;
    /// and lives whose memory climbs, where nobody was killed.
    pub nearly: Vec<usize>,
    /// First kill, or near miss.
    pub from: UnixMs,
    /// Last one.
    pub to: UnixMs,
}

/// Groups lives into incidents, oldest first.
#[must_use]
pub(crate) fn group(lives: &[Life<'_>]) -> Vec<Group> {
    let mut deaths: Vec<(UnixMs, usize, bool)> = Vec::new();
    for (i, life) in lives.iter().enumerate() {
        match life.killed() {
            Some(at) => deaths.push((at, i, true)),
            None => deaths.extend(trouble(life).map(|at| (at, i, false))),
        }
    }
    deaths.sort_unstable();
    let mut out: Vec<Group> = Vec::new();
    for (at, index, killed) in deaths {
        let joins = out.last().is_some_and(|g| {
            let quiet = at.saturating_sub(g.to);
            let alike = || g.killed.iter().chain(&g.nearly).any(|i| is_alike(lives, *i, index));
            quiet <= QUIET_MS || (quiet <= QUIET_OF_ONE_CAUSE_MS && alike())
        });
        if !joins {
            out.push(Group { from: at, to: at, ..Group::default() });
        }
        if let Some(g) = out.last_mut() {
            g.to = g.to.max(at);
            if killed { g.killed.push(index) } else { g.nearly.push(index) }
        }
    }
    with_climbs(lives, out)
}

/// Adds lives whose memory climbs and of whom nobody has died yet: several of a service, or one that has
/// used half of its limit. Where others were killed at that time they are part of that, which is told by its
/// deaths.
fn with_climbs(lives: &[Life<'_>], mut out: Vec<Group>) -> Vec<Group> {
    let climbs: Vec<(UnixMs, usize)> =
        lives.iter().enumerate().filter_map(|(i, l)| Some((l.climb()?.seen_unix_ms, i))).collect();
    let newest = climbs.iter().map(|c| c.0).max().unwrap_or(0);
    // Of those that were last seen long before the others nobody knows whether they go on.
    let mut climbs: Vec<(UnixMs, usize)> =
        climbs.into_iter().filter(|c| newest.saturating_sub(c.0) <= QUIET_MS).collect();
    climbs.sort_unstable();
    let is_half = |i: usize| {
        let of = lives.get(i).and_then(|l| Some((l.climb()?.to_bytes, l.of.limit_bytes?)));
        of.is_some_and(|(used, limit)| used >= limit / 2)
    };
    let (Some(first), Some(last)) = (climbs.first().copied(), climbs.last().copied()) else { return out };
    if climbs.len() < 2 && !is_half(first.1) {
        return out;
    }
    let near = |g: &&mut Group| first.0 <= g.to.saturating_add(QUIET_MS) && last.0 >= g.from.saturating_sub(QUIET_MS);
    if let Some(g) = out.iter_mut().rev().find(near) {
        if g.killed.is_empty() {
            g.nearly.extend(climbs.iter().map(|c| c.1));
            g.nearly.sort_unstable();
            g.nearly.dedup();
            (g.from, g.to) = (g.from.min(first.0), g.to.max(last.0));
        }
        return out;
    }
    let nearly = climbs.iter().map(|c| c.1).collect();
    out.push(Group { killed: Vec::new(), nearly, from: first.0, to: last.0 });
    out.sort_by_key(|g| g.from);
    out
}

/// When a life that was not killed was seen in trouble: a capture that nobody asked for, with a finding that
/// says more than that it may be worth knowing.
fn trouble(life: &Life<'_>) -> Option<UnixMs> {
    let asked = |c: &&&crate::evidence::CaptureSummary| matches!(c.reason.as_str(), "forecast" | "leak");
    let bad = |c: &&&crate::evidence::CaptureSummary| {
        c.findings.iter().any(|f| f.level == "critical" || f.level == "warning")
    };
    life.captures.iter().filter(asked).find(bad).map(|c| c.taken_unix_ms)
}

/// Whether captures of two lives blame the same.
fn is_alike(lives: &[Life<'_>], a: usize, b: usize) -> bool {
    let of = |i: usize| {
        lives.get(i).and_then(Life::best).and_then(|c| c.verdict()).map(|f| (f.code.as_str(), f.subject.as_str()))
    };
    of(a).is_some() && of(a) == of(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CaptureSummary, Climb, Ending, FindingSummary, Generation};

    fn capture(subject: &str, reason: &str, level: &str) -> CaptureSummary {
        CaptureSummary {
            reason: reason.into(),
            taken_unix_ms: 1000,
            findings: vec![FindingSummary {
                code: "heap-growth".into(),
                subject: subject.into(),
                level: level.into(),
                ..FindingSummary::default()
            }],
            ..CaptureSummary::default()
        }
    }

    fn killed<'a>(minutes: i64, capture: &'a CaptureSummary) -> Life<'a> {
        Life {
            of: Generation { ended_unix_ms: Some(minutes * 60_000), ending: Ending::OomKill, ..Generation::default() },
            captures: vec![capture],
        }
    }

    #[test]
    fn kills_of_one_cause_over_hours_are_one_incident() {
        let (a, b) = (capture("main.f", "oom-kill", "critical"), capture("main.g", "oom-kill", "critical"));
        let lives =
            [killed(10, &a), killed(12, &a), killed(200, &a), killed(205, &b), killed(600, &b), killed(1500, &b)];
        let sizes: Vec<usize> = group(&lives).iter().map(|g| g.killed.len()).collect();
        // The one of another function comes while they are at it, and 300 minutes later another of that.
        assert_eq!(sizes, [4, 1, 1]);
        assert_eq!(group(&lives[..5]).len(), 2);
    }

    #[test]
    fn memory_that_climbs_is_one_before_anybody_dies() {
        let climbing = |seen: UnixMs, used: u64| Life {
            of: Generation {
                limit_bytes: Some(1000),
                climb: Some(Climb { seen_unix_ms: seen, to_bytes: used, ..Climb::default() }),
                ..Generation::default()
            },
            captures: Vec::new(),
        };
        let of = |lives: &[Life<'_>]| group(lives).into_iter().map(|g| (g.killed, g.nearly)).collect::<Vec<_>>();
        assert_eq!(of(&[climbing(1000, 300), climbing(4000, 300)]), [(vec![], vec![0, 1])]);
        assert_eq!(of(&[climbing(1000, 300)]), [], "one of them, and far from its limit");
        assert_eq!(of(&[climbing(1000, 500)]), [(vec![], vec![0])]);
        let mut over = climbing(1000, 500);
        (over.of.ending, over.of.ended_unix_ms) = (Ending::Stopped, Some(2000));
        assert_eq!(of(&[over]), [], "it has ended");
        // Who climbs as others are killed is told of by their deaths.
        let oom = capture("main.f", "oom-kill", "critical");
        assert_eq!(of(&[killed(1, &oom), climbing(61_000, 500), climbing(62_000, 500)]), [(vec![0], vec![])]);
        let later = QUIET_MS + 120_000;
        assert_eq!(of(&[killed(1, &oom), climbing(later, 500)]), [(vec![0], vec![]), (vec![], vec![1])]);
    }

    #[test]
    fn calm_is_no_incident() {
        let (fine, leak) = (capture("-", "manual", "critical"), capture("main.f", "leak", "warning"));
        let calm = Life { of: Generation::default(), captures: vec![&fine] };
        let stopped = Life {
            of: Generation { ended_unix_ms: Some(5), ending: Ending::Stopped, ..Generation::default() },
            captures: Vec::new(),
        };
        assert_eq!(group(&[calm.clone(), stopped]), []);
        let leaking = Life { of: Generation::default(), captures: vec![&leak] };
        assert_eq!(group(&[calm, leaking]), [Group { killed: vec![], nearly: vec![1], from: 1000, to: 1000 }]);
    }
}
