//! One lock is taken and another given back. The page: `docs/rules/unlock-of-another.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::held::is_hand_over_hand;
use crate::meaning::locks::{LockCall, Op, lock_call, other_name};
use crate::meaning::loops::each_node;
use crate::syntax::ast::Span;
use crate::syntax::visit::Node;

/// The rule.
pub(super) struct UnlockOfAnother;

impl Rule for UnlockOfAnother {
    const INFO: RuleInfo = RuleInfo {
        code: "unlock-of-another",
        title: "one lock is taken and another given back",
        doc: include_str!("../../../../docs/rules/unlock-of-another.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str = "the function never unlocks the one it locks, and never locks the one it unlocks";
    const CURE: &'static str = "Unlock the lock that was taken.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                let mut calls: Vec<(LockCall<'_>, Span)> = Vec::new();
                each_node(u.body, |node| {
                    if let Node::Expr(e) = node
                        && let Some(call) = lock_call(case.pkg, f, e)
                    {
                        calls.push((call, e.span));
                    }
                });
                let whole = case.file(f).at(f.decl.span);
                let gives_back = |key: &str, how: &str| whole.contains(&format!("{key}.{how}"));
                // One lock by two names.
                let is_one = |key: &str, other: &str| other_name(case.pkg, f, key).as_deref() == Some(other);
                for (i, (call, span)) in calls.iter().enumerate().filter(|(_, (c, _))| !c.op.takes()) {
                    let taken = |op: Op| calls.iter().any(|(c, _)| c.key == call.key && c.op == op);
                    if taken(Op::Lock) || taken(Op::RLock) {
                        // Taken for reading and given back for writing, or the other way round.
                        let (wrong, right) = match call.op {
                            Op::Unlock => (Op::RLock, "RUnlock"),
                            _ => (Op::Lock, "Unlock"),
                        };
                        let other = if wrong == Op::RLock { Op::Lock } else { Op::RLock };
                        if taken(wrong) && !taken(other) && !gives_back(call.key, right) {
                            out.found(
                                id,
                                *span,
                                format!(
                                    "`{}` is taken by {} and given back by {}: the program ends with a fatal error",
                                    call.key,
                                    if wrong == Op::RLock { "RLock" } else { "Lock" },
                                    if wrong == Op::RLock { "Unlock" } else { "RUnlock" }
                                ),
                            );
                        }
                        continue;
                    }
                    let before = calls.iter().take(i).rev().find(|(c, _)| {
                        let back = if c.op == Op::RLock { "RUnlock" } else { "Unlock" };
                        c.op.takes()
                            && c.key != call.key
                            && !is_one(c.key, call.key)
                            && !is_one(call.key, c.key)
                            && c.op.counterpart() == back
                            && !gives_back(c.key, back)
                            && (c.op == Op::RLock) == (call.op == Op::RUnlock)
                    });
                    let unit = f.scope.unit_at(*span);
                    if let Some((lock, at)) = before.filter(|(l, _)| !is_hand_over_hand(case, f, unit, l.key)) {
                        let found =
                            out.found(id, *span, format!("`{}` is given back, but `{}` was taken", call.key, lock.key));
                        found.related.push((f.file, *at, "this one is taken and never given back".into()));
                    }
                }
            }
        }
    }
}
