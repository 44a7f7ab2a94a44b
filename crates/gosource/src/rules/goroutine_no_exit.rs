//! A goroutine that nothing can end. The page: `docs/rules/goroutine-no-exit.md`.

use super::rule::{Ask, Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::{Length, leads_out, length, loops_in};
use crate::meaning::shared::{by_requests, under_once};
use crate::syntax::ast::{Block, ForHead, Span, StmtKind};
use crate::syntax::{FnId, Function, Role};

/// The rule.
pub(super) struct GoroutineNoExit;

impl Rule for GoroutineNoExit {
    const INFO: RuleInfo = RuleInfo {
        code: "goroutine-no-exit",
        title: "a goroutine that nothing can end",
        doc: include_str!("../../../../docs/rules/goroutine-no-exit.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "its loop has no return, no break, no panic, and the function around it is not the program's start";
    const CURE: &'static str = "Give it a context or a channel that is closed, and return when that says so.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                let by = if u.role == Role::Go {
                    if is_start(f) && u.loops == 0 && u.parent == Some(0) || under_once(case, id, f, unit) {
                        None
                    } else {
                        Some((id, u.span, u.span))
                    }
                } else if unit == 0 {
                    started(case, id)
                } else {
                    None
                };
                let Some((starter, at, start)) = by else { continue };
                if let Some((span, what)) = endless(case, f, u.body) {
                    let again = starts_again(case, starter, at);
                    let found = out.found(id, span, format!("this goroutine can never end: {what}"));
                    if again == Again::Once {
                        found.level = Level::Hint;
                        found.why = Some(
                            "as far as this package tells it is started once, and one that lives as long as the process is no leak; started for each request or object it is"
                                .into(),
                        );
                    }
                    // Who calls a maker, another package tells.
                    let starter_key = crate::callers::once_at(case, starter, at);
                    found.ask = starter_key.map(if again == Again::AsCalled { Ask::Unasked } else { Ask::Once });
                    if unit == 0
                        && let Some(g) = case.pkg.funcs.get(starter)
                    {
                        found.related.push((g.file, at, "it is started here".into()));
                    } else {
                        let first = crate::syntax::ast::Span { end: start.start + 4, ..start };
                        found.related.push((f.file, first, "it is started here".into()));
                    }
                }
            }
        }
    }
}

/// Calls that are followed from a start to the start of the program.
const MAX_CALLERS: u32 = 6;

/// How often something is started, as far as a package tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// For requests, or for what comes.
    Often,
    /// As often as others call what makes it: a hint, unless one of those runs for requests.
    AsCalled,
    /// Once, or as often as nobody knows.
    Once,
}

/// Whether a start happens again and again: in a loop that takes what comes, or for requests. What is started
/// where an object is made, and that has no end, is as a rule one for the process, or one for each thing that
/// it is set up with.
fn starts_again(case: &Case<'_>, starter: FnId, at: Span) -> Again {
    let Some(f) = case.pkg.funcs.get(starter) else { return Again::Once };
    if case.pkg.name == "main" && is_start(f) {
        return Again::Once;
    }
    // Whoever starts it never comes back: there are as many as that has rounds before, once.
    if f.decl
        .body
        .as_ref()
        .and_then(|b| b.stmts.last())
        .is_some_and(|s| matches!(&s.kind, StmtKind::Select(c) if c.is_empty()))
        && !case.calls.is_hot(case.pkg, starter, 0)
    {
        return Again::Once;
    }
    // A loop over what there is starts as many as there are, and once: one that takes what comes goes on.
    let goes_on = f.scope.units.iter().any(|u| {
        let mut around = loops_in(u.body).into_iter().filter(|(_, _, l)| l.body.span.contains(at));
        around.any(|(_, _, l)| !matches!(length(case.pkg, f, l), Length::Counted))
    });
    let unit = f.scope.unit_at(at);
    if goes_on || by_requests(case, starter, unit) && case.calls.is_hot(case.pkg, starter, unit) {
        return Again::Often;
    }
    let name = f.decl.name.name;
    let makes = f.receiver_type().is_none()
        && ["New", "new", "Open", "Make", "make", "Create"].iter().any(|w| name.starts_with(w));
    match makes && !makes_one(case, starter, f) {
        true if is_ended(case, f) => Again::Often,
        true => Again::AsCalled,
        false => Again::Once,
    }
}

