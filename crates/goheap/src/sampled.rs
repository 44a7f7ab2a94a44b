//! Sampled objects: where they were allocated, which are live, what they keep and what keeps them.

use lastgasp_heapgraph::{ObjectId, Retained};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use crate::heap::Heap;
use crate::samples::Sample;

/// Live sampled objects of one bucket of the memory profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Where the bucket stands: its stack is that of the allocation.
    pub bucket: Addr,
    /// Those that are live, and the bytes of their slots.
    pub live: Retained,
    /// Those that are garbage already.
    pub garbage: Retained,
    /// What the live ones keep alive, nothing counted twice.
    pub retained: Retained,
    /// The largest live one.
    pub largest: Option<ObjectId>,
}

/// All that are noted beside the heap's objects, by bucket, in the order of their addresses.
#[must_use]
pub fn sampled(heap: &Heap<'_>) -> Vec<Sampled> {
    let layout = heap.graph.layout();
    let (mut out, mut numbers) = (Vec::<Sampled>::new(), FxHashMap::<Addr, u32>::default());
    let mut members: Vec<(ObjectId, u32)> = Vec::new();
    for Sample { object, bucket, .. } in heap.samples.iter() {
        let number = *numbers.entry(bucket).or_insert_with(|| {
            out.push(Sampled { bucket, ..Sampled::default() });
            (out.len() - 1) as u32
        });
        let Some(site) = out.get_mut(number as usize) else { continue };
        let own = Retained { bytes: layout.bytes(object), objects: 1 };
        if heap.dominators.live().contains(object.0 as usize) {
            site.live.add(own);
            members.push((object, number));
            let before = site.largest.map_or(0, |o| layout.bytes(o));
            if own.bytes > before {
                site.largest = Some(object);
            }
        } else {
            site.garbage.add(own);
        }
    }
    let totals = heap.dominators.of_few(&heap.graph, out.len(), &members);
    for (site, total) in out.iter_mut().zip(totals) {
        site.retained = total.retained;
    }
    out.sort_by_key(|s| s.bucket);
    out
}
