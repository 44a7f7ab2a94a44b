//! A lock that a return path keeps. The page: `docs/rules/lock-not-released.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::held::{defers_unlock, lets_go, literal_unlocks, locks_of, unlocks};
use crate::meaning::locks::{LockCall, Op, lock_call};
use crate::meaning::loops::{each_node, final_call};
use crate::syntax::ast::{Block, Expr, ExprKind, Span, StmtKind};
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function};

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
    if first.is_some_and(|op| !op.takes()) {
        return;
    }
    let mut follow = Follow { case, f, key: lock.key, field: lock.field, exits: Vec::new(), unlocked: false };
    if !walk(case.file(f), u.body, State::Free, &mut follow) || follow.exits.is_empty() {
        return;
    }
    // Locked here and unlocked by another function, or a literal: an agreement that is not seen whole.
    if !follow.unlocked && unlocked_elsewhere(case, f, lock) {
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
    let mut exits = follow.exits;
    exits.sort_unstable();
    exits.dedup();
    let Some((at, op, _)) = exits.first().copied() else { return };
    let sentence = if follow.unlocked {
        format!("`{}` is still held where this function returns on one of its paths", lock.key)
    } else {
        format!("`{}` is taken and never given back: nothing calls `{}.{}`", lock.key, lock.key, op.counterpart())
    };
    let found = out.found(id, at, sentence);
    for (_, _, exit) in exits.iter().filter(|(a, ..)| *a == at).take(3) {
        found.related.push((f.file, *exit, "held where this path ends".into()));
    }
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
    in_literal || (0..case.pkg.funcs.len()).any(|g| lets_go(case, g, lock.field))
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
