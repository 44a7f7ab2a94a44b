//! Growth of the Go heap that one function allocated. The page: `heap-growth.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, Reason};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Level, Source};
use crate::findings::Findings;
use crate::growth::{Culprit, Growth};
use crate::subject::Subject;
use crate::thresholds::heap_growth::{
    CERTAIN_EXPLAINED, CERTAIN_SHARE, INCOMPLETE, LEAK_SECONDS, LIMIT_SECONDS, MAJORITY, MAX_BASELINE_GROWTH,
    MAX_CALL_SECONDS, MIN_BYTES_PER_CALL, MIN_CALLS, MIN_EXPLAINED, NEAR_LIMIT, RULED_OUT_IDLE,
};
use crate::units::{bytes, count, percent, plural, seconds, short};
use crate::unknown::About;
use crate::window::Window;

/// The rule.
pub(super) struct HeapGrowth;

impl Rule for HeapGrowth {
    const INFO: RuleInfo = RuleInfo {
        code: "heap-growth",
        title: "the Go heap grew, and one function allocated most of it",
        doc: include_str!("heap-growth.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if !case.growth.has_baseline {
            out.not_known(About::Growth, "what grew: this capture has no calmer time to compare with");
        }
        if case.growth.culprit.is_some() {
            out.not_known(
                About::Retention,
                "what keeps the memory reachable: lastgasp does not walk the heap's references yet",
            );
        }
        if let Some(w) = case.window {
            rule_out_limit(case, out);
            rule_out_idle(case, w, out);
            out.found(find(case.facts, case.growth, w));
        }
    }
}

/// A limit that is not the matter: twice as much would have bought minutes at most.
fn rule_out_limit(case: &Case<'_>, out: &mut Findings) {
    let double = case.limits.get(1);
    if let Some(double) = double.filter(|l| l.seconds < LIMIT_SECONDS) {
        let because = format!("a limit of {} would have bought {}", bytes(double.limit), seconds(double.seconds));
        out.rule_out("the limit", because, Source::Estimated);
    }
}

/// Pages that the runtime keeps for later.
fn rule_out_idle(case: &Case<'_>, w: &Window, out: &mut Findings) {
    let gc = &case.facts.gc;
    let idle = gc.heap_free as f64 / w.end_bytes.max(1) as f64;
    if gc.percent >= 0 && case.growth.has_baseline && gc.heap_marked > 0 && idle < RULED_OUT_IDLE {
        let because = format!("{} ({}) of the memory is idle in the Go heap", bytes(gc.heap_free), percent(idle));
        out.rule_out("memory that Go has not given back", because, Source::Exact);
    }
}

fn find(facts: &Facts, growth: &Growth, w: &Window) -> Option<Finding> {
    let c = growth.culprit.as_ref().filter(|_| growth.has_baseline)?;
    // Sites that grew by less than a part of what the process grew by do not explain it.
    let explained = growth.total.bytes as f64 / w.growth().max(1) as f64;
    if explained < MIN_EXPLAINED {
        return None;
    }
    // Sites are compared with the baseline, the process with the onset: far apart they are not the same
    // growth.
    let since_baseline = facts.at_baseline().map_or(0, |(_, s)| w.end_bytes.saturating_sub(s.usage_bytes));
    let same_growth = if since_baseline as f64 > w.growth() as f64 * MAX_BASELINE_GROWTH {
        w.growth() as f64 / since_baseline as f64
    } else {
        1.0
    };
    let killed = facts.capture.reason == Reason::OomKill;
    let near = facts.target.limit_bytes.is_some_and(|l| w.end_bytes as f64 > l as f64 * NEAR_LIMIT);
    let level = if killed || near { Level::Critical } else { Level::Warning };
    let per_call = per_call(facts, c, w);
    let title = match per_call {
        Some(_) => "every call builds its own copy of something large",
        None if w.seconds() > LEAK_SECONDS => "memory leaks from one place",
        None => "one function allocates faster than memory lasts",
    };
    Some(Finding {
        code: HeapGrowth::INFO.code,
        subject: Subject::site(&c.frame),
        level,
        title: title.into(),
        sentence: sentence(facts, c, w, per_call),
        factors: vec![
            ConfidenceFactor {
                name: "share of the growth that this function allocated",
                value: (c.share / CERTAIN_SHARE).min(1.0),
            },
            ConfidenceFactor {
                name: "share of the process's growth that the profile explains",
                value: (explained / CERTAIN_EXPLAINED).min(1.0),
            },
            ConfidenceFactor {
                name: "certainty of the sampled number",
                value: 1.0 - c.error_bytes as f64 / c.current.bytes.max(1) as f64,
            },
            ConfidenceFactor { name: "nearness of the baseline to the onset", value: same_growth },
            ConfidenceFactor {
                name: "completeness of the capture",
                value: if facts.capture.is_whole() { 1.0 } else { INCOMPLETE },
            },
        ],
        evidence: evidence(facts, growth, c, w),
        cure: cure(facts, c, per_call),
        site: Some(c.site),
        do_now: do_now(facts, c, w, per_call),
    })
}

