//! Rows of a query that are not closed on some path. The page: `docs/rules/rows-not-closed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::each_node;
use crate::meaning::resources::{Kind, leaks};
use crate::syntax::ast::{Expr, Span, StmtKind, Type};
use crate::syntax::visit::Node;
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
        let kind = Kind { field: None, ended_by: Some("Next"), failed_by: Some("Err"), opens };
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
                if let Some(name) = leak.name
                    && !leak.exits.is_empty()
                    && leak.exits.iter().all(|exit| is_after_scan(case, f, name, *exit))
                {
                    found.level = Level::Hint;
                    found.why = Some(
                        "they stay open only where Scan has failed, as a rule for a mistake in the program; else a loop over Next reads them to the end".into(),
                    );
                }
                for exit in leak.exits.into_iter().take(3) {
                    found.related.push((f.file, exit, "still open where this path ends".into()));
                }
            }
        }
    }
}

/// Whether a path ends under the test of what Scan gave: `if err := rows.Scan(&n); err != nil { return
/// err }`.
fn is_after_scan<'a>(case: &Case<'a>, f: &'a Function<'a>, rows: &str, exit: Span) -> bool {
    let scan = format!("{rows}.Scan(");
    let mut found = false;
    for u in &f.scope.units {
        let mut before = None;
        each_node(u.body, |node| {
            let Node::Stmt(s) = node else { return };
            if let StmtKind::If(i) = &s.kind
                && i.then.span.contains(exit)
            {
                let head = Span { end: i.then.span.start, ..s.span };
                let text = case.file(f).at(head);
                found |= text.contains(&scan)
                    || text.contains("err != nil") && before.is_some_and(|b| case.file(f).at(b).contains(&scan));
            }
            if let StmtKind::Assign("=", ..) | StmtKind::Define(..) = &s.kind {
                before = Some(s.span);
            }
        });
    }
    found
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
