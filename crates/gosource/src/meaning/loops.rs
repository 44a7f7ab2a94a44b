//! Loops: how long they run, and whether anything leads out of them.

use crate::syntax::ast::{Block, Expr, ExprKind, For, ForHead, LitKind, Span, Stmt, StmtKind, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, Function, Package};

/// Every loop of a block, literals of functions left out, with where it stands and its label.
pub(crate) fn loops_in<'a>(body: &'a Block<'a>) -> Vec<(Span, Option<&'a str>, &'a For<'a>)> {
    let mut out = Vec::new();
    let mut label = None;
    visit::block(body, &mut |node| {
        match node {
            Node::Stmt(s) => match &s.kind {
                StmtKind::Labeled(l, _) => label = Some(*l),
                StmtKind::For(l) => out.push((s.span, label.take(), l.as_ref())),
                _ => label = None,
            },
            Node::Expr(e) => return !matches!(e.kind, ExprKind::FuncLit(_)),
        }
        true
    });
    out
}

/// Whether a statement inside leads out of the loop: a return, a break of it, a panic, a goto.
pub(crate) fn leads_out<'a>(pkg: &Package<'a>, f: &Function<'a>, l: &'a For<'a>, label: Option<&str>) -> bool {
    let mut out = false;
    leaving(pkg, f, &l.body.stmts, label, true, &mut out);
    out
}

/// `plain` tells whether a `break` without a label is one of the loop in question.
fn leaving<'a>(
    pkg: &Package<'a>,
    f: &Function<'a>,
    list: &'a [Stmt<'a>],
    label: Option<&str>,
    plain: bool,
    out: &mut bool,
) {
    for s in list {
        if *out {
            return;
        }
        match &s.kind {
            StmtKind::Return(_) | StmtKind::Goto(_) => *out = true,
            StmtKind::Break(None) => *out |= plain,
            StmtKind::Break(to) => *out |= *to == label || label.is_none(),
            // A continue of a loop around it leaves it too.
            StmtKind::Continue(Some(to)) => *out |= Some(*to) != label,
            StmtKind::Block(b) => leaving(pkg, f, &b.stmts, label, plain, out),
            StmtKind::If(i) => {
                *out |= final_call(pkg, f, &i.cond);
                leaving(pkg, f, &i.then.stmts, label, plain, out);
                if let Some(els) = &i.els {
                    leaving(pkg, f, std::slice::from_ref(els), label, plain, out);
                }
            }
            StmtKind::Switch(sw) => sw.cases.iter().for_each(|c| leaving(pkg, f, &c.body, label, false, out)),
            StmtKind::TypeSwitch(sw) => sw.cases.iter().for_each(|(_, b)| leaving(pkg, f, b, label, false, out)),
            StmtKind::Select(cases) => cases.iter().for_each(|c| leaving(pkg, f, &c.body, label, false, out)),
            StmtKind::For(l) => leaving(pkg, f, &l.body.stmts, label, false, out),
            StmtKind::Labeled(_, inner) => leaving(pkg, f, std::slice::from_ref(inner), label, plain, out),
            StmtKind::Expr(e) => *out |= final_call(pkg, f, e),
            // Not understood: whatever it is may lead out.
            StmtKind::Bad => *out = true,
            _ => {}
        }
    }
}

/// Whether a call never comes back.
pub(crate) fn final_call<'a>(pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    let Some(call) = e.call() else { return false };
    match pkg.callee(f, &call.fun) {
        Callee::Builtin("panic") => true,
        Callee::Package(path, name) => is_final(path, name),
        Callee::Method(_, _, name) | Callee::Unknown(name) => {
            matches!(
                name,
                "Fatal" | "Fatalf" | "Fatalln" | "Panic" | "Panicf" | "FailNow" | "Skip" | "Skipf" | "SkipNow" | "Exit"
            )
        }
        Callee::Local(id) => {
            let Some(g) = pkg.funcs.get(id) else { return false };
            let last = g.decl.body.as_ref().and_then(|b| b.stmts.last());
            let name = g.decl.name.name;
            matches!(name, "fatal" | "Fatal" | "fatalf" | "Fatalf" | "die" | "throw")
                || last.is_some_and(|s| match &s.kind {
                    StmtKind::Expr(e) => e.call().is_some_and(|c| match pkg.callee(g, &c.fun) {
                        Callee::Builtin("panic") => !has_return(g),
                        Callee::Package(path, name) => is_final(path, name) && !has_return(g),
                        _ => false,
                    }),
                    _ => false,
                })
        }
        _ => false,
    }
}

fn is_final(path: &str, name: &str) -> bool {
    matches!(
        (path, name),
        ("os" | "syscall", "Exit")
            | ("log", "Fatal" | "Fatalf" | "Fatalln" | "Panic" | "Panicf" | "Panicln")
            | ("runtime", "Goexit")
    ) || matches!(name, "Fatal" | "Fatalf") && path.rsplit('/').next().is_some_and(|l| l.contains("log"))
}

