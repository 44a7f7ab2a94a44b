//! Walks over syntax, parents first. They recurse as deep as the syntax, which is bounded where it is made.

use super::ast::{Block, Expr, ExprKind, ForHead, Stmt, StmtKind};

/// What a walk comes by.
#[derive(Clone, Copy, Debug)]
pub enum Node<'a, 's> {
    /// A statement.
    Stmt(&'a Stmt<'s>),
    /// An expression.
    Expr(&'a Expr<'s>),
}

/// Walks a block; the closure says whether to go into what it is given.
pub fn block<'a, 's>(b: &'a Block<'s>, f: &mut dyn FnMut(Node<'a, 's>) -> bool) {
    stmts(&b.stmts, f);
}

/// Walks statements.
pub fn stmts<'a, 's>(list: &'a [Stmt<'s>], f: &mut dyn FnMut(Node<'a, 's>) -> bool) {
    for s in list {
        stmt(s, f);
    }
}

/// Walks expressions.
pub fn exprs<'a, 's>(list: &'a [Expr<'s>], f: &mut dyn FnMut(Node<'a, 's>) -> bool) {
    for e in list {
        expr(e, f);
    }
}

/// Walks a statement.
pub fn stmt<'a, 's>(s: &'a Stmt<'s>, f: &mut dyn FnMut(Node<'a, 's>) -> bool) {
    #[cfg(test)]
    work::one();
    if !f(Node::Stmt(s)) {
        return;
    }
    match &s.kind {
        StmtKind::Expr(e) | StmtKind::IncDec(e, _) | StmtKind::Go(e) | StmtKind::Defer(e) => expr(e, f),
        StmtKind::Send(c, v) => {
            expr(c, f);
            expr(v, f);
        }
        StmtKind::Assign(_, l, r) | StmtKind::Define(l, r) => {
            // As Go evaluates them, roughly: what is read before what is written.
            exprs(r, f);
            exprs(l, f);
        }
        StmtKind::Var(specs) => {
            for spec in specs {
                exprs(&spec.values, f);
            }
        }
        StmtKind::Return(list) => exprs(list, f),
        StmtKind::Block(b) => block(b, f),
        StmtKind::If(i) => {
            if let Some(init) = &i.init {
                stmt(init, f);
            }
            expr(&i.cond, f);
            block(&i.then, f);
            if let Some(els) = &i.els {
                stmt(els, f);
            }
        }
        StmtKind::Switch(sw) => {
            if let Some(init) = &sw.init {
                stmt(init, f);
            }
            if let Some(tag) = &sw.tag {
                expr(tag, f);
            }
            for case in &sw.cases {
                exprs(&case.exprs, f);
                stmts(&case.body, f);
            }
        }
        StmtKind::TypeSwitch(sw) => {
            if let Some(init) = &sw.init {
                stmt(init, f);
            }
            expr(&sw.value, f);
            for (_, body) in &sw.cases {
                stmts(body, f);
            }
        }
        StmtKind::Select(cases) => {
            for case in cases {
                if let Some(comm) = &case.comm {
                    stmt(comm, f);
                }
                stmts(&case.body, f);
            }
        }
        StmtKind::For(l) => {
            match &l.head {
                ForHead::Ever => {}
                ForHead::While(cond) => expr(cond, f),
                ForHead::Clause { init, cond, post } => {
                    if let Some(init) = init {
                        stmt(init, f);
                    }
                    if let Some(cond) = cond {
                        expr(cond, f);
                    }
                    if let Some(post) = post {
                        stmt(post, f);
                    }
                }
                ForHead::Range { vars, over, .. } => {
                    expr(over, f);
                    exprs(vars, f);
                }
            }
            block(&l.body, f);
        }
        StmtKind::Labeled(_, inner) => stmt(inner, f),
        StmtKind::Decl(_)
        | StmtKind::Break(_)
        | StmtKind::Continue(_)
        | StmtKind::Goto(_)
        | StmtKind::Fallthrough
        | StmtKind::Empty
        | StmtKind::Bad => {}
    }
}

/// Walks an expression.
pub fn expr<'a, 's>(e: &'a Expr<'s>, f: &mut dyn FnMut(Node<'a, 's>) -> bool) {
    #[cfg(test)]
    work::one();
    if !f(Node::Expr(e)) {
        return;
    }
    match &e.kind {
        ExprKind::Ident(_) | ExprKind::Lit(..) | ExprKind::Type(_) | ExprKind::Bad => {}
        ExprKind::Composite(_, elements) => {
            for (key, value) in elements {
                if let Some(key) = key {
                    expr(key, f);
                }
                expr(value, f);
            }
        }
        ExprKind::FuncLit(lit) => block(&lit.body, f),
        ExprKind::Selector(x, _) | ExprKind::Assert(x, _) | ExprKind::Convert(_, x) | ExprKind::Unary(_, x) => {
            expr(x, f);
        }
        ExprKind::Index(x, i) => {
            expr(x, f);
            expr(i, f);
        }
        ExprKind::Slice(x, bounds) => {
            expr(x, f);
            for b in bounds.iter().flatten() {
                expr(b, f);
            }
        }
        ExprKind::Call(call) => {
            expr(&call.fun, f);
            exprs(&call.args, f);
        }
        ExprKind::Binary(_, operands) => exprs(operands, f),
    }
}

/// How many nodes walks of this thread have come by: tests hold rules to work that grows with the source, and
/// not with its square.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local!(static NODES: Cell<u64> = const { Cell::new(0) });

    pub(super) fn one() {
        NODES.set(NODES.get() + 1);
    }

    /// Nodes that `f` walks.
    pub(crate) fn of(f: impl FnOnce()) -> u64 {
        let before = NODES.get();
        f();
        NODES.get() - before
    }
}
