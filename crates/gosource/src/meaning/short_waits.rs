//! Why a wait under a lock may be meant, or is short.

use crate::meaning::case::Case;
use crate::meaning::channels::{Room, ends_something, last_name, local_room, made};
use crate::meaning::held::wants;
use crate::meaning::loops::{Length, each_node, length, loops_in};
use crate::meaning::rooms::{has_some_room, room_everywhere};
use crate::meaning::waits::has_room;
use crate::syntax::ast::{CommCase, Expr, ExprKind, For, ForHead, Span, Stmt, StmtKind, Type};
use crate::syntax::calls::{How, Site};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, VarKind};

/// Why a wait under a lock may be meant, or short: the function ends something, the group is the function's
/// own, the channel was made with room, a deadline stands on the connection.
pub(crate) fn is_short_of<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    unit: usize,
    node: Node<'a, 'a>,
) -> Option<&'static str> {
    let name = f.decl.name.name.to_lowercase();
    let ends = ["stop", "close", "shutdown", "unregister", "teardown", "terminate", "drain", "destroy", "disable"]
        .iter()
        .any(|w| name.starts_with(w));
    let group = |e: &'a Expr<'a>| match case.pkg.callee(f, &e.call()?.fun) {
        Callee::Method("sync", "WaitGroup", "Wait") => e.method_call().map(|(x, _, _)| x),
        _ => None,
    };
    if matches!(name.as_str(), "start" | "init" | "initialize" | "setup" | "boot") {
        return Some("by its name it begins what the lock guards, which is once");
    }
    match node {
        Node::Expr(e) => {
            if ends
                && matches!(e.call().map(|c| case.pkg.callee(f, &c.fun)), Some(Callee::Local(_)))
                && group(e).is_none()
            {
                return Some("it ends something, and keeps others from using it meanwhile");
            }
            if let Some(waited) = group(e) {
                let own = f
                    .scope
                    .var(waited)
                    .and_then(|v| f.scope.vars.get(v))
                    .is_some_and(|v| v.kind == VarKind::Local && v.unit == unit);
                if own {
                    return Some(
                        "it waits for goroutines that it started itself; whether one of them wants the lock is not known",
                    );
                }
                if name.starts_with("wait") {
                    return Some("by its name it waits for a group: whoever wants the lock is to wait for that too");
                }
                return ends.then_some("it ends something, and keeps others from beginning it anew meanwhile");
            }
            if has_deadline(case, f, e) {
                return Some("the package sets a deadline on the connection: it is waited for no longer than that");
            }
            let on_file = |c: &crate::syntax::ast::Call<'a>| {
                last_name(&c.fun).starts_with("Dial") && c.args.iter().any(|a| case.file(f).at(a.span) == "\"unix\"")
            };
            if e.call().is_some_and(on_file) {
                return Some(
                    "it asks for a socket file of this machine: whether somebody listens there is known at once",
                );
            }
            let last = e.call().map_or("", |c| last_name(&c.fun));
            if ends && ["Stop", "Close", "Shutdown", "Disconnect"].iter().any(|w| last.starts_with(w)) {
                return Some("it ends what the lock guards: that nobody uses it meanwhile is what the lock is for");
            }
            let c = e.unary("<-")?;
            if has_room(case, f, c, e.span) {
                return Some("the channel was made here with room: what was put into it before is there at once");
            }
            if c.call().is_some() && last_name(c) == "Done" && told_to_end(case, id, unit, e.span) {
                return Some("it has told it to end before, and waits for the word that it has ended");
            }
            if gives_back(case, c, e.span, f, unit) {
                return Some("a place is given back, which was taken before: what is received is there");
            }
            // Of a list of ends: `for _, ch := range stopped { <-ch }`.
            let of_list = || {
                let v = f.scope.var(c).and_then(|v| f.scope.vars.get(v));
                v.is_some_and(|v| matches!(v.init, Init::RangeValue(_)))
                    && matches!(case.pkg.type_of(f, c), Type::Chan(_, of) if matches!(&*of, Type::Struct(fields) if fields.is_empty()))
            };
            ((is_only_closed(case, c) || of_list()) && (ends || told_to_end(case, id, unit, e.span)))
                .then_some("it ends something, and waits for the word that it has ended: nothing is ever sent there")
        }
        Node::Stmt(s) => match &s.kind {
            StmtKind::Select(cases) if ends => {
                let bounded = cases.iter().filter_map(|c| c.comm.as_ref()).any(|c| {
                    let text = case.file(f).at(c.span);
                    text.contains("time.After(") || text.contains("Done()") || text.trim_end().ends_with(".C")
                });
                bounded.then_some("it ends something, and waits no longer than the select says")
            }
            StmtKind::Select(cases) => is_bounded_select(case, f, cases),
            StmtKind::Send(c, _) if is_of_a_list_with_room(case, f, c) => {
                Some("each channel of the list is made with room and is sent to once")
            }
            StmtKind::Send(c, _) if is_pool(case, c) => Some(
                "by its name the channel is a pool, and it is made with room: what is put back there has its place",
            ),
            StmtKind::Send(c, _)
                if (!in_loop(f, s.span) || is_taken_off(f, c, s.span)) && room_everywhere(case, f, c) =>
            {
                Some(
                    "the channel is made with room wherever the package makes it: the first that is sent does not wait",
                )
            }
            StmtKind::Send(c, _) if !in_loop(f, s.span) && c.selector().is_some() && has_some_room(case, f, c) => Some(
                "the channel is made with room wherever the package makes it: it waits only when that is full, and whether it comes to that is not known",
            ),
            _ => None,
        },
    }
}

