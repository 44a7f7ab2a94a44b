//! The heap as a graph, as facts: from memory of one moment, where all of it is at hand.

use lastgasp_diagnosis::facts::{GraphFacts, GraphRoot, GraphType};
use lastgasp_goheap::{Heap, TypeTotal};
use lastgasp_goruntime::{Gap, Goroutine};
use lastgasp_inferior::{Layered, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use tracing::debug;

/// Types and roots that are kept.
const MOST: usize = 1000;
/// What the gaps of it are of.
const WHAT: &str = "heap graph";

/// The memory of a process at one moment, all of it.
#[derive(Clone, Copy)]
pub struct WholeMemory<'a> {
    /// Where it is read.
    pub memory: &'a (dyn Memory + Sync),
    /// What it is: `core`.
    pub source: &'static str,
}

/// Makes the graph; `None`, with a gap that says why, where that cannot be done.
pub(crate) fn heap_graph(
    taken: &RawCapture,
    whole: WholeMemory<'_>,
    goroutines: &[Goroutine],
    gaps: &mut Vec<Gap>,
) -> Option<GraphFacts> {
    let began = std::time::Instant::now();
    let constants = match taken.binary.constants(&taken.runtime) {
        Ok((constants, _)) => constants,
        Err(e) => {
            gaps.push(Gap::new(WHAT, e.to_string()));
            return None;
        }
    };
    let memory = Layered { top: whole.memory, bottom: constants };
    let heap = Heap::read(taken, &memory, goroutines, gaps)?;
    let read = began.elapsed();
    let facts = facts(&heap, whole.source);
    debug!(read_us = read.as_micros() as u64, us = began.elapsed().as_micros() as u64, "heap graph");
    Some(GraphFacts { took_ns: began.elapsed().as_nanos() as u64, ..facts })
}

fn facts(heap: &Heap<'_>, source: &str) -> GraphFacts {
    let live = heap.live();
    let mut roots = Vec::new();
    let mut alone = (0u64, 0u64);
    for (name, _, retained) in heap.roots() {
        alone = (alone.0 + u64::from(retained.objects), alone.1 + retained.bytes);
        if retained.objects > 0 {
            roots.push(GraphRoot {
                kind: name.kind.name().into(),
                name: name.name.clone(),
                objects: retained.objects.into(),
                retained_bytes: retained.bytes,
                goroutines: name.goroutines,
                ..GraphRoot::default()
            });
        }
    }
    roots.sort_by(|a, b| (b.retained_bytes, &a.name).cmp(&(a.retained_bytes, &b.name)));
    roots.truncate(MOST);
    let types = heap.by_type();
    let known = types.iter().filter(|t| t.is_known);
    GraphFacts {
        source: source.into(),
        objects: u64::from(live.objects),
        live_bytes: live.bytes,
        garbage_objects: heap.taken.0.saturating_sub(u64::from(live.objects)),
        garbage_bytes: heap.taken.1.saturating_sub(live.bytes),
        typed_bytes: known.map(|t| t.own.bytes).sum(),
        conservative: heap.is_conservative(),
        of_one_moment: true,
        roots_not_read: heap.roots_not_read().iter().map(|&r| r.into()).collect(),
        shared_objects: u64::from(live.objects).saturating_sub(alone.0),
        shared_bytes: live.bytes.saturating_sub(alone.1),
        types: types.into_iter().take(MOST).map(graph_type).collect(),
        roots,
        ..GraphFacts::default()
    }
}

fn graph_type(t: TypeTotal) -> GraphType {
    GraphType { name: t.name, objects: t.own.objects.into(), bytes: t.own.bytes, retained_bytes: t.retained.bytes }
}
