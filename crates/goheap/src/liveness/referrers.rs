//! Who has a pointer to what is waited for: goroutines by the function of the frame, package variables,
//! objects by their type.

use std::collections::{BTreeMap, BTreeSet};

use lastgasp_goruntime::waits::Waiting;
use lastgasp_goruntime::{Symbolizer, TypeReader, deferred_function};
use lastgasp_heapgraph::{Bits, ObjectId};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use super::reckoned::Liveness;
use crate::functions::is_of_waiting;
use crate::heap::Heap;
use crate::roots::{RootKind, RootPlace};
use crate::watched::{Owns, is_tiny, may_own, reaches};

/// Referrers of one thing that are told apart before they are counted, 64 kB of them.
const MOST: usize = 1 << 12;

/// Where a pointer to something that is waited for stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferringPlace {
    /// In a frame of a goroutine.
    Frame,
    /// In no frame of a goroutine: its closure, what its `defer` statements left.
    Goroutine,
    /// Bound to a call that a goroutine has deferred.
    Deferred,
    /// In a package variable.
    Variable,
    /// With a finalizer, a cleanup, a variable of the runtime.
    Runtime,
    /// In an object of the heap.
    Object,
}

/// Who has a pointer to something that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Referring {
    /// Where it stands.
    pub place: ReferringPlace,
    /// The goroutine; 0 of others.
    pub goroutine: u64,
    /// The function of the frame, the function that is deferred, the variable, the object's type.
    pub name: String,
    /// Whether that goroutine can run, now or once it is woken; true of all others.
    pub can_run: bool,
}

