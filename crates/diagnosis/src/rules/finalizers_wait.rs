//! Finalizers that do not run, since the goroutine that runs them does not go on. The page:
//! `finalizers-wait.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, GraphFacts, GraphRoot};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::graph_certainty::{of_graph, share_of_live, source};
use crate::owner::is_inside;
use crate::rival::Rival;
use crate::sentence::{ending, level, place, service};
use crate::subject::Subject;
use crate::thresholds::finalizers_wait::{MAX_NEXT, MIN_SHARE, STANDS_MS};
use crate::units::{bytes, count, percent, seconds};
use crate::what_to_bound::{DUE, runs_finalizers};
use crate::window::Window;

/// The rule.
pub(super) struct FinalizersWait;

/// Runs cleanups (`runtime/mcleanup.go`), all others finalizers.
const RUNS_CLEANUPS: &str = "runtime.runCleanups";

impl Rule for FinalizersWait {
    const INFO: RuleInfo = RuleInfo {
        code: "finalizers-wait",
        title: "finalizers do not run: the goroutine that runs them waits",
        doc: include_str!("finalizers-wait.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let (Some(w), Some(g)) = (case.window, &case.facts.graph) {
            out.found(find(case.facts, w, g));
        }
    }
}

fn find(facts: &Facts, w: &Window, g: &GraphFacts) -> Option<Finding> {
    let (runner, at) = runs_finalizers(facts)?;
    let is_of_cleanups = is_inside(facts, &runner.stack, RUNS_CLEANUPS);
    let queue: Vec<&GraphRoot> = g.roots.iter().filter(|r| r.name.ends_with(DUE)).collect();
    // Of the same finalizers those whose objects the next collection will find: nobody else keeps them.
    let is_next = |r: &&GraphRoot| queue.iter().any(|q| q.name.strip_suffix(DUE).map(str::trim_end) == Some(&r.name));
    let next = g.roots.iter().filter(|r| r.kind == "finalizer").filter(is_next).map(|r| r.retained_bytes);
    let next = next.fold(0, u64::saturating_add);
    let sum = |of: fn(&GraphRoot) -> u64| queue.iter().map(|r| of(r)).fold(0, u64::saturating_add);
    let (kept, objects) = (sum(|r| r.retained_bytes), sum(|r| r.objects));
    let share = share_of_live(g, kept.saturating_add(next));
    if share < MIN_SHARE || kept < next / MAX_NEXT {
        return None;
    }
    let (one, all) = if is_of_cleanups { ("cleanup", "cleanups") } else { ("finalizer", "finalizers") };
    // From Go 1.25 on there may be several for cleanups.
    let who =
        if is_of_cleanups { "a goroutine that runs them" } else { "the goroutine that runs them one after another" };
    let (mostly, largest) = queue.iter().max_by_key(|r| r.retained_bytes).map(|r| {
        let mostly = if r.mostly.is_empty() { String::new() } else { format!(", mostly {},", r.mostly) };
        (mostly, r.name.trim_end_matches(DUE).trim_end())
    })?;
    let after = if next > 0 { format!(", and {} more will come to it", bytes(next)) } else { String::new() };
    let waits = !runner.wait_reason.is_empty();
    let stands = waits && runner.oldest_wait_ms >= STANDS_MS;
    let doing = match (waits, runner.oldest_wait_ms) {
        (true, 0) => format!("waits ({}) in", runner.why()),
        (true, ms) => format!("waits ({}, for at least {}) in", runner.why(), seconds(ms as f64 / 1e3)),
        (false, _) => "is at work in".to_owned(),
    };
    let title = if waits {
        format!("{all} do not run: the goroutine that runs them waits")
    } else {
        format!("{all} are slower than what comes to be finalized")
    };
    Some(Finding {
        code: FinalizersWait::INFO.code,
        subject: Subject::site(at),
        level: level(facts, w.end_bytes),
        title,
        sentence: format!(
            "{} grew by {} in {}{}: {} in {} objects{mostly} are kept by {all} that wait to be run ({largest}; {} of what is live{after}), and {who} {doing} {}.",
            service(facts),
            bytes(w.growth()),
            seconds(w.seconds()),
            ending(facts, w),
            bytes(kept),
            count(objects),
            percent(share_of_live(g, kept)),
            place(at),
        ),
        factors: [ConfidenceFactor {
            name: "share of the live heap that waits or will wait to be finalized (root of it)",
            value: share.sqrt(),
        }]
        .into_iter()
        .chain(of_graph(g))
        .collect(),
        rivals: vec![Rival::tested(
            "one that waits or works for a moment only, while more comes than they can follow",
            stands.then(|| format!("it has waited for at least {}", seconds(runner.oldest_wait_ms as f64 / 1e3))),
            "whether that goroutine stands where it is a second later",
        )],
        evidence: vec![
            Evidence { text: format!("1 goroutine of the runtime's own {doing} {}", place(at)), source: Source::Exact },
            Evidence {
                text: queue
                    .iter()
                    .take(3)
                    .map(|r| format!("{}: {}", r.name, bytes(r.retained_bytes)))
                    .collect::<Vec<_>>()
                    .join("; "),
                source: source(g),
            },
        ],
        cure: format!(
            "Let no {one} wait: see who should let {} go on, or hand what it does to a goroutine of its own; until it goes on nothing that has a {one} is freed. Better close what must be closed where it is done with, and keep the {one} for what was forgotten.",
            at.function
        ),
        site: None,
        do_now: vec![(
            format!("Look at who should let {} go on", at.function),
            format!("{} would be freed by the next collections then", bytes(kept)),
        )],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Frame, Gc, GoroutineState, Goroutines, Group, Sample};

    const MB: u64 = 1_000_000;

    /// A program whose only finalizer waits for somebody who has ended (seen from outside), 80 MB alive of
    /// which the queue keeps 62.
    fn stuck(wait_reason: &str, waited_ms: u64, kept: u64) -> Facts {
        let names = ["runtime.gopark", "main.(*codec).release", "runtime.runFinalizers"];
        let frames = names.map(|f| Frame { function: f.into(), file: "/src/main.go".into(), line: 37 });
        let state = if wait_reason.is_empty() { GoroutineState::Running } else { GoroutineState::Waiting };
        let runner = Group {
            count: 1,
            state,
            wait_reason: wait_reason.into(),
            stack: vec![0, 1, 2],
            oldest_wait_ms: waited_ms,
            ..Group::default()
        };
        let root = |name: &str, retained_bytes| GraphRoot {
            kind: "finalizer".into(),
            name: name.into(),
            objects: 4000,
            retained_bytes,
            mostly: "[]uint8".into(),
            ..GraphRoot::default()
        };
        let graph = GraphFacts {
            live_bytes: 80 * MB,
            of_one_moment: true,
            roots: vec![
                root("main.(*codec).release-fm (waits to be run)", kept),
                root("main.(*codec).release-fm", 8 * MB),
            ],
            ..GraphFacts::default()
        };
        let sample = |t: u64| Sample {
            t_ms: t,
            usage_bytes: 2 * MB + t * 6500,
            heap_live_bytes: MB + t * 6500,
            ..Sample::default()
        };
        let mut facts = Facts {
            frames: frames.into(),
            goroutines: Goroutines { total: 2, groups: vec![runner], ..Goroutines::default() },
            graph: Some(graph),
            gc: Gc { heap_in_use: 80 * MB, percent: 100, ..Gc::default() },
            ..Facts::default()
        };
        facts.timeline.samples = (0..12_500).step_by(20).map(sample).collect();
        facts.capture.t_ms = 12_500;
        facts.target.limit_bytes = Some(84 * MB);
        facts
    }

    fn verdict(facts: &Facts) -> Finding {
        diagnose(facts).verdict().cloned().unwrap()
    }

    #[test]
    fn a_finalizer_that_waits_keeps_what_comes_after_it() {
        let found = verdict(&stuck("chan send", 9_000, 62 * MB));
        assert_eq!(found.code, "finalizers-wait");
        assert!(found.confidence() > 0.8, "{:?}", found.factors);
        let said = "62.0 MB in 4,000 objects, mostly []uint8, are kept by finalizers that wait to be run (main.(*codec).release-fm; 78 % of what is live, and 8.00 MB more will come to it), and the goroutine that runs them one after another waits (chan send, for at least 9.0 s) in main.(*codec).release (src/main.go:37).";
        assert!(found.sentence.contains(said), "{}", found.sentence);
        assert_eq!(
            found.subject,
            Subject::Site { function: "main.(*codec).release".into(), file: "src/main.go".into() }
        );
    }

    #[test]
    fn one_that_is_at_work_is_never_sure_to_stand() {
        for facts in [stuck("", 0, 62 * MB), stuck("sleep", 0, 62 * MB)] {
            let found = verdict(&facts);
            assert!(found.code == "finalizers-wait" && found.confidence() <= 0.6, "{found:?}");
        }
        assert!(verdict(&stuck("", 0, 62 * MB)).title.contains("slower than what comes"));
    }

    #[test]
    fn a_short_queue_is_no_cause() {
        assert_ne!(verdict(&stuck("chan send", 9_000, 20 * MB)).code, "finalizers-wait");
        let mut elsewhere = stuck("chan send", 9_000, 62 * MB);
        elsewhere.goroutines.groups[0].stack = vec![0, 1];
        assert_ne!(verdict(&elsewhere).code, "finalizers-wait", "somebody else's goroutine");
    }
}
