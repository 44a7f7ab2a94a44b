//! Lives of processes with all that is known of each: what the watch noted, and the captures of it.

use std::collections::BTreeMap;

use crate::evidence::{Between, CaptureSummary, Climb, Ending, Evidence, Generation, UnixMs};

/// A life with its captures.
#[derive(Clone, Debug, Default)]
pub struct Life<'a> {
    /// Who it was.
    pub of: Generation,
    /// Captures of it, oldest first.
    pub captures: Vec<&'a CaptureSummary>,
}

impl<'a> Life<'a> {
    /// When the kernel killed it for memory; `None` of others.
    #[must_use]
    pub fn killed(&self) -> Option<UnixMs> {
        self.of.ended_unix_ms.filter(|_| self.of.ending.is_out_of_memory())
    }

    /// The capture that tells most of it: one with a window and a verdict before one without, the heap's
    /// graph before none, a whole one before a light one, and of alike ones the last.
    #[must_use]
    pub fn best(&self) -> Option<&'a CaptureSummary> {
        self.captures.iter().copied().max_by_key(|c| {
            (
                c.window.is_some() && !c.findings.is_empty(),
                !c.copies.is_empty() || c.heap.reachable_bytes.is_some(),
                c.is_of_a_kill(),
                !c.light,
                c.taken_unix_ms,
            )
        })
    }

    /// When its memory began to grow, by the capture that tells most and was at rest before.
    #[must_use]
    pub fn memory_onset(&self) -> Option<Between> {
        let of = |c: &&&CaptureSummary| c.window.is_some_and(|w| w.was_at_rest);
        let best = self.best();
        let windows = best.iter().chain(self.captures.iter().rev());
        windows.filter(of).find_map(|c| c.onset()).or_else(|| {
            let rested = self.climb().filter(|c| c.was_at_rest && self.captures.is_empty());
            rested.map(|c| c.onset())
        })
    }

    /// How its memory climbs, if it lives and nobody saw the climb end.
    #[must_use]
    pub fn climb(&self) -> Option<Climb> {
        self.of.climb.filter(|_| self.of.ended_unix_ms.is_none() && self.of.ending == Ending::Running)
    }

    /// When memory began to grow, or else the start of a process that grew from its start.
    #[must_use]
    pub fn growth_onset(&self) -> Option<Between> {
        let climb = || self.climb().filter(|_| self.captures.is_empty()).map(|c| c.onset());
        self.memory_onset().or_else(|| self.best()?.onset()).or_else(climb)
    }

    /// Whether it was watched from a moment on until its end or the last news.
    #[must_use]
    pub fn is_alive_at(&self, at: UnixMs) -> bool {
        let begin = if self.of.started_unix_ms > 0 { self.of.started_unix_ms } else { self.of.first_seen_unix_ms };
        begin <= at && self.of.ended_unix_ms.is_none_or(|e| e > at)
    }
}

/// All lives of a service, by start. Captures of processes that no watch has noted make lives of their own.
#[must_use]
pub fn lives<'a>(evidence: &'a Evidence, service: &str) -> Vec<Life<'a>> {
    let mut all: Vec<Life<'a>> = Vec::new();
    let mut by_process: BTreeMap<(i32, UnixMs), Vec<usize>> = BTreeMap::new();
    for g in evidence.generations.iter().filter(|g| g.service == service) {
        by_process.entry((g.pid, g.started_unix_ms / 1000)).or_default().push(all.len());
        all.push(Life { of: g.clone(), captures: Vec::new() });
    }
    for c in evidence.captures.iter().filter(|c| c.service == service && c.phase != "core") {
        let (pid, second) = c.life();
        // Starts are noted in whole seconds by some, and rounded the other way by others.
        let near = (second.saturating_sub(1)..=second.saturating_add(1)).filter_map(|s| by_process.get(&(pid, s)));
        let same = near.flatten().copied().find(|i| all.get(*i).is_some_and(|l| is_same_place(&l.of, c)));
        let index = same.unwrap_or_else(|| {
            by_process.entry((pid, second)).or_default().push(all.len());
            all.push(Life { of: of_capture(c), captures: Vec::new() });
            all.len() - 1
        });
        if let Some(life) = all.get_mut(index) {
            add(life, c);
        }
    }
    all.sort_by(|a, b| {
        (a.of.started_unix_ms, &a.of.instance, a.of.pid).cmp(&(b.of.started_unix_ms, &b.of.instance, b.of.pid))
    });
    all
}

