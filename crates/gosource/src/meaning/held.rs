//! Which locks a function holds at each of its statements.

use crate::meaning::case::Case;
use crate::syntax::ast::{Expr, ExprKind, Stmt, StmtKind};
use crate::syntax::paths::{Along, Exit, walk};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Init, VarId, VarKind};

use super::locks::{LockCall, Op, lock_call, op_named};

/// Locks of one unit; more are not followed.
const MAX_LOCKS: usize = 12;

/// Locks that are held, as numbers into the unit's list: bit `2n` for writing, `2n + 1` for reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Held(u32);

impl Held {
    fn bit(lock: usize, reading: bool) -> u32 {
        1 << (2 * lock + usize::from(reading))
    }

    /// Whether a lock is held, and how.
    pub(crate) fn how(self, lock: usize) -> Option<Op> {
        if self.0 & Self::bit(lock, false) != 0 {
            Some(Op::Lock)
        } else {
            (self.0 & Self::bit(lock, true) != 0).then_some(Op::RLock)
        }
    }

    fn with(self, lock: usize, op: Op) -> Self {
        match op {
            Op::Lock => Self(self.0 | Self::bit(lock, false)),
            Op::RLock => Self(self.0 | Self::bit(lock, true)),
            Op::Unlock => Self(self.0 & !Self::bit(lock, false)),
            Op::RUnlock => Self(self.0 & !Self::bit(lock, true)),
        }
    }

    fn without(self, lock: usize) -> Self {
        Self(self.0 & !Self::bit(lock, false) & !Self::bit(lock, true))
    }

    /// Whether none is.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The locks of a unit by the text that names them, with one call on each.
pub(crate) fn locks_of<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize) -> Vec<LockCall<'a>> {
    let mut out: Vec<LockCall<'a>> = Vec::new();
    let Some(u) = f.scope.units.get(unit) else { return out };
    super::loops::each_node(u.body, |node| {
        if let Node::Expr(e) = node
            && let Some(call) = lock_call(case.pkg, f, e)
            && !out.iter().any(|l| l.key == call.key)
        {
            out.push(call);
        }
    });
    out
}

/// Walks a unit; the closure is given each node with what is held before it. Nothing is given if there are
/// too many locks or paths.
pub(crate) fn walk_held<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    unit: usize,
    locks: &[LockCall<'a>],
    mut each: impl FnMut(Node<'a, 'a>, Held),
) {
    let Some(u) = f.scope.units.get(unit) else { return };
    if locks.is_empty() || locks.len() > MAX_LOCKS {
        return;
    }
    let mut seen = Vec::new();
    let mut follow = Follow { case, id, f, locks, seen: &mut seen };
    if walk(case.file(f), u.body, Held::default(), &mut follow) {
        for (node, held) in seen {
            each(node, held);
        }
    }
}

struct Follow<'w, 'a> {
    case: &'w Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    locks: &'w [LockCall<'a>],
    /// Only nodes at which something is held, or that lock.
    seen: &'w mut Vec<(Node<'a, 'a>, Held)>,
}

impl<'a> Along<'a> for Follow<'_, 'a> {
    type State = Held;

    fn pass(&mut self, node: Node<'a, 'a>, state: &mut Held) {
        let interesting = match node {
            Node::Stmt(s) => matches!(s.kind, StmtKind::Send(..) | StmtKind::Select(_) | StmtKind::For(_)),
            Node::Expr(e) => matches!(e.kind, ExprKind::Call(_) | ExprKind::Unary("<-", _)),
        };
        if interesting && !state.is_empty() {
            self.seen.push((node, *state));
        }
        let Node::Expr(e) = node else { return };
        if let Some(call) = lock_call(self.case.pkg, self.f, e) {
            if let Some(n) = self.locks.iter().position(|l| l.key == call.key) {
                *state = state.with(n, call.op);
            }
            return;
        }
        *state = released_by(self.case, self.id, self.f, self.locks, e, *state);
    }

