//! A response whose body is not closed on some path. The page: `docs/rules/body-not-closed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::resources::{Kind, leaks};
use crate::syntax::Callee;
use crate::syntax::Function;
use crate::syntax::ast::Expr;
use crate::syntax::ast::Type;

/// The rule.
pub(super) struct BodyNotClosed;

impl Rule for BodyNotClosed {
    const INFO: RuleInfo = RuleInfo {
        code: "body-not-closed",
        title: "a response whose body is not closed on some path",
        doc: include_str!("../../../../docs/rules/body-not-closed.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "every path from the call was followed; on those named nothing closes it and nobody is given it";
    const CURE: &'static str = "defer its Close right after the error was looked at.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let kind = Kind { field: Some("Body"), ended_by: None, opens };
        for (id, f) in case.funcs() {
            for leak in leaks(case, id, f, &kind) {
                let opened = case.text(f, leak.open.call().map_or(leak.open.span, |c| c.fun.span));
                let sentence = match leak.name {
                    None => format!("the body of the response that `{opened}` gives is thrown away and never closed"),
                    Some(name) if leak.closed_elsewhere => {
                        format!("the body of the response in `{name}` is not closed on every path")
                    }
                    Some(name) => format!("the body of the response in `{name}` is never closed"),
                };
                let found = out.found(id, leak.open.span, sentence);
                for exit in leak.exits.into_iter().take(3) {
                    found.related.push((f.file, exit, "still open where this path ends".into()));
                }
            }
        }
    }
}

fn opens<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    let Some(call) = e.call() else { return false };
    // The server's side: what is read there closes with the request.
    if matches!(case.pkg.callee(f, &call.fun), Callee::Package("net/http", "ReadResponse") | Callee::Builtin(_)) {
        return false;
    }
    matches!(case.pkg.type_of(f, e), Type::Tuple(t) if t.first().is_some_and(|t| t.is("net/http", "Response")))
}
