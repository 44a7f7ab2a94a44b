//! Who calls whom within a package, which functions requests come in by, and which many goroutines run.

use rustc_hash::{FxHashMap, FxHashSet};

use super::ast::{Call, Expr, ExprKind, LitKind, Signature, StmtKind, Type};
use super::infer::Callee;
use super::package::{FnId, Function, Package};
use super::scope::{Init, Role};
use super::visit::{self, Node};

/// A call of a function of this package.
#[derive(Clone, Copy, Debug)]
pub struct Edge<'a> {
    /// Who calls.
    pub caller: FnId,
    /// In which of its units.
    pub unit: usize,
    /// Who is called.
    pub callee: FnId,
    /// The call.
    pub call: &'a Expr<'a>,
    /// Whether it is `go f()`.
    pub starts: bool,
    /// Whether it stands in a loop of its unit, or is inside a literal in one.
    pub in_loop: bool,
}

/// How a call stands in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is made where it stands.
    Plain,
    /// `go f()`.
    Go,
    /// `defer f()`.
    Defer,
}

/// A call, of whatever.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The call.
    pub expr: &'a Expr<'a>,
    /// Its parts.
    pub call: &'a Call<'a>,
    /// What is called.
    pub callee: Callee<'a>,
    /// The unit that it stands in.
    pub unit: usize,
    /// How.
    pub how: How,
    /// Whether it stands in a loop of its unit.
    pub in_loop: bool,
}

/// Why a function runs often, on many goroutines at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heat {
    /// It is what `net/http`, or a framework like it, calls for a request.
    Request,
    /// It is a gRPC method.
    Rpc,
    /// It is given to a router with a path, whatever it takes.
    Routed,
    /// It is an exported method of a service and takes a context first.
    Service,
    /// It is started as a goroutine in a loop.
    Many,
    /// A function that runs often calls it, through this many calls.
    Called(FnId, u32),
}

/// Calls and heat of a package.
#[derive(Debug, Default)]
pub struct Calls<'a> {
    /// All calls of each function, in the order of their units and then of the text.
    pub sites: Vec<Vec<Site<'a>>>,
    /// All calls within the package.
    pub edges: Vec<Edge<'a>>,
    /// By who calls.
    pub from: FxHashMap<FnId, Vec<usize>>,
    /// By who is called.
    pub to: FxHashMap<FnId, Vec<usize>>,
    /// Functions that run often, with why.
    pub hot: FxHashMap<FnId, Heat>,
    /// Units of functions that are request handlers themselves.
    pub handler_units: Vec<(FnId, usize)>,
}

/// Calls that are followed from a handler.
const MAX_FAR: u32 = 4;

impl<'a> Calls<'a> {
    /// Of a package.
    #[must_use]
    pub fn new(pkg: &Package<'a>) -> Self {
        let mut out = Self::default();
        for (id, f) in pkg.funcs.iter().enumerate() {
            out.function(pkg, id, f);
        }
        out.heat(pkg);
        out
    }

    fn function(&mut self, pkg: &Package<'a>, id: FnId, f: &Function<'a>) {
        let mut sites = Vec::new();
        for unit in 0..f.scope.units.len() {
            let Some(u) = f.scope.units.get(unit) else { continue };
            let mut started = (0, How::Plain);
            let mut loops: Vec<super::ast::Span> = Vec::new();
            visit::block(u.body, &mut |node| {
                match node {
                    Node::Stmt(s) => match &s.kind {
                        StmtKind::Go(e) => started = (e.span.start, How::Go),
                        StmtKind::Defer(e) => started = (e.span.start, How::Defer),
                        StmtKind::For(l) => loops.push(l.body.span),
                        _ => {}
                    },
                    Node::Expr(e) => {
                        if matches!(e.kind, super::ast::ExprKind::FuncLit(_)) {
                            return false;
                        }
                        if let Some(call) = e.call() {
                            let in_loop = loops.iter().any(|l| l.contains(e.span));
                            // `go f()()` starts what `f()` gives, and both begin at the same byte: the outer
                            // is first.
                            let how = if started.0 == e.span.start { started.1 } else { How::Plain };
                            started = if how == How::Plain { started } else { (0, How::Plain) };
                            let callee = given_once(pkg, f, pkg.callee(f, &call.fun));
                            sites.push(Site { expr: e, call, callee, unit, how, in_loop });
                        }
                    }
                }
                true
            });
            if is_handler(u.sig) {
                self.handler_units.push((id, unit));
            }
        }
        for site in &sites {
            for callee in listed(pkg, f, site) {
                let n = self.edges.len();
                let (unit, call, starts) = (site.unit, site.expr, site.how == How::Go);
                self.edges.push(Edge { caller: id, unit, callee, call, starts, in_loop: false });
                self.from.entry(id).or_default().push(n);
                self.to.entry(callee).or_default().push(n);
            }
            if let Callee::Local(callee) = site.callee {
                let n = self.edges.len();
                let starts = site.how == How::Go;
                let (unit, call, in_loop) = (site.unit, site.expr, site.in_loop);
                self.edges.push(Edge { caller: id, unit, callee, call, starts, in_loop });
                self.from.entry(id).or_default().push(n);
                self.to.entry(callee).or_default().push(n);
            }
        }
        self.sites.push(sites);
    }

