//! A send whose receiver may have gone. The page: `docs/rules/send-abandoned.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Room, Use, local_room, uses};
use crate::meaning::groups::{Op, group_calls};
use crate::meaning::held_on_purpose::ENDS;
use crate::meaning::loops::{each_node, final_call, loops_in, stands_under};
use crate::syntax::ast::{Block, CommCase, Expr, ExprKind, ForHead, Span, Stmt, StmtKind, Type};
use crate::syntax::calls::How;
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, Role, VarId, VarKind};

/// The rule.
pub(super) struct SendAbandoned;

impl Rule for SendAbandoned {
    const INFO: RuleInfo = RuleInfo {
        code: "send-abandoned",
        title: "a send whose receiver may have gone",
        doc: include_str!("../../../../docs/rules/send-abandoned.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str = "the channel has no room and belongs to the function alone, and on the paths named the function ends without receiving";
    const CURE: &'static str =
        "Give the channel room for what is sent (make(chan T, 1)), or send in a select with ctx.Done().";

    fn check(case: &Case<'_>, out: &mut Out) {
        for answer in crate::meaning::answers::abandoned(case) {
            let name = answer.field;
            let sentence = format!(
                "if who asked has left before, this send to the channel in `{name}` waits for ever, and with it what answers"
            );
            let found = out.found(answer.sent.0, answer.sent.1, sentence);
            found.level = Level::Warning;
            found.why = Some(
                "the channel goes with the question and is made without room, and who asks waits in a select that another case leads out of"
                    .into(),
            );
            if let Some(g) = case.pkg.funcs.get(answer.left.0) {
                found.related.push((
                    g.file,
                    answer.left.1,
                    format!("`{}` leaves here without the answer", g.short_name()),
                ));
            }
        }
        for (id, f) in case.funcs() {
            given_away(case, id, f, out);
            for (var, v) in f.scope.vars.iter().enumerate() {
                let room = local_room(case.pkg, f, var);
                if v.kind != VarKind::Local || !matches!(room, Some(Room::None | Room::Of(_))) {
                    continue;
                }
                let uses = uses(case.pkg, f, var);
                if let Some((send, exit)) = in_a_group(case, id, f, &uses) {
                    let name = v.name;
                    let sentence = format!(
                        "if the goroutine of the group that receives has given up, this send to `{name}` waits for ever, and the group's Wait with it"
                    );
                    let found = out.found(id, send, sentence);
                    found.why = Some("the channel has little or no room and belongs to the function alone; one goroutine of the group receives, and has a way out before the last value; nothing stands beside the send".into());
                    found.cure = Some("Send in a select with the Done of the group's context.".into());
                    found.related.push((f.file, exit, "it ends here with values still to come".into()));
                    continue;
                }
                if room != Some(Room::None) {
                    continue;
                }
                let sends: Vec<_> = uses.iter().filter(|u| u.0 == Use::Send && is_started(f, u.2)).collect();
                if let Some((send, wait)) = waits_first(case, id, f, var, &uses) {
                    let name = v.name;
                    let sentence = format!(
                        "this send to `{name}` waits for a receive, which comes only after the group was waited for: neither goes on"
                    );
                    let found = out.found(id, send, sentence);
                    found.why = Some("the channel has no room and belongs to the function alone; each sender counts in the group, and every receive stands behind its Wait".into());
                    found.cure = Some("Receive first, and wait and close in a goroutine of its own: go func() { wg.Wait(); close(ch) }().".into());
                    found.related.push((f.file, wait, "waited for here, before anything is received".into()));
                    continue;
                }
                if let Some(sender) = sends_elsewhere(case, id, f, var, &uses)
                    && let Some(u) = f.scope.units.get(v.unit)
                {
                    early(f, u.body, var, sender, out);
                    continue;
                }
                let ranged = uses.iter().any(|u| u.0 == Use::Range);
                let simple = uses.iter().all(|(what, _, unit, _)| match what {
                    Use::Away | Use::SendInSelect => false,
                    Use::Range => *unit == v.unit,
                    Use::Send => is_started(f, *unit),
                    Use::Receive | Use::ReceiveInSelect => *unit == v.unit,
                    Use::Close | Use::Look => true,
                });
                let received = uses.iter().any(|u| matches!(u.0, Use::Receive | Use::ReceiveInSelect | Use::Range));
                let ([send, ..], true, true) = (sends.as_slice(), simple, received) else { continue };
                let Some(u) = f.scope.units.get(v.unit) else { continue };
                let Some(start) = go_around(f, send.2, v.unit) else { continue };
                if ranged || f.scope.units.get(start).is_some_and(|u| u.loops > v.loops) {
                    early(f, u.body, var, (id, send.1), out);
                    continue;
                }
                let mut follow = Follow {
                    case,
                    f,
                    var,
                    start: f.scope.units.get(start).map(|u| u.span).unwrap_or_default(),
                    exits: Vec::new(),
                };
                if !walk(case.file(f), u.body, State::Before, &mut follow) || follow.exits.is_empty() {
                    continue;
                }
                let mut exits = follow.exits;
                exits.sort_unstable();
                exits.dedup();
                let found = out.found(
                    id,
                    send.1,
                    format!(
                        "if the function has ended before, this send to `{}` waits for ever, and its goroutine with it",
                        v.name
                    ),
                );
                for exit in exits.into_iter().take(3) {
                    found.related.push((f.file, exit, "it ends here without having received".into()));
                }
                let asks = |at: Span| stands_under(case.pkg, f, at, |cond| cond.contains(".Err() == nil"));
                if sends.iter().all(|s| asks(s.1)) {
                    found.level = Level::Hint;
                    found.why = Some(
                        "it asks before whether the context of who receives has ended: what is left is a moment".into(),
                    );
                }
                let name = f.decl.name.name.to_lowercase();
                if ENDS.iter().any(|w| name.starts_with(w)) {
                    found.level = Level::Hint;
                    found.why = Some("by its name the function ends something, which is once".into());
                }
                if sends.iter().all(|s| is_word_of_server(f, s.1)) {
                    found.level = Level::Hint;
                    found.why = Some("what is sent is how a server has ended, which happens once".into());
                }
            }
        }
    }
}

/// Senders that a loop starts, and a loop of receives that ends before it has all: `return err` at the first
/// error.
fn early<'a>(f: &'a Function<'a>, body: &'a Block<'a>, var: VarId, (id, send): (FnId, Span), out: &mut Out) {
    for (_, label, l) in loops_in(body) {
        // Of a loop with an end of its own every other way out comes early.
        if !matches!(&l.head, ForHead::Range { .. } | ForHead::Clause { cond: Some(_), .. }) {
            continue;
        }
        let mut receives = matches!(&l.head, ForHead::Range { over, .. } if f.scope.var(over) == Some(var));
        let mut exits = Vec::new();
        each_node(&l.body, |node| match node {
            Node::Expr(e) => receives |= e.unary("<-").is_some_and(|c| f.scope.var(c) == Some(var)),
            Node::Stmt(s) => {
                if matches!(s.kind, StmtKind::Return(_))
                    || matches!(s.kind, StmtKind::Break(Some(to)) if Some(to) == label)
                {
                    exits.push(s.span);
                }
            }
        });
        if !receives || exits.is_empty() {
            continue;
        }
        let name = f.scope.vars.get(var).map_or("", |v| v.name);
        let found = out.found(
            id,
            send,
            format!("if the loop that receives has ended before, this send to `{name}` waits for ever, and its goroutine with it"),
        );
        found.why = Some("the channel has no room and belongs to the function alone; more than one value is sent, and the loop that receives has a way out before the last".into());
        found.cure = Some(
            "Give the channel room for every sender (make(chan T, n)), or send in a select with ctx.Done().".into(),
        );
        for exit in exits.into_iter().take(3) {
            found.related.push((f.file, exit, "it ends here with values still to come".into()));
        }
        return;
    }
}

/// A send in a loop of one goroutine of an errgroup, and a way out of the loop of the only one that receives.
fn in_a_group<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    uses: &[(Use, Span, usize, bool)],
) -> Option<(Span, Span)> {
    let send = uses.iter().find(|u| u.0 == Use::Send && u.3)?;
    let mut receives = uses.iter().filter(|u| matches!(u.0, Use::Range | Use::Receive | Use::ReceiveInSelect));
    let (range, None) = (receives.next()?, receives.next()) else { return None };
    let member = |unit: usize| crate::meaning::errgroups::is_member(case, id, f, unit);
    let receiver = f.scope.units.get(range.2)?;
    let own = !uses.iter().any(|u| u.0 == Use::Away);
    if range.0 != Use::Range || !own || receiver.loops > 0 || send.2 == range.2 || !member(send.2) || !member(range.2) {
        return None;
    }
    let (_, _, l) = loops_in(receiver.body)
        .into_iter()
        .find(|(_, _, l)| matches!(&l.head, ForHead::Range { over, .. } if over.span == range.1))?;
    Some((send.1, first_return(&l.body.stmts)?))
}

