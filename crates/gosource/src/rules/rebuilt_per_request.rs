//! A container built anew for each request from what all requests share. The page:
//! `docs/rules/rebuilt-per-request.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::loops::{each_node, loops_in};
use crate::meaning::shared::{Origin, by_requests, is_stored, may_be_long, origin, under_once};
use crate::syntax::ast::{Block, Expr, ExprKind, For, ForHead, Span, StmtKind, Type};
use crate::syntax::calls::{Heat, Site};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, VarId, VarKind};

/// The rule.
pub(super) struct RebuiltPerRequest;

impl Rule for RebuiltPerRequest {
    const INFO: RuleInfo = RuleInfo {
        code: "rebuilt-per-request",
        title: "a container built anew for each request from what all requests share",
        doc: include_str!("../../../../docs/rules/rebuilt-per-request.md"),
    };
    const LEVEL: Level = Level::Warning;

    const WHY: &'static str =
        "what the loop goes over is the same for all requests, what it fills is made here, and it is kept nowhere";
    const CURE: &'static str = "Build it once when the data change, keep it beside them, and let requests read it.";

    fn check(case: &Case<'_>, out: &mut Out) {
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                if !case.calls.is_hot(case.pkg, id, unit) || under_once(case, id, f, unit) {
                    continue;
                }
                for (span, _, l) in loops_in(u.body) {
                    if let Some((built, over)) = builds(case, f, l)
                        && let Some(from) = origin(case, id, over)
                        && !is_kept(case, f, built.var, &from)
                    {
                        say(case, id, f, (span, l, over), &built, &from, out);
                    }
                }
                for site in case.sites(id).iter().filter(|s| s.unit == unit) {
                    by_one_call(case, id, f, site, out);
                    compiled(case, id, f, site, out);
                }
            }
        }
        let mut seen = Vec::new();
        out.reports.retain(|r| {
            let new = !seen.contains(&(r.func, r.span));
            seen.push((r.func, r.span));
            new
        });
    }
}

/// A copy, an index or a decoded form of what is shared that one call makes: `maps.Clone(s.names)`,
/// `json.Unmarshal(s.raw, &all)`, `lo.KeyBy(conf.Tabs, ...)`.
fn by_one_call<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, site: &Site<'a>, out: &mut Out) {
    let Some((verb, level, what)) = copies(case, f, site) else { return };
    let Some(from) = origin(case, id, what) else { return };
    // How long a list is only a profile tells, unless its name says that somebody publishes it.
    let data = |text: &str| {
        crate::meaning::published::is_published(text) && !crate::meaning::replaced::set_by_requests(case, what)
    };
    // A list in a configuration that somebody asks for is as long as somebody wrote it, and copied at one go.
    let asked_for = case.calls.entry(case.pkg, id).and_then(|(entry, _)| case.pkg.funcs.get(entry));
    let for_who_runs_it = [Some(f), asked_for].into_iter().flatten().any(|g| is_for_operators(g.decl.name.name));
    let level = if level == Level::Hint && !for_who_runs_it && data(&from.text) { Level::Warning } else { level };
    let decoded = site.call.args.get(1).and_then(|a| a.unary("&")).and_then(|a| a.root()).and_then(|r| f.scope.var(r));
    // Decoded into what lives on, or kept as what a call gives: then it is made for more than this request.
    let local = site.call.args.get(1).is_none_or(|a| decoded.is_some() || a.unary("&").is_none());
    if !local || decoded.is_some_and(|v| is_stored(case, f, v)) || is_result_kept(case, id, f, site.expr) {
        return;
    }
    let (entry, how) = case.calls.entry(case.pkg, id).unwrap_or((id, "runs for requests"));
    let name = case.pkg.funcs.get(entry).map(Function::short_name).unwrap_or_default();
    let sentence = format!("`{name}` {how} and {verb} `{}`, which all of them share, anew each time", from.text);
    let found = out.found(id, site.expr.span, sentence);
    found.level = if case.calls.hot.get(&entry) == Some(&Heat::Service) { level.min(Level::Warning) } else { level };
    found.why =
        Some("what is given to the call is the same for all requests, and what it makes is kept nowhere".into());
    found.cure = Some("Make it once when the data change, keep it beside them, and let requests read it.".into());
}

