//! All goroutines, with their stacks. Source: `runtime/runtime2.go`, `runtime/traceback.go` (`goroutineheader`, `isSystemGoroutine`).

use lastgasp_inferior::{Addr, AddrRange, Memory, ThreadRegisters};
use rustc_hash::FxHashMap;

use crate::Gap;
use crate::pclntab::{Frame, Symbolizer};
use crate::runtime::Runtime;
use crate::unwind::{Stack, reconstruct, unwind};

/// Most goroutines we follow.
pub(crate) const MAX_GOROUTINES: u64 = 4 << 20;
/// Most threads we follow.
pub(crate) const MAX_THREADS: usize = 1 << 16;
/// `_Gscan`, or-ed to a status while the GC scans the stack.
const GSCAN: u32 = 0x1000;

/// `atomicstatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Ready, waits for a P.
    Runnable,
    /// On a thread.
    Running,
    /// In a system call or cgo.
    Syscall,
    /// Parked; the wait reason says why.
    Waiting,
    /// Its stack is being moved.
    CopyStack,
    /// Stopped itself for a suspendG.
    Preempted,
    /// Found leaked by a goroutine-leak GC (Go 1.26 and newer).
    Leaked,
    /// A number that this version should not show.
    Unknown(u32),
}

impl Status {
    /// `None` for goroutines that are not there: idle, dead.
    fn parse(raw: u32) -> Option<Self> {
        Some(match raw & !GSCAN {
            0 | 6 | 11 => return None,
            1 => Self::Runnable,
            2 => Self::Running,
            3 => Self::Syscall,
            4 => Self::Waiting,
            8 => Self::CopyStack,
            9 => Self::Preempted,
            10 => Self::Leaked,
            n => Self::Unknown(n),
        })
    }

    /// As Go's tracebacks name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Syscall => "syscall",
            Self::Waiting => "waiting",
            Self::CopyStack => "copystack",
            Self::Preempted => "preempted",
            Self::Leaked => "leaked",
            Self::Unknown(_) => "???",
        }
    }
}

/// A goroutine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goroutine {
    /// Its number.
    pub goid: u64,
    /// What it does.
    pub status: Status,
    /// Why it waits; empty unless waiting.
    pub wait_reason: &'static str,
    /// `nanotime` of the GC that first saw it waiting; 0 if none has. A lower bound of the wait, not its length.
    pub wait_since_ns: i64,
    /// Creator (from Go 1.21).
    pub parent: u64,
    /// The `go` statement; `None` for the first goroutine.
    pub created_by: Option<Frame>,
    /// Name of its first function.
    pub start_function: String,
    /// Logical frames, innermost first.
    pub stack: Vec<Frame>,
    /// Why the stack ends early.
    pub cut: Option<String>,
    /// Whether the stack was reconstructed without registers.
    pub approximate: bool,
    /// Whether its stack was left out of the copy, there being too many.
    pub left_out: bool,
    /// Whether it is locked to its thread.
    pub locked: bool,
    /// Size of its stack in bytes.
    pub stack_bytes: u64,
}

/// Whether the runtime counts it as one of its own (`isSystemGoroutine`): hidden in Go's own listings.
#[must_use]
pub fn is_system(g: &Goroutine) -> bool {
    let start = g.start_function.as_str();
    if start.is_empty()
        || matches!(start, "runtime.main" | "runtime.handleAsyncEvent" | "runtime.rt0_go" | "runtime.corostart")
    {
        return false;
    }
    // The finalizer and cleanup goroutines are the user's while they run the user's code.
    if matches!(start, "runtime.runfinq" | "runtime.runFinalizers" | "runtime.runCleanups") {
        return g.status == Status::Waiting || g.stack.iter().all(|f| f.function.starts_with("runtime."));
    }
    start.starts_with("runtime.")
}

/// The fields of `g` that we use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawG {
    pub(crate) stack: AddrRange,
    pub(crate) sched_sp: Addr,
    sched_pc: Addr,
    pub(crate) syscall_sp: Addr,
    syscall_pc: Addr,
    pub(crate) status: Option<Status>,
    goid: u64,
    wait_since: i64,
    wait_reason: u8,
    parent: u64,
    gopc: Addr,
    startpc: Addr,
    m: Addr,
    locked: bool,
}

