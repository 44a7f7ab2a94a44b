//! Goroutines started without a bound. The page: `docs/rules/goroutine-unbounded.md`.

use super::rule::{Ask, Bound, Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::loops::{Length, each_node, is_clock, length, loops_in};
use crate::meaning::shared::by_requests;
use crate::syntax::ast::{Block, Expr, ExprKind, For, ForHead, Span, StmtKind, Type};
use crate::syntax::calls::{How, Site};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Role};

/// The rule.
pub(super) struct GoroutineUnbounded;

impl Rule for GoroutineUnbounded {
    const INFO: RuleInfo = RuleInfo {
        code: "goroutine-unbounded",
        title: "goroutines started without a bound",
        doc: include_str!("../../../../docs/rules/goroutine-unbounded.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "nothing between two starts waits for a goroutine before: no semaphore, no pool, no limit is to be seen in the loop or the handler";
    const CURE: &'static str = "Start a fixed number of workers that read from a channel, or take a token of a semaphore (a buffered channel, errgroup.SetLimit) before each start.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                let mut starts = Vec::new();
                each_node(u.body, |node| {
                    if let Node::Stmt(s) = node
                        && let StmtKind::Go(e) = &s.kind
                    {
                        starts.push((s.span, e));
                    }
                });
                if !starts.is_empty() {
                    unit_of(case, id, f, unit, &starts, out);
                }
            }
        }
    }
}

