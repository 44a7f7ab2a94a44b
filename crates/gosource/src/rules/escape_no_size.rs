//! A slice that grows from nothing in a loop of known length. The page: `docs/rules/escape-no-size.md`.

use super::make_without_size::unsized_before_loops;
use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;

/// The rule.
pub(super) struct EscapeNoSize;

impl Rule for EscapeNoSize {
    const INFO: RuleInfo = RuleInfo {
        code: "escape-no-size",
        title: "a slice that grows from nothing in a loop of known length",
        doc: include_str!("../../../../docs/rules/escape-no-size.md"),
    };
    const LEVEL: Level = Level::Hint;
    const QUIET: bool = true;
    const WHY: &'static str = "each round appends one, and how many rounds there are is known before; whether it costs anything a profile tells";
    const CURE: &'static str = "make([]T, 0, len(xs)), if the profile shows this line.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                for found in unsized_before_loops(case, f, u.body, false) {
                    out.found(
                        id,
                        found.fill,
                        format!(
                            "this append grows a slice that began without room, though `{}` tells how many come",
                            found.over
                        ),
                    );
                }
            }
        }
    }
}
