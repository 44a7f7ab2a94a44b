//! An append that outgrows its slice again and again. The page: `docs/rules/escape-append-growth.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::{each_node, loops_in};
use crate::syntax::ast::{ExprKind, StmtKind};
use crate::syntax::visit::Node;
use crate::syntax::{Init, VarKind};

/// The rule.
pub(super) struct EscapeAppendGrowth;

impl Rule for EscapeAppendGrowth {
    const INFO: RuleInfo = RuleInfo {
        code: "escape-append-growth",
        title: "an append that outgrows its slice again and again",
        doc: include_str!("../../../../docs/rules/escape-append-growth.md"),
    };
    const LEVEL: Level = Level::Hint;
    const QUIET: bool = true;
    const WHY: &'static str = "it stands in a loop and the slice began without a capacity; since Go 1.25 a small one may begin on the stack, its growth is on the heap all the same";
    const CURE: &'static str =
        "Give the slice a capacity, reuse one (s = s[:0]), or leave it if the profile does not show this line.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                for (_, _, l) in loops_in(u.body) {
                    each_node(&l.body, |node| {
                        let Node::Stmt(s) = node else { return };
                        let StmtKind::Assign("=", targets, values) = &s.kind else { return };
                        let ([target], [value]) = (targets.as_slice(), values.as_slice()) else { return };
                        let appends = value.call().is_some_and(|c| {
                            c.fun.ident() == Some("append")
                                && c.args
                                    .first()
                                    .is_some_and(|a| f.scope.var(a).is_some() && f.scope.var(a) == f.scope.var(target))
                        });
                        let begins_empty =
                            f.scope.var(target).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| match v.init {
                                Init::None => v.kind == VarKind::Local && !l.body.span.contains(v.span),
                                Init::Value(e, 0) => {
                                    !l.body.span.contains(v.span)
                                        && match &e.kind {
                                            ExprKind::Composite(_, elements) => elements.is_empty(),
                                            ExprKind::Call(c) => c.fun.ident() == Some("make") && c.args.len() == 2,
                                            _ => false,
                                        }
                                }
                                _ => false,
                            });
                        if appends
                            && begins_empty
                            && !out.reports.iter().any(|r| r.func == Some(id) && r.span == s.span)
                        {
                            out.found(
                                id,
                                s.span,
                                format!("`{}` grows on the heap each time that it is full", case.text(f, target.span)),
                            );
                        }
                    });
                }
            }
        }
    }
}