/// Why a send under a lock may be short: a loop of this package receives from channels in fields of that
/// name, again and again, and does not want the lock.
pub(crate) fn handed_to_owner<'a>(case: &Case<'a>, node: Node<'a, 'a>, lock: &str) -> Option<&'static str> {
    let Node::Stmt(Stmt { kind: StmtKind::Send(channel, _), .. }) = node else { return None };
    let (_, name) = channel.selector()?;
    let (mut received, mut wanted, mut slow) = (false, false, false);
    for (id, g) in case.funcs() {
        // Most functions do not name it.
        if !case.file(g).at(g.decl.span).contains(name) {
            continue;
        }
        for u in &g.scope.units {
            for (_, _, l) in loops_in(u.body) {
                if receives(case, g, l, name) {
                    received = true;
                    slow |= asks_a_peer(case, id, l);
                    wanted |= wants(case, id, lock);
                }
            }
        }
    }
    (received && !wanted && !slow)
        .then_some("a loop of this package receives it, again and again, and does not want the lock: it waits for one round of that loop")
}

/// Whether a loop without an end of its own receives from a field of this name.
/// Whether a round of a loop itself waits for a peer: it is no longer short then.
fn asks_a_peer<'a>(case: &Case<'a>, id: FnId, l: &For<'a>) -> bool {
    case.sites(id).iter().filter(|s| l.body.span.contains(s.expr.span) && s.how == How::Plain).any(|s| {
        super::waits::does_io(s.callee)
            || matches!(s.callee, Callee::Method(path, "Conn", "WriteMessage" | "WriteJSON" | "Write") if path.contains("websocket"))
    })
}

fn receives<'a>(case: &Case<'a>, g: &Function<'a>, l: &'a For<'a>, name: &str) -> bool {
    let is = |e: &Expr<'a>| e.selector().is_some_and(|(_, n)| n == name);
    if let ForHead::Range { over, .. } = &l.head {
        return is(over);
    }
    if matches!(length(case.pkg, g, l), Length::Counted) {
        return false;
    }
    let mut found = false;
    each_node(&l.body, |node| {
        if let Node::Expr(e) = node {
            found |= e.unary("<-").is_some_and(is);
        }
    });
    found
}

