//! What holds objects from outside the heap, with its names.
//!
//! - `variables`: package variables by the symbol table, else by where they stand.
//! - `goroutines`: by the function of the program that they are in; by which frame each holds what it holds.
//! - `held_in`: the frame that they are named by, once it is known what stands in which.
//! - `lists`: the runtime's own lists of pools and of processors.
//! - `notes`: finalizers, cleanups and weak pointers, by the function that they are to run.
//!
//! Of what several hold a variable is the holder, for it stays when a goroutine ends; else a goroutine; a
//! finalizer of what nobody else holds.

mod goroutines;
mod held_in;
mod lists;
mod notes;
mod variables;

use lastgasp_goruntime::types::StackCalls;
use lastgasp_goruntime::{Gap, Goroutine, HeapObjects, StackTally, Symbolizer};
use lastgasp_heapgraph::{Graph, GroupId, Holder, ObjectId, RootId, Roots};
use lastgasp_inferior::{Addr, AddrRange, BlockCache, Memory};
use lastgasp_observe::raw_capture::RawCapture;

use crate::edges::Edges;
use crate::on_stacks::{FrameWord, StackMap};
use crate::samples::Samples;
use crate::watched::Pointed;

use goroutines::Frames;
pub(crate) use goroutines::places_of_goroutines;
pub(crate) use lists::{ALL_PROCESSORS, Processors};

/// What kind of root it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RootKind {
    /// A package variable.
    Global,
    /// Goroutines in one function of the program.
    Goroutine,
    /// Finalizers or cleanups with one function, set or due.
    Finalizer,
    /// A variable or goroutines of the runtime's own.
    Runtime,
}

impl RootKind {
    /// As the document has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Goroutine => "goroutine",
            Self::Finalizer => "finalizer",
            Self::Runtime => "runtime",
        }
    }
}

/// What is to be said of a root, or of a group of goroutines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootName {
    /// What it is.
    pub kind: RootKind,
    /// The variable, as the symbol table has it, else its section and offset; the function.
    pub name: String,
    /// Number of goroutines; 0 of all others.
    pub goroutines: u64,
    /// Of goroutines: the function that started most of them; empty of all others, and where the
    /// runtime did.
    pub created_by: String,
    /// The word of package variables that it is, where no symbol says which variable it is of; nil of all
    /// others.
    pub at: Addr,
}

impl RootName {
    fn new(kind: RootKind, name: String) -> Self {
        Self { kind, name, goroutines: 0, created_by: String::new(), at: Addr(0) }
    }

    /// `global main.cache`, `goroutines in main.(*Server).ugcTab`.
    pub(crate) fn words(&self) -> String {
        match self.kind {
            RootKind::Global => format!("global {}", self.name),
            RootKind::Goroutine if self.goroutines == 1 => format!("goroutine in {}", self.name),
            RootKind::Goroutine => format!("goroutines in {}", self.name),
            RootKind::Finalizer => format!("finalizer {}", self.name),
            RootKind::Runtime => format!("runtime {}", self.name),
        }
    }
}

/// Where the words of a root stand among package variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// The words.
    pub(crate) range: AddrRange,
    /// The variable itself begins here.
    pub(crate) variable: Addr,
    /// Whether they are what the variable points to.
    pub(crate) behind: bool,
}

