//! The variables of a function and of the literals in it: which name means which, by Go's block scopes.

use rustc_hash::FxHashMap;
use std::cell::RefCell;

use super::ast::{Block, Expr, ExprKind, ForHead, FuncDecl, Ident, Signature, Span, Stmt, StmtKind, Type};

/// The body of what has none.
static NOTHING: Block<'static> = Block { stmts: Vec::new(), span: Span { start: 0, end: 0, line: 0, column: 0 } };

/// Number of a variable in [`Scope::vars`].
pub type VarId = usize;

/// What a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarKind {
    /// The receiver.
    Receiver,
    /// A parameter.
    Param,
    /// A result with a name.
    Result,
    /// Declared in the body.
    Local,
}

/// Where a variable's first value is from.
#[derive(Clone, Copy, Debug)]
pub enum Init<'a> {
    /// Its zero, or the caller.
    None,
    /// This expression; of a call with several results the one of this number.
    Value(&'a Expr<'a>, usize),
    /// Keys or indexes of a range.
    RangeKey(&'a Expr<'a>),
    /// Values of a range.
    RangeValue(&'a Expr<'a>),
    /// The value of a type switch.
    Switched(&'a Expr<'a>),
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Var<'a> {
    /// Name.
    pub name: &'a str,
    /// What it is.
    pub kind: VarKind,
    /// Where it is declared.
    pub span: Span,
    /// The unit that declares it.
    pub unit: usize,
    /// Type, where it is written.
    pub ty: Option<&'a Type<'a>>,
    /// First value.
    pub init: Init<'a>,
    /// Loops of its unit that its declaration stands in.
    pub loops: u32,
    /// Values given to it later, with where; none for `x++`, `x += y` and results of several.
    pub assigned: Vec<(Option<&'a Expr<'a>>, Span)>,
    /// Units other than its own that use it.
    pub captured_by: Vec<usize>,
    /// Whether its address is taken.
    pub address_taken: bool,
}

/// What becomes of a function literal where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The declared function itself.
    Declared,
    /// `go func() { ... }()`.
    Go,
    /// `defer func() { ... }()`.
    Defer,
    /// `func() { ... }()`.
    Called,
    /// An argument of a call.
    Argument,
    /// Kept in something.
    Value,
}

/// A declared function or a literal.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    /// Parameters and results.
    pub sig: &'a Signature<'a>,
    /// Statements.
    pub body: &'a Block<'a>,
    /// The unit around it.
    pub parent: Option<usize>,
    /// Where.
    pub span: Span,
    /// What becomes of it.
    pub role: Role,
    /// Loops of the parent that it stands in.
    pub loops: u32,
    /// Number among its parent's literals, from 1.
    number: usize,
}

/// Variables and units of one declared function.
#[derive(Debug, Default)]
pub struct Scope<'a> {
    /// Variables, in the order of their declarations.
    pub vars: Vec<Var<'a>>,
    /// The function, then its literals.
    pub units: Vec<Unit<'a>>,
    uses: FxHashMap<u32, VarId>,
    /// Types that were asked for before.
    pub(super) types: RefCell<FxHashMap<VarId, Type<'a>>>,
}

impl<'a> Scope<'a> {
    /// Of a function.
    #[must_use]
    pub fn new(decl: &'a FuncDecl<'a>) -> Self {
        let mut build = Build {
            scope: Self::signature(decl, decl.body.as_ref().unwrap_or(&NOTHING)),
            names: FxHashMap::default(),
            undo: Vec::new(),
            marks: Vec::new(),
            unit: 0,
            loops: 0,
        };
        build.scoped(|s| {
            for id in 0..s.scope.vars.len() {
                let name = s.scope.vars.get(id).map_or("_", |v| v.name);
                s.bind(name, id);
            }
            if let Some(body) = &decl.body {
                s.stmts(&body.stmts);
            }
        });
        build.scope
    }

    /// Of a function whose body is not looked at.
    #[must_use]
    pub fn unread(decl: &'a FuncDecl<'a>) -> Self {
        Self::signature(decl, &NOTHING)
    }

    fn signature(decl: &'a FuncDecl<'a>, body: &'a Block<'a>) -> Self {
        let mut out = Self::default();
        let unit =
            Unit { sig: &decl.sig, body, parent: None, span: decl.span, role: Role::Declared, loops: 0, number: 0 };
        out.units.push(unit);
        if let Some(r) = &decl.receiver
            && let Some(name) = r.name
        {
            out.vars.push(Var::new(name, VarKind::Receiver, 0, Some(&r.ty), Init::None, 0));
        }
        out.take_signature(&decl.sig, 0);
        out
    }

