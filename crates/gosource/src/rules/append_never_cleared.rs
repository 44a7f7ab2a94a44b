//! A slice that lives long and only grows. The page: `docs/rules/append-never-cleared.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::lifetimes::{grows_on, is_made_for_requests, is_of_the_process};
use crate::meaning::loops::{Length, each_node, length, loops_in, stands_under};
use crate::meaning::places::same;
use crate::meaning::places::{Long, container};
use crate::meaning::shared::{by_requests, under_once};
use crate::syntax::Function;
use crate::syntax::ast::{Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::visit::Node;

/// The rule.
pub(super) struct AppendNeverCleared;

impl Rule for AppendNeverCleared {
    const INFO: RuleInfo = RuleInfo {
        code: "append-never-cleared",
        title: "a slice that lives long and only grows",
        doc: include_str!("../../../../docs/rules/append-never-cleared.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "nothing in the package cuts it, assigns it anew or looks at its length; who calls this how often is not known";
    const CURE: &'static str = "Bound it: drop the oldest, cut it when it was worked on, or keep it per request.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                each_node(u.body, |node| {
                    let Node::Stmt(s) = node else { return };
                    let StmtKind::Assign("=", l, r) = &s.kind else { return };
                    let ([target], [value]) = (l.as_slice(), r.as_slice()) else { return };
                    let Some(call) = value.call().filter(|c| c.fun.ident() == Some("append") && c.args.len() > 1)
                    else {
                        return;
                    };
                    // `s.log["all"] = append(s.log["all"], e)`: a list in a map that lives on. Of other keys
                    // `map-only-grows` tells.
                    let in_map = match &target.kind {
                        ExprKind::Index(map, key) if matches!(key.kind, ExprKind::Lit(..)) => Some(map.as_ref())
                            .filter(|m| matches!(case.pkg.underlying(&case.pkg.type_of(f, m)), Type::Map(..))),
                        _ => None,
                    };
                    let Some(place) = container(case.pkg, f, in_map.unwrap_or(target)) else {
                        return;
                    };
                    let itself = call.args.first().is_some_and(|a| match in_map {
                        Some(_) => case.file(f).at(a.span) == case.file(f).at(target.span),
                        None => same(case.pkg, f, a, place),
                    });
                    if in_map.is_some() && case.has_tamed_elements(place) {
                        return;
                    }
                    // Named by a literal: as many as the text has.
                    let constant =
                        call.args.iter().skip(1).all(|a| matches!(a.kind, ExprKind::Lit(..) | ExprKind::FuncLit(_)));
                    if !itself
                        || under_once(case, id, f, unit)
                        || constant
                        || is_short(case, target, f)
                        || !grows_on(case, id, f, unit, (place, value))
                        || case.is_tamed(place)
                    {
                        return;
                    }
                    let found = out.found(
                        id,
                        s.span,
                        format!(
                            "{}{} only grows: nothing in the package cuts it, empties it or looks at how long it is",
                            if in_map.is_some() { "each list in " } else { "" },
                            place.words()
                        ),
                    );
                    // A part of what is being put together, or a set: who calls this how often only others
                    // know.
                    let hot = by_requests(case, id, unit);
                    let once = case.file(f).at(f.decl.span).contains("slices.Contains(");
                    let owned = match place {
                        Long::Package(_) => hot || looped(case, f, s.span),
                        Long::Field(of, _) => is_of_the_process(case, of) && (hot || !adds_a_part(f)),
                    };
                    if once || !owned {
                        found.level = Level::Hint;
                    }
                    if let Long::Field(of, _) = place
                        && is_made_for_requests(case, of)
                    {
                        found.level = Level::Hint;
                        found.why =
                            Some(format!("`{of}` is made where a request comes in: it lives no longer than that"));
                    }
                    let own = case.file(f).at(target.span);
                    if stands_under(case.pkg, f, s.span, |cond| {
                        cond == format!("{own} == nil") || cond == format!("len({own}) == 0")
                    }) {
                        found.level = Level::Hint;
                        found.why = Some("it is filled where it was empty before: once".into());
                    }
                    if is_for_nothing_given(case, f, s.span) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "it comes to that only where a parameter is empty: which calls are so, at the start as a rule, is not known"
                                .into(),
                        );
                    }
                    // What no request adds to has as a rule as many as a configuration or a program has.
                    if !hot && !looped(case, f, s.span) {
                        found.level = Level::Hint;
                        found.why =
                            Some("no request is seen that adds to it: how often that happens is not known".into());
                    }
                });
            }
        }
    }
}

/// Whether a statement stands under `if len(filters) == 0`, of a parameter.
fn is_for_nothing_given<'a>(case: &Case<'a>, f: &'a Function<'a>, at: Span) -> bool {
    let params: Vec<&str> = f.decl.sig.params.iter().filter_map(|p| p.name).map(|n| n.name).collect();
    stands_under(case.pkg, f, at, |cond| params.iter().any(|p| cond == format!("len({p}) == 0")))
}

/// Whether a statement stands in a loop that has no end of its own.
fn looped<'a>(case: &Case<'a>, f: &'a Function<'a>, at: Span) -> bool {
    f.scope.units.iter().any(|u| {
        loops_in(u.body)
            .iter()
            .any(|(_, _, l)| l.body.span.contains(at) && !matches!(length(case.pkg, f, l), Length::Counted))
    })
}

/// A method `Add...` or `Append...`: whoever puts the thing together calls it.
fn adds_a_part(f: &Function<'_>) -> bool {
    let name = f.decl.name.name.to_lowercase();
    f.receiver_type().is_some() && ["add", "append", "push", "attach", "insert"].iter().any(|w| name.starts_with(w))
}

/// Slices of functions and interfaces hold what a program registers.
fn is_short<'a>(case: &Case<'a>, target: &Expr<'a>, f: &Function<'a>) -> bool {
    match case.pkg.type_of(f, target) {
        Type::Slice(of) => {
            const PARTS: &[&str] = &[
                "Option",
                "Interceptor",
                "Middleware",
                "Handler",
                "HandlerFunc",
                "Hook",
                "Func",
                "Plugin",
                "Filter",
                "Opt",
            ];
            let part = of.pointee().name().is_some_and(|(_, name)| PARTS.iter().any(|p| name.ends_with(p)));
            part || matches!(case.pkg.underlying(&of), Type::Func(_) | Type::Interface(_))
        }
        _ => false,
    }
}
