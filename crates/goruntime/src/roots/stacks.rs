//! What goroutines hold, exactly: of each frame the words that the compiler calls live pointers at the call
//! where it stands, stack objects that something points to, deferred calls, panics, and the closure that it
//! goes on in. Source: `runtime/mgcmark.go` (`scanstack`, `scanframeworker`), `runtime/traceback.go`
//! (`resolveInternal`: `varp`, `argp`, `continpc`).
//!
//! There are maps of calls only. Where a goroutine stands between two calls (the innermost frame of one that
//! runs, or that was preempted there) every word of that frame and of its registers is taken for a pointer,
//! as the collector does; so is a stack whose frames cannot be found. [`StackTally`] says of how many.

use std::collections::BTreeMap;
use std::rc::Rc;

use lastgasp_inferior::{Addr, AddrRange, Memory, ThreadRegisters};
use rustc_hash::FxHashMap;

use super::deferred::{DeferredWord, MAX_BOUND, OpenDefersOf};
use super::frame::{Frame, StackPlace};
use super::stack_maps::{FrameMap, Shape, StackMaps, StackObject, offsets};
use super::stack_objects::StackObjects;
use super::stack_window::StackWindow;
use super::system_stacks::SystemStacks;
use crate::binary::pclntab::{Place, Symbolizer};
use crate::bounds::MAX_STACK_BYTES;
use crate::collections::{MAP_ARRAY, MAP_HEADER, guess_map};
use crate::gap::Gap;
use crate::goroutine::g::{RawG, distinct, pointers, stack_of, threads};
use crate::goroutine::gaps::GapTally;
use crate::goroutine::status::{Presence, Status};
use crate::goroutine::thread_state::{ThreadState, thread_states};
use crate::goroutine::unwind::{Trace, Unwinder};
use crate::runtime::Runtime;
use crate::types::MapForm;

/// Most deferred calls of one goroutine.
const MAX_DEFERRED: usize = 1 << 16;
/// Bytes of all stacks together that are looked through, 8 GiB: a stack may be named by many, and a map may
/// name each word of it.
const MAX_BYTES: u64 = 8 << 30;
/// What a frame, and what a deferred call counts as in that.
const FRAME: u64 = 64;
/// Bytes of `abi.RegArgs`, the highest variable in frames of `makeFuncStub` and `methodValueCall`
/// (`methodValueCallFrameObjs`), and its pointers: nine words behind 9 and 15 others. Of amd64, all releases.
const REG_ARGS: u32 = 272;
const REG_ARGS_POINTERS: std::ops::Range<u32> = 24..33;

/// A pointer that a goroutine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackRoot {
    /// The goroutine's number.
    pub goid: u64,
    /// Where in it.
    pub place: StackPlace,
    /// The word.
    pub to: Addr,
    /// Whether it may be no pointer, or one that is not used any more.
    pub unsure: bool,
    /// Where the word stands, of a variable or an argument in a frame: bytes from where the frame's return
    /// address stands.
    pub slot: Option<i32>,
    /// Which of the goroutine's calls ([`StackReader::calls`]) is under way in that frame.
    pub call: Option<usize>,
    /// Of such a word where it stands, and the frame's stack pointer: right below that stands the return
    /// address into `place`, for as long as the frame is at that call.
    pub word: Option<(Addr, Addr)>,
    /// Where a map's header may begin on the stack, of which this is the word that leads to its array: a map
    /// that does not leave its function has no header on the heap (`walkMakeMap`).
    pub map: Option<Addr>,
}

/// Why words of a goroutine are taken for pointers that may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unsure {
    /// It runs: its registers and innermost frame.
    Running,
    /// It was preempted between two calls: its registers and innermost frame.
    Preempted,
    /// It runs, and where it stands is not known: all of its stack.
    NoRegisters,
    /// Its frames could not be followed to their beginning: its stack from there on.
    NotUnwound,
    /// The compiler's map of a frame is missing, or makes no sense: that frame.
    NoMap,
    /// Its stack was being moved: all of it.
    Moving,
}