fn unit_of<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    unit: usize,
    starts: &[(Span, &'a Expr<'a>)],
    out: &mut Out,
) {
    let Some(u) = f.scope.units.get(unit) else { return };
    let loops = loops_in(u.body);
    let handler = case.calls.handles(case.pkg, id, unit);
    for (span, started) in starts {
        let around = loops.iter().filter(|(_, _, l)| l.body.span.contains(*span));
        // The innermost that has no end of its own; those within it that have may run often too.
        let endless = around.clone().find(|(_, _, l)| !matches!(length(case.pkg, f, l), Length::Counted));
        let head = Span { end: span.start + 2, ..*span };
        if let Some((_, _, l)) = endless {
            if is_bounded(case, f, &l.body, started)
                || is_joined_by_another(case, f, l)
                || runs_once(&l.body, *span)
                || is_one_of_a_kind(started)
                || at_ticks(case, f, &l.body, *span)
            {
                continue;
            }
            let accepts = accepts(&l.body);
            let what = match &l.head {
                ForHead::Range { over, .. } => {
                    format!("each value of `{}` starts a goroutine", case.text(f, over.span))
                }
                ForHead::While(cond) => format!("each round of `for {}` starts a goroutine", case.text(f, cond.span)),
                _ if accepts => "each connection starts a goroutine".to_owned(),
                _ => "each round of a loop without end starts a goroutine".to_owned(),
            };
            let found = out.found(id, head, format!("{what}, and nothing bounds how many there are at once"));
            // A function of another package may wait for a place before each start.
            let before = case.sites(id).iter().filter(|s| l.body.span.contains(s.expr.span) && s.how == How::Plain);
            let before = before.filter(|s| !started.span.contains(s.expr.span) && s.expr.span.start < span.start);
            found.ask =
                Some(Ask::Bounds(before.flat_map(|s| crate::callers::called(case, s)).collect(), Bound::Number));
            if accepts {
                found.level = Level::Hint;
                found.why =
                    Some("one goroutine a connection is Go's way; how many there are is then up to the clients".into());
            } else if has_deadline(case, id, f, &l.body, *span, started) {
                found.level = Level::Hint;
                found.why = Some(
                    "the round sets a deadline on what it hands to the goroutine, which lives no longer than that says"
                        .into(),
                );
            } else if takes_connection(case, f, started) {
                found.level = Level::Hint;
                found.why = Some(
                    "it is handed a connection or a channel of one: how many there are is up to the clients".into(),
                );
            } else if is_of_new_entry(case, f, &l.body, *span) {
                found.level = Level::Hint;
                found.why =
                    Some("it starts where a key is new in a map: one for each entry, and no more than that has".into());
            } else if is_of_first(case, f, &l.body, *span) {
                found.level = Level::Hint;
                found.why =
                    Some("it starts for the first of a list alone: one for each list, until that is worked off".into());
            } else if ends_with_context(f, started) {
                found.level = Level::Hint;
                found.why =
                    Some("all that it does is to wait for one thing, and the end of a context leads out".into());
            } else if is_kick(f, &l.body, *span, started) {
                found.level = Level::Hint;
                found.why = Some(
                    "the start stands under a condition and takes nothing that is the round's own: how often it comes to that is not known"
                        .into(),
                );
            }
        } else if handler
            && case.calls.handler_units.iter().all(|(h, w)| *h != id || *w != unit || !joined(case, f, u.body))
        {
            if joined(case, f, u.body) || is_bounded(case, f, u.body, started) {
                continue;
            }
            let each = around.clone().find(|(_, _, l)| matches!(l.head, ForHead::Range { .. }));
            let what = match each {
                Some(_) => "each request starts goroutines, as many as it has elements",
                None => "each request starts a goroutine that may outlive it",
            };
            let found = out.found(id, head, format!("{what}, and nothing bounds how many there are at once"));
            let flag = one_at_a_time(case, f, u.body, *span);
            // A method of what all requests share, under its lock: that lock is taken to look at what runs.
            let of_receiver = started.call().is_some_and(|c| c.args.is_empty() && c.fun.selector().is_some());
            let name = f.decl.name.name;
            if super::rebuilt_per_request::is_for_operators(name)
                || super::rebuilt_per_request::is_file_for_operators(case.file(f).name)
            {
                found.level = Level::Hint;
                found.why = Some("its name says that it is asked for by who runs the service, now and then".into());
            } else if each.is_none() && ends_by_itself(case, f, started) {
                found.level = Level::Hint;
                found.why = Some(
                    "nothing is seen that it waits for: it ends when its work is done, and how long that takes is not known"
                        .into(),
                );
            } else if let Some(flag) = flag.filter(|_| each.is_none()) {
                found.level = Level::Hint;
                found.why = Some(format!(
                    "`{flag}` is looked at before and set with the start: as long as it says so there is no second one"
                ));
            } else if each.is_none() && (waits_for_end(f, started) || ends_with_context(f, started)) {
                found.level = Level::Hint;
                found.why = Some("it begins by waiting for the end of a context: whose, and when, is not known".into());
            } else if of_receiver && each.is_none() && belongs_to_what_is_given(f, u.body, started) {
                found.level = Level::Hint;
                found.why = Some("it belongs to what the function gives back: whoever has that may end it".into());
            } else if of_receiver && each.is_none() && locks(case, id, unit) {
                found.level = Level::Hint;
                found.why = Some("the handler holds a lock, under which it may look at what runs already".into());
            } else if let Some(taker) = handed_over(case, id, f, unit) {
                found.level = Level::Hint;
                found.why = Some(format!(
                    "the function around it is handed to `{taker}`, which may run it later, and once: the request itself starts nothing"
                ));
            }
        } else if let Some((_, _, l)) = around.clone().next()
            && case.calls.is_hot(case.pkg, id, unit)
            && matches!(l.head, ForHead::Range { .. })
            && !is_bounded(case, f, &l.body, started)
            && !joined(case, f, u.body)
        {
            let requests = by_requests(case, id, unit);
            let who = if requests { "requests" } else { "several goroutines" };
            let found = out.found(
                id,
                head,
                format!("{who} reach this loop, which starts a goroutine for each element and waits for none"),
            );
            if joined_beside(f, unit) {
                found.level = Level::Hint;
                found.why = Some(
                    "a goroutine beside waits for all of them: who gets the answer waits as long as they take, and starts no more meanwhile"
                        .into(),
                );
            }
            if requests && ends_by_itself(case, f, started) {
                found.level = Level::Hint;
                found.why = Some("nothing is seen that it waits for: it ends when its work is done".into());
            }
            if !requests {
                found.level = Level::Hint;
                found.why = Some(
                    "a loop over what there is starts these goroutines, no request: how often they come here is not known"
                        .into(),
                );
            }
        }
    }
}

