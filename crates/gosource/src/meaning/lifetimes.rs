//! What lives longer than a call: package variables, and what a method's receiver holds.

use crate::syntax::ast::{Expr, ExprKind, ForHead, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{FnId, Function, Init, Package, VarKind};

use super::makers::{runs_seldom, starts_only};
use super::places::Long;
use crate::meaning::case::Case;

/// Calls that are followed to whoever has the receiver.
const MAX_CALLS: u32 = 6;

/// Whether what is added is what the caller gave: an expression with one of the function's parameters in it.
pub(crate) fn of_caller<'a>(f: &Function<'a>, e: &'a Expr<'a>) -> bool {
    let mut found = false;
    visit::expr(e, &mut |node| {
        if let Node::Expr(x) = node {
            let var = f.scope.var(x).and_then(|v| f.scope.vars.get(v));
            found |= var.is_some_and(|v| v.kind == VarKind::Param);
        }
        !found
    });
    found
}

/// Types whose values are there for one piece of work.
pub(crate) fn is_short_lived_type(name: &str) -> bool {
    let lower = name.to_lowercase();
    [
        "context",
        "request",
        "response",
        "builder",
        "parser",
        "lexer",
        "decoder",
        "encoder",
        "dispenser",
        "scanner",
        "printer",
        "formatter",
        "visitor",
        "walker",
        "iterator",
        "compiler",
        "generator",
        "checker",
        "reader",
        "writer",
        "marshaler",
        "template",
        "state",
    ]
    .iter()
    .any(|s| lower.ends_with(s))
}

/// Types whose values usually live as long as the program, by a lock among their fields or by their names.
pub(crate) fn is_long_lived_type<'a>(pkg: &Package<'a>, name: &'a str) -> bool {
    let lower = name.to_lowercase();
    let short = [
        "builder",
        "encoder",
        "decoder",
        "writer",
        "reader",
        "parser",
        "lexer",
        "scanner",
        "printer",
        "buffer",
        "visitor",
        "iterator",
        "query",
        "txn",
        "tx",
        "transaction",
        "batch",
        "job",
        "task",
        "operation",
        "cursor",
        "request",
        "response",
        "stmt",
        "expr",
        "node",
        "block",
        "state",
        "context",
        "result",
        "error",
        "errors",
        "list",
        "stack",
        "graph",
        "tree",
        "graph",
        "walker",
        "compiler",
        "generator",
        "formatter",
        "message",
        "event",
        "file",
        "table",
    ];
    if short.iter().any(|s| lower.ends_with(s)) {
        return false;
    }
    let long = [
        "server",
        "store",
        "cache",
        "manager",
        "service",
        "registry",
        "pool",
        "handler",
        "tracker",
        "collector",
        "monitor",
        "hub",
        "broker",
        "daemon",
        "controller",
        "limiter",
        "recorder",
        "repository",
        "repo",
        "history",
        "audit",
        "sessions",
        "session_store",
        "metrics",
        "stats",
        "bus",
        "api",
        "app",
        "worker",
        "scheduler",
        "dispatcher",
        "gateway",
        "proxy",
        "watcher",
        "client",
    ];
    has_lock(pkg, name) || long.iter().any(|l| lower.ends_with(l))
}

fn is_lock(ty: &Type<'_>) -> bool {
    ty.is("sync", "Mutex") || ty.is("sync", "RWMutex")
}

/// Whether a struct of this package has a lock or a `sync.Map`: then goroutines share it.
pub(crate) fn has_lock<'a>(pkg: &Package<'a>, name: &'a str) -> bool {
    match pkg.underlying(&Type::plain(name)) {
        Type::Struct(fields) => fields.iter().any(|f| is_lock(&f.ty) || f.ty.is("sync", "Map")),
        _ => false,
    }
}