/// A regular expression or a template that is compiled for each request, though it is the same each time.
fn compiled<'a>(case: &Case<'a>, id: FnId, f: &'a Function<'a>, site: &Site<'a>, out: &mut Out) {
    let Some(what) = crate::meaning::fixed::compiles(case, id, f, site) else { return };
    if !by_requests(case, id, site.unit) || is_result_kept(case, id, f, site.expr) {
        return;
    }
    let (entry, how) = case.calls.entry(case.pkg, id).unwrap_or((id, "runs for requests"));
    let name = case.pkg.funcs.get(entry).map(Function::short_name).unwrap_or_default();
    let who = if entry == id { "it".to_owned() } else { format!("`{}`", f.short_name()) };
    let text = case.text(f, site.expr.span);
    let found = out.found(
        id,
        site.expr.span,
        format!("`{name}` {how}, and each time {who} compiles the same {what}: `{text}`"),
    );
    found.why =
        Some("what it is compiled from does not come with the request, and what is made of it is kept nowhere".into());
    found.cure = Some("Compile it once: in a package variable, or where what it is made of is loaded.".into());
    let for_who_runs_it = is_for_operators(&name)
        || is_for_operators(f.decl.name.name)
        || f.receiver_type().is_some_and(is_for_operators)
        || is_file_for_operators(case.file(f).name)
        || is_for_operators(case.pkg.name);
    if for_who_runs_it || crate::meaning::failures::after_failure(case, f, site.unit, site.expr.span) {
        found.level = Level::Hint;
        found.why = Some("it is asked for by who runs the service, or stands where something has failed".into());
    }
    if matches!(case.calls.hot.get(&entry), Some(Heat::Service)) {
        found.level = Level::Hint;
        found.why = Some("by its form alone it serves requests: how often it runs is not known".into());
    }
}

/// What a call makes of its argument, in words, how much that matters, and the argument.
fn copies<'a>(case: &Case<'a>, f: &Function<'a>, site: &Site<'a>) -> Option<(&'static str, Level, &'a Expr<'a>)> {
    let first = site.call.args.first()?;
    let (path, name) = match site.callee {
        Callee::Package(path, name) => (path, name),
        // `append([]T(nil), xs...)`, `append([]T{}, xs...)`.
        Callee::Builtin("append") if site.call.spread => {
            let empty = match &first.kind {
                ExprKind::Convert(_, x) => x.is_nil(),
                ExprKind::Composite(_, elements) => elements.is_empty(),
                ExprKind::Call(call) => case.pkg.callee(f, &call.fun) == Callee::Builtin("make"),
                _ => false,
            };
            return site.call.args.get(1).filter(|_| empty).map(|all| ("copies", Level::Hint, all));
        }
        _ => return None,
    };
    let last = path.rsplit('/').find(|p| !p.starts_with('v') || p.len() > 3).unwrap_or(path);
    let decoders = ["json", "yaml", "xml", "toml", "proto", "sonic", "gob", "msgpack"];
    let (verb, level) = match (last, name) {
        ("maps", "Clone") => ("copies", Level::Warning),
        ("lo", "KeyBy" | "SliceToMap" | "Associate" | "GroupBy") => ("makes a map of", Level::Warning),
        ("slices" | "bytes", "Clone") => ("copies", Level::Hint),
        ("strings" | "bytes", "Split" | "Fields") => ("splits", Level::Hint),
        (_, "Unmarshal" | "UnmarshalString") if decoders.iter().any(|w| last.contains(w)) => {
            ("decodes", Level::Warning)
        }
        _ => return None,
    };
    Some((verb, level, first))
}

/// What a loop fills.
pub(super) struct Built<'a> {
    /// The container.
    pub(super) var: VarId,
    /// The statement that fills it.
    pub(super) fill: Span,
    /// Whether it is a map.
    is_map: bool,
    name: &'a str,
}

/// Whether what is gone through is data that a service loads as a whole, by its name or by how it is given.
fn is_loaded<'a>(case: &Case<'a>, from: &Origin<'a>, over: &Expr<'a>, direct: bool) -> bool {
    let named = crate::meaning::published::is_published(&from.text);
    let given = from.text.contains(".Load()") || from.text.contains(".Get()");
    (named || given || direct && crate::meaning::replaced::replaced(case, over))
        && !crate::meaning::replaced::set_by_requests(case, over)
}

