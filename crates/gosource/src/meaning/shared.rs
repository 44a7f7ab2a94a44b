//! What requests share: package variables, what a server's methods are called on, and what comes out of
//! those.

use super::loops::Length;
use crate::meaning::case::Case;
use crate::syntax::ast::{Expr, ExprKind, StmtKind, Type};
use crate::syntax::calls::Heat;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, VarId, VarKind};

/// Steps from an expression to what it is from.
const MAX_STEPS: u32 = 8;

/// Where something shared is from.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'a> {
    /// The shared thing, as it is written.
    pub(crate) text: String,
    /// The call that hands it on, where it came as an argument: caller and call.
    pub(crate) handed: Option<(FnId, &'a Expr<'a>)>,
    /// Whether a function in a field is asked for it: what that gives, and how much, the text does not tell.
    pub(crate) asked: bool,
}

/// What an expression is from, if that is the same for all requests.
pub(crate) fn origin<'a>(case: &Case<'a>, id: FnId, e: &'a Expr<'a>) -> Option<Origin<'a>> {
    of(case, id, e, MAX_STEPS)
}

fn of<'a>(case: &Case<'a>, id: FnId, e: &'a Expr<'a>, steps: u32) -> Option<Origin<'a>> {
    let steps = steps.checked_sub(1)?;
    let f = case.pkg.funcs.get(id)?;
    let here = |e: &Expr<'a>| Origin { text: case.text(f, e.span), handed: None, asked: false };
    match &e.kind {
        ExprKind::Ident(name) => match f.scope.var(e) {
            Some(var) => of_var(case, id, var, steps),
            None => is_filled_at_run_time(case, name).then(|| here(e)),
        },
        ExprKind::Selector(x, _) => {
            if case.pkg.package_named(f, x).is_some() {
                return None;
            }
            if is_shared_receiver(case, id, x, steps) {
                return Some(here(e));
            }
            // A field of something shared: of a name the text says where that is from.
            let origin = of(case, id, x, steps)?;
            let named = e.root().and_then(|r| f.scope.var(r)).and_then(|v| f.scope.vars.get(v));
            let text = case.text(f, e.span);
            let foreign = named.is_some_and(|v| v.kind != VarKind::Receiver) && !text.starts_with(&origin.text);
            Some(Origin { text: if foreign { format!("{text}`, of `{}", origin.text) } else { text }, ..origin })
        }
        ExprKind::Unary("*" | "&", x) | ExprKind::Assert(x, _) => of(case, id, x, steps),
        ExprKind::Call(call) => {
            // `store.current()`, `cache.Load()`: what is asked of something shared without saying for whom.
            if !call.args.iter().all(|a| matches!(a.kind, ExprKind::Lit(..))) {
                return None;
            }
            match &call.fun.kind {
                ExprKind::Selector(x, _) => {
                    let shared = is_shared_receiver(case, id, x, steps) || of(case, id, x, steps).is_some();
                    if !shared {
                        return None;
                    }
                    // A method of ours that builds what it gives is looked at itself.
                    let asked = matches!(case.pkg.callee(f, &call.fun), Callee::Field(_));
                    Some(Origin { asked, ..here(e) })
                }
                _ => match case.pkg.callee(f, &call.fun) {
                    Callee::Local(callee) => returns_shared(case, callee, steps).then(|| here(e)),
                    _ => None,
                },
            }
        }
        _ => None,
    }
}

fn of_var<'a>(case: &Case<'a>, id: FnId, var: VarId, steps: u32) -> Option<Origin<'a>> {
    let f = case.pkg.funcs.get(id)?;
    let v = f.scope.vars.get(var)?;
    match (v.kind, v.init) {
        (VarKind::Local, Init::Value(e, 0)) if v.assigned.is_empty() => of(case, id, e, steps),
        // `ids, ok := cache.ids.Load()`, `v, err := store.get()`.
        (VarKind::Local, Init::Value(e, _)) if v.assigned.is_empty() => of(case, id, e, steps),
        // An element of what is shared is shared.
        (VarKind::Local, Init::RangeValue(e)) if v.assigned.is_empty() => of(case, id, e, steps),
        (VarKind::Param, _) => of_param(case, id, var, steps),
        _ => None,
    }
}

