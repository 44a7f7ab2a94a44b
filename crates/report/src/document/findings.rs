//! Verdict, findings, and what stands around them: what to do, what it is not, feeds, window, other limits.

use lastgasp_diagnosis::{Diagnosis, Facts, Subject, feeds, nothing_found};
use serde::Serialize;

/// The field `verdict`.
#[derive(Debug, Serialize)]
pub(super) struct Verdict<'a> {
    level: &'static str,
    title: &'a str,
    sentence: &'a str,
    /// Absent if nothing was found.
    #[serde(flatten)]
    of: Option<Reasons<'a>>,
}

/// What a verdict has beyond its sentence.
#[derive(Debug, Serialize)]
struct Reasons<'a> {
    code: &'static str,
    subject: &'a Subject,
    fingerprint: String,
    confidence: f64,
    confidence_terms: Vec<Factor>,
    site: Option<usize>,
    rivals: Vec<Rival<'a>>,
    facts: Vec<Evidence<'a>>,
    cure: &'a str,
}

/// An element of `rivals`.
#[derive(Debug, Serialize)]
pub(super) struct Rival<'a> {
    cause: &'static str,
    state: &'static str,
    because: &'a str,
}

/// A factor of the confidence.
#[derive(Debug, Serialize)]
struct Factor {
    term: &'static str,
    value: f64,
}

/// A sentence of evidence.
#[derive(Debug, Serialize)]
struct Evidence<'a> {
    text: &'a str,
    source: &'static str,
}

/// An element of `findings`.
#[derive(Debug, Serialize)]
pub(super) struct Finding<'a> {
    code: &'static str,
    subject: &'a Subject,
    fingerprint: String,
    level: &'static str,
    title: &'a str,
    sentence: &'a str,
    confidence: f64,
    rivals: Vec<Rival<'a>>,
    evidence: Vec<Evidence<'a>>,
    cure: &'a str,
}

/// An element of `do_now`.
#[derive(Debug, Serialize)]
pub(super) struct Act<'a> {
    text: &'a str,
    effect: &'a str,
}

/// An element of `not_it`.
#[derive(Debug, Serialize)]
pub(super) struct RuledOut<'a> {
    suspect: &'static str,
    because: &'a str,
    source: &'static str,
}

/// An element of `feeds`.
#[derive(Debug, Serialize)]
pub(super) struct Feed {
    name: String,
    state: &'static str,
    detail: String,
}

/// The field `window`.
#[derive(Debug, Serialize)]
pub(super) struct Window {
    seconds: f64,
    stood_ms: u64,
    onset_ms: u64,
    end_ms: u64,
    start_bytes: u64,
    end_bytes: u64,
    growth_bytes: u64,
    rate_bytes_per_s: f64,
    rate_low_bytes_per_s: f64,
    rate_high_bytes_per_s: f64,
    gc_cycles: u32,
}

/// An element of `limit_what_if`.
#[derive(Debug, Serialize)]
pub(super) struct LimitWhatIf {
    limit_bytes: u64,
    /// `null`: it would not have been reached.
    buys_seconds: Option<f64>,
    low_seconds: Option<f64>,
    high_seconds: Option<f64>,
}

impl<'a> Verdict<'a> {
    pub(super) fn of(facts: &Facts, d: &'a Diagnosis) -> Self {
        let Some(f) = d.verdict() else {
            return Self { level: "none", title: "no finding", sentence: nothing_found(facts), of: None };
        };
        let reasons = Reasons {
            code: f.code,
            subject: &f.subject,
            fingerprint: f.fingerprint(),
            confidence: f.confidence(),
            confidence_terms: f.factors.iter().map(|c| Factor { term: c.name, value: c.value }).collect(),
            site: f.site,
            rivals: rivals(f),
            facts: evidence(f),
            cure: &f.cure,
        };
        Self { level: f.level.name(), title: &f.title, sentence: &f.sentence, of: Some(reasons) }
    }
}

fn evidence(f: &lastgasp_diagnosis::Finding) -> Vec<Evidence<'_>> {
    f.evidence.iter().map(|e| Evidence { text: &e.text, source: e.source.name() }).collect()
}

fn rivals(f: &lastgasp_diagnosis::Finding) -> Vec<Rival<'_>> {
    f.rivals.iter().map(Rival::of).collect()
}

impl<'a> Rival<'a> {
    pub(super) fn of(r: &'a lastgasp_diagnosis::Rival) -> Self {
        Self { cause: r.cause, state: r.told.name(), because: &r.because }
    }
}

impl<'a> Finding<'a> {
    pub(super) fn of(f: &'a lastgasp_diagnosis::Finding) -> Self {
        Self {
            code: f.code,
            subject: &f.subject,
            fingerprint: f.fingerprint(),
            level: f.level.name(),
            title: &f.title,
            sentence: &f.sentence,
            confidence: f.confidence(),
            rivals: rivals(f),
            evidence: evidence(f),
            cure: &f.cure,
        }
    }
}

impl<'a> Act<'a> {
    pub(super) fn of(f: &'a lastgasp_diagnosis::Finding) -> Vec<Self> {
        f.do_now.iter().map(|(text, effect)| Self { text, effect }).collect()
    }
}

impl<'a> RuledOut<'a> {
    pub(super) fn of(r: &'a lastgasp_diagnosis::RuledOut) -> Self {
        Self { suspect: r.suspect, because: &r.because, source: r.source.name() }
    }
}

impl Feed {
    pub(super) fn of(facts: &Facts) -> Vec<Self> {
        feeds(facts).into_iter().map(|f| Self { state: f.state(), name: f.name, detail: f.detail }).collect()
    }
}

impl Window {
    pub(super) fn of(w: &lastgasp_diagnosis::Window) -> Self {
        Self {
            seconds: w.seconds(),
            stood_ms: w.at_limit_ms,
            onset_ms: w.onset_ms,
            end_ms: w.end_ms,
            start_bytes: w.start_bytes,
            end_bytes: w.end_bytes,
            growth_bytes: w.growth(),
            rate_bytes_per_s: w.rate,
            rate_low_bytes_per_s: w.rate_low,
            rate_high_bytes_per_s: w.rate_high,
            gc_cycles: w.gc_cycles,
        }
    }
}

impl LimitWhatIf {
    pub(super) fn of(l: &lastgasp_diagnosis::LimitWhatIf) -> Self {
        let known = |seconds: f64| seconds.is_finite().then_some(seconds);
        Self {
            limit_bytes: l.limit,
            buys_seconds: known(l.seconds),
            low_seconds: known(l.low),
            high_seconds: known(l.high),
        }
    }
}