impl Unsure {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Running => "running: registers and innermost frame",
            Self::Preempted => "preempted between two calls: registers and innermost frame",
            Self::NoRegisters => "running, and it is not known where: the whole stack",
            Self::NotUnwound => "the frames could not be followed: the stack from there on",
            Self::NoMap => "no map of a frame's pointers: that frame",
            Self::Moving => "the stack was being moved: all of it",
        }
    }
}

/// How stacks were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackTally {
    /// Goroutines.
    pub goroutines: u64,
    /// Their frames.
    pub frames: u64,
    /// Goroutines of which some words are only taken for pointers, by why; one may be here twice.
    pub unsure: BTreeMap<Unsure, u64>,
    /// Goroutines of which some words are only taken for pointers, each once.
    pub unsure_goroutines: u64,
    /// Goroutines that run and of which the general registers were not to be had: what they alone hold is not
    /// seen.
    pub without_registers: u64,
}

/// Reads what goroutines hold, one by one.
pub struct StackReader<'a, 'b> {
    rt: &'a Runtime,
    mem: &'a dyn Memory,
    symbols: &'a Symbolizer<'b>,
    maps: StackMaps<'a, 'b>,
    window: StackWindow<'a>,
    threads: FxHashMap<u64, ThreadState>,
    objects: StackObjects,
    open: OpenDefersOf,
    /// Of the goroutine that was read last.
    calls: Vec<Addr>,
    left: u64,
    lost: GapTally,
    tally: StackTally,
}

/// Whoever is told of pointers.
type Visit<'v> = dyn FnMut(StackRoot) + 'v;
/// Whoever is told of what is bound to deferred calls.
type VisitDeferred<'v> = dyn FnMut(DeferredWord) + 'v;

impl<'a, 'b> StackReader<'a, 'b> {
    /// A reader. `registers` are those of the process's threads, as far as they were to be had; `symbols`
    /// must be able to read the binary's constants.
    pub fn new(
        rt: &'a Runtime,
        mem: &'a dyn Memory,
        symbols: &'a Symbolizer<'b>,
        registers: &[ThreadRegisters],
    ) -> Self {
        let known = threads(rt, mem, &mut |_| {});
        Self {
            rt,
            mem,
            symbols,
            maps: StackMaps::new(rt, mem, symbols),
            window: StackWindow::new(mem),
            threads: thread_states(&known, registers, &|g| stack_of(rt, mem, g)),
            objects: StackObjects::default(),
            open: OpenDefersOf::default(),
            calls: Vec::new(),
            left: MAX_BYTES,
            lost: GapTally::default(),
            tally: StackTally::default(),
        }
    }

    /// Where the `g` of all goroutines stand, dead ones too.
    pub fn goroutines(&self, gaps: &mut Vec<Gap>) -> Vec<Addr> {
        distinct(pointers(self.rt, self.mem, gaps).1, self.rt.layout.g.sizeof, gaps)
    }

    /// Calls `visit` for every pointer that the goroutine whose `g` stands at an address holds, nil left out;
    /// what its `g` points to itself is not among them.
    pub fn read(&mut self, at: Addr, visit: &mut Visit<'_>) {
        self.read_all(at, visit, None);
    }

    /// As [`StackReader::read`]; `deferred` is told of the words that are bound to deferred calls. Those are
    /// no further pointers: a closure of the heap holds them, or a variable of a frame.
    pub fn read_with_deferred(&mut self, at: Addr, visit: &mut Visit<'_>, deferred: &mut VisitDeferred<'_>) {
        self.read_all(at, visit, Some(deferred));
    }

    /// Where the calls return to that are under way on the goroutine that was read last, the innermost first;
    /// 0 of a frame that stands between two calls.
    #[must_use]
    pub fn calls(&self) -> &[Addr] {
        &self.calls
    }

