//! What waits on what in memory that was made by hand, sane and hostile.

use lastgasp_inferior::{Addr, Memory, ReadError, Snapshot};

use super::Operation;
use super::found::{Waiting, What};
use super::gather::waiting;
use super::sudogs::Sudog;
use super::{in_stacks, locks, semaphores, timers};
use crate::binary::pclntab::Symbolizer;
use crate::evidence::Fixture;
use crate::gap::Gap;
use crate::goroutine::g::RawG;
use crate::layout::{self, Layout};
use crate::runtime::Runtime;

/// Where goroutines, stacks, `sudog`s and objects stand.
const GS: u64 = 0xc0_0000_0000;
const STACKS: u64 = 0xc0_0100_0000;
const SUDOGS: u64 = 0xc0_0200_0000;
const OBJECTS: u64 = 0xc0_0300_0000;
const STACK: u64 = 2048;
const USED: u64 = 1024;

/// A process that is being made.
struct World {
    runtime: Runtime,
    mem: Snapshot,
    goroutines: Vec<u64>,
}

impl World {
    fn new(minor: u16) -> Self {
        let f = Fixture::many(1);
        let layout = layout::for_minor(minor).unwrap();
        Self { runtime: Runtime { layout, ..f.runtime.clone() }, mem: Snapshot::default(), goroutines: Vec::new() }
    }

    fn layout(&self) -> &'static Layout {
        self.runtime.layout
    }

    /// A structure of `len` bytes with these words.
    fn put(&mut self, at: u64, len: u64, words: &[(u64, u64)]) {
        let mut bytes = vec![0; len as usize];
        for (offset, word) in words {
            bytes[*offset as usize..*offset as usize + 8].copy_from_slice(&word.to_le_bytes());
        }
        self.mem.insert(Addr(at), &bytes);
    }

    /// A goroutine that waits; gives where its `g` stands.
    fn goroutine(&mut self, reason: &str, waiting: u64, stack: &[u64]) -> u64 {
        let l = &self.layout().g;
        let number = self.goroutines.len() as u64;
        let (at, low) = (GS + number * 0x400, STACKS + number * STACK);
        let reason = self.layout().wait_reasons.iter().position(|r| *r == reason).unwrap() as u64;
        let words = [
            (l.stack_lo, low),
            (l.stack_hi, low + STACK),
            (l.sched_sp, low + STACK - USED),
            (l.atomicstatus, 4),
            (l.goid, number + 1),
            (l.waitreason, reason),
            (l.waiting, waiting),
        ];
        self.put(at, l.sizeof, &words);
        let stack: Vec<(u64, u64)> = stack.iter().enumerate().map(|(i, w)| (i as u64 * 24, *w)).collect();
        self.put(low + STACK - USED, USED, &stack);
        self.goroutines.push(at);
        at
    }

    fn sudog(&mut self, at: u64, of: Sudog) {
        let l = &self.layout().sudog;
        let words = [
            (l.g, of.g.0),
            (l.next, of.next.0),
            (l.prev, of.prev.0),
            (l.elem_traced.unwrap_or(l.elem), of.elem.0),
            (l.c_traced.unwrap_or(l.c), of.channel.0),
            (l.waitlink, of.waitlink.0),
        ];
        self.put(at, l.sizeof, &words);
    }

    fn channel(&mut self, at: u64, (len, cap): (u64, u64), receivers: u64, senders: u64) {
        let l = &self.layout().hchan;
        let words = [(l.qcount, len), (l.dataqsiz, cap), (l.elemsize, 8), (l.recvq, receivers), (l.sendq, senders)];
        self.put(at, l.sizeof, &words);
    }

    fn waiting(&mut self) -> (Waiting, Vec<Gap>) {
        let array = GS - 0x10_0000;
        let pointers: Vec<u8> = self.goroutines.iter().flat_map(|g| g.to_le_bytes()).collect();
        self.mem.insert(Addr(array), &pointers);
        let (globals, count) = (self.runtime.globals, self.goroutines.len() as u64);
        self.mem.insert(globals.allglen, &count.to_le_bytes());
        self.mem.insert(globals.allgptr, &array.to_le_bytes());
        self.mem.seal();
        let mut gaps = Vec::new();
        let symbols = Symbolizer::new(&self.mem, &self.runtime.module, self.runtime.layout);
        let found = waiting(&self.runtime, &self.mem, &symbols, &[], &mut gaps);
        // There is no code in it.
        gaps.retain(|g| !g.why.contains("was not found, or names other variables"));
        (found, gaps)
    }
}

