//! Something that one path gives back and another keeps. The page: `docs/rules/not-given-back.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Use, last_name, uses};
use crate::meaning::loops::{each_node, final_call, loops_in};
use crate::syntax::ast::{Block, Expr, ExprKind, Span, Stmt, StmtKind, Type};
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Init, VarId};

/// The rule.
pub(super) struct NotGivenBack;

impl Rule for NotGivenBack {
    const INFO: RuleInfo = RuleInfo {
        code: "not-given-back",
        title: "something that one path gives back and another keeps",
        doc: include_str!("../../../../docs/rules/not-given-back.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "every path from where it is taken was followed: one gives it back, no path that succeeds keeps it, and on those named it is kept";
    const CURE: &'static str = "Give it back by a defer, right after it was taken, or before that return too.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for unit in 0..f.scope.units.len() {
                for taken in taken(case, f, unit) {
                    one(case, id, f, unit, &taken, out);
                }
            }
        }
    }
}

/// Methods that take something of their receiver, and those that give it back.
const PAIRS: &[(&str, &[&str])] = &[
    ("Subscribe", &["Unsubscribe"]),
    ("Register", &["Unregister", "Deregister"]),
    ("Acquire", &["Release"]),
    ("Attach", &["Detach"]),
    ("Join", &["Leave"]),
    ("Retain", &["Release"]),
    ("Reserve", &["Release"]),
    ("Pin", &["Unpin"]),
    ("Ref", &["Unref"]),
];

/// What a unit takes.
#[derive(Clone, PartialEq, Eq)]
enum Taken<'a> {
    /// A token of a semaphore: `slots <- struct{}{}`, until `<-slots`.
    Token(&'a str),
    /// An entry of a map that lives on: `m.pending[id] = r`, until `delete(m.pending, id)`.
    Entry(&'a str, &'a str),
    /// What a method gives: `h.Subscribe()`, until `h.Unsubscribe(c)`.
    Pair(&'a str, &'static str, &'static [&'static str]),
}

impl<'a> Taken<'a> {
    /// Whether an expression gives it back.
    fn is_given<'e>(&self, text: &dyn Fn(&Expr<'e>) -> &'a str, e: &Expr<'e>) -> bool {
        match self {
            Self::Token(channel) => e.unary("<-").is_some_and(|c| text(c) == *channel),
            Self::Entry(map, key) => e.call().is_some_and(|c| {
                c.fun.ident() == Some("delete")
                    && matches!(c.args.as_slice(), [m, k] if text(m) == *map && text(k) == *key)
            }),
            Self::Pair(owner, _, gives) => e
                .call()
                .and_then(|c| c.fun.selector())
                .is_some_and(|(x, name)| text(x) == *owner && gives.iter().any(|g| name.eq_ignore_ascii_case(g))),
        }
    }

    /// Whether a statement or an expression takes it.
    fn is_taken<'e>(&self, text: &dyn Fn(&Expr<'e>) -> &'a str, node: Node<'_, 'e>) -> bool {
        match (self, node) {
            (Self::Token(channel), Node::Stmt(s)) => {
                matches!(&s.kind, StmtKind::Send(c, value) if text(c) == *channel && is_token(value))
            }
            (Self::Entry(map, key), Node::Stmt(s)) => match &s.kind {
                StmtKind::Assign("=", l, _) => matches!(l.as_slice(), [Expr { kind: ExprKind::Index(m, k), .. }]
                    if text(m) == *map && text(k) == *key),
                _ => false,
            },
            (Self::Pair(owner, take, _), Node::Expr(e)) => e
                .call()
                .and_then(|c| c.fun.selector())
                .is_some_and(|(x, name)| text(x) == *owner && name.eq_ignore_ascii_case(take)),
            _ => false,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Token(channel) => format!(
                "the token put into `{channel}` is not taken out again on every path: each time one place less is left"
            ),
            Self::Entry(map, key) => {
                format!("the entry `{map}[{key}]` is deleted on one path and stays on another that fails")
            }
            Self::Pair(owner, take, gives) => format!(
                "what `{owner}.{take}` gives is given back (`{}`) on one path and kept on another",
                gives.first().copied().unwrap_or_default()
            ),
        }
    }
}