    fn take_signature(&mut self, sig: &'a Signature<'a>, unit: usize) -> std::ops::Range<VarId> {
        let first = self.vars.len();
        for (kind, list) in [(VarKind::Param, &sig.params), (VarKind::Result, &sig.results)] {
            for p in list {
                if let Some(name) = p.name {
                    self.vars.push(Var::new(name, kind, unit, Some(&p.ty), Init::None, 0));
                }
            }
        }
        first..self.vars.len()
    }

    /// The variable that a name in an expression means, if it is one of the function's.
    #[must_use]
    pub fn var(&self, e: &Expr<'a>) -> Option<VarId> {
        e.ident()?;
        self.uses.get(&e.span.start).copied()
    }

    /// The variable that is declared here.
    #[must_use]
    pub fn declared(&self, name: Ident<'a>) -> Option<VarId> {
        self.uses.get(&name.span.start).copied()
    }

    /// The innermost unit that holds a stretch.
    #[must_use]
    pub fn unit_at(&self, span: Span) -> usize {
        let inside = self.units.iter().enumerate().skip(1).filter(|(_, u)| u.span.contains(span));
        inside.min_by_key(|(_, u)| u.span.end - u.span.start).map_or(0, |(i, _)| i)
    }

    /// Whether a unit is another, or stands in it.
    #[must_use]
    pub fn is_within(&self, unit: usize, outer: usize) -> bool {
        let mut at = Some(unit);
        while let Some(u) = at {
            if u == outer {
                return true;
            }
            at = self.units.get(u).and_then(|u| u.parent);
        }
        false
    }

    /// What profiles add to the function's name: `.func1.2`.
    #[must_use]
    pub fn suffix(&self, unit: usize) -> String {
        let mut numbers = Vec::new();
        let mut at = unit;
        while let Some(u) = self.units.get(at).filter(|u| u.number > 0) {
            numbers.push(u.number);
            at = u.parent.unwrap_or(0);
        }
        let mut out = String::new();
        for (i, n) in numbers.iter().rev().enumerate() {
            out.push_str(if i == 0 { ".func" } else { "." });
            out.push_str(&n.to_string());
        }
        out
    }
}

impl<'a> Var<'a> {
    fn new(name: Ident<'a>, kind: VarKind, unit: usize, ty: Option<&'a Type<'a>>, init: Init<'a>, loops: u32) -> Self {
        Self {
            name: name.name,
            kind,
            span: name.span,
            unit,
            ty,
            init,
            loops,
            assigned: Vec::new(),
            captured_by: Vec::new(),
            address_taken: false,
        }
    }
}

struct Build<'a> {
    scope: Scope<'a>,
    names: FxHashMap<&'a str, VarId>,
    undo: Vec<(&'a str, Option<VarId>)>,
    /// Where in `undo` the names of each block begin.
    marks: Vec<usize>,
    unit: usize,
    loops: u32,
}

impl<'a> Build<'a> {
    fn scoped(&mut self, inside: impl FnOnce(&mut Self)) {
        let mark = self.undo.len();
        self.marks.push(mark);
        inside(self);
        self.marks.pop();
        while self.undo.len() > mark {
            if let Some((name, before)) = self.undo.pop() {
                match before {
                    Some(id) => self.names.insert(name, id),
                    None => self.names.remove(name),
                };
            }
        }
    }

    fn bind(&mut self, name: &'a str, id: VarId) {
        let before = self.names.insert(name, id);
        self.undo.push((name, before));
    }

    fn declare(&mut self, name: Ident<'a>, ty: Option<&'a Type<'a>>, init: Init<'a>) {
        if name.name == "_" {
            return;
        }
        let id = self.scope.vars.len();
        self.scope.vars.push(Var::new(name, VarKind::Local, self.unit, ty, init, self.loops));
        self.scope.uses.insert(name.span.start, id);
        self.bind(name.name, id);
    }

    fn block(&mut self, b: &'a Block<'a>) {
        self.scoped(|s| s.stmts(&b.stmts));
    }

