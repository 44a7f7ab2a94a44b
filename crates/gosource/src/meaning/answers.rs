//! Channels that go with a question: `r := req{v, make(chan error)}`, and whoever answers sends to `r.ack`.

use super::channels::{Room, made};
use crate::meaning::case::Case;
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{FnId, Function, Init, VarKind};

/// An answer that may have nobody who waits for it.
pub(crate) struct Answer<'a> {
    /// The send, and in which function.
    pub(crate) sent: (FnId, Span),
    /// The field.
    pub(crate) field: &'a str,
    /// Where who asked leaves without the answer, and in which function.
    pub(crate) left: (FnId, Span),
}

/// Sends with nothing beside to a field of a struct that this package makes without room, wherever it makes
/// one, where who asks waits for the answer in a select that another case leads out of.
pub(crate) fn abandoned<'a>(case: &Case<'a>) -> Vec<Answer<'a>> {
    let mut out = Vec::new();
    for spec in case.pkg.files.iter().flat_map(|f| &f.ast.types) {
        let Type::Struct(fields) = &spec.ty else { continue };
        for (n, field) in fields.iter().enumerate().filter(|(_, f)| matches!(f.ty, Type::Chan(..))) {
            // Most packages never send to it.
            if !field.name.starts_with(char::is_lowercase)
                || !case.pkg.files.iter().any(|f| f.text.contains(&format!(".{} <-", field.name)))
                || !is_made_without_room(case, spec.name.name, (n, field.name))
            {
                continue;
            }
            let Some(left) = leaves(case, spec.name.name, field.name) else { continue };
            let sends = sends(case, spec.name.name, field.name);
            // Who sends in a select elsewhere knows of it; one that does not is enough.
            out.extend(sends.into_iter().map(|sent| Answer { sent, field: field.name, left }));
        }
    }
    out
}

/// Whether each literal of a struct gives the field a channel without room, and nothing else does.
fn is_made_without_room<'a>(case: &Case<'a>, owner: &str, (n, name): (usize, &str)) -> bool {
    let (mut empty, mut other) = (false, false);
    for (_, f) in case.funcs() {
        let Some(body) = &f.decl.body else { continue };
        crate::syntax::visit::block(body, &mut |node| {
            match node {
                Node::Expr(Expr { kind: ExprKind::Composite(Some(ty), elements), .. })
                    if ty.name() == Some(("", owner)) =>
                {
                    let keyed = elements.iter().any(|(k, _)| k.is_some());
                    let value = if keyed {
                        elements.iter().find(|(k, _)| k.as_ref().and_then(Expr::ident) == Some(name)).map(|(_, v)| v)
                    } else {
                        elements.get(n).map(|(_, v)| v)
                    };
                    match value.map(|v| made(case.pkg, f, v)) {
                        Some(Some(Room::None)) => empty = true,
                        // A question that wants no answer, or one that is made elsewhere.
                        Some(_) => other = true,
                        None => {}
                    }
                }
                Node::Stmt(s) => {
                    if let StmtKind::Assign("=", l, _) = &s.kind {
                        other |= l.iter().any(|t| t.selector().is_some_and(|(_, field)| field == name));
                    }
                }
                Node::Expr(_) => {}
            }
            true
        });
    }
    empty && !other
}

/// Where a function that made such a struct leaves a select that waits for its answer by another case.
fn leaves<'a>(case: &Case<'a>, owner: &str, name: &str) -> Option<(FnId, Span)> {
    for (id, f) in case.funcs() {
        let is = |e: &Expr<'a>| {
            let Some((x, field)) = e.selector() else { return false };
            let made = f.scope.var(x).and_then(|v| f.scope.vars.get(v));
            field == name
                && made.is_some_and(|v| {
                    v.kind == VarKind::Local
                        && matches!(v.init, Init::Value(e, 0) if matches!(&e.unary("&").unwrap_or(e).kind,
                            ExprKind::Composite(Some(ty), _) if ty.name() == Some(("", owner))))
                })
        };
        let mut left = None;
        for u in &f.scope.units {
            each_node(u.body, |node| {
                let Node::Stmt(s) = node else { return };
                let StmtKind::Select(cases) = &s.kind else { return };
                let receives = cases.iter().filter_map(|c| c.comm.as_ref()).any(|c| {
                    let mut receives = false;
                    crate::syntax::visit::stmt(c, &mut |node| {
                        if let Node::Expr(e) = node {
                            receives |= e.unary("<-").is_some_and(is);
                        }
                        true
                    });
                    receives
                });
                let out = cases.iter().find_map(|c| {
                    let comm = c.comm.as_ref()?;
                    let last = c.body.last().filter(|s| matches!(s.kind, StmtKind::Return(_)))?;
                    // The answer itself is no way out.
                    let text = case.file(f).at(comm.span);
                    (!text.contains(&format!(".{name}"))).then_some(last.span)
                });
                if receives && out.is_some() {
                    left = out;
                }
            });
        }
        if let Some(at) = left {
            return Some((id, at));
        }
    }
    None
}

/// Sends to such a field with nothing beside.
fn sends<'a>(case: &Case<'a>, owner: &str, name: &str) -> Vec<(FnId, Span)> {
    let mut out = Vec::new();
    for (id, f) in case.funcs() {
        for u in &f.scope.units {
            let mut selected: Vec<Span> = Vec::new();
            each_node(u.body, |node| {
                let Node::Stmt(s) = node else { return };
                match &s.kind {
                    StmtKind::Select(cases) if cases.len() > 1 => {
                        selected.extend(cases.iter().filter_map(|c| c.comm.as_ref()).map(|c| c.span));
                    }
                    StmtKind::Send(c, _) if !selected.contains(&s.span) && is_field_of(case, f, c, owner, name) => {
                        out.push((id, s.span));
                    }
                    _ => {}
                }
            });
        }
    }
    out
}

fn is_field_of<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>, owner: &str, name: &str) -> bool {
    e.selector().is_some_and(|(x, field)| {
        let ty = case.pkg.type_of(f, x);
        field == name && (ty.pointee().name() == Some(("", owner)) || ty == Type::Unknown)
    })
}