/// Whether a struct stands around one answer or stream, which it embeds: it lives no longer.
fn wraps_a_call<'a>(pkg: &Package<'a>, name: &'a str) -> bool {
    let one = |ty: &Type<'a>| {
        ty.name().is_some_and(|(path, name)| {
            // `pb.Store_SeriesServer`, as it is generated for streams.
            let stream =
                !path.is_empty() && name.contains('_') && ["Server", "Client"].iter().any(|e| name.ends_with(e));
            stream || matches!(name, "ResponseWriter" | "ServerStream" | "ClientStream")
        })
    };
    match pkg.underlying(&Type::plain(name)) {
        Type::Struct(fields) => fields.iter().any(|f| f.embedded && one(&f.ty)),
        _ => false,
    }
}

/// Whether one of the package's own makers makes a type, and all who call it are methods that are themselves
/// no makers and begin nothing: then there is one for each of their calls, `h := newTaskHandler(task)`.
fn is_made_for_a_call<'a>(case: &Case<'a>, of: &str) -> bool {
    let lower = |f: &Function<'a>| f.decl.name.name.to_lowercase();
    const BEGIN: &[&str] = &[
        "new", "make", "start", "init", "setup", "open", "provide", "create", "register", "run", "get", "serve",
        "build", "with", "main",
    ];
    let makers = case.funcs().filter(|(_, f)| {
        f.receiver_type().is_none()
            && f.decl.name.name.starts_with("new")
            && f.decl.sig.results.iter().any(|r| r.ty.pointee().name() == Some(("", of)))
    });
    let (mut called, mut begun) = (false, false);
    for (id, _) in makers {
        for edge in case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)) {
            let Some(caller) = case.pkg.funcs.get(edge.caller) else { continue };
            called = true;
            begun |= caller.receiver_type().is_none() || BEGIN.iter().any(|w| lower(caller).starts_with(w));
        }
    }
    called && !begun
}

/// Whether something says that a type's values are of the whole process: a package variable holds one, it has
/// methods that requests come in by, or it is named as what serves.
pub(crate) fn is_of_the_process<'a>(case: &Case<'a>, of: &'a str) -> bool {
    if wraps_a_call(case.pkg, of) {
        return false;
    }
    let lower = of.to_lowercase();
    const SERVES: &[&str] = &[
        "server",
        "service",
        "manager",
        "store",
        "registry",
        "hub",
        "pool",
        "handler",
        "broker",
        "controller",
        "engine",
        "daemon",
        "dispatcher",
        "gateway",
        "proxy",
        "app",
        "application",
        "limiter",
        "broadcaster",
        "bus",
        "queue",
    ];
    let named = SERVES.iter().any(|w| lower.ends_with(w)) && !lower.contains("fake");
    let held = case.pkg.vars.values().any(|v| {
        let of_value = |e: &Expr<'a>| match &e.unary("&").unwrap_or(e).kind {
            ExprKind::Composite(Some(ty), _) => ty.pointee().name() == Some(("", of)),
            _ => false,
        };
        v.ty.is_some_and(|t| t.pointee().name() == Some(("", of))) || v.value.is_some_and(of_value)
    });
    let serves = case.calls.hot.iter().any(|(id, heat)| {
        !matches!(heat, crate::syntax::calls::Heat::Called(..))
            && case.pkg.funcs.get(*id).and_then(Function::receiver_type) == Some(of)
    });
    // A method that gives a handler back, as what stands around others does.
    let gives =
        |(id, unit): &(FnId, usize)| *unit > 0 && case.pkg.funcs.get(*id).and_then(Function::receiver_type) == Some(of);
    named && !is_made_for_a_call(case, of) || held || serves || case.calls.handler_units.iter().any(gives)
}

/// Whether a type is a field of what requests come in by: `type Counter struct { hits *hits }`.
pub(crate) fn is_part_of_server<'a>(case: &Case<'a>, of: &str) -> bool {
    let has = |owner: &'a str| match case.pkg.underlying(&Type::plain(owner)) {
        Type::Struct(fields) => fields.iter().any(|f| f.ty.pointee().name() == Some(("", of))),
        _ => false,
    };
    case.calls.hot.iter().any(|(id, heat)| {
        matches!(heat, crate::syntax::calls::Heat::Request)
            && case.pkg.funcs.get(*id).and_then(Function::receiver_type).is_some_and(|owner| owner != of && has(owner))
    })
}

