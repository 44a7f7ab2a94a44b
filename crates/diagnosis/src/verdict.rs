//! Findings, ranked into a verdict, with what it is not and what to do.

use crate::facts::Facts;
use crate::growth::Growth;
use crate::rules;
use crate::units::{bytes, count, percent, plural, seconds};
use crate::window::{Window, window};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing found.
    None,
    /// Worth knowing.
    Info,
    /// Will hurt.
    Warning,
    /// Hurts.
    Critical,
}

impl Level {
    /// As in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Read as it is.
    Exact,
    /// From the sampled profile.
    Sampled,
    /// Computed with assumptions.
    Estimated,
}

impl Source {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Sampled => "sampled",
            Self::Estimated => "estimated",
        }
    }
}

/// A sentence of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The sentence.
    pub text: String,
    /// Where its numbers come from.
    pub source: Source,
}

/// A factor of a confidence, 0 to 1; the confidence is their product.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What it weighs.
    pub term: &'static str,
    /// The factor.
    pub value: f64,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub code: &'static str,
    /// How bad.
    pub level: Level,
    /// A few words.
    pub title: String,
    /// One sentence with numbers.
    pub sentence: String,
    /// Factors of the confidence.
    pub terms: Vec<Term>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What would end it.
    pub cure: String,
    /// Index of the site that it is about.
    pub site: Option<usize>,
    /// What to do now: act and effect.
    pub do_now: Vec<(String, String)>,
}

impl Finding {
    /// Product of its terms.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.terms.iter().map(|t| t.value.clamp(0.0, 1.0)).product()
    }
}

/// What a suspect has against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotIt {
    /// The suspect.
    pub suspect: &'static str,
    /// The evidence.
    pub because: String,
    /// Where its numbers come from.
    pub source: Source,
}

/// What another limit would have changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitWhatIf {
    /// The limit.
    pub limit: u64,
    /// Seconds more at the median rate; at the highest; at the lowest.
    pub seconds: f64,
    /// At the highest rate.
    pub low: f64,
    /// At the lowest rate.
    pub high: f64,
}

/// All that the rules say.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The worst and surest first: the verdict.
    pub findings: Vec<Finding>,
    /// What it is not.
    pub not_it: Vec<NotIt>,
    /// What other limits would buy.
    pub limits: Vec<LimitWhatIf>,
    /// What is not known.
    pub unknown: Vec<String>,
    /// The growth that led here.
    pub window: Option<Window>,
    /// What grew.
    pub growth: Growth,
}

impl Diagnosis {
    /// The first finding.
    #[must_use]
    pub fn verdict(&self) -> Option<&Finding> {
        self.findings.first()
    }

    /// The verdict's level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.verdict().map_or(Level::None, |f| f.level)
    }
}

/// What to say where no rule fired.
#[must_use]
pub fn nothing_found(facts: &Facts) -> &'static str {
    if facts.timeline.samples.len() < 3 {
        "no finding: one moment cannot tell what grows (lastgasp run watches from the start)"
    } else {
        "no finding: memory did not grow in a way that one of the rules knows"
    }
}

/// Applies every rule to the facts.
#[must_use]
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let window = window(facts);
    let growth = Growth::of(facts);
    let mut findings: Vec<Finding> =
        rules::ALL.iter().filter_map(|rule| rule(facts, &growth, window.as_ref())).collect();
    findings
        .sort_by(|a, b| b.level.cmp(&a.level).then(b.confidence().total_cmp(&a.confidence())).then(a.code.cmp(b.code)));
    let limits = limits(facts, window.as_ref());
    Diagnosis {
        not_it: not_it(facts, &growth, window.as_ref(), &limits),
        unknown: unknown(facts, &growth),
        findings,
        limits,
        window,
        growth,
    }
}

/// 1.5, 2, 4 and 8 times the limit.
fn limits(facts: &Facts, window: Option<&Window>) -> Vec<LimitWhatIf> {
    let (Some(limit), Some(w)) = (facts.target.limit_bytes, window) else {
        return Vec::new();
    };
    let buys = |more: u64, rate: f64| if rate > 0.0 { more as f64 / rate } else { f64::INFINITY };
    let of = |tenths: u64| {
        let wished = (limit / 10).saturating_mul(tenths).max(limit);
        let more = wished - limit;
        LimitWhatIf {
            limit: wished,
            seconds: buys(more, w.rate),
            low: buys(more, w.rate_high),
            high: buys(more, w.rate_low).min(buys(more, w.rate / 4.0)),
        }
    };
    [15, 20, 40, 80].map(of).to_vec()
}

