//! What sets the pace at which goroutines are started.

use crate::meaning::case::Case;
use crate::meaning::channels::{ends_something, last_name};
use crate::meaning::loops::{each_node, is_clock};
use crate::syntax::ast::{Block, Expr, Span, Stmt, StmtKind};
use crate::syntax::visit::Node;
use crate::syntax::{FnId, Function, Role, VarKind};

/// Whether a loop receives from a stream of gRPC of which this program is the client: `request, err :=
/// c.Recv()` of a parameter whose type is named `..._ProcessClient`.
pub(crate) fn is_client_of_stream<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>) -> bool {
    let mut client = false;
    each_node(body, |node| {
        if let Node::Expr(e) = node
            && let Some((x, "Recv", _)) = e.method_call()
            && let Some((_, name)) = case.pkg.type_of(f, x).name()
        {
            client |= name.contains('_') && name.ends_with("Client");
        }
    });
    client
}

/// Whether a round comes by a select all of whose cases that do not leave wait for a clock.
pub(crate) fn waits_for_ticks<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, start: Span) -> bool {
    let ticks = |s: &Stmt<'a>| {
        let mut ticks = false;
        crate::syntax::visit::stmt(s, &mut |node| {
            if let Node::Expr(e) = node
                && let Some(c) = e.unary("<-")
            {
                let after = c.call().is_some_and(|call| last_name(&call.fun) == "After");
                ticks |= is_clock(case.pkg, f, c) || last_name(c) == "C" || after;
            }
            true
        });
        ticks
    };
    let ends = |s: &Stmt<'a>| match &s.kind {
        StmtKind::Expr(e) => e.unary("<-").is_some_and(|c| ends_something(last_name(c))),
        _ => false,
    };
    body.stmts.iter().filter(|s| !s.span.contains(start)).any(|s| match &s.kind {
        StmtKind::Select(cases) => {
            let mut waited = false;
            let all = cases.iter().all(|c| {
                let Some(comm) = &c.comm else { return false };
                let clock = ticks(comm);
                waited |= clock;
                clock || ends(comm) || c.body.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_)))
            });
            all && waited
        }
        StmtKind::Expr(_) => ticks(s),
        _ => false,
    })
}

/// Whether what is gone through is a field of the receiver: `for addr, c := range t.clients`.
pub(crate) fn is_of_receiver<'a>(f: &Function<'a>, over: &Expr<'a>) -> bool {
    let of = over.selector().and_then(|(x, _)| f.scope.var(x)).and_then(|v| f.scope.vars.get(v));
    of.is_some_and(|v| v.kind == VarKind::Receiver)
}

/// Whether a unit, or one around it, is what a `singleflight.Group` runs: `g.Do(key, func() ...)`.
pub(crate) fn one_by_key(case: &Case<'_>, id: FnId, f: &Function<'_>, unit: usize) -> bool {
    let mut at = Some(unit);
    while let Some(u) = at.and_then(|u| f.scope.units.get(u)) {
        if u.role == Role::Argument
            && case.sites(id).iter().any(|s| {
                matches!(last_name(&s.call.fun), "Do" | "DoChan")
                    && s.call.args.len() == 2
                    && s.call.args.get(1).is_some_and(|a| a.span == u.span)
            })
        {
            return true;
        }
        at = u.parent;
    }
    false
}
