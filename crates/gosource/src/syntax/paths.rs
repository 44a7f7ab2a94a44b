//! Walks along the paths of a function: what holds at each return, at the end, and where it panics.
//!
//! A state is what a rule wants to know (a lock is held, a body is open); all states that can reach a
//! statement are carried at once, with the conditions under which they did, so that `if locked { Lock() } ...
//! if locked { Unlock() }` is one path and not four. Bounds end a walk that would grow: then nothing is said.

use std::hash::{Hash, Hasher as _};

use rustc_hash::{FxHashMap, FxHasher};

use super::ast::{Block, Expr, ExprKind, ForHead, Span, Stmt, StmtKind};
use super::package::ParsedFile;
use super::visit::{self, Node};

/// States at one statement.
const MAX_STATES: usize = 192;
/// Statements that a walk may come by, repetitions counted.
const MAX_STEPS: u32 = 40_000;
/// Conditions that a path remembers.
const MAX_CONDITIONS: usize = 8;
/// Rounds of a loop; states that a fourth round adds are not waited for.
const MAX_ROUNDS: u32 = 4;

/// How a path ends.
#[derive(Clone, Copy, Debug)]
pub enum Exit<'a> {
    /// `return`.
    Return(&'a Stmt<'a>),
    /// The closing brace.
    End(Span),
    /// A call that does not come back: `panic`, `os.Exit`, `log.Fatal`.
    Panic(&'a Expr<'a>),
}

impl Exit<'_> {
    /// Where.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Return(s) => s.span,
            Self::End(span) => *span,
            Self::Panic(e) => e.span,
        }
    }
}

/// What a rule does along a path.
pub trait Along<'a> {
    /// What it remembers.
    type State: Clone + Eq + Hash;

    /// Comes by a statement or an expression in the order of evaluation; literals of functions are given and
    /// not entered.
    fn pass(&mut self, node: Node<'a, 'a>, state: &mut Self::State);

    /// Goes into a branch; false if the state cannot.
    fn branch(&mut self, _cond: &'a Expr<'a>, _holds: bool, _state: &mut Self::State) -> bool {
        true
    }

    /// Comes to an end.
    fn end(&mut self, exit: Exit<'a>, state: &Self::State);

    /// Whether a range over this has no end of its own: the ticks of a clock.
    fn is_endless(&self, _over: &'a Expr<'a>) -> bool {
        false
    }

    /// Whether a call never comes back.
    fn is_final(&self, call: &'a Expr<'a>) -> bool;
}

/// Walks all paths of a body. False if it was too much, or has a `goto`: what was seen is then not to be
/// used.
pub fn walk<'a, A: Along<'a>>(file: &'a ParsedFile<'a>, body: &'a Block<'a>, start: A::State, along: &mut A) -> bool {
    let asked = asked_twice(file, body);
    let mut w = Walker { file, along, asked, steps: 0, failed: false, frames: Vec::new(), label: None };
    let states = vec![Path { state: start, conditions: Vec::new() }];
    let end = w.stmts(&body.stmts, states);
    let brace = Span { start: body.span.end.saturating_sub(1), end: body.span.end, ..body.span };
    let brace = at_line(file, brace);
    for p in &end {
        w.along.end(Exit::End(brace), &p.state);
    }
    !w.failed
}

/// Line and column of a stretch whose bytes are known.
fn at_line(file: &ParsedFile<'_>, span: Span) -> Span {
    let before = file.text.get(..span.start as usize).unwrap_or_default();
    let n = |x: usize| u32::try_from(x).unwrap_or(u32::MAX);
    let line = n(memchr::memchr_iter(b'\n', before.as_bytes()).count()) + 1;
    let column = n(before.len() - before.rfind('\n').map_or(0, |i| i + 1)) + 1;
    Span { line, column, ..span }
}

#[derive(Clone, PartialEq, Eq)]
struct Path<'a, S> {
    state: S,
    /// Conditions that were decided, and how: their number, and their text, for the names in it.
    conditions: Vec<(u64, &'a str, bool)>,
}

struct Frame<'a, S> {
    label: Option<&'a str>,
    is_loop: bool,
    breaks: Vec<Path<'a, S>>,
    continues: Vec<Path<'a, S>>,
}

