//! An HTTP client without a timeout. The page: `docs/rules/client-no-timeout.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::project::FileKind;
use crate::syntax::ast::{Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId};

/// The rule.
pub(super) struct ClientNoTimeout;

impl Rule for ClientNoTimeout {
    const INFO: RuleInfo = RuleInfo {
        code: "client-no-timeout",
        title: "an HTTP client without a timeout",
        doc: include_str!("../../../../docs/rules/client-no-timeout.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "nothing in the package sets a timeout on it or gives its requests a context";
    const CURE: &'static str = "Give the client a Timeout, or each request a context with a deadline.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let contexts =
            case.pkg.files.iter().any(|f| f.text.contains("NewRequestWithContext") || f.text.contains(".WithContext("));
        for (id, f, site) in case.all_sites() {
            let text = case.text(f, site.call.fun.span);
            match site.callee {
                Callee::Package("net/http", "Get" | "Post" | "PostForm" | "Head") => {
                    out.found(
                        id,
                        site.expr.span,
                        format!("`{text}` uses the default client, which waits for an answer for ever"),
                    );
                }
                Callee::Method("net/http", "Client", "Get" | "Post" | "PostForm" | "Head" | "Do") => {
                    let default = site.call.fun.selector().and_then(|(x, _)| x.selector()).is_some_and(|(p, name)| {
                        name == "DefaultClient" && case.pkg.package_named(f, p) == Some("net/http")
                    });
                    let is_do = text.ends_with(".Do");
                    if default && !(is_do && contexts) {
                        out.found(
                            id,
                            site.expr.span,
                            format!("`{text}` uses the default client, which waits for an answer for ever"),
                        );
                    }
                }
                _ => {}
            }
        }
        if contexts || is_set_later(case, "Timeout") {
            return;
        }
        let untimed = |e: &Expr<'_>| {
            matches!(&e.kind, ExprKind::Composite(Some(Type::Name { path: "net/http", name: "Client", .. }), elements)
                if !elements.iter().any(|(k, v)| k.as_ref().is_some_and(|k| k.ident() == Some("Timeout")) && !is_zero(v)))
        };
        const SENTENCE: &str = "this client has no Timeout, and no request in the package has a context: an answer that never comes is waited for for ever";
        for (at, span) in composites(case, &untimed) {
            match at {
                At::Function(id) => out.found(id, span, SENTENCE),
                At::File(file) => out.found_in_file(file, span, SENTENCE),
            };
        }
    }
}

/// Where an expression stands.
pub(super) enum At {
    /// In a function.
    Function(FnId),
    /// At package level, in this file.
    File(usize),
}

/// Expressions of the package for which this holds, in functions and in the values of package variables.
pub(super) fn composites(case: &Case<'_>, is: &dyn Fn(&Expr<'_>) -> bool) -> Vec<(At, Span)> {
    let mut out = Vec::new();
    for (id, f) in case.funcs() {
        let Some(body) = &f.decl.body else { continue };
        visit::block(body, &mut |node| {
            if let Node::Expr(e) = node
                && is(e)
            {
                out.push((At::Function(id), e.span));
            }
            true
        });
    }
    for (n, file) in case.pkg.files.iter().enumerate().filter(|(_, f)| f.kind != FileKind::Generated) {
        for value in file.ast.vars.iter().flat_map(|v| &v.values) {
            visit::expr(value, &mut |node| {
                if let Node::Expr(e) = node
                    && is(e)
                {
                    out.push((At::File(n), e.span));
                }
                true
            });
        }
    }
    out
}

fn is_zero(e: &Expr<'_>) -> bool {
    matches!(e.kind, ExprKind::Lit(_, "0"))
}

/// Whether the package assigns a field of this name.
pub(super) fn is_set_later(case: &Case<'_>, field: &str) -> bool {
    case.pkg.funcs.iter().any(|f| {
        let mut found = false;
        if let Some(body) = &f.decl.body {
            visit::block(body, &mut |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign("=", l, _) = &s.kind
                {
                    found |= l.iter().any(|t| t.selector().is_some_and(|(_, name)| name == field));
                }
                !found
            });
        }
        found
    })
}