/// Whether a round may leave an element out.
fn picks<'a>(l: &'a For<'a>) -> bool {
    let mut picks = false;
    each_node(&l.body, |node| {
        if let Node::Stmt(s) = node {
            picks |=
                matches!(s.kind, StmtKind::If(_) | StmtKind::Continue(_) | StmtKind::Break(_) | StmtKind::Switch(_));
        }
    });
    picks
}

fn say<'a>(
    case: &Case<'a>,
    id: FnId,
    f: &'a Function<'a>,
    (at, l, over): (Span, &'a For<'a>, &'a Expr<'a>),
    built: &Built<'a>,
    from: &Origin<'a>,
    out: &mut Out,
) {
    let what = if built.is_map { "map" } else { "slice" };
    let who = f.short_name();
    let (entry, how) = case.calls.entry(case.pkg, id).unwrap_or((id, "runs for requests"));
    let entry_name = case.pkg.funcs.get(entry).map(Function::short_name).unwrap_or_default();
    let sentence = if entry == id {
        format!(
            "`{who}` {how} and builds the {what} `{}` anew each time from `{}`, which all of them share",
            built.name, from.text
        )
    } else {
        format!(
            "`{who}` is rebuilt per request: `{entry_name}` {how}, and each time a new {what} `{}` is filled from `{}`, which all of them share",
            built.name, from.text
        )
    };
    let found = out.found(id, built.fill, sentence);
    // The incident's own shape: all of what is loaded anew while the program runs, as large as somebody
    // publishes.
    let loaded = is_loaded(case, from, over, built.is_map && entry == id);
    if built.is_map && loaded && !picks(l) {
        found.level = Level::Critical;
    }
    if !built.is_map || case.calls.hot.get(&entry) == Some(&Heat::Service) {
        // A list of what is shared is often the answer itself; a set or an index of it never is.
        found.level = if !built.is_map && is_answer(f, built.var) { Level::Hint } else { Level::Warning };
    }
    if !(loaded || built.is_map && entry == id && !picks(l)) {
        found.level = Level::Hint;
        found.why = Some(
            "nothing says that it is loaded anew as the program runs: as a rule such a list is as long as somebody wrote it"
                .into(),
        );
    }
    if built.is_map && is_written(case, f, built.var, from) {
        // Another form of what is shared, made to be sent: the answer itself, which has to be made.
        found.level = Level::Hint;
        found.why =
            Some("the map goes into the answer as it is: whether one that is kept could be sent is not known".into());
    }
    if from.asked && !crate::meaning::published::is_published(&from.text) {
        found.level = Level::Hint;
        found.why =
            Some("a function in a field is asked for it: whether it gives the same, and how much, is not known".into());
    }
    if crate::meaning::failures::after_failure(case, f, f.scope.unit_at(at), at) {
        found.level = Level::Hint;
        found.why = Some("it stands where something has failed: that is not each request".into());
    }
    if !built.is_map && is_mixed(f, built, at) {
        found.level = Level::Hint;
        found.why = Some("it has elements of the request's own too: it is no copy of what is shared".into());
    }
    if is_of_options(&from.text) || !built.is_map && holds_options(case, f, built.var) {
        found.level = Level::Hint;
        found.why = Some("what it goes through are options that the program was started with: as a rule few".into());
    }
    let lower = f.decl.name.name.to_lowercase();
    if ["clone", "copy", "deepcopy", "duplicate"].contains(&lower.as_str()) {
        found.level = Level::Hint;
        found.why = Some("by its name it makes a copy of its own: who asks for one wants to change it".into());
    }
    if is_written_down(f) {
        found.level = Level::Hint;
        found.why = Some("by its name it writes down all there is: then it has to go through all of it".into());
    }
    if changes_what_is_shared(case, f, from) {
        found.level = Level::Hint;
        found.why =
            Some("the function makes such copies to put them in the place of what is shared: it changes it".into());
    }
    let rpc = case.calls.hot.get(&entry) == Some(&Heat::Rpc);
    if is_for_operators(&entry_name)
        || is_for_operators(&who)
        || is_file_for_operators(case.file(f).name)
        || case.pkg.funcs.get(entry).is_some_and(|g| is_file_for_operators(case.file(g).name))
        || f.receiver_type().is_some_and(is_for_operators)
        || is_for_operators(case.pkg.name)
        || rpc && ["Status", "Info", "Config", "Version"].iter().any(|w| entry_name.ends_with(w))
    {
        found.level = Level::Hint;
        found.why = Some("its name says that it is asked for by who runs the service, now and then".into());
    }
    found.related.push((f.file, Span { end: at.start + 3, ..at }, "once for each element of the shared data".into()));
    if let Some((caller, call)) = from.handed
        && let Some(g) = case.pkg.funcs.get(caller)
    {
        found.related.push((g.file, call.span, "called here for each request".into()));
    }
}

