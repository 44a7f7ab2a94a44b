//! `select {}`. The page: `select-without-cases.md`.

use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct SelectWithoutCases;

impl Cause for SelectWithoutCases {
    const INFO: RuleInfo = RuleInfo {
        code: "select-without-cases",
        title: "a select without cases never ends",
        doc: include_str!("select-without-cases.md"),
    };
    const CURE: &'static str =
        "Give the select in {place} a case that comes (a context, a channel that is closed at the end), or return.";

    fn check(_: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        (case.seen.reason() == "select (no cases)").then(|| Judged::sure("a select without cases never ends"))
    }
}