/// `struct{}{}`, `true`: a value that tells nothing.
fn is_token(value: &Expr<'_>) -> bool {
    matches!(&value.kind, ExprKind::Composite(Some(Type::Struct(fields)), _) if fields.is_empty())
        || value.ident() == Some("true")
}

/// What a unit both takes and gives back, itself and plainly.
fn taken<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize) -> Vec<Taken<'a>> {
    let mut out: Vec<Taken<'a>> = Vec::new();
    let Some(u) = f.scope.units.get(unit) else { return out };
    let text = |e: &Expr<'a>| case.file(f).at(e.span);
    // In a loop the next round may be about another entry.
    let loops: Vec<Span> = loops_in(u.body).into_iter().map(|(_, _, l)| l.body.span).collect();
    // What has no lock belongs to one piece of work, and goes with it.
    let locks = case.file(f).at(u.span).contains("Lock()");
    // In a select a token may not be taken, and an if may be about whether it was.
    let mut unsure: Vec<Span> = Vec::new();
    let mut all: Vec<(Span, Taken<'a>)> = Vec::new();
    each_node(u.body, |node| match node {
        Node::Stmt(s) => match &s.kind {
            StmtKind::Select(cases) => unsure.extend(cases.iter().filter_map(|c| c.comm.as_ref()).map(|c| c.span)),
            // `if !budget.Acquire(n) { return ErrBusy }` tells whether it was taken.
            StmtKind::If(i) if i.cond.unary("!").is_some_and(takes_of_a_pair) && leaves(&i.then) => {}
            StmtKind::If(i) => unsure.push(i.cond.span),
            StmtKind::Send(c, value) if is_token(value) && is_shared(f, c) && !is_closed(case, c) => {
                all.push((s.span, Taken::Token(text(c))));
            }
            StmtKind::Assign("=", l, _) => {
                if let [Expr { kind: ExprKind::Index(m, k), .. }] = l.as_slice()
                    && locks
                    && !loops.iter().any(|l| l.contains(s.span))
                    && lives_on(case, f, m)
                {
                    all.push((s.span, Taken::Entry(text(m), text(k))));
                }
            }
            _ => {}
        },
        Node::Expr(e) => {
            // What a call gives anew each time, a builder of commands above all, holds nothing.
            if let Some((x, name)) = e.call().and_then(|c| c.fun.selector())
                && !text(x).contains('(')
                && let Some((take, gives)) = PAIRS.iter().find(|(take, _)| name.eq_ignore_ascii_case(take))
            {
                all.push((e.span, Taken::Pair(text(x), take, gives)));
            }
        }
    });
    for (at, taken) in all {
        // The case of a select that puts a token is a path of its own.
        let unsure_here = unsure.iter().any(|s| s.contains(at) && !(*s == at && matches!(taken, Taken::Token(_))));
        if unsure_here || out.contains(&taken) {
            continue;
        }
        out.push(taken);
    }
    out
}

/// Whether an expression is itself the call that takes something: `budget.Acquire(n)`.
fn takes_of_a_pair(e: &Expr<'_>) -> bool {
    let name = e.call().and_then(|c| c.fun.selector()).map(|(_, name)| name);
    name.is_some_and(|name| PAIRS.iter().any(|(take, _)| name.eq_ignore_ascii_case(take)))
}

/// Whether a block ends with a return.
fn leaves(block: &Block<'_>) -> bool {
    block.stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_)))
}

/// Whether a channel is a field or a package variable: one of the function's own goes with it.
fn is_shared<'a>(f: &Function<'a>, channel: &Expr<'a>) -> bool {
    channel.selector().is_some() || channel.ident().is_some() && f.scope.var(channel).is_none()
}

/// Whether the package closes a channel of that name: it tells something then, and its room is no places.
fn is_closed(case: &Case<'_>, channel: &Expr<'_>) -> bool {
    let name = last_name(channel);
    case.all_sites().any(|(_, _, s)| {
        s.callee == Callee::Builtin("close") && s.call.args.first().is_some_and(|c| last_name(c) == name)
    })
}

/// Whether a map is a field or a package variable.
fn lives_on<'a>(case: &Case<'a>, f: &Function<'a>, map: &Expr<'a>) -> bool {
    let of = |e: &Expr<'a>| matches!(case.pkg.underlying(&case.pkg.type_of(f, e)), Type::Map(..));
    (map.selector().is_some() || map.ident().is_some() && f.scope.var(map).is_none()) && of(map)
}