    fn read_all(&mut self, at: Addr, visit: &mut Visit<'_>, deferred: Option<&mut VisitDeferred<'_>>) {
        self.calls.clear();
        let read = self.mem.bytes(at, self.rt.layout.g.sizeof as usize, 1 << 12).map_err(|e| e.to_string());
        let raw = match read.and_then(|b| RawG::parse(self.rt, &b).ok_or_else(|| "too short".into())) {
            Ok(raw) => raw,
            Err(why) => return self.lost.add(why),
        };
        let Presence::Live(status) = raw.presence else { return };
        if let Some(why) = raw.stack_problem() {
            return self.lost.add(why);
        }
        self.tally.goroutines += 1;
        self.window.turn_to(raw.stack);
        self.objects.begin(raw.stack);
        let thread = if status == Status::Running { self.threads.get(&raw.m.0).copied() } else { None };
        let unwinder = Unwinder::new(self.rt, self.symbols, &self.window);
        let trace = match (status, thread) {
            (Status::CopyStack | Status::Unknown(_), _) => Err(Unsure::Moving),
            (Status::Running, Some(thread)) => unwinder.unwind_running(&raw, &thread).map_err(|_| Unsure::NoRegisters),
            (Status::Running, None) => Err(Unsure::NoRegisters),
            _ => raw.resume().map(|(pc, sp)| unwinder.unwind(raw.stack, pc, sp)).ok_or(Unsure::Moving),
        };
        // Where calls begin is known of many of which nobody knows where they stand.
        let calls = matches!(trace, Err(Unsure::NoRegisters)).then(|| unwinder.reconstruct(&raw)).flatten();
        let before: u64 = self.tally.unsure.values().sum();
        let closures = deferred.as_ref().map(|_| Vec::new());
        let mut goroutine = Goroutine { reader: self, raw: &raw, visit, word: None, at: None, call: 0, closures };
        goroutine.registers(thread.as_ref());
        match trace {
            Ok(trace) => goroutine.frames(&trace, status == Status::Running),
            Err(why) => goroutine.whole_stack(thread.as_ref(), why, calls.as_ref()),
        }
        goroutine.own_fields();
        goroutine.stack_objects();
        if let (Some(deferred), Some(closures)) = (deferred, goroutine.closures.take()) {
            closures.into_iter().for_each(|closure| goroutine.bound_to(closure, deferred));
        }
        self.tally.unsure_goroutines += u64::from(self.tally.unsure.values().sum::<u64>() > before);
    }

    /// How the stacks were read; what could not be is a gap.
    pub fn finish(mut self, gaps: &mut Vec<Gap>) -> StackTally {
        if self.left == 0 {
            self.lost.add(format!("more than {} GiB of them", MAX_BYTES >> 30));
        }
        self.lost.report("stacks that were to be looked through", gaps);
        self.tally
    }
}

/// One goroutine that is read.
struct Goroutine<'r, 'a, 'b, 'v> {
    reader: &'r mut StackReader<'a, 'b>,
    raw: &'r RawG,
    visit: &'r mut Visit<'v>,
    /// See [`StackRoot::word`], of the word that is told of.
    word: Option<(Addr, Addr)>,
    /// Which of its calls is under way in the frame that is read.
    call: usize,
    /// Closures of deferred calls, where they are asked for.
    closures: Option<Vec<Addr>>,
    /// Where the word stands that is told of next.
    at: Option<Addr>,
}

impl Goroutine<'_, '_, '_, '_> {
    /// A word that is a pointer, or may be one; where it stands is in `at`, if it stands on a stack.
    fn pointer(&mut self, place: StackPlace, to: Addr, unsure: bool) {
        self.pointer_in(place, to, unsure, None);
    }

    fn pointer_in(&mut self, place: StackPlace, to: Addr, unsure: bool, slot: Option<i32>) {
        let at = self.at.take();
        if !to.is_null() && !self.reader.objects.point(to, unsure) {
            let map = at.and_then(|at| self.map_around(at, to));
            let call = slot.map(|_| self.call);
            (self.visit)(StackRoot { goid: self.raw.goid, place, to, unsure, slot, call, word: self.word, map });
        }
    }

    /// Where the map's header begins in which a word stands that leads to an array, if it may be one.
    fn map_around(&self, at: Addr, to: Addr) -> Option<Addr> {
        let start = Addr(at.0.checked_sub(MAP_ARRAY)?);
        let mut bytes = [0; MAP_HEADER];
        self.raw.stack.contains(start).then(|| self.reader.window.read(start, &mut bytes).ok())??;
        guess_map(MapForm::of(&self.reader.rt.version), &bytes).filter(|guess| guess.array == to).map(|_| start)
    }