/// Whether a function puts containers that it makes into fields of the same owner as what it copies:
/// `s.names = names`.
fn changes_what_is_shared<'a>(case: &Case<'a>, f: &'a Function<'a>, from: &Origin<'a>) -> bool {
    let Some((owner, _)) = from.text.split_once('.') else { return false };
    let mut puts = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, r) = &s.kind
                && l.len() == r.len()
            {
                puts |= l.iter().zip(r).any(|(to, value)| {
                    to.selector().is_some_and(|(x, _)| x.ident() == Some(owner))
                        && f.scope.var(value).is_some_and(|v| is_made_here(case, f, v))
                });
            }
        });
    }
    puts
}

/// Whether a name says that probes, monitors and people ask for it, not users.
pub(super) fn is_for_operators(name: &str) -> bool {
    let lower = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    const WORDS: &[&str] = &[
        "health",
        "ready",
        "liveness",
        "varz",
        "jsz",
        "connz",
        "debug",
        "metric",
        "pprof",
        "admin",
        "stats",
        "monitor",
        "diagnos",
        "dump",
        "collect",
        "reload",
        "reset",
        "setting",
        "getconfig",
        "setconfig",
        "reconfigur",
        "restart",
        "upgrade",
        "backup",
    ];
    WORDS.iter().any(|w| lower.contains(w)) || name.to_lowercase().contains("admin")
}

/// Whether a list is appended to elsewhere than in the loop that fills it.
fn is_mixed<'a>(f: &'a Function<'a>, built: &Built<'a>, round: Span) -> bool {
    let mut mixed = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign("=", l, r) = &s.kind
                && l.first().and_then(|t| f.scope.var(t)) == Some(built.var)
                && !round.contains(s.span)
            {
                mixed |= r.first().and_then(|v| v.call()).is_some_and(|c| c.fun.ident() == Some("append"));
            }
        });
    }
    mixed
}

/// Whether a list is one of options for a call: as many as somebody has configured.
fn holds_options<'a>(case: &Case<'a>, f: &Function<'a>, list: VarId) -> bool {
    let Some(v) = f.scope.vars.get(list) else { return false };
    let made = match v.init {
        Init::Value(e, 0) => case.pkg.type_of(f, e),
        _ => v.ty.cloned().unwrap_or_default(),
    };
    matches!(case.pkg.underlying(&made), Type::Slice(of)
        if of.name().is_some_and(|(_, name)| name.ends_with("Option") || name.ends_with("Opt")))
}

/// Whether a list is a field of what a program is started with.
fn is_of_options(text: &str) -> bool {
    let owner = text.rsplit_once('.').map_or("", |(owner, _)| owner).rsplit('.').next().unwrap_or_default();
    matches!(owner.to_lowercase().as_str(), "option" | "options" | "opts" | "flags" | "args")
}

/// Whether a function writes what it goes through to a disk or a store, by its name and what it calls.
fn is_written_down(f: &Function<'_>) -> bool {
    let name = f.decl.name.name.to_lowercase();
    let words = ["dbstore", "save", "persist", "flush", "writefile", "writedb", "snapshot", "checkpoint"];
    words.iter().any(|w| name.starts_with(w) || name.ends_with(w))
}

/// Whether a file is of what whoever runs the service asks for: it, or a folder around it, is named so.
pub(super) fn is_file_for_operators(file: &str) -> bool {
    file.split(['/', '_', '.', '-'])
        .any(|part| matches!(part, "admin" | "private" | "debug" | "dashboard" | "monitor" | "monitoring"))
}