/// Whether nothing is seen that a goroutine waits for: its text, or that of the function of this package that
/// it runs, neither sends, receives, loops without end nor sleeps. What another package does is not seen.
fn ends_by_itself<'a>(case: &Case<'a>, f: &Function<'a>, started: &Expr<'a>) -> bool {
    let Some(call) = started.call() else { return false };
    let text = match case.pkg.callee(f, &call.fun) {
        Callee::Local(id) => case.pkg.funcs.get(id).map_or("", |g| case.file(g).at(g.decl.span)),
        _ if matches!(call.fun.kind, ExprKind::FuncLit(_)) => case.file(f).at(started.span),
        _ => "",
    };
    !["<-", "for {", "time.Sleep(", ".Wait("].iter().any(|w| text.contains(w))
}

/// Whether something in the loop waits for a place: a send or a receive that is not the loop's own, a call
/// named so.
fn is_bounded<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, started: &'a Expr<'a>) -> bool {
    let mut bounded = false;
    let mut in_select: Vec<Span> = Vec::new();
    each_node(body, |node| match node {
        Node::Stmt(s) => match &s.kind {
            StmtKind::Select(cases) => {
                for c in cases {
                    if let Some(comm) = &c.comm {
                        // A token may be taken with a way out beside.
                        bounded |= matches!(comm.kind, StmtKind::Send(..));
                        in_select.push(comm.span);
                    }
                }
            }
            StmtKind::Send(..) => bounded |= !started.span.contains(s.span),
            _ => {}
        },
        Node::Expr(e) => {
            if let Some(call) = e.call() {
                let name = last_name(&call.fun);
                // `pool.Get()`; `r.Header.Get("X-Id")` waits for nothing.
                if name == "Get" && !call.args.is_empty() {
                    return;
                }
                bounded |= matches!(
                    name,
                    "Acquire"
                        | "TryAcquire"
                        | "Wait"
                        | "WaitN"
                        | "Take"
                        | "Limit"
                        | "SetLimit"
                        | "Allow"
                        | "AllowN"
                        | "Reserve"
                        | "acquire"
                        | "Get"
                        | "TryGo"
                        | "Enter"
                        | "Throttle"
                        | "limit"
                        | "throttle"
                        | "take"
                        | "wait"
                );
            }
            // A token that the goroutine gives back.
            if let Some(c) = e.unary("<-") {
                let text = case.file(f).at(c.span);
                let back = format!("{text} <-");
                bounded |= case.file(f).at(started.span).contains(&back);
            }
        }
    });
    // `if active >= max { continue }` before the start.
    let text = case.file(f).at(body.span).to_lowercase();
    bounded || ["max", "limit", "inflight", "sema"].iter().any(|w| text.contains(w))
}

/// Whether the round waits for a word that a goroutine of it gives after a group's `Wait`: `go func() {
/// wg.Wait(); exit <- cmd.Wait() }()`, and then `<-exit` in the round.
fn is_joined_by_another<'a>(case: &Case<'a>, f: &'a Function<'a>, l: &'a For<'a>) -> bool {
    let mut words: Vec<&'a str> = Vec::new();
    let inside = f.scope.units.iter().filter(|u| u.role == Role::Go && l.body.span.contains(u.span));
    for u in inside {
        let mut waits = false;
        each_node(u.body, |node| match node {
            Node::Expr(e) => {
                if let Some(call) = e.call() {
                    waits |= matches!(case.pkg.callee(f, &call.fun), Callee::Method("sync", "WaitGroup", "Wait"))
                        || e.method_call().is_some_and(|(x, name, args)| {
                            name == "Wait" && args.args.is_empty() && last_name(x).to_lowercase().ends_with("wg")
                        });
                    if let (true, "close", Some(c)) = (waits, last_name(&call.fun), call.args.first()) {
                        words.push(last_name(c));
                    }
                }
            }
            Node::Stmt(s) => {
                if let (true, StmtKind::Send(c, _)) = (waits, &s.kind) {
                    words.push(last_name(c));
                }
            }
        });
    }
    let mut received = false;
    each_node(&l.body, |node| {
        if let Node::Expr(e) = node {
            received |= e.unary("<-").is_some_and(|c| words.contains(&last_name(c)));
        }
    });
    received
}

