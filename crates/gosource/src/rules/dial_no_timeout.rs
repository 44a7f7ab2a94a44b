//! A dial without a timeout. The page: `docs/rules/dial-no-timeout.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Call, Expr, ExprKind, StmtKind};
use crate::syntax::calls::Site;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, Function, Init, VarKind};

/// The rule.
pub(super) struct DialNoTimeout;

impl Rule for DialNoTimeout {
    const INFO: RuleInfo = RuleInfo {
        code: "dial-no-timeout",
        title: "a dial without a timeout",
        doc: include_str!("../../../../docs/rules/dial-no-timeout.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "the function takes no context and no time, and the operating system's own limit is minutes";
    const CURE: &'static str = "Use net.DialTimeout, or a net.Dialer with a Timeout and DialContext.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f, site) in case.all_sites() {
            let local = site.call.args.first().is_some_and(|a| matches!(a.kind, ExprKind::Lit(_, text) if text.contains("unix") || text.contains("udp") || text.starts_with("\"ip")));
            if local {
                continue;
            }
            let text = case.text(f, site.call.fun.span);
            match site.callee {
                Callee::Package("net", "Dial" | "DialTCP")
                | Callee::Package("crypto/tls", "Dial")
                | Callee::Package("net/rpc", "Dial" | "DialHTTP")
                | Callee::Package("net/smtp", "Dial" | "SendMail")
                | Callee::Package("net/rpc/jsonrpc", "Dial") => {
                    let named = site.call.args.len() > 1
                        && site.call.args.first().is_some_and(|a| matches!(a.kind, ExprKind::Lit(..)));
                    let found = out.found(
                        id,
                        site.expr.span,
                        format!("`{text}` waits as long as the operating system does for a peer that does not answer"),
                    );
                    // A network that a variable names may be one that does not wait.
                    let local = site.call.args.get(1).is_some_and(|a| {
                        let text = case.file(f).at(a.span);
                        ["localhost", "127.0.0.1", "[::1]"].iter().any(|w| text.contains(w))
                    }) || site.call.args.iter().any(|a| {
                        // The address of a listener of its own: `net.DialTCP("tcp", nil,
                        // l.Addr().(*net.TCPAddr))`.
                        let text = case.file(f).at(a.span);
                        text.split_once(".Addr()").is_some_and(|(of, _)| {
                            f.scope.vars.iter().any(|v| {
                                v.name == of
                                    && matches!(v.init, Init::Value(e, 0)
                                        if e.call().is_some_and(|c| case.file(f).at(c.fun.span).contains("Listen")))
                            })
                        })
                    });
                    if local {
                        found.level = Level::Hint;
                        found.why = Some("the peer is this machine, which answers or refuses at once".into());
                    }
                    if !named && matches!(site.callee, Callee::Package("net", "Dial")) {
                        found.level = Level::Hint;
                    }
                    if is_without_by_choice(case, f, site) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "it stands where no timeout was asked for: another branch dials with the one that is given"
                                .into(),
                        );
                    }
                }
                // Without WithBlock it does not wait at all; a context from outside may have an end.
                Callee::Package("google.golang.org/grpc", name @ ("Dial" | "DialContext"))
                    if option(case, f, site.call, "WithBlock")
                        && !option(case, f, site.call, "WithTimeout")
                        && (name == "Dial" || site.call.args.first().is_some_and(|a| endless(case, f, a))) =>
                {
                    out.found(
                        id,
                        site.expr.span,
                        format!("`{text}` with WithBlock waits for ever for a peer that does not answer"),
                    );
                }
                Callee::Method("crypto/tls", "Dialer", "Dial") if !has_net_dialer(case, f, site.expr) => {
                    out.found(
                        id,
                        site.expr.span,
                        format!("`{text}` of a dialer without a NetDialer waits as long as the operating system does"),
                    );
                }
                Callee::Method("net", "Dialer", "Dial") if !has_time(case, f, site.expr) => {
                    out.found(id, site.expr.span, format!("`{text}` of a dialer without Timeout or Deadline waits as long as the operating system does"));
                }
                _ => {}
            }
        }
    }
}

/// Whether a call stands in the `else` of an `if` that asks for a timeout and dials with it: `if timeout > 0
/// { c, err = net.DialTimeout(...) } else { ... }`.
fn is_without_by_choice<'a>(case: &Case<'a>, f: &'a Function<'a>, site: &Site<'a>) -> bool {
    let Some(u) = f.scope.units.get(site.unit) else { return false };
    let mut chosen = false;
    each_node(u.body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::If(i) = &s.kind
            && let Some(els) = &i.els
        {
            let text = |span| case.file(f).at(span).to_lowercase();
            chosen |= els.span.contains(site.expr.span)
                && text(i.cond.span).contains("timeout")
                && text(i.then.span).contains("timeout(");
        }
    });
    chosen
}

/// Whether an argument is what this function of grpc gives.
fn option<'a>(case: &Case<'a>, f: &Function<'a>, call: &Call<'a>, name: &str) -> bool {
    call.args
        .iter()
        .filter_map(Expr::call)
        .any(|c| matches!(case.pkg.callee(f, &c.fun), Callee::Package("google.golang.org/grpc", n) if n == name))
}

/// `context.Background()`, `context.TODO()`.
fn endless<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    e.call().is_some_and(|c| matches!(case.pkg.callee(f, &c.fun), Callee::Package("context", "Background" | "TODO")))
}

/// Whether a dialer of `crypto/tls`, made here as a literal, has one of `net` that it dials by, or may have.
fn has_net_dialer<'a>(case: &Case<'a>, f: &Function<'a>, e: &'a Expr<'a>) -> bool {
    let Some((x, _, _)) = e.method_call() else { return true };
    let made = match f.scope.var(x).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) {
        Some(Init::Value(made, 0)) => made,
        None => x,
        _ => return true,
    };
    let ExprKind::Composite(_, elements) = &made.unary("&").unwrap_or(made).kind else { return true };
    elements.iter().any(|(k, _)| k.as_ref().is_none_or(|k| k.ident() == Some("NetDialer")))
        || super::client_no_timeout::is_set_later(case, "NetDialer")
}

/// Whether the dialer, made here, has a time; one that comes from elsewhere may have.
fn has_time<'a>(case: &Case<'a>, f: &Function<'a>, e: &'a Expr<'a>) -> bool {
    let Some((x, _, _)) = e.method_call() else { return true };
    let made = match f.scope.var(x).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) {
        Some(Init::Value(made, 0)) => made,
        // `var d net.Dialer` has nothing.
        Some(Init::None)
            if f.scope.var(x).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| v.kind == VarKind::Local) =>
        {
            return super::client_no_timeout::is_set_later(case, "Timeout")
                || super::client_no_timeout::is_set_later(case, "Deadline");
        }
        None => x,
        _ => return true,
    };
    let made = made.unary("&").unwrap_or(made);
    let ExprKind::Composite(_, elements) = &made.kind else { return true };
    elements
        .iter()
        .any(|(k, _)| k.as_ref().is_some_and(|k| matches!(k.ident(), Some("Timeout" | "Deadline" | "Cancel"))))
        || super::client_no_timeout::is_set_later(case, "Timeout")
}
