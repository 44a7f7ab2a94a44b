//! Verdicts on facts made by hand: each cause with what fires it, and its nearest rival. Live programs of
//! each are those of the lab.

use super::*;
use crate::diagnose::diagnose;
use crate::facts::{
    BlockedGoroutine, Call, Descriptor, Frame, Goroutine, GraphFacts, Kind, LockState, Place, Referrer, ReferrerPlace,
    Sample, Stack, Wait, WaitObject, WaitObjectKind, WaitOperation, WakeUp,
};
use crate::rival::Told;

/// Facts of blocked goroutines, built one by one.
#[derive(Default)]
struct Build {
    facts: Facts,
    blocked: BlockedGoroutines,
}

impl Build {
    fn frame(&mut self, function: &str) -> u32 {
        let frames = &mut self.facts.frames;
        let at = frames.iter().position(|f| f.function == function).unwrap_or_else(|| {
            frames.push(Frame { function: function.into(), file: "svc/main.go".into(), line: frames.len() as u32 + 1 });
            frames.len() - 1
        });
        at as u32
    }

    /// A goroutine with that stack, innermost first, that was started in `main.serve`.
    fn goroutine(&mut self, id: u64, reason: &str, stack: &[&str]) -> &mut Self {
        let calls: Vec<u32> = stack
            .iter()
            .map(|f| {
                let call = Call { frame: self.frame(f), ..Call::default() };
                let calls = &mut self.facts.goroutines.list.calls;
                calls.push(call);
                calls.len() as u32 - 1
            })
            .collect();
        let creator = self.frame("main.serve");
        let list = &mut self.facts.goroutines.list;
        if list.places.is_empty() {
            list.places.push(Place { frame: creator, ..Place::default() });
        }
        list.stacks.push(Stack { calls });
        let state = if reason.is_empty() { "running" } else { "waiting" };
        let stack = list.stacks.len() as u32 - 1;
        list.kinds.push(Kind {
            state: state.into(),
            wait_reason: reason.into(),
            stack,
            created_by: (id != 1).then_some(0),
            stack_bytes: 2048,
            ..Kind::default()
        });
        list.each.0.push(Goroutine { id, kind: stack, ..Goroutine::default() });
        self
    }

    fn object(&mut self, object: WaitObject) -> u32 {
        self.blocked.objects.push(object);
        self.blocked.objects.len() as u32 - 1
    }

    /// A blocked goroutine that waits for those.
    fn waits(&mut self, id: u64, wake_up: WakeUp, waits: &[(WaitOperation, u32)]) -> &mut BlockedGoroutine {
        let waits = waits.iter().map(|(o, i)| Wait { operation: o.clone(), object: Some(*i) }).collect();
        let retained_bytes = Some(1000);
        self.blocked.each.push(BlockedGoroutine { id, waits, wake_up, retained_bytes, ..BlockedGoroutine::default() });
        self.blocked.each.last_mut().unwrap()
    }

    /// A flight ring along which goroutines grow steadily by so many.
    fn grow(&mut self, by: u64) -> &mut Self {
        let sample = |i| Sample { t_ms: i * 1000, goroutines: 10 + by * i / 10, ..Sample::default() };
        self.facts.timeline.samples = (0..=10).map(sample).collect();
        self
    }

    fn facts(&self) -> Facts {
        let mut facts = self.facts.clone();
        facts.graph = Some(GraphFacts { blocked: Some(self.blocked.clone()), ..GraphFacts::default() });
        facts
    }

    fn verdicts(&self) -> GoroutineVerdicts {
        GoroutineVerdicts::of(&self.facts(), None)
    }

    /// Tier and code of a goroutine.
    fn of(&self, id: u64) -> (Tier, &'static str) {
        self.verdicts().goroutine(id).map(|v| (v.tier, v.code)).unwrap()
    }

    fn cause(&self, id: u64) -> String {
        self.verdicts().goroutine(id).unwrap().cause.clone()
    }
}

fn channel(capacity: u64, length: u64) -> WaitObject {
    WaitObject { kind: WaitObjectKind::Channel, type_name: "int".into(), capacity, length, ..WaitObject::default() }
}

fn mutex() -> WaitObject {
    WaitObject {
        kind: WaitObjectKind::Mutex,
        type_name: "main.cache".into(),
        lock: Some(LockState { locked: true, ..LockState::default() }),
        waiters: 1,
        ..WaitObject::default()
    }
}

fn referrer(goroutine: u64, place: ReferrerPlace, name: &str) -> Referrer {
    Referrer { goroutine, place, name: name.into(), can_run: false }
}

fn deferred_unlock(goroutine: u64) -> Referrer {
    referrer(goroutine, ReferrerPlace::Deferred, "sync.(*Mutex).Unlock")
}

const LOCKS: [&str; 3] = ["runtime.gopark", "sync.(*Mutex).Lock", "main.(*cache).get"];