    fn heat(&mut self, pkg: &Package<'a>) {
        let mut next = Vec::new();
        let routed = self.routed(pkg);
        for (id, f) in pkg.funcs.iter().enumerate() {
            let heat = if is_handler(&f.decl.sig) {
                Some(Heat::Request)
            } else if is_rpc(pkg, f) {
                Some(Heat::Rpc)
            } else if routed.contains(&id) {
                Some(Heat::Routed)
            } else if is_service(f) {
                Some(Heat::Service)
            } else {
                let many = self.to.get(&id).into_iter().flatten().filter_map(|n| self.edges.get(*n));
                many.clone().any(|e| e.starts && e.in_loop).then_some(Heat::Many)
            };
            if let Some(heat) = heat {
                self.hot.insert(id, heat);
                next.push((id, 0));
            }
        }
        for (id, unit) in self.handler_units.clone() {
            if unit > 0 && !self.hot.contains_key(&id) {
                // What a literal that is a handler calls runs often, though the function around it does not.
                let edges = self.from.get(&id).into_iter().flatten().filter_map(|n| self.edges.get(*n));
                let f = pkg.funcs.get(id);
                let inside = edges.filter(|e| f.is_some_and(|f| f.scope.is_within(e.unit, unit)));
                for callee in inside.map(|e| e.callee).collect::<Vec<_>>() {
                    self.warm(callee, id, 1, &mut next);
                }
            }
        }
        let mut at = 0;
        while let Some((id, far)) = next.get(at).copied() {
            at += 1;
            if far >= MAX_FAR {
                continue;
            }
            let f = pkg.funcs.get(id);
            let edges = self.from.get(&id).into_iter().flatten().filter_map(|n| self.edges.get(*n));
            let callees: Vec<FnId> = edges
                // A literal that is kept for later is not run by who makes it.
                .filter(|e| f.is_none_or(|f| f.scope.units.get(e.unit).is_none_or(|u| u.role != Role::Value)))
                .map(|e| e.callee)
                .collect();
            for callee in callees {
                self.warm(callee, id, far + 1, &mut next);
            }
        }
    }

    /// Functions and methods of this package that stand, as values, in a call like `g.GET("/path",
    /// wrap(s.list))`.
    fn routed(&self, pkg: &Package<'a>) -> FxHashSet<FnId> {
        let mut out = FxHashSet::default();
        for (id, site) in self.sites.iter().enumerate().flat_map(|(id, sites)| sites.iter().map(move |s| (id, s))) {
            let Some((f, (_, name))) = pkg.funcs.get(id).zip(site.call.fun.selector()) else { continue };
            let path = site.call.args.first().is_some_and(|a| {
                matches!(a.kind, ExprKind::Lit(LitKind::String, text)
                    if text.get(1..).is_some_and(|t| t.starts_with('/')) || text.contains(" /"))
            });
            if !path || !is_router_method(name) {
                continue;
            }
            for argument in site.call.args.iter().skip(1) {
                visit::expr(argument, &mut |node| {
                    if let Node::Expr(e) = node {
                        match &e.kind {
                            ExprKind::FuncLit(_) => return false,
                            ExprKind::Ident(_) | ExprKind::Selector(..) => {
                                if let Callee::Local(callee) = pkg.callee(f, e) {
                                    out.insert(callee);
                                }
                            }
                            // What is called here and now is not what is given.
                            ExprKind::Call(call) => {
                                out.extend(call.args.iter().filter_map(|a| match pkg.callee(f, a) {
                                    Callee::Local(callee) => Some(callee),
                                    _ => None,
                                }))
                            }
                            _ => {}
                        }
                        return !matches!(e.kind, ExprKind::Call(_));
                    }
                    true
                });
            }
        }
        out
    }

