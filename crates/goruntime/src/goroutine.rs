//! All goroutines, with their stacks. Source: `runtime/runtime2.go`, `runtime/traceback.go` (`goroutineheader`, `isSystemGoroutine`).

pub(crate) mod ancestors;
mod calls;
pub(crate) mod crowd;
pub(crate) mod labels;
mod raw;

use std::ops::Deref;
use std::sync::Arc;

use lastgasp_inferior::{Addr, Memory, ThreadRegisters};
use rustc_hash::FxHashMap;

use crate::Gap;
use crate::pclntab::{Frame, Symbolizer};
use crate::runtime::Runtime;
use crate::unwind::{Standing, Trace, reconstruct, standings, unwind, unwind_running};

pub use calls::Call;
use calls::Expander;
pub use labels::{Label, LabelSalt};
pub(crate) use raw::{RawG, RawM, m_extent, pointers, sorted, stack_of, threads};

/// Most goroutines we follow.
pub(crate) const MAX_GOROUTINES: u64 = 4 << 20;
/// Largest stack: Go's own ceiling is 2,000,000,000 bytes (`maxstackceiling`), and stacks are powers of two.
pub(crate) const MAX_STACK_BYTES: u64 = 1 << 30;
/// What bounds decoding whatever stands in memory: bytes of calls, names and labels together, and frames that are walked. The stacks that are copied have
/// 16 MiB, which are a million frames at most. A `Goroutine` itself is smaller than the `g` that the copy holds of it.
const MAX_DECODED: usize = 512 << 20;
const MAX_STEPS: usize = 4 << 20;
/// Most threads we follow.
pub(crate) const MAX_THREADS: usize = 1 << 16;
/// `_Gscan`, or-ed to a status while the GC scans the stack.
const GSCAN: u32 = 0x1000;

/// `atomicstatus` of a goroutine that is there.
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

/// Whether a `g` is a goroutine at this moment: they are never freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Presence {
    Live(Status),
    /// Idle or dead: free for the next `go` statement.
    Dead,
    /// `_Gdeadextra` (from Go 1.26): kept for the next call from a thread of C.
    ExtraThread,
}

impl Presence {
    fn parse(raw: u32) -> Self {
        Self::Live(match raw & !GSCAN {
            0 | 6 => return Self::Dead,
            11 => return Self::ExtraThread,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Syscall,
            4 => Status::Waiting,
            8 => Status::CopyStack,
            9 => Status::Preempted,
            10 => Status::Leaked,
            n => Status::Unknown(n),
        })
    }
}

/// A place in the code where a goroutine was started, or where its starter stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallSite {
    /// Where it stands in the source.
    pub frame: Frame,
    /// The function that it was compiled into, as Go prints it: another one where it was inlined.
    pub function: String,
    /// From that function's entry to the program counter.
    pub offset: Option<u64>,
}

impl CallSite {
    /// Bytes that it takes.
    fn size(&self) -> usize {
        size_of::<Self>() + self.frame.function.len() + self.frame.file.len() + self.function.len()
    }
}

impl Deref for CallSite {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        &self.frame
    }
}

/// A goroutine that led to another (`GODEBUG=tracebackancestors=N`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its number; it may be gone.
    pub goid: u64,
    /// Its stack at the `go` statement, innermost first, as precisely as the program kept it.
    pub stack: Vec<CallSite>,
    /// Who started it.
    pub created_by: Option<CallSite>,
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
    pub created_by: Option<Arc<CallSite>>,
    /// Those before its creator, if the program keeps them.
    pub ancestors: Arc<[Ancestor]>,
    /// Name of its first function.
    pub start_function: Arc<String>,
    /// Its calls, innermost first. Goroutines that do the same share one list.
    pub stack: Arc<[Call]>,
    /// Why the stack ends early.
    pub cut: Option<String>,
    /// Whether the stack was reconstructed without registers.
    pub approximate: bool,
    /// Why registers did not tell where it stood, if it is approximate or has no stack at all.
    pub no_registers: Option<String>,
    /// Whether its stack was left out of the copy, there being too many: `stack` is then that of another that stopped at the same instruction.
    pub left_out: bool,
    /// Whether it is locked to its thread.
    pub locked: bool,
    /// Profiler labels, by key.
    pub labels: Arc<[Label]>,
    /// Size of its stack in bytes.
    pub stack_bytes: u64,
}

impl Goroutine {
    /// Its calls as a profile shows them: without those that the compiler made.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.stack.iter().filter(|c| !c.elided)
    }
}

