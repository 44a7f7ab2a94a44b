//! Addresses in the target, as types of their own: a number of ours can never be taken for one of theirs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A virtual address in the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Addr(pub u64);

impl Addr {
    /// The nil pointer.
    pub const NULL: Self = Self(0);

    /// Whether this is the nil pointer.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address `bytes` further on; saturates at the top, where every read fails.
    #[must_use]
    pub fn plus(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// `start <= address < end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddrRange {
    /// Lowest address of the range.
    pub start: Addr,
    /// First address behind the range.
    pub end: Addr,
}

impl AddrRange {
    /// A range from `start` of `len` bytes.
    #[must_use]
    pub fn sized(start: Addr, len: u64) -> Self {
        Self { start, end: start.plus(len) }
    }

    /// Length in bytes; 0 for a range that ends before it starts.
    #[must_use]
    pub fn len(self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// Whether no address is inside.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether `a` is inside.
    #[must_use]
    pub fn contains(self, a: Addr) -> bool {
        self.start <= a && a < self.end
    }
}
