//! Goroutines, each a root, in groups by the function of the program that they are in; and by which frame
//! each holds what it holds.

use std::sync::Arc;

use lastgasp_goruntime::{
    CallSite, DeferredWord, Gap, Goroutine, HeapObjects, StackPlace, StackReader, Symbolizer, each_goroutine,
    is_system, scheduler_words,
};
use lastgasp_heapgraph::{GroupId, ObjectId, RootId};
use lastgasp_inferior::{Addr, AddrRange, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Holders, RootKind, RootName, RootPlace};
use crate::edges::{Edges, Places};
use crate::functions::{is_of_module, is_of_program, is_of_runtime};
use crate::on_stacks::{FrameWord, StackMap};

/// Largest slot in which a `g` stands, in bytes: it has some 440.
const MAX_G: u64 = 4096;
/// Pointers of which the frames are kept, 160 MB of them: half a million goroutines with sixteen each.
const MAX_FRAMES: usize = 8 << 20;

/// Words of frames that are kept for what code says of them, 24 MB of them.
const MAX_WORDS: usize = 1 << 20;

/// Maps with a header on a stack that are kept.
const MAX_STACK_MAPS: usize = 1 << 20;

/// The frames in which goroutines' pointers stand.
#[derive(Default)]
pub(super) struct Frames {
    /// By goroutine and object: the numbers of the innermost frame that has it, of the last but one, and of
    /// the outermost.
    held: Vec<(RootId, ObjectId, [u32; 3])>,
    /// Program counters.
    pcs: Vec<Addr>,
    numbers: FxHashMap<Addr, u32>,
}

impl Frames {
    fn add(&mut self, root: RootId, object: ObjectId, pc: Addr) {
        if self.held.len() >= MAX_FRAMES {
            return;
        }
        let number = *self.numbers.entry(pc).or_insert_with(|| {
            self.pcs.push(pc);
            (self.pcs.len() - 1) as u32
        });
        self.held.push((root, object, [number; 3]));
    }

    /// All are added, of each goroutine its innermost frames first; of several frames that hold an object the
    /// innermost and the two outermost are kept.
    fn tidy(&mut self) {
        self.held.sort_by_key(|(root, object, _)| (*root, *object));
        self.held.dedup_by(|(root, object, later), (r, o, kept)| {
            let same = (root, object) == (r, o);
            if same && kept[2] != later[2] {
                (kept[1], kept[2]) = (kept[2], later[2]);
            }
            same
        });
        self.held.shrink_to_fit();
        self.numbers = FxHashMap::default();
    }

    /// The innermost frame that has it, the last but one, and the outermost; they may be the same.
    pub(super) fn of(&self, root: RootId, object: ObjectId) -> Option<[Addr; 3]> {
        let at = self.held.binary_search_by_key(&(root, object), |(root, object, _)| (*root, *object)).ok()?;
        let pc = |number: u32| self.pcs.get(number as usize).copied();
        let [innermost, last_but_one, outermost] = self.held.get(at)?.2;
        Some([pc(innermost)?, pc(last_but_one)?, pc(outermost)?])
    }
}

