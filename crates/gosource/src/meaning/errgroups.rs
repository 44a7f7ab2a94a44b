//! Literals that a group of `golang.org/x/sync/errgroup` runs: goroutines whose `Wait` the function calls.

use crate::meaning::case::Case;
use crate::syntax::ast::{Expr, ExprKind, Type};
use crate::syntax::{Callee, FnId, Function, Init, Role, VarKind};

/// Whether a unit is a literal that a group runs, `g.Go(func() error { ... })`, and the function waits for
/// that group.
pub(crate) fn is_member<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, unit: usize) -> bool {
    let Some(u) = f.scope.units.get(unit).filter(|u| u.role == Role::Argument) else { return false };
    let sites = case.sites(id);
    let group = sites.iter().find_map(|s| {
        let (x, name) = s.call.fun.selector()?;
        (name == "Go" && s.call.args.first().is_some_and(|a| a.span == u.span) && is_group(case, f, x)).then_some(x)
    });
    let Some(group) = group.and_then(|x| f.scope.var(x)) else { return false };
    sites.iter().any(|s| s.call.fun.selector().is_some_and(|(x, name)| name == "Wait" && f.scope.var(x) == Some(group)))
}

/// Whether an expression is such a group, by its type or by how it was made.
fn is_group<'a>(case: &Case<'a>, f: &Function<'a>, x: &Expr<'a>) -> bool {
    let named =
        |ty: &Type<'a>| ty.pointee().name().is_some_and(|(path, name)| name == "Group" && path.ends_with("/errgroup"));
    if named(&case.pkg.type_of(f, x)) {
        return true;
    }
    match f.scope.var(x).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) {
        Some(Init::Value(made, 0)) => made.call().is_some_and(|c| {
            matches!(case.pkg.callee(f, &c.fun), Callee::Package(path, "WithContext") if path.ends_with("/errgroup"))
        }),
        _ => false,
    }
}

/// Whether an expression is a start by a group: `g.Go(func() error { ... })`, of an errgroup that is made
/// here and that nothing here limits, or of a WaitGroup.
pub(crate) fn starts_without_limit<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    let Some((x, "Go", call)) = e.method_call() else { return false };
    if !matches!(call.args.as_slice(), [Expr { kind: ExprKind::FuncLit(_), .. }]) {
        return false;
    }
    if case.pkg.type_of(f, x).pointee().is("sync", "WaitGroup") {
        return true;
    }
    let local = f.scope.var(x).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| v.kind == VarKind::Local);
    local && is_group(case, f, x) && !case.file(f).at(f.decl.span).contains("SetLimit(")
}
