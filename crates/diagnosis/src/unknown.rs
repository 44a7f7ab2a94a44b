//! What is not known, and what to say where nothing was found.

use crate::facts::Facts;
use crate::growth::Growth;
use crate::units::seconds;

/// What to say where no rule fired.
#[must_use]
pub fn nothing_found(facts: &Facts) -> &'static str {
    if facts.timeline.samples.len() < 3 {
        "no finding: one moment cannot tell what grows (lastgasp run watches from the start)"
    } else {
        "no finding: memory did not grow in a way that one of the rules knows"
    }
}

pub(crate) fn unknown(facts: &Facts, growth: &Growth) -> Vec<String> {
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