    /// The word of a frame's variable or argument.
    fn variable(&mut self, frame: &Frame, at: Addr) {
        let slot = i32::try_from(at.0.wrapping_sub(frame.return_address.0).cast_signed()).ok();
        self.word = Some((at, frame.sp));
        self.at = Some(at);
        match self.reader.window.ptr(at) {
            Ok(to) => self.pointer_in(frame.place, to, false, slot),
            Err(e) => self.reader.lost.add(e.to_string()),
        }
        self.word = None;
    }

    /// Whether there is room left for so much more.
    fn take(&mut self, bytes: u64) -> bool {
        let left = self.reader.left.checked_sub(bytes);
        self.reader.left = left.unwrap_or(0);
        left.is_some()
    }

    /// The word at an address, which is a pointer.
    fn word(&mut self, place: StackPlace, at: Addr, unsure: bool) {
        if !self.take(8) {
            return;
        }
        self.at = Some(at);
        match self.reader.window.ptr(at) {
            Ok(to) => self.pointer(place, to, unsure),
            Err(e) => self.reader.lost.add(e.to_string()),
        }
    }

    /// Every word of a range.
    fn words(&mut self, place: StackPlace, range: AddrRange) {
        // Bounds are the process's own words (goheap/tests/hostile.rs: a stack that began behind 2^64 - 8).
        let Some(start) = range.start.0.checked_next_multiple_of(8).map(Addr) else { return };
        let len = range.end.0.saturating_sub(start.0).min(MAX_STACK_BYTES).min(self.reader.left) / 8;
        self.take(len * 8);
        for i in 0..len {
            self.at = Some(start.plus(i * 8));
            match self.reader.window.ptr(start.plus(i * 8)) {
                Ok(to) => self.pointer(place, to, true),
                Err(e) => return self.reader.lost.add(e.to_string()),
            }
        }
    }

    fn note(&mut self, why: Unsure) {
        *self.reader.tally.unsure.entry(why).or_default() += 1;
    }

    /// The registers of a thread, and what the runtime does for the goroutine on the thread's own stacks:
    /// those of signal handlers have registers too.
    fn registers(&mut self, thread: Option<&ThreadState>) {
        let Some(thread) = thread else { return };
        self.reader.tally.without_registers += u64::from(thread.general.is_none());
        let reader = &*self.reader;
        let held = SystemStacks::new(reader.rt, reader.mem, reader.symbols).held(thread);
        held.into_iter().for_each(|to| self.pointer(StackPlace::Goroutine, to, true));
    }

    /// Every word of it, and of which call it is as far as calls were found again. What stands below them is
    /// of calls that have returned, or of one that has just begun.
    fn whole_stack(&mut self, thread: Option<&ThreadState>, why: Unsure, calls: Option<&Trace>) {
        self.note(why);
        let stack = self.raw.stack;
        let mut start = thread.map(|t| t.sp).filter(|sp| stack.contains(*sp)).unwrap_or(stack.start);
        let mut place = StackPlace::Goroutine;
        let calls = calls.into_iter().flat_map(|trace| trace.steps.iter().zip(&trace.sps));
        for (step, sp) in calls.filter(|(step, sp)| !step.system && stack.contains(**sp)) {
            // The first begins where it was found; a stack pointer that goes back is none.
            if *sp > start {
                self.words(place, AddrRange { start, end: *sp });
                start = *sp;
            }
            place = StackPlace::Frame(if step.exact { step.pc } else { Addr(step.pc.0.saturating_sub(1)) });
        }
        self.words(place, AddrRange { start, end: stack.end });
    }

