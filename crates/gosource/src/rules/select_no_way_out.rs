//! A select that may wait for ever. The page: `docs/rules/select-no-way-out.md`.

use super::rule::{Ask, Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{ends_something, last_name};
use crate::meaning::loops::each_node;
use crate::syntax::ast::{CommCase, Expr, ExprKind, Span, Stmt, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, Role, VarKind};

/// The rule.
pub(super) struct SelectNoWayOut;

impl Rule for SelectNoWayOut {
    const INFO: RuleInfo = RuleInfo {
        code: "select-no-way-out",
        title: "a select that may wait for ever",
        doc: include_str!("../../../../docs/rules/select-no-way-out.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "none of its cases is a default, a timer, a context or a channel that tells somebody to end; that all of its channels stay silent is not known";
    const CURE: &'static str = "Add a case for ctx.Done(), or for a timer.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                let start = f.receiver_type().is_none() && f.decl.name.name == "main";
                each_node(u.body, |node| {
                    let Node::Stmt(s) = node else { return };
                    let StmtKind::Select(cases) = &s.kind else { return };
                    let head = Span { end: s.span.start + 6, ..s.span };
                    if cases.is_empty() {
                        let lower = f.decl.name.name.to_lowercase();
                        let on_purpose = ["cmd", "run", "serve", "main", "start", "exec", "block", "forever", "wait"]
                            .iter()
                            .any(|w| lower.contains(w));
                        if !start && !on_purpose && u.role != Role::Go {
                            let found = out.found(id, head, "a select without cases waits for ever");
                            let line = case.file(f).text.get(s.span.end as usize..).unwrap_or_default().lines().next();
                            if line.is_some_and(|l| l.contains("//")) {
                                found.level = Level::Hint;
                                found.why = Some("a comment beside it says why: it is meant".into());
                            }
                        }
                        return;
                    }
                    if cases.iter().any(|c| is_way_out(case, f, c)) {
                        return;
                    }
                    let waited: Vec<String> = cases
                        .iter()
                        .filter_map(|c| c.comm.as_ref())
                        .map(|c| format!("`{}`", case.text(f, c.span)))
                        .collect();
                    let found = out.found(
                        id,
                        head,
                        format!(
                            "this select has no way out but {}: no default, no timeout, no context",
                            waited.join(" and ")
                        ),
                    );
                    found.ask = crate::callers::once_at(case, id, head).map(Ask::Once);
                    // Where nobody is known to wait for it, or it is one of several that one worker serves.
                    let goroutine = is_goroutine(case, id, unit);
                    let context = super::context_not_handed_on::context_of(f, unit);
                    if cases.iter().any(|c| is_given_with_context(case, f, c)) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "one of its channels is given by a call that has a context: whether the end of that leads out is not known"
                                .into(),
                        );
                    } else if !goroutine && context.is_none() {
                        found.level = Level::Hint;
                    } else if context.is_none() && !starts_often(case, id, unit) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "as far as this package tells no request and no loop starts the goroutine: one that serves as long as the process lives has no need of a way out".into(),
                        );
                    } else if cases.iter().any(|c| waits_for_own(f, c)) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "a goroutine that is started here gives its word in any case, as soon as what it calls comes back".into(),
                        );
                    } else if cases.len() > 1 && cases.iter().all(|c| is_of_the_call(case, f, c)) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "all of its channels are made here, and what is started or called here has their other ends: whether one of them always gives its word is not known".into(),
                        );
                    }
                });
            }
        }
    }
}

fn is_goroutine(case: &Case<'_>, id: FnId, unit: usize) -> bool {
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    let mut at = Some(unit);
    while let Some(u) = at.and_then(|u| f.scope.units.get(u)) {
        if u.role == Role::Go {
            return true;
        }
        at = u.parent;
    }
    case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).any(|e| e.starts)
}

/// Whether requests, or rounds of a loop, start the goroutine that a unit is run by.
fn starts_often(case: &Case<'_>, id: FnId, unit: usize) -> bool {
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    let mut at = Some(unit);
    while let Some((n, u)) = at.and_then(|n| Some((n, f.scope.units.get(n)?))) {
        if u.role == Role::Go {
            return u.loops > 0 || case.calls.is_hot(case.pkg, id, n);
        }
        at = u.parent;
    }
    let edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n));
    edges.filter(|e| e.starts).any(|e| e.in_loop || case.calls.is_hot(case.pkg, e.caller, e.unit))
}

/// Whether a case receives what a goroutine of this function sends whatever happens: on the first level of
/// its body, which has no return before.
fn waits_for_own<'a>(f: &Function<'a>, c: &'a CommCase<'a>) -> bool {
    let received = match c.comm.as_ref().map(|s| &s.kind) {
        Some(StmtKind::Expr(e)) => Some(e),
        Some(StmtKind::Define(_, r) | StmtKind::Assign(_, _, r)) => r.first(),
        _ => None,
    };
    let Some(channel) = received.and_then(|e| e.unary("<-")).and_then(|c| f.scope.var(c)) else { return false };
    if f.scope.vars.get(channel).is_none_or(|v| v.kind != VarKind::Local) {
        return false;
    }
    f.scope.units.iter().filter(|u| u.role == Role::Go).any(|u| {
        let sends = |s: &Stmt<'a>| matches!(&s.kind, StmtKind::Send(to, _) if f.scope.var(to) == Some(channel));
        let Some(at) = u.body.stmts.iter().position(sends) else { return false };
        let mut returns = false;
        for s in u.body.stmts.iter().take(at) {
            crate::syntax::visit::stmt(s, &mut |node| {
                match node {
                    Node::Stmt(s) => returns |= matches!(s.kind, StmtKind::Return(_)),
                    Node::Expr(e) => return !matches!(e.kind, ExprKind::FuncLit(_)),
                }
                true
            });
        }
        !returns
    })
}