    fn warm(&mut self, callee: FnId, by: FnId, far: u32, next: &mut Vec<(FnId, u32)>) {
        if let std::collections::hash_map::Entry::Vacant(slot) = self.hot.entry(callee) {
            slot.insert(Heat::Called(by, far));
            next.push((callee, far));
        }
    }

    /// Whether a unit of a function runs for requests: the function does, or the unit or one around it is a
    /// handler.
    #[must_use]
    pub fn is_hot(&self, pkg: &Package<'a>, id: FnId, unit: usize) -> bool {
        self.hot.contains_key(&id) || self.handles(pkg, id, unit)
    }

    /// Whether a unit, or one around it, is itself a handler.
    #[must_use]
    pub fn handles(&self, pkg: &Package<'a>, id: FnId, unit: usize) -> bool {
        let Some(f) = pkg.funcs.get(id) else { return false };
        matches!(self.hot.get(&id), Some(Heat::Request | Heat::Rpc | Heat::Routed))
            || self.handler_units.iter().any(|(h, u)| *h == id && f.scope.is_within(unit, *u))
    }

    /// The function by which requests come in that reach this one, and how that is told.
    #[must_use]
    pub fn entry(&self, pkg: &Package<'a>, id: FnId) -> Option<(FnId, &'static str)> {
        let mut at = id;
        for _ in 0..=MAX_FAR + 1 {
            match self.hot.get(&at) {
                Some(Heat::Request) => return Some((at, "handles requests")),
                Some(Heat::Rpc) => return Some((at, "is a gRPC method")),
                Some(Heat::Routed) => return Some((at, "is what a route leads to")),
                Some(Heat::Service) => return Some((at, "takes a context as what serves requests does")),
                Some(Heat::Many) => return Some((at, "is run by many goroutines")),
                Some(Heat::Called(by, _)) => at = *by,
                None => break,
            }
        }
        let has = self.handler_units.iter().any(|(h, _)| *h == at) && pkg.funcs.get(at).is_some();
        has.then_some((at, "has a handler of requests in it"))
    }
}

/// The function that a variable holds which is given one once: `loop := a.read`, and then `go loop()`.
fn given_once<'a>(pkg: &Package<'a>, f: &Function<'a>, callee: Callee<'a>) -> Callee<'a> {
    let Callee::Variable(var) = callee else { return callee };
    let Some(v) = f.scope.vars.get(var).filter(|v| v.assigned.is_empty() && !v.address_taken) else { return callee };
    match v.init {
        Init::Value(e, 0) if matches!(e.kind, ExprKind::Ident(_) | ExprKind::Selector(..)) => match pkg.callee(f, e) {
            local @ Callee::Local(_) => local,
            _ => callee,
        },
        _ => callee,
    }
}

/// The functions of a list that is written out and whose elements a round calls, each of them once: `for _,
/// run := range []func(){a.read, a.write} { go run() }`.
fn listed<'a>(pkg: &Package<'a>, f: &Function<'a>, site: &Site<'a>) -> Vec<FnId> {
    let Callee::Variable(var) = site.callee else { return Vec::new() };
    let Some(Init::RangeValue(over)) = f.scope.vars.get(var).map(|v| v.init) else { return Vec::new() };
    let ExprKind::Composite(_, elements) = &over.kind else { return Vec::new() };
    let named = elements.iter().map(|(_, e)| pkg.callee(f, e));
    named.filter_map(|c| if let Callee::Local(id) = c { Some(id) } else { None }).collect()
}