/// What a unit, or one around it within a handler, is handed to that keeps it for later: `p.OnClose(func() {
/// ... })`.
fn handed_over<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, unit: usize) -> Option<String> {
    const KEEPS: &[&str] = &["On", "Add", "Set", "Register", "Subscribe", "After", "Cleanup", "Notify"];
    let mut at = Some(unit);
    while let Some(u) = at.and_then(|u| f.scope.units.get(u)) {
        let takes = |s: &&Site<'a>| {
            let name = last_name(&s.call.fun);
            s.call.args.iter().any(|a| a.span == u.span) && KEEPS.iter().any(|w| name.starts_with(w))
        };
        if u.role == Role::Argument
            && !crate::syntax::calls::is_handler(u.sig)
            && let Some(site) = case.sites(id).iter().find(takes)
        {
            return Some(case.text(f, site.call.fun.span));
        }
        at = u.parent;
    }
    None
}

/// Whether a body waits for what it started: a group's Wait, or a receive outside of the literals.
fn joined<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>) -> bool {
    let mut joined = false;
    each_node(body, |node| {
        if let Node::Expr(e) = node {
            joined |= e.method_call().is_some_and(|(_, name, _)| name == "Wait");
            // `<-done` of a channel made here is the goroutine's own word; that of somebody else's is not.
            let made_here = |c: &Expr<'a>| {
                f.scope
                    .var(c)
                    .and_then(|v| f.scope.vars.get(v))
                    .is_some_and(|v| v.kind == crate::syntax::VarKind::Local)
            };
            joined |= e.unary("<-").is_some_and(|c| !last_name(c).eq_ignore_ascii_case("done") || made_here(c));
        }
        if let Node::Stmt(s) = node
            && let StmtKind::For(l) = &s.kind
            && let ForHead::Range { over, .. } = &l.head
        {
            joined |= matches!(case.pkg.type_of(f, over), Type::Chan(..));
        }
    });
    joined
}

/// `for { x := next(); go f(x); return }`: the block that starts also leaves.
fn runs_once<'a>(body: &'a Block<'a>, span: Span) -> bool {
    let mut once = false;
    let mut look = |stmts: &[crate::syntax::ast::Stmt<'a>]| {
        if let Some(at) = stmts.iter().position(|s| s.span.contains(span) && matches!(s.kind, StmtKind::Go(_))) {
            let after = stmts.get(at + 1..).unwrap_or_default();
            once |= after.iter().any(|s| matches!(s.kind, StmtKind::Return(_) | StmtKind::Break(_)));
        }
    };
    look(&body.stmts);
    each_node(body, |node| {
        if let Node::Stmt(s) = node {
            match &s.kind {
                StmtKind::If(i) => look(&i.then.stmts),
                StmtKind::Block(b) => look(&b.stmts),
                StmtKind::Switch(sw) => sw.cases.iter().for_each(|c| look(&c.body)),
                StmtKind::Select(cases) => cases.iter().for_each(|c| look(&c.body)),
                _ => {}
            }
        }
    });
    once
}

/// Whether a start stands in a case of a select that a clock's tick opens: then time bounds how often.
fn at_ticks<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, start: Span) -> bool {
    let mut ticks = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Select(cases) = &s.kind
        {
            let open = cases.iter().filter(|c| c.span.contains(start)).filter_map(|c| c.comm.as_ref());
            for comm in open {
                crate::syntax::visit::stmt(comm, &mut |node| {
                    if let Node::Expr(e) = node
                        && let Some(c) = e.unary("<-")
                    {
                        ticks |= is_clock(case.pkg, f, c) || last_name(c) == "C";
                    }
                    true
                });
            }
        }
    });
    ticks
}

