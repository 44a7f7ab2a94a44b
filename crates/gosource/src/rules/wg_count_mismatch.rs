//! A WaitGroup whose counts cannot match. The page: `docs/rules/wg-count-mismatch.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::groups::{GroupCall, Op, group_calls};
use crate::meaning::loops::{loops_in, rounds};
use crate::syntax::ast::{Expr, ExprKind, For, ForHead, LitKind, Span, Stmt, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{FnId, Function, Role, VarId, VarKind};

/// The rule.
pub(super) struct WgCountMismatch;

impl Rule for WgCountMismatch {
    const INFO: RuleInfo = RuleInfo {
        code: "wg-count-mismatch",
        title: "a WaitGroup whose counts cannot match",
        doc: include_str!("../../../../docs/rules/wg-count-mismatch.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str =
        "the group belongs to the function alone, and all that is done to it stands in the function";
    const CURE: &'static str = "Add 1 right before each go statement.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            let calls = group_calls(case.pkg, f, case.sites(id));
            let mut keys: Vec<&str> = calls.iter().map(|c| c.key).collect();
            keys.sort_unstable();
            keys.dedup();
            by_value(case, id, f, &calls, out);
            for key in keys {
                let of: Vec<&GroupCall<'_>> = calls.iter().filter(|c| c.key == key).collect();
                if let Some((span, sentence)) = mismatch(case, f, key, &of) {
                    let found = out.found(id, span, sentence);
                    if waits_on_purpose(f, &of) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "it is added to right before the Wait, and by nobody else: whoever writes that means to wait for ever"
                                .into(),
                        );
                    }
                }
            }
        }
    }
}

/// Whether all that is done with a group is `wg.Add(1); wg.Wait()`, one right after the other.
fn waits_on_purpose<'a>(f: &'a Function<'a>, calls: &[&GroupCall<'a>]) -> bool {
    let [add, wait] = calls else { return false };
    if add.op != Op::Add || wait.op != Op::Wait {
        return false;
    }
    f.scope.units.iter().any(|u| {
        u.body.stmts.windows(2).any(|pair| {
            matches!(pair, [a, b] if a.span.contains(add.site.expr.span) && b.span.contains(wait.site.expr.span))
        })
    })
}

/// A group that is a parameter and no pointer: Done on it counts down a copy, and whoever waits for the other
/// one waits for ever.
fn by_value<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, calls: &[GroupCall<'a>], out: &mut Out) {
    for call in calls.iter().filter(|c| c.op == Op::Done) {
        let var = f.scope.var(call.group).and_then(|v| f.scope.vars.get(v));
        let Some(var) = var.filter(|v| v.kind == VarKind::Param) else { continue };
        // Where the copy is waited for too, it is a group of its own.
        let own = calls.iter().any(|c| c.op == Op::Wait && c.key == call.key);
        if own || !var.ty.is_some_and(|t| t.name() == Some(("sync", "WaitGroup")) && !matches!(t, Type::Pointer(_))) {
            continue;
        }
        let key = call.key;
        let found = out.found(
            id,
            call.site.expr.span,
            format!("`{key}` is a copy of the group that the caller waits for: this Done does not count there"),
        );
        found.why = Some("the parameter is a sync.WaitGroup and no pointer to one".into());
        found.cure = Some("Take a *sync.WaitGroup.".into());
        found.related.push((f.file, var.span, "the copy".into()));
        let handed = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).next();
        if let Some((edge, g)) = handed.and_then(|e| case.pkg.funcs.get(e.caller).map(|g| (e, g))) {
            found.related.push((g.file, edge.call.span, "copied here".into()));
        }
    }
}

