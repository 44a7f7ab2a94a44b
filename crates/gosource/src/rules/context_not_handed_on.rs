//! A context that is at hand and not handed on. The page: `docs/rules/context-not-handed-on.md`.

use super::rule::{Ask, Bound, Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::comments::above_names;
use crate::meaning::failures::each_failure;
use crate::meaning::loops::{each_node, stands_under};
use crate::meaning::own_contexts::{is_kept_for_others, is_used_after, only_sets};
use crate::meaning::who_runs::migrates;
use crate::syntax::ast::{Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::calls::{How, Site};
use crate::syntax::visit::Node;

use crate::syntax::{Callee, FnId, Function, Init, Role, Var, VarKind};

/// The rule.
pub(super) struct ContextNotHandedOn;

impl Rule for ContextNotHandedOn {
    const INFO: RuleInfo = RuleInfo {
        code: "context-not-handed-on",
        title: "a context that is at hand and not handed on",
        doc: include_str!("../../../../docs/rules/context-not-handed-on.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "the function is given a context or a request, and what it calls here waits without it";
    const CURE: &'static str =
        "Hand the context on: the ...Context variant of the call, or ctx instead of context.Background().";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f, site) in case.all_sites() {
            let Some(ctx) = context_of(f, site.unit) else { continue };
            // Work that outlives the request may not have its context.
            if detached(case, id, f, site.unit) || site.how != How::Plain {
                continue;
            }
            let text = case.text(f, site.call.fun.span);
            let better = match site.callee {
                Callee::Package("net/http", "NewRequest") => "http.NewRequestWithContext",
                Callee::Package("net/http", "Get" | "Post" | "PostForm" | "Head") => {
                    "http.NewRequestWithContext and Do"
                }
                // Started and left: a browser, a daemon.
                Callee::Package("os/exec", "Command") if is_left_alone(case, f, site) => continue,
                Callee::Package("os/exec", "Command") => "exec.CommandContext",
                Callee::Package("net", "Dial" | "DialTimeout") => "(&net.Dialer{}).DialContext",
                Callee::Method("database/sql", "DB" | "Tx" | "Stmt" | "Conn", name) => match name {
                    "Query" => "QueryContext",
                    "QueryRow" => "QueryRowContext",
                    "Exec" => "ExecContext",
                    "Prepare" => "PrepareContext",
                    "Begin" => "BeginTx",
                    "Ping" => "PingContext",
                    _ => continue,
                },
                // `github.com/jmoiron/sqlx` stands around `database/sql`.
                Callee::Method("github.com/jmoiron/sqlx", "DB" | "Tx", name) => match name {
                    "Query" => "QueryContext",
                    "QueryRow" => "QueryRowContext",
                    "Queryx" => "QueryxContext",
                    "QueryRowx" => "QueryRowxContext",
                    "Exec" | "MustExec" => "ExecContext",
                    "NamedExec" => "NamedExecContext",
                    "Get" => "GetContext",
                    "Select" => "SelectContext",
                    _ => continue,
                },
                Callee::Package("context", "Background" | "TODO") => {
                    background(case, id, f, site, &ctx, out);
                    continue;
                }
                _ => continue,
            };
            // Whether somebody listens on a socket file is known at once.
            let first = site.call.args.first().map(|a| case.file(f).at(a.span));
            if better.contains("DialContext") && first == Some("\"unix\"") {
                continue;
            }
            // A request may be given its context afterwards.
            if better == "http.NewRequestWithContext" && gets_context(case, id, f, site) {
                continue;
            }
            let found = out.found(id, site.expr.span, format!("`{text}` does not take `{ctx}`, which is at hand: it goes on when nobody waits for it any more; {better} takes it"));
            if better == "http.NewRequestWithContext"
                && f.decl.sig.results.iter().any(|r| r.ty.pointee().name() == Some(("net/http", "Request")))
            {
                found.level = Level::Hint;
                found.why = Some("the request is given back: who sends it may give it a context".into());
            }
            if migrates(case.file(f).name, f) {
                found.level = Level::Hint;
                found.why = Some("by its name it changes the database when the program starts: once, and nobody waits for a request meanwhile".into());
            }
            if better == "PrepareContext" {
                found.level = Level::Hint;
                found.why = Some(
                    "it makes a statement and does not run it: that is a short question to a database, and none to one in the process"
                        .into(),
                );
            }
            if ctx.ends_with(".Context()") && case.file(f).at(f.decl.span).contains(".Hijack()") {
                found.level = Level::Hint;
                found.why =
                    Some("the connection was taken over: that it ends no longer ends the request's context".into());
            }
            if matches!(site.callee, Callee::Package("net/http", _)) && better.ends_with("Do") {
                found.level = Level::Hint;
                found.why = Some(
                    "that it is asked by a client that waits for ever is told by another rule; whether it has to be done though who asked has left is not known"
                        .into(),
                );
            }
            if text.ends_with("DialTimeout") {
                found.level = Level::Hint;
                found.why = Some("it waits no longer than its timeout".into());
            }
            if better == "exec.CommandContext" && case.file(f).at(f.decl.span).contains(&format!("{ctx}.Done()")) {
                found.level = Level::Hint;
                found.why = Some("the function looks for the end of the context, and may end the process then".into());
            }
            if better == "exec.CommandContext" && starts_only(case, id, site.unit) {
                found.level = Level::Hint;
                found.why = Some("the process is started and not waited for here: it may be meant to go on".into());
            }
        }
    }
}

/// Whether a unit starts a process, or gives it away, and never runs one to its end.
fn starts_only(case: &Case<'_>, id: FnId, unit: usize) -> bool {
    !case.sites(id).iter().any(|s| {
        s.unit == unit
            && s.call.args.is_empty()
            && matches!(last_name(&s.call.fun), "Run" | "Output" | "CombinedOutput" | "Wait")
    })
}

/// `exec.Command(...).Start()`.
fn is_left_alone<'a>(case: &Case<'a>, f: &Function<'a>, site: &Site<'a>) -> bool {
    let after = case.file(f).text.get(site.expr.span.end as usize..).unwrap_or_default();
    after.starts_with(".Start()")
}

/// Whether a request is given the context afterwards: by `WithContext`, by its `Cancel`, or by a call that
/// takes both of them.
fn gets_context<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, site: &Site<'a>) -> bool {
    let text = case.file(f).at(f.decl.span).replace("errgroup.WithContext(", "");
    if text.contains("WithContext(") || text.contains(".Cancel = ") {
        return true;
    }
    let made = |v: &Var<'a>| matches!(v.init, Init::Value(e, 0) if e.span == site.expr.span);
    let Some(request) = f.scope.vars.iter().position(made) else { return false };
    case.sites(id).iter().any(|s| {
        let has = |is: &dyn Fn(&Expr<'a>) -> bool| s.call.args.iter().any(is);
        has(&|a| f.scope.var(a) == Some(request)) && has(&|a| case.pkg.type_of(f, a).is("context", "Context"))
    })
}

/// How a unit can get at a context: a parameter of it or of a unit around it.
pub(super) fn context_of(f: &Function<'_>, unit: usize) -> Option<String> {
    let mut at = Some(unit);
    while let Some(u) = at.and_then(|u| f.scope.units.get(u)) {
        for p in &u.sig.params {
            let Some(name) = p.name.filter(|n| n.name != "_") else { continue };
            if p.ty.is("context", "Context") {
                return Some(name.name.to_owned());
            }
            if p.ty.is("net/http", "Request")
                && matches!(p.ty, Type::Pointer(_))
                && crate::syntax::calls::is_handler(u.sig)
            {
                return Some(format!("{}.Context()", name.name));
            }
        }
        at = u.parent;
    }
    None
}

/// Whether a unit, or one around it, is a goroutine or is deferred: it may have to go on after the context.
fn detached<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, unit: usize) -> bool {
    let mut at = Some(unit);
    while let Some(u) = at.and_then(|u| f.scope.units.get(u)) {
        if matches!(u.role, Role::Go | Role::Defer | Role::Value | Role::Argument)
            && u.parent.is_some()
            && !is_waited_for(case, id, f, u.span)
        {
            return true;
        }
        at = u.parent;
    }
    let name = f.decl.name.name.to_lowercase();
    ["shutdown", "close", "stop", "cleanup", "teardown", "detach", "rollback"].iter().any(|w| name.contains(w))
}

