//! Go's syntax as rules read it: smaller than the parser's tree, without parentheses and punctuation, and
//! with package names in types already replaced by import paths. Everything borrows from the file's text.

use std::sync::Arc;

/// A stretch of a file: bytes, and where the first one stands (line and column from 1, columns in bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// After the last.
    pub end: u32,
    /// Line of the first.
    pub line: u32,
    /// Column of the first.
    pub column: u32,
}

impl Span {
    /// Whether another stretch lies within.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// A name where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident<'s> {
    /// The name.
    pub name: &'s str,
    /// Where.
    pub span: Span,
}

/// Directions of a channel type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `chan T`.
    Both,
    /// `chan<- T`.
    Send,
    /// `<-chan T`.
    Receive,
}

/// A type, as it is written, or as it follows from what is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Type<'s> {
    /// A name: of another package (`path`), of this one, predeclared, or a type parameter.
    Name {
        /// Import path, empty for names without a package.
        path: &'s str,
        /// The name.
        name: &'s str,
        /// Type arguments.
        args: Vec<Type<'s>>,
    },
    /// `*T`.
    Pointer(Box<Type<'s>>),
    /// `[]T`.
    Slice(Box<Type<'s>>),
    /// `[N]T`.
    Array(Box<Type<'s>>),
    /// `map[K]V`.
    Map(Box<Type<'s>>, Box<Type<'s>>),
    /// `chan T`.
    Chan(Direction, Box<Type<'s>>),
    /// `func(...) ...`.
    Func(Box<Signature<'s>>),
    /// `struct { ... }`. Types are handed on by value, and structs have hundreds of fields: these are shared.
    Struct(Arc<[Field<'s>]>),
    /// `interface { ... }`, with its methods.
    Interface(Arc<[(&'s str, Signature<'s>)]>),
    /// Several results of a call.
    Tuple(Vec<Type<'s>>),
    /// Not known.
    #[default]
    Unknown,
}

/// A field of a struct; an embedded one has the name of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'s> {
    /// Name.
    pub name: &'s str,
    /// Type.
    pub ty: Type<'s>,
    /// Whether it is embedded.
    pub embedded: bool,
    /// Where its name stands.
    pub span: Span,
}

/// A parameter or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param<'s> {
    /// Name, if it has one.
    pub name: Option<Ident<'s>>,
    /// Type; of `...T` a slice.
    pub ty: Type<'s>,
    /// Whether it is `...T`.
    pub variadic: bool,
}

/// What a function takes and gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature<'s> {
    /// Parameters.
    pub params: Vec<Param<'s>>,
    /// Results.
    pub results: Vec<Param<'s>>,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr<'s> {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: ExprKind<'s>,
}

/// Kinds of literals of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LitKind {
    /// A string.
    String,
    /// A number.
    Number,
    /// A rune.
    Rune,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind<'s> {
    /// A name, `nil`, `true`, `false` and `iota` among them.
    Ident(&'s str),
    /// A literal of one word, as it is written.
    Lit(LitKind, &'s str),
    /// `T{...}`; elements have keys or none. An element that is itself `{...}` has no type.
    Composite(Option<Type<'s>>, Vec<(Option<Expr<'s>>, Expr<'s>)>),
    /// `func(...) { ... }`.
    FuncLit(Box<FuncLit<'s>>),
    /// `x.f`.
    Selector(Box<Expr<'s>>, Ident<'s>),
    /// `x[i]`.
    Index(Box<Expr<'s>>, Box<Expr<'s>>),
    /// `x[a:b:c]`.
    Slice(Box<Expr<'s>>, [Option<Box<Expr<'s>>>; 3]),
    /// `x.(T)`.
    Assert(Box<Expr<'s>>, Type<'s>),
    /// `f(...)`, conversions to named types among them.
    Call(Box<Call<'s>>),
    /// `[]byte(x)` and its like.
    Convert(Type<'s>, Box<Expr<'s>>),
    /// `-x`, `!x`, `&x`, `*x`, `<-x`.
    Unary(&'s str, Box<Expr<'s>>),
    /// `a + b + c`: operands of one operator, at least two.
    Binary(&'s str, Vec<Expr<'s>>),
    /// A type where an expression may stand, as in `make([]int, 3)`.
    Type(Type<'s>),
    /// Could not be read.
    Bad,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call<'s> {
    /// What is called.
    pub fun: Expr<'s>,
    /// Arguments.
    pub args: Vec<Expr<'s>>,
    /// Whether the last one is `x...`.
    pub spread: bool,
}

/// A function literal.
#[derive(Clone, Debug)]
pub struct FuncLit<'s> {
    /// Parameters and results.
    pub sig: Signature<'s>,
    /// Statements.
    pub body: Block<'s>,
}

/// Statements between braces.
#[derive(Clone, Debug, Default)]
pub struct Block<'s> {
    /// The statements.
    pub stmts: Vec<Stmt<'s>>,
    /// With the braces.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt<'s> {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: StmtKind<'s>,
}

/// What a statement is.
#[derive(Clone, Debug)]
pub enum StmtKind<'s> {
    /// An expression, usually a call or a receive.
    Expr(Expr<'s>),
    /// `c <- v`.
    Send(Expr<'s>, Expr<'s>),
    /// `x++`, `x--`: whether it counts up.
    IncDec(Expr<'s>, bool),
    /// `a, b = x, y`, `a += x`: operator with its equals sign.
    Assign(&'s str, Vec<Expr<'s>>, Vec<Expr<'s>>),
    /// `a, b := x, y`.
    Define(Vec<Expr<'s>>, Vec<Expr<'s>>),
    /// `var a, b T = x, y`.
    Var(Vec<VarSpec<'s>>),
    /// `const ...`, `type ...` within a function.
    Decl(Vec<TypeSpec<'s>>),
    /// `go f()`.
    Go(Expr<'s>),
    /// `defer f()`.
    Defer(Expr<'s>),
    /// `return ...`.
    Return(Vec<Expr<'s>>),
    /// `break`, with its label.
    Break(Option<&'s str>),
    /// `continue`, with its label.
    Continue(Option<&'s str>),
    /// `goto`.
    Goto(&'s str),
    /// `fallthrough`.
    Fallthrough,
    /// `{ ... }`.
    Block(Block<'s>),
    /// `if`.
    If(Box<If<'s>>),
    /// `switch`.
    Switch(Box<Switch<'s>>),
    /// `switch x := y.(type)`.
    TypeSwitch(Box<TypeSwitch<'s>>),
    /// `select`.
    Select(Vec<CommCase<'s>>),
    /// `for`.
    For(Box<For<'s>>),
    /// `label: ...`.
    Labeled(&'s str, Box<Stmt<'s>>),
    /// Nothing.
    Empty,
    /// Could not be read.
    Bad,
}

/// `if init; cond { } else { }`.
#[derive(Clone, Debug)]
pub struct If<'s> {
    /// Before the condition.
    pub init: Option<Stmt<'s>>,
    /// The condition.
    pub cond: Expr<'s>,
    /// If it holds.
    pub then: Block<'s>,
    /// If not: a block or another `if`.
    pub els: Option<Stmt<'s>>,
}

/// `switch init; tag { ... }`.
#[derive(Clone, Debug)]
pub struct Switch<'s> {
    /// Before the tag.
    pub init: Option<Stmt<'s>>,
    /// What is compared.
    pub tag: Option<Expr<'s>>,
    /// Cases; the one without expressions is `default`.
    pub cases: Vec<Case<'s>>,
}

/// A case of a switch.
#[derive(Clone, Debug)]
pub struct Case<'s> {
    /// What it is compared with; none for `default`.
    pub exprs: Vec<Expr<'s>>,
    /// Whether it is `default`.
    pub is_default: bool,
    /// Statements.
    pub body: Vec<Stmt<'s>>,
}

/// `switch x := y.(type) { ... }`.
#[derive(Clone, Debug)]
pub struct TypeSwitch<'s> {
    /// Before.
    pub init: Option<Stmt<'s>>,
    /// The name that is bound.
    pub bind: Option<Ident<'s>>,
    /// The value.
    pub value: Expr<'s>,
    /// Types and statements; without types `default`.
    pub cases: Vec<(Vec<Type<'s>>, Vec<Stmt<'s>>)>,
}

/// A case of a select.
#[derive(Clone, Debug)]
pub struct CommCase<'s> {
    /// Where.
    pub span: Span,
    /// The send, or the receive (an expression, an assignment or a definition); none for `default`.
    pub comm: Option<Stmt<'s>>,
    /// Statements.
    pub body: Vec<Stmt<'s>>,
}

/// `for`.
#[derive(Clone, Debug)]
pub struct For<'s> {
    /// Its head.
    pub head: ForHead<'s>,
    /// Its body.
    pub body: Block<'s>,
}

/// Heads of loops. There is one for each loop, in a box of its own.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum ForHead<'s> {
    /// `for { }`.
    Ever,
    /// `for cond { }`.
    While(Expr<'s>),
    /// `for init; cond; post { }`.
    Clause {
        /// Before the first round.
        init: Option<Stmt<'s>>,
        /// Before each round.
        cond: Option<Expr<'s>>,
        /// After each round.
        post: Option<Stmt<'s>>,
    },
    /// `for k, v := range x { }`.
    Range {
        /// Key and value.
        vars: Vec<Expr<'s>>,
        /// Whether they are new (`:=`).
        define: bool,
        /// What is ranged over.
        over: Expr<'s>,
    },
}

/// One line of a `var`.
#[derive(Clone, Debug)]
pub struct VarSpec<'s> {
    /// Names.
    pub names: Vec<Ident<'s>>,
    /// Type, if it is written.
    pub ty: Option<Type<'s>>,
    /// Values.
    pub values: Vec<Expr<'s>>,
}

/// One line of a `type`.
#[derive(Clone, Debug)]
pub struct TypeSpec<'s> {
    /// Name.
    pub name: Ident<'s>,
    /// What it is.
    pub ty: Type<'s>,
    /// Whether it is `type A = B`.
    pub alias: bool,
}

/// A function or a method.
#[derive(Clone, Debug)]
pub struct FuncDecl<'s> {
    /// Name.
    pub name: Ident<'s>,
    /// Receiver, of a method.
    pub receiver: Option<Param<'s>>,
    /// Names of its type parameters.
    pub type_params: Vec<&'s str>,
    /// Parameters and results.
    pub sig: Signature<'s>,
    /// Statements; none if it is written in assembly.
    pub body: Option<Block<'s>>,
    /// Where, with its body.
    pub span: Span,
    /// Whether part of it could not be read: then nothing is said of its paths.
    pub broken: bool,
}

/// A file.
#[derive(Clone, Debug, Default)]
pub struct File<'s> {
    /// Name in the package clause.
    pub package: &'s str,
    /// Imports: name in this file (`_` and `.` too), path, whether the name is written.
    pub imports: Vec<Import<'s>>,
    /// Functions and methods.
    pub funcs: Vec<FuncDecl<'s>>,
    /// Types.
    pub types: Vec<TypeSpec<'s>>,
    /// Package variables.
    pub vars: Vec<VarSpec<'s>>,
    /// Names of package constants.
    pub consts: Vec<&'s str>,
    /// Line comments that speak to us: span of the comment and its text after `//lastgasp:`.
    pub directives: Vec<(Span, &'s str)>,
    /// First place that is no Go, if there is one.
    pub error_at: Option<Span>,
    /// First place that was nested too deeply, if there is one.
    pub too_deep_at: Option<Span>,
}

/// An import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import<'s> {
    /// Name by which the file knows it.
    pub name: &'s str,
    /// Path.
    pub path: &'s str,
}

impl<'s> Expr<'s> {
    /// The name, if it is one.
    #[must_use]
    pub fn ident(&self) -> Option<&'s str> {
        match self.kind {
            ExprKind::Ident(name) => Some(name),
            _ => None,
        }
    }

    /// The call, if it is one.
    #[must_use]
    pub fn call(&self) -> Option<&Call<'s>> {
        match &self.kind {
            ExprKind::Call(call) => Some(call),
            _ => None,
        }
    }

    /// Operand and name of a selector.
    #[must_use]
    pub fn selector(&self) -> Option<(&Expr<'s>, &'s str)> {
        match &self.kind {
            ExprKind::Selector(x, name) => Some((x, name.name)),
            _ => None,
        }
    }

    /// Receiver, method name and call, of `x.m(...)`.
    #[must_use]
    pub fn method_call(&self) -> Option<(&Expr<'s>, &'s str, &Call<'s>)> {
        let call = self.call()?;
        let (x, name) = call.fun.selector()?;
        Some((x, name, call))
    }

    /// The operand of one of these unary operators.
    #[must_use]
    pub fn unary(&self, op: &str) -> Option<&Expr<'s>> {
        match &self.kind {
            ExprKind::Unary(o, x) if *o == op => Some(x),
            _ => None,
        }
    }

    /// Whether it is `nil`.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.ident() == Some("nil")
    }

    /// The leftmost name of `x`, `x.f`, `x[i]`, `*x`, `x[a:b]`.
    #[must_use]
    pub fn root(&self) -> Option<&Expr<'s>> {
        let mut at = self;
        loop {
            at = match &at.kind {
                ExprKind::Ident(_) => return Some(at),
                ExprKind::Selector(x, _) | ExprKind::Index(x, _) | ExprKind::Slice(x, _) | ExprKind::Assert(x, _) => x,
                ExprKind::Unary("*" | "&", x) => x,
                _ => return None,
            };
        }
    }
}

impl<'s> Type<'s> {
    /// A name without a package.
    #[must_use]
    pub fn plain(name: &'s str) -> Self {
        Self::Name { path: "", name, args: Vec::new() }
    }

    /// A name of another package.
    #[must_use]
    pub fn of(path: &'s str, name: &'s str) -> Self {
        Self::Name { path, name, args: Vec::new() }
    }

    /// A pointer to it.
    #[must_use]
    pub fn pointer(self) -> Self {
        Self::Pointer(Box::new(self))
    }

    /// What a pointer points to, and anything else itself.
    #[must_use]
    pub fn pointee(&self) -> &Self {
        match self {
            Self::Pointer(t) => t,
            other => other,
        }
    }

    /// Whether it, or what it points to, is this name of this package.
    #[must_use]
    pub fn is(&self, path: &str, name: &str) -> bool {
        matches!(self.pointee(), Self::Name { path: p, name: n, .. } if *p == path && *n == name)
    }

    /// Import path and name, of a name or a pointer to one.
    #[must_use]
    pub fn name(&self) -> Option<(&'s str, &'s str)> {
        match self.pointee() {
            Self::Name { path, name, .. } => Some((path, name)),
            _ => None,
        }
    }
}
