//! How much room the channels of a field have, or those in a map: told by everything that the package puts
//! there.

use crate::meaning::case::Case;
use crate::meaning::channels::{Room, last_name, local_room, made};
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Expr, ExprKind, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Function, Init};

/// Whether a field's channels, or those in a map that a local one was taken from, are made with room for
/// exactly one, all of them: then it is for one answer.
pub(crate) fn room_everywhere<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>) -> bool {
    all_have(case, f, channel, &|room| room == Room::Of(1))
}

/// Whether they are made with some room.
pub(crate) fn has_some_room<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>) -> bool {
    all_have(case, f, channel, &|room| room != Room::None)
}

/// Whether one of them is made without room, or the package makes none of them at all: somebody else gives
/// them.
pub(crate) fn may_have_none<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>) -> bool {
    rooms(case, f, channel).is_some_and(|r| r.made.is_empty() || r.made.contains(&Room::None))
}

fn all_have<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>, is: &dyn Fn(Room) -> bool) -> bool {
    rooms(case, f, channel).is_some_and(|r| !r.made.is_empty() && !r.others && r.made.iter().all(|room| is(*room)))
}

/// What a package puts into a field or a map of channels.
struct Rooms {
    /// Room of each channel that it makes for it.
    made: Vec<Room>,
    /// Whether it puts others into the map too.
    others: bool,
}

/// Of a field, or of the map that a local channel was taken from.
fn rooms<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>) -> Option<Rooms> {
    let (name, kept_in_map) = match channel.selector() {
        Some((_, name)) => (name, false),
        None => {
            let var = f.scope.var(channel).and_then(|v| f.scope.vars.get(v));
            match var.map(|v| v.init) {
                Some(Init::Value(Expr { kind: ExprKind::Index(map, _), .. }, 0)) => (last_name(map), true),
                _ => return None,
            }
        }
    };
    // A field of that name of another struct is another.
    let owner = channel.selector().map(|(x, _)| case.pkg.type_of(f, x));
    let owner = owner.as_ref().and_then(|t| t.pointee().name());
    let mut out = Rooms { made: Vec::new(), others: false };
    for (_, g) in case.funcs() {
        // Most functions do not name it.
        if !case.file(g).at(g.decl.span).contains(name) {
            continue;
        }
        let of_owner = |t: &Type<'a>| owner.is_none() || t.pointee().name().is_none_or(|n| Some(n) == owner);
        let mut look = |e: &Expr<'a>| match made(case.pkg, g, e).or_else(|| local_room(case.pkg, g, g.scope.var(e)?)) {
            Some(room) => out.made.push(room),
            // What else is put into a map is not known; of a field it may be its zero.
            None => out.others |= kept_in_map && !e.is_nil(),
        };
        for u in &g.scope.units {
            each_node(u.body, |node| match node {
                Node::Stmt(s) => {
                    if let StmtKind::Define(l, r) | StmtKind::Assign("=", l, r) = &s.kind
                        && l.len() == r.len()
                    {
                        let named = |t: &Expr<'a>| {
                            last_name(t) == name
                                && matches!(t.kind, ExprKind::Index(..)) == kept_in_map
                                && t.selector().is_none_or(|(x, _)| of_owner(&case.pkg.type_of(g, x)))
                        };
                        l.iter().zip(r).filter(|(t, _)| named(t)).for_each(|(_, v)| look(v));
                    }
                }
                Node::Expr(e) => {
                    if let ExprKind::Composite(ty, elements) = &e.kind
                        && !kept_in_map
                        && ty.as_ref().is_none_or(of_owner)
                    {
                        let named = elements.iter().filter(|(k, _)| k.as_ref().and_then(Expr::ident) == Some(name));
                        named.for_each(|(_, v)| look(v));
                    }
                }
            });
        }
    }
    Some(out)
}
