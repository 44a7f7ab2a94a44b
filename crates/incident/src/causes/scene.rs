//! All that causes are judged by: the incident's lives, captures, jumps, series, labels and changes, each
//! found once.

use std::collections::BTreeSet;

use super::capacity::{Left, left};
use super::names::words;
use crate::causes::changes::stands_for;
use crate::cohorts::{Label, Spread, labels, spread};
use crate::evidence::{Between, CaptureSummary, Change, ChangeKind, Evidence, FeedState, UnixMs};
use crate::group::Group;
use crate::jump::{Jump, jumps};
use crate::life::Life;
use crate::order::{Loop, Onset, Relation, onsets, sustained};
use crate::series::traffic::Traffic;
use crate::statistics::robust::median;

/// Changes from before the first trouble that are looked at. Chosen: a leak that a release brings may take a
/// week.
const CHANGES_BEFORE_MS: i64 = 7 * 24 * 3_600_000;
/// Time before the first kill in which a process counts as at risk of this incident, at most, where nobody
/// knows when memory began to grow.
const AT_RISK_MS: i64 = 60_000;

/// An incident's scene.
#[derive(Clone, Debug)]
pub(crate) struct Scene<'a> {
    /// The service.
    pub service: &'a str,
    /// All its lives that there are.
    pub all: Vec<&'a Life<'a>>,
    /// Those of the incident that were killed, or nearly were, by time.
    pub dead: Vec<&'a Life<'a>>,
    /// How many of these were killed.
    pub kills: u64,
    /// First trouble, and last.
    pub between: (UnixMs, UnixMs),
    /// When memory first had begun to grow, at the latest; of what was never seen at rest, when it was first
    /// seen to grow.
    pub onset: UnixMs,
    /// The last moment at which it was seen not to have begun.
    pub grew_from: UnixMs,
    /// When a third of the growth was there, in the first process of which that is known: what came before
    /// may have brought most of it.
    pub third: UnixMs,
    /// Whether that was seen from rest.
    pub onset_is_known: bool,
    /// Best capture of each dead.
    pub captures: Vec<&'a CaptureSummary>,
    /// The capture that tells most of all.
    pub best: Option<&'a CaptureSummary>,
    /// Jumps in their heaps.
    pub jumps: Vec<Jump<'a>>,
    /// Dead in whose heap a jump could have been seen.
    pub looked_at: u64,
    /// What balancers and callers count.
    pub traffic: Traffic,
    /// The order of onsets.
    pub order: Vec<Onset>,
    /// Instances that had gone for good when memory grew.
    pub left: Option<Left>,
    /// The loop that sustains it.
    pub sustained: Option<Loop>,
    /// Labels with their groups.
    pub labels: Vec<Label>,
    /// Times of death.
    pub spread: Option<Spread>,
    /// Changes of the time, oldest first.
    pub changes: Vec<&'a Change>,
    /// Of each the index of the one that stands for it: of what several told of, one counts.
    pub stands_for: Vec<usize>,
    /// Feeds.
    pub feeds: &'a [FeedState],
    /// Words of the hot code and of what keeps the memory.
    pub code_words: BTreeSet<String>,
}

