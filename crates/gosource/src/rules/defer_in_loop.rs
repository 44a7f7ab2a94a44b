//! A defer in a loop. The page: `docs/rules/defer-in-loop.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::comments::above_names;
use crate::meaning::locks::lock_call;
use crate::meaning::loops::{Length, each_node, length, loops_in};
use crate::meaning::scarce::{given_in, gives_back_scarce};
use crate::syntax::ast::{Block, Expr, ExprKind, For, ForHead, If, Span, Stmt, StmtKind};
use crate::syntax::calls::{How, Site};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, Role};

/// The rule.
pub(super) struct DeferInLoop;

impl Rule for DeferInLoop {
    const INFO: RuleInfo = RuleInfo {
        code: "defer-in-loop",
        title: "a defer in a loop",
        doc: include_str!("../../../../docs/rules/defer-in-loop.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "deferred calls run when the function ends, not when the round does";
    const CURE: &'static str =
        "Put the body of the loop into a function of its own, or call it at the end of the round.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                let loops = loops_in(u.body);
                if loops.is_empty() {
                    continue;
                }
                each_node(u.body, |node| {
                    let Node::Stmt(s) = node else { return };
                    let StmtKind::Defer(e) = &s.kind else { return };
                    let Some((_, _, l)) = loops.iter().find(|(_, _, l)| l.body.span.contains(s.span)) else { return };
                    if leaves_at_once(&l.body.stmts, s.span)
                        || is_short(&l.head)
                        || is_once(f, &l.body, s.span)
                        || is_for_the_end(f, &l.body, e)
                    {
                        return;
                    }
                    let text = e.call().map_or_else(|| case.text(f, e.span), |c| case.text(f, c.fun.span));
                    let text = if text.starts_with("func(") { "func() { ... }".to_owned() } else { text };
                    let what = match length(case.pkg, f, l) {
                        Length::Ever if !is_left(l) => "the loop has no end: it never runs",
                        Length::Ever => "the loop has no end of its own, and what is deferred waits until it is left",
                        _ => "it runs when the function ends, once for each round",
                    };
                    let found = out.found(id, s.span, format!("`defer {text}` stands in a loop: {what}"));
                    // A program that goes over its arguments ends soon, and all it holds with it.
                    let main = case.pkg.name == "main" && f.receiver_type().is_none() && f.decl.name.name == "main";
                    if main && matches!(length(case.pkg, f, l), Length::Counted) {
                        found.level = Level::Hint;
                    }
                    let ends = is_left(l) || !matches!(length(case.pkg, f, l), Length::Ever);
                    if ends && !e.call().is_some_and(|c| gives_back_scarce(case, f, &l.body, c)) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "it is not shown that what waits for the end is scarce: no file, connection, body, rows or lock that the round took".into(),
                        );
                    }
                    if let Some(why) = may_stay(case, id, f, l, e) {
                        found.level = Level::Hint;
                        found.why = Some(why.into());
                    }
                    if matches!(length(case.pkg, f, l), Length::Counted) && holds_little(e) {
                        found.level = Level::Hint;
                        found.why = Some("it removes files at the end: until then little is held".into());
                    }
                    if is_of_a_list(case, f, &l.head) {
                        found.level = Level::Hint;
                        found.why = Some("the loop has as many rounds as the text lists".into());
                    }
                    // A context's end holds little until then, and may have to wait for what was asked with
                    // it.
                    let of_timer = is_timer(case, f, e);
                    if (text.starts_with("cancel") || of_timer)
                        && (is_left(l) || matches!(length(case.pkg, f, l), Length::Counted))
                    {
                        found.level = Level::Hint;
                    }
                });
            }
        }
    }
}

