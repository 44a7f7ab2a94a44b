//! A map that lives long and only grows. The page: `docs/rules/map-only-grows.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::from_request::is_from_request;
use crate::meaning::kept_by_handler::kept_map;
use crate::meaning::lifetimes::{grows_on, is_of_the_process, is_part_of_server};
use crate::meaning::loops::each_node;
use crate::meaning::places::same;
use crate::meaning::places::{Long, container};
use crate::meaning::shared::by_requests;
use crate::syntax::ast::{Block, Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::visit::Node;
use crate::syntax::{Callee, FnId, Function, Init, VarKind};

/// The rule.
pub(super) struct MapOnlyGrows;

impl Rule for MapOnlyGrows {
    const INFO: RuleInfo = RuleInfo {
        code: "map-only-grows",
        title: "a map that lives long and only grows",
        doc: include_str!("../../../../docs/rules/map-only-grows.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "nothing in the package deletes from it, clears it, assigns it anew or looks at its length; how many keys come is not known";
    const CURE: &'static str = "Bound it: delete what is done with, evict the oldest (an LRU), or give entries an end.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let mut told = Vec::new();
        let mut kept = Vec::new();
        for (id, f) in case.funcs() {
            for (unit, u) in f.scope.units.iter().enumerate() {
                each_node(u.body, |node| {
                    let Node::Stmt(s) = node else { return };
                    let target = match &s.kind {
                        StmtKind::Assign(_, l, _) => l.first(),
                        StmtKind::IncDec(e, true) => Some(e),
                        _ => None,
                    };
                    let Some(ExprKind::Index(map, key)) = target.map(|t| &t.kind) else { return };
                    let Type::Map(of, value) = case.pkg.underlying(&case.pkg.type_of(f, map)) else { return };
                    let Some(place) = container(case.pkg, f, map) else {
                        if let Some(var) = kept_map(case, id, f, unit, map)
                            && !kept.contains(&(id, var))
                            && !is_listed(case, f, u.body, key)
                            && !is_few(case, f, &of, key)
                        {
                            kept.push((id, var));
                            tell_kept(case, id, s.span, (map, key), out);
                        }
                        return;
                    };
                    // `for k := range m { m[k] = ... }` adds nothing.
                    let in_it = f.scope.var(key).and_then(|v| f.scope.vars.get(v)).is_some_and(
                        |v| matches!(v.init, Init::RangeKey(over) if container(case.pkg, f, over) == Some(place)),
                    );
                    if in_it {
                        return;
                    }
                    // A registry: what a program is made of, by its names.
                    // What ends something is there for one piece of work each.
                    let ends = value.is("context", "CancelFunc") || value.is("context", "CancelCauseFunc");
                    let parts = !ends && matches!(case.pkg.underlying(&value), Type::Func(_) | Type::Interface(_));
                    if parts
                        || is_listed(case, f, u.body, key)
                        || is_few(case, f, &of, key)
                        || !grows_on(case, id, f, unit, (place, key))
                        || case.is_tamed(place)
                    {
                        return;
                    }
                    tell(case, id, (unit, s.span), key, place, &mut told, out);
                });
                // `m.Store(k, v)` of a sync.Map.
                for site in case.sites(id).iter().filter(|s| s.unit == unit) {
                    let Callee::Method("sync", "Map", "Store" | "LoadOrStore" | "Swap") = site.callee else { continue };
                    let Some((map, _)) = site.call.fun.selector() else { continue };
                    let Some(place) = container(case.pkg, f, map) else { continue };
                    let Some(key) = site.call.args.first() else { continue };
                    let few = is_few(case, f, &case.pkg.type_of(f, key), key);
                    if few
                        || !grows_on(case, id, f, unit, (place, key))
                        || case.is_tamed(place)
                        || takes_from(case, place)
                    {
                        continue;
                    }
                    tell(case, id, (unit, site.expr.span), key, place, &mut told, out);
                }
            }
        }
    }
}

/// A map that is a variable around the handler which fills it. Of a key that is not the request's, and is not
/// named as one of many, it is not known how many there are.
fn tell_kept<'a>(case: &Case<'a>, id: FnId, at: Span, (map, key): (&Expr<'a>, &Expr<'a>), out: &mut Out) {
    let Some(f) = case.pkg.funcs.get(id) else { return };
    let (name, of) = (case.text(f, map.span), case.text(f, key.span));
    let found = out.found(
        id,
        at,
        format!("`{name}`, which the handler keeps from one request to the next, only grows: nothing around it deletes from it or looks at how large it is"),
    );
    found.why = Some(
        "the function that makes the handler neither deletes from it, assigns it anew, looks at its length nor hands it on; how many keys come is not known"
            .into(),
    );
    if is_set_up(&of) || !is_from_request(case, id, key) && !is_of_many(&of, &name, "") {
        found.level = Level::Hint;
    }
}

/// One finding for each map, at the first place that fills it; others are named beside it.
fn tell<'a>(
    case: &Case<'a>,
    id: FnId,
    (unit, at): (usize, Span),
    expr_key: &Expr<'a>,
    place: Long<'a>,
    told: &mut Vec<(Long<'a>, usize)>,
    out: &mut Out,
) {
    if let Some((_, report)) = told.iter().find(|(p, _)| *p == place) {
        if let Some((report, f)) = out.reports.get_mut(*report).zip(case.pkg.funcs.get(id))
            && report.related.len() < 3
        {
            report.related.push((f.file, at, "filled here too".into()));
        }
        return;
    }
    told.push((place, out.reports.len()));
    let words = place.words();
    let found = out.found(
        id,
        at,
        format!("{words} only grows: nothing in the package deletes from it or looks at how large it is"),
    );
    // Of most such maps there are as many keys as a program has names, peers or types. Those that requests
    // fill, or whose names say that each user or request has one, are others.
    let (Long::Package(name) | Long::Field(_, name)) = place;
    let owner = if let Long::Field(of, _) = place { of } else { "" };
    let key = case.pkg.funcs.get(id).map(|f| case.text(f, expr_key.span)).unwrap_or_default();
    let by_state = expr_is_state(case, id, expr_key);
    let brought = is_from_request(case, id, expr_key);
    let of_process = match place {
        Long::Package(_) => true,
        Long::Field(of, _) => is_of_the_process(case, of) || brought && is_part_of_server(case, of),
    };
    let hot = by_requests(case, id, unit) || brought;
    if is_configured(case, id, expr_key, MAX_CALLERS) {
        found.level = Level::Hint;
        found.why =
            Some("as far as this package tells the key comes from the configuration, not from what is asked".into());
    }
    if !hot && is_store_in_memory(owner) {
        found.level = Level::Hint;
        found.why = Some("by its name it is a store in memory: it is there to keep all that there is".into());
    }
    if ["test", "mock", "fake", "stub"].iter().any(|w| owner.to_lowercase().contains(w)) {
        found.level = Level::Hint;
        found.why = Some("by its name it is there for tests".into());
    }
    if let Long::Field(of, field) = place
        && is_given_by_maker(case, of, field)
    {
        found.level = Level::Hint;
        found.why = Some("who makes the value gives the map to it, and has it too: it may take from it".into());
    }
    if is_set_up(&key) {
        found.level = Level::Hint;
        found.why =
            Some("by its name the key is of something that somebody sets up: as many as there are of it".into());
    }
    if let Some(list) = bounded_beside(case, id) {
        found.level = Level::Hint;
        found.why = Some(format!("the function looks at how long `{list}` is, which grows with it: that bounds both"));
    }
    if !hot && is_switch(case, id, at) {
        found.level = Level::Hint;
        found.why =
            Some("what is put there is a parameter that is true or false: a switch for each of what there is".into());
    }
    if by_state || !of_process || !(hot || is_of_many(&key, name, owner)) {
        found.level = Level::Hint;
    }
}

/// Whether a field gets its map or list as a parameter of a function that makes the value: `&Api{store:
/// store}`.
fn is_given_by_maker<'a>(case: &Case<'a>, of: &str, field: &str) -> bool {
    case.funcs().any(|(_, g)| {
        let mut given = false;
        for u in &g.scope.units {
            each_node(u.body, |node| {
                if let Node::Expr(e) = node
                    && let ExprKind::Composite(Some(ty), elements) = &e.kind
                    && ty.pointee().name() == Some(("", of))
                {
                    given |= elements.iter().any(|(k, v)| {
                        let param = g.scope.var(v).and_then(|v| g.scope.vars.get(v));
                        k.as_ref().and_then(Expr::ident) == Some(field)
                            && param.is_some_and(|v| v.kind == VarKind::Param)
                    });
                }
            });
        }
        given
    })
}