/// Whether what is built goes into an answer: it is handed to what writes one, or is put under a constant key
/// of a local map, here or where the call's result goes.
fn is_written<'a>(case: &Case<'a>, f: &'a Function<'a>, var: VarId, from: &Origin<'a>) -> bool {
    let local = |f: &'a Function<'a>, x: &Expr<'a>| {
        f.scope.var(x).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| v.kind == VarKind::Local)
    };
    let goes = |f: &'a Function<'a>, is: &dyn Fn(&Expr<'a>) -> bool| {
        let mut goes = false;
        for u in &f.scope.units {
            each_node(u.body, |node| match node {
                Node::Stmt(s) => {
                    if let StmtKind::Assign("=", l, r) = &s.kind
                        && let ([target], [value]) = (l.as_slice(), r.as_slice())
                        && let ExprKind::Index(x, key) = &target.kind
                    {
                        goes |= matches!(key.kind, ExprKind::Lit(..)) && is(value) && local(f, x);
                    }
                }
                Node::Expr(e) => {
                    if let Some(call) = e.call() {
                        goes |= writes(last_name(&call.fun)) && call.args.iter().any(is);
                    }
                }
            });
        }
        goes
    };
    if goes(f, &|e| f.scope.var(e) == Some(var)) {
        return true;
    }
    let Some((g, call)) = from.handed.and_then(|(id, call)| Some((case.pkg.funcs.get(id)?, call))) else {
        return false;
    };
    goes(g, &|e| e.span == call.span)
}

/// Whether a call of this name writes an answer.
fn writes(name: &str) -> bool {
    ["JSON", "Json", "Encode", "Marshal", "Write", "Render", "Respond", "Send", "Reply"]
        .iter()
        .any(|w| name.contains(w))
}

/// Whether what is built is returned, put into something that is, or handed to what writes it.
fn is_answer<'a>(f: &'a Function<'a>, var: VarId) -> bool {
    let is = |e: &Expr<'a>| f.scope.var(e) == Some(var);
    let mut answer = f.scope.vars.get(var).is_some_and(|v| v.kind == VarKind::Result);
    for u in &f.scope.units {
        each_node(u.body, |node| match node {
            Node::Stmt(s) => {
                if let StmtKind::Return(list) = &s.kind {
                    answer |= list.iter().any(is);
                }
            }
            Node::Expr(e) => match &e.kind {
                ExprKind::Composite(_, elements) => answer |= elements.iter().any(|(_, v)| is(v)),
                ExprKind::Call(call) => {
                    answer |= writes(last_name(&call.fun)) && call.args.iter().any(is);
                }
                _ => {}
            },
        });
    }
    answer
}

/// The container that a loop over a name fills with every element, whatever the request is.
fn builds<'a>(case: &Case<'a>, f: &'a Function<'a>, l: &'a For<'a>) -> Option<(Built<'a>, &'a Expr<'a>)> {
    let (over, own) = match &l.head {
        ForHead::Range { over, vars, .. } => (over, vars.iter().filter_map(|v| f.scope.var(v)).collect::<Vec<_>>()),
        // `for i := 0; i < len(xs); i++`
        ForHead::Clause { init, cond: Some(cond), .. } => {
            let ExprKind::Binary("<" | "<=", operands) = &cond.kind else { return None };
            let over = operands.get(1)?.call().filter(|c| c.fun.ident() == Some("len"))?.args.first()?;
            let own = match init.as_ref().map(|s| &s.kind) {
                Some(StmtKind::Define(l, _)) => l.iter().filter_map(|e| f.scope.var(e)).collect(),
                _ => Vec::new(),
            };
            (over, own)
        }
        _ => return None,
    };
    if !may_be_long(&case.pkg.underlying(&case.pkg.type_of(f, over))) {
        return None;
    }
    let (var, fill, is_map) = fills(case, f, &l.body)?;
    let v = f.scope.vars.get(var)?;
    // Whatever else the body looks at may be the request's: then it picks, and does not copy.
    let mut foreign = false;
    each_node(&l.body, |node| {
        if let Node::Expr(e) = node
            && let Some(used) = f.scope.var(e)
            && used != var
            && !own.contains(&used)
            && !from_shared(f, used, over)
            && f.scope.vars.get(used).is_some_and(|v| !l.body.span.contains(v.span))
        {
            foreign = true;
        }
    });
    (!foreign).then_some((Built { var, fill, is_map, name: v.name }, over))
}