/// Whether a deferred literal closes, unlocks and ends nothing, but removes a file of each round: little is
/// held until then. A folder may hold much.
fn holds_little(deferred: &Expr<'_>) -> bool {
    let Some(call) = deferred.call() else { return false };
    if !matches!(call.fun.kind, ExprKind::FuncLit(_)) {
        return call.fun.selector().is_some_and(|(x, name)| x.ident() == Some("os") && name == "Remove");
    }
    let (mut removed, mut ends) = (false, false);
    crate::syntax::visit::expr(&call.fun, &mut |node| {
        if let Node::Expr(e) = node
            && let Some(call) = e.call()
        {
            let name = last_name(&call.fun).to_lowercase();
            removed |= last_name(&call.fun) == "Remove";
            ends |= ["close", "unlock", "stop", "release", "done", "cancel", "free", "all"]
                .iter()
                .any(|w| name.contains(w));
        }
        true
    });
    removed && !ends
}

/// Why what is deferred may well wait: the round calls it too, or a goroutine that the round starts uses what
/// it ends.
fn may_stay<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &Function<'a>,
    l: &'a For<'a>,
    deferred: &'a Expr<'a>,
) -> Option<&'static str> {
    let body = &l.body;
    let counted = matches!(length(case.pkg, f, l), Length::Counted);
    let call = deferred.call()?;
    if let Some((x, "Close")) = call.fun.selector()
        && is_embedded(case, f, x)
    {
        return Some("the file is part of the program (`embed`): it holds no descriptor");
    }
    if unpacks(case, f, call) {
        return Some("what unpacks holds no descriptor: its Close says whether all was read");
    }
    if is_read_to_its_end(case, f, body, call) {
        return Some("the round has read it to its end before: closing it later costs little");
    }
    if matches!(case.pkg.callee(f, &call.fun), Callee::Variable(_)) && given_with(f, &call.fun).is_some() {
        return Some(
            "what the deferred function gives back is not known: it may be little, or be wanted until the function ends",
        );
    }
    if releases(case, f, call) {
        return Some(
            "a share of something that is counted is given back, or a span ends: it holds little, or is wanted until the function ends",
        );
    }
    if above_names(case.file(f).text, deferred.span, 4, &["defer"]) {
        return Some("the comment above it speaks of what is deferred: it may well be meant");
    }
    if is_of_what_is_there(f, body, call) {
        return Some(
            "what it ends was there before the loop, which makes nothing: it may have to stay until the function ends",
        );
    }
    if matches!(call.fun.kind, ExprKind::FuncLit(_)) && takes_nothing(f, body, deferred) {
        return Some("what it acts on the round has not taken: it may have to wait until the function ends");
    }
    let taken_back = case.file(f).at(deferred.span);
    if taken_back.contains(".Rollback(") && case.file(f).at(body.span).contains(".Commit(") {
        return Some("the round commits: what is deferred is for the ways out in between, and does nothing then");
    }
    if takes_a_port(case, f, call) {
        return Some("a port that is free is looked for: what was found has to stay taken until all are");
    }
    if counted && only_locks(case, f, body) {
        return Some("a round does nothing but lock: all of them are held on purpose, until the function ends");
    }
    let text = case.file(f).at(call.fun.span);
    let inside = |s: &&Site<'a>| body.span.contains(s.expr.span);
    let again = |s: &&Site<'a>| s.how == How::Plain && case.file(f).at(s.call.fun.span) == text;
    if case.sites(id).iter().filter(inside).any(|s| again(&s)) {
        return Some("the round calls it too: what is deferred is for the ways out in between, and does nothing then");
    }
    let ended = call.fun.selector().and_then(|(x, _)| f.scope.var(x)).and_then(|v| f.scope.vars.get(v))?;
    let goes = |unit: &usize| {
        let Some(u) = f.scope.units.get(*unit).filter(|u| body.span.contains(u.span)) else { return false };
        let group = |s: &Site<'a>| last_name(&s.call.fun) == "Go" && s.call.args.iter().any(|a| a.span == u.span);
        u.role == Role::Go || u.role == Role::Argument && case.sites(id).iter().any(group)
    };
    // A descriptor that a goroutine uses it may close too.
    let file = matches!(ended.init, Init::Value(e, _) if e.call().is_some_and(
        |c| matches!(case.pkg.callee(f, &c.fun), Callee::Package("os", _) | Callee::Method("database/sql", ..))));
    (counted && !file && body.span.contains(ended.span) && ended.captured_by.iter().any(goes))
        .then_some("a goroutine that the round starts uses it: it may be needed until all of them have ended")
}