impl RawG {
    /// From the bytes of a `g`.
    pub(crate) fn parse(rt: &Runtime, b: &[u8]) -> Option<Self> {
        let l = &rt.layout.g;
        let word = |offset: u64| -> Option<u64> {
            let at = offset as usize;
            b.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
        };
        Some(Self {
            stack: AddrRange { start: Addr(word(l.stack_lo)?), end: Addr(word(l.stack_hi)?) },
            sched_sp: Addr(word(l.sched_sp)?),
            sched_pc: Addr(word(l.sched_pc)?),
            syscall_sp: Addr(word(l.syscallsp)?),
            syscall_pc: Addr(word(l.syscallpc)?),
            status: Status::parse(word(l.atomicstatus)? as u32),
            goid: word(l.goid)?,
            wait_since: word(l.waitsince)?.cast_signed(),
            wait_reason: *b.get(l.waitreason as usize)?,
            parent: l.parent_goid.map_or(Some(0), word)?,
            gopc: Addr(word(l.gopc)?),
            startpc: Addr(word(l.startpc)?),
            m: Addr(word(l.m)?),
            locked: word(l.lockedm)? != 0,
        })
    }

    /// The part of the stack that is in use, as far as the structure alone tells, at most `bound` bytes of it.
    pub(crate) fn used_stack(&self, bound: u64) -> Option<AddrRange> {
        let low = match self.status? {
            Status::Running | Status::CopyStack | Status::Unknown(_) => {
                self.stack.start.0.max(self.stack.end.0.saturating_sub(bound))
            }
            Status::Syscall => self.syscall_sp.0,
            _ => self.sched_sp.0,
        };
        let end = self.stack.end.0.min(low.checked_add(bound)?);
        (low >= self.stack.start.0 && low < end).then_some(AddrRange { start: Addr(low), end: Addr(end) })
    }
}

/// What is needed of an `m`: its thread, and where it left Go for the vDSO.
#[derive(Clone, Copy, Debug)]
struct RawM {
    tid: i32,
    vdso_sp: Addr,
    vdso_pc: Addr,
}

/// All goroutines that are not dead, by number. `registers` are those of the process's threads, as far as they were to be had.
pub fn decode_goroutines(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    registers: &[ThreadRegisters],
    gaps: &mut Vec<Gap>,
) -> Vec<Goroutine> {
    let registers: FxHashMap<i32, ThreadRegisters> = registers.iter().map(|r| (r.tid, *r)).collect();
    let threads = decode_threads(rt, mem);
    let mut out = Vec::new();
    let (mut lost, mut why) = (0usize, String::new());
    for at in pointers(rt, mem, gaps) {
        let read = mem.bytes(at, rt.layout.g.sizeof as usize, 1 << 12).map_err(|e| e.to_string());
        match read.and_then(|b| RawG::parse(rt, &b).ok_or_else(|| "too short".into())) {
            Ok(raw) => {
                out.extend(raw.status.map(|status| decode(rt, mem, symbols, &registers, &threads, &raw, status)))
            }
            Err(e) => {
                lost += 1;
                why = e;
            }
        }
    }
    if lost > 0 {
        gaps.push(Gap::new(format!("{lost} goroutines"), why));
    }
    out.sort_by_key(|g| g.goid);
    out
}

/// The pointers of `allgs`.
pub(crate) fn pointers(rt: &Runtime, mem: &dyn Memory, gaps: &mut Vec<Gap>) -> Vec<Addr> {
    // Length before pointer, as forEachGRace does: the array only grows.
    let read = || -> Result<Vec<Addr>, String> {
        let len = mem.u64(rt.globals.allglen).map_err(|e| e.to_string())?;
        if len > MAX_GOROUTINES {
            return Err(format!("allglen says {len}"));
        }
        let array = mem.ptr(rt.globals.allgptr).map_err(|e| e.to_string())?;
        let bytes = mem.bytes(array, len as usize * 8, MAX_GOROUTINES as usize * 8).map_err(|e| e.to_string())?;
        let words = bytes.chunks_exact(8).map(|w| Addr(w.try_into().map_or(0, u64::from_le_bytes)));
        Ok(words.filter(|a| !a.is_null()).collect())
    };
    read().unwrap_or_else(|e| {
        gaps.push(Gap::new("goroutines", e));
        Vec::new()
    })
}

