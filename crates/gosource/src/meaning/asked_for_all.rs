//! Why what is asked for under a lock may have to be asked for there: whoever waits for the lock wants it
//! too, it is near, or it is seldom.

use crate::meaning::case::Case;
use crate::meaning::channels::last_name;
use crate::meaning::loops::each_node;
use crate::meaning::short_waits::is_short_time;
use crate::meaning::waits::{asks_another, does_io};
use crate::syntax::ast::{Call, Expr, ExprKind, StmtKind};
use crate::syntax::calls::How;
use crate::syntax::visit::Node;
use crate::syntax::{Callee, Function, Init};

/// Why what is asked for under a lock may have to be: it is kept in a field that was looked at before, and
/// whoever waits for the lock wants it too.
pub(crate) fn is_kept_for_all<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    unit: usize,
    node: Node<'a, 'a>,
) -> Option<&'static str> {
    let Node::Expr(wait) = node else { return None };
    wait.call()?;
    let u = f.scope.units.get(unit)?;
    let (mut given, mut kept): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut read: Vec<(&str, &str)> = Vec::new();
    let field = |e: &Expr<'a>| e.selector().map(|(_, name)| name);
    each_node(u.body, |node| {
        let Node::Stmt(s) = node else { return };
        match &s.kind {
            StmtKind::If(i) if s.span.end <= wait.span.start => {
                let tested = case.file(f).at(i.cond.span);
                if let Some(StmtKind::Return(list)) = i.then.stmts.last().map(|s| &s.kind) {
                    let looked = |e: &Expr<'a>| {
                        let name = e.ident().filter(|name| tested.contains(name))?;
                        read.iter().find(|(local, _)| *local == name).map(|(_, field)| *field)
                    };
                    given.extend(list.iter().filter_map(looked));
                    given.extend(list.iter().filter_map(field).filter(|name| tested.contains(name)));
                }
            }
            // `pool = b.pool; if pool != nil { return pool }`, and then `b.pool = pool`.
            StmtKind::Assign("=", l, _) | StmtKind::Define(l, _) if s.span.end <= wait.span.start => {
                if let StmtKind::Assign(_, _, r) | StmtKind::Define(_, r) = &s.kind {
                    let pairs = l.iter().zip(r).filter_map(|(t, v)| Some((t.ident()?, field(v)?)));
                    read.extend(pairs);
                }
            }
            StmtKind::Assign("=", l, _) if s.span.start > wait.span.end => kept.extend(l.iter().filter_map(field)),
            _ => {}
        }
    });
    given.iter().any(|name| kept.contains(name)).then_some(
        "what it gives is kept in the field that is looked at before: whoever waits for the lock wants it too",
    )
}

/// Why what is asked for under a lock is near: the package's database is SQLite, a file that this process
/// itself reads and writes.
pub(crate) fn asks_a_file<'a>(case: &Case<'a>, f: &Function<'a>, node: Node<'a, 'a>) -> Option<&'static str> {
    let Node::Expr(e) = node else { return None };
    let of_sql = |callee: Callee<'a>| matches!(callee, Callee::Method("database/sql", ..));
    let asks = match case.pkg.callee(f, &e.call()?.fun) {
        Callee::Local(id) => {
            let g = case.pkg.funcs.get(id)?;
            let waits = case.sites(id).iter().filter(|s| s.unit == 0 && s.how == How::Plain);
            waits
                .filter(|s| does_io(s.callee) || asks_another(case, g, s.callee, &s.call.args))
                .all(|s| of_sql(s.callee))
        }
        callee => of_sql(callee),
    };
    let local = || case.pkg.files.iter().flat_map(|f| &f.ast.imports).any(|i| i.path.contains("sqlite"));
    (asks && local()).then_some("the database is SQLite, a file of this process: no peer is waited for")
}

