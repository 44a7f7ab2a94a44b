//! A request that nothing can end. The page: `docs/rules/request-no-context.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::syntax::Callee;

/// The rule.
pub(super) struct RequestNoContext;

impl Rule for RequestNoContext {
    const INFO: RuleInfo = RuleInfo {
        code: "request-no-context",
        title: "a request that nothing can end",
        doc: include_str!("../../../../docs/rules/request-no-context.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "it is made without a context, none is given later, and the client it goes to has no timeout that can be seen here";
    const CURE: &'static str = "http.NewRequestWithContext with a context that has a deadline.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f, site) in case.all_sites() {
            if site.callee != Callee::Package("net/http", "NewRequest") || site.call.args.len() != 3 {
                continue;
            }
            // With a context at hand another rule tells it better.
            if super::context_not_handed_on::context_of(f, site.unit).is_some() {
                continue;
            }
            let timed = case.pkg.files.iter().any(|file| {
                file.text.contains("Timeout:")
                    || file.text.contains(".Timeout =")
                    || file.text.contains(".WithContext(")
            });
            let sent = case.sites(id).iter().any(|s| {
                matches!(
                    s.callee,
                    Callee::Method("net/http", "Client" | "Transport" | "RoundTripper", "Do" | "RoundTrip")
                )
            });
            if !timed && sent {
                out.found(id, site.expr.span, "this request is sent without a context and by a client without a timeout: nothing ends it if no answer comes");
            }
        }
    }
}
