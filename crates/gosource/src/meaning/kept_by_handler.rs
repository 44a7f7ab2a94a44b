//! Maps that a handler keeps from one request to the next: variables of the function that makes it.

use crate::meaning::case::Case;
use crate::syntax::ast::{Expr, ExprKind, StmtKind, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{FnId, Function, VarId, VarKind};

/// The variable of a function around a handler that an expression in it names, if it is a map that the
/// function only ever adds to: `seen := map[string]bool{}; return func(w, r) { seen[r.URL.Path] = true }`.
pub(crate) fn kept_map<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    unit: usize,
    map: &Expr<'a>,
) -> Option<VarId> {
    let var = f.scope.var(map)?;
    let v = f.scope.vars.get(var).filter(|v| v.kind == VarKind::Local && !v.address_taken)?;
    let kept = case
        .calls
        .handler_units
        .iter()
        .any(|(h, u)| *h == id && *u > 0 && f.scope.is_within(unit, *u) && !f.scope.is_within(v.unit, *u));
    let map = matches!(case.pkg.underlying(&case.pkg.type_of(f, map)), Type::Map(..));
    // What runs for a request itself makes it for that request.
    let hot = case.calls.is_hot(case.pkg, id, v.unit);
    (kept && map && !hot && !is_tamed(f, var)).then_some(var)
}

/// Whether something in a function deletes from a map, asks for its length to compare it, assigns it anew,
/// or hands it on, to who may do so.
fn is_tamed<'a>(f: &'a Function<'a>, var: VarId) -> bool {
    let is = |e: &Expr<'a>| f.scope.var(e) == Some(var);
    let Some(body) = &f.decl.body else { return true };
    let mut tamed = false;
    visit::block(body, &mut |node| {
        match node {
            Node::Stmt(s) => match &s.kind {
                StmtKind::Assign(_, l, r) => tamed |= l.iter().any(is) || r.iter().any(is),
                StmtKind::Return(values) => tamed |= values.iter().any(is),
                StmtKind::Define(_, r) => tamed |= r.iter().any(is),
                _ => {}
            },
            Node::Expr(e) => match &e.kind {
                // `len(m)` is told of by what it is compared with.
                ExprKind::Call(call) => tamed |= call.fun.ident() != Some("len") && call.args.iter().any(is),
                ExprKind::Binary(_, operands) => {
                    tamed |= operands.iter().filter_map(Expr::call).any(|c| c.args.iter().any(is));
                }
                ExprKind::Composite(_, elements) => tamed |= elements.iter().any(|(_, v)| is(v)),
                _ => {}
            },
        }
        !tamed
    });
    tamed
}
