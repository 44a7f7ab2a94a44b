//! An HTTP server without timeouts. The page: `docs/rules/server-no-timeout.md`.

use super::client_no_timeout::At;
use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::syntax::Callee;
use crate::syntax::ast::{Expr, ExprKind, Type};

/// The rule.
pub(super) struct ServerNoTimeout;

impl Rule for ServerNoTimeout {
    const INFO: RuleInfo = RuleInfo {
        code: "server-no-timeout",
        title: "an HTTP server without timeouts",
        doc: include_str!("../../../../docs/rules/server-no-timeout.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "neither ReadTimeout nor ReadHeaderTimeout is given, and nothing in the package sets one";
    const CURE: &'static str = "Make an http.Server with ReadHeaderTimeout (and ReadTimeout, WriteTimeout, IdleTimeout where they fit) and call its ListenAndServe.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f, site) in case.all_sites() {
            if let Callee::Package("net/http", "ListenAndServe" | "ListenAndServeTLS" | "Serve" | "ServeTLS") =
                site.callee
            {
                let text = case.text(f, site.call.fun.span);
                let found = out.found(
                    id,
                    site.expr.span,
                    format!(
                        "`{text}` serves without any timeout: a client that sends nothing keeps a goroutine for ever"
                    ),
                );
                let local = site.call.args.first().is_some_and(|a| {
                    let text = case.file(f).at(a.span);
                    text.starts_with("\"localhost:") || text.starts_with("\"127.0.0.1:")
                });
                if local {
                    found.level = Level::Hint;
                    found.why = Some("only this machine can reach it".into());
                }
            }
        }
        let untimed = |e: &Expr<'_>| {
            matches!(&e.kind, ExprKind::Composite(Some(Type::Name { path: "net/http", name: "Server", .. }), elements)
                if !elements.iter().any(|(k, _)| k.as_ref().is_some_and(|k| matches!(k.ident(), Some("ReadTimeout" | "ReadHeaderTimeout")))))
        };
        const SENTENCE: &str = "this server has neither ReadTimeout nor ReadHeaderTimeout: a client that sends nothing keeps a goroutine for ever";
        for (at, span, holder) in super::client_no_timeout::composites(case, &untimed) {
            if super::client_no_timeout::is_set_on(case, holder, &["ReadTimeout", "ReadHeaderTimeout"])
                || super::client_no_timeout::is_given_to_options(case, holder)
            {
                continue;
            }
            match at {
                At::Function(id) => out.found(id, span, SENTENCE),
                At::File(file) => out.found_in_file(file, span, SENTENCE),
            };
        }
    }
}
