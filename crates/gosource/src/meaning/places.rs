//! Places that outlive a call, as the text of an expression names them.

use crate::syntax::ast::{Expr, ExprKind, Type};
use crate::syntax::{Function, Package, VarKind};

/// Structs in structs that a field is looked for in.
const MAX_EMBEDDED: u32 = 4;

/// A place that outlives the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Long<'a> {
    /// A package variable.
    Package(&'a str),
    /// A field of what a method is called on, by its type and the field.
    Field(&'a str, &'a str),
}

impl Long<'_> {
    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Package(name) => format!("the package variable `{name}`"),
            Self::Field(of, field) => format!("the field `{field}` of `{of}`"),
        }
    }
}

/// The type that a field is declared in, where it is one that an embedded struct of this package has.
pub(crate) fn owner_of<'a>(pkg: &Package<'a>, of: &'a str, field: &str) -> &'a str {
    let mut at = of;
    for _ in 0..MAX_EMBEDDED {
        let Type::Struct(fields) = pkg.underlying(&Type::plain(at)) else { return of };
        if fields.iter().any(|f| f.name == field && !f.embedded) {
            return at;
        }
        // Of one that embeds several it is not looked for.
        let mut inner = fields.iter().filter(|f| f.embedded).filter_map(|f| match f.ty.pointee().name() {
            Some(("", name)) => pkg.types.get_key_value(name).map(|(name, _)| *name),
            _ => None,
        });
        let (Some(next), None) = (inner.next(), inner.next()) else { return of };
        at = next;
    }
    of
}

/// Whether a place lives longer than the call.
pub(crate) fn long<'a>(pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>) -> Option<Long<'a>> {
    let root = e.root()?;
    let name = root.ident()?;
    match f.scope.var(root) {
        None => {
            pkg.vars.get(name)?;
            // A field of a struct in a package variable is named after the type, as its methods name it.
            let of = match pkg.type_of(f, root).pointee() {
                Type::Name { path: "", name, .. } => Some(*name),
                _ => None,
            };
            Some(match of.zip(first_field(e)) {
                Some((of, field)) => Long::Field(owner_of(pkg, of, field), field),
                None => Long::Package(name),
            })
        }
        Some(id) => {
            let var = f.scope.vars.get(id)?;
            let pointer = matches!(var.ty, Some(Type::Pointer(_)));
            if var.kind != VarKind::Receiver || !pointer {
                return None;
            }
            let of = f.receiver_type().unwrap_or_default();
            first_field(e).map(|field| Long::Field(owner_of(pkg, of, field), field))
        }
    }
}

/// Whether an expression is that very place, not something in it.
pub(crate) fn same<'a>(pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>, long: Long<'a>) -> bool {
    match (&e.kind, long) {
        (ExprKind::Ident(name), Long::Package(of)) => *name == of && f.scope.var(e).is_none(),
        (ExprKind::Selector(x, name), Long::Field(of, field)) => {
            name.name == field
                && pkg
                    .type_of(f, x)
                    .name()
                    .is_none_or(|(path, n)| path.is_empty() && (n == of || owner_of(pkg, n, field) == of))
        }
        _ => false,
    }
}

/// The container that an expression itself is, where it outlives the call: of `b.audit.log` the field `log`
/// of the type of `b.audit`.
pub(crate) fn container<'a>(pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>) -> Option<Long<'a>> {
    let place = long(pkg, f, e)?;
    if same(pkg, f, e, place) {
        return Some(place);
    }
    let (x, field) = e.selector().filter(|(x, _)| x.selector().is_some())?;
    match pkg.type_of(f, x).name() {
        Some(("", of)) if pkg.types.contains_key(of) => Some(Long::Field(owner_of(pkg, of, field), field)),
        _ => None,
    }
}

/// The first field of a path: of `s.a.b[i]` it is `a`.
fn first_field<'a>(e: &Expr<'a>) -> Option<&'a str> {
    let mut at = e;
    let mut field = None;
    loop {
        at = match &at.kind {
            ExprKind::Selector(x, name) => {
                field = Some(name.name);
                x
            }
            ExprKind::Index(x, _) | ExprKind::Slice(x, _) | ExprKind::Assert(x, _) | ExprKind::Unary(_, x) => x,
            _ => return field,
        };
    }
}
