//! A lock that is taken again by who holds it. The page: `docs/rules/locked-again.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::held::{Held, locks_of, walk_held};
use crate::meaning::locks::{LockCall, Op, lock_call};
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Block, Expr, ExprKind, Span, Stmt, StmtKind};
use crate::syntax::calls::How;
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Init};

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
            in_callbacks(case, id, f, out);
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
                    // A literal that a literal of this function runs at once: `each(func(l *Lease) {
                    // m.Count() })`.
                    if let Some((at, key, before, op)) = in_literal(case, f, e, &locks, held)
                        && !told.contains(&at)
                        && !rebound(key)
                    {
                        told.push(at);
                        say(out, id, at, key, before, op, "here, in a literal that is run under it");
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

/// Literals that are given to a method of the same value which runs them under a lock: `s.with(func() {
/// s.Count() })`, where both `with` and `Count` take it.
fn in_callbacks<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, out: &mut Out) {
    for site in case.sites(id) {
        let (Callee::Local(callee), Some((x, runner))) = (site.callee, site.call.fun.selector()) else { continue };
        let owner = case.file(f).at(x.span);
        for (n, a) in site.call.args.iter().enumerate() {
            if !matches!(a.kind, ExprKind::FuncLit(_)) {
                continue;
            }
            let Some(u) = f.scope.units.iter().find(|u| u.span == a.span) else { continue };
            let held = held_for(case, callee, n);
            if held.is_empty() {
                continue;
            }
            // What is given back first may be taken again.
            let is_held = |e: &&Expr<'a>| lock_call(case.pkg, f, e).is_none_or(|call| call.op.takes());
            let again = u.body.stmts.iter().flat_map(surely_called).take_while(is_held).find_map(|e| {
                let taken: Vec<(String, Op)> = match lock_call(case.pkg, f, e) {
                    Some(call) => call.key.strip_prefix(owner).map(|s| (s.to_owned(), call.op)).into_iter().collect(),
                    None => {
                        let (of, _, call) = e.method_call()?;
                        let Callee::Local(inner) = case.pkg.callee(f, &call.fun) else { return None };
                        if case.file(f).at(of.span) != owner {
                            return None;
                        }
                        takes(case, inner, MAX_FAR)
                    }
                };
                taken.into_iter().find_map(|(suffix, op)| {
                    let (_, before) = held.iter().find(|(s, _)| *s == suffix)?;
                    Some((e.span, suffix, *before, op))
                })
            });
            if let Some((at, suffix, before, op)) = again {
                let by = format!("here, in what `{runner}` runs while it holds it");
                say(out, id, at, &format!("{owner}{suffix}"), before, op, &by);
            }
        }
    }
}

/// What a literal takes that is held where it is given to a variable which is a literal too, and runs what it
/// is given without a goroutine.
fn in_literal<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    e: &'a Expr<'a>,
    locks: &[LockCall<'a>],
    held: Held,
) -> Option<(Span, &'a str, Op, Op)> {
    let call = e.call()?;
    let Callee::Variable(runner) = case.pkg.callee(f, &call.fun) else { return None };
    let v = f.scope.vars.get(runner).filter(|v| v.assigned.is_empty())?;
    let Init::Value(literal, 0) = v.init else { return None };
    let text = case.file(f).at(literal.span);
    let ExprKind::FuncLit(lit) = &literal.kind else { return None };
    if text.contains("go ") || text.contains("nlock()") || text.contains("append(") {
        return None;
    }
    let given = call.args.iter().enumerate().filter(|(_, a)| matches!(a.kind, ExprKind::FuncLit(_)));
    let run = given.filter(|(n, _)| {
        lit.sig.params.get(*n).and_then(|p| p.name).is_some_and(|name| only_calls(&lit.body, name.name))
    });
    let units = run.filter_map(|(_, a)| f.scope.units.iter().find(|u| u.span == a.span));
    let is_held = |e: &&Expr<'a>| lock_call(case.pkg, f, e).is_none_or(|call| call.op.takes());
    units.flat_map(|u| u.body.stmts.iter().flat_map(surely_called).take_while(is_held)).find_map(|e| {
        locks.iter().enumerate().find_map(|(n, lock)| {
            let before = held.how(n)?;
            let op = match lock_call(case.pkg, f, e) {
                Some(call) => (call.key == lock.key && call.op.takes()).then_some(call.op)?,
                None => {
                    let (x, _, call) = e.method_call()?;
                    let Callee::Local(inner) = case.pkg.callee(f, &call.fun) else { return None };
                    let suffix = lock.key.strip_prefix(case.file(f).at(x.span))?;
                    takes(case, inner, MAX_FAR).into_iter().find(|(s, _)| s == suffix)?.1
                }
            };
            Some((e.span, lock.key, before, op))
        })
    })
}

/// Whether a function does nothing with a name but call it: what is kept, handed on or sent is run at another
/// time.
fn only_calls<'a>(body: &'a Block<'a>, name: &str) -> bool {
    let (mut named, mut called, mut nested) = (0, 0, false);
    each_node(body, |node| {
        if let Node::Expr(e) = node {
            // A literal runs when it likes.
            nested |= matches!(e.kind, ExprKind::FuncLit(_));
            named += usize::from(e.ident() == Some(name));
            called += usize::from(e.call().is_some_and(|c| c.fun.ident() == Some(name)));
        }
    });
    called > 0 && named == called && !nested
}

/// Locks of its receiver that a method holds wherever it runs what it is given as the parameter of this
/// number, by what follows the receiver's name.
fn held_for<'a>(case: &Case<'a>, id: FnId, param: usize) -> Vec<(String, Op)> {
    let Some(g) = case.pkg.funcs.get(id) else { return Vec::new() };
    let receiver = g.decl.receiver.as_ref().and_then(|r| r.name);
    let name = g.decl.sig.params.get(param).and_then(|p| p.name);
    let (Some(receiver), Some(name)) = (receiver, name) else { return Vec::new() };
    let locks = locks_of(case, g, 0);
    let mut seen: Option<Vec<(String, Op)>> = None;
    walk_held(case, id, g, 0, &locks, |node, held| {
        let Node::Expr(e) = node else { return };
        let Some(call) = e.call() else { return };
        if call.fun.ident() != Some(name.name) || !matches!(case.pkg.callee(g, &call.fun), Callee::Variable(_)) {
            return;
        }
        let here = locks
            .iter()
            .enumerate()
            .filter_map(|(n, l)| Some((l.key.strip_prefix(receiver.name)?.to_owned(), held.how(n)?)));
        seen.get_or_insert_with(|| here.collect());
    });
    // Where it is run a second time, with nothing held, the walk does not tell of it.
    let runs = case.sites(id).iter().filter(|s| s.call.fun.ident() == Some(name.name)).count();
    seen.filter(|_| runs == 1).unwrap_or_default()
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
