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
        } else if is_soon(&text) {
            found.level = Level::Hint;
            found.why = Some(
                "it expires within a second: there are never more of them than there were rounds in that time".into(),
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

/// Milliseconds within which a timer that was left behind has gone.
const SOON: u64 = 1_000;

/// Whether the time of a `time.After` is written there, and is a second at most: `time.After(10 *
/// time.Millisecond)`.
fn is_soon(text: &str) -> bool {
    let Some(argument) = text.strip_prefix("time.After(").and_then(|t| t.strip_suffix(')')) else { return false };
    let (mut number, mut unit) = (1, None);
    for part in argument.split('*').map(str::trim) {
        match part {
            "time.Second" if unit.is_none() => unit = Some(1_000),
            "time.Millisecond" if unit.is_none() => unit = Some(1),
            // A million of either, the most that is read here, is a second.
            "time.Microsecond" | "time.Nanosecond" if unit.is_none() => unit = Some(0),
            _ => match part.parse::<u64>() {
                Ok(n) => number = n,
                Err(_) => return false,
            },
        }
    }
    unit.is_some_and(|unit| number <= 1_000_000 && number.saturating_mul(unit) <= SOON)
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

#[cfg(test)]
mod tests {
    use super::is_soon;
    use crate::check_text;
    use crate::finding::Level;

    #[test]
    fn a_second_or_less_is_soon() {
        for t in ["time.Millisecond", "500 * time.Millisecond", "time.Second", "1*time.Second", "time.Microsecond * 50"]
        {
            assert!(is_soon(&format!("time.After({t})")), "{t}");
        }
        for t in ["2 * time.Second", "time.Minute", "time.Hour", "d", "n * time.Millisecond", "1500 * time.Millisecond"]
        {
            assert!(!is_soon(&format!("time.After({t})")), "{t}");
        }
    }

    #[test]
    fn a_timer_that_expires_soon_does_not_pile_up() {
        let levels = |t: &str| -> Vec<Level> {
            let text = format!(
                "package a\nimport \"time\"\nfunc drain(in chan int) (all []int) {{\nfor {{\nselect {{\n\
                 case v := <-in:\nall = append(all, v)\ncase <-time.After({t}):\nreturn all\n}}\n}}\n}}\n"
            );
            let found = check_text("a.go", &text, Some(20)).findings.into_iter();
            found.filter(|f| f.code == "time-after-in-loop").map(|f| f.level).collect()
        };
        assert_eq!(levels("time.Millisecond"), [Level::Hint]);
        assert_eq!(levels("time.Hour"), [Level::Warning]);
    }
}