/// Whether a literal is given to a group whose `Wait` this function calls: it ends before the function does.
fn is_waited_for<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, literal: Span) -> bool {
    let of_group = |s: &Site<'a>, method: &str| {
        s.call.fun.selector().filter(|(_, name)| *name == method).and_then(|(x, _)| f.scope.var(x))
    };
    let given = |s: &&Site<'a>| s.call.args.iter().any(|a| a.span == literal);
    let group = case.sites(id).iter().filter(given).find_map(|s| of_group(s, "Go"));
    group.is_some_and(|g| case.sites(id).iter().any(|s| of_group(s, "Wait") == Some(g)))
}

/// `context.Background()` as an argument of a call.
fn background<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, site: &Site<'a>, ctx: &str, out: &mut Out) {
    let text = case.file(f).at(f.decl.span);
    // What goes on when the context has ended takes another on purpose.
    if text.contains("Done()")
        || text.contains("WithoutCancel")
        || text.contains("== nil") && text.contains("context.Background()") && text.contains(&format!("{ctx} == nil"))
    {
        return;
    }
    let sites = case.sites(id);
    let outer = sites.iter().find(|s| s.unit == site.unit && s.call.args.iter().any(|a| a.span == site.expr.span));
    let Some(outer) = outer else { return };
    // What writes a log does not wait.
    let name = last_name(&outer.call.fun);
    let logs = ["Log", "Info", "Debug", "Warn", "Trace", "Metric"].iter().any(|w| name.contains(w))
        || name == "Error"
        || name.starts_with("HandleError");
    // `log.G(context.TODO())` asks for a logger.
    let logs = logs
        || matches!(outer.callee, Callee::Package(path, _) if path.rsplit('/').next().is_some_and(|p| p.contains("log")));
    // What makes another context of it, or starts what is to go on afterwards, takes its own on purpose.
    const GO_ON: &[&str] =
        &["With", "Start", "start", "Watch", "watch", "Monitor", "monitor", "Spawn", "spawn", "Background", "Detach"];
    let of_context = matches!(outer.callee, Callee::Package("context", _)) || name.starts_with("ContextWith");
    let goes_on =
        !of_context && GO_ON.iter().any(|w| name.starts_with(w)) || name.contains("Shutdown") || name.contains("Async");
    // `diag.Monitoring.Invoked(context.Background(), ...)` counts and does not wait.
    let counts = outer.call.fun.selector().is_some_and(|(x, _)| {
        let of = last_name(x).to_lowercase();
        ["metric", "monitor", "stats", "telemetry"].iter().any(|w| of.contains(w))
    });
    if logs
        || counts
        || goes_on
        || outer.how != How::Plain
        || matches!(
            last_name(&outer.call.fun),
            "Shutdown" | "Close" | "Stop" | "WithValue" | "NotifyContext" | "Println" | "Printf"
        )
    {
        return;
    }
    // What is only put back after use is waited for by nobody.
    let sets = only_sets(case, f, outer);
    if only_asks(case, outer) || sets && !is_used_after(case, id, f, outer) {
        return;
    }
    let called = case.text(f, outer.call.fun.span);
    let what = case.text(f, site.expr.span);
    let found = out.found(
        id,
        site.expr.span,
        format!("`{called}` is given `{what}` though `{ctx}` is at hand: it goes on when nobody waits for it any more"),
    );
    found.ask = Some(Ask::Bounds(crate::callers::called(case, outer), Bound::Time));
    // The request at hand with another context: somebody thought of it.
    let of_request = matches!(name, "Clone" | "WithContext")
        && outer
            .call
            .fun
            .selector()
            .is_some_and(|(x, _)| Some(case.file(f).at(x.span)) == ctx.strip_suffix(".Context()"));
    if sets {
        found.level = Level::Hint;
        found.why = Some(
            "the call itself only sets a context; whether what is called on it afterwards waits with that is not known"
                .into(),
        );
    } else if is_kept_for_others(case, f, outer) {
        found.level = Level::Hint;
        found.why = Some(
            "what it gives is kept in a field or a package variable, for others than this call: it may well outlive what the context is of"
                .into(),
        );
    } else if lives_on(f, outer) {
        found.level = Level::Hint;
        found.why =
            Some("a client or the like is made, which is kept: it may well outlive what the context is of".into());
    } else if outer.call.args.iter().any(|a| a.ident() == Some(ctx))
        || of_context && f.decl.sig.results.iter().any(|r| r.ty.is("context", "Context"))
    {
        found.level = Level::Hint;
        found.why = Some("a context is made that goes on where this one ends, and may take its values: whoever calls that wants it so".into());
    } else if of_context && makes_something(f) {
        found.level = Level::Hint;
        found.why = Some("a constructor makes a context for what it makes, which lives longer than the call".into());
    } else if runs_with_context(case, f, outer, ctx) {
        found.level = Level::Hint;
        found.why =
            Some("the literal that is handed to it is given the context itself: what it does ends with that".into());
    } else if makes_something(f)
        && ["connect", "open", "new"].iter().any(|w| name.to_lowercase().starts_with(w))
        && !name.starts_with("NewRequest")
    {
        found.level = Level::Hint;
        found.why = Some("a constructor connects for what it makes, which lives longer than the call".into());
    } else if of_context && is_ended_by_field(f, outer) {
        found.level = Level::Hint;
        found.why = Some("what ends the new context is kept in a field: it is for work that outlives the call".into());
    } else if is_only_started(case, id) {
        found.level = Level::Hint;
        found.why = Some(
            "this function is only ever started as a goroutine: it goes on after who starts it, on purpose".into(),
        );
    } else if is_opened_and_kept(f, outer) {
        found.level = Level::Hint;
        found.why = Some(
            "what it opens is kept in a field: the context of the call that connects may well end before that".into(),
        );
    } else if of_request {
        found.level = Level::Hint;
        found.why = Some("the request itself is given another context, which takes it from its own on purpose".into());
    } else if is_asked_first(case, f, site.expr.span, ctx) {
        found.level = Level::Hint;
        found.why =
            Some("it stands under a condition that asks the context itself: another is taken on purpose".into());
    } else if is_finished(outer) {
        found.level = Level::Hint;
        found.why = Some("by its name it finishes what was begun, which has to be done though nobody waits".into());
    } else if has_its_own_end(outer) && !ctx.ends_with(".Context()") {
        found.level = Level::Hint;
        found.why = Some(
            "the new context has an end of its own, a time or who cancels it: it goes on no longer than that says"
                .into(),
        );
    } else if is_explained_before(case, id, f, site) {
        found.level = Level::Hint;
        found.why = Some("the comment above it speaks of the context: it may well be meant".into());
    } else if !of_context && after_failure(case, f, outer) {
        found.level = Level::Hint;
        found.why = Some(
            "it stands where something has failed, before the function gives up: what it takes back must be done though the context may have ended"
                .into(),
        );
    } else if of_context && must_be_done(case, id, f, outer) {
        found.level = Level::Hint;
        found.why = Some(
            "a context with an end of its own is made for what has to be done in any case: something is removed, or a token that is good for once is exchanged"
                .into(),
        );
    } else if is_given_back(f, outer) {
        found.level = Level::Hint;
        found.why =
            Some("what a constructor of another module makes of it is given back, and outlives the call".into());
    } else if of_context && ends_elsewhere(case, id, f, outer) {
        found.level = Level::Hint;
        found.why = Some(
            "what ends the new context is kept by another function than this one: its work may be meant to go on"
                .into(),
        );
    }
}

