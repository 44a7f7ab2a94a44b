//! Types.

use tree_sitter::Node;

use super::super::ast::{Direction, Field as StructField, Signature, Type};
use super::super::kinds::{Field, Kind};
use super::{Child, Lower, field, span};

impl<'s, 't> Lower<'s, 't> {
    /// A type; unknown where it is nested too deeply or is none.
    pub(super) fn ty(&mut self, node: Node<'t>) -> Type<'s> {
        self.deeper(node, |l| l.ty_inside(node)).unwrap_or_default()
    }

    fn boxed(&mut self, children: &[Child<'t>], which: Field) -> Box<Type<'s>> {
        Box::new(field(children, which).map(|c| self.ty(c.node)).unwrap_or_default())
    }

    fn ty_inside(&mut self, node: Node<'t>) -> Type<'s> {
        let kind = self.kind(node);
        if matches!(kind, Kind::TypeIdentifier | Kind::Identifier) {
            return Type::plain(self.str(node));
        }
        let children = self.children(node);
        match kind {
            Kind::QualifiedType => {
                let package = field(&children, Field::Package).map_or("", |p| self.str(p.node));
                let name = field(&children, Field::Name).map_or("", |n| self.str(n.node));
                // A package that is not imported is told from a name of this one all the same.
                Type::of(self.imports.get(package).copied().unwrap_or(package), name)
            }
            Kind::GenericType | Kind::TypeInstantiation => {
                let mut of = field(&children, Field::Type).map(|t| self.ty(t.node)).unwrap_or_default();
                if let Type::Name { args, .. } = &mut of {
                    let list = field(&children, Field::TypeArguments);
                    *args = match list {
                        Some(list) => self.type_list(list.node),
                        None => {
                            let rest = children.iter().filter(|c| c.field == Field::None && c.node.is_named());
                            rest.map(|c| self.ty(c.node)).collect()
                        }
                    };
                }
                of
            }
            Kind::PointerType => {
                let to = children.iter().find(|c| c.node.is_named()).map(|c| self.ty(c.node));
                to.unwrap_or_default().pointer()
            }
            Kind::SliceType => Type::Slice(self.boxed(&children, Field::Element)),
            Kind::ArrayType | Kind::ImplicitArray => Type::Array(self.boxed(&children, Field::Element)),
            Kind::MapType => Type::Map(self.boxed(&children, Field::Key), self.boxed(&children, Field::Value)),
            Kind::ChannelType => {
                let direction = match self.str(node) {
                    text if text.starts_with("<-") => Direction::Receive,
                    text if text.trim_start_matches("chan").trim_start().starts_with("<-") => Direction::Send,
                    _ => Direction::Both,
                };
                Type::Chan(direction, self.boxed(&children, Field::Value))
            }
            Kind::FunctionType => Type::Func(Box::new(self.signature(&children))),
            Kind::StructType => {
                let list = children.iter().find(|c| c.kind == Kind::FieldDeclarationList).copied();
                Type::Struct(list.map(|l| self.fields(l.node)).unwrap_or_default().into())
            }
            Kind::InterfaceType => {
                let mut methods = Vec::new();
                for c in children.iter().filter(|c| c.kind == Kind::MethodElem) {
                    let inside = self.children(c.node);
                    let name = field(&inside, Field::Name).map_or("", |n| self.str(n.node));
                    let sig = self.signature(&inside);
                    methods.push((name, sig));
                }
                Type::Interface(methods.into())
            }
            Kind::ParenthesizedType | Kind::NegatedType => {
                children.iter().find(|c| c.node.is_named()).map(|c| self.ty(c.node)).unwrap_or_default()
            }
            // Of several (a constraint) none holds alone.
            Kind::TypeElem => match children.as_slice() {
                [one] => self.ty(one.node),
                _ => Type::Unknown,
            },
            _ => Type::Unknown,
        }
    }

    /// Type arguments.
    pub(super) fn type_list(&mut self, node: Node<'t>) -> Vec<Type<'s>> {
        let children = self.children(node);
        children.iter().filter(|c| c.node.is_named()).map(|c| self.ty(c.node)).collect()
    }

    fn fields(&mut self, list: Node<'t>) -> Vec<StructField<'s>> {
        let mut out = Vec::new();
        for c in self.children(list).into_iter().filter(|c| c.kind == Kind::FieldDeclaration) {
            let children = self.children(c.node);
            let Some(ty_node) = field(&children, Field::Type) else { continue };
            let ty = self.ty(ty_node.node);
            let names = children.iter().filter(|c| c.field == Field::Name && c.kind == Kind::FieldIdentifier);
            let before = out.len();
            for n in names {
                out.push(StructField { name: self.str(n.node), ty: ty.clone(), embedded: false, span: span(n.node) });
            }
            if out.len() == before {
                let pointer = children.first().is_some_and(|c| !c.node.is_named());
                let name = ty.name().map_or("", |(_, n)| n);
                let ty = if pointer { ty.pointer() } else { ty };
                out.push(StructField { name, ty, embedded: true, span: span(ty_node.node) });
            }
        }
        out
    }

    /// Parameters and results of whatever has such fields.
    pub(super) fn signature(&mut self, children: &[Child<'t>]) -> Signature<'s> {
        let params = field(children, Field::Parameters).map(|p| self.params(p.node)).unwrap_or_default();
        let results = match field(children, Field::Result) {
            Some(r) if r.kind == Kind::ParameterList => self.params(r.node),
            Some(r) => vec![super::super::ast::Param { name: None, ty: self.ty(r.node), variadic: false }],
            None => Vec::new(),
        };
        Signature { params, results }
    }
}
