//! Waits under a lock of which the text shows that they may be long: what tells a warning from a hint.
//!
//! That something may wait under a lock is true of many lines that hurt nobody: the channel has room, the
//! answer comes at once, it happens as the service begins, or whoever wants the lock would have to wait for
//! the same. On projects that nobody had looked at before two of thirty such lines were worth reading, and
//! what they had in common is asked here.

use crate::meaning::case::Case;
use crate::meaning::channels::{local_room, made};
use crate::meaning::locks::Op;
use crate::meaning::loops::{each_node, loops_in};
use crate::meaning::places::{Long, container, same};
use crate::meaning::rooms::may_have_none;
use crate::meaning::who_takes::{Takers, Told};
use crate::syntax::ast::{Expr, ExprKind, ForHead, Span, Stmt, StmtKind, Type};
use crate::syntax::calls::Heat;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, Role, VarKind};

/// What is waited for, as far as it tells how long that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A send to each of many: the slowest of those who receive keeps all others.
    Each,
    /// The same, to a collection that the package only ever adds to: nobody in it leaves while others send.
    EachForGood,
    /// A send to a channel that is made without room, or that somebody else gives.
    Send,
    /// A send to a channel of which it is not known how much room it has.
    SendSomewhere,
    /// A receive, or a select.
    Answer,
    /// The network, a database, another process.
    Outside,
    /// Time, or goroutines of a group.
    Pause,
}

/// The kind of a wait.
pub(crate) fn kind<'a>(case: &Case<'a>, f: &'a Function<'a>, node: Node<'a, 'a>) -> Kind {
    match node {
        Node::Stmt(Stmt { kind: StmtKind::Send(channel, _), span }) => {
            if is_each(case, f, channel, *span) {
                if only_grows(case, f, *span) { Kind::EachForGood } else { Kind::Each }
            } else if made_here(case, f, channel) || may_have_none(case, f, channel) {
                Kind::Send
            } else {
                Kind::SendSomewhere
            }
        }
        Node::Stmt(_) => Kind::Answer,
        Node::Expr(e) if e.unary("<-").is_some() => Kind::Answer,
        Node::Expr(e) => match e.call().map(|c| case.pkg.callee(f, &c.fun)) {
            Some(Callee::Package("time", "Sleep") | Callee::Method("sync", "WaitGroup", "Wait")) => Kind::Pause,
            _ => Kind::Outside,
        },
    }
}

/// Why it is not shown that a wait is long, or that somebody wants the lock meanwhile; nothing where it is.
pub(crate) fn doubt(case: &Case<'_>, told: &Told, takers: Option<&Takers>) -> Option<&'static str> {
    let (id, unit) = told.by;
    let hot = case.calls.is_hot(case.pkg, id, unit) || is_started_often(case, id, unit);
    if told.kind == Kind::Each {
        return None;
    }
    if told.kind == Kind::EachForGood {
        return Some(
            "nobody leaves the list that is sent to, as far as this package tells: who is in it is there to receive",
        );
    }
    let Some(takers) = takers else { return Some("whose lock it is, and who else wants it, is not told here") };
    // A goroutine of many may well be the one that is to wait for an answer.
    let many = matches!(case.calls.hot.get(&id), Some(Heat::Many));
    if !hot || many && told.kind == Kind::Answer {
        let why = match told.kind {
            Kind::Answer => {
                Some("what it waits for may be there at once, or lead out: how long that takes is not told here")
            }
            Kind::SendSomewhere => Some("how much room the channel has is not told here"),
            _ => None,
        };
        if why.is_some() {
            return why;
        }
    }
    let asked = |id: &FnId| case.calls.hot.contains_key(id);
    if told.how == Op::RLock && !takers.writers.iter().any(asked) {
        return Some(
            "it is held for reading: others read meanwhile, and who waits to write is not asked by requests here",
        );
    }
    if !hot && !takers.has_others(case, id) {
        return Some("nobody else takes it here but what begins and ends its owner");
    }
    // Of the network a request has to want the lock: else one of the background waits for another.
    let others = || takers.readers.union(&takers.writers).any(|other| *other != id && asked(other));
    // What is exported, or has a context, somebody calls who waits for it.
    let exported = case.pkg.funcs.get(id).is_some_and(|f| {
        f.decl.name.name.starts_with(char::is_uppercase)
            || f.decl.sig.params.iter().any(|p| p.ty.is("context", "Context"))
    });
    if told.kind == Kind::Outside && !hot && !exported && !others() {
        return Some("no request is seen that takes it: who wants it meanwhile, and how often, is not told here");
    }
    let name = case.pkg.funcs.get(id).map_or("", |f| f.decl.name.name).to_lowercase();
    const CONNECTS: &[&str] =
        &["connect", "reconnect", "doreconnect", "open", "start", "init", "setup", "authenticate"];
    CONNECTS
        .iter()
        .any(|w| name.starts_with(w))
        .then_some("by its name it makes what the lock guards: whoever wants the lock has to wait for that")
}

/// Whether a unit is a goroutine of which a loop starts many, here or around a call of the function.
fn is_started_often(case: &Case<'_>, id: FnId, unit: usize) -> bool {
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    let Some(u) = f.scope.units.get(unit).filter(|u| u.role == Role::Go) else { return false };
    let around = f.scope.units.iter().flat_map(|u| loops_in(u.body)).any(|(_, _, l)| l.body.span.contains(u.span));
    let mut calls = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n));
    around || calls.any(|e| e.in_loop)
}

