//! The Go releases that are built.

/// Whose structures are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Go 1.22: memory records with bytes.
    Go22,
    /// Go 1.27: memory records that count objects alone.
    Go27,
}
