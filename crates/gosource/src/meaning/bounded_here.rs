//! Waits under a lock that what stands around them bounds: a context with a time, a place that is there, a
//! goroutine that takes whatever comes.

use crate::meaning::case::Case;
use crate::meaning::channels::{Room, last_name, local_room};
use crate::meaning::comments::above_names;
use crate::meaning::held::wants;
use crate::meaning::loops::{Length, each_node, length, loops_in};
use crate::meaning::timed_contexts::has_a_time;
use crate::syntax::ast::{Expr, ExprKind, ForHead, Span, Stmt, StmtKind};
use crate::syntax::calls::How;
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Init, Role, VarKind};

/// Why a wait under a lock is bounded by what the function, or what it started, says.
pub(crate) fn is_bounded_here<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    node: Node<'a, 'a>,
    lock: (&str, &str),
) -> Option<&'static str> {
    let (key, field) = lock;
    let at = match node {
        Node::Expr(e) => e.span,
        Node::Stmt(s) => s.span,
    };
    if above_names(case.file(f).text, at, 8, &["block", "deadlock"]) {
        return Some("the comment right above it speaks of what blocks: it may well be meant");
    }
    match node {
        Node::Expr(e) => {
            if let Some(channel) = e.unary("<-") {
                if is_put_back(case, f, channel, e.span) {
                    return Some(
                        "what is received the function puts back: the channel is a lock itself, and is asked for in turn",
                    );
                }
                return is_of_own_goroutines(case, f, channel, key).then_some(
                    "what is received goroutines send that the function started itself, and that do not take the lock",
                );
            }
            let call = e.call()?;
            call.args.iter().find_map(|a| has_a_time(case, f, a, e.span))
        }
        Node::Stmt(Stmt { kind: StmtKind::Send(channel, _), span }) => {
            if is_queue(case, f, channel) {
                return Some("by its name it is the near end of a queue of another module, which takes what comes");
            }
            if was_taken(case, f, channel, *span) {
                return Some("a place is given back that the function has taken before: there is room for it");
            }
            is_taken_at_once(case, f, channel, field).then_some(
                "a goroutine that was started with the channel receives in a loop, and does not want the lock",
            )
        }
        Node::Stmt(_) => None,
    }
}

/// Whether a channel is made here without anybody else having it but goroutines of the function, none of
/// which names the lock.
fn is_of_own_goroutines<'a>(case: &Case<'a>, f: &'a Function<'a>, channel: &Expr<'a>, key: &str) -> bool {
    let Some(id) = f.scope.var(channel) else { return false };
    if f.scope.vars.get(id).is_none_or(|v| v.kind != VarKind::Local) || local_room(case.pkg, f, id).is_none() {
        return false;
    }
    let mut sends = false;
    for u in f.scope.units.iter().filter(|u| u.role == Role::Go) {
        let mut own = false;
        each_node(u.body, |node| {
            if let Node::Stmt(Stmt { kind: StmtKind::Send(to, _), .. }) = node {
                own |= f.scope.var(to) == Some(id);
            }
        });
        if own && case.file(f).at(u.span).contains(&format!("{key}.")) {
            return false;
        }
        sends |= own;
    }
    sends
}

/// Whether a channel is what `In()` of something of another module gives: a queue behind it takes what comes.
fn is_queue<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>) -> bool {
    channel.call().is_some_and(|c| {
        c.args.is_empty() && last_name(&c.fun) == "In" && !matches!(case.pkg.callee(f, &c.fun), Callee::Local(_))
    })
}

/// Whether the function has received from the same channel before it sends: `<-p.free`, and then `p.free <-
/// struct{}{}`.
fn was_taken<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>, send: Span) -> bool {
    let name = case.file(f).at(channel.span);
    let text = case.file(f).text.get(f.decl.span.start as usize..send.start as usize).unwrap_or_default();
    text.contains(&format!("<-{name}:")) || text.contains(&format!("<-{name}\n"))
}

/// Whether the function sends to the same channel after it has received from it, at its end or before: `st :=
/// <-w.read`, and then `w.read <- st`.
fn is_put_back<'a>(case: &Case<'a>, f: &'a Function<'a>, channel: &Expr<'a>, receive: Span) -> bool {
    let name = case.file(f).at(channel.span);
    let mut back = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(Stmt { kind: StmtKind::Send(to, _), span }) = node {
                back |= span.start > receive.end && case.file(f).at(to.span) == name;
            }
        });
    }
    back && channel.selector().is_some()
}

/// Whether a channel is an element of a map in a field, and a goroutine is started with each that is put
/// there, which receives from it again and again and does not want the lock.
fn is_taken_at_once<'a>(case: &Case<'a>, f: &'a Function<'a>, channel: &Expr<'a>, lock: &str) -> bool {
    let Some(Init::Value(from, _)) = f.scope.var(channel).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) else {
        return false;
    };
    let ExprKind::Index(map, _) = &from.kind else { return false };
    let Some((_, field)) = map.selector() else { return false };
    let (mut taken, mut other) = (false, false);
    for (id, g) in case.funcs() {
        // Most functions do not name it.
        if !case.file(g).at(g.decl.span).contains(field) {
            continue;
        }
        for u in &g.scope.units {
            each_node(u.body, |node| {
                let Node::Stmt(Stmt { kind: StmtKind::Assign("=", l, r), .. }) = node else { return };
                for (target, value) in l.iter().zip(r) {
                    let ExprKind::Index(x, _) = &target.kind else { continue };
                    if x.selector().is_some_and(|(_, n)| n == field) {
                        let has = goes_with(case, id, g, value, lock);
                        taken |= has;
                        other |= !has;
                    }
                }
            });
        }
    }
    taken && !other
}

/// Whether a local channel is made here and given to a goroutine of this package that receives from it in a
/// loop without end and does not want the lock.
fn goes_with<'a>(case: &Case<'a>, id: FnId, g: &'a Function<'a>, channel: &Expr<'a>, lock: &str) -> bool {
    let Some(var) = g.scope.var(channel) else { return false };
    if !matches!(local_room(case.pkg, g, var), Some(Room::None | Room::Of(_) | Room::Unknown)) {
        return false;
    }
    case.sites(id).iter().filter(|s| s.how == How::Go).any(|s| {
        let Callee::Local(callee) = s.callee else { return false };
        let Some(n) = s.call.args.iter().position(|a| g.scope.var(a) == Some(var)) else { return false };
        let Some(h) = case.pkg.funcs.get(callee) else { return false };
        let Some(name) = h.decl.sig.params.get(n).and_then(|p| p.name) else { return false };
        let is = |e: &Expr<'a>| e.ident() == Some(name.name);
        let receives = h.scope.units.iter().flat_map(|u| loops_in(u.body)).any(|(_, _, l)| {
            if let ForHead::Range { over, .. } = &l.head {
                return is(over);
            }
            let mut found = false;
            visit::block(&l.body, &mut |node| {
                if let Node::Expr(e) = node {
                    found |= e.unary("<-").is_some_and(is);
                }
                !found
            });
            found && !matches!(length(case.pkg, h, l), Length::Counted)
        });
        receives && !wants(case, callee, lock)
    })
}
