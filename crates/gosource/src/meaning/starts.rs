//! How a goroutine is started, and what that tells of how many of it there are and how long they live.

use crate::meaning::case::Case;
use crate::meaning::channels::last_name;
use crate::meaning::loops::{each_node, is_clock};
use crate::syntax::ast::{Block, Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::calls::{How, Site};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Role};

/// `for { x := next(); go f(x); return }`: the block that starts also leaves.
pub(crate) fn runs_once<'a>(body: &'a Block<'a>, span: Span) -> bool {
    let mut once = false;
    let mut look = |stmts: &[crate::syntax::ast::Stmt<'a>]| {
        if let Some(at) = stmts.iter().position(|s| s.span.contains(span) && matches!(s.kind, StmtKind::Go(_))) {
            let after = stmts.get(at + 1..).unwrap_or_default();
            once |= after.iter().any(|s| matches!(s.kind, StmtKind::Return(_) | StmtKind::Break(_)));
        }
    };
    look(&body.stmts);
    each_node(body, |node| {
        if let Node::Stmt(s) = node {
            match &s.kind {
                StmtKind::If(i) => look(&i.then.stmts),
                StmtKind::Block(b) => look(&b.stmts),
                StmtKind::Switch(sw) => sw.cases.iter().for_each(|c| look(&c.body)),
                StmtKind::Select(cases) => cases.iter().for_each(|c| look(&c.body)),
                _ => {}
            }
        }
    });
    once
}

/// Whether a start stands in a case of a select that a clock's tick opens: then time bounds how often.
pub(crate) fn at_ticks<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, start: Span) -> bool {
    let mut ticks = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Select(cases) = &s.kind
        {
            let open = cases.iter().filter(|c| c.span.contains(start)).filter_map(|c| c.comm.as_ref());
            for comm in open {
                crate::syntax::visit::stmt(comm, &mut |node| {
                    if let Node::Expr(e) = node
                        && let Some(c) = e.unary("<-")
                    {
                        ticks |= is_clock(case.pkg, f, c) || last_name(c) == "C";
                    }
                    true
                });
            }
        }
    });
    ticks
}

/// `c := &conn{...}; go c.run(); return c`: whether a goroutine is a method of what the function gives back.
pub(crate) fn belongs_to_what_is_given<'a>(f: &'a Function<'a>, body: &'a Block<'a>, started: &Expr<'a>) -> bool {
    let owner = started.call().and_then(|c| c.fun.selector()).and_then(|(x, _)| f.scope.var(x));
    let Some(owner) = owner.filter(|v| f.scope.vars.get(*v).is_some_and(|v| v.kind == crate::syntax::VarKind::Local))
    else {
        return false;
    };
    let mut given = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Return(values) = &s.kind
        {
            given |= values.iter().any(|v| f.scope.var(v.unary("&").unwrap_or(v)) == Some(owner));
        }
    });
    given
}

/// Whether a literal is a single select, one case of which is the end of a context.
pub(crate) fn ends_with_context<'a>(f: &Function<'a>, started: &Expr<'a>) -> bool {
    let Some(u) = started.call().and_then(|c| f.scope.units.iter().find(|u| u.span == c.fun.span)) else {
        return false;
    };
    let [only] = u.body.stmts.as_slice() else { return false };
    let StmtKind::Select(cases) = &only.kind else { return false };
    cases.iter().filter_map(|c| c.comm.as_ref()).any(|comm| match &comm.kind {
        StmtKind::Expr(e) => e.unary("<-").is_some_and(|c| c.call().is_some() && last_name(c) == "Done"),
        _ => false,
    })
}

/// Whether a goroutine waits for a channel that the function closes as it ends: `done := make(chan struct{});
/// defer close(done); go watch(conn, done)`.
pub(crate) fn is_ended_with_function<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, started: &Expr<'a>) -> bool {
    let closed = |s: &&Site<'a>| s.how == How::Defer && s.callee == Callee::Builtin("close");
    let channels = case.sites(id).iter().filter(closed).filter_map(|s| s.call.args.first());
    let Some(call) = started.call() else { return false };
    channels.filter_map(|c| Some((c, f.scope.var(c)?))).any(|(channel, var)| {
        if matches!(call.fun.kind, ExprKind::FuncLit(_)) {
            return case.file(f).at(call.fun.span).contains(&format!("<-{}", case.file(f).at(channel.span)));
        }
        let Callee::Local(callee) = case.pkg.callee(f, &call.fun) else { return false };
        let Some(n) = call.args.iter().position(|a| f.scope.var(a) == Some(var)) else { return false };
        let Some(g) = case.pkg.funcs.get(callee) else { return false };
        let name = g.decl.sig.params.get(n).and_then(|p| p.name);
        name.is_some_and(|name| case.file(g).at(g.decl.span).contains(&format!("<-{}", name.name)))
    })
}

