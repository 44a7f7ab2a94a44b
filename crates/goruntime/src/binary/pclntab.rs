//! Program counters to function, file and line, with inlining. Source: `runtime/symtab.go`,
//! `runtime/symtabinl.go`, `cmd/link/internal/ld/pcln.go`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use crate::binary::functab;
use crate::binary::moduledata::ModuleData;
use crate::layout::Layout;

/// A logical frame: what Go prints as one line of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// As pprof writes it: `main.(*Server).ugcTab`.
    pub function: String,
    /// File path as compiled in.
    pub file: String,
    /// Line, 1-based; 0 if unknown.
    pub line: u32,
}

impl Frame {
    /// Bytes of its names.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.function.len() + self.file.len()
    }
}

/// A logical frame with what Go's own printing of it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logical {
    pub(crate) frame: Frame,
    /// Its body stands inlined in a caller's.
    pub(crate) inlined: bool,
    /// The compiler made it: hidden, unless what it called is a panic (`elideWrapperCalling`).
    pub(crate) wrapper: bool,
    /// It takes arguments that a traceback prints.
    pub(crate) arguments: bool,
    /// Where in it, to look up files and lines.
    pub(crate) pc: Addr,
}

/// All that unwinding asks of a program counter.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// First instruction of the physical function.
    pub(crate) entry: Addr,
    /// Name of the physical function.
    pub(crate) name: String,
    /// Stacks begin here.
    pub(crate) is_top: bool,
    /// Bytes between SP and the return address; `None` where the tables have none.
    pub(crate) sp_delta: Option<u64>,
    /// The calls that are inlined into each other here, innermost first; the function itself is the last.
    pub(crate) logical: Vec<Logical>,
}

/// A physical function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Func {
    pub(crate) entry: Addr,
    /// Where its `_func` stands.
    meta: Addr,
}

/// Flag bits of `_func.flag` (`internal/abi`, `FuncFlag`).
const FLAG_TOP_FRAME: u8 = 1;
const PCDATA_INL_TREE_INDEX: u64 = 2;
const FUNCDATA_INL_TREE: u64 = 3;
const FUNCDATA_ARG_INFO: u64 = 5;
/// `abi.TraceArgsEndSeq` (`internal/abi/symtab.go`): ends the description of a function's arguments.
const ARG_INFO_END: u8 = 0xff;
/// Bounds for what foreign bytes may make us do.
const MAX_NAME: usize = 4096;
const MAX_PC_STEPS: usize = 1 << 16;
const MAX_INLINE_DEPTH: usize = 256;

/// Reads pclntab. Keeps what it has resolved; never fails: an unknown program counter gives no frames.
pub struct Symbolizer<'a> {
    mem: &'a dyn Memory,
    md: &'a ModuleData,
    layout: &'a Layout,
    frames: RefCell<FxHashMap<u64, Vec<Frame>>>,
    /// By program counter and whether it is exact.
    places: RefCell<Places>,
    /// Bytes of names that both hold.
    kept: Cell<usize>,
}

type Places = FxHashMap<(u64, bool), Option<Rc<Place>>>;

/// Most program counters that are remembered, and bytes of their names: each frame may have 8 kB of them.
const MAX_KEPT: usize = 200_000;
const MAX_KEPT_BYTES: usize = 32 << 20;

impl<'a> Symbolizer<'a> {
    /// A symbolizer over memory that holds pclntab and the read-only data.
    #[must_use]
    pub fn new(mem: &'a dyn Memory, md: &'a ModuleData, layout: &'a Layout) -> Self {
        Self { mem, md, layout, frames: RefCell::default(), places: RefCell::default(), kept: Cell::default() }
    }

