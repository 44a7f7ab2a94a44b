//! Servers that users do not reach, by the name of their address or by what runs them.

use crate::meaning::case::Case;
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Expr, ExprKind, Signature, Span};
use crate::syntax::{FnId, Function, Init};

/// A field of the literal of a struct that stands at a place of a function.
pub(crate) fn field_of_literal<'a>(f: &'a Function<'a>, span: Span, field: &str) -> Option<&'a Expr<'a>> {
    let mut found = None;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let crate::syntax::visit::Node::Expr(e) = node
                && let ExprKind::Composite(_, elements) = &e.kind
                && e.span == span
            {
                found = elements.iter().find(|(k, _)| k.as_ref().and_then(Expr::ident) == Some(field)).map(|(_, v)| v);
            }
        });
    }
    found
}

/// Whether an address, or what the variable in it was made of, is named after what only who runs the service
/// asks for: `c.String("healthcheck-addr")`, `cfg.Metrics.Listen`, `adminAddr`.
pub(crate) fn is_for_operators<'a>(case: &Case<'a>, f: &Function<'a>, address: &Expr<'a>) -> bool {
    let made = f.scope.var(address).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
    let says = |e: &Expr<'a>| names_operators(case.file(f).at(e.span));
    says(address) || matches!(made, Some(Init::Value(e, _)) if says(e))
}

/// Whether a word of a text is one of theirs; `administration` and `profile` are none.
fn names_operators(text: &str) -> bool {
    const WORDS: &[&str] = &["health", "healthz", "healthcheck", "metric", "metrics", "debug", "admin", "pprof"];
    words(text).iter().any(|w| WORDS.contains(&w.as_str()))
}

/// The words of names in a text, in lower case: `healthCheckAddr` has three.
fn words(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() && lower {
            out.push(String::new());
        }
        lower = c.is_lowercase();
        if let Some(word) = out.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    out
}

/// Whether a handler serves files and nothing else, in a command of a command line: somebody runs that by
/// hand to look at what the tool has made.
pub(crate) fn serves_files_of_a_tool<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    at: Span,
    handler: &Expr<'a>,
) -> bool {
    let files = |e: &Expr<'a>| {
        let text = case.file(f).at(e.span);
        ["http.FileServer(", "http.FileServerFS("].iter().any(|w| text.starts_with(w))
            || text.starts_with("http.StripPrefix(") && text.contains(", http.FileServer")
    };
    let made = f.scope.var(handler).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
    let only = files(handler) || matches!(made, Some(Init::Value(e, 0)) if files(e));
    let unit = case.sites(id).iter().find(|s| s.expr.span.contains(at)).map_or(0, |s| s.unit);
    only && [unit, 0].iter().filter_map(|u| f.scope.units.get(*u)).any(|u| is_command(u.sig))
}

/// `func serve(cmd *commander.Command, args []string) error`, `func(c *cli.Context) error`.
fn is_command(sig: &Signature<'_>) -> bool {
    sig.params.iter().any(|p| match p.ty.pointee().name() {
        Some((_, "Command")) => true,
        Some((path, "Context")) => path.split('/').any(|part| part == "cli"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::names_operators;
    use crate::check_text;
    use crate::finding::Level;

    #[test]
    fn names_of_addresses_for_who_runs_the_service() {
        for text in ["c.String(\"healthcheck-addr\")", "cfg.Metrics.Listen", "adminAddr", "DEBUG_ADDR", "o.healthAddr"]
        {
            assert!(names_operators(text), "{text}");
        }
        for text in ["cfg.Addr", "administrationURL", "profileAddr", "\":8080\"", "o.HTTP.Listen"] {
            assert!(!names_operators(text), "{text}");
        }
    }

    fn levels(body: &str) -> Vec<Level> {
        let text = format!(
            "package a\nimport (\"net/http\"; \"github.com/smira/commander\"; \"github.com/urfave/cli/v3\")\n{body}\n"
        );
        let found = check_text("a.go", &text, None).findings.into_iter();
        found.filter(|f| f.code == "server-no-timeout").map(|f| f.level).collect()
    }

    #[test]
    fn an_address_named_after_health_is_for_who_runs_the_service() {
        let server = |addr: &str| {
            levels(&format!(
                "func run(c *cli.Command, h http.Handler) error {{\n\
                 s := &http.Server{{Addr: {addr}, Handler: h}}\nreturn s.ListenAndServe() }}"
            ))
        };
        assert_eq!(server("c.String(\"healthcheck-addr\")"), [Level::Hint]);
        assert_eq!(server("c.String(\"server-addr\")"), [Level::Warning]);
        let plain = |addr: &str| {
            levels(&format!(
                "func run(c *cli.Command, h http.Handler) error {{\n\
             addr := {addr}\nreturn http.ListenAndServe(addr, h) }}"
            ))
        };
        assert_eq!(plain("c.String(\"metrics-addr\")"), [Level::Hint]);
        assert_eq!(plain("c.String(\"addr\")"), [Level::Warning]);
    }

    #[test]
    fn a_command_that_serves_files_and_nothing_else_is_run_by_hand() {
        let run = |takes: &str, handler: &str| {
            levels(&format!(
                "func serve({takes}, args []string) error {{\n\
                 mux := http.NewServeMux()\nmux.Handle(\"/\", http.FileServer(http.Dir(\"a\")))\n\
                 return http.ListenAndServe(args[0], {handler}) }}"
            ))
        };
        assert_eq!(run("cmd *commander.Command", "http.FileServer(http.Dir(\"public\"))"), [Level::Hint]);
        assert_eq!(run("cmd *commander.Command", "mux"), [Level::Warning]);
        assert_eq!(run("name string", "http.FileServer(http.Dir(\"public\"))"), [Level::Warning]);
    }
}