struct Walker<'w, 'a, A: Along<'a>> {
    file: &'a ParsedFile<'a>,
    along: &'w mut A,
    /// Conditions that are asked more than once: only those are remembered.
    asked: FxHashMap<u64, u32>,
    steps: u32,
    failed: bool,
    frames: Vec<Frame<'a, A::State>>,
    /// The label of the statement that comes next.
    label: Option<&'a str>,
}

type Paths<'a, S> = Vec<Path<'a, S>>;

impl<'a, A: Along<'a>> Walker<'_, 'a, A> {
    fn join(&mut self, into: &mut Paths<'a, A::State>, more: Paths<'a, A::State>) {
        for p in more {
            if !into.contains(&p) {
                // The same state under other conditions: too many of those are one without conditions.
                if into.len() >= MAX_STATES {
                    self.failed = true;
                    return;
                }
                into.push(p);
            }
        }
        if into.len() > MAX_STATES / 2 {
            let mut few: Paths<'a, A::State> = Vec::new();
            for p in into.drain(..) {
                if !few.iter().any(|q| q.state == p.state) {
                    few.push(Path { state: p.state, conditions: Vec::new() });
                }
            }
            *into = few;
        }
    }

    fn stmts(&mut self, list: &'a [Stmt<'a>], mut paths: Paths<'a, A::State>) -> Paths<'a, A::State> {
        for s in list {
            if paths.is_empty() || self.failed {
                return Vec::new();
            }
            paths = self.stmt(s, paths);
        }
        paths
    }

    /// Expressions of a statement, in their order; ends paths at calls that do not come back.
    fn exprs(&mut self, e: &'a Expr<'a>, paths: &mut Paths<'a, A::State>) {
        let mut ended: Option<&'a Expr<'a>> = None;
        let along = &mut *self.along;
        visit::expr(e, &mut |node| {
            for p in paths.iter_mut() {
                along.pass(node, &mut p.state);
            }
            if let Node::Expr(x) = node {
                if matches!(x.kind, ExprKind::Call(_)) && along.is_final(x) {
                    ended.get_or_insert(x);
                }
                return !matches!(x.kind, ExprKind::FuncLit(_));
            }
            true
        });
        if let Some(call) = ended {
            for p in paths.drain(..) {
                self.along.end(Exit::Panic(call), &p.state);
            }
        }
    }

    fn pass_stmt(&mut self, s: &'a Stmt<'a>, paths: &mut Paths<'a, A::State>) {
        for p in paths.iter_mut() {
            self.along.pass(Node::Stmt(s), &mut p.state);
        }
    }