impl Heap<'_> {
    /// Who has pointers to each of [`Waiting::objects`], or to the object that it is part of: goroutines
    /// first, by number; at most `most` of each, and how many there are.
    #[must_use]
    pub fn referrers(&self, waiting: &Waiting, liveness: &Liveness, most: usize) -> Vec<(Vec<Referring>, u64)> {
        let layout = self.graph.layout();
        // Of each slot what is waited for in it, and of a mutex that shares its slot where it stands.
        let mut things: FxHashMap<ObjectId, Vec<(usize, Option<Addr>)>> = FxHashMap::default();
        for (index, object) in waiting.objects.iter().enumerate() {
            if let Some(slot) = layout.object_at(object.at.0) {
                let is_mutex = matches!(object.what, lastgasp_goruntime::waits::What::Mutex(_));
                let mutex = (is_mutex && is_tiny(&self.objects, object.at)).then_some(object.at);
                things.entry(slot).or_default().push((index, mutex));
            }
        }
        let mut all: Vec<BTreeMap<Referring, ()>> = vec![BTreeMap::new(); waiting.objects.len()];
        let mut more = vec![0u64; waiting.objects.len()];
        let mut slots: BTreeMap<usize, SharedSlot> = BTreeMap::new();
        let mut add =
            |to: Addr, pointee: &mut dyn FnMut() -> Option<u64>, referring: &dyn Fn() -> Option<Referring>| {
                let found = layout.object_at(to.0).and_then(|slot| things.get(&slot)).into_iter().flatten();
                // Two mutexes may share a slot, one behind the other: what points to the first is none to the
                // second.
                let is_one = found.clone().any(|(_, mutex)| *mutex == Some(to));
                let mut owns = |mutex: Addr| match may_own(mutex, to) {
                    Owns::Never => false,
                    Owns::Perhaps => (!is_one || mutex == to) && reaches(mutex, to, pointee()),
                    Owns::IfLarge => !is_one && reaches(mutex, to, pointee()),
                };
                let found = found.filter(|(_, mutex)| mutex.is_none_or(&mut owns));
                for (index, mutex) in found {
                    let (Some(all), Some(more)) = (all.get_mut(*index), more.get_mut(*index)) else { continue };
                    if all.len() >= MOST {
                        *more += 1;
                    } else if let Some(referring) = referring() {
                        if let Some(mutex) = mutex {
                            slots.entry(*index).or_default().add(*mutex, to, &referring);
                        }
                        all.insert(referring, ());
                    }
                }
            };
        let symbols = Symbolizer::new(self.memory, &self.runtime.module, self.runtime.layout);
        let mut types = TypeReader::new(self.runtime, self.memory);
        let mut functions: FxHashMap<Addr, String> = FxHashMap::default();
        let mut deferred: FxHashMap<Addr, String> = FxHashMap::default();
        for ((root, place), to) in &self.holders.pointed.all {
            let function = match place {
                RootPlace::Deferred(code) => {
                    let called = || deferred_function(self.runtime, self.memory, &symbols, *code);
                    Some(&*deferred.entry(*code).or_insert_with(called))
                }
                RootPlace::Frame(pc) => {
                    // What is inlined there stands before the function whose frame it is.
                    let of_program = || {
                        let all = symbols.frames(*pc).into_iter().map(|frame| frame.function);
                        let mut all = all.skip_while(|function| is_of_waiting(function));
                        all.next().or_else(|| symbols.function_name(*pc)).unwrap_or_default()
                    };
                    Some(&*functions.entry(*pc).or_insert_with(of_program))
                }
                _ => None,
            };
            add(*to, &mut || self.tiny_pointee_of_variable(*root, *place, &mut types), &|| {
                let name = || self.holders.name_of(*root).unwrap_or_default().to_owned();
                let goroutine = self.holders.goid(*root).unwrap_or_default();
                let can_run = self.can_run(liveness, *root);
                Some(match (place, function) {
                    // Those of the lock, or of the channel, itself.
                    (RootPlace::Frame(_), Some(function)) if is_of_waiting(function) => return None,
                    (RootPlace::Frame(_), function) => Referring {
                        place: ReferringPlace::Frame,
                        goroutine,
                        name: function.cloned().unwrap_or_default(),
                        can_run,
                    },
                    (RootPlace::Deferred(_), function) => Referring {
                        place: ReferringPlace::Deferred,
                        goroutine,
                        name: function.cloned().unwrap_or_default(),
                        can_run,
                    },
                    (RootPlace::Goroutine, _) => {
                        Referring { place: ReferringPlace::Goroutine, goroutine, name: String::new(), can_run }
                    }
                    (RootPlace::Variable(_), _) if self.holders.kind_of(*root) == RootKind::Global => {
                        Referring { place: ReferringPlace::Variable, goroutine: 0, name: name(), can_run: true }
                    }
                    (RootPlace::Variable(_) | RootPlace::Note, _) => {
                        Referring { place: ReferringPlace::Runtime, goroutine: 0, name: name(), can_run: true }
                    }
                })
            });
        }
        let mut closed = Bits::new(layout.bound());
        self.awaited.sudogs.iter().for_each(|object| {
            closed.insert(object.0 as usize);
        });
        let mut contexts: FxHashMap<(ObjectId, u64), bool> = FxHashMap::default();
        for ((from, offset), to) in
            self.awaited.pointed.all.iter().filter(|((from, _), _)| !closed.contains(from.0 as usize))
        {
            let mut is_context = || {
                *contexts.entry((*from, *offset)).or_insert_with(|| self.is_context(*from, *offset, *to, &mut types))
            };
            let is_context = is_context();
            add(*to, &mut || self.tiny_pointee(*from, *offset, &mut types), &|| {
                let name = self.type_of(*from).map_or_else(String::new, |(_, name)| name.to_owned());
                let name = if is_context && !name.starts_with("context.") { CONTEXT.to_owned() } else { name };
                Some(Referring { place: ReferringPlace::Object, goroutine: 0, name, can_run: true })
            });
        }
        for (index, slot) in &slots {
            if let Some(all) = all.get_mut(*index) {
                all.retain(|referring, ()| !slot.is_neighbours(referring));
            }
        }
        all.into_iter()
            .zip(more)
            .map(|(all, more)| {
                let total = all.len() as u64 + more;
                (all.into_keys().take(most).collect(), total)
            })
            .collect()
    }
}

