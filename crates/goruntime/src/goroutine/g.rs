//! `g` and `m` as they stand in memory. Source: `runtime/runtime2.go`.

use std::hash::{Hash as _, Hasher as _};

use lastgasp_inferior::{Addr, AddrRange, Memory};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::status::{Presence, Status};
use crate::bounds::{DEEP_STACK, MAX_GOROUTINES, MAX_STACK_BYTES, MAX_THREADS};
use crate::gap::Gap;
use crate::runtime::Runtime;

/// The fields of `g` that we use.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(Default))]
pub(crate) struct RawG {
    pub(crate) stack: AddrRange,
    pub(crate) sched_sp: Addr,
    pub(crate) sched_pc: Addr,
    pub(crate) syscall_sp: Addr,
    pub(crate) syscall_pc: Addr,
    pub(crate) presence: Presence,
    pub(crate) goid: u64,
    pub(crate) wait_since: i64,
    pub(crate) wait_reason: u8,
    pub(crate) parent: u64,
    pub(crate) gopc: Addr,
    pub(crate) startpc: Addr,
    pub(crate) m: Addr,
    pub(crate) locked: bool,
    pub(crate) ancestors: Addr,
    pub(crate) labels: Addr,
    /// The first of its `sudog`s, where it waits for channels.
    pub(crate) waiting: Addr,
    /// The closure that it goes on in.
    pub(crate) context: Addr,
    /// The first of what its `defer` statements left.
    pub(crate) defers: Addr,
    /// The innermost of its panics.
    pub(crate) panics: Addr,
    /// Where its vector registers were saved, if it was preempted between two calls.
    pub(crate) vectors: Addr,
    /// The timer that wakes it from `time.Sleep`.
    pub(crate) timer: Addr,
    /// When it does (from Go 1.23).
    pub(crate) sleep_when: Option<i64>,
    /// The `synctest` bubble that it lives in.
    pub(crate) bubble: Addr,
}

impl RawG {
    /// From the bytes of a `g`.
    pub(crate) fn parse(rt: &Runtime, b: &[u8]) -> Option<Self> {
        let l = &rt.layout.g;
        let word = |offset: u64| -> Option<u64> {
            let at = offset as usize;
            b.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
        };
        Some(Self {
            stack: AddrRange { start: Addr(word(l.stack_lo)?), end: Addr(word(l.stack_hi)?) },
            sched_sp: Addr(word(l.sched_sp)?),
            sched_pc: Addr(word(l.sched_pc)?),
            syscall_sp: Addr(word(l.syscallsp)?),
            syscall_pc: Addr(word(l.syscallpc)?),
            presence: Presence::parse(word(l.atomicstatus)? as u32),
            goid: word(l.goid)?,
            wait_since: word(l.waitsince)?.cast_signed(),
            wait_reason: *b.get(l.waitreason as usize)?,
            parent: l.parent_goid.map_or(Some(0), word)?,
            gopc: Addr(word(l.gopc)?),
            startpc: Addr(word(l.startpc)?),
            m: Addr(word(l.m)?),
            locked: word(l.lockedm)? != 0,
            ancestors: Addr(word(l.ancestors)?),
            labels: Addr(word(l.labels)?),
            waiting: Addr(word(l.waiting)?),
            context: Addr(word(l.sched_ctxt)?),
            defers: Addr(word(l.defers)?),
            panics: Addr(word(l.panics)?),
            vectors: Addr(l.x_regs.map_or(Some(0), word)?),
            timer: Addr(word(l.timer)?),
            sleep_when: l.sleep_when.and_then(word).map(u64::cast_signed),
            bubble: Addr(l.bubble.map_or(Some(0), word)?),
        })
    }

    /// What it does, if it is there at all.
    pub(crate) fn status(&self) -> Option<Status> {
        match self.presence {
            Presence::Live(status) => Some(status),
            Presence::Dead | Presence::ExtraThread => None,
        }
    }

