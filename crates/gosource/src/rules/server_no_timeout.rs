//! An HTTP server without timeouts. The page: `docs/rules/server-no-timeout.md`.

use super::client_no_timeout::{At, Holder};
use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::for_operators::{field_of_literal, is_for_operators, serves_files_of_a_tool};
use crate::meaning::loops::{each_node, stands_under};
use crate::syntax::ast::{Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::calls::How;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, Role, VarKind};

/// The rule.
pub(super) struct ServerNoTimeout;

impl Rule for ServerNoTimeout {
    const INFO: RuleInfo = RuleInfo {
        code: "server-no-timeout",
        title: "an HTTP server without timeouts",
        doc: include_str!("../../../../docs/rules/server-no-timeout.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "neither ReadTimeout nor ReadHeaderTimeout is given, and nothing in the package sets one";
    const CURE: &'static str = "Make an http.Server with ReadHeaderTimeout (and ReadTimeout, WriteTimeout, IdleTimeout where they fit) and call its ListenAndServe.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f, site) in case.all_sites() {
            if let Callee::Package("net/http", "ListenAndServe" | "ListenAndServeTLS" | "Serve" | "ServeTLS") =
                site.callee
            {
                let text = case.text(f, site.call.fun.span);
                let found = out.found(
                    id,
                    site.expr.span,
                    format!(
                        "`{text}` serves without any timeout: a client that sends nothing keeps a goroutine for ever"
                    ),
                );
                if site.call.args.first().is_some_and(|a| is_socket_file(case, f, a)) {
                    found.level = Level::Hint;
                    found.why = Some("it listens on a Unix socket: only this machine can reach it".into());
                } else if site.call.args.first().is_some_and(|a| is_of_this_machine(case, f, a)) {
                    found.level = Level::Hint;
                    found.why = Some("only this machine can reach it".into());
                } else if site.call.args.last().is_some_and(Expr::is_nil)
                    && is_debug_alone(case, id, site.unit)
                    && (case.pkg.name == "pprof"
                        || site.call.args.first().is_some_and(|a| is_for_profiles(case.file(f).at(a.span))))
                {
                    found.level = Level::Hint;
                    found.why = Some(
                        "beside the rest, and with nothing to serve but what imports register: profiles, for who asks for them"
                            .into(),
                    );
                } else if serves_operators(case, f, site.expr.span) {
                    found.level = Level::Hint;
                    found.why = Some(FOR_OPERATORS.into());
                } else if text.contains("ListenAndServe")
                    && site.call.args.first().is_some_and(|a| is_for_operators(case, f, a))
                {
                    found.level = Level::Hint;
                    found.why = Some(NAMED_FOR_OPERATORS.into());
                } else if site.call.args.last().is_some_and(|h| serves_files_of_a_tool(case, id, f, site.expr.span, h))
                {
                    found.level = Level::Hint;
                    found.why = Some(FILES_OF_A_TOOL.into());
                }
            }
        }
        let untimed = |e: &Expr<'_>| {
            matches!(&e.kind, ExprKind::Composite(Some(Type::Name { path: "net/http", name: "Server", .. }), elements)
                if !elements.iter().any(|(k, _)| k.as_ref().is_some_and(|k| matches!(k.ident(), Some("ReadTimeout" | "ReadHeaderTimeout")))))
        };
        const SENTENCE: &str = "this server has neither ReadTimeout nor ReadHeaderTimeout: a client that sends nothing keeps a goroutine for ever";
        let made = super::client_no_timeout::composites(case, &untimed);
        for (at, span, holder) in made.into_iter().chain(declared(case)) {
            if super::client_no_timeout::is_set_on(case, holder, &["ReadTimeout", "ReadHeaderTimeout"])
                || super::client_no_timeout::is_given_to_options(case, holder)
                || is_set_by_helper(case, holder)
            {
                continue;
            }
            let passing = is_for_this_call(case, holder) || is_for_an_answer(case, holder);
            let local = is_local(case, &at, span);
            let remade = is_remade(case, &at, span);
            let profiles = is_for_profiles_alone(case, &at, span);
            let operators = is_named_for_operators(case, holder)
                || matches!(at, At::Function(id) if case.pkg.funcs.get(id)
                .is_some_and(|f| serves_operators(case, f, span)));
            let elsewhere = is_served_elsewhere(case, holder);
            let streams = serves_streams(case, holder);
            let by_name = field(case, &at, span, "Addr").is_some_and(|(_, f, a)| is_for_operators(case, f, a));
            let files = field(case, &at, span, "Handler")
                .is_some_and(|(id, f, handler)| serves_files_of_a_tool(case, id, f, span, handler));
            let found = match at {
                At::Function(id) => out.found(id, span, SENTENCE),
                At::File(file) => out.found_in_file(file, span, SENTENCE),
            };
            if is_on_a_socket_file(case, holder) {
                found.level = Level::Hint;
                found.why = Some("it listens on a Unix socket: only this machine can reach it".into());
            }
            if streams {
                found.level = Level::Hint;
                found.why = Some(
                    "what it serves a function of another module gives, and is no listener by its name: who can reach it is not known"
                        .into(),
                );
            }
            if by_name {
                found.level = Level::Hint;
                found.why = Some(NAMED_FOR_OPERATORS.into());
            }
            if files {
                found.level = Level::Hint;
                found.why = Some(FILES_OF_A_TOOL.into());
            }
            if remade {
                found.level = Level::Hint;
                found.why = Some(
                    "a function of another module is given it and gives the server that is used: it may set them"
                        .into(),
                );
            }
            if elsewhere {
                found.level = Level::Hint;
                found.why = Some("a function of another module serves it, and may set them".into());
            }
            if local {
                found.level = Level::Hint;
                found.why = Some("only this machine can reach it".into());
            }
            if profiles {
                found.level = Level::Hint;
                found.why = Some("by its address it serves profiles, to who asks for them".into());
            }
            if operators {
                found.level = Level::Hint;
                found.why = Some(FOR_OPERATORS.into());
            }
            if passing {
                found.level = Level::Hint;
                found.why = Some("it serves beside the function that makes it, and ends with that".into());
            }
        }
    }
}