/// Whether a key names what is set up, and not what comes by itself: a tenant, a cluster. Accounts, topics
/// and sites are as often users' own.
fn is_set_up(key: &str) -> bool {
    const OF: &[&str] = &["tenant", "org", "organization", "namespace", "cluster"];
    let last = key.rsplit('.').next().unwrap_or(key).to_lowercase();
    let stem = last.strip_suffix("id").or_else(|| last.strip_suffix("name")).unwrap_or(&last).trim_end_matches('_');
    OF.contains(&stem)
}

/// The list that a function both looks at the length of, to leave, and appends to: `if len(s.all) >= max {
/// return }`, and then `s.index[k] = len(s.all); s.all = append(s.all, v)`.
fn bounded_beside<'a>(case: &Case<'a>, id: FnId) -> Option<&'a str> {
    let f = case.pkg.funcs.get(id)?;
    let (mut asked, mut grown): (Vec<&'a str>, Vec<&'a str>) = (Vec::new(), Vec::new());
    for u in &f.scope.units {
        each_node(u.body, |node| {
            let Node::Stmt(s) = node else { return };
            match &s.kind {
                StmtKind::If(i) if i.then.stmts.last().is_some_and(|s| matches!(s.kind, StmtKind::Return(_))) => {
                    if let ExprKind::Binary(">" | ">=", operands) = &i.cond.kind
                        && let Some(len) = operands.first().and_then(Expr::call)
                        && len.fun.ident() == Some("len")
                        && operands.get(1).is_some_and(|bound| case.file(f).at(bound.span) != "0")
                    {
                        // A list that lives on, and not one of this call: what failed, say.
                        let lists = len.args.first().map(|a| case.file(f).at(a.span));
                        asked.extend(lists.filter(|list| list.contains('.')));
                    }
                }
                StmtKind::Assign("=", l, r) => {
                    let appends = r.first().and_then(Expr::call).is_some_and(|c| c.fun.ident() == Some("append"));
                    grown.extend(l.first().filter(|_| appends).map(|t| case.file(f).at(t.span)));
                }
                _ => {}
            }
        });
    }
    asked.into_iter().find(|list| grown.contains(list))
}

