//! What a waiting goroutine waits on, as far as the copy of a stop has it: the channels of its `sudog`s, the
//! semaphore of a lock, whether a descriptor has a deadline. Addresses and no more, of a sample where there
//! are many: enough to tell who waits for the same. What stands there, and of every goroutine, is read by
//! [`waits`](crate::waits), where all memory of one moment is at hand. Source: `runtime/runtime2.go`
//! (`sudog`), `sema.go` (`semacquire1`), `netpoll.go` (`pollDesc`).
//!
//! A `g` points to its `sudog`s where it waits for channels; to those of a semaphore, or to what the poller
//! has, a word of its innermost frames does (`parked`). Such a word is believed if what it points to names
//! the goroutine in turn.

use std::sync::Arc;

use lastgasp_inferior::{Addr, Memory};

use super::g::RawG;
use super::parked::{WINDOW, candidates, window};
use super::status::Status;
use super::wait_reason::Reason;
use crate::runtime::Runtime;

/// Most cases of a `select` that are followed.
const MAX_CASES: usize = 64;
/// Goroutines whose stacks are looked through for such pointers.
pub(crate) const MAX_LOOKED_THROUGH: usize = 128 << 10;
/// What a goroutine waits on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitsOn {
    /// Channels, or the semaphore of a lock; empty if it is not known.
    pub objects: Arc<[Addr]>,
    /// Whether the read or write that it waits for has a deadline; `None` if it is not known.
    pub has_deadline: Option<bool>,
}

/// What kind of object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitKind {
    /// Channels: by `g.waiting`.
    Channel,
    /// A semaphore.
    Semaphore,
    /// A descriptor that the poller watches.
    Poll,
}

impl WaitKind {
    /// What it waits on by its reason; `None` for all that leads to nothing shared.
    pub(crate) fn of(rt: &Runtime, raw: &RawG) -> Option<Self> {
        if !matches!(raw.status()?, Status::Waiting | Status::Leaked) {
            return None;
        }
        match Reason::of(rt.layout.wait_reasons.get(usize::from(raw.wait_reason))?) {
            Reason::Poll => Some(Self::Poll),
            Reason::Semaphore(_) => Some(Self::Semaphore),
            Reason::Channel(_) | Reason::Select => Some(Self::Channel),
            Reason::Cond | Reason::Sleep | Reason::Alone(_) => None,
        }
    }

    /// From a pointer to the word that proves it: of a descriptor the pointer to itself.
    pub(crate) fn proof(self, rt: &Runtime) -> u64 {
        match self {
            Self::Channel | Self::Semaphore => rt.layout.sudog.g,
            Self::Poll => rt.layout.poll_desc.self_,
        }
    }

    /// What that word is, for the goroutine at `g`.
    pub(crate) fn proves(self, pointer: Addr, g: Addr) -> u64 {
        match self {
            Self::Channel | Self::Semaphore => g.0,
            Self::Poll => pointer.0,
        }
    }

    /// Bytes of what is pointed to.
    pub(crate) fn size(self, rt: &Runtime) -> usize {
        (match self {
            Self::Channel | Self::Semaphore => rt.layout.sudog.sizeof,
            Self::Poll => rt.layout.poll_desc.sizeof,
        }) as usize
    }
}

/// What the goroutine at `at` waits on. `left` is how many stacks may still be looked through.
pub(crate) fn decode(rt: &Runtime, mem: &dyn Memory, at: Addr, raw: &RawG, left: &mut usize) -> WaitsOn {
    let Some(kind) = WaitKind::of(rt, raw) else { return WaitsOn::default() };
    if kind == WaitKind::Channel {
        return WaitsOn { objects: channels(rt, mem, at, raw.waiting).into(), has_deadline: None };
    }
    if *left == 0 {
        return WaitsOn::default();
    }
    *left -= 1;
    let Some(words) = window(raw).and_then(|(start, len)| mem.bytes(start, len, WINDOW as usize).ok()) else {
        return WaitsOn::default();
    };
    let mut found =
        candidates(rt, raw, &words).filter(|p| mem.u64(p.plus(kind.proof(rt))).is_ok_and(|w| w == kind.proves(*p, at)));
    match kind {
        WaitKind::Channel => WaitsOn::default(),
        WaitKind::Semaphore => {
            let semaphore = found.find_map(|p| semaphore(rt, mem, p));
            WaitsOn { objects: semaphore.into_iter().collect(), has_deadline: None }
        }
        WaitKind::Poll => {
            WaitsOn { has_deadline: found.find_map(|p| has_deadline(rt, mem, p, at)), ..WaitsOn::default() }
        }
    }
}

/// A field that may be hidden from the collector: then the word behind it has the address.
fn pointer(mem: &dyn Memory, at: Addr, field: u64, traced: Option<u64>) -> Option<Addr> {
    mem.ptr(at.plus(traced.unwrap_or(field))).ok().filter(|a| !a.is_null())
}

/// The channels of a list of `sudog`s, each once.
fn channels(rt: &Runtime, mem: &dyn Memory, g: Addr, first: Addr) -> Vec<Addr> {
    let l = &rt.layout.sudog;
    let (mut at, mut out) = (first, Vec::new());
    for _ in 0..MAX_CASES {
        if at.is_null() || !mem.ptr(at.plus(l.g)).is_ok_and(|of| of == g) {
            break;
        }
        let channel = pointer(mem, at, l.c, l.c_traced);
        out.extend(channel.filter(|c| !out.contains(c)));
        at = mem.ptr(at.plus(l.waitlink)).unwrap_or_default();
    }
    out
}

