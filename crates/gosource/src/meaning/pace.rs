//! What sets the pace at which goroutines are started.

use crate::meaning::case::Case;
use crate::meaning::channels::{ends_something, last_name};
use crate::meaning::loops::{each_node, is_clock};
use crate::syntax::ast::{Block, CommCase, Expr, For, ForHead, Span, Stmt, StmtKind};
use crate::syntax::calls::How;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, Role, VarKind};

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
        // A receive from a clock, or a sleep of whatever kind: `time.Sleep(d)`, `sleepWithJitter(d)`.
        StmtKind::Expr(e) => ticks(s) || e.call().is_some_and(|c| last_name(&c.fun).to_lowercase().contains("sleep")),
        _ => false,
    })
}

/// Whether a loop waits for signals to the process: for a channel that the function has given to
/// `signal.Notify`.
pub(crate) fn waits_for_signals<'a>(case: &Case<'a>, f: &Function<'a>, l: &'a For<'a>) -> bool {
    let text = case.file(f).at(f.decl.span);
    let notified = |c: &Expr<'a>| {
        let name = case.file(f).at(c.span);
        [",", ")"].iter().any(|end| text.contains(&format!("signal.Notify({name}{end}")))
    };
    let received = |s: &Stmt<'a>| match &s.kind {
        StmtKind::Expr(e) => e.unary("<-").is_some_and(notified),
        StmtKind::Define(_, values) | StmtKind::Assign(_, _, values) => {
            values.first().and_then(|v| v.unary("<-")).is_some_and(notified)
        }
        _ => false,
    };
    // Each round, and not only the case that leaves.
    let waits = |s: &Stmt<'a>| match &s.kind {
        StmtKind::Select(cases) => {
            let hears = |c: &CommCase<'a>| c.comm.as_ref().is_some_and(&received);
            let leaves = |c: &CommCase<'a>| c.body.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_)));
            cases.iter().any(hears) && cases.iter().all(|c| c.comm.is_some() && (hears(c) || leaves(c)))
        }
        _ => received(s),
    };
    matches!(&l.head, ForHead::Range { over, .. } if notified(over)) || l.body.stmts.iter().any(waits)
}

/// Whether the round makes a channel that the goroutine uses, and hands it on to a function, which may wait
/// for the goroutine: `errs := make(chan error, 1); go func() { errs <- run() }(); err := report(batch,
/// errs)`.
pub(crate) fn is_waited_for_by_callee<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &Function<'a>,
    body: &'a Block<'a>,
    started: &'a Expr<'a>,
) -> bool {
    let own = f.scope.vars.iter().enumerate().filter(|(_, v)| {
        body.span.contains(v.span)
            && !started.span.contains(v.span)
            && matches!(v.init, Init::Value(e, 0) if super::channels::made(case.pkg, f, e).is_some())
    });
    let uses = |var: usize| {
        let mut uses = false;
        crate::syntax::visit::expr(started, &mut |node| {
            if let Node::Expr(e) = node {
                uses |= f.scope.var(e) == Some(var);
            }
            !uses
        });
        uses
    };
    own.map(|(var, _)| var).filter(|var| uses(*var)).any(|var| {
        case.sites(id).iter().any(|s| {
            s.how == How::Plain
                && body.span.contains(s.expr.span)
                && s.expr.span.start > started.span.end
                && !matches!(s.callee, Callee::Builtin(_))
                && s.call.args.iter().any(|a| f.scope.var(a) == Some(var))
        })
    })
}

/// Whether the round ends the goroutine before with a `cancel` in the block of the start, or waits right
/// after it in a select whose cases all leave or wait for an end.
pub(crate) fn replaces_or_waits<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, start: Span) -> bool {
    let mut blocks: Vec<&'a [Stmt<'a>]> = vec![&body.stmts];
    each_node(body, |node| {
        if let Node::Stmt(s) = node {
            match &s.kind {
                StmtKind::If(i) => blocks.push(&i.then.stmts),
                StmtKind::Block(b) => blocks.push(&b.stmts),
                StmtKind::Select(cases) => blocks.extend(cases.iter().map(|c| c.body.as_slice())),
                StmtKind::Switch(sw) => blocks.extend(sw.cases.iter().map(|c| c.body.as_slice())),
                _ => {}
            }
        }
    });
    blocks.into_iter().any(|list| {
        let at = list.iter().position(|s| s.span.contains(start) && matches!(s.kind, StmtKind::Go(_)));
        let Some(at) = at else { return false };
        let ended = list.iter().take(at).any(|s| {
            let text = case.file(f).at(s.span).to_lowercase();
            // Not where the round ends with it.
            let stays = match &s.kind {
                StmtKind::Expr(_) => true,
                StmtKind::If(i) => !i.then.stmts.last().is_some_and(|s| {
                    matches!(s.kind, StmtKind::Return(_) | StmtKind::Break(_) | StmtKind::Continue(_))
                }),
                _ => false,
            };
            stays && text.contains("cancel()")
        });
        let waits = list.get(at + 1).is_some_and(|s| match &s.kind {
            StmtKind::Select(cases) => cases.iter().all(|c| {
                let ends = match c.comm.as_ref().map(|s| &s.kind) {
                    Some(StmtKind::Expr(e)) => e.unary("<-").is_some_and(|c| ends_something(last_name(c))),
                    _ => false,
                };
                c.comm.is_some() && (ends || c.body.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_))))
            }),
            _ => false,
        });
        ended || waits
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