fn operations(w: &Waiting, goroutine: usize) -> Vec<Operation> {
    w.goroutines[goroutine].cases.iter().map(|c| c.operation).collect()
}

fn of_channel(g: u64, channel: u64, prev: u64, next: u64) -> Sudog {
    Sudog { g: Addr(g), channel: Addr(channel), prev: Addr(prev), next: Addr(next), ..Sudog::default() }
}

#[test]
fn each_case_of_a_select_by_its_queue() {
    for minor in [19, 22, 24, 26, 27] {
        let mut w = World::new(minor);
        let (a, b) = (OBJECTS, OBJECTS + 512);
        let receiver = w.goroutine("chan receive", SUDOGS, &[]);
        let select = w.goroutine("select", SUDOGS + 512, &[]);
        w.goroutine("select (no cases)", 0, &[]);
        w.goroutine("chan send (nil chan)", 0, &[]);
        // A runnable one that another case has woken stands in the queue still.
        w.sudog(SUDOGS, of_channel(receiver, a, 0, SUDOGS + 512));
        let first = of_channel(select, a, SUDOGS, SUDOGS + 2048);
        w.sudog(SUDOGS + 512, Sudog { waitlink: Addr(SUDOGS + 1024), ..first });
        w.sudog(SUDOGS + 1024, of_channel(select, b, 0, 0));
        w.sudog(SUDOGS + 2048, of_channel(0xc0_ffff_0000, a, SUDOGS + 512, 0));
        w.channel(a, (0, 3), SUDOGS, 0);
        w.channel(b, (2, 2), 0, SUDOGS + 1024);
        let (found, gaps) = w.waiting();
        assert_eq!(gaps, [], "Go 1.{minor}");
        assert_eq!(operations(&found, 0), [Operation::Receive]);
        assert_eq!(operations(&found, 1), [Operation::Receive, Operation::Send], "Go 1.{minor}");
        assert_eq!(
            (operations(&found, 2), operations(&found, 3)),
            (vec![Operation::NoCases], vec![Operation::SendNil])
        );
        let channel = |i: usize| match &found.objects[i].what {
            What::Channel(c) => (found.objects[i].at.0, c.len, c.cap, c.receivers, c.senders),
            other => panic!("{other:?}"),
        };
        assert_eq!([channel(0), channel(1)], [(a, 0, 3, 2, 0), (b, 2, 2, 0, 1)]);
        assert_eq!((found.objects[0].waiters, found.objects[1].waiters), (2, 1));
    }
}