/// Why what is asked for under a lock is asked for one at a time anyway: the lock stands beside the
/// transaction that is asked, in one value (`t.mu` and `t.tx`).
pub(crate) fn guards_transaction<'a>(
    case: &Case<'a>,
    f: &Function<'a>,
    node: Node<'a, 'a>,
    lock: &str,
) -> Option<&'static str> {
    let Node::Expr(e) = node else { return None };
    let call = e.call()?;
    // What is asked, if it is a transaction in a field: its owner.
    let owner = |call: &Call<'a>| {
        let (tx, _) = call.fun.selector()?;
        let (x, field) = tx.selector()?;
        (matches!(field, "tx" | "txn") || case.pkg.type_of(f, tx).is("database/sql", "Tx")).then(|| x.ident()).flatten()
    };
    let (of_lock, _) = lock.rsplit_once('.')?;
    let beside = match case.pkg.callee(f, &call.fun) {
        // A method of the same value, which asks nothing but its transaction.
        Callee::Local(id) => {
            let g = case.pkg.funcs.get(id)?;
            let mut waits = case
                .sites(id)
                .iter()
                .filter(|s| s.unit == 0 && s.how == How::Plain)
                .filter(|s| does_io(s.callee) || asks_another(case, g, s.callee, &s.call.args))
                .peekable();
            call.fun.selector().is_some_and(|(x, _)| x.ident() == Some(of_lock))
                && waits.peek().is_some()
                && waits.all(|s| owner(s.call).is_some())
        }
        _ => owner(call) == Some(of_lock),
    };
    beside.then_some("the lock stands beside the transaction that it guards, which does one thing at a time anyway")
}

/// Why what is asked for under a lock may have to be: it stands under a test of a field, or behind one that
/// leads out, which is set anew behind it: a token or the like is refreshed, and whoever waits for the lock
/// wants it too.
pub(crate) fn is_refreshed<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    unit: usize,
    node: Node<'a, 'a>,
) -> Option<&'static str> {
    const TIMES: &[&str] =
        &["expir", "refresh", "updated", "deadline", "until", "fetched", "loaded", "checked", "checktime"];
    let Node::Expr(wait) = node else { return None };
    wait.call()?;
    let u = f.scope.units.get(unit)?;
    let (mut tested, mut set): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    each_node(u.body, |node| {
        let Node::Stmt(s) = node else { return };
        match &s.kind {
            StmtKind::If(i) => {
                let around = i.then.span.contains(wait.span);
                let leads_out = s.span.end <= wait.span.start
                    && i.then.stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_)));
                if around || leads_out {
                    tested.push(case.file(f).at(i.cond.span));
                    behind(case, f, &i.cond, &mut tested);
                }
            }
            StmtKind::Assign("=", l, _) if s.span.start > wait.span.end => {
                set.extend(l.iter().filter_map(|e| e.selector()).map(|(_, name)| name));
            }
            _ => {}
        }
    });
    // `if t.needsRefresh() { t.refresh(ctx) }`.
    let renews = wait.call().is_some_and(|c| {
        let name = last_name(&c.fun).to_lowercase();
        ["refresh", "renew"].iter().any(|w| name.contains(w))
    });
    let needed = |t: &&str| {
        ["needsrefresh", "needstokenrefresh", "expired", "isstale"].iter().any(|w| t.to_lowercase().contains(w))
    };
    if renews && tested.iter().any(needed) {
        return Some("it is renewed where a test says that it has to be: whoever waits for the lock wants it too");
    }
    // The function that asks may note the time itself.
    if let Some(Callee::Local(id)) = wait.call().map(|c| case.pkg.callee(f, &c.fun))
        && let Some(g) = case.pkg.funcs.get(id)
    {
        set.extend(fields_set(g));
    }
    let of_time = |name: &str| TIMES.iter().any(|w| name.to_lowercase().contains(w));
    set.iter().filter(|name| of_time(name)).any(|name| tested.iter().any(|t| t.contains(*name))).then_some(
        "it is asked for only when the time in a field says so, and kept: whoever waits for the lock wants it too",
    )
}

/// What a condition looks at where it does not say so itself: the text of functions of this package that it
/// calls, and of what the variables in it were made of.
fn behind<'a>(case: &Case<'a>, f: &Function<'a>, cond: &'a Expr<'a>, out: &mut Vec<&'a str>) {
    crate::syntax::visit::expr(cond, &mut |node| {
        let Node::Expr(e) = node else { return true };
        if let Some(Callee::Local(id)) = e.call().map(|c| case.pkg.callee(f, &c.fun))
            && let Some(g) = case.pkg.funcs.get(id)
        {
            out.push(case.file(g).at(g.decl.span));
        }
        if let Some(Init::Value(made, _)) = f.scope.var(e).and_then(|v| f.scope.vars.get(v)).map(|v| v.init) {
            out.push(case.file(f).at(made.span));
        }
        true
    });
}