impl<'a> Scene<'a> {
    /// The scene of a group of kills.
    #[must_use]
    pub(crate) fn of(evidence: &'a Evidence, service: &'a str, lives: &'a [Life<'a>], group: &Group) -> Self {
        let all: Vec<&Life<'_>> = lives.iter().collect();
        let mut members: Vec<usize> = group.killed.iter().chain(&group.nearly).copied().collect();
        members.sort_unstable();
        members.dedup();
        let mut dead: Vec<&Life<'_>> = members.iter().filter_map(|i| lives.get(*i)).collect();
        dead.sort_by_key(|l| (l.killed().unwrap_or(group.to), l.of.pid));
        let rested = Between::first(dead.iter().filter_map(|l| l.memory_onset()));
        let onset = rested.or_else(|| Between::first(dead.iter().filter_map(|l| l.growth_onset())));
        let (from, to) = (group.from, group.to);
        let onset = onset.unwrap_or(Between { earliest: from, latest: from });
        let (grew_from, onset) = (onset.earliest.min(from), onset.latest.min(from));
        let captures: Vec<&CaptureSummary> = dead.iter().filter_map(|l| l.best()).collect();
        let best = best(&dead);
        let jumps = jumps(&dead);
        let looks = |l: &&&Life<'_>| l.captures.iter().any(|c| c.census.iter().any(|k| k.looks.len() > 1));
        let looked_at = dead.iter().filter(looks).count() as u64;
        let traffic = Traffic::of(&evidence.series, service);
        let order = onsets(&dead, jumps.first(), &traffic, onset, to);
        let at_risk = onset.min(from).max(from.saturating_sub(AT_RISK_MS));
        let changes: Vec<&Change> = evidence
            .changes
            .iter()
            .filter(|c| {
                c.at_unix_ms >= onset.saturating_sub(CHANGES_BEFORE_MS) && c.at_unix_ms <= to.saturating_add(3_600_000)
            })
            .collect();
        let mut scene = Self {
            service,
            kills: group.killed.len() as u64,
            between: (from, to),
            onset,
            grew_from,
            third: third(&dead).unwrap_or(onset),
            onset_is_known: rested.is_some(),
            captures,
            best,
            jumps,
            looked_at,
            traffic,
            order,
            left: None,
            sustained: None,
            labels: labels(&all, at_risk, to),
            spread: spread(&dead),
            stands_for: stands_for(&changes),
            changes,
            feeds: &evidence.feeds,
            code_words: BTreeSet::new(),
            all,
            dead,
        };
        scene.sustained = sustained(&scene.dead, &scene.order);
        scene.code_words = scene.hot_words();
        scene.left = left(&scene);
        scene
    }

    /// Whether nobody was killed yet.
    #[must_use]
    pub(crate) fn is_alive(&self) -> bool {
        self.kills == 0
    }

    /// Instances that there were just before the first trouble; 1 at the least.
    #[must_use]
    pub(crate) fn instances_before(&self) -> u64 {
        let before = self.between.0.saturating_sub(1);
        let there = self.all.iter().filter(|l| l.is_alive_at(before));
        let names: BTreeSet<(&str, i32)> =
            there.map(|l| (l.of.instance.as_str(), if l.of.instance.is_empty() { l.of.pid } else { 0 })).collect();
        (names.len() as u64).max(1)
    }

    /// Whether a change counts: nobody else stands for it.
    pub(crate) fn stands(&self, index: usize) -> bool {
        self.stands_for.get(index) == Some(&index)
    }

    /// When a publication was first told of: the platform says so before the store has it, and the store
    /// before somebody asks it. (Seen in lab/cluster: told of by the platform 2.8 s before memory grew, and
    /// by the store 0.2 s after.) Of other changes their own time.
    pub(crate) fn first_told(&self, change: &Change) -> UnixMs {
        /// What is one is told within less than this.
        const NEAR_MS: i64 = 60_000;
        let is_published = |c: &Change| matches!(c.kind, ChangeKind::Config | ChangeKind::Admin);
        let at = change.at_unix_ms;
        let begin = self.changes.partition_point(|c| c.at_unix_ms < at.saturating_sub(NEAR_MS));
        let near = || {
            let since = self.changes.iter().zip(&self.stands_for).skip(begin);
            since.take_while(|(c, _)| c.at_unix_ms <= at.saturating_add(NEAR_MS)).filter(|(c, _)| is_published(c))
        };
        let Some((_, stands)) = near().find(|(c, _)| std::ptr::eq(**c, change)) else { return at };
        near().filter(|(_, s)| *s == stands).map(|(c, _)| c.at_unix_ms).min().unwrap_or(at).min(at)
    }

    /// The series of an onset by its name.
    #[must_use]
    pub(crate) fn series(&self, name: &str) -> Option<&Onset> {
        self.order.iter().find(|o| o.series == name)
    }

    /// What the order says of a series; unknown where there is none.
    #[must_use]
    pub(crate) fn relation(&self, name: &str) -> Relation {
        self.series(name).map_or(Relation::Unknown, |o| o.relation)
    }

    /// A label by its name.
    #[must_use]
    pub(crate) fn label(&self, name: &str) -> Option<&Label> {
        self.labels.iter().find(|l| l.name == name)
    }

    /// The jump that explains most of the growth, if it explains a good part.
    #[must_use]
    pub(crate) fn jump_of_the_growth(&self) -> Option<&Jump<'a>> {
        self.jumps.first().filter(|j| j.of_growth >= 0.3)
    }

    /// Part of the dead whose capture says something, by those that have a capture; 0 without any.
    pub(crate) fn part(&self, says: impl Fn(&CaptureSummary) -> bool) -> f64 {
        let n = self.captures.iter().filter(|c| says(c)).count();
        n as f64 / self.captures.len().max(1) as f64
    }

    /// Part of the dead of whom any capture says something: of a dead process some things can be seen no more
    /// (files in memory, neighbours that were killed too).
    pub(crate) fn part_of_lives(&self, says: impl Fn(&CaptureSummary) -> bool) -> f64 {
        let with = self.dead.iter().filter(|l| !l.captures.is_empty()).count();
        let n = self.dead.iter().filter(|l| l.captures.iter().any(|c| says(c))).count();
        n as f64 / with.max(1) as f64
    }

    /// The same of captures that have the heap's graph, where any has: these know who holds the growth, the
    /// others guess it from counts (seen in lab/cluster: of four deaths of one leak one had the graph, and
    /// three said that calls held it).
    pub(crate) fn part_that_know(&self, says: impl Fn(&CaptureSummary) -> bool) -> f64 {
        let know: Vec<_> = self.captures.iter().filter(|c| c.heap.reachable_bytes.is_some()).collect();
        if know.is_empty() {
            return self.part(says);
        }
        know.iter().filter(|c| says(c)).count() as f64 / know.len() as f64
    }

    /// How many times as fast as before the place of the growth allocates: the middle of the captures that
    /// can tell.
    pub(crate) fn pace(&self) -> Option<f64> {
        let paces: Vec<f64> = self.captures.iter().filter_map(|c| c.growth.pace).collect();
        median(&paces)
    }

    /// The highest confidence that captures give a finding, and the part of them that have it.
    pub(crate) fn finding(&self, code: &str) -> (f64, f64) {
        let of = self.captures.iter().filter_map(|c| c.finding(code)).map(|f| f.confidence);
        (of.fold(0.0, f64::max), self.part(|c| c.finding(code).is_some()))
    }

    /// The same of the verdict alone.
    pub(crate) fn verdict(&self, code: &str) -> (f64, f64) {
        let is = |c: &CaptureSummary| c.verdict().is_some_and(|f| f.code == code);
        let of = self.captures.iter().filter(|c| is(c)).filter_map(|c| c.verdict()).map(|f| f.confidence);
        (of.fold(0.0, f64::max), self.part(is))
    }

    /// The function that the growth is named after, in most captures, with its place; empty where none is.
    #[must_use]
    pub(crate) fn culprit(&self) -> (String, String) {
        let mut counts: std::collections::BTreeMap<(&str, &str), u64> = std::collections::BTreeMap::new();
        for c in &self.captures {
            let g = &c.growth;
            if !g.culprit.is_empty() && g.has_baseline {
                *counts.entry((&g.culprit, &g.culprit_at)).or_default() += 1;
            }
        }
        let most = counts.into_iter().max_by_key(|(k, n)| (*n, std::cmp::Reverse(*k)));
        let named = most.map(|((f, at), _)| (f.to_owned(), at.to_owned()));
        let by_subject = || {
            let v = self.best?.verdict()?;
            (v.subject != "-").then(|| (v.subject.clone(), v.at.clone()))
        };
        named.or_else(by_subject).unwrap_or_default()
    }

    /// Words of a change's key. Those of the service's own name stand in all its keys, modules and variables,
    /// and tell none from another (seen in lab/cluster: `resource` of `resource-service`, in a key and in a
    /// variable's name, and a list that was kept was named for files in memory).
    pub(crate) fn key_words(&self, key: &str) -> BTreeSet<String> {
        let own = super::key_words(self.service);
        super::key_words(key).into_iter().filter(|w| !own.contains(w)).collect()
    }

    fn hot_words(&self) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        for c in self.captures.iter().take(16) {
            for name in [&c.growth.culprit, &c.growth.caller, &c.calls.function] {
                out.extend(words(name));
            }
            out.extend(c.verdict().map(|v| words(&v.subject)).unwrap_or_default());
        }
        for j in &self.jumps {
            out.extend(words(&j.best.collection.owner));
        }
        out.retain(|w| *w != self.service.to_lowercase());
        out
    }

    /// Milliseconds from a moment to the onset; negative after it.
    #[must_use]
    pub(crate) fn before_onset(&self, at: UnixMs) -> i64 {
        self.onset.saturating_sub(at)
    }
}

