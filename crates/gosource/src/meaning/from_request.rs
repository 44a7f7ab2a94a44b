//! What a request brings, and whoever sends it chooses: paths, headers, parameters, addresses.

use crate::meaning::case::Case;
use crate::meaning::channels::last_name;
use crate::syntax::ast::{Expr, ExprKind, Type};
use crate::syntax::{Callee, FnId, Function, Init, VarKind};

/// Steps from an expression to what it is made of.
const MAX_STEPS: u32 = 6;

/// Whether an expression is what a request brought, or is made of it: `r.URL.Path`, `id :=
/// c.Param("id")`, a parameter for which a caller gives such.
pub(crate) fn is_from_request<'a>(case: &Case<'a>, id: FnId, e: &Expr<'a>) -> bool {
    of(case, id, e, MAX_STEPS)
}

fn of<'a>(case: &Case<'a>, id: FnId, e: &Expr<'a>, steps: u32) -> bool {
    let (Some(steps), Some(f)) = (steps.checked_sub(1), case.pkg.funcs.get(id)) else { return false };
    match &e.kind {
        ExprKind::Ident(_) => {
            let Some(v) = f.scope.var(e).and_then(|v| f.scope.vars.get(v)) else { return false };
            match (v.kind, v.init) {
                (VarKind::Local, Init::Value(made, _)) if v.assigned.is_empty() => of(case, id, made, steps),
                (VarKind::Param, _) if v.unit == 0 && v.assigned.is_empty() => {
                    let at = f.decl.sig.params.iter().position(|p| p.name.is_some_and(|n| n.span == v.span));
                    let Some(at) = at else { return false };
                    let edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n));
                    edges.filter(|edge| edge.caller != id).any(|edge| {
                        edge.call.call().and_then(|c| c.args.get(at)).is_some_and(|a| of(case, edge.caller, a, steps))
                    })
                }
                _ => false,
            }
        }
        ExprKind::Selector(x, name) => match name.name {
            "Path" | "RawPath" | "RawQuery" => {
                x.selector().is_some_and(|(r, url)| url == "URL" && is_request(case, f, r))
            }
            "RemoteAddr" | "RequestURI" | "Host" => is_request(case, f, x),
            _ => false,
        },
        // `mux.Vars(r)["id"]`.
        ExprKind::Index(x, _) => {
            x.call().is_some_and(|c| last_name(&c.fun) == "Vars" && gives_request(case, f, &c.args))
        }
        ExprKind::Binary("+", operands) => operands.iter().any(|o| of(case, id, o, steps)),
        ExprKind::Convert(_, x) => of(case, id, x, steps),
        ExprKind::Call(call) => match case.pkg.callee(f, &call.fun) {
            Callee::Conversion(_) | Callee::Package("strings" | "net" | "path" | "fmt", _) => {
                call.args.iter().any(|a| of(case, id, a, steps))
            }
            Callee::Package(path, "URLParam") => path.contains("/chi") && gives_request(case, f, &call.args),
            _ => call.fun.selector().is_some_and(|(x, name)| asks_request(case, f, x, name)),
        },
        _ => false,
    }
}

/// `r.FormValue("id")`, `r.Header.Get("X-Id")`, `c.Param("id")` of a framework's context.
fn asks_request<'a>(case: &Case<'a>, f: &Function<'a>, x: &Expr<'a>, name: &str) -> bool {
    match name {
        "FormValue" | "PostFormValue" | "PathValue" | "UserAgent" | "Referer" if is_request(case, f, x) => true,
        "Get" => {
            let owner = x.selector().filter(|(_, field)| *field == "Header").map(|(r, _)| r).or_else(|| {
                let (url, name, _) = x.method_call()?;
                let (r, field) = url.selector()?;
                (name == "Query" && field == "URL").then_some(r)
            });
            owner.is_some_and(|r| is_request(case, f, r))
        }
        "Param" | "Params" | "Query" | "DefaultQuery" | "QueryParam" | "FormValue" | "PostForm" | "GetHeader"
        | "ClientIP" | "RealIP" | "IP" => is_context(&case.pkg.type_of(f, x)),
        _ => false,
    }
}

fn is_request<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    case.pkg.type_of(f, e).pointee().is("net/http", "Request")
}

fn gives_request<'a>(case: &Case<'a>, f: &Function<'a>, args: &[Expr<'a>]) -> bool {
    args.first().is_some_and(|r| is_request(case, f, r))
}

/// The context of gin, echo or fiber, which is the request.
fn is_context(ty: &Type<'_>) -> bool {
    ty.pointee().name().is_some_and(|(path, name)| {
        let of = |w: &str| path.split('/').any(|p| p == w);
        name == "Context" && (of("gin") || of("echo")) || name == "Ctx" && of("fiber")
    })
}
