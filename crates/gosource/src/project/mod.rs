//! What there is to read: folders, packages, files, and what of them is left out and why.
//!
//! Nothing is run and no toolchain is asked: a module's path comes from its `go.mod`, the rest from names and
//! first lines. Folders are walked without following links to folders, so that a loop of links ends nothing
//! and doubles nothing; all walks have bounds, and where one is reached a [`Gap`] says so.

mod constraint;
mod files;
mod for_tests;
mod module;
mod patterns;
mod source;

pub use constraint::Platform;
pub use files::{FileKind, Gap, GapKind, Options, Package, SourceFile};
pub(crate) use for_tests::{stands_in, supports_tests};
pub use module::{Module, find_module, workspace};
pub use patterns::{Project, load};
pub use source::{Read, read_source};