fn has_return(f: &Function<'_>) -> bool {
    let mut found = false;
    if let Some(body) = &f.decl.body {
        visit::block(body, &mut |node| {
            match node {
                Node::Stmt(s) => found |= matches!(s.kind, StmtKind::Return(_)),
                Node::Expr(e) => return !matches!(e.kind, ExprKind::FuncLit(_)),
            }
            !found
        });
    }
    found
}

/// Whether a loop has an end that is not in its body.
pub(crate) enum Length {
    /// `for { }`, or over the ticks of a clock, or `for true`.
    Ever,
    /// As long as something comes: a channel, a scanner, an iterator, a condition with a call.
    Stream,
    /// As many as there are.
    Counted,
}

/// How long a loop runs.
pub(crate) fn length<'a>(pkg: &Package<'a>, f: &Function<'a>, l: &'a For<'a>) -> Length {
    match &l.head {
        ForHead::Ever | ForHead::Clause { cond: None, .. } => Length::Ever,
        ForHead::While(cond) | ForHead::Clause { cond: Some(cond), init: None, .. } => {
            if cond.ident() == Some("true") {
                Length::Ever
            } else if has_call(pkg, f, cond) {
                Length::Stream
            } else {
                Length::Counted
            }
        }
        ForHead::Clause { .. } => Length::Counted,
        ForHead::Range { over, .. } => {
            if is_clock(pkg, f, over) {
                return Length::Ever;
            }
            match pkg.underlying(&pkg.type_of(f, over)) {
                Type::Chan(..) => Length::Stream,
                _ => Length::Counted,
            }
        }
    }
}

/// How many rounds a loop has, where its text says so and nothing leads out: `for i := 0; i < 3; i++`,
/// `for range 8`, over a literal.
pub(crate) fn rounds<'a>(pkg: &Package<'a>, f: &Function<'a>, l: &'a For<'a>) -> Option<u64> {
    if leads_out(pkg, f, l, None) {
        return None;
    }
    let number = |e: &Expr<'a>| match &e.kind {
        ExprKind::Lit(LitKind::Number, text) => text.parse::<u64>().ok(),
        _ => None,
    };
    match &l.head {
        ForHead::Clause { init: Some(init), cond: Some(cond), post: Some(post) } => {
            let StmtKind::Define(names, values) = &init.kind else { return None };
            let ([name], [from]) = (names.as_slice(), values.as_slice()) else { return None };
            let ExprKind::Binary(op @ ("<" | "<="), operands) = &cond.kind else { return None };
            let ([counter, to], StmtKind::IncDec(counted, true)) = (operands.as_slice(), &post.kind) else {
                return None;
            };
            let var = f.scope.var(name)?;
            // Counted by its head alone.
            let own = f.scope.vars.get(var)?.assigned.len() <= 1
                && f.scope.var(counter) == Some(var)
                && f.scope.var(counted) == Some(var);
            let (from, to) = (number(from)?, number(to)?);
            own.then(|| to.saturating_sub(from) + u64::from(*op == "<=" && to >= from))
        }
        ForHead::Range { over, .. } => match &over.kind {
            ExprKind::Composite(Some(Type::Slice(_)), elements) if elements.iter().all(|(k, _)| k.is_none()) => {
                u64::try_from(elements.len()).ok()
            }
            _ => number(over),
        },
        _ => None,
    }
}

fn has_call<'a>(pkg: &Package<'a>, f: &Function<'a>, e: &'a Expr<'a>) -> bool {
    let mut found = false;
    visit::expr(e, &mut |node| {
        if let Node::Expr(x) = node
            && let Some(call) = x.call()
        {
            found |= !matches!(pkg.callee(f, &call.fun), Callee::Builtin(_) | Callee::Conversion(_));
        }
        true
    });
    found
}

/// `ticker.C`, `time.Tick(d)`: a channel of the clock, which nobody closes.
pub(crate) fn is_clock<'a>(pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    if let Some(call) = e.call() {
        return matches!(pkg.callee(f, &call.fun), Callee::Package("time", "Tick"));
    }
    e.selector().is_some_and(|(x, name)| name == "C" && pkg.type_of(f, x).is("time", "Ticker"))
}

/// Whether a place stands in the first branch of an `if` whose condition, as it is written, is such.
pub(crate) fn stands_under<'a>(pkg: &'a Package<'a>, f: &'a Function<'a>, at: Span, is: impl Fn(&str) -> bool) -> bool {
    let mut under = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::If(i) = &s.kind
                && i.then.span.contains(at)
            {
                under |= is(pkg.file(f).at(i.cond.span));
            }
        });
    }
    under
}

/// The unit's own statements of a kind, literals of functions left out.
pub(crate) fn each_node<'a>(body: &'a Block<'a>, mut f: impl FnMut(Node<'a, 'a>)) {
    visit::block(body, &mut |node| {
        f(node);
        !matches!(node, Node::Expr(Expr { kind: ExprKind::FuncLit(_), .. }))
    });
}