/// The one function that is started with the channel and sends to it again and again, with nothing beside:
/// `go stream(rows)`, and rows are then gone through here.
fn sends_elsewhere<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    var: VarId,
    uses: &[(Use, Span, usize, bool)],
) -> Option<(FnId, Span)> {
    let v = f.scope.vars.get(var)?;
    let only = uses.iter().all(|(what, _, unit, _)| match what {
        Use::Range => *unit == v.unit,
        Use::Away | Use::Look => true,
        _ => false,
    });
    let count = |wanted: Use| uses.iter().filter(|u| u.0 == wanted).count();
    if !only || count(Use::Away) != 1 || count(Use::Range) != 1 {
        return None;
    }
    case.sites(id).iter().filter(|s| s.how == How::Go && s.unit == v.unit).find_map(|s| {
        let Callee::Local(callee) = s.callee else { return None };
        let n = s.call.args.iter().position(|a| f.scope.var(a) == Some(var))?;
        let g = case.pkg.funcs.get(callee)?;
        let name = g.decl.sig.params.get(n)?.name?.name;
        let param = g.scope.vars.iter().position(|p| p.kind == VarKind::Param && p.name == name)?;
        let used = self::uses(case.pkg, g, param);
        let simple = used.iter().all(|u| u.2 == 0 && matches!(u.0, Use::Send | Use::Close | Use::Look));
        let send = used.iter().find(|u| u.0 == Use::Send && u.3)?;
        simple.then_some((callee, send.1))
    })
}

