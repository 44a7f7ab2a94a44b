//! Rows of a query that are not closed on some path. The page: `docs/rules/rows-not-closed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::resources::{Kind, leaks};
use crate::syntax::ast::Expr;
use crate::syntax::ast::Type;
use crate::syntax::{Callee, Function};

/// The rule.
pub(super) struct RowsNotClosed;

impl Rule for RowsNotClosed {
    const INFO: RuleInfo = RuleInfo {
        code: "rows-not-closed",
        title: "rows of a query that are not closed on some path",
        doc: include_str!("../../../../docs/rules/rows-not-closed.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "every path from the call was followed; on those named nothing closes it and nobody is given it";
    const CURE: &'static str = "defer its Close right after the error was looked at.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let kind = Kind { field: None, ended_by: Some("Next"), opens };
        for (id, f) in case.funcs() {
            for leak in leaks(case, id, f, &kind) {
                let opened = case.text(f, leak.open.call().map_or(leak.open.span, |c| c.fun.span));
                let sentence = match leak.name {
                    None => format!("the rows of the query that `{opened}` gives is thrown away and never closed"),
                    Some(name) if leak.closed_elsewhere => {
                        format!("the rows of the query in `{name}` is not closed on every path")
                    }
                    Some(name) => format!("the rows of the query in `{name}` is never closed"),
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
    let of_module = match case.pkg.callee(f, &call.fun) {
        Callee::Method(path, _, name) if path.starts_with("github.com/jmoiron/sqlx") => {
            matches!(name, "Query" | "QueryContext" | "Queryx" | "QueryxContext" | "NamedQuery" | "NamedQueryContext")
        }
        Callee::Method(path, ty, "Query") => path.starts_with("github.com/jackc/pgx") && !ty.contains("Batch"),
        _ => false,
    };
    of_module
        || matches!(case.pkg.type_of(f, e), Type::Tuple(t) if t.first().is_some_and(|t| t.is("database/sql", "Rows")))
}
