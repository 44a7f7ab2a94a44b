//! All of it together: from goroutines to what they wait for.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::{FxHashMap, FxHashSet};

use super::channels::{self, Channels, Side};
use super::found::{Awaited, Blocked, Case, PollState, Waiting, What};
use super::lock_sites::LockSites;
use super::locks::{self, Lock, LockKind};
use super::read_many::{each, half, word};
use super::sudogs::{Lists, lists};
use super::timers::{self, Timers};
use super::{in_stacks, semaphores};
use crate::binary::pclntab::Symbolizer;
use crate::gap::Gap;
use crate::goroutine::g::{RawG, distinct, pointers};
use crate::goroutine::wait_reason::{Operation, Reason};
use crate::goroutine::{Goroutine, Status};
use crate::named_in_code::Operand::{FirstAddress, Nth};
use crate::named_in_code::all_agreed;
use crate::runtime::Runtime;

/// What the gaps are of.
const WHAT: &str = "waits";

/// What goroutines wait for, by what it is and where it stands: of a descriptor the direction too.
type Key = (u8, Addr, bool);

/// What is being put together.
struct Gathered<'a> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    /// Goroutines as they were decoded, by number.
    decoded: FxHashMap<u64, &'a Goroutine>,
    goroutines: Vec<Blocked>,
    raw: Vec<RawG>,
    reasons: Vec<Reason>,
    objects: Vec<Awaited>,
    index: FxHashMap<Key, u32>,
    unsure: Vec<String>,
}

/// What the goroutines wait for. `goroutines` are those decoded of the same moment: their calls say what kind
/// of lock it is where the runtime's reason does not.
#[must_use]
pub fn waiting(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    goroutines: &[Goroutine],
    gaps: &mut Vec<Gap>,
) -> Waiting {
    let mut all = Gathered {
        rt,
        mem,
        decoded: goroutines.iter().map(|g| (g.goid, g)).collect(),
        goroutines: Vec::new(),
        raw: Vec::new(),
        reasons: Vec::new(),
        objects: Vec::new(),
        index: FxHashMap::default(),
        unsure: Vec::new(),
    };
    all.read_goroutines(gaps);
    let [table, allp] = all_agreed(
        rt,
        symbols,
        [
            (("runtime.semrelease1", FirstAddress, 0), ("runtime.semacquire1", FirstAddress, 0)),
            (("runtime.gcMarkTinyAllocs", Nth(1), 0), ("runtime.preemptall", Nth(1), 0)),
        ],
    );
    let (timers, why) = Timers::read(rt, mem, symbols, allp);
    all.matters(why.map(|why| format!("not all timers are known: {why}")), gaps);
    let heads = (0u32..).zip(&all.goroutines).zip(&all.raw).map(|((i, g), raw)| (i, g.at, raw.waiting));
    let lists = lists(rt, mem, &heads.collect::<Vec<_>>());
    let broken = "lists of what goroutines wait for do not end where they should";
    all.matters((lists.broken > 0).then(|| format!("{} {broken}", lists.broken)), gaps);
    all.channels(&lists, &timers, gaps);
    all.semaphores(&lists, table, gaps);
    all.code_of_locks(symbols);
    all.conditions(&lists, gaps);
    all.descriptors(gaps);
    all.sleepers();
    all.count();
    all.sort();
    Waiting {
        goroutines: all.goroutines,
        objects: all.objects,
        timers: timers.all,
        timer_heaps: timers.heaps,
        unsure: all.unsure,
    }
}

/// Whether a goroutine waits for a descriptor: where none does, nothing need be asked of the kernel.
#[must_use]
pub fn waits_for_descriptors(rt: &Runtime, mem: &dyn Memory) -> bool {
    let all = pointers(rt, mem, &mut Vec::new()).1;
    let mut any = false;
    each(mem, &all, rt.layout.g.sizeof as usize, |_, bytes| {
        let waits = |raw: &RawG| matches!(raw.status(), Some(Status::Waiting | Status::Leaked));
        let reason = RawG::parse(rt, bytes).filter(waits).map(|raw| usize::from(raw.wait_reason));
        let text = reason.and_then(|r| rt.layout.wait_reasons.get(r));
        any |= text.is_some_and(|text| Reason::of(text) == Reason::Poll);
    });
    any
}