/// A function that gives a channel back to which its goroutine sends with nothing beside, and a caller of
/// this package that leaves before the last value.
fn given_away<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, out: &mut Out) {
    if !f.decl.sig.results.iter().any(|r| matches!(r.ty, Type::Chan(..))) {
        return;
    }
    for (var, v) in f.scope.vars.iter().enumerate() {
        let Some(room @ (Room::None | Room::Of(_))) = local_room(case.pkg, f, var) else { continue };
        let uses = uses(case.pkg, f, var);
        let fits = uses.iter().all(|(what, at, unit, _)| match what {
            Use::Send => is_started(f, *unit),
            Use::Close | Use::Look => true,
            Use::Away => *unit == v.unit && is_returned(f, *unit, *at),
            _ => false,
        });
        let given = uses.iter().any(|u| u.0 == Use::Away);
        let repeats = |u: &(Use, Span, usize, bool)| u.3 && !ends_round(f, u.2, u.1);
        let Some(send) = uses.iter().find(|u| u.0 == Use::Send && (repeats(u) || room == Room::None)) else { continue };
        if !fits || !given {
            continue;
        }
        let edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n));
        let left = edges.filter(|e| e.caller != id).find_map(|e| {
            let g = case.pkg.funcs.get(e.caller)?;
            Some((e.caller, g, leaves_early(case, g, e.unit, e.call, repeats(send))?))
        });
        let Some((_, g, exit)) = left else { continue };
        let sentence = format!(
            "if who receives has left before the last value, this send to `{}` waits for ever, and its goroutine with it",
            v.name
        );
        let found = out.found(id, send.1, sentence);
        found.level = Level::Warning;
        found.why =
            Some("nothing stands beside the send, and a caller in this package has a way out of its receiving".into());
        found.cure =
            Some("Send in a select with the end of a context, which the caller cancels when it leaves.".into());
        found.related.push((g.file, exit, format!("`{}` leaves here with values still to come", g.short_name())));
    }
}