/// Whether a literal among the arguments of a call names the context, as `retry(context.Background(), func()
/// { post(ctx) })` does.
fn runs_with_context<'a>(case: &Case<'a>, f: &Function<'a>, outer: &Site<'a>, ctx: &str) -> bool {
    outer.call.args.iter().any(|a| {
        let ExprKind::FuncLit(lit) = &a.kind else { return false };
        // Its own parameter of that name is what the call hands to it: the new context.
        let own = lit.sig.params.iter().any(|p| p.name.is_some_and(|name| name.name == ctx));
        !own && case.file(f).at(a.span).split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == ctx)
    })
}

/// Whether a function that connects, by its name, keeps what a call gave it in a field of its receiver.
fn is_opened_and_kept<'a>(f: &'a Function<'a>, outer: &Site<'a>) -> bool {
    let name = f.decl.name.name.to_lowercase();
    if !["connect", "reconnect", "open", "dial", "subscribe"].iter().any(|w| name.starts_with(w)) {
        return false;
    }
    let gave = |v: &Var<'a>| matches!(v.init, Init::Value(e, 0) if e.span == outer.expr.span);
    let Some(given) = f.scope.vars.iter().position(gave) else { return false };
    let of_receiver = |t: &Expr<'a>| {
        t.selector().is_some()
            && t.root()
                .and_then(|r| f.scope.var(r))
                .and_then(|v| f.scope.vars.get(v))
                .is_some_and(|v| v.kind == VarKind::Receiver)
    };
    let mut kept = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, r) = &s.kind
            {
                kept |= l.iter().any(of_receiver)
                    && r.iter().any(|v| crate::meaning::shared::holds(v, &|e| f.scope.var(e) == Some(given)));
            }
        });
    }
    kept
}