#[test]
fn channels_that_nobody_comes_to() {
    let mut b = Build::default();
    let c = b.object(channel(0, 0));
    b.goroutine(5, "chan send", &["runtime.gopark", "runtime.chansend1", "main.send"]);
    b.waits(5, WakeUp::Nothing, &[(WaitOperation::Send, c)]);
    b.goroutine(6, "chan receive", &["runtime.gopark", "runtime.chanrecv1", "main.receive"]);
    b.waits(6, WakeUp::Nothing, &[(WaitOperation::Receive, c)]);
    b.goroutine(7, "chan receive", &["runtime.gopark", "runtime.chanrecv2", "main.loop"]);
    b.waits(7, WakeUp::Nothing, &[(WaitOperation::Receive, c)]);
    b.goroutine(8, "chan receive (nil chan)", &["runtime.gopark", "main.none"]).waits(8, WakeUp::Nothing, &[]);
    b.goroutine(9, "select", &["runtime.gopark", "runtime.selectgo", "main.choose"]);
    b.waits(9, WakeUp::Nothing, &[(WaitOperation::Receive, c), (WaitOperation::Send, c)]);
    assert_eq!(b.of(5), (Tier::Proved, "send-nobody-receives"));
    assert_eq!(b.of(6), (Tier::Proved, "receive-nobody-sends"));
    assert_eq!(b.of(7), (Tier::Proved, "range-over-open-channel"));
    assert_eq!(b.of(8), (Tier::Proved, "nil-channel"));
    assert_eq!(b.of(9), (Tier::Proved, "select-stuck"));
    assert_eq!(
        b.cause(9),
        "none of its cases can come any more (to receive from an unbuffered channel of int; to send on an unbuffered channel of int)"
    );
    let v = b.verdicts();
    assert_eq!((v.tiers.of(Tier::Proved), v.groups.len()), (5, 5));
    let of_send = v.groups.iter().find(|g| g.code == "send-nobody-receives").unwrap();
    assert_eq!(
        of_send.sentence,
        "1 goroutine that main.serve (svc/main.go:4) started waits in main.send (svc/main.go:3) to send on a channel: nobody who can still run can receive from it (an unbuffered channel of int). Nothing that can still run leads there: it will never be woken. It alone holds 1.00 kB."
    );
}

/// A graph with a gap that could matter proves nothing, but what the runtime says itself.
#[test]
fn without_all_references_nothing_is_proved() {
    let mut b = Build::default();
    let c = b.object(channel(0, 0));
    b.goroutine(5, "chan send", &["main.send"]).waits(5, WakeUp::Nothing, &[(WaitOperation::Send, c)]);
    b.goroutine(6, "chan send (nil chan)", &["main.none"]).waits(6, WakeUp::Nothing, &[]);
    b.blocked.no_proof = vec!["the stacks of 3 goroutines were not read".into()];
    assert_eq!(b.of(5), (Tier::Suspect, "send-nobody-receives"));
    assert_eq!(b.of(6), (Tier::Proved, "nil-channel"));
    let v = b.verdicts();
    let sentence = &v.groups.iter().find(|g| g.tier == Tier::Suspect).unwrap().sentence;
    assert!(sentence.contains("no proof, since the stacks of 3 goroutines were not read"), "{sentence}");
}

#[test]
fn main_may_wait_for_ever() {
    let mut b = Build::default();
    for id in [1, 2] {
        b.goroutine(id, "select (no cases)", &["runtime.gopark", "main.main"]).waits(id, WakeUp::Nothing, &[]);
    }
    assert_eq!(b.of(1), (Tier::Healthy, ""));
    assert_eq!(b.of(2), (Tier::Proved, "select-without-cases"));
}

/// A pool that waits on a package variable's channel is the normal case (100 false alarms of a prototype).
#[test]
fn a_pool_on_a_global_channel_is_well_unless_it_grows_and_waits_for_long() {
    let mut b = Build::default();
    let c = b.object(channel(0, 0));
    for id in 10..80 {
        b.goroutine(id, "chan receive", &["runtime.gopark", "main.worker"]);
        b.waits(id, WakeUp::OnlyGlobals, &[(WaitOperation::Receive, c)]).waited_ns_at_least = 60_000_000_000;
    }
    assert_eq!(b.of(10), (Tier::Healthy, ""), "no series");
    b.grow(100);
    assert_eq!(b.of(10), (Tier::Suspect, "receive-nobody-sends"));
    b.grow(20);
    assert_eq!(b.of(10), (Tier::Healthy, ""), "hardly any came");
    b.grow(1000);
    assert_eq!(b.of(10), (Tier::Healthy, ""), "others came");
    b.grow(100);
    b.blocked.each.iter_mut().for_each(|g| g.waited_ns_at_least = 1_000_000_000);
    assert_eq!(b.of(10), (Tier::Healthy, ""), "between two jobs");
}

