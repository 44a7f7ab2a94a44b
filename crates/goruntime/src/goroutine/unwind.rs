//! Go stacks without frame pointers or DWARF: the pc-SP tables tell where the return address stands. Source:
//! `runtime/traceback.go` (`unwinder`).
//!
//! A goroutine that runs may stand on other stacks than its own: on the scheduler's (`g0`: `systemstack`,
//! `mcall`, `morestack`, calls of C) or on that of signal handlers (`gsignal`). The way back to the goroutine
//! is the one that the runtime takes: `curg.sched`, and the registers that the kernel saved.

use lastgasp_inferior::{Addr, AddrRange, Memory};

use super::g::{RawG, RawM};
use super::thread_state::ThreadState;
use crate::arch::{self, GoArch};
use crate::binary::pclntab::{Place, Symbolizer};
use crate::bounds::{DEEP_STACK, RECONSTRUCT_WINDOW};
use crate::runtime::Runtime;

/// Deepest stack we follow.
const MAX_FRAMES: usize = 16 << 10;

/// A physical frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    pub(crate) pc: Addr,
    /// The instruction at `pc` was about to run; else it is a return address.
    pub(crate) exact: bool,
    /// On the thread's system stack.
    pub(crate) system: bool,
}

/// A stack that was unwound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// Physical frames, innermost first.
    pub(crate) steps: Vec<Step>,
    /// Stack pointer of each.
    pub(crate) sps: Vec<Addr>,
    /// Why it ends early; `None` when it reached the function where stacks begin.
    pub(crate) cut: Option<String>,
    /// Where in the goroutine's stack the walk began, and where it ended.
    pub(crate) walked: AddrRange,
    /// Whether it ends early because the rest of the stack is not there to be read.
    pub(crate) absent: bool,
}

impl Trace {
    fn is_of_a_deep_stack(&self) -> bool {
        self.absent && self.walked.len() >= DEEP_STACK - DEEP_STACK / 4
    }
}

/// Why the caller of a frame is not known.
enum NoCaller {
    /// What is there makes no sense.
    Wrong(String),
    /// Nothing is there to be read.
    Absent(String),
}

impl From<NoCaller> for String {
    fn from(why: NoCaller) -> Self {
        match why {
            NoCaller::Wrong(why) | NoCaller::Absent(why) => why,
        }
    }
}

/// Where a stack goes on.
#[derive(Clone, Copy, Debug)]
struct Position {
    pc: Addr,
    sp: Addr,
    exact: bool,
}

/// Where `sched.pc` points while a goroutine is on the system stack, or in C.
const LEFT: &str = "runtime.systemstack_switch";

/// Functions that leave the stack by other ways than returning, by what unwinding does at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jump {
    /// `systemstack`, `asmcgocall`: the rest of their own frame stands on the goroutine's stack.
    Through,
    /// `mcall`, `morestack`: the goroutine goes on where it was left.
    Back,
    /// `sigtramp`: the kernel saved the registers.
    Signal,
    /// `gogo`: half way to the goroutine.
    Into,
}

impl Jump {
    fn at(name: &str) -> Option<Self> {
        Some(match name {
            "runtime.systemstack" | "runtime.asmcgocall" => Self::Through,
            "runtime.mcall" | "runtime.morestack" => Self::Back,
            "runtime.sigtramp" | "runtime.cgoSigtramp" => Self::Signal,
            // A static symbol since Go 1.17.
            "gogo" | "runtime.gogo" => Self::Into,
            _ => return None,
        })
    }
}

/// What called these was interrupted between two instructions: its pc is no return address
/// (`isInjectedCall`).
fn is_injected_call(name: &str) -> bool {
    matches!(name, "runtime.asyncPreempt" | "runtime.sigpanic" | "runtime.debugCallV2")
}

/// Functions that call the vDSO on a stack pointer that their tables do not know.
fn calls_vdso(name: &str) -> bool {
    matches!(name, "runtime.nanotime1" | "runtime.walltime" | "time.now" | "runtime.vgetrandom1")
}

/// Unwinds the stacks of one process.
pub(crate) struct Unwinder<'a, 'b> {
    arch: &'static GoArch,
    symbols: &'a Symbolizer<'b>,
    mem: &'a dyn Memory,
}

impl<'a, 'b> Unwinder<'a, 'b> {
    pub(crate) fn new(rt: &Runtime, symbols: &'a Symbolizer<'b>, mem: &'a dyn Memory) -> Self {
        Self { arch: arch::of(rt.arch), symbols, mem }
    }

    /// Unwinds a goroutine's own stack from a place that the runtime noted.
    pub(crate) fn unwind(&self, stack: AddrRange, pc: Addr, sp: Addr) -> Trace {
        let mut out = Trace::default();
        self.along(stack, Position { pc, sp, exact: false }, false, &mut out);
        out
    }

