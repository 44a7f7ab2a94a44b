//! Things that must be closed: opened, closed, or handed on, along every path.

use rustc_hash::FxHashSet;

use crate::meaning::case::Case;
use crate::syntax::ast::{Expr, ExprKind, Span, Stmt, StmtKind};
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Init, VarId};

/// A kind of thing.
pub(crate) struct Kind {
    /// The field that is closed, where it is not the thing itself: a response's `Body`.
    pub(crate) field: Option<&'static str>,
    /// The method by which a loop over it ends it: rows that `Next` says are at their end are closed.
    pub(crate) ended_by: Option<&'static str>,
    /// The method that tells why it has ended: rows of which `Err` gives an error are closed.
    pub(crate) failed_by: Option<&'static str>,
    /// Whether a call opens one, as its first result.
    pub(crate) opens: for<'a> fn(&Case<'a>, &Function<'a>, &Expr<'a>) -> bool,
}

/// Something that is not closed on a path.
pub(crate) struct Leak<'a> {
    /// The call that opened it.
    pub(crate) open: &'a Expr<'a>,
    /// Its name; none if it was thrown away.
    pub(crate) name: Option<&'a str>,
    /// Where paths end on which it is open.
    pub(crate) exits: Vec<Span>,
    /// Whether it is closed on another path.
    pub(crate) closed_elsewhere: bool,
}

/// Functions that read from what they are given and keep nothing.
fn only_reads(callee: Callee<'_>) -> bool {
    matches!(
        callee,
        Callee::Package(
            "io" | "io/ioutil",
            "ReadAll"
                | "Copy"
                | "CopyN"
                | "CopyBuffer"
                | "ReadFull"
                | "ReadAtLeast"
                | "LimitReader"
                | "TeeReader"
                | "WriteString"
        ) | Callee::Package("encoding/json" | "encoding/xml" | "encoding/gob", "NewDecoder" | "NewEncoder")
            | Callee::Package("encoding/csv" | "archive/tar" | "compress/bzip2" | "compress/flate", "NewReader" | "NewWriter")
            // What unpacks closes itself alone, and not what it reads from.
            | Callee::Package("compress/gzip" | "compress/zlib", "NewReader" | "NewWriter" | "NewWriterLevel")
            | Callee::Package("bufio", "NewReader" | "NewScanner" | "NewReaderSize" | "NewWriter" | "NewWriterSize")
            | Callee::Package("fmt", "Fprintf" | "Fprintln" | "Fprint" | "Fscanf" | "Fscan" | "Fscanln")
            | Callee::Package("log", _)
    )
}

/// What of this kind is left open in a function.
pub(crate) fn leaks<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, kind: &Kind) -> Vec<Leak<'a>> {
    let mut out = Vec::new();
    // Most functions open nothing.
    if !case.sites(id).iter().any(|s| (kind.opens)(case, f, s.expr)) {
        return out;
    }
    for u in &f.scope.units {
        let mut opened = Vec::new();
        super::loops::each_node(u.body, |node| {
            if let Node::Stmt(s) = node {
                let (l, r) = match &s.kind {
                    StmtKind::Define(l, r) | StmtKind::Assign("=", l, r) => (l.as_slice(), r.as_slice()),
                    // `if err := ...` has the same shapes; `http.Get(url)` alone throws all away.
                    StmtKind::Expr(e) if (kind.opens)(case, f, e) => {
                        out.push(Leak { open: e, name: None, exits: Vec::new(), closed_elsewhere: false });
                        return;
                    }
                    _ => return,
                };
                if let [call] = r
                    && (kind.opens)(case, f, call)
                {
                    opened.push((s, l, call));
                }
            }
        });
        for (s, l, call) in opened {
            let Some(first) = l.first() else { continue };
            if first.ident() == Some("_") {
                out.push(Leak { open: call, name: None, exits: Vec::new(), closed_elsewhere: false });
                continue;
            }
            // Into a field or an element: whoever has that closes it.
            let Some(var) = f.scope.var(first) else { continue };
            if f.scope.vars.get(var).is_none_or(|v| v.unit != f.scope.unit_at(s.span) || v.address_taken) {
                continue;
            }
            // The error is the last of the results.
            let error = l.last().filter(|_| l.len() > 1).and_then(|e| f.scope.var(e));
            let uses = Uses::of(case, f, var, kind);
            if f.scope.vars.get(var).is_some_and(|v| v.kind == crate::syntax::VarKind::Result) {
                continue;
            }
            if is_closed_by_earlier_defer(&u.body.stmts, s.span, &uses) {
                continue;
            }
            let closes = !uses.closes.is_empty() || !uses.away.is_empty();
            let mut follow = Follow { case, f, open: s, var, error, uses, kind, exits: Vec::new() };
            if walk(case.file(f), u.body, State::Before, &mut follow) && !follow.exits.is_empty() {
                let mut exits = follow.exits;
                exits.sort_unstable();
                exits.dedup();
                out.push(Leak { open: call, name: first.ident(), exits, closed_elsewhere: closes });
            }
        }
    }
    out
}

