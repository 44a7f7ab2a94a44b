//! A make without a size before a loop of known length. The page: `docs/rules/make-without-size.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Block, Expr, ExprKind, For, ForHead, Span, Stmt, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Function, Init, VarId};

/// The rule.
pub(super) struct MakeWithoutSize;

impl Rule for MakeWithoutSize {
    const INFO: RuleInfo = RuleInfo {
        code: "make-without-size",
        title: "a make without a size before a loop of known length",
        doc: include_str!("../../../../docs/rules/make-without-size.md"),
    };
    const LEVEL: Level = Level::Hint;

    const WHY: &'static str = "each round of the loop adds one, and how many rounds there are is known before it";
    const CURE: &'static str = "Give make the length: make(map[K]V, len(xs)), make([]T, 0, len(xs)).";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                for found in unsized_before_loops(case, f, u.body, true) {
                    let what = case.text(f, found.made);
                    let report = out.found(id, found.made, format!("`{what}` has no size, and `{}` tells how many come: it grows step by step, and each step is garbage", found.over));
                    if is_configured(&found.over) {
                        report.why =
                            Some("what comes stands in a configuration: it is as long as somebody wrote it".into());
                    } else if case.pkg.vars.get(&*found.over).and_then(|v| v.value).is_some_and(is_short_list) {
                        report.why = Some("what comes is a short list that is written in the source".into());
                    } else if found.groups {
                        report.why = Some(
                            "it gathers what has one key: how many keys come is not known, and may be far fewer".into(),
                        );
                    } else if found.over.ends_with(')') && !found.over.starts_with("len(") {
                        report.why = Some(
                            "what comes is what a call gives: how much that is does not come with the request".into(),
                        );
                    } else if case.calls.is_hot(case.pkg, id, unit) {
                        report.why = Some(
                            "requests reach this function, and each round of the loop adds one: how many come, and so what it costs, only a profile tells"
                                .into(),
                        );
                    }
                }
            }
        }
    }
}

/// `var delimiters = []string{",", ";"}`.
fn is_short_list(value: &Expr<'_>) -> bool {
    matches!(&value.kind, ExprKind::Composite(_, elements) if elements.len() <= 16)
}

/// Whether what a loop goes over stands in a configuration, by the name of what it is a field of.
fn is_configured(over: &str) -> bool {
    let owner = over.trim_start_matches("len(").rsplit_once('.').map_or("", |(owner, _)| owner).to_lowercase();
    let last = owner.rsplit('.').next().unwrap_or_default();
    ["conf", "config", "cfg", "settings", "opts", "options"].iter().any(|w| last.ends_with(w))
}

/// A container that begins without room right before a loop that fills it.
pub(super) struct Unsized {
    pub(super) made: Span,
    pub(super) over: String,
    pub(super) fill: Span,
    /// Whether a round adds to what stands at its key: `byName[k] = append(byName[k], v)`.
    groups: bool,
}

/// In every block: a declaration, then in the same block a loop over something with a length, whose body adds
/// to it without a condition. With `make` written, or without.
pub(super) fn unsized_before_loops<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    body: &'a Block<'a>,
    with_make: bool,
) -> Vec<Unsized> {
    let mut lists: Vec<&'a [Stmt<'a>]> = vec![&body.stmts];
    each_node(body, |node| {
        if let Node::Stmt(s) = node {
            match &s.kind {
                StmtKind::Block(b) => lists.push(&b.stmts),
                StmtKind::If(i) => lists.push(&i.then.stmts),
                StmtKind::For(l) => lists.push(&l.body.stmts),
                StmtKind::Switch(sw) => lists.extend(sw.cases.iter().map(|c| c.body.as_slice())),
                StmtKind::TypeSwitch(sw) => lists.extend(sw.cases.iter().map(|(_, b)| b.as_slice())),
                StmtKind::Select(cases) => lists.extend(cases.iter().map(|c| c.body.as_slice())),
                _ => {}
            }
        }
    });
    let mut out = Vec::new();
    for list in lists {
        for (i, s) in list.iter().enumerate() {
            for (var, made) in declared(case, f, s, with_make) {
                // The first loop behind it decides.
                let after = list.get(i + 1..).unwrap_or_default().iter();
                let next = after.take(12).find_map(|s| match &s.kind {
                    StmtKind::For(l) => Some(l),
                    _ => None,
                });
                if let Some(l) = next
                    && let Some((over, fill, groups)) = fills_each(case, f, l, var)
                {
                    out.push(Unsized { made, over, fill, groups });
                }
            }
        }
    }
    out
}