/// Whether what is deferred stops a timer, or takes back what `context.AfterFunc` has set: little is held
/// until then. A ticker goes on and wakes somebody.
fn is_timer<'a>(case: &Case<'a>, f: &Function<'a>, deferred: &Expr<'a>) -> bool {
    let Some(call) = deferred.call() else { return false };
    let of = call.fun.selector().filter(|(_, name)| *name == "Stop").map_or(&call.fun, |(x, _)| x);
    let Some(Init::Value(made, _)) = f.scope.var(of).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) else {
        return false;
    };
    made.call().is_some_and(|c| {
        matches!(
            case.pkg.callee(f, &c.fun),
            Callee::Package("time", "NewTimer" | "AfterFunc") | Callee::Package("context", "AfterFunc")
        )
    })
}

/// Whether what is closed unpacks a stream: `gzip.NewReader`.
fn unpacks<'a>(case: &Case<'a>, f: &Function<'a>, call: &crate::syntax::ast::Call<'a>) -> bool {
    let closed = call.fun.selector().filter(|(_, name)| *name == "Close").and_then(|(x, _)| f.scope.var(x));
    let Some(Init::Value(made, _)) = closed.and_then(|v| f.scope.vars.get(v)).map(|v| v.init) else { return false };
    made.call().is_some_and(
        |c| matches!(case.pkg.callee(f, &c.fun), Callee::Package(path, "NewReader") if path.starts_with("compress/")),
    )
}

/// Whether a body is closed that the round has read whole before: `io.Copy(io.Discard, resp.Body)`.
fn is_read_to_its_end<'a>(
    case: &Case<'a>,
    f: &Function<'a>,
    body: &Block<'a>,
    call: &crate::syntax::ast::Call<'a>,
) -> bool {
    let Some((closed, "Close")) = call.fun.selector() else { return false };
    let closed = case.file(f).at(closed.span);
    closed.ends_with(".Body") && case.file(f).at(body.span).contains(&format!("io.Copy(io.Discard, {closed})"))
}

/// Whether all that a round does is to take locks and to defer giving them back.
fn only_locks<'a>(case: &Case<'a>, f: &Function<'a>, body: &Block<'a>) -> bool {
    let mut locks = 0;
    let all = body.stmts.iter().all(|s| match &s.kind {
        StmtKind::Expr(e) => {
            let takes = lock_call(case.pkg, f, e).is_some_and(|c| c.op.takes());
            locks += usize::from(takes);
            takes
        }
        StmtKind::Defer(e) => lock_call(case.pkg, f, e).is_some_and(|c| !c.op.takes()),
        _ => false,
    });
    all && locks > 0
}

/// Whether a deferred literal ends nothing that the round took: no variable of it was given by a call of the
/// round, and it gives back no lock and no place of a group.
fn takes_nothing<'a>(f: &Function<'a>, body: &'a Block<'a>, deferred: &'a Expr<'a>) -> bool {
    let mut taken = false;
    crate::syntax::visit::expr(deferred, &mut |node| {
        let Node::Expr(e) = node else { return true };
        taken |= e.selector().is_some_and(|(_, name)| matches!(name, "Unlock" | "RUnlock" | "Done" | "Release"));
        if let Some((id, v)) = f.scope.var(e).and_then(|id| Some((id, f.scope.vars.get(id)?))) {
            let of_round = body.span.contains(v.span) && !deferred.span.contains(v.span);
            taken |= of_round
                && given_in(f, body, id).into_iter().any(|made| {
                    made.call().is_some_and(|c| c.fun.ident() != Some("make")) || made.unary("<-").is_some()
                });
        }
        !taken
    });
    !taken
}

