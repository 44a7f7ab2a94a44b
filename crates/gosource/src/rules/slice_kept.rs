//! A part of a slice or string that keeps the whole alive. The page: `docs/rules/slice-kept.md`.

use super::rule::{Case, Out, Report, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::lifetimes::is_long_lived_type;
use crate::meaning::loops::{each_node, loops_in};
use crate::meaning::places::{Long, container, long};
use crate::syntax::ast::{Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, VarKind};

/// The rule.
pub(super) struct SliceKept;

impl Rule for SliceKept {
    const INFO: RuleInfo = RuleInfo {
        code: "slice-kept",
        title: "a part of a slice or string that keeps the whole alive",
        doc: include_str!("../../../../docs/rules/slice-kept.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "the part shares its memory with the whole, and the place it is put into outlives the call";
    const CURE: &'static str =
        "Keep a copy: slices.Clone(b[:n]) (append([]T(nil), b[:n]...) before Go 1.21), strings.Clone(s[:n]).";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                each_node(u.body, |node| {
                    let Node::Stmt(s) = node else { return };
                    let StmtKind::Assign("=", l, r) = &s.kind else { return };
                    if l.len() != r.len() {
                        return;
                    }
                    for (target, value) in l.iter().zip(r) {
                        piece(case, id, f, target, value, out);
                    }
                    for (target, value) in l.iter().zip(r) {
                        let Some(place) = long(case.pkg, f, target) else { continue };
                        for part in parts(f, value) {
                            one(case, id, f, target, part, place, out);
                        }
                    }
                });
            }
            // `m.Store(k, b[:n])` of a sync.Map that lives on.
            for site in case.sites(id) {
                let Callee::Method("sync", "Map", "Store" | "LoadOrStore" | "Swap") = site.callee else { continue };
                let Some((map, _)) = site.call.fun.selector() else { continue };
                let Some(place) = container(case.pkg, f, map) else { continue };
                for part in site.call.args.iter().skip(1).flat_map(|v| parts(f, v)) {
                    one(case, id, f, map, part, place, out);
                }
            }
        }
    }
}

/// Slice expressions that become part of a value: itself, elements of a literal, what is appended as one.
fn parts<'a>(f: &Function<'a>, value: &'a Expr<'a>) -> Vec<&'a Expr<'a>> {
    match &value.kind {
        ExprKind::Slice(..) => vec![value],
        ExprKind::Composite(_, elements) => elements.iter().flat_map(|(_, v)| parts(f, v)).collect(),
        ExprKind::Unary("&", x) => parts(f, x),
        // Of `append(xs, b[:3])` the element is kept; `append(xs, b[:3]...)` copies.
        ExprKind::Call(call) if call.fun.ident() == Some("append") && !call.spread => {
            call.args.iter().skip(1).flat_map(|v| parts(f, v)).collect()
        }
        ExprKind::Ident(_) => {
            // `part := b[:3]` before, and no more of it.
            match f.scope.var(value).and_then(|v| f.scope.vars.get(v)).filter(|v| v.assigned.is_empty()).map(|v| v.init)
            {
                Some(Init::Value(e, 0)) if matches!(e.kind, ExprKind::Slice(..)) => vec![e],
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// A field, a line or another piece that functions of `strings` and `bytes` cut out of what was read whole,
/// as a key or a value of something that lives on.
fn piece<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, target: &'a Expr<'a>, value: &'a Expr<'a>, out: &mut Out) {
    let place = long(case.pkg, f, target).or_else(|| put_away(case, f, target));
    let Some(place) = place.filter(|_| !runs_at_start(f)) else { return };
    let key = if let ExprKind::Index(_, key) = &target.kind { Some(&**key) } else { None };
    let appended = value.call().filter(|c| c.fun.ident() == Some("append") && !c.spread);
    let values: Vec<&'a Expr<'a>> = match appended {
        Some(call) => call.args.iter().skip(1).collect(),
        None => vec![value],
    };
    for part in key.into_iter().chain(values) {
        if matches!(part.kind, ExprKind::Slice(..)) {
            continue;
        }
        if let Some(whole) = cut_from(case, f, part, false, MAX_CUTS) {
            out.found(
                id,
                part.span,
                format!(
                    "`{}` is a piece of `{whole}`, which was read whole, and is kept in {}: as long as it is there, all of it stays in memory",
                    case.text(f, part.span),
                    place.words()
                ),
            );
        }
    }
}

/// Where a map or a list of this function that is filled goes when it is full: `next[id] = true`, and then
/// `r.ids = next`.
fn put_away<'a>(case: &Case<'a>, f: &'a Function<'a>, target: &Expr<'a>) -> Option<Long<'a>> {
    let ExprKind::Index(filled, _) = &target.kind else { return None };
    let var = f.scope.var(filled)?;
    f.scope.vars.get(var).filter(|v| v.kind == VarKind::Local)?;
    let mut place = None;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, r) = &s.kind
                && l.len() == r.len()
            {
                let mut kept = l.iter().zip(r).filter(|(_, v)| f.scope.var(v) == Some(var));
                place = place.or_else(|| kept.find_map(|(t, _)| long(case.pkg, f, t)));
            }
        });
    }
    place
}