/// Whether what is put under a key is a parameter of the type bool: `m.busy[site] = status`.
fn is_switch<'a>(case: &Case<'a>, id: FnId, at: Span) -> bool {
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    let mut switch = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(s) = node
                && s.span == at
                && let StmtKind::Assign("=", _, r) = &s.kind
            {
                let given = r.first().and_then(|v| f.scope.var(v)).and_then(|v| f.scope.vars.get(v));
                switch |= given.is_some_and(|v| v.kind == VarKind::Param && v.ty.is_some_and(|t| t.is("", "bool")));
            }
        });
    }
    switch
}

/// Whether a type is a store of its own that keeps in memory what others keep in a database:
/// `MemoryStateStore`.
fn is_store_in_memory(owner: &str) -> bool {
    let lower = owner.to_lowercase();
    let inside = lower.strip_prefix("in").unwrap_or(&lower).starts_with("mem");
    inside && ["store", "storage", "repository", "repo", "backend", "db", "database"].iter().any(|w| lower.ends_with(w))
}

/// Whether a key is a number among the receiver's own fields: a position in it, and no name from outside.
fn expr_is_state<'a>(case: &Case<'a>, id: FnId, key: &Expr<'a>) -> bool {
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    let receiver = key.selector().and_then(|(x, _)| f.scope.var(x)).and_then(|v| f.scope.vars.get(v));
    receiver.is_some_and(|v| v.kind == VarKind::Receiver)
        && matches!(
            case.pkg.underlying(&case.pkg.type_of(f, key)),
            Type::Name { path: "", name: "int" | "int32" | "int64" | "uint" | "uint32" | "uint64", .. }
        )
}

/// Calls that a key is followed through.
const MAX_CALLERS: u32 = 4;

/// Whether a key is, in every call of the function that the package has, a field of a receiver or what a
/// function was given that makes a handler: then all requests have the same.
fn is_configured<'a>(case: &Case<'a>, id: FnId, key: &Expr<'a>, steps: u32) -> bool {
    let Some(steps) = steps.checked_sub(1) else { return false };
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    // A constant, or the text of a query: as many as the program has.
    let constant = |n: &str| f.scope.var(key).is_none() && !case.pkg.vars.contains_key(n);
    if matches!(key.kind, ExprKind::Lit(..)) || key.ident().is_some_and(constant) {
        return true;
    }
    if let Some((x, field)) = key.selector() {
        // The method that a call of gRPC names is one of those that were registered.
        if field == "FullMethod" {
            return true;
        }
        let of = f.scope.var(x).and_then(|v| f.scope.vars.get(v));
        // Of what there is one: each of many has another.
        return of.is_some_and(|v| v.kind == VarKind::Receiver)
            && f.receiver_type().is_some_and(|of| is_of_the_process(case, of));
    }
    let Some(v) = f.scope.var(key).and_then(|v| f.scope.vars.get(v)) else { return false };
    if v.kind != VarKind::Param || !v.assigned.is_empty() {
        return false;
    }
    // Given to what makes the handler, and used in it.
    if v.unit == 0 && case.calls.handler_units.iter().any(|(h, u)| *h == id && *u > 0) {
        return true;
    }
    let Some(n) = f.decl.sig.params.iter().position(|p| p.name.is_some_and(|n| n.span == v.span)) else { return false };
    let mut edges = case.calls.to.get(&id).into_iter().flatten().filter_map(|n| case.calls.edges.get(*n)).peekable();
    edges.peek().is_some()
        && edges
            .all(|e| e.call.call().and_then(|c| c.args.get(n)).is_some_and(|a| is_configured(case, e.caller, a, steps)))
}