    /// A goroutine that runs, from the registers of its thread, wherever that stands. `Err` says why they do
    /// not lead to the goroutine.
    pub(crate) fn unwind_running(&self, g: &RawG, thread: &ThreadState) -> Result<Trace, String> {
        let m = &thread.m;
        let mut at = Position { pc: thread.pc, sp: thread.sp, exact: true };
        if m.gsignal.contains(at.sp) && !g.stack.contains(at.sp) {
            at = self.interrupted(m, at)?;
        }
        let place = self.symbols.place(at.pc, true);
        // In the vDSO, or on the way to it: the runtime noted where it left Go code. (Where a signal handler
        // reads the clock, the note is of the handler's.)
        if !m.vdso_sp.is_null() && !m.gsignal.contains(m.vdso_sp) && place.as_ref().is_none_or(|p| calls_vdso(&p.name))
        {
            at = Position { pc: m.vdso_pc, sp: m.vdso_sp, exact: false };
        } else if place.as_ref().is_some_and(|p| Jump::at(&p.name) == Some(Jump::Into)) {
            at =
                Position { pc: g.sched_pc, sp: if g.stack.contains(at.sp) { at.sp } else { g.sched_sp }, exact: false };
        }
        let mut out = Trace::default();
        if !g.stack.contains(at.sp) {
            at = self.system_stack(g, m, at, &mut out)?;
        }
        self.along(g.stack, at, false, &mut out);
        match &out.cut {
            // Wrong registers do not lead through so many frames.
            Some(why) if !out.is_of_a_deep_stack() => Err(why.clone()),
            _ => Ok(out),
        }
    }

    /// A thread's own stack, from where it stands to where it begins or was entered from a goroutine; without
    /// frames where the thread stands on another. `cut` says from where on its frames cannot be followed.
    pub(crate) fn unwind_system(&self, thread: &ThreadState) -> Trace {
        let m = &thread.m;
        let mut out = Trace::default();
        let mut at = Position { pc: thread.pc, sp: thread.sp, exact: true };
        if m.gsignal.contains(at.sp) {
            match self.interrupted(m, at) {
                Ok(interrupted) => at = interrupted,
                Err(why) => {
                    out.walked = AddrRange { start: m.g0.start, end: m.g0.start };
                    out.cut = Some(why);
                    return out;
                }
            }
        }
        let place = self.symbols.place(at.pc, at.exact);
        if m.g0.contains(m.vdso_sp) && m.vdso_sp >= at.sp && place.is_none_or(|p| calls_vdso(&p.name)) {
            at = Position { pc: m.vdso_pc, sp: m.vdso_sp, exact: false };
        }
        if m.g0.contains(at.sp) {
            self.along(m.g0, at, true, &mut out);
        }
        out
    }

    /// Unwinds within one stack until it begins, or a cut; a thread's own (`system`) until where it was
    /// entered from a goroutine.
    fn along(&self, stack: AddrRange, from: Position, system: bool, out: &mut Trace) {
        let mut at = from;
        out.walked = AddrRange { start: from.sp, end: from.sp };
        while out.steps.len() < MAX_FRAMES {
            let Some(place) = self.symbols.place(at.pc, at.exact) else {
                out.cut = Some(format!("{} is in no Go function", at.pc));
                return;
            };
            let is_entry = system && matches!(Jump::at(&place.name), Some(Jump::Through | Jump::Back));
            if is_entry {
                return;
            }
            out.steps.push(Step { pc: at.pc, exact: at.exact, system });
            out.sps.push(at.sp);
            if place.is_top {
                return;
            }
            match self.caller(stack, &place, at) {
                Ok(next) => at = next,
                Err(lost) => {
                    out.absent = matches!(lost, NoCaller::Absent(_));
                    out.cut = Some(lost.into());
                    if out.is_of_a_deep_stack() {
                        out.cut = Some("deeper than what is copied of one stack".into());
                    }
                    return;
                }
            }
            out.walked.end = at.sp;
        }
        out.cut = Some(format!("deeper than {MAX_FRAMES} frames"));
    }

    /// Where the function at `at` was called from.
    fn caller(&self, stack: AddrRange, place: &Place, at: Position) -> Result<Position, NoCaller> {
        let name = &place.name;
        let delta = place.sp_delta.ok_or_else(|| NoCaller::Wrong(format!("no frame size at {} in {name}", at.pc)))?;
        let slot = at.sp.plus(delta);
        if !stack.contains(slot) {
            return Err(NoCaller::Wrong(format!("the frame of {name} leaves the stack")));
        }
        let pc = self.mem.ptr(slot).map_err(|e| NoCaller::Absent(format!("below the frame of {name}: {e}")))?;
        Ok(Position { pc, sp: slot.plus(self.arch.return_address_size), exact: is_injected_call(name) })
    }