/// Why a select under a lock may be meant: it gives up after a second or so, or waits for nothing but an end.
fn is_bounded_select<'a>(case: &Case<'a>, f: &'a Function<'a>, cases: &'a [CommCase<'a>]) -> Option<&'static str> {
    let comms = || cases.iter().filter_map(|c| c.comm.as_ref());
    let gives_up = |c: &CommCase<'a>| {
        c.comm.as_ref().is_some_and(|comm| is_short_timer(case.file(f).at(comm.span)))
            && c.body.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_)))
    };
    if cases.iter().any(gives_up) {
        return Some("it gives up after a short time");
    }
    // How long is for who calls to say.
    let given = |c: &Stmt<'a>| {
        let StmtKind::Expr(e) = &c.kind else { return false };
        let after = e
            .unary("<-")
            .and_then(Expr::call)
            .filter(|c| case.pkg.callee(f, &c.fun) == Callee::Package("time", "After"));
        let time = after.and_then(|c| c.args.first()).and_then(|a| f.scope.var(a)).and_then(|v| f.scope.vars.get(v));
        time.is_some_and(|v| v.kind == VarKind::Param)
    };
    if comms().any(given) {
        return Some("it gives up after the time that the caller gives");
    }
    let ends = |c: &Stmt<'a>| match &c.kind {
        StmtKind::Expr(e) => e.unary("<-").is_some_and(|c| ends_something(last_name(c))),
        _ => false,
    };
    if comms().all(ends) {
        return Some(
            "all that it waits for is that something ends: the lock is held as long on purpose, so that there is one at a time",
        );
    }
    // `case l.ch <- v:` beside `case <-l.done:`: the receiver's own end.
    let of = |e: &Expr<'a>| e.selector().map(|(x, _)| case.file(f).at(x.span));
    let receivers: Vec<&str> =
        comms().filter_map(|c| if let StmtKind::Send(to, _) = &c.kind { of(to) } else { None }).collect();
    let own_end = |c: &Stmt<'a>| match &c.kind {
        StmtKind::Expr(e) => {
            e.unary("<-").is_some_and(|c| ends_something(last_name(c)) && of(c).is_some_and(|x| receivers.contains(&x)))
        }
        _ => false,
    };
    if comms().any(own_end) {
        return Some("the receiver's own end leads out of it: whether a receiver that lives may be slow is not known");
    }
    let context = |c: &Stmt<'a>| match &c.kind {
        StmtKind::Expr(e) => e.unary("<-").is_some_and(|c| c.call().is_some() && last_name(c) == "Done"),
        _ => false,
    };
    comms()
        .any(context)
        .then_some("the end of a context leads out of it: who waits for the lock waits no longer than that")
}

/// `<-time.After(500 * time.Millisecond)`, `<-time.After(time.Second)`: not longer than some seconds.
fn is_short_timer(text: &str) -> bool {
    is_short_time(text, "time.After(")
}

/// Whether what stands behind such a call in a text is some seconds at most.
pub(crate) fn is_short_time(text: &str, call: &str) -> bool {
    let Some((_, after)) = text.split_once(call) else { return false };
    let argument: String = after.split(')').next().unwrap_or_default().split_whitespace().collect();
    let mut most = None;
    for part in argument.split('*') {
        match part {
            "time.Second" => most = Some(10),
            "time.Millisecond" => most = Some(10_000),
            "time.Microsecond" | "time.Nanosecond" => most = Some(u32::MAX),
            number if number.parse::<u32>().is_ok() => {}
            _ => return false,
        }
    }
    let number = argument.split('*').find_map(|p| p.parse::<u32>().ok()).unwrap_or(1);
    most.is_some_and(|most| number <= most)
}

