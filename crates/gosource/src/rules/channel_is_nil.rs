//! A channel that is never made. The page: `docs/rules/channel-is-nil.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Use, uses};
use crate::meaning::loops::each_node;
use crate::project::FileKind;
use crate::syntax::ast::{Expr, Span, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Init, VarKind};

/// The rule.
pub(super) struct ChannelIsNil;

impl Rule for ChannelIsNil {
    const INFO: RuleInfo = RuleInfo {
        code: "channel-is-nil",
        title: "a channel that is never made",
        doc: include_str!("../../../../docs/rules/channel-is-nil.md"),
    };
    const LEVEL: Level = Level::Critical;

    const WHY: &'static str = "nothing assigns it: sends to and receives from a nil channel wait for ever";
    const CURE: &'static str = "Make it: c := make(chan T).";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (var, v) in f.scope.vars.iter().enumerate() {
                let channel = v.ty.is_some_and(|t| matches!(case.pkg.underlying(t), Type::Chan(..)));
                if v.kind != VarKind::Local
                    || !channel
                    || !matches!(v.init, Init::None)
                    || !v.assigned.is_empty()
                    || v.address_taken
                {
                    continue;
                }
                // In a select beside others a nil channel is a case that is switched off.
                let uses = uses(case.pkg, f, var);
                if uses.iter().any(|u| u.0 == Use::Away && f.scope.units.len() > 1) {
                    continue;
                }
                if let Some((what, span, ..)) =
                    uses.iter().find(|u| matches!(u.0, Use::Send | Use::Receive | Use::Range | Use::Close))
                {
                    let what = match what {
                        Use::Send => "a send to it waits for ever",
                        Use::Close => "closing it panics",
                        _ => "a receive from it waits for ever",
                    };
                    let found =
                        out.found(id, *span, format!("`{}` is nil: it is declared and never made, and {what}", v.name));
                    found.related.push((f.file, v.span, "declared here".into()));
                }
            }
        }
        fields(case, out);
    }
}

/// Channels in fields of unexported names that nothing in the package gives a value.
fn fields<'a>(case: &Case<'a>, out: &mut Out) {
    for spec in case.pkg.files.iter().flat_map(|f| &f.ast.types) {
        let owner = spec.name.name;
        let Type::Struct(fields) = &spec.ty else { continue };
        for field in fields.iter().filter(|f| matches!(f.ty, Type::Chan(..)) && f.name.starts_with(char::is_lowercase))
        {
            let name = field.name;
            let given = case.pkg.files.iter().any(|file| {
                file.text.match_indices(name).any(|(at, _)| {
                    let after = file.text.get(at + name.len()..).unwrap_or_default().trim_start();
                    let before = file.text.get(..at).and_then(|t| t.chars().next_back());
                    let whole = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
                    let set = after.starts_with(':') || after.starts_with("= ") || after.starts_with(", ");
                    whole && (set || before == Some('&'))
                }) || unkeyed(file.text, owner)
            });
            // Looked at before: one that is nil is not used then.
            let asked = [format!(".{name} != nil"), format!(".{name} == nil")];
            if case.pkg.files.iter().any(|f| asked.iter().any(|a| f.text.contains(a))) {
                continue;
            }
            // Of a type that is made elsewhere nobody knows here what its fields are given.
            let made = case
                .pkg
                .files
                .iter()
                .any(|f| !literals(f.text, owner).is_empty() || f.text.contains(&format!("new({owner})")));
            if given || !made || case.pkg.files.iter().any(|f| f.kind == FileKind::Generated) {
                continue;
            }
            for (id, f) in case.funcs() {
                for u in &f.scope.units {
                    let mut selected: Vec<Span> = Vec::new();
                    each_node(u.body, |node| {
                        let of = |e: &Expr<'a>| {
                            e.selector().is_some_and(|(x, n)| n == name && case.pkg.type_of(f, x).is("", owner))
                        };
                        match node {
                            Node::Stmt(s) => {
                                match &s.kind {
                                    StmtKind::Select(cases) if cases.len() > 1 => {
                                        selected.extend(cases.iter().filter_map(|c| c.comm.as_ref()).map(|c| c.span))
                                    }
                                    StmtKind::Send(c, _) if of(c) && !selected.contains(&s.span) => {
                                        out.found(id, s.span, format!("the field `{name}` of `{owner}` is never made: a send to it waits for ever"));
                                    }
                                    _ => {}
                                }
                            }
                            Node::Expr(e) => {
                                if e.unary("<-").is_some_and(of) && !selected.iter().any(|s| s.contains(e.span)) {
                                    out.found(id, e.span, format!("the field `{name}` of `{owner}` is never made: a receive from it waits for ever"));
                                }
                            }
                        }
                    });
                }
            }
        }
    }
    out.reports.sort_by_key(|r| (r.func, r.span));
}

/// What stands behind the brace of each literal of a struct, with type parameters or without: `&Batcher[T]{`.
fn literals<'t>(text: &'t str, owner: &str) -> Vec<&'t str> {
    let behind = text.match_indices(owner).filter_map(|(at, _)| {
        let whole = !text.get(..at)?.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = text.get(at + owner.len()..).filter(|_| whole)?;
        if let Some(inside) = rest.strip_prefix('{') {
            return Some(inside);
        }
        let parameters = rest.strip_prefix('[')?;
        let (inside, after) = parameters.split_once(']')?;
        let names = inside.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ',' | ' ' | '.' | '*'));
        after.strip_prefix('{').filter(|_| names)
    });
    behind.collect()
}

/// Whether a struct is written without the names of its fields.
fn unkeyed(text: &str, owner: &str) -> bool {
    literals(text, owner).into_iter().any(|inside| {
        let first = inside.split(['}', ',', '\n']).next().unwrap_or_default().trim();
        !first.is_empty() && !first.contains(':')
    })
}