/// Roots, with what is to be said of each.
#[derive(Default)]
pub(crate) struct Holders {
    roots: Roots,
    /// Notes are numbered from here on, goroutines behind them.
    notes_from: u32,
    goroutines_from: u32,
    /// Of each variable and each note.
    named: Vec<RootName>,
    /// Of each group of goroutines.
    groups: Vec<RootName>,
    /// Number of the goroutine that each root from `goroutines_from` on is.
    goids: Vec<u64>,
    frames: Frames,
    /// Goroutines with objects that they may hold: words that may be left over from calls which have ended.
    /// By goroutine, then object; what it holds for certain too is not among them.
    unsure: Vec<(RootId, ObjectId)>,
    /// Variables in frames that lead to objects.
    pub(crate) words: Vec<FrameWord>,
    /// The calls under way in whose frames they are.
    pub(crate) calls: StackCalls,
    /// Closures that finalizers and cleanups are to run.
    pub(crate) funcs: Vec<Addr>,
    /// What may be maps whose headers stand on stacks, by address.
    pub(crate) maps: Vec<StackMap>,
    tally: StackTally,
    /// Where each variable's root stands.
    stands: Vec<Stand>,
    /// Where each pool stands, sorted.
    pools: Vec<Addr>,
    /// What only their own lists are to be said to lead to.
    pub(crate) processors: Processors,
    /// What could not be looked for.
    not_read: Vec<String>,
    /// Pointers to where something is waited for, and where they stand.
    pub(crate) pointed: Pointed<(RootId, RootPlace)>,
    /// What weak pointers are made of, and what they lead to.
    pub(crate) weak: Vec<(ObjectId, ObjectId)>,
    /// Words of threads that run no goroutine, as far as they lead to objects.
    pub(crate) of_schedulers: Vec<Addr>,
    /// Stacks on which something is waited for, by the goroutine that each is of.
    pub(crate) awaited_on_stacks: Vec<(AddrRange, RootId)>,
    /// Sampled objects: they are noted where finalizers are.
    pub(crate) samples: Samples,
}

/// Where a root's pointer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootPlace {
    /// In a frame: an address within its call.
    Frame(Addr),
    /// In no frame of a goroutine.
    Goroutine,
    /// Bound to a call that a goroutine has deferred: where its code begins.
    Deferred(Addr),
    /// In a package variable, at an address.
    Variable(Addr),
    /// With a finalizer, a cleanup.
    Note,
}

impl Holders {
    pub(crate) fn read(
        taken: &RawCapture,
        mem: &dyn Memory,
        goroutines: &[Goroutine],
        objects: &HeapObjects,
        edges: &Edges,
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let mut out = Self::default();
        let constants = BlockCache::new(mem);
        let symbols = Symbolizer::new(&constants, &taken.runtime.module, taken.runtime.layout);
        out.add_variables(taken, mem, edges, gaps);
        out.find_lists(mem, &edges.layout);
        out.notes_from = out.roots.len() as u32;
        out.add_notes(taken, mem, &symbols, objects, edges, gaps);
        out.goroutines_from = out.roots.len() as u32;
        out.add_goroutines(taken, mem, &symbols, goroutines, edges, gaps);
        out
    }

    /// The roots, for the graph.
    pub(crate) fn take(&mut self) -> Roots {
        std::mem::take(&mut self.roots)
    }

    /// Goroutines with what they may hold, sorted.
    pub(crate) fn unsure(&self) -> &[(RootId, ObjectId)] {
        &self.unsure
    }

    /// Who of several is to be called the holder of what all of them reach: the lowest. A goroutine that puts
    /// into a pool leads to all that lies there, so that neither is alone.
    pub(crate) fn rank(&self, root: RootId) -> u32 {
        match root.0 {
            _ if self.is_list_of_pools(root) || self.is_of_runtime(root) => 2,
            n if n < self.notes_from && self.is_by_pools(root) => 1,
            n if n < self.notes_from => 0,
            _ if self.is_goroutine(root) => 1,
            _ => 3,
        }
    }

    /// Whether it is a list in which the runtime has all pools that are in use: it leads to whatever a pool
    /// stands in, and owns none of it (`sync.allPools`, `sync/pool.go`; seen blind: a DNS server with a pool
    /// among its fields, all of which was told by way of that list).
    pub(crate) fn is_list_of_pools(&self, root: RootId) -> bool {
        self.name_of(root).is_some_and(lists::is_list_of_pools)
    }

    /// The same, or the words of a pool that lead to what lies in it (seen blind: metrics of a server, told
    /// by way of the pool of compressors of which one had last written to a connection of it).
    fn is_by_pools(&self, root: RootId) -> bool {
        self.is_list_of_pools(root) || self.stand(root).is_some_and(|stand| self.is_of_pool(stand))
    }

