//! A range over a channel that nobody closes. The page: `docs/rules/range-never-closed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Use, local_room, uses};
use crate::meaning::loops::{final_call, leads_out, loops_in};
use crate::syntax::ast::{Direction, Expr, ExprKind, ForHead, Span, StmtKind, Type};
use crate::syntax::calls::How;
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Role, Unit, VarId};

/// The rule.
pub(super) struct RangeNeverClosed;

impl Rule for RangeNeverClosed {
    const INFO: RuleInfo = RuleInfo {
        code: "range-never-closed",
        title: "a range over a channel that nobody closes",
        doc: include_str!("../../../../docs/rules/range-never-closed.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "nothing in this package closes the channel, nobody else is given it, and nothing leads out of the loop";
    const CURE: &'static str = "Close the channel when the last value was sent, by the sender.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                for (span, label, l) in loops_in(u.body) {
                    let ForHead::Range { over, .. } = &l.head else { continue };
                    if let Some((var, exit)) =
                        left_open(case, id, f, u, over).or_else(|| left_by_sender(case, id, f, u, over))
                    {
                        let head = Span { end: l.body.span.start, ..span };
                        let name = f.scope.vars.get(var).map_or("", |v| v.name);
                        let sentence = format!(
                            "`{name}` is closed on one path and not on another: on that one this loop never ends"
                        );
                        let found = out.found(id, head, sentence);
                        found.why = Some("the channel belongs to the function alone, and every path from the start of the goroutine was followed".into());
                        found.cure = Some("defer the close, right after the channel was made.".into());
                        found.related.push((f.file, exit, "it ends here with the channel open".into()));
                        continue;
                    }
                    if leads_out(case.pkg, f, l, label) {
                        continue;
                    }
                    let head = Span { end: l.body.span.start, ..span };
                    if let Some(var) = f.scope.var(over) {
                        let made = local_room(case.pkg, f, var).is_some();
                        let uses = uses(case.pkg, f, var);
                        if made && !uses.iter().any(|u| matches!(u.0, Use::Close | Use::Away)) {
                            let name = f.scope.vars.get(var).map_or("", |v| v.name);
                            out.found(id, head, format!("nobody closes `{name}`: this loop never ends"));
                        }
                    } else if let Some(what) = kept(case, f, over) {
                        let found =
                            out.found(id, head, format!("nothing in the package closes {what}: this loop never ends"));
                        found.level = Level::Hint;
                    }
                }
            }
        }
    }
}

/// Where the function ends that makes the channel, with a goroutine started that goes over it and without
/// having closed it, though another of its paths does.
fn left_open<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    u: &'a Unit<'a>,
    over: &Expr<'a>,
) -> Option<(VarId, Span)> {
    let var = f.scope.var(over)?;
    let v = f.scope.vars.get(var)?;
    local_room(case.pkg, f, var)?;
    let main = f.receiver_type().is_none() && f.decl.name.name == "main";
    if main || u.role != Role::Go || u.parent != Some(v.unit) {
        return None;
    }
    let uses = uses(case.pkg, f, var);
    let own = |what: &Use| !matches!(what, Use::Away);
    let mut closes = uses.iter().filter(|u| u.0 == Use::Close);
    let (close, None) = (closes.next()?, closes.next()) else { return None };
    let plain = case.sites(id).iter().any(|s| s.expr.span == close.1 && s.how == How::Plain);
    if !plain || close.2 != v.unit || !uses.iter().all(|u| own(&u.0)) {
        return None;
    }
    let owner = f.scope.units.get(v.unit)?;
    let mut follow = Closing { case, f, start: u.span, close: close.1, exit: None };
    let whole = walk(case.file(f), owner.body, Open::Before, &mut follow);
    whole.then_some(())?;
    Some((var, follow.exit?))
}

