//! A response whose body is not closed on some path. The page: `docs/rules/body-not-closed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::resources::{Kind, leaks};
use crate::syntax::ast::Type;
use crate::syntax::ast::{Expr, ExprKind, Span};
use crate::syntax::{Callee, Function, Init};

/// The rule.
pub(super) struct BodyNotClosed;

impl Rule for BodyNotClosed {
    const INFO: RuleInfo = RuleInfo {
        code: "body-not-closed",
        title: "a response whose body is not closed on some path",
        doc: include_str!("../../../../docs/rules/body-not-closed.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "every path from the call was followed; on those named nothing closes it and nobody is given it";
    const CURE: &'static str = "defer its Close right after the error was looked at.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let kind = Kind { field: Some("Body"), ended_by: None, failed_by: None, opens };
        for (id, f) in case.funcs() {
            for leak in leaks(case, id, f, &kind) {
                let opened = case.text(f, leak.open.call().map_or(leak.open.span, |c| c.fun.span));
                let sentence = match leak.name {
                    None => format!("the body of the response that `{opened}` gives is thrown away and never closed"),
                    Some(name) if leak.closed_elsewhere => {
                        format!("the body of the response in `{name}` is not closed on every path")
                    }
                    Some(name) => format!("the body of the response in `{name}` is never closed"),
                };
                let found = out.found(id, leak.open.span, sentence);
                if !is_raw(case, f, leak.open, MAX_CALLS) {
                    found.level = Level::Hint;
                    found.why = Some(
                        "whether what gives the response has read its body and closed it is not seen here: many a call that decodes the answer does"
                            .into(),
                    );
                }
                if asks_for_no_body(case, f, leak.open) {
                    found.level = Level::Hint;
                    found.why = Some("what answers a HEAD has no body: there is nothing to close".into());
                }
                let name = leak.name.unwrap_or_default();
                if leak.closed_elsewhere && leak.exits.iter().all(|at| has_failed_to_read(case.file(f).text, *at, name))
                {
                    found.level = Level::Hint;
                    found.why = Some(
                        "it stays open only where reading it has failed, and what cannot be read any more has let go of its connection"
                            .into(),
                    );
                }
                if leak.closed_elsewhere && is_read_whole_before(case, f, leak.open.span, &leak.exits, name) {
                    found.level = Level::Hint;
                    found.why =
                        Some("where it stays open it has been read to its end, which gives the connection back".into());
                }
                for exit in leak.exits.into_iter().take(3) {
                    found.related.push((f.file, exit, "still open where this path ends".into()));
                }
            }
        }
    }
}

/// Whether a response is of a request that the function made with the method HEAD, by a function that makes
/// requests whosever it is: `d.newRequest(ctx, "HEAD", url)`.
fn asks_for_no_body<'a>(case: &Case<'a>, f: &Function<'a>, open: &Expr<'a>) -> bool {
    let Some(call) = open.call() else { return false };
    // `http.Head(url)`, `client.Head(url)`: what is looked at gives a response.
    if last_name(&call.fun) == "Head" && !matches!(case.pkg.callee(f, &call.fun), Callee::Local(_)) {
        return true;
    }
    let is_head = |e: &Expr<'a>| matches!(case.file(f).at(e.span), "\"HEAD\"" | "http.MethodHead");
    // `s.request(ctx, "HEAD", key)`, of a function that makes the request.
    if call.args.iter().any(is_head) {
        return true;
    }
    let request = call.args.iter().filter_map(|a| f.scope.var(a)).filter_map(|v| f.scope.vars.get(v));
    request.filter(|v| v.assigned.is_empty()).any(|v| {
        let Init::Value(made, 0) = v.init else { return false };
        let made = made.unary("&").unwrap_or(made);
        if let ExprKind::Composite(_, elements) = &made.kind {
            return elements.iter().any(|(k, v)| k.as_ref().and_then(Expr::ident) == Some("Method") && is_head(v));
        }
        made.call().is_some_and(|c| last_name(&c.fun).to_lowercase().contains("req") && c.args.iter().any(is_head))
    })
}

/// Whether a path ends right behind a read of the whole body that has failed: `b, err :=
/// io.ReadAll(resp.Body)`, and then the return in `if err != nil`.
fn has_failed_to_read(text: &str, exit: Span, name: &str) -> bool {
    let before = text.get(..exit.start as usize).unwrap_or_default();
    let mut lines = before.lines().rev().map(str::trim).skip_while(|l| l.is_empty());
    let Some(test) = lines.next().filter(|l| l.starts_with("if ") && l.contains("err") && l.contains("!= nil")) else {
        return false;
    };
    let reads = |l: &str| {
        l.contains(&format!("ReadAll({name}.Body)"))
            || l.contains(&format!("io.Discard, {name}.Body)"))
            || l.contains(&format!("ioutil.Discard, {name}.Body)"))
    };
    reads(test) || lines.next().is_some_and(reads)
}

