//! A range over a channel that nobody closes. The page: `docs/rules/range-never-closed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Use, local_room, uses};
use crate::meaning::loops::{leads_out, loops_in};
use crate::syntax::ast::{Direction, Expr, ExprKind, ForHead, Span, StmtKind, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, Function};

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
