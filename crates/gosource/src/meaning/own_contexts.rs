//! Contexts that a call only puts somewhere, and what is made with one of its own because it is kept.

use crate::meaning::case::Case;
use crate::meaning::channels::last_name;
use crate::meaning::loops::each_node;
use crate::syntax::ast::{Expr, ExprKind, Stmt, StmtKind, Type};
use crate::syntax::calls::Site;
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Init, VarKind};

/// Whether a call only puts the context that it is given somewhere: it is a statement of its own, and what it
/// calls does nothing else, by its text where this package has that, by its name elsewhere.
pub(crate) fn only_sets<'a>(case: &Case<'a>, f: &'a Function<'a>, site: &Site<'a>) -> bool {
    let stores = match site.callee {
        Callee::Local(id) => case.pkg.funcs.get(id).is_some_and(|g| only_stores(case, g)),
        _ => site.call.args.len() == 1 && names_a_setter(last_name(&site.call.fun)),
    };
    stores && is_statement(f, site.expr)
}

/// Whether the same function calls something on the same thing after it was given another context, which may
/// wait with that: `q.SetContext(context.Background())`, and then `q.Send()`.
pub(crate) fn is_used_after<'a>(case: &Case<'a>, id: FnId, f: &Function<'a>, site: &Site<'a>) -> bool {
    let text = |e: &Expr<'a>| case.file(f).at(e.span);
    let Some((set, _)) = site.call.fun.selector() else { return false };
    case.sites(id).iter().any(|s| {
        s.expr.span.start > site.expr.span.end
            && s.call.fun.selector().is_some_and(|(x, name)| {
                // A part of it counts as well: `r.vm` where `r` was given one.
                let same = text(x) == text(set) || text(x).starts_with(&format!("{}.", text(set)));
                same && !names_a_setter(name)
            })
    })
}

/// `SetContext`, `ResetCtx`: neither `Set`, which may write to a store, nor `SetTenantContext`, of which the
/// name does not say whose it is.
fn names_a_setter(name: &str) -> bool {
    let lower = name.to_lowercase();
    let of = ["reset", "restore", "replace", "set", "with"].iter().find_map(|w| lower.strip_prefix(w));
    matches!(of, Some("context" | "ctx" | "basecontext" | "parentcontext"))
}

fn is_statement<'a>(f: &'a Function<'a>, call: &Expr<'a>) -> bool {
    let mut own = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(Stmt { kind: StmtKind::Expr(e), .. }) = node {
                own |= e.span == call.span;
            }
        });
    }
    own
}

/// Whether all that a function does with a context is to assign it: it gives nothing back, calls nothing but
/// locks and setters, and waits for no channel.
fn only_stores<'a>(case: &Case<'a>, g: &'a Function<'a>) -> bool {
    let given = g.decl.sig.params.iter().find(|p| p.ty.is("context", "Context")).and_then(|p| p.name);
    let (Some(name), Some(body)) = (given, g.decl.body.as_ref()) else { return false };
    let (mut stored, mut else_ways) = (false, !g.decl.sig.results.is_empty() || g.decl.broken);
    visit::block(body, &mut |node| {
        match node {
            Node::Stmt(s) => match &s.kind {
                StmtKind::Assign("=", l, r) => {
                    let is = |e: &Expr<'_>| e.ident() == Some(name.name);
                    stored |= r.iter().any(is) && l.iter().any(|t| t.selector().is_some());
                }
                StmtKind::Send(..) | StmtKind::Go(_) | StmtKind::Select(_) | StmtKind::Bad => else_ways = true,
                _ => {}
            },
            Node::Expr(e) => match &e.kind {
                ExprKind::FuncLit(_) | ExprKind::Bad | ExprKind::Unary("<-", _) => else_ways = true,
                ExprKind::Call(call) => {
                    let last = last_name(&call.fun);
                    let sets = call.args.len() == 1 && names_a_setter(last);
                    stored |= sets && call.args.iter().any(|a| a.ident() == Some(name.name));
                    else_ways |= !sets
                        && !matches!(last, "Lock" | "Unlock" | "RLock" | "RUnlock")
                        && !matches!(case.pkg.callee(g, &call.fun), Callee::Builtin(_) | Callee::Conversion(_));
                }
                _ => {}
            },
        }
        !else_ways
    });
    stored && !else_ways
}

