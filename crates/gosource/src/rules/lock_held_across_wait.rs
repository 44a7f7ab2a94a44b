//! A lock that is held while something is waited for. The page: `docs/rules/lock-held-across-wait.md`.

use super::rule::{Ask, Bound, Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::asked_for_all::{
    asks_a_file, gives_up_itself, guards_transaction, is_for_a_change, is_kept_for_all, is_made_once, is_refreshed,
};
use crate::meaning::bounded_here::is_bounded_here;
use crate::meaning::channels::last_name;
use crate::meaning::failures::each_failure;
use crate::meaning::held::{locks_of, walk_held};
use crate::meaning::held_on_purpose::{
    each_with_room, ends_what_it_waits_for, has_room_for_all, is_another_lock, is_named_after, sets_the_pace,
    writes_one_by_one,
};
use crate::meaning::long_waits::kind;
use crate::meaning::loops::final_call;
use crate::meaning::short_waits::{handed_to_owner, is_short_of};
use crate::meaning::waits::{is_far_off, waits, without_waiting};
use crate::meaning::who_takes::{Told, WhoTakes};
use crate::syntax::ast::{ExprKind, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, Function, Init, VarKind};

/// The rule.
pub(super) struct LockHeldAcrossWait;

impl Rule for LockHeldAcrossWait {
    const INFO: RuleInfo = RuleInfo {
        code: "lock-held-across-wait",
        title: "a lock that is held while something is waited for",
        doc: include_str!("../../../../docs/rules/lock-held-across-wait.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "between Lock and this statement nothing on the path unlocks it";
    const CURE: &'static str = "Take what is needed under the lock, unlock, and then wait, send or call.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let mut who = WhoTakes::default();
        for (id, f) in case.funcs() {
            for unit in 0..f.scope.units.len() {
                let locks = locks_of(case, f, unit);
                if locks.is_empty() {
                    continue;
                }
                let ready = without_waiting(f, unit);
                let mut told: Vec<(usize, bool)> = Vec::new();
                walk_held(case, id, f, unit, &locks, |node, held| {
                    let Some((span, what, surely)) = waits(case, f, node, &ready) else { return };
                    let Some(lock) = (0..locks.len()).find(|n| held.how(*n).is_some()) else { return };
                    let class = locks.get(lock).and_then(|l| l.class.as_deref());
                    who.waits(class, id);
                    if told.contains(&(lock, surely)) || !surely && told.contains(&(lock, true)) {
                        return;
                    }
                    told.push((lock, surely));
                    let key = locks.get(lock).map_or("", |l| l.key);
                    if let Some(how) = held.how(lock) {
                        let (report, class) = (out.reports.len(), class.map(str::to_owned));
                        who.tells(Told { report, class, how, kind: kind(case, f, node), by: (id, unit) });
                    }
                    let found =
                        out.found(id, span, format!("`{key}` is held while {what}: whoever wants it waits as long"));
                    let own = locks.get(lock).is_some_and(|l| is_of_this_call(case, f, l.key));
                    let fits = if own {
                        Some("the lock is the call's own: who waits for it is a goroutine that the call started")
                    } else if is_of_the_caller(f, key) {
                        Some(
                            "the lock is one that the caller gives, of one thing among many as a rule: who else wants it the caller knows",
                        )
                    } else if case.file(f).at(f.decl.span).contains(&format!("!{key}.TryLock()")) {
                        Some(
                            "the function looks whether somebody has it before it waits: that there is one at a time is what the lock is for",
                        )
                    } else {
                        let taken = locks.get(lock).map_or("", |l| l.field);
                        is_short_of(case, id, f, unit, node)
                            .or_else(|| handed_to_owner(case, node, taken))
                            .or_else(|| is_kept_for_all(case, f, unit, node))
                    };
                    let fits = fits
                        .or_else(|| writes_one_by_one(case, f, node))
                        .or_else(|| is_named_after(f, key))
                        .or_else(|| ends_what_it_waits_for(f, node))
                        .or_else(|| has_room_for_all(case, f, node))
                        .or_else(|| each_with_room(case, f, node))
                        .or_else(|| is_another_lock(node))
                        .or_else(|| ends_the_process(case, f, unit, node))
                        .or_else(|| sets_the_pace(case, f, node))
                        .or_else(|| gives_up_itself(case, f, node))
                        .or_else(|| asks_a_file(case, f, node))
                        .or_else(|| guards_transaction(case, f, node, key))
                        .or_else(|| is_refreshed(case, f, unit, node))
                        .or_else(|| is_made_once(case, f, unit, node))
                        .or_else(|| is_far_off(case, (id, unit), f, node))
                        .or_else(|| is_for_a_change(case, f, node))
                        .or_else(|| {
                            is_bounded_here(case, f, node, locks.get(lock).map_or(("", ""), |l| (l.key, l.field)))
                        });
                    // A deadline may stand in what is called, in another package.
                    if let Node::Expr(e) = node
                        && let Some(site) = case.sites(id).iter().find(|s| s.expr.span == e.span)
                    {
                        found.ask = Some(Ask::Bounds(crate::callers::called(case, site), Bound::Time));
                    }
                    if let (true, Some(why)) = (surely, fits) {
                        found.level = Level::Hint;
                        found.why = Some(why.into());
                    }
                    if !surely {
                        found.level = Level::Hint;
                        found.why =
                            Some("what the callback does is not known: it may wait, or want the same lock".into());
                    }
                });
            }
        }
        for ask in [WhoTakes::on_purpose, WhoTakes::in_doubt] {
            let open = |n: usize| out.reports.get(n).is_some_and(|r| r.level > Level::Hint);
            for (report, why) in ask(&who, case, &open) {
                if let Some(report) = out.reports.get_mut(report) {
                    report.level = Level::Hint;
                    report.why = Some(why.into());
                }
            }
        }
    }
}

/// Whether the process ends where what is waited for fails, `if _, err := db.Exec(...); err != nil {
/// panic(err) }`: then it is a part of how it starts.
fn ends_the_process<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize, node: Node<'a, 'a>) -> Option<&'static str> {
    let Node::Expr(e) = node else { return None };
    let mut ends = false;
    each_failure(case, f, unit, |i| {
        let asks = i.init.as_ref().is_some_and(|s| s.span.contains(e.span));
        ends |= asks
            && i.then
                .stmts
                .last()
                .is_some_and(|s| matches!(&s.kind, StmtKind::Expr(call) if final_call(case.pkg, f, call)));
    });
    ends.then_some("where it fails the process ends: it is a part of how that starts")
}