/// `c := &conn{...}; go c.run(); return c`: whether a goroutine is a method of what the function gives back.
fn belongs_to_what_is_given<'a>(f: &'a Function<'a>, body: &'a Block<'a>, started: &Expr<'a>) -> bool {
    let owner = started.call().and_then(|c| c.fun.selector()).and_then(|(x, _)| f.scope.var(x));
    let Some(owner) = owner.filter(|v| f.scope.vars.get(*v).is_some_and(|v| v.kind == crate::syntax::VarKind::Local))
    else {
        return false;
    };
    let mut given = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Return(values) = &s.kind
        {
            given |= values.iter().any(|v| f.scope.var(v.unary("&").unwrap_or(v)) == Some(owner));
        }
    });
    given
}

/// Whether a literal is a single select, one case of which is the end of a context.
fn ends_with_context<'a>(f: &Function<'a>, started: &Expr<'a>) -> bool {
    let Some(u) = started.call().and_then(|c| f.scope.units.iter().find(|u| u.span == c.fun.span)) else {
        return false;
    };
    let [only] = u.body.stmts.as_slice() else { return false };
    let StmtKind::Select(cases) = &only.kind else { return false };
    cases.iter().filter_map(|c| c.comm.as_ref()).any(|comm| match &comm.kind {
        StmtKind::Expr(e) => e.unary("<-").is_some_and(|c| c.call().is_some() && last_name(c) == "Done"),
        _ => false,
    })
}

/// Whether a goroutine is handed what an accepted connection is: one a connection is Go's way.
fn takes_connection<'a>(case: &Case<'a>, f: &Function<'a>, started: &Expr<'a>) -> bool {
    let Some(call) = started.call() else { return false };
    call.args.iter().any(|a| {
        let ty = case.pkg.type_of(f, a);
        let of_connection = ty.pointee().name().is_some_and(|(path, name)| {
            matches!((path, name), ("net", "Conn" | "TCPConn")) || path.ends_with("/ssh") && name == "NewChannel"
        });
        of_connection || a.selector().is_some_and(|(_, name)| matches!(name, "conn" | "Conn"))
    })
}

/// Whether a start stands under `if !ok { m[key] = v; ... }`, for a map that was there before the loop.
fn is_of_new_entry<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, start: Span) -> bool {
    let mut new = false;
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::If(i) = &s.kind else { return };
        if !i.then.span.contains(start) {
            return;
        }
        let absent = i.cond.unary("!").is_some_and(|x| x.ident().is_some());
        let outside = |e: &Expr<'a>| {
            let root = e.root().and_then(|r| f.scope.var(r)).and_then(|v| f.scope.vars.get(v));
            root.is_none_or(|v| !body.span.contains(v.span))
        };
        let entry = |s: &crate::syntax::ast::Stmt<'a>| match &s.kind {
            StmtKind::Assign("=", l, _) => l.iter().any(|t| match &t.kind {
                ExprKind::Index(m, _) => {
                    outside(m) && matches!(case.pkg.underlying(&case.pkg.type_of(f, m)), Type::Map(..))
                }
                _ => false,
            }),
            _ => false,
        };
        new |= absent && i.then.stmts.iter().any(entry);
    });
    new
}

/// Whether a goroutine beside waits for all of a group, and then tells who has the channel.
fn joined_beside<'a>(f: &'a Function<'a>, unit: usize) -> bool {
    let mut joined = false;
    let beside = f.scope.units.iter().filter(|u| u.role == Role::Go && u.parent == Some(unit) && u.loops == 0);
    for u in beside {
        each_node(u.body, |node| {
            if let Node::Expr(e) = node {
                joined |= e.method_call().is_some_and(|(_, name, args)| name == "Wait" && args.args.is_empty());
            }
        });
    }
    joined
}

/// Whether a start stands under `if len(x) == 1 { ... }`.
fn is_of_first<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, start: Span) -> bool {
    let mut first = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::If(i) = &s.kind
            && i.then.span.contains(start)
        {
            let text: String = case.file(f).at(i.cond.span).split_whitespace().collect();
            first |= text.starts_with("len(") && text.ends_with("==1");
        }
    });
    first
}