    fn forget(paths: &mut Paths<'a, A::State>, targets: &'a [Expr<'a>]) {
        for t in targets {
            // `s.n++` changes conditions on `n`, not on all of `s`.
            let name = match &t.kind {
                ExprKind::Selector(_, name) => Some(name.name),
                _ => t.root().and_then(Expr::ident),
            };
            let Some(name) = name else { continue };
            for p in paths.iter_mut() {
                p.conditions.retain(|(_, text, _)| !has_word(text, name));
            }
        }
    }

    /// `locked = true`: what a condition on the name will find.
    fn told(&self, paths: &mut Paths<'a, A::State>, target: &'a Expr<'a>, value: &Expr<'a>) {
        let (Some(name), Some(known @ ("true" | "false"))) = (target.ident(), value.ident()) else { return };
        let number = number(&[name]);
        if self.asked.contains_key(&number) {
            for p in paths.iter_mut().filter(|p| p.conditions.len() < MAX_CONDITIONS) {
                p.conditions.push((number, name, known == "true"));
                p.conditions.sort_unstable();
            }
        }
    }

    fn stmt(&mut self, s: &'a Stmt<'a>, mut paths: Paths<'a, A::State>) -> Paths<'a, A::State> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            self.failed = true;
            return Vec::new();
        }
        let label = self.label.take();
        match &s.kind {
            StmtKind::Expr(e) => {
                self.pass_stmt(s, &mut paths);
                self.exprs(e, &mut paths);
            }
            StmtKind::Go(e) | StmtKind::Defer(e) => {
                self.pass_stmt(s, &mut paths);
                // Arguments are evaluated now, the call is not made now.
                if let Some(call) = e.call() {
                    for a in &call.args {
                        self.exprs(a, &mut paths);
                    }
                }
            }
            StmtKind::IncDec(e, _) => {
                self.pass_stmt(s, &mut paths);
                self.exprs(e, &mut paths);
                Self::forget(&mut paths, std::slice::from_ref(e));
            }
            StmtKind::Send(c, v) => {
                self.pass_stmt(s, &mut paths);
                self.exprs(c, &mut paths);
                self.exprs(v, &mut paths);
            }
            StmtKind::Assign(_, l, r) | StmtKind::Define(l, r) => {
                for e in r.iter().chain(l) {
                    self.exprs(e, &mut paths);
                }
                self.pass_stmt(s, &mut paths);
                Self::forget(&mut paths, l);
                if l.len() == r.len() {
                    l.iter().zip(r).for_each(|(target, value)| self.told(&mut paths, target, value));
                }
            }
            StmtKind::Var(specs) => {
                for e in specs.iter().flat_map(|s| &s.values) {
                    self.exprs(e, &mut paths);
                }
                self.pass_stmt(s, &mut paths);
            }
            StmtKind::Return(list) => {
                for e in list {
                    self.exprs(e, &mut paths);
                }
                self.pass_stmt(s, &mut paths);
                for p in paths.drain(..) {
                    self.along.end(Exit::Return(s), &p.state);
                }
            }
            StmtKind::Break(to) => {
                let frame = self.frames.iter_mut().rev().find(|f| to.is_none() || f.label == *to);
                match frame {
                    Some(f) => f.breaks.append(&mut paths),
                    None => self.failed = true,
                }
                return Vec::new();
            }
            StmtKind::Continue(to) => {
                let frame = self.frames.iter_mut().rev().find(|f| f.is_loop && (to.is_none() || f.label == *to));
                match frame {
                    Some(f) => f.continues.append(&mut paths),
                    None => self.failed = true,
                }
                return Vec::new();
            }
            StmtKind::Goto(_) => {
                self.failed = true;
                return Vec::new();
            }
            StmtKind::Block(b) => return self.stmts(&b.stmts, paths),
            StmtKind::If(i) => {
                if let Some(init) = &i.init {
                    paths = self.stmt(init, paths);
                }
                self.exprs(&i.cond, &mut paths);
                let no = self.branch(&i.cond, false, paths.clone());
                let yes = self.branch(&i.cond, true, paths);
                let mut out = self.stmts(&i.then.stmts, yes);
                let no = match &i.els {
                    Some(els) => self.stmt(els, no),
                    None => no,
                };
                self.join(&mut out, no);
                return out;
            }
            StmtKind::Switch(sw) => {
                if let Some(init) = &sw.init {
                    paths = self.stmt(init, paths);
                }
                if let Some(tag) = &sw.tag {
                    self.exprs(tag, &mut paths);
                }
                let bodies = sw.cases.iter().map(|c| (c.exprs.as_slice(), c.is_default, c.body.as_slice())).collect();
                return self.cases(label, bodies, sw.tag.is_none(), paths);
            }
            StmtKind::TypeSwitch(sw) => {
                if let Some(init) = &sw.init {
                    paths = self.stmt(init, paths);
                }
                self.exprs(&sw.value, &mut paths);
                let none: &'a [Expr<'a>] = &[];
                let bodies = sw.cases.iter().map(|(types, body)| (none, types.is_empty(), body.as_slice())).collect();
                return self.cases(label, bodies, false, paths);
            }
            StmtKind::Select(cases) => {
                self.pass_stmt(s, &mut paths);
                self.frames.push(Frame { label, is_loop: false, breaks: Vec::new(), continues: Vec::new() });
                let mut out = Vec::new();
                for case in cases {
                    let mut inside = paths.clone();
                    if let Some(comm) = &case.comm {
                        inside = self.stmt(comm, inside);
                    }
                    let inside = self.stmts(&case.body, inside);
                    self.join(&mut out, inside);
                }
                if let Some(frame) = self.frames.pop() {
                    self.join(&mut out, frame.breaks);
                }
                return out;
            }
            StmtKind::For(l) => return self.for_(label, &l.head, &l.body, paths),
            StmtKind::Labeled(label, inner) => {
                self.label = Some(label);
                return self.stmt(inner, paths);
            }
            StmtKind::Decl(_) | StmtKind::Fallthrough | StmtKind::Empty | StmtKind::Bad => {}
        }
        paths
    }

    fn cases(
        &mut self,
        label: Option<&'a str>,
        bodies: Vec<(&'a [Expr<'a>], bool, &'a [Stmt<'a>])>,
        conditions: bool,
        paths: Paths<'a, A::State>,
    ) -> Paths<'a, A::State> {
        self.frames.push(Frame { label, is_loop: false, breaks: Vec::new(), continues: Vec::new() });
        let mut rest = paths;
        let mut out = Vec::new();
        let mut through = Vec::new();
        let mut default = None;
        for (exprs, is_default, body) in bodies {
            if is_default {
                default = Some(body);
                continue;
            }
            let mut inside = rest.clone();
            if conditions && let [one] = exprs {
                self.exprs(one, &mut inside);
                rest = self.branch(one, false, rest);
                inside = self.branch(one, true, inside);
            } else if conditions && !exprs.is_empty() {
                // `case errors.Is(err, a), errors.Is(err, b):`: the first that holds leads in.
                let mut left = std::mem::take(&mut rest);
                inside = Vec::new();
                for one in exprs {
                    self.exprs(one, &mut left);
                    let yes = self.branch(one, true, left.clone());
                    self.join(&mut inside, yes);
                    left = self.branch(one, false, left);
                }
                rest = left;
            } else {
                for e in exprs {
                    self.exprs(e, &mut inside);
                }
            }
            self.join(&mut inside, std::mem::take(&mut through));
            let falls = body.last().is_some_and(|s| matches!(s.kind, StmtKind::Fallthrough));
            let inside = self.stmts(body, inside);
            if falls { through = inside } else { self.join(&mut out, inside) }
        }
        self.join(&mut rest, through);
        let rest = match default {
            Some(body) => self.stmts(body, rest),
            None => rest,
        };
        self.join(&mut out, rest);
        if let Some(frame) = self.frames.pop() {
            self.join(&mut out, frame.breaks);
        }
        out
    }

    fn for_(
        &mut self,
        label: Option<&'a str>,
        head: &'a ForHead<'a>,
        body: &'a Block<'a>,
        mut paths: Paths<'a, A::State>,
    ) -> Paths<'a, A::State> {
        let (cond, post) = match head {
            ForHead::Ever => (None, None),
            ForHead::While(cond) => (Some(cond), None),
            ForHead::Clause { init, cond, post } => {
                if let Some(init) = init {
                    paths = self.stmt(init, paths);
                }
                (cond.as_ref(), post.as_ref())
            }
            ForHead::Range { over, .. } => {
                self.exprs(over, &mut paths);
                (None, None)
            }
        };
        let range = match head {
            ForHead::Range { over, vars, .. } if !self.along.is_endless(over) => Some(vars.as_slice()),
            _ => None,
        };
        let mut out = Vec::new();
        let mut before: Paths<'a, A::State> = Vec::new();
        self.join(&mut before, paths);
        for _ in 0..MAX_ROUNDS {
            let mut inside = before.clone();
            if let Some(cond) = cond {
                self.exprs(cond, &mut inside);
                let done = self.branch(cond, false, inside.clone());
                self.join(&mut out, done);
                inside = self.branch(cond, true, inside);
            } else if let Some(vars) = range {
                self.join(&mut out, inside.clone());
                Self::forget(&mut inside, vars);
            }
            self.frames.push(Frame { label, is_loop: true, breaks: Vec::new(), continues: Vec::new() });
            let mut after = self.stmts(&body.stmts, inside);
            if let Some(frame) = self.frames.pop() {
                self.join(&mut after, frame.continues);
                self.join(&mut out, frame.breaks);
            }
            if let Some(post) = post {
                after = self.stmt(post, after);
            }
            let known = before.len();
            self.join(&mut before, after);
            if before.len() == known || self.failed {
                break;
            }
        }
        if range.is_some() || cond.is_some() {
            // What the last round left comes out as well.
            let last = before.clone();
            let last = match cond {
                Some(cond) => self.branch(cond, false, last),
                None => last,
            };
            self.join(&mut out, last);
        }
        out
    }

    fn branch(&mut self, cond: &'a Expr<'a>, holds: bool, paths: Paths<'a, A::State>) -> Paths<'a, A::State> {
        let mut out = Vec::with_capacity(paths.len());
        for mut p in paths {
            if self.take(cond, holds, &mut p) {
                out.push(p);
            }
        }
        out
    }

    /// Whether a path can go where the condition holds, or does not.
    fn take(&mut self, cond: &'a Expr<'a>, holds: bool, p: &mut Path<'a, A::State>) -> bool {
        match &cond.kind {
            ExprKind::Unary("!", x) => return self.take(x, !holds, p),
            ExprKind::Binary("&&", operands) if holds => return operands.iter().all(|o| self.take(o, true, p)),
            ExprKind::Binary("||", operands) if !holds => return operands.iter().all(|o| self.take(o, false, p)),
            // All of it is known to hold, and so it cannot be that it does not.
            ExprKind::Binary("&&", operands) if operands.iter().all(|o| self.known(o, p) == Some(true)) => {
                return false;
            }
            ExprKind::Binary("||", operands) if operands.iter().all(|o| self.known(o, p) == Some(false)) => {
                return false;
            }
            ExprKind::Ident("true") => return holds,
            ExprKind::Ident("false") => return !holds,
            _ => {}
        }
        if !self.along.branch(cond, holds, &mut p.state) {
            return false;
        }
        let Some((number, same)) = plain(self.file, cond) else { return true };
        let value = holds == same;
        if let Some((_, _, known)) = p.conditions.iter().find(|(n, ..)| *n == number) {
            return *known == value;
        }
        if p.conditions.len() < MAX_CONDITIONS && self.asked.get(&number).is_some_and(|n| *n > 1) {
            p.conditions.push((number, self.file.at(cond.span), value));
            p.conditions.sort_unstable();
        }
        true
    }

    /// What a path knows of a condition.
    fn known(&self, cond: &Expr<'a>, p: &Path<'a, A::State>) -> Option<bool> {
        if let ExprKind::Unary("!", x) = &cond.kind {
            return self.known(x, p).map(|k| !k);
        }
        let (number, same) = plain(self.file, cond)?;
        p.conditions.iter().find(|(n, ..)| *n == number).map(|(_, _, known)| *known == same)
    }
}