#[test]
fn queues_and_lists_that_go_astray() {
    let mut w = World::new(26);
    // A circle of cases; another's `sudog`; one that cannot be read; a channel that is none; one that is
    // gone.
    let circle = w.goroutine("select", SUDOGS, &[]);
    w.goroutine("chan receive", SUDOGS, &[]);
    w.goroutine("chan receive", 0x1000, &[]);
    let none = w.goroutine("chan send", SUDOGS + 512, &[]);
    let gone = w.goroutine("chan send", SUDOGS + 1024, &[]);
    let round = w.goroutine("chan receive", SUDOGS + 1536, &[]);
    w.sudog(SUDOGS, Sudog { waitlink: Addr(SUDOGS), ..of_channel(circle, OBJECTS, 0, 0) });
    w.sudog(SUDOGS + 512, of_channel(none, OBJECTS + 512, 0, 0));
    w.sudog(SUDOGS + 1024, of_channel(gone, 0x9000, 0, 0));
    w.sudog(SUDOGS + 1536, of_channel(round, OBJECTS + 1024, 0, SUDOGS + 1536));
    w.channel(OBJECTS, (0, 0), SUDOGS + 4096, SUDOGS + 512);
    w.channel(OBJECTS + 512, (9, 3), 0, 0);
    w.channel(OBJECTS + 1024, (0, 0), SUDOGS + 1536, u64::MAX);
    let (found, gaps) = w.waiting();
    assert_eq!(operations(&found, 0), [Operation::SendOrReceive], "in no queue of it");
    assert_eq!(operations(&found, 1), [Operation::Receive]);
    assert_eq!(found.goroutines[1].cases[0].object, None);
    let object = |g: usize| &found.objects[found.goroutines[g].cases[0].object.unwrap() as usize];
    for g in [3, 4] {
        let What::Channel(c) = &object(g).what else { panic!() };
        assert!(!c.is_read && c.cap == 0, "{c:?}");
    }
    let What::Channel(c) = &object(5).what else { panic!() };
    assert_eq!((c.receivers, c.senders), (1, 0));
    assert!(found.unsure.iter().any(|u| u.starts_with("3 lists")), "{:?}", found.unsure);
    let said: Vec<&str> = gaps.iter().map(|g| g.why.as_str()).collect();
    for want in [
        "3 lists of what goroutines wait for do not end where they should",
        "2 channels could not be read",
        "queues of channels lead to what does not wait there",
        "2 goroutines wait for channels that were not found",
    ] {
        assert!(said.iter().any(|s| s.contains(want)), "{want}: {said:?}");
    }
}

#[test]
fn the_table_of_semaphores() {
    for minor in [19, 25, 27] {
        let mut w = World::new(minor);
        let (table, root) = (OBJECTS, w.layout().sema_root.treap);
        let slot = |semaphore: u64| table + (semaphore >> 3) % 251 * 64 + root;
        for i in 0..251 {
            w.mem.insert(Addr(table + i * 64 + root), &[0; 8]);
        }
        // Three semaphores of one slot as a tree, two wait for the first.
        let [one, less, more] = [0xc0_0400_0004, 0xc0_0400_0004 - 251 * 8, 0xc0_0400_0004 + 251 * 8];
        let at = |i: u64| SUDOGS + i * 512;
        let semaphore = |g: u64, elem: u64| Sudog { g: Addr(g), elem: Addr(elem), ..Sudog::default() };
        let links = |prev, next, waitlink| (Addr(prev), Addr(next), Addr(waitlink));
        let put = |w: &mut World, i: u64, s: Sudog, (prev, next, waitlink): (Addr, Addr, Addr)| {
            w.sudog(at(i), Sudog { prev, next, waitlink, ..s });
        };
        put(&mut w, 0, semaphore(1, one), links(at(1), at(2), at(3)));
        put(&mut w, 1, semaphore(2, less), links(0, 0, 0));
        put(&mut w, 3, semaphore(4, one), links(0, 0, 0));
        // A circle in the tree, and one in a list.
        put(&mut w, 2, semaphore(3, more), links(at(0), 0, at(4)));
        put(&mut w, 4, semaphore(5, more), links(0, 0, at(4)));
        w.mem.insert(Addr(slot(one)), &at(0).to_le_bytes());
        // One that belongs elsewhere, one in whose list another semaphore's stands, one of a channel.
        put(&mut w, 5, semaphore(6, one), links(0, 0, 0));
        w.mem.insert(Addr(slot(one + 8)), &at(5).to_le_bytes());
        put(&mut w, 6, semaphore(7, one + 16), links(0, 0, at(3)));
        w.mem.insert(Addr(slot(one + 16)), &at(6).to_le_bytes());
        put(&mut w, 7, Sudog { channel: Addr(8), ..semaphore(8, one + 24) }, links(0, 0, 0));
        w.mem.insert(Addr(slot(one + 24)), &at(7).to_le_bytes());
        w.mem.insert(Addr(slot(one + 32)), &u64::MAX.to_le_bytes());
        w.mem.seal();
        let found = semaphores::read(&w.runtime, &w.mem, Addr(table));
        let mut of: Vec<(u64, u64)> = found.of.iter().map(|(g, s)| (g.0, s.0)).collect();
        of.sort_unstable();
        let want = [(1, one), (2, less), (3, more), (4, one), (5, more), (7, one + 16)];
        assert_eq!((of.as_slice(), found.broken), (&want[..], 6), "Go 1.{minor}");
        let nothing = semaphores::read(&w.runtime, &w.mem, Addr(0x5000));
        assert_eq!((nothing.of.len(), nothing.broken), (0, 251));
    }
}

