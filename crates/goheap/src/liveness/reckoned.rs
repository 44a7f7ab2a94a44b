//! The reckoning of a heap: what is given to it, and what came of it.

use std::time::{Duration, Instant};

use lastgasp_goruntime::TypeReader;
use lastgasp_goruntime::types::Word;
use lastgasp_goruntime::waits::{Awaited, Blocked, Operation, PendingTimer, Waiting, What};
use lastgasp_heapgraph::{Holder, ObjectId, RootId};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use super::fixpoint::{Place, Reckoned, Scene, Start};
use super::immortal::{Immortal, Timed, immortal};
use super::reached::{By, Reached};
use crate::heap::Heap;
use crate::roots::{RootKind, RootPlace};
use crate::types::ObjectType;
use crate::watched::{Owns, is_tiny, may_own, reaches};

/// What signals are sent to hangs on a variable of this package, and the kernel sends them.
const SIGNALS: &str = "os/signal.";

/// Which blocked goroutines can still be woken.
#[derive(Clone, Debug, Default)]
pub struct Liveness {
    /// Of each of [`Waiting::goroutines`] whether and by what it is woken; those that something else can wake
    /// than what they wait for (a timer, the poller, the kernel) are reached.
    pub goroutines: Vec<(Reached, By)>,
    /// Of each of [`Waiting::objects`] whether and by what it is reached.
    pub objects: Vec<(Reached, By)>,
    /// Of each goroutine whether its own timer wakes it for ever, and nobody else leads to its way out, or it
    /// has none.
    pub immortal: Vec<bool>,
    /// Of each of those that have no way out whether nobody else leads to anything that its stack has.
    pub for_itself: Vec<bool>,
    /// Of each goroutine its root.
    pub(super) roots: Vec<Option<RootId>>,
    /// The goroutine that a root is, by index.
    pub(super) by_root: FxHashMap<RootId, usize>,
    /// What could be missing among references: then what nothing leads to may be reached by what is missing.
    pub gaps: Vec<String>,
    /// Times that goroutines were added to those that can run.
    pub rounds: u32,
    /// How long it took.
    pub took: Duration,
}

/// Addresses of what goroutines wait for, for [`Heap::read_telling`].
#[must_use]
pub fn watched_addresses(waiting: &Waiting) -> Vec<Addr> {
    waiting.objects.iter().flat_map(|o| [o.at, o.inner]).filter(|at| !at.is_null()).collect()
}

/// Whether something can wake a goroutine that is none of what it waits for, or has, or it is not known what
/// it waits for.
fn is_woken_otherwise(g: &Blocked) -> bool {
    !g.is_queued || is_woken_by_others(g)
}

/// The same of one that may have been taken out of a queue.
fn is_woken_by_others(g: &Blocked) -> bool {
    g.cases.is_empty()
        || g.cases.iter().any(|case| match case.operation {
            Operation::SendNil | Operation::ReceiveNil | Operation::NoCases | Operation::AllNil => false,
            Operation::Send
            | Operation::Receive
            | Operation::SendOrReceive
            | Operation::Lock
            | Operation::ReadLock
            | Operation::WriteLock
            | Operation::WaitGroup
            | Operation::CondWait
            | Operation::Semaphore => case.object.is_none(),
            _ => true,
        })
}

