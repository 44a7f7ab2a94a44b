//! What rules look at, and what is told of its meaning: one package with its calls.

use std::cell::OnceCell;

use crate::meaning::first_ops::FirstOps;
use crate::meaning::places::Long;
use crate::meaning::tamed::Tamed;
use crate::syntax::ast::Span;
use crate::syntax::calls::{Calls, Site};
use crate::syntax::{FnId, Function, Package, ParsedFile};

/// A package with its calls.
pub(crate) struct Case<'a> {
    /// Declarations, functions, types.
    pub(crate) pkg: &'a Package<'a>,
    /// Calls and heat.
    pub(crate) calls: &'a Calls<'a>,
    /// What makes containers small again; made when it is asked for first.
    tamed: OnceCell<Tamed<'a>>,
    /// What functions do first with locks; made when it is asked for first.
    first_ops: OnceCell<FirstOps<'a>>,
}

impl<'a> Case<'a> {
    /// A package that rules are to look at.
    pub(crate) fn new(pkg: &'a Package<'a>, calls: &'a Calls<'a>) -> Self {
        Self { pkg, calls, tamed: OnceCell::new(), first_ops: OnceCell::new() }
    }

    /// Whether something in the package makes a container small again, or bounds it.
    pub(crate) fn is_tamed(&self, place: Long<'a>) -> bool {
        self.tamed.get_or_init(|| Tamed::new(self.pkg)).has(place)
    }

    /// Whether something in the package makes lists that are in a map small again, or looks how long one is.
    pub(crate) fn has_tamed_elements(&self, place: Long<'a>) -> bool {
        self.tamed.get_or_init(|| Tamed::new(self.pkg)).has_elements(place)
    }

    /// What functions of the package do first with locks of each name.
    pub(crate) fn first_ops(&self) -> &FirstOps<'a> {
        self.first_ops.get_or_init(|| FirstOps::new(self.pkg))
    }

    /// Functions whose paths and names can be relied on, with their numbers.
    pub(crate) fn funcs(&self) -> impl Iterator<Item = (FnId, &'a Function<'a>)> + use<'a> {
        self.pkg.funcs.iter().enumerate().filter(|(_, f)| !f.decl.broken && f.decl.body.is_some())
    }

    /// Calls of a function.
    pub(crate) fn sites(&self, id: FnId) -> &'a [Site<'a>] {
        self.calls.sites.get(id).map_or(&[], Vec::as_slice)
    }

    /// Calls of all functions.
    pub(crate) fn all_sites(&self) -> impl Iterator<Item = (FnId, &'a Function<'a>, &'a Site<'a>)> + use<'a> {
        let calls = self.calls;
        self.funcs().flat_map(move |(id, f)| calls.sites.get(id).into_iter().flatten().map(move |s| (id, f, s)))
    }

    /// The file of a function.
    pub(crate) fn file(&self, f: &Function<'a>) -> &'a ParsedFile<'a> {
        self.pkg.file(f)
    }

    /// The text of an expression or statement, on one line and not too long.
    pub(crate) fn text(&self, f: &Function<'a>, span: Span) -> String {
        shorten(self.file(f).at(span))
    }
}

/// A text on one line of at most 60 characters.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}
