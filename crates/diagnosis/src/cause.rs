//! The cause of a capture: what other victims of the same death have in common with it.

use crate::diagnose::Diagnosis;
use crate::facts::Facts;

/// What a capture shows, in words that are the same for another victim of the same cause: service, build, rule, culprit.
#[must_use]
pub fn cause(facts: &Facts, diagnosis: &Diagnosis) -> String {
    let target = &facts.target;
    let build = match &target.vcs {
        Some((revision, ..)) => revision.get(..12).unwrap_or(revision),
        None if target.module.1.is_empty() => target.build_id.as_deref().unwrap_or("-"),
        None => &target.module.1,
    };
    let rule = diagnosis.verdict().map_or("nothing", |f| f.code);
    let culprit = diagnosis.growth.culprit.as_ref().map_or("-", |c| c.frame.function.as_str());
    format!("{} {build}: {rule} {culprit}", target.service)
}
