//! One package, parsed: its files, and what they declare by name.

use rustc_hash::FxHashMap;

use super::ast::{Expr, File, FuncDecl, Span, Type, TypeSpec};
use super::scope::Scope;
use crate::finding::Place;
use crate::project::FileKind;

/// A file that was parsed.
#[derive(Debug)]
pub struct ParsedFile<'s> {
    /// How findings name it.
    pub name: &'s str,
    /// What it is.
    pub kind: FileKind,
    /// Its text.
    pub text: &'s str,
    /// Its syntax.
    pub ast: File<'s>,
}

impl<'s> ParsedFile<'s> {
    /// The text of a stretch.
    #[must_use]
    pub fn at(&self, span: Span) -> &'s str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// A stretch as a place.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        let text = self.at(span);
        let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count();
        let last = text.rsplit('\n').next().unwrap_or_default().len();
        let n = |x: usize| u32::try_from(x).unwrap_or(u32::MAX);
        Place {
            file: self.name.to_owned(),
            line: span.line,
            column: span.column,
            end_line: span.line.saturating_add(n(lines)),
            end_column: if lines == 0 { span.column.saturating_add(n(last)) } else { n(last).saturating_add(1) },
        }
    }

    /// The import path of a name of this file.
    #[must_use]
    pub fn import(&self, name: &str) -> Option<&'s str> {
        self.ast.imports.iter().find(|i| i.name == name).map(|i| i.path)
    }

    /// Whether the file imports this path.
    #[must_use]
    pub fn imports(&self, path: &str) -> bool {
        self.ast.imports.iter().any(|i| i.path == path)
    }
}

/// Number of a function in [`Package::funcs`].
pub type FnId = usize;

/// A function or method of the package with its names resolved.
#[derive(Debug)]
pub struct Function<'a> {
    /// Its file, in [`Package::files`].
    pub file: usize,
    /// Its declaration.
    pub decl: &'a FuncDecl<'a>,
    /// Its variables.
    pub scope: Scope<'a>,
}

impl<'a> Function<'a> {
    /// Name of the receiver's type, of a method.
    #[must_use]
    pub fn receiver_type(&self) -> Option<&'a str> {
        self.decl.receiver.as_ref().and_then(|r| r.ty.name()).map(|(_, name)| name)
    }

    /// `(*T).m`, `T.m`, `f`.
    #[must_use]
    pub fn short_name(&self) -> String {
        let name = self.decl.name.name;
        match &self.decl.receiver {
            Some(r) => {
                let ty = r.ty.name().map_or("?", |(_, n)| n);
                if matches!(r.ty, Type::Pointer(_)) { format!("(*{ty}).{name}") } else { format!("{ty}.{name}") }
            }
            None => name.to_owned(),
        }
    }
}

/// A package variable.
#[derive(Clone, Copy, Debug)]
pub struct PackageVar<'a> {
    /// Its file.
    pub file: usize,
    /// Where its name stands.
    pub span: Span,
    /// Type, where it is written.
    pub ty: Option<&'a Type<'a>>,
    /// Value, where it has one.
    pub value: Option<&'a Expr<'a>>,
}

/// The declarations of a package, by name.
#[derive(Debug)]
pub struct Package<'a> {
    /// Import path.
    pub import_path: &'a str,
    /// Name.
    pub name: &'a str,
    /// Go minor of its module, if that is known.
    pub go_minor: Option<u32>,
    /// Files.
    pub files: &'a [ParsedFile<'a>],
    /// Functions and methods with bodies that were read.
    pub funcs: Vec<Function<'a>>,
    /// Functions by name.
    pub by_name: FxHashMap<&'a str, FnId>,
    /// Methods by type and name.
    pub methods: FxHashMap<(&'a str, &'a str), FnId>,
    /// Types.
    pub types: FxHashMap<&'a str, &'a TypeSpec<'a>>,
    /// Package variables.
    pub vars: FxHashMap<&'a str, PackageVar<'a>>,
}

impl<'a> Package<'a> {
    /// The declarations of files.
    #[must_use]
    pub fn new(import_path: &'a str, name: &'a str, go_minor: Option<u32>, files: &'a [ParsedFile<'a>]) -> Self {
        let mut out = Self {
            import_path,
            name,
            go_minor,
            files,
            funcs: Vec::new(),
            by_name: FxHashMap::default(),
            methods: FxHashMap::default(),
            types: FxHashMap::default(),
            vars: FxHashMap::default(),
        };
        for (n, file) in files.iter().enumerate() {
            for spec in &file.ast.types {
                out.types.insert(spec.name.name, spec);
            }
            for spec in &file.ast.vars {
                for (i, name) in spec.names.iter().enumerate() {
                    let value = if spec.values.len() == spec.names.len() { spec.values.get(i) } else { None };
                    out.vars.insert(name.name, PackageVar { file: n, span: name.span, ty: spec.ty.as_ref(), value });
                }
            }
            for decl in &file.ast.funcs {
                let id = out.funcs.len();
                match decl.receiver.as_ref().and_then(|r| r.ty.name()) {
                    Some((_, ty)) => {
                        out.methods.insert((ty, decl.name.name), id);
                    }
                    None if decl.receiver.is_none() && decl.name.name != "init" && decl.name.name != "_" => {
                        out.by_name.insert(decl.name.name, id);
                    }
                    None => {}
                }
                // What is generated is called and not judged: its names are not needed.
                let scope = if file.kind == FileKind::Generated { Scope::unread(decl) } else { Scope::new(decl) };
                out.funcs.push(Function { file: n, decl, scope });
            }
        }
        out
    }

    /// The file of a function.
    #[must_use]
    pub fn file(&self, f: &Function<'a>) -> &'a ParsedFile<'a> {
        // Functions are made from files.
        &self.files[f.file]
    }

    /// How profiles name a function: the path of `main` is its name alone.
    #[must_use]
    pub fn symbol(&self, f: &Function<'a>, unit: usize) -> String {
        let package = if self.name == "main" { "main" } else { self.import_path };
        // Dots in the last part of a path are escaped by the linker.
        let package = match package.rsplit_once('/') {
            Some((before, last)) => format!("{before}/{}", last.replace('.', "%2e")),
            None => package.replace('.', "%2e"),
        };
        format!("{package}.{}{}", f.short_name(), f.scope.suffix(unit))
    }
}
