//! Declarations.

use tree_sitter::Node;

use super::super::ast::{File, FuncDecl, Ident, Import, Param, TypeSpec, VarSpec};
use super::super::kinds::{Field, Kind};
use super::{Child, Lower, field, span};

/// Comments that speak to us begin so.
const DIRECTIVE: &str = "//lastgasp:";

impl<'s, 't> Lower<'s, 't> {
    pub(super) fn source_file(mut self, root: Node<'t>) -> File<'s> {
        let children = self.children(root);
        for c in &children {
            match c.kind {
                Kind::PackageClause => {
                    let name = self.children(c.node).iter().find(|c| c.kind == Kind::PackageIdentifier).copied();
                    self.file.package = name.map_or("", |n| self.str(n.node));
                }
                Kind::ImportDeclaration => self.imports(c.node),
                Kind::FunctionDeclaration | Kind::MethodDeclaration => self.func(c.node),
                Kind::TypeDeclaration => {
                    let types = self.type_decl(c.node);
                    self.file.types.extend(types);
                }
                Kind::VarDeclaration => {
                    let vars = self.var_decl(c.node);
                    self.file.vars.extend(vars);
                }
                Kind::ConstDeclaration => {
                    let consts = self.const_names(c.node);
                    self.file.consts.extend(consts);
                }
                // Statements outside functions are no Go, though the grammar takes them.
                _ => {}
            }
        }
        self.directives(root);
        self.file
    }

    fn imports(&mut self, node: Node<'t>) {
        for c in self.children(node) {
            match c.kind {
                Kind::ImportSpecList => self.imports(c.node),
                Kind::ImportSpec => {
                    let children = self.children(c.node);
                    let Some(path) = field(&children, Field::Path) else { continue };
                    let path = self.str(path.node).trim_matches(['"', '`']);
                    let name = field(&children, Field::Name).map_or_else(|| default_name(path), |n| self.str(n.node));
                    self.imports.insert(name, path);
                    self.file.imports.push(Import { name, path });
                }
                _ => {}
            }
        }
    }

    fn func(&mut self, node: Node<'t>) {
        let children = self.children(node);
        let Some(name) = field(&children, Field::Name) else { return };
        let name = self.ident(name.node);
        let receiver = field(&children, Field::Receiver).and_then(|r| self.params(r.node).into_iter().next());
        let type_params = self.type_params(&children);
        let sig = self.signature(&children);
        let body = field(&children, Field::Body).filter(|b| b.kind == Kind::Block).map(|b| self.block(b.node));
        let broken = node.has_error();
        self.file.funcs.push(FuncDecl { name, receiver, type_params, sig, body, span: span(node), broken });
    }

    fn type_params(&mut self, children: &[Child<'t>]) -> Vec<&'s str> {
        let Some(list) = field(children, Field::TypeParameters) else { return Vec::new() };
        let mut out = Vec::new();
        for c in self.children(list.node).into_iter().filter(|c| c.kind == Kind::TypeParameterDeclaration) {
            let names = self.children(c.node).into_iter().filter(|c| c.kind == Kind::Identifier);
            out.extend(names.map(|c| self.text.get(c.node.byte_range()).unwrap_or_default()));
        }
        out
    }

    pub(super) fn type_decl(&mut self, node: Node<'t>) -> Vec<TypeSpec<'s>> {
        let mut out = Vec::new();
        for c in self.children(node) {
            if !matches!(c.kind, Kind::TypeSpec | Kind::TypeAlias) {
                continue;
            }
            let children = self.children(c.node);
            if let (Some(name), Some(ty)) = (field(&children, Field::Name), field(&children, Field::Type)) {
                let name = self.ident(name.node);
                let ty = self.ty(ty.node);
                out.push(TypeSpec { name, ty, alias: c.kind == Kind::TypeAlias });
            }
        }
        out
    }

    pub(super) fn var_decl(&mut self, node: Node<'t>) -> Vec<VarSpec<'s>> {
        let mut out = Vec::new();
        for c in self.children(node) {
            match c.kind {
                // Lists are not nested in lists.
                Kind::VarSpecList => {
                    for c in self.children(c.node).into_iter().filter(|c| c.kind == Kind::VarSpec) {
                        out.push(self.var_spec(c.node));
                    }
                }
                Kind::VarSpec => out.push(self.var_spec(c.node)),
                _ => {}
            }
        }
        out
    }

    fn var_spec(&mut self, node: Node<'t>) -> VarSpec<'s> {
        let children = self.children(node);
        let names = children
            .iter()
            .filter(|c| c.field == Field::Name && c.kind == Kind::Identifier)
            .map(|c| self.ident(c.node));
        let names: Vec<Ident<'s>> = names.collect();
        let ty = field(&children, Field::Type).map(|t| self.ty(t.node));
        let values = field(&children, Field::Value).map(|v| self.expr_list(v.node)).unwrap_or_default();
        VarSpec { names, ty, values }
    }

    fn const_names(&mut self, node: Node<'t>) -> Vec<&'s str> {
        let mut out = Vec::new();
        for c in self.children(node).into_iter().filter(|c| c.kind == Kind::ConstSpec) {
            for name in self.children(c.node) {
                if name.field == Field::Name && name.kind == Kind::Identifier {
                    out.push(self.str(name.node));
                }
            }
        }
        out
    }

    pub(super) fn ident(&self, node: Node<'t>) -> Ident<'s> {
        Ident { name: self.str(node), span: span(node) }
    }

    /// Whose comments are only looked through if one of them could speak to us.
    fn directives(&mut self, root: Node<'t>) {
        for (at, _) in self.text.match_indices(DIRECTIVE) {
            // Text in a string is no comment.
            let node = root.descendant_for_byte_range(at, at + 1);
            let Some(node) = node.filter(|n| self.kind(*n) == Kind::Comment && n.start_byte() == at) else { continue };
            let text = self.str(node).strip_prefix(DIRECTIVE).unwrap_or_default().trim();
            self.file.directives.push((span(node), text));
        }
    }

    /// One parameter a name.
    pub(super) fn params(&mut self, list: Node<'t>) -> Vec<Param<'s>> {
        let mut out = Vec::new();
        for c in self.children(list) {
            let variadic = c.kind == Kind::VariadicParameter;
            if !variadic && c.kind != Kind::ParameterDeclaration {
                continue;
            }
            let children = self.children(c.node);
            let Some(ty) = field(&children, Field::Type).map(|t| self.ty(t.node)) else { continue };
            let ty = if variadic { super::super::ast::Type::Slice(Box::new(ty)) } else { ty };
            let names: Vec<Ident<'s>> = children
                .iter()
                .filter(|c| c.field == Field::Name && c.kind == Kind::Identifier)
                .map(|c| self.ident(c.node))
                .collect();
            if names.is_empty() {
                out.push(Param { name: None, ty, variadic });
            } else {
                out.extend(names.into_iter().map(|n| Param { name: Some(n), ty: ty.clone(), variadic }));
            }
        }
        out
    }
}

/// The name that a path has without one being written: Go takes the package clause; by habit it is the last
/// part without a version, `go-` or `.go`.
fn default_name(path: &str) -> &str {
    let version =
        |part: &str| part.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let mut parts = path.rsplit('/');
    let mut last = parts.next().unwrap_or(path);
    if version(last) {
        last = parts.next().unwrap_or(last);
    }
    if let Some((name, v)) = last.rsplit_once('.')
        && (version(v) || v == "go")
    {
        last = name;
    }
    let last = last.strip_prefix("go-").unwrap_or(last);
    last.strip_suffix("-go").unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_imports() {
        for (path, name) in [
            ("net/http", "http"),
            ("github.com/a/b/v2", "b"),
            ("gopkg.in/yaml.v3", "yaml"),
            ("github.com/x/go-redis", "redis"),
            ("github.com/x/nats.go", "nats"),
            ("v2", "v2"),
        ] {
            assert_eq!(default_name(path), name);
        }
    }
}
