//! Who has a pointer to what is waited for: goroutines by the function of the frame, package variables,
//! objects by their type.

use std::collections::BTreeMap;

use lastgasp_goruntime::waits::Waiting;
use lastgasp_goruntime::{Symbolizer, deferred_function};
use lastgasp_heapgraph::{Bits, ObjectId};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use super::reckoned::Liveness;
use crate::heap::Heap;
use crate::roots::{RootKind, RootPlace};
use crate::watched::{Owns, is_tiny, may_own};

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
        let mut add = |to: Addr, referring: &dyn Fn() -> Option<Referring>| {
            let found = layout.object_at(to.0).and_then(|slot| things.get(&slot)).into_iter().flatten();
            let found = found.filter(|(_, mutex)| mutex.is_none_or(|at| may_own(at, to) != Owns::Never));
            for (index, _) in found {
                let (Some(all), Some(more)) = (all.get_mut(*index), more.get_mut(*index)) else { continue };
                if all.len() >= MOST {
                    *more += 1;
                } else if let Some(referring) = referring() {
                    all.insert(referring, ());
                }
            }
        };
        let symbols = Symbolizer::new(self.memory, &self.runtime.module, self.runtime.layout);
        let mut functions: FxHashMap<Addr, String> = FxHashMap::default();
        let mut deferred: FxHashMap<Addr, String> = FxHashMap::default();
        for ((root, place), to) in &self.holders.pointed.all {
            let function = match place {
                RootPlace::Deferred(code) => {
                    let called = || deferred_function(self.runtime, self.memory, &symbols, *code);
                    Some(&*deferred.entry(*code).or_insert_with(called))
                }
                RootPlace::Frame(pc) => {
                    let innermost = || symbols.innermost(*pc).map(|frame| frame.function).unwrap_or_default();
                    Some(&*functions.entry(*pc).or_insert_with(innermost))
                }
                _ => None,
            };
            add(*to, &|| {
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
        for ((from, _), to) in
            self.awaited.pointed.all.iter().filter(|((from, _), _)| !closed.contains(from.0 as usize))
        {
            add(*to, &|| {
                let name = self.type_of(*from).map_or_else(String::new, |(_, name)| name.to_owned());
                Some(Referring { place: ReferringPlace::Object, goroutine: 0, name, can_run: true })
            });
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

/// Whether a frame is of the operation by which a goroutine waits.
fn is_of_waiting(function: &str) -> bool {
    ["runtime.", "internal/runtime/", "internal/sync.", "sync.(*Mutex).", "sync.(*RWMutex).", "sync.(*WaitGroup)."]
        .iter()
        .chain(&["sync.(*Cond).", "sync.runtime_", "internal/poll.runtime_"])
        .any(|own| function.starts_with(own))
}