impl Holders {
    pub(super) fn add_goroutines(
        &mut self,
        taken: &RawCapture,
        mem: &dyn Memory,
        symbols: &Symbolizer<'_>,
        goroutines: &[Goroutine],
        edges: &Edges,
        gaps: &mut Vec<Gap>,
    ) {
        let roots = self.add_groups(goroutines, &taken.runtime.build_info.module.path);
        let mut lost = 0u64;
        let (all, frames, pointed) = (&mut self.roots, &mut self.frames, &mut self.pointed);
        // Of one goroutine: what it may hold, and what it holds.
        let unsure = &mut self.unsure;
        let (mut may, mut does) = (Vec::new(), Vec::new());
        let mut hold = |goid: u64, to: Addr, place: StackPlace| -> Option<(RootId, ObjectId)> {
            edges.layout.object_at(to.0)?;
            let Some(root) = roots.get(&goid) else {
                lost += 1;
                return None;
            };
            let object = all.hold(*root, &edges.layout, to.0)?;
            let place = match place {
                StackPlace::Frame(pc) => {
                    frames.add(*root, object, pc);
                    RootPlace::Frame(pc)
                }
                StackPlace::Goroutine => RootPlace::Goroutine,
            };
            if edges.watched.has(object) {
                pointed.add((*root, place), to);
            }
            Some((*root, object))
        };
        let mut stacks = StackReader::new(&taken.runtime, mem, symbols, &taken.registers);
        let (words, maps) = (&mut self.words, &mut self.maps);
        // Of one goroutine: its calls are told of when all of it is read.
        let mut own: Vec<(usize, i32, Addr, Addr)> = Vec::new();
        let mut bound = Vec::new();
        let mut note_bound = |word: DeferredWord| {
            // What lies behind a closure in the heap is another object's.
            let object = |at: Addr| edges.layout.object_at(at.0);
            if object(word.to).is_some_and(|to| edges.watched.has(to)) && object(word.at) == object(word.closure) {
                bound.push(word);
            }
        };
        for g in stacks.goroutines(gaps) {
            stacks.read_with_deferred(
                g,
                &mut |root| {
                    match hold(root.goid, root.to, root.place) {
                        Some(pair) if root.unsure => may.push(pair),
                        Some((_, object)) => does.push(object),
                        None => {}
                    }
                    if let Some(at) = root.map
                        && maps.len() < MAX_STACK_MAPS
                        && edges.layout.object_at(root.to.0).is_some()
                    {
                        maps.push(StackMap { at, array: root.to });
                    }
                    if let (Some(call), Some(slot), Some((at, _))) = (root.call, root.slot, root.word)
                        && words.len() + own.len() < MAX_WORDS
                        && edges.layout.object_at(root.to.0).is_some()
                    {
                        own.push((call, slot, at, root.to));
                    }
                },
                &mut note_bound,
            );
            unsure.extend(may.drain(..).filter(|(_, object)| !does.contains(object)));
            does.clear();
            if !own.is_empty() {
                let ids = self.calls.add(stacks.calls());
                words.extend(own.drain(..).filter_map(|(call, slot, at, to)| {
                    Some(FrameWord { call: ids.get(call).copied().flatten()?, slot, at, to })
                }));
            }
        }
        maps.sort_unstable();
        maps.dedup();
        self.tally = stacks.finish(gaps);
        unsure.sort_unstable();
        unsure.dedup();
        let own = edges.of_goroutines.iter().filter_map(|(goid, to)| hold(*goid, *to, StackPlace::Goroutine));
        let own: FxHashSet<(RootId, ObjectId)> = own.collect();
        unsure.retain(|pair| !own.contains(pair));
        for word in bound {
            if let Some(root) = roots.get(&word.goid) {
                self.pointed.add((*root, RootPlace::Deferred(word.code)), word.to);
            }
        }
        self.frames.tidy();
        self.find_stacks(taken, mem, &roots, &edges.watched.elsewhere);
        let of_schedulers = &mut self.of_schedulers;
        scheduler_words(&taken.runtime, mem, symbols, &taken.registers, |to| {
            of_schedulers.extend(edges.layout.object_at(to.0).map(|_| to));
        });
        if lost > 0 {
            gaps.push(Gap::new(
                "heap graph",
                "goroutines that were not decoded: what they alone hold counts as garbage",
            ));
        }
    }

