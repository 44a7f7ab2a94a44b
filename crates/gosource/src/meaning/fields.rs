//! Channels in fields that only one package can name: all that is done with them stands in it.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::channels::{Room, made};
use crate::syntax::ast::{Expr, ExprKind, ForHead, Span, StmtKind, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Package};

/// What a package does with channels in fields of one name.
#[derive(Debug, Default)]
pub(crate) struct FieldChannel {
    /// The first send that waits, and in which function.
    pub(crate) sent: Option<(FnId, Span)>,
    /// Whether it is made without room, wherever the package makes it.
    pub(crate) made: bool,
    /// Whether somebody receives from it, gets it, looks whether there is one, or makes it otherwise.
    pub(crate) away: bool,
}

/// Channels in fields of structs of the package whose names are not exported, by name.
pub(crate) fn fields_of<'a>(pkg: &Package<'a>) -> BTreeMap<&'a str, FieldChannel> {
    let mut out: BTreeMap<&'a str, FieldChannel> = BTreeMap::new();
    for spec in pkg.files.iter().flat_map(|f| &f.ast.types) {
        let Type::Struct(fields) = &spec.ty else { continue };
        let own = |name: &str| name.starts_with(|c: char| c.is_lowercase());
        for f in fields.iter().filter(|f| own(f.name) && matches!(f.ty, Type::Chan(..))) {
            out.entry(f.name).or_default();
        }
    }
    if out.is_empty() {
        return out;
    }
    for (id, f) in pkg.funcs.iter().enumerate() {
        if let Some(body) = &f.decl.body {
            let mut look = Look { pkg, id, f, known: FxHashSet::default(), selects: Vec::new() };
            visit::block(body, &mut |node| {
                look.at(node, &mut out);
                true
            });
        }
    }
    // Made where a package variable is: not looked at further.
    for value in pkg.files.iter().flat_map(|f| &f.ast.vars).flat_map(|v| &v.values) {
        visit::expr(value, &mut |node| {
            if let Node::Expr(e) = node
                && let ExprKind::Composite(_, elements) = &e.kind
            {
                for name in elements.iter().filter_map(|(k, _)| k.as_ref()?.ident()) {
                    out.entry(name).and_modify(|c| c.away = true);
                }
            }
            true
        });
    }
    out
}

/// One walk through a function, in the order of its text.
struct Look<'w, 'a> {
    pkg: &'w Package<'a>,
    id: FnId,
    f: &'w Function<'a>,
    /// Selectors that a statement or an expression around them has accounted for, by where they begin.
    known: FxHashSet<Span>,
    /// Sends in a select with another case.
    selects: Vec<Span>,
}

impl<'a> Look<'_, 'a> {
    fn at(&mut self, node: Node<'a, 'a>, out: &mut BTreeMap<&'a str, FieldChannel>) {
        match node {
            Node::Stmt(s) => match &s.kind {
                StmtKind::Select(cases) if cases.len() > 1 => {
                    self.selects.extend(cases.iter().filter_map(|c| c.comm.as_ref()).map(|c| c.span));
                }
                StmtKind::Send(c, _) => {
                    if let Some(channel) = c.selector().and_then(|(_, name)| out.get_mut(name)) {
                        self.known.insert(c.span);
                        if !self.selects.contains(&s.span) {
                            channel.sent.get_or_insert((self.id, s.span));
                        }
                    }
                }
                StmtKind::Assign("=", l, r) if l.len() == r.len() => {
                    for (target, value) in l.iter().zip(r) {
                        if let Some(channel) = target.selector().and_then(|(_, name)| out.get_mut(name)) {
                            self.known.insert(target.span);
                            self.is_given(channel, value);
                        }
                    }
                }
                StmtKind::For(l) => {
                    if let ForHead::Range { over, .. } = &l.head
                        && let Some(channel) = over.selector().and_then(|(_, name)| out.get_mut(name))
                    {
                        channel.away = true;
                    }
                }
                _ => {}
            },
            Node::Expr(e) => match &e.kind {
                ExprKind::Composite(_, elements) => {
                    for (key, value) in elements {
                        if let Some(channel) = key.as_ref().and_then(Expr::ident).and_then(|name| out.get_mut(name)) {
                            self.is_given(channel, value);
                        }
                    }
                }
                // `close(x.c)` receives nothing.
                ExprKind::Call(call) if self.pkg.callee(self.f, &call.fun) == Callee::Builtin("close") => {
                    self.known.extend(call.args.first().map(|a| a.span));
                }
                ExprKind::Selector(_, name) if !self.known.contains(&e.span) => {
                    out.entry(name.name).and_modify(|c| c.away = true);
                }
                _ => {}
            },
        }
    }

    fn is_given(&self, channel: &mut FieldChannel, value: &Expr<'a>) {
        match made(self.pkg, self.f, value) {
            Some(Room::None) => channel.made = true,
            _ => channel.away = true,
        }
    }
}
