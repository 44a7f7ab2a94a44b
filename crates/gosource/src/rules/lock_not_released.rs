//! A lock that a return path keeps. The page: `docs/rules/lock-not-released.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::held::{
    defers_unlock, is_hand_over_hand, lets_go, literal_unlocks, locks_of, some_lets_go, unlocks,
};
use crate::meaning::locks::{LockCall, Op, lock_call, other_name};
use crate::meaning::loops::{each_node, final_call, loops_in};
use crate::syntax::ast::{Block, Expr, ExprKind, ForHead, Span, StmtKind};
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init};

/// The rule.
pub(super) struct LockNotReleased;

impl Rule for LockNotReleased {
    const INFO: RuleInfo = RuleInfo {
        code: "lock-not-released",
        title: "a lock that a return path keeps",
        doc: include_str!("../../../../docs/rules/lock-not-released.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str =
        "every path from the call of Lock was followed; on those named nothing unlocks it, and nothing deferred does";
    const CURE: &'static str = "defer the Unlock right after the Lock, or unlock before that return.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for unit in 0..f.scope.units.len() {
                for lock in locks_of(case, f, unit) {
                    one(case, id, f, unit, &lock, out);
                }
            }
        }
    }
}

fn one<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, unit: usize, lock: &LockCall<'a>, out: &mut Out) {
    let Some(u) = f.scope.units.get(unit) else { return };
    // What is first given back was the caller's, and is taken again for it.
    let mut first = None;
    each_node(u.body, |node| {
        if let Node::Expr(e) = node
            && first.is_none()
        {
            first = lock_call(case.pkg, f, e).filter(|c| c.key == lock.key).map(|c| c.op);
        }
    });
    if first.is_some_and(|op| !op.takes()) || is_hand_over_hand(case, f, unit, lock.key) {
        return;
    }
    let mut follow = Follow { case, f, key: lock.key, field: lock.field, exits: Vec::new(), unlocked: false };
    if !walk(case.file(f), u.body, State::Free, &mut follow) || follow.exits.is_empty() {
        return;
    }
    // What locks as the last thing that it does locks for who calls it.
    if !follow.unlocked
        && u.body.stmts.last().is_some_and(|s| {
            matches!(&s.kind, StmtKind::Expr(e)
            if lock_call(case.pkg, f, e).is_some_and(|c| c.key == lock.key && c.op.takes()))
        })
    {
        return;
    }
    // `if err := mutex.Lock(); err != nil`: a lock that can fail is not held where it did.
    if may_fail(case, f, u.body, lock.key) {
        return;
    }
    // `if mu != nil { mu.Unlock() }`: there is a lock on some paths alone, and on those it is given back.
    if follow.unlocked && is_given_back_where_there_is_one(case, f, u.body, lock.key) {
        return;
    }
    // `ensureLoaded` leaves the lock to who calls it, all of whom unlock it.
    if follow.unlocked && callers_unlock(case, id, lock) {
        return;
    }
    // Locked here and unlocked by another function, or a literal: an agreement that is not seen whole.
    if !follow.unlocked && unlocked_elsewhere(case, f, lock) {
        return;
    }
    // `topic := t.topic; topic.mu.Lock(); t.topic.mu.Unlock()`: one lock by two names.
    let whole = case.file(f).at(f.decl.span);
    let unlocks = |key: String| {
        whole.contains(&format!(
            "{key}.{}()",
            if matches!(lock.op, Op::Lock | Op::Unlock) { "Unlock" } else { "RUnlock" }
        ))
    };
    if !follow.unlocked && other_name(case.pkg, f, lock.key).is_some_and(unlocks) {
        return;
    }
    // `return size, &c.lock`: whoever is given the lock gives it back.
    if is_given_away(case, f, u.body, lock.key) {
        return;
    }
    // `return &iterator{cache: c}` after `c.RLock()`: what is returned lets go of `cache` when it is closed.
    if !follow.unlocked && is_held_by_result(case, f, u.body, lock) {
        return;
    }
    // All are locked in one loop, and unlocked in another over the same.
    if is_of_all(case, f, unit, lock.key) {
        return;
    }
    // Hand over hand: what is locked gets another name, and is unlocked by that.
    if !follow.unlocked && gets_another_name(f, u.body, lock.key) {
        return;
    }
    // A function whose work it is to lock for its caller: it says so by its name, and hardly does anything
    // else.
    let lower = f.decl.name.name.to_lowercase();
    let for_caller = ["lock", "rlock", "acquire", "begin"].iter().any(|w| lower.starts_with(w));
    if !follow.unlocked && for_caller && (lower.ends_with("lock") || u.body.stmts.len() < 2) {
        return;
    }
    // `acquireSendLock` gives the lock back where it fails, and `releaseSendLock` does for who called it.
    let named = ["lock", "acquire"].iter().any(|w| lower.contains(w)) && !lower.contains("unlock");
    if follow.unlocked && named && some_lets_go(case, lock.field) {
        return;
    }
    // `getConn` and `returnConn`: what is taken under the lock is given back with it.
    let counterpart = match lower.as_str() {
        n if ["get", "take", "borrow", "checkout", "open", "begin"].iter().any(|w| n.starts_with(w)) => {
            &["return", "put", "release", "give", "free", "done", "finish", "end", "commit"][..]
        }
        _ => &[],
    };
    let gives_back = |g: &Function<'_>| {
        let name = g.decl.name.name.to_lowercase();
        g.receiver_type() == f.receiver_type() && counterpart.iter().any(|w| name.starts_with(w))
    };
    let returned = || case.funcs().any(|(other, g)| gives_back(g) && lets_go(case, other, lock.field));
    let protocol = follow.unlocked && !counterpart.is_empty() && returned();
    let mut exits = follow.exits;
    // `return &dict{index: i}, nil` where all went well: its Close gives the lock back.
    if follow.unlocked && is_held_by_result(case, f, u.body, lock) {
        exits.retain(|(_, _, exit)| !gives_struct(f, u.body, *exit));
    }
    exits.sort_unstable();
    exits.dedup();
    let Some((at, op, _)) = exits.first().copied() else { return };
    let sentence = if follow.unlocked {
        format!("`{}` is still held where this function returns on one of its paths", lock.key)
    } else {
        format!("`{}` is taken and never given back: nothing calls `{}.{}`", lock.key, lock.key, op.counterpart())
    };
    let found = out.found(id, at, sentence);
    if protocol {
        found.level = Level::Hint;
        found.why = Some("by its name and that of the one that unlocks, who calls it gives the lock back later".into());
    }
    let says = |l: &str| l.split_once("//").is_some_and(|(_, c)| c.to_lowercase().contains("not unlock"));
    let meant = case.file(f).at(f.decl.span).lines().any(says);
    if !follow.unlocked && (meant || is_explained(case.file(f).text, at)) {
        found.level = Level::Hint;
        found.why = Some("a comment at the call speaks of who gives it back".into());
    }
    for (_, _, exit) in exits.iter().filter(|(a, ..)| *a == at).take(3) {
        found.related.push((f.file, *exit, "held where this path ends".into()));
    }
}