/// When a third of the growth was there; of those that had been at rest, where there are some: of a process
/// that grew from its start on its load is a part of it.
fn third(dead: &[&Life<'_>]) -> Option<UnixMs> {
    let of = |rested: bool| {
        let known = dead.iter().filter(move |l| !rested || l.memory_onset().is_some());
        known.filter_map(|l| l.best()?.grown_by(1.0 / 3.0)).min()
    };
    of(true).or_else(|| of(false))
}

/// The capture that tells most, of all the dead: whole ones with a graph before others, and of alike ones the
/// one whose verdict is the surest.
fn best<'a>(dead: &[&'a Life<'a>]) -> Option<&'a CaptureSummary> {
    let all = dead.iter().filter_map(|l| l.best());
    all.max_by(|a, b| {
        let rank = |c: &CaptureSummary| {
            let seen = c.census.iter().any(|k| k.looks.len() > 1);
            (
                c.window.is_some() && !c.findings.is_empty(),
                !c.light,
                c.heap.reachable_bytes.is_some(),
                c.window.is_some_and(|w| w.was_at_rest),
                seen,
            )
        };
        let sure = |c: &CaptureSummary| c.verdict().map_or(0.0, |v| v.confidence);
        rank(a).cmp(&rank(b)).then(sure(a).total_cmp(&sure(b))).then_with(|| b.taken_unix_ms.cmp(&a.taken_unix_ms))
    })
}