/// Why a port for metrics or profiles matters little.
const FOR_OPERATORS: &str =
    "by what is around it it serves metrics or profiles, to who runs the service: users as a rule do not reach it";

/// Why a port that is named after health, metrics or administration matters little.
const NAMED_FOR_OPERATORS: &str =
    "by the name of its address it is for who runs the service: users as a rule do not reach it";

/// Why a server of files that a tool's command starts matters little.
const FILES_OF_A_TOOL: &str = "a command of a tool serves files and nothing else: who runs it looks at them, as a rule";

/// Whether a server is there for metrics or profiles alone: the function makes a handler for those and for
/// nothing else, stands under a condition named so, or serves the default handler in a function that says so.
fn serves_operators<'a>(case: &Case<'a>, f: &'a Function<'a>, at: Span) -> bool {
    let text = case.file(f).at(f.decl.span);
    let metrics = text.contains("promhttp.") || text.contains("pprof.") || text.contains("expvar.Handler");
    // What the function puts under paths: all of it for who runs the service.
    let mut routes = case
        .sites(case.pkg.funcs.iter().position(|g| std::ptr::eq(g, f)).unwrap_or(usize::MAX))
        .iter()
        .filter_map(|s| {
            let path = case.file(f).at(s.call.args.first()?.span).to_lowercase();
            let handles = matches!(last_name(&s.call.fun), "Handle" | "HandleFunc") && s.call.args.len() == 2;
            // Other routers have words of their own: `r.Get("/users", list)`.
            (handles || path.starts_with("\"/") && s.call.args.len() >= 2).then_some(path)
        })
        .peekable();
    const PATHS: &[&str] =
        &["metric", "pprof", "debug", "health", "ready", "live", "prom", "expvar", "handlerpath", "prof"];
    let some = routes.peek().is_some();
    let named = f.decl.name.name.to_lowercase();
    let for_them = ["metric", "prof", "debug", "health"].iter().any(|w| named.contains(w));
    let served: Vec<String> = routes.collect();
    let all = |words: &[&str]| some && served.iter().all(|r| words.iter().any(|w| r.contains(w)));
    const FIRST: &[&str] = &[
        "health",
        "healthz",
        "healthcheck",
        "ready",
        "readyz",
        "live",
        "livez",
        "liveness",
        "readiness",
        "metrics",
        "debug",
    ];
    let first =
        |path: &String| path.trim_matches('"').split('/').find(|s| !s.is_empty()).is_some_and(|s| FIRST.contains(&s));
    if (metrics || for_them) && all(PATHS) || some && served.iter().all(first) {
        return true;
    }
    let own = case.file(f).at(at);
    let default = own.ends_with(", nil)") || own.contains("DefaultServeMux");
    let under = stands_under(case.pkg, f, at, is_for_profiles);
    let lower = f.decl.name.name.to_lowercase();
    let owner = f.receiver_type().unwrap_or_default().to_lowercase();
    let says = ["prof", "metric"].iter().any(|w| lower.contains(w) || owner.contains(w));
    default && (under || says || text.contains("/debug/") || text.contains("Profiling"))
}