    fn frames(&mut self, trace: &Trace, running: bool) {
        // Between two calls: the innermost frame of one that runs.
        let mut interrupted = running;
        if running {
            self.note(Unsure::Running);
        }
        let (mut panicked, mut missing) = (false, false);
        let own = trace.steps.iter().zip(&trace.sps).filter(|(step, _)| !step.system);
        // A frame whose caller is not known is looked through with the rest.
        let known = own.clone().count() - usize::from(trace.cut.is_some()).min(own.clone().count());
        self.reader.calls.extend(own.clone().map(|(step, _)| if step.exact { Addr(0) } else { step.pc }));
        for (index, (step, sp)) in own.take(known).enumerate() {
            self.call = index;
            let Some(place) = self.reader.symbols.place(step.pc, step.exact) else { continue };
            let Some(delta) = place.sp_delta else { continue };
            if !self.take(FRAME) {
                return;
            }
            self.reader.tally.frames += 1;
            let frame = Frame::of(self.reader.rt, *sp, delta, step.pc, step.exact);
            let map = self.reader.maps.of(&place, step.pc, panicked, frame.top > frame.sp);
            if interrupted || map.shape == Shape::Interrupts {
                if map.shape == Shape::Interrupts && !running {
                    self.note(Unsure::Preempted);
                }
                self.whole_frame(&frame, &map);
                interrupted = map.shape == Shape::Interrupts;
            } else if map.missing {
                if !std::mem::replace(&mut missing, true) {
                    self.note(Unsure::NoMap);
                }
                self.whole_frame(&frame, &map);
            } else if !map.dead {
                self.frame(&frame, &place, &map);
            }
            panicked = map.shape == Shape::Panics;
        }
        if trace.cut.is_some() {
            self.note(Unsure::NotUnwound);
            self.words(StackPlace::Goroutine, AddrRange { start: trace.walked.end, end: self.raw.stack.end });
        }
        if !self.raw.vectors.is_null() && !running {
            let size = self.reader.rt.layout.g.x_regs_sizeof.unwrap_or(0).min(1 << 16);
            self.words(StackPlace::Goroutine, AddrRange::sized(self.raw.vectors, size));
        }
    }

    /// All words of a frame and its arguments; its stack objects are those of any.
    fn whole_frame(&mut self, frame: &Frame, map: &FrameMap) {
        self.words(frame.place, AddrRange { start: frame.sp, end: frame.top });
        self.words(frame.place, AddrRange::sized(frame.arguments, map.args_bytes));
    }

    fn frame(&mut self, frame: &Frame, place: &Place, map: &FrameMap) {
        // A map that covers more than the frame is of another frame.
        let from = frame.top.0.saturating_sub(map.locals_bytes);
        if from < frame.sp.0 && map.locals_bytes > 0 {
            self.note(Unsure::NoMap);
            return self.whole_frame(frame, map);
        }
        for offset in &map.locals {
            self.variable(frame, Addr(from).plus(u64::from(*offset)));
        }
        for offset in &map.args {
            self.variable(frame, frame.arguments.plus(u64::from(*offset)));
        }
        if !self.take(map.objects.len() as u64 * 8) {
            return;
        }
        for object in map.objects.iter() {
            let base = if object.offset < 0 { frame.top } else { frame.arguments };
            let at = Addr(base.0.wrapping_add_signed(i64::from(object.offset)));
            // Others are not there yet.
            if at >= frame.sp {
                self.reader.objects.add(at, object, frame.pc);
            }
        }
        if map.shape == Shape::Reflects {
            self.reflected(frame, place);
        }
        self.open_defers(frame, place);
    }

    /// The closures of deferred calls of which the frame says that they are due.
    fn open_defers(&mut self, frame: &Frame, place: &Place) {
        let Some(closures) = &mut self.closures else { return };
        let reader = &mut *self.reader;
        let Some(open) = reader.open.get(reader.rt, reader.mem, reader.symbols, place.entry) else { return };
        let below = |offset: u64| Addr(frame.top.0.wrapping_sub(offset));
        let Ok(bits) = reader.window.u8(below(open.bits)) else { return };
        let due = open.closures.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
        let due = due.filter_map(|(_, offset)| reader.window.ptr(below(*offset)).ok());
        closures.extend(due.take(MAX_DEFERRED.saturating_sub(closures.len())));
    }