/// Whether a deferred literal that stands before closes the variable: `defer func() { if fd != nil {
/// fd.Close() } }()`, and `fd` is given its value later.
fn is_closed_by_earlier_defer<'a>(stmts: &'a [Stmt<'a>], opened: Span, uses: &Uses) -> bool {
    stmts.iter().take_while(|s| s.span.start < opened.start).any(|s| {
        let StmtKind::Defer(e) = &s.kind else { return false };
        let literal = e.call().is_some_and(|c| matches!(c.fun.kind, ExprKind::FuncLit(_)));
        literal && uses.closes.iter().any(|at| (e.span.start..e.span.end).contains(at))
    })
}

/// Uses of the variable that close it or hand it on, by where its name stands.
struct Uses {
    closes: FxHashSet<u32>,
    away: FxHashSet<u32>,
}

impl Uses {
    fn of<'a>(case: &Case<'a>, f: &Function<'a>, var: VarId, kind: &Kind) -> Self {
        let mut out = Self { closes: FxHashSet::default(), away: FxHashSet::default() };
        let mut harmless: FxHashSet<u32> = FxHashSet::default();
        let is_var = |e: &Expr<'a>| f.scope.var(e) == Some(var);
        // The thing that is closed: the variable, or a field of it.
        let target = |e: &Expr<'a>| -> Option<u32> {
            match kind.field {
                None => is_var(e).then_some(e.span.start),
                Some(field) => e.selector().filter(|(x, n)| *n == field && is_var(x)).map(|(x, _)| x.span.start),
            }
        };
        let Some(body) = &f.decl.body else { return out };
        visit::block(body, &mut |node| {
            let Node::Expr(e) = node else { return true };
            match &e.kind {
                ExprKind::Call(call) => {
                    if let Some((x, name)) = call.fun.selector() {
                        if let Some(at) = target(x) {
                            if name == "Close" {
                                out.closes.insert(at)
                            } else {
                                harmless.insert(at)
                            };
                        } else if is_var(x) {
                            harmless.insert(x.span.start);
                        }
                    }
                    if only_reads(case.pkg.callee(f, &call.fun)) {
                        harmless.extend(call.args.iter().filter_map(&target));
                    }
                }
                // `f.Close` as a value hands the closing on.
                ExprKind::Selector(x, name)
                    if is_var(x) && kind.field.map_or(name.name != "Close", |field| field != name.name) =>
                {
                    harmless.insert(x.span.start);
                }
                ExprKind::Binary("==" | "!=", operands) => {
                    for o in operands {
                        harmless.extend(is_var(o).then_some(o.span.start).into_iter().chain(target(o)));
                    }
                }
                ExprKind::Ident(_)
                    if is_var(e) && !harmless.contains(&e.span.start) && !out.closes.contains(&e.span.start) =>
                {
                    out.away.insert(e.span.start);
                }
                _ => {}
            }
            true
        });
        // Being given a value is no use of it.
        for (_, span) in f.scope.vars.get(var).map(|v| v.assigned.as_slice()).unwrap_or_default() {
            out.away.remove(&span.start);
        }
        if let Some(v) = f.scope.vars.get(var) {
            out.away.remove(&v.span.start);
        }
        out
    }

    fn ends(&self, e: &Expr<'_>) -> bool {
        self.closes.contains(&e.span.start) || self.away.contains(&e.span.start)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Before,
    /// Open, and whether the error variable still tells.
    Open(bool),
    Done,
}