fn one<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, unit: usize, taken: &Taken<'a>, out: &mut Out) {
    let Some(u) = f.scope.units.get(unit) else { return };
    // A function that is named after the taking does it for its caller.
    let name = f.decl.name.name.to_lowercase();
    let for_caller = match taken {
        Taken::Pair(_, take, _) => name.contains(&take.to_lowercase()),
        _ => ["acquire", "take", "reserve", "lock", "begin", "enter"].iter().any(|w| name.starts_with(w)),
    };
    // `Get` takes a token for who gets something, and gives it back where it fails: then every failure has
    // to.
    let for_who_gets = is_given_by_others(case, f, taken);
    if for_caller
        || is_given_first(case, f, unit, taken)
        || for_who_gets && !matches!(taken, Taken::Token(_))
        || is_handed_on(case, f, unit, taken)
    {
        return;
    }
    let mut follow = Follow {
        case,
        f,
        taken,
        errors: errors_of(case, f, unit, taken),
        failing: failing(f, unit),
        kept: Vec::new(),
        meant: false,
        given: false,
        taken_back: false,
    };
    if !walk(case.file(f), u.body, State::Free, &mut follow) || !follow.given {
        return;
    }
    // Of a token: where all went well the function itself gives it back, or who gets something has it and
    // only failures give it back. An entry others may delete later.
    let token = matches!(taken, Taken::Token(_));
    if follow.meant && !(token && follow.taken_back) || for_who_gets && !token {
        return;
    }
    let mut kept = follow.kept;
    kept.sort_unstable();
    kept.dedup();
    let Some((at, _)) = kept.first().copied() else { return };
    let found = out.found(id, at, taken.sentence());
    for (_, exit) in kept.iter().filter(|(a, _)| *a == at).take(3) {
        found.related.push((f.file, *exit, "kept where this path ends".into()));
    }
}

/// Whether a unit begins by giving back: tokens that are taken out first and put back later are no places.
fn is_given_first<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize, taken: &Taken<'a>) -> bool {
    let Some(u) = f.scope.units.get(unit) else { return true };
    let text = |e: &Expr<'a>| case.file(f).at(e.span);
    let mut first = None;
    each_node(u.body, |node| {
        if first.is_none() {
            if taken.is_taken(&text, node) {
                first = Some(false);
            } else if let Node::Expr(e) = node
                && taken.is_given(&text, e)
            {
                first = Some(true);
            }
        }
    });
    first == Some(true)
}

/// Whether another function of the package gives back what has that name: it may be meant to.
fn is_given_by_others<'a>(case: &Case<'a>, f: &Function<'a>, taken: &Taken<'a>) -> bool {
    let last = |text: &'a str| text.rsplit('.').next().unwrap_or(text);
    let name = match taken {
        Taken::Token(of) | Taken::Entry(of, _) => last(of),
        Taken::Pair(..) => return false,
    };
    case.funcs().filter(|(_, g)| g.decl.span != f.decl.span || g.file != f.file).any(|(_, g)| {
        // Most functions do not name it.
        if !case.file(g).at(g.decl.span).contains(name) {
            return false;
        }
        let Some(body) = &g.decl.body else { return false };
        let mut given = false;
        visit::block(body, &mut |node| {
            match node {
                Node::Expr(e) => {
                    given |= match taken {
                        Taken::Token(_) => e.unary("<-").is_some_and(|c| last_name(c) == name),
                        _ => e.call().is_some_and(|c| {
                            matches!(c.fun.ident(), Some("delete" | "clear"))
                                && c.args.first().is_some_and(|m| last_name(m) == name)
                        }),
                    };
                }
                // A whole new map, or a loop that empties the channel.
                Node::Stmt(s) => match &s.kind {
                    StmtKind::Assign("=", l, _) => {
                        given |= l.iter().any(|t| !matches!(t.kind, ExprKind::Index(..)) && last_name(t) == name);
                    }
                    StmtKind::For(l) => {
                        given |= matches!(&l.head, crate::syntax::ast::ForHead::Range { over, .. }
                            if matches!(taken, Taken::Token(_)) && last_name(over) == name);
                    }
                    _ => {}
                },
            }
            true
        });
        given
    })
}

