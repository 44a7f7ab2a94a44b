//! Two locks that are taken in two orders. The page: `docs/rules/lock-order.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use rustc_hash::FxHashMap;

use crate::meaning::held::{locks_of, walk_held};
use crate::meaning::locks::{LockCall, Op, lock_call, taken_by};
use crate::meaning::loops::{each_node, loops_in};
use crate::syntax::ast::{Expr, Span};
use crate::syntax::calls::How;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function};

/// The rule.
pub(super) struct LockOrder;

impl Rule for LockOrder {
    const INFO: RuleInfo = RuleInfo {
        code: "lock-order",
        title: "two locks that are taken in two orders",
        doc: include_str!("../../../../docs/rules/lock-order.md"),
    };
    const LEVEL: Level = Level::Warning;

    const WHY: &'static str = "each order was found on a path of this package; that both happen at once is not known";
    const CURE: &'static str = "Take them in one order everywhere, or never both.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let mut pairs: FxHashMap<(String, String), Pair> = FxHashMap::default();
        for (id, f) in case.funcs() {
            for unit in 0..f.scope.units.len() {
                let locks = locks_of(case, f, unit);
                walk_held(case, id, f, unit, &locks, |node, held| {
                    let Node::Expr(e) = node else { return };
                    let mut then: Vec<String> = Vec::new();
                    if let Some(call) = lock_call(case.pkg, f, e) {
                        then.extend(call.class.filter(|_| call.op.takes()));
                    } else if let Some(call) = e.call()
                        && let Callee::Local(callee) = case.pkg.callee(f, &call.fun)
                    {
                        then.extend(classes(case, callee, MAX_FAR));
                    }
                    let all: Vec<&str> = locks
                        .iter()
                        .enumerate()
                        .filter(|(n, _)| held.how(*n) == Some(Op::Lock))
                        .filter_map(|(_, l)| l.class.as_deref())
                        .collect();
                    for (_, first) in locks.iter().enumerate().filter(|(n, _)| held.how(*n).is_some()) {
                        if is_of_another_round(case, f, unit, first, e) {
                            continue;
                        }
                        let Some(first) = first.class.clone() else { continue };
                        for second in then.iter().filter(|t| **t != first) {
                            let here =
                                || Pair { at: (id, e.span), held: all.iter().map(|c| (*c).to_owned()).collect() };
                            // A place without a third lock says more than one with it.
                            pairs
                                .entry((first.clone(), second.clone()))
                                .and_modify(|p| p.held.retain(|c| all.contains(&c.as_str())))
                                .or_insert_with(here);
                        }
                    }
                });
            }
        }
        let mut both: Vec<_> =
            pairs.iter().filter(|((a, b), _)| a < b && pairs.contains_key(&(b.clone(), a.clone()))).collect();
        both.sort();
        for ((a, b), Pair { at: (id, span), held }) in both {
            let Some(Pair { at: (other, there), held: held_there }) = pairs.get(&(b.clone(), a.clone())) else {
                continue;
            };
            let third = held.iter().find(|c| *c != a && *c != b && held_there.contains(c));
            let found = out.found(*id, *span, format!("`{b}` is taken under `{a}` here, and `{a}` under `{b}` elsewhere: two goroutines can wait for one another"));
            if let Some(g) = case.pkg.funcs.get(*other) {
                found.related.push((g.file, *there, format!("`{a}` is taken under `{b}` here")));
            }
            if let Some(third) = third {
                found.level = Level::Hint;
                found.why = Some(format!(
                    "`{third}` is held wherever one is taken under the other: of one value they do not both go on at once"
                ));
            }
        }
    }
}

/// Where one lock is taken under another, and what is held for writing wherever that is so.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    at: (FnId, Span),
    held: Vec<String>,
}

/// Whether a lock that is held here was taken in the round before: it belongs to a variable that the loop
/// makes anew each round, and is taken further down only. The round's own has another owner.
fn is_of_another_round<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    unit: usize,
    held: &LockCall<'a>,
    here: &Expr<'a>,
) -> bool {
    let Some(u) = f.scope.units.get(unit) else { return false };
    let mut taken: Vec<(Span, Option<Span>)> = Vec::new();
    each_node(u.body, |node| {
        if let Node::Expr(e) = node
            && lock_call(case.pkg, f, e).is_some_and(|c| c.key == held.key && c.op.takes())
        {
            let owner = e.method_call().and_then(|(x, ..)| f.scope.var(x.root()?));
            taken.push((e.span, owner.and_then(|v| f.scope.vars.get(v)).map(|v| v.span)));
        }
    });
    !taken.is_empty()
        && taken.iter().all(|(t, _)| t.start > here.span.start)
        && loops_in(u.body).iter().any(|(at, _, l)| {
            let inside = |s: &Span| l.body.span.contains(*s);
            let anew = |s: Span| inside(&s) || s.start >= at.start && s.start < l.body.span.start;
            inside(&here.span) && taken.iter().all(|(t, owner)| inside(t) && owner.is_some_and(anew))
        })
}

/// Calls that are followed.
const MAX_FAR: u32 = 3;

/// The classes of locks that a function takes, itself or through what it calls.
fn classes(case: &Case<'_>, id: FnId, far: u32) -> Vec<String> {
    let Some(far) = far.checked_sub(1) else { return Vec::new() };
    let mut out: Vec<String> = taken_by(case.pkg, id).into_iter().map(|(class, _)| class).collect();
    for s in case.sites(id).iter().filter(|s| s.how == How::Plain && s.unit == 0) {
        if let Callee::Local(callee) = s.callee
            && callee != id
        {
            out.extend(classes(case, callee, far));
        }
    }
    out.sort();
    out.dedup();
    out
}