/// Whether a goroutine gives back a lock that it was started with: what its literal does to the lock first is
/// to unlock it, at once or when it ends.
fn goes_with<'a>(case: &Case<'a>, f: &Function<'a>, started: &'a Expr<'a>, key: &str) -> bool {
    let Some(call) = started.call() else { return false };
    let ExprKind::FuncLit(literal) = &call.fun.kind else { return false };
    let mut first = None;
    each_node(&literal.body, |node| {
        if let Node::Expr(e) = node
            && first.is_none()
        {
            first = lock_call(case.pkg, f, e).filter(|c| c.key == key).map(|c| c.op);
        }
    });
    first.is_some_and(|op| !op.takes())
}

/// Whether the lock's address is returned or put into a variable.
fn is_given_away<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, key: &str) -> bool {
    let mut given = false;
    let is = |e: &Expr<'a>| e.unary("&").is_some_and(|x| case.file(f).at(x.span) == key);
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Assign("=", _, list) | StmtKind::Define(_, list) | StmtKind::Return(list) = &s.kind
        {
            given |= list.iter().any(is);
        }
    });
    given
}

/// Whether a lock is given back under a test that there is one.
fn is_given_back_where_there_is_one<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, key: &str) -> bool {
    let mut found = false;
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::If(i) = &s.kind else { return };
        let ExprKind::Binary("!=", operands) = &i.cond.kind else { return };
        let [tested, nil] = operands.as_slice() else { return };
        found |= nil.is_nil()
            && case.file(f).at(tested.span) == key
            && i.then.stmts.iter().any(|s| {
                matches!(&s.kind, StmtKind::Expr(e)
                if lock_call(case.pkg, f, e).is_some_and(|c| c.key == key && !c.op.takes()))
            });
    });
    found
}