/// A parameter is shared if somebody who runs for requests hands something shared on.
fn of_param<'a>(case: &Case<'a>, id: FnId, var: VarId, steps: u32) -> Option<Origin<'a>> {
    let f = case.pkg.funcs.get(id)?;
    let v = f.scope.vars.get(var).filter(|v| v.unit == 0)?;
    let n = f.decl.sig.params.iter().position(|p| p.name.is_some_and(|n| n.span == v.span))?;
    let edges = case.calls.to.get(&id)?.iter().filter_map(|n| case.calls.edges.get(*n));
    for edge in edges.filter(|e| case.calls.is_hot(case.pkg, e.caller, e.unit)) {
        let Some(argument) = edge.call.call().and_then(|c| c.args.get(n)) else { continue };
        if let Some(origin) = of(case, edge.caller, argument, steps) {
            let handed = origin.handed.or(Some((edge.caller, edge.call)));
            return Some(Origin { handed, ..origin });
        }
    }
    None
}

/// Whether an expression is the receiver of a method that runs for requests, and not one made for each.
fn is_shared_receiver<'a>(case: &Case<'a>, id: FnId, e: &Expr<'a>, steps: u32) -> bool {
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    let receiver = f.scope.var(e).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| v.kind == VarKind::Receiver);
    receiver && lives_on(case, id, steps)
}

/// Whether what a method is called on is there for all requests.
pub(crate) fn lives_on(case: &Case<'_>, id: FnId, steps: u32) -> bool {
    let Some(steps) = steps.checked_sub(1) else { return false };
    match case.calls.hot.get(&id) {
        Some(Heat::Request | Heat::Rpc | Heat::Routed | Heat::Service) => true,
        Some(Heat::Called(by, _)) => {
            let edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n));
            let mut edges = edges.filter(|e| e.caller == *by);
            edges.any(|edge| {
                let Some((x, _, _)) = edge.call.method_call() else { return false };
                is_shared_receiver(case, edge.caller, x, steps) || of(case, edge.caller, x, steps).is_some()
            })
        }
        // A method whose literals are handlers: a server that sets up its routes.
        None => case.calls.handler_units.iter().any(|(h, _)| *h == id),
        Some(Heat::Many) => false,
    }
}

/// A container that is written as a literal and never changed has the size that its text has.
fn is_filled_at_run_time(case: &Case<'_>, name: &str) -> bool {
    let Some(var) = case.pkg.vars.get(name) else { return false };
    let literal = var.value.is_some_and(|v| {
        matches!(v.kind, ExprKind::Composite(_, ref e) if !e.is_empty()) || matches!(v.kind, ExprKind::Lit(..))
    });
    !literal || is_assigned(case, name)
}

fn is_assigned(case: &Case<'_>, name: &str) -> bool {
    case.pkg.funcs.iter().any(|f| {
        let mut found = false;
        if let Some(body) = &f.decl.body {
            crate::syntax::visit::block(body, &mut |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign(_, l, _) = &s.kind
                {
                    let is = |e: &Expr<'_>| e.root().is_some_and(|r| r.ident() == Some(name));
                    found |= l.iter().any(is);
                }
                !found
            });
        }
        found
    })
}

/// Whether a function without arguments gives something shared: `func current() *Config { return cfg.Load()
/// }`.
fn returns_shared(case: &Case<'_>, id: FnId, steps: u32) -> bool {
    let Some(body) = case.pkg.funcs.get(id).and_then(|f| f.decl.body.as_ref()) else { return false };
    let mut shared = false;
    crate::syntax::visit::block(body, &mut |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Return(list) = &s.kind
        {
            shared |= list.first().is_some_and(|e| of(case, id, e, steps).is_some());
        }
        !matches!(node, Node::Expr(Expr { kind: ExprKind::FuncLit(_), .. }))
    });
    shared
}

