//! Locks: which calls lock and unlock what.

use crate::syntax::ast::{Expr, ExprKind, Type};
use crate::syntax::{Callee, FnId, Function, Init, Package};

/// What is done to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Op {
    /// `Lock`.
    Lock,
    /// `Unlock`.
    Unlock,
    /// `RLock`.
    RLock,
    /// `RUnlock`.
    RUnlock,
}

impl Op {
    /// Whether it takes the lock.
    pub(crate) fn takes(self) -> bool {
        matches!(self, Self::Lock | Self::RLock)
    }

    /// Its counterpart's name.
    pub(crate) fn counterpart(self) -> &'static str {
        match self {
            Self::Lock => "Unlock",
            Self::RLock => "RUnlock",
            Self::Unlock => "Lock",
            Self::RUnlock => "RLock",
        }
    }
}

/// A call on a lock.
#[derive(Clone, Debug)]
pub(crate) struct LockCall<'a> {
    /// What.
    pub(crate) op: Op,
    /// The lock as it is written: within a function the same text is the same lock.
    pub(crate) key: &'a str,
    /// The lock as a class: `Type.field`, or the name of a package variable.
    pub(crate) class: Option<String>,
    /// The last name of it.
    pub(crate) field: &'a str,
}

/// The call on a lock that an expression is.
pub(crate) fn lock_call<'a>(pkg: &Package<'a>, f: &Function<'a>, e: &Expr<'a>) -> Option<LockCall<'a>> {
    let (x, name, call) = e.method_call()?;
    if !call.args.is_empty() {
        return None;
    }
    let op = op_named(name)?;
    let ty = pkg.type_of(f, x);
    let sync = ty.is("sync", "Mutex") || ty.is("sync", "RWMutex") || ty.is("sync", "Locker");
    let embedded = matches!(pkg.callee(f, &call.fun), Callee::Method("sync", "Mutex" | "RWMutex", _));
    let field = super::channels::last_name(x);
    if !sync && !embedded {
        let lower = field.to_lowercase();
        let named = ["mu", "mtx", "mutex", "lock"].iter().any(|w| lower.ends_with(w));
        let unknown = ty == Type::Unknown;
        if !(named && unknown) || matches!(pkg.callee(f, &call.fun), Callee::Local(_) | Callee::Package(..)) {
            return None;
        }
    }
    Some(LockCall { op, key: pkg.file(f).at(x.span), class: class_of(pkg, f, x), field })
}

/// The operation of a method's name.
pub(crate) fn op_named(name: &str) -> Option<Op> {
    Some(match name {
        "Lock" => Op::Lock,
        "Unlock" => Op::Unlock,
        "RLock" => Op::RLock,
        "RUnlock" => Op::RUnlock,
        _ => return None,
    })
}

/// What else a lock is called in a function: `t.topic.mu`, where `topic` is `t.topic` and the lock
/// `topic.mu`.
pub(crate) fn other_name<'a>(pkg: &Package<'a>, f: &Function<'a>, key: &str) -> Option<String> {
    let (root, rest) = key.split_at(key.find('.').unwrap_or(key.len()));
    let mut named = f.scope.vars.iter().filter(|v| v.name == root && v.assigned.is_empty());
    named.find_map(|v| match v.init {
        Init::Value(e, 0) if matches!(e.kind, ExprKind::Selector(..)) => {
            Some(format!("{}{rest}", pkg.file(f).at(e.span)))
        }
        _ => None,
    })
}

fn class_of<'a>(pkg: &Package<'a>, f: &Function<'a>, x: &Expr<'a>) -> Option<String> {
    if let Some(name) = x.ident() {
        if f.scope.var(x).is_none() {
            return pkg.vars.contains_key(name).then(|| name.to_owned());
        }
        // A lock that is embedded.
        return match pkg.type_of(f, x).name() {
            Some(("", of)) => Some(of.to_owned()),
            _ => None,
        };
    }
    let (owner, field) = x.selector()?;
    match pkg.type_of(f, owner).name() {
        Some(("", of)) => Some(format!("{of}.{field}")),
        _ => None,
    }
}

/// The locks that a function takes itself, by class, with the operation; deferred calls and literals left
/// out.
pub(crate) fn taken_by(pkg: &Package<'_>, id: FnId) -> Vec<(String, Op)> {
    let Some(f) = pkg.funcs.get(id) else { return Vec::new() };
    let Some(body) = &f.decl.body else { return Vec::new() };
    let mut out = Vec::new();
    // What is locked under a condition may be just what is not locked for this caller.
    for e in body
        .stmts
        .iter()
        .filter_map(|s| if let crate::syntax::ast::StmtKind::Expr(e) = &s.kind { Some(e) } else { None })
    {
        if let Some(call) = lock_call(pkg, f, e).filter(|c| c.op.takes())
            && let Some(class) = call.class
        {
            out.push((class, call.op));
        }
    }
    out
}