#[test]
fn a_lock_that_is_locked_twice() {
    let mut b = Build::default();
    let m = b.object(WaitObject { referrers: vec![deferred_unlock(5)], referrers_total: 1, ..mutex() });
    b.goroutine(5, "sync.Mutex.Lock", &["sync.(*Mutex).Lock", "main.(*cache).get", "main.(*cache).all"]);
    b.waits(5, WakeUp::Nothing, &[(WaitOperation::Lock, m)]);
    assert_eq!(b.of(5), (Tier::Proved, "double-lock"));
    let v = b.verdicts();
    let one = v.goroutine(5).unwrap();
    assert_eq!((one.sureness, one.holders.first().unwrap().goroutine), (Sureness::Probable, 5));
    assert!(one.cause.contains("a deferred call of sync.(*Mutex).Unlock is pending in it"), "{}", one.cause);
    assert!(one.rivals.iter().any(|r| r.told == Told::NotApart));
    // Where others lead to it its age must tell: `defer mu.Unlock()` may stand before `mu.Lock()`.
    b.blocked.each[0].wake_up = WakeUp::Reachable;
    assert_eq!(b.of(5).0, Tier::Healthy);
    b.blocked.each[0].waited_ns_at_least = 5_000_000_000;
    assert_eq!(b.of(5), (Tier::Suspect, "double-lock"));
    // One method has called another of its type: possible, and no more.
    b.blocked.objects[0].referrers.clear();
    b.blocked.each[0].wake_up = WakeUp::Nothing;
    assert_eq!(b.of(5), (Tier::Proved, "double-lock"));
    assert_eq!(b.verdicts().goroutine(5).unwrap().sureness, Sureness::Possible);
    assert!(b.cause(5).starts_with("it may have locked"), "{}", b.cause(5));
    b.blocked.objects[0].type_name = "main.other".into();
    assert_eq!(b.of(5), (Tier::Proved, "lock-never-released"), "of another type");
}

/// A healthy idiom: Unlock is deferred before Lock, and another goroutine has the lock and sleeps.
#[test]
fn unlock_may_be_deferred_first() {
    let mut b = Build::default();
    let m = b.object(WaitObject { referrers: vec![deferred_unlock(5)], referrers_total: 1, ..mutex() });
    b.goroutine(5, "sync.Mutex.Lock", &["sync.(*Mutex).Lock", "main.work", "main.start"]);
    b.waits(5, WakeUp::Reachable, &[(WaitOperation::Lock, m)]).waited_ns_at_least = 60_000_000_000;
    assert_eq!(b.of(5).0, Tier::Healthy);
}

/// Locks in a ring are no proof where others lead to them: Go lets anybody unlock.
#[test]
fn a_ring_of_locks() {
    let mut b = Build::default();
    for (id, own) in [(5, 0), (6, 1), (7, 2)] {
        let m = b.object(WaitObject { referrers: vec![deferred_unlock(id)], ..mutex() });
        assert_eq!(m, own);
        b.goroutine(id, "sync.Mutex.Lock", &LOCKS);
    }
    for (id, waits_for) in [(5, 1), (6, 2), (7, 0)] {
        b.waits(id, WakeUp::OnlyGlobals, &[(WaitOperation::Lock, waits_for)]);
    }
    // One more who waits behind it.
    b.goroutine(8, "sync.Mutex.Lock", &LOCKS).waits(8, WakeUp::OnlyGlobals, &[(WaitOperation::Lock, 0)]);
    assert_eq!([5, 6, 7].map(|id| b.of(id)), [(Tier::Suspect, "lock-order-cycle"); 3]);
    assert_eq!(b.of(8), (Tier::Suspect, "lock-held-by-blocked"));
    assert!(b.cause(8).contains("goroutine 5 in main.(*cache).get seems to hold"), "{}", b.cause(8));
    assert!(b.cause(8).ends_with("; that is part of a ring of locks"), "{}", b.cause(8));
    let causes: Vec<String> = [5, 6, 7].map(|id| b.cause(id)).into();
    assert!(causes.iter().all(|c| c == &causes[0]), "one ring is told once: {causes:#?}");
    assert!(causes[0].starts_with(
        "goroutine 5 in main.(*cache).get waits for a mutex of main.cache, which goroutine 6 seems to hold"
    ));
    assert_eq!(b.verdicts().groups.iter().filter(|g| g.code == "lock-order-cycle").count(), 1);
    let mut proved = b;
    proved.blocked.each.iter_mut().for_each(|g| g.wake_up = WakeUp::Nothing);
    assert_eq!(proved.of(5), (Tier::Proved, "lock-order-cycle"));
}

#[test]
fn a_reader_that_reads_again_behind_a_writer() {
    let mut b = Build::default();
    let lock = LockState { locked: true, readers: 1, writer: true, ..LockState::default() };
    let unlocks = referrer(5, ReferrerPlace::Deferred, "sync.(*RWMutex).RUnlock");
    let rw =
        b.object(WaitObject { kind: WaitObjectKind::RwMutex, lock: Some(lock), referrers: vec![unlocks], ..mutex() });
    b.goroutine(5, "sync.RWMutex.RLock", &["sync.(*RWMutex).RLock", "main.(*cache).size"]);
    b.waits(5, WakeUp::Nothing, &[(WaitOperation::ReadLock, rw)]);
    b.goroutine(6, "sync.RWMutex.Lock", &["sync.(*RWMutex).Lock", "main.(*cache).put"]);
    b.waits(6, WakeUp::Nothing, &[(WaitOperation::WriteLock, rw)]);
    assert_eq!(b.of(5), (Tier::Proved, "read-lock-recursion"));
    assert_eq!(b.of(6), (Tier::Proved, "read-lock-recursion"));
    b.blocked.objects[0].lock = Some(LockState { locked: true, readers: 0, writer: true, ..LockState::default() });
    assert_eq!(b.of(5), (Tier::Proved, "double-lock"), "it writes and would read");
}

