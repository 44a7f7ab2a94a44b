//! The heap as a graph, as facts: from memory of one moment, where all of it is at hand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lastgasp_diagnosis::facts::{
    GraphCalls, GraphFacts, GraphLeader, GraphMade, GraphNode, GraphPath, GraphPhase, GraphPlace, GraphRoot, GraphSite,
    GraphType,
};
use lastgasp_diagnosis::units::short;
use lastgasp_diagnosis::way;
use lastgasp_goheap::{
    Heap, Leader, MadeIn, MergedWay, Mostly, Phase, Phases, ReadBefore, Sampled, SurveyLimits, TreeNode, TypeTotal,
    Ways, dominator_tree, sampled, side_by_side, watched_addresses,
};
use lastgasp_goruntime::types::{CodeTypes, LibraryCall};
use lastgasp_goruntime::waits::{self, Waiting};
use lastgasp_goruntime::{
    Bucket, Counts, Frame, Gap, Goroutine, LabelSalt, MemProfile, Runtime, Symbolizer, decode_all_goroutines,
    decode_profile, unsample,
};
use lastgasp_heapgraph::{Holder, ObjectId};
use lastgasp_inferior::{Addr, BlockCache, Layered, LoadedImage, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::FxHashMap;
use tracing::debug;

use crate::blocked::{blocked, join, keep_most};
use crate::collections;
use crate::sites::visible;

/// Types and roots that are kept.
const MOST: usize = 1000;
/// Ways that are kept.
const MOST_WAYS: usize = 300;
/// Allocation sites that are kept.
const MOST_SITES: usize = 100;
/// Nodes of the dominator tree that are kept.
const MOST_NODES: usize = 500;

/// Of roots that keep less than one in so many of the live bytes nobody asks where that is made.
const MADE_OF_ONE_IN: u64 = 50;

/// How long types are followed while a target stands still: what they do not reach by then stays unknown.
const TYPES_OF_A_LIVE_TARGET: Duration = Duration::from_millis(150);

/// How long collections of the dead are compared: their worker has ten seconds for all, and who holds what is
/// to be said before what is equal (seen blind: 6,000 versions of one map, of which after ten seconds neither
/// was).
const COLLECTIONS_OF_THE_DEAD: Duration = Duration::from_secs(4);

/// The memory of a process at one moment, all of it.
#[derive(Clone, Copy)]
pub struct WholeMemory<'a> {
    /// Where it is read.
    pub memory: &'a (dyn Memory + Sync),
    /// Where what collections hold is read, which is much and is read once.
    pub contents: &'a (dyn Memory + Sync),
    /// What it is: `core`, `live`, `dead`.
    pub source: &'static str,
    /// Whether it is a copy of a live process: it does not change, and nobody stands still for its reading.
    pub is_copied: bool,
}

impl<'a> WholeMemory<'a> {
    /// Memory of which all is read in one way.
    #[must_use]
    pub fn of(memory: &'a (dyn Memory + Sync), source: &'static str) -> Self {
        Self { memory, contents: memory, source, is_copied: false }
    }
}

/// How far a graph is, for who waits for it.
#[derive(Debug)]
pub enum GraphStage<'a> {
    /// All that must be of one moment is read: a target that stands still may run on.
    Read,
    /// What is known so far; more is to come.
    Part(&'a GraphFacts),
}

/// What the code of a process says of types: read before the process stands still, as it never changes.
/// `memory` is the process's; `None` where that is no Go process that can be read.
#[must_use]
pub fn code_types(loaded: &LoadedImage, memory: &(dyn Memory + Sync)) -> Option<CodeTypes> {
    let constants = loaded.image.memory(loaded.bias, &[]).ok()?;
    let rt = Runtime::discover(&loaded.image, loaded.bias, memory).ok()?;
    // From the file, so that no page of code becomes part of the process's memory by our reading.
    let memory = Layered { top: constants, bottom: memory };
    Some(CodeTypes::read(&rt, &memory))
}

