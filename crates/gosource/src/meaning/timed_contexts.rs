//! Contexts with a time of their own, by what makes them and by who hands them on.

use crate::meaning::case::Case;
use crate::meaning::channels::last_name;
use crate::syntax::ast::{Expr, Span};
use crate::syntax::{Callee, Function, VarKind};

/// Why a context that is waited with has a time: the function has made it so before, or all its callers in
/// the package have.
pub(crate) fn has_a_time<'a>(
    case: &Case<'a>,
    f: &Function<'a>,
    argument: &Expr<'a>,
    wait: Span,
) -> Option<&'static str> {
    if is_given_a_time(case, f, argument, wait) {
        return Some("the context has a time that the function itself has set: it is waited for no longer than that");
    }
    comes_with_a_time(case, f, argument).then_some(
        "all that call this function in the package give it a context with a time: it is waited for no longer",
    )
}

/// Whether the function has given a context a time before: `ctx, cancel := context.WithTimeout(ctx, t)`, or
/// by a function that does so.
fn is_given_a_time<'a>(case: &Case<'a>, f: &Function<'a>, argument: &Expr<'a>, wait: Span) -> bool {
    let Some(name) = argument.ident() else { return false };
    let text = case.file(f).text.get(f.decl.span.start as usize..wait.start as usize).unwrap_or_default();
    let given = format!("{name}, ");
    // The last that it was given counts.
    let last = text.lines().map(str::trim_start).rfind(|l| l.starts_with(&given) && l.contains('='));
    let Some((_, value)) = last.and_then(|l| l.split_once('=')) else { return false };
    let called = value.trim().split('(').next().unwrap_or_default();
    match called {
        "context.WithTimeout" | "context.WithDeadline" | "context.WithTimeoutCause" | "context.WithDeadlineCause" => {
            true
        }
        _ => value.contains('(') && makes_a_time(case, called.rsplit('.').next().unwrap_or_default()),
    }
}

/// Whether a function makes contexts with a time: by its text where functions of that name in this package
/// give a context, each of them, else by its name.
fn makes_a_time(case: &Case<'_>, name: &str) -> bool {
    let gives = |g: &&Function<'_>| {
        g.decl.name.name == name && g.decl.sig.results.first().is_some_and(|r| r.ty.is("context", "Context"))
    };
    let mut own = case.pkg.funcs.iter().filter(gives).peekable();
    if own.peek().is_none() {
        return says_a_time(name);
    }
    own.all(|g| {
        let text = case.file(g).at(g.decl.span);
        // A helper that asks one of another package says so by its name.
        text.contains("context.WithTimeout") || text.contains("context.WithDeadline") || says_a_time(name)
    })
}

/// `contextWithTimeout`, `timeoutContext`, `withDeadline`; not `withoutTimeout`.
fn says_a_time(name: &str) -> bool {
    let lower = name.to_lowercase();
    let denied = ["without", "notimeout", "nodeadline", "cleartimeout", "detach"].iter().any(|w| lower.contains(w));
    !denied
        && ["timeout", "deadline"].iter().any(|w| lower.contains(w))
        && ["context", "ctx", "with"].iter().any(|w| lower.contains(w))
}

/// Whether a context is a parameter of a function that only this package can call, each call of it by its
/// name gives one with a time, and nothing takes the function as a value.
fn comes_with_a_time<'a>(case: &Case<'a>, f: &Function<'a>, argument: &Expr<'a>) -> bool {
    let name = f.decl.name.name;
    let var = f.scope.var(argument).and_then(|v| f.scope.vars.get(v));
    if name.starts_with(char::is_uppercase)
        || !var.is_some_and(|v| v.kind == VarKind::Param && v.unit == 0 && v.assigned.is_empty())
    {
        return false;
    }
    let is_it = |p: &crate::syntax::ast::Param<'_>| p.name.is_some_and(|n| Some(n.name) == argument.ident());
    let Some(n) = f.decl.sig.params.iter().position(is_it) else { return false };
    let Some(id) = case.pkg.funcs.iter().position(|g| std::ptr::eq(g, f)) else { return false };
    let as_value = case.pkg.files.iter().any(|file| is_named_alone(file.text, name));
    let mut sites = case.all_sites().filter(|(_, _, s)| last_name(&s.call.fun) == name).peekable();
    !as_value
        && sites.peek().is_some()
        && sites.all(|(_, g, s)| {
            s.callee == Callee::Local(id)
                && s.call.args.get(n).is_some_and(|a| is_given_a_time(case, g, a, s.expr.span))
        })
}