/// Whether the statements behind a send leave the loop or the function: `errs <- err; return`.
fn ends_round(f: &Function<'_>, unit: usize, send: Span) -> bool {
    let Some(u) = f.scope.units.get(unit) else { return false };
    let mut ends = false;
    let mut look = |list: &[Stmt<'_>]| {
        if let Some(at) = list.iter().position(|s| s.span == send) {
            let behind = list.iter().skip(at + 1);
            ends |= behind.into_iter().any(|s| matches!(s.kind, StmtKind::Return(_) | StmtKind::Break(_)));
        }
    };
    each_node(u.body, |node| {
        if let Node::Stmt(s) = node {
            match &s.kind {
                StmtKind::If(i) => look(&i.then.stmts),
                StmtKind::For(l) => look(&l.body.stmts),
                StmtKind::Block(b) => look(&b.stmts),
                StmtKind::Switch(sw) => sw.cases.iter().for_each(|c| look(&c.body)),
                StmtKind::Select(cases) => cases.iter().for_each(|c| look(&c.body)),
                _ => {}
            }
        }
    });
    ends
}

/// Whether a place is one of the values of a return statement.
fn is_returned(f: &Function<'_>, unit: usize, at: Span) -> bool {
    let Some(u) = f.scope.units.get(unit) else { return false };
    let mut returned = false;
    each_node(u.body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Return(values) = &s.kind
        {
            returned |= values.iter().any(|v| v.span == at);
        }
    });
    returned
}

/// Where a caller leaves that receives what a call gives: a return in the loop over it, or in another case of
/// the select that receives. Nothing else may be done with the channel: who drains it lets the sender end.
fn leaves_early<'a>(
    case: &Case<'a>,
    g: &'a Function<'a>,
    unit: usize,
    call: &'a Expr<'a>,
    again: bool,
) -> Option<Span> {
    let u = g.scope.units.get(unit)?;
    let var = g.scope.vars.iter().position(|v| matches!(v.init, Init::Value(e, 0) if e.span == call.span));
    let is = |e: &Expr<'a>| e.span == call.span || var.is_some() && g.scope.var(e) == var;
    if let Some(var) = var {
        let used = uses(case.pkg, g, var);
        let [one] = used.as_slice() else { return None };
        if one.2 != unit || !matches!(one.0, Use::Range | Use::ReceiveInSelect) {
            return None;
        }
    }
    let mut exit = None;
    each_node(u.body, |node| {
        let Node::Stmt(s) = node else { return };
        match &s.kind {
            StmtKind::For(l) if again => {
                if matches!(&l.head, ForHead::Range { over, .. } if is(over)) {
                    exit = exit.or_else(|| first_return(&l.body.stmts));
                }
            }
            StmtKind::Select(cases) => {
                let receives = |c: &CommCase<'a>| {
                    c.comm.as_ref().is_some_and(|s| match &s.kind {
                        StmtKind::Expr(e) => e.unary("<-").is_some_and(is),
                        StmtKind::Define(_, r) | StmtKind::Assign(_, _, r) => {
                            r.first().and_then(|e| e.unary("<-")).is_some_and(is)
                        }
                        _ => false,
                    })
                };
                if cases.iter().any(receives) {
                    let others = cases.iter().filter(|c| !receives(c));
                    exit = exit.or_else(|| others.into_iter().find_map(|c| first_return(&c.body)));
                }
            }
            _ => {}
        }
    });
    exit
}

fn first_return<'a>(stmts: &'a [Stmt<'a>]) -> Option<Span> {
    let mut found = None;
    crate::syntax::visit::stmts(stmts, &mut |node| {
        match node {
            Node::Stmt(s) if matches!(s.kind, StmtKind::Return(_)) => {
                found.get_or_insert(s.span);
            }
            Node::Expr(e) => return !matches!(e.kind, ExprKind::FuncLit(_)),
            _ => {}
        }
        true
    });
    found
}

