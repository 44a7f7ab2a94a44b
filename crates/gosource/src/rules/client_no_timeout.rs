//! An HTTP client without a timeout. The page: `docs/rules/client-no-timeout.md`.

use super::rule::{Case, Out, Rule, RuleInfo};
use crate::finding::Level;
use crate::meaning::channels::last_name;
use crate::meaning::loops::each_node;
use crate::project::FileKind;
use crate::syntax::ast::{Expr, ExprKind, Span, StmtKind, Type};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, VarId, VarKind};

/// The rule.
pub(super) struct ClientNoTimeout;

impl Rule for ClientNoTimeout {
    const INFO: RuleInfo = RuleInfo {
        code: "client-no-timeout",
        title: "an HTTP client without a timeout",
        doc: include_str!("../../../../docs/rules/client-no-timeout.md"),
    };
    const LEVEL: Level = Level::Warning;
    const WHY: &'static str = "nothing in the package sets a timeout on it or gives its requests a context";
    const CURE: &'static str = "Give the client a Timeout, or each request a context with a deadline.";

    fn check(case: &Case<'_>, out: &mut Out) {
        let contexts = case.pkg.files.iter().any(|f| {
            f.text.contains("NewRequestWithContext") || f.text.contains(".WithContext(") || f.text.contains("ctxhttp.")
        });
        for (id, f, site) in case.all_sites() {
            let text = case.text(f, site.call.fun.span);
            match site.callee {
                Callee::Package("net/http", "Get" | "Post" | "PostForm" | "Head") => {
                    out.found(
                        id,
                        site.expr.span,
                        format!("`{text}` uses the default client, which waits for an answer for ever"),
                    );
                }
                Callee::Method("net/http", "Client", "Get" | "Post" | "PostForm" | "Head" | "Do") => {
                    let default = site.call.fun.selector().and_then(|(x, _)| x.selector()).is_some_and(|(p, name)| {
                        name == "DefaultClient" && case.pkg.package_named(f, p) == Some("net/http")
                    });
                    let is_do = text.ends_with(".Do");
                    // Of a request that the caller made the caller knows the context.
                    let given = site.call.args.first().and_then(|a| f.scope.var(a)).and_then(|v| f.scope.vars.get(v));
                    let given = is_do && given.is_some_and(|v| v.kind == VarKind::Param);
                    if default && !given && !(is_do && contexts) {
                        out.found(
                            id,
                            site.expr.span,
                            format!("`{text}` uses the default client, which waits for an answer for ever"),
                        );
                    }
                }
                _ => {}
            }
        }
        let untimed = |e: &Expr<'_>| {
            // `new(http.Client)` is `&http.Client{}`.
            e.call().is_some_and(|c| {
                let of = c.args.first().map(|a| &a.kind);
                c.fun.ident() == Some("new")
                    && matches!(of, Some(ExprKind::Type(Type::Name { path: "net/http", name: "Client", .. })))
            }) || matches!(&e.kind, ExprKind::Composite(Some(Type::Name { path: "net/http", name: "Client", .. }), elements)
                if !elements.iter().any(|(k, v)| k.as_ref().is_some_and(|k| k.ident() == Some("Timeout")) && !is_zero(v)))
        };
        const SENTENCE: &str = "this client has no Timeout, and no request in the package has a context: an answer that never comes is waited for for ever";
        const SOME: &str = "this client has no Timeout, and a request by it here has no context: an answer that never comes is waited for for ever";
        let sentence = if contexts { SOME } else { SENTENCE };
        for (at, span, holder) in composites(case, &untimed) {
            if is_set_on(case, holder, &["Timeout"]) || is_given_to_options(case, holder) {
                continue;
            }
            // `client.Get(url)` takes no context, whatever other requests of the package have.
            if contexts && !is_asked_without_context(case, holder) {
                continue;
            }
            let given = match at {
                At::Function(id) => case.pkg.funcs.get(id).is_some_and(|f| gives_client(f)) && !sends(case),
                At::File(_) => false,
            };
            let bounded =
                text_of(case, &at, span).is_some_and(bounds_by_itself) || has_bounded_transport(case, &at, span);
            let away = goes_away(case, holder);
            let found = match at {
                At::Function(id) => out.found(id, span, sentence),
                At::File(file) => out.found_in_file(file, span, sentence),
            };
            if text_of(case, &at, span).is_some_and(|text| text.replace(' ', "").contains("Timeout:0,")) {
                found.level = Level::Hint;
                found.why = Some("its Timeout is written as 0: whoever did that wants none".into());
            }
            let given_another = matches!(holder, Holder::Local(id, var) if case.pkg.funcs.get(id)
                .and_then(|f| f.scope.vars.get(var)).is_some_and(|v| v.assigned.iter().any(|(_, at)| at.start > span.end)));
            if given_another {
                found.level = Level::Hint;
                found.why = Some("another client may be put in its place further down".into());
            }
            if let At::Function(id) = at
                && let Some(f) = case.pkg.funcs.get(id)
                && is_for_a_handshake(f, span)
            {
                found.level = Level::Hint;
                found.why =
                    Some("it is for the handshake of a websocket, which is dialled with a context as a rule".into());
            }
            if bounded {
                found.level = Level::Hint;
                found.why = Some("its transport bounds how long it waits for a connection or for an answer".into());
            }
            if has_transport_of_caller(case, &at, span) {
                found.level = Level::Hint;
                found.why = Some("its transport is the caller's: whether that gives up is not seen here".into());
            }
            if is_handed_with_context(case, holder) {
                found.level = Level::Hint;
                found.why = Some("it is handed on with a context: what sends by it may do so with that".into());
            }
            if matches!(at, At::Function(_)) && sends_for_others(case) {
                found.level = Level::Hint;
                found.why =
                    Some("all requests that this package sends are made by others, who may give them a context".into());
            }
            if let Some(why) = with_context_of_another(case, &at, span) {
                found.level = Level::Hint;
                found.why = Some(why.into());
            }
            if given || away {
                found.level = Level::Hint;
                found.why = Some(
                    "the client is given to others, and this package sends nothing by it: who does may give each request a context"
                        .into(),
                );
            }
        }
    }
}