/// Where the one goroutine ends that closes the channel, without having closed it, though another of its
/// paths does: `if err != nil { return err }` before the `close` at its end.
fn left_by_sender<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    ranging: &'a Unit<'a>,
    over: &Expr<'a>,
) -> Option<(VarId, Span)> {
    let var = f.scope.var(over)?;
    let v = f.scope.vars.get(var)?;
    local_room(case.pkg, f, var)?;
    let uses = uses(case.pkg, f, var);
    if uses.iter().any(|u| u.0 == Use::Away) {
        return None;
    }
    let mut closes = uses.iter().filter(|u| u.0 == Use::Close);
    let (close, None) = (closes.next()?, closes.next()) else { return None };
    let sender = f.scope.units.get(close.2)?;
    let plain = case.sites(id).iter().any(|s| s.expr.span == close.1 && s.how == How::Plain);
    let started = sender.role == Role::Go || crate::meaning::errgroups::is_member(case, id, f, close.2);
    // What sends too: who only waits for others and closes then has no such path.
    let sends = uses.iter().any(|u| u.2 == close.2 && matches!(u.0, Use::Send | Use::SendInSelect));
    if !plain || !started || !sends || sender.parent != Some(v.unit) || sender.span == ranging.span {
        return None;
    }
    let mut follow = Closing { case, f, start: sender.span, close: close.1, exit: None };
    walk(case.file(f), sender.body, Open::Started, &mut follow).then_some(())?;
    Some((var, follow.exit?))
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Open {
    Before,
    Started,
    Closed,
}

struct Closing<'w, 'a> {
    case: &'w Case<'a>,
    f: &'a Function<'a>,
    start: Span,
    close: Span,
    exit: Option<Span>,
}

impl<'a> Along<'a> for Closing<'_, 'a> {
    type State = Open;

    fn pass(&mut self, node: Node<'a, 'a>, state: &mut Open) {
        match node {
            Node::Stmt(s) if matches!(s.kind, StmtKind::Go(_)) && s.span.contains(self.start) => {
                *state = if *state == Open::Closed { Open::Closed } else { Open::Started };
            }
            Node::Expr(e) if e.span == self.close => *state = Open::Closed,
            _ => {}
        }
    }

    fn end(&mut self, exit: Exit<'a>, state: &Open) {
        if *state == Open::Started && !matches!(exit, Exit::Panic(_)) {
            self.exit.get_or_insert(exit.span());
        }
    }

    fn is_final(&self, call: &'a Expr<'a>) -> bool {
        final_call(self.case.pkg, self.f, call)
    }
}

/// A channel in a field or package variable that only this package can have made.
fn kept<'a>(case: &Case<'a>, f: &Function<'a>, over: &Expr<'a>) -> Option<String> {
    let (owner, name) = match over.selector() {
        Some((x, name)) => (case.pkg.type_of(f, x), name),
        None => (Type::Unknown, over.ident()?),
    };
    if over.selector().is_none() && !case.pkg.vars.contains_key(name) || !name.starts_with(char::is_lowercase) {
        return None;
    }
    if over.selector().is_some() && !matches!(owner.name(), Some(("", _))) {
        return None;
    }
    if !matches!(case.pkg.underlying(&case.pkg.type_of(f, over)), Type::Chan(Direction::Both, _)) {
        return None;
    }
    let is = |g: &Function<'a>, e: &Expr<'a>| match (e.selector(), over.selector()) {
        (Some((x, n)), Some(_)) => n == name && case.pkg.type_of(g, x).name() == owner.name(),
        (None, None) => e.ident() == Some(name) && g.scope.var(e).is_none(),
        _ => false,
    };
    let kept = Kept::of(case, &is, owner.name().map(|(_, of)| of), name);
    (kept.made && !kept.closed && !kept.away).then(|| format!("`{}`", case.text(f, over.span)))
}

/// What a package does with a channel in a field or a package variable.
#[derive(Default)]
struct Kept {
    /// It is made here.
    made: bool,
    /// It is closed.
    closed: bool,
    /// Somebody else has it: it is returned, handed on, assigned, or was given.
    away: bool,
}

impl Kept {
    fn of<'a>(case: &Case<'a>, is: &dyn Fn(&Function<'a>, &Expr<'a>) -> bool, owner: Option<&str>, name: &str) -> Self {
        let mut out = Self::default();
        let makes = |g: &Function<'a>, v: &Expr<'a>| {
            v.call().is_some_and(|c| case.pkg.callee(g, &c.fun) == Callee::Builtin("make"))
        };
        for (_, g) in case.funcs() {
            let Some(body) = &g.decl.body else { continue };
            visit::block(body, &mut |node| {
                match node {
                    Node::Stmt(s) => match &s.kind {
                        StmtKind::Assign("=", l, r) | StmtKind::Define(l, r) if l.len() == r.len() => {
                            for (target, value) in l.iter().zip(r) {
                                out.away |= is(g, value);
                                if is(g, target) {
                                    if makes(g, value) { out.made = true } else { out.away |= !value.is_nil() }
                                }
                            }
                        }
                        StmtKind::Return(list) => out.away |= list.iter().any(|e| is(g, e)),
                        _ => {}
                    },
                    Node::Expr(e) => match &e.kind {
                        ExprKind::Call(call) => match case.pkg.callee(g, &call.fun) {
                            Callee::Builtin("close") => out.closed |= call.args.first().is_some_and(|a| is(g, a)),
                            Callee::Builtin(_) => {}
                            _ => out.away |= call.args.iter().any(|a| is(g, a)),
                        },
                        ExprKind::Unary("&", x) => out.away |= is(g, x),
                        ExprKind::Composite(ty, elements) => {
                            let ours = ty.as_ref().and_then(Type::name).map(|(_, of)| of) == owner;
                            for (k, v) in elements {
                                out.away |= is(g, v);
                                if ours && k.as_ref().and_then(Expr::ident) == Some(name) {
                                    if makes(g, v) { out.made = true } else { out.away |= !v.is_nil() }
                                }
                            }
                        }
                        _ => {}
                    },
                }
                true
            });
        }
        let var = case.pkg.vars.get(name).filter(|_| owner.is_none()).and_then(|v| v.value);
        out.made |= var.and_then(Expr::call).is_some_and(|c| c.fun.ident() == Some("make"));
        out
    }
}