/// Whether a place stands under `if wantsNoEnd(ctx) { ... }`.
fn is_asked_first<'a>(case: &Case<'a>, f: &'a Function<'a>, at: Span, ctx: &str) -> bool {
    let names = |cond: &str| cond.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == ctx);
    stands_under(case.pkg, f, at, names)
}

/// Whether a call finishes what several have begun, by its name.
fn is_finished(outer: &Site<'_>) -> bool {
    let name = last_name(&outer.call.fun).to_lowercase();
    const WORDS: &[&str] = &["commit", "rollback", "abort", "finish", "finalize", "compensate", "cleanup", "migrate"];
    WORDS.iter().any(|w| name.starts_with(w)) || ["rollback", "cleanup"].iter().any(|w| name.ends_with(w))
}

/// `context.WithTimeout(context.Background(), t)`, or one that somebody ends. Of a request that is gone
/// nobody wants the rest of that time.
fn has_its_own_end(outer: &Site<'_>) -> bool {
    matches!(
        outer.callee,
        Callee::Package(
            "context",
            "WithTimeout"
                | "WithDeadline"
                | "WithCancel"
                | "WithCancelCause"
                | "WithTimeoutCause"
                | "WithDeadlineCause"
        )
    )
}

/// Whether a context with a time of its own is for what must be done though nobody waits: `delCtx, cancel :=
/// context.WithTimeout(context.Background(), t)`, and then `object.Delete(delCtx)`.
fn must_be_done<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, outer: &Site<'a>) -> bool {
    if !matches!(last_name(&outer.call.fun), "WithTimeout" | "WithDeadline") {
        return false;
    }
    const WORDS: &[&str] = &[
        "delete",
        "remove",
        "release",
        "rollback",
        "abort",
        "cleanup",
        "unlock",
        "refresh",
        "exchange",
        "revoke",
        "unregister",
        "deregister",
        "close",
        "shutdown",
        "stop",
        "discard",
    ];
    let made = |v: &Var<'a>| matches!(v.init, Init::Value(e, 0) if e.span == outer.expr.span);
    let Some(ctx) = f.scope.vars.iter().position(made) else { return false };
    // A handler that removes, adds and lists by one context is no such thing.
    let given = |s: &&Site<'a>| s.call.args.iter().any(|a| f.scope.var(a) == Some(ctx));
    let mut given = case.sites(id).iter().filter(given).peekable();
    given.peek().is_some()
        && given.all(|s| {
            let name = last_name(&s.call.fun).to_lowercase();
            WORDS.iter().any(|w| name.starts_with(w))
        })
}

