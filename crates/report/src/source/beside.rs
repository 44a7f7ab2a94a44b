//! What is told beside findings that were held against a capture, types, a repository: the verdict that they
//! belong to, what changed, cures to read, and what could not be known.

use lastgasp_gosource::Finding;
use lastgasp_gosource::changed::Changes;
use lastgasp_gosource::join::Excerpt;
use serde_json::{Value, json};

use crate::printable::printable;

/// What is told beside findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BesideFindings {
    /// What they were held against; empty: nothing.
    pub subject: String,
    /// The verdict of the capture, in its sentence; empty if it has none.
    pub verdict: String,
    /// Findings of the capture that findings of the source are about.
    pub linked: Vec<Linked>,
    /// Cures as differences, by fingerprint of their finding.
    pub cures: Vec<(String, String)>,
    /// Lines of the source around what the capture is about; of a report alone.
    pub excerpts: Vec<Excerpt>,
    /// What changed in the verdict's functions, where that was asked and is known.
    pub changes: Option<Changes>,
    /// When the process died, in seconds since 1970.
    pub died_unix: i64,
    /// Version of the toolchain that was asked for types; empty if none was.
    pub toolchain: String,
    /// Findings that types agree with.
    pub typed: usize,
    /// Findings that types spoke against, and that are not told any more.
    pub refuted: usize,
    /// What could not be known, in plain words.
    pub gaps: Vec<String>,
}

/// A finding of a capture with those of the source that are about the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// Code of the capture's rule.
    pub code: String,
    /// Its sentence.
    pub sentence: String,
    /// Fingerprints of the source's findings.
    pub findings: Vec<String>,
}

/// Findings of the source that are named for one of the capture.
const MOST: usize = 5;

/// The same for a terminal; `findings` are those that are shown. Empty if there is nothing to tell.
#[must_use]
pub fn beside_text(beside: &BesideFindings, findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    let of = |fingerprint: &String| findings.iter().find(|f| f.fingerprint == *fingerprint);
    if !beside.subject.is_empty() {
        lines.push(format!("SEEN     in {}", beside.subject));
        if !beside.verdict.is_empty() {
            lines.push(format!("VERDICT  {}", beside.verdict));
        }
    }
    for linked in &beside.linked {
        lines.push(format!("LINE     {}: {}", linked.code, linked.sentence));
        for f in linked.findings.iter().filter_map(of).take(MOST) {
            lines.push(format!("         is {}:{} [{}] {}", f.place.file, f.place.line, f.code, f.sentence));
        }
    }
    for (fingerprint, diff) in &beside.cures {
        let Some(f) = of(fingerprint) else { continue };
        lines.push(format!("CURE     {}:{} [{}], to read and not applied:", f.place.file, f.place.line, f.code));
        lines.extend(diff.lines().map(|l| format!("         {}", l.replace('\t', "    "))));
    }
    if let Some(changes) = &beside.changes {
        let short = |hash: &str| hash.chars().take(7).collect::<String>();
        let (good, died) = (short(&changes.good), short(&changes.died));
        if changes.lines.is_empty() {
            lines.push(format!("CHANGED  nothing in the verdict's functions and in what they call, from {good} to {died} ({} Go files differ)", changes.files));
        }
        for l in &changes.lines {
            let by = l.called_by.as_ref().map_or_else(String::new, |by| format!(", which {by} calls"));
            let range = if l.first == l.last { format!("{}", l.first) } else { format!("{}-{}", l.first, l.last) };
            lines.push(format!("CHANGED  {}:{range} of {}{by}: {}", l.file, l.function, l.words(beside.died_unix)));
        }
        if changes.is_modified {
            lines
                .push("CAUTION  the binary was built from a working copy with changes that no revision has".to_owned());
        }
    }
    if !beside.toolchain.is_empty() {
        lines.push(format!(
            "TYPES    of {}: {} findings agree, {} were something else and are left out",
            beside.toolchain, beside.typed, beside.refuted
        ));
    }
    lines.extend(beside.gaps.iter().map(|g| format!("GAP      {g}")));
    lines.iter().map(|l| format!("{}\n", printable(l))).collect()
}

/// The same as JSON, the object `beside` of a check; null if there is nothing to tell.
#[must_use]
pub fn beside_json(beside: &BesideFindings) -> Value {
    if *beside == BesideFindings::default() {
        return Value::Null;
    }
    let changes = beside.changes.as_ref().map(|c| {
        let lines = c.lines.iter().map(|l| {
            json!({
                "function": l.function,
                "called_by": l.called_by,
                "file": l.file,
                "line": l.first,
                "end_line": l.last,
                "removed": l.is_removal,
                "commit": l.commit,
                "committed_unix": l.committed_unix,
                "sentence": l.words(beside.died_unix),
            })
        });
        json!({
            "good": c.good,
            "died": c.died,
            "modified": c.is_modified,
            "files": c.files,
            "lines": lines.collect::<Vec<_>>(),
        })
    });
    json!({
        "subject": beside.subject,
        "verdict": beside.verdict,
        "linked": beside.linked.iter().map(|l| json!({
            "code": l.code,
            "sentence": l.sentence,
            "findings": l.findings,
        })).collect::<Vec<_>>(),
        "cures": beside.cures.iter().map(|(fingerprint, diff)| json!({
            "finding": fingerprint,
            "diff": diff,
        })).collect::<Vec<_>>(),
        "excerpts": beside.excerpts,
        "changes": changes,
        "toolchain": beside.toolchain,
        "typed": beside.typed,
        "refuted": beside.refuted,
        "gaps": beside.gaps,
    })
}
