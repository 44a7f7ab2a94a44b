//! What one package tells of functions: the calls that it makes, and how its own functions bound things.

use rustc_hash::FxHashSet;

use super::{Bound, Key};
use crate::fingerprint::fnv;
use crate::meaning::case::Case;
use crate::meaning::channels::last_name;
use crate::meaning::shared::{by_requests, under_once};
use crate::project::supports_tests;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::calls::{How, Site};
use crate::syntax::visit::{self, Node};
use crate::syntax::{Callee, FnId, Function, Role};

/// A call, or a mention, of a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// What is called: a function, or any method of a name where the receiver's type is not known.
    pub(super) callee: Key,
    /// Of any method of a name, the one that the text names: another's, if a type has declared it.
    pub(super) exact: Option<Key>,
    /// Who calls.
    pub(super) caller: Key,
    /// Whether it stands in a loop or runs for requests, or is a mention whose calls are not seen.
    pub(super) often: bool,
    /// Whether it runs for requests.
    pub(super) asked: bool,
}

/// What a package leaves for others.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Calls of functions of the module.
    pub(super) calls: Vec<Call>,
    /// Functions by which programs start.
    pub(super) starts: Vec<Key>,
    /// Functions that only their package, or only their module, can call, and no interface: where nobody
    /// does, nothing of theirs happens.
    pub(super) private: Vec<Key>,
    /// Methods that are declared, with the key of their name alone.
    pub(super) methods: Vec<(Key, Key)>,
    /// Functions that bound time or number themselves.
    pub(super) bounds: Vec<(Key, Bound)>,
}

/// What may be a function, where it is named and not called.
struct Named<'n> {
    /// Import paths of the module.
    paths: &'n FxHashSet<&'n str>,
    /// Names of the package's methods.
    methods: FxHashSet<&'n str>,
}

/// The key of a function.
fn key(path: &str, receiver: &str, name: &str) -> Key {
    fnv(&[path, receiver, name])
}

/// The key of a method whose receiver is not known.
fn any_method(name: &str) -> Key {
    key("", "", name)
}

/// The key of a function of a package.
fn key_of(case: &Case<'_>, id: FnId) -> Option<Key> {
    let f = case.pkg.funcs.get(id)?;
    Some(key(case.pkg.import_path, f.receiver_type().unwrap_or_default(), f.decl.name.name))
}

/// What a callee may be in the module: its key, and that of its name where it is a method.
fn keys_of(case: &Case<'_>, callee: Callee<'_>, paths: &FxHashSet<&str>) -> [Option<(Key, Option<Key>)>; 2] {
    match callee {
        Callee::Local(id) => [key_of(case, id).map(|k| (k, None)), None],
        Callee::Package(path, name) if paths.contains(path) => [Some((key(path, "", name), None)), None],
        Callee::Method(path, of, name) if path.is_empty() || paths.contains(path) => {
            let exact = key(if path.is_empty() { case.pkg.import_path } else { path }, of, name);
            [Some((exact, None)), Some((any_method(name), Some(exact)))]
        }
        Callee::Unknown(name) | Callee::Field(name) if !name.is_empty() => [Some((any_method(name), None)), None],
        _ => [None, None],
    }
}

/// The functions of other packages of the module that are called within a stretch, for a question.
pub(crate) fn called(case: &Case<'_>, site: &Site<'_>) -> Vec<Key> {
    match site.callee {
        Callee::Package(path, name) => vec![key(path, "", name)],
        Callee::Method(path, of, name) => {
            vec![key(if path.is_empty() { case.pkg.import_path } else { path }, of, name), any_method(name)]
        }
        Callee::Unknown(name) => vec![any_method(name)],
        Callee::Local(id) => key_of(case, id).into_iter().collect(),
        _ => Vec::new(),
    }
}