/// Whether a constructor of another module makes something that this function gives back.
fn is_given_back<'a>(f: &'a Function<'a>, outer: &Site<'a>) -> bool {
    let foreign = matches!(outer.callee, Callee::Package(path, _) if path.split('/').next().is_some_and(|host| host.contains('.')));
    let makes = ["New", "Open", "Connect"].iter().any(|w| last_name(&outer.call.fun).starts_with(w));
    if !foreign || !makes {
        return false;
    }
    let mut given = false;
    let mut made = None;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            let Node::Stmt(s) = node else { return };
            match &s.kind {
                StmtKind::Define(l, r) | StmtKind::Assign("=", l, r) if r.iter().any(|v| v.span == outer.expr.span) => {
                    made = l.first().and_then(|t| f.scope.var(t));
                }
                StmtKind::Return(list) => {
                    given |= list.iter().any(|v| v.span == outer.expr.span || made.is_some() && f.scope.var(v) == made);
                }
                _ => {}
            }
        });
    }
    given
}

/// Whether one of what a call gives goes into a field: `ctx, p.cancel = context.WithCancel(...)`.
fn is_ended_by_field<'a>(f: &'a Function<'a>, outer: &Site<'a>) -> bool {
    let mut kept = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, r) = &s.kind
            {
                kept |= l.len() > 1
                    && r.first().is_some_and(|v| v.span == outer.expr.span)
                    && l.iter().any(|t| t.selector().is_some());
            }
        });
    }
    kept
}