/// Whether the variable or field that a server is put into is named after what only who runs the service asks
/// for: `s.promServer`, `debugServer`.
fn is_named_for_operators<'a>(case: &Case<'a>, holder: Holder<'a>) -> bool {
    let name = match holder {
        Holder::Local(id, var) => case.pkg.funcs.get(id).and_then(|f| f.scope.vars.get(var)).map_or("", |v| v.name),
        Holder::Named(name) => name,
        _ => "",
    };
    let lower = name.to_lowercase();
    ["prom", "metric", "debug", "pprof", "prof", "health", "probe", "diag", "monitor"]
        .iter()
        .any(|w| lower.starts_with(w))
}

/// Whether a server in a local variable is handed to a function of another module that serves it, by its
/// name: `web.ListenAndServe(server, flags, logger)`.
fn is_served_elsewhere<'a>(case: &Case<'a>, holder: Holder<'a>) -> bool {
    let Holder::Local(id, var) = holder else { return false };
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    case.sites(id).iter().any(|s| {
        matches!(s.callee, Callee::Package(path, name) if path.contains('.') && name.contains("Serve"))
            && s.call.args.iter().any(|a| f.scope.var(a.unary("&").unwrap_or(a)) == Some(var))
    })
}

/// Whether an address, or what the variable in it was made of, says that only this machine can reach it.
fn is_of_this_machine<'a>(case: &Case<'a>, f: &Function<'a>, address: &Expr<'a>) -> bool {
    let says = |e: &Expr<'a>| {
        let text = case.file(f).at(e.span).to_lowercase();
        ["localhost", "\"127.0.0.1", "\"[::1]", "loopback"].iter().any(|w| text.contains(w))
    };
    let mut at = address;
    while let Some((x, ..)) = at.method_call() {
        at = x;
    }
    let made = f.scope.var(at).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
    // `addr = fmt.Sprintf("127.0.0.1:%d", port)`, of a variable that was there before.
    let given = || {
        let named = at.ident().map(|name| format!("{name} = "));
        let text = case.file(f).at(f.decl.span);
        named.is_some_and(|named| {
            // Whatever it is given, and not only as it is tried out.
            let mut values = text.lines().filter_map(|l| l.trim_start().strip_prefix(named.as_str())).peekable();
            let is_of_it = |value: &str| ["\"127.0.0.1", "\"localhost", "\"[::1]"].iter().any(|w| value.contains(w));
            values.peek().is_some() && values.all(is_of_it)
        })
    };
    says(address) || matches!(made, Some(Init::Value(e, _)) if says(e)) || given()
}

/// Whether a server in a local variable serves what a function of another module gives that is no listener by
/// its name: the streams of one connection, `srv.Serve(session)`.
fn serves_streams<'a>(case: &Case<'a>, holder: Holder<'a>) -> bool {
    serves_only(case, holder, |f, listener| {
        let given = f.scope.var(listener).and_then(|v| f.scope.vars.get(v));
        let Some(Init::Value(made, 0)) = given.map(|v| v.init) else { return false };
        let Some(call) = made.call() else { return false };
        let foreign = matches!(case.pkg.callee(f, &call.fun), Callee::Package(path, _) if path.contains('.'));
        foreign && !last_name(&call.fun).to_lowercase().contains("listen")
    })
}

