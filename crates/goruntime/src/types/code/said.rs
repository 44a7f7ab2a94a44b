//! What code says of a value.

use lastgasp_inferior::Addr;

/// What a use of a value says of it; types are named by address, and not looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Said {
    /// It points to one value of the type.
    Pointer(Addr),
    /// It points to an array of such values.
    Array(Addr),
    /// It points into an array of such values, at any of them.
    Within(Addr),
    /// It is a map of the type.
    Map(Addr),
    /// It is a channel of the type.
    Chan(Addr),
    /// It points to memory for one or several values of the type.
    Memory(Addr),
    /// Uses of it disagree.
    Unclear,
}