/// Whether growth in this function goes on: requests come in by it, it loops without end, or it is one of
/// those that are called again and again for what lives long.
pub(crate) fn grows_on<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &Function<'a>,
    unit: usize,
    (place, added): (Long<'a>, &'a Expr<'a>),
) -> bool {
    if case.calls.is_hot(case.pkg, id, unit) {
        // What a request makes for itself has methods too, and they run for it.
        return match place {
            Long::Package(_) => true,
            Long::Field(of, _) => is_long_lived_type(case.pkg, of) || super::shared::lives_on(case, id, MAX_CALLS),
        };
    }
    // A loop that takes what comes fills it, whatever the function is named.
    if is_fed(case, f, unit, added) {
        return match place {
            Long::Package(_) => true,
            Long::Field(of, _) => is_long_lived_type(case.pkg, of),
        };
    }
    // What is configured once holds what it was configured with.
    let configures =
        |of: &str| ["config", "options", "settings", "opts"].iter().any(|w| of.to_lowercase().ends_with(w));
    if matches!(place, Long::Field(of, _) if configures(of)) {
        return false;
    }
    let shared = match place {
        Long::Field(of, _) => has_lock(case.pkg, of),
        Long::Package(_) => case.pkg.vars.values().any(|v| v.ty.is_some_and(is_lock)),
    };
    if if shared && of_caller(f, added) { starts_only(f) } else { runs_seldom(f) } {
        return false;
    }
    match place {
        // Only what is called from outside or by others here, and not just once from `main`.
        Long::Package(_) => !only_from_starts(case, id),
        Long::Field(of, _) => is_long_lived_type(case.pkg, of) && !only_from_starts(case, id),
    }
}

/// Whether something stands in a loop over a channel of what others send.
fn is_fed<'a>(case: &Case<'a>, f: &Function<'a>, unit: usize, e: &Expr<'a>) -> bool {
    let Some(u) = f.scope.units.get(unit) else { return false };
    super::loops::loops_in(u.body).iter().filter(|(_, _, l)| l.body.span.contains(e.span)).any(|(_, _, l)| {
        let of_round = e.root().and_then(|r| f.scope.var(r));
        let ForHead::Range { over, vars, .. } = &l.head else {
            // `for { conn, err := listener.Accept(); ...; s.conns[conn] = true }`.
            let made = of_round.and_then(|v| f.scope.vars.get(v));
            return made.is_some_and(|v| {
                l.body.span.contains(v.span)
                    && matches!(v.init, Init::Value(of, 0) if is_accept(of))
                    && matches!(super::loops::length(case.pkg, f, l), super::loops::Length::Ever)
            });
        };
        let taken = vars.first().and_then(|v| f.scope.var(v));
        taken.is_some()
            && taken == of_round
            && matches!(case.pkg.underlying(&case.pkg.type_of(f, over)), Type::Chan(..))
    })
}

/// `listener.Accept()`: what comes from outside, and without end.
fn is_accept(e: &Expr<'_>) -> bool {
    e.method_call().is_some_and(|(_, name, _)| name.starts_with("Accept"))
}

/// Whether every call of a function in this package, of which there is one, is in what runs seldom.
fn only_from_starts(case: &Case<'_>, id: FnId) -> bool {
    let edges: Vec<_> = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).collect();
    !edges.is_empty() && edges.iter().all(|e| !e.in_loop && case.pkg.funcs.get(e.caller).is_some_and(runs_seldom))
}

/// Whether a value of a type is made by a function that is given a request, and by no other.
pub(crate) fn is_made_for_requests<'a>(case: &Case<'a>, of: &str) -> bool {
    let literal = format!("{of}{{");
    let makes = |f: &Function<'a>| {
        let text = case.file(f).at(f.decl.span);
        text.match_indices(&literal).any(|(at, _)| {
            !text.get(..at).and_then(|t| t.chars().next_back()).is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    };
    let mut makers = case.funcs().map(|(_, f)| f).filter(|f| makes(f)).peekable();
    makers.peek().is_some()
        && makers.all(|f| f.decl.sig.params.iter().any(|p| p.ty.pointee().name() == Some(("net/http", "Request"))))
}
