//! A few goroutines with very deep stacks. The page: `deep-stacks.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, Group};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::owner::frame;
use crate::partition::Partition;
use crate::rival::Rival;
use crate::sentence::{growth as growth_of, level, look_for_change, place};
use crate::site_certainty::completeness;
use crate::subject::Subject;
use crate::suspects::program_frame;
use crate::thresholds::deep_stacks::{EACH, MIN_SHARE, MOST_OF_ALL};
use crate::units::{bytes, count, percent, plural};
use crate::window::Window;

/// The rule.
pub(super) struct DeepStacks;

impl Rule for DeepStacks {
    const INFO: RuleInfo = RuleInfo {
        code: "deep-stacks",
        title: "deep stacks of goroutines are the growth",
        doc: include_str!("deep-stacks.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let (Some(w), Some(parts)) = (case.window, case.parts) {
            out.found(find(case.facts, w, parts));
        }
    }
}

/// Groups whose goroutines have deep stacks, the most bytes first.
fn deep(facts: &Facts) -> Vec<&Group> {
    let each = |g: &Group| g.stack_bytes / g.count.max(1);
    let mut deep: Vec<&Group> = facts.goroutines.groups.iter().filter(|g| each(g) >= EACH).collect();
    deep.sort_by_key(|g| (std::cmp::Reverse(g.stack_bytes), g.key));
    deep
}

/// Whether most bytes of stacks are of deep ones.
pub(super) fn are_most(facts: &Facts) -> bool {
    let sum = deep(facts).iter().map(|g| g.stack_bytes).fold(0, u64::saturating_add);
    sum as f64 >= facts.goroutines.stack_bytes as f64 * MOST_OF_ALL && sum > 0
}

fn find(facts: &Facts, w: &Window, parts: Partition) -> Option<Finding> {
    if parts.share(parts.stacks) < MIN_SHARE || !are_most(facts) {
        return None;
    }
    let deep = deep(facts);
    let (goroutines, all) =
        deep.iter().fold((0u64, 0u64), |(n, b), g| (n.saturating_add(g.count), b.saturating_add(g.stack_bytes)));
    let first = *deep.first()?;
    let repeated = first.repeats.and_then(|r| Some((frame(facts, r.frame)?, r.times)));
    let at = repeated.map(|(f, _)| f).or_else(|| program_frame(facts, first));
    let depth = match first.depth {
        0 => String::new(),
        n if first.depth_estimated => format!(", about {} calls deep", count(n)),
        n => format!(", {} calls deep", count(n)),
    };
    let what = match (repeated, at) {
        (Some((f, times)), _) => format!("{} stands {} times and more in one of them{depth}", place(f), count(times)),
        (None, Some(f)) => format!("the largest are in {}{depth}", place(f)),
        (None, None) => format!("no call of theirs could be read{depth}"),
    };
    let share = percent(parts.share(parts.stacks));
    Some(Finding {
        code: DeepStacks::INFO.code,
        subject: at.map_or(Subject::Process, Subject::site),
        level: level(facts, w.end_bytes),
        title: if repeated.is_some() { "deep stacks: a recursion is the growth" } else { "deep stacks are the growth" }
            .into(),
        sentence: format!(
            "stacks are {share} of {}: {} of {}{}; {what}.",
            growth_of(facts, w),
            plural(goroutines, "goroutine"),
            bytes(all / goroutines.max(1)),
            if goroutines == 1 {
                " (as it grows, the old one and one of twice its size are there)"
            } else {
                " each on average"
            }
        ),
        factors: vec![
            ConfidenceFactor { name: "share of the growth that is stacks", value: parts.share(parts.stacks).sqrt() },
            ConfidenceFactor {
                name: "share of the stacks that is of deep ones",
                value: all as f64 / facts.goroutines.stack_bytes.max(1) as f64,
            },
            completeness(facts),
        ],
        // A deep stack without a repeated call may be one of large frames.
        rivals: if repeated.is_some() {
            Vec::new()
        } else {
            vec![Rival::open(
                "large frames rather than many calls",
                "the calls of the deepest stack, which were not read",
            )]
        },
        evidence: deep
            .iter()
            .take(3)
            .map(|g| Evidence {
                text: format!(
                    "{} in {} ({}): {} of stacks",
                    plural(g.count, "goroutine"),
                    program_frame(facts, g).map_or_else(|| "an unknown function".to_owned(), place),
                    g.why(),
                    bytes(g.stack_bytes)
                ),
                source: Source::Exact,
            })
            .collect(),
        cure: match at {
            Some(f) => format!(
                "Bound how deep {} may go: a limit on its input, a check for cycles, or a loop with a stack of its own. A stack doubles as it grows, and for a moment both are there.",
                f.function
            ),
            None => "Bound how deep the recursion may go.".into(),
        },
        site: None,
        do_now: vec![
            look_for_change(facts, w),
            ("Refuse input that nests deeper than it needs to".into(), String::new()),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Frame, Gc, Goroutines, Repeat, Sample};

    fn facts(count: u64, stack_bytes: u64) -> Facts {
        let frames =
            ["main.visit", "main.walk"].map(|f| Frame { function: f.into(), file: "svc/tree.go".into(), line: 12 });
        let group = Group {
            count,
            state: "waiting".into(),
            wait_reason: "sleep".into(),
            stack: vec![0, 1],
            stack_bytes,
            depth: 120_000,
            depth_estimated: true,
            repeats: Some(Repeat { frame: 0, times: 3000 }),
            ..Group::default()
        };
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
        let mut facts = Facts {
            frames: frames.into(),
            goroutines: Goroutines { total: count, stack_bytes, groups: vec![group], ..Goroutines::default() },
            gc: Gc { heap_in_use: 5_000_000, stacks: stack_bytes, ..Gc::default() },
            ..Facts::default()
        };
        facts.timeline.samples = (0..=100).map(sample).collect();
        facts
    }

    #[test]
    fn the_repeated_call_is_named() {
        let d = diagnose(&facts(258, 480_000_000));
        let v = d.verdict().unwrap();
        assert_eq!((v.code, v.subject.to_string().as_str()), ("deep-stacks", "main.visit"));
        assert!(
            v.sentence.contains(
                "main.visit (svc/tree.go:12) stands 3,000 times and more in one of them, about 120,000 calls deep"
            ),
            "{}",
            v.sentence
        );
        assert!(v.confidence() > 0.9, "{}", v.confidence());
        assert!(!d.findings.iter().any(|f| f.code == "goroutine-growth"), "{:#?}", d.findings);
    }

    #[test]
    fn many_small_stacks_are_not_deep() {
        let d = diagnose(&facts(40_000, 400_000_000));
        assert_eq!(d.verdict().map(|f| f.code), Some("goroutine-growth"));
    }
}