/// Bytes per call in flight, if the growth is that of calls in flight: at least eight of them, each holding a
/// good part of a megabyte, and all within a minute: what grows for longer than calls live is no call's.
fn per_call(facts: &Facts, c: &Culprit, w: &Window) -> Option<u64> {
    if w.seconds() > MAX_CALL_SECONDS {
        return None;
    }
    let calls = c.in_flight(facts);
    let each = c.growth.bytes.checked_div(calls)?;
    (calls >= MIN_CALLS && each >= MIN_BYTES_PER_CALL).then_some(each)
}

fn sentence(facts: &Facts, c: &Culprit, w: &Window, per_call: Option<u64>) -> String {
    let place = format!("{} ({}:{})", c.frame.function, short(&c.frame.file), c.frame.line);
    let ending = match facts.capture.reason {
        Reason::OomKill => ", then the kernel killed it",
        Reason::Killed => ", then it was killed",
        _ => "",
    };
    let mut out = format!(
        "{} allocated {} of the {} by which {} grew in {}{ending}",
        place,
        percent((c.growth.bytes as f64 / w.growth().max(1) as f64).min(1.0)),
        bytes(w.growth()),
        if facts.target.service.is_empty() { "the process" } else { &facts.target.service },
        seconds(w.seconds()),
    );
    if let Some(each) = per_call {
        let calls = c.in_flight(facts);
        let whose = c.caller.as_ref().map_or_else(String::new, |f| format!(" in {}", f.function));
        out += &format!(": {} calls in flight{whose}, about {} each", count(calls), bytes(each));
    }
    out.push('.');
    out
}

fn evidence(facts: &Facts, growth: &Growth, c: &Culprit, w: &Window) -> Vec<Evidence> {
    let mut out = vec![
        Evidence {
            text: format!(
                "{} in use from {}, {} more than {} s before the end (± {}, {} samples)",
                bytes(c.current.bytes),
                c.frame.function,
                bytes(c.growth.bytes),
                facts.capture.t_ms.saturating_sub(facts.profile.baseline_t_ms.unwrap_or(0)) / 1000,
                bytes(c.error_bytes),
                count(c.samples)
            ),
            source: Source::Sampled,
        },
        Evidence {
            text: format!(
                "memory grew at {}/s ({} to {})",
                bytes(w.rate as u64),
                bytes(w.rate_low as u64),
                bytes(w.rate_high as u64)
            ),
            source: Source::Exact,
        },
        Evidence {
            text: match &c.caller {
                Some(caller) => {
                    format!("inside {}, which calls it: {}", caller.function, plural(c.in_flight(facts), "goroutine"))
                }
                None => format!("inside {}: {}", c.frame.function, plural(c.goroutines, "goroutine")),
            },
            source: Source::Exact,
        },
        Evidence {
            text: format!(
                "the sites that grew did so by {} together, the process by {}",
                bytes(growth.total.bytes),
                bytes(w.growth())
            ),
            source: Source::Sampled,
        },
    ];
    if let Some(f) = &c.caller {
        out.push(Evidence {
            text: format!("called from {} ({}:{})", f.function, short(&f.file), f.line),
            source: Source::Exact,
        });
    }
    if let Some(through) = &c.through {
        out.push(Evidence { text: format!("it allocates through {through}"), source: Source::Exact });
    }
    out
}

fn cure(facts: &Facts, c: &Culprit, per_call: Option<u64>) -> String {
    // With the collector off, or its goal beyond the limit, what was marked says how little may really be
    // alive.
    let beyond =
        facts.target.limit_bytes.is_some_and(|l| facts.gc.heap_goal.is_none_or(|g| g > l.saturating_add(l / 4)));
    if beyond && facts.gc.memory_limit.is_none() && facts.gc.heap_marked < facts.gc.heap_live.div_ceil(2) {
        return format!(
            "Set GOMEMLIMIT somewhat below the limit: the collector was {} and had no reason to run before memory was used up; then see how much of {} lives on.",
            if facts.gc.percent < 0 { "off (GOGC)" } else { "aiming beyond the limit" },
            c.frame.function
        );
    }
    match per_call {
        Some(_) => format!(
            "Build what {} builds once, when its input changes, and share it read-only between calls; bound how many calls may hold a copy at a time.",
            c.frame.function
        ),
        None => format!("Find what keeps the objects from {} reachable, and bound it.", c.frame.function),
    }
}

fn do_now(facts: &Facts, c: &Culprit, w: &Window, per_call: Option<u64>) -> Vec<(String, String)> {
    let mut out = vec![(
        "Look for what changed just before the growth: a release, a configuration, data published by an admin platform; revert it".into(),
        format!("memory would stay at about {}", bytes(w.start_bytes)),
    )];
    if let (Some(each), Some(limit)) = (per_call, facts.target.limit_bytes) {
        // Half of what is free, since GOGC=100 lets the heap grow to twice what is live.
        let room = limit.saturating_sub(w.start_bytes) / 2;
        let calls = room / each.max(1);
        let whose = c.caller.as_ref().map_or(&c.frame.function, |f| &f.function);
        out.push((
            format!("Let at most {} calls of {whose} run at a time", count(calls.max(1))),
            "what they hold fits under the limit".into(),
        ));
    }
    if c.share < MAJORITY {
        out.push(("Look at the flame graph: no single function has the majority".into(), String::new()));
    }
    out
}
