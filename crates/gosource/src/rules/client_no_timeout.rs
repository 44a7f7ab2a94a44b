//! An HTTP client without a timeout. The page: `docs/rules/client-no-timeout.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::syntax::Callee;
use crate::syntax::ast::{Expr, ExprKind, StmtKind, Type};
use crate::syntax::visit::{self, Node};

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
        for (id, f) in case.funcs() {
            let Some(body) = &f.decl.body else { continue };
            visit::block(body, &mut |node| {
                if let Node::Expr(e) = node
                    && let ExprKind::Composite(Some(ty), elements) = &e.kind
                    && matches!(ty, Type::Name { path: "net/http", name: "Client", .. })
                    && !elements
                        .iter()
                        .any(|(k, v)| k.as_ref().is_some_and(|k| k.ident() == Some("Timeout")) && !is_zero(v))
                    && !contexts
                    && !is_set_later(case, "Timeout")
                {
                    out.found(id, e.span, "this client has no Timeout, and no request in the package has a context: an answer that never comes is waited for for ever");
                }
                true
            });
        }
    }
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