    /// Where it goes on, as far as the structure alone tells: program counter and stack pointer.
    pub(crate) fn resume(&self) -> Option<(Addr, Addr)> {
        match self.status()? {
            Status::Running | Status::Unknown(_) => None,
            Status::Syscall if !self.syscall_sp.is_null() => Some((self.syscall_pc, self.syscall_sp)),
            _ => Some((self.sched_pc, self.sched_sp)),
        }
    }

    /// Why its stack cannot be one.
    pub(crate) fn stack_problem(&self) -> Option<String> {
        let len = self.stack.end.0.checked_sub(self.stack.start.0);
        match len {
            Some(len) if len <= MAX_STACK_BYTES => None,
            Some(len) => Some(format!("a stack of {len} bytes: no goroutine has one")),
            None => Some("a stack that ends before it begins".into()),
        }
    }

    /// The part of the stack that is in use, as far as the structure alone tells, at most `bound` bytes of
    /// it: of a goroutine that runs the outermost ones, of others the innermost.
    pub(crate) fn used_stack(&self, bound: u64) -> Option<AddrRange> {
        self.status()?;
        if self.stack_problem().is_some() {
            return None;
        }
        let low = match self.resume() {
            Some((_, sp)) => sp.0,
            None => self.stack.start.0.max(self.stack.end.0.saturating_sub(bound)),
        };
        let end = self.stack.end.0.min(low.checked_add(bound)?);
        (low >= self.stack.start.0 && low < end).then_some(AddrRange { start: Addr(low), end: Addr(end) })
    }

    /// Goroutines of one kind were started by the same statement, stopped at the same instruction with the
    /// same amount of stack in use: as good as certain, they have the same stack of calls. Of deep stacks the
    /// amount does not count: a recursion is the same one at any depth (258 goroutines in one, each as deep
    /// as it was lucky: the test `deep_stacks_are_one_kind_at_any_depth`).
    pub(crate) fn kind(&self) -> u64 {
        let mut h = FxHasher::default();
        let (pc, sp) = self.resume().unwrap_or_default();
        let used = self.stack.end.0.wrapping_sub(sp.0);
        let used = if (DEEP_STACK..=MAX_STACK_BYTES).contains(&used) { DEEP_STACK } else { used };
        (self.gopc, self.startpc, self.wait_reason, self.presence, pc, used).hash(&mut h);
        h.finish()
    }

    /// Bytes of its stack that are in use; 0 of one that runs, whose stack pointer is elsewhere.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.resume().filter(|(_, sp)| self.stack.contains(*sp)).map_or(0, |(_, sp)| self.stack.end.0 - sp.0)
    }
}

/// What is needed of an `m`: its thread, its stacks, and where it left Go for the vDSO.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawM {
    pub(crate) tid: i32,
    /// Stack of the scheduler: of the thread itself, its bounds guessed by the runtime where libc made it.
    pub(crate) g0: AddrRange,
    /// Stack of signal handlers.
    pub(crate) gsignal: AddrRange,
    pub(crate) curg: Addr,
    pub(crate) vdso_sp: Addr,
    pub(crate) vdso_pc: Addr,
}

/// Where `allgs` stands, and its pointers in its order, which is the order in which Go prints them.
pub(crate) fn pointers(rt: &Runtime, mem: &dyn Memory, gaps: &mut Vec<Gap>) -> (AddrRange, Vec<Addr>) {
    // Length before pointer, as forEachGRace does: the array only grows.
    let read = || -> Result<(AddrRange, Vec<Addr>), String> {
        let len = mem.u64(rt.globals.allglen).map_err(|e| e.to_string())?;
        if len > MAX_GOROUTINES {
            return Err(format!("allglen says {len}"));
        }
        let array = mem.ptr(rt.globals.allgptr).map_err(|e| e.to_string())?;
        let bytes = mem.bytes(array, len as usize * 8, MAX_GOROUTINES as usize * 8).map_err(|e| e.to_string())?;
        let words = bytes.chunks_exact(8).map(|w| Addr(w.try_into().map_or(0, u64::from_le_bytes)));
        Ok((AddrRange::sized(array, len * 8), words.filter(|a| !a.is_null()).collect()))
    };
    read().unwrap_or_else(|e| {
        gaps.push(Gap::new("goroutines", e));
        (AddrRange::default(), Vec::new())
    })
}