/// Whether what is closed listens on whatever port is free.
fn takes_a_port<'a>(case: &Case<'a>, f: &Function<'a>, call: &crate::syntax::ast::Call<'a>) -> bool {
    let made = call.fun.selector().and_then(|(x, _)| f.scope.var(x)).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
    let Some(Init::Value(made, _)) = made else { return false };
    made.call().is_some_and(|c| last_name(&c.fun).starts_with("Listen")) && case.file(f).at(made.span).contains(":0\"")
}

/// Whether a call is a method of the loop's own element, `for _, t := range targets { defer t.Close() }`, of
/// a collection that was there before.
fn is_of_what_is_there<'a>(f: &Function<'a>, body: &'a Block<'a>, call: &crate::syntax::ast::Call<'a>) -> bool {
    let element = call.fun.selector().and_then(|(x, _)| f.scope.var(x)).and_then(|v| f.scope.vars.get(v));
    let Some(Init::RangeValue(over)) = element.map(|v| v.init) else { return false };
    let held = over.root().and_then(|r| f.scope.var(r)).and_then(|v| f.scope.vars.get(v));
    over.call().is_none() && held.is_none_or(|v| !body.span.contains(v.span))
}

/// Whether a variable is what an `embed.FS` opened.
fn is_embedded<'a>(case: &Case<'a>, f: &Function<'a>, x: &Expr<'a>) -> bool {
    let Some(Init::Value(e, 0)) = f.scope.var(x).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) else {
        return false;
    };
    e.method_call().is_some_and(|(of, name, _)| name == "Open" && case.pkg.type_of(f, of).is("embed", "FS"))
}

/// Whether something leads out of a loop: a return, a break, a jump.
fn is_left(l: &For<'_>) -> bool {
    let mut left = false;
    each_node(&l.body, |node| {
        if let Node::Stmt(s) = node {
            left |= matches!(s.kind, StmtKind::Return(_) | StmtKind::Break(_) | StmtKind::Goto(_));
        }
    });
    left
}

/// Whether what is deferred has to wait for the end: it gives back what stands in something of outside the
/// loop (`free(all[i])`), or it gives nothing back but acts (`defer config.apply(tc)`).
fn is_for_the_end<'a>(f: &Function<'a>, body: &'a Block<'a>, deferred: &'a Expr<'a>) -> bool {
    let Some(call) = deferred.call() else { return false };
    let outside = |e: &Expr<'a>| {
        e.root()
            .and_then(|r| f.scope.var(r))
            .and_then(|v| f.scope.vars.get(v))
            .is_some_and(|v| !body.span.contains(v.span))
    };
    // `all[id] = repo`: what is closed at the end is wanted in later rounds too.
    let closed = call.fun.selector().and_then(|(x, _)| f.scope.var(x)).or_else(|| given_with(f, &call.fun));
    let mut kept_on = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Assign("=", l, r) = &s.kind
            && let ([target], [value]) = (l.as_slice(), r.as_slice())
        {
            let element = matches!(target.kind, ExprKind::Index(..));
            let appended = value.call().is_some_and(|c| {
                c.fun.ident() == Some("append")
                    && c.args.iter().skip(1).any(|a| closed.is_some() && f.scope.var(a) == closed)
            });
            // `buffers[i] = bytes.NewBuffer(buf)`, and `defer put(buf)`: what was made of it is used further
            // on.
            let given = call.args.iter().filter_map(|a| f.scope.var(a));
            let of_it = closed.into_iter().chain(given).any(|v| {
                let local = f.scope.vars.get(v).is_some_and(|v| body.span.contains(v.span));
                local && crate::meaning::shared::holds(value, &|e| f.scope.var(e) == Some(v))
            });
            kept_on |=
                outside(target) && (element && (closed.is_some() && f.scope.var(value) == closed || of_it) || appended);
        }
    });
    if kept_on {
        return true;
    }
    // `defer delete(options, key)` gives nothing back.
    if call.fun.ident() == Some("delete") {
        return true;
    }
    if let ExprKind::FuncLit(literal) = &call.fun.kind {
        if undoes(&literal.body.stmts) {
            return true;
        }
        // `defer func(i int) { files[i].Close() }(i)`.
        let mut of_many = false;
        crate::syntax::visit::expr(&call.fun, &mut |node| {
            if let Node::Expr(e) = node
                && let Some((x, "Close")) = e.call().and_then(|c| c.fun.selector())
            {
                of_many |= matches!(x.kind, ExprKind::Index(..)) && outside(x);
            }
            true
        });
        return of_many;
    }
    let name = last_name(&call.fun).to_lowercase();
    const GIVE_BACK: &[&str] = &[
        "close",
        "stop",
        "cancel",
        "done",
        "unlock",
        "release",
        "free",
        "remove",
        "cleanup",
        "put",
        "destroy",
        "end",
        "finish",
        "rollback",
        "shutdown",
        "unsubscribe",
        "delete",
        "flush",
        "sync",
        "dispose",
        "drop",
        "reset",
        "kill",
        "unref",
        "decref",
        "restore",
        "revert",
        "print",
        "log",
        "leave",
        "exit",
        "detach",
        "unregister",
    ];
    let stored = call.args.iter().any(|a| {
        let mut kept = false;
        crate::syntax::visit::expr(a, &mut |node| {
            if let Node::Expr(e) = node {
                kept |= matches!(e.kind, ExprKind::Index(..)) && outside(e);
            }
            true
        });
        kept
    });
    stored || call.fun.selector().is_some() && !GIVE_BACK.iter().any(|w| name.contains(w))
}

