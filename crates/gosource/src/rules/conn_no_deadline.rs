//! A connection that is read or written without a deadline. The page: `docs/rules/conn-no-deadline.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::{ends_something, last_name};
use crate::meaning::loops::{Length, each_node, length, loops_in};
use crate::meaning::places::Long;
use crate::meaning::places::same;
use crate::syntax::ast::{Expr, ExprKind, StmtKind, Type};
use crate::syntax::calls::{Edge, Site};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Init, Role, VarId, VarKind};

/// The rule.
pub(super) struct ConnNoDeadline;

impl Rule for ConnNoDeadline {
    const INFO: RuleInfo = RuleInfo {
        code: "conn-no-deadline",
        title: "a connection that is read or written without a deadline",
        doc: include_str!("../../../../docs/rules/conn-no-deadline.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "nothing in reach of this call sets a deadline on the connection";
    const CURE: &'static str = "Call SetDeadline (or SetReadDeadline, SetWriteDeadline) before each read and write, with the time that it may take.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            if is_wrapper(f) {
                continue;
            }
            let mut told: Vec<String> = Vec::new();
            // A read that never comes back keeps a goroutine; a write does when buffers are full: told
            // second.
            for reads in [true, false] {
                for site in case.sites(id) {
                    let Some((conn, how)) = moves(case, f, site, reads) else { continue };
                    let key = case.text(f, conn.span);
                    if told.contains(&key) {
                        continue;
                    }
                    let Some(level) = unbounded(case, id, f, conn, reads) else { continue };
                    told.push(key.clone());
                    let text = case.text(f, site.call.fun.span);
                    let found = out.found(
                        id,
                        site.expr.span,
                        format!("`{text}` {how} `{key}`, on which no deadline is set: a peer that is silent is waited for for ever"),
                    );
                    found.level = level;
                    if lasts_as_its_owner(case, id, f, site, conn) {
                        found.level = Level::Hint;
                        found.why = Some(
                            "a goroutine has it for as long as it lasts, or it is kept in a field: silence may be no fault, and something beside may close it"
                                .into(),
                        );
                    }
                    if super::server_no_timeout::listens_on_files_only(case) {
                        found.level = Level::Hint;
                        found.why =
                            Some("this package listens on Unix sockets alone: only this machine can reach them".into());
                    }
                    if !reads && !site.in_loop {
                        found.level = Level::Hint;
                        found.why = Some(
                            "one write as a rule finds room in the buffers, and does not wait for the peer".into(),
                        );
                    }
                }
            }
        }
    }
}

/// Methods that are themselves a connection's: the deadline is set by who calls them.
fn is_wrapper(f: &Function<'_>) -> bool {
    let name = f.decl.name.name;
    f.receiver_type().is_some()
        && matches!(name, "Read" | "Write" | "ReadFrom" | "WriteTo" | "Peek" | "ReadByte" | "Flush" | "Handshake")
}

/// The connection that a call reads or writes, in words.
fn moves<'a>(case: &Case<'a>, f: &Function<'a>, site: &Site<'a>, reads: bool) -> Option<(&'a Expr<'a>, &'static str)> {
    let first = site.call.args.first();
    let (conn, how) = match site.callee {
        Callee::Method("net", "Conn" | "TCPConn", name) | Callee::Method("crypto/tls", "Conn", name) => {
            let (conn, _) = site.call.fun.selector()?;
            match name {
                "Read" if reads => (conn, "reads from"),
                "Write" if !reads => (conn, "writes to"),
                _ => return None,
            }
        }
        Callee::Package("io", "ReadFull" | "ReadAtLeast" | "ReadAll") if reads => (first?, "reads from"),
        Callee::Package("io", "WriteString") | Callee::Package("fmt", "Fprintf" | "Fprint" | "Fprintln") if !reads => {
            (first?, "writes to")
        }
        // A reader over it that stays in this function reads here.
        Callee::Package("bufio", "NewReader" | "NewReaderSize" | "NewScanner") if reads && stays(f, site.expr) => {
            (first?, "reads from")
        }
        _ => return None,
    };
    let ty = case.pkg.type_of(f, conn);
    (ty.is("net", "Conn") || ty.is("net", "TCPConn") || ty.is("crypto/tls", "Conn")).then_some((conn, how))
}

