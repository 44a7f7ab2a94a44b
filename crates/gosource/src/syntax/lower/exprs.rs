//! Expressions.

use tree_sitter::Node;

use super::super::ast::{Call, Expr, ExprKind, FuncLit, LitKind, Type};
use super::super::kinds::{Field, Kind};
use super::{Child, Lower, field, span};

impl<'s, 't> Lower<'s, 't> {
    /// An expression; [`ExprKind::Bad`] where it is nested too deeply or is none.
    pub(super) fn expr(&mut self, node: Node<'t>) -> Expr<'s> {
        let inside = self.deeper(node, |l| l.expr_inside(node));
        inside.unwrap_or(Expr { span: span(node), kind: ExprKind::Bad })
    }

    /// The expressions of a list.
    pub(super) fn expr_list(&mut self, node: Node<'t>) -> Vec<Expr<'s>> {
        if self.kind(node) != Kind::ExpressionList {
            return vec![self.expr(node)];
        }
        let children = self.children(node);
        children.iter().filter(|c| c.node.is_named()).map(|c| self.expr(c.node)).collect()
    }

    fn of(&mut self, children: &[Child<'t>], which: Field, node: Node<'t>) -> Box<Expr<'s>> {
        Box::new(match field(children, which) {
            Some(c) => self.expr(c.node),
            None => Expr { span: span(node), kind: ExprKind::Bad },
        })
    }

    fn expr_inside(&mut self, node: Node<'t>) -> Expr<'s> {
        let kind = match self.kind(node) {
            Kind::Identifier
            | Kind::Nil
            | Kind::True
            | Kind::False
            | Kind::Iota
            | Kind::BlankIdentifier
            | Kind::FieldIdentifier => ExprKind::Ident(self.str(node)),
            Kind::RawString | Kind::InterpretedString => ExprKind::Lit(LitKind::String, self.str(node)),
            Kind::IntLiteral | Kind::FloatLiteral | Kind::ImaginaryLiteral => {
                ExprKind::Lit(LitKind::Number, self.str(node))
            }
            Kind::RuneLiteral => ExprKind::Lit(LitKind::Rune, self.str(node)),
            Kind::BinaryExpression => self.binary(node),
            Kind::ParenthesizedExpression => {
                let inside = self.children(node).into_iter().find(|c| c.node.is_named());
                return inside.map_or(Expr { span: span(node), kind: ExprKind::Bad }, |c| self.expr(c.node));
            }
            _ => self.compound(node),
        };
        Expr { span: span(node), kind }
    }

    fn compound(&mut self, node: Node<'t>) -> ExprKind<'s> {
        let children = self.children(node);
        match self.kind(node) {
            Kind::SelectorExpression => {
                let x = self.of(&children, Field::Operand, node);
                match field(&children, Field::Selected) {
                    Some(name) => ExprKind::Selector(x, self.ident(name.node)),
                    None => ExprKind::Bad,
                }
            }
            Kind::CallExpression => self.call(&children, node),
            Kind::UnaryExpression => {
                let op = field(&children, Field::Operator).map_or("", |o| self.str(o.node));
                ExprKind::Unary(op, self.of(&children, Field::Operand, node))
            }
            Kind::IndexExpression => {
                let x = self.of(&children, Field::Operand, node);
                ExprKind::Index(x, self.of(&children, Field::Index, node))
            }
            Kind::SliceExpression => {
                let x = self.of(&children, Field::Operand, node);
                let bounds = [Field::Start, Field::End, Field::Capacity]
                    .map(|f| field(&children, f).map(|c| Box::new(self.expr(c.node))));
                ExprKind::Slice(x, bounds)
            }
            Kind::TypeAssertion => {
                let x = self.of(&children, Field::Operand, node);
                let ty = field(&children, Field::Type).map(|t| self.ty(t.node)).unwrap_or_default();
                ExprKind::Assert(x, ty)
            }
            Kind::TypeConversion => {
                let ty = field(&children, Field::Type).map(|t| self.ty(t.node)).unwrap_or_default();
                ExprKind::Convert(ty, self.of(&children, Field::Operand, node))
            }
            Kind::CompositeLiteral => {
                let ty = field(&children, Field::Type).map(|t| self.ty(t.node));
                let elements = field(&children, Field::Body).map(|b| self.elements(b.node)).unwrap_or_default();
                ExprKind::Composite(ty, elements)
            }
            Kind::LiteralValue => ExprKind::Composite(None, self.elements(node)),
            Kind::FuncLiteral => {
                let sig = self.signature(&children);
                let body = field(&children, Field::Body).map(|b| self.block(b.node)).unwrap_or_default();
                ExprKind::FuncLit(Box::new(FuncLit { sig, body }))
            }
            Kind::LiteralElement => children.first().map_or(ExprKind::Bad, |c| self.expr(c.node).kind),
            Kind::TypeInstantiation
            | Kind::TypeIdentifier
            | Kind::GenericType
            | Kind::QualifiedType
            | Kind::PointerType
            | Kind::StructType
            | Kind::InterfaceType
            | Kind::ArrayType
            | Kind::SliceType
            | Kind::MapType
            | Kind::ChannelType
            | Kind::FunctionType
            | Kind::ParenthesizedType => ExprKind::Type(self.ty(node)),
            _ => ExprKind::Bad,
        }
    }

    fn call(&mut self, children: &[Child<'t>], node: Node<'t>) -> ExprKind<'s> {
        let fun = *self.of(children, Field::Function, node);
        let list = field(children, Field::Arguments).map(|a| self.children(a.node)).unwrap_or_default();
        let mut args = Vec::with_capacity(list.len() / 2);
        let mut spread = false;
        for c in list.iter().filter(|c| c.node.is_named()) {
            if c.kind == Kind::VariadicArgument {
                spread = true;
                let inside = self.children(c.node).into_iter().find(|c| c.node.is_named());
                args.extend(inside.map(|c| self.expr(c.node)));
            } else {
                args.push(self.expr(c.node));
            }
        }
        // `make(T)` of a name: the grammar says that it is a type, and we take it as one everywhere.
        if matches!(fun.ident(), Some("make" | "new"))
            && let Some(first) = args.first_mut()
            && let ExprKind::Ident(name) = first.kind
        {
            first.kind = ExprKind::Type(Type::plain(name));
        }
        ExprKind::Call(Box::new(Call { fun, args, spread }))
    }

    /// Operands of a run of one operator; runs of thousands (`"a" + "b" + ...`) are no deep trees for us.
    fn binary(&mut self, node: Node<'t>) -> ExprKind<'s> {
        let mut rights = Vec::new();
        let mut at = node;
        let mut run: Option<&'s str> = None;
        let first = loop {
            if self.kind(at) != Kind::BinaryExpression {
                break self.expr(at);
            }
            let children = self.children(at);
            let op = field(&children, Field::Operator).map_or("", |o| self.str(o.node));
            if run.is_some_and(|r| r != op) {
                break self.expr(at);
            }
            run = Some(op);
            rights.extend(field(&children, Field::Right).map(|r| r.node));
            match field(&children, Field::Left) {
                Some(left) => at = left.node,
                None => break Expr { span: span(at), kind: ExprKind::Bad },
            }
        };
        let mut operands = vec![first];
        operands.extend(rights.into_iter().rev().map(|r| self.expr(r)).collect::<Vec<_>>());
        ExprKind::Binary(run.unwrap_or_default(), operands)
    }

    fn elements(&mut self, node: Node<'t>) -> Vec<(Option<Expr<'s>>, Expr<'s>)> {
        let mut out = Vec::new();
        for c in self.children(node) {
            match c.kind {
                Kind::KeyedElement => {
                    let inside = self.children(c.node);
                    let key = field(&inside, Field::Key).map(|k| self.expr(k.node));
                    let value = *self.of(&inside, Field::Value, c.node);
                    out.push((key, value));
                }
                _ if c.node.is_named() => out.push((None, self.expr(c.node))),
                _ => {}
            }
        }
        out
    }
}
