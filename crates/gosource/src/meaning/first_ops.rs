//! What functions do first with locks of each name, for who asks whether a call takes one or lets go of it.

use rustc_hash::FxHashSet;

use super::locks::{Op, lock_call};
use crate::syntax::visit::{self, Node};
use crate::syntax::{FnId, Package};

/// What each function of a package does first with locks of each name.
///
/// Rules ask this of every lock and every call under one. A walk through a function for each question, and
/// for locks that nothing here unlocks through all functions, grows with the square of a package: all are
/// walked once.
#[derive(Debug, Default)]
pub(crate) struct FirstOps<'a> {
    /// By function: the last names of locks, with the first operation on each. They are few.
    of: Vec<Vec<(&'a str, Op)>>,
    /// Names of locks that some function lets go of first.
    pub(crate) let_go: FxHashSet<&'a str>,
    /// Names of locks that some function gives back in a way, for reading or not, in which it never takes
    /// them.
    pub(crate) only_let_go: FxHashSet<(&'a str, bool)>,
}

impl<'a> FirstOps<'a> {
    /// Of a package: one walk.
    pub(crate) fn new(pkg: &Package<'a>) -> Self {
        let mut out = Self::default();
        for g in &pkg.funcs {
            let mut first: Vec<(&'a str, Op)> = Vec::new();
            let mut all: FxHashSet<(&'a str, Op)> = FxHashSet::default();
            if let Some(body) = &g.decl.body {
                visit::block(body, &mut |node| {
                    if let Node::Expr(x) = node
                        && let Some(call) = lock_call(pkg, g, x)
                    {
                        all.insert((call.field, call.op));
                        if !first.iter().any(|(field, _)| *field == call.field) {
                            first.push((call.field, call.op));
                        }
                    }
                    true
                });
            }
            out.let_go.extend(first.iter().filter(|(_, op)| !op.takes()).map(|(field, _)| *field));
            for (gives, takes, reading) in [(Op::RUnlock, Op::RLock, true), (Op::Unlock, Op::Lock, false)] {
                let given = all.iter().filter(|(_, op)| *op == gives).map(|(field, _)| *field);
                out.only_let_go.extend(given.filter(|f| !all.contains(&(*f, takes))).map(|f| (f, reading)));
            }
            out.of.push(first);
        }
        out
    }

    /// The first operation of a function on locks of this name.
    pub(crate) fn of(&self, id: FnId, field: &str) -> Option<Op> {
        self.of.get(id)?.iter().find(|(name, _)| *name == field).map(|(_, op)| *op)
    }
}
