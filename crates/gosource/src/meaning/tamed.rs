//! What makes containers small again or bounds them, anywhere in a package.
//!
//! Rules ask this for each place that something is added to. The package is walked once and what it does is
//! kept by name: a walk for each question grows with the square of a package (of 150,000 lines in two
//! packages that was three quarters of all time).

use rustc_hash::FxHashMap;

use super::makers::is_maker;
use super::places::Long;
use crate::syntax::ast::{Expr, ExprKind, Stmt, StmtKind};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Function, Package};

/// A place as an expression names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named<'a> {
    /// A package variable.
    Package(&'a str),
    /// A field, by the type that it is a field of, if that is known, and its name.
    Field(Option<&'a str>, &'a str),
}

impl<'a> Named<'a> {
    /// The place that an expression itself is, not something in it.
    fn of(pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>) -> Option<Self> {
        match &e.kind {
            ExprKind::Ident(name) => {
                (pkg.vars.contains_key(name) && f.scope.var(e).is_none()).then_some(Self::Package(name))
            }
            ExprKind::Selector(x, name) => match pkg.type_of(f, x).name() {
                None => Some(Self::Field(None, name.name)),
                Some(("", of)) => Some(Self::Field(Some(super::places::owner_of(pkg, of, name.name)), name.name)),
                Some(_) => None,
            },
            _ => None,
        }
    }

    fn name(self) -> &'a str {
        match self {
            Self::Package(name) | Self::Field(_, name) => name,
        }
    }

    /// Whether this may be that place: an owner that is not known may be any.
    fn is(self, long: Long<'a>) -> bool {
        match (self, long) {
            (Self::Package(name), Long::Package(of)) => name == of,
            (Self::Field(owner, name), Long::Field(of, field)) => name == field && owner.is_none_or(|o| o == of),
            _ => false,
        }
    }
}

/// One act that tames a place.
#[derive(Clone, Copy, Debug)]
struct Taming<'a> {
    place: Named<'a>,
    /// Unless it grows this very place: `x = append(x, v)` is no assignment anew.
    unless: Option<Named<'a>>,
}

/// All acts of a package that tame something, by the name of what they tame.
#[derive(Debug, Default)]
pub(crate) struct Tamed<'a> {
    by_name: FxHashMap<&'a str, Vec<Taming<'a>>>,
    /// Of lists in a map: what cuts, empties or assigns one anew, or looks how long it is.
    elements: FxHashMap<&'a str, Vec<Named<'a>>>,
}

impl<'a> Tamed<'a> {
    /// Of a package: one walk.
    pub(crate) fn new(pkg: &Package<'a>) -> Self {
        let mut out = Self::default();
        for f in &pkg.funcs {
            let Some(body) = &f.decl.body else { continue };
            visit::block(body, &mut |node| {
                match node {
                    Node::Stmt(s) => out.statement(pkg, f, s),
                    Node::Expr(e) => out.expression(pkg, f, e),
                }
                true
            });
        }
        out
    }

    /// Whether something in the package makes a container small again or bounds it: assigns it anew, deletes
    /// from it, clears it, cuts it, or compares its length. The kind of container does not matter here.
    pub(crate) fn has(&self, long: Long<'a>) -> bool {
        let (Long::Package(name) | Long::Field(_, name)) = long;
        let acts = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        acts.iter().any(|t| t.place.is(long) && !t.unless.is_some_and(|u| u.is(long)))
    }

    /// Whether something in the package makes lists that are in a map small again, or looks how long one is.
    pub(crate) fn has_elements(&self, long: Long<'a>) -> bool {
        let (Long::Package(name) | Long::Field(_, name)) = long;
        self.elements.get(name).is_some_and(|places| places.iter().any(|p| p.is(long)))
    }

    fn add_element(&mut self, pkg: &Package<'a>, f: &Function<'a>, element: &Expr<'a>) {
        let ExprKind::Index(map, _) = &element.kind else { return };
        let Some(place) = Named::of(pkg, f, map) else { return };
        self.elements.entry(place.name()).or_default().push(place);
    }

    fn add(&mut self, pkg: &Package<'a>, f: &Function<'a>, target: &Expr<'a>, grown: Option<&Expr<'a>>) {
        let Some(place) = Named::of(pkg, f, target) else { return };
        let unless = grown.and_then(|e| Named::of(pkg, f, e));
        self.by_name.entry(place.name()).or_default().push(Taming { place, unless });
    }

    fn statement(&mut self, pkg: &Package<'a>, f: &Function<'a>, s: &Stmt<'a>) {
        let StmtKind::Assign("=", l, r) = &s.kind else { return };
        for (i, target) in l.iter().enumerate() {
            let value = if l.len() == r.len() { r.get(i) } else { None };
            let grows = value.and_then(Expr::call).is_some_and(|c| {
                let own = |a: &Expr<'a>| pkg.file(f).at(a.span) == pkg.file(f).at(target.span);
                c.fun.ident() == Some("append") && c.args.first().is_some_and(own)
            });
            if !grows {
                self.add_element(pkg, f, target);
            }
            // Growing is not taming; making it first is neither, in a function that makes things.
            match value.map(|v| &v.kind) {
                Some(ExprKind::Call(call)) => match call.fun.ident() {
                    // `append(x[:0], ...)`, `append(x[:i], x[i+1:]...)`, and from something else.
                    Some("append") => self.add(pkg, f, target, call.args.first()),
                    Some("make") if is_maker(f) || guarded_by_nil(pkg, f, s) => {}
                    _ => self.add(pkg, f, target, None),
                },
                Some(ExprKind::Composite(..)) if is_maker(f) || guarded_by_nil(pkg, f, s) => {}
                _ => self.add(pkg, f, target, None),
            }
        }
    }

    fn expression(&mut self, pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>) {
        match &e.kind {
            ExprKind::Call(call) => {
                let named = match super::channels::last_name(&call.fun) {
                    "delete" | "clear" => call.args.get(..1),
                    "DeleteFunc" | "Delete" | "Clip" | "Compact" | "Grow" => Some(call.args.as_slice()),
                    _ => None,
                };
                for a in named.into_iter().flatten() {
                    self.add(pkg, f, a, None);
                }
            }
            // `len(x) > max`: a bound, or a reason to do something about it. `len(x) == 0` is neither.
            ExprKind::Binary(">" | ">=" | "<" | "<=" | "==", operands) => {
                let zero = operands.iter().any(|o| matches!(o.kind, ExprKind::Lit(_, "0")));
                // `i < len(x)` is the head of a loop over it.
                if zero || operands.iter().any(|o| o.ident().is_some_and(|n| n.len() == 1)) {
                    return;
                }
                let sizes =
                    operands.iter().filter_map(Expr::call).filter(|c| matches!(c.fun.ident(), Some("len" | "cap")));
                for x in sizes.filter_map(|c| c.args.first()) {
                    self.add_element(pkg, f, x);
                    self.add(pkg, f, x, None);
                }
            }
            // Handed out by address: whoever has it may do anything.
            ExprKind::Unary("&", x) => self.add(pkg, f, x, None),
            _ => {}
        }
    }
}

/// `if m == nil { m = make(...) }`: the text before says so.
fn guarded_by_nil<'a>(pkg: &Package<'a>, f: &Function<'a>, s: &Stmt<'a>) -> bool {
    let text = pkg.file(f).text;
    let at = s.span.start as usize;
    let before = text.get(at.saturating_sub(120)..at).or_else(|| text.get(..at)).unwrap_or_default();
    let lines: Vec<&str> = before.lines().rev().take(2).collect();
    lines.iter().any(|l| l.contains("== nil"))
}