struct Follow<'w, 'a> {
    case: &'w Case<'a>,
    f: &'a Function<'a>,
    open: &'a Stmt<'a>,
    var: VarId,
    error: Option<VarId>,
    uses: Uses,
    kind: &'w Kind,
    exits: Vec<Span>,
}

impl<'a> Follow<'_, 'a> {
    /// Whether an error is what the thing says of itself once it has ended: `err := rows.Err()`.
    fn has_failed(&self, error: &Expr<'a>, at: Span) -> bool {
        let Some(method) = self.kind.failed_by else { return false };
        let asks = |e: &Expr<'a>| {
            e.method_call().is_some_and(|(x, name, _)| name == method && self.f.scope.var(x) == Some(self.var))
        };
        let Some(v) = self.f.scope.var(error).and_then(|v| self.f.scope.vars.get(v)) else { return asks(error) };
        // The last that the name was given before.
        let first = if let Init::Value(e, 0) = v.init { Some(e) } else { None };
        let given = v.assigned.iter().filter(|(_, s)| s.start < at.start).max_by_key(|(_, s)| s.start);
        given.map_or(first, |(e, _)| *e).is_some_and(asks)
    }

    fn ends_within(&self, mark: &Expr<'a>) -> bool {
        let mut ends = false;
        visit::expr(mark, &mut |node| {
            if let Node::Expr(x) = node {
                ends |= matches!(x.kind, ExprKind::Ident(_)) && self.uses.ends(x);
            }
            !ends
        });
        ends
    }
}

impl<'a> Along<'a> for Follow<'_, 'a> {
    type State = State;

    fn pass(&mut self, node: Node<'a, 'a>, state: &mut State) {
        match node {
            Node::Stmt(s) => match &s.kind {
                StmtKind::Define(l, _) | StmtKind::Assign(_, l, _) => {
                    if s.span == self.open.span {
                        // A round before has opened one, and its name is given to the next.
                        if matches!(state, State::Open(_)) {
                            self.exits.push(s.span);
                        }
                        *state = State::Open(true);
                    } else if let State::Open(_) = state {
                        let about = |id: Option<VarId>| l.iter().any(|t| id.is_some() && self.f.scope.var(t) == id);
                        if about(Some(self.var)) {
                            // Given another value: what was open is somebody else's loss, and rarely one.
                            *state = State::Done;
                        } else if about(self.error) {
                            *state = State::Open(false);
                        }
                    }
                }
                StmtKind::Defer(e) | StmtKind::Go(e) if matches!(state, State::Open(_)) && self.ends_within(e) => {
                    *state = State::Done;
                }
                _ => {}
            },
            Node::Expr(e) => {
                let ends = match &e.kind {
                    ExprKind::Ident(_) => self.uses.ends(e),
                    ExprKind::FuncLit(_) => self.ends_within(e),
                    _ => false,
                };
                if ends && matches!(state, State::Open(_)) {
                    *state = State::Done;
                }
            }
        }
    }

