//! WaitGroup.Done that a path misses. The page: `docs/rules/wg-done-missed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::groups::{GroupCall, Op, group_calls};
use crate::meaning::loops::{each_node, final_call};
use crate::syntax::ast::{Block, Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Role};

/// The rule.
pub(super) struct WgDoneMissed;

impl Rule for WgDoneMissed {
    const INFO: RuleInfo = RuleInfo {
        code: "wg-done-missed",
        title: "WaitGroup.Done that a path misses",
        doc: include_str!("../../../../docs/rules/wg-done-missed.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str = "every path through the goroutine was followed";
    const CURE: &'static str = "defer wg.Done() as the first statement of the goroutine.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            let calls = group_calls(case.pkg, f, case.sites(id));
            for (unit, u) in f.scope.units.iter().enumerate() {
                let started = u.role == Role::Go || unit == 0 && is_started(case, id);
                let dones: Vec<&GroupCall<'_>> =
                    calls.iter().filter(|c| c.op == Op::Done && c.site.unit == unit).collect();
                let Some(first) = dones.first().filter(|_| started) else { continue };
                // What adds itself counts something else than its own end, and so does one Done a round.
                let counts =
                    calls.iter().any(|c| c.op == Op::Add && c.key == first.key && f.scope.is_within(c.site.unit, unit));
                if counts
                    || dones.iter().any(|d| d.is_deferred() || d.site.in_loop && !leaves(case, f, d))
                    || deferred_in(case, f, u.body, first.key)
                {
                    continue;
                }
                let mut follow = Follow { case, f, key: first.key, exits: Vec::new() };
                if !walk(case.file(f), u.body, false, &mut follow) {
                    continue;
                }
                let mut exits = follow.exits;
                exits.sort_unstable();
                exits.dedup();
                if let Some(exit) = exits.first() {
                    let found = out.found(
                        id,
                        *exit,
                        format!("this path ends without `{}.Done`: who waits for the group waits for ever", first.key),
                    );
                    found.related.push((f.file, first.site.expr.span, "other paths call it here".into()));
                } else if let Some((what, at)) = may_panic(case, f, u.body, first.site.expr.span) {
                    let found = out.found(
                        id,
                        first.site.expr.span,
                        format!("`{}.Done` is not deferred, and {what} before it may panic", first.key),
                    );
                    found.level = if recovers(case, f, u.body) { Level::Warning } else { Level::Hint };
                    found.why = Some("a panic that somebody recovers from leaves the group waiting; one that nobody does ends the program".into());
                    found.related.push((f.file, at, "this may panic".into()));
                }
            }
        }
    }
}

/// Whether a body defers something that may recover: a literal that does, or a function that is not seen.
fn recovers<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>) -> bool {
    let mut found = false;
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::Defer(e) = &s.kind else { return };
        let local = e.call().and_then(|c| match case.pkg.callee(f, &c.fun) {
            Callee::Local(id) => case.pkg.funcs.get(id).map(|g| case.file(g).at(g.decl.span)),
            _ => None,
        });
        let text = local.unwrap_or_else(|| case.file(f).at(e.span)).to_lowercase();
        found |= text.contains("recover") || text.contains("handlecrash") || text.contains("panic");
    });
    found
}

/// Whether the statement behind a call leaves the function.
fn leaves<'a>(case: &Case<'a>, f: &Function<'a>, call: &GroupCall<'a>) -> bool {
    let after = case.file(f).text.get(call.site.expr.span.end as usize..).unwrap_or_default();
    after.trim_start().starts_with("return")
}

fn is_started(case: &Case<'_>, id: FnId) -> bool {
    case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).any(|e| e.starts)
}

/// Whether a deferred literal calls it.
fn deferred_in<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, key: &str) -> bool {
    let mut found = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Defer(e) = &s.kind
        {
            found |= case.file(f).at(e.span).contains(&format!("{key}.Done"));
        }
    });
    found
}

/// Something before a place that may panic for what the data are: an index, an assertion, a callback.
fn may_panic<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, before: Span) -> Option<(String, Span)> {
    let mut found = None;
    each_node(body, |node| {
        let Node::Expr(e) = node else { return };
        if found.is_some() || e.span.start >= before.start {
            return;
        }
        let what = match &e.kind {
            ExprKind::Index(x, _) => match case.pkg.underlying(&case.pkg.type_of(f, x)) {
                Type::Slice(_) => Some(format!("the index `{}`", case.text(f, e.span))),
                _ => None,
            },
            ExprKind::Call(call) => match case.pkg.callee(f, &call.fun) {
                Callee::Builtin("panic") => Some("a panic".to_owned()),
                // What ends a context does not panic.
                Callee::Variable(_) | Callee::Field(_) if last_name(&call.fun).starts_with("cancel") => None,
                Callee::Variable(_) | Callee::Field(_) => {
                    Some(format!("the callback `{}`", case.text(f, call.fun.span)))
                }
                Callee::Package(_, name) if name.starts_with("Must") => Some(format!("`{name}`")),
                _ => None,
            },
            ExprKind::Assert(..) => {
                (!checked(body, e.span)).then(|| format!("the assertion `{}`", case.text(f, e.span)))
            }
            _ => None,
        };
        found = what.map(|w| (w, e.span));
    });
    found
}

/// `v, ok := x.(T)`.
fn checked(body: &Block<'_>, span: Span) -> bool {
    let mut checked = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Define(l, r) | StmtKind::Assign(_, l, r) = &s.kind
        {
            checked |= l.len() == 2 && r.len() == 1 && r.first().is_some_and(|v| v.span == span);
        }
    });
    checked
}

struct Follow<'w, 'a> {
    case: &'w Case<'a>,
    f: &'a Function<'a>,
    key: &'a str,
    exits: Vec<Span>,
}

impl<'a> Along<'a> for Follow<'_, 'a> {
    type State = bool;

    fn pass(&mut self, node: Node<'a, 'a>, done: &mut bool) {
        if let Node::Expr(e) = node {
            match &e.kind {
                // Called, or handed on as a value.
                ExprKind::Selector(x, name) if name.name == "Done" => {
                    *done |= self.case.file(self.f).at(x.span) == self.key
                }
                ExprKind::FuncLit(_) => {
                    *done |= self.case.file(self.f).at(e.span).contains(&format!("{}.Done", self.key))
                }
                ExprKind::Call(call) => {
                    // The group is handed on.
                    let has = |a: &Expr<'a>| self.case.file(self.f).at(a.unary("&").unwrap_or(a).span) == self.key;
                    *done |= call.args.iter().any(has);
                }
                _ => {}
            }
        }
    }

    fn end(&mut self, exit: Exit<'a>, done: &bool) {
        if !done && !matches!(exit, Exit::Panic(_)) {
            self.exits.push(exit.span());
        }
    }

    fn is_final(&self, call: &'a Expr<'a>) -> bool {
        final_call(self.case.pkg, self.f, call)
    }
}