/// Whether what a method gives goes on to somebody else, who may give it back.
fn is_handed_on<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize, taken: &Taken<'a>) -> bool {
    let Taken::Pair(..) = taken else { return false };
    let text = |e: &Expr<'a>| case.file(f).at(e.span);
    let made = f.scope.vars.iter().enumerate().filter(|(_, v)| {
        v.unit == unit
            && !v.name.to_lowercase().contains("err")
            && matches!(v.init, Init::Value(e, 0) if taken.is_taken(&text, Node::Expr(e)))
    });
    let Some(u) = f.scope.units.get(unit) else { return true };
    made.into_iter().any(|(var, _)| {
        let mut away: Vec<Span> =
            uses(case.pkg, f, var).into_iter().filter(|u| u.0 == Use::Away).map(|u| u.1).collect();
        // What it is given back with, and its own fields, are no hands.
        each_node(u.body, |node| {
            let Node::Expr(e) = node else { return };
            if let Some(call) = e.call() {
                let gives = taken.is_given(&text, e);
                let own = |at: &Span| {
                    gives && e.span.contains(*at) || call.fun.selector().is_some_and(|(x, _)| x.span.contains(*at))
                };
                away.retain(|at| !own(at));
            } else if let Some((x, _)) = e.selector() {
                away.retain(|at| !x.span.contains(*at));
            }
        });
        !away.is_empty()
    })
}

/// Error variables that tell whether it was taken at all: `c, err := h.Subscribe()`.
fn errors_of<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize, taken: &Taken<'a>) -> Vec<VarId> {
    let mut out = Vec::new();
    let Some(u) = f.scope.units.get(unit) else { return out };
    let text = |e: &Expr<'a>| case.file(f).at(e.span);
    each_node(u.body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Define(l, r) | StmtKind::Assign("=", l, r) = &s.kind
            && r.iter().any(|e| taken.is_taken(&text, Node::Expr(e)))
        {
            let named = |e: &&Expr<'a>| e.ident().is_some_and(|name| name.to_lowercase().contains("err"));
            out.extend(l.last().filter(named).and_then(|e| f.scope.var(e)));
        }
    });
    out
}

/// Returns that tell of a failure: an error that is made there, or one that the `if` around it has seen; in
/// a function that gives no error, any that stands in an `if` or a select.
fn failing<'a>(f: &'a Function<'a>, unit: usize) -> Vec<Span> {
    let mut out = Vec::new();
    let Some(u) = f.scope.units.get(unit) else { return out };
    let gives_error = u.sig.results.last().is_some_and(|r| r.ty.is("", "error"));
    let is_made = |e: &Expr<'a>| match &e.kind {
        ExprKind::Call(call) => {
            let name = last_name(&call.fun).to_lowercase();
            let of_errors = call.fun.selector().is_some_and(|(x, _)| x.ident() == Some("errors"));
            of_errors || name.contains("err") || name == "wrap" || name == "wrapf"
        }
        ExprKind::Ident(name) => name.starts_with("Err") || name.starts_with("err") && name.len() > 3,
        ExprKind::Selector(_, name) => name.name.starts_with("Err"),
        _ => false,
    };
    let mut look = |list: &'a [Stmt<'a>], seen: Option<&'a Expr<'a>>| {
        for s in list {
            let StmtKind::Return(values) = &s.kind else { continue };
            let fails = match values.last() {
                None => !gives_error && u.sig.results.is_empty(),
                Some(v) if gives_error => {
                    let told = seen.is_some_and(|cond| {
                        matches!(&cond.kind, ExprKind::Binary("!=", o)
                            if matches!(o.as_slice(), [x, nil] if nil.is_nil() && x.ident().is_some() && x.ident() == v.ident()))
                    });
                    told || is_made(v)
                }
                Some(_) => false,
            };
            if fails {
                out.push(s.span);
            }
        }
    };
    each_node(u.body, |node| {
        if let Node::Stmt(s) = node {
            match &s.kind {
                StmtKind::If(i) => look(&i.then.stmts, Some(&i.cond)),
                StmtKind::Select(cases) => cases.iter().for_each(|c| look(&c.body, None)),
                // `switch { case err != nil: return err }`.
                StmtKind::Switch(sw) if sw.tag.is_none() => {
                    sw.cases.iter().for_each(|c| look(&c.body, c.exprs.first()));
                }
                _ => {}
            }
        }
    });
    out
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Free,
    /// Where, and whether the error of the taking still tells whether it was taken.
    Taken(Span, bool),
    Given,
    /// A defer gives it back, or a literal that somebody runs may.
    Else,
}

