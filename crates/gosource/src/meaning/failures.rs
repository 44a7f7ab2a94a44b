//! Where something has failed: what stands there runs seldom, and has to be done whatever has ended.

use super::loops::each_node;
use crate::meaning::case::Case;
use crate::syntax::Function;
use crate::syntax::ast::{Expr, ExprKind, If, Span, StmtKind};
use crate::syntax::visit::Node;

/// Whether an expression is an error, by its type or its name.
pub(crate) fn is_error<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    e.ident().is_some_and(|n| n.to_lowercase().contains("err")) || case.pkg.type_of(f, e).is("", "error")
}

/// Calls `visit` for every `if err != nil { ... }` of a unit.
pub(crate) fn each_failure<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize, mut visit: impl FnMut(&'a If<'a>)) {
    let Some(u) = f.scope.units.get(unit) else { return };
    each_node(u.body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::If(i) = &s.kind else { return };
        let ExprKind::Binary("!=", operands) = &i.cond.kind else { return };
        let [tested, nil] = operands.as_slice() else { return };
        if nil.is_nil() && is_error(case, f, tested) {
            visit(i);
        }
    });
}

/// Whether a place of a unit stands in `if err != nil { ... }`.
pub(crate) fn after_failure<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize, at: Span) -> bool {
    let mut failed = false;
    each_failure(case, f, unit, |i| failed |= i.then.span.contains(at));
    failed
}