/// All goroutines of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goroutines {
    /// Those that are there, in the runtime's own order.
    pub live: Vec<Goroutine>,
    /// Slots of goroutines that have ended, free for the next: as many as there were more at the peak.
    pub dead: u64,
    /// Slots kept for threads of C.
    pub extra_threads: u64,
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
        return g.stack.iter().all(|f| f.frame.function.starts_with("runtime."));
    }
    start.starts_with("runtime.")
}

/// All goroutines that are not dead, in the runtime's own order. `registers` are those of the process's threads, as far as they were to be had.
pub fn decode_goroutines(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    registers: &[ThreadRegisters],
    gaps: &mut Vec<Gap>,
) -> Vec<Goroutine> {
    decode_all_goroutines(rt, mem, symbols, registers, &LabelSalt::default(), gaps).live
}

/// As [`decode_goroutines`], with those counted that are not there any more, and a salt for the values of labels.
pub fn decode_all_goroutines(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    registers: &[ThreadRegisters],
    salt: &LabelSalt,
    gaps: &mut Vec<Gap>,
) -> Goroutines {
    let threads = threads(rt, mem, &mut |_| {});
    let mut decoder = Decoder {
        rt,
        mem,
        symbols,
        standing: standings(&threads, registers, &|g| stack_of(rt, mem, g)),
        expander: Expander::new(symbols),
        salt,
        labels: FxHashMap::default(),
        no_labels: Lost::default(),
        no_ancestors: Lost::default(),
        creators: FxHashMap::default(),
        starts: FxHashMap::default(),
        ancestors: FxHashMap::default(),
        room: MAX_DECODED,
        steps: MAX_STEPS,
        no_room: Lost::default(),
    };
    let mut out = Goroutines::default();
    let mut kinds = Vec::new();
    let mut lost = Lost::default();
    let all = pointers(rt, mem, gaps).1;
    for at in raw::distinct(all, rt.layout.g.sizeof, gaps) {
        let read = mem.bytes(at, rt.layout.g.sizeof as usize, 1 << 12).map_err(|e| e.to_string());
        match read.and_then(|b| RawG::parse(rt, &b).ok_or_else(|| "too short".into())) {
            Ok(raw) => match raw.presence {
                Presence::Live(status) => {
                    if let Some(why) = raw.stack_problem() {
                        lost.add(why);
                        continue;
                    }
                    out.live.push(decoder.decode(&raw, status));
                    kinds.push(raw.kind());
                }
                Presence::Dead => out.dead += 1,
                Presence::ExtraThread => out.extra_threads += 1,
            },
            Err(why) => lost.add(why),
        }
    }
    lost.report("goroutines", gaps);
    decoder.no_labels.report("goroutines' labels", gaps);
    decoder.no_ancestors.report("goroutines' ancestors", gaps);
    decoder.no_room.report("parts of goroutines", gaps);
    crowd::share_out(&mut out.live, &kinds, gaps);
    let mut cut = Lost::default();
    for why in out.live.iter().filter(|g| !g.left_out).filter_map(|g| g.cut.as_ref()) {
        cut.add(why.clone());
    }
    cut.report("goroutines' outermost calls", gaps);
    out
}

/// Why something was not decoded.
const NO_ROOM: &str = "more different calls, names and labels than any program has";

/// Things of a kind that could not be read: how many, and why the last.
#[derive(Default)]
struct Lost {
    count: usize,
    why: String,
}

impl Lost {
    fn add(&mut self, why: String) {
        self.count += 1;
        self.why = why;
    }

    fn report(self, what: &str, gaps: &mut Vec<Gap>) {
        if self.count > 0 {
            gaps.push(Gap::new(format!("{} {what}", self.count), self.why));
        }
    }
}

struct Decoder<'a, 'b> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    symbols: &'a Symbolizer<'b>,
    /// By `m`.
    standing: FxHashMap<u64, Standing>,
    expander: Expander<'a, 'b>,
    salt: &'a LabelSalt,
    /// By address: a child shares its parent's.
    labels: FxHashMap<Addr, Arc<[Label]>>,
    no_labels: Lost,
    no_ancestors: Lost,
    /// By program counter.
    creators: FxHashMap<Addr, Option<Arc<CallSite>>>,
    starts: FxHashMap<Addr, Arc<String>>,
    /// By address.
    ancestors: FxHashMap<Addr, Arc<[Ancestor]>>,
    /// What is left of [`MAX_DECODED`] and of [`MAX_STEPS`].
    room: usize,
    steps: usize,
    no_room: Lost,
}

