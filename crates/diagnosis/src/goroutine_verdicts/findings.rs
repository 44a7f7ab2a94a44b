//! What of the verdicts is told as a finding: beside the verdict on memory, which says why it grew.

use crate::facts::Frame;
use crate::finding::{ConfidenceFactor, Evidence, Finding, Level, Source};
use crate::subject::Subject;
use crate::units::{bytes, count, plural};

use super::GoroutineVerdicts;
use super::causes::{self, Cause, TooManyGoroutines};
use super::thresholds::{STALLED_AGE_NS, STALLED_MANY};
use super::tier::Tier;
use super::verdict::{Spot, Sureness, VerdictGroup};

/// Findings that are told: the gravest and largest groups.
const MOST: usize = 6;
/// Proved ones from which on they are a warning and not only worth knowing; of locks one is enough.
const MANY: u64 = 10;

/// Whether a finding is one of these.
pub(crate) fn is_of_goroutines(code: &str) -> bool {
    causes::by_code(code).is_some()
}

/// Findings of the groups that matter, but those that are told already.
pub(crate) fn beside(verdicts: &GoroutineVerdicts, told: &[bool]) -> Vec<Finding> {
    let new = verdicts.groups.iter().enumerate().filter(|(i, _)| told.get(*i) != Some(&true)).map(|(_, g)| g);
    new.filter(|g| matters(g)).take(MOST).filter_map(finding).collect()
}

/// Whether a group is worth a finding: all that is proved and suspect; what stalls where it is old or many;
/// what does not end where it grows.
fn matters(g: &VerdictGroup) -> bool {
    match g.tier {
        Tier::Proved | Tier::Suspect => true,
        Tier::Stalled => g.count >= STALLED_MANY || g.oldest_wait_ns >= STALLED_AGE_NS,
        Tier::Immortal => g.growing,
        Tier::Healthy => g.growing && g.code == TooManyGoroutines::INFO.code,
    }
}

fn finding(g: &VerdictGroup) -> Option<Finding> {
    let entry = causes::by_code(g.code)?;
    let frame = |s: &Spot| Frame { function: s.function.clone(), file: s.file.clone(), line: s.line };
    let subject = match (&g.created_by, &g.waits_in) {
        (Some(s), _) => Subject::go_statement(&frame(s), &g.starts),
        (None, Some(s)) => Subject::site(&frame(s)),
        (None, None) => Subject::Process,
    };
    let goroutines = plural(g.count, "goroutine");
    // A title is read alone: of a cause that is only possible it must not say more.
    let cause = match g.sureness {
        Sureness::Possible => format!("possibly {}", entry.info.title),
        Sureness::Sure | Sureness::Probable => entry.info.title.to_owned(),
    };
    let title = match g.tier {
        Tier::Proved => format!("{goroutines} will never end: {cause}"),
        Tier::Suspect => format!("{goroutines} may never end: {cause}"),
        Tier::Stalled if g.count == 1 => format!("{goroutines} waits without an end: {cause}"),
        Tier::Stalled => format!("{goroutines} wait without an end: {cause}"),
        Tier::Immortal | Tier::Healthy => format!("{cause} ({goroutines})"),
    };
    let of_lock = entry.info.code.contains("lock");
    let level = match g.tier {
        Tier::Proved | Tier::Suspect if of_lock || g.count >= MANY || g.growing => Level::Warning,
        _ => Level::Info,
    };
    let mut evidence = vec![Evidence {
        text: format!("for example goroutine {}", g.examples.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
        source: Source::Exact,
    }];
    if let Some(n) = g.retained_bytes {
        let text = format!("{} that nothing else holds, and {} of stacks", bytes(n), bytes(g.stack_bytes));
        evidence.push(Evidence { text, source: Source::Exact });
    }
    evidence.extend(g.holders.iter().take(3).map(|h| Evidence {
        text: format!(
            "goroutine {} in {} {}: {} [{}]",
            count(h.goroutine),
            h.function,
            h.does,
            h.sign,
            h.sureness.name()
        ),
        source: Source::Estimated,
    }));
    Some(Finding {
        code: entry.info.code,
        subject,
        level,
        title,
        sentence: g.sentence.clone(),
        factors: vec![
            ConfidenceFactor { name: "whether anybody can still wake them", value: of_tier(g.tier) },
            ConfidenceFactor { name: "how sure the cause is", value: of_cause(g.sureness) },
        ],
        rivals: g.rivals.clone(),
        evidence,
        cure: g.cure.clone(),
        site: None,
        do_now: Vec::new(),
    })
}

fn of_tier(t: Tier) -> f64 {
    match t {
        Tier::Proved => 1.0,
        Tier::Suspect => 0.6,
        Tier::Stalled | Tier::Immortal => 0.8,
        Tier::Healthy => 0.5,
    }
}

fn of_cause(s: Sureness) -> f64 {
    match s {
        Sureness::Sure => 1.0,
        Sureness::Probable => 0.8,
        Sureness::Possible => 0.5,
    }
}