impl Census {
    /// Of a package; `paths` are those of the module's packages.
    pub(crate) fn of(case: &Case<'_>, paths: &FxHashSet<&str>) -> Self {
        let mut out = Self::default();
        // What tests, examples and tools call says nothing of a service.
        if case.pkg.files.iter().any(|f| supports_tests(f.name)) {
            return out;
        }
        out.commands(case, paths);
        let named = Named { paths, methods: case.pkg.methods.keys().map(|(_, name)| *name).collect() };
        for (id, f) in case.pkg.funcs.iter().enumerate() {
            if case.file(f).name.ends_with("wire_gen.go") {
                out.put_together(case, f, paths);
                continue;
            }
            let Some(own) = key_of(case, id) else { continue };
            if f.receiver_type().is_some() {
                out.methods.push((own, any_method(f.decl.name.name)));
            }
            if is_start(case, f) {
                out.starts.push(own);
            } else if f.receiver_type().is_none()
                && (f.decl.name.name.starts_with(char::is_lowercase) || case.pkg.import_path.contains("internal"))
            {
                out.private.push(own);
            }
            let (mut time, mut number) = (false, false);
            for site in case.sites(id) {
                time |= bounds_time(site);
                number |= bounds_number(site);
                let callees = keys_of(case, site.callee, paths);
                if callees[0].is_none() {
                    continue;
                }
                let often = site.in_loop || runs_often(case, id, f, site.unit);
                let asked = case.calls.is_hot(case.pkg, id, site.unit)
                    && by_requests(case, id, site.unit)
                    && !is_start(case, f);
                out.add(callees, own, often, asked);
            }
            out.bounds.extend(time.then_some((own, Bound::Time)));
            out.bounds.extend(number.then_some((own, Bound::Number)));
            out.mentions(case, id, f, own, &named);
        }
        out
    }

    /// What commands do that are package variables: `var serve = &cobra.Command{RunE: func(...) error {
    /// ... }}`. A program runs one of them, once.
    fn commands<'a>(&mut self, case: &Case<'a>, paths: &FxHashSet<&str>) {
        // Names in their literals are the package's or an import's: of a variable's method the name alone
        // tells.
        let Some(any) = case.pkg.funcs.first() else { return };
        for (n, file) in case.pkg.files.iter().enumerate() {
            let at = Function { file: n, decl: any.decl, scope: crate::syntax::Scope::default() };
            for spec in &file.ast.vars {
                for literal in spec.values.iter().flat_map(command_literals) {
                    let Some(name) = spec.names.first() else { continue };
                    let start = key(case.pkg.import_path, "var", name.name);
                    self.starts.push(start);
                    let loops = crate::meaning::loops::loops_in(&literal.body);
                    visit::block(&literal.body, &mut |node| {
                        if let Node::Expr(e) = node
                            && let Some(call) = e.call()
                        {
                            let often = loops.iter().any(|(_, _, l)| l.body.span.contains(e.span));
                            self.add(keys_of(case, case.pkg.callee(&at, &call.fun), paths), start, often, false);
                        }
                        true
                    });
                }
            }
        }
    }

    /// What `wire` generates calls each constructor once, at the program's start. The names of generated
    /// files are not resolved for anything else.
    fn put_together<'a>(&mut self, case: &Case<'a>, f: &Function<'a>, paths: &FxHashSet<&str>) {
        let own = Function { file: f.file, decl: f.decl, scope: crate::syntax::Scope::new(f.decl) };
        let start = key(case.pkg.import_path, "", f.decl.name.name);
        self.starts.push(start);
        let Some(body) = &own.decl.body else { return };
        visit::block(body, &mut |node| {
            if let Node::Expr(e) = node
                && let Some(call) = e.call()
            {
                self.add(keys_of(case, case.pkg.callee(&own, &call.fun), paths), start, false, false);
            }
            true
        });
    }

    /// Functions that are named and not called: whoever gets them may call them as often as they like. What
    /// puts programs together of constructors calls each once.
    fn mentions<'a>(&mut self, case: &Case<'a>, id: FnId, f: &'a Function<'a>, own: Key, named: &Named<'_>) {
        for site in case.sites(id) {
            if site.call.args.is_empty() {
                continue;
            }
            let puts_together = matches!(site.callee, Callee::Package(path, _)
                if ["go.uber.org/fx", "go.uber.org/dig", "github.com/google/wire"].contains(&path));
            for a in &site.call.args {
                self.mention(case, f, a, own, !puts_together, named);
            }
        }
        let Some(body) = &f.decl.body else { return };
        visit::block(body, &mut |node| {
            if let Node::Stmt(s) = node {
                use crate::syntax::ast::StmtKind;
                if let StmtKind::Define(_, r) | StmtKind::Assign(_, _, r) | StmtKind::Return(r) = &s.kind {
                    for v in r {
                        self.mention(case, f, v, own, true, named);
                    }
                }
            }
            if let Node::Expr(e) = node
                && let ExprKind::Composite(_, elements) = &e.kind
            {
                for (_, v) in elements {
                    self.mention(case, f, v, own, true, named);
                }
            }
            true
        });
    }

    fn mention<'a>(
        &mut self,
        case: &Case<'a>,
        f: &'a Function<'a>,
        e: &Expr<'a>,
        own: Key,
        often: bool,
        named: &Named<'_>,
    ) {
        let may_be = match &e.kind {
            ExprKind::Ident(name) => case.pkg.by_name.contains_key(name),
            // A field is read far more often than a method is named: only what could be a function is
            // resolved.
            ExprKind::Selector(x, name) => {
                case.pkg.package_named(f, x).is_some_and(|p| named.paths.contains(p))
                    || named.methods.contains(name.name)
            }
            _ => false,
        };
        if may_be {
            self.add(keys_of(case, case.pkg.callee(f, e), named.paths), own, often, false);
        }
    }

    fn add(&mut self, callees: [Option<(Key, Option<Key>)>; 2], caller: Key, often: bool, asked: bool) {
        let calls = callees.into_iter().flatten();
        self.calls.extend(calls.map(|(callee, exact)| Call { callee, exact, caller, often, asked }));
    }
}

