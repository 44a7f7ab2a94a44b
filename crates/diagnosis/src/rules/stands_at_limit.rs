//! Memory that did not grow, and stands at its limit. The page: `stands-at-limit.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::at_limit::at_limit;
use crate::facts::{Facts, Reason};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Level};
use crate::findings::Findings;
use crate::holder::holder;
use crate::ledger::ledger;
use crate::rival::Rival;
use crate::sentence::{place, service};
use crate::subject::Subject;
use crate::thresholds::stands_at_limit::{AT_LIMIT, HELD_ONE_IN, MAX_SLICES};
use crate::units::{bytes, percent, seconds};

/// The rule.
pub(super) struct StandsAtLimit;

impl Rule for StandsAtLimit {
    const INFO: RuleInfo = RuleInfo {
        code: "stands-at-limit",
        title: "memory did not grow, and stands at its limit",
        doc: include_str!("stands-at-limit.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if case.window.is_none() {
            out.found(find(case.facts));
        }
    }
}

fn find(facts: &Facts) -> Option<Finding> {
    let limit = facts.target.limit_bytes?;
    let usage = facts.timeline.samples.iter().rev().take(20).map(|s| s.usage_bytes).max()?;
    let killed = facts.capture.reason == Reason::OomKill;
    let part = usage as f64 / limit.max(1) as f64;
    if part < AT_LIMIT {
        return None;
    }
    // Of a program without a profile the runtime's own few bytes are in it.
    let holder = holder(facts).filter(|(_, n)| *n >= usage / HELD_ONE_IN);
    let held = facts.profile.sites.iter().map(|s| s.current.bytes).fold(0, u64::saturating_add);
    let (subject, most) = match holder {
        Some((f, n)) => (
            Subject::site(f),
            format!(
                "; most of what the profile has in use ({} of {}) was allocated in {}",
                bytes(n),
                bytes(held),
                place(f)
            ),
        ),
        None => (Subject::Process, String::new()),
    };
    let stood = at_limit(facts).map_or_else(String::new, |at| {
        format!(", and stood there for {}{}", if at.at_least { "at least " } else { "" }, seconds(at.ms as f64 / 1e3))
    });
    let end = if killed { ", until the kernel killed it" } else { "" };
    Some(Finding {
        code: StandsAtLimit::INFO.code,
        subject,
        level: if killed { Level::Critical } else { Level::Warning },
        title: "it did not grow while it was watched: it stands at its limit".into(),
        sentence: format!(
            "{} used {} of its limit of {} ({}){stood}{end}{most}.",
            service(facts),
            bytes(usage),
            bytes(limit),
            percent(part.min(1.0))
        ),
        factors: vec![ConfidenceFactor {
            name: "share of what is in use that is of the one named",
            value: holder.map_or(1.0, |(_, n)| n as f64 / held.max(1) as f64),
        }],
        rivals: vec![Rival::open("growth from before it was watched", "a capture of a calmer time: let lastgasp watch from the start")],
        evidence: slices(facts),
        cure: "Compare with a calmer time (lastgasp diff, or a capture after a restart): what it holds may be needed, and the limit too small for it.".into(),
        site: None,
        do_now: Vec::new(),
    })
}

/// The largest slices of the memory.
fn slices(facts: &Facts) -> Vec<Evidence> {
    let mut all = ledger(facts);
    all.sort_by_key(|s| std::cmp::Reverse(s.bytes));
    let large = all.into_iter().filter(|s| s.bytes > 0).take(MAX_SLICES);
    large
        .map(|s| Evidence { text: format!("{}: {}", s.name, bytes(s.bytes.unsigned_abs())), source: s.source })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Amount, Frame, Sample, Site};

    #[test]
    fn who_holds_most_is_named_where_nothing_grew() {
        let mut facts = Facts::default();
        facts.target.limit_bytes = Some(500_000_000);
        facts.target.service = "svc".into();
        facts.capture.reason = Reason::OomKill;
        let sample =
            |i: u64| Sample { t_ms: i * 100, usage_bytes: 490_000_000 + i % 7 * 1_000_000, ..Sample::default() };
        facts.timeline.samples = (0..=600).map(sample).collect();
        let frames =
            ["main.load", "main.other"].map(|f| Frame { function: f.into(), file: "svc/main.go".into(), line: 9 });
        facts.frames = frames.into();
        let site = |at, bytes| Site { stack: vec![at], current: Amount { bytes, objects: 1 }, ..Site::default() };
        facts.profile.sites = vec![site(0, 300_000_000), site(1, 90_000_000)];
        let d = diagnose(&facts);
        let v = d.verdict().unwrap();
        assert_eq!((v.code, v.subject.to_string().as_str()), ("stands-at-limit", "main.load"));
        assert!(v.sentence.contains("stood there for at least") && v.confidence() <= crate::UNTESTED, "{}", v.sentence);
        // A profile of a few bytes names nobody.
        facts.profile.sites.iter_mut().for_each(|s| s.current.bytes /= 100_000);
        assert_eq!(diagnose(&facts).verdict().map(|v| v.subject.to_string()).as_deref(), Some("-"));
        // Far from its limit: it does not stand there, whoever killed it.
        facts.target.limit_bytes = Some(5_000_000_000);
        assert_eq!(diagnose(&facts).verdict(), None);
    }
}