/// The runtime names each `g` once, and none stands within another: without those that do, what is decoded is
/// bounded by what was copied.
pub(crate) fn distinct(mut all: Vec<Addr>, size: u64, gaps: &mut Vec<Gap>) -> Vec<Addr> {
    let sorted = sorted(all.clone(), size);
    let lost = all.len() - sorted.len();
    if lost > 0 {
        let mut once: FxHashSet<Addr> = sorted.into_iter().collect();
        all.retain(|a| once.remove(a));
        gaps.push(Gap::new(format!("{lost} goroutines"), "allgs names them twice, or within each other"));
    }
    all
}

/// As [`distinct`], by address.
pub(crate) fn sorted(mut all: Vec<Addr>, size: u64) -> Vec<Addr> {
    all.sort_unstable();
    let mut end = 0;
    all.retain(|a| {
        let fits = a.0 >= end;
        if fits {
            end = a.0.saturating_add(size);
        }
        fits
    });
    all
}

/// Bytes of an `m` that hold all that we read of it.
pub(crate) fn m_extent(rt: &Runtime) -> usize {
    let l = &rt.layout.m;
    let last = [l.g0, l.gsignal, l.procid, l.curg, l.alllink, l.vdso_sp, l.vdso_pc].into_iter().max().unwrap_or(0);
    last as usize + 8
}

impl RawM {
    /// The `m` at `at`, and the next one in `allm`.
    pub(crate) fn read(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<(Self, Addr)> {
        let l = &rt.layout.m;
        let b = mem.bytes(at, m_extent(rt), 1 << 14).ok()?;
        let word = |offset: u64| -> Option<Addr> {
            let from = offset as usize;
            b.get(from..from.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes).map(Addr)
        };
        let curg = word(l.curg)?;
        // The stacks of a thread matter while it works for a goroutine.
        let stack = |g: Addr| if curg.is_null() { None } else { stack_of(rt, mem, g) };
        let m = Self {
            tid: word(l.procid)?.0 as i32,
            g0: stack(word(l.g0)?).unwrap_or_default(),
            gsignal: stack(word(l.gsignal)?).unwrap_or_default(),
            curg,
            vdso_sp: word(l.vdso_sp)?,
            vdso_pc: word(l.vdso_pc)?,
        };
        Some((m, word(l.alllink)?))
    }
}

/// The stack of the `g` at `at`.
pub(crate) fn stack_of(rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<AddrRange> {
    if at.is_null() {
        return None;
    }
    let bound = |offset: u64| mem.ptr(at.plus(offset)).ok();
    Some(AddrRange { start: bound(rt.layout.g.stack_lo)?, end: bound(rt.layout.g.stack_hi)? })
}

/// All threads, by the address of their `m`. `visit` is told of each address.
pub(crate) fn threads(rt: &Runtime, mem: &dyn Memory, visit: &mut dyn FnMut(Addr)) -> FxHashMap<u64, RawM> {
    let mut found = FxHashMap::default();
    let mut at = mem.ptr(rt.globals.allm).unwrap_or_default();
    while !at.is_null() && found.len() < MAX_THREADS {
        visit(at);
        let Some((m, next)) = RawM::read(rt, mem, at) else { break };
        if found.insert(at.0, m).is_some() {
            break;
        }
        at = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goroutine_counts_once_and_the_order_stays() {
        let mut gaps = Vec::new();
        let at = |list: &[u64]| list.iter().map(|a| Addr(*a)).collect::<Vec<_>>();
        assert_eq!(distinct(at(&[900, 100, 500]), 400, &mut gaps), at(&[900, 100, 500]));
        assert_eq!(gaps, []);
        let overlapping: Vec<Addr> = (0..100_000).map(|i| Addr(5000 - i % 5 * 1000 + i % 2)).collect();
        assert_eq!(distinct(overlapping, 400, &mut gaps), at(&[5000, 3000, 1000, 4000, 2000]).as_slice());
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].what, "99995 goroutines");
    }
}
