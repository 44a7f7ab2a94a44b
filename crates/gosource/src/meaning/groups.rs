//! WaitGroups: which calls are about which group.

use crate::syntax::ast::Expr;
use crate::syntax::calls::{How, Site};
use crate::syntax::{Function, Package};

/// What is done to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// `Add`.
    Add,
    /// `Done`.
    Done,
    /// `Wait`.
    Wait,
    /// `Go`.
    Go,
}

/// A call on a group.
pub(crate) struct GroupCall<'a> {
    /// What.
    pub(crate) op: Op,
    /// The group, as it is written.
    pub(crate) group: &'a Expr<'a>,
    /// Its text; two calls with the same text in one function are about one group.
    pub(crate) key: &'a str,
    /// The call.
    pub(crate) site: &'a Site<'a>,
}

/// Calls on groups among a function's calls.
pub(crate) fn group_calls<'a>(pkg: &Package<'a>, f: &Function<'a>, sites: &'a [Site<'a>]) -> Vec<GroupCall<'a>> {
    sites.iter().filter_map(|s| group_call(pkg, f, s)).collect()
}

fn group_call<'a>(pkg: &Package<'a>, f: &Function<'a>, site: &'a Site<'a>) -> Option<GroupCall<'a>> {
    let (group, name) = site.call.fun.selector()?;
    let op = match (name, site.call.args.len()) {
        ("Add", 1) => Op::Add,
        ("Done", 0) => Op::Done,
        ("Wait", 0) => Op::Wait,
        ("Go", 1) => Op::Go,
        _ => return None,
    };
    let ty = pkg.type_of(f, group);
    let embedded = matches!(site.callee, crate::syntax::Callee::Method("sync", "WaitGroup", _));
    (ty.is("sync", "WaitGroup") || embedded).then(|| GroupCall { op, group, key: pkg.file(f).at(group.span), site })
}

impl GroupCall<'_> {
    /// Whether it is deferred.
    pub(crate) fn is_deferred(&self) -> bool {
        self.site.how == How::Defer
    }
}