#[test]
fn words_of_locks() {
    for minor in 19..=27 {
        let mut w = World::new(minor);
        let l = w.layout();
        let half = |n: i32| n.to_le_bytes();
        let word = |w: &mut World, at: u64, n: i32| w.mem.insert(Addr(at), &half(n));
        word(&mut w, OBJECTS + l.mutex.state.unwrap(), 5 << 3 | 1);
        // Three readers hold it, no writer; two hold it, a writer waits and four more readers; a writer holds
        // it.
        for (at, count, leaving) in [(64, 3, 0), (128, 6 - (1 << 30), 2), (192, 1 - (1 << 30), 0)] {
            let mut bytes = [0; 24];
            bytes[l.rw_mutex.reader_count.unwrap() as usize..][..4].copy_from_slice(&half(count));
            bytes[l.rw_mutex.reader_wait.unwrap() as usize..][..4].copy_from_slice(&half(leaving));
            w.mem.insert(Addr(OBJECTS + at), &bytes);
        }
        let state = 17u64 << 32 | 3 | if minor >= 25 { 1 << 31 } else { 0 };
        w.mem.insert(Addr(OBJECTS + 256 + l.wait_group.state.unwrap()), &state.to_le_bytes());
        let broken = u64::MAX << 32;
        w.mem.insert(Addr(OBJECTS + 320 + l.wait_group.state.unwrap()), &broken.to_le_bytes());
        w.mem.seal();
        let read = |at: u64, sema: Option<u64>, reason| {
            let semaphore = Addr(OBJECTS + at + sema.unwrap());
            let lock = locks::identify(&w.runtime, semaphore, Some(reason), None);
            assert_eq!((lock.at, lock.operation), (Addr(OBJECTS + at), reason), "Go 1.{minor}");
            locks::state(&w.runtime, &w.mem, &lock)
        };
        let What::Mutex(Some(m)) = read(0, l.mutex.sema, Operation::Lock) else { panic!("Go 1.{minor}") };
        assert_eq!((m.locked, m.waiters), (true, 5));
        for (at, reason, sema, want) in [
            (64, Operation::WriteLock, l.rw_mutex.writer_sem, (3, 0, false)),
            (128, Operation::ReadLock, l.rw_mutex.reader_sem, (2, 4, true)),
            (192, Operation::ReadLock, l.rw_mutex.reader_sem, (0, 1, true)),
        ] {
            let What::RwMutex(Some(m)) = read(at, sema, reason) else { panic!("Go 1.{minor}") };
            assert_eq!((m.readers, m.waiting_readers, m.writer), want, "Go 1.{minor} {at}");
        }
        for (at, want) in [(256, (17, 3)), (320, (-1, 0))] {
            let What::WaitGroup(Some(g)) = read(at, l.wait_group.sema, Operation::WaitGroup) else { panic!() };
            assert_eq!((g.missing, g.waiters), want, "Go 1.{minor} {at}");
        }
        let What::Mutex(None) = read(4096, l.mutex.sema, Operation::Lock) else { panic!("Go 1.{minor}") };
        // An address before which nothing stands; a reason that says nothing.
        let semaphore = locks::identify(&w.runtime, Addr(0), Some(Operation::WaitGroup), None);
        assert_eq!(semaphore.operation, Operation::Semaphore);
        assert_eq!(locks::identify(&w.runtime, Addr(8), None, None).operation, Operation::Semaphore);
    }
}