fn decode_threads(rt: &Runtime, mem: &dyn Memory) -> FxHashMap<u64, RawM> {
    let l = &rt.layout.m;
    let mut found = FxHashMap::default();
    let mut at = mem.ptr(rt.globals.allm).unwrap_or_default();
    while !at.is_null() && found.len() < MAX_THREADS {
        let word = |offset: u64| mem.u64(at.plus(offset)).unwrap_or(0);
        let m = RawM { tid: word(l.procid) as i32, vdso_sp: Addr(word(l.vdso_sp)), vdso_pc: Addr(word(l.vdso_pc)) };
        if found.insert(at.0, m).is_some() {
            break;
        }
        at = mem.ptr(at.plus(l.alllink)).unwrap_or_default();
    }
    found
}

fn decode(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    registers: &FxHashMap<i32, ThreadRegisters>,
    threads: &FxHashMap<u64, RawM>,
    raw: &RawG,
    status: Status,
) -> Goroutine {
    let from = |pc: Addr, sp: Addr, exact: bool| unwind(symbols, mem, raw.stack, pc, sp, exact);
    let mut approximate = false;
    let left_out = raw.used_stack(8).is_some_and(|top| mem.u64(top.start).is_err());
    let stack = match status {
        _ if left_out => Stack { frames: Vec::new(), cut: Some("not copied".into()) },
        Status::Syscall if !raw.syscall_sp.is_null() => from(raw.syscall_pc, raw.syscall_sp, false),
        Status::Running | Status::CopyStack | Status::Unknown(_) => {
            let thread = threads.get(&raw.m.0);
            running(symbols, mem, raw, thread, thread.and_then(|m| registers.get(&m.tid))).unwrap_or_else(|| {
                approximate = true;
                reconstruct(symbols, mem, raw.stack).unwrap_or_else(|| Stack {
                    frames: Vec::new(),
                    cut: Some("running, and its registers were not to be had".into()),
                })
            })
        }
        _ => from(raw.sched_pc, raw.sched_sp, false),
    };
    // gopc is the return address of the `go` statement's call; 0 for the first goroutine.
    let created_by = (!raw.gopc.is_null()).then(|| symbols.innermost(Addr(raw.gopc.0 - 1))).flatten();
    let reason = rt.layout.wait_reasons.get(usize::from(raw.wait_reason)).copied().unwrap_or("unknown wait reason");
    Goroutine {
        goid: raw.goid,
        status,
        wait_reason: if status == Status::Waiting || status == Status::Leaked { reason } else { "" },
        wait_since_ns: if status == Status::Waiting || status == Status::Leaked { raw.wait_since } else { 0 },
        parent: raw.parent,
        created_by,
        start_function: symbols.function_name(raw.startpc).unwrap_or_default(),
        stack: stack.frames,
        cut: stack.cut,
        approximate,
        left_out,
        locked: raw.locked,
        stack_bytes: raw.stack.len(),
    }
}

/// A goroutine on a thread whose registers we have. `None` if they lead nowhere.
fn running(
    symbols: &Symbolizer<'_>,
    mem: &dyn Memory,
    raw: &RawG,
    thread: Option<&RawM>,
    regs: Option<&ThreadRegisters>,
) -> Option<Stack> {
    let regs = regs?;
    let attempt = |pc: Addr, sp: Addr, exact: bool| {
        let got = unwind(symbols, mem, raw.stack, pc, sp, exact);
        got.cut.is_none().then_some(got)
    };
    if raw.stack.contains(regs.sp)
        && let Some(got) = attempt(regs.pc, regs.sp, true)
    {
        return Some(got);
    }
    // In the vDSO: the runtime noted where it left Go code.
    if let Some(m) = thread.filter(|m| !m.vdso_sp.is_null())
        && let Some(got) = attempt(m.vdso_pc, m.vdso_sp, false)
    {
        return Some(got);
    }
    // On the thread's system stack (g0): systemstack, mcall and morestack save where the goroutine left off in g.sched.
    if !raw.stack.contains(regs.sp) && raw.stack.contains(raw.sched_sp) {
        return attempt(raw.sched_pc, raw.sched_sp, false);
    }
    None
}