#[test]
fn the_chain_of_locks_to_its_end() {
    let mut b = Build::default();
    let m =
        b.object(WaitObject { referrers: vec![deferred_unlock(7)], way: "global main.shared . mu".into(), ..mutex() });
    let fd = b.object(WaitObject {
        kind: WaitObjectKind::Descriptor,
        descriptor: Some(Descriptor {
            what: "tcp".into(),
            peer: "10.0.0.9:5432".into(),
            has_deadline: Some(false),
            ..Descriptor::default()
        }),
        ..WaitObject::default()
    });
    for id in 10..20 {
        b.goroutine(id, "sync.Mutex.Lock", &LOCKS).waits(id, WakeUp::OnlyGlobals, &[(WaitOperation::Lock, m)]);
    }
    b.goroutine(7, "IO wait", &["internal/poll.(*FD).Write", "main.flush"]);
    b.waits(7, WakeUp::Outside, &[(WaitOperation::Write, fd)]);
    assert_eq!(b.of(10), (Tier::Stalled, "lock-held-by-blocked"));
    assert_eq!(b.of(7), (Tier::Stalled, "io-without-deadline"));
    assert_eq!(
        b.cause(10),
        "goroutine 7 in main.flush seems to hold the mutex at global main.shared . mu, and waits to write to tcp to 10.0.0.9:5432, without a deadline"
    );
    // A holder that has a deadline, sleeps or runs will give it back.
    b.blocked.objects[1].descriptor.as_mut().unwrap().has_deadline = Some(true);
    assert_eq!((b.of(10).0, b.of(7).0), (Tier::Healthy, Tier::Healthy));
    b.blocked.each.retain(|g| g.id != 7);
    assert_eq!(b.of(10), (Tier::Healthy, ""));
    // Nobody shows a sign.
    b.blocked.objects[0].referrers.clear();
    assert_eq!(b.of(10), (Tier::Healthy, ""), "a package variable leads there");
    b.blocked.each.iter_mut().for_each(|g| g.wake_up = WakeUp::Nothing);
    assert_eq!(b.of(10), (Tier::Proved, "lock-never-released"));
    // Several have a pointer: which of them cannot be known.
    b.goroutine(30, "", &["main.one"]).goroutine(31, "", &["main.two"]);
    let pointer = |id| referrer(id, ReferrerPlace::Frame, "main.one");
    b.blocked.objects[0].referrers = vec![pointer(30), pointer(31)];
    assert!(b.cause(10).contains("which of 2 goroutines that may hold it does cannot be known"), "{}", b.cause(10));
    // A lock that is free has woken the next.
    b.blocked.objects[0].lock = Some(LockState::default());
    assert_eq!(b.of(10).0, Tier::Healthy);
}

#[test]
fn the_done_that_is_missing() {
    let mut b = Build::default();
    let wg = |missing, referrers| WaitObject {
        kind: WaitObjectKind::WaitGroup,
        missing_done: Some(missing),
        referrers,
        ..WaitObject::default()
    };
    let nobody = b.object(wg(2, vec![]));
    let done = |id| referrer(id, ReferrerPlace::Deferred, "sync.(*WaitGroup).Done");
    let owed = b.object(wg(1, vec![done(9)]));
    let itself = b.object(wg(1, vec![done(7)]));
    let zero = b.object(wg(0, vec![]));
    for (id, object) in [(5, nobody), (6, owed), (7, itself), (8, zero)] {
        b.goroutine(id, "sync.WaitGroup.Wait", &["sync.(*WaitGroup).Wait", "main.wait"]);
        b.waits(id, WakeUp::Nothing, &[(WaitOperation::WaitGroup, object)]);
    }
    let c = b.object(channel(0, 0));
    b.goroutine(9, "chan send", &["main.work"]).waits(9, WakeUp::Nothing, &[(WaitOperation::Send, c)]);
    assert_eq!([5, 6, 7].map(|id| b.of(id)), [(Tier::Proved, "missing-done"); 3]);
    assert!(b.cause(5).starts_with("2 calls of Done are missing, and nobody who is alive"), "{}", b.cause(5));
    assert_eq!(
        b.cause(6),
        "1 call of Done is missing; goroutine 9 in main.work has one deferred, and waits to send on an unbuffered channel of int"
    );
    assert!(b.cause(7).ends_with("it waits for itself"), "{}", b.cause(7));
    assert_eq!(b.of(8), (Tier::Proved, "add-after-wait"));
}