/// Whether a client is an element of a literal that is named after websockets or dialling:
/// `websocket.DialOptions{ HTTPClient: ...}`.
fn is_for_a_handshake(f: &Function<'_>, span: Span) -> bool {
    let mut found = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Expr(e) = node
                && let ExprKind::Composite(Some(ty), elements) = &e.kind
                && elements.iter().any(|(_, v)| v.unary("&").unwrap_or(v).span == span)
            {
                let name = ty.pointee().name().map_or("", |(_, name)| name).to_lowercase();
                found |= name.contains("websocket") || name.contains("dialoptions");
            }
        });
    }
    found
}

/// Whether the package asks by what has the holder's name, in a way that takes no context.
fn is_asked_without_context(case: &Case<'_>, holder: Holder<'_>) -> bool {
    let name = match holder {
        Holder::Local(id, var) => case.pkg.funcs.get(id).and_then(|f| f.scope.vars.get(var)).map(|v| v.name),
        Holder::Named(name) => Some(name),
        _ => None,
    };
    name.is_some_and(|name| {
        case.all_sites().any(|(_, _, s)| {
            matches!(s.callee, Callee::Method("net/http", "Client", "Get" | "Post" | "PostForm" | "Head"))
                && s.call.fun.selector().is_some_and(|(x, _)| last_name(x) == name)
        })
    })
}

/// Whether the function that makes a client makes its transport too, under a name or in a field, and that
/// bounds how long it waits for an answer.
fn has_bounded_transport(case: &Case<'_>, at: &At, span: Span) -> bool {
    let At::Function(id) = at else { return false };
    let Some(f) = case.pkg.funcs.get(*id) else { return false };
    let file = case.file(f);
    let mut transport = None;
    let mut made: Vec<(&str, &str)> = Vec::new();
    for u in &f.scope.units {
        each_node(u.body, |node| match node {
            Node::Expr(e) => {
                if let ExprKind::Composite(_, elements) = &e.kind
                    && e.span == span
                {
                    let of_key = elements.iter().find(|(k, _)| k.as_ref().and_then(Expr::ident) == Some("Transport"));
                    transport = of_key.map(|(_, v)| file.at(v.span));
                }
            }
            Node::Stmt(s) => {
                if let StmtKind::Assign("=", l, r) | StmtKind::Define(l, r) = &s.kind
                    && l.len() == r.len()
                {
                    made.extend(l.iter().zip(r).map(|(to, v)| (file.at(to.span), file.at(v.span))));
                }
            }
        });
    }
    transport.is_some_and(|t| made.iter().any(|(to, value)| *to == t && bounds_by_itself(value)))
}