impl Gathered<'_> {
    fn tell(&self, what: &str, count: u64, gaps: &mut Vec<Gap>) {
        if count > 0 {
            gaps.push(Gap::new(WHAT, format!("{count} {what}")));
        }
    }

    /// A gap that could matter to who asks who can be woken.
    fn matters(&mut self, why: Option<String>, gaps: &mut Vec<Gap>) {
        if let Some(why) = why {
            self.unsure.push(why.clone());
            gaps.push(Gap::new(WHAT, why));
        }
    }

    /// Those that are blocked, each with what its reason alone says.
    fn read_goroutines(&mut self, gaps: &mut Vec<Gap>) {
        let rt = self.rt;
        // What is wrong with the list is said by whoever decodes it.
        let all = distinct(pointers(rt, self.mem, &mut Vec::new()).1, rt.layout.g.sizeof, &mut Vec::new());
        let (mut lost, mut read) = (0u64, 0);
        let mut found = Vec::new();
        each(self.mem, &all, rt.layout.g.sizeof as usize, |i, bytes| {
            read += 1;
            match (all.get(i), RawG::parse(rt, bytes)) {
                (Some(at), Some(raw)) => found.push((*at, raw)),
                _ => lost += 1,
            }
        });
        let lost = lost + (all.len() - read) as u64;
        self.matters((lost > 0).then(|| format!("{lost} goroutines could not be read")), gaps);
        for (at, raw) in found {
            let Some(status) = raw.status() else { continue };
            let (reason, text) = match status {
                Status::Waiting | Status::Leaked => {
                    let text = rt.layout.wait_reasons.get(usize::from(raw.wait_reason)).copied();
                    let text = text.unwrap_or("unknown wait reason");
                    (Reason::of(text), text)
                }
                Status::Syscall => (Reason::Alone(self.system_call(raw.goid)), ""),
                _ => continue,
            };
            let alone = match reason {
                Reason::Alone(operation) => Some(operation),
                Reason::Sleep => Some(Operation::Sleep),
                _ => None,
            };
            self.goroutines.push(Blocked {
                goid: raw.goid,
                at,
                status,
                reason: text,
                cases: alone.map(|operation| Case { operation, object: None }).into_iter().collect(),
                wakes_at_ns: None,
                wait_since_ns: raw.wait_since,
                in_bubble: !raw.bubble.is_null(),
                locks_above: Vec::new(),
                unlocks_since: Vec::new(),
                code_was_read: false,
                is_queued: true,
            });
            self.raw.push(raw);
            self.reasons.push(reason);
        }
    }

    /// Of one that is in a system call: whether that is one of C.
    fn system_call(&self, goid: u64) -> Operation {
        /// Calls between the runtime's innermost and `cgocall`.
        const NEAR: usize = 8;
        let calls = self.decoded.get(&goid).map(|g| g.stack.iter().take(NEAR));
        let is_c = calls.is_some_and(|mut calls| calls.any(|c| c.frame.function == "runtime.cgocall"));
        if is_c { Operation::C } else { Operation::SystemCall }
    }

    /// The goroutine as it was decoded, if it waits for the same still.
    fn as_decoded(&self, index: u32) -> Option<&Goroutine> {
        let blocked = self.goroutines.get(index as usize)?;
        self.decoded.get(&blocked.goid).copied().filter(|g| g.wait_reason == blocked.reason)
    }

    /// Index of an object, which is made where it is met for the first time.
    fn object(&mut self, key: Key, make: impl FnOnce() -> Awaited) -> u32 {
        let objects = &mut self.objects;
        *self.index.entry(key).or_insert_with(|| {
            objects.push(make());
            (objects.len() - 1) as u32
        })
    }

    /// One that was taken out of a queue.
    fn is_taken_out(&mut self, index: u32) {
        if let Some(g) = self.goroutines.get_mut(index as usize) {
            g.is_queued = false;
        }
    }

    fn add_case(&mut self, index: u32, operation: Operation, object: Option<u32>) {
        if let Some(g) = self.goroutines.get_mut(index as usize) {
            g.cases.push(Case { operation, object });
        }
    }

    /// Those of a kind, by index.
    fn of_kind(&self, is: impl Fn(&Reason) -> bool) -> Vec<u32> {
        (0u32..).zip(&self.reasons).filter(|(_, r)| is(r)).map(|(i, _)| i).collect()
    }

    fn channels(&mut self, lists: &Lists, timers: &Timers, gaps: &mut Vec<Gap>) {
        let found: Channels = channels::read(self.rt, self.mem, lists, timers);
        self.tell("channels could not be read", found.unread, gaps);
        self.tell("queues of channels lead to what does not wait there", found.broken, gaps);
        let mut lost = 0;
        for index in self.of_kind(|r| matches!(r, Reason::Channel(_) | Reason::Select)) {
            let sudogs = lists.of.get(&index).map_or(&[][..], Vec::as_slice);
            let known = self.reasons.get(index as usize).and_then(|r| match r {
                Reason::Channel(operation) => Some(*operation),
                _ => None,
            });
            let mut count = 0;
            for at in sudogs {
                let Some((_, sudog)) = lists.all.get(at).filter(|(_, s)| !s.channel.is_null()) else { continue };
                count += 1;
                if !found.sides.contains_key(at) {
                    self.is_taken_out(index);
                }
                let operation = known.unwrap_or(match found.sides.get(at) {
                    Some(Side::Receives) => Operation::Receive,
                    Some(Side::Sends) => Operation::Send,
                    None => Operation::SendOrReceive,
                });
                let channel = sudog.channel;
                let object = self.object((0, channel, false), || Awaited {
                    at: channel,
                    inner: Addr::default(),
                    what: What::Channel(found.all.get(&channel).cloned().unwrap_or_default()),
                    part_of: "",
                    waiters: 0,
                });
                self.add_case(index, operation, Some(object));
            }
            // Cases whose channel is nil have no `sudog`, and without any nothing wakes it: who wakes one
            // that has some leaves them to it until it runs.
            let is_all_nil = known.is_none() && self.raw.get(index as usize).is_some_and(|raw| raw.waiting.is_null());
            if is_all_nil {
                self.add_case(index, Operation::AllNil, None);
            } else if count == 0 {
                lost += 1;
                self.add_case(index, known.unwrap_or(Operation::SendOrReceive), None);
            }
        }
        self.tell("goroutines wait for channels that were not found", lost, gaps);
    }

    fn semaphores(&mut self, lists: &Lists, table: Result<Addr, String>, gaps: &mut Vec<Gap>) {
        let wanted = self.of_kind(|r| matches!(r, Reason::Semaphore(_)));
        if wanted.is_empty() {
            return;
        }
        // From Go 1.26 on they point there themselves.
        let mut found: FxHashMap<u32, Addr> = FxHashMap::default();
        for index in &wanted {
            let sudogs = lists.of.get(index).into_iter().flatten().filter_map(|at| lists.all.get(at));
            let own = sudogs.map(|(_, s)| s).find(|s| s.channel.is_null() && !s.elem.is_null());
            found.extend(own.map(|s| (*index, s.elem)));
        }
        if found.len() < wanted.len() {
            match table {
                Ok(table) => {
                    let all = semaphores::read(self.rt, self.mem, table);
                    self.tell("places in the table of semaphores make no sense", all.broken, gaps);
                    for index in wanted.iter().filter(|i| !found.contains_key(i)).copied().collect::<Vec<_>>() {
                        let at = self.goroutines.get(index as usize).map(|g| g.at);
                        found.extend(at.and_then(|at| all.of.get(&at)).map(|semaphore| (index, *semaphore)));
                    }
                }
                Err(why) => gaps.push(Gap::new(WHAT, format!("the table of semaphores was not found: {why}"))),
            }
        }
        let missing = self.stacks(wanted.iter().copied().filter(|i| !found.contains_key(i)));
        found.extend(in_stacks::semaphores(self.rt, self.mem, &missing));
        let mut lost = 0;
        for index in wanted {
            let reason = self.reasons.get(index as usize).and_then(|r| match r {
                Reason::Semaphore(operation) => *operation,
                _ => None,
            });
            let Some(semaphore) = found.get(&index).copied() else {
                lost += 1;
                self.add_case(index, reason.unwrap_or(Operation::Semaphore), None);
                continue;
            };
            let lock = locks::identify(self.rt, semaphore, reason, self.as_decoded(index));
            let object = self.lock(lock, semaphore);
            self.add_case(index, lock.operation, Some(object));
        }
        self.tell("goroutines wait for semaphores that were not found", lost, gaps);
    }

    /// What the code of those that wait for locks says.
    fn code_of_locks(&mut self, symbols: &Symbolizer<'_>) {
        let mut sites = LockSites::new(self.rt, self.mem, symbols);
        for g in &mut self.goroutines {
            let locks = [Operation::Lock, Operation::ReadLock, Operation::WriteLock];
            if !g.cases.iter().any(|case| locks.contains(&case.operation)) {
                continue;
            }
            if let Some(decoded) = self.decoded.get(&g.goid).filter(|d| d.wait_reason == g.reason) {
                let above = sites.above(&decoded.stack);
                (g.locks_above, g.unlocks_since, g.code_was_read) = (above.lock, above.unlock, above.is_read);
            }
        }
    }

    /// Index of a lock.
    fn lock(&mut self, lock: Lock, semaphore: Addr) -> u32 {
        let kind = match lock.kind {
            LockKind::Mutex => 1,
            LockKind::RwMutex => 2,
            LockKind::WaitGroup => 3,
            LockKind::Semaphore => 4,
        };
        let (rt, mem) = (self.rt, self.mem);
        let object = self.object((kind, lock.at, false), || Awaited {
            at: lock.at,
            inner: semaphore,
            what: locks::state(rt, mem, &lock),
            part_of: lock.part_of,
            waiters: 0,
        });
        // Some wait for it by another way.
        if let Some(known) = self.objects.get_mut(object as usize).filter(|o| o.part_of.is_empty()) {
            known.part_of = lock.part_of;
        }
        object
    }

    fn conditions(&mut self, lists: &Lists, gaps: &mut Vec<Gap>) {
        let wanted = self.of_kind(|r| matches!(r, Reason::Cond));
        let notify = self.rt.layout.cond.notify;
        let mut found: FxHashMap<u32, Addr> = FxHashMap::default();
        let mut waits: Vec<(u32, Addr)> = Vec::new();
        for index in &wanted {
            let sudogs = lists.of.get(index).into_iter().flatten().filter_map(|at| lists.all.get(at));
            let list = sudogs.map(|(_, s)| s.elem).find(|elem| !elem.is_null());
            waits.extend(list.map(|list| (*index, list)));
            let cond = list.zip(notify).and_then(|(list, notify)| list.0.checked_sub(notify));
            found.extend(cond.map(|cond| (*index, Addr(cond))));
        }
        let queued = in_stacks::notify_lists(self.rt, self.mem, waits.iter().map(|(_, list)| *list));
        for (index, list) in waits {
            let g = self.goroutines.get(index as usize).map(|g| g.at);
            if g.is_none_or(|g| !queued.contains(&(list, g))) {
                self.is_taken_out(index);
            }
        }
        let missing = self.stacks(wanted.iter().copied().filter(|i| !found.contains_key(i)));
        found.extend(in_stacks::conditions(self.rt, self.mem, &missing));
        let mut lost = 0;
        for index in wanted {
            let object = found.get(&index).copied().map(|at| {
                let inner = at.plus(notify.unwrap_or(0));
                let what = What::Cond;
                self.object((5, at, false), || Awaited { at, inner, what, part_of: "", waiters: 0 })
            });
            lost += u64::from(object.is_none());
            self.add_case(index, Operation::CondWait, object);
        }
        self.tell("goroutines wait for conditions that were not found", lost, gaps);
    }

    fn descriptors(&mut self, gaps: &mut Vec<Gap>) {
        let wanted = self.of_kind(|r| matches!(r, Reason::Poll));
        let stacks = self.stacks(wanted.iter().copied());
        let l = &self.rt.layout.poll_desc;
        let mut found = Vec::new();
        in_stacks::descriptors(self.rt, self.mem, &stacks, |index, g, at, bytes| {
            let write = word(bytes, l.rg) != g.0;
            let deadline = word(bytes, if write { l.wd } else { l.rd }).cast_signed();
            let state = PollState {
                fd: word(bytes, l.fd),
                write,
                deadline_ns: (deadline > 0).then_some(deadline),
                is_over: deadline < 0,
            };
            found.push((index, at, state));
        });
        let known: FxHashSet<u32> = found.iter().map(|(index, _, _)| *index).collect();
        for (index, at, state) in found {
            let what = What::Descriptor(state);
            let object = self.object((6, at, state.write), || Awaited {
                at,
                inner: Addr::default(),
                what,
                part_of: "",
                waiters: 0,
            });
            let operation = if state.write { Operation::Write } else { Operation::Read };
            self.add_case(index, operation, Some(object));
        }
        let missing: Vec<u32> = wanted.into_iter().filter(|i| !known.contains(i)).collect();
        self.tell("goroutines wait for descriptors that were not found", missing.len() as u64, gaps);
        for index in missing {
            self.add_case(index, Operation::ReadOrWrite, None);
        }
    }

    /// When those wake that sleep.
    fn sleepers(&mut self) {
        let wanted = self.of_kind(|r| matches!(r, Reason::Sleep));
        let l = &self.rt.layout;
        let raw = |i: &u32| self.raw.get(*i as usize).copied();
        let mut wakes: Vec<(u32, i64)> =
            wanted.iter().filter_map(|i| Some((*i, raw(i)?.sleep_when?))).filter(|(_, when)| *when > 0).collect();
        if l.g.sleep_when.is_none() {
            let timers: Vec<(u32, Addr)> =
                wanted.iter().filter_map(|i| Some((*i, raw(i)?.timer))).filter(|(_, at)| !at.is_null()).collect();
            let places: Vec<Addr> = timers.iter().map(|(_, at)| *at).collect();
            each(self.mem, &places, timers::extent(self.rt), |i, bytes| {
                // Its argument is the goroutine.
                let g = timers.get(i).and_then(|(index, _)| Some((*index, self.goroutines.get(*index as usize)?.at)));
                if let Some((index, _)) = g.filter(|(_, g)| word(bytes, l.timer.arg + 8) == g.0) {
                    // One that was given another time keeps the old one until its heap is looked at.
                    let moved = l.timer.next_when.filter(|_| [7, 8].contains(&half(bytes, l.timer.status)));
                    wakes.push((index, word(bytes, moved.unwrap_or(l.timer.when)).cast_signed()));
                }
            });
        }
        for (index, when) in wakes {
            if let Some(g) = self.goroutines.get_mut(index as usize) {
                g.wakes_at_ns = Some(when);
            }
        }
    }

    /// How many wait for each: a goroutine counts once.
    fn count(&mut self) {
        for g in &self.goroutines {
            let mut of: Vec<u32> = g.cases.iter().filter_map(|c| c.object).collect();
            of.sort_unstable();
            of.dedup();
            for object in of {
                if let Some(object) = self.objects.get_mut(object as usize) {
                    object.waiters += 1;
                }
            }
        }
    }

    /// Objects by address, and where two have one by the order in which they were met: a `Once` and its
    /// mutex.
    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.objects.len()).collect();
        order.sort_by_key(|i| self.objects.get(*i).map(|o| o.at));
        let mut place: Vec<u32> = vec![0; order.len()];
        for (to, from) in (0u32..).zip(&order) {
            if let Some(place) = place.get_mut(*from) {
                *place = to;
            }
        }
        let mut objects: Vec<(u32, Awaited)> = place.iter().copied().zip(std::mem::take(&mut self.objects)).collect();
        objects.sort_by_key(|(to, _)| *to);
        self.objects = objects.into_iter().map(|(_, object)| object).collect();
        for case in self.goroutines.iter_mut().flat_map(|g| &mut g.cases) {
            case.object = case.object.and_then(|o| place.get(o as usize)).copied();
        }
    }

    /// Goroutines with where their `g` stand, and their stacks.
    fn stacks(&self, of: impl Iterator<Item = u32>) -> Vec<(u32, Addr, RawG)> {
        of.filter_map(|i| Some((i, self.goroutines.get(i as usize)?.at, *self.raw.get(i as usize)?))).collect()
    }
}
