//! Workflow commands of GitHub Actions: one line a finding, shown beside the line in a pull request.
//! Source: docs.github.com, "Workflow commands", setting a warning message.

use std::fmt::Write as _;

use lastgasp_gosource::Level;

use super::CheckView;

/// One `::warning file=...::` a finding.
#[must_use]
pub fn check_github(view: &CheckView<'_>) -> String {
    let mut out = String::new();
    for f in view.shown {
        let command = match f.level {
            Level::Critical => "error",
            Level::Warning => "warning",
            Level::Hint => "notice",
        };
        let p = &f.place;
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "::{command} file={},line={},endLine={},col={},endColumn={},title={}::{}",
            property(&p.file),
            p.line,
            p.end_line,
            p.column,
            p.end_column,
            property(&format!("lastgasp {}", f.code)),
            data(&format!("{}\n{}", f.sentence, f.cure)),
        );
    }
    for g in &view.checked.gaps {
        let line = g.line.map_or(String::new(), |l| format!(",line={l}"));
        let _ = writeln!(out, "::notice file={}{line},title=lastgasp::{}", property(&g.file), data(&g.text));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_command_would_take_for_its_own_is_escaped() {
        assert_eq!(property("a,b:c%\nd"), "a%2Cb%3Ac%25%0Ad");
        assert_eq!(data("50 %: a\nb"), "50 %25: a%0Ab");
    }
}
