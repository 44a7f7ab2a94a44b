//! Goroutines that start for what is taken out of a map.

use crate::meaning::case::Case;
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Block, Expr, ExprKind, If, Span, Stmt, StmtKind};
use crate::syntax::paths::has_word;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, Function};

/// Whether a start stands behind `delete(m, k)` in the same statements, is for that key, and comes only where
/// the key was in the map: each entry that somebody has put there starts one.
pub(crate) fn is_of_taken_entry<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    body: &'a Block<'a>,
    start: Span,
    started: &Expr<'a>,
) -> bool {
    let text = |e: &Expr<'a>| case.file(f).at(e.span);
    let mut lists = vec![(body.stmts.as_slice(), None)];
    each_node(body, |node| {
        if let Node::Stmt(s) = node {
            lists_of(s, &mut lists)
        }
    });
    lists.into_iter().any(|(list, under)| {
        let Some(at) = list.iter().position(|s| s.span == start) else { return false };
        let Some(before) = list.get(..at) else { return false };
        before.iter().any(|s| {
            let StmtKind::Expr(e) = &s.kind else { return false };
            let Some(call) = e.call().filter(|c| case.pkg.callee(f, &c.fun) == Callee::Builtin("delete")) else {
                return false;
            };
            let [map, key] = call.args.as_slice() else { return false };
            // A map that the round makes bounds nothing.
            let own = map.root().and_then(|r| f.scope.var(r)).and_then(|v| f.scope.vars.get(v));
            let is_entry = |e: &Expr<'a>| match &e.kind {
                ExprKind::Index(m, k) => text(m) == text(map) && text(k) == text(key),
                _ => false,
            };
            !own.is_some_and(|v| body.span.contains(v.span))
                && has_word(text(started), text(key))
                && (is_looked_up(case, f, before, &is_entry) || under.is_some_and(|i| asks_for(i, &is_entry)))
        })
    })
}

type List<'a> = (&'a [Stmt<'a>], Option<&'a If<'a>>);

/// The lists of statements within one, with the `if` whose first branch each is.
fn lists_of<'a>(s: &'a Stmt<'a>, out: &mut Vec<List<'a>>) {
    match &s.kind {
        StmtKind::Block(b) => out.push((&b.stmts, None)),
        StmtKind::If(i) => out.push((&i.then.stmts, Some(i.as_ref()))),
        StmtKind::For(l) => out.push((&l.body.stmts, None)),
        StmtKind::Switch(sw) => out.extend(sw.cases.iter().map(|c| (c.body.as_slice(), None))),
        StmtKind::TypeSwitch(sw) => out.extend(sw.cases.iter().map(|(_, b)| (b.as_slice(), None))),
        StmtKind::Select(cases) => out.extend(cases.iter().map(|c| (c.body.as_slice(), None))),
        _ => {}
    }
}

/// `entry, ok := m[k]`: the name that says whether there is one.
fn found_name<'a>(s: &Stmt<'a>, is_entry: &dyn Fn(&Expr<'a>) -> bool) -> Option<&'a str> {
    let StmtKind::Define(l, r) = &s.kind else { return None };
    let ([_, ok], [value]) = (l.as_slice(), r.as_slice()) else { return None };
    is_entry(value).then(|| ok.ident()).flatten()
}

/// Whether statements look for the entry and leave where there is none: `entry, ok := m[k]; if !ok { return
/// }`.
fn is_looked_up<'a>(
    case: &Case<'a>,
    f: &Function<'a>,
    before: &'a [Stmt<'a>],
    is_entry: &dyn Fn(&Expr<'a>) -> bool,
) -> bool {
    let Some(name) = before.iter().find_map(|s| found_name(s, is_entry)) else { return false };
    before.iter().any(|s| {
        let StmtKind::If(i) = &s.kind else { return false };
        let absent = |e: &Expr<'a>| e.unary("!").and_then(Expr::ident) == Some(name);
        let asked =
            absent(&i.cond) || matches!(&i.cond.kind, ExprKind::Binary("||", operands) if operands.iter().any(absent));
        asked
            && i.then.stmts.last().is_some_and(|s| match &s.kind {
                StmtKind::Return(_) | StmtKind::Continue(_) | StmtKind::Break(_) => true,
                StmtKind::Expr(e) => crate::meaning::loops::final_call(case.pkg, f, e),
                _ => false,
            })
    })
}

/// `if entry, ok := m[k]; ok { ... }`.
fn asks_for<'a>(i: &'a If<'a>, is_entry: &dyn Fn(&Expr<'a>) -> bool) -> bool {
    let Some(name) = i.init.as_ref().and_then(|s| found_name(s, is_entry)) else { return false };
    let there = |e: &Expr<'a>| e.ident() == Some(name);
    there(&i.cond) || matches!(&i.cond.kind, ExprKind::Binary("&&", operands) if operands.iter().any(there))
}

#[cfg(test)]
mod tests {
    use crate::check_text;

    /// Whether what is said of the start says that its key was taken out of a map.
    fn is_taken_out(round: &str) -> bool {
        let text = format!(
            "package a\nimport \"sync\"\n\
             type gc struct {{ mu sync.Mutex; gone map[int]bool; ch chan int; end chan int }}\n\
             func (g *gc) run(f func(int)) {{\nfor {{\nselect {{\ncase <-g.end:\nreturn\n\
             case n := <-g.ch:\n{round}\n}}\n}}\n}}\n"
        );
        let found = check_text("a.go", &text, None).findings.into_iter();
        let all: Vec<_> = found.filter(|f| f.code == "goroutine-unbounded").collect();
        assert_eq!(all.len(), 1, "{all:?}");
        all.iter().any(|f| f.why.contains("taken out right before"))
    }

    #[test]
    fn what_is_taken_out_of_a_map_starts_as_many_as_were_put_there() {
        for round in [
            "g.mu.Lock()\n_, ok := g.gone[n]\nif !ok {\ng.mu.Unlock()\ncontinue\n}\ndelete(g.gone, n)\n\
             g.mu.Unlock()\ngo f(n)",
            "if _, ok := g.gone[n]; ok {\ndelete(g.gone, n)\ngo f(n)\n}",
        ] {
            assert!(is_taken_out(round), "{round}");
        }
    }

    #[test]
    fn a_key_that_need_not_be_there_bounds_nothing() {
        for round in [
            "delete(g.gone, n)\ngo f(n)",
            "if _, ok := g.gone[n]; !ok {\ndelete(g.gone, n)\ngo f(n)\n}",
            "if _, ok := g.gone[n]; ok {\ndelete(g.gone, n)\ngo f(7)\n}",
            "if _, ok := g.gone[n]; ok {\ndelete(g.gone, n)\n}\ngo f(n)",
        ] {
            assert!(!is_taken_out(round), "{round}");
        }
    }
}
