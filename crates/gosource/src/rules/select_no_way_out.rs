//! A select that may wait for ever. The page: `docs/rules/select-no-way-out.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{ends_something, last_name};
use crate::meaning::loops::each_node;
use crate::syntax::ast::{CommCase, Span, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{FnId, Function, Role};

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
                            out.found(id, head, "a select without cases waits for ever");
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
                    // Where nobody is known to wait for it, or it is one of several that one worker serves.
                    let goroutine = is_goroutine(case, id, unit);
                    if !goroutine && super::context_not_handed_on::context_of(f, unit).is_none() {
                        found.level = Level::Hint;
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