    /// Whether ways from elsewhere are told before one from there, however long they are: from what lies in
    /// pools, and from the runtime's own variables, the processors with their timers among them (seen blind:
    /// what a subscription of a client had queued up, told by way of the timer with which the client pings,
    /// and "stop a timer").
    pub(crate) fn is_last(&self, root: RootId) -> bool {
        self.is_by_pools(root) || self.is_of_runtime(root)
    }

    /// Whether it is a variable of the runtime's own.
    fn is_of_runtime(&self, root: RootId) -> bool {
        root.0 < self.notes_from && self.name_of(root).is_some_and(|name| name.starts_with("runtime."))
    }

    /// How goroutines' stacks were read.
    pub(crate) fn tally(&self) -> &StackTally {
        &self.tally
    }

    /// What a root is of.
    pub(crate) fn kind_of(&self, root: RootId) -> RootKind {
        if self.is_goroutine(root) {
            return RootKind::Goroutine;
        }
        self.named.get(root.0 as usize).map_or(RootKind::Runtime, |name| name.kind)
    }

    /// What a variable or a note is called.
    pub(crate) fn name_of(&self, root: RootId) -> Option<&str> {
        self.named.get(root.0 as usize).map(|name| name.name.as_str())
    }

    /// Whether it is what weak pointers are made of: none of it is held by them.
    pub(crate) fn is_weak(&self, root: RootId) -> bool {
        (self.notes_from..self.goroutines_from).contains(&root.0) && self.kind_of(root) == RootKind::Runtime
    }

    /// The roots of goroutines, with their numbers.
    pub(crate) fn goroutines(&self) -> impl Iterator<Item = (RootId, u64)> + '_ {
        (self.goroutines_from..).map(RootId).zip(self.goids.iter().copied())
    }

    pub(crate) fn is_goroutine(&self, root: RootId) -> bool {
        root.0 >= self.goroutines_from
    }

    /// Roots that were not looked for.
    pub(crate) fn not_read(&self) -> &[String] {
        &self.not_read
    }

    /// Notes that something was not looked through, in words.
    pub(crate) fn add_not_read(&mut self, what: String) {
        self.not_read.push(what);
    }

    /// Number of the goroutine that a root is.
    pub(crate) fn goid(&self, root: RootId) -> Option<u64> {
        self.goids.get(root.0.checked_sub(self.goroutines_from)? as usize).copied()
    }

    /// The innermost frame of a goroutine that holds an object: an address within its call.
    pub(crate) fn frame(&self, root: RootId, object: ObjectId) -> Option<Addr> {
        self.frames.of(root, object).map(|[innermost, ..]| innermost)
    }

    /// The same of the innermost that holds it, the last but one, and the outermost.
    fn frames(&self, root: RootId, object: ObjectId) -> Option<[Addr; 3]> {
        self.frames.of(root, object)
    }

    /// Where a variable's root stands.
    pub(crate) fn stand(&self, root: RootId) -> Option<Stand> {
        self.stands.get(root.0 as usize).copied()
    }

    /// All that is named: each variable and note alone, goroutines by group.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&RootName, Holder)> + '_ {
        let named = self.named.iter().zip((0..).map(|i| Holder::Root(RootId(i))));
        named.chain(self.groups.iter().zip((0..).map(|i| Holder::Group(GroupId(i)))))
    }

    /// What a root or a group is called; a goroutine as its group.
    pub(crate) fn name(&self, graph: &Graph, holder: Holder) -> Option<&RootName> {
        match holder {
            Holder::Group(group) => self.groups.get(group.0 as usize),
            Holder::Root(root) if self.is_goroutine(root) => self.groups.get(graph.roots().group_of(root)?.0 as usize),
            Holder::Root(root) => self.named.get(root.0 as usize),
            _ => None,
        }
    }
}
