//! Patterns and templates that are the same each time, whatever is asked: literals, constants, and entries of
//! what a program is set up with.

use super::shared::origin;
use crate::meaning::case::Case;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::calls::Site;
use crate::syntax::{Callee, FnId, Function, Init, VarKind};

/// Steps from an expression to what it is from.
const MAX_STEPS: u32 = 6;

/// What a call compiles that is the same each time, and what kind of thing it makes of it.
pub(crate) fn compiles<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, site: &Site<'a>) -> Option<&'static str> {
    let what = match site.callee {
        Callee::Package("regexp", "Compile" | "MustCompile" | "CompilePOSIX" | "MustCompilePOSIX") => {
            "regular expression"
        }
        Callee::Package("text/template" | "html/template", "ParseFiles" | "ParseGlob" | "ParseFS") => "template",
        // `template.New("banner").Parse(text)`.
        Callee::Method(_, _, "Parse") | Callee::Unknown("Parse") => {
            let (made, _) = site.call.fun.selector()?;
            let of = made.call().map(|c| case.pkg.callee(f, &c.fun));
            matches!(of, Some(Callee::Package("text/template" | "html/template", "New"))).then_some("template")?
        }
        _ => return None,
    };
    let fixed = !site.call.args.is_empty() && site.call.args.iter().all(|a| is_fixed(case, id, a, MAX_STEPS));
    fixed.then_some(what)
}

/// Whether an expression is a literal, a constant, or an entry of what is there for all requests.
fn is_fixed<'a>(case: &Case<'a>, id: FnId, e: &'a Expr<'a>, steps: u32) -> bool {
    let (Some(steps), Some(f)) = (steps.checked_sub(1), case.pkg.funcs.get(id)) else { return false };
    let all = |list: &'a [Expr<'a>]| list.iter().all(|x| is_fixed(case, id, x, steps));
    match &e.kind {
        ExprKind::Lit(..) => true,
        ExprKind::Ident(_) => match f.scope.var(e).and_then(|v| f.scope.vars.get(v)) {
            // A constant, or a package variable: of the process.
            None => true,
            Some(v) if v.kind == VarKind::Local && v.assigned.is_empty() => match v.init {
                Init::Value(from, _) | Init::RangeValue(from) => is_fixed(case, id, from, steps),
                _ => false,
            },
            Some(v) if v.kind == VarKind::Param => origin(case, id, e).is_some(),
            Some(_) => false,
        },
        ExprKind::Binary("+", operands) => all(operands),
        // Which entry is asked for may be the request's: the entry is not.
        ExprKind::Index(x, _) => is_fixed(case, id, x, steps) || origin(case, id, x).is_some(),
        ExprKind::Selector(x, _) => {
            case.pkg.package_named(f, x).is_some() || origin(case, id, e).is_some() || {
                // A field of an entry.
                let local = f.scope.var(x).and_then(|v| f.scope.vars.get(v));
                local.is_some_and(|v| v.kind == VarKind::Local) && is_fixed(case, id, x, steps)
            }
        }
        ExprKind::Call(call) => match case.pkg.callee(f, &call.fun) {
            Callee::Package("fmt", "Sprintf" | "Sprint")
            | Callee::Package("regexp", "QuoteMeta")
            | Callee::Package("strings", "Join" | "ToLower" | "ToUpper" | "TrimSpace" | "Replace" | "ReplaceAll") => {
                all(&call.args)
            }
            Callee::Conversion(_) => all(&call.args),
            _ => false,
        },
        _ => false,
    }
}
