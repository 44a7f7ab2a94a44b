//! Time.After in a loop that other events turn. The page: `docs/rules/time-after-in-loop.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{ends_something, last_name};
use crate::meaning::loops::{each_node, loops_in};
use crate::syntax::ast::{CommCase, Expr, Span, Stmt, StmtKind};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init};

/// The rule.
pub(super) struct TimeAfterInLoop;

impl Rule for TimeAfterInLoop {
    const INFO: RuleInfo = RuleInfo {
        code: "time-after-in-loop",
        title: "time.After in a loop that other events turn",
        doc: include_str!("../../../../docs/rules/time-after-in-loop.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "the select has another case that goes on with the loop, so that timers are made faster than they expire";
    const CURE: &'static str =
        "Make one time.NewTimer before the loop, Reset it in each round, and Stop it at the end.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            if !case.sites(id).iter().any(|s| s.in_loop && s.callee == Callee::Package("time", "After")) {
                continue;
            }
            for u in &f.scope.units {
                for (_, _, l) in loops_in(u.body) {
                    each_node(&l.body, |node| {
                        if let Node::Stmt(s) = node
                            && let StmtKind::Select(cases) = &s.kind
                        {
                            select(case, id, f, (cases, l.body.span), out);
                        }
                    });
                }
            }
            // A select in a loop within a loop is come by twice.
            out.reports.dedup_by_key(|r| (r.func, r.span));
        }
        let mut seen = Vec::new();
        out.reports.retain(|r| {
            let new = !seen.contains(&(r.func, r.span));
            seen.push((r.func, r.span));
            new
        });
    }
}

fn select<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    (cases, round): (&'a [CommCase<'a>], Span),
    out: &mut Out,
) {
    let timer = |c: &'a CommCase<'a>| c.comm.as_ref().and_then(|s| after(case, f, s, round));
    let Some(at) = cases.iter().find_map(timer) else { return };
    // Another case that does not leave the loop: then it is the one that usually comes.
    let turns = |c: &&'a CommCase<'a>| timer(c).is_none() && !leaves(case, f, &c.body);
    let Some(other) = cases.iter().find(turns) else { return };
    let what = other.comm.as_ref().map_or_else(|| "default".to_owned(), |s| case.text(f, s.span));
    let old = case.pkg.go_minor.is_none_or(|m| m < 23);
    let text = case.text(f, at.span);
    if old {
        let found = out.found(
            id,
            at.span,
            format!("`{text}` makes a timer in each round that lives until it expires, also when `{what}` came first"),
        );
        // `case <-s.closeCh:` that falls through to a look at what is to end: it comes once.
        let ends = |s: &Stmt<'a>| match &s.kind {
            StmtKind::Expr(e) => e.unary("<-").is_some_and(|c| ends_something(last_name(c))),
            _ => false,
        };
        if cases.iter().filter(turns).all(|c| c.comm.as_ref().is_some_and(ends)) {
            found.level = Level::Hint;
            found.why = Some("the other case is told that something ends: as a rule that comes once".into());
        } else if cases.iter().filter(turns).all(|c| c.comm.as_ref().is_some_and(is_word)) {
            found.level = Level::Hint;
            found.why = Some(
                "the other case takes a word and no value: that something is to be looked at, which as a rule comes now and then"
                    .into(),
            );
        }
    } else {
        let found = out.found(
            id,
            at.span,
            format!("`{text}` makes a timer and a channel in each round, also when `{what}` came first"),
        );
        found.level = Level::Hint;
        found.why = Some("the module says Go 1.23 or later, where the timer is collected before it expires: it costs allocations only".into());
    }
}

/// Whether a case receives from a channel, and what it receives has no name: a word that something has
/// happened. A channel of errors or of results has values.
fn is_word(s: &Stmt<'_>) -> bool {
    let StmtKind::Expr(e) = &s.kind else { return false };
    e.unary("<-").is_some_and(|c| {
        let name = last_name(c).to_lowercase();
        const WORDS: &[&str] = &[
            "notify",
            "wake",
            "hb",
            "heartbeat",
            "health",
            "reload",
            "refresh",
            "signal",
            "kick",
            "trigger",
            "update",
            "change",
            "poke",
        ];
        WORDS.iter().any(|w| name.contains(w))
    })
}

/// The `time.After` that a case waits for.
///
/// The round may have made it before the select: `late := time.After(d)`.
fn after<'a>(case: &Case<'a>, f: &Function<'a>, s: &'a Stmt<'a>, round: Span) -> Option<&'a Expr<'a>> {
    let e = match &s.kind {
        StmtKind::Expr(e) => e,
        StmtKind::Define(_, r) | StmtKind::Assign(_, _, r) => r.first()?,
        _ => return None,
    };
    let received = e.unary("<-")?;
    let named = f.scope.var(received).and_then(|v| f.scope.vars.get(v)).filter(|v| round.contains(v.span));
    let inner = match named.map(|v| v.init) {
        Some(Init::Value(made, 0)) => made,
        _ => received,
    };
    let call = inner.call()?;
    (case.pkg.callee(f, &call.fun) == Callee::Package("time", "After")).then_some(inner)
}

/// Whether a case ends the loop or the function: its last statement does.
fn leaves<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a [Stmt<'a>]) -> bool {
    body.last().is_some_and(|s| match &s.kind {
        StmtKind::Return(_) | StmtKind::Break(Some(_)) | StmtKind::Goto(_) => true,
        StmtKind::Expr(e) => crate::meaning::loops::final_call(case.pkg, f, e),
        _ => false,
    })
}
