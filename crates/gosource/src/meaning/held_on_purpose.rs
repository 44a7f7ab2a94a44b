//! Locks that are held across a wait because that there is one at a time is what they are for.

use crate::meaning::case::Case;
use crate::meaning::channels::{Room, last_name, local_room, made};
use crate::meaning::loops::loops_in;
use crate::syntax::ast::{Expr, ExprKind, ForHead, Stmt, StmtKind};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, Function, Init, VarKind};

/// How names of functions begin that end something.
pub(crate) const ENDS: &[&str] = &["stop", "close", "shutdown", "leave", "terminate", "disable", "destroy", "dispose"];

/// Why a method that writes holds its own lock while it writes to the one connection of its owner: what is
/// written by two at once would be mixed.
pub(crate) fn writes_one_by_one<'a>(case: &Case<'a>, f: &Function<'a>, node: Node<'a, 'a>) -> Option<&'static str> {
    let name = f.decl.name.name.to_lowercase();
    if !["write", "send", "flush"].iter().any(|w| name.starts_with(w)) {
        return None;
    }
    let Node::Expr(e) = node else { return None };
    let call = e.call()?;
    // Who dials too keeps others from a connection that works.
    if case.file(f).at(f.decl.span).to_lowercase().contains("dial") {
        return None;
    }
    let own = |x: &Expr<'a>| {
        let (of, field) = x.selector()?;
        let receiver = f.scope.var(of).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| v.kind == VarKind::Receiver);
        let lower = field.to_lowercase();
        (receiver
            && ["conn", "c", "raw", "stream", "w", "writer", "ws", "sock"]
                .iter()
                .any(|w| lower == *w || w.len() > 2 && lower.ends_with(w)))
        .then_some(())
    };
    let method = call.fun.selector().filter(|(_, n)| n.starts_with("Write") || n.starts_with("Send") || *n == "Flush");
    let written = method.and_then(|(x, _)| own(x));
    let helper = matches!(case.pkg.callee(f, &call.fun), Callee::Local(_))
        && last_name(&call.fun).to_lowercase().starts_with("write")
        && call.args.first().is_some_and(|a| own(a).is_some());
    (written.is_some() || helper).then_some(
        "one connection is written to by one at a time: that is what the lock is for, and who waits would have to wait for the connection too",
    )
}

/// Why a lock that is named after what the function does is held for as long as that takes: `readyLock` in
/// `CheckReady`, `dbLock` in `acquireDBLock`.
pub(crate) fn is_named_after(f: &Function<'_>, key: &str) -> Option<&'static str> {
    let lock = key.rsplit('.').next().unwrap_or(key).to_lowercase();
    // `reconnecting`, held while it reconnects.
    let lock = ["mutex", "lock", "mtx", "mux", "mu", "ing"].iter().find_map(|w| lock.strip_suffix(w)).unwrap_or("");
    let lock = lock.trim_end_matches('_');
    // `eventLock` in `handleEvent` guards a thing, which many use: a word for what is done has to be in it.
    const DONE: &[&str] = &[
        "try",
        "submit",
        "ready",
        "refresh",
        "reload",
        "init",
        "start",
        "join",
        "leave",
        "rotate",
        "flush",
        "migrat",
        "compact",
        "apply",
        "reconnect",
        "bootstrap",
        "resync",
        "elect",
        "upgrade",
    ];
    let name = f.decl.name.name.to_lowercase();
    let names_it = DONE.iter().any(|w| lock.starts_with(w)) && name.contains(lock);
    names_it.then_some(
        "the lock is named after what the function does: that there is one at a time may well be what it is for",
    )
}

/// Why a function that ends something, by its name, waits for the word that it has ended under the lock that
/// keeps others from beginning it anew.
pub(crate) fn ends_what_it_waits_for(f: &Function<'_>, node: Node<'_, '_>) -> Option<&'static str> {
    let name = f.decl.name.name.to_lowercase();
    let ends = ENDS.iter().any(|w| name.starts_with(w));
    let receives = match node {
        Node::Expr(e) => e.unary("<-").is_some() || e.method_call().is_some_and(|(_, name, _)| name == "Wait"),
        Node::Stmt(s) => matches!(s.kind, StmtKind::Select(_) | StmtKind::Send(..)),
    };
    (ends && receives).then_some("it ends something, which is once, and keeps others from beginning it anew meanwhile")
}

/// Why a send to each of several, alone or in a select, does not wait: the channel is a field of the round's
/// own element, and is made with room wherever the package makes one.
pub(crate) fn each_with_room<'a>(case: &Case<'a>, f: &'a Function<'a>, node: Node<'a, 'a>) -> Option<&'static str> {
    let Node::Stmt(s) = node else { return None };
    let channel = match &s.kind {
        StmtKind::Send(c, _) => c,
        StmtKind::Select(cases) => cases.iter().find_map(|c| match c.comm.as_ref().map(|s| &s.kind) {
            Some(StmtKind::Send(c, _)) => Some(c),
            _ => None,
        })?,
        _ => return None,
    };
    let (of, name) = channel.selector()?;
    let owner = case.pkg.type_of(f, of);
    let owner = owner.pointee().name();
    let root = channel.root().and_then(|r| f.scope.var(r)).and_then(|v| f.scope.vars.get(v))?;
    // `w := elem.Value.(*waiter)`, in a round over a list of another kind.
    let of_round = root.kind == VarKind::Local
        && f.scope
            .units
            .iter()
            .flat_map(|u| loops_in(u.body))
            .any(|(_, _, l)| l.body.span.contains(root.span) && l.body.span.contains(s.span));
    if !of_round && !matches!(root.init, Init::RangeValue(_) | Init::RangeKey(_)) {
        return None;
    }
    let (mut roomy, mut other) = (false, false);
    for (_, g) in case.funcs() {
        let Some(body) = &g.decl.body else { continue };
        // Most functions do not name it.
        if !case.file(g).at(g.decl.span).contains(name) {
            continue;
        }
        crate::syntax::visit::block(body, &mut |node| {
            let mut look =
                |v: &Expr<'a>| match made(case.pkg, g, v).or_else(|| local_room(case.pkg, g, g.scope.var(v)?)) {
                    Some(Room::None) => other = true,
                    Some(_) => roomy = true,
                    None => {}
                };
            match node {
                Node::Expr(Expr { kind: ExprKind::Composite(ty, elements), .. })
                    if owner.is_none() || ty.as_ref().is_none_or(|t| t.name() == owner) =>
                {
                    let named = elements.iter().filter(|(k, _)| k.as_ref().and_then(Expr::ident) == Some(name));
                    named.for_each(|(_, v)| look(v));
                }
                Node::Stmt(Stmt { kind: StmtKind::Assign("=", l, r), .. }) if l.len() == r.len() => {
                    let is = |x: &Expr<'a>| owner.is_none() || case.pkg.type_of(g, x).pointee().name() == owner;
                    let named = l.iter().zip(r).filter(|(t, _)| t.selector().is_some_and(|(x, n)| n == name && is(x)));
                    named.for_each(|(_, v)| look(v));
                }
                _ => {}
            }
            true
        });
    }
    (roomy && !other).then_some("each channel is made with room: how much each is sent in all is not known")
}