/// Whether a value in a function is put into something shared: then it is kept and not built anew each time.
pub(crate) fn is_stored<'a>(case: &Case<'a>, f: &Function<'a>, var: VarId) -> bool {
    let mut stored = false;
    let is = |e: &Expr<'a>| e.root().and_then(|r| f.scope.var(r)) == Some(var);
    for u in &f.scope.units {
        super::loops::each_node(u.body, |node| match node {
            Node::Stmt(s) => {
                if let StmtKind::Assign(_, l, r) = &s.kind {
                    let long = l.iter().any(|t| super::places::long(case.pkg, f, t).is_some());
                    stored |= long && r.iter().any(|v| holds(v, &is));
                }
            }
            Node::Expr(e) => {
                if let Some((x, name, call)) = e.method_call()
                    && matches!(
                        name,
                        "Store" | "Set" | "Swap" | "CompareAndSwap" | "Put" | "Add" | "LoadOrStore" | "SetDefault"
                    )
                {
                    let long = super::places::long(case.pkg, f, x).is_some()
                        || x.root()
                            .and_then(|r| f.scope.var(r))
                            .and_then(|v| f.scope.vars.get(v))
                            .is_some_and(|v| v.kind == VarKind::Receiver);
                    stored |= long && call.args.iter().any(|a| holds(a, &is));
                }
            }
        });
    }
    stored
}

/// Whether an expression has a name in it for which this holds.
pub(crate) fn holds<'a>(e: &'a Expr<'a>, is: &dyn Fn(&Expr<'a>) -> bool) -> bool {
    let mut found = false;
    crate::syntax::visit::expr(e, &mut |node| {
        if let Node::Expr(x) = node {
            found |= matches!(x.kind, ExprKind::Ident(_)) && is(x);
        }
        !found
    });
    found
}

/// Whether a unit, or one around it, is what `sync.Once` runs.
pub(crate) fn under_once(case: &Case<'_>, id: FnId, f: &Function<'_>, unit: usize) -> bool {
    let mut at = Some(unit);
    while let Some(u) = at.and_then(|u| f.scope.units.get(u)) {
        let once = |s: &crate::syntax::calls::Site<'_>| {
            let known = matches!(s.callee, Callee::Method("sync", "Once", _) | Callee::Package("sync", _));
            let named =
                s.call.fun.selector().is_some_and(|(x, name)| {
                    name == "Do" && super::channels::last_name(x).to_lowercase().contains("once")
                });
            (known || named) && s.call.args.iter().any(|a| a.span == u.span)
        };
        if u.role == crate::syntax::Role::Argument && case.sites(id).iter().any(once) {
            return true;
        }
        at = u.parent;
    }
    false
}

/// Whether a unit runs for requests, or for what comes without end: not just on one of several goroutines
/// that a loop over what there is starts.
pub(crate) fn by_requests(case: &Case<'_>, id: FnId, unit: usize) -> bool {
    if case.calls.handles(case.pkg, id, unit) {
        return true;
    }
    let Some((root, _)) = case.calls.entry(case.pkg, id) else { return false };
    if case.calls.hot.get(&root) != Some(&Heat::Many) {
        return true;
    }
    let starts = case.calls.to.get(&root).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n));
    starts.filter(|e| e.starts && e.in_loop).any(|e| {
        let Some(f) = case.pkg.funcs.get(e.caller) else { return true };
        let loops = f.scope.units.iter().flat_map(|u| super::loops::loops_in(u.body));
        loops.into_iter().any(|(_, _, l)| {
            l.body.span.contains(e.call.span) && !matches!(super::loops::length(case.pkg, f, l), Length::Counted)
        })
    })
}

/// Whether a type is a container whose length its text does not tell: a slice, a map, or nothing known.
pub(crate) fn may_be_long(ty: &Type<'_>) -> bool {
    matches!(ty, Type::Slice(_) | Type::Map(..) | Type::Unknown)
}