/// Whether a channel is an element of a list in a field whose channels are all made with room where they are
/// put into it, and the round over the list sends to each.
fn is_of_a_list_with_room<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>) -> bool {
    let Some(Init::RangeValue(list)) = f.scope.var(channel).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) else {
        return false;
    };
    // `all := b.listeners; b.listeners = nil`, and then each of `all`.
    let list = match f.scope.var(list).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) {
        Some(Init::Value(of, 0)) => of,
        _ => list,
    };
    // `s.waiting[key]` is one of several such lists.
    let of_map = |e: &'a Expr<'a>| if let ExprKind::Index(x, _) = &e.kind { x } else { e };
    let Some((_, name)) = of_map(list).selector() else { return false };
    let (mut roomy, mut other) = (false, false);
    for (_, g) in case.funcs() {
        for u in &g.scope.units {
            each_node(u.body, |node| {
                let Node::Stmt(s) = node else { return };
                let StmtKind::Assign("=", l, r) = &s.kind else { return };
                let ([target], [value]) = (l.as_slice(), r.as_slice()) else { return };
                let target = of_map(target);
                if target.selector().is_none_or(|(_, n)| n != name) {
                    return;
                }
                match value.call().filter(|c| c.fun.ident() == Some("append")) {
                    Some(call) if !call.spread => {
                        for added in call.args.iter().skip(1) {
                            let room =
                                made(case.pkg, g, added).or_else(|| local_room(case.pkg, g, g.scope.var(added)?));
                            match room {
                                Some(Room::Of(_)) => roomy = true,
                                _ => other = true,
                            }
                        }
                    }
                    Some(_) => other = true,
                    // `list[:0]`, `nil`: nothing is put into it.
                    None => other |= !(value.is_nil() || matches!(value.kind, ExprKind::Slice(..))),
                }
            });
        }
    }
    roomy && !other
}

/// Whether a channel in a field is named as a pool, and made with room wherever the package makes it.
fn is_pool<'a>(case: &Case<'a>, channel: &Expr<'a>) -> bool {
    let Some((_, name)) = channel.selector() else { return false };
    let lower = name.to_lowercase();
    if !["pool", "idle", "free"].iter().any(|w| lower.starts_with(w) || lower.ends_with(w)) {
        return false;
    }
    let (mut roomy, mut other) = (false, false);
    for (_, g) in case.funcs() {
        let mut look = |e: &Expr<'a>| match made(case.pkg, g, e) {
            Some(Room::None) => other = true,
            Some(_) => roomy = true,
            None => {}
        };
        for u in &g.scope.units {
            each_node(u.body, |node| match node {
                Node::Stmt(Stmt { kind: StmtKind::Assign("=", l, r), .. }) if l.len() == r.len() => {
                    l.iter().zip(r).filter(|(t, _)| last_name(t) == name).for_each(|(_, v)| look(v));
                }
                Node::Expr(Expr { kind: ExprKind::Composite(_, elements), .. }) => {
                    let named = elements.iter().filter(|(k, _)| k.as_ref().and_then(Expr::ident) == Some(name));
                    named.for_each(|(_, v)| look(v));
                }
                _ => {}
            });
        }
    }
    roomy && !other
}

/// Whether the round that sends takes the channel's owner off its list before: `delete(q.workers, w); w.ch <-
/// task`. Then each is sent to once.
fn is_taken_off<'a>(f: &'a Function<'a>, channel: &Expr<'a>, at: Span) -> bool {
    let Some(owner) = channel.selector().and_then(|(x, _)| f.scope.var(x)) else { return false };
    let mut taken = false;
    for (_, _, l) in f.scope.units.iter().flat_map(|u| loops_in(u.body)) {
        if !l.body.span.contains(at) {
            continue;
        }
        each_node(&l.body, |node| {
            if let Node::Expr(e) = node
                && let Some(call) = e.call().filter(|c| c.fun.ident() == Some("delete"))
            {
                taken |= call.args.get(1).is_some_and(|k| f.scope.var(k) == Some(owner));
            }
        });
    }
    taken
}

