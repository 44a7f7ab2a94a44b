//! Comments that silence a finding: `//lastgasp:ignore CODE reason`, behind the line or above it.

use crate::project::{Gap, GapKind};
use crate::rules::catalogue;
use crate::syntax::ParsedFile;

/// Codes that are silenced, by line.
#[derive(Debug, Default)]
pub(crate) struct Suppressed {
    by_line: Vec<(u32, String)>,
}

impl Suppressed {
    /// The comments of a file. What is no such comment though it looks like one is a gap: it silences
    /// nothing.
    pub(crate) fn of(file: &ParsedFile<'_>, gaps: &mut Vec<Gap>) -> Self {
        let mut out = Self::default();
        for (span, text) in &file.ast.directives {
            let mut bad = |text: String| {
                gaps.push(Gap { file: file.name.to_owned(), line: Some(span.line), kind: GapKind::Suppression, text });
            };
            let Some(rest) = text.strip_prefix("ignore").filter(|r| r.is_empty() || r.starts_with(char::is_whitespace))
            else {
                bad(format!(
                    "//lastgasp:{} is not known: it is //lastgasp:ignore CODE reason",
                    text.split_whitespace().next().unwrap_or_default()
                ));
                continue;
            };
            let (codes, reason) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
            if codes.is_empty() || reason.trim().is_empty() {
                bad("//lastgasp:ignore without a reason silences nothing: //lastgasp:ignore CODE reason".into());
                continue;
            }
            let line = target(file, span.start, span.line);
            for code in codes.split(',') {
                if catalogue().any(|i| i.code == code) {
                    out.by_line.push((line, code.to_owned()));
                } else {
                    bad(format!(
                        "no rule has the code {code:?}: it silences nothing (lastgasp explain lists the codes)"
                    ));
                }
            }
        }
        out
    }

    /// Whether a finding with this code in this line is silenced.
    pub(crate) fn has(&self, code: &str, line: u32) -> bool {
        self.by_line.iter().any(|(l, c)| *l == line && c == code)
    }
}

/// The line that a comment is about: its own if something stands before it, else the next with code.
fn target(file: &ParsedFile<'_>, start: u32, line: u32) -> u32 {
    let before = file.text.get(..start as usize).unwrap_or_default();
    let own = before.rsplit('\n').next().unwrap_or_default();
    if !own.trim().is_empty() {
        return line;
    }
    let after = file.text.get(start as usize..).unwrap_or_default();
    let skipped = after.lines().take_while(|l| l.trim().is_empty() || l.trim_start().starts_with("//")).count();
    line.saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX))
}
