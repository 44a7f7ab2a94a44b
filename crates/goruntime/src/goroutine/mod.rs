//! All goroutines, with their stacks. Source: `runtime/runtime2.go`, `runtime/traceback.go`
//! (`goroutineheader`, `isSystemGoroutine`).

pub(crate) mod ancestors;
mod by_site;
mod calls;
mod count;
mod decoded;
pub(crate) mod g;
pub(crate) mod gaps;
pub(crate) mod labels;
pub(crate) mod parked;
mod places;
pub(crate) mod stack_sampling;
pub(crate) mod status;
pub(crate) mod thread_state;
pub(crate) mod unwind;
pub(crate) mod wait_reason;
pub(crate) mod waits_on;

use std::sync::Arc;

use lastgasp_inferior::{Addr, Memory, ThreadRegisters};
use rustc_hash::FxHashMap;

use self::calls::Expander;
use self::g::{RawG, distinct, pointers, stack_of, threads};
use self::gaps::GapTally;
use self::stack_sampling::Sampled;
use self::status::Presence;
use self::thread_state::{ThreadState, thread_states};
use self::unwind::{Trace, Unwinder};
use crate::binary::pclntab::Symbolizer;
use crate::bounds::{MAX_DECODED, MAX_STEPS, RECONSTRUCT_WINDOW};
use crate::gap::Gap;
use crate::runtime::Runtime;

pub use ancestors::Ancestor;
pub use by_site::{GoroutinesBySite, goroutines_by_site};
pub use calls::{Call, CallSite, created_by};
pub use count::count_goroutines;
pub use decoded::{Depth, Goroutine, Goroutines, is_system};
pub use labels::{Label, LabelSalt};
pub use places::each_goroutine;
pub use status::Status;
pub use waits_on::WaitsOn;

/// All goroutines that are not dead, in the runtime's own order. `registers` are those of the process's
/// threads, as far as they were to be had.
pub fn decode_goroutines(
    rt: &Runtime,
    mem: &dyn Memory,
    symbols: &Symbolizer<'_>,
    registers: &[ThreadRegisters],
    gaps: &mut Vec<Gap>,
) -> Vec<Goroutine> {
    decode_all_goroutines(rt, mem, symbols, registers, &LabelSalt::default(), gaps).live
}

/// As [`decode_goroutines`], with those counted that are not there any more, and a salt for the values of
/// labels.
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
        unwinder: Unwinder::new(rt, symbols, mem),
        threads: thread_states(&threads, registers, &|g| stack_of(rt, mem, g)),
        expander: Expander::new(symbols),
        salt,
        labels: FxHashMap::default(),
        no_labels: GapTally::default(),
        no_ancestors: GapTally::default(),
        creators: FxHashMap::default(),
        starts: FxHashMap::default(),
        ancestors: FxHashMap::default(),
        room: MAX_DECODED,
        steps: MAX_STEPS,
        no_room: GapTally::default(),
    };
    let mut out = Goroutines::default();
    let mut kinds = Vec::new();
    let mut lost = GapTally::default();
    let mut looked_through = waits_on::MAX_LOOKED_THROUGH;
    let all = pointers(rt, mem, gaps).1;
    for at in distinct(all, rt.layout.g.sizeof, gaps) {
        let read = mem.bytes(at, rt.layout.g.sizeof as usize, 1 << 12).map_err(|e| e.to_string());
        match read.and_then(|b| RawG::parse(rt, &b).ok_or_else(|| "too short".into())) {
            Ok(raw) => match raw.presence {
                Presence::Live(status) => {
                    if let Some(why) = raw.stack_problem() {
                        lost.add(why);
                        continue;
                    }
                    let (goroutine, walked) = decoder.decode(&raw, status);
                    let waits_on = waits_on::decode(rt, mem, at, &raw, &mut looked_through);
                    out.live.push(Goroutine { waits_on, ..goroutine });
                    kinds.push(Sampled { kind: raw.kind(), used: raw.used_bytes(), walked });
                }
                Presence::Dead => out.dead += 1,
                Presence::ExtraThread => out.extra_threads += 1,
            },
            Err(why) => lost.add(why),
        }
    }
    out.unread = lost.count();
    lost.report("goroutines", gaps);
    decoder.no_labels.report("goroutines' labels", gaps);
    decoder.no_ancestors.report("goroutines' ancestors", gaps);
    decoder.no_room.report("parts of goroutines", gaps);
    stack_sampling::share_out(&mut out.live, &kinds, gaps);
    let mut cut = GapTally::default();
    for why in out.live.iter().filter(|g| !g.left_out).filter_map(|g| g.cut.as_ref()) {
        cut.add(why.clone());
    }
    cut.report("goroutines' outermost calls", gaps);
    out
}

