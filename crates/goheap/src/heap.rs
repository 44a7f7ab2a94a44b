//! The heap of one moment: its graph, dominators, named roots and typed objects.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_goruntime::types::{CodeTypes, Makers};
use lastgasp_goruntime::{Frame, Gap, Goroutine, HeapObjects, Runtime, StackTally, Symbolizer};
use lastgasp_heapgraph::{Bits, Dominators, Graph, Holder, ObjectId, Retained, RootId, Roots, TooLarge};
use lastgasp_inferior::{Addr, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::direct::Direct;
use crate::edges::Edges;
use crate::phases::Phases;
use crate::roots::{ALL_PROCESSORS, Holders, Processors, RootName, places_of_goroutines};
use crate::samples::Samples;
use crate::side_by_side::side_by_side;
use crate::types::{Mostly, ObjectType, TypeTotal, Types};
use crate::watched::Pointed;

/// Threads that read and reckon.
const THREADS: usize = 2;
/// What the gaps of it are of.
const WHAT: &str = "heap graph";

/// What is noted of what goroutines wait for, as the heap is read.
pub(crate) struct Noted {
    /// Pointers of objects to where it stands, with the bytes from their slot's start.
    pub(crate) pointed: Pointed<(ObjectId, u64)>,
    /// The runtime's records of goroutines that wait (`sudog`).
    pub(crate) sudogs: Vec<ObjectId>,
    /// Roots with all that each holds: in the graph what a variable holds is not held by goroutines too.
    pub(crate) roots: Roots,
}

/// What was read before the rest: as it never changes, or as its moment was over.
#[derive(Default)]
pub struct ReadBefore {
    /// What the code of the program says of types.
    pub code: Option<CodeTypes>,
    /// Spans and slots.
    pub objects: Option<HeapObjects>,
}

/// A heap, read and reckoned.
pub struct Heap<'a> {
    /// Whose it is.
    pub runtime: &'a Runtime,
    /// Where objects, types and whatever else of it is read.
    pub memory: &'a (dyn Memory + Sync),
    /// Where what collections hold is read, which is much and is read once: as `memory`, if nothing else is
    /// said.
    pub contents: &'a (dyn Memory + Sync),
    /// Spans and slots as the runtime has them.
    pub objects: HeapObjects,
    /// Objects, pointers and roots. What a variable holds is not held by goroutines too.
    pub graph: Graph,
    /// Who dominates whom.
    pub dominators: Dominators,
    pub(crate) holders: Holders,
    pub(crate) types: Types,
    /// What was noted of what goroutines wait for.
    pub(crate) awaited: Noted,
    pub(crate) samples: Samples,
    /// The runtime's spans that lead to arrays, as they were read first.
    pub(crate) to_arrays: Bits,
    /// What stacks of goroutines lead to directly, whoever else holds it.
    pub(crate) on_stacks: FxHashSet<ObjectId>,
    /// What alone holds an object.
    pub(crate) direct: Direct,
    /// Slots that are taken, live or not, and their bytes.
    pub taken: (u64, u64),
    /// Where the program's code makes values of a type; empty where its code was not read.
    pub makers: Makers,
}

/// Of the bytes of objects with pointers this part may be missing.
const UNREAD_PART: u64 = 32;

impl<'a> Heap<'a> {
    /// Reads and reckons it; `None`, with a gap that says why, where that cannot be done.
    ///
    /// `memory` has all of the process's memory of one moment, with the constants of its binary below it.
    #[must_use]
    pub fn read(
        taken: &'a RawCapture,
        memory: &'a (dyn Memory + Sync),
        goroutines: &[Goroutine],
        gaps: &mut Vec<Gap>,
    ) -> Option<Self> {
        let goroutines = (goroutines, &[][..]);
        Self::read_telling(
            taken,
            memory,
            goroutines,
            gaps,
            &mut || {},
            (None, ReadBefore::default()),
            &mut Phases::default(),
        )
    }

