//! Locks that are held across a wait because that there is one at a time is what they are for.

use crate::meaning::case::Case;
use crate::meaning::channels::last_name;
use crate::meaning::loops::loops_in;
use crate::syntax::ast::{Expr, ExprKind, ForHead, StmtKind};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, Function, Init, VarKind};

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
        (receiver && ["conn", "c", "raw", "stream", "w", "writer", "ws", "sock"].iter().any(|w| lower == *w || w.len() > 2 && lower.ends_with(w)))
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
    let lock = ["mutex", "lock", "mtx", "mux", "mu"].iter().find_map(|w| lock.strip_suffix(w)).unwrap_or("");
    let lock = lock.trim_end_matches('_');
    // `eventLock` in `handleEvent` guards a thing, which many use: a word for what is done has to be in it.
    const DONE: &[&str] = &[
        "try", "submit", "ready", "refresh", "reload", "init", "start", "join", "leave", "rotate", "flush", "migrat",
        "compact", "apply", "reconnect", "bootstrap", "resync", "elect", "upgrade",
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
    let ends = ["stop", "close", "shutdown", "leave", "terminate"].iter().any(|w| name.starts_with(w));
    let receives = match node {
        Node::Expr(e) => e.unary("<-").is_some(),
        Node::Stmt(s) => matches!(s.kind, StmtKind::Select(_)),
    };
    (ends && receives).then_some("it ends something, which is once, and keeps others from beginning it anew meanwhile")
}

/// Why a send to a channel in a loop does not wait: the channel was made here with room for as many as the loop
/// has rounds, `make(chan T, max(len(all), 8))`.
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
