//! WaitGroup.Add inside the goroutine that it counts. The page: `docs/rules/wg-add-inside.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::groups::{GroupCall, Op, group_calls};
use crate::syntax::{FnId, Function, Role, VarKind};

/// The rule.
pub(super) struct WgAddInside;

impl Rule for WgAddInside {
    const INFO: RuleInfo = RuleInfo {
        code: "wg-add-inside",
        title: "WaitGroup.Add inside the goroutine that it counts",
        doc: include_str!("../../../../docs/rules/wg-add-inside.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "nothing outside of the goroutine adds to this group before it starts";
    const CURE: &'static str = "Call Add before the go statement, or use WaitGroup.Go (Go 1.25).";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            let calls = group_calls(case.pkg, f, case.sites(id));
            for add in calls.iter().filter(|c| c.op == Op::Add) {
                let Some(go) = goroutine(f, add.site.unit) else {
                    started(case, id, f, &calls, add, out);
                    continue;
                };
                let outside = |c: &GroupCall<'_>| c.key == add.key && !f.scope.is_within(c.site.unit, go);
                let waited = calls.iter().any(|c| c.op == Op::Wait && outside(c));
                // The goroutine is counted itself until it ends: the group cannot be at zero meanwhile.
                let is_counted =
                    |c: &GroupCall<'_>| c.key == add.key && c.op == Op::Done && c.is_deferred() && c.site.unit == go;
                let counted = calls.iter().any(|c| c.op == Op::Add && outside(c))
                    || calls.iter().any(|c| is_counted(c) && c.site.expr.span.start < add.site.expr.span.start);
                // A group that the goroutine makes is its own.
                let own = add
                    .group
                    .root()
                    .and_then(|r| f.scope.var(r))
                    .and_then(|v| f.scope.vars.get(v))
                    .is_some_and(|v| f.scope.is_within(v.unit, go));
                let field = add.group.selector().is_some();
                if (waited || field) && !counted && !own {
                    out.found(
                        id,
                        add.site.expr.span,
                        format!(
                            "`{}.Add` runs inside the goroutine: `{}.Wait` may be through before it",
                            add.key, add.key
                        ),
                    );
                }
            }
        }
    }
}

/// The literal that is started as a goroutine and holds a unit.
fn goroutine(f: &Function<'_>, unit: usize) -> Option<usize> {
    let mut at = Some(unit);
    while let Some(u) = at {
        if f.scope.units.get(u)?.role == Role::Go {
            return Some(u);
        }
        at = f.scope.units.get(u)?.parent;
    }
    None
}

/// A function that adds to a group and counts itself off again, and is started as a goroutine.
fn started<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &Function<'a>,
    calls: &[GroupCall<'a>],
    add: &GroupCall<'a>,
    out: &mut Out,
) {
    let off = calls.iter().any(|c| c.op == Op::Done && c.key == add.key && c.is_deferred() && c.site.unit == 0);
    let starts = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n));
    let mut starts = starts.filter(|e| e.starts);
    let root = add.group.root().and_then(|r| f.scope.var(r)).and_then(|v| f.scope.vars.get(v));
    let given = root.is_some_and(|v| matches!(v.kind, VarKind::Param | VarKind::Receiver));
    // Counted already, by whoever started it: then what it adds comes while the group cannot be at zero.
    let counted = calls.iter().any(|c| {
        c.key == add.key
            && c.site.unit == 0
            && c.site.expr.span.start < add.site.expr.span.start
            && (c.op == Op::Add || c.op == Op::Done && c.is_deferred())
    });
    if add.site.unit == 0
        && off
        && !counted
        && given
        && let Some(start) = starts.next()
    {
        let found = out.found(
            id,
            add.site.expr.span,
            format!("`{}.Add` runs inside the goroutine: `Wait` may be through before it", add.key),
        );
        if let Some(g) = case.pkg.funcs.get(start.caller) {
            found.related.push((g.file, start.call.span, "it is started here".into()));
        }
    }
}