/// The number of a condition without calls and receives, and whether it is meant or its contrary: `x != y` is
/// the contrary of `x == y`.
fn plain(file: &ParsedFile<'_>, cond: &Expr<'_>) -> Option<(u64, bool)> {
    if !simple(cond) {
        return None;
    }
    Some(match &cond.kind {
        ExprKind::Binary(op @ ("==" | "!="), operands) => {
            let texts: Vec<&str> = operands.iter().map(|o| file.at(o.span)).collect();
            (number(&texts), *op == "==")
        }
        _ => (number(&[file.at(cond.span)]), true),
    })
}

fn number(texts: &[&str]) -> u64 {
    let mut hasher = FxHasher::default();
    texts.hash(&mut hasher);
    hasher.finish()
}

/// Conditions of a body, by how often they are asked; a name that is assigned `true` or `false` needs to be
/// asked once only.
fn asked_twice(file: &ParsedFile<'_>, body: &Block<'_>) -> FxHashMap<u64, u32> {
    let mut out = FxHashMap::default();
    visit::block(body, &mut |node| {
        let cond = match node {
            Node::Stmt(s) => match &s.kind {
                StmtKind::If(i) => Some(&i.cond),
                StmtKind::For(l) => match &l.head {
                    ForHead::While(cond) | ForHead::Clause { cond: Some(cond), .. } => Some(cond),
                    _ => None,
                },
                _ => None,
            },
            Node::Expr(e) => return !matches!(e.kind, ExprKind::FuncLit(_)),
        };
        let mut parts: Vec<&Expr<'_>> = cond.into_iter().collect();
        while let Some(part) = parts.pop() {
            match &part.kind {
                ExprKind::Unary("!", x) => parts.push(x),
                ExprKind::Binary("&&" | "||", operands) => parts.extend(operands),
                _ => {
                    if let Some((number, _)) = plain(file, part) {
                        *out.entry(number).or_default() += 1;
                    }
                }
            }
        }
        true
    });
    out
}

fn simple(e: &Expr<'_>) -> bool {
    let mut simple = true;
    visit::expr(e, &mut |node| {
        if let Node::Expr(e) = node {
            simple &= match &e.kind {
                ExprKind::Call(call) => matches!(call.fun.ident(), Some("len" | "cap")),
                ExprKind::Unary("<-", _) | ExprKind::FuncLit(_) | ExprKind::Bad => false,
                _ => true,
            };
        }
        simple
    });
    simple
}

/// Whether a name is a word of a text.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