/// Whether statements do nothing unless something has failed: `if err != nil { undo() }`, or a return before
/// where nothing has. What is undone when the function fails has to wait until it is known whether it does.
fn undoes(stmts: &[Stmt<'_>]) -> bool {
    let test = |s: &Stmt<'_>, op: &str| {
        matches!(&s.kind, StmtKind::If(i) if i.els.is_none() && i.init.is_none()
            && matches!(&i.cond.kind, ExprKind::Binary(o, xs) if *o == op && xs.iter().any(Expr::is_nil)
                && xs.first().and_then(Expr::ident).is_some_and(|n| n.to_lowercase().contains("err"))))
    };
    let leaves = |s: &Stmt<'_>| matches!(&s.kind, StmtKind::If(i) if i.then.stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_))));
    match stmts {
        [] => false,
        [first, ..] if test(first, "==") && leaves(first) => true,
        all => all.iter().all(|s| test(s, "!=")),
    }
}

/// Whether what is called gives back a share of something that is counted, or ends a span: not a place of a
/// semaphore, for which others wait.
fn releases<'a>(case: &Case<'a>, f: &Function<'a>, call: &crate::syntax::ast::Call<'a>) -> bool {
    let name = last_name(&call.fun).to_lowercase();
    let text = case.file(f).at(call.fun.span).to_lowercase();
    let waited_for = ["sem", "limit", "lock", "pool", "mu.", "slot", "conn"].iter().any(|w| text.contains(w));
    (name.starts_with("release") && !waited_for) || name == "end" || name == "unref"
}

/// The first of what a call gave whose second is called here: `set, done := take()`, and `defer done()`.
fn given_with<'a>(f: &Function<'a>, called: &Expr<'a>) -> Option<crate::syntax::VarId> {
    let Init::Value(made, n) = f.scope.vars.get(f.scope.var(called)?)?.init else { return None };
    let first = |v: &crate::syntax::Var<'a>| matches!(v.init, Init::Value(e, 0) if e.span == made.span);
    (n > 0).then(|| f.scope.vars.iter().position(first)).flatten()
}