/// Process numbers of two nodes may be the same.
fn is_same_place(g: &Generation, c: &CaptureSummary) -> bool {
    let apart = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    !apart(&g.place.node, &c.place.node) && !apart(&g.container, &c.container)
}

fn of_capture(c: &CaptureSummary) -> Generation {
    Generation {
        service: c.service.clone(),
        instance: c.instance.clone(),
        container: c.container.clone(),
        pid: c.pid,
        started_unix_ms: c.started_unix_ms,
        last_seen_unix_ms: c.taken_unix_ms,
        build: c.build.clone(),
        place: c.place.clone(),
        limit_bytes: c.limit_bytes,
        gogc: c.heap.gogc,
        gomemlimit: c.heap.gomemlimit,
        ..Generation::default()
    }
}

fn add<'a>(life: &mut Life<'a>, c: &'a CaptureSummary) {
    let g = &mut life.of;
    if c.is_of_a_kill() && !g.ending.is_out_of_memory() {
        (g.ended_unix_ms, g.ending) = (Some(c.taken_unix_ms), Ending::OomKill);
    }
    if c.phase == "post-kill" && g.ended_unix_ms.is_none() {
        (g.ended_unix_ms, g.ending) = (Some(c.taken_unix_ms), Ending::Killed);
    }
    g.last_seen_unix_ms = g.last_seen_unix_ms.max(c.taken_unix_ms);
    g.limit_bytes = g.limit_bytes.or(c.limit_bytes);
    g.gogc = g.gogc.or(c.heap.gogc);
    g.gomemlimit = g.gomemlimit.or(c.heap.gomemlimit);
    for (to, from) in [
        (&mut g.build.version, &c.build.version),
        (&mut g.build.revision, &c.build.revision),
        (&mut g.build.build_id, &c.build.build_id),
        (&mut g.build.go_version, &c.build.go_version),
        (&mut g.place.kernel, &c.place.kernel),
        (&mut g.place.cgroup, &c.place.cgroup),
    ] {
        if to.is_empty() {
            to.clone_from(from);
        }
    }
    g.build.revision_unix_ms = g.build.revision_unix_ms.or(c.build.revision_unix_ms);
    life.captures.push(c);
}

/// Services of which anything is known, in order.
#[must_use]
pub fn services(evidence: &Evidence) -> Vec<String> {
    let mut names: Vec<String> = evidence.generations.iter().map(|g| g.service.clone()).collect();
    names.extend(evidence.captures.iter().map(|c| c.service.clone()));
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(pid: i32, started: UnixMs, taken: UnixMs, phase: &str) -> CaptureSummary {
        CaptureSummary {
            service: "svc".into(),
            instance: format!("i{pid}"),
            pid,
            started_unix_ms: started,
            taken_unix_ms: taken,
            phase: phase.into(),
            reason: if phase == "post-kill" { "oom-kill" } else { "forecast" }.into(),
            ..CaptureSummary::default()
        }
    }

    #[test]
    fn captures_find_their_lives() {
        let noted = Generation {
            service: "svc".into(),
            instance: "a".into(),
            pid: 7,
            started_unix_ms: 10_900,
            ..Generation::default()
        };
        let evidence = Evidence {
            generations: vec![noted, Generation { service: "other".into(), ..Generation::default() }],
            captures: vec![
                capture(7, 10_000, 30_000, "pre-kill"),
                capture(7, 11_000, 31_000, "post-kill"),
                capture(8, 10_000, 32_000, "post-kill"),
                capture(7, 40_000, 50_000, "manual"),
            ],
            ..Evidence::default()
        };
        let lives = lives(&evidence, "svc");
        let told: Vec<(i32, usize, Option<UnixMs>)> =
            lives.iter().map(|l| (l.of.pid, l.captures.len(), l.killed())).collect();
        assert_eq!(told, [(8, 1, Some(32_000)), (7, 2, Some(31_000)), (7, 1, None)]);
        assert_eq!(lives[1].best().map(|c| c.taken_unix_ms), Some(31_000));
        assert_eq!(services(&evidence), ["other", "svc"]);
    }

    #[test]
    fn one_number_on_two_nodes_is_two_lives() {
        let mut there = capture(7, 10_000, 30_000, "post-kill");
        there.place.node = "n2".into();
        let mut here = Generation { service: "svc".into(), pid: 7, started_unix_ms: 10_000, ..Generation::default() };
        here.place.node = "n1".into();
        let evidence = Evidence { generations: vec![here], captures: vec![there], ..Evidence::default() };
        assert_eq!(lives(&evidence, "svc").len(), 2);
    }
}
