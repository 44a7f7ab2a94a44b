//! The stacks of goroutines word by word: what they hold, taken conservatively. A word that looks like the
//! address of an object keeps it, whether or not the variable that it belonged to is still in use. Source:
//! `runtime/mgcmark.go` (`scanstack`, which has stack maps and is exact).

use lastgasp_inferior::{Addr, AddrRange, Memory, ThreadRegisters};

use super::g::{RawG, distinct, pointers, stack_of, threads};
use super::gaps::GapTally;
use super::status::{Presence, Status};
use super::thread_state::thread_states;
use crate::bounds::MAX_STACK_BYTES;
use crate::gap::Gap;
use crate::runtime::Runtime;

/// Bytes that are read at once.
const WINDOW: u64 = 64 << 10;
/// Bytes of all stacks together that are looked through, 8 GiB: a stack may be named by many.
const MAX_BYTES: u64 = 8 << 30;

/// Calls `visit` with the number of every live goroutine, and where its `g` stands.
pub fn each_goroutine(rt: &Runtime, mem: &dyn Memory, mut visit: impl FnMut(u64, Addr)) {
    // Whatever is wrong with them is said by whoever decodes them.
    for at in pointers(rt, mem, &mut Vec::new()).1 {
        let read = mem.bytes(at, rt.layout.g.sizeof as usize, 1 << 12).ok();
        if let Some(raw) = read.and_then(|b| RawG::parse(rt, &b)).filter(|raw| raw.status().is_some()) {
            visit(raw.goid, at);
        }
    }
}

/// Calls `visit` for every word of the used part of every goroutine's stack, zeros left out: the goroutine's
/// number and the word. Of one that is on a thread's system stack, that stack's words
/// are its too: registers are saved there.
pub fn stack_words(
    rt: &Runtime,
    mem: &dyn Memory,
    registers: &[ThreadRegisters],
    gaps: &mut Vec<Gap>,
    mut visit: impl FnMut(u64, Addr),
) {
    let known = threads(rt, mem, &mut |_| {});
    let states = thread_states(&known, registers, &|g| stack_of(rt, mem, g));
    let (mut lost, mut left) = (GapTally::default(), MAX_BYTES);
    let mut buffer = vec![0; WINDOW as usize];
    let all = pointers(rt, mem, gaps).1;
    for at in distinct(all, rt.layout.g.sizeof, gaps) {
        let read = mem.bytes(at, rt.layout.g.sizeof as usize, 1 << 12).map_err(|e| e.to_string());
        let raw = match read.and_then(|b| RawG::parse(rt, &b).ok_or_else(|| "too short".into())) {
            Ok(raw) => raw,
            Err(why) => {
                lost.add(why);
                continue;
            }
        };
        let Presence::Live(status) = raw.presence else { continue };
        if let Some(why) = raw.stack_problem() {
            lost.add(why);
            continue;
        }
        let thread = if status == Status::Running { states.get(&raw.m.0) } else { None };
        let own = match thread {
            Some(t) if raw.stack.contains(t.sp) => Some(AddrRange { start: t.sp, end: raw.stack.end }),
            // Where it stands is not known: all of it, what was left there long ago too.
            _ => raw.used_stack(MAX_STACK_BYTES).or(Some(raw.stack)),
        };
        let system = thread.and_then(|t| {
            let on = [t.m.gsignal, t.m.g0].into_iter().find(|s| s.contains(t.sp))?;
            Some(AddrRange { start: t.sp, end: on.end })
        });
        for range in [own, system].into_iter().flatten() {
            let start = Addr(range.start.0.next_multiple_of(8));
            let len = range.end.0.saturating_sub(start.0).min(MAX_STACK_BYTES).min(left) / 8 * 8;
            left -= len;
            for from in (0..len).step_by(WINDOW as usize) {
                let Some(piece) = buffer.get_mut(..WINDOW.min(len - from) as usize) else { break };
                if let Err(e) = mem.read(start.plus(from), piece) {
                    lost.add(e.to_string());
                    break;
                }
                let words = piece.chunks_exact(8).map(|w| w.try_into().map_or(0, u64::from_le_bytes));
                words.filter(|w| *w != 0).for_each(|w| visit(raw.goid, Addr(w)));
            }
        }
    }
    if left == 0 {
        lost.add(format!("more than {} GiB of them", MAX_BYTES >> 30));
    }
    lost.report("stacks that were to be looked through", gaps);
}
