//! A lock that is held while something is waited for. The page: `docs/rules/lock-held-across-wait.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::held::{locks_of, walk_held};
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Span, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, Function, VarKind};

/// The rule.
pub(super) struct LockHeldAcrossWait;

impl Rule for LockHeldAcrossWait {
    const INFO: RuleInfo = RuleInfo {
        code: "lock-held-across-wait",
        title: "a lock that is held while something is waited for",
        doc: include_str!("../../../../docs/rules/lock-held-across-wait.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "between Lock and this statement nothing on the path unlocks it";
    const CURE: &'static str = "Take what is needed under the lock, unlock, and then wait, send or call.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for unit in 0..f.scope.units.len() {
                let locks = locks_of(case, f, unit);
                if locks.is_empty() {
                    continue;
                }
                let ready = without_waiting(f, unit);
                let mut told: Vec<(usize, bool)> = Vec::new();
                walk_held(case, id, f, unit, &locks, |node, held| {
                    let Some((span, what, surely)) = waits(case, f, node, &ready) else { return };
                    let Some(lock) = (0..locks.len()).find(|n| held.how(*n).is_some()) else { return };
                    if told.contains(&(lock, surely)) || !surely && told.contains(&(lock, true)) {
                        return;
                    }
                    told.push((lock, surely));
                    let key = locks.get(lock).map_or("", |l| l.key);
                    let found =
                        out.found(id, span, format!("`{key}` is held while {what}: whoever wants it waits as long"));
                    if !surely {
                        found.level = Level::Hint;
                        found.why =
                            Some("what the callback does is not known: it may wait, or want the same lock".into());
                    }
                });
            }
        }
    }
}

/// Sends and receives of a select with a default: they do not wait.
fn without_waiting(f: &Function<'_>, unit: usize) -> Vec<Span> {
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
fn waits<'a>(case: &Case<'a>, f: &'a Function<'a>, node: Node<'a, 'a>, ready: &[Span]) -> Option<(Span, String, bool)> {
    let is_ready = |span: Span| {
        ready
            .iter()
            .any(|r| *r == span || span != *r && r.contains(span) && r.end - r.start < 200 && r.start == span.start)
    };
    match node {
        Node::Stmt(s) => match &s.kind {
            StmtKind::Send(c, _) if !is_ready(s.span) => {
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
                return (!in_select).then(|| (e.span, format!("`{}` is received from", case.text(f, c.span)), true));
            }
            let call = e.call()?;
            let text = case.text(f, call.fun.span);
            match case.pkg.callee(f, &call.fun) {
                callee if does_io(callee) => Some((e.span, format!("`{text}` waits for the outside"), true)),
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
                // Most functions in fields are parts of a thing; those with such names are others'.
                Callee::Field(name) => {
                    is_callback(name).then(|| (e.span, format!("the callback `{text}` runs"), false))
                }
                _ => None,
            }
        }
    }
}

/// `onChange`, `OnEvent`, `notify`, `cb`.
fn is_callback(name: &str) -> bool {
    let lower = name.to_lowercase();
    let on = name
        .strip_prefix("on")
        .or_else(|| name.strip_prefix("On"))
        .is_some_and(|rest| rest.starts_with(char::is_uppercase));
    on || lower == "cb" || ["callback", "hook", "notify", "listener", "handler"].iter().any(|w| lower.contains(w))
}

/// Calls that go over the network, to a database, or to another process.
fn does_io(callee: Callee<'_>) -> bool {
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