#[test]
fn contexts_timers_and_conditions() {
    let mut b = Build::default();
    let of_context = referrer(0, ReferrerPlace::Object, "context.cancelCtx");
    let done = b.object(WaitObject { type_name: "struct {}".into(), referrers: vec![of_context], ..channel(0, 0) });
    let quit = b.object(WaitObject { type_name: "struct {}".into(), ..channel(0, 0) });
    let tick = b.object(WaitObject { is_timer: true, timer_period_ns: 1_000_000_000, ..channel(1, 0) });
    let after = b.object(WaitObject { is_timer: true, ..channel(1, 0) });
    let cond = b.object(WaitObject { kind: WaitObjectKind::Cond, ..WaitObject::default() });
    let receive = WaitOperation::Receive;
    for (id, reason) in [(5, "chan receive"), (6, "select"), (7, "select"), (8, "select"), (9, "sync.Cond.Wait")] {
        b.goroutine(id, reason, &["main.loop"]);
    }
    b.waits(5, WakeUp::Nothing, &[(receive.clone(), done)]);
    b.waits(6, WakeUp::Nothing, &[(receive.clone(), quit), (receive.clone(), done)]);
    b.waits(7, WakeUp::OwnTimer, &[(receive.clone(), tick), (receive.clone(), quit)]);
    b.waits(8, WakeUp::OwnTimer, &[(receive.clone(), after), (receive.clone(), quit)]);
    b.waits(9, WakeUp::Nothing, &[(WaitOperation::CondWait, cond)]);
    assert_eq!(b.of(5), (Tier::Proved, "context-never-cancelled"));
    assert_eq!(b.of(6), (Tier::Proved, "context-never-cancelled"));
    assert_eq!(b.of(7), (Tier::Immortal, "ticker-never-stopped"));
    assert!(
        b.cause(7).contains("every 1.0 s, and nobody who can still run leads to its other cases"),
        "{}",
        b.cause(7)
    );
    assert_eq!(b.of(8), (Tier::Healthy, ""), "a timeout is a way out that comes");
    assert_eq!(b.of(9), (Tier::Proved, "cond-nobody-signals"));
}

#[test]
fn a_loop_over_a_ticker_alone_is_meant_unless_several_work_each_for_itself() {
    let mut b = Build::default();
    let tick = |b: &mut Build| b.object(WaitObject { is_timer: true, timer_period_ns: 1_000_000_000, ..channel(1, 0) });
    b.goroutine(5, "chan receive", &["main.(*session).beat"]);
    b.facts.goroutines.list.each.0.push(Goroutine { id: 6, kind: 0, ..Goroutine::default() });
    b.goroutine(7, "chan receive", &["main.report"]);
    for (id, for_itself) in [(5, true), (6, true), (7, true)] {
        let tick = tick(&mut b);
        b.waits(id, WakeUp::OwnTimer, &[(WaitOperation::Receive, tick)]).for_itself = for_itself;
    }
    assert_eq!([5, 6, 7].map(|id| b.of(id).0), [Tier::Immortal, Tier::Immortal, Tier::Healthy]);
    assert!(b.cause(5).contains("and it waits for nothing else"), "{}", b.cause(5));
    b.blocked.each[1].for_itself = false;
    assert_eq!([5, 6].map(|id| b.of(id).0), [Tier::Healthy, Tier::Healthy], "one of a kind");
}

#[test]
fn a_select_of_nil_channels() {
    let mut b = Build::default();
    b.goroutine(5, "select", &["main.loop"]);
    let g = b.waits(5, WakeUp::Nothing, &[]);
    g.waits = vec![Wait { operation: WaitOperation::AllNil, object: None }];
    assert_eq!(b.of(5), (Tier::Proved, "nil-channel"));
    assert!(b.cause(5).contains("every channel of its select is nil"), "{}", b.cause(5));
}

/// Seen: a catalogue whose `Select` reads the lock and calls `Price`, which reads it again; the scheduler was
/// at work in that moment, so that nothing was proved, and 4,133 of 4,133 goroutines were called healthy.
#[test]
fn who_reads_a_lock_again_behind_a_writer_is_told_by_its_code_and_the_count() {
    let mut b = Build::default();
    let lock = LockState { locked: true, readers: 1, waiting_readers: 2, writer: true };
    let frame = |id, name| referrer(id, ReferrerPlace::Frame, name);
    let referrers = vec![
        frame(5, "acme.dev/go-shop/v2.(*shop).Price"),
        frame(6, "acme.dev/go-shop/v2.(*shop).Price"),
        frame(7, "acme.dev/go-shop/v2.(*shop).Set"),
    ];
    let rw = b.object(WaitObject {
        kind: WaitObjectKind::RwMutex,
        type_name: "shop.shop".into(),
        lock: Some(lock),
        referrers_total: 3,
        referrers,
        ..WaitObject::default()
    });
    b.goroutine(
        5,
        "sync.RWMutex.RLock",
        &["acme.dev/go-shop/v2.(*shop).Price", "acme.dev/go-shop/v2.(*shop).Select", "main.serve"],
    );
    b.goroutine(6, "sync.RWMutex.RLock", &["acme.dev/go-shop/v2.(*shop).Price", "main.serve"]);
    b.goroutine(7, "sync.RWMutex.Lock", &["acme.dev/go-shop/v2.(*shop).Set"]);
    for (id, operation) in [(5, WaitOperation::ReadLock), (6, WaitOperation::ReadLock), (7, WaitOperation::WriteLock)] {
        let g = b.waits(id, WakeUp::Reachable, &[(operation, rw)]);
        (g.code_was_read, g.waited_ns_at_least) = (true, 40_000_000_000);
    }
    assert_eq!([5, 6].map(|id| b.of(id).0), [Tier::Healthy; 2], "whose code locks nothing above has nothing");
    b.blocked.each[0].locks_above = vec!["acme.dev/go-shop/v2.(*shop).Select".into()];
    assert_eq!([5, 6].map(|id| b.of(id)), [(Tier::Suspect, "read-lock-recursion"); 2]);
    assert!(b.cause(6).contains("would read it again, behind a writer"), "{}", b.cause(6));
    b.blocked.objects[rw as usize].lock = Some(LockState { readers: 2, ..lock });
    assert_eq!([5, 6].map(|id| b.of(id).0), [Tier::Healthy; 2], "somebody else has it too");
    b.blocked.objects[rw as usize].lock = Some(lock);
    let c = b.object(channel(0, 0));
    b.goroutine(8, "chan receive", &["acme.dev/go-shop/v2.(*shop).Stream", "main.serve"]);
    b.waits(8, WakeUp::Reachable, &[(WaitOperation::Receive, c)]);
    assert_eq!([5, 6].map(|id| b.of(id).0), [Tier::Healthy; 2], "who streams may have it, and 5 another lock");
}

