//! Words on stacks that say of which type something on the heap is: variables in frames, headers of maps.

use lastgasp_goruntime::types::CallId;
use lastgasp_inferior::Addr;

/// A variable in a frame, and what it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FrameWord {
    /// The call that is under way in the frame.
    pub(crate) call: CallId,
    /// Bytes from where the frame's own return address stands.
    pub(crate) slot: i32,
    /// Where it stands.
    pub(crate) at: Addr,
    pub(crate) to: Addr,
}

/// What may be a map whose header stands on a stack: the compiler leaves it there when the map does not leave
/// its function, and only what is behind it is on the heap (seen: lab/programs/incident, whose sets no survey
/// of the heap's headers finds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StackMap {
    /// Its header.
    pub(crate) at: Addr,
    /// What the header leads to: the directory of tables, or the array of buckets.
    pub(crate) array: Addr,
}
