//! What a thread holds on its own stack, where the scheduler runs and what it does for goroutines
//! (`systemstack`): of each frame what the compiler calls live, as of goroutines' frames.
//!
//! Most words of such a stack are left over. Whoever parked a goroutine has had the channels that it waits
//! for in its frames (`selparkcommit`), and they stand there still when the scheduler looks for other work:
//! taken for references they lead to the way out of a goroutine that nobody but itself knows (seen of a
//! ticker in a `select`, one look in some hundreds on a busy machine:
//! `a_ticker_is_for_ever_whenever_one_looks`). So only what is live counts; every word does only of the
//! innermost frame and of registers, and where frames cannot be followed.

use lastgasp_inferior::{Addr, AddrRange, Memory};

use super::frame::Frame;
use super::stack_maps::{Shape, StackMaps};
use crate::binary::pclntab::Symbolizer;
use crate::goroutine::thread_state::ThreadState;
use crate::goroutine::unwind::Unwinder;
use crate::runtime::Runtime;

/// Bytes of a thread's own stack that are looked through where its frames are not known, from its top.
const MOST: u64 = 64 << 10;
/// Bytes of one frame, and of the arguments of one, that are looked through.
const MOST_OF_FRAME: u64 = 16 << 10;
/// Where threads without work sleep: in a futex, for the poller, for a time. Nothing is live in registers
/// there: they were the caller's, and whoever calls keeps what it needs on its stack.
const ASLEEP: [&str; 5] = [
    "runtime.futex",
    "runtime.epollwait",
    "runtime.epollpwait",
    "runtime.usleep",
    // `runtime/internal/syscall`, `internal/runtime/syscall`, `internal/runtime/syscall/linux` (from Go
    // 1.26).
    ".Syscall6",
];
/// What has nothing left to do but to give back the locks of what a goroutine waits for from now on: it wakes
/// nobody.
const PARKS: [&str; 3] = ["runtime.selparkcommit", "runtime.chanparkcommit", "runtime.parkunlock_c"];

/// Reads what threads hold on their own stacks.
pub(super) struct SystemStacks<'a, 'b> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    symbols: &'a Symbolizer<'b>,
    maps: StackMaps<'a, 'b>,
}

impl<'a, 'b> SystemStacks<'a, 'b> {
    pub(super) fn new(rt: &'a Runtime, mem: &'a dyn Memory, symbols: &'a Symbolizer<'b>) -> Self {
        Self { rt, mem, symbols, maps: StackMaps::new(rt, mem, symbols) }
    }

    /// The words of a thread: its registers, its own stack, and that of signal handlers where it is in one.
    pub(super) fn held(&mut self, thread: &ThreadState) -> Vec<Addr> {
        let m = &thread.m;
        let stands = self.symbols.function_name(thread.pc).unwrap_or_default();
        let asleep = ASLEEP.iter().any(|asleep| stands.ends_with(asleep));
        let general = thread.general.into_iter().flatten().filter(|_| !asleep);
        let mut out: Vec<Addr> = general.map(Addr).collect();
        if m.gsignal.contains(thread.sp) {
            // The registers of what was interrupted are among them.
            out.extend(self.all(AddrRange { start: thread.sp, end: m.gsignal.end }));
        }
        let trace = Unwinder::new(self.rt, self.symbols, self.mem).unwind_system(thread);
        if trace.cut.is_some() && asleep {
            return Vec::new();
        }
        let mut interrupted = false;
        // A frame whose caller is not known is looked through with the rest.
        let known = trace.steps.len().saturating_sub(usize::from(trace.cut.is_some()));
        for (step, sp) in trace.steps.iter().zip(&trace.sps).take(known) {
            let Some(place) = self.symbols.place(step.pc, step.exact) else { continue };
            let Some(delta) = place.sp_delta else { continue };
            if step.exact && asleep {
                continue;
            }
            if PARKS.contains(&place.name.as_str()) {
                out.clear();
                continue;
            }
            let frame = Frame::of(self.rt, *sp, delta, step.pc, step.exact);
            let map = self.maps.of(&place, step.pc, false, frame.top > frame.sp);
            let interrupts = map.shape == Shape::Interrupts;
            let from = frame.top.0.saturating_sub(map.locals_bytes);
            let is_other = from < frame.sp.0 && map.locals_bytes > 0;
            if step.exact || interrupted || interrupts || map.missing || is_other {
                let end = frame.top.min(frame.sp.plus(MOST_OF_FRAME));
                out.extend(self.all(AddrRange { start: frame.sp, end }));
                out.extend(self.all(AddrRange::sized(frame.arguments, map.args_bytes.min(MOST_OF_FRAME))));
            } else {
                let locals = map.locals.iter().map(|o| Addr(from).plus(u64::from(*o)));
                let places = locals.chain(map.args.iter().map(|o| frame.arguments.plus(u64::from(*o))));
                out.extend(places.filter_map(|at| self.mem.ptr(at).ok()));
                // Whether anything points to them is not asked.
                for object in map.objects.iter() {
                    let base = if object.offset < 0 { frame.top } else { frame.arguments };
                    let at = Addr(base.0.wrapping_add_signed(i64::from(object.offset)));
                    let words = object.pointers.iter().map(|o| at.plus(u64::from(*o))).filter(|_| at >= frame.sp);
                    out.extend(words.filter_map(|at| self.mem.ptr(at).ok()));
                }
            }
            interrupted = interrupts;
        }
        if trace.cut.is_some() {
            out.extend(self.all(AddrRange { start: trace.walked.end, end: m.g0.end }));
        }
        out
    }

    /// Every word of a part of a stack, of a large one of its top.
    pub(super) fn all(&self, range: AddrRange) -> Vec<Addr> {
        /// Bytes that are read at once: what lies below a stack may not be there.
        const PIECE: u64 = 4096;
        let mut out = Vec::new();
        let start = range.start.0.max(range.end.0.saturating_sub(MOST));
        let Some(mut at) = start.checked_next_multiple_of(8).map(Addr) else { return out };
        while at < range.end {
            let len = (range.end.0 - at.0).min(PIECE - at.0 % PIECE);
            if let Ok(bytes) = self.mem.bytes(at, len as usize, PIECE as usize) {
                out.extend(bytes.chunks_exact(8).map(|w| Addr(w.try_into().map_or(0, u64::from_le_bytes))));
            }
            at = at.plus(len);
        }
        out
    }
}