fn mismatch<'a>(case: &Case<'a>, f: &'a Function<'a>, key: &str, calls: &[&GroupCall<'a>]) -> Option<(Span, String)> {
    let group = calls.first()?.group;
    let var = group.ident().and_then(|_| f.scope.var(group))?;
    f.scope.vars.get(var).filter(|v| v.kind == VarKind::Local)?;
    let wait = calls.iter().find(|c| c.op == Op::Wait)?;
    if calls.iter().any(|c| c.op == Op::Go) || is_handed_on(f, var, calls.len()) {
        return None;
    }
    let adds: Vec<_> = calls.iter().filter(|c| c.op == Op::Add).collect();
    let dones: Vec<_> = calls.iter().filter(|c| c.op == Op::Done).collect();
    let [add] = adds.as_slice() else {
        return if adds.is_empty() || !dones.is_empty() {
            None
        } else {
            Some((
                wait.site.expr.span,
                format!("nothing in this function calls `{key}.Done`: `{key}.Wait` waits for ever"),
            ))
        };
    };
    if dones.is_empty() {
        return Some((
            add.site.expr.span,
            format!("nothing in this function calls `{key}.Done`: `{key}.Wait` waits for ever"),
        ));
    }
    let amount = add.site.call.args.first()?;
    // Where each goroutine with a Done is started, and whether in a loop.
    let mut starts = 0_u64;
    let mut looped: Option<Span> = None;
    for done in &dones {
        let u = f.scope.units.get(done.site.unit)?;
        if u.role != Role::Go || u.parent != Some(add.site.unit) || done.site.in_loop {
            return None;
        }
        if u.loops > 0 {
            looped = Some(u.span);
        } else {
            starts += 1;
        }
    }
    let of_one = f.scope.units.iter().enumerate().all(|(n, _)| dones.iter().filter(|d| d.site.unit == n).count() <= 1);
    if !of_one {
        return None;
    }
    let said = match &amount.kind {
        ExprKind::Lit(LitKind::Number, text) => text.parse::<u64>().ok(),
        _ => None,
    };
    match (said, looped) {
        (Some(said), None) if !add.site.in_loop && said != starts => {
            let more = if said > starts {
                format!("`{key}.Wait` waits for ever")
            } else {
                "the counter goes below zero, which panics".into()
            };
            Some((
                add.site.expr.span,
                format!("`{key}` counts {said} and {starts} of its goroutines call Done: {more}"),
            ))
        }
        (Some(said), Some(_)) if !add.site.in_loop && said <= 1 => Some((
            add.site.expr.span,
            format!(
                "`{key}.Add({said})` stands before the loop, in which each round starts a goroutine that calls Done: the counter goes below zero"
            ),
        )),
        // `Add(3)` before a loop of two rounds.
        (Some(said), Some(go)) if !add.site.in_loop && starts == 0 && dones.len() == 1 => {
            let u = f.scope.units.get(add.site.unit)?;
            let mut around = loops_in(u.body).into_iter().filter(|(_, _, l)| l.body.span.contains(go));
            let l = around.next()?.2;
            let rounds = rounds(case.pkg, f, l)?;
            if around.next().is_some() || rounds == said || skips(&l.body.stmts, go).is_some() {
                return None;
            }
            let ends = if said > rounds {
                format!("`{key}.Wait` waits for ever")
            } else {
                "the counter goes below zero, which panics".into()
            };
            Some((
                add.site.expr.span,
                format!("`{key}` counts {said}, and the loop starts {rounds} goroutines that call Done: {ends}"),
            ))
        }
        (Some(_), None) if add.site.in_loop && starts == 1 => Some((
            add.site.expr.span,
            format!(
                "`{key}.Add` stands in a loop, and the goroutine that calls Done is started once: `{key}.Wait` waits for ever"
            ),
        )),
        // `Add(len(xs))`, and a round that may start none.
        (None, Some(go)) if !add.site.in_loop => {
            let u = f.scope.units.get(add.site.unit)?;
            let mut around = loops_in(u.body).into_iter().filter(|(_, _, l)| l.body.span.contains(go));
            let l = around.next()?.2;
            if around.next().is_none()
                && starts == 0
                && dones.len() == 1
                && let Some(more) = beside_length(case, f, amount, l)
            {
                let ends = if more > 0 {
                    format!("`{key}.Wait` waits for ever")
                } else {
                    "the counter goes below zero, which panics".into()
                };
                return Some((
                    add.site.expr.span,
                    format!(
                        "`{}` counts {} {} than the loop has rounds, and each round has one Done: {ends}",
                        case.text(f, add.site.expr.span),
                        more.unsigned_abs(),
                        if more > 0 { "more" } else { "less" }
                    ),
                ));
            }
            let skipped = skips(&l.body.stmts, go)?;
            Some((
                skipped,
                format!(
                    "`{}` counts every round, and this one may start no goroutine: `{key}.Wait` waits for ever",
                    case.text(f, add.site.expr.span)
                ),
            ))
        }
        _ => None,
    }
}

/// How many `len(xs) + 1` counts more than a loop over `xs` has rounds, where that is a number and not zero.
fn beside_length<'a>(case: &Case<'a>, f: &Function<'a>, amount: &Expr<'a>, l: &For<'a>) -> Option<i64> {
    let ExprKind::Binary(op @ ("+" | "-"), operands) = &amount.kind else { return None };
    let [length, ExprKind::Lit(LitKind::Number, text)] = [operands.first()?, operands.get(1)?].map(|o| &o.kind) else {
        return None;
    };
    let ExprKind::Call(length) = length else { return None };
    let ForHead::Range { over, .. } = &l.head else { return None };
    let over_it = length.fun.ident() == Some("len")
        && length.args.first().is_some_and(|a| case.file(f).at(a.span) == case.file(f).at(over.span));
    let more: i64 = text.parse().ok().filter(|n| *n > 0 && *n < 1000 && operands.len() == 2 && over_it)?;
    Some(if *op == "+" { more } else { -more })
}

/// A statement before the start that leaves the round, or that starts only on a condition.
fn skips(stmts: &[Stmt<'_>], go: Span) -> Option<Span> {
    for s in stmts {
        match &s.kind {
            StmtKind::If(i) if i.then.span.contains(go) => return i.els.is_none().then_some(i.cond.span),
            _ if s.span.contains(go) => return None,
            StmtKind::If(i) => {
                let leaves =
                    i.then.stmts.last().filter(|s| matches!(s.kind, StmtKind::Continue(None) | StmtKind::Break(None)));
                let done = leaves.is_some() && i.then.stmts.iter().any(|s| matches!(&s.kind, StmtKind::Expr(e) if e.method_call().is_some_and(|(_, n, _)| n == "Done" || n == "Add")));
                if let Some(leaves) = leaves.filter(|_| !done) {
                    return Some(leaves.span);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether the group, its address or one of its methods goes anywhere: its name stands where none of the
/// calls is.
fn is_handed_on(f: &Function<'_>, var: VarId, calls: usize) -> bool {
    let mut all = 0;
    if let Some(body) = &f.decl.body {
        crate::syntax::visit::block(body, &mut |node| {
            if let Node::Expr(e) = node {
                let declared = f.scope.vars.get(var).is_some_and(|v| v.span.start == e.span.start);
                all += usize::from(f.scope.var(e) == Some(var) && !declared);
            }
            true
        });
    }
    all != calls
}