/// Whether a goroutine is handed what an accepted connection is: one a connection is Go's way.
pub(crate) fn takes_connection<'a>(case: &Case<'a>, f: &Function<'a>, started: &Expr<'a>) -> bool {
    let Some(call) = started.call() else { return false };
    let taken = match case.pkg.callee(f, &call.fun) {
        Callee::Local(id) => case.pkg.funcs.get(id).map_or(&[][..], |g| g.decl.sig.params.as_slice()),
        _ => &[],
    };
    let is_channel = |path: &str, name: &str| path.ends_with("/ssh") && name == "NewChannel";
    // What is handed a connection and sets its deadline first ends with that, or with the peer.
    let sets_deadline = match case.pkg.callee(f, &call.fun) {
        Callee::Local(id) => case.pkg.funcs.get(id).is_some_and(|g| {
            let text = case.file(g).at(g.decl.span);
            text.contains(".SetDeadline(") || text.contains(".SetReadDeadline(")
        }),
        _ => false,
    };
    if taken.iter().any(|p| {
        let of_peer = |name: &str| ["Peer", "Session", "Codec"].iter().any(|w| name.ends_with(w));
        p.ty.pointee().name().is_some_and(|(path, name)| is_channel(path, name) || of_peer(name))
            || p.ty.is("net", "Conn") && sets_deadline
    }) {
        return true;
    }
    call.args.iter().any(|a| {
        let ty = case.pkg.type_of(f, a);
        let of_connection = ty.pointee().name().is_some_and(|(path, name)| is_channel(path, name));
        of_connection || a.selector().is_some_and(|(_, name)| matches!(name, "conn" | "Conn"))
    })
}

/// Whether a start stands under `if !ok { m[key] = v; ... }`, for a map that was there before the loop.
pub(crate) fn is_of_new_entry<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, start: Span) -> bool {
    let mut new = false;
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::If(i) = &s.kind else { return };
        if !i.then.span.contains(start) {
            return;
        }
        let absent = i.cond.unary("!").is_some_and(|x| x.ident().is_some());
        let outside = |e: &Expr<'a>| {
            let root = e.root().and_then(|r| f.scope.var(r)).and_then(|v| f.scope.vars.get(v));
            root.is_none_or(|v| !body.span.contains(v.span))
        };
        let entry = |s: &crate::syntax::ast::Stmt<'a>| match &s.kind {
            StmtKind::Assign("=", l, _) => l.iter().any(|t| match &t.kind {
                ExprKind::Index(m, _) => {
                    outside(m) && matches!(case.pkg.underlying(&case.pkg.type_of(f, m)), Type::Map(..))
                }
                _ => false,
            }),
            _ => false,
        };
        new |= absent && i.then.stmts.iter().any(entry);
    });
    new
}

/// Whether a goroutine beside waits for all of a group, and then tells who has the channel.
pub(crate) fn joined_beside<'a>(f: &'a Function<'a>, unit: usize) -> bool {
    let mut joined = false;
    let beside = f.scope.units.iter().filter(|u| u.role == Role::Go && u.parent == Some(unit) && u.loops == 0);
    for u in beside {
        each_node(u.body, |node| {
            if let Node::Expr(e) = node {
                joined |= e.method_call().is_some_and(|(_, name, args)| name == "Wait" && args.args.is_empty());
            }
        });
    }
    joined
}

/// Whether a start stands under `if len(x) == 1 { ... }`.
pub(crate) fn is_of_first<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, start: Span) -> bool {
    let mut first = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::If(i) = &s.kind
            && i.then.span.contains(start)
        {
            let text: String = case.file(f).at(i.cond.span).split_whitespace().collect();
            first |= text.starts_with("len(") && text.ends_with("==1");
        }
    });
    first
}