/// Whether what a maker makes has a method that ends it: there are many then, one after another, and the
/// goroutine stays behind each.
fn is_ended(case: &Case<'_>, f: &Function<'_>) -> bool {
    const ENDS: &[&str] = &["Close", "Stop", "Shutdown", "Quit", "Destroy", "Dispose", "Terminate"];
    let Some(("", of)) = f.decl.sig.results.first().and_then(|r| r.ty.pointee().name()) else { return false };
    case.funcs().any(|(_, g)| g.receiver_type() == Some(of) && ENDS.contains(&g.decl.name.name))
}

/// Whether a maker makes one thing for the process: all calls of it that the package has lead back to the
/// start of the program without a loop; or, where only others call it, what it makes is named as what serves.
fn makes_one(case: &Case<'_>, id: FnId, f: &Function<'_>) -> bool {
    // Metrics are registered once by a name: a second one of the same would not be taken.
    if f.decl.sig.params.iter().any(|p| p.ty.name().is_some_and(|(_, name)| name == "Registerer")) {
        return true;
    }
    let called = case.calls.to.get(&id).is_some_and(|c| !c.is_empty());
    if called {
        return runs_once(case, id, MAX_CALLERS);
    }
    // Of stores, pools and limiters a process may have one for each of many.
    const ONE: &[&str] = &["server", "service", "manager", "daemon", "app", "application", "controller", "gateway"];
    f.decl.sig.results.first().is_some_and(|r| match r.ty.pointee().name() {
        Some(("", of)) => ONE.iter().any(|w| of.to_lowercase().ends_with(w)),
        _ => false,
    })
}

/// Whether all calls of a function lead back to the start of the program, none of them in a loop.
fn runs_once(case: &Case<'_>, id: FnId, steps: u32) -> bool {
    let Some(steps) = steps.checked_sub(1) else { return false };
    let mut edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).peekable();
    edges.peek().is_some()
        && edges.all(|e| {
            let caller = case.pkg.funcs.get(e.caller);
            !e.in_loop && e.caller != id && (caller.is_some_and(is_start) || runs_once(case, e.caller, steps))
        })
}

/// Where a function is started as a goroutine, other than once by the program's start.
fn started<'a>(case: &Case<'a>, id: FnId) -> Option<(FnId, Span, Span)> {
    let edges = case.calls.to.get(&id)?.iter().filter_map(|n| case.calls.edges.get(*n));
    let mut edges = edges.filter(|e| e.starts);
    edges
        .find(|e| e.in_loop || e.unit > 0 || !case.pkg.funcs.get(e.caller).is_some_and(is_start))
        .map(|e| (e.caller, e.call.span, e.call.span))
}

fn is_start(f: &Function<'_>) -> bool {
    f.receiver_type().is_none() && matches!(f.decl.name.name, "main" | "init" | "TestMain")
}

/// The statement behind which a body can never come.
fn endless<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>) -> Option<(Span, String)> {
    for (span, label, l) in loops_in(body) {
        let nested = loops_in(body).iter().any(|(outer, _, _)| outer.contains(span) && *outer != span);
        if nested || !matches!(length(case.pkg, f, l), Length::Ever) || leads_out(case.pkg, f, l, label) {
            continue;
        }
        let what = match &l.head {
            ForHead::Range { over, .. } => {
                format!("nobody closes `{}`, and nothing leads out of the loop", case.text(f, over.span))
            }
            _ => "nothing leads out of its loop, no context, no closed channel, no return".to_owned(),
        };
        let head = Span { end: l.body.span.start, ..span };
        return Some((head, what));
    }
    let last = body.stmts.last()?;
    match &last.kind {
        StmtKind::Select(cases) if cases.is_empty() => Some((last.span, "it ends in a select without cases".into())),
        _ => None,
    }
}