/// Whether a lock is itself a parameter.
fn is_of_the_caller(f: &Function<'_>, key: &str) -> bool {
    let mut named = f.scope.vars.iter().filter(|v| v.name == key).peekable();
    named.peek().is_some() && named.all(|v| v.kind == VarKind::Param)
}

/// Whether a lock is a variable that this call makes: nobody has it but what the call hands it to. A local
/// name for a lock of somebody else (`mu := s.locks[id]`) is none.
fn is_of_this_call<'a>(case: &Case<'a>, f: &Function<'a>, key: &str) -> bool {
    let mut named = f.scope.vars.iter().filter(|v| v.name == key).peekable();
    named.peek().is_some()
        && named.all(|v| {
            v.kind == VarKind::Local
                && match v.init {
                    Init::None => v.ty.is_some_and(|t| !matches!(t, Type::Pointer(_))),
                    Init::Value(e, 0) => match &e.unary("&").unwrap_or(e).kind {
                        ExprKind::Composite(..) => true,
                        ExprKind::Call(call) => {
                            case.pkg.callee(f, &call.fun) == Callee::Builtin("new")
                                || matches!(last_name(&call.fun), "NewMutex" | "NewRWMutex")
                        }
                        _ => false,
                    },
                    _ => false,
                }
        })
}