#[test]
fn code_that_locks_above_is_a_sign_where_nobody_else_may_hold_it() {
    let mut b = Build::default();
    let own = |id| referrer(id, ReferrerPlace::Frame, "main.update");
    let lone = b.object(WaitObject { referrers: vec![own(5)], referrers_total: 1, ..mutex() });
    b.goroutine(5, "sync.Mutex.Lock", &["main.update"]).waits(5, WakeUp::Nothing, &[(WaitOperation::Lock, lone)]);
    b.blocked.each[0].code_was_read = true;
    assert_eq!(b.of(5).1, "lock-never-released", "its code locks nothing before");
    b.blocked.each[0].locks_above = vec!["main.update".into()];
    assert_eq!(b.of(5), (Tier::Proved, "double-lock"));
    assert!(b.cause(5).contains("it may have locked"), "{}", b.cause(5));
    let holders =
        |b: &Build| b.verdicts().goroutine(5).unwrap().holders.iter().map(|h| h.goroutine).collect::<Vec<_>>();
    assert_eq!(holders(&b), [5]);
    b.blocked.each[0].unlocks_since = vec!["main.update".into()];
    assert_eq!(b.of(5).1, "double-lock", "nobody else ever had it");
    let of_map = referrer(0, ReferrerPlace::Object, "");
    b.blocked.objects[lone as usize].referrers.push(of_map);
    b.blocked.objects[lone as usize].referrers_total = 2;
    assert_eq!(b.of(5).1, "lock-never-released", "what it unlocked may have been what it locked");
    b.blocked.each[0].unlocks_since.clear();
    // Another one has a pointer to it: it is the more likely holder, though not for sure.
    b.goroutine(6, "chan receive", &["main.other"]);
    let c = b.object(channel(0, 0));
    b.waits(6, WakeUp::Nothing, &[(WaitOperation::Receive, c)]);
    b.blocked.objects[lone as usize].referrers.push(referrer(6, ReferrerPlace::Frame, "main.other"));
    assert_eq!((b.of(5).1, holders(&b)), ("lock-held-by-blocked", vec![6]));
}

#[test]
fn a_deferred_unlock_of_the_same_struct_owes_no_done() {
    let mut b = Build::default();
    let group = b.object(WaitObject {
        kind: WaitObjectKind::WaitGroup,
        missing_done: Some(2),
        referrers: vec![deferred_unlock(5), referrer(6, ReferrerPlace::Deferred, "sync.(*WaitGroup).Done")],
        ..WaitObject::default()
    });
    b.goroutine(5, "sync.WaitGroup.Wait", &["main.(*manager).stop"]);
    b.goroutine(6, "sync.Mutex.Lock", &["main.(*manager).work"]);
    let lock = b.object(mutex());
    b.waits(5, WakeUp::Nothing, &[(WaitOperation::WaitGroup, group)]);
    b.waits(6, WakeUp::Nothing, &[(WaitOperation::Lock, lock)]);
    assert_eq!(b.of(5), (Tier::Proved, "missing-done"));
    assert!(b.cause(5).contains("goroutine 6 in main.(*manager).work has one deferred"), "{}", b.cause(5));
    b.blocked.objects[group as usize].referrers[0].name = "sync.(*WaitGroup).Done".into();
    assert!(b.cause(5).contains("it waits for itself"), "{}", b.cause(5));
}

#[test]
fn a_request_waits_for_the_reader_of_its_connection_and_a_server_for_the_next_one() {
    let mut b = Build::default();
    let fd = || WaitObject {
        kind: WaitObjectKind::Descriptor,
        descriptor: Some(Descriptor { what: "tcp".into(), has_deadline: Some(false), ..Descriptor::default() }),
        ..WaitObject::default()
    };
    let (asked, served, answer) = (b.object(fd()), b.object(fd()), b.object(channel(0, 0)));
    b.goroutine(5, "select", &["net/http.(*persistConn).roundTrip", "main.ask"]);
    b.goroutine(6, "IO wait", &["internal/poll.(*FD).Read", "net/http.(*persistConn).readLoop"]);
    b.goroutine(7, "IO wait", &["internal/poll.(*FD).Read", "bufio.(*Reader).Peek", "net/http.(*conn).serve"]);
    b.goroutine(8, "IO wait", &["internal/poll.(*FD).Read", "main.handle", "net/http.(*conn).serve"]);
    let receive = WaitOperation::Receive;
    let g = b.waits(5, WakeUp::Reachable, &[(receive.clone(), answer), (receive, answer)]);
    (g.by, g.by_goroutine) = ("goroutine 6 in net/http.(*persistConn).readLoop".into(), 6);
    b.waits(6, WakeUp::Outside, &[(WaitOperation::Read, asked)]);
    b.waits(7, WakeUp::Outside, &[(WaitOperation::Read, served)]);
    b.waits(8, WakeUp::Outside, &[(WaitOperation::Read, served)]);
    assert_eq!(b.of(5), (Tier::Stalled, "io-without-deadline"));
    assert!(b.cause(5).contains("it has asked over HTTP without a timeout; goroutine 6"), "{}", b.cause(5));
    assert_eq!(b.of(7).0, Tier::Healthy, "between two requests");
    assert_eq!(b.of(8).0, Tier::Stalled);
}