    /// As [`Heap::read`]; `has_read` hears that objects, pointers, roots and types are read, which must be of
    /// one moment: a target that stands still for them may run on. Types are followed for as long as
    /// `for_types` at most; what they did not reach by then stays unknown. The code of a target that stands
    /// still is not read: what it says is handed over, or is not known. `watch` are the addresses of what
    /// goroutines wait for ([`crate::watched_addresses`]): without them there is no [`Heap::liveness`].
    #[must_use]
    pub fn read_telling(
        taken: &'a RawCapture,
        memory: &'a (dyn Memory + Sync),
        (goroutines, watch): (&[Goroutine], &[Addr]),
        gaps: &mut Vec<Gap>,
        has_read: &mut dyn FnMut(),
        (for_types, read_before): (Option<Duration>, ReadBefore),
        phases: &mut Phases,
    ) -> Option<Self> {
        let rt = &taken.runtime;
        let before = gaps.len();
        let ReadBefore { code, objects } = read_before;
        let objects = objects.map_or_else(|| HeapObjects::read(rt, memory, gaps), Some)?;
        phases.end("objects");
        let edges = Edges::read(rt, memory, &objects, &places_of_goroutines(taken, memory, &objects), watch, gaps);
        phases.end("pointers");
        let mut holders = Holders::read(taken, memory, goroutines, &objects, &edges, gaps);
        phases.end("roots");
        // What is not read points nowhere, and what nothing points to would be called garbage. Where it is
        // little (a page that a core lacks) it is said beside that, as of roots that were not looked for.
        let unread = edges.unread;
        if unread > 0 {
            gaps.push(Gap::new("heap pointers", format!("{unread} bytes of the heap could not be read")));
            holders.add_not_read(format!("{unread} bytes of the heap that could not be read"));
        }
        let is_little = unread.saturating_mul(UNREAD_PART) <= objects.bytes_with_pointers();
        if gaps.len() > before + usize::from(unread > 0) || !is_little {
            gaps.push(Gap::new(WHAT, "not made: what it is made of could not all be read"));
            return None;
        }
        let Edges { layout, mut parts, seeds, pointed, sudogs, to_arrays, .. } = edges;
        let layout = Arc::new(layout);
        let samples = std::mem::take(&mut holders.samples);
        let until = for_types.and_then(|time| Instant::now().checked_add(time));
        let mut code = code.or_else(|| for_types.is_none().then(|| CodeTypes::read(rt, memory)));
        let makers = code.as_mut().filter(|c| c.is_of(rt)).map(CodeTypes::take_makers).unwrap_or_default();
        phases.end("code");
        let all = layout.total();
        let mut roots = holders.take();
        let said = (code, (&*holders.words, &holders.calls), &*holders.maps, &*holders.funcs);
        // Types and dominators need nothing of each other, so they are found side by side; of a target that
        // stands still types alone first, so that it runs on the sooner.
        let types_of = || Types::assign(taken, memory, &objects, &layout, (seeds, &samples), said, until);
        let mut graph_of = || {
            let parts = std::mem::take(&mut parts);
            let mut graph = Graph::new(Arc::clone(&layout), parts, std::mem::take(&mut roots), THREADS)?;
            let Processors { all, lists } = &holders.processors;
            graph.only_by(all, lists, |root| holders.name_of(root) == Some(ALL_PROCESSORS));
            let mut on_stacks = FxHashSet::default();
            for root in (0..graph.roots().len() as u32).map(RootId).filter(|r| holders.is_goroutine(*r)) {
                on_stacks.extend(graph.roots().held_by(root));
            }
            let roots = graph.roots().clone();
            // Each object is held by whoever is to be called its holder.
            let dominators = Dominators::settled_beside(&mut graph, |root| holders.rank(root), holders.unsure())?;
            Ok::<_, TooLarge>((graph, dominators, on_stacks, roots))
        };
        let (types, made) = if for_types.is_some() {
            let types = types_of();
            phases.end("types");
            has_read();
            let made = graph_of();
            phases.end("graph and dominators");
            (types, made)
        } else {
            let both = side_by_side(types_of, graph_of);
            has_read();
            phases.end("types, beside them graph and dominators");
            both
        };
        match made {
            Ok((graph, dominators, on_stacks, roots)) => {
                let symbols = Symbolizer::new(memory, &rt.module, rt.layout);
                holders.name_by_frames(&graph, &dominators, &symbols, &rt.build_info.module.path);
                holders.name_by_type(|at| types.variables.get(&at).map(String::as_str));
                phases.end("names of holders");
                Some(Self {
                    runtime: rt,
                    memory,
                    contents: memory,
                    objects,
                    graph,
                    dominators,
                    holders,
                    types,
                    awaited: Noted { pointed, sudogs, roots },
                    samples,
                    to_arrays,
                    on_stacks,
                    direct: Direct::default(),
                    taken: all,
                    makers,
                })
            }
            Err(e) => {
                gaps.push(Gap::new(WHAT, e.to_string()));
                None
            }
        }
    }

