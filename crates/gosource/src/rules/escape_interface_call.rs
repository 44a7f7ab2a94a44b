//! An argument that escapes through an interface. The page: `docs/rules/escape-interface-call.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::syntax::Callee;
use crate::syntax::ast::{ExprKind, Type};

/// The rule.
pub(super) struct EscapeInterfaceCall;

impl Rule for EscapeInterfaceCall {
    const INFO: RuleInfo = RuleInfo {
        code: "escape-interface-call",
        title: "an argument that escapes through an interface",
        doc: include_str!("../../../../docs/rules/escape-interface-call.md"),
    };
    const LEVEL: Level = Level::Hint;
    const QUIET: bool = true;
    const WHY: &'static str = "what an interface calls is known when it runs: what it is given by address goes to the heap, unless the compiler finds the one type that it can be";
    const CURE: &'static str = "Keep the concrete type where the call is hot.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f, site) in case.all_sites() {
            let Callee::Method(path, of, name) = site.callee else { continue };
            if !is_interface(case, path, of) {
                continue;
            }
            let address = site.call.args.iter().find(|a| match &a.kind {
                ExprKind::Unary("&", x) => {
                    f.scope.var(x.root().unwrap_or(x)).is_some() || matches!(x.kind, ExprKind::Composite(..))
                }
                ExprKind::Slice(x, _) => {
                    f.scope.var(x).is_some_and(|v| matches!(case.pkg.type_of_var(f, v), Type::Array(_)))
                }
                _ => false,
            });
            if let Some(a) = address {
                out.found(
                    id,
                    a.span,
                    format!(
                        "`{}` goes to the heap: `{of}.{name}` is called through an interface",
                        case.text(f, a.span)
                    ),
                );
            }
        }
    }
}

fn is_interface(case: &Case<'_>, path: &str, of: &str) -> bool {
    match path {
        "" => case.pkg.types.get(of).is_some_and(|t| matches!(t.ty, Type::Interface(_))),
        "io" => matches!(
            of,
            "Reader"
                | "Writer"
                | "ReadCloser"
                | "WriteCloser"
                | "ReadWriter"
                | "ReaderAt"
                | "WriterAt"
                | "Closer"
                | "Seeker"
        ),
        "net" => matches!(of, "Conn" | "Listener" | "Addr" | "PacketConn"),
        "net/http" => matches!(of, "ResponseWriter" | "Handler" | "RoundTripper" | "Flusher"),
        "context" => of == "Context",
        "hash" => true,
        _ => false,
    }
}