/// Whether what Lock gives is looked at: those of `sync` give nothing.
fn may_fail<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, key: &str) -> bool {
    let mut fails = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Assign(_, _, r) | StmtKind::Define(_, r) = &s.kind
        {
            fails |= r.iter().filter_map(|v| lock_call(case.pkg, f, v)).any(|call| call.key == key && call.op.takes());
        }
    });
    fails
}

/// Whether all functions of the package that call this one unlock a lock of that name and take none.
fn callers_unlock(case: &Case<'_>, id: FnId, lock: &LockCall<'_>) -> bool {
    let mut callers = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).peekable();
    callers.peek().is_some()
        && callers.all(|e| {
            let text = case.pkg.funcs.get(e.caller).map_or("", |g| case.file(g).at(g.decl.span));
            let named = |method: &str| text.contains(&format!("{}.{method}()", lock.field));
            (named("Unlock") || named("RUnlock")) && !named("Lock") && !named("RLock")
        })
}

/// Whether a path ends with a return of a struct that is made there or was before.
fn gives_struct<'a>(f: &Function<'a>, body: &'a Block<'a>, exit: Span) -> bool {
    let is = |e: &Expr<'a>| matches!(e.unary("&").unwrap_or(e).kind, ExprKind::Composite(..));
    let made = |e: &Expr<'a>| {
        let init = f.scope.var(e).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
        is(e) || matches!(init, Some(Init::Value(from, 0)) if is(from))
    };
    let mut gives = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Return(values) = &s.kind
            && s.span == exit
        {
            gives |= values.iter().any(made);
        }
    });
    gives
}

/// Whether a lock belongs to the variable of a loop over all of something, and another loop over the same
/// unlocks them: `for _, s := range all { s.Lock() }`, and then `for _, s := range all { s.Unlock() }`.
fn is_of_all<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize, key: &str) -> bool {
    let Some(u) = f.scope.units.get(unit) else { return false };
    let root = key.split('.').next().unwrap_or(key);
    let (mut locked, mut unlocked) = (Vec::new(), Vec::new());
    for (_, _, l) in loops_in(u.body) {
        let ForHead::Range { over, vars, .. } = &l.head else { continue };
        if !vars.iter().any(|v| v.ident() == Some(root)) {
            continue;
        }
        let (mut takes, mut gives) = (false, false);
        each_node(&l.body, |node| {
            if let Node::Expr(e) = node
                && let Some(call) = lock_call(case.pkg, f, e).filter(|c| c.key == key)
            {
                takes |= call.op.takes();
                gives |= !call.op.takes();
            }
        });
        let over = case.file(f).at(over.span);
        match (takes, gives) {
            (true, false) => locked.push(over),
            (false, true) => unlocked.push(over),
            _ => {}
        }
    }
    locked.iter().any(|over| unlocked.contains(over))
}