/// Whether a server in a local variable serves, and nothing but listeners of a kind.
fn serves_only<'a>(
    case: &Case<'a>,
    holder: Holder<'a>,
    is_kind: impl Fn(&'a Function<'a>, &'a Expr<'a>) -> bool,
) -> bool {
    let Holder::Local(id, var) = holder else { return false };
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    let mut served = case
        .sites(id)
        .iter()
        .filter(|s| {
            s.call.fun.selector().is_some_and(|(x, name)| f.scope.var(x) == Some(var) && name.starts_with("Serve"))
        })
        .peekable();
    served.peek().is_some() && served.all(|s| s.call.args.first().is_some_and(|a| is_kind(f, a)))
}

/// Whether a literal has an Addr of this machine.
fn is_local(case: &Case<'_>, at: &At, span: Span) -> bool {
    field(case, at, span, "Addr").is_some_and(|(_, f, address)| is_of_this_machine(case, f, address))
}

/// A field of a literal in a function.
fn field<'a>(case: &Case<'a>, at: &At, span: Span, name: &str) -> Option<(FnId, &'a Function<'a>, &'a Expr<'a>)> {
    let At::Function(id) = at else { return None };
    let (id, f) = case.funcs().find(|(n, _)| n == id)?;
    Some((id, f, field_of_literal(f, span, name)?))
}

/// Whether a literal is handed to a function of another module whose result gets a name: `srv :=
/// graceful.WithDefaults(&http.Server{...})`.
fn is_remade(case: &Case<'_>, at: &At, span: Span) -> bool {
    let At::Function(id) = at else { return false };
    let Some(f) = case.pkg.funcs.get(*id) else { return false };
    case.sites(*id).iter().any(|s| {
        matches!(s.callee, Callee::Package(path, _) if path.contains('.'))
            && s.call.args.iter().any(|a| a.unary("&").unwrap_or(a).span == span)
            && f.scope.vars.iter().any(|v| matches!(v.init, Init::Value(e, 0) if e.span == s.expr.span))
    })
}

/// Whether a server serves beside a function that gives something, a token above all, and ends with it: it
/// waits for one answer, of a browser that was opened for it.
fn is_for_an_answer<'a>(case: &Case<'a>, holder: Holder<'a>) -> bool {
    let Holder::Local(id, var) = holder else { return false };
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    if !f.decl.sig.results.iter().any(|r| !r.ty.is("", "error")) {
        return false;
    }
    let of_server = |e: &Expr<'a>| f.scope.var(e) == Some(var);
    let role = |unit: usize| f.scope.units.get(unit).map(|u| u.role);
    let (mut ends, mut serves) = (false, false);
    for s in case.sites(id) {
        let method = s.call.fun.selector().filter(|(x, _)| of_server(x)).map(|(_, name)| name);
        let handed = s.how == How::Go && s.call.args.iter().any(of_server);
        // `go func() { ... }()`, `wg.Go(func() { ... })`.
        let beside = matches!(role(s.unit), Some(Role::Go | Role::Argument));
        let deferred = role(s.unit) == Some(Role::Defer);
        ends |= (s.how == How::Defer || deferred) && method.is_some_and(|m| matches!(m, "Close" | "Shutdown"));
        serves |= handed || beside && method.is_some_and(|m| m.starts_with("Serve") || m.starts_with("ListenAnd"));
    }
    ends && serves
}

/// Whether a server serves in a goroutine, and the function that makes it defers its end.
fn is_for_this_call(case: &Case<'_>, holder: Holder<'_>) -> bool {
    let Holder::Local(id, var) = holder else { return false };
    let Some(f) = case.pkg.funcs.get(id).filter(|f| f.decl.name.name != "main") else { return false };
    let done = |how: How, names: &[&str]| {
        case.sites(id).iter().any(|s| {
            s.how == how
                && s.unit == 0
                && s.call
                    .fun
                    .selector()
                    .is_some_and(|(x, name)| f.scope.var(x) == Some(var) && names.iter().any(|n| name.starts_with(n)))
        })
    };
    done(How::Defer, &["Close", "Shutdown"]) && done(How::Go, &["Serve", "ListenAndServe"])
}

