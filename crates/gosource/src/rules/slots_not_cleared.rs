//! Pointers left in the slots that a cut slice gives up. The page: `docs/rules/slots-not-cleared.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::lifetimes::{has_lock, is_of_the_process, is_short_lived_type};
use crate::meaning::loops::{each_node, loops_in};
use crate::meaning::places::{Long, long};
use crate::syntax::ast::{Expr, ExprKind, For, ForHead, Span, Stmt, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{FnId, Function, Init, VarKind};

/// The rule.
pub(super) struct SlotsNotCleared;

impl Rule for SlotsNotCleared {
    const INFO: RuleInfo = RuleInfo {
        code: "slots-not-cleared",
        title: "pointers left in the slots that a cut slice gives up",
        doc: include_str!("../../../../docs/rules/slots-not-cleared.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "the elements hold pointers, and nothing in the function overwrites the slots that are cut off";
    const CURE: &'static str =
        "Set the slot to nil (or its zero) before cutting: q[0] = nil; q = q[1:]. slices.Delete does so since Go 1.22.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            popped(case, id, f, out);
            for u in &f.scope.units {
                each_node(u.body, |node| {
                    let Node::Stmt(s) = node else { return };
                    let StmtKind::Assign("=", l, r) = &s.kind else { return };
                    if l.len() != r.len() {
                        return;
                    }
                    for (target, value) in l.iter().zip(r) {
                        let Some(place) = long(case.pkg, f, target) else { continue };
                        if matches!(place, Long::Field(of, _) if is_short_lived_type(of)) {
                            continue;
                        }
                        let text = case.file(f).at(target.span);
                        let Some(how) = cut(case, f, value, text) else { continue };
                        let Type::Slice(of) = case.pkg.underlying(&case.pkg.type_of(f, target)) else { continue };
                        if !holds_pointers(case, &of) || is_cleared(case, f, text) {
                            continue;
                        }
                        let found = out.found(
                            id,
                            s.span,
                            format!("{how}, and the array under {} still points to it", place.words()),
                        );
                        // The slots before the front go with the array, at the next growth or when all was
                        // read.
                        let of_process = match place {
                            Long::Package(_) => true,
                            Long::Field(of, _) => has_lock(case.pkg, of) || is_of_the_process(case, of),
                        };
                        if !of_process {
                            found.why =
                                Some("whatever holds the array may not live long, and then it does not matter".into());
                        }
                        if how.starts_with("all") || how.contains("first") || !of_process {
                            found.level = Level::Hint;
                        }
                        if how.contains("taken out") && is_one_of_them(case, f, text, s.span) {
                            found.level = Level::Hint;
                            found.why = Some(
                                "one is looked for and taken out: the slot holds the last, which is still in the slice, and one at most"
                                    .into(),
                            );
                        }
                        if crate::meaning::makers::is_maker(f) {
                            found.level = Level::Hint;
                            found.why = Some("it stands in what makes things, which runs once for each".into());
                        }
                        if was_just_added(case, f, text, s.span) {
                            found.level = Level::Hint;
                            found.why = Some(
                                "the function has just appended what it takes back: it is one, and the next takes its place"
                                    .into(),
                            );
                        }
                        if how.starts_with("the last")
                            && (is_read_before(case, f, text, s.span) || is_copied_down(case, f, text, s.span))
                        {
                            found.level = Level::Hint;
                            found.why = Some(
                                "what was in the slot goes on being used, by who is given it or in the slice, and what is added next takes the slot"
                                    .into(),
                            );
                        }
                        if is_for_reuse(text) {
                            found.level = Level::Hint;
                            found.why = Some("by its name it holds what is used again: the slots are filled anew, and are no more than there were at once".into());
                        }
                        if matches!(case.pkg.underlying(&of), Type::Func(_)) {
                            found.level = Level::Hint;
                            found.why = Some("functions are small, unless they have bound something large".into());
                        }
                        if of_process && is_moved(case, f, text) {
                            found.level = Level::Hint;
                            found.why = Some(
                                "the last was put into another's place: what the slot behind the end points to is still in the slice"
                                    .into(),
                            );
                        } else if of_process && is_added_to(case, f, text, s.span) {
                            found.level = Level::Hint;
                            found.why = Some("further down something is appended, which overwrites the slot".into());
                        }
                    }
                });
            }
        }
    }
}

/// `old := *h; x := old[n-1]; *h = old[:n-1]`, as a heap's `Pop` is often written: a hint, for what has the
/// slice may go with it.
fn popped<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, out: &mut Out) {
    let Some((body, of)) = f.decl.body.as_ref().zip(f.receiver_type()) else { return };
    let Type::Slice(element) = case.pkg.underlying(&Type::plain(of)) else { return };
    if !holds_pointers(case, &element) {
        return;
    }
    let is_receiver = |e: &Expr<'a>| {
        e.unary("*")
            .and_then(|x| f.scope.var(x))
            .and_then(|v| f.scope.vars.get(v))
            .is_some_and(|v| v.kind == VarKind::Receiver)
    };
    let is_old = |e: &Expr<'a>| {
        let init = f.scope.var(e).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
        is_receiver(e) || matches!(init, Some(Init::Value(made, 0)) if is_receiver(made))
    };
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::Assign("=", l, r) = &s.kind else { return };
        let ([target], [value]) = (l.as_slice(), r.as_slice()) else { return };
        let ExprKind::Slice(x, [None, Some(end), _]) = &value.kind else { return };
        let emptied = matches!(end.kind, ExprKind::Lit(_, "0"));
        if !is_receiver(target) || emptied || !is_old(x) || is_cleared(case, f, case.file(f).at(x.span)) {
            return;
        }
        let found = out.found(
            id,
            s.span,
            format!("the last element is cut off, and the array under `{of}` still points to it"),
        );
        found.level = Level::Hint;
        found.why = Some("until the slot is used again, or whatever has the slice goes".into());
    });
}

