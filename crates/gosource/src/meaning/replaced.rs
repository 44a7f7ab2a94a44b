//! Who assigns a container anew: what is loaded as a whole, and what somebody configures by requests.

use super::channels::last_name;
use super::loops::each_node;
use super::makers::is_maker;
use crate::meaning::case::Case;
use crate::syntax::ast::{Expr, ExprKind, StmtKind};
use crate::syntax::visit::Node;
use crate::syntax::{FnId, Function};

/// Whether a function that is no maker assigns the container anew.
pub(crate) fn replaced<'a>(case: &Case<'a>, over: &Expr<'a>) -> bool {
    sets(case, over, false, &|_, f| !is_maker(f))
}

/// Whether what requests reach assigns the container anew, or adds to it: then it is what somebody
/// configures, and not data that a service loads.
pub(crate) fn set_by_requests<'a>(case: &Case<'a>, over: &Expr<'a>) -> bool {
    sets(
        case,
        over,
        true,
        &|id, _| matches!(case.calls.entry(case.pkg, id), Some((entry, _)) if case.calls.handles(case.pkg, entry, 0)),
    )
}

/// Whether one of these functions assigns the container anew, or adds to it where that counts too.
fn sets<'a>(case: &Case<'a>, over: &Expr<'a>, adds: bool, which: &dyn Fn(FnId, &Function<'a>) -> bool) -> bool {
    let name = last_name(over);
    // What a call gives has the call's name.
    if name.is_empty() || over.call().is_some() {
        return false;
    }
    case.funcs().filter(|(id, f)| which(*id, f)).any(|(_, f)| {
        let mut found = false;
        for u in &f.scope.units {
            each_node(u.body, |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign("=", l, r) = &s.kind
                {
                    let anew = |v: &Expr<'a>| {
                        adds || v.call().is_none_or(|c| c.fun.ident() != Some("append"))
                            && !matches!(v.kind, ExprKind::Slice(..))
                    };
                    let shared = |t: &Expr<'a>| t.selector().is_some() || f.scope.var(t).is_none();
                    found |= l.len() == r.len()
                        && l.iter().zip(r).any(|(t, v)| {
                            last_name(t) == name && !matches!(t.kind, ExprKind::Index(..)) && shared(t) && anew(v)
                        });
                }
            });
        }
        found
    })
}
