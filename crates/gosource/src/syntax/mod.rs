//! Syntax of Go, and what it tells without a type checker.

pub mod ast;
pub mod calls;
mod infer;
mod kinds;
mod known;
mod lower;
mod package;
pub mod paths;
mod scope;
pub mod visit;

pub use infer::Callee;
pub use lower::{GoParser, NotParsed};
pub use package::{FnId, Function, Package, PackageVar, ParsedFile};
pub use scope::{Init, Role, Scope, Unit, Var, VarId, VarKind};
