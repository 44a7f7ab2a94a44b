//! Findings of a capture, and those of the source that are about the same thing: a line of the one leads to
//! the other.

use lastgasp_diagnosis::facts::Facts;
use lastgasp_diagnosis::{Finding as OfCapture, Subject};

use super::names::Function;
use super::seen::{is_at, is_in_package, names_owner};
use crate::finding::{Certainty, Finding};

/// The findings of source that are about what a finding of a capture is about, in their own order. Only what
/// was seen in the capture is: that a rule speaks of the same function proves nothing.
#[must_use]
pub fn link<'a>(findings: &'a [Finding], facts: &Facts, of_capture: &OfCapture) -> Vec<&'a Finding> {
    let is_about = |finding: &Finding| match &of_capture.subject {
        Subject::Site { function, .. } => is_of_site(finding, facts, function),
        Subject::GoStatement { function, starts, .. } => finding.function == *function || finding.function == *starts,
        Subject::Collection { owner, .. } => names_owner(finding, owner),
        Subject::Holder { name } => {
            names_owner(finding, &format!("global {name}")) || names_owner(finding, &format!("goroutines in {name}"))
        }
        _ => false,
    };
    findings.iter().filter(|f| f.certainty == Certainty::Seen && is_about(f)).collect()
}

/// Whether a finding is of a function that allocates, or stands on a line that calls it where it allocates.
fn is_of_site(finding: &Finding, facts: &Facts, function: &str) -> bool {
    if finding.function == function {
        return true;
    }
    let wanted = Function::parse(function);
    facts.profile.sites.iter().any(|site| {
        let mut frames = site.stack.iter().filter_map(|at| facts.frames.get(*at as usize));
        let allocates = frames.clone().find(|f| is_in_package(f, finding));
        allocates.is_some_and(|f| Function::parse(&f.function) == wanted) && frames.any(|f| is_at(f, finding))
    })
}
