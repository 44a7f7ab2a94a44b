//! A container built anew for each request from what all requests share. The page:
//! `docs/rules/rebuilt-per-request.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::{each_node, loops_in};
use crate::meaning::shared::{Origin, is_stored, may_be_long, origin, under_once};
use crate::syntax::ast::{Block, Expr, ExprKind, For, ForHead, Span, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, VarId, VarKind};

/// The rule.
pub(super) struct RebuiltPerRequest;

impl Rule for RebuiltPerRequest {
    const INFO: RuleInfo = RuleInfo {
        code: "rebuilt-per-request",
        title: "a container built anew for each request from what all requests share",
        doc: include_str!("../../../../docs/rules/rebuilt-per-request.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str =
        "what the loop goes over is the same for all requests, what it fills is made here, and it is kept nowhere";
    const CURE: &'static str = "Build it once when the data change, keep it beside them, and let requests read it.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                if !case.calls.is_hot(case.pkg, id, unit) || under_once(case, id, f, unit) {
                    continue;
                }
                for (span, _, l) in loops_in(u.body) {
                    if let Some((built, over)) = builds(case, f, l)
                        && let Some(from) = origin(case, id, over)
                        && !is_kept(case, f, built.var, &from)
                    {
                        say(case, id, f, span, &built, &from, out);
                    }
                }
            }
        }
        let mut seen = Vec::new();
        out.reports.retain(|r| {
            let new = !seen.contains(&(r.func, r.span));
            seen.push((r.func, r.span));
            new
        });
    }
}

/// What a loop fills.
pub(super) struct Built<'a> {
    /// The container.
    pub(super) var: VarId,
    /// The statement that fills it.
    pub(super) fill: Span,
    /// Whether it is a map.
    is_map: bool,
    name: &'a str,
}

fn say<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    at: Span,
    built: &Built<'a>,
    from: &Origin<'a>,
    out: &mut Out,
) {
    let what = if built.is_map { "map" } else { "slice" };
    let who = f.short_name();
    let (entry, how) = case.calls.entry(case.pkg, id).unwrap_or((id, "runs for requests"));
    let entry_name = case.pkg.funcs.get(entry).map(Function::short_name).unwrap_or_default();
    let sentence = if entry == id {
        format!(
            "`{who}` {how} and builds the {what} `{}` anew each time from `{}`, which all of them share",
            built.name, from.text
        )
    } else {
        format!(
            "`{who}` is rebuilt per request: `{entry_name}` {how}, and each time a new {what} `{}` is filled from `{}`, which all of them share",
            built.name, from.text
        )
    };
    let found = out.found(id, built.fill, sentence);
    if !built.is_map {
        // An answer is often a list of what is shared; a set or an index of it never is the answer.
        found.level = Level::Warning;
    }
    found.related.push((f.file, Span { end: at.start + 3, ..at }, "once for each element of the shared data".into()));
    if let Some((caller, call)) = from.handed
        && let Some(g) = case.pkg.funcs.get(caller)
    {
        found.related.push((g.file, call.span, "called here for each request".into()));
    }
}

/// The container that a loop over a name fills with every element, whatever the request is.
fn builds<'a>(case: &Case<'a>, f: &'a Function<'a>, l: &'a For<'a>) -> Option<(Built<'a>, &'a Expr<'a>)> {
    let (over, own) = match &l.head {
        ForHead::Range { over, vars, .. } => (over, vars.iter().filter_map(|v| f.scope.var(v)).collect::<Vec<_>>()),
        // `for i := 0; i < len(xs); i++`
        ForHead::Clause { init, cond: Some(cond), .. } => {
            let ExprKind::Binary("<" | "<=", operands) = &cond.kind else { return None };
            let over = operands.get(1)?.call().filter(|c| c.fun.ident() == Some("len"))?.args.first()?;
            let own = match init.as_ref().map(|s| &s.kind) {
                Some(StmtKind::Define(l, _)) => l.iter().filter_map(|e| f.scope.var(e)).collect(),
                _ => Vec::new(),
            };
            (over, own)
        }
        _ => return None,
    };
    if !may_be_long(&case.pkg.underlying(&case.pkg.type_of(f, over))) {
        return None;
    }
    let (var, fill, is_map) = fills(case, f, &l.body)?;
    let v = f.scope.vars.get(var)?;
    // Whatever else the body looks at may be the request's: then it picks, and does not copy.
    let mut foreign = false;
    each_node(&l.body, |node| {
        if let Node::Expr(e) = node
            && let Some(used) = f.scope.var(e)
            && used != var
            && !own.contains(&used)
            && !from_shared(f, used, over)
            && f.scope.vars.get(used).is_some_and(|v| !l.body.span.contains(v.span))
        {
            foreign = true;
        }
    });
    (!foreign).then_some((Built { var, fill, is_map, name: v.name }, over))
}