pub(crate) fn in_loop(f: &Function<'_>, at: Span) -> bool {
    f.scope.units.iter().any(|u| loops_in(u.body).iter().any(|(_, _, l)| l.body.span.contains(at)))
}

/// Whether what waits is a read or a write of a connection on which the package sets a deadline.
fn has_deadline<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    let Some((x, method, _)) = e.method_call() else { return false };
    if case.pkg.type_of(f, x).name().is_none_or(|(path, _)| path != "net") {
        return false;
    }
    let setters: &[&str] =
        if method == "Write" { &["SetWriteDeadline", "SetDeadline"] } else { &["SetReadDeadline", "SetDeadline"] };
    let name = last_name(x);
    case.all_sites().any(|(_, _, s)| {
        s.call.fun.selector().is_some_and(|(of, setter)| setters.contains(&setter) && last_name(of) == name)
    })
}

/// Whether a receive of which nothing is kept gives back a place of a semaphore: the channel's name says that
/// it is one, and the package sends to it.
fn gives_back<'a>(case: &Case<'a>, channel: &Expr<'a>, at: Span, f: &'a Function<'a>, unit: usize) -> bool {
    let name = last_name(channel);
    let lower = name.to_lowercase();
    if !["sem", "slot", "token", "permit"].iter().any(|w| lower.starts_with(w) || lower.ends_with(w)) {
        return false;
    }
    let mut alone = false;
    if let Some(u) = f.scope.units.get(unit) {
        each_node(u.body, |node| {
            if let Node::Stmt(Stmt { kind: StmtKind::Expr(e), .. }) = node {
                alone |= e.span == at;
            }
        });
    }
    let mut sent = false;
    for u in case.funcs().flat_map(|(_, g)| &g.scope.units) {
        each_node(u.body, |node| {
            if let Node::Stmt(Stmt { kind: StmtKind::Send(c, _), .. }) = node {
                sent |= last_name(c) == name;
            }
        });
    }
    alone && sent
}

/// Whether the package closes a channel of this name and never sends to one.
fn is_only_closed<'a>(case: &Case<'a>, channel: &Expr<'a>) -> bool {
    let name = last_name(channel);
    if name.is_empty() {
        return false;
    }
    let mut sent = false;
    for (_, g) in case.funcs() {
        for u in &g.scope.units {
            each_node(u.body, |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Send(c, _) = &s.kind
                {
                    sent |= last_name(c) == name;
                }
            });
        }
    }
    let closes = |s: &Site<'a>| {
        s.callee == Callee::Builtin("close") && s.call.args.first().is_some_and(|a| last_name(a) == name)
    };
    !sent && case.all_sites().any(|(_, _, s)| closes(s))
}

/// Whether the unit tells something to end before this place.
fn told_to_end(case: &Case<'_>, id: FnId, unit: usize, at: Span) -> bool {
    const ENDS: &[&str] = &["close", "cancel", "stop", "break", "shutdown", "kill", "interrupt"];
    let before =
        case.sites(id).iter().filter(|s| s.unit == unit && s.how == How::Plain && s.expr.span.start < at.start);
    before.into_iter().any(|s| {
        let name = last_name(&s.call.fun).to_lowercase();
        ENDS.iter().any(|w| name.starts_with(w))
    })
}

#[cfg(test)]
mod tests {
    use super::is_short_time;

    #[test]
    fn times_of_some_seconds_are_short() {
        for text in ["time.Sleep(100 * time.Millisecond)", "time.Sleep(time.Second)", "time.Sleep(10*time.Second)"] {
            assert!(is_short_time(text, "time.Sleep("), "{text}");
        }
        for text in ["time.Sleep(11 * time.Second)", "time.Sleep(time.Minute)", "time.Sleep(pause)", "sleep(1)"] {
            assert!(!is_short_time(text, "time.Sleep("), "{text}");
        }
    }
}
