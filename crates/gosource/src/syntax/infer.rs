//! Types of expressions, as far as one package's text tells them.

use super::ast::{Expr, ExprKind, LitKind, Type};
use super::known;
use super::package::{FnId, Function, Package};
use super::scope::{Init, VarId};

/// Expressions that lead to one another; longer chains are not followed.
const MAX_STEPS: u32 = 24;
/// Names of types that stand for one another, and structs within structs.
const MAX_NAMES: u32 = 6;

/// What a call calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Callee<'a> {
    /// A predeclared function.
    Builtin(&'a str),
    /// A conversion to a type of this package or a predeclared one.
    Conversion(&'a str),
    /// A function or a method of this package.
    Local(FnId),
    /// A function of another package.
    Package(&'a str, &'a str),
    /// A method of a type of another package, or of an interface: path and name of the type, name.
    Method(&'a str, &'a str, &'a str),
    /// A function that a local variable or a parameter holds.
    Variable(VarId),
    /// A function that a field or a package variable holds.
    Field(&'a str),
    /// Not known; the last name, if there is one.
    Unknown(&'a str),
}

const BUILTINS: &[&str] = &[
    "append", "cap", "clear", "close", "complex", "copy", "delete", "imag", "len", "make", "max", "min", "new",
    "panic", "print", "println", "real", "recover",
];
const BASIC: &[&str] = &[
    "bool",
    "byte",
    "complex64",
    "complex128",
    "error",
    "float32",
    "float64",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "rune",
    "string",
    "uint",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uintptr",
    "any",
];

impl<'a> Package<'a> {
    /// The type of an expression in a function; unknown where the text does not tell.
    #[must_use]
    pub fn type_of(&self, f: &Function<'a>, e: &Expr<'a>) -> Type<'a> {
        self.infer(f, e, MAX_STEPS)
    }

    /// The type of a variable of a function.
    #[must_use]
    pub fn type_of_var(&self, f: &Function<'a>, id: VarId) -> Type<'a> {
        self.var(f, id, MAX_STEPS)
    }

    /// What a type of this package is underneath its name.
    #[must_use]
    pub fn underlying(&self, ty: &Type<'a>) -> Type<'a> {
        let mut at = ty.clone();
        for _ in 0..MAX_NAMES {
            match &at {
                Type::Name { path: "", name, .. } => match self.types.get(name) {
                    Some(spec) => at = spec.ty.clone(),
                    None => return at,
                },
                _ => return at,
            }
        }
        Type::Unknown
    }

    /// The type of a field, embedded ones searched.
    #[must_use]
    pub fn field_type(&self, ty: &Type<'a>, name: &str) -> Option<Type<'a>> {
        self.field_within(ty, name, MAX_NAMES)
    }

    fn field_within(&self, ty: &Type<'a>, name: &str, steps: u32) -> Option<Type<'a>> {
        let steps = steps.checked_sub(1)?;
        if let Some((path, of)) = ty.name()
            && !path.is_empty()
        {
            return known::member(path, of, name).map(widen);
        }
        let Type::Struct(fields) = self.underlying(ty.pointee()) else { return None };
        if let Some(field) = fields.iter().find(|f| f.name == name) {
            return Some(field.ty.clone());
        }
        fields.iter().filter(|f| f.embedded).find_map(|f| self.field_within(&f.ty, name, steps))
    }

    /// The method of a type of this package, embedded ones searched.
    #[must_use]
    pub fn method(&self, ty: &Type<'a>, name: &str) -> Option<FnId> {
        self.method_within(ty, name, MAX_NAMES)
    }

    fn method_within(&self, ty: &Type<'a>, name: &str, steps: u32) -> Option<FnId> {
        let steps = steps.checked_sub(1)?;
        let ("", of) = ty.name()? else { return None };
        if let Some(id) = self.methods.get(&(of, name)) {
            return Some(*id);
        }
        match self.underlying(ty.pointee()) {
            Type::Struct(fields) => {
                fields.iter().filter(|f| f.embedded).find_map(|f| self.method_within(&f.ty, name, steps))
            }
            _ => None,
        }
    }

    /// Whether a name at this place is a package's, and which.
    #[must_use]
    pub fn package_named(&self, f: &Function<'a>, e: &Expr<'a>) -> Option<&'a str> {
        let name = e.ident()?;
        if f.scope.var(e).is_some() || self.vars.contains_key(name) {
            return None;
        }
        self.file(f).import(name)
    }

    /// What a call calls.
    #[must_use]
    pub fn callee(&self, f: &Function<'a>, fun: &Expr<'a>) -> Callee<'a> {
        self.callee_within(f, fun, MAX_STEPS)
    }

    fn callee_within(&self, f: &Function<'a>, fun: &Expr<'a>, steps: u32) -> Callee<'a> {
        match &fun.kind {
            ExprKind::Ident(name) => {
                if let Some(id) = f.scope.var(fun) {
                    return Callee::Variable(id);
                }
                if let Some(id) = self.by_name.get(name) {
                    return Callee::Local(*id);
                }
                if self.types.contains_key(name) || BASIC.contains(name) {
                    return Callee::Conversion(name);
                }
                if self.vars.contains_key(name) {
                    return Callee::Field(name);
                }
                if BUILTINS.contains(name) { Callee::Builtin(name) } else { Callee::Unknown(name) }
            }
            ExprKind::Selector(x, name) => {
                if let Some(path) = self.package_named(f, x) {
                    return Callee::Package(path, name.name);
                }
                let ty = self.infer(f, x, steps.saturating_sub(1));
                if let Some(id) = self.method(&ty, name.name) {
                    return Callee::Local(id);
                }
                if let Some(Type::Func(_)) = self.field_type(&ty, name.name).map(|t| self.underlying(&t)) {
                    return Callee::Field(name.name);
                }
                match ty.name() {
                    Some((path, of)) if !path.is_empty() => Callee::Method(path, of, name.name),
                    Some(("", of)) => {
                        if matches!(self.underlying(ty.pointee()), Type::Interface(_)) {
                            return Callee::Method("", of, name.name);
                        }
                        // A method of what is embedded from elsewhere: `sync.Mutex` above all.
                        match self.embedded_foreign(&ty, name.name) {
                            Some((path, of)) => Callee::Method(path, of, name.name),
                            None => Callee::Unknown(name.name),
                        }
                    }
                    _ => Callee::Unknown(name.name),
                }
            }
            // An instance of a generic function.
            ExprKind::Index(x, _) => match self.callee_within(f, x, steps.saturating_sub(1)) {
                local @ (Callee::Local(_) | Callee::Package(..)) => local,
                _ => Callee::Unknown(""),
            },
            _ => Callee::Unknown(""),
        }
    }

    /// The lock, group, client or database of another package that a struct embeds and that has such a
    /// method.
    fn embedded_foreign(&self, ty: &Type<'a>, method: &str) -> Option<(&'a str, &'a str)> {
        let Type::Struct(fields) = self.underlying(ty.pointee()) else { return None };
        let embedded: Vec<_> = fields.iter().filter(|f| f.embedded).filter_map(|f| f.ty.name()).collect();
        let has = |name: &str| match name {
            "Mutex" => matches!(method, "Lock" | "Unlock" | "TryLock"),
            "RWMutex" => matches!(method, "Lock" | "Unlock" | "RLock" | "RUnlock" | "TryLock" | "TryRLock"),
            "WaitGroup" => matches!(method, "Add" | "Done" | "Wait" | "Go"),
            _ => false,
        };
        let known = |path: &str, name: &str| known::method(path, name, method).is_some();
        embedded.into_iter().find(|(path, name)| *path == "sync" && has(name) || known(path, name))
    }

    /// What a callee gives.
    fn results(&self, f: &Function<'a>, callee: Callee<'a>, steps: u32) -> Type<'a> {
        let of_sig = |results: &[super::ast::Param<'a>]| match results {
            [one] => one.ty.clone(),
            several => Type::Tuple(several.iter().map(|p| p.ty.clone()).collect()),
        };
        match callee {
            Callee::Local(id) => {
                let Some(decl) = self.funcs.get(id).map(|f| f.decl) else { return Type::Unknown };
                if decl.type_params.is_empty() { of_sig(&decl.sig.results) } else { Type::Unknown }
            }
            Callee::Package(path, name) => known::function(path, name).map(widen).unwrap_or_default(),
            Callee::Method("", of, name) => match self.underlying(&Type::plain(of)) {
                Type::Interface(methods) => {
                    methods.iter().find(|(n, _)| *n == name).map(|(_, s)| of_sig(&s.results)).unwrap_or_default()
                }
                _ => Type::Unknown,
            },
            Callee::Method(path, of, name) => known::method(path, of, name).map(widen).unwrap_or_default(),
            Callee::Variable(id) => match self.underlying(&self.var(f, id, steps)) {
                Type::Func(sig) => of_sig(&sig.results),
                _ => Type::Unknown,
            },
            Callee::Conversion(name) => Type::plain(name),
            Callee::Builtin(_) | Callee::Field(_) | Callee::Unknown(_) => Type::Unknown,
        }
    }

    fn var(&self, f: &Function<'a>, id: VarId, steps: u32) -> Type<'a> {
        if let Some(known) = f.scope.types.borrow().get(&id) {
            return known.clone();
        }
        let Some((steps, var)) = steps.checked_sub(1).zip(f.scope.vars.get(id)) else { return Type::Unknown };
        let ty = match (var.ty, var.init) {
            (Some(ty), _) => ty.clone(),
            (None, Init::None) => Type::Unknown,
            (None, Init::Value(e, n)) => match self.infer(f, e, steps) {
                Type::Tuple(mut types) if n < types.len() => types.swap_remove(n),
                Type::Tuple(_) => Type::Unknown,
                one if n == 0 => one,
                // `v, ok := m[k]` and its like.
                _ => Type::plain("bool"),
            },
            (None, Init::RangeKey(e)) => match self.underlying(&self.infer(f, e, steps)) {
                Type::Map(k, _) => *k,
                Type::Chan(_, v) => *v,
                Type::Slice(_) | Type::Array(_) | Type::Pointer(_) => Type::plain("int"),
                _ => Type::Unknown,
            },
            (None, Init::RangeValue(e)) => match self.underlying(&self.infer(f, e, steps)) {
                Type::Map(_, v) | Type::Slice(v) | Type::Array(v) => *v,
                _ => Type::Unknown,
            },
            (None, Init::Switched(e)) => self.infer(f, e, steps),
        };
        f.scope.types.borrow_mut().insert(id, ty.clone());
        ty
    }

    fn infer(&self, f: &Function<'a>, e: &Expr<'a>, steps: u32) -> Type<'a> {
        let Some(steps) = steps.checked_sub(1) else { return Type::Unknown };
        match &e.kind {
            ExprKind::Ident(name) => {
                if let Some(id) = f.scope.var(e) {
                    return self.var(f, id, steps);
                }
                if let Some(var) = self.vars.get(name) {
                    return match (var.ty, var.value) {
                        (Some(ty), _) => ty.clone(),
                        (None, Some(value)) => self.package_value(f, value, steps),
                        _ => Type::Unknown,
                    };
                }
                if let Some(id) = self.by_name.get(name) {
                    return self.funcs.get(*id).map_or(Type::Unknown, |f| Type::Func(Box::new(f.decl.sig.clone())));
                }
                match *name {
                    "true" | "false" => Type::plain("bool"),
                    _ => Type::Unknown,
                }
            }
            ExprKind::Lit(LitKind::String, _) => Type::plain("string"),
            ExprKind::Lit(LitKind::Number, text) => {
                if text.contains(['.', 'e', 'p', 'i']) {
                    Type::plain("float64")
                } else {
                    Type::plain("int")
                }
            }
            ExprKind::Lit(LitKind::Rune, _) => Type::plain("rune"),
            ExprKind::Composite(ty, _) => ty.clone().unwrap_or_default(),
            ExprKind::FuncLit(lit) => Type::Func(Box::new(lit.sig.clone())),
            ExprKind::Selector(x, name) => {
                if let Some(path) = self.package_named(f, x) {
                    return known::member(path, "", name.name).map(widen).unwrap_or_default();
                }
                let ty = self.infer(f, x, steps);
                self.field_type(&ty, name.name).unwrap_or_default()
            }
            ExprKind::Index(x, _) => match self.underlying(self.infer(f, x, steps).pointee()) {
                Type::Map(_, v) | Type::Slice(v) | Type::Array(v) => *v,
                Type::Name { path: "", name: "string", .. } => Type::plain("byte"),
                _ => Type::Unknown,
            },
            ExprKind::Slice(x, _) => {
                let ty = self.infer(f, x, steps);
                match self.underlying(ty.pointee()) {
                    Type::Array(v) => Type::Slice(v),
                    _ => ty,
                }
            }
            ExprKind::Assert(_, ty) | ExprKind::Convert(ty, _) => ty.clone(),
            ExprKind::Unary("&", x) => self.infer(f, x, steps).pointer(),
            ExprKind::Unary("*", x) => self.infer(f, x, steps).pointee().clone(),
            ExprKind::Unary("<-", x) => match self.underlying(&self.infer(f, x, steps)) {
                Type::Chan(_, v) => *v,
                _ => Type::Unknown,
            },
            ExprKind::Unary("!", _) => Type::plain("bool"),
            ExprKind::Unary(_, x) => self.infer(f, x, steps),
            ExprKind::Binary("==" | "!=" | "<" | "<=" | ">" | ">=" | "&&" | "||", _) => Type::plain("bool"),
            ExprKind::Binary(_, operands) => {
                operands.iter().map(|o| self.infer(f, o, steps)).find(|t| *t != Type::Unknown).unwrap_or_default()
            }
            ExprKind::Call(call) => self.call(f, call, steps),
            ExprKind::Type(_) | ExprKind::Bad => Type::Unknown,
        }
    }

    fn call(&self, f: &Function<'a>, call: &super::ast::Call<'a>, steps: u32) -> Type<'a> {
        if let ExprKind::FuncLit(lit) = &call.fun.kind {
            return match lit.sig.results.as_slice() {
                [one] => one.ty.clone(),
                several => Type::Tuple(several.iter().map(|p| p.ty.clone()).collect()),
            };
        }
        let callee = self.callee_within(f, &call.fun, steps);
        match (callee, call.args.first()) {
            (Callee::Builtin("make"), Some(first)) => type_argument(first),
            (Callee::Builtin("new"), Some(first)) => type_argument(first).pointer(),
            (Callee::Builtin("append"), Some(first)) => self.infer(f, first, steps),
            (Callee::Builtin("len" | "cap" | "copy"), _) => Type::plain("int"),
            (Callee::Method("sync/atomic", "Pointer", "Load" | "Swap"), _) => self.atomic_pointee(f, call, steps),
            _ => self.results(f, callee, steps),
        }
    }

    /// `atomic.Pointer[T]` gives `*T`.
    fn atomic_pointee(&self, f: &Function<'a>, call: &super::ast::Call<'a>, steps: u32) -> Type<'a> {
        let Some((x, _)) = call.fun.selector() else { return Type::Unknown };
        match self.infer(f, x, steps).pointee() {
            Type::Name { args, .. } => args.first().cloned().map(Type::pointer).unwrap_or_default(),
            _ => Type::Unknown,
        }
    }

    /// The type of a package variable's value: names of the asking function mean nothing there.
    fn package_value(&self, f: &Function<'a>, value: &Expr<'a>, steps: u32) -> Type<'a> {
        match &value.kind {
            ExprKind::Composite(..) | ExprKind::Lit(..) | ExprKind::FuncLit(_) | ExprKind::Convert(..) => {
                self.infer(f, value, steps)
            }
            ExprKind::Unary("&", x) => self.package_value(f, x, steps).pointer(),
            ExprKind::Call(call) => match &call.fun.kind {
                ExprKind::Ident("make") if !self.by_name.contains_key("make") => {
                    call.args.first().map(type_argument).unwrap_or_default()
                }
                ExprKind::Ident("new") => call.args.first().map(|a| type_argument(a).pointer()).unwrap_or_default(),
                ExprKind::Ident(name) => match self.by_name.get(name) {
                    Some(id) => self.results(f, Callee::Local(*id), steps),
                    None => Type::Unknown,
                },
                ExprKind::Selector(x, name) => {
                    let path = x.ident().and_then(|n| self.files.iter().find_map(|file| file.import(n)));
                    path.and_then(|p| known::function(p, name.name)).map(widen).unwrap_or_default()
                }
                _ => Type::Unknown,
            },
            _ => Type::Unknown,
        }
    }
}

/// The type that `make` and `new` are given.
fn type_argument<'a>(e: &Expr<'a>) -> Type<'a> {
    match &e.kind {
        ExprKind::Type(ty) => ty.clone(),
        ExprKind::Ident(name) => Type::plain(name),
        _ => Type::Unknown,
    }
}

/// What is known for ever is known as long as the file.
fn widen<'a>(ty: Type<'static>) -> Type<'a> {
    ty
}