/// The semaphore of a `sudog` that hangs in no channel.
fn semaphore(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<Addr> {
    let l = &rt.layout.sudog;
    let of_channel = mem.ptr(at.plus(l.c)).is_ok_and(|c| !c.is_null());
    pointer(mem, at, l.elem, l.elem_traced).filter(|a| !of_channel && a.0 % 4 == 0)
}

/// Whether the descriptor at `at`, on which the goroutine waits, has a deadline for what it waits for.
fn has_deadline(rt: &Runtime, mem: &dyn Memory, at: Addr, g: Addr) -> Option<bool> {
    let l = &rt.layout.poll_desc;
    for (waits, deadline) in [(l.rg, l.rd), (l.wg, l.wd)] {
        if mem.ptr(at.plus(waits)).is_ok_and(|of| of == g) {
            return mem.u64(at.plus(deadline)).ok().map(|t| t != 0);
        }
    }
    None
}

/// The next `sudog` in a list.
pub(crate) fn next(rt: &Runtime, bytes: &[u8]) -> Addr {
    let at = rt.layout.sudog.waitlink as usize;
    Addr(bytes.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::{AddrRange, Snapshot};

    use super::super::status::Presence;
    use super::*;
    use crate::evidence::Fixture;

    const G: Addr = Addr(0xc0_0000_4000);
    const STACK: u64 = 0xc0_0001_0000;
    const AT: u64 = 0xc0_0002_0000;

    fn waiting(rt: &Runtime, reason: &str, list: Addr) -> RawG {
        let reason = rt.layout.wait_reasons.iter().position(|r| *r == reason).unwrap();
        let stack = AddrRange::sized(Addr(STACK), 2048);
        RawG {
            stack,
            sched_sp: Addr(stack.end.0 - 256),
            presence: Presence::Live(Status::Waiting),
            wait_reason: reason as u8,
            waiting: list,
            ..RawG::default()
        }
    }

    /// A structure of `len` bytes with these words.
    fn put(into: &mut Snapshot, at: u64, len: usize, words: &[(u64, u64)]) {
        let mut bytes = vec![0; len];
        for (offset, word) in words {
            bytes[*offset as usize..*offset as usize + 8].copy_from_slice(&word.to_le_bytes());
        }
        into.insert(Addr(at), &bytes);
    }

    fn stack(into: &mut Snapshot, words: &[u64]) {
        let words: Vec<(u64, u64)> = words.iter().enumerate().map(|(i, w)| (i as u64 * 24, *w)).collect();
        put(into, STACK + 2048 - 256, 256, &words);
    }

    #[test]
    fn channels_by_the_list() {
        let f = Fixture::many(1);
        let (rt, l) = (&f.runtime, &f.runtime.layout.sudog);
        let c = l.c_traced.unwrap_or(l.c);
        let mut mem = Snapshot::default();
        put(&mut mem, AT, l.sizeof as usize, &[(l.g, G.0), (c, 0x1000), (l.waitlink, AT + 512)]);
        put(&mut mem, AT + 512, l.sizeof as usize, &[(l.g, G.0), (c, 0x2000), (l.waitlink, AT)]);
        mem.seal();
        let of = |g| decode(rt, &mem, g, &waiting(rt, "select", Addr(AT)), &mut 0);
        assert_eq!(*of(G).objects, [Addr(0x1000), Addr(0x2000)], "a circle ends");
        assert_eq!(of(Addr(G.0 + 8)), WaitsOn::default(), "of another goroutine by now");
        assert_eq!(decode(rt, &mem, G, &waiting(rt, "sleep", Addr(AT)), &mut 9), WaitsOn::default());
    }

    #[test]
    fn a_semaphore_by_the_stack() {
        let f = Fixture::many(1);
        let (rt, l) = (&f.runtime, &f.runtime.layout.sudog);
        let elem = l.elem_traced.unwrap_or(l.elem);
        let mut mem = Snapshot::default();
        let size = l.sizeof as usize;
        // One of another goroutine, one that waits for a channel, and the right one.
        put(&mut mem, AT, size, &[(l.g, 0x77), (elem, 0x1004)]);
        put(&mut mem, AT + 512, size, &[(l.g, G.0), (elem, 0x2004), (l.c, 0x9000)]);
        put(&mut mem, AT + 1024, size, &[(l.g, G.0), (elem, 0x3004)]);
        stack(&mut mem, &[G.0, 7, STACK + 8, AT, AT + 512, AT + 1024]);
        mem.seal();
        let raw = waiting(rt, "sync.Mutex.Lock", Addr(0));
        let mut left = 1;
        assert_eq!(*decode(rt, &mem, G, &raw, &mut left).objects, [Addr(0x3004)]);
        assert_eq!(decode(rt, &mem, G, &raw, &mut left), WaitsOn::default(), "so many and no more");
    }

    #[test]
    fn a_deadline_of_what_is_waited_for() {
        let f = Fixture::many(1);
        let (rt, l) = (&f.runtime, &f.runtime.layout.poll_desc);
        for (waits, deadlines, want) in [
            (l.rg, &[(l.rd, 5)][..], Some(true)),
            (l.rg, &[(l.wd, 5)], Some(false)),
            (l.wg, &[(l.wd, u64::MAX)], Some(true)),
            (l.wg, &[(l.rd, 5)], Some(false)),
            (8, &[(l.rd, 5)], None),
        ] {
            let mut mem = Snapshot::default();
            put(&mut mem, AT, l.sizeof as usize, &[&[(l.self_, AT), (waits, G.0)], deadlines].concat());
            stack(&mut mem, &[0x1234_5678, AT]);
            mem.seal();
            let got = decode(rt, &mem, G, &waiting(rt, "IO wait", Addr(0)), &mut 1);
            assert_eq!((got.has_deadline, got.objects.len()), (want, 0));
        }
    }
}