/// Cuts that are followed from a piece to the whole.
const MAX_CUTS: u32 = 6;

/// What was read whole and an expression is a piece of, through functions that cut and copy nothing.
fn cut_from<'a>(case: &Case<'a>, f: &'a Function<'a>, e: &'a Expr<'a>, cut: bool, steps: u32) -> Option<String> {
    let steps = steps.checked_sub(1)?;
    match &e.kind {
        ExprKind::Ident(_) => {
            let v = f.scope.var(e).and_then(|v| f.scope.vars.get(v)).filter(|v| v.assigned.is_empty())?;
            match v.init {
                Init::Value(made, 0) if cut && reads_whole(case, f, made) => Some(v.name.to_owned()),
                Init::Value(made, n) if n < 2 => cut_from(case, f, made, cut, steps),
                Init::RangeValue(over) => cut_from(case, f, over, cut, steps),
                _ => None,
            }
        }
        ExprKind::Index(x, _) => cut_from(case, f, x, cut, steps),
        ExprKind::Slice(x, _) => cut_from(case, f, x, true, steps),
        ExprKind::Call(call) => match (case.pkg.callee(f, &call.fun), call.args.first()) {
            // `strings.Split(string(raw), "\n")`.
            (Callee::Conversion("string"), Some(_)) if cut && reads_whole(case, f, e) => Some(case.text(f, e.span)),
            (
                Callee::Package(
                    "strings" | "bytes",
                    "Split" | "SplitN" | "SplitAfter" | "SplitSeq" | "Fields" | "FieldsFunc" | "Cut" | "CutPrefix"
                    | "CutSuffix" | "TrimPrefix" | "TrimSuffix" | "Lines",
                ),
                Some(whole),
            ) => cut_from(case, f, whole, true, steps),
            // Little is cut off: alone it is no reason.
            (Callee::Package("strings" | "bytes", "TrimSpace" | "Trim" | "TrimRight" | "TrimLeft"), Some(whole)) => {
                cut_from(case, f, whole, cut, steps)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether an expression is a whole file or stream, as bytes or as a string of them.
fn reads_whole<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    let Some(call) = e.call() else { return false };
    match (case.pkg.callee(f, &call.fun), call.args.first()) {
        (Callee::Package("os" | "io" | "io/ioutil", "ReadFile" | "ReadAll"), _) => true,
        (Callee::Conversion("string"), Some(bytes)) => {
            let made = f.scope.var(bytes).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
            matches!(made, Some(Init::Value(inner, 0)) if inner.call().is_some_and(|c| matches!(
                case.pkg.callee(f, &c.fun),
                Callee::Package("os" | "io" | "io/ioutil", "ReadFile" | "ReadAll")
            )))
        }
        _ => false,
    }
}

fn one<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    target: &Expr<'a>,
    part: &'a Expr<'a>,
    place: Long<'a>,
    out: &mut Out,
) {
    let ExprKind::Slice(whole, bounds) = &part.kind else { return };
    let [start, end, _] = bounds;
    // `b[:]` and `b[:len(b)]` keep no more than they are.
    if start.is_none() && end.is_none() || trims(case, f, start.as_deref(), end.as_deref()) {
        return;
    }
    let Some(root) = whole.root() else {
        // `read()[:10]`: of a call.
        if let Some(call) = whole.call()
            && let Callee::Package("os" | "io" | "io/ioutil", _) = case.pkg.callee(f, &call.fun)
        {
            say(case, id, f, part, place, out);
        }
        return;
    };
    // Part of what is itself kept there, or of an array that has one size.
    if long(case.pkg, f, whole).is_some()
        || target.root().map(|t| case.file(f).at(t.span)) == Some(case.file(f).at(root.span))
    {
        return;
    }
    let ty = case.pkg.type_of(f, whole);
    if matches!(case.pkg.underlying(ty.pointee()), Type::Array(_)) {
        return;
    }
    let Some(var) = f.scope.var(root).and_then(|v| f.scope.vars.get(v)) else { return };
    // Taken from that place before: a queue that loses its head.
    if let Init::Value(e, 0) | Init::RangeValue(e) = var.init
        && long(case.pkg, f, e) == Some(place)
    {
        return;
    }
    // A field that is emptied again holds it for a while.
    if matches!(place, Long::Field(..)) && target.selector().is_some() && is_emptied(case, target, place) {
        return;
    }
    let large = match var.kind {
        VarKind::Param => true,
        VarKind::Receiver => false,
        _ => from_outside(case, f, var.init),
    };
    // A reader that moves on through its input keeps the rest of it and nothing else.
    let from_end = start.as_ref().is_some_and(|s| case.file(f).at(s.span).starts_with("len("));
    let moves_on = end.is_none()
        && !from_end
        && matches!(place, Long::Field(..))
        && target.selector().is_some()
        && !case.pkg.type_of(f, target).is("sync", "Map");
    let into_map = matches!(target.kind, ExprKind::Index(..)) || case.pkg.type_of(f, target).is("sync", "Map");
    let plain_field = matches!(place, Long::Field(of, _) if !is_long_lived_type(case.pkg, of)) && !into_map;
    if !large || moves_on || plain_field && !case.calls.is_hot(case.pkg, id, 0) || runs_at_start(f) {
        return;
    }
    let of_text = match case.pkg.underlying(&ty) {
        Type::Slice(of) => {
            matches!(case.pkg.underlying(&of), Type::Name { path: "", name: "byte" | "uint8" | "rune", .. })
        }
        Type::Name { path: "", name: "string", .. } => true,
        _ => false,
    };
    let found = say(case, id, f, part, place, out);
    if !of_text {
        found.level = Level::Hint;
        found.why = Some("a list of elements is as a rule short, and the part may be nearly all of it".into());
    }
    if let (Some(start), Some(_)) = (start, end)
        && is_one_of_many(f, start, part.span)
    {
        found.level = Level::Hint;
        found.why = Some(
            "it is one of many parts that are cut off one after another: what is kept may be nearly all of it".into(),
        );
    }
}

/// Whether a part is cut in a loop from where a variable stands that moves on: all parts of a message, one
/// after another.
fn is_one_of_many<'a>(f: &'a Function<'a>, start: &Expr<'a>, at: Span) -> bool {
    let moves = f.scope.var(start).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| !v.assigned.is_empty());
    moves && f.scope.units.iter().any(|u| loops_in(u.body).iter().any(|(_, _, l)| l.body.span.contains(at)))
}