/// Whether a server serves what `net.Listen("unix", ...)` gave, and nothing else.
fn is_on_a_socket_file<'a>(case: &Case<'a>, holder: Holder<'a>) -> bool {
    match holder {
        Holder::Named(_) => listens_on_files_only(case),
        _ => serves_only(case, holder, |f, listener| is_socket_file(case, f, listener)),
    }
}

/// Whether a listener is what `net.Listen("unix", ...)` gave in this function.
fn is_socket_file<'a>(case: &Case<'a>, f: &Function<'a>, listener: &Expr<'a>) -> bool {
    if case.pkg.type_of(f, listener).is("net", "UnixListener") {
        return true;
    }
    let file = case.file(f);
    let named = format!("{}, err", file.at(listener.span));
    let mut lines = file.at(f.decl.span).lines().map(str::trim_start);
    lines.any(|l| l.starts_with(&named) && l.contains("Listen(") && l.contains("\"unix\""))
}

/// Whether all listeners that a package makes are socket files.
pub(super) fn listens_on_files_only(case: &Case<'_>) -> bool {
    let mut listens = case
        .all_sites()
        .filter(|(_, _, s)| last_name(&s.call.fun).starts_with("Listen"))
        .map(|(_, f, s)| s.call.args.iter().any(|a| case.file(f).at(a.span) == "\"unix\""))
        .peekable();
    listens.peek().is_some() && listens.all(|file| file)
}

/// Whether a literal has no handler of its own and an address that is named after profiles: it serves what
/// imports register, for who asks for that.
fn is_for_profiles_alone(case: &Case<'_>, at: &At, span: Span) -> bool {
    let At::Function(id) = at else { return false };
    let Some(f) = case.pkg.funcs.get(*id) else { return false };
    let text = case.file(f).at(span);
    !text.contains("Handler") && is_for_profiles(text)
}

/// Whether a server in a local variable is given to a function of this package that sets one of the timeouts
/// of what it is given.
fn is_set_by_helper<'a>(case: &Case<'a>, holder: Holder<'a>) -> bool {
    let Holder::Local(id, var) = holder else { return false };
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    let given = |a: &Expr<'a>| f.scope.var(a.unary("&").unwrap_or(a)) == Some(var);
    case.sites(id).iter().filter(|s| s.call.args.iter().any(given)).any(|s| {
        let Callee::Local(callee) = s.callee else { return false };
        let Some(g) = case.pkg.funcs.get(callee) else { return false };
        let mut sets = false;
        for u in &g.scope.units {
            each_node(u.body, |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign("=", l, _) = &s.kind
                {
                    sets |= l.iter().filter_map(Expr::selector).any(|(x, name)| {
                        matches!(name, "ReadTimeout" | "ReadHeaderTimeout")
                            && g.scope
                                .var(x)
                                .and_then(|v| g.scope.vars.get(v))
                                .is_some_and(|v| v.kind == VarKind::Param)
                    });
                }
            });
        }
        sets
    })
}

/// Servers that a function declares and gives no value: `var s http.Server`.
fn declared<'a>(case: &Case<'a>) -> Vec<(At, Span, Holder<'a>)> {
    let mut out = Vec::new();
    for (id, f) in case.funcs() {
        for (var, v) in f.scope.vars.iter().enumerate() {
            let server = matches!(v.ty, Some(Type::Name { path: "net/http", name: "Server", .. }));
            if server && v.kind == VarKind::Local && matches!(v.init, Init::None) {
                out.push((At::Function(id), v.span, Holder::Local(id, var)));
            }
        }
    }
    out
}

/// Whether a goroutine serves the default handler, to which the package adds nothing.
fn is_debug_alone(case: &Case<'_>, id: FnId, unit: usize) -> bool {
    let aside = case.pkg.funcs.get(id).and_then(|f| f.scope.units.get(unit)).is_some_and(|u| u.role == Role::Go);
    let adds = |callee: Callee<'_>| matches!(callee, Callee::Package("net/http", "Handle" | "HandleFunc"));
    aside && !case.all_sites().any(|(_, _, s)| adds(s.callee))
}

/// Whether an address is one that is given where somebody wants profiles.
fn is_for_profiles(address: &str) -> bool {
    let lower = address.to_lowercase();
    ["prof", "debug"].iter().any(|w| lower.contains(w))
}