/// Whether what a call gives is kept in a field of the receiver or in a package variable, where it is for
/// others than this call: `e.client, err = connect(...)`, or by way of a variable.
pub(crate) fn is_kept_for_others<'a>(case: &Case<'a>, f: &'a Function<'a>, call: &Site<'a>) -> bool {
    // What is read and kept is another matter: whoever asks for it next may read it again.
    let name = last_name(&call.call.fun).to_lowercase();
    if !["connect", "open", "dial", "new", "attach", "login"].iter().any(|w| name.starts_with(w)) {
        return false;
    }
    let first = match case.pkg.type_of(f, call.expr) {
        Type::Tuple(list) => list.into_iter().next().unwrap_or(Type::Unknown),
        one => one,
    };
    // That it failed outlives nothing.
    if first.is("", "error") {
        return false;
    }
    let named = f.scope.vars.iter().position(|v| matches!(v.init, Init::Value(e, 0) if e.span == call.expr.span));
    if named.and_then(|v| f.scope.vars.get(v)).is_some_and(|v| v.name == "err") {
        return false;
    }
    let is_it = |v: &Expr<'a>| v.span == call.expr.span || named.is_some() && f.scope.var(v) == named;
    let mut kept = false;
    for u in &f.scope.units {
        each_node(u.body, |node| {
            if let Node::Stmt(Stmt { kind: StmtKind::Assign("=", l, r), .. }) = node {
                kept |= l.iter().zip(r).any(|(target, value)| is_it(value) && is_of_others(case, f, target));
            }
        });
    }
    kept
}

/// Whether a place is a field of the receiver, a package variable or a part of one.
fn is_of_others<'a>(case: &Case<'a>, f: &Function<'a>, place: &Expr<'a>) -> bool {
    let Some(root) = place.root() else { return false };
    match f.scope.var(root).and_then(|v| f.scope.vars.get(v)) {
        Some(v) => v.kind == VarKind::Receiver && place.selector().is_some(),
        None => root.ident().is_some_and(|name| case.pkg.vars.contains_key(name)),
    }
}

#[cfg(test)]
mod tests {
    use crate::check_text;
    use crate::finding::Level;

    /// Levels of what is said of contexts in this text.
    fn levels(body: &str) -> Vec<Level> {
        let text = format!("package a\nimport (\"context\"; \"net/http\"; \"example.com/vm\")\n{body}\n");
        let found = check_text("a.go", &text, None).findings.into_iter();
        found.filter(|f| f.code == "context-not-handed-on").map(|f| f.level).collect()
    }

    #[test]
    fn who_only_puts_a_context_back_waits_for_nothing() {
        let pool = "type box struct { vm *vm.State; ctx context.Context }\n\
             func (b *box) SetContext(ctx context.Context) { b.ctx = ctx }\n\
             func (b *box) call(n string) {}\nfunc (b *box) put() {}\n";
        for back in ["b.SetContext(context.Background())", "b.vm.SetContext(context.Background())"] {
            let run =
                format!("{pool}func run(ctx context.Context, b *box) {{ b.SetContext(ctx); b.call(\"f\"); {back} }}");
            assert_eq!(levels(&run), [], "{back}");
        }
        // What is called afterwards may wait with it.
        let sent = format!(
            "{pool}func run(ctx context.Context, b *box) {{ b.SetContext(context.Background()); b.call(\"f\") }}"
        );
        assert_eq!(levels(&sent), [Level::Hint]);
    }

    #[test]
    fn who_sets_something_else_or_asks_a_peer_waits() {
        for call in [
            "c.Set(context.Background(), \"k\")",
            "c.SetTenantContext(context.Background())",
            "c.Reset(context.Background())",
        ] {
            let text = format!("func run(ctx context.Context, c *vm.Client) {{ {call} }}");
            assert_eq!(levels(&text), [Level::Warning], "{call}");
        }
        let chain = "func run(ctx context.Context, c *vm.Client) error { return c.SetContext(context.Background()).Get(\"/\") }";
        assert_eq!(levels(chain), [Level::Warning]);
        let asks = "type s struct { ctx context.Context; c *http.Client }\n\
             func (s *s) SetContext(ctx context.Context) { s.ctx = ctx; s.c.Get(\"http://a\") }\n\
             func run(ctx context.Context, s *s) { s.SetContext(context.Background()) }";
        assert!(levels(asks).contains(&Level::Warning));
    }

    #[test]
    fn what_is_kept_for_others_has_a_context_of_its_own() {
        let text = |keep: &str| {
            format!(
                "type e struct {{ client *vm.Client }}\nvar shared *vm.Client\n\
                 func (e *e) get(ctx context.Context) (*vm.Client, error) {{\n\
                 client, err := vm.Attach(context.Background())\n\
                 if err != nil {{ return nil, err }}\n{keep}\nreturn client, nil }}"
            )
        };
        assert_eq!(levels(&text("e.client = client")), [Level::Hint]);
        assert_eq!(levels(&text("shared = client")), [Level::Hint]);
        assert_eq!(levels(&text("var mine *vm.Client; mine = client; _ = mine")), [Level::Warning]);
        let at_once = "type e struct { client *vm.Client }\nfunc (e *e) get(ctx context.Context) (err error) {\n\
             e.client, err = vm.Attach(context.Background())\nreturn err }";
        assert_eq!(levels(at_once), [Level::Hint]);
        let failed = "type e struct { last error }\nfunc (e *e) get(ctx context.Context) {\n\
             err := vm.Attach(context.Background())\ne.last = err }";
        assert_eq!(levels(failed), [Level::Warning]);
    }
}
