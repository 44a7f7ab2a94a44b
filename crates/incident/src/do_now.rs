//! What to do now: acts ranked by how soon they help and what memory they leave.

use crate::causes::{Cause, Kind, Scene};
use crate::what_if::{Measure, WhatIf};

/// Seconds from the decision until it helps. Chosen, for a service with a release pipeline: what is published
/// is reverted in a minute, what is released in ten.
const CAPTURE: u64 = 30;
const REVERT_CONFIG: u64 = 60;
const SWITCH: u64 = 120;
const ROLL_BACK: u64 = 600;
const RAISE_LIMIT: u64 = 600;
const RESTART: u64 = 120;
const NEW_CODE: u64 = 3600;

/// An act.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// What to do.
    pub act: String,
    /// What it does.
    pub effect: String,
    /// Seconds until it helps, about.
    pub seconds: u64,
    /// Peak of memory then, in bytes.
    pub peak: Option<f64>,
    /// Whether it ends the incident by itself.
    pub ends_it: bool,
}

/// Acts, those that end it first, the quickest of these first.
#[must_use]
pub(crate) fn acts(scene: &Scene<'_>, causes: &[Cause], what_ifs: &[WhatIf]) -> Vec<Act> {
    let mut out = Vec::new();
    let base = scene.best.and_then(|c| c.window).map(|w| w.start_bytes as f64);
    let named = causes.iter().filter(|c| c.evidence() > 0.0 && !c.undo.is_empty());
    for (i, c) in named.take(3).enumerate() {
        let seconds = match c.kind {
            Kind::Config => REVERT_CONFIG,
            Kind::Release => ROLL_BACK,
            Kind::Limit => RAISE_LIMIT,
            Kind::Gc | Kind::Dependency | Kind::Traffic | Kind::Node => SWITCH,
            Kind::Leak | Kind::GoroutineLeak | Kind::OffHeap => RESTART,
            Kind::CodePath | Kind::Unknown => NEW_CODE,
        };
        // Of the second likeliest cause undoing it helps only if it is the cause.
        if i > 0 && c.confidence < 0.1 {
            continue;
        }
        let undoes = matches!(c.kind, Kind::Config | Kind::Release | Kind::Limit | Kind::Gc);
        out.push(Act {
            act: c.undo.clone(),
            effect: format!("undoes the {} ({})", c.kind.name(), lastgasp_diagnosis::units::percent(c.confidence)),
            seconds,
            peak: base.filter(|_| undoes),
            ends_it: i == 0 && undoes && c.confidence >= 0.5,
        });
    }
    if scene.is_alive() && scene.captures.is_empty() {
        // While it lives whoever holds the memory can be seen.
        out.push(Act {
            act: "take a capture of one whose memory climbs: lastgasp capture PID --heap".into(),
            effect: "names what holds the growth, before the first dies".into(),
            seconds: CAPTURE,
            peak: None,
            ends_it: false,
        });
    }
    for w in what_ifs {
        let seconds = match w.code {
            "concurrency-cap" | "timeout" | "fallback" | "retries-off" => SWITCH,
            "share-one-copy" => NEW_CODE,
            "gomemlimit" => RAISE_LIMIT,
            _ => continue,
        };
        // What does not help is said among the what-ifs.
        if w.saves == Some(false) {
            continue;
        }
        out.push(Act {
            act: w.act.clone(),
            effect: w.text.strip_prefix(&format!("{}: ", w.act)).unwrap_or(&w.text).to_owned(),
            seconds,
            peak: (w.measure == Measure::PeakBytes).then_some(w.value),
            ends_it: w.saves == Some(true) && w.code == "share-one-copy",
        });
    }
    if let Some(l) = &scene.sustained {
        out.push(Act { act: l.cure.to_owned(), effect: l.text.clone(), seconds: SWITCH, peak: None, ends_it: false });
    }
    let peak = |a: &Act| a.peak.unwrap_or(f64::MAX);
    out.sort_by(|a, b| {
        // What ends it soon, then what holds it soon, then what takes long.
        let soon = |x: &Act| (x.ends_it && x.seconds <= ROLL_BACK, x.seconds <= ROLL_BACK);
        soon(b).cmp(&soon(a)).then(a.seconds.cmp(&b.seconds)).then(peak(a).total_cmp(&peak(b)))
    });
    out.truncate(7);
    out
}