#[test]
fn conditions_by_the_stack_and_by_the_list() {
    for minor in [19, 25, 26, 27] {
        let mut w = World::new(minor);
        let l = &w.layout().cond;
        let (notify, checker, head) = (l.notify.unwrap(), l.checker.unwrap(), l.head.unwrap());
        let (good, copied) = (OBJECTS, OBJECTS + 512);
        let itself = minor >= 26;
        let list = if itself { SUDOGS } else { 0 };
        let g = w.goroutine("sync.Cond.Wait", list, &[copied, SUDOGS, good]);
        w.goroutine("sync.Cond.Wait", 0, &[good]);
        let elem = Addr(if itself { good + notify } else { 0 });
        w.sudog(SUDOGS, Sudog { g: Addr(g), elem, next: Addr(SUDOGS), ..Sudog::default() });
        w.put(good, 64, &[(notify + head, SUDOGS), (checker, good + checker)]);
        // Its last word is another's: it was copied, or is none.
        w.put(copied, 64, &[(notify + head, SUDOGS), (checker, good + checker)]);
        let (found, gaps) = w.waiting();
        let at: Vec<Option<u64>> =
            found.goroutines.iter().map(|g| g.cases[0].object.map(|o| found.objects[o as usize].at.0)).collect();
        assert_eq!(at, [Some(good), None], "Go 1.{minor}");
        assert!(gaps.iter().any(|g| g.why.starts_with("1 goroutines wait for conditions")), "{gaps:?}");
    }
}

#[test]
fn descriptors_both_ways() {
    for minor in [19, 23, 27] {
        let mut w = World::new(minor);
        let l = &w.layout().poll_desc;
        let (at, moved) = (OBJECTS, OBJECTS + 512);
        let reader = w.goroutine("IO wait", 0, &[moved, at]);
        let writer = w.goroutine("IO wait", 0, &[at]);
        w.goroutine("IO wait", 0, &[at]);
        let overdue = (-1i64).cast_unsigned();
        let words = [(l.self_, at), (l.fd, 7), (l.rg, reader), (l.wg, writer), (l.rd, 0), (l.wd, overdue)];
        w.put(at, l.sizeof, &words);
        w.put(moved, l.sizeof, &[(l.self_, at), (l.rg, reader), (l.rd, 5)]);
        let (found, gaps) = w.waiting();
        let of = |i: usize| match &found.objects[i].what {
            What::Descriptor(d) => (found.objects[i].at.0, d.fd, d.write, d.deadline_ns, d.is_over),
            other => panic!("{other:?}"),
        };
        assert_eq!([of(0), of(1)], [(at, 7, false, None, false), (at, 7, true, None, true)], "Go 1.{minor}");
        assert_eq!([operations(&found, 0), operations(&found, 2)], [[Operation::Read], [Operation::ReadOrWrite]]);
        assert_eq!(gaps.len(), 1, "{gaps:?}");
    }
}

