//! A range over a channel that nobody closes. The page: `docs/rules/range-never-closed.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{Use, last_name, local_room, uses};
use crate::meaning::loops::{leads_out, loops_in};
use crate::syntax::ast::{Direction, Expr, ForHead, Span, Type};
use crate::syntax::{Callee, Function};

/// The rule.
pub(super) struct RangeNeverClosed;

impl Rule for RangeNeverClosed {
    const INFO: RuleInfo = RuleInfo {
        code: "range-never-closed",
        title: "a range over a channel that nobody closes",
        doc: include_str!("../../../../docs/rules/range-never-closed.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str =
        "nothing in this package closes the channel, nobody else is given it, and nothing leads out of the loop";
    const CURE: &'static str = "Close the channel when the last value was sent, by the sender.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for u in &f.scope.units {
                for (span, label, l) in loops_in(u.body) {
                    let ForHead::Range { over, .. } = &l.head else { continue };
                    if leads_out(case.pkg, f, l, label) {
                        continue;
                    }
                    let head = Span { end: l.body.span.start, ..span };
                    if let Some(var) = f.scope.var(over) {
                        let made = local_room(case.pkg, f, var).is_some();
                        let uses = uses(case.pkg, f, var);
                        if made && !uses.iter().any(|u| matches!(u.0, Use::Close | Use::Away)) {
                            let name = f.scope.vars.get(var).map_or("", |v| v.name);
                            out.found(id, head, format!("nobody closes `{name}`: this loop never ends"));
                        }
                    } else if let Some((what, name)) = kept(case, f, over)
                        && !is_closed(case, name)
                    {
                        let found =
                            out.found(id, head, format!("nothing in the package closes {what}: this loop never ends"));
                        found.level = Level::Hint;
                    }
                }
            }
        }
    }
}

/// A channel in a field or package variable that only this package can have made.
fn kept<'a>(case: &Case<'a>, f: &Function<'a>, over: &Expr<'a>) -> Option<(String, &'a str)> {
    let (owner, name) = match over.selector() {
        Some((x, name)) => (case.pkg.type_of(f, x), name),
        None => (Type::Unknown, over.ident()?),
    };
    if over.selector().is_none() && !case.pkg.vars.contains_key(name) || !name.starts_with(char::is_lowercase) {
        return None;
    }
    if over.selector().is_some() && !matches!(owner.name(), Some(("", _))) {
        return None;
    }
    if !matches!(case.pkg.underlying(&case.pkg.type_of(f, over)), Type::Chan(Direction::Both, _)) {
        return None;
    }
    // Made here, by `make` next to its name; not handed in, nor out.
    let texts = || case.pkg.files.iter().map(|file| file.text);
    let made = texts().any(|t| {
        t.contains(&format!("{name}: make(chan"))
            || t.contains(&format!("{name} = make(chan"))
            || t.lines().any(|l| l.contains("make(chan") && l.trim_start().starts_with(&format!("{name}:")))
    });
    let out = texts().any(|t| {
        t.contains(&format!("return {}", case.file(f).at(over.span)))
            || t.contains(&format!(".{name}, "))
            || t.contains(&format!(".{name})")) && !t.contains(&format!("close(s.{name})"))
    });
    (made && !out).then(|| (format!("`{}`", case.text(f, over.span)), name))
}

fn is_closed(case: &Case<'_>, name: &str) -> bool {
    case.all_sites().any(|(_, _, s)| {
        s.callee == Callee::Builtin("close") && s.call.args.first().is_some_and(|a| last_name(a) == name)
    })
}
