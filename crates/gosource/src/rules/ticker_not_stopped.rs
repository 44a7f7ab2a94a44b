//! A ticker that nobody stops. The page: `docs/rules/ticker-not-stopped.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::{Length, each_node, leads_out, length, loops_in};
use crate::syntax::ast::{Expr, ExprKind, StmtKind};
use crate::syntax::calls::Site;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, VarId};

/// The rule.
pub(super) struct TickerNotStopped;

impl Rule for TickerNotStopped {
    const INFO: RuleInfo = RuleInfo {
        code: "ticker-not-stopped",
        title: "a ticker that nobody stops",
        doc: include_str!("../../../../docs/rules/ticker-not-stopped.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "the function makes the ticker, keeps it to itself, returns, and nothing in it calls Stop";
    const CURE: &'static str = "defer ticker.Stop() right after it is made.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f, site) in case.all_sites() {
            match site.callee {
                Callee::Package("time", "Tick") => tick(case, id, f, site, out),
                Callee::Package("time", "NewTicker") => ticker(case, id, f, site, out),
                _ => {}
            }
        }
    }
}

/// `time.Tick` in a function that ends: nobody can stop that ticker.
fn tick<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, site: &Site<'a>, out: &mut Out) {
    if is_start(f) || never_ends(case, f, site.unit) {
        return;
    }
    say(case, id, site, format!("`{}` makes a ticker that nobody can stop", case.text(f, site.expr.span)), out);
}

fn ticker<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, site: &Site<'a>, out: &mut Out) {
    let unit = site.unit;
    let var = f.scope.vars.iter().position(|v| matches!(v.init, Init::Value(e, 0) if e.span == site.expr.span));
    let Some(var) = var else {
        field(case, id, f, site, out);
        return;
    };
    let Some(name) = f.scope.vars.get(var).map(|v| v.name) else { return };
    // Its channel may be handed on, and it may not: whoever has the ticker itself may stop it.
    if is_start(f) || never_ends(case, f, unit) || is_handed_on(f, var) {
        return;
    }
    say(case, id, site, format!("the ticker `{name}` is never stopped: nothing calls `{name}.Stop`"), out);
}

/// A ticker in a field that nothing in the package stops.
fn field<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, site: &Site<'a>, out: &mut Out) {
    let mut target = None;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, r) = &s.kind
                && r.iter()
                    .position(|v| v.span == site.expr.span)
                    .is_some_and(|i| l.get(i).is_some_and(|t| t.selector().is_some()))
            {
                target = l.first().and_then(|t| t.selector()).map(|(_, name)| name);
            }
            // `&worker{tick: time.NewTicker(d)}`.
            if let Node::Expr(e) = node
                && let ExprKind::Composite(_, elements) = &e.kind
            {
                let given = elements.iter().find(|(_, v)| v.span == site.expr.span);
                target = target.or(given.and_then(|(k, _)| k.as_ref()).and_then(Expr::ident));
            }
        });
    }
    let Some(name) = target else { return };
    let stopped = case.pkg.files.iter().any(|file| file.text.contains(&format!("{name}.Stop")));
    if !stopped && name.starts_with(char::is_lowercase) {
        say(
            case,
            id,
            site,
            format!("the ticker in `{name}` is never stopped: nothing in the package calls `{name}.Stop`"),
            out,
        );
    }
}

fn say<'a>(case: &Case<'a>, id: FnId, site: &Site<'a>, what: String, out: &mut Out) {
    // Since Go 1.23 a ticker that nothing refers to is collected, stopped or not.
    if case.pkg.go_minor.is_some_and(|m| m >= 23) {
        let found = out.found(id, site.expr.span, format!("{what}; it ticks as long as something refers to it"));
        found.level = Level::Hint;
        found.why = Some("the module says Go 1.23 or later, where an unreachable ticker is collected".into());
    } else {
        let found = out.found(id, site.expr.span, format!("{what}; its timer stays with the runtime for ever"));
        let of_group =
            case.pkg.funcs.get(id).is_some_and(|f| {
                f.decl.sig.params.iter().any(|p| p.ty.pointee().name() == Some(("sync", "WaitGroup")))
            });
        if of_group && !case.calls.is_hot(case.pkg, id, site.unit) {
            found.level = Level::Hint;
            found.why = Some(
                "the function is one of a group that is waited for as the service ends, and leaves one then".into(),
            );
        } else if is_started_once(case, id) {
            found.level = Level::Hint;
            found.why = Some(
                "the function is started as a goroutine, and in no loop: one that ends as the service does leaves one"
                    .into(),
            );
        }
    }
}

/// Whether all that this package does with a function is to start it as a goroutine, in no loop, and where no
/// request comes.
fn is_started_once(case: &Case<'_>, id: FnId) -> bool {
    let mut edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).peekable();
    edges.peek().is_some() && edges.all(|e| e.starts && !e.in_loop && !case.calls.is_hot(case.pkg, e.caller, e.unit))
}

/// `main` and `init` end with the program.
fn is_start(f: &Function<'_>) -> bool {
    f.receiver_type().is_none() && matches!(f.decl.name.name, "main" | "init")
}

/// Whether the unit has a loop without end that nothing leads out of.
fn never_ends<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize) -> bool {
    let Some(u) = f.scope.units.get(unit) else { return true };
    loops_in(u.body)
        .iter()
        .any(|(_, label, l)| matches!(length(case.pkg, f, l), Length::Ever) && !leads_out(case.pkg, f, l, *label))
}

/// Whether the ticker is stopped, returned, kept or given to somebody.
fn is_handed_on(f: &Function<'_>, var: VarId) -> bool {
    let mut harmless = 0;
    let mut all = 0;
    for u in f.scope.units.iter().take(1) {
        crate::syntax::visit::block(u.body, &mut |node| {
            if let Node::Expr(e) = node {
                if let Some((x, name)) = e.selector()
                    && f.scope.var(x) == Some(var)
                    && matches!(name, "C" | "Reset")
                {
                    harmless += 1;
                }
                if f.scope.var(e) == Some(var) && f.scope.vars.get(var).is_some_and(|v| v.span.start != e.span.start) {
                    all += 1;
                }
            }
            true
        });
    }
    all > harmless
}