    fn branch(&mut self, cond: &'a Expr<'a>, holds: bool, state: &mut State) -> bool {
        let State::Open(tells) = *state else { return true };
        let is = |e: &Expr<'a>, id: Option<VarId>| id.is_some() && self.f.scope.var(e) == id;
        match &cond.kind {
            ExprKind::Binary(op @ ("==" | "!="), operands) => {
                if let [x, y] = operands.as_slice() {
                    let nil = y.is_nil();
                    let equal = (*op == "==") == holds;
                    // There is an error: nothing was opened. (`err == io.EOF` is one too.)
                    if tells && is(x, self.error) && (nil && !equal || !nil && equal) {
                        *state = State::Done;
                    }
                    if nil && !equal && self.has_failed(x, cond.span) {
                        *state = State::Done;
                    }
                    if nil
                        && equal
                        && (is(x, Some(self.var)) || x.selector().is_some_and(|(v, _)| is(v, Some(self.var))))
                    {
                        *state = State::Done;
                    }
                }
            }
            // `err != nil || resp == nil` that holds: one of both, and nothing was opened.
            ExprKind::Binary("||", operands) if holds => {
                let none = |e: &Expr<'a>| match &e.kind {
                    ExprKind::Binary(op @ ("==" | "!="), o) => matches!(o.as_slice(), [x, y] if y.is_nil()
                        && (*op == "!=" && tells && is(x, self.error)
                            || *op == "==" && (is(x, Some(self.var)) || x.selector().is_some_and(|(v, _)| is(v, Some(self.var)))))),
                    ExprKind::Call(c) => tells && c.args.iter().any(|a| is(a, self.error)),
                    _ => false,
                };
                if operands.iter().all(none) {
                    *state = State::Done;
                }
            }
            // `resp != nil && resp.Body != nil` that does not hold: there is nothing to close.
            ExprKind::Binary("&&", operands) if !holds => {
                let guards = |e: &Expr<'a>| match &e.kind {
                    ExprKind::Binary("!=", o) => {
                        matches!(o.as_slice(), [x, y] if y.is_nil()
                            && (is(x, Some(self.var)) || x.selector().is_some_and(|(v, _)| is(v, Some(self.var)))))
                    }
                    _ => false,
                };
                // `!isX(err) && !isY(err)` that does not hold: there was an error of that kind.
                let about = |e: &Expr<'a>| {
                    e.unary("!").and_then(Expr::call).is_some_and(|c| c.args.iter().any(|a| is(a, self.error)))
                };
                if operands.iter().all(guards) || tells && operands.iter().all(about) {
                    *state = State::Done;
                }
            }
            // `e, ok := err.(*Error)` that holds: there was an error.
            ExprKind::Ident(_) if holds && tells => {
                let told = self.f.scope.var(cond).and_then(|v| self.f.scope.vars.get(v)).map(|v| v.init);
                if let Some(Init::Value(Expr { kind: ExprKind::Assert(of, _), .. }, 1)) = told
                    && is(of, self.error)
                {
                    *state = State::Done;
                }
            }
            // `errors.Is(err, ...)`, `os.IsNotExist(err)`.
            ExprKind::Call(call) => {
                if holds && tells && call.args.iter().any(|a| is(a, self.error)) {
                    *state = State::Done;
                }
                let ended =
                    call.fun.selector().is_some_and(|(x, n)| is(x, Some(self.var)) && self.kind.ended_by == Some(n));
                if ended && !holds {
                    *state = State::Done;
                }
            }
            _ => {}
        }
        true
    }

    fn end(&mut self, exit: Exit<'a>, state: &State) {
        if matches!(state, State::Open(_)) && !matches!(exit, Exit::Panic(_)) {
            self.exits.push(exit.span());
        }
    }

    fn is_endless(&self, over: &'a Expr<'a>) -> bool {
        super::loops::is_clock(self.case.pkg, self.f, over)
    }

    fn is_final(&self, call: &'a Expr<'a>) -> bool {
        super::loops::final_call(self.case.pkg, self.f, call)
    }
}