/// Whether the whole body is read, on the level of the function or of the loop that the request stands in,
/// before every place where a path ends with it open.
fn is_read_whole_before<'a>(case: &Case<'a>, f: &Function<'a>, open: Span, exits: &[Span], name: &str) -> bool {
    let text = case.file(f).text;
    let first = exits.iter().map(|e| e.start).min().unwrap_or_default();
    let between = text.get(open.end as usize..first as usize).unwrap_or_default();
    // As deep as the request: what stands under a condition may not have been read.
    let indent = |at: usize| {
        let line = text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
        text.get(line..at).unwrap_or_default().chars().take_while(|c| c.is_whitespace()).count()
    };
    let depth = indent(open.start as usize);
    between.match_indices(&format!("ReadAll({name}.Body)")).any(|(at, _)| {
        let at = open.end as usize + at;
        indent(at) == depth && !text.get(..at).unwrap_or_default().ends_with("if ")
    })
}

/// Calls of this package that a response is followed through.
const MAX_CALLS: u32 = 3;

/// Whether a response comes, through functions of this package that are seen whole, from `net/http` itself:
/// its body is open then. A client of another module as a rule gives back a response whose body it has
/// decoded.
fn is_raw<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>, calls: u32) -> bool {
    let Some(call) = e.call() else { return false };
    match case.pkg.callee(f, &call.fun) {
        // An interface of whatever package that a client of `net/http` meets.
        Callee::Package("net/http", _)
        | Callee::Method("net/http", _, _)
        | Callee::Method(_, _, "Do" | "RoundTrip")
        | Callee::Method("", _, "Get" | "Head" | "Post" | "PostForm") => true,
        Callee::Variable(_) | Callee::Field(_) => true,
        Callee::Local(id) => {
            let Some((steps, g)) = calls.checked_sub(1).zip(case.pkg.funcs.get(id)) else { return false };
            let closes = case.sites(id).iter().any(|s| {
                let of = s.call.fun.selector();
                of.is_some_and(|(x, name)| name == "Close" && x.selector().is_some_and(|(_, field)| field == "Body"))
            });
            !closes && case.sites(id).iter().any(|s| opens(case, g, s.expr) && is_raw(case, g, s.expr, steps))
        }
        _ => false,
    }
}

fn opens<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    let Some(call) = e.call() else { return false };
    // The server's side: what is read there closes with the request.
    if matches!(case.pkg.callee(f, &call.fun), Callee::Package("net/http", "ReadResponse") | Callee::Builtin(_)) {
        return false;
    }
    matches!(case.pkg.type_of(f, e), Type::Tuple(t) if t.first().is_some_and(|t| t.is("net/http", "Response")))
}

#[cfg(test)]
mod tests {
    use crate::check_text;
    use crate::finding::Level;

    fn levels(body: &str) -> Vec<Level> {
        let text = format!(
            "package a\nimport (\"context\"; \"net/http\")\ntype d struct {{ client *http.Client }}\n\
             func (d *d) newRequest(ctx context.Context, method, url string) (*http.Request, error) {{\n\
             return http.NewRequestWithContext(ctx, method, url, nil) }}\n\
             func (d *d) length(ctx context.Context, url string) (int64, error) {{\n{body}\n\
             if err != nil {{ return 0, err }}\nreturn resp.ContentLength, nil }}\n"
        );
        let found = check_text("a.go", &text, None).findings.into_iter();
        found.filter(|f| f.code == "body-not-closed").map(|f| f.level).collect()
    }

    #[test]
    fn what_answers_a_head_has_no_body() {
        for made in [
            "req, _ := d.newRequest(ctx, \"HEAD\", url)",
            "req, _ := http.NewRequest(http.MethodHead, url, nil)",
            "req := &http.Request{Method: http.MethodHead}",
        ] {
            let own = format!("{made}\nresp, err := d.client.Do(req)");
            assert_eq!(levels(&own), [Level::Hint], "{made}");
            let later = format!(
                "{made}\nvar resp *http.Response\nvar err error\n\
                 for i := 0; i < 3; i++ {{\nresp, err = d.client.Do(req)\nif err == nil {{ break }}\n}}"
            );
            assert!(levels(&later).iter().all(|l| *l == Level::Hint), "{made}");
        }
        assert_eq!(levels("resp, err := d.client.Head(url)"), [Level::Hint]);
        assert_eq!(levels("resp, err := http.Head(url)"), [Level::Hint]);
    }

    #[test]
    fn what_answers_another_method_has_one() {
        let get = "req, _ := d.newRequest(ctx, \"GET\", url)\nresp, err := d.client.Do(req)";
        assert_eq!(levels(get), [Level::Warning]);
        let again = "req, _ := d.newRequest(ctx, \"HEAD\", url)\nreq, _ = d.newRequest(ctx, \"GET\", url)\n\
                     resp, err := d.client.Do(req)";
        assert_eq!(levels(again), [Level::Warning]);
    }
}