#[test]
fn timers_of_both_kinds_of_heap() {
    for minor in [19, 22, 23, 25, 27] {
        let mut w = World::new(minor);
        let (p, t) = (&w.layout().p_timers, &w.layout().timer);
        let (allp, list, processor, heap, first) = (OBJECTS, OBJECTS + 64, OBJECTS + 0x1_0000, OBJECTS + 256, SUDOGS);
        let size = p.entry_sizeof.unwrap_or(8);
        w.put(allp, 16, &[(0, list), (8, 2)]);
        w.put(list, 16, &[(0, processor)]);
        w.put(processor + p.timers + p.heap.unwrap_or(0), 24, &[(0, heap), (8, 4), (16, 8)]);
        let entries: Vec<(u64, u64)> =
            (0..4).map(|i| (i * size + p.entry_timer.unwrap_or(0), first + i * 512)).collect();
        w.put(heap, 4 * size, &entries);
        let owner = if p.heap.is_some() { processor + p.timers } else { processor };
        // Set; stopped; moved, up to Go 1.22; of another heap.
        let (set, stopped) = if p.heap.is_some() { (5, 5) } else { (1, 3) };
        let when = |w: u64| if p.heap.is_some() { w } else { 9 };
        for (i, status, at, owner) in
            [(0, set, 100, owner), (1, stopped, when(0), owner), (2, 7, 300, owner), (3, set, 400, owner + 8)]
        {
            let mut words =
                vec![(t.when, at), (t.period, i), (t.arg + 8, 0x7000 + i), (t.owner, owner), (t.status, status)];
            words.extend(t.next_when.map(|next| (next, 500)));
            words.sort_unstable();
            w.put(first + i * 512, timers::extent(&w.runtime) as u64, &words);
        }
        w.mem.seal();
        let symbols = Symbolizer::new(&w.mem, &w.runtime.module, w.runtime.layout);
        let read = |allp| timers::Timers::read(&w.runtime, &w.mem, &symbols, allp);
        let (found, why) = read(Ok(Addr(allp)));
        let got: Vec<(i64, u64)> = found.all.iter().map(|t| (t.when_ns, t.arg.0)).collect();
        let moved = if p.heap.is_some() { 300 } else { 500 };
        assert_eq!(got, [(100, 0x7000), (moved, 0x7002)], "Go 1.{minor}");
        assert_eq!(why.unwrap(), "1 timers do not name the heap that they are in");
        for nowhere in [0x5000, u64::MAX - 4, list] {
            let (found, why) = read(Ok(Addr(nowhere)));
            assert!(found.all.is_empty() && why.is_some(), "{nowhere:#x}");
        }
    }
}

/// Memory that answers every read with what looks like pointers into itself.
struct Noise(std::cell::Cell<u64>);

impl Memory for Noise {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let mut state = self.0.get() ^ addr.0;
        for chunk in buf.chunks_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let word = match state >> 61 {
                0 => state,
                1 => state >> 60,
                2 => addr.0,
                _ => GS + (state >> 40 & 0xff_fff8),
            };
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
        self.0.set(state);
        Ok(())
    }
}

/// Whatever stands there, it ends and does not panic.
#[test]
fn noise() {
    for minor in 19..=27 {
        let w = World::new(minor);
        let rt = &w.runtime;
        for seed in 0..20 {
            let mem = Noise(std::cell::Cell::new(seed));
            let symbols = Symbolizer::new(&mem, &rt.module, rt.layout);
            semaphores::read(rt, &mem, Addr(OBJECTS));
            timers::Timers::read(rt, &mem, &symbols, Ok(Addr(OBJECTS)));
            let bytes = mem.bytes(Addr(GS), rt.layout.g.sizeof as usize, 1 << 12).unwrap();
            let raw: Vec<(u32, Addr, RawG)> =
                RawG::parse(rt, &bytes).map(|raw| (0, Addr(GS), raw)).into_iter().collect();
            in_stacks::semaphores(rt, &mem, &raw);
            in_stacks::conditions(rt, &mem, &raw);
            in_stacks::descriptors(rt, &mem, &raw, |_, _, _, _| {});
            drop(waiting(rt, &mem, &symbols, &[], &mut Vec::new()));
        }
    }
}