/// Whether the block of the statement leaves the function or the loop behind it.
fn leaves_at_once(stmts: &[Stmt<'_>], span: Span) -> bool {
    let Some(s) = stmts.iter().find(|s| s.span.contains(span)) else { return false };
    if s.span == span {
        return stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_) | StmtKind::Break(_)));
    }
    let inside: Vec<&[Stmt<'_>]> = match &s.kind {
        StmtKind::If(i) => {
            let els = i.els.as_ref().map(std::slice::from_ref);
            std::iter::once(i.then.stmts.as_slice()).chain(els).collect()
        }
        StmtKind::Block(b) => vec![&b.stmts],
        StmtKind::Switch(sw) => sw.cases.iter().map(|c| c.body.as_slice()).collect(),
        StmtKind::Select(cases) => cases.iter().map(|c| c.body.as_slice()).collect(),
        StmtKind::For(l) => vec![&l.body.stmts],
        StmtKind::Labeled(_, inner) => vec![std::slice::from_ref(inner)],
        _ => Vec::new(),
    };
    inside.into_iter().any(|list| leaves_at_once(list, span))
        || stmts
            .last()
            .is_some_and(|l| matches!(l.kind, StmtKind::Return(_) | StmtKind::Break(None)) && l.span != s.span)
}

/// Whether it stands in `if x == nil { x = make(); defer x.stop() }`: that runs once.
fn is_once<'a>(f: &Function<'a>, body: &'a Block<'a>, span: Span) -> bool {
    let mut once = false;
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::If(i) = &s.kind else { return };
        // Alone, or with something that has to hold too.
        let tests: Vec<&Expr<'a>> = match &i.cond.kind {
            ExprKind::Binary("&&", both) => both.iter().collect(),
            _ => vec![&i.cond],
        };
        for t in tests {
            if let ExprKind::Binary("==", o) = &t.kind
                && let [tested, nil] = o.as_slice()
            {
                once |= gets_value(f, body, i, tested, nil, span);
            }
        }
    });
    once
}

/// Whether what a test holds against nil stands outside of the loop, and what is tested gets a value where it
/// is nil.
fn gets_value<'a>(
    f: &Function<'a>,
    body: &Block<'a>,
    i: &If<'a>,
    tested: &Expr<'a>,
    nil: &Expr<'a>,
    span: Span,
) -> bool {
    // A variable of the loop is nil in each round.
    let outside = f.scope.var(tested).and_then(|v| f.scope.vars.get(v)).is_none_or(|v| !body.span.contains(v.span));
    if !nil.is_nil() || !outside || !i.then.span.contains(span) {
        return false;
    }
    let name = last_name(tested);
    i.then.stmts.iter().any(|s| match &s.kind {
        StmtKind::Assign("=", l, _) => l.iter().any(|t| last_name(t) == name),
        _ => false,
    })
}

/// `for i := 0; i < 2; i++`, or over a literal: rounds that the text counts.
fn is_short(head: &ForHead<'_>) -> bool {
    match head {
        ForHead::Clause { cond: Some(cond), .. } => is_few(cond),
        ForHead::Range { over, .. } => matches!(over.kind, ExprKind::Composite(..)),
        _ => false,
    }
}

/// `i < 3`, alone or with something that has to hold too.
fn is_few(cond: &Expr<'_>) -> bool {
    match &cond.kind {
        ExprKind::Binary("<" | "<=", o) => {
            o.last().is_some_and(|l| matches!(l.kind, ExprKind::Lit(_, text) if text.len() == 1))
        }
        ExprKind::Binary("&&", o) => o.iter().any(is_few),
        _ => false,
    }
}

/// Whether a loop goes over a variable that was made of what the text lists, and given nothing more:
/// `files := []string{"a", "b"}`.
fn is_of_a_list<'a>(case: &Case<'a>, f: &Function<'a>, head: &ForHead<'a>) -> bool {
    let ForHead::Range { over, .. } = head else { return false };
    // `var flags = map[int]string{...}` of the package.
    let of_package = over.ident().filter(|_| f.scope.var(over).is_none()).and_then(|name| case.pkg.vars.get(name));
    if of_package
        .and_then(|v| v.value)
        .is_some_and(|e| matches!(&e.kind, ExprKind::Composite(_, list) if !list.is_empty()))
    {
        return true;
    }
    let named = f.scope.var(over).and_then(|v| f.scope.vars.get(v));
    named.is_some_and(|v| {
        v.assigned.is_empty()
            && !v.address_taken
            && matches!(v.init, Init::Value(e, 0) if matches!(&e.kind, ExprKind::Composite(_, list) if !list.is_empty()))
    })
}
