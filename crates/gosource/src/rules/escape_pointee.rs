//! Values behind pointers in a container. The page: `docs/rules/escape-pointee.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::syntax::ast::{ExprKind, StmtKind, Type};
use crate::syntax::visit::{self, Node};

/// The rule.
pub(super) struct EscapePointee;

impl Rule for EscapePointee {
    const INFO: RuleInfo = RuleInfo {
        code: "escape-pointee",
        title: "values behind pointers in a container",
        doc: include_str!("../../../../docs/rules/escape-pointee.md"),
    };
    const LEVEL: Level = Level::Hint;
    const QUIET: bool = true;
    const WHY: &'static str =
        "each element is an object of its own on the heap, which the collector follows one by one";
    const CURE: &'static str =
        "Keep the values themselves: map[K]T, []T, where T is small and nobody needs its address.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            let Some(body) = &f.decl.body else { continue };
            visit::block(body, &mut |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign("=", l, r) = &s.kind
                    && let ([target], [value]) = (l.as_slice(), r.as_slice())
                    && let ExprKind::Index(x, _) = &target.kind
                    && matches!(&value.kind, ExprKind::Unary("&", v) if matches!(v.kind, ExprKind::Composite(..)))
                    && matches!(case.pkg.underlying(&case.pkg.type_of(f, x)), Type::Map(_, v) if matches!(*v, Type::Pointer(_)))
                {
                    out.found(
                        id,
                        value.span,
                        format!("each element of `{}` is an object of its own on the heap", case.text(f, x.span)),
                    );
                }
                true
            });
        }
    }
}