/// Names that stand for the shared thing itself, like `cfg` in `for i := range cfg.ids { use(cfg.ids[i]) }`,
/// and the receiver.
fn from_shared(f: &Function<'_>, used: VarId, over: &Expr<'_>) -> bool {
    let root = over.root().and_then(Expr::ident);
    f.scope.vars.get(used).is_some_and(|v| Some(v.name) == root || v.kind == VarKind::Receiver)
}

/// The container of this function that a body fills, and where.
pub(super) fn fills<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>) -> Option<(VarId, Span, bool)> {
    let mut found = None;
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::Assign("=", l, r) = &s.kind else { return };
        let Some(target) = l.first() else { return };
        match &target.kind {
            ExprKind::Index(x, _) => {
                if let Some(var) = f.scope.var(x).filter(|v| is_made_here(case, f, *v)) {
                    let is_map = matches!(case.pkg.underlying(&case.pkg.type_of(f, x)), Type::Map(..));
                    found.get_or_insert((var, s.span, is_map));
                }
            }
            ExprKind::Ident(_) => {
                let appends = r.first().and_then(|v| v.call()).is_some_and(|c| c.fun.ident() == Some("append"));
                // A list of new values made of what is shared is usually the answer itself.
                let converts = r.first().and_then(|v| v.call()).is_some_and(|c| {
                    c.args.iter().skip(1).any(|a| matches!(a.unary("&").unwrap_or(a).kind, ExprKind::Composite(..)))
                });
                if let Some(var) = f.scope.var(target).filter(|v| appends && !converts && is_made_here(case, f, *v)) {
                    found.get_or_insert((var, s.span, false));
                }
            }
            _ => {}
        }
    });
    found
}

/// Whether a local container begins empty in this function.
fn is_made_here<'a>(case: &Case<'a>, f: &Function<'a>, var: VarId) -> bool {
    let Some(v) = f.scope.vars.get(var).filter(|v| matches!(v.kind, VarKind::Local | VarKind::Result)) else {
        return false;
    };
    let makes = |e: &Expr<'a>| match &e.kind {
        ExprKind::Composite(_, elements) => elements.is_empty(),
        ExprKind::Call(call) => case.pkg.callee(f, &call.fun) == Callee::Builtin("make"),
        _ => false,
    };
    match v.init {
        Init::Value(e, 0) => makes(e),
        Init::None => v.ty.is_some_and(|t| matches!(case.pkg.underlying(t), Type::Slice(_) | Type::Map(..))),
        _ => false,
    }
}

/// Whether what is built is put into something that lives on: here, or where the call's result goes.
fn is_kept<'a>(case: &Case<'a>, f: &'a Function<'a>, var: VarId, from: &Origin<'a>) -> bool {
    if is_stored(case, f, var) {
        return true;
    }
    let Some((caller, call)) = from.handed else { return false };
    let Some(g) = case.pkg.funcs.get(caller) else { return false };
    let mut kept = false;
    let mut result = None;
    for u in &g.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign(_, l, r) | StmtKind::Define(l, r) = &s.kind
                && r.iter().any(|v| v.span.contains(call.span))
            {
                kept |= l.iter().any(|t| crate::meaning::lifetimes::long(case.pkg, g, t).is_some());
                result = l.first().and_then(|t| g.scope.var(t));
            }
        });
    }
    kept || result.is_some_and(|r| is_stored(case, g, r)) || handed_to_store(case, caller, call)
}

/// `s.cache.Store(build(ids))`.
fn handed_to_store<'a>(case: &Case<'a>, caller: FnId, call: &Expr<'a>) -> bool {
    case.sites(caller).iter().any(|s| {
        s.call.args.iter().any(|a| a.span == call.span)
            && s.call
                .fun
                .selector()
                .is_some_and(|(_, name)| matches!(name, "Store" | "Set" | "Swap" | "Put" | "CompareAndSwap"))
    })
}