/// Whether a case receives from what a call gave that was given a context.
fn is_given_with_context<'a>(case: &Case<'a>, f: &Function<'a>, c: &'a CommCase<'a>) -> bool {
    let received = match c.comm.as_ref().map(|s| &s.kind) {
        Some(StmtKind::Expr(e)) => e.unary("<-"),
        Some(StmtKind::Define(_, r) | StmtKind::Assign(_, _, r)) => r.first().and_then(|e| e.unary("<-")),
        _ => None,
    };
    // `<-w.Updates()`, `<-w.events`: of what the call gave.
    let given = received.and_then(|c| c.call().map_or(Some(c), |call| call.fun.selector().map(|(x, _)| x)));
    let root = given.and_then(|c| c.root());
    let Some(Init::Value(made, _)) =
        root.and_then(|c| f.scope.var(c)).and_then(|v| f.scope.vars.get(v)).map(|v| v.init)
    else {
        return false;
    };
    // Of this package's own the text has to tell that they look for its end, or watch with it.
    let hands_on = |id: FnId| {
        let Some(g) = case.pkg.funcs.get(id) else { return false };
        let name = g.decl.sig.params.iter().find(|p| p.ty.is("context", "Context")).and_then(|p| p.name);
        let text = case.file(g).at(g.decl.span);
        let body = text.get(text.find('{').unwrap_or(0)..).unwrap_or_default();
        name.is_some_and(|n| ["{}.Done()", "Watch({},"].iter().any(|of| body.contains(&of.replace("{}", n.name))))
    };
    made.call().is_some_and(|call| {
        let taken = match case.pkg.callee(f, &call.fun) {
            Callee::Local(id) => hands_on(id),
            _ => true,
        };
        taken && call.args.iter().any(|a| case.pkg.type_of(f, a).is("context", "Context"))
    })
}

/// Whether a case is about a channel that this function makes and a goroutine of it uses, or what it calls.
fn is_of_the_call<'a>(case: &Case<'a>, f: &Function<'a>, c: &'a CommCase<'a>) -> bool {
    let channel = match c.comm.as_ref().map(|s| &s.kind) {
        Some(StmtKind::Send(to, _)) => Some(to),
        Some(StmtKind::Expr(e)) => e.unary("<-"),
        Some(StmtKind::Define(_, r) | StmtKind::Assign(_, _, r)) => r.first().and_then(|e| e.unary("<-")),
        _ => None,
    };
    let Some(v) = channel.and_then(|c| f.scope.var(c)).and_then(|v| f.scope.vars.get(v)) else { return false };
    // `var to chan T; if len(all) > 0 { to = jobs }`: another name for one of them, while there is something.
    let another = match v.assigned.as_slice() {
        [(Some(e), _)] if matches!(v.init, Init::None) => f.scope.var(e).and_then(|v| f.scope.vars.get(v)),
        _ => None,
    };
    let v = another.unwrap_or(v);
    let made = matches!(v.init, Init::Value(e, _) if crate::meaning::channels::made(case.pkg, f, e).is_some());
    let handed = || {
        let is = |e: &Expr<'a>| {
            e.ident() == Some(v.name)
                && f.scope.var(e).and_then(|v| f.scope.vars.get(v)).is_some_and(|w| w.span == v.span)
        };
        case.pkg
            .funcs
            .iter()
            .position(|g| std::ptr::eq(g, f))
            .is_some_and(|id| case.sites(id).iter().any(|s| s.call.args.iter().any(is)))
    };
    v.kind == VarKind::Local && made && (!v.captured_by.is_empty() || handed())
}

/// Whether a case ends the waiting whatever the others do.
fn is_way_out<'a>(case: &Case<'a>, f: &Function<'a>, c: &'a CommCase<'a>) -> bool {
    let Some(comm) = &c.comm else { return true };
    let (received, names) = match &comm.kind {
        StmtKind::Expr(e) => (e, 0),
        StmtKind::Define(l, r) | StmtKind::Assign(_, l, r) => match r.first() {
            Some(e) => (e, l.len()),
            None => return true,
        },
        StmtKind::Send(..) => return false,
        _ => return true,
    };
    let Some(channel) = received.unary("<-") else { return true };
    // `v, ok := <-c`: its being closed is a way out.
    if names == 2 || ends_something(last_name(channel)) {
        return true;
    }
    // `<-t.C`, of whatever gave the timer.
    if channel.selector().is_some_and(|(_, name)| name == "C") {
        return true;
    }
    // `idle, timer := clock.NewTimer(d)`, of a clock that tests replace.
    if let Some(Init::Value(made, _)) = f.scope.var(channel).and_then(|v| f.scope.vars.get(v)).map(|v| v.init)
        && made.call().is_some_and(|c| ["Timer", "Ticker", "After"].iter().any(|w| last_name(&c.fun).ends_with(w)))
    {
        return true;
    }
    match case.pkg.type_of(f, channel) {
        // Signals, times and empty structs are told for their own sake.
        Type::Chan(_, of) => {
            matches!(&*of, Type::Struct(fields) if fields.is_empty())
                || of.is("time", "Time")
                || of.is("os", "Signal")
                || of.is("", "struct")
        }
        Type::Unknown => channel.call().is_some(),
        _ => false,
    }
}