/// Names of the fields that a function assigns to, in closures too.
fn fields_set<'a>(g: &'a Function<'a>) -> Vec<&'a str> {
    let mut set = Vec::new();
    for unit in &g.scope.units {
        each_node(unit.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, _) = &s.kind
            {
                set.extend(l.iter().filter_map(|e| e.selector()).map(|(_, name)| name));
            }
        });
    }
    set
}

/// Why what is asked for under a lock is asked for once: it stands under a test of a field for nil, and what
/// is called sets that field.
pub(crate) fn is_made_once<'a>(
    case: &Case<'a>,
    f: &'a Function<'a>,
    unit: usize,
    node: Node<'a, 'a>,
) -> Option<&'static str> {
    let Node::Expr(wait) = node else { return None };
    let Callee::Local(id) = case.pkg.callee(f, &wait.call()?.fun) else { return None };
    let g = case.pkg.funcs.get(id)?;
    let u = f.scope.units.get(unit)?;
    let mut fields: Vec<&str> = Vec::new();
    each_node(u.body, |node| {
        if let Node::Stmt(s) = node
            && let StmtKind::If(i) = &s.kind
            && i.then.span.contains(wait.span)
            && let ExprKind::Binary("==", operands) = &i.cond.kind
            && let [x, nil] = operands.as_slice()
            && nil.is_nil()
        {
            fields.extend(x.selector().map(|(_, name)| name));
        }
    });
    let sets = fields_set(g).iter().any(|name| fields.contains(name));
    sets.then_some(
        "it is asked for only as long as the field is nil, which it sets: whoever waits for the lock wants it too",
    )
}

/// Why a wait under a lock is seldom: the function changes the service itself, by its name, and whoever wants
/// the lock has to wait for that.
pub(crate) fn is_for_a_change<'a>(case: &Case<'a>, f: &Function<'a>, node: Node<'a, 'a>) -> Option<&'static str> {
    let name = f.decl.name.name.to_lowercase();
    let changes =
        ["reconfigur", "reload", "restart", "upgrade", "selfupdate", "reinit"].iter().any(|w| name.starts_with(w));
    let of_updater = f.receiver_type().is_some_and(|t| {
        let t = t.to_lowercase();
        ["updater", "upgrader", "installer", "migrator"].iter().any(|w| t.ends_with(w))
    }) && ["update", "upgrade", "install", "migrate"].iter().any(|w| name.starts_with(w));
    let sleeps = match node {
        Node::Expr(e) => e.call().is_some_and(|c| {
            case.pkg.callee(f, &c.fun) == Callee::Package("time", "Sleep")
                && is_short_time(case.file(f).at(e.span), "time.Sleep(")
        }),
        Node::Stmt(_) => false,
    };
    // `func (s *lockedTransport) RoundTrip(r) { s.mu.Lock(); ...; return s.rt.RoundTrip(r) }`.
    let wraps = f.receiver_type().is_some_and(|t| {
        let t = t.to_lowercase();
        ["safe", "locked", "synchronized", "serial", "exclusive"].iter().any(|w| t.starts_with(w))
    }) && matches!(node, Node::Expr(e) if e.call().is_some_and(|c| last_name(&c.fun) == f.decl.name.name));
    if wraps {
        return Some("the type is there to let one at a time through to what it wraps, by its name");
    }
    if of_updater {
        return Some("it replaces the program or its data: that there is one at a time is what the lock is for");
    }
    (changes && sleeps).then_some("the service is configured anew, which is seldom, and waits for a short time")
}

/// Why a function of this package that is called under a lock waits not long: it sets a timeout itself.
pub(crate) fn gives_up_itself<'a>(case: &Case<'a>, f: &Function<'a>, node: Node<'a, 'a>) -> Option<&'static str> {
    let Node::Expr(e) = node else { return None };
    let Callee::Local(id) = case.pkg.callee(f, &e.call()?.fun) else { return None };
    let g = case.pkg.funcs.get(id)?;
    let text = case.file(g).at(g.decl.span);
    let timed = text.contains("context.WithTimeout(") || text.contains("http.Client{") && text.contains("Timeout:");
    timed.then_some("what it calls sets a timeout: it is waited for no longer than that")
}
