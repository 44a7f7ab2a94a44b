//! What waits: for a channel, a peer, a process, other goroutines. Rules about what is held meanwhile ask
//! here.

use crate::meaning::case::Case;
use crate::meaning::channels::{Room, last_name, made};
use crate::meaning::loops::{each_node, loops_in};
use crate::syntax::ast::{Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::calls::{How, Site};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, VarKind};

/// Sends and receives of a select with a default: they do not wait.
pub(crate) fn without_waiting(f: &Function<'_>, unit: usize) -> Vec<Span> {
    let mut out = Vec::new();
    let Some(u) = f.scope.units.get(unit) else { return out };
    each_node(u.body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::Select(cases) = &s.kind
        {
            // One that waits is told of itself, not case by case.
            if cases.iter().any(|c| c.comm.is_none()) {
                out.push(s.span);
            }
            out.extend(cases.iter().filter_map(|c| c.comm.as_ref()).map(|c| c.span));
        }
    });
    out
}

/// What is waited for at a node, and whether it surely is.
pub(crate) fn waits<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    node: Node<'a, 'a>,
    ready: &[Span],
) -> Option<(Span, String, bool)> {
    let is_ready = |span: Span| {
        ready
            .iter()
            .any(|r| *r == span || span != *r && r.contains(span) && r.end - r.start < 200 && r.start == span.start)
    };
    match node {
        Node::Stmt(s) => match &s.kind {
            StmtKind::Send(c, _) if !is_ready(s.span) && !has_room(case, f, c, s.span) && !is_asked(case, f, c) => {
                Some((s.span, format!("`{}` is sent to", case.text(f, c.span)), true))
            }
            StmtKind::Select(_) if !ready.contains(&s.span) => {
                let head = Span { end: s.span.start + 6, ..s.span };
                Some((head, "a select waits".to_owned(), true))
            }
            _ => None,
        },
        Node::Expr(e) => {
            if let Some(c) = e.unary("<-") {
                let in_select = ready.iter().any(|r| {
                    r.contains(e.span) && case.file(f).at(*r).contains("<-") && !case.file(f).at(*r).contains('{')
                });
                return (!in_select && !is_asked(case, f, c) && !drains(case, f, c, e.span))
                    .then(|| (e.span, format!("`{}` is received from", case.text(f, c.span)), true));
            }
            let call = e.call()?;
            let text = case.text(f, call.fun.span);
            match case.pkg.callee(f, &call.fun) {
                callee if does_io(callee) || asks_another(case, f, callee, &call.args) => {
                    Some((e.span, format!("`{text}` waits for the outside"), true))
                }
                Callee::Local(id) => {
                    let inner = outside_within(case, id, MAX_WITHIN, &mut Vec::new())?;
                    Some((e.span, format!("`{text}` calls `{inner}`, which waits for the outside"), true))
                }
                Callee::Package("time", "Sleep") => Some((e.span, format!("it sleeps (`{text}`)"), true)),
                Callee::Method("sync", "WaitGroup", "Wait") => {
                    Some((e.span, format!("`{text}` waits for goroutines"), true))
                }
                Callee::Variable(id) => {
                    let param = f.scope.vars.get(id).is_some_and(|v| {
                        v.kind == VarKind::Param && matches!(v.ty.map(|t| case.pkg.underlying(t)), Some(Type::Func(_)))
                    });
                    param.then(|| (e.span, format!("the callback `{text}` runs"), false))
                }
                // A function in a field is as a rule a part of the thing, and made to be called so.
                _ => None,
            }
        }
    }
}