/// The false leads that cost hours in the incident of the notes, each with what speaks against it.
fn not_it(facts: &Facts, growth: &Growth, window: Option<&Window>, limits: &[LimitWhatIf]) -> Vec<NotIt> {
    let mut out = Vec::new();
    let Some(w) = window else { return out };
    let stacks = facts.goroutines.stack_bytes;
    let share = stacks as f64 / w.growth().max(1) as f64;
    if facts.goroutines.total > 0 && share < 0.1 {
        let mut because = format!(
            "{}, {} of stacks: {} of the growth",
            plural(facts.goroutines.total, "goroutine"),
            bytes(stacks),
            percent(share)
        );
        if let Some(c) = growth
            .culprit
            .as_ref()
            .filter(|c| c.in_flight(facts) >= 8 && c.in_flight(facts).saturating_mul(3) > facts.goroutines.total)
        {
            because += &format!(
                "; {} of them are the calls in flight, and what they hold is the growth",
                count(c.in_flight(facts))
            );
        }
        out.push(NotIt { suspect: "goroutine stacks", because, source: Source::Exact });
    }
    if let Some(double) = limits.get(1).filter(|l| l.seconds < 600.0) {
        let because = format!("a limit of {} would have bought {}", bytes(double.limit), seconds(double.seconds));
        out.push(NotIt { suspect: "the limit", because, source: Source::Estimated });
    }
    let gc = &facts.gc;
    if gc.percent >= 0 && growth.has_baseline && gc.heap_marked > 0 {
        let idle = gc.heap_free as f64 / w.end_bytes.max(1) as f64;
        if idle < 0.1 {
            let because = format!("{} ({}) of the memory is idle in the Go heap", bytes(gc.heap_free), percent(idle));
            out.push(NotIt { suspect: "memory that Go has not given back", because, source: Source::Exact });
        }
    }
    if let Some(rss) = facts.rss.filter(|_| gc.is_known()) {
        let outside = rss.anon.saturating_sub(gc.known());
        let share = outside as f64 / rss.rss.max(1) as f64;
        if share < 0.1 {
            let because = format!(
                "{} ({}) of the RSS is anonymous memory outside the Go runtime",
                bytes(outside),
                percent(share)
            );
            out.push(NotIt { suspect: "cgo or memory mapped by hand", because, source: Source::Estimated });
        }
    }
    out
}

fn unknown(facts: &Facts, growth: &Growth) -> Vec<String> {
    let mut out = Vec::new();
    if facts.profile.rate == 0 && facts.gc.is_known() {
        out.push("which code allocated: the program keeps no memory profile (MemProfileRate is 0: it never refers to runtime.MemProfile, or has set it so)".into());
    }
    if let Some(on) = facts.timeline.events.iter().find(|e| e.kind == "profiling-on") {
        let at = seconds(on.t_ms as f64 / 1e3);
        out.push(format!("which code allocated before lastgasp switched the memory profile on, {at} into the watch"));
    }
    if !growth.has_baseline {
        out.push("what grew: this capture has no calmer time to compare with".into());
    }
    if growth.culprit.is_some() {
        out.push("what keeps the memory reachable: lastgasp does not walk the heap's references yet".into());
    }
    if facts.heap.is_none() && facts.gc.is_known() {
        out.push("the heap by size: its spans were not read".into());
    }
    if facts.rss.is_none() {
        let why = if facts.capture.phase == "core" {
            "a core file does not tell it"
        } else {
            "the process was not seen alive"
        };
        out.push(format!("the RSS: {why}"));
    }
    let approximate: u64 =
        facts.goroutines.groups.iter().filter(|g| g.approximate).map(|g| g.count).fold(0, u64::saturating_add);
    if approximate > 0 {
        out.push(format!(
            "where {approximate} running goroutines were to the instruction: their registers died with the process"
        ));
    }
    out
}