    /// Live objects and the bytes of their slots.
    #[must_use]
    pub fn live(&self) -> Retained {
        self.dominators.total()
    }

    /// All that is named, with what would be garbage without it: each variable alone, goroutines by group.
    pub fn roots(&self) -> impl Iterator<Item = (&RootName, Holder, Retained)> + '_ {
        self.holders
            .all()
            .map(|(name, holder)| (name, holder, self.dominators.retained(&self.graph, holder).unwrap_or_default()))
    }

    /// Looks for what alone holds each of `objects`, for who asks for some of them later.
    pub(crate) fn look_for_holders(&self, objects: Vec<ObjectId>) {
        self.direct.look_for(&self.graph, objects);
    }

    /// What alone holds each of `objects` directly; `None` where several do, or nothing.
    pub(crate) fn only_holders(&self, objects: &[ObjectId]) -> Vec<Option<Holder>> {
        self.direct.only_holders(&self.graph, objects)
    }

    /// What a root or a group of them is called.
    #[must_use]
    pub fn root_name(&self, holder: Holder) -> Option<&RootName> {
        self.holders.name(&self.graph, holder)
    }

    /// The number of the goroutine that a root is.
    #[must_use]
    pub fn goroutine_of(&self, root: RootId) -> Option<u64> {
        self.holders.goid(root)
    }

    /// What a root is called in words: `global main.cache`, `goroutine 17 in main.serve`.
    #[must_use]
    pub fn root_words(&self, root: RootId) -> String {
        match (self.holders.goid(root), self.root_name(Holder::Root(root))) {
            (Some(goid), Some(name)) => format!("goroutine {goid} in {}", name.name),
            (Some(goid), None) => format!("goroutine {goid}"),
            (None, Some(name)) => name.words(),
            (None, None) => String::new(),
        }
    }

    /// The type of a word of package variables where no symbol says which variable it is of, as the program's
    /// code has it and what it leads to bears out.
    #[must_use]
    pub fn variable_type(&self, root: &RootName) -> Option<&str> {
        self.types.variables.get(&root.at).map(String::as_str)
    }

    /// Live objects by type.
    #[must_use]
    pub fn by_type(&self) -> Vec<TypeTotal> {
        self.types.totals(&self.graph, &self.dominators).0
    }

    /// The same, and of every root, and group of them, that alone keeps something of a known type the types
    /// of most of it, most first: both at once, as who asks looks at every object.
    #[must_use]
    pub fn by_type_and_root(&self) -> (Vec<TypeTotal>, FxHashMap<Holder, Vec<Mostly>>) {
        self.types.totals_and_mostly(&self.graph, &self.dominators)
    }

    /// What an object is, and what that is called; `None` where it is not known.
    #[must_use]
    pub fn type_of(&self, object: ObjectId) -> Option<(ObjectType, &str)> {
        self.types.get(self.graph.layout(), object)
    }

    /// Where the value of a slot begins: behind the type that the allocator notes in front of some.
    pub(crate) fn start_of_value(&self, slot: u64) -> u64 {
        let span = self.objects.spans().partition_point(|s| s.start.0 <= slot).checked_sub(1);
        slot + span.and_then(|i| self.objects.spans().get(i)).map_or(0, lastgasp_goruntime::ObjectSpan::header)
    }

    /// How goroutines' stacks were read: of how many which words were only taken for pointers, and why.
    #[must_use]
    pub fn stacks(&self) -> &StackTally {
        self.holders.tally()
    }

    /// Number of the goroutine that a root is; `None` of all other roots.
    #[must_use]
    pub fn goid(&self, root: RootId) -> Option<u64> {
        self.holders.goid(root)
    }

    /// Function, file and line of the frame in which a goroutine holds an object; `None` where it does not,
    /// and where it holds it in no frame (an argument of a deferred call, its own fields).
    #[must_use]
    pub fn frame(&self, root: RootId, object: ObjectId) -> Option<Frame> {
        let pc = self.holders.frame(root, object)?;
        let symbols = Symbolizer::new(self.memory, &self.runtime.module, self.runtime.layout);
        symbols.innermost(pc)
    }

    /// Roots that were not looked for: what they alone hold counts as garbage.
    #[must_use]
    pub fn roots_not_read(&self) -> Vec<String> {
        let n = self.stacks().without_registers;
        let said = (n > 0).then(|| match n {
            1 => "registers of a running thread".to_owned(),
            n => format!("registers of {n} running threads"),
        });
        said.into_iter().chain(self.holders.not_read().iter().cloned()).collect()
    }
}