/// Whether a function is what a web framework calls for a request.
#[must_use]
pub fn is_handler(sig: &Signature<'_>) -> bool {
    let has = |path: &str, name: &str| sig.params.iter().any(|p| p.ty.is(path, name));
    if has("net/http", "ResponseWriter") && has("net/http", "Request") {
        return true;
    }
    // Interceptors of gRPC stand around each call.
    if has("google.golang.org/grpc", "UnaryServerInfo") || has("google.golang.org/grpc", "StreamServerInfo") {
        return true;
    }
    // gin, echo, fiber, fasthttp, blademaster: one context, which is the request.
    match sig.params.as_slice() {
        [one] => one.ty.name().is_some_and(|(path, name)| {
            let last = path.rsplit('/').find(|p| !p.starts_with('v') || p.len() > 3).unwrap_or(path);
            match name {
                "Context" => {
                    matches!(last, "gin" | "echo" | "blademaster" | "iris" | "hertz" | "beego" | "context")
                        && path != "context"
                }
                "Ctx" => last == "fiber",
                "RequestCtx" => last == "fasthttp",
                _ => false,
            }
        }),
        _ => false,
    }
}

/// Methods of routers that take a path and what answers there.
fn is_router_method(name: &str) -> bool {
    matches!(
        name,
        "GET"
            | "POST"
            | "PUT"
            | "PATCH"
            | "DELETE"
            | "HEAD"
            | "OPTIONS"
            | "Any"
            | "All"
            | "Get"
            | "Post"
            | "Put"
            | "Patch"
            | "Delete"
            | "Handle"
            | "HandleFunc"
            | "Method"
            | "MethodFunc"
            | "Route"
    )
}

/// Whether it is an exported method of a type named a service, that takes a context first: what handlers of
/// other packages call. Those that are named after a start, an end or a round of work are not.
fn is_service(f: &Function<'_>) -> bool {
    let Some(receiver) = f.receiver_type().map(str::to_lowercase) else { return false };
    let kinds = ["service", "svc", "logic", "usecase", "handler", "controller", "resolver"];
    let name = f.decl.name.name;
    let begins = [
        "Run",
        "Start",
        "Stop",
        "Close",
        "Shutdown",
        "Serve",
        "Load",
        "Reload",
        "Refresh",
        "Init",
        "Watch",
        "Sync",
        "Update",
        "Rebuild",
        "Build",
        "Warm",
        "Register",
        "Subscribe",
        "Listen",
        "Loop",
        "Apply",
        "Configure",
        "Reset",
        "Migrate",
        "Setup",
        "Provision",
        "On",
    ];
    name.starts_with(char::is_uppercase)
        && kinds.iter().any(|k| receiver.ends_with(k))
        && !begins.iter().any(|b| name.starts_with(b))
        && f.decl.sig.params.first().is_some_and(|p| p.ty.is("context", "Context"))
        // A handler of log records is no handler of requests.
        && !f.decl.sig.params.iter().any(|p| p.ty.is("log/slog", "Record"))
        && (f.decl.sig.params.len() > 1 || f.decl.sig.results.len() > 1)
}

/// Whether it is a method `(context.Context, *pb.XRequest) (*pb.XReply, error)`, or one of streams, of a
/// server.
fn is_rpc<'a>(pkg: &Package<'a>, f: &Function<'a>) -> bool {
    if f.decl.receiver.is_none() {
        return false;
    }
    let sig = &f.decl.sig;
    let ends = |ty: &Type<'_>, ends: &[&str]| ty.name().is_some_and(|(_, name)| ends.iter().any(|e| name.ends_with(e)));
    let unary = matches!((sig.params.as_slice(), sig.results.as_slice()), ([ctx, req], [reply, err])
        if ctx.ty.is("context", "Context") && ends(&req.ty, &["Request", "Req"])
            && ends(&reply.ty, &["Response", "Resp", "Reply", "Res", "Rsp"]) && err.ty.is("", "error")
            && matches!(req.ty, Type::Pointer(_)) && matches!(reply.ty, Type::Pointer(_)));
    if !unary {
        return false;
    }
    // Clients have the same methods; a server embeds what is generated for it, or is named one.
    let receiver = f.receiver_type().unwrap_or_default();
    let lower = receiver.to_lowercase();
    if lower.contains("client") || lower.contains("mock") || lower.contains("fake") {
        return false;
    }
    let embeds = match pkg.underlying(&Type::plain(receiver)) {
        Type::Struct(fields) => fields.iter().any(|f| f.embedded && f.name.starts_with("Unimplemented")),
        _ => false,
    };
    embeds || lower.ends_with("server") || lower.ends_with("service") || lower.ends_with("svc")
}
