//! A large program of others: which one, which version of it, and the Go that it is built with.

/// A program, pinned.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, also of the binary.
    pub name: &'static str,
    /// Import path of its main package.
    pub package: &'static str,
    /// Version of the module that holds the package.
    pub version: &'static str,
    /// Go minor that it is built with: one of [`lastgasp_lab::toolchain::RELEASES`].
    pub go: u16,
}
