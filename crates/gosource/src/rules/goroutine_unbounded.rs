//! Goroutines started without a bound. The page: `docs/rules/goroutine-unbounded.md`.

use super::rule::{Ask, Bound, Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::errgroups::starts_without_limit;
use crate::meaning::loops::{Length, each_node, length, loops_in};
use crate::meaning::pace::{
    is_client_of_stream, is_of_receiver, is_waited_for_by_callee, one_by_key, replaces_or_waits, waits_for_signals,
    waits_for_ticks,
};
use crate::meaning::shared::{by_requests, under_once};
use crate::meaning::starts::{
    at_ticks, belongs_to_what_is_given, ends_with_context, has_deadline, has_own_time, is_ended_with_function, is_kick,
    is_of_first, is_of_new_entry, joined_beside, one_at_a_time, runs_once, takes_connection, takes_over, waits_for_end,
};
use crate::meaning::taken_out::is_of_taken_entry;
use crate::syntax::ast::{Block, CommCase, Expr, ExprKind, For, ForHead, Span, StmtKind, Type};
use crate::syntax::calls::{How, Site};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Role, VarKind};

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
                    // `g.Go(func() error { ... })` of a group that nothing limits.
                    if let Node::Expr(e) = node
                        && starts_without_limit(case, f, e)
                    {
                        starts.push((e.span, e));
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
        let ended = is_ended_with_function(case, id, f, started);
        if ended && around.clone().next().is_none() {
            continue;
        }
        // The innermost that has no end of its own; those within it that have may run often too.
        let endless = around.clone().find(|(_, _, l)| !matches!(length(case.pkg, f, l), Length::Counted));
        let head = Span { end: span.start + 2, ..*span };
        if let Some((_, _, l)) = endless {
            if is_bounded(case, f, &l.body, started) && !place_is_of_another(case, f, &l.body, started)
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
            if ended {
                found.level = Level::Hint;
                found.why = Some(
                    "the function closes a channel as it ends, for which the goroutine waits too: none outlives the function"
                        .into(),
                );
            } else if accepts {
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
            } else if is_client_of_stream(case, f, &l.body) {
                found.level = Level::Hint;
                found.why = Some(
                    "the loop reads a stream of which this is the client, and the goroutine may answer on it: how many there are at once is up to the server"
                        .into(),
                );
            } else if has_own_time(case, f, started) {
                found.level = Level::Hint;
                found.why = Some(
                    "it begins by making a context with a time: it lives no longer than that, and how many come meanwhile is not known"
                        .into(),
                );
            } else if replaces_or_waits(case, f, &l.body, *span) {
                found.level = Level::Hint;
                found.why = Some(
                    "the round ends the one before, or waits right after the start until something ends: one at a time"
                        .into(),
                );
            } else if waits_for_signals(case, f, l) {
                found.level = Level::Hint;
                found.why = Some("each round waits for a signal to the process: as often as somebody sends one".into());
            } else if is_waited_for_by_callee(case, id, f, &l.body, started) {
                found.level = Level::Hint;
                found.why = Some(
                    "the round hands a channel of the goroutine to a function, which may well wait for it before the next round"
                        .into(),
                );
            } else if waits_for_ticks(case, f, &l.body, *span) {
                found.level = Level::Hint;
                found.why = Some("each round waits for a clock: time bounds how often it comes to that".into());
            } else if is_of_new_entry(case, f, &l.body, *span) {
                found.level = Level::Hint;
                found.why =
                    Some("it starts where a key is new in a map: one for each entry, and no more than that has".into());
            } else if is_of_taken_entry(case, f, &l.body, *span, started) {
                found.level = Level::Hint;
                found.why = Some(
                    "its key is in a map and is taken out right before: one for each entry that was put there".into(),
                );
            } else if is_of_first(case, f, &l.body, *span) {
                found.level = Level::Hint;
                found.why =
                    Some("it starts for the first of a list alone: one for each list, until that is worked off".into());
            } else if ends_with_context(f, started) {
                found.level = Level::Hint;
                found.why =
                    Some("all that it does is to wait for one thing, and the end of a context leads out".into());
            } else if started.call().is_some_and(|c| last_name(&c.fun) == "Go" && started.span.start == span.start) {
                found.level = Level::Hint;
                found.why = Some(
                    "a group starts them, and who waits for it gets all of them: of what has an end there are as many as that has"
                        .into(),
                );
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
            } else if each.is_none() && takes_over(case, f) {
                found.level = Level::Hint;
                found.why = Some("the handler takes the connection over: it is one of that connection's, and how many there are is up to the clients".into());
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
            } else if one_by_key(case, id, f, unit) {
                found.level = Level::Hint;
                found.why =
                    Some("what starts it runs once at a time for each key, and may look for one that runs".into());
            } else if let Some(taker) = handed_over(case, id, f, unit) {
                found.level = Level::Hint;
                found.why = Some(format!(
                    "the function around it is handed to `{taker}`, which may run it later, and once: the request itself starts nothing"
                ));
            }
        } else if let Some((_, _, l)) = around.clone().next()
            && case.calls.is_hot(case.pkg, id, unit)
            && let ForHead::Range { over, .. } = &l.head
            && !is_bounded(case, f, &l.body, started)
            && !joined(case, f, u.body)
            && !under_once(case, id, f, unit)
        {
            let requests = by_requests(case, id, unit);
            let who = if requests { "requests" } else { "several goroutines" };
            let found = out.found(
                id,
                head,
                format!("{who} reach this loop, which starts a goroutine for each element and waits for none"),
            );
            if takes_connection(case, f, started) {
                found.level = Level::Hint;
                found.why =
                    Some("each is for a channel of a connection: how many there are is up to the clients".into());
            }
            if !comes_with_call(f, over) {
                found.level = Level::Hint;
                found.why = Some(
                    "what the loop goes over does not come with the request: as many as there are, each time".into(),
                );
            }
            if is_of_receiver(f, over) {
                found.level = Level::Hint;
                found.why = Some(
                    "each element is one of what the receiver has: a goroutine for each of those, as many as it has"
                        .into(),
                );
            }
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

/// Whether a loop goes over a parameter of the function, or a part of one: whoever calls has brought it.
fn comes_with_call<'a>(f: &Function<'a>, over: &Expr<'a>) -> bool {
    let root = over.root().and_then(|r| f.scope.var(r)).and_then(|v| f.scope.vars.get(v));
    root.is_some_and(|v| v.kind == VarKind::Param)
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

/// Whether the round starts two goroutines, and the other gives the place back that it has waited for: what
/// bounds that one does not bound this.
fn place_is_of_another<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>, started: &'a Expr<'a>) -> bool {
    const GIVES: &[&str] = &["{ <-", "Release(", "release("];
    let text = |e: &Expr<'a>| match e.call().map(|c| case.pkg.callee(f, &c.fun)) {
        Some(Callee::Local(id)) => case.pkg.funcs.get(id).map_or("", |g| case.file(g).at(g.decl.span)),
        _ => case.file(f).at(e.span),
    };
    let gives = |e: &Expr<'a>| GIVES.iter().any(|w| text(e).contains(w));
    let mut others = false;
    let mut taken = false;
    each_node(body, |node| match node {
        Node::Stmt(s) => {
            if let StmtKind::Go(e) = &s.kind {
                others |= e.span != started.span && gives(e);
            }
        }
        Node::Expr(e) => taken |= e.call().is_some_and(|c| matches!(last_name(&c.fun), "acquire" | "Acquire")),
    });
    // One that waits or is waited for itself is another matter.
    let own = text(started);
    taken && others && !["<-", "elease(", "Done(", "Wait("].iter().any(|w| own.contains(w))
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
                        // A token may be taken with a way out beside; what starts where none was to be had is
                        // not bound by it.
                        bounded |= matches!(comm.kind, StmtKind::Send(..)) && !starts_instead(cases, started.span);
                        in_select.push(comm.span);
                    }
                }
            }
            StmtKind::Send(..) => bounded |= !started.span.contains(s.span) && !in_select.contains(&s.span),
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
                let own = case.file(f).at(started.span);
                bounded |= own.contains(&format!("{text} <-"))
                    // The round waits for the word of the goroutine that it started.
                    || !started.span.contains(e.span) && own.contains(&format!("close({text})"));
            }
        }
    });
    // `if active >= max { continue }` before the start.
    let mut text = case.file(f).at(body.span).to_lowercase();
    // How much is read of something, or how long, is no bound of how many do it.
    for of_bytes in
        ["limitreader", "limitedreader", "maxbytes", "maxmemory", "maxwait", "maxdelay", "maxage", "maxbackoff"]
    {
        text = text.replace(of_bytes, "");
    }
    bounded || ["max", "limit", "inflight", "sema"].iter().any(|w| text.contains(w))
}

/// Whether a start stands in the default of a select: there what the others send has found no room.
fn starts_instead(cases: &[CommCase<'_>], start: Span) -> bool {
    cases.iter().any(|c| c.comm.is_none() && c.body.iter().any(|s| s.span.contains(start)))
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