/// Whether a client's transport is a parameter of the function that makes it.
fn has_transport_of_caller(case: &Case<'_>, at: &At, span: Span) -> bool {
    let At::Function(id) = at else { return false };
    let Some(f) = case.pkg.funcs.get(*id) else { return false };
    let mut given = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Expr(e) = node
                && let ExprKind::Composite(_, elements) = &e.kind
                && e.span == span
            {
                given |= elements.iter().any(|(k, v)| {
                    k.as_ref().and_then(Expr::ident) == Some("Transport")
                        && f.scope.var(v).and_then(|v| f.scope.vars.get(v)).is_some_and(|v| v.kind == VarKind::Param)
                });
            }
        });
    }
    given
}

/// Whether a client is handed, together with a context, to another module.
fn is_handed_with_context<'a>(case: &Case<'a>, holder: Holder<'a>) -> bool {
    let Holder::Local(id, var) = holder else { return false };
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    case.sites(id).iter().any(|s| {
        matches!(s.callee, Callee::Package(path, _) if path.contains('.'))
            && s.call.args.iter().any(|a| f.scope.var(a.unary("&").unwrap_or(a)) == Some(var))
            && s.call.args.iter().any(|a| case.pkg.type_of(f, a).is("context", "Context"))
    })
}

/// Whether the package sends requests by clients, and each of them is a parameter.
fn sends_for_others(case: &Case<'_>) -> bool {
    let mut sent = case
        .all_sites()
        .filter(|(_, _, s)| {
            matches!(s.callee, Callee::Method("net/http", "Client", "Get" | "Post" | "PostForm" | "Head" | "Do"))
        })
        .peekable();
    sent.peek().is_some()
        && sent.all(|(_, f, s)| {
            let request = s.call.args.first().and_then(|a| f.scope.var(a)).and_then(|v| f.scope.vars.get(v));
            last_name(&s.call.fun) == "Do" && request.is_some_and(|v| v.kind == VarKind::Param)
        })
}

/// Why requests by a client may have a context though this package gives them none: a library makes them.
fn with_context_of_another<'a>(case: &Case<'a>, at: &At, span: Span) -> Option<&'static str> {
    let At::Function(id) = at else { return None };
    let f = case.pkg.funcs.get(*id)?;
    let is = |e: &Expr<'a>| e.unary("&").unwrap_or(e).span == span;
    let named = |e: &Expr<'a>| {
        let v = f.scope.var(e).and_then(|v| f.scope.vars.get(v)).map(|v| v.init);
        matches!(v, Some(crate::syntax::Init::Value(made, 0)) if is(made))
    };
    let holds = |e: &Expr<'a>| is(e) || named(e);
    let of_context = |s: &crate::syntax::calls::Site<'a>| {
        s.callee == Callee::Package("context", "WithValue") && s.call.args.iter().any(holds)
    };
    if case.sites(*id).iter().any(of_context) {
        return Some("it is put into a context: what looks for it there makes its requests with that context");
    }
    if sends(case) {
        return None;
    }
    let option = |s: &crate::syntax::calls::Site<'a>| {
        last_name(&s.call.fun).ends_with("Client")
            && match s.callee {
                Callee::Package(path, _) | Callee::Method(path, ..) => path.contains('.'),
                // `config.WithHTTPClient(c)`, of what another module's function gave.
                Callee::Unknown(name) => name.ends_with("HTTPClient"),
                _ => false,
            }
            && s.call.args.iter().any(holds)
    };
    if case.sites(*id).iter().any(option) {
        return Some("it is given to another module, which sends by it: how long that waits is for its calls to say");
    }
    let (mut given, mut for_client) = (false, false);
    for u in &f.scope.units {
        crate::meaning::loops::each_node(u.body, |node| {
            if let Node::Expr(e) = node
                && let ExprKind::Composite(Some(Type::Name { path, .. }), elements) = &e.kind
            {
                for_client |= path.contains('.') && elements.iter().any(|(_, v)| holds(v));
            }
            let Node::Stmt(s) = node else { return };
            let StmtKind::Assign("=", l, r) = &s.kind else { return };
            for (target, _) in l.iter().zip(r).filter(|(_, value)| holds(value)) {
                let owner = target.selector().map(|(x, _)| case.pkg.type_of(f, x));
                given |= owner.is_some_and(|ty| ty.pointee().name().is_some_and(|(path, _)| path.contains('.')));
            }
        });
    }
    if for_client {
        return Some(
            "it is a field of what another module makes its requests by: how long those wait is for that to say",
        );
    }
    let asks = given && case.all_sites().any(|(_, f, s)| is_call_with_context(case, f, s));
    asks.then_some("it is given to a client of another module, and calls of that take a context here")
}