/// Whether a word stands somewhere in the code of a text with no call behind it; comments do not count.
fn is_named_alone(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.lines().map(|l| l.split("//").next().unwrap_or_default()).any(|line| {
        line.match_indices(name).any(|(at, _)| {
            let before = line.get(..at).and_then(|t| t.chars().next_back());
            let after = line.get(at + name.len()..).and_then(|t| t.chars().next());
            !before.is_some_and(part) && !after.is_some_and(part) && after != Some('(')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::says_a_time;
    use crate::check_text;
    use crate::finding::Level;

    #[test]
    fn names_that_say_a_time() {
        for name in ["contextWithTimeout", "withTimeout", "ctxWithDeadline", "timeoutContext"] {
            assert!(says_a_time(name), "{name}");
        }
        for name in ["contextWithoutTimeout", "noTimeoutContext", "timeout", "newContext", "withValue"] {
            assert!(!says_a_time(name), "{name}");
        }
    }

    /// Levels of what is said of the lock that is held while a peer is asked.
    fn levels(body: &str) -> Vec<Level> {
        let text = format!(
            "package a\nimport (\"context\"; \"sync\"; \"time\"; clientv3 \"go.etcd.io/etcd/client/v3\")\n\
             type c struct {{ mu sync.Mutex; kapi clientv3.Client; timeout time.Duration; n int }}\n\
             func (c *c) Count(ctx context.Context) int {{ c.mu.Lock(); defer c.mu.Unlock(); c.n++; return c.n }}\n\
             func (c *c) Reset(ctx context.Context) {{ c.mu.Lock(); defer c.mu.Unlock(); c.n = 0 }}\n{body}\n"
        );
        let found = check_text("a.go", &text, None).findings.into_iter();
        found.filter(|f| f.code == "lock-held-across-wait").map(|f| f.level).collect()
    }

    const PUT: &str = "c.mu.Lock()\ndefer c.mu.Unlock()\n_, err := c.kapi.Put(ctx, \"k\", \"v\")\nreturn err }\n";

    #[test]
    fn a_method_that_gives_a_context_with_a_time_bounds_the_wait() {
        let made = |of: &str, helper: &str| {
            levels(&format!(
                "func (c *c) Update(_ context.Context) error {{\nctx, cancel := c.{of}()\ndefer cancel()\n{PUT}{helper}"
            ))
        };
        let helper = |name: &str, gives: &str| {
            format!("func (c *c) {name}() (context.Context, context.CancelFunc) {{ return {gives} }}\n")
        };
        let timed = "context.WithTimeout(context.Background(), c.timeout)";
        assert_eq!(made("limited", &helper("limited", timed)), [Level::Hint]);
        assert_eq!(made("limited", &helper("limited", "context.WithCancel(context.Background())")), [Level::Warning]);
        assert_eq!(made("contextWithTimeout", ""), [Level::Hint]);
        assert_eq!(made("contextWithoutTimeout", ""), [Level::Warning]);
    }

    #[test]
    fn callers_that_all_give_a_context_with_a_time_bound_the_wait() {
        let timed = "func (c *c) Update(ctx context.Context) error {\nctx, cancel := context.WithTimeout(ctx, c.timeout)\n\
             defer cancel()\nreturn c.put(ctx) }\n";
        let put = format!("func (c *c) put(ctx context.Context) error {{\n{PUT}");
        assert_eq!(levels(&format!("{timed}{put}")), [Level::Hint]);
        let other = "func (c *c) Again(ctx context.Context) error { return c.put(ctx) }\n";
        assert!(levels(&format!("{timed}{other}{put}")).contains(&Level::Warning));
        let handed = "func (c *c) Later() func(context.Context) error { return c.put }\n";
        assert!(levels(&format!("{timed}{handed}{put}")).contains(&Level::Warning));
    }
}