/// The graph alone, for who has nothing to do with the rest of a capture; or why there is none. `tell` hears
/// how far it is.
///
/// # Errors
/// What it is made of could not be read.
pub fn graph_alone(
    taken: &RawCapture,
    whole: WholeMemory<'_>,
    read_before: ReadBefore,
    tell: &mut dyn FnMut(GraphStage<'_>),
) -> Result<GraphFacts, String> {
    let rt = &taken.runtime;
    // Of a copy all is of one moment; to the evidence something was put when the process ran again.
    let mem: &dyn Memory = if whole.is_copied { whole.memory } else { &taken.evidence.snapshot };
    let constants = taken.binary.constants(rt).map_err(|e| e.to_string())?.0;
    let constants = BlockCache::new(Layered { top: constants, bottom: mem });
    let symbols = Symbolizer::new(&constants, &rt.module, rt.layout);
    // What they stumble over is a gap of the capture, and not of the graph.
    let goroutines = decode_all_goroutines(rt, mem, &symbols, &taken.registers, &LabelSalt::default(), &mut Vec::new());
    heap_graph(taken, whole, (&goroutines.live, read_before, None), tell)
}

/// Makes the graph; or says why there is none. The memory profile is read where it is not at hand.
pub(crate) fn heap_graph(
    taken: &RawCapture,
    whole: WholeMemory<'_>,
    (goroutines, read_before, profile): (&[Goroutine], ReadBefore, Option<&MemProfile>),
    tell: &mut dyn FnMut(GraphStage<'_>),
) -> Result<GraphFacts, String> {
    let began = Instant::now();
    let constants = taken.binary.constants(&taken.runtime).map_err(|e| e.to_string())?.0;
    let memory = Layered { top: whole.memory, bottom: &constants };
    let contents = Layered { top: whole.contents, bottom: &constants };
    let mut read = began.elapsed();
    let is_dead = whole.source == "dead";
    // A target that runs again says of an object what was true of another in its place.
    let for_types = (whole.source == "live" && !whole.is_copied).then_some(TYPES_OF_A_LIVE_TARGET);
    let mut has_read = || {
        read = began.elapsed();
        if !is_dead {
            tell(GraphStage::Read);
        }
    };
    let mut making = Making::begun(taken, goroutines, is_dead);
    let (waiting, mut heap) = making.read(&memory, (for_types, read_before), &mut has_read)?;
    heap.contents = &contents;
    let mut facts = totals(&heap, whole.source);
    facts.gaps = making.gaps.iter().map(|g| format!("{}: {}", g.what, g.why)).collect();
    facts.phases = told_phases(&making.phases);
    tell(GraphStage::Part(&facts));
    making.phases.end("totals told");
    making.add_found(&mut facts, (&heap, &waiting), profile, tell);
    debug!(read_us = read.as_micros() as u64, us = began.elapsed().as_micros() as u64, "heap graph");
    Ok(GraphFacts { took_ns: began.elapsed().as_nanos() as u64, ..facts })
}

/// A graph in the making.
struct Making<'a> {
    taken: &'a RawCapture,
    goroutines: &'a [Goroutine],
    is_dead: bool,
    /// What could not be read so far.
    gaps: Vec<Gap>,
    phases: Phases,
}

impl<'a> Making<'a> {
    fn begun(taken: &'a RawCapture, goroutines: &'a [Goroutine], is_dead: bool) -> Self {
        // Of the dead what has passed since they were copied: they are held for a time that had begun then.
        let waited = taken.at.elapsed().ok().filter(|_| is_dead);
        let phases =
            waited.map_or_else(Phases::default, |passed| Phases::after("capture written, worker started", passed));
        Self { taken, goroutines, is_dead, gaps: Vec::new(), phases }
    }

    /// Reads what must be of one moment: what goroutines wait for, and the heap. A heap of which a part could
    /// not be read is none.
    fn read(
        &mut self,
        memory: &'a (dyn Memory + Sync),
        (for_types, read_before): (Option<Duration>, ReadBefore),
        has_read: &mut dyn FnMut(),
    ) -> Result<(Waiting, Heap<'a>), String> {
        let rt = &self.taken.runtime;
        let mut waits_gaps = Vec::new();
        let waiting = {
            let cached = BlockCache::new(memory);
            let symbols = Symbolizer::new(&cached, &rt.module, rt.layout);
            waits::waiting(rt, memory, &symbols, self.goroutines, &mut waits_gaps)
        };
        self.phases.end("what goroutines wait for");
        let heap = Heap::read_telling(
            self.taken,
            memory,
            (self.goroutines, &*watched_addresses(&waiting)),
            &mut self.gaps,
            has_read,
            (for_types, read_before),
            &mut self.phases,
        );
        let heap = heap.ok_or_else(|| told(&self.gaps))?;
        self.gaps.splice(0..0, waits_gaps);
        Ok((waiting, heap))
    }

    /// Adds what is found in the heap that was read: what collections hold first, which of the dead is there
    /// for two seconds; then all that is only reckoned.
    fn add_found(
        &mut self,
        facts: &mut GraphFacts,
        (heap, waiting): (&Heap<'_>, &Waiting),
        profile: Option<&MemProfile>,
        tell: &mut dyn FnMut(GraphStage<'_>),
    ) {
        let (mut gaps, phases) = (Vec::new(), &mut self.phases);
        let mut limits = SurveyLimits::default();
        if self.is_dead {
            limits.time = limits.time.min(COLLECTIONS_OF_THE_DEAD);
        }
        // Of the dead who holds what is told as soon as it is known: its worker may not live to the end.
        let is_dead = self.is_dead;
        let (ways, seen) = side_by_side(
            || {
                let ways = Ways::of(heap);
                if is_dead {
                    facts.paths = ways.merging().merged(MOST_WAYS).into_iter().map(graph_path).collect();
                    tell(GraphStage::Part(facts));
                }
                ways
            },
            || heap.collections(limits, &mut gaps, phases),
        );
        let sampled = sampled(heap);
        seen.look_for_holders(sampled.iter().filter_map(|s| s.largest));
        phases.end("holders of leaves");
        let add_read = |facts: &mut GraphFacts, phases: &mut Phases| {
            let mut lost = Vec::new();
            facts.sites = graph_sites(heap, (&ways, &sampled), profile, &mut lost);
            if !lost.is_empty() {
                let why = "allocation sites: the memory profile could not all be read any more: some are missing";
                facts.gaps.push(why.into());
            }
            phases.end("sites");
            let mut of_blocked = blocked(waiting, self.goroutines, self.taken.monotonic_ns);
            join(&mut of_blocked, waiting, heap, self.taken);
            keep_most(&mut of_blocked);
            facts.blocked = Some(of_blocked);
            phases.end("who can be woken");
        };
        // Of the dead what is only reckoned waits until all is read.
        if self.is_dead {
            add_read(facts, phases);
            tell(GraphStage::Read);
        }
        let merging = ways.merging();
        let (tree, merged) = side_by_side(
            || {
                if !self.is_dead {
                    add_read(facts, phases);
                }
                dominator_tree(heap, MOST_NODES)
            },
            || if is_dead { Vec::new() } else { merging.merged(MOST_WAYS) },
        );
        facts.tree = tree.into_iter().map(graph_node).collect();
        if !is_dead {
            facts.paths = merged.into_iter().map(graph_path).collect();
        }
        phases.end("tree, beside it ways");
        let survey = seen.survey(&ways, phases);
        facts.phases = told_phases(phases);
        facts.gaps.extend(of_survey(&gaps));
        collections::add(facts, survey);
    }
}

/// What was missing when collections were looked for. By then the graph is made: memory of the dead that is
/// gone meanwhile takes nothing from it.
fn of_survey(gaps: &[Gap]) -> Vec<String> {
    let (own, memory): (Vec<&Gap>, Vec<&Gap>) = gaps.iter().partition(|g| g.what == "collections");
    let mut out: Vec<String> = own.iter().map(|g| format!("{}: {}", g.what, g.why)).collect();
    if !memory.is_empty() {
        out.push("collections: memory could not be read any more when they were looked for: some are missing".into());
    }
    out
}

/// Why there is no graph, of all that could not be read.
fn told(gaps: &[Gap]) -> String {
    /// More than that say the same.
    const MOST_SAID: usize = 4;
    let said: Vec<String> = gaps.iter().take(MOST_SAID).map(|g| format!("{}: {}", g.what, g.why)).collect();
    if said.is_empty() { "not made".into() } else { said.join("; ") }
}

fn told_phases(phases: &Phases) -> Vec<GraphPhase> {
    let one = |p: &Phase| GraphPhase { what: p.what.into(), us: p.took.as_micros() as u64 };
    phases.all().iter().map(one).collect()
}

/// Goroutines of one name in one entry: they stand in different calls of the function that has what they
/// keep. What they keep together and neither alone counts as shared.
fn of_one_name(roots: Vec<GraphRoot>) -> Vec<GraphRoot> {
    let mut out: Vec<GraphRoot> = Vec::with_capacity(roots.len());
    let mut known: FxHashMap<String, usize> = FxHashMap::default();
    for root in roots {
        let at = (root.kind == "goroutine").then(|| *known.entry(root.name.clone()).or_insert(out.len()));
        let Some(sum) = at.and_then(|at| out.get_mut(at)) else {
            out.push(root);
            continue;
        };
        sum.objects += root.objects;
        sum.goroutines += root.goroutines;
        sum.retained_bytes += root.retained_bytes;
        add_made(&mut sum.made, root.made);
        if sum.mostly == root.mostly {
            sum.mostly_bytes += root.mostly_bytes;
        } else if sum.mostly_bytes < root.mostly_bytes {
            (sum.mostly, sum.mostly_bytes, sum.created_by) = (root.mostly, root.mostly_bytes, root.created_by);
        }
    }
    out
}

/// Adds what another root of the name keeps, by type: where that is made is the same, whoever keeps it.
fn add_made(sum: &mut Vec<GraphMade>, more: Vec<GraphMade>) {
    for made in more {
        match sum.iter_mut().find(|m| (&m.type_name, &m.places) == (&made.type_name, &made.places)) {
            Some(known) => {
                known.objects += made.objects;
                known.bytes += made.bytes;
            }
            None => sum.push(made),
        }
    }
    sum.sort_by(|a, b| (b.bytes, &a.type_name).cmp(&(a.bytes, &b.type_name)));
}

/// What is known as soon as the graph is made, without ways.
fn totals(heap: &Heap<'_>, source: &str) -> GraphFacts {
    let live = heap.live();
    let mut roots = Vec::new();
    let mut alone = (0u64, 0u64);
    let (types, mostly) = heap.by_type_and_root();
    let mut made_in = MadeIn::new(heap);
    for (name, holder, retained) in heap.roots() {
        alone = (alone.0 + u64::from(retained.objects), alone.1 + retained.bytes);
        if retained.objects > 0 {
            let kept = mostly.get(&holder).map(Vec::as_slice).unwrap_or_default();
            let is_large = retained.bytes.saturating_mul(MADE_OF_ONE_IN) >= live.bytes;
            roots.push(GraphRoot {
                kind: name.kind.name().into(),
                name: name.name.clone(),
                type_name: heap.variable_type(name).unwrap_or_default().to_owned(),
                objects: retained.objects.into(),
                retained_bytes: retained.bytes,
                goroutines: name.goroutines,
                created_by: name.created_by.clone(),
                mostly: kept.first().map(|m| m.type_name.clone()).unwrap_or_default(),
                mostly_bytes: kept.first().map_or(0, |m| m.bytes),
                made: if is_large { made(&mut made_in, kept) } else { Vec::new() },
                written: if is_large { made_in.written(name).iter().map(place).collect() } else { Vec::new() },
            });
        }
    }
    let mut roots = of_one_name(roots);
    roots.sort_by(|a, b| (b.retained_bytes, &a.name).cmp(&(a.retained_bytes, &b.name)));
    roots.truncate(MOST);
    let known = types.iter().filter(|t| t.is_known);
    let shared_bytes = live.bytes.saturating_sub(alone.1);
    let is_large = shared_bytes.saturating_mul(MADE_OF_ONE_IN) >= live.bytes;
    let shared = mostly.get(&Holder::All).map(Vec::as_slice).filter(|_| is_large).unwrap_or_default();
    GraphFacts {
        source: source.into(),
        objects: u64::from(live.objects),
        live_bytes: live.bytes,
        garbage_objects: heap.taken.0.saturating_sub(u64::from(live.objects)),
        garbage_bytes: heap.taken.1.saturating_sub(live.bytes),
        typed_bytes: known.map(|t| t.own.bytes).sum(),
        conservative: heap.stacks().unsure_goroutines > 0,
        conservative_goroutines: heap.stacks().unsure_goroutines,
        of_one_moment: true,
        roots_not_read: heap.roots_not_read(),
        shared_objects: u64::from(live.objects).saturating_sub(alone.0),
        shared_bytes,
        shared_made: made(&mut made_in, shared),
        library_calls: LibraryCall::ALL.iter().filter_map(|call| library_calls(&made_in, *call)).collect(),
        types: types.into_iter().take(MOST).map(graph_type).collect(),
        roots,
        ..GraphFacts::default()
    }
}

fn place(f: &Frame) -> GraphPlace {
    GraphPlace { function: f.function.clone(), at: format!("{}:{}", short(&f.file), f.line) }
}

/// Where the program's code makes what a root keeps.
fn made(made_in: &mut MadeIn<'_>, kept: &[Mostly]) -> Vec<GraphMade> {
    let one = |kept: &Mostly| {
        let made = made_in.of(kept)?;
        Some(GraphMade {
            type_name: kept.type_name.clone(),
            objects: kept.objects.into(),
            bytes: kept.bytes,
            is_added_to: made.is_added_to,
            places: made.places.iter().map(place).collect(),
        })
    };
    kept.iter().filter_map(one).collect()
}

/// Where the program calls a library's function, if few of its own do.
fn library_calls(made_in: &MadeIn<'_>, call: LibraryCall) -> Option<GraphCalls> {
    let places: Vec<GraphPlace> = made_in.called(call).iter().map(place).collect();
    (!places.is_empty()).then(|| GraphCalls { call: call.name().into(), places })
}

fn graph_type(t: TypeTotal) -> GraphType {
    GraphType { name: t.name, objects: t.own.objects.into(), bytes: t.own.bytes, retained_bytes: t.retained.bytes }
}

fn graph_path(w: MergedWay) -> GraphPath {
    GraphPath {
        steps: w.steps,
        type_name: w.type_name,
        objects: w.own.objects.into(),
        bytes: w.own.bytes,
        retained_bytes: w.retained.bytes,
    }
}

fn graph_node(n: TreeNode) -> GraphNode {
    GraphNode {
        parent: n.parent.map(|p| p as u32),
        name: n.name,
        kind: n.kind.into(),
        count: n.count,
        own_bytes: n.own_bytes,
        objects: n.retained.objects.into(),
        retained_bytes: n.retained.bytes,
        led_to_by: n.led_to_by.into_iter().map(graph_leader).collect(),
    }
}

fn graph_leader(l: Leader) -> GraphLeader {
    GraphLeader { kind: l.kind.into(), name: l.name, goroutines: l.goroutines, objects: l.objects }
}

/// Allocated here, kept alive by that: sampled live objects by the stack of their allocation.
fn graph_sites(
    heap: &Heap<'_>,
    (ways, sampled): (&Ways<'_, '_>, &[Sampled]),
    profile: Option<&MemProfile>,
    gaps: &mut Vec<Gap>,
) -> Vec<GraphSite> {
    let rt = heap.runtime;
    let symbols = Symbolizer::new(heap.memory, &rt.module, rt.layout);
    let own;
    let profile = match profile {
        Some(profile) => profile,
        None => {
            own = decode_profile(rt, heap.memory, gaps);
            &own
        }
    };
    let stacks: FxHashMap<Addr, &Bucket> = profile.buckets.iter().map(|b| (b.addr, b)).collect();
    let largest: Vec<ObjectId> = sampled.iter().filter_map(|s| s.largest).collect();
    let mut kept_by: FxHashMap<ObjectId, Vec<String>> = FxHashMap::default();
    kept_by.extend(largest.iter().copied().zip(ways.to_many(&largest)));
    // Buckets that differ in size class alone are one place to a reader.
    let mut by_stack: BTreeMap<(Vec<String>, String), (GraphSite, u64)> = BTreeMap::new();
    for s in sampled {
        let Some(bucket) = stacks.get(&s.bucket) else { continue };
        let stack = visible(&bucket.stack, &symbols);
        let at = stack.first().map(|f| format!("{}:{}", short(&f.file), f.line)).unwrap_or_default();
        let functions: Vec<String> = stack.iter().map(|f| f.function.to_string()).collect();
        let (site, largest) = by_stack.entry((functions, at)).or_default();
        let counts = Counts { objects: s.live.objects.into(), bytes: s.live.bytes };
        site.sampled += u64::from(s.live.objects);
        site.sampled_garbage += u64::from(s.garbage.objects);
        site.bytes += unsample(counts, profile.rate).bytes;
        site.retained_bytes += s.retained.bytes;
        let Some(object) = s.largest.filter(|_| s.live.bytes > *largest) else { continue };
        *largest = s.live.bytes;
        site.type_name = heap.type_of(object).map(|(_, name)| name.to_owned()).unwrap_or_default();
        site.kept_by = kept_by.get(&object).map(|words| way(words, &site.type_name)).unwrap_or_default();
    }
    let one = |((stack, at), (site, _)): ((Vec<String>, String), (GraphSite, u64))| GraphSite { stack, at, ..site };
    let mut sites: Vec<GraphSite> = by_stack.into_iter().map(one).collect();
    sites.sort_by_key(|s| std::cmp::Reverse(s.bytes));
    sites.truncate(MOST_SITES);
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goroutines_of_one_name_keep_what_all_of_them_keep() {
        let made = |name: &str, objects, bytes| GraphMade {
            type_name: name.into(),
            objects,
            bytes,
            places: vec![GraphPlace { function: "main.build".into(), at: "main.go:4".into() }],
            ..GraphMade::default()
        };
        let root = |kind: &str, bytes, made| GraphRoot {
            kind: kind.into(),
            name: "main.serve".into(),
            objects: 10,
            goroutines: 2,
            retained_bytes: bytes,
            mostly: "main.row".into(),
            mostly_bytes: bytes / 2,
            made,
            ..GraphRoot::default()
        };
        let of_calls = |bytes, made| root("goroutine", bytes, made);
        let all = of_one_name(vec![
            of_calls(100, vec![made("main.row", 4, 60)]),
            root("global", 7, Vec::new()),
            of_calls(300, vec![made("main.page", 1, 200), made("main.row", 2, 30)]),
        ]);
        let told: Vec<(u64, u64)> = all.iter().map(|r| (r.retained_bytes, r.goroutines)).collect();
        assert_eq!(told, [(400, 4), (7, 2)]);
        assert_eq!(all[0].made, [made("main.page", 1, 200), made("main.row", 6, 90)]);
    }
}