/// Who has pointers to a mutex that may share its slot, and to the slot's begin.
///
/// Words of stacks have no types: one that leads to the begin of the slot is one to a struct that the mutex
/// is a part of, or to a tiny neighbour (`var mu sync.Mutex; n := 0`, captured by closures, in a loop: the
/// number of one round and the mutex of the next share a block, and the goroutine of the one seemed to hold
/// the lock of the other: lab/causes, double-lock, in one start of six). Whoever has the struct comes to the
/// mutex by it. So where others have the mutex itself, and none of them the begin, these are two things.
#[derive(Default)]
struct SharedSlot {
    /// Something leads to the mutex itself.
    is_known: bool,
    /// Goroutines from whose stacks.
    to_mutex: BTreeSet<u64>,
    /// Goroutines whose stacks lead to the begin.
    to_begin: BTreeSet<u64>,
}

impl SharedSlot {
    fn add(&mut self, mutex: Addr, to: Addr, referring: &Referring) {
        let is_begin = may_own(mutex, to) == Owns::IfLarge;
        self.is_known |= !is_begin;
        if referring.goroutine != 0 {
            let of = if is_begin { &mut self.to_begin } else { &mut self.to_mutex };
            of.insert(referring.goroutine);
        }
    }

    /// Whether it is somebody who has the neighbour alone.
    fn is_neighbours(&self, referring: &Referring) -> bool {
        self.is_known && self.to_begin.contains(&referring.goroutine) && self.to_begin.is_disjoint(&self.to_mutex)
    }
}

impl Heap<'_> {
    /// Whether the word of an object that leads to a channel is that by which a `context.cancelCtx` has what
    /// `Done` returns: told by what stands beside it, since contexts know each other through interfaces
    /// alone, and in a binary without symbols nothing else says what they are.
    fn is_context(&self, from: ObjectId, offset: u64, to: Addr, types: &mut TypeReader<'_>) -> bool {
        // `cancelCtx` (`context/context.go`): its parent, an interface; a mutex; an `atomic.Value`, whose
        // type stands before its value. The same in all releases from Go 1.19 on; others embed it.
        const TYPE: u64 = 24;
        const VALUE: u64 = 32;
        let slot = self.graph.layout().address(from);
        let Some(start) = slot.and_then(|slot| Some(slot + offset.checked_sub(VALUE)?)).map(Addr) else { return false };
        let word = |at: u64| self.memory.ptr(start.plus(at)).unwrap_or_default();
        if word(VALUE) != to || types.get(word(TYPE)).is_none_or(|of| &*of.name != "chan struct {}") {
            return false;
        }
        let interface = self.memory.ptr(word(0)).unwrap_or_default();
        types.get(interface).is_some_and(|of| &*of.name == "context.Context")
    }
}

/// What such an object is called.
const CONTEXT: &str = "context.cancelCtx";

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_of(goroutine: u64) -> Referring {
        Referring { place: ReferringPlace::Frame, goroutine, name: String::new(), can_run: false }
    }

    /// In a slot at 0x10 a mutex at 0x18.
    fn slot(pointers: &[(u64, u64)]) -> SharedSlot {
        let mut slot = SharedSlot::default();
        for (goroutine, to) in pointers {
            slot.add(Addr(0x18), Addr(*to), &frame_of(*goroutine));
        }
        slot
    }

    #[test]
    fn a_neighbour_of_a_mutex_and_the_struct_that_it_is_a_part_of() {
        let closures = slot(&[(11, 0x10), (12, 0x18)]);
        assert!(closures.is_neighbours(&frame_of(11)) && !closures.is_neighbours(&frame_of(12)));
        let methods = slot(&[(11, 0x10), (12, 0x10), (12, 0x18)]);
        assert!(!methods.is_neighbours(&frame_of(11)), "a deferred call has the mutex, its method the struct");
        assert!(!slot(&[(11, 0x10), (12, 0x10)]).is_neighbours(&frame_of(11)), "nobody has the mutex itself");
    }
}