    /// Tells of the words that a deferred call's closure has.
    fn bound_to(&mut self, closure: Addr, deferred: &mut VisitDeferred<'_>) {
        let reader = &mut *self.reader;
        let Some(code) = reader.window.ptr(closure).ok().filter(|code| reader.rt.module.pcs.contains(*code)) else {
            return;
        };
        let words = reader.objects.bytes_at(closure).map_or(MAX_BOUND, |bytes| (bytes / 8).saturating_sub(1));
        for at in (1..=words.min(MAX_BOUND)).map(|i| closure.plus(i * 8)) {
            let Ok(to) = reader.window.ptr(at) else { break };
            if !to.is_null() {
                deferred(DeferredWord { goid: self.raw.goid, code, closure, at, to });
            }
        }
    }

    /// `makeFuncStub`, `methodValueCall`: what they were called with is described by the `reflectMethodValue`
    /// (`fn`, `stack *bitvector`, `argLen`) that they keep at the frame's bottom.
    fn reflected(&mut self, frame: &Frame, place: &Place) {
        // It has not begun: without arguments.
        if frame.sp >= frame.return_address {
            return;
        }
        let read = |this: &Self| -> Option<(Addr, u32, u32)> {
            let mem = &this.reader.window;
            let value = mem.ptr(frame.sp).ok()?;
            if mem.ptr(value).ok()? != place.entry {
                return None;
            }
            let bits = mem.ptr(value.plus(8)).ok()?;
            let (n, list) = (mem.u32(bits).ok()?, mem.ptr(bits.plus(8)).ok()?);
            let arguments = u32::try_from(mem.u64(value.plus(16)).ok()? / 8).ok()?;
            // Whether its results are there already.
            let returned = mem.u8(frame.sp.plus(32)).ok()? != 0;
            Some((list, n, if returned { n } else { n.min(arguments) }))
        };
        let Some((list, n, valid)) = read(self) else { return self.note(Unsure::NoMap) };
        let Some(all) = offsets(self.reader.mem, list, n) else { return self.note(Unsure::NoMap) };
        for offset in all.into_iter().filter(|o| *o / 8 < valid) {
            self.word(frame.place, frame.arguments.plus(u64::from(offset)), false);
        }
        // Arguments in registers are kept in a stack object that no list has.
        let pointers = REG_ARGS_POINTERS.map(|word| word * 8).collect();
        let object = StackObject { offset: 0, size: REG_ARGS, pointers };
        self.reader.objects.add(Addr(frame.top.0.saturating_sub(u64::from(REG_ARGS))), &object, frame.pc);
    }

    /// The closure that it goes on in, deferred calls, panics.
    fn own_fields(&mut self) {
        self.pointer(StackPlace::Goroutine, self.raw.context, false);
        self.pointer(StackPlace::Goroutine, self.raw.panics, false);
        let l = &self.reader.rt.layout.deferred;
        let mut at = self.raw.defers;
        for _ in 0..MAX_DEFERRED {
            if at.is_null() || !self.take(FRAME) {
                return;
            }
            let mem = &self.reader.window;
            let read = mem
                .u8(at.plus(l.heap))
                .and_then(|heap| Ok((heap, mem.ptr(at.plus(l.func))?, mem.ptr(at.plus(l.link))?)));
            let (heap, func, link) = match read {
                Ok(read) => read,
                Err(e) => return self.reader.lost.add(e.to_string()),
            };
            if let Some(closures) = &mut self.closures {
                closures.push(func);
            }
            self.pointer(StackPlace::Goroutine, func, false);
            self.pointer(StackPlace::Goroutine, link, false);
            if heap != 0 {
                self.pointer(StackPlace::Goroutine, at, false);
            }
            at = link;
        }
    }

    /// Stack objects that something points to.
    fn stack_objects(&mut self) {
        self.reader.objects.index();
        while let Some(object) = self.reader.objects.next() {
            let pointers = Rc::clone(&object.pointers);
            for offset in pointers.iter() {
                self.word(StackPlace::Frame(object.frame), object.at.plus(u64::from(*offset)), object.unsure);
            }
        }
        if self.reader.objects.too_many() {
            self.reader.lost.add("more variables whose address is taken than any stack has".into());
        }
    }
}