/// The field that a function looks at before a start, to leave or to begin with it, and sets to true before
/// the start: `if s.running { return }; s.running = true; go s.run()`.
pub(crate) fn one_at_a_time<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    body: &'a Block<'a>,
    start: Span,
) -> Option<&'a str> {
    let (mut tested, mut set): (Vec<&'a str>, Vec<&'a str>) = (Vec::new(), Vec::new());
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        match &s.kind {
            StmtKind::If(i) if s.span.start < start.start => tested.push(case.file(f).at(i.cond.span)),
            StmtKind::Assign("=", l, r) if s.span.start < start.start => {
                for (target, value) in l.iter().zip(r) {
                    if let (Some((_, field)), Some("true")) = (target.selector(), value.ident()) {
                        set.push(field);
                    }
                }
            }
            _ => {}
        }
    });
    set.into_iter().find(|field| tested.iter().any(|t| t.split(|c: char| !c.is_alphanumeric()).any(|w| w == *field)))
}

/// Whether a literal begins with `<-ctx.Done()`.
pub(crate) fn waits_for_end<'a>(f: &Function<'a>, started: &Expr<'a>) -> bool {
    let Some(u) = started.call().and_then(|c| f.scope.units.iter().find(|u| u.span == c.fun.span)) else {
        return false;
    };
    match u.body.stmts.first().map(|s| &s.kind) {
        Some(StmtKind::Expr(e)) => e.unary("<-").is_some_and(|c| last_name(c) == "Done"),
        _ => false,
    }
}

/// Whether a literal begins by making a context with a time, which all that it does then has.
pub(crate) fn has_own_time<'a>(case: &Case<'a>, f: &Function<'a>, started: &Expr<'a>) -> bool {
    let Some(u) = started.call().and_then(|c| f.scope.units.iter().find(|u| u.span == c.fun.span)) else {
        return false;
    };
    u.body.stmts.first().is_some_and(|s| match &s.kind {
        StmtKind::Define(_, r) => r.first().and_then(Expr::call).is_some_and(|c| {
            matches!(
                case.pkg.callee(f, &c.fun),
                Callee::Package("context", "WithTimeout" | "WithDeadline" | "WithTimeoutCause")
            )
        }),
        _ => false,
    })
}

/// Whether the round sets a deadline on something that the goroutine then uses.
pub(crate) fn has_deadline<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &Function<'a>,
    body: &Block<'a>,
    start: Span,
    started: &'a Expr<'a>,
) -> bool {
    let sets = |s: &&Site<'a>| {
        body.span.contains(s.expr.span)
            && s.expr.span.start < start.start
            && matches!(last_name(&s.call.fun), "SetDeadline" | "SetReadDeadline")
    };
    let on = |s: &Site<'a>| s.call.fun.selector().and_then(|(x, _)| f.scope.var(x));
    let set: Vec<_> = case.sites(id).iter().filter(sets).filter_map(on).collect();
    let mut uses = false;
    crate::syntax::visit::expr(started, &mut |node| {
        if let Node::Expr(e) = node {
            uses |= f.scope.var(e).is_some_and(|v| set.contains(&v));
        }
        true
    });
    uses
}

/// Whether a start stands under a condition or in a case of a select, or its round waits for a word, and the
/// goroutine takes nothing that the round made: not one for each thing that comes, but something to be done
/// now and then.
pub(crate) fn is_kick<'a>(f: &Function<'a>, body: &'a Block<'a>, start: Span, started: &'a Expr<'a>) -> bool {
    let mut conditional = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node {
            conditional |=
                matches!(s.kind, StmtKind::If(_) | StmtKind::Select(_) | StmtKind::Switch(_)) && s.span.contains(start);
        }
        if let Node::Expr(e) = node {
            conditional |= e.unary("<-").is_some() && !started.span.contains(e.span);
        }
    });
    let mut own = false;
    crate::syntax::visit::expr(started, &mut |node| {
        if let Node::Expr(e) = node
            && let Some(v) = f.scope.var(e).and_then(|v| f.scope.vars.get(v))
        {
            own |= body.span.contains(v.span) && !started.span.contains(v.span);
        }
        true
    });
    conditional && !own
}

/// Whether a handler takes the connection of its request over, as websockets do.
pub(crate) fn takes_over<'a>(case: &Case<'a>, f: &Function<'a>) -> bool {
    let text = case.file(f).at(f.decl.span);
    [".Upgrade(", ".Hijack()", "websocket.Accept("].iter().any(|w| text.contains(w))
}
