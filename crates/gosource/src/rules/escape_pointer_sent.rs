//! A pointer that is sent on a channel. The page: `docs/rules/escape-pointer-sent.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::each_node;
use crate::syntax::Init;
use crate::syntax::ast::{Expr, ExprKind, StmtKind};
use crate::syntax::visit::Node;

/// The rule.
pub(super) struct EscapePointerSent;

impl Rule for EscapePointerSent {
    const INFO: RuleInfo = RuleInfo {
        code: "escape-pointer-sent",
        title: "a pointer that is sent on a channel",
        doc: include_str!("../../../../docs/rules/escape-pointer-sent.md"),
    };
    const LEVEL: Level = Level::Hint;
    const QUIET: bool = true;
    const WHY: &'static str = "nobody knows which goroutine receives it: what is sent by address lives on the heap";
    const CURE: &'static str = "Send the value, where it is small.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                each_node(u.body, |node| {
                    let Node::Stmt(s) = node else { return };
                    let StmtKind::Send(c, v) = &s.kind else { return };
                    let literal = matches!(&v.kind, ExprKind::Unary("&", x) if matches!(x.kind, ExprKind::Composite(..)) || f.scope.var(x.root().unwrap_or(x)).is_some());
                    let pointer = f.scope.var(v).is_some_and(|id| {
                        f.scope
                            .vars
                            .get(id)
                            .is_some_and(|var| matches!(var.init, Init::Value(e, 0) if makes_pointer(e)))
                    });
                    let with_pointers = matches!(&v.kind, ExprKind::Composite(_, elements) if elements.iter().any(|(_, e)| e.unary("&").is_some()));
                    if literal || pointer || with_pointers {
                        out.found(
                            id,
                            v.span,
                            format!(
                                "what `{}` points to goes to the heap: it is sent to `{}`",
                                case.text(f, v.span),
                                case.text(f, c.span)
                            ),
                        );
                    }
                });
            }
        }
    }
}

fn makes_pointer(e: &Expr<'_>) -> bool {
    match &e.kind {
        ExprKind::Unary("&", x) => matches!(x.kind, ExprKind::Composite(..)),
        ExprKind::Call(call) => call.fun.ident() == Some("new"),
        _ => false,
    }
}