/// Whether what has the lock goes into a struct, and a method of this package unlocks what stands in that
/// field.
fn is_held_by_result<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, lock: &LockCall<'a>) -> bool {
    let owner = lock.key.split('.').next().unwrap_or(lock.key);
    let mut fields: Vec<&str> = Vec::new();
    each_node(body, |node| {
        if let Node::Expr(e) = node
            && let ExprKind::Composite(_, elements) = &e.kind
        {
            let of_owner = elements.iter().filter(|(_, v)| v.ident() == Some(owner) && f.scope.var(v).is_some());
            fields.extend(of_owner.filter_map(|(k, _)| k.as_ref()?.ident()));
        }
    });
    let unlocks = |name: &str| matches!(name, "Unlock" | "RUnlock");
    !fields.is_empty()
        && case.all_sites().any(|(_, _, s)| {
            let Some((x, name)) = s.call.fun.selector() else { return false };
            let held = |e: &Expr<'a>| e.selector().is_some_and(|(_, field)| fields.contains(&field));
            unlocks(name) && (held(x) || x.selector().is_some_and(|(inner, _)| held(inner)))
        })
}

/// Whether the variable whose lock it is is given to another variable.
fn gets_another_name<'a>(f: &Function<'a>, body: &'a Block<'a>, key: &str) -> bool {
    let root = key.split('.').next().unwrap_or(key);
    let mut found = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Assign("=", _, r) | StmtKind::Define(_, r) = &s.kind
        {
            found |= key != root && r.iter().any(|v| v.ident() == Some(root) && f.scope.var(v).is_some());
        }
    });
    found
}

/// Whether the package, outside of the unit's own text, unlocks a lock of that name without having taken it.
fn unlocked_elsewhere<'a>(case: &Case<'a>, f: &Function<'a>, lock: &LockCall<'a>) -> bool {
    let in_literal = f.scope.units.len() > 1 && case.file(f).at(f.decl.span).contains(&format!("{}.Unlock", lock.key))
        || case.file(f).at(f.decl.span).contains(&format!("{}.RUnlock", lock.key));
    // `Commit` calls `RUnlock` and never `RLock`, which `Begin` has called.
    let reading = matches!(lock.op, Op::RLock | Op::RUnlock);
    in_literal || some_lets_go(case, lock.field) || case.first_ops().only_let_go.contains(&(lock.field, reading))
}

/// Whether a comment beside a call, or right above it, says who unlocks.
fn is_explained(text: &str, at: Span) -> bool {
    let n = at.line.saturating_sub(1) as usize;
    let line = text.lines().nth(n).unwrap_or_default();
    let above = n.checked_sub(1).and_then(|n| text.lines().nth(n)).unwrap_or_default().trim_start();
    let says = |comment: &str| {
        let lower = comment.to_lowercase();
        lower.contains("unlock") || lower.contains("released by") || lower.contains("caller")
    };
    line.split_once("//").is_some_and(|(_, c)| says(c)) || above.starts_with("//") && says(above)
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Free,
    Held(Span, Op),
    Deferred,
}

struct Follow<'w, 'a> {
    case: &'w Case<'a>,
    f: &'a Function<'a>,
    key: &'a str,
    field: &'a str,
    /// Where it was taken, how, and where a path ends that keeps it.
    exits: Vec<(Span, Op, Span)>,
    /// Whether some path unlocks it.
    unlocked: bool,
}

impl<'a> Along<'a> for Follow<'_, 'a> {
    type State = State;