#[test]
fn consumers_bodies_and_idle_connections() {
    let mut b = Build::default();
    let full =
        b.object(WaitObject { referrers: vec![referrer(20, ReferrerPlace::Frame, "main.consume")], ..channel(8, 8) });
    b.goroutine(5, "chan send", &["main.publish"]).waits(5, WakeUp::Nothing, &[(WaitOperation::Send, full)]);
    let fd = |what: &str| WaitObject {
        kind: WaitObjectKind::Descriptor,
        descriptor: Some(Descriptor { what: what.into(), has_deadline: Some(false), ..Descriptor::default() }),
        ..WaitObject::default()
    };
    let conn = b.object(fd("tcp"));
    b.goroutine(20, "IO wait", &["internal/poll.(*FD).Write", "main.consume"]);
    b.waits(20, WakeUp::Outside, &[(WaitOperation::Write, conn)]);
    for (id, stack) in [
        (21, ["internal/poll.(*FD).Accept", "main.listen"]),
        (22, ["internal/poll.(*FD).Read", "net/http.(*persistConn).readLoop"]),
        (23, ["internal/poll.(*FD).Read", "main.ask"]),
    ] {
        b.goroutine(id, "IO wait", &stack).waits(id, WakeUp::Outside, &[(WaitOperation::Read, conn)]);
    }
    let c = b.object(channel(0, 0));
    b.goroutine(24, "select", &["runtime.selectgo", "net/http.(*persistConn).readLoop"]);
    b.waits(24, WakeUp::Nothing, &[(WaitOperation::Receive, c), (WaitOperation::Receive, c)]);
    assert_eq!(b.of(5), (Tier::Proved, "slow-consumer"));
    assert!(
        b.cause(5).contains("goroutine 20 in main.consume may be its consumer, and waits to write to tcp"),
        "{}",
        b.cause(5)
    );
    b.blocked.each[0].wake_up = WakeUp::Reachable;
    assert_eq!(b.of(5), (Tier::Stalled, "slow-consumer"), "its consumer waits for the world");
    // Seen blind: a compactor that asks its standby with the index locked, and the one writer behind it.
    let held = b.object(WaitObject {
        referrers: vec![referrer(25, ReferrerPlace::Deferred, "sync.(*Mutex).Unlock")],
        ..mutex()
    });
    b.goroutine(26, "sync.Mutex.Lock", &["main.store", "main.consume"]);
    b.waits(26, WakeUp::Reachable, &[(WaitOperation::Lock, held)]);
    b.goroutine(25, "IO wait", &["internal/poll.(*FD).Read", "main.confirm", "main.seal"]);
    b.waits(25, WakeUp::Outside, &[(WaitOperation::Read, conn)]);
    b.blocked.objects[full as usize].referrers = vec![referrer(26, ReferrerPlace::Frame, "main.consume")];
    b.blocked.each[0].wake_up = WakeUp::Nothing;
    let said = b.cause(5);
    assert!(said.contains("which goroutine 25 in main.confirm seems to hold; that one waits to read"), "{said}");
    assert_eq!([21, 22, 23].map(|id| b.of(id).0), [Tier::Healthy, Tier::Healthy, Tier::Stalled]);
    assert_eq!(b.of(24), (Tier::Proved, "response-body-not-closed"));
}

/// Whoever is well has no cause, and no finding is made of it.
#[test]
fn findings_are_of_what_is_wrong() {
    let mut b = Build::default();
    let c = b.object(channel(0, 0));
    b.goroutine(5, "chan receive", &["main.worker"]).waits(5, WakeUp::Reachable, &[(WaitOperation::Receive, c)]);
    assert_eq!(diagnose(&b.facts()).findings, []);
    for id in 100..120 {
        b.goroutine(id, "chan send", &["main.send"]).waits(id, WakeUp::Nothing, &[(WaitOperation::Send, c)]);
    }
    let d = diagnose(&b.facts());
    let f = d.verdict().unwrap();
    assert_eq!((f.code, f.level.name()), ("send-nobody-receives", "warning"));
    assert_eq!(f.title, "20 goroutines will never end: a send on a channel that nobody receives from any more");
    assert!(f.sentence.ends_with("They alone hold 20.0 kB."), "{}", f.sentence);
    assert_eq!(f.subject.to_string(), "main.serve");
    assert!(f.confidence() > 0.99 && f.cure.contains("main.send"), "{f:?}");
}

