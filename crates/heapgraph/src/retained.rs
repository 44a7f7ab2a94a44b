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
    pub(crate) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.objects += other.objects;
    }
}