    fn pass(&mut self, node: Node<'a, 'a>, state: &mut State) {
        match node {
            Node::Stmt(s) => {
                if defers_unlock(self.case, self.f, s, self.key) {
                    self.unlocked = true;
                    *state = State::Deferred;
                } else if let StmtKind::Defer(e) | StmtKind::Go(e) = &s.kind
                    && let Some(call) = e.call()
                    && let Callee::Local(callee) = self.case.pkg.callee(self.f, &call.fun)
                    && lets_go(self.case, callee, self.field)
                {
                    *state = State::Deferred;
                } else if let StmtKind::Go(e) = &s.kind
                    && matches!(state, State::Held(..))
                    && goes_with(self.case, self.f, e, self.key)
                {
                    // The lock goes with the goroutine, which gives it back when it is done.
                    self.unlocked = true;
                    *state = State::Free;
                }
            }
            Node::Expr(e) => {
                if let Some(call) = lock_call(self.case.pkg, self.f, e) {
                    if call.key == self.key && *state != State::Deferred {
                        *state = if call.op.takes() {
                            State::Held(e.span, call.op)
                        } else {
                            self.unlocked = true;
                            State::Free
                        };
                    }
                    return;
                }
                let lets = match &e.kind {
                    ExprKind::Selector(x, name) => {
                        matches!(name.name, "Unlock" | "RUnlock") && self.case.file(self.f).at(x.span) == self.key
                    }
                    ExprKind::FuncLit(_) => unlocks(self.case, self.f, e, self.key),
                    ExprKind::Call(call) => match self.case.pkg.callee(self.f, &call.fun) {
                        Callee::Local(callee) => lets_go(self.case, callee, self.field),
                        // `reject := func() { mu.Unlock(); ... }`, called.
                        Callee::Variable(id) => literal_unlocks(self.case, self.f, id, self.key),
                        // The lock itself is handed on.
                        _ => call.args.iter().any(|a| {
                            a.unary("&").unwrap_or(a).selector().is_some()
                                && self.case.file(self.f).at(a.unary("&").unwrap_or(a).span) == self.key
                        }),
                    },
                    _ => false,
                };
                if lets && matches!(state, State::Held(..)) {
                    *state = State::Free;
                }
            }
        }
    }

    fn end(&mut self, exit: Exit<'a>, state: &State) {
        if let State::Held(at, op) = state
            && !matches!(exit, Exit::Panic(_))
        {
            self.exits.push((*at, *op, exit.span()));
        }
    }

    fn is_final(&self, call: &'a Expr<'a>) -> bool {
        final_call(self.case.pkg, self.f, call)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::project::FileKind;
    use crate::syntax::calls::Calls;
    use crate::syntax::visit::work;
    use crate::syntax::{GoParser, Package, ParsedFile};

    /// Nodes that the rule walks in a package of `n` functions that take a lock which nobody here gives back,
    /// and `n` that call one another under a lock.
    fn nodes_walked(n: usize) -> u64 {
        let mut text = "package p\nimport \"sync\"\n".to_owned();
        for i in 0..n {
            write!(
                text,
                "type t{i} struct {{ mu{i}, other sync.Mutex }}\n\
                 func (t *t{i}) open() {{ t.mu{i}.Lock(); use(t) }}\n\
                 func (t *t{i}) work() error {{ t.other.Lock(); if err := call{i}(t); err != nil {{ return err }}; \
                 t.other.Unlock(); return nil }}\n\
                 func call{i}(t *t{i}) error {{ use(t); use(t.mu{i}); return nil }}\n"
            )
            .unwrap();
        }
        let ast = GoParser::new().unwrap().parse(&text).unwrap();
        let files = [ParsedFile { name: "p.go", kind: FileKind::Written, text: &text, ast }];
        let pkg = Package::new("p", "p", None, &files);
        let calls = Calls::new(&pkg);
        let mut found = 0;
        let nodes = work::of(|| {
            let mut out = Out::new(Level::Critical);
            LockNotReleased::check(&Case::new(&pkg, &calls), &mut out);
            found = out.reports.len();
        });
        assert_eq!(found, 2 * n, "open never gives back, and work keeps it on one path");
        nodes
    }

    #[test]
    fn work_grows_with_the_package_and_not_with_its_square() {
        let (small, large) = (nodes_walked(50), nodes_walked(200));
        assert!(small > 0 && large <= 5 * small, "{small} nodes of 50, {large} of 200");
    }
}