/// A pile of a thousand that grows and could be woken is many, and no leak.
#[test]
fn many_that_come_and_go_are_too_many() {
    let mut b = Build::default();
    let c = b.object(channel(0, 0));
    for id in 0..1500 {
        b.goroutine(100 + id, "chan receive", &["main.handle"]);
        b.waits(100 + id, WakeUp::Reachable, &[(WaitOperation::Receive, c)]);
    }
    assert_eq!(diagnose(&b.facts()).findings, []);
    b.grow(1500);
    let d = diagnose(&b.facts());
    assert_eq!(d.verdict().map(|f| f.code), Some("too-many-goroutines"));
    assert!(d.verdict().unwrap().sentence.contains("more are started than end."), "{:?}", d.verdict());
}

/// Numbers that name nothing, and lists that do not fit each other.
#[test]
fn hostile_facts_are_judged_without_a_panic() {
    let mut b = Build::default();
    let c = b.object(WaitObject { referrers: vec![deferred_unlock(u64::MAX)], ..mutex() });
    b.goroutine(5, "sync.Mutex.Lock", &LOCKS);
    b.waits(5, WakeUp::Nothing, &[(WaitOperation::Lock, c)]);
    b.waits(6, WakeUp::default(), &[(WaitOperation::Lock, u32::MAX)]);
    b.waits(6, WakeUp::Nothing, &[(WaitOperation::default(), c), (WaitOperation::Send, 99)]);
    b.facts.goroutines.list.kinds[0].stack = 99;
    b.facts.goroutines.list.kinds[0].created_by = Some(99);
    b.facts.goroutines.list.each.0.push(Goroutine { id: 6, kind: 99, ..Goroutine::default() });
    let v = b.verdicts();
    assert_eq!((v.each.len(), v.total), (3, 3));
    assert!(v.groups.iter().all(|g| !g.sentence.is_empty()));
}

/// What the largest services have: each against each other would take an hour.
#[test]
fn a_hundred_thousand_goroutines_are_judged_at_once() {
    let mut b = Build::default();
    let m = b.object(WaitObject { referrers: vec![deferred_unlock(7)], ..mutex() });
    b.goroutine(7, "chan send", &["main.flush"]);
    b.goroutine(8, "sync.Mutex.Lock", &LOCKS);
    let kind = b.facts.goroutines.list.each.last().unwrap().kind;
    for id in 100..100_100 {
        b.waits(id, WakeUp::Nothing, &[(WaitOperation::Lock, m)]);
        b.facts.goroutines.list.each.0.push(Goroutine { id, kind, ..Goroutine::default() });
    }
    let facts = b.facts();
    let began = std::time::Instant::now();
    let v = GoroutineVerdicts::of(&facts, None);
    let took = began.elapsed();
    assert_eq!((v.each.len(), v.groups.len()), (100_000, 1));
    // Three seconds without optimization on a quiet machine.
    assert!(took.as_secs() < 300, "{took:?}");
}

/// What is drawn: of those alike one, and the ring as one.
#[test]
fn the_graph_of_locks_to_look_at() {
    let mut b = Build::default();
    for (id, own) in [(5, 0), (6, 1)] {
        assert_eq!(b.object(WaitObject { referrers: vec![deferred_unlock(id)], ..mutex() }), own);
        b.goroutine(id, "sync.Mutex.Lock", &LOCKS);
    }
    b.waits(5, WakeUp::Nothing, &[(WaitOperation::Lock, 1)]);
    b.waits(6, WakeUp::Nothing, &[(WaitOperation::Lock, 0)]);
    for id in 10..20 {
        b.goroutine(id, "sync.Mutex.Lock", &LOCKS).waits(id, WakeUp::Nothing, &[(WaitOperation::Lock, 0)]);
    }
    let graph = b.verdicts().wait_for;
    let nodes: Vec<(u64, u64, bool)> = graph.nodes.iter().map(|n| (n.goroutine, n.alike, n.in_ring)).collect();
    assert!(nodes.contains(&(6, 0, true)) && nodes.contains(&(10, 9, false)), "{nodes:?}");
    let edges: Vec<(u64, Option<u64>)> = graph.edges.iter().map(|e| (e.from, e.to)).collect();
    assert_eq!(edges, [(5, Some(6)), (6, Some(5)), (10, Some(5))]);
}

/// As alertmanager has its groups of alerts: each in a select, until its own time has come or it is told to
/// end.
#[test]
fn a_timer_of_its_own_ends_a_wait_and_a_ticker_does_not() {
    let within = |period_ns: u64, without: u64| {
        let mut b = Build::default();
        b.goroutine(1, "", &["main.run"]);
        let done = b.object(channel(0, 0));
        for id in 2..22 {
            let timer = WaitObject { is_timer: true, timer_period_ns: period_ns, ..channel(1, 0) };
            let timer = b.object(timer);
            b.goroutine(id, "select", &["runtime.gopark", "runtime.selectgo", "main.group"]);
            let waits = [(WaitOperation::Receive, timer), (WaitOperation::Receive, done)];
            let blocked = b.waits(id, WakeUp::Reachable, &waits);
            blocked.wakes_in_ns = (id >= 2 + without).then_some(id as i64 * 1_000_000_000);
        }
        b.verdicts().wakes_within_ns("main.group")
    };
    assert_eq!(within(0, 0), Some(21_000_000_000));
    assert_eq!(within(0, 2), Some(21_000_000_000), "some have just been woken");
    assert_eq!((within(0, 3), within(1_000_000_000, 0)), (None, None));
}