/// A group's Wait that stands before every receive, where the senders count in that group: the send, and the
/// Wait.
fn waits_first<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    var: VarId,
    uses: &[(Use, Span, usize, bool)],
) -> Option<(Span, Span)> {
    let v = f.scope.vars.get(var)?;
    let calls = group_calls(case.pkg, f, case.sites(id));
    let wait = calls.iter().find(|c| c.op == Op::Wait && c.site.unit == v.unit && c.site.how == How::Plain)?;
    let at = wait.site.expr.span;
    let mut send = None;
    for (what, span, unit, _) in uses {
        match what {
            Use::Send => {
                let counts = calls.iter().any(|c| c.op == Op::Done && c.key == wait.key && c.site.unit == *unit);
                if !is_started(f, *unit) || !counts || span.start > at.start {
                    return None;
                }
                send.get_or_insert(*span);
            }
            // A receive elsewhere, or before, and whoever else has the channel, may take what is sent.
            Use::Receive | Use::ReceiveInSelect | Use::Range if *unit == v.unit && span.start > at.start => {}
            Use::Close | Use::Look => {}
            _ => return None,
        }
    }
    send.map(|s| (s, at))
}

/// `errs <- server.ListenAndServe()`.
fn is_word_of_server<'a>(f: &Function<'a>, send: Span) -> bool {
    // What runs a server is called as the server's own method.
    let runs = matches!(f.decl.name.name, "Run" | "Serve" | "Start" | "ListenAndServe");
    let serves = |c: &crate::syntax::ast::Call<'a>| {
        let name = crate::meaning::channels::last_name(&c.fun);
        name.starts_with("Serve")
            || name.starts_with("ListenAndServe")
            || name.eq_ignore_ascii_case("startserver")
            || runs && name == "Run"
    };
    let mut word = false;
    for u in &f.scope.units {
        // `err = server.Serve(l); if err != http.ErrServerClosed { errs <- err }`.
        let mut served: Vec<crate::syntax::VarId> = Vec::new();
        each_node(u.body, |node| {
            let Node::Stmt(s) = node else { return };
            match &s.kind {
                StmtKind::Assign(_, l, r) | StmtKind::Define(l, r)
                    if r.first().and_then(|v| v.call()).is_some_and(serves) =>
                {
                    served.extend(l.first().and_then(|t| f.scope.var(t)));
                }
                // `err := fmt.Errorf("serving: %w", err)`.
                StmtKind::Assign(_, l, r) | StmtKind::Define(l, r)
                    if r.first().and_then(|v| v.call()).is_some_and(|c| {
                        c.args.iter().any(|a| f.scope.var(a).is_some_and(|v| served.contains(&v)))
                    }) =>
                {
                    served.extend(l.first().and_then(|t| f.scope.var(t)));
                }
                StmtKind::Send(_, value) if s.span == send => {
                    word |= value.call().is_some_and(serves) || f.scope.var(value).is_some_and(|v| served.contains(&v));
                }
                _ => {}
            }
        });
    }
    word
}

fn is_started(f: &Function<'_>, unit: usize) -> bool {
    f.scope.units.get(unit).is_some_and(|u| u.role == Role::Go)
}

/// The literal that is started in the unit of the channel and holds the send.
fn go_around(f: &Function<'_>, unit: usize, owner: usize) -> Option<usize> {
    let u = f.scope.units.get(unit)?;
    (u.role == Role::Go && u.parent == Some(owner)).then_some(unit)
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Before,
    Started,
    Received,
}

struct Follow<'w, 'a> {
    case: &'w Case<'a>,
    f: &'a Function<'a>,
    var: VarId,
    start: Span,
    exits: Vec<Span>,
}

impl<'a> Along<'a> for Follow<'_, 'a> {
    type State = State;

    fn pass(&mut self, node: Node<'a, 'a>, state: &mut State) {
        match node {
            Node::Stmt(s) => {
                if matches!(s.kind, StmtKind::Go(_)) && s.span.contains(self.start) {
                    *state = State::Started;
                }
            }
            Node::Expr(e) => {
                let is = e.unary("<-").is_some_and(|c| self.f.scope.var(c) == Some(self.var));
                if is && *state == State::Started {
                    *state = State::Received;
                }
            }
        }
    }

    fn end(&mut self, exit: Exit<'a>, state: &State) {
        if *state == State::Started && !matches!(exit, Exit::Panic(_)) {
            self.exits.push(exit.span());
        }
    }

    fn is_final(&self, call: &'a Expr<'a>) -> bool {
        final_call(self.case.pkg, self.f, call)
    }
}
