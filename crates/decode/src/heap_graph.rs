//! The heap as a graph, as facts: from memory of one moment, where all of it is at hand.

use lastgasp_diagnosis::facts::{GraphFacts, GraphRoot, GraphType};
use lastgasp_goheap::{Heap, TypeTotal};
use lastgasp_goruntime::{Gap, Goroutine, LabelSalt, Symbolizer, decode_all_goroutines};
use lastgasp_inferior::{BlockCache, Layered, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use tracing::debug;

/// Types and roots that are kept.
const MOST: usize = 1000;

/// The memory of a process at one moment, all of it.
#[derive(Clone, Copy)]
pub struct WholeMemory<'a> {
    /// Where it is read.
    pub memory: &'a (dyn Memory + Sync),
    /// What it is: `core`, `live`, `dead`.
    pub source: &'static str,
}

/// How far a graph is, for who waits for it.
#[derive(Debug)]
pub enum GraphStage<'a> {
    /// All that must be of one moment is read: a target that stands still may run on.
    Read,
    /// What is known so far; more is to come.
    Part(&'a GraphFacts),
}

/// The graph alone, for who has nothing to do with the rest of a capture; or why there is none. `tell` hears
/// how far it is.
///
/// # Errors
/// What it is made of could not be read.
pub fn graph_alone(
    taken: &RawCapture,
    whole: WholeMemory<'_>,
    tell: &mut dyn FnMut(GraphStage<'_>),
) -> Result<GraphFacts, String> {
    let rt = &taken.runtime;
    let mem = &taken.evidence.snapshot;
    let constants = taken.binary.constants(rt).map_err(|e| e.to_string())?.0;
    let constants = BlockCache::new(Layered { top: constants, bottom: mem });
    let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
    // What they stumble over is a gap of the capture, and not of the graph.
    let goroutines = decode_all_goroutines(rt, mem, &symbols, &taken.registers, &LabelSalt::default(), &mut Vec::new());
    heap_graph(taken, whole, &goroutines.live, tell)
}

/// Makes the graph; or says why there is none.
pub(crate) fn heap_graph(
    taken: &RawCapture,
    whole: WholeMemory<'_>,
    goroutines: &[Goroutine],
    tell: &mut dyn FnMut(GraphStage<'_>),
) -> Result<GraphFacts, String> {
    let began = std::time::Instant::now();
    let constants = taken.binary.constants(&taken.runtime).map_err(|e| e.to_string())?.0;
    let memory = Layered { top: whole.memory, bottom: constants };
    let mut gaps = Vec::new();
    let mut read = began.elapsed();
    let heap = Heap::read_telling(taken, &memory, goroutines, &mut gaps, &mut || {
        read = began.elapsed();
        tell(GraphStage::Read);
    });
    let heap = heap.ok_or_else(|| told(&gaps))?;
    let mut facts = facts(&heap, whole.source);
    facts.gaps = gaps.iter().map(|g| format!("{}: {}", g.what, g.why)).collect();
    tell(GraphStage::Part(&facts));
    debug!(read_us = read.as_micros() as u64, us = began.elapsed().as_micros() as u64, "heap graph");
    Ok(GraphFacts { took_ns: began.elapsed().as_nanos() as u64, ..facts })
}

/// Why there is no graph, of all that could not be read.
fn told(gaps: &[Gap]) -> String {
    /// More than that say the same.
    const MOST_SAID: usize = 4;
    let said: Vec<String> = gaps.iter().take(MOST_SAID).map(|g| format!("{}: {}", g.what, g.why)).collect();
    if said.is_empty() { "not made".into() } else { said.join("; ") }
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
