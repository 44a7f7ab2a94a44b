//! A lock that is taken again by who holds it. The page: `docs/rules/locked-again.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::held::{locks_of, walk_held};
use crate::meaning::locks::{Op, lock_call};
use crate::syntax::ast::{Expr, ExprKind, Span, Stmt, StmtKind};
use crate::syntax::calls::How;
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function};

/// The rule.
pub(super) struct LockedAgain;

impl Rule for LockedAgain {
    const INFO: RuleInfo = RuleInfo {
        code: "locked-again",
        title: "a lock that is taken again by who holds it",
        doc: include_str!("../../../../docs/rules/locked-again.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str = "the lock is named by the same text, nothing on the path between unlocks it";
    const CURE: &'static str = "Take it once: give the inner work a function that expects the lock to be held.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for unit in 0..f.scope.units.len() {
                let locks = locks_of(case, f, unit);
                let mut told: Vec<Span> = Vec::new();
                walk_held(case, id, f, unit, &locks, |node, held| {
                    let Node::Expr(e) = node else { return };
                    if told.contains(&e.span) {
                        return;
                    }
                    // Another lock in each round.
                    let rebound = |key: &str| {
                        key.contains('[')
                            || f.scope
                                .vars
                                .iter()
                                .filter(|v| key.split('.').next() == Some(v.name))
                                .any(|v| v.loops > 0 || !v.assigned.is_empty())
                    };
                    if let Some(call) = lock_call(case.pkg, f, e).filter(|c| c.op.takes()) {
                        let before = locks.iter().position(|l| l.key == call.key).and_then(|n| held.how(n));
                        if let Some(before) = before.filter(|_| !rebound(call.key)) {
                            told.push(e.span);
                            say(out, id, e.span, call.key, before, call.op, "here");
                        }
                        return;
                    }
                    // A method of the same value that takes the lock itself.
                    let Some((x, name, call)) = e.method_call() else { return };
                    let Callee::Local(callee) = case.pkg.callee(f, &call.fun) else { return };
                    let owner = case.file(f).at(x.span);
                    for (suffix, op) in takes(case, callee, MAX_FAR) {
                        for (n, lock) in locks.iter().enumerate() {
                            let Some(before) = held.how(n) else { continue };
                            if lock.key.strip_prefix(owner) == Some(suffix.as_str())
                                && !told.contains(&e.span)
                                && !rebound(lock.key)
                            {
                                told.push(e.span);
                                say(out, id, e.span, lock.key, before, op, &format!("by `{name}`"));
                            }
                        }
                    }
                });
            }
        }
    }
}

/// Calls that are followed.
const MAX_FAR: u32 = 3;
/// Calls of one function that are followed.
const MAX_FOLLOWED: u32 = 24;

fn say(out: &mut Out, id: FnId, span: Span, key: &str, before: Op, op: Op, by: &str) {
    match (before, op) {
        (Op::RLock, Op::RLock) => {
            let found = out.found(id, span, format!("`{key}` is held for reading and taken for reading again {by}: a writer that comes between waits for the first, and the second for the writer"));
            found.level = Level::Warning;
        }
        (Op::RLock, _) => {
            out.found(id, span, format!("`{key}` is held for reading and taken for writing {by}: it waits for itself"));
        }
        _ => {
            out.found(id, span, format!("`{key}` is held and taken again {by}: it waits for itself"));
        }
    }
}

/// Locks of its receiver that a method takes, by what follows the receiver's name, itself or through methods
/// of the same receiver.
fn takes(case: &Case<'_>, id: FnId, far: u32) -> Vec<(String, Op)> {
    let mut out = Vec::new();
    let (Some(f), Some(far)) = (case.pkg.funcs.get(id), far.checked_sub(1)) else { return out };
    let Some(receiver) = f.decl.receiver.as_ref().and_then(|r| r.name) else { return out };
    let Some(body) = &f.decl.body else { return out };
    let mut given_back: Vec<&str> = Vec::new();
    let mut followed = 0;
    // What stands under a condition may be just what is not done when the lock is held.
    for s in &body.stmts {
        if matches!(s.kind, StmtKind::If(_)) && contains_unlock(case, f, s) {
            break;
        }
        for e in surely_called(s) {
            if let Some(call) = lock_call(case.pkg, f, e) {
                // What is first given back was the caller's, and is then taken anew.
                if !call.op.takes() {
                    given_back.push(call.key);
                } else if !given_back.contains(&call.key)
                    && let Some(suffix) = call.key.strip_prefix(receiver.name)
                {
                    out.push((suffix.to_owned(), call.op));
                }
                continue;
            }
            if let Some((x, _, call)) = e.method_call()
                && x.ident() == Some(receiver.name)
                && given_back.is_empty()
                && let Callee::Local(callee) = case.pkg.callee(f, &call.fun)
                && callee != id
                && !is_started(case, id, e.span)
                && followed < MAX_FOLLOWED
            {
                followed += 1;
                out.extend(takes(case, callee, far));
            }
        }
    }
    out.sort();
    out.dedup();
    out
}

/// Calls that a statement makes whenever it runs, in the order of the text: not those in literals, in
/// branches, and behind `&&` and `||`.
fn surely_called<'a>(s: &'a Stmt<'a>) -> Vec<&'a Expr<'a>> {
    let list: Vec<&'a Expr<'a>> = match &s.kind {
        StmtKind::Expr(e) => vec![e],
        StmtKind::Assign(_, l, r) | StmtKind::Define(l, r) => r.iter().chain(l).collect(),
        StmtKind::Return(values) => values.iter().collect(),
        StmtKind::If(i) if i.init.is_none() => vec![&i.cond],
        _ => Vec::new(),
    };
    let mut out = Vec::new();
    let mut left = list;
    left.reverse();
    while let Some(e) = left.pop() {
        match &e.kind {
            ExprKind::Call(call) => {
                out.push(e);
                left.extend(call.args.iter().rev());
                if let Some((x, _)) = call.fun.selector() {
                    left.push(x);
                }
            }
            ExprKind::Binary("&&" | "||", operands) => left.extend(operands.first()),
            ExprKind::Binary(_, operands) => left.extend(operands.iter().rev()),
            ExprKind::Unary(_, x) | ExprKind::Selector(x, _) | ExprKind::Convert(_, x) | ExprKind::Assert(x, _) => {
                left.push(x);
            }
            ExprKind::Index(x, i) => {
                left.push(i);
                left.push(x);
            }
            _ => {}
        }
    }
    out
}

/// Whether a statement gives a lock back somewhere.
fn contains_unlock<'a>(case: &Case<'a>, f: &Function<'a>, s: &'a Stmt<'a>) -> bool {
    let mut found = false;
    visit::stmt(s, &mut |node| {
        if let Node::Expr(e) = node {
            found |= lock_call(case.pkg, f, e).is_some_and(|c| !c.op.takes());
        }
        !found
    });
    found
}

/// Whether a call is `go f()` or `defer f()`.
fn is_started(case: &Case<'_>, id: FnId, span: Span) -> bool {
    case.sites(id).iter().any(|s| s.expr.span == span && s.how != How::Plain)
}
