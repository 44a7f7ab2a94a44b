//! What a slice of pointers to small values leads to, by a sample of its elements.

use lastgasp_goruntime::TypeReader;
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::{Addr, BlockCache, Memory as _};

use crate::collections::arrays::Sequence;
use crate::heap::Heap;

/// Bytes of the largest value that is called small.
pub(super) const SMALL: u64 = 64;
/// Elements that are looked at; what is found of them is taken for all.
const SAMPLED: u64 = 2048;
/// Bytes of an interface, and of a pointer.
pub(super) const INTERFACE: u64 = 16;
const POINTER: u64 = 8;

/// What a slice of pointers leads to, as far as it is looked at.
pub(super) struct Pointed {
    pub(super) objects: Vec<ObjectId>,
    /// Bytes of a value.
    size: u64,
    /// Elements of the slice.
    len: u64,
}

impl Pointed {
    /// Those of a slice of pointers to small values, each to another.
    pub(super) fn of(heap: &Heap<'_>, types: &mut TypeReader<'_>, s: &Sequence, of: Addr) -> Option<Self> {
        let size = types.get(of).map(|t| t.size).filter(|size| (1..=SMALL).contains(size))?;
        let layout = heap.graph.layout();
        let all = sample(heap, s);
        let mut objects: Vec<ObjectId> = all.iter().filter_map(|v| layout.object_at(word(v, 0))).collect();
        objects.sort_unstable();
        objects.dedup();
        // Nil, of another's memory, twice the same, or tiny ones in one slot.
        (!all.is_empty() && objects.len() == all.len()).then_some(Self { objects, size, len: s.len })
    }

    /// Number of values that only the slice holds, bytes of them with their pointers, bytes of the values
    /// alone.
    pub(super) fn numbers(&self, heap: &Heap<'_>) -> [u64; 3] {
        let count = self.objects.len() as u64;
        let kept = self.objects.iter().map(|o| heap.graph.layout().bytes(*o) + POINTER).sum();
        scaled([count, kept, count * self.size], self.len, count)
    }
}

/// Every so-manieth element's bytes.
pub(super) fn sample(heap: &Heap<'_>, s: &Sequence) -> Vec<Vec<u8>> {
    let step = s.len.div_ceil(SAMPLED).max(1);
    let memory = BlockCache::new(heap.memory);
    let read = |i: u64| {
        let at = s.at.plus(i.saturating_mul(s.elem_bytes));
        memory.bytes(at, s.elem_bytes as usize, INTERFACE as usize).ok()
    };
    (0..s.len).step_by(step as usize).filter_map(read).collect()
}

pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub(super) fn scaled(of: [u64; 3], all: u64, sampled: u64) -> [u64; 3] {
    of.map(|n| (u128::from(n) * u128::from(all) / u128::from(sampled.max(1))) as u64)
}