impl Decoder<'_, '_> {
    fn decode(&mut self, raw: &RawG, status: Status) -> Goroutine {
        let left_out = raw.resume().is_some_and(|(_, sp)| self.mem.u64(sp).is_err() && raw.stack.contains(sp));
        let (mut trace, no_registers) = match raw.resume() {
            _ if self.steps == 0 => {
                (Trace { cut: Some(format!("after {MAX_STEPS} frames")), ..Trace::default() }, None)
            }
            _ if left_out => (Trace { cut: Some("not copied".into()), ..Trace::default() }, None),
            Some((pc, sp)) => (unwind(self.symbols, self.mem, raw.stack, pc, sp), None),
            None => self.running(raw),
        };
        let mut cut = trace.cut.take();
        self.steps = self.steps.saturating_sub(trace.steps.len());
        let stack = self.expander.calls(trace, &mut self.room).unwrap_or_else(|| {
            cut = Some(NO_ROOM.into());
            Arc::default()
        });
        let reason = self.rt.layout.wait_reasons.get(usize::from(raw.wait_reason)).copied();
        Goroutine {
            goid: raw.goid,
            status,
            wait_reason: match status {
                Status::Waiting | Status::Leaked => reason.unwrap_or("unknown wait reason"),
                _ => "",
            },
            wait_since_ns: if matches!(status, Status::Waiting | Status::Syscall) { raw.wait_since } else { 0 },
            parent: raw.parent,
            created_by: self.created_by(raw.gopc),
            ancestors: self.ancestors(raw.ancestors),
            start_function: self.start_function(raw.startpc),
            stack,
            cut,
            approximate: no_registers.is_some(),
            no_registers,
            left_out,
            locked: raw.locked,
            labels: self.labels(raw.labels),
            stack_bytes: raw.stack.len(),
        }
    }

    /// A goroutine on a thread: by the thread's registers if they lead to its beginning, else by what its stack alone tells.
    fn running(&self, raw: &RawG) -> (Trace, Option<String>) {
        let why = match self.standing.get(&raw.m.0) {
            None => "running, and its registers were not to be had".to_owned(),
            Some(thread) => match unwind_running(self.symbols, self.mem, raw, thread) {
                Ok(trace) => return (trace, None),
                Err(why) => format!("running; {why}"),
            },
        };
        let trace = reconstruct(self.symbols, self.mem, raw);
        (trace.unwrap_or_else(|| Trace { steps: Vec::new(), cut: Some(why.clone()) }), Some(why))
    }

    fn labels(&mut self, at: Addr) -> Arc<[Label]> {
        if at.is_null() {
            return Arc::default();
        }
        if let Some(known) = self.labels.get(&at) {
            return Arc::clone(known);
        }
        let got: Arc<[Label]> = match labels::decode(self.rt, self.mem, at, self.salt) {
            Ok(list) if self.take(list.iter().map(|l| size_of::<Label>() + l.key.len()).sum()) => list.into(),
            Ok(_) => Arc::default(),
            Err(why) => {
                self.no_labels.add(why);
                Arc::default()
            }
        };
        self.labels.insert(at, Arc::clone(&got));
        got
    }

    fn ancestors(&mut self, at: Addr) -> Arc<[Ancestor]> {
        if at.is_null() {
            return Arc::default();
        }
        if let Some(known) = self.ancestors.get(&at) {
            return Arc::clone(known);
        }
        let size = |a: &Ancestor| a.stack.iter().chain(&a.created_by).map(CallSite::size).sum::<usize>();
        let got: Arc<[Ancestor]> = match ancestors::decode(self.rt, self.mem, self.symbols, at) {
            Ok(list) if self.take(list.iter().map(|a| size_of::<Ancestor>() + size(a)).sum()) => list.into(),
            Ok(_) => Arc::default(),
            Err(why) => {
                self.no_ancestors.add(why);
                Arc::default()
            }
        };
        self.ancestors.insert(at, Arc::clone(&got));
        got
    }

    fn created_by(&mut self, gopc: Addr) -> Option<Arc<CallSite>> {
        if let Some(known) = self.creators.get(&gopc) {
            return known.clone();
        }
        let site = calls::created_by(self.symbols, gopc).filter(|s| self.take(s.size())).map(Arc::new);
        self.creators.insert(gopc, site.clone());
        site
    }

    fn start_function(&mut self, pc: Addr) -> Arc<String> {
        if let Some(known) = self.starts.get(&pc) {
            return Arc::clone(known);
        }
        let name = self.symbols.place(pc, true).map(|p| p.name.clone());
        let name = Arc::new(name.filter(|n| self.take(n.len())).unwrap_or_default());
        self.starts.insert(pc, Arc::clone(&name));
        name
    }

    /// Whether there is room for so many bytes more.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.room.checked_sub(bytes);
        self.room = left.unwrap_or(self.room);
        if left.is_none() {
            self.no_room.add(NO_ROOM.into());
        }
        left.is_some()
    }
}