/// Whether the package gives the same field nil somewhere: what parses sets it for one message.
fn is_emptied<'a>(case: &Case<'a>, target: &Expr<'a>, place: Long<'a>) -> bool {
    let Some((_, field)) = target.selector() else { return false };
    case.funcs().any(|(_, g)| {
        let mut emptied = false;
        for u in &g.scope.units {
            each_node(u.body, |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign("=", l, r) = &s.kind
                    && l.len() == r.len()
                {
                    emptied |= l.iter().zip(r).any(|(t, v)| {
                        v.is_nil()
                            && t.selector().is_some_and(|(_, n)| n == field)
                            && long(case.pkg, g, t) == Some(place)
                    });
                }
            });
        }
        emptied
    })
}

/// `x[1:]`, `x[1:len(x)-1]`, `x[:0]`: what is cut off is as good as nothing, or all.
fn trims<'a>(case: &Case<'a>, f: &Function<'a>, start: Option<&Expr<'a>>, end: Option<&Expr<'a>>) -> bool {
    let literal = |e: &Expr<'a>| matches!(e.kind, ExprKind::Lit(..));
    let near_end = |e: &Expr<'a>| {
        case.file(f).at(e.span).starts_with("len(")
            && !matches!(&e.kind, ExprKind::Binary(_, o) if o.iter().skip(1).any(|o| !literal(o)))
    };
    let from_start = start.is_none_or(literal);
    let to_end = end.is_none_or(near_end);
    from_start && to_end || end.is_some_and(|e| matches!(e.kind, ExprKind::Lit(_, "0")))
}

fn say<'a, 'o>(
    case: &Case<'a>,
    id: FnId,
    f: &Function<'a>,
    part: &Expr<'a>,
    place: Long<'a>,
    out: &'o mut Out,
) -> &'o mut Report {
    let whole = if let ExprKind::Slice(x, _) = &part.kind { case.text(f, x.span) } else { String::new() };
    out.found(
        id,
        part.span,
        format!(
            "`{}` is kept in {}: as long as it is there, all of `{whole}` stays in memory",
            case.text(f, part.span),
            place.words()
        ),
    )
}

/// Whether a function runs as the program starts, by its name: `main`, `initLabels`.
fn runs_at_start(f: &Function<'_>) -> bool {
    let name = f.decl.name.name;
    f.receiver_type().is_none() && (name == "main" || name.starts_with("init") || name.starts_with("Init"))
}

fn is_pool(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["pool", "alloc", "getbuf", "newbuf", "arena"].iter().any(|w| lower.contains(w))
}

/// Whether a local is what somebody read or built: of a literal the text tells how large it is.
fn from_outside<'a>(case: &Case<'a>, f: &Function<'a>, init: Init<'a>) -> bool {
    match init {
        Init::Value(e, _) => match &e.kind {
            ExprKind::Call(call) => match case.pkg.callee(f, &call.fun) {
                Callee::Builtin("make") => {
                    call.args.get(1).is_some_and(|a| !matches!(a.kind, ExprKind::Lit(_, text) if text.len() < 4))
                }
                Callee::Builtin(_) => false,
                Callee::Package("bytes" | "slices" | "strings", "Clone" | "Repeat") => true,
                // A buffer of a pool is as large as was asked for, and goes back there.
                Callee::Local(_) | Callee::Method(..) | Callee::Field(_) | Callee::Unknown(_)
                    if is_pool(case.file(f).at(call.fun.span)) =>
                {
                    false
                }
                _ => true,
            },
            ExprKind::Convert(..) | ExprKind::Index(..) => true,
            ExprKind::Selector(..) => false,
            _ => false,
        },
        Init::RangeValue(_) => true,
        _ => false,
    }
}