/// Whether the channel was made in this function with room for something: what is sent first does not wait.
pub(crate) fn has_room<'a>(case: &Case<'a>, f: &'a Function<'a>, channel: &Expr<'a>, send: Span) -> bool {
    // In a loop a number is as much room as it says, and no more.
    let looped = f.scope.units.iter().any(|u| loops_in(u.body).iter().any(|(_, _, l)| l.body.span.contains(send)));
    let name = last_name(channel);
    let roomy = |e: &Expr<'a>| match made(case.pkg, f, e) {
        Some(Room::Of(_)) => !looped,
        Some(Room::Unknown) => {
            !looped || ["len(", "max("].iter().any(|w| case.file(f).at(e.span).contains(w)) || is_length(case, f, e)
        }
        Some(Room::None) | None => false,
    };
    let mut found = false;
    for u in &f.scope.units {
        each_node(u.body, |node| match node {
            Node::Stmt(s) => {
                if let StmtKind::Define(l, r) | StmtKind::Assign("=", l, r) = &s.kind
                    && l.len() == r.len()
                {
                    found |= l.iter().zip(r).any(|(t, v)| last_name(t) == name && roomy(v));
                }
                // `var done = make(chan struct{}, 1)`.
                if let StmtKind::Var(specs) = &s.kind {
                    let mut values = specs.iter().flat_map(|s| s.names.iter().zip(&s.values));
                    found |= values.any(|(n, v)| n.name == name && roomy(v));
                }
            }
            Node::Expr(e) => {
                if let ExprKind::Composite(_, elements) = &e.kind {
                    let named = elements.iter().filter(|(k, _)| k.as_ref().and_then(Expr::ident) == Some(name));
                    found |= named.into_iter().any(|(_, v)| roomy(v));
                }
            }
        });
    }
    found
}

/// Whether a channel is made with room for a number that is given a length and nothing else: `n = len(all)`,
/// and then `make(chan T, n)`.
fn is_length<'a>(case: &Case<'a>, f: &Function<'a>, made: &Expr<'a>) -> bool {
    let number = made.call().and_then(|c| c.args.get(1)).and_then(|a| f.scope.var(a));
    let Some(v) = number.and_then(|v| f.scope.vars.get(v)) else { return false };
    let first = if let Init::Value(e, _) = v.init { Some(e) } else { None };
    let mut given = first.into_iter().map(Some).chain(v.assigned.iter().map(|(e, _)| *e)).peekable();
    given.peek().is_some() && given.all(|e| e.is_some_and(|e| case.file(f).at(e.span).starts_with("len(")))
}

/// Whether a receive takes what a timer has left behind: `if !t.Stop() { <-t.C }`.
fn drains<'a>(case: &Case<'a>, f: &'a Function<'a>, channel: &Expr<'a>, at: Span) -> bool {
    let Some((timer, "C")) = channel.selector() else { return false };
    let stop = format!("!{}.Stop()", case.file(f).at(timer.span));
    let mut drains = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::If(i) = &s.kind
            {
                drains |= i.then.span.contains(at) && case.file(f).at(i.cond.span).contains(&stop);
            }
        });
    }
    drains
}

/// Whether the function looks at how full the channel is before, or is a collector of metrics, whose channel
/// is read all the while.
fn is_asked<'a>(case: &Case<'a>, f: &Function<'a>, channel: &Expr<'a>) -> bool {
    let text = case.file(f).at(channel.span);
    let body = case.file(f).at(f.decl.span);
    let of_metrics = match case.pkg.type_of(f, channel) {
        Type::Chan(_, of) => of.pointee().name().is_some_and(|(_, name)| name == "Metric"),
        _ => false,
    };
    let metrics = of_metrics || f.decl.name.name == "Collect" || f.decl.name.name == "collect";
    body.contains(&format!("len({text})"))
        || metrics && f.scope.var(channel).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| v.kind == VarKind::Param)
}

/// Calls that are followed from one under a lock to one that waits.
const MAX_WITHIN: u32 = 3;

