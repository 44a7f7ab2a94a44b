//! A small value that is handed on by its address. The page: `docs/rules/escape-pointer-parameter.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::syntax::ast::{Expr, StmtKind, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Function, VarId};

/// The rule.
pub(super) struct EscapePointerParameter;

impl Rule for EscapePointerParameter {
    const INFO: RuleInfo = RuleInfo {
        code: "escape-pointer-parameter",
        title: "a small value that is handed on by its address",
        doc: include_str!("../../../../docs/rules/escape-pointer-parameter.md"),
    };
    const LEVEL: Level = Level::Hint;
    const QUIET: bool = true;
    const WHY: &'static str =
        "the function only reads it, and it is small: a copy costs less than an object on the heap, if it goes there";
    const CURE: &'static str = "Take the value: func f(p Point), not func f(p *Point).";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for p in &f.decl.sig.params {
                let (Some(name), Type::Pointer(to)) = (p.name, &p.ty) else { continue };
                let Some(("", of)) = to.name() else { continue };
                if !is_small(case, to) || name.name == "_" {
                    continue;
                }
                let Some(var) = f.scope.vars.iter().position(|v| v.span == name.span) else { continue };
                if only_read(f, var) {
                    out.found(
                        id,
                        name.span,
                        format!("`{}` points to a `{of}` of a few words that is only read here", name.name),
                    );
                }
            }
        }
    }
}

/// At most four fields, all of them numbers, strings or flags.
fn is_small<'a>(case: &Case<'a>, ty: &Type<'a>) -> bool {
    match case.pkg.underlying(ty) {
        Type::Struct(fields) => {
            let plain = |t: &Type<'a>| matches!(case.pkg.underlying(t), Type::Name { path: "", name, .. } if matches!(name, "int" | "int64" | "int32" | "uint" | "uint64" | "uint32" | "bool" | "byte" | "float64" | "float32" | "string" | "int8" | "uint8" | "rune"));
            (1..=4).contains(&fields.len()) && fields.iter().all(|f| !f.embedded && plain(&f.ty))
        }
        _ => false,
    }
}

/// Whether all that is done with it is reading its fields, and something is.
fn only_read(f: &Function<'_>, var: VarId) -> bool {
    let Some(v) = f.scope.vars.get(var) else { return false };
    if !v.assigned.is_empty() || !v.captured_by.is_empty() || v.address_taken {
        return false;
    }
    let (mut reads, mut all, mut writes) = (0, 0, false);
    if let Some(body) = &f.decl.body {
        visit::block(body, &mut |node| {
            match node {
                Node::Stmt(s) => {
                    let targets: &[Expr<'_>] = match &s.kind {
                        StmtKind::Assign(_, l, _) => l,
                        StmtKind::IncDec(e, _) => std::slice::from_ref(e),
                        _ => &[],
                    };
                    writes |= targets.iter().any(|t| t.root().is_some_and(|r| f.scope.var(r) == Some(var)));
                }
                Node::Expr(e) => {
                    // A method may have a pointer for its receiver.
                    writes |= e.method_call().is_some_and(|(x, ..)| f.scope.var(x) == Some(var));
                    writes |= e.unary("&").is_some_and(|x| x.root().is_some_and(|r| f.scope.var(r) == Some(var)));
                    reads += usize::from(e.selector().is_some_and(|(x, _)| f.scope.var(x) == Some(var)));
                    all += usize::from(f.scope.var(e) == Some(var));
                }
            }
            true
        });
    }
    reads > 0 && reads == all && !writes
}