/// Whether a channel is made where it is declared, in this function.
fn made_here<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>) -> bool {
    let Some(id) = f.scope.var(channel) else { return made(case.pkg, f, channel).is_some() };
    f.scope.vars.get(id).is_some_and(|v| v.kind == VarKind::Local) && local_room(case.pkg, f, id).is_some()
}

/// Whether a send goes to each of a collection: the loop around it gives the channel, or what it is taken
/// from.
fn is_each<'a>(case: &Case<'a>, f: &'a Function<'a>, channel: &Expr<'a>, at: Span) -> bool {
    let collections: Vec<&'a Expr<'a>> = f
        .scope
        .units
        .iter()
        .flat_map(|u| loops_in(u.body))
        .filter(|(_, _, l)| l.body.span.contains(at))
        .filter_map(|(_, _, l)| if let ForHead::Range { over, .. } = &l.head { Some(over) } else { None })
        // What comes out of a channel is one after the other, each with an owner of its own.
        .filter(|over| !matches!(case.pkg.underlying(&case.pkg.type_of(f, over)), Type::Chan(..)))
        .collect();
    let of_round = |e: &Expr<'a>| match f.scope.var(e).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) {
        Some(Init::RangeKey(over) | Init::RangeValue(over)) => collections.iter().any(|c| c.span == over.span),
        _ => false,
    };
    // `ch := sub.ch`, in the round.
    let taken = |e: &Expr<'a>| match f.scope.var(e).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) {
        Some(Init::Value(from, _)) => names_one(from, &of_round),
        _ => false,
    };
    names_one(channel, &|e| of_round(e) || taken(e))
}

/// Whether what the loop around a send goes over is a list or a map that lives on and that nothing in the
/// package makes smaller.
fn only_grows<'a>(case: &Case<'a>, f: &'a Function<'a>, at: Span) -> bool {
    let around = f.scope.units.iter().flat_map(|u| loops_in(u.body)).filter(|(_, _, l)| l.body.span.contains(at));
    let mut places = around
        .filter_map(|(_, _, l)| match &l.head {
            // `h.subs[topic]` is a list of the map `h.subs`.
            ForHead::Range { over, .. } => match &over.kind {
                ExprKind::Index(map, _) => container(case.pkg, f, map).map(|p| (p, true)),
                _ => container(case.pkg, f, over).map(|p| (p, false)),
            },
            _ => None,
        })
        .peekable();
    places.peek().is_some()
        && places.all(|(place, of_map)| {
            let smaller = case.is_tamed(place) || of_map && case.has_tamed_elements(place);
            !smaller && is_added_to(case, place)
        })
}

/// Whether the package puts something into a list or a map: of one that nothing here fills others may take
/// out, too.
fn is_added_to<'a>(case: &Case<'a>, place: Long<'a>) -> bool {
    case.funcs().any(|(_, g)| {
        let mut added = false;
        for u in &g.scope.units {
            each_node(u.body, |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign("=", l, r) = &s.kind
                {
                    added |= l.iter().any(|t| match &t.kind {
                        ExprKind::Index(m, _) => same(case.pkg, g, m, place),
                        _ => {
                            same(case.pkg, g, t, place)
                                && r.iter().filter_map(Expr::call).any(|c| c.fun.ident() == Some("append"))
                        }
                    });
                }
            });
        }
        added
    })
}

/// Whether an expression names such a variable.
fn names_one<'a>(e: &Expr<'a>, is: &dyn Fn(&Expr<'a>) -> bool) -> bool {
    let mut found = false;
    crate::syntax::visit::expr(e, &mut |node| {
        if let Node::Expr(e) = node {
            found |= matches!(e.kind, ExprKind::Ident(_)) && is(e);
        }
        !found
    });
    found
}
