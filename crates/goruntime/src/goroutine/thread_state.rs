//! Where each thread stands: the registers that belong to each `m`.

use lastgasp_inferior::{Addr, AddrRange, GeneralRegisters, ThreadRegisters};
use rustc_hash::FxHashMap;

use super::g::RawM;

/// A thread that was stopped, and its `m`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadState {
    pub(crate) pc: Addr,
    pub(crate) sp: Addr,
    pub(crate) general: Option<GeneralRegisters>,
    pub(crate) m: RawM,
}

/// Which thread each `m` is, and where it stands.
pub(crate) fn thread_states(
    threads: &FxHashMap<u64, RawM>,
    registers: &[ThreadRegisters],
    stack_of: &dyn Fn(Addr) -> Option<AddrRange>,
) -> FxHashMap<u64, ThreadState> {
    let by_tid: FxHashMap<i32, usize> = registers.iter().enumerate().map(|(i, r)| (r.tid, i)).collect();
    let mut by_sp: Vec<usize> = (0..registers.len()).collect();
    let sp = |i: usize| registers.get(i).map_or(Addr(0), |r| r.sp);
    by_sp.sort_by_key(|i| sp(*i));
    let mut out = FxHashMap::default();
    let mut sorted: Vec<(&u64, &RawM)> = threads.iter().collect();
    sorted.sort_unstable_by_key(|(at, _)| **at);
    for (at, m) in sorted {
        let own = stack_of(m.curg).unwrap_or(AddrRange { start: Addr(0), end: Addr(0) });
        let stacks = [own, m.g0, m.gsignal];
        let on_its_stacks = |sp: Addr| stacks.iter().any(|s| s.contains(sp));
        let named = by_tid.get(&m.tid).copied();
        // `procid` is the number that the thread has within its own PID namespace: in a container it names
        // another thread, or none. Stacks are nobody else's.
        let found = named.filter(|i| on_its_stacks(sp(*i))).or_else(|| {
            let hit = |s: &AddrRange| {
                let first = by_sp.partition_point(|i| sp(*i) < s.start);
                by_sp.get(first).copied().filter(|i| s.contains(sp(*i)))
            };
            stacks.iter().find_map(hit)
        });
        if let Some(r) = found.or(named).and_then(|i| registers.get(i)) {
            out.insert(*at, ThreadState { pc: r.pc, sp: r.sp, general: r.general, m: *m });
        }
    }
    out
}
