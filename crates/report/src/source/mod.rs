//! Findings about source: for a terminal, as JSON, as SARIF, as annotations of GitHub; and allocation sites
//! with the compiler's reasons (`escapes`).

mod beside;
mod escapes;
mod github;
mod json;
mod sarif;
mod terminal;

pub use beside::{BesideFindings, Linked, beside_json, beside_text};
pub use escapes::{EscapesOf, escapes_json, escapes_text};
pub use github::check_github;
pub use json::check_json;
pub use sarif::check_sarif;
pub use terminal::{Look, check_text};

use lastgasp_gosource::{Checked, Finding, Level};

/// A check with what is told of it: what is shown, and what was left out and why.
pub struct CheckView<'a> {
    /// The check, with all of its numbers and gaps.
    pub checked: &'a Checked,
    /// The findings that are shown.
    pub shown: &'a [Finding],
    /// Hints that only evidence makes findings, and that were not asked for.
    pub hints_left_out: usize,
    /// Findings that the baseline has.
    pub in_baseline: usize,
    /// Test files, files for other platforms, and `vendor` folders that were not read.
    pub not_read: [usize; 3],
}

/// How many there are of each level, the worst first.
fn by_level(findings: &[Finding]) -> [(Level, usize); 3] {
    [Level::Critical, Level::Warning, Level::Hint].map(|l| (l, findings.iter().filter(|f| f.level == l).count()))
}