/// Containers without room that a statement declares.
fn declared<'a>(case: &Case<'a>, f: &'a Function<'a>, s: &'a Stmt<'a>, with_make: bool) -> Vec<(VarId, Span)> {
    match &s.kind {
        StmtKind::Define(l, r) if l.len() == r.len() => {
            let pairs = l.iter().zip(r);
            pairs
                .filter(|(_, v)| is_unsized(case, v, with_make))
                .filter_map(|(n, v)| Some((f.scope.var(n)?, v.span)))
                .collect()
        }
        StmtKind::Var(specs) => {
            let mut out = Vec::new();
            for spec in specs {
                for (i, name) in spec.names.iter().enumerate() {
                    let bare = spec.values.is_empty()
                        && !with_make
                        && spec.ty.as_ref().is_some_and(|t| matches!(case.pkg.underlying(t), Type::Slice(_)));
                    let made = spec.values.get(i).is_some_and(|v| is_unsized(case, v, with_make));
                    if (bare || made)
                        && let Some(var) = f.scope.declared(*name)
                    {
                        out.push((var, spec.values.get(i).map_or(name.span, |v| v.span)));
                    }
                }
            }
            out
        }
        _ => Vec::new(),
    }
}

fn is_unsized<'a>(case: &Case<'a>, e: &Expr<'a>, with_make: bool) -> bool {
    match &e.kind {
        ExprKind::Call(call) if with_make && call.fun.ident() == Some("make") => {
            match call.args.first().map(|a| &a.kind) {
                Some(ExprKind::Type(ty)) => match case.pkg.underlying(ty) {
                    Type::Map(..) => call.args.len() == 1,
                    Type::Slice(_) => {
                        call.args.len() == 2 && matches!(call.args.get(1).map(|a| &a.kind), Some(ExprKind::Lit(_, "0")))
                    }
                    _ => false,
                },
                _ => false,
            }
        }
        ExprKind::Composite(Some(ty), elements) if !with_make => {
            elements.is_empty() && matches!(case.pkg.underlying(ty), Type::Slice(_))
        }
        _ => false,
    }
}

/// Whether each round of a loop over something with a length adds one to a container.
fn fills_each<'a>(case: &Case<'a>, f: &'a Function<'a>, l: &'a For<'a>, var: VarId) -> Option<(String, Span, bool)> {
    let over = match &l.head {
        ForHead::Range { over, .. } => match case.pkg.underlying(case.pkg.type_of(f, over).pointee()) {
            Type::Slice(_) | Type::Map(..) | Type::Array(_) => case.text(f, over.span),
            _ => return None,
        },
        ForHead::Clause { cond: Some(cond), .. } => match &cond.kind {
            ExprKind::Binary("<", o) => {
                let limit = o.get(1)?;
                if limit.ident().is_none() && limit.call().is_none_or(|c| c.fun.ident() != Some("len")) {
                    return None;
                }
                case.text(f, limit.span)
            }
            _ => return None,
        },
        _ => return None,
    };
    let mut fill = None;
    for s in &l.body.stmts {
        match &s.kind {
            // A round may be left before, or the loop: then the length is only a bound.
            StmtKind::If(i)
                if i.then
                    .stmts
                    .last()
                    .is_some_and(|s| matches!(s.kind, StmtKind::Continue(_) | StmtKind::Break(_))) =>
            {
                return None;
            }
            StmtKind::Assign("=", targets, values) => {
                let target = targets.first()?;
                let adds = match &target.kind {
                    ExprKind::Index(x, _) => f.scope.var(x) == Some(var),
                    ExprKind::Ident(_) => {
                        f.scope.var(target) == Some(var)
                            && values
                                .first()
                                .and_then(|v| v.call())
                                .is_some_and(|c| c.fun.ident() == Some("append") && !c.spread && c.args.len() == 2)
                    }
                    _ => false,
                };
                if adds {
                    let own = |a: &Expr<'a>| a.root().is_some_and(|r| f.scope.var(r) == Some(var));
                    let at_key = matches!(target.kind, ExprKind::Index(..));
                    let appends = |v: &Expr<'a>| {
                        v.call().is_some_and(|c| c.fun.ident() == Some("append") && c.args.first().is_some_and(own))
                    };
                    // `sum := all[k]; sum.n++; all[k] = sum`.
                    let adds_up = |v: &Expr<'a>| {
                        let init = f.scope.var(v).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
                        matches!(init, Some(Init::Value(from, _))
                            if matches!(from.kind, ExprKind::Index(..)) && own(from))
                    };
                    let groups = at_key && values.first().is_some_and(|v| appends(v) || adds_up(v));
                    fill.get_or_insert((s.span, groups));
                }
            }
            _ => {}
        }
    }
    fill.map(|(s, groups)| (over, s, groups))
}

#[cfg(test)]
mod tests {
    use super::is_configured;

    #[test]
    fn what_stands_in_a_configuration() {
        for over in ["config.Schemes", "s.conf.Peers", "len(cfg.Routes)", "m.opts.Tags"] {
            assert!(is_configured(over), "{over}");
        }
        for over in ["configs", "s.items", "len(rows)", "conf"] {
            assert!(!is_configured(over), "{over}");
        }
    }
}