    /// The memory that holds pclntab and the read-only data.
    pub(crate) fn constants(&self) -> &'a dyn Memory {
        self.mem
    }

    /// The logical frames at `pc`, innermost first. `pc` is taken as it is: for a return address pass one
    /// less.
    #[must_use]
    pub fn frames(&self, pc: Addr) -> Vec<Frame> {
        if let Some(f) = self.frames.borrow().get(&pc.0) {
            return f.clone();
        }
        let frames = self.resolve(pc);
        self.make_room(frames.iter().map(Frame::bytes).sum());
        self.frames.borrow_mut().insert(pc.0, frames.clone());
        frames
    }

    /// Forgets all that is remembered when it is too much.
    fn make_room(&self, bytes: usize) {
        let entries = self.frames.borrow().len() + self.places.borrow().len();
        if entries > MAX_KEPT || self.kept.get() + bytes > MAX_KEPT_BYTES {
            self.frames.borrow_mut().clear();
            self.places.borrow_mut().clear();
            self.kept.set(0);
        }
        self.kept.set(self.kept.get() + bytes);
    }

    /// What unwinding needs to know of `pc`; `None` outside of Go code. `exact` tells that it is an
    /// instruction that was about to run and not a return address.
    pub(crate) fn place(&self, pc: Addr, exact: bool) -> Option<Rc<Place>> {
        if let Some(p) = self.places.borrow().get(&(pc.0, exact)) {
            return p.clone();
        }
        let place = self.find(pc).map(|f| {
            // As `symPC`: a return address stands behind its call; at the entry nothing has run yet.
            let lookup = if exact || pc == f.entry { pc } else { Addr(pc.0 - 1) };
            Rc::new(Place {
                entry: f.entry,
                name: self.name(f).unwrap_or_default(),
                is_top: self.is_top_frame(f),
                sp_delta: self.sp_delta(f, pc),
                logical: self.logical(f, lookup),
            })
        });
        let names = |p: &Rc<Place>| p.name.len() + p.logical.iter().map(|l| l.frame.bytes()).sum::<usize>();
        self.make_room(place.as_ref().map_or(0, names));
        self.places.borrow_mut().insert((pc.0, exact), place.clone());
        place
    }

    /// The innermost logical frame at `pc`.
    #[must_use]
    pub fn innermost(&self, pc: Addr) -> Option<Frame> {
        self.frames(pc).into_iter().next()
    }

    /// Name of the function that contains `pc`, inlining aside.
    #[must_use]
    pub fn function_name(&self, pc: Addr) -> Option<String> {
        self.name(self.find(pc)?)
    }

    /// Whether an address is one of code of the program's own module.
    #[must_use]
    pub fn is_code(&self, pc: Addr) -> bool {
        self.md.pcs.contains(pc)
    }

    /// Start and length of the code of each wanted function.
    #[must_use]
    pub(crate) fn find_functions(&self, wanted: &[&str]) -> FxHashMap<String, (Addr, u64)> {
        functab::find_functions(self.mem, self.md, self.layout, wanted)
    }

    /// Code of a function, at most 64 KiB of it.
    pub(crate) fn code(&self, entry: Addr, len: u64) -> Option<Vec<u8>> {
        let len = len.min(1 << 16) as usize;
        self.mem.bytes(entry, len, 1 << 16).ok()
    }

    /// The physical function at `pc`.
    pub(crate) fn find(&self, pc: Addr) -> Option<Func> {
        if !self.md.pcs.contains(pc) {
            return None;
        }
        let (mut low, mut high) = (0, self.md.ftab.1.saturating_sub(1));
        while low + 1 < high {
            let mid = low.midpoint(high);
            if self.ftab_entry(mid)?.0 <= pc {
                low = mid;
            } else {
                high = mid;
            }
        }
        let (entry, meta) = self.ftab_entry(low)?;
        (entry <= pc).then_some(Func { entry, meta })
    }

    pub(crate) fn name(&self, f: Func) -> Option<String> {
        let offset = self.mem.u32(f.meta.plus(self.layout.func.name_off)).ok()?;
        self.name_at(u64::from(offset))
    }

    /// Whether a stack ends at this function.
    pub(crate) fn is_top_frame(&self, f: Func) -> bool {
        self.mem.u8(f.meta.plus(self.layout.func.flag)).is_ok_and(|b| b & FLAG_TOP_FRAME != 0)
    }

    /// Bytes between SP and the return address at `pc`.
    pub(crate) fn sp_delta(&self, f: Func, pc: Addr) -> Option<u64> {
        let table = self.mem.u32(f.meta.plus(self.layout.func.pcsp)).ok()?;
        self.pc_value(f, table, pc).and_then(|v| u64::try_from(v).ok())
    }

    fn resolve(&self, pc: Addr) -> Vec<Frame> {
        let Some(f) = self.find(pc) else { return Vec::new() };
        // Wrappers that the compiler made (method values, `go` statements with arguments) are no code of
        // anybody's: Go's tracebacks hide them too.
        self.logical(f, pc).into_iter().filter(|l| !l.wrapper).map(|l| l.frame).collect()
    }

    fn logical(&self, f: Func, pc: Addr) -> Vec<Logical> {
        let outer = self.name(f).unwrap_or_else(|| "?".into());
        let mut frames = Vec::new();
        let mut pc = pc;
        while frames.len() < MAX_INLINE_DEPTH {
            let (file, line) = self.position(f, pc).unwrap_or_default();
            let inlined = self.inline_call(f, pc);
            let (function, id) = match &inlined {
                Some(call) => (call.function.as_str(), call.func_id),
                None => (outer.as_str(), self.mem.u8(f.meta.plus(self.layout.func.func_id)).unwrap_or(0)),
            };
            frames.push(Logical {
                frame: Frame { function: function.to_owned(), file, line },
                inlined: inlined.is_some(),
                wrapper: id == self.layout.wrapper_func_id,
                arguments: inlined.is_some() || self.takes_arguments(f),
                pc,
            });
            match inlined {
                Some(call) if call.parent != pc => pc = call.parent,
                _ => break,
            }
        }
        frames
    }

    /// Whether a traceback would print arguments (`printArgs`): their shape alone is read, no values.
    fn takes_arguments(&self, f: Func) -> bool {
        let first = self.funcdata(f, FUNCDATA_ARG_INFO).and_then(|at| self.mem.u8(at).ok());
        first.is_some_and(|b| b != ARG_INFO_END)
    }

    fn ftab_entry(&self, i: u64) -> Option<(Addr, Addr)> {
        let mut b = [0; 8];
        self.mem.read(self.md.ftab.0.plus(i * 8), &mut b).ok()?;
        let entry = u32::from_le_bytes(b.get(..4)?.try_into().ok()?);
        let meta = u32::from_le_bytes(b.get(4..)?.try_into().ok()?);
        Some((self.md.text.plus(u64::from(entry)), self.md.pclntable.0.plus(u64::from(meta))))
    }

    fn inline_call(&self, f: Func, pc: Addr) -> Option<InlinedCall> {
        let index = u64::try_from(self.pcdata(f, PCDATA_INL_TREE_INDEX, pc)?).ok()?;
        let tree = self.funcdata(f, FUNCDATA_INL_TREE)?;
        let l = &self.layout.inlined_call;
        let node = tree.plus(index.checked_mul(l.sizeof)?);
        let name = self.mem.u32(node.plus(l.name_off)).ok()?;
        let parent = self.mem.u32(node.plus(l.parent_pc)).ok()?;
        Some(InlinedCall {
            function: self.name_at(u64::from(name))?,
            func_id: self.mem.u8(node.plus(l.func_id)).ok()?,
            parent: f.entry.plus(u64::from(parent)),
        })
    }

    fn npcdata(&self, f: Func) -> Option<u64> {
        self.mem.u32(f.meta.plus(self.layout.func.npcdata)).ok().map(u64::from).filter(|n| *n < 64)
    }

    /// Bytes of a function's arguments and results on the stack; `None` where they differ from call to call.
    pub(crate) fn args_bytes(&self, f: Func) -> Result<Option<u32>, ()> {
        /// `abi.ArgsSizeUnknown`.
        const UNKNOWN: u32 = 0x8000_0000;
        let args = self.mem.u32(f.meta.plus(self.layout.func.args)).map_err(|_| ())?;
        Ok(Some(args).filter(|a| *a != UNKNOWN))
    }

    /// Where a function goes on that a panic has left, if it recovers: its call of `deferreturn`.
    pub(crate) fn deferreturn(&self, f: Func) -> Option<Addr> {
        let offset = self.mem.u32(f.meta.plus(self.layout.func.deferreturn)).ok().filter(|o| *o != 0)?;
        Some(f.entry.plus(u64::from(offset)))
    }

    /// The value of one of a function's tables (`PCDATA_*`) at `pc`, taken as it is.
    pub(crate) fn pcdata(&self, f: Func, table: u64, pc: Addr) -> Option<i64> {
        if table >= self.npcdata(f)? {
            return None;
        }
        let offset = self.mem.u32(f.meta.plus(self.layout.func.sizeof + table * 4)).ok()?;
        self.pc_value(f, offset, pc)
    }

    /// One of a function's tables (`FUNCDATA_*`).
    pub(crate) fn funcdata(&self, f: Func, i: u64) -> Option<Addr> {
        let n = self.mem.u8(f.meta.plus(self.layout.func.nfuncdata)).ok()?;
        if i >= u64::from(n) {
            return None;
        }
        let at = f.meta.plus(self.layout.func.sizeof + self.npcdata(f)? * 4 + i * 4);
        let offset = self.mem.u32(at).ok().filter(|o| *o != u32::MAX)?;
        Some(self.md.gofunc.plus(u64::from(offset)))
    }

    fn position(&self, f: Func, pc: Addr) -> Option<(String, u32)> {
        let pcfile = self.mem.u32(f.meta.plus(self.layout.func.pcfile)).ok()?;
        let pcln = self.mem.u32(f.meta.plus(self.layout.func.pcln)).ok()?;
        let line = u32::try_from(self.pc_value(f, pcln, pc)?).unwrap_or(0);
        let fileno = u64::try_from(self.pc_value(f, pcfile, pc)?).ok()?;
        let cu = u64::from(self.mem.u32(f.meta.plus(self.layout.func.cu_offset)).ok()?);
        let slot = cu.checked_add(fileno).filter(|s| *s < self.md.cutab.1)?;
        let offset = u64::from(self.mem.u32(self.md.cutab.0.plus(slot * 4)).ok()?);
        let file = self.string_at(self.md.filetab, offset).unwrap_or_default();
        Some((file, line))
    }

    fn name_at(&self, offset: u64) -> Option<String> {
        self.string_at(self.md.funcnametab, offset)
    }

    /// A NUL-terminated string at an offset of a table.
    fn string_at(&self, table: (Addr, u64), offset: u64) -> Option<String> {
        let room = table.1.checked_sub(offset)?.min(MAX_NAME as u64) as usize;
        let mut out = Vec::new();
        let mut at = table.0.plus(offset);
        while out.len() < room {
            let n = (room - out.len()).min(64);
            let b = self.mem.bytes(at, n, 64).ok()?;
            if let Some(end) = b.iter().position(|c| *c == 0) {
                out.extend_from_slice(b.get(..end)?);
                break;
            }
            out.extend_from_slice(&b);
            at = at.plus(n as u64);
        }
        Some(String::from_utf8_lossy(&out).into_owned())
    }

    /// The value of a pc-value table at `pc`: from -1, steps of (zigzag value, pc) varints; a zero value step
    /// that is not the first ends it.
    fn pc_value(&self, f: Func, offset: u32, pc: Addr) -> Option<i64> {
        if offset == 0 {
            return None;
        }
        let mut reader = Bytes {
            mem: self.mem,
            at: self.md.pctab.0.plus(u64::from(offset)),
            end: self.md.pctab.0.plus(self.md.pctab.1),
            buf: Vec::new(),
            next: 0,
        };
        let mut here = f.entry;
        let mut value: i64 = -1;
        for step in 0..MAX_PC_STEPS {
            let raw = reader.varint()?;
            if raw == 0 && step > 0 {
                return None;
            }
            let delta = if raw & 1 == 1 { !(i64::from(raw) >> 1) } else { i64::from(raw) >> 1 };
            value = value.checked_add(delta)?;
            here = here.plus(u64::from(reader.varint()?));
            if pc < here {
                return Some(value);
            }
        }
        None
    }
}

/// The inlined function at a program counter.
struct InlinedCall {
    function: String,
    func_id: u8,
    /// Program counter of its call in the parent.
    parent: Addr,
}

/// A byte stream over memory, in pieces.
struct Bytes<'a> {
    mem: &'a dyn Memory,
    at: Addr,
    end: Addr,
    buf: Vec<u8>,
    next: usize,
}

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        if self.next == self.buf.len() {
            let room = self.end.0.checked_sub(self.at.0)?.min(64) as usize;
            self.buf = self.mem.bytes(self.at, room, 64).ok()?;
            self.at = self.at.plus(room as u64);
            self.next = 0;
        }
        let b = self.buf.get(self.next).copied();
        self.next += 1;
        b
    }

    fn varint(&mut self) -> Option<u32> {
        let mut v = 0u32;
        for shift in (0..35).step_by(7) {
            let b = self.byte()?;
            v |= u32::from(b & 0x7f).checked_shl(shift).unwrap_or(0);
            if b & 0x80 == 0 {
                return Some(v);
            }
        }
        None
    }
}