/// Whether a call of something of another module is given a context.
fn is_call_with_context<'a>(case: &Case<'a>, f: &Function<'a>, s: &crate::syntax::calls::Site<'a>) -> bool {
    matches!(s.callee, Callee::Unknown(_) | Callee::Method(..))
        && s.call.args.first().is_some_and(|a| case.pkg.type_of(f, a).is("context", "Context"))
}

/// Whether a function gives a client: to other packages, or to what of this package hands it on to them.
fn gives_client(f: &Function<'_>) -> bool {
    f.decl.sig.results.iter().any(|r| r.ty.is("net/http", "Client"))
}

/// The text of what stands there.
fn text_of<'a>(case: &Case<'a>, at: &At, span: Span) -> Option<&'a str> {
    let file = match at {
        At::Function(id) => case.pkg.funcs.get(*id).map(|f| case.file(f)),
        At::File(file) => case.pkg.files.get(*file),
    };
    file.map(|file| file.at(span))
}

/// Whether the text of a client says that its transport waits no longer than so long.
fn bounds_by_itself(text: &str) -> bool {
    ["ResponseHeaderTimeout", "NewDeadlineTransport", "TimeoutTransport", "DeadlineTransport", "TimeoutRoundTripper"]
        .iter()
        .any(|w| text.contains(w))
}

/// Whether a client is handed to another package, or kept in a field, and this package sends nothing by what
/// has its name.
fn goes_away(case: &Case<'_>, holder: Holder<'_>) -> bool {
    let sent_by = |name: &str| {
        case.all_sites().any(|(_, _, s)| {
            matches!(s.callee, Callee::Method("net/http", "Client", _))
                && s.call.fun.selector().is_some_and(|(x, _)| last_name(x) == name)
        })
    };
    match holder {
        Holder::Local(id, var) => {
            let Some(f) = case.pkg.funcs.get(id) else { return false };
            let Some(v) = f.scope.vars.get(var) else { return false };
            let handed = case.sites(id).iter().any(|s| {
                let abroad = matches!(s.callee, Callee::Package(path, _) if path.contains('.'));
                abroad && s.call.args.iter().any(|a| f.scope.var(a.unary("&").unwrap_or(a)) == Some(var))
            });
            (handed || is_in_foreign_struct(case, f, var)) && !sent_by(v.name)
        }
        // Whoever has the struct may send by it, if it is a struct of this package that others can reach.
        Holder::Named(name) => !sends(case) && !sent_by(name) && name.starts_with(char::is_lowercase),
        Holder::Somebody | Holder::Nobody => false,
    }
}

/// Whether a client is an element of a struct of another package: `&common.Client{Client: client, Address:
/// a}`.
fn is_in_foreign_struct(case: &Case<'_>, f: &Function<'_>, var: VarId) -> bool {
    let mut put = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Expr(e) = node
                && let ExprKind::Composite(Some(Type::Name { path, .. }), elements) = &e.kind
            {
                put |= !path.is_empty()
                    && *path != case.pkg.import_path
                    && elements.iter().any(|(_, v)| f.scope.var(v.unary("&").unwrap_or(v)) == Some(var));
            }
        });
    }
    put
}

/// Whether the package sends requests itself.
fn sends(case: &Case<'_>) -> bool {
    case.all_sites().any(|(_, _, s)| {
        matches!(s.callee, Callee::Method("net/http", "Client", "Get" | "Post" | "PostForm" | "Head" | "Do"))
    })
}

/// Where an expression stands.
pub(super) enum At {
    /// In a function.
    Function(FnId),
    /// At package level, in this file.
    File(usize),
}

/// What a literal is given to, as far as its statement tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    /// A variable of a function.
    Local(FnId, VarId),
    /// A field or a package variable, by its name.
    Named(&'a str),
    /// Returned, handed on, or not to be told.
    Somebody,
    /// `_`: never used.
    Nobody,
}

