//! The heap of one moment: its graph, dominators, named roots and typed objects.

use lastgasp_goruntime::{Gap, Goroutine, HeapObjects, Runtime};
use lastgasp_heapgraph::{Dominators, Graph, Holder, ObjectId, Retained};
use lastgasp_inferior::Memory;
use lastgasp_observe::raw_capture::RawCapture;

use crate::edges::Edges;
use crate::roots::{Holders, RootName, places_of_goroutines};
use crate::types::{ObjectType, TypeTotal, Types};

/// Threads that read and reckon.
const THREADS: usize = 2;
/// What the gaps of it are of.
const WHAT: &str = "heap graph";
/// Roots that are not looked for yet.
const NOT_READ: [&str; 2] = ["finalizers, cleanups and other specials", "registers of running threads"];

/// A heap, read and reckoned.
pub struct Heap<'a> {
    /// Whose it is.
    pub runtime: &'a Runtime,
    /// Where contents are read.
    pub memory: &'a (dyn Memory + Sync),
    /// Spans and slots as the runtime has them.
    pub objects: HeapObjects,
    /// Objects, pointers and roots. What a variable holds is not held by goroutines too.
    pub graph: Graph,
    /// Who dominates whom.
    pub dominators: Dominators,
    pub(crate) holders: Holders,
    pub(crate) types: Types,
    /// Slots that are taken, live or not, and their bytes.
    pub taken: (u64, u64),
}

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
        Self::read_telling(taken, memory, goroutines, gaps, &mut || {})
    }

    /// As [`Heap::read`]; `has_read` hears that objects, pointers and roots are read, which must be of one
    /// moment: a target that stands still for them may run on.
    #[must_use]
    pub fn read_telling(
        taken: &'a RawCapture,
        memory: &'a (dyn Memory + Sync),
        goroutines: &[Goroutine],
        gaps: &mut Vec<Gap>,
        has_read: &mut dyn FnMut(),
    ) -> Option<Self> {
        let rt = &taken.runtime;
        let before = gaps.len();
        let objects = HeapObjects::read(rt, memory, gaps)?;
        let edges = Edges::read(rt, memory, &objects, &places_of_goroutines(taken, memory, &objects), gaps);
        let mut holders = Holders::read(taken, memory, goroutines, &edges, gaps);
        // What is not read points nowhere, and what nothing points to would be called garbage.
        if gaps.len() > before {
            gaps.push(Gap::new(WHAT, "not made: what it is made of could not all be read"));
            return None;
        }
        has_read();
        let Edges { layout, parts, seeds, .. } = edges;
        let all = layout.total();
        let roots = std::mem::take(&mut holders.roots);
        let made = Graph::new(layout, parts, roots, THREADS).and_then(|graph| {
            // What a variable holds too is the variable's: it stays when the goroutine ends.
            let of_variables = graph.reach(|h| !matches!(h, Holder::Root(r) if holders.is_goroutine(r))).objects;
            let mut roots = graph.roots().clone();
            roots.retain(|root, object| !(holders.is_goroutine(root) && of_variables.contains(object.0 as usize)));
            let graph = graph.with_roots(roots)?;
            let dominators = Dominators::of(&graph)?;
            Ok((graph, dominators))
        });
        match made {
            Ok((graph, dominators)) => {
                let types = Types::assign(taken, memory, &objects, graph.layout(), seeds);
                Some(Self { runtime: rt, memory, objects, graph, dominators, holders, types, taken: all })
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

    /// What a root or a group of them is called.
    #[must_use]
    pub fn root_name(&self, holder: Holder) -> Option<&RootName> {
        self.holders.name(&self.graph, holder)
    }

    /// Live objects by type.
    #[must_use]
    pub fn by_type(&self) -> Vec<TypeTotal> {
        self.types.totals(&self.graph, &self.dominators)
    }

    /// What an object is, and what that is called; `None` where it is not known.
    #[must_use]
    pub fn type_of(&self, object: ObjectId) -> Option<(ObjectType, &str)> {
        self.types.get(self.graph.layout(), object)
    }

    /// Whether what goroutines hold was taken from every word of their stacks.
    #[must_use]
    pub fn is_conservative(&self) -> bool {
        true
    }

    /// Roots that were not looked for: what they alone hold counts as garbage.
    #[must_use]
    pub fn roots_not_read(&self) -> &'static [&'static str] {
        &NOT_READ
    }
}
