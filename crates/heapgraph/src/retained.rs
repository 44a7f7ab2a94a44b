//! Amounts of memory that something keeps.

/// What something keeps alive: itself, and all that would be garbage without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retained {
    /// Bytes of slots.
    pub bytes: u64,
    /// How many objects.
    pub objects: u32,
}

impl Retained {
    /// Adds another amount; what is more than can be told stays the most.
    pub fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.objects = self.objects.saturating_add(other.objects);
    }
}