/// Literals of the package for which this holds, in functions and in the values of package variables, with
/// what they are given to.
pub(super) fn composites<'a>(case: &Case<'a>, is: &dyn Fn(&Expr<'a>) -> bool) -> Vec<(At, Span, Holder<'a>)> {
    let mut out = Vec::new();
    for (id, f) in case.funcs() {
        let Some(body) = &f.decl.body else { continue };
        let mut held: Vec<(Span, Holder<'a>)> = Vec::new();
        let bare = |e: &Expr<'a>| e.unary("&").unwrap_or(e).span;
        visit::block(body, &mut |node| {
            match node {
                Node::Stmt(s) => match &s.kind {
                    StmtKind::Define(l, r) | StmtKind::Assign("=", l, r) if l.len() == r.len() => {
                        for (target, value) in l.iter().zip(r) {
                            let holder = match f.scope.var(target) {
                                Some(var) => Holder::Local(id, var),
                                None if target.ident() == Some("_") => Holder::Nobody,
                                None => Holder::Named(last_name(target)),
                            };
                            held.push((bare(value), holder));
                        }
                    }
                    StmtKind::Var(specs) => {
                        for (name, value) in specs.iter().flat_map(|s| s.names.iter().zip(&s.values)) {
                            if let Some(var) = f.scope.vars.iter().position(|v| v.span == name.span) {
                                held.push((bare(value), Holder::Local(id, var)));
                            }
                        }
                    }
                    _ => {}
                },
                Node::Expr(e) => {
                    if let ExprKind::Composite(_, elements) = &e.kind {
                        let named = elements.iter().filter_map(|(k, v)| Some((k.as_ref()?.ident()?, v)));
                        held.extend(named.map(|(k, v)| (bare(v), Holder::Named(k))));
                    }
                    if is(e) {
                        let holder =
                            held.iter().find(|(span, _)| *span == e.span).map_or(Holder::Somebody, |(_, h)| *h);
                        out.push((At::Function(id), e.span, holder));
                    }
                }
            }
            true
        });
    }
    for (n, file) in case.pkg.files.iter().enumerate().filter(|(_, f)| f.kind != FileKind::Generated) {
        for spec in &file.ast.vars {
            for (i, value) in spec.values.iter().enumerate() {
                let direct = value.unary("&").unwrap_or(value).span;
                let name = spec.names.get(i).map(|name| Holder::Named(name.name));
                visit::expr(value, &mut |node| {
                    if let Node::Expr(e) = node
                        && is(e)
                    {
                        let holder = name.filter(|_| e.span == direct).unwrap_or(Holder::Somebody);
                        out.push((At::File(n), e.span, holder));
                    }
                    true
                });
            }
        }
    }
    out
}

/// Whether a local is handed to a function that a variable holds: an option, which may set what it likes.
pub(super) fn is_given_to_options(case: &Case<'_>, holder: Holder<'_>) -> bool {
    let Holder::Local(id, var) = holder else { return holder == Holder::Nobody };
    let Some(f) = case.pkg.funcs.get(id) else { return false };
    case.sites(id).iter().any(|s| {
        matches!(s.callee, Callee::Variable(_) | Callee::Field(_))
            && s.call.args.iter().any(|a| {
                if let Some(x) = a.unary("&") { f.scope.var(x) == Some(var) } else { f.scope.var(a) == Some(var) }
            })
    })
}

/// Whether the package assigns one of these fields of what holds a literal; of one that nobody can tell, of
/// whatever.
pub(super) fn is_set_on(case: &Case<'_>, holder: Holder<'_>, fields: &[&str]) -> bool {
    case.pkg.funcs.iter().enumerate().any(|(id, f)| {
        let mut found = false;
        if let Some(body) = &f.decl.body {
            visit::block(body, &mut |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign("=", l, _) = &s.kind
                {
                    found |= l.iter().filter_map(Expr::selector).any(|(x, name)| {
                        fields.contains(&name)
                            && match holder {
                                Holder::Local(of, var) => of == id && f.scope.var(x) == Some(var),
                                Holder::Named(of) => last_name(x) == of,
                                Holder::Somebody => true,
                                Holder::Nobody => true,
                            }
                    });
                }
                !found
            });
        }
        found
    })
}

fn is_zero(e: &Expr<'_>) -> bool {
    matches!(e.kind, ExprKind::Lit(_, "0"))
}

/// Whether the package assigns a field of this name.
pub(super) fn is_set_later(case: &Case<'_>, field: &str) -> bool {
    case.pkg.funcs.iter().any(|f| {
        let mut found = false;
        if let Some(body) = &f.decl.body {
            visit::block(body, &mut |node| {
                if let Node::Stmt(s) = node
                    && let StmtKind::Assign("=", l, _) = &s.kind
                {
                    found |= l.iter().any(|t| t.selector().is_some_and(|(_, name)| name == field));
                }
                !found
            });
        }
        found
    })
}