/// Whether what a call gives has a name of this function, and is neither returned nor put away.
fn stays<'a>(f: &Function<'a>, call: &Expr<'a>) -> bool {
    let var = f.scope.vars.iter().position(|v| matches!(v.init, Init::Value(e, 0) if e.span == call.span));
    var.is_some_and(|v| !is_put_away(f, v))
}

/// Whether a variable stands in a return, in a literal, or is assigned to something.
fn is_put_away<'a>(f: &Function<'a>, var: VarId) -> bool {
    let is = |e: &Expr<'a>| f.scope.var(e) == Some(var);
    let mut away = false;
    for u in &f.scope.units {
        visit::block(u.body, &mut |node| {
            match node {
                Node::Stmt(s) => match &s.kind {
                    StmtKind::Return(list) => away |= list.iter().any(is),
                    StmtKind::Assign("=", _, r) => away |= r.iter().any(is),
                    _ => {}
                },
                Node::Expr(e) => {
                    if let ExprKind::Composite(_, elements) = &e.kind {
                        away |= elements.iter().any(|(_, v)| is(v));
                    }
                }
            }
            !away
        });
    }
    away
}

/// Calls that a connection is followed to who has it.
const MAX_CALLS: u32 = 3;

/// Whether a connection is one that this process has dialled and a goroutine uses in a loop, or is kept in a
/// field by whoever hands it to this function.
fn lasts_as_its_owner<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, site: &Site<'a>, conn: &Expr<'a>) -> bool {
    let Some(var) = f.scope.var(conn) else { return false };
    match f.scope.vars.get(var).map(|v| v.kind) {
        Some(VarKind::Local) => is_stream(f, var, site.unit, site.in_loop),
        Some(VarKind::Param) => is_given_so(case, id, f, var, MAX_CALLS),
        _ => false,
    }
}

/// Whether a local connection was dialled here and is used in a loop of a goroutine.
fn is_stream(f: &Function<'_>, var: VarId, unit: usize, in_loop: bool) -> bool {
    let dialled = f.scope.vars.get(var).is_some_and(|v| {
        matches!(v.init, Init::Value(made, 0) if made.call().is_some_and(|c| last_name(&c.fun).starts_with("Dial")))
    });
    dialled && in_loop && f.scope.units.get(unit).is_some_and(|u| u.role == Role::Go)
}

/// Whether all who call a function give it, for a parameter, a field or such a connection.
fn is_given_so<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, param: VarId, calls: u32) -> bool {
    let Some(calls) = calls.checked_sub(1) else { return false };
    let name = f.scope.vars.get(param).map_or("", |v| v.name);
    let at = f.decl.sig.params.iter().position(|p| p.name.is_some_and(|n| n.name == name));
    let Some(at) = at else { return false };
    let mut edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).peekable();
    edges.peek().is_some()
        && edges.all(|e| {
            let Some(g) = case.pkg.funcs.get(e.caller) else { return false };
            let Some(given) = e.call.call().and_then(|c| c.args.get(at)) else { return false };
            if given.selector().is_some() {
                return true;
            }
            let Some(var) = g.scope.var(given) else { return false };
            match g.scope.vars.get(var).map(|v| v.kind) {
                Some(VarKind::Local) => is_stream(g, var, e.unit, e.in_loop),
                Some(VarKind::Param) => is_given_so(case, e.caller, g, var, calls),
                _ => false,
            }
        })
}

/// Whether a caller sets a deadline before a call, or the call stands in a loop or a literal, or starts a
/// goroutine: then the text does not tell what is first.
fn sets_before(case: &Case<'_>, edge: &Edge<'_>, reads: bool) -> bool {
    case.sites(edge.caller).iter().any(|s| {
        s.call.fun.selector().is_some_and(|(_, name)| is_setter(name, reads))
            && (edge.in_loop || edge.starts || s.unit != edge.unit || s.expr.span.start < edge.call.span.start)
    })
}