/// Whether names say that keys come without end: that of the key, and that of the map or of what has it. One
/// alone says little: there are as many caches of what a configuration has, and as many IDs of what is set up
/// once.
fn is_of_many(key: &str, map: &str, owner: &str) -> bool {
    const KEYS: &[&str] =
        &["id", "user", "session", "token", "addr", "ip", "req", "url", "uri", "path", "order", "trace", "query"];
    const MAPS: &[&str] =
        &["cache", "session", "seen", "visited", "history", "pending", "inflight", "dedup", "hits", "memo"];
    // By words: `userID`, `c.ip`, `req.URL.Path`; not `width`.
    let words = |text: &str| -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut lower_before = false;
        for c in text.chars() {
            if !c.is_alphanumeric() {
                lower_before = false;
                out.push(String::new());
                continue;
            }
            if c.is_uppercase() && lower_before || out.is_empty() {
                out.push(String::new());
            }
            lower_before = c.is_lowercase();
            if let Some(last) = out.last_mut() {
                last.extend(c.to_lowercase());
            }
        }
        out
    };
    let key = words(key);
    let named = [map, owner].map(str::to_lowercase);
    key.iter().any(|w| KEYS.contains(&w.trim_end_matches('s')) || KEYS.contains(&w.as_str()))
        && MAPS.iter().any(|m| named.iter().any(|n| n.contains(m)))
}

/// Whether something takes entries out of a `sync.Map`.
fn takes_from<'a>(case: &Case<'a>, place: Long<'a>) -> bool {
    case.all_sites().any(|(_, f, s)| {
        matches!(s.callee, Callee::Method("sync", "Map", "Delete" | "LoadAndDelete" | "CompareAndDelete" | "Clear"))
            && s.call.fun.selector().is_some_and(|(x, _)| same(case.pkg, f, x, place))
    })
}

/// Whether a key is what a switch around it compares with literals and constants: as many as it lists.
fn is_listed<'a>(case: &Case<'a>, f: &Function<'a>, body: &'a Block<'a>, key: &Expr<'a>) -> bool {
    let text = case.file(f).at(key.span);
    let mut listed = false;
    each_node(body, |node| {
        let Node::Stmt(s) = node else { return };
        let StmtKind::Switch(sw) = &s.kind else { return };
        if !s.span.contains(key.span) || sw.tag.as_ref().is_none_or(|t| case.file(f).at(t.span) != text) {
            return;
        }
        let around = sw.cases.iter().filter(|c| c.body.iter().any(|s| s.span.contains(key.span)));
        listed |= around.into_iter().any(|c| !c.is_default);
    });
    listed
}

/// Keys of which there are few: literals, constants, types, small numbers.
fn is_few<'a>(case: &Case<'a>, f: &Function<'a>, of: &Type<'a>, key: &Expr<'a>) -> bool {
    if matches!(key.kind, ExprKind::Lit(..))
        || key.ident().is_some_and(|n| f.scope.var(key).is_none() && !case.pkg.vars.contains_key(n))
    {
        return true;
    }
    // A class of numbers: `code/100`, `hash % 64`.
    if matches!(&key.kind, ExprKind::Binary("/" | "%", operands)
        if operands.get(1).is_some_and(|o| matches!(o.kind, ExprKind::Lit(..)) || o.ident().is_some_and(|n| f.scope.var(o).is_none() && !case.pkg.vars.contains_key(n))))
    {
        return true;
    }
    // Of a topic's partitions and a table's shards there are some.
    let last = crate::meaning::channels::last_name(key).to_lowercase();
    if ["partition", "partitionid", "shard", "shardid"].contains(&last.as_str()) {
        return true;
    }
    // A program has as many patterns of routes and templates as it is written with.
    if crate::meaning::channels::last_name(key).to_lowercase().ends_with("pattern") {
        return true;
    }
    // `pkg.Constant`.
    if key.selector().is_some_and(|(x, _)| case.pkg.package_named(f, x).is_some()) {
        return true;
    }
    match of {
        Type::Name { path: "reflect", .. } => true,
        // Enumerations of other packages are known by their names.
        Type::Name { path, name, .. } if !path.is_empty() => {
            ["Type", "Kind", "Level", "Code", "State", "Mode", "Status", "Class"].iter().any(|end| name.ends_with(end))
        }
        Type::Name { path: "", name, .. } => {
            matches!(*name, "bool" | "byte" | "int8" | "uint8")
                // An enumeration of this package.
                || matches!(case.pkg.underlying(of), Type::Name { name: "int" | "uint" | "int32" | "uint32" | "uint16" | "int16" | "byte" | "uint8", .. }) && case.pkg.types.contains_key(name)
        }
        _ => false,
    }
}