impl Heap<'_> {
    /// Reckons which of the blocked goroutines can still be woken. `waiting` is what they wait for, of the
    /// same moment, and the heap was read with [`watched_addresses`] of it.
    #[must_use]
    pub fn liveness(&self, waiting: &Waiting) -> Liveness {
        let began = Instant::now();
        let roots_of: FxHashMap<u64, RootId> = self.holders.goroutines().map(|(root, goid)| (goid, root)).collect();
        let roots: Vec<Option<RootId>> = waiting.goroutines.iter().map(|g| roots_of.get(&g.goid).copied()).collect();
        let by_root: FxHashMap<RootId, usize> =
            (0..).zip(&roots).filter_map(|(index, root)| Some(((*root)?, index))).collect();
        // Of each goroutine that only what it waits for can wake its number among those.
        let mut numbers: FxHashMap<RootId, u32> = FxHashMap::default();
        let mut waits = Vec::new();
        for (g, root) in waiting.goroutines.iter().zip(&roots) {
            if let Some(root) = root.filter(|_| !is_woken_otherwise(g)) {
                numbers.insert(root, waits.len() as u32);
                waits.push((root, g.cases.iter().filter_map(|case| case.object).collect::<Vec<u32>>()));
            }
        }
        let mut scene = Scene::new(&self.graph, &self.awaited.roots);
        scene.places = waiting.objects.iter().map(|o| self.place(o)).collect();
        scene.blocked = waits;
        scene.closed.clone_from(&self.awaited.sudogs);
        (scene.senders, scene.at_once) = self.timers(waiting);
        let heaps = waiting.timer_heaps.iter().filter_map(|at| self.graph.layout().object_at(at.0));
        scene.timer_heaps = heaps.collect();
        let scheduler = self.holders.of_schedulers.iter().filter_map(|at| self.graph.layout().object_at(at.0));
        scene.at_once.extend(scheduler.map(|object| (object, By::Scheduler)));
        for (handle, of) in &self.holders.weak {
            scene.weak.entry(*handle).or_default().push(*of);
        }
        self.add_owners(&mut scene, waiting);
        let scene = scene.index();
        let starts: Vec<Start> =
            (0..self.awaited.roots.len() as u32).map(|root| self.start(RootId(root), &numbers)).collect();
        let start = |root: RootId| starts.get(root.0 as usize).copied().unwrap_or(Start::Never);
        let Reckoned { things, goroutines, rounds } = scene.reckon(start, |_| true);
        let woken = |root: &Option<RootId>| match root.and_then(|root| numbers.get(&root)) {
            Some(number) => goroutines.get(*number as usize).copied().unwrap_or_default(),
            // It runs by itself.
            None => (Reached::ByRunning, By::Itself),
        };
        let immortal = self.immortal(&scene, waiting, &roots, &start);
        Liveness {
            goroutines: roots.iter().map(woken).collect(),
            objects: things,
            immortal: immortal.iter().map(|is| *is != Immortal::No).collect(),
            for_itself: immortal.iter().map(|is| *is == Immortal::ForItself).collect(),
            roots,
            by_root,
            gaps: self.gaps_of_references(),
            rounds,
            took: began.elapsed(),
        }
    }

    /// What a root is to the reckoning; `waits` has those of goroutines that only what they wait for can
    /// wake.
    fn start(&self, root: RootId, waits: &FxHashMap<RootId, u32>) -> Start {
        match self.holders.kind_of(root) {
            RootKind::Goroutine if waits.contains_key(&root) => Start::Woken,
            RootKind::Runtime if self.holders.is_weak(root) => Start::Never,
            RootKind::Global if !self.holders.name_of(root).is_some_and(|name| name.starts_with(SIGNALS)) => {
                Start::Variable
            }
            RootKind::Goroutine | RootKind::Runtime | RootKind::Finalizer | RootKind::Global => Start::Runs,
        }
    }

    /// Where something that is waited for stands.
    fn place(&self, object: &Awaited) -> Place {
        let layout = self.graph.layout();
        let slot = layout.object_at(object.at.0);
        // What does not stand together is not what it was taken for.
        let together = object.inner.is_null() || layout.object_at(object.inner.0) == slot;
        match slot {
            _ if matches!(object.what, What::Descriptor(_)) || !together => Place::Outside,
            Some(_) if self.is_shared(object) => Place::Shared,
            Some(slot) => Place::Slot(slot),
            None => {
                let stacks = &self.holders.awaited_on_stacks;
                match stacks.iter().find(|(stack, _)| stack.contains(object.at)) {
                    Some((_, root)) => Place::Stack(*root),
                    None if self.runtime.module.variables.contains(object.at) => Place::Variable,
                    None => Place::Outside,
                }
            }
        }
    }

    /// Whether it is a mutex that may share its slot with others, and all pointers to there are known.
    fn is_shared(&self, object: &Awaited) -> bool {
        let all = !self.awaited.pointed.is_full && !self.holders.pointed.is_full;
        all && matches!(object.what, What::Mutex(_)) && is_tiny(&self.objects, object.at)
    }

    /// Objects that timers which are set lead to: of those that send on channels, and of others what they
    /// call, and with what.
    fn timers(&self, waiting: &Waiting) -> (Vec<ObjectId>, Vec<(ObjectId, By)>) {
        let layout = self.graph.layout();
        let (senders, others): (Vec<&PendingTimer>, Vec<_>) = waiting.timers.iter().partition(|t| t.sends);
        let senders = senders.into_iter().flat_map(|t| [t.at, t.arg]);
        let others = others.into_iter().flat_map(|t| [t.at, t.closure, t.arg]);
        (
            senders.filter_map(|at| layout.object_at(at.0)).collect(),
            others.filter_map(|at| Some((layout.object_at(at.0)?, By::Timer))).collect(),
        )
    }

    /// Who may own the mutexes in shared slots.
    fn add_owners(&self, scene: &mut Scene<'_>, waiting: &Waiting) {
        let mut in_slot: FxHashMap<ObjectId, Vec<(u32, Addr)>> = FxHashMap::default();
        let things = (0u32..).zip(&waiting.objects).zip(&scene.places);
        for ((thing, object), _) in things.filter(|(_, place)| **place == Place::Shared) {
            if let Some(slot) = self.graph.layout().object_at(object.at.0) {
                in_slot.entry(slot).or_default().push((thing, object.at));
            }
        }
        if in_slot.is_empty() {
            return;
        }
        let mutexes = |to: Addr| self.graph.layout().object_at(to.0).and_then(|slot| in_slot.get(&slot));
        for to in &self.holders.of_schedulers {
            let owned = mutexes(*to).into_iter().flatten().filter(|(_, mutex)| may_own(*mutex, *to) != Owns::Never);
            scene.things_at_once.extend(owned.map(|(thing, _)| (*thing, By::Scheduler)));
        }
        // A weak pointer is had as a whole, whatever its value.
        for (handle, of) in &self.holders.weak {
            let things = in_slot.get(of).into_iter().flatten().map(|(thing, _)| *thing);
            scene.owned_by_object.entry(*handle).or_default().extend(things);
        }
        let mut types = TypeReader::new(self.runtime, self.memory);
        for ((from, offset), to) in &self.awaited.pointed.all {
            for (thing, mutex) in mutexes(*to).into_iter().flatten() {
                let pointee = self.tiny_pointee(*from, *offset, &mut types);
                if may_own(*mutex, *to) != Owns::Never && reaches(*mutex, *to, pointee) {
                    scene.owned_by_object.entry(*from).or_default().push(*thing);
                }
            }
        }
        for ((root, place), to) in &self.holders.pointed.all {
            for (thing, mutex) in mutexes(*to).into_iter().flatten() {
                let pointee = self.tiny_pointee_of_variable(*root, *place, &mut types);
                if may_own(*mutex, *to) != Owns::Never && reaches(*mutex, *to, pointee) {
                    scene.owned_by_root.entry(*root).or_default().push(*thing);
                }
            }
        }
    }

    /// Bytes of what a pointer of an object leads to by its type, where that is smaller than a slot of tiny
    /// objects.
    pub(super) fn tiny_pointee(&self, from: ObjectId, offset: u64, types: &mut TypeReader<'_>) -> Option<u64> {
        let slot = self.graph.layout().address(from)?;
        let start = self.start_of_value(slot);
        let offset = offset.checked_sub(start - slot)?;
        let (ObjectType::Value(of) | ObjectType::Values(of), _) = self.type_of(from)? else { return None };
        let word = types.word_at(of, offset)?;
        self.tiny_pointee_of_word(word, Addr(start).plus(offset), types)
    }

    /// The same of a pointer in a package variable of which debug information has the type.
    pub(super) fn tiny_pointee_of_variable(
        &self,
        root: RootId,
        place: RootPlace,
        types: &mut TypeReader<'_>,
    ) -> Option<u64> {
        let (RootPlace::Variable(at), stand) = (place, self.holders.stand(root)?) else { return None };
        let declared = self.types.declared.get(&stand.variable).filter(|_| !stand.behind)?;
        let word = types.word_at(*declared, at.0.checked_sub(stand.variable.0)?)?;
        self.tiny_pointee_of_word(word, at, types)
    }

    /// The same of the pointer at an address. Interfaces name the type of what they hold in the word before,
    /// strings their length behind (a `flag.Flag` that shares a slot with a mutex kept its goroutine from
    /// being proved leaked: lab/causes, tiny-locks with Go 1.21 and 1.22).
    fn tiny_pointee_of_word(&self, word: Word, at: Addr, types: &mut TypeReader<'_>) -> Option<u64> {
        let size = match word {
            Word::Pointer(of) => types.get(of)?.size,
            Word::String => self.memory.u64(at.plus(8)).ok()?,
            Word::Interface { table } => {
                let first = self.memory.ptr(Addr(at.0.checked_sub(8)?)).ok()?;
                let of = if table { types.of_itab(first)? } else { types.get(first)? };
                match (of.direct_iface, types.word_at(of.at, 0)) {
                    (false, _) => of.size,
                    (true, Some(Word::Pointer(of))) => types.get(of)?.size,
                    (true, _) => return None,
                }
            }
            _ => return None,
        };
        (1..16).contains(&size).then_some(size)
    }

    /// Which goroutines their own timer wakes for ever.
    fn immortal(
        &self,
        scene: &Scene<'_>,
        waiting: &Waiting,
        roots: &[Option<RootId>],
        start: &impl Fn(RootId) -> Start,
    ) -> Vec<Immortal> {
        let timer = |object: u32| match waiting.objects.get(object as usize).map(|o| &o.what) {
            Some(What::Channel(channel)) => channel.timer,
            _ => None,
        };
        let (mut of, mut timed) = (Vec::new(), Vec::new());
        for (index, (g, root)) in waiting.goroutines.iter().zip(roots).enumerate() {
            let all: Vec<u32> = g.cases.iter().filter_map(|case| case.object).collect();
            let (timers, ways_out): (Vec<u32>, Vec<u32>) = all.into_iter().partition(|o| timer(*o).is_some());
            // Whose timer has just sent was taken out of the queue of that alone.
            let fired = !g.is_queued
                && g.cases.iter().all(|case| match case.object {
                    Some(object) if timer(object).is_some() => true,
                    _ => case.operation != Operation::SendOrReceive,
                });
            let is_woken = is_woken_by_others(g) || !g.is_queued && !fired;
            let ticks = timers.iter().all(|o| timer(*o).is_some_and(|t| t.period_ns > 0));
            let is_candidate = !timers.is_empty() && (!ways_out.is_empty() || ticks);
            if let Some(root) = root.filter(|_| is_candidate && !is_woken) {
                of.push(index);
                let own = self.graph.layout().object_at(g.at.0);
                timed.push(Timed { root, own, timers, ways_out, fired });
            }
        }
        let mut out = vec![Immortal::No; waiting.goroutines.len()];
        if timed.is_empty() {
            return out;
        }
        for (index, is) in of.into_iter().zip(immortal(scene, &timed, start, |object| timer(object).is_some())) {
            if let Some(out) = out.get_mut(index) {
                *out = is;
            }
        }
        out
    }

    /// References that may be missing.
    fn gaps_of_references(&self) -> Vec<String> {
        let mut out = self.roots_not_read();
        if self.graph.refused().objects > 0 {
            out.push("pointers of objects that came out of order".into());
        }
        if self.graph.refused().too_many > 0 {
            out.push("pointers for which there was no room".into());
        }
        out
    }

    /// The goroutine that a root is among [`Waiting::goroutines`], and whether it can run.
    pub(super) fn can_run(&self, liveness: &Liveness, root: RootId) -> bool {
        let woken = liveness.by_root.get(&root).and_then(|index| liveness.goroutines.get(*index));
        woken.is_none_or(|(reached, _)| *reached == Reached::ByRunning)
    }

    /// Bytes that would be garbage without a goroutine alone, by its index among [`Waiting::goroutines`].
    #[must_use]
    pub fn retained_by(&self, liveness: &Liveness, goroutine: usize) -> Option<u64> {
        let root = (*liveness.roots.get(goroutine)?)?;
        self.dominators.retained(&self.graph, Holder::Root(root)).map(|r| r.bytes)
    }

    /// Whether a way through the heap may begin at a root, for who asks by which way something is reached: a
    /// variable, or what can run.
    #[must_use]
    pub fn leads(&self, liveness: &Liveness, root: RootId) -> bool {
        self.holders.kind_of(root) != RootKind::Goroutine || self.can_run(liveness, root)
    }
}