/// What a value cuts off the slice that it is put back into.
fn cut<'a>(case: &Case<'a>, f: &Function<'a>, value: &Expr<'a>, text: &str) -> Option<&'static str> {
    let is = |e: &Expr<'a>| case.file(f).at(e.span) == text;
    match &value.kind {
        ExprKind::Slice(x, [start, end, _]) if is(x) => match (start, end) {
            (None, Some(end)) if matches!(end.kind, ExprKind::Lit(_, "0")) => {
                Some("all elements are cut off and stay until they are overwritten")
            }
            // `s[:len(s)+1]` takes a slot again that was cut off before.
            (None, Some(end)) if matches!(end.kind, ExprKind::Binary("+", _)) => None,
            (None, Some(_)) => Some("the last element is cut off"),
            (Some(_), None) => Some("the first element is cut off"),
            _ => None,
        },
        // `append(s[:i], s[i+1:]...)`
        ExprKind::Call(call) if call.fun.ident() == Some("append") && call.spread => {
            let both = call.args.iter().all(|a| matches!(&a.kind, ExprKind::Slice(x, _) if is(x)));
            (both && call.args.len() == 2).then_some("an element is taken out and the last slot keeps its old value")
        }
        _ => None,
    }
}

/// Whether elements keep something else alive.
fn holds_pointers<'a>(case: &Case<'a>, of: &Type<'a>) -> bool {
    match case.pkg.underlying(of) {
        Type::Pointer(_) | Type::Map(..) | Type::Slice(_) | Type::Func(_) | Type::Interface(_) => true,
        Type::Struct(fields) => fields.iter().any(|f| {
            matches!(case.pkg.underlying(&f.ty), Type::Pointer(_) | Type::Map(..) | Type::Slice(_) | Type::Func(_))
        }),
        Type::Name { path: "", name, .. } => matches!(name, "any" | "error"),
        _ => false,
    }
}

/// Whether a cut stands in a round over the slice itself that ends with it: `if s[i] == x { s = append(...);
/// break }`.
fn is_one_of_them<'a>(case: &Case<'a>, f: &'a Function<'a>, text: &str, cut: Span) -> bool {
    let over = |l: &For<'a>| match &l.head {
        ForHead::Range { over, .. } => case.file(f).at(over.span) == text,
        // `for i := 0; i < len(s); i++`.
        ForHead::Clause { cond: Some(cond), .. } => case.file(f).at(cond.span).contains(&format!("len({text})")),
        _ => false,
    };
    let mut ends = false;
    for (_, _, l) in f.scope.units.iter().flat_map(|u| loops_in(u.body)).filter(|(_, _, l)| over(l)) {
        each_node(&l.body, |node| {
            let Node::Stmt(Stmt { kind: StmtKind::If(i), .. }) = node else { return };
            ends |= i.then.stmts.iter().any(|s| s.span == cut)
                && i.then.stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_) | StmtKind::Break(_)));
        });
    }
    ends
}

/// Whether the last element is read before it is cut off, into a variable or as what is given back: `x :=
/// s[len(s)-1]`, or at the number by which the slice is cut.
fn is_read_before<'a>(case: &Case<'a>, f: &'a Function<'a>, text: &str, cut: Span) -> bool {
    let mut read = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            let Node::Stmt(s) = node else { return };
            let (StmtKind::Define(_, r) | StmtKind::Assign("=", _, r)) = &s.kind else { return };
            let near = s.span.end <= cut.start && cut.line.saturating_sub(s.span.line) <= 8;
            read |=
                near && r.iter().any(|v| matches!(&v.kind, ExprKind::Index(x, _) if case.file(f).at(x.span) == text));
        });
    }
    read
}

