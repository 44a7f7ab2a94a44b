//! Channels: how they are made, and what is done with them.

use crate::syntax::ast::{Block, Expr, ExprKind, LitKind, Span, StmtKind, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, Function, Init, Package, VarId};

/// Room of a channel, as far as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// `make(chan T)`, `make(chan T, 0)`.
    None,
    /// `make(chan T, 3)`.
    Of(u64),
    /// `make(chan T, n)`.
    Unknown,
}

/// The room that an expression makes a channel with.
pub(crate) fn made<'a>(pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>) -> Option<Room> {
    let call = e.call()?;
    if pkg.callee(f, &call.fun) != Callee::Builtin("make") {
        return None;
    }
    let first = call.args.first()?;
    let ExprKind::Type(ty) = &first.kind else { return None };
    if !matches!(pkg.underlying(ty), Type::Chan(..)) {
        return None;
    }
    Some(match call.args.get(1).map(|a| &a.kind) {
        None => Room::None,
        Some(ExprKind::Lit(LitKind::Number, text)) => match text.parse() {
            Ok(0) => Room::None,
            Ok(n) => Room::Of(n),
            Err(_) => Room::Unknown,
        },
        Some(_) => Room::Unknown,
    })
}

/// The room of a local channel, if it is made where it is declared and nowhere else.
pub(crate) fn local_room<'a>(pkg: &Package<'a>, f: &Function<'a>, id: VarId) -> Option<Room> {
    let var = f.scope.vars.get(id)?;
    match var.init {
        Init::Value(e, 0) if var.assigned.is_empty() => made(pkg, f, e),
        _ => None,
    }
}

/// What is done with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// `c <- v` that waits.
    Send,
    /// `c <- v` in a select with another case.
    SendInSelect,
    /// `<-c` that waits.
    Receive,
    /// `<-c` in a select with another case.
    ReceiveInSelect,
    /// `for range c`.
    Range,
    /// `close(c)`.
    Close,
    /// `len(c)`, `cap(c)`, `c == nil`.
    Look,
    /// Handed to somebody else.
    Away,
}

/// All uses of a local channel, in the order of the text: what, where, in which unit, and in a loop of it.
pub(crate) fn uses<'a>(pkg: &Package<'a>, f: &Function<'a>, id: VarId) -> Vec<(Use, Span, usize, bool)> {
    let mut out = Vec::new();
    for (unit, u) in f.scope.units.iter().enumerate() {
        let mut known: Vec<u32> = Vec::new();
        let mut selects: Vec<Span> = Vec::new();
        let mut loops: Vec<Span> = Vec::new();
        let is = |e: &Expr<'a>| f.scope.var(e) == Some(id);
        visit_unit(u.body, &mut |node| {
            let inside = |loops: &[Span], span: Span| loops.iter().any(|l| l.contains(span));
            match node {
                Node::Stmt(s) => match &s.kind {
                    StmtKind::Select(cases) if cases.len() > 1 => {
                        selects.extend(cases.iter().filter_map(|c| c.comm.as_ref()).map(|c| c.span));
                    }
                    StmtKind::Send(c, _) if is(c) => {
                        known.push(c.span.start);
                        let what = if selects.contains(&s.span) { Use::SendInSelect } else { Use::Send };
                        out.push((what, s.span, unit, inside(&loops, s.span)));
                    }
                    StmtKind::For(l) => {
                        loops.push(l.body.span);
                        if let crate::syntax::ast::ForHead::Range { over, .. } = &l.head
                            && is(over)
                        {
                            known.push(over.span.start);
                            out.push((Use::Range, over.span, unit, true));
                        }
                    }
                    _ => {}
                },
                Node::Expr(e) => match &e.kind {
                    ExprKind::Unary("<-", c) if is(c) => {
                        known.push(c.span.start);
                        let in_select = selects.iter().any(|s| s.contains(e.span));
                        let what = if in_select { Use::ReceiveInSelect } else { Use::Receive };
                        out.push((what, e.span, unit, inside(&loops, e.span)));
                    }
                    ExprKind::Call(call) => {
                        if let (Callee::Builtin(name), Some(first)) = (pkg.callee(f, &call.fun), call.args.first())
                            && is(first)
                        {
                            known.push(first.span.start);
                            let what = match name {
                                "close" => Use::Close,
                                "len" | "cap" => Use::Look,
                                _ => Use::Away,
                            };
                            out.push((what, e.span, unit, inside(&loops, e.span)));
                        }
                    }
                    ExprKind::Binary("==" | "!=", operands) => {
                        for o in operands.iter().filter(|o| is(o)) {
                            known.push(o.span.start);
                            out.push((Use::Look, o.span, unit, false));
                        }
                    }
                    ExprKind::Ident(_) if is(e) && !known.contains(&e.span.start) => {
                        let declared = f.scope.vars.get(id).is_some_and(|v| v.span.start == e.span.start);
                        let assigned =
                            f.scope.vars.get(id).is_some_and(|v| v.assigned.iter().any(|(_, s)| *s == e.span));
                        if !declared && !assigned {
                            out.push((Use::Away, e.span, unit, false));
                        }
                    }
                    _ => {}
                },
            }
        });
    }
    out.sort_by_key(|(_, span, ..)| span.start);
    out
}

fn visit_unit<'a>(body: &'a Block<'a>, f: &mut dyn FnMut(Node<'a, 'a>)) {
    visit::block(body, &mut |node| {
        f(node);
        !matches!(node, Node::Expr(Expr { kind: ExprKind::FuncLit(_), .. }))
    });
}

/// Names of channels by which somebody is told to end.
pub(crate) fn ends_something(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "done",
        "quit",
        "stop",
        "exit",
        "cancel",
        "close",
        "closing",
        "shutdown",
        "ctx",
        "term",
        "sig",
        "kill",
        "abort",
        "finish",
        "die",
        "dead",
        "death",
        "end",
        "halt",
        "drain",
        "timeout",
        "timer",
        "tick",
        "expired",
        "deadline",
        "interrupt",
    ];
    let lower = name.to_lowercase();
    WORDS.iter().any(|w| lower.contains(w))
}

/// The last name of an expression: `s.quit` and `quit()` give `quit`.
pub(crate) fn last_name<'a>(e: &Expr<'a>) -> &'a str {
    match &e.kind {
        ExprKind::Ident(name) => name,
        ExprKind::Selector(_, name) => name.name,
        ExprKind::Call(call) => last_name(&call.fun),
        ExprKind::Index(x, _) | ExprKind::Unary(_, x) => last_name(x),
        _ => "",
    }
}
