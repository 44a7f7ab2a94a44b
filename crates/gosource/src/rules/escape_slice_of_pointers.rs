//! A slice of pointers. The page: `docs/rules/escape-slice-of-pointers.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::syntax::ast::{ExprKind, Type};
use crate::syntax::visit::{self, Node};

/// The rule.
pub(super) struct EscapeSliceOfPointers;

impl Rule for EscapeSliceOfPointers {
    const INFO: RuleInfo = RuleInfo {
        code: "escape-slice-of-pointers",
        title: "a slice of pointers",
        doc: include_str!("../../../../docs/rules/escape-slice-of-pointers.md"),
    };
    const LEVEL: Level = Level::Hint;
    const QUIET: bool = true;
    const WHY: &'static str = "what its elements point to lives on the heap, whatever becomes of the slice itself";
    const CURE: &'static str = "Keep the values themselves ([]T), where T is small.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            let Some(body) = &f.decl.body else { continue };
            visit::block(body, &mut |node| {
                let Node::Expr(e) = node else { return true };
                match &e.kind {
                    ExprKind::Composite(Some(Type::Slice(of)), elements) => {
                        let addresses = elements
                            .iter()
                            .any(|(_, v)| v.unary("&").is_some() || matches!(v.kind, ExprKind::Composite(None, _)));
                        if matches!(**of, Type::Pointer(_)) && addresses {
                            out.found(
                                id,
                                e.span,
                                "each element of this slice of pointers is an object of its own on the heap",
                            );
                        }
                    }
                    ExprKind::Call(call) if call.fun.ident() == Some("append") => {
                        let pointers = call.args.first().is_some_and(|a| matches!(case.pkg.underlying(&case.pkg.type_of(f, a)), Type::Slice(of) if matches!(*of, Type::Pointer(_))));
                        if let Some(a) = call.args.iter().skip(1).find(|a| pointers && a.unary("&").is_some()) {
                            out.found(
                                id,
                                a.span,
                                format!(
                                    "`{}` is an object of its own on the heap: it is kept in a slice of pointers",
                                    case.text(f, a.span)
                                ),
                            );
                        }
                    }
                    _ => {}
                }
                true
            });
        }
    }
}