/// Whether a function starts a program, or is what a command line's command runs.
fn is_start(case: &Case<'_>, f: &Function<'_>) -> bool {
    let name = f.decl.name.name;
    let command = f.decl.sig.params.iter().any(|p| {
        p.ty.pointee().name().is_some_and(|(path, name)| {
            matches!((path, name), ("github.com/spf13/cobra", "Command"))
                || path.starts_with("github.com/urfave/cli") && matches!(name, "Context" | "Command")
                // As Go's own command has them: `func run(cmd *Command, args []string)`.
                || path.is_empty() && name == "Command" && f.decl.sig.params.len() == 2
        })
    });
    f.receiver_type().is_none() && (name == "init" || name == "main" && case.pkg.name == "main") || command
}

/// Whether a unit runs in a loop of one around it, for requests, or whenever who keeps it likes.
fn runs_often(case: &Case<'_>, id: FnId, f: &Function<'_>, unit: usize) -> bool {
    if case.calls.is_hot(case.pkg, id, unit) && !is_start(case, f) {
        return true;
    }
    let mut at = Some(unit);
    while let Some(u) = at.and_then(|u| f.scope.units.get(u)) {
        if u.loops > 0 || u.role == Role::Value && u.parent.is_some() && !of_command(u.sig) {
            return true;
        }
        at = u.parent;
    }
    false
}

/// The literals in an expression that commands run.
fn command_literals<'a>(e: &'a Expr<'a>) -> Vec<&'a crate::syntax::ast::FuncLit<'a>> {
    let mut out = Vec::new();
    visit::expr(e, &mut |node| {
        if let Node::Expr(Expr { kind: ExprKind::FuncLit(literal), .. }) = node
            && of_command(&literal.sig)
        {
            out.push(&**literal);
        }
        true
    });
    out
}

/// Whether a literal is what a command runs: `RunE: func(cmd *cobra.Command, args []string) error`.
fn of_command(sig: &crate::syntax::ast::Signature<'_>) -> bool {
    sig.params.iter().any(|p| {
        p.ty.pointee()
            .name()
            .is_some_and(|(path, _)| path == "github.com/spf13/cobra" || path.starts_with("github.com/urfave/cli"))
    })
}

/// Whether a call makes what it stands in end in time.
fn bounds_time(site: &Site<'_>) -> bool {
    site.how == How::Plain
        && site.unit == 0
        && matches!(
            site.callee,
            Callee::Package("context", "WithTimeout" | "WithDeadline" | "WithTimeoutCause" | "WithDeadlineCause")
        )
}

/// Whether a call asks for one of a number of places.
fn bounds_number(site: &Site<'_>) -> bool {
    site.how == How::Plain
        && site.unit == 0
        && matches!(last_name(&site.call.fun), "Acquire" | "TryAcquire" | "AcquireContext" | "TryGo" | "SetLimit")
}

/// The question whether what is found at a place of a function happens once in a process: none, where the
/// function itself makes it happen again and again.
pub(crate) fn once_at(case: &Case<'_>, id: FnId, at: crate::syntax::ast::Span) -> Option<Key> {
    let f = case.pkg.funcs.get(id)?;
    let unit = f.scope.unit_at(at);
    let in_loop = f
        .scope
        .units
        .iter()
        .any(|u| crate::meaning::loops::loops_in(u.body).iter().any(|(_, _, l)| l.body.span.contains(at)));
    let argument = || {
        let mut n = Some(unit);
        while let Some(u) = n.and_then(|n| f.scope.units.get(n)) {
            // Who is handed a literal may run it often.
            if u.role == Role::Argument {
                return true;
            }
            n = u.parent;
        }
        false
    };
    let often = in_loop || runs_often(case, id, f, unit) || argument() && !under_once(case, id, f, unit);
    (!often && !is_start(case, f)).then(|| key_of(case, id)).flatten()
}
