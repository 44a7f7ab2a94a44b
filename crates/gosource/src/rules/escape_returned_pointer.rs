//! A pointer to a local that is returned. The page: `docs/rules/escape-returned-pointer.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::each_node;
use crate::syntax::ast::{ExprKind, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Init, VarKind};

/// The rule.
pub(super) struct EscapeReturnedPointer;

impl Rule for EscapeReturnedPointer {
    const INFO: RuleInfo = RuleInfo {
        code: "escape-returned-pointer",
        title: "a pointer to a local that is returned",
        doc: include_str!("../../../../docs/rules/escape-returned-pointer.md"),
    };
    const LEVEL: Level = Level::Hint;
    const QUIET: bool = true;
    const WHY: &'static str =
        "the local outlives the call, so it is made on the heap, unless the call is inlined where the pointer stays";
    const CURE: &'static str = "Return the value, where it is small and its callers do not share it.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                each_node(u.body, |node| {
                    let Node::Stmt(s) = node else { return };
                    let StmtKind::Return(list) = &s.kind else { return };
                    for e in list {
                        let local = |x| {
                            f.scope
                                .var(x)
                                .and_then(|v| f.scope.vars.get(v))
                                .filter(|v| v.unit == unit && v.kind != VarKind::Receiver)
                        };
                        let escapes = match &e.kind {
                            ExprKind::Unary("&", x) => matches!(x.kind, ExprKind::Composite(..)) || local(x).is_some_and(|v| v.kind == VarKind::Local || !matches!(v.ty, Some(Type::Pointer(_)))),
                            ExprKind::Call(c) => c.fun.ident() == Some("new"),
                            ExprKind::Ident(_) => local(e).is_some_and(|v| matches!(v.init, Init::Value(made, 0) if matches!(&made.kind, ExprKind::Unary("&", x) if matches!(x.kind, ExprKind::Composite(..))) || made.call().is_some_and(|c| c.fun.ident() == Some("new")))),
                            _ => false,
                        };
                        if escapes {
                            out.found(
                                id,
                                e.span,
                                format!("what `{}` points to goes to the heap: it is returned", case.text(f, e.span)),
                            );
                        }
                    }
                });
            }
        }
    }
}
