//! A request that nothing can end. The page: `docs/rules/request-no-context.md`.

use super::client_no_timeout::Holder;
use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::syntax::ast::{Expr, ExprKind, Type};
use crate::syntax::calls::Site;
use crate::syntax::{Callee, FnId, Function};

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
                let found = out.found(id, site.expr.span, "this request is sent without a context and by a client without a timeout: nothing ends it if no answer comes");
                if !senders(case, id).any(|x| is_shown(case, f, x)) {
                    found.level = Level::Hint;
                    found.why =
                        Some("the client is made elsewhere, and may have a timeout: this package does not tell".into());
                }
            }
        }
    }
}

/// What sends requests in a function: the receivers of `Do` and `RoundTrip`.
fn senders<'a>(case: &Case<'a>, id: FnId) -> impl Iterator<Item = &'a Expr<'a>> {
    let sends = |s: &&Site<'a>| {
        matches!(s.callee, Callee::Method("net/http", "Client" | "Transport" | "RoundTripper", "Do" | "RoundTrip"))
    };
    case.sites(id).iter().filter(sends).filter_map(|s| s.call.fun.selector().map(|(x, _)| x))
}

/// Whether the package shows how a client is made: it is the default one, a literal, or a variable or a field
/// that is given one in this package.
fn is_shown<'a>(case: &Case<'a>, f: &Function<'a>, client: &Expr<'a>) -> bool {
    if client.selector().is_some_and(|(p, n)| n.starts_with("Default") && case.pkg.package_named(f, p).is_some()) {
        return true;
    }
    let name = last_name(client);
    let is = |e: &Expr<'a>| matches!(&e.kind, ExprKind::Composite(Some(Type::Name { path: "net/http", .. }), _));
    let made = super::client_no_timeout::composites(case, &is);
    made.iter().any(|(_, _, holder)| match holder {
        Holder::Local(g, var) => {
            case.pkg.funcs.get(*g).and_then(|g| g.scope.vars.get(*var)).is_some_and(|v| v.name == name)
        }
        Holder::Named(of) => *of == name,
        Holder::Somebody | Holder::Nobody => false,
    }) || is(client.unary("&").unwrap_or(client))
}