/// Names that stand for the shared thing itself, like `cfg` in `for i := range cfg.ids { use(cfg.ids[i]) }`,
/// and the receiver.
fn from_shared(f: &Function<'_>, used: VarId, over: &Expr<'_>) -> bool {
    let root = over.root().and_then(Expr::ident);
    f.scope.vars.get(used).is_some_and(|v| Some(v.name) == root || v.kind == VarKind::Receiver)
}

/// The container of this function that a body fills, and where.
pub(super) fn fills<'a>(case: &Case<'a>, f: &'a Function<'a>, body: &'a Block<'a>) -> Option<(VarId, Span, bool)> {
    let mut found = None;
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::Assign("=", l, r) = &s.kind else { return };
        let Some(target) = l.first() else { return };
        match &target.kind {
            ExprKind::Index(x, _) => {
                if let Some(var) = f.scope.var(x).filter(|v| is_made_here(case, f, *v)) {
                    let is_map = matches!(case.pkg.underlying(&case.pkg.type_of(f, x)), Type::Map(..));
                    found.get_or_insert((var, s.span, is_map));
                }
            }
            ExprKind::Ident(_) => {
                let appends = r.first().and_then(|v| v.call()).is_some_and(|c| c.fun.ident() == Some("append"));
                // A list of new values made of what is shared is usually the answer itself.
                let converts = r.first().and_then(|v| v.call()).is_some_and(|c| {
                    c.args.iter().skip(1).any(|a| matches!(a.unary("&").unwrap_or(a).kind, ExprKind::Composite(..)))
                });
                if let Some(var) = f.scope.var(target).filter(|v| appends && !converts && is_made_here(case, f, *v)) {
                    found.get_or_insert((var, s.span, false));
                }
            }
            _ => {}
        }
    });
    found
}

/// Whether a local container begins empty in this function.
fn is_made_here<'a>(case: &Case<'a>, f: &Function<'a>, var: VarId) -> bool {
    let Some(v) = f.scope.vars.get(var).filter(|v| matches!(v.kind, VarKind::Local | VarKind::Result)) else {
        return false;
    };
    let makes = |e: &Expr<'a>| match &e.kind {
        ExprKind::Composite(_, elements) => elements.is_empty(),
        ExprKind::Call(call) => case.pkg.callee(f, &call.fun) == Callee::Builtin("make"),
        _ => false,
    };
    match v.init {
        Init::Value(e, 0) => makes(e),
        Init::None => v.ty.is_some_and(|t| matches!(case.pkg.underlying(t), Type::Slice(_) | Type::Map(..))),
        _ => false,
    }
}

/// Whether what is built is put into something that lives on: here, or where the call's result goes.
fn is_kept<'a>(case: &Case<'a>, f: &'a Function<'a>, var: VarId, from: &Origin<'a>) -> bool {
    if is_stored(case, f, var) {
        return true;
    }
    let Some((caller, call)) = from.handed else { return false };
    let Some(g) = case.pkg.funcs.get(caller) else { return false };
    is_result_kept(case, caller, g, call)
}

/// Whether what a call gives is put into something that lives on.
fn is_result_kept<'a>(case: &Case<'a>, caller: FnId, g: &'a Function<'a>, call: &Expr<'a>) -> bool {
    let mut kept = false;
    let mut result = None;
    for u in &g.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && let StmtKind::Assign(_, l, r) | StmtKind::Define(l, r) = &s.kind
                && r.iter().any(|v| v.span.contains(call.span))
            {
                kept |= l.iter().any(|t| crate::meaning::places::long(case.pkg, g, t).is_some());
                result = l.first().and_then(|t| g.scope.var(t));
            }
        });
    }
    kept || result.is_some_and(|r| is_stored(case, g, r)) || handed_to_store(case, caller, call)
}

/// `s.cache.Store(build(ids))`.
fn handed_to_store<'a>(case: &Case<'a>, caller: FnId, call: &Expr<'a>) -> bool {
    case.sites(caller).iter().any(|s| {
        s.call.args.iter().any(|a| a.span == call.span)
            && s.call
                .fun
                .selector()
                .is_some_and(|(_, name)| matches!(name, "Store" | "Set" | "Swap" | "Put" | "CompareAndSwap"))
    })
}
