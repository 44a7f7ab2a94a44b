//! From the parser's tree to ours. The tree is dropped when its file is read.

mod decls;
mod exprs;
mod stmts;
mod types;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tree_sitter::{Node, ParseOptions, Parser, TreeCursor};

use super::ast::{File, Span};
use super::kinds::{Field, Grammar, Kind, grammar};

/// Levels of nesting that are followed: Go code that people wrote has some 30. Rules walk what is built here
/// by recursion, which this bounds.
pub(super) const MAX_DEPTH: u32 = 400;
/// Parsing a file longer than this is given up: the parser's recovery is slow on some things that are no Go.
const MAX_PARSING: Duration = Duration::from_secs(10);

/// Why a file has no syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotParsed {
    /// It took too long.
    TooSlow,
    /// The grammar could not be loaded: a fault of the build.
    NoGrammar,
}

/// A parser that is used for many files.
pub struct GoParser {
    parser: Parser,
}

impl GoParser {
    /// A parser.
    ///
    /// # Errors
    /// The grammar does not fit the library.
    pub fn new() -> Result<Self, NotParsed> {
        let mut parser = Parser::new();
        parser.set_language(&grammar().language).map_err(|_| NotParsed::NoGrammar)?;
        Ok(Self { parser })
    }

    /// The syntax of a file. What is no Go is left out and told (`error_at`); the rest is there.
    ///
    /// # Errors
    /// The parser was given up.
    pub fn parse<'s>(&mut self, text: &'s str) -> Result<File<'s>, NotParsed> {
        let start = Instant::now();
        let mut look = |_: &tree_sitter::ParseState| {
            if start.elapsed() > MAX_PARSING { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let bytes = text.as_bytes();
        let mut read = |at: usize, _| bytes.get(at..).unwrap_or_default();
        let options = ParseOptions::new().progress_callback(&mut look);
        let Some(tree) = self.parser.parse_with_options(&mut read, None, Some(options)) else {
            self.parser.reset();
            return Err(NotParsed::TooSlow);
        };
        let root = tree.root_node();
        let lower = Lower {
            text,
            grammar: grammar(),
            cursor: root.walk(),
            file: File::default(),
            imports: FxHashMap::default(),
            depth: 0,
        };
        Ok(lower.source_file(root))
    }
}

/// A child node with what it is to its parent.
#[derive(Clone, Copy)]
struct Child<'t> {
    field: Field,
    kind: Kind,
    node: Node<'t>,
}

/// A walk over one file's tree.
struct Lower<'s, 't> {
    text: &'s str,
    grammar: &'static Grammar,
    cursor: TreeCursor<'t>,
    file: File<'s>,
    /// Import paths by the names of this file.
    imports: FxHashMap<&'s str, &'s str>,
    depth: u32,
}

impl<'s, 't> Lower<'s, 't> {
    /// Children without comments; tokens among them.
    fn children(&mut self, node: Node<'t>) -> Vec<Child<'t>> {
        let mut out = Vec::with_capacity(usize::try_from(node.child_count()).unwrap_or(0).min(16));
        self.cursor.reset(node);
        if !self.cursor.goto_first_child() {
            return out;
        }
        loop {
            let child = self.cursor.node();
            if child.is_error() || child.is_missing() {
                let span = span(child);
                self.file.error_at.get_or_insert(span);
            } else {
                let kind = self.grammar.kind(child.kind_id());
                if kind != Kind::Comment {
                    out.push(Child { field: self.grammar.field(self.cursor.field_id()), kind, node: child });
                }
            }
            if !self.cursor.goto_next_sibling() {
                return out;
            }
        }
    }

    fn kind(&self, node: Node<'t>) -> Kind {
        self.grammar.kind(node.kind_id())
    }

    fn str(&self, node: Node<'t>) -> &'s str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Goes one level deeper, unless it is too deep.
    fn deeper<T>(&mut self, node: Node<'t>, go: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            self.file.too_deep_at.get_or_insert(span(node));
            return None;
        }
        self.depth += 1;
        let out = go(self);
        self.depth -= 1;
        Some(out)
    }
}

/// The first child with this field.
fn field<'t>(children: &[Child<'t>], field: Field) -> Option<Child<'t>> {
    children.iter().find(|c| c.field == field).copied()
}

/// Where a node stands.
fn span(node: Node<'_>) -> Span {
    let at = node.start_position();
    let n = |x: usize| u32::try_from(x).unwrap_or(u32::MAX);
    Span {
        start: n(node.start_byte()),
        end: n(node.end_byte()),
        line: n(at.row).saturating_add(1),
        column: n(at.column).saturating_add(1),
    }
}