/// Why a channel that is itself a lock, by its name, is waited for under another: that one is asked for in
/// turn.
pub(crate) fn is_another_lock(node: Node<'_, '_>) -> Option<&'static str> {
    let channel = match node {
        Node::Expr(e) => e.unary("<-")?,
        Node::Stmt(Stmt { kind: StmtKind::Send(c, _), .. }) => c,
        Node::Stmt(_) => return None,
    };
    let name = last_name(channel).to_lowercase();
    ["lock", "mutex", "mu"]
        .iter()
        .any(|w| name.ends_with(w))
        .then_some("by its name the channel is a lock itself: how long that is held is for whoever has it")
}

/// Why a lock is held across a sleep that sets the pace of what is asked, by its name.
pub(crate) fn sets_the_pace<'a>(case: &Case<'a>, f: &Function<'a>, node: Node<'a, 'a>) -> Option<&'static str> {
    // `<-t.C` of a timer that was made here, alone or in a select.
    let ticks = |e: &Expr<'a>| {
        e.unary("<-").and_then(Expr::selector).is_some_and(|(t, n)| n == "C" && f.scope.var(t).is_some())
    };
    let sleeps = match node {
        Node::Expr(e) => {
            ticks(e) || e.call().is_some_and(|c| case.pkg.callee(f, &c.fun) == Callee::Package("time", "Sleep"))
        }
        Node::Stmt(Stmt { kind: StmtKind::Select(cases), .. }) => {
            cases.iter().filter_map(|c| c.comm.as_ref()).any(|s| matches!(&s.kind, StmtKind::Expr(e) if ticks(e)))
        }
        Node::Stmt(_) => false,
    };
    let name = f.decl.name.name.to_lowercase();
    let owner = f.receiver_type().unwrap_or_default().to_lowercase();
    let paces = ["ratelimit", "limit", "throttle", "pace", "backoff", "debounce"];
    (sleeps && paces.iter().any(|w| name.contains(w) || owner.contains(w)))
        .then_some("it sets the pace of what is asked: that the next waits is what it is for")
}

/// Why a send to a channel in a loop does not wait: the channel was made here with room for as many as the
/// loop has rounds, `make(chan T, max(len(all), 8))`.
pub(crate) fn has_room_for_all<'a>(case: &Case<'a>, f: &'a Function<'a>, node: Node<'a, 'a>) -> Option<&'static str> {
    let Node::Stmt(s) = node else { return None };
    let StmtKind::Send(channel, _) = &s.kind else { return None };
    let v = f.scope.var(channel).and_then(|v| f.scope.vars.get(v))?;
    let Init::Value(made, _) = v.init else { return None };
    let call = made.call().filter(|c| c.fun.ident() == Some("make"))?;
    let room = case.file(f).at(call.args.get(1)?.span);
    let of_round = f.scope.units.iter().flat_map(|u| loops_in(u.body)).any(|(_, _, l)| {
        let ForHead::Range { over, .. } = &l.head else { return false };
        let plain = matches!(over.kind, ExprKind::Ident(_) | ExprKind::Selector(..));
        plain && l.body.span.contains(s.span) && room.contains(&format!("len({})", case.file(f).at(over.span)))
    });
    of_round.then_some("the channel was made here with room for all that the loop sends")
}