    /// From a signal handler to what it interrupted.
    fn interrupted(&self, m: &RawM, from: Position) -> Result<Position, String> {
        let mut at = from;
        if m.gsignal.contains(m.vdso_sp) && self.symbols.place(at.pc, true).is_none_or(|p| calls_vdso(&p.name)) {
            at = Position { pc: m.vdso_pc, sp: m.vdso_sp, exact: false };
        }
        let saved = |frame: Addr| {
            let word = |offset: u64| self.mem.ptr(frame.plus(offset)).map_err(|e| format!("in a signal frame: {e}"));
            Ok(Position { pc: word(self.arch.signal_frame_pc)?, sp: word(self.arch.signal_frame_sp)?, exact: true })
        };
        for _ in 0..MAX_FRAMES {
            let place = self.symbols.place(at.pc, at.exact);
            // On its way out, in the runtime's restorer or in libc's (cgo): the return address is off the
            // stack already.
            if place.as_ref().is_none_or(|p| p.name.starts_with("runtime.sigreturn")) {
                return saved(Addr(at.sp.0.saturating_sub(self.arch.return_address_size)));
            }
            let Some(place) = place else { break };
            if Jump::at(&place.name) == Some(Jump::Signal) {
                let delta = place.sp_delta.ok_or_else(|| format!("no frame size in {}", place.name))?;
                return saved(at.sp.plus(delta));
            }
            at = self.caller(m.gsignal, &place, at)?;
        }
        Err("in a signal handler without end".into())
    }

    /// Unwinds the thread's system stack to where it was left for it, and gives where the goroutine's own
    /// stack goes on.
    fn system_stack(&self, g: &RawG, m: &RawM, from: Position, out: &mut Trace) -> Result<Position, String> {
        /// What is taken for the stack of a thread whose bounds the runtime does not know.
        const GUESS: u64 = 64 << 10;
        let stack = if m.g0.contains(from.sp) {
            AddrRange { start: from.sp, end: m.g0.end }
        } else {
            AddrRange { start: from.sp, end: from.sp.plus(GUESS) }
        };
        let back = Position { pc: g.sched_pc, sp: g.sched_sp, exact: false };
        if !g.stack.contains(g.sched_sp) {
            return Err("on its thread's system stack, and it is not noted where it left its own".into());
        }
        let mut at = from;
        while out.steps.len() < MAX_FRAMES {
            let Some(place) = self.symbols.place(at.pc, at.exact) else {
                // In C, without leaving the scheduler (to start a thread, for example): the way back was
                // noted before.
                let noted = self.symbols.place(g.sched_pc, false).is_some_and(|p| p.name == LEFT);
                let why = || format!("on its thread's system stack, {} is in no Go function", at.pc);
                return if noted { Ok(back) } else { Err(why()) };
            };
            match Jump::at(&place.name) {
                Some(Jump::Through) => return Ok(Position { sp: g.sched_sp, ..at }),
                Some(Jump::Back) => return Ok(back),
                // The scheduler has chosen it and has not entered it yet.
                _ if place.is_top => return Ok(back),
                _ => {}
            }
            out.steps.push(Step { pc: at.pc, exact: at.exact, system: true });
            out.sps.push(at.sp);
            at = self.caller(stack, &place, at)?;
        }
        Err(format!("deeper than {MAX_FRAMES} frames"))
    }

    /// A running goroutine whose registers are not to be had: where it left for the system stack, if it has;
    /// else the deepest word of its stack that looks like a return address and from which the stack unwinds
    /// to its very beginning. May show calls that have just returned; callers mark it as approximate.
    pub(crate) fn reconstruct(&self, g: &RawG) -> Option<Trace> {
        // `systemstack` and `gogo` clear sched.sp when they are done; what a call of C left may stand here
        // longer.
        let left = self.symbols.place(g.sched_pc, false).is_some_and(|p| p.name == LEFT);
        if left && g.stack.contains(g.sched_sp) {
            let got = self.unwind(g.stack, g.sched_pc, g.sched_sp);
            if got.cut.is_none() {
                return Some(got);
            }
        }
        let window = g.used_stack(RECONSTRUCT_WINDOW)?;
        let words = self.mem.bytes(window.start, window.len() as usize, RECONSTRUCT_WINDOW as usize).ok()?;
        for (i, w) in words.chunks_exact(8).enumerate() {
            let pc = Addr(w.try_into().map(u64::from_le_bytes).unwrap_or(0));
            let Some(place) = self.symbols.place(pc, false) else { continue };
            if place.entry == pc || place.is_top {
                continue;
            }
            let sp = Addr(window.start.0 + i as u64 * 8).plus(self.arch.return_address_size);
            let got = self.unwind(g.stack, pc, sp);
            if got.cut.is_none() {
                return Some(got);
            }
        }
        None
    }
}