    fn stmts(&mut self, list: &'a [Stmt<'a>]) {
        for s in list {
            self.stmt(s);
        }
    }

    fn looped(&mut self, inside: impl FnOnce(&mut Self)) {
        self.loops += 1;
        inside(self);
        self.loops -= 1;
    }

    fn assign(&mut self, target: &'a Expr<'a>, value: Option<&'a Expr<'a>>) {
        self.expr(target, Role::Value);
        if let Some(id) = self.scope.var(target)
            && let Some(var) = self.scope.vars.get_mut(id)
        {
            var.assigned.push((value, target.span));
        }
    }

    fn stmt(&mut self, s: &'a Stmt<'a>) {
        match &s.kind {
            StmtKind::Expr(e) | StmtKind::IncDec(e, _) => {
                self.expr(e, Role::Value);
                if matches!(s.kind, StmtKind::IncDec(..)) {
                    self.assign(e, None);
                }
            }
            StmtKind::Go(e) => self.started(e, Role::Go),
            StmtKind::Defer(e) => self.started(e, Role::Defer),
            StmtKind::Send(c, v) => {
                self.expr(c, Role::Value);
                self.expr(v, Role::Value);
            }
            StmtKind::Assign(op, l, r) => {
                self.exprs(r, Role::Value);
                for (i, target) in l.iter().enumerate() {
                    let value = (*op == "=" && l.len() == r.len()).then(|| r.get(i)).flatten();
                    self.assign(target, value);
                }
            }
            StmtKind::Define(l, r) => {
                self.exprs(r, Role::Value);
                for (i, target) in l.iter().enumerate() {
                    let value = if l.len() == r.len() { r.get(i).map(|v| (v, 0)) } else { r.first().map(|v| (v, i)) };
                    self.define(target, value.map_or(Init::None, |(v, n)| Init::Value(v, n)));
                }
            }
            StmtKind::Var(specs) => {
                for spec in specs {
                    self.exprs(&spec.values, Role::Value);
                    for (i, name) in spec.names.iter().enumerate() {
                        let value = if spec.values.len() == spec.names.len() {
                            spec.values.get(i).map(|v| (v, 0))
                        } else {
                            spec.values.first().map(|v| (v, i))
                        };
                        self.declare(*name, spec.ty.as_ref(), value.map_or(Init::None, |(v, n)| Init::Value(v, n)));
                    }
                }
            }
            StmtKind::Return(list) => self.exprs(list, Role::Value),
            StmtKind::Block(b) => self.block(b),
            StmtKind::If(i) => self.scoped(|s| {
                if let Some(init) = &i.init {
                    s.stmt(init);
                }
                s.expr(&i.cond, Role::Value);
                s.block(&i.then);
                if let Some(els) = &i.els {
                    s.stmt(els);
                }
            }),
            StmtKind::Switch(sw) => self.scoped(|s| {
                if let Some(init) = &sw.init {
                    s.stmt(init);
                }
                if let Some(tag) = &sw.tag {
                    s.expr(tag, Role::Value);
                }
                for case in &sw.cases {
                    s.exprs(&case.exprs, Role::Value);
                    s.scoped(|s| s.stmts(&case.body));
                }
            }),
            StmtKind::TypeSwitch(sw) => self.scoped(|s| {
                if let Some(init) = &sw.init {
                    s.stmt(init);
                }
                s.expr(&sw.value, Role::Value);
                for (types, body) in &sw.cases {
                    s.scoped(|s| {
                        if let Some(bind) = sw.bind {
                            let ty = if types.len() == 1 { types.first() } else { None };
                            s.declare(bind, ty, Init::Switched(&sw.value));
                        }
                        s.stmts(body);
                    });
                }
            }),
            StmtKind::Select(cases) => {
                for case in cases {
                    self.scoped(|s| {
                        if let Some(comm) = &case.comm {
                            s.stmt(comm);
                        }
                        s.stmts(&case.body);
                    });
                }
            }
            StmtKind::For(l) => self.scoped(|s| match &l.head {
                ForHead::Ever => s.looped(|s| s.block(&l.body)),
                ForHead::While(cond) => s.looped(|s| {
                    s.expr(cond, Role::Value);
                    s.block(&l.body);
                }),
                ForHead::Clause { init, cond, post } => {
                    if let Some(init) = init {
                        s.stmt(init);
                    }
                    s.looped(|s| {
                        if let Some(cond) = cond {
                            s.expr(cond, Role::Value);
                        }
                        if let Some(post) = post {
                            s.stmt(post);
                        }
                        s.block(&l.body);
                    });
                }
                ForHead::Range { vars, define, over } => {
                    s.expr(over, Role::Value);
                    s.looped(|s| {
                        for (i, target) in vars.iter().enumerate() {
                            let init = if i == 0 { Init::RangeKey(over) } else { Init::RangeValue(over) };
                            if *define { s.define(target, init) } else { s.assign(target, None) }
                        }
                        s.block(&l.body);
                    });
                }
            }),
            StmtKind::Labeled(_, inner) => self.stmt(inner),
            StmtKind::Decl(_)
            | StmtKind::Break(_)
            | StmtKind::Continue(_)
            | StmtKind::Goto(_)
            | StmtKind::Fallthrough
            | StmtKind::Empty
            | StmtKind::Bad => {}
        }
    }

    /// `x := ...` declares only what its own block has not declared; the others are assigned to. Which block
    /// a name is of is told by the undo list: names since its mark are this block's.
    fn define(&mut self, target: &'a Expr<'a>, init: Init<'a>) {
        let Some(name) = target.ident() else { return };
        let mark = self.marks.last().copied().unwrap_or(0);
        if self.undo.get(mark..).is_some_and(|own| own.iter().any(|(n, _)| *n == name)) {
            let value = if let Init::Value(v, 0) = init { Some(v) } else { None };
            self.used(target.span, name);
            if let Some(var) = self.names.get(name).and_then(|id| self.scope.vars.get_mut(*id)) {
                var.assigned.push((value, target.span));
            }
            return;
        }
        self.declare(Ident { name, span: target.span }, None, init);
    }

    fn started(&mut self, e: &'a Expr<'a>, role: Role) {
        match e.call() {
            Some(call) => {
                self.expr(&call.fun, role);
                // `go safely(func() { ... })`: what is handed a literal that takes and gives nothing runs it.
                let plain = |a: &Expr<'a>| matches!(&a.kind, ExprKind::FuncLit(l) if l.sig.params.is_empty() && l.sig.results.is_empty());
                let wraps = role == Role::Go && matches!(call.args.as_slice(), [only] if plain(only));
                self.exprs(&call.args, if wraps { Role::Go } else { Role::Argument });
            }
            None => self.expr(e, Role::Value),
        }
    }

    fn exprs(&mut self, list: &'a [Expr<'a>], role: Role) {
        for e in list {
            self.expr(e, role);
        }
    }

    fn expr(&mut self, e: &'a Expr<'a>, role: Role) {
        match &e.kind {
            ExprKind::Ident(name) => self.used(e.span, name),
            ExprKind::Lit(..) | ExprKind::Type(_) | ExprKind::Bad => {}
            ExprKind::Composite(ty, elements) => {
                // Keys of a named type may be names of fields: what they mean is not known.
                let keyed = matches!(ty, Some(Type::Map(..) | Type::Slice(_) | Type::Array(_)));
                for (key, value) in elements {
                    if let Some(key) = key
                        && (keyed || key.ident().is_none())
                    {
                        self.expr(key, Role::Value);
                    }
                    self.expr(value, Role::Value);
                }
            }
            ExprKind::FuncLit(lit) => self.literal(e.span, &lit.sig, &lit.body, role),
            ExprKind::Selector(x, _) | ExprKind::Assert(x, _) | ExprKind::Convert(_, x) => self.expr(x, Role::Value),
            ExprKind::Unary(op, x) => {
                self.expr(x, Role::Value);
                if *op == "&"
                    && let Some(var) = self.scope.var(x).and_then(|id| self.scope.vars.get_mut(id))
                {
                    var.address_taken = true;
                }
            }
            ExprKind::Index(x, i) => {
                self.expr(x, Role::Value);
                self.expr(i, Role::Value);
            }
            ExprKind::Slice(x, bounds) => {
                self.expr(x, Role::Value);
                for b in bounds.iter().flatten() {
                    self.expr(b, Role::Value);
                }
            }
            ExprKind::Call(call) => {
                self.expr(&call.fun, Role::Called);
                self.exprs(&call.args, Role::Argument);
            }
            ExprKind::Binary(_, operands) => self.exprs(operands, Role::Value),
        }
    }

    fn used(&mut self, span: Span, name: &'a str) {
        let Some(&id) = self.names.get(name) else { return };
        self.scope.uses.insert(span.start, id);
        if let Some(var) = self.scope.vars.get_mut(id)
            && var.unit != self.unit
            && !var.captured_by.contains(&self.unit)
        {
            var.captured_by.push(self.unit);
        }
    }

    fn literal(&mut self, span: Span, sig: &'a Signature<'a>, body: &'a Block<'a>, role: Role) {
        let number = self.scope.units.iter().skip(1).filter(|u| u.parent == Some(self.unit)).count() + 1;
        let unit = self.scope.units.len();
        let of = Unit { sig, body, parent: Some(self.unit), span, role, loops: self.loops, number };
        self.scope.units.push(of);
        let (outer, loops) = (std::mem::replace(&mut self.unit, unit), std::mem::take(&mut self.loops));
        self.scoped(|s| {
            for id in s.scope.take_signature(sig, unit) {
                let name = s.scope.vars.get(id).map_or("_", |v| v.name);
                s.bind(name, id);
            }
            s.stmts(&body.stmts);
        });
        (self.unit, self.loops) = (outer, loops);
    }
}