/// Whether those behind are moved up by one before: `copy(s[i:], s[i+1:])`. What the slot points to is still
/// in the slice.
fn is_copied_down<'a>(case: &Case<'a>, f: &'a Function<'a>, text: &str, cut: Span) -> bool {
    let mut copied = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            let Node::Expr(e) = node else { return };
            let Some(call) = e.call().filter(|c| c.fun.ident() == Some("copy")) else { return };
            let of = |a: &Expr<'a>| match &a.kind {
                ExprKind::Slice(x, _) => case.file(f).at(x.span) == text,
                _ => case.file(f).at(a.span) == text,
            };
            copied |= e.span.end <= cut.start && call.args.len() == 2 && call.args.iter().all(of);
        });
    }
    copied
}

/// Whether a slice is named as a pool of what is used again.
fn is_for_reuse(text: &str) -> bool {
    let name = text.rsplit('.').next().unwrap_or(text).to_lowercase();
    ["pool", "idle", "free", "spare", "avail", "recycle"].iter().any(|w| name.contains(w))
}

/// Whether a cut of the last element stands further down than an append of one to the same slice.
fn was_just_added<'a>(case: &Case<'a>, f: &'a Function<'a>, text: &str, cut: Span) -> bool {
    let list = f.decl.body.as_ref().map_or(&[][..], |b| b.stmts.as_slice());
    // In the same list of statements the cut is no taking back.
    let nested = !list.iter().any(|s| s.span == cut);
    nested
        && list.iter().filter(|s| s.span.end < cut.start).any(|s| {
            let StmtKind::Assign("=", l, r) = &s.kind else { return false };
            let ([target], [value]) = (l.as_slice(), r.as_slice()) else { return false };
            let Some(call) = value.call().filter(|c| c.fun.ident() == Some("append") && c.args.len() == 2) else {
                return false;
            };
            case.file(f).at(target.span) == text && call.args.first().is_some_and(|a| case.file(f).at(a.span) == text)
        })
}

/// Whether the function appends to the slice at its first level after a cut.
fn is_added_to<'a>(case: &Case<'a>, f: &'a Function<'a>, text: &str, cut: Span) -> bool {
    let list = f.decl.body.as_ref().map_or(&[][..], |b| b.stmts.as_slice());
    list.iter().filter(|s| s.span.start > cut.end).any(|s| {
        let s = if let StmtKind::Labeled(_, inner) = &s.kind { inner } else { s };
        let StmtKind::Assign("=", l, r) = &s.kind else { return false };
        let ([target], [value]) = (l.as_slice(), r.as_slice()) else { return false };
        let Some(call) = value.call().filter(|c| c.fun.ident() == Some("append")) else { return false };
        case.file(f).at(target.span) == text && call.args.first().is_some_and(|a| case.file(f).at(a.span) == text)
    })
}

/// Whether the function puts an element of the slice into another's place: `s[i] = s[len(s)-1]`.
fn is_moved<'a>(case: &Case<'a>, f: &'a Function<'a>, text: &str) -> bool {
    let element = |e: &Expr<'a>| matches!(&e.kind, ExprKind::Index(x, _) if case.file(f).at(x.span) == text);
    let mut moved = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, r) = &s.kind
                && l.len() == r.len()
            {
                moved |= l.iter().zip(r).any(|(t, v)| element(t) && element(v));
            }
        });
    }
    moved
}

/// Whether the function writes a zero into a slot, or clears the slice.
fn is_cleared<'a>(case: &Case<'a>, f: &'a Function<'a>, text: &str) -> bool {
    let mut cleared = false;
    let Some(body) = &f.decl.body else { return false };
    crate::syntax::visit::block(body, &mut |node| {
        match node {
            Node::Stmt(s) => {
                if let StmtKind::Assign("=", l, r) = &s.kind {
                    for (i, target) in l.iter().enumerate() {
                        if let ExprKind::Index(x, _) = &target.kind {
                            let zero = r.get(i).is_some_and(|v| match &v.kind {
                                ExprKind::Ident(name) => matches!(*name, "nil" | "zero" | "empty"),
                                ExprKind::Composite(_, e) => e.is_empty(),
                                ExprKind::Unary("*", _) => true,
                                _ => false,
                            });
                            let declared = r.get(i).is_some_and(|v| {
                                f.scope.var(v).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| {
                                    matches!(v.init, crate::syntax::Init::None)
                                        && v.kind == crate::syntax::VarKind::Local
                                })
                            });
                            let moved = r.get(i).is_some_and(
                                |v| matches!(&v.kind, ExprKind::Index(y, _) if case.file(f).at(y.span) == text),
                            );
                            cleared |= case.file(f).at(x.span) == text && (zero || declared) && !moved;
                        }
                    }
                }
            }
            Node::Expr(e) => {
                if let Some(call) = e.call() {
                    let name = crate::meaning::channels::last_name(&call.fun);
                    cleared |= matches!(name, "clear" | "copy" | "Delete" | "DeleteFunc")
                        && case.file(f).at(e.span).contains(text)
                        && name != "copy";
                }
            }
        }
        !cleared
    });
    cleared
}
