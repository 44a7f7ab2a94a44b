//! Statements.

use tree_sitter::Node;

use super::super::ast::{Block, Case, CommCase, For, ForHead, If, Stmt, StmtKind, Switch, TypeSwitch};
use super::super::kinds::{Field, Kind};
use super::{Child, Lower, field, span};

impl<'s, 't> Lower<'s, 't> {
    pub(super) fn block(&mut self, node: Node<'t>) -> Block<'s> {
        let children = self.children(node);
        let stmts = self.list_in(&children);
        Block { stmts, span: span(node) }
    }

    /// The statements of the first list among children.
    fn list_in(&mut self, children: &[Child<'t>]) -> Vec<Stmt<'s>> {
        let Some(list) = children.iter().find(|c| c.kind == Kind::StatementList) else { return Vec::new() };
        let inside = self.children(list.node);
        inside.iter().filter(|c| c.node.is_named()).map(|c| self.stmt(c.node)).collect()
    }

    fn stmt(&mut self, node: Node<'t>) -> Stmt<'s> {
        let kind = self.deeper(node, |l| l.stmt_inside(node)).unwrap_or(StmtKind::Bad);
        Stmt { span: span(node), kind }
    }

    fn first_expr(&mut self, children: &[Child<'t>]) -> Option<super::super::ast::Expr<'s>> {
        children.iter().find(|c| c.node.is_named()).map(|c| self.expr(c.node))
    }

    fn label(&self, children: &[Child<'t>]) -> Option<&'s str> {
        children.iter().find(|c| c.kind == Kind::LabelName).map(|c| self.str(c.node))
    }

    fn lists(
        &mut self,
        children: &[Child<'t>],
    ) -> (Vec<super::super::ast::Expr<'s>>, Vec<super::super::ast::Expr<'s>>) {
        let left = field(children, Field::Left).map(|l| self.expr_list(l.node)).unwrap_or_default();
        let right = field(children, Field::Right).map(|r| self.expr_list(r.node)).unwrap_or_default();
        (left, right)
    }

    fn stmt_inside(&mut self, node: Node<'t>) -> StmtKind<'s> {
        let children = self.children(node);
        match self.kind(node) {
            Kind::ExpressionStatement => self.first_expr(&children).map_or(StmtKind::Bad, StmtKind::Expr),
            Kind::SendStatement => {
                let channel = field(&children, Field::Channel).map(|c| self.expr(c.node));
                let value = field(&children, Field::Value).map(|v| self.expr(v.node));
                channel.zip(value).map_or(StmtKind::Bad, |(c, v)| StmtKind::Send(c, v))
            }
            Kind::ReceiveStatement => {
                let (left, mut right) = self.lists(&children);
                if left.is_empty() {
                    return right.pop().map_or(StmtKind::Bad, StmtKind::Expr);
                }
                let define = children.iter().any(|c| !c.node.is_named() && self.str(c.node) == ":=");
                if define { StmtKind::Define(left, right) } else { StmtKind::Assign("=", left, right) }
            }
            Kind::IncStatement => self.first_expr(&children).map_or(StmtKind::Bad, |e| StmtKind::IncDec(e, true)),
            Kind::DecStatement => self.first_expr(&children).map_or(StmtKind::Bad, |e| StmtKind::IncDec(e, false)),
            Kind::AssignmentStatement => {
                let op = field(&children, Field::Operator).map_or("=", |o| self.str(o.node));
                let (left, right) = self.lists(&children);
                StmtKind::Assign(op, left, right)
            }
            Kind::ShortVarDeclaration => {
                let (left, right) = self.lists(&children);
                StmtKind::Define(left, right)
            }
            Kind::VarDeclaration => StmtKind::Var(self.var_decl(node)),
            Kind::TypeDeclaration => StmtKind::Decl(self.type_decl(node)),
            Kind::ConstDeclaration => StmtKind::Decl(Vec::new()),
            Kind::GoStatement => self.first_expr(&children).map_or(StmtKind::Bad, StmtKind::Go),
            Kind::DeferStatement => self.first_expr(&children).map_or(StmtKind::Bad, StmtKind::Defer),
            Kind::ReturnStatement => {
                let list = children.iter().find(|c| c.node.is_named());
                StmtKind::Return(list.map(|l| self.expr_list(l.node)).unwrap_or_default())
            }
            Kind::BreakStatement => StmtKind::Break(self.label(&children)),
            Kind::ContinueStatement => StmtKind::Continue(self.label(&children)),
            Kind::GotoStatement => StmtKind::Goto(self.label(&children).unwrap_or_default()),
            Kind::FallthroughStatement => StmtKind::Fallthrough,
            Kind::Block => StmtKind::Block(self.block(node)),
            Kind::IfStatement => self.if_(&children),
            Kind::ForStatement => self.for_(&children),
            Kind::ExpressionSwitch => self.switch(&children),
            Kind::TypeSwitch => self.type_switch(&children),
            Kind::SelectStatement => self.select(&children),
            Kind::LabeledStatement => {
                let label = field(&children, Field::Label).map_or("", |l| self.str(l.node));
                let inside = children.iter().find(|c| c.node.is_named() && c.field != Field::Label).copied();
                let inside = inside.map(|c| self.stmt(c.node));
                StmtKind::Labeled(label, Box::new(inside.unwrap_or(Stmt { span: span(node), kind: StmtKind::Empty })))
            }
            Kind::EmptyStatement => StmtKind::Empty,
            _ => StmtKind::Bad,
        }
    }

    fn if_(&mut self, children: &[Child<'t>]) -> StmtKind<'s> {
        let init = field(children, Field::Initializer).map(|i| self.stmt(i.node));
        let Some(cond) = field(children, Field::Condition).map(|c| self.expr(c.node)) else { return StmtKind::Bad };
        let then = field(children, Field::Consequence).map(|c| self.block(c.node)).unwrap_or_default();
        let els = field(children, Field::Alternative).map(|a| self.stmt(a.node));
        StmtKind::If(Box::new(If { init, cond, then, els }))
    }

    fn for_(&mut self, children: &[Child<'t>]) -> StmtKind<'s> {
        let body = field(children, Field::Body).map(|b| self.block(b.node)).unwrap_or_default();
        let head = children.iter().find(|c| c.node.is_named() && c.field != Field::Body).copied();
        let head = match head {
            None => ForHead::Ever,
            Some(c) if c.kind == Kind::ForClause => {
                let inside = self.children(c.node);
                let init = field(&inside, Field::Initializer).map(|i| self.stmt(i.node));
                let cond = field(&inside, Field::Condition).map(|i| self.expr(i.node));
                let post = field(&inside, Field::Update).map(|i| self.stmt(i.node));
                ForHead::Clause { init, cond, post }
            }
            Some(c) if c.kind == Kind::RangeClause => {
                let inside = self.children(c.node);
                let (vars, mut over) = self.lists(&inside);
                let define = inside.iter().any(|c| !c.node.is_named() && self.str(c.node) == ":=");
                match over.pop() {
                    Some(over) => ForHead::Range { vars, define, over },
                    None => return StmtKind::Bad,
                }
            }
            Some(c) => ForHead::While(self.expr(c.node)),
        };
        StmtKind::For(Box::new(For { head, body }))
    }

    fn switch(&mut self, children: &[Child<'t>]) -> StmtKind<'s> {
        let init = field(children, Field::Initializer).map(|i| self.stmt(i.node));
        let tag = field(children, Field::Value).map(|v| self.expr(v.node));
        let mut cases = Vec::new();
        for c in children.iter().filter(|c| matches!(c.kind, Kind::ExpressionCase | Kind::DefaultCase)) {
            let inside = self.children(c.node);
            let exprs = field(&inside, Field::Value).map(|v| self.expr_list(v.node)).unwrap_or_default();
            let body = self.list_in(&inside);
            cases.push(Case { exprs, is_default: c.kind == Kind::DefaultCase, body });
        }
        StmtKind::Switch(Box::new(Switch { init, tag, cases }))
    }

    fn type_switch(&mut self, children: &[Child<'t>]) -> StmtKind<'s> {
        let init = field(children, Field::Initializer).map(|i| self.stmt(i.node));
        let bind = field(children, Field::Alias).and_then(|a| {
            let list = self.children(a.node);
            let first = list.iter().find(|c| c.kind == Kind::Identifier).map(|c| c.node);
            first.or((a.kind == Kind::Identifier).then_some(a.node)).map(|n| self.ident(n))
        });
        let Some(value) = field(children, Field::Value).map(|v| self.expr(v.node)) else { return StmtKind::Bad };
        let mut cases = Vec::new();
        for c in children.iter().filter(|c| matches!(c.kind, Kind::TypeCase | Kind::DefaultCase)) {
            let inside = self.children(c.node);
            let types = inside.iter().filter(|c| c.field == Field::Type && c.node.is_named());
            let types: Vec<_> = types.map(|c| c.node).collect();
            let types = types.into_iter().map(|n| self.ty(n)).collect();
            let body = self.list_in(&inside);
            cases.push((types, body));
        }
        StmtKind::TypeSwitch(Box::new(TypeSwitch { init, bind, value, cases }))
    }

    fn select(&mut self, children: &[Child<'t>]) -> StmtKind<'s> {
        let mut cases = Vec::new();
        for c in children.iter().filter(|c| matches!(c.kind, Kind::CommunicationCase | Kind::DefaultCase)) {
            let inside = self.children(c.node);
            let comm = field(&inside, Field::Communication).map(|s| self.stmt(s.node));
            let body = self.list_in(&inside);
            cases.push(CommCase { span: span(c.node), comm, body });
        }
        StmtKind::Select(cases)
    }
}