/// The field that a function looks at before a start, to leave or to begin with it, and sets to true before
/// the start: `if s.running { return }; s.running = true; go s.run()`.
fn one_at_a_time<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, start: Span) -> Option<&'a str> {
    let (mut tested, mut set): (Vec<&'a str>, Vec<&'a str>) = (Vec::new(), Vec::new());
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        match &s.kind {
            StmtKind::If(i) if s.span.start < start.start => tested.push(case.file(f).at(i.cond.span)),
            StmtKind::Assign("=", l, r) if s.span.start < start.start => {
                for (target, value) in l.iter().zip(r) {
                    if let (Some((_, field)), Some("true")) = (target.selector(), value.ident()) {
                        set.push(field);
                    }
                }
            }
            _ => {}
        }
    });
    set.into_iter().find(|field| tested.iter().any(|t| t.split(|c: char| !c.is_alphanumeric()).any(|w| w == *field)))
}

/// Whether a literal begins with `<-ctx.Done()`.
fn waits_for_end<'a>(f: &Function<'a>, started: &Expr<'a>) -> bool {
    let Some(u) = started.call().and_then(|c| f.scope.units.iter().find(|u| u.span == c.fun.span)) else {
        return false;
    };
    match u.body.stmts.first().map(|s| &s.kind) {
        Some(StmtKind::Expr(e)) => e.unary("<-").is_some_and(|c| last_name(c) == "Done"),
        _ => false,
    }
}

/// Whether the round sets a deadline on something that the goroutine then uses.
fn has_deadline<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &Function<'a>,
    body: &Block<'a>,
    start: Span,
    started: &'a Expr<'a>,
) -> bool {
    let sets = |s: &&Site<'a>| {
        body.span.contains(s.expr.span)
            && s.expr.span.start < start.start
            && matches!(last_name(&s.call.fun), "SetDeadline" | "SetReadDeadline")
    };
    let on = |s: &Site<'a>| s.call.fun.selector().and_then(|(x, _)| f.scope.var(x));
    let set: Vec<_> = case.sites(id).iter().filter(sets).filter_map(on).collect();
    let mut uses = false;
    crate::syntax::visit::expr(started, &mut |node| {
        if let Node::Expr(e) = node {
            uses |= f.scope.var(e).is_some_and(|v| set.contains(&v));
        }
        true
    });
    uses
}

/// Whether a start stands under a condition or in a case of a select, and the goroutine takes nothing that
/// the round made: not one for each thing that comes, but something to be done now and then.
fn is_kick<'a>(f: &Function<'a>, body: &'a Block<'a>, start: Span, started: &'a Expr<'a>) -> bool {
    let mut conditional = false;
    each_node(body, |node| {
        if let Node::Stmt(s) = node {
            conditional |=
                matches!(s.kind, StmtKind::If(_) | StmtKind::Select(_) | StmtKind::Switch(_)) && s.span.contains(start);
        }
    });
    let mut own = false;
    crate::syntax::visit::expr(started, &mut |node| {
        if let Node::Expr(e) = node
            && let Some(v) = f.scope.var(e).and_then(|v| f.scope.vars.get(v))
        {
            own |= body.span.contains(v.span) && !started.span.contains(v.span);
        }
        true
    });
    conditional && !own
}

/// A goroutine under `sync.Once`, or that only closes or cancels something, is one and short.
fn is_one_of_a_kind(started: &Expr<'_>) -> bool {
    started.call().is_some_and(|c| matches!(last_name(&c.fun), "Close" | "Stop" | "cancel" | "Cancel"))
}

/// Whether a unit takes a lock and lets go of it when it ends.
fn locks(case: &Case<'_>, id: FnId, unit: usize) -> bool {
    case.sites(id).iter().any(|s| s.unit == unit && s.how == How::Defer && last_name(&s.call.fun) == "Unlock")
}

fn accepts(body: &Block<'_>) -> bool {
    let mut accepts = false;
    each_node(body, |node| {
        if let Node::Expr(e) = node {
            accepts |= e.method_call().is_some_and(|(_, name, _)| name.starts_with("Accept"));
        }
    });
    accepts
}