/// Whether a call stands as a statement of its own in `if err != nil { ...; return err }`: what was begun is
/// taken back, and that the context has ended may be why.
fn after_failure<'a>(case: &Case<'a>, f: &'a Function<'a>, call: &Site<'a>) -> bool {
    let mut found = false;
    each_failure(case, f, call.unit, |i| {
        let leaves = i.then.stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_)));
        found |= leaves
            && i.then.stmts.iter().any(|s| match &s.kind {
                StmtKind::Expr(e) => e.span == call.expr.span,
                StmtKind::Assign(_, l, r) => {
                    r.iter().any(|v| v.span == call.expr.span) && l.iter().all(|t| t.ident() == Some("_"))
                }
                StmtKind::If(inner) => inner.init.as_ref().is_some_and(|s| s.span.contains(call.expr.span)),
                _ => false,
            });
    });
    found
}

/// Whether a function of this package asks its context for values alone: nothing waits.
fn only_asks<'a>(case: &Case<'a>, outer: &Site<'a>) -> bool {
    let Callee::Local(id) = outer.callee else { return false };
    let Some(g) = case.pkg.funcs.get(id) else { return false };
    let Some(name) = g.decl.sig.params.iter().find(|p| p.ty.is("context", "Context")).and_then(|p| p.name) else {
        return true;
    };
    let is = |e: &Expr<'a>| e.ident() == Some(name.name);
    let (mut all, mut asked) = (0, 0);
    for u in &g.scope.units {
        each_node(u.body, |node| {
            let Node::Expr(e) = node else { return };
            all += usize::from(is(e));
            asked += match &e.kind {
                ExprKind::Call(call) => usize::from(call.fun.selector().is_some_and(|(x, n)| n == "Value" && is(x))),
                ExprKind::Binary("==" | "!=", o) => o.iter().filter(|x| o.iter().any(Expr::is_nil) && is(x)).count(),
                _ => 0,
            };
        });
    }
    all == asked
}

/// Whether what a constructor gives is put into a field: `f.svc, err = drive.NewService(ctx, ...)`.
fn lives_on<'a>(f: &'a Function<'a>, outer: &Site<'a>) -> bool {
    if !last_name(&outer.call.fun).starts_with("New") {
        return false;
    }
    // What a constructor of another module makes keeps its context to refresh tokens and keys by.
    if let Callee::Package(path, _) | Callee::Method(path, ..) = outer.callee
        && path.split('/').next().is_some_and(|host| host.contains('.'))
        && ["Client", "Provider", "Service", "Session", "Source", "Verifier", "KeySet"]
            .iter()
            .any(|w| last_name(&outer.call.fun).ends_with(w))
    {
        return true;
    }
    let mut kept = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, r) = &s.kind
            {
                kept |= r.first().is_some_and(|v| v.span == outer.expr.span)
                    && l.first().is_some_and(|t| t.selector().is_some());
            }
        });
    }
    kept
}

/// Whether a function is a constructor by its name and what it gives.
fn makes_something(f: &Function<'_>) -> bool {
    let name = f.decl.name.name;
    f.receiver_type().is_none()
        && ["New", "new", "Open"].iter().any(|w| name.starts_with(w))
        && f.decl.sig.results.iter().any(|r| !r.ty.is("", "error"))
}

/// Whether all that this package does with a function is to start it as a goroutine.
fn is_only_started(case: &Case<'_>, id: FnId) -> bool {
    let mut edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).peekable();
    edges.peek().is_some() && edges.all(|e| e.starts)
}

/// Whether the comment above this place, or above an earlier one of its kind in the function, names contexts.
fn is_explained_before<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, site: &Site<'a>) -> bool {
    let text = case.file(f).text;
    let alike = case.sites(id).iter().filter(|s| s.callee == site.callee && s.expr.span.start <= site.expr.span.start);
    let line = site.expr.span.line;
    alike
        .into_iter()
        .any(|s| line.saturating_sub(s.expr.span.line) <= 20 && above_names(text, s.expr.span, 8, &["context", "ctx"]))
}

/// Whether the `cancel` that a call of `context.With...` gives is used in literals alone, or not by name:
/// whoever runs those ends it.
fn ends_elsewhere<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, made: &Site<'a>) -> bool {
    let ends = |v: &Var<'a>| matches!(v.init, Init::Value(e, 1) if e.span == made.expr.span);
    let Some(cancel) = f.scope.vars.iter().position(ends) else { return false };
    let called_in = |unit: usize| case.sites(id).iter().any(|s| s.unit == unit && s.callee == Callee::Variable(cancel));
    !called_in(made.unit) && f.scope.vars.get(cancel).is_some_and(|v| !v.captured_by.is_empty())
}