/// The call that a function of this package makes, itself or through others and not in a goroutine, that
/// waits for the outside.
fn outside_within(case: &Case<'_>, id: FnId, far: u32, seen: &mut Vec<FnId>) -> Option<String> {
    let far = far.checked_sub(1)?;
    let g = case.pkg.funcs.get(id).filter(|g| !g.decl.broken && !seen.contains(&id))?;
    seen.push(id);
    // Where it lets go of a lock first, it was made to be called under it; what takes one is told of itself.
    let locks = |s: &Site<'_>| s.call.fun.selector().is_some_and(|(_, n)| n.ends_with("Unlock"));
    if case.sites(id).iter().any(locks) {
        return None;
    }
    let waits = || case.sites(id).iter().filter(|s| s.unit == 0 && s.how == How::Plain);
    if let Some(site) = waits().find(|s| does_io(s.callee) || asks_another(case, g, s.callee, &s.call.args)) {
        return Some(case.text(g, site.call.fun.span));
    }
    waits()
        .find_map(|s| if let Callee::Local(inner) = s.callee { outside_within(case, inner, far, seen) } else { None })
}

/// Methods of clients of other modules that take a context: whoever they ask is elsewhere.
pub(crate) fn asks_another<'a>(case: &Case<'a>, f: &Function<'a>, callee: Callee<'a>, args: &[Expr<'a>]) -> bool {
    let Callee::Method(path, ty, name) = callee else { return false };
    // The standard library's are told one by one.
    if !path.split('/').next().is_some_and(|host| host.contains('.')) {
        return false;
    }
    let context =
        args.first().is_some_and(|a| case.pkg.type_of(f, a).is("context", "Context") || a.ident() == Some("ctx"));
    let gorm =
        path.contains("gorm.io") && matches!(name, "First" | "Find" | "Take" | "Create" | "Save" | "Scan" | "Count");
    const STORES: &[&str] = &[
        "redis", "memcache", "mongo", "pgx", "sqlx", "elastic", "kafka", "amqp", "clientv3", "consul", "s3", "dynamodb",
    ];
    let client = ty.ends_with("Client") || STORES.iter().any(|s| path.contains(s));
    gorm || context && client && !ty.contains("Pipe") && !name.starts_with("With") && !name.starts_with("New")
}

/// Calls that go over the network, to a database, or to another process.
pub(crate) fn does_io(callee: Callee<'_>) -> bool {
    match callee {
        Callee::Package("net/http", name) => matches!(name, "Get" | "Post" | "PostForm" | "Head" | "ListenAndServe"),
        Callee::Package("net", name) => {
            matches!(name, "Dial" | "DialTimeout" | "DialTCP" | "LookupHost" | "LookupIP" | "LookupAddr")
        }
        Callee::Package("crypto/tls", name) => name == "Dial",
        Callee::Method("net/http", "Client" | "RoundTripper" | "Transport", name) => {
            matches!(name, "Get" | "Post" | "PostForm" | "Head" | "Do" | "RoundTrip")
        }
        Callee::Method("net", "Dialer", name) => name.starts_with("Dial"),
        Callee::Method("net", "Conn" | "TCPConn", name) => matches!(name, "Read" | "Write"),
        Callee::Method("net", "Listener", name) => name == "Accept",
        Callee::Method("database/sql", "DB" | "Tx" | "Stmt" | "Conn" | "Rows", name) => {
            name.starts_with("Query")
                || name.starts_with("Exec")
                || name.starts_with("Ping")
                || name == "Begin"
                || name == "BeginTx"
        }
        Callee::Method("os/exec", "Cmd", name) => matches!(name, "Run" | "Output" | "CombinedOutput" | "Wait"),
        _ => false,
    }
}

/// Why a wait that is seen two calls further or more is told as a hint: what stands between may be done
/// seldom, and no request is seen to come that way.
pub(crate) fn is_far_off<'a>(
    case: &Case<'a>,
    (id, unit): (FnId, usize),
    f: &Function<'a>,
    node: Node<'a, 'a>,
) -> Option<&'static str> {
    let Node::Expr(e) = node else { return None };
    let Callee::Local(callee) = case.pkg.callee(f, &e.call()?.fun) else { return None };
    let near = outside_within(case, callee, 1, &mut Vec::new()).is_some();
    (!near && !case.calls.is_hot(case.pkg, id, unit))
        .then_some("it is a call within another that waits, and no request is seen to come that way: how often it does is not known")
}