/// Whether what a caller gives for a connection is a type of this package around one, whose `Read` sets the
/// deadline.
fn is_wrapped<'a>(case: &Case<'a>, edge: &Edge<'a>, param: VarId, f: &Function<'a>) -> bool {
    let name = f.scope.vars.get(param).map_or("", |v| v.name);
    let at = f.decl.sig.params.iter().position(|p| p.name.is_some_and(|n| n.name == name));
    let given = at.and_then(|n| edge.call.call()?.args.get(n));
    let (Some(given), Some(g)) = (given, case.pkg.funcs.get(edge.caller)) else { return false };
    let ty = case.pkg.type_of(g, given);
    // Of an interface the value that it was given tells: `var c net.Conn = &idleConn{conn}`.
    let of = match (ty.pointee().name(), &given.unary("&").unwrap_or(given).kind) {
        (Some(("", of)), _) => Some(of),
        (_, ExprKind::Composite(Some(ty), _)) => ty.pointee().name().map(|(_, of)| of),
        _ => {
            let v = g.scope.var(given).and_then(|v| g.scope.vars.get(v));
            let values = v.into_iter().flat_map(|v| {
                let first = if let Init::Value(e, 0) = v.init { Some(e) } else { None };
                first.into_iter().chain(v.assigned.iter().filter_map(|(e, _)| *e))
            });
            values.into_iter().find_map(|e| match &e.unary("&").unwrap_or(e).kind {
                ExprKind::Composite(Some(ty), _) => ty.pointee().name().map(|(_, of)| of),
                _ => None,
            })
        }
    };
    of.is_some_and(|of| {
        case.funcs()
            .any(|(id, m)| m.receiver_type() == Some(of) && m.decl.name.name == "Read" && sets_deadline(case, id, true))
    })
}

/// Whether nothing that can be seen sets a deadline on a connection, and how sure that is.
fn unbounded<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, conn: &Expr<'a>, reads: bool) -> Option<Level> {
    match (f.scope.var(conn), conn.selector()) {
        (Some(var), _) => {
            let v = f.scope.vars.get(var)?;
            let (local, made_here) = match (v.kind, v.init) {
                (VarKind::Local, Init::Value(made, 0)) => (true, opens(case, f, made)),
                (VarKind::Param, _) => (false, true),
                _ => return None,
            };
            if !made_here || !v.assigned.is_empty() || sets_deadline(case, id, reads) {
                return None;
            }
            if local {
                // Who is given it may set one.
                return (!handed_to_setter(case, id, f, var, reads) && !is_ended_beside(case, id, f, var))
                    .then_some(Level::Warning);
            }
            let callers: Vec<_> =
                case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).collect();
            if callers.is_empty() {
                return Some(Level::Hint).filter(|_| !anywhere(case, reads));
            }
            let above = |e: &&Edge<'a>| {
                sets_before(case, e, reads)
                    || is_wrapped(case, e, var, f)
                    || case
                        .calls
                        .to
                        .get(&e.caller)
                        .into_iter()
                        .flatten()
                        .filter_map(|n| case.calls.edges.get(*n))
                        .any(|e| sets_deadline(case, e.caller, reads))
            };
            // A stream that lasts until somebody says that it ends: silence is no fault there.
            let level = if lasts(case, f) { Level::Hint } else { Level::Warning };
            (!callers.iter().any(above)).then_some(level)
        }
        (None, Some((x, name))) => {
            let owner = case.pkg.type_of(f, x);
            let Some(("", of)) = owner.name() else { return None };
            let place = Long::Field(of, name);
            let set = case.all_sites().any(|(_, g, s)| {
                s.call.fun.selector().is_some_and(|(c, method)| {
                    is_setter(method, reads)
                        && (same(case.pkg, g, c, place)
                            || c.selector().is_some_and(|(x, n)| n == name && case.pkg.type_of(g, x) == Type::Unknown))
                })
            });
            let constructor_sets = case.funcs().any(|(other, g)| {
                sets_deadline(case, other, reads) && g.decl.sig.results.iter().any(|r| r.ty.name() == Some(("", of)))
            });
            (!set && !constructor_sets).then_some(Level::Hint)
        }
        _ => None,
    }
}