    /// The stacks on which something is waited for.
    fn find_stacks(&mut self, taken: &RawCapture, mem: &dyn Memory, roots: &FxHashMap<u64, RootId>, awaited: &[Addr]) {
        if awaited.is_empty() {
            return;
        }
        let g = &taken.runtime.layout.g;
        each_goroutine(&taken.runtime, mem, |goid, at| {
            let bound = |offset: u64| mem.ptr(at.plus(offset)).unwrap_or_default();
            let stack = AddrRange { start: bound(g.stack_lo), end: bound(g.stack_hi) };
            let next = awaited.partition_point(|a| *a < stack.start);
            if awaited.get(next).is_some_and(|a| stack.contains(*a)) {
                self.awaited_on_stacks.extend(roots.get(&goid).map(|root| (stack, *root)));
            }
        });
    }

    /// A root for each goroutine, by its number.
    fn add_groups(&mut self, goroutines: &[Goroutine], module: &str) -> FxHashMap<u64, RootId> {
        let mut groups: FxHashMap<(RootKind, String), usize> = FxHashMap::default();
        let mut roots: FxHashMap<u64, RootId> = FxHashMap::default();
        let mut names: FxHashMap<*const lastgasp_goruntime::Call, (RootKind, String)> = FxHashMap::default();
        // Of each group how many each `go` statement started; those of one statement share one site.
        let mut creators: FxHashMap<(usize, *const CallSite), (u64, &CallSite)> = FxHashMap::default();
        for g in goroutines {
            let name = || {
                if is_system(g) {
                    (RootKind::Runtime, g.start_function.to_string())
                } else {
                    (RootKind::Goroutine, function(g, module))
                }
            };
            // Those that do the same share one list of calls.
            let key =
                if g.stack.is_empty() { name() } else { names.entry(g.stack.as_ptr()).or_insert_with(name).clone() };
            let index = *groups.entry(key.clone()).or_insert_with(|| {
                self.roots.group();
                self.groups.push(RootName::new(key.0, key.1));
                self.groups.len() - 1
            });
            if let Some(group) = self.groups.get_mut(index) {
                group.goroutines += 1;
            }
            // The runtime itself starts the first, and its own.
            if let Some(site) = g.created_by.as_ref().filter(|site| !is_of_runtime(&site.frame.function)) {
                creators.entry((index, Arc::as_ptr(site))).or_insert((0, site)).0 += 1;
            }
            roots.insert(g.goid, self.roots.root(Some(GroupId(index as u32))));
            self.goids.push(g.goid);
        }
        // Of as many the first in the alphabet, so that the answer is one: the last of each group counts.
        let mut creators: Vec<_> =
            creators.into_iter().map(|((group, _), (n, site))| (group, n, &site.frame)).collect();
        creators.sort_by_key(|(group, n, frame)| (*group, *n, std::cmp::Reverse(*frame)));
        for (group, _, frame) in creators {
            if let Some(group) = self.groups.get_mut(group) {
                group.created_by.clone_from(&frame.function);
            }
        }
        roots
    }
}

/// The objects in which the `g` of live goroutines stand.
pub(crate) fn places_of_goroutines(taken: &RawCapture, mem: &dyn Memory, objects: &HeapObjects) -> Places {
    let mut places = Places::default();
    each_goroutine(&taken.runtime, mem, |goid, at| {
        places.extend(objects.find(at).filter(|o| o.size <= MAX_G).map(|o| (o.start, goid)))
    });
    places
}

/// The function of the program that a goroutine is in: the innermost of its main module, else of any module
/// but the standard library, else but the runtime; where there is none, the first function.
fn function(g: &Goroutine, module: &str) -> String {
    // Wrappers that Go hides stand in no stack that is shown (seen blind: `(*onlyReader).Read`, of an
    // embedded reader), unless there is nothing else.
    let all = g.stack.iter().all(|c| c.elided);
    let calls = || g.stack.iter().filter(|c| all || !c.elided).map(|c| c.frame.function.as_str());
    let found = calls().find(|f| is_of_program(f, module)).or_else(|| calls().find(|f| is_of_module(f)));
    let found = found.or_else(|| calls().find(|f| !is_of_runtime(f)));
    found.map_or_else(|| g.start_function.to_string(), ToOwned::to_owned)
}
