//! The heap as a graph, from memory of one moment: objects and their pointers as the runtime's maps have
//! them, package variables and goroutines as roots, and what each of them keeps.

mod edges;
mod holders;
mod types;

use lastgasp_diagnosis::facts::{GraphFacts, GraphRoot};
use lastgasp_goruntime::{Gap, Goroutine, HeapObjects};
use lastgasp_heapgraph::{Dominators, Graph, Holder, TooLarge};
use lastgasp_inferior::{Layered, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use tracing::debug;

use edges::Edges;
use holders::Holders;

/// Threads that read and reckon.
const THREADS: usize = 2;
/// Types and roots that are listed.
const MOST: usize = 30;
/// What the gaps of it are of.
const WHAT: &str = "heap graph";
/// Roots that are not looked for yet.
const NOT_READ: [&str; 2] = ["finalizers, cleanups and other specials", "registers of running threads"];

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
    let rt = &taken.runtime;
    let constants = match taken.binary.constants(rt) {
        Ok((constants, _)) => constants,
        Err(e) => {
            gaps.push(Gap::new(WHAT, e.to_string()));
            return None;
        }
    };
    let mem = Layered { top: whole.memory, bottom: constants };
    let before = gaps.len();
    let objects = HeapObjects::read(rt, &mem, gaps)?;
    let edges = Edges::read(rt, &mem, &objects, &holders::places_of_goroutines(taken, &mem, &objects), gaps);
    let holders = Holders::read(taken, &mem, goroutines, &edges, gaps);
    // What is not read points nowhere, and what nothing points to would be called garbage.
    if gaps.len() > before {
        gaps.push(Gap::new(WHAT, "not made: what it is made of could not all be read"));
        return None;
    }
    let read = began.elapsed();
    let made = reckon(rt, &mem, edges, holders, whole.source);
    debug!(read_us = read.as_micros() as u64, us = began.elapsed().as_micros() as u64, "heap graph");
    made.inspect_err(|e| gaps.push(Gap::new(WHAT, e.to_string()))).ok()
}

fn reckon(
    rt: &lastgasp_goruntime::Runtime,
    mem: &dyn Memory,
    edges: Edges,
    mut holders: Holders,
    source: &str,
) -> Result<GraphFacts, TooLarge> {
    let Edges { layout, parts, types, .. } = edges;
    let (all_objects, all_bytes) = layout.total();
    let roots = std::mem::take(&mut holders.roots);
    let graph = Graph::new(layout, parts, roots, THREADS)?;
    // What a variable holds too is the variable's: it stays when the goroutine ends.
    let of_variables = graph.reach(|h| !matches!(h, Holder::Root(r) if holders.is_goroutine(r))).objects;
    let mut roots = graph.roots().clone();
    roots.retain(|root, object| !(holders.is_goroutine(root) && of_variables.contains(object.0 as usize)));
    let graph = graph.with_roots(roots)?;
    let dominators = Dominators::of(&graph)?;
    let live = dominators.total();
    let mut found: Vec<GraphRoot> = holders.named().collect();
    let mut alone = (0u64, 0u64);
    for (holder, root) in holders.all().zip(&mut found) {
        let retained = dominators.retained(&graph, holder).unwrap_or_default();
        (root.objects, root.retained_bytes) = (u64::from(retained.objects), retained.bytes);
        alone = (alone.0 + root.objects, alone.1 + root.retained_bytes);
    }
    found.retain(|r| r.objects > 0);
    found.sort_by(|a, b| (b.retained_bytes, &a.name).cmp(&(a.retained_bytes, &b.name)));
    found.truncate(MOST);
    let (types, typed_bytes) = types.totals(rt, mem, &graph, &dominators, MOST);
    Ok(GraphFacts {
        source: source.into(),
        objects: u64::from(live.objects),
        live_bytes: live.bytes,
        garbage_objects: all_objects.saturating_sub(u64::from(live.objects)),
        garbage_bytes: all_bytes.saturating_sub(live.bytes),
        typed_bytes,
        conservative: true,
        roots_not_read: NOT_READ.map(Into::into).to_vec(),
        shared_objects: u64::from(live.objects).saturating_sub(alone.0),
        shared_bytes: live.bytes.saturating_sub(alone.1),
        types,
        roots: found,
    })
}