    fn end(&mut self, _: Exit<'a>, _: &Held) {}

    fn is_final(&self, call: &'a Expr<'a>) -> bool {
        super::loops::final_call(self.case.pkg, self.f, call)
    }
}

/// What an expression lets go of without being a call of `Unlock` itself: a literal that unlocks, `mu.Unlock`
/// as a value, a function of this package that unlocks.
fn released_by<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &Function<'a>,
    locks: &[LockCall<'a>],
    e: &'a Expr<'a>,
    held: Held,
) -> Held {
    let mut held = held;
    if held.is_empty() {
        return held;
    }
    match &e.kind {
        ExprKind::Selector(x, name) if op_named(name.name).is_some_and(|op| !op.takes()) => {
            let key = case.file(f).at(x.span);
            if let Some(n) = locks.iter().position(|l| l.key == key) {
                held = held.without(n);
            }
        }
        ExprKind::FuncLit(_) => {
            for (n, l) in locks.iter().enumerate() {
                if unlocks(case, f, e, l.key) {
                    held = held.without(n);
                }
            }
        }
        ExprKind::Call(call) => {
            if let Callee::Variable(var) = case.pkg.callee(f, &call.fun) {
                for (n, l) in locks.iter().enumerate() {
                    if literal_unlocks(case, f, var, l.key) {
                        held = held.without(n);
                    }
                }
            }
            if let Callee::Local(callee) = case.pkg.callee(f, &call.fun)
                && callee != id
            {
                for (n, l) in locks.iter().enumerate() {
                    if lets_go(case, callee, l.field) {
                        held = held.without(n);
                    }
                }
            }
        }
        _ => {}
    }
    held
}

/// Whether a variable is a function literal that unlocks this lock.
pub(crate) fn literal_unlocks<'a>(case: &Case<'a>, f: &Function<'a>, var: VarId, key: &str) -> bool {
    let literal = f.scope.vars.get(var).map(|v| v.init);
    // `sync.OnceFunc(func() { mu.Unlock() })` too.
    matches!(literal, Some(Init::Value(e, 0))
        if (matches!(e.kind, ExprKind::FuncLit(_))
            || e.call().is_some_and(|c| case.pkg.callee(f, &c.fun) == Callee::Package("sync", "OnceFunc")))
            && unlocks(case, f, e, key))
}

/// Whether something in an expression unlocks this lock.
pub(crate) fn unlocks<'a>(case: &Case<'a>, f: &Function<'a>, e: &'a Expr<'a>, key: &str) -> bool {
    let mut found = false;
    visit::expr(e, &mut |node| {
        if let Node::Expr(x) = node
            && let Some((lock, name)) = x.selector()
            && op_named(name).is_some_and(|op| !op.takes())
        {
            found |= case.file(f).at(lock.span) == key;
        }
        !found
    });
    found
}

/// Whether a function of this package unlocks a lock of this name before it takes it, or without.
pub(crate) fn lets_go(case: &Case<'_>, callee: FnId, field: &str) -> bool {
    case.first_ops().of(callee, field).is_some_and(|op| !op.takes())
}

/// Whether any function of this package does.
pub(crate) fn some_lets_go(case: &Case<'_>, field: &str) -> bool {
    case.first_ops().let_go.contains(field)
}

/// Whether a function of this package, or one that it calls, takes a lock of this name.
pub(crate) fn wants(case: &Case<'_>, id: FnId, field: &str) -> bool {
    let called = case.sites(id).iter().filter_map(|s| match s.callee {
        Callee::Local(callee) => Some(callee),
        _ => None,
    });
    called.chain([id]).any(|f| case.first_ops().of(f, field).is_some_and(Op::takes))
}

/// Whether a lock that a unit takes is one of two that it goes by hand over hand: it unlocks another of the
/// same name before it ends, and plainly, that it was given and never takes itself, or whose owner it then
/// makes the owner of this one: `next.mu.Lock(); cur.mu.Unlock(); cur = next`.
pub(crate) fn is_hand_over_hand<'a>(case: &Case<'a>, f: &'a Function<'a>, unit: usize, key: &str) -> bool {
    let Some(u) = f.scope.units.get(unit) else { return false };
    let root = |key: &str| key.split(['.', '[']).next().unwrap_or_default().to_owned();
    let passing = |name: &str| {
        f.scope
            .vars
            .iter()
            .any(|v| v.name == name && matches!(v.kind, VarKind::Param | VarKind::Local | VarKind::Result))
    };
    let of = root(key);
    if !passing(&of) {
        return false;
    }
    // What follows the owner's name: of two plain locks nothing does.
    let rest = |key: &str| key.find(['.', '[']).map_or("", |at| key.get(at..).unwrap_or_default()).to_owned();
    let mut deferred = Vec::new();
    let mut calls: Vec<(LockCall<'a>, crate::syntax::ast::Span)> = Vec::new();
    let mut moved: Vec<(String, String)> = Vec::new();
    super::loops::each_node(u.body, |node| match node {
        Node::Stmt(s) => match &s.kind {
            StmtKind::Defer(_) => deferred.push(s.span),
            StmtKind::Assign("=", l, r) if l.len() == r.len() => {
                for (target, value) in l.iter().zip(r) {
                    if let (Some(to), Some(from)) = (target.ident(), value.ident()) {
                        moved.push((to.to_owned(), from.to_owned()));
                    }
                }
            }
            _ => {}
        },
        Node::Expr(e) => {
            if let Some(call) = lock_call(case.pkg, f, e) {
                calls.push((call, e.span));
            }
        }
    });
    calls.iter().any(|(c, at)| {
        let owner = root(c.key);
        !c.op.takes()
            && c.key != key
            && rest(c.key) == rest(key)
            && passing(&owner)
            && !deferred.iter().any(|d| d.contains(*at))
            && (rest(key).is_empty() && !calls.iter().any(|(o, _)| o.key == c.key && o.op.takes())
                || moved.iter().any(|(to, from)| *to == owner && *from == of))
    })
}

/// Whether a statement defers the unlocking of a lock.
pub(crate) fn defers_unlock<'a>(case: &Case<'a>, f: &Function<'a>, s: &'a Stmt<'a>, key: &str) -> bool {
    match &s.kind {
        StmtKind::Defer(e) => unlocks(case, f, e, key),
        _ => false,
    }
}