/// Whether something beside closes a connection after a while, which ends a read too: a function that
/// `context.AfterFunc` or `time.AfterFunc` runs, or a goroutine that waits for an end and closes it then.
fn is_ended_beside<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, var: VarId) -> bool {
    f.scope.units.iter().filter(|u| u.parent.is_some()).any(|u| {
        let (mut closes, mut told) = (false, false);
        each_node(u.body, |node| {
            if let Node::Expr(e) = node {
                closes |= e.method_call().is_some_and(|(x, name, _)| name == "Close" && f.scope.var(x) == Some(var));
                told |= e.unary("<-").is_some_and(|c| ends_something(last_name(c)));
            }
        });
        let later = || {
            let runs =
                |s: &Site<'a>| last_name(&s.call.fun) == "AfterFunc" && s.call.args.iter().any(|a| a.span == u.span);
            case.sites(id).iter().any(runs)
        };
        closes && (u.role == Role::Go && told || u.role == Role::Argument && later())
    })
}

/// Whether a function goes on in a loop that looks each round whether it is to end.
fn lasts<'a>(case: &Case<'a>, f: &'a Function<'a>) -> bool {
    f.scope.units.iter().flat_map(|u| loops_in(u.body)).any(|(_, _, l)| {
        let mut told = false;
        each_node(&l.body, |node| {
            if let Node::Expr(e) = node {
                told |= e.unary("<-").is_some_and(|c| ends_something(last_name(c)));
            }
        });
        told && !matches!(length(case.pkg, f, l), Length::Counted)
    })
}

/// Whether a call dials or accepts.
fn opens<'a>(case: &Case<'a>, f: &Function<'a>, e: &Expr<'a>) -> bool {
    let Some(call) = e.call() else { return false };
    match case.pkg.callee(f, &call.fun) {
        Callee::Package("net" | "crypto/tls", name) => {
            let local = call
                .args
                .first()
                .is_some_and(|a| matches!(a.kind, ExprKind::Lit(_, t) if t.contains("unix") || t.contains("udp")));
            name.starts_with("Dial") && !local
        }
        Callee::Method("net" | "crypto/tls", _, name) => name.starts_with("Dial") || name.starts_with("Accept"),
        _ => false,
    }
}

/// Whether a method sets a deadline for reads, or for writes.
fn is_setter(name: &str, reads: bool) -> bool {
    name == "SetDeadline" || name == if reads { "SetReadDeadline" } else { "SetWriteDeadline" }
}

/// Whether a function sets a deadline on anything.
fn sets_deadline(case: &Case<'_>, id: FnId, reads: bool) -> bool {
    case.sites(id).iter().any(|s| s.call.fun.selector().is_some_and(|(_, name)| is_setter(name, reads)))
}

fn anywhere(case: &Case<'_>, reads: bool) -> bool {
    case.funcs().any(|(id, _)| sets_deadline(case, id, reads))
}

/// Whether a variable is handed to a function of this package that sets deadlines, or wrapped by one.
fn handed_to_setter<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, var: VarId, reads: bool) -> bool {
    let is = |e: &Expr<'a>| f.scope.var(e) == Some(var);
    case.sites(id).iter().filter(|s| s.call.args.iter().any(is)).any(|s| match s.callee {
        Callee::Local(callee) => sets_deadline(case, callee, reads) || is_wrapping(case, callee),
        _ => false,
    })
}

/// A function that gives a connection of its own type back.
fn is_wrapping(case: &Case<'_>, id: FnId) -> bool {
    case.pkg.funcs.get(id).is_some_and(|g| {
        g.decl.sig.results.iter().any(|r| matches!(r.ty.pointee(), Type::Name { name, .. } if name.ends_with("onn")))
    })
}