/// Why something was not decoded.
const NO_ROOM: &str = "more different calls, names and labels than any program has";

struct Decoder<'a, 'b> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    symbols: &'a Symbolizer<'b>,
    unwinder: Unwinder<'a, 'b>,
    /// Where each thread stands, by the address of its `m`.
    threads: FxHashMap<u64, ThreadState>,
    expander: Expander<'a, 'b>,
    salt: &'a LabelSalt,
    /// Label sets by address: a child shares its parent's.
    labels: FxHashMap<Addr, Arc<[Label]>>,
    no_labels: GapTally,
    no_ancestors: GapTally,
    /// `go` statements and first functions, by program counter.
    creators: FxHashMap<Addr, Option<Arc<CallSite>>>,
    starts: FxHashMap<Addr, Arc<String>>,
    /// Lists of ancestors by address: goroutines of one parent share theirs.
    ancestors: FxHashMap<Addr, Arc<[Ancestor]>>,
    /// What is left of [`MAX_DECODED`] and of [`MAX_STEPS`].
    room: usize,
    steps: usize,
    no_room: GapTally,
}

impl Decoder<'_, '_> {
    /// The goroutine, and the bytes of its stack that were walked.
    fn decode(&mut self, raw: &RawG, status: Status) -> (Goroutine, u64) {
        let left_out = raw.resume().is_some_and(|(_, sp)| self.mem.u64(sp).is_err() && raw.stack.contains(sp));
        let (mut trace, no_registers) = match raw.resume() {
            _ if self.steps == 0 => {
                (Trace { cut: Some(format!("after {MAX_STEPS} frames")), ..Trace::default() }, None)
            }
            _ if left_out => (Trace { cut: Some("not copied".into()), ..Trace::default() }, None),
            Some((pc, sp)) => (self.unwinder.unwind(raw.stack, pc, sp), None),
            None => self.running(raw),
        };
        let mut cut = trace.cut.take();
        self.steps = self.steps.saturating_sub(trace.steps.len());
        let walked = trace.walked.len();
        // Of one that runs it is not noted how much it uses. Where more than was walked: at least half, or it
        // would not have been given so much.
        let more = trace.absent || (no_registers.is_some() && walked >= RECONSTRUCT_WINDOW / 4 * 3);
        let used = match raw.used_bytes() {
            0 if more => (raw.stack.len() / 2).max(walked),
            0 => walked,
            used => used,
        };
        let stack = self.expander.calls(trace.steps, &mut self.room).unwrap_or_else(|| {
            cut = Some(NO_ROOM.into());
            Arc::default()
        });
        let calls = decoded::depth_of(&stack);
        let whole = cut.is_none() && !more;
        let reason = self.rt.layout.wait_reasons.get(usize::from(raw.wait_reason)).copied();
        let goroutine = Goroutine {
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
            stack_used: used,
            waits_on: WaitsOn::default(),
            depth: Depth::of(calls, walked, used, whole),
        };
        (goroutine, walked)
    }

    /// A goroutine on a thread: by the thread's registers if they lead to its beginning, else by what its
    /// stack alone tells.
    fn running(&self, raw: &RawG) -> (Trace, Option<String>) {
        let why = match self.threads.get(&raw.m.0) {
            None => "running, and its registers were not to be had".to_owned(),
            Some(thread) => match self.unwinder.unwind_running(raw, thread) {
                Ok(trace) => return (trace, None),
                Err(why) => format!("running; {why}"),
            },
        };
        let trace = self.unwinder.reconstruct(raw);
        (trace.unwrap_or_else(|| Trace { cut: Some(why.clone()), ..Trace::default() }), Some(why))
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