struct Follow<'w, 'a> {
    case: &'w Case<'a>,
    f: &'a Function<'a>,
    taken: &'w Taken<'a>,
    errors: Vec<VarId>,
    failing: Vec<Span>,
    /// Where it was taken, and where a path ends that keeps it.
    kept: Vec<(Span, Span)>,
    /// Whether a path keeps it that does not fail.
    meant: bool,
    /// Whether a path gives it back.
    given: bool,
    /// Whether one that fails does.
    taken_back: bool,
}

impl<'a> Follow<'_, 'a> {
    fn gives_within(&self, e: &Expr<'a>) -> bool {
        let text = |e: &Expr<'a>| self.case.file(self.f).at(e.span);
        let mut gives = false;
        visit::expr(e, &mut |node| {
            if let Node::Expr(x) = node {
                gives |= self.taken.is_given(&text, x);
            }
            !gives
        });
        gives
    }
}

impl<'a> Along<'a> for Follow<'_, 'a> {
    type State = State;

    fn pass(&mut self, node: Node<'a, 'a>, state: &mut State) {
        let text = |e: &Expr<'a>| self.case.file(self.f).at(e.span);
        match node {
            Node::Stmt(s) => match &s.kind {
                StmtKind::Defer(e) if self.gives_within(e) => {
                    // Behind the paths that have left before it was deferred.
                    self.given |= matches!(*state, State::Taken(..));
                    *state = State::Else;
                }
                StmtKind::Go(e) if self.gives_within(e) => *state = State::Else,
                // The error's name is given to another.
                StmtKind::Define(l, _) | StmtKind::Assign(_, l, _)
                    if matches!(*state, State::Taken(at, true) if !s.span.contains(at))
                        && l.iter().any(|t| self.f.scope.var(t).is_some_and(|v| self.errors.contains(&v))) =>
                {
                    if let State::Taken(_, tells) = state {
                        *tells = false;
                    }
                }
                _ if *state != State::Else && self.taken.is_taken(&text, node) => *state = State::Taken(s.span, true),
                _ => {}
            },
            Node::Expr(e) => {
                if *state == State::Else {
                    return;
                }
                if matches!(e.kind, ExprKind::FuncLit(_)) {
                    if self.gives_within(e) {
                        *state = State::Else;
                    }
                } else if self.taken.is_given(&text, e) {
                    // What is given back before it was taken is another's, or of the round before.
                    self.given |= matches!(*state, State::Taken(..));
                    *state = State::Given;
                } else if self.taken.is_taken(&text, node) {
                    *state = State::Taken(e.span, true);
                }
            }
        }
    }

    fn branch(&mut self, cond: &'a Expr<'a>, holds: bool, state: &mut State) -> bool {
        // It says that it was not taken.
        if let (State::Taken(..), Some(call)) = (*state, cond.unary("!"))
            && holds
            && self.taken.is_taken(&|e: &Expr<'a>| self.case.file(self.f).at(e.span), Node::Expr(call))
        {
            *state = State::Free;
        }
        // There was an error: nothing was taken.
        if let (State::Taken(_, true), ExprKind::Binary(op @ ("==" | "!="), operands)) = (*state, &cond.kind)
            && let [x, y] = operands.as_slice()
            && y.is_nil()
            && self.f.scope.var(x).is_some_and(|v| self.errors.contains(&v))
            && (*op == "!=") == holds
        {
            *state = State::Free;
        }
        true
    }

    fn end(&mut self, exit: Exit<'a>, state: &State) {
        let State::Taken(at, _) = *state else {
            self.taken_back |=
                *state == State::Given && matches!(exit, Exit::Return(s) if self.failing.contains(&s.span));
            return;
        };
        match exit {
            Exit::Return(s) if self.failing.contains(&s.span) => self.kept.push((at, s.span)),
            Exit::Panic(_) => {}
            _ => self.meant = true,
        }
    }

    fn is_final(&self, call: &'a Expr<'a>) -> bool {
        final_call(self.case.pkg, self.f, call)
    }
}
