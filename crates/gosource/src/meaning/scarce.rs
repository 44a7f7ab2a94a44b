//! What there is little of, and what others wait for: descriptors, connections, rows, locks, places.

use crate::meaning::case::Case;
use crate::meaning::channels::last_name;
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Block, Call, Expr, ExprKind, StmtKind};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, Function, Init, VarId};

/// How names of calls begin that give something of which there is little.
const GIVES: &[&str] = &[
    "open",
    "create",
    "dial",
    "listen",
    "accept",
    "query",
    "begin",
    "prepare",
    "acquire",
    "connect",
    "conn",
    "borrow",
    "lease",
    "newticker",
    "newrangereader",
    "newobjectreader",
];

/// Whether a call, or one in the literal that is called, gives back something of which there is little: a
/// file, a connection, rows, a body, a lock, a place, a ticker.
pub(crate) fn gives_back_scarce<'a>(
    case: &Case<'a>,
    f: &Function<'a>,
    body: &'a Block<'a>,
    deferred: &'a Call<'a>,
) -> bool {
    let mut found = is_scarce(case, f, body, deferred);
    if let ExprKind::FuncLit(literal) = &deferred.fun.kind {
        visit::block(&literal.body, &mut |node| {
            if let Node::Expr(e) = node
                && let Some(call) = e.call()
            {
                found |= is_scarce(case, f, body, call);
            }
            !found
        });
    }
    // `defer closeQuietly(f)`.
    let name = last_name(&deferred.fun).to_lowercase();
    found || name.contains("close") && deferred.args.iter().any(|a| is_given(case, f, body, a))
}

fn is_scarce<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, call: &'a Call<'a>) -> bool {
    let Some((x, method)) = call.fun.selector() else { return false };
    match method {
        "Unlock" | "RUnlock" | "Release" => true,
        "Close" | "CloseNow" | "Rollback" | "Stop" => is_given(case, f, body, x),
        _ => false,
    }
}

/// Whether something is a response's body, or was given in the round by a call that gives what is scarce.
fn is_given<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, x: &'a Expr<'a>) -> bool {
    if last_name(x) == "Body" {
        return true;
    }
    let Some(id) = x.root().and_then(|r| f.scope.var(r)) else { return false };
    given_in(f, body, id).into_iter().filter_map(Expr::call).any(|made| {
        let name = last_name(&made.fun).to_lowercase();
        GIVES.iter().any(|w| name.starts_with(w))
            || matches!(case.pkg.callee(f, &made.fun), Callee::Package("os" | "net" | "net/http", _))
    })
}

/// What a variable is given in a block: `f, err := open()`, `f, err = open()`.
pub(crate) fn given_in<'a>(f: &Function<'a>, body: &'a Block<'a>, id: VarId) -> Vec<&'a Expr<'a>> {
    let mut out = Vec::new();
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Define(l, r) | StmtKind::Assign("=", l, r) = &s.kind
            && let Some(n) = l.iter().position(|t| f.scope.var(t) == Some(id))
        {
            out.extend(if l.len() == r.len() { r.get(n) } else { r.first() });
        }
    });
    if let Some(Init::Value(e, _)) = f.scope.vars.get(id).map(|v| v.init)
        && body.span.contains(e.span)
    {
        out.push(e);
    }
    out
}
