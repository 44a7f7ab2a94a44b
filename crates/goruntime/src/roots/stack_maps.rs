//! Which words of a frame are pointers that are still in use, as the compiler noted it. Source:
//! `runtime/stkframe.go` (`getStackMap`, `argMapInternal`; up to Go 1.20 `runtime/stack.go`),
//! `runtime/stack.go` (`stackObjectRecord`), `runtime/symtab.go` (`stackmapdata`).
//!
//! Each call in a function has a number (`PCDATA_StackMapIndex`), by which lists of bits are found: one for
//! the function's variables, one for its arguments. Variables whose address is taken have no bits there; they
//! are listed for the whole function (stack objects), and live where something points to them.
//!
//! What is found is kept by program counter: ten thousand goroutines that wait in one place are one lookup.

use std::rc::Rc;

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use crate::binary::pclntab::{Place, Symbolizer};
use crate::heap::bits::{Bits, word_of};
use crate::heap::gc_program::run_program;
use crate::runtime::Runtime;

const PCDATA_STACK_MAP_INDEX: u64 = 1;
const FUNCDATA_ARGS_POINTER_MAPS: u64 = 0;
const FUNCDATA_LOCALS_POINTER_MAPS: u64 = 1;
const FUNCDATA_STACK_OBJECTS: u64 = 2;

/// Most bits of one list: a frame of 8 MB.
const MAX_BITS: u32 = 1 << 20;
/// Most stack objects of one function.
const MAX_OBJECTS: u64 = 1 << 14;
/// Pointers of all maps and objects together that are kept.
const MAX_KEPT: usize = 16 << 20;

/// How a function stands between what it called and what called it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// It was called as any function.
    Ordinary,
    /// It was put between two instructions of its caller (`asyncPreempt`, `debugCallV2`), or called without
    /// the caller's registers being free (`gcWriteBarrier`, `duffcopy`), or by the runtime's own assembly
    /// (`gosave_systemstack_switch`): where the caller stands has no map, and its registers are in use.
    Interrupts,
    /// `sigpanic`: its caller goes on, if at all, at its `deferreturn`.
    Panics,
    /// `makeFuncStub` and `methodValueCall`: their arguments differ from call to call.
    Reflects,
}

impl Shape {
    fn of(name: &str) -> Self {
        match name {
            "runtime.sigpanic" => Self::Panics,
            "reflect.makeFuncStub" | "reflect.methodValueCall" => Self::Reflects,
            "runtime.asyncPreempt" | "runtime.debugCallV2" | "runtime.duffcopy" | "runtime.duffzero" => {
                Self::Interrupts
            }
            // `systemstack` calls it just before it leaves the goroutine's stack, and of its own argument
            // there is no map. Nothing is preempted there, so that the collector never meets it; a thread
            // that is stopped at any instruction may stand there (seen: Go 1.19 and 1.20, once in 3,000
            // looks at lab/programs/goroutines with -busy). It is of one file alone, and its name has no
            // package.
            "gosave_systemstack_switch" => Self::Interrupts,
            _ if name.starts_with("runtime.gcWriteBarrier") => Self::Interrupts,
            _ => Self::Ordinary,
        }
    }
}

/// A variable of a function whose address is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StackObject {
    /// Bytes from the top of the variables, if negative, else from the arguments.
    pub(super) offset: i32,
    /// Its size in bytes.
    pub(super) size: u32,
    /// Where it holds pointers: bytes from its start.
    pub(super) pointers: Rc<[u32]>,
}

/// What is known of the frames of a function at a program counter.
#[derive(Clone, Debug)]
pub(super) struct FrameMap {
    pub(super) shape: Shape,
    /// Pointers among its variables: bytes from the lowest that the map covers.
    pub(super) locals: Vec<u32>,
    /// Bytes that the map of its variables covers; they end at the top of the variables.
    pub(super) locals_bytes: u64,
    /// Pointers among its arguments: bytes from the first.
    pub(super) args: Vec<u32>,
    /// Bytes of its arguments and results.
    pub(super) args_bytes: u64,
    pub(super) objects: Rc<[StackObject]>,
    /// Whether it was left by a panic and never goes on: nothing of it is in use.
    pub(super) dead: bool,
    /// Whether there should be a map and is none.
    pub(super) missing: bool,
}

/// The maps of a process's functions.
pub(super) struct StackMaps<'a, 'b> {
    rt: &'a Runtime,
    symbols: &'a Symbolizer<'b>,
    /// What pointer masks of stack objects are counted from; `None` where that cannot be read.
    rodata: Option<Addr>,
    /// By program counter, and whether the frame was left by a panic.
    known: FxHashMap<(Addr, bool), Rc<FrameMap>>,
    /// By function.
    objects: FxHashMap<Addr, Option<Rc<[StackObject]>>>,
    kept: usize,
}

impl<'a, 'b> StackMaps<'a, 'b> {
    pub(super) fn new(rt: &'a Runtime, mem: &'a dyn Memory, symbols: &'a Symbolizer<'b>) -> Self {
        let at = rt.module.at;
        let rodata = if at.is_null() { None } else { mem.ptr(at.plus(rt.layout.moduledata.rodata)).ok() };
        Self { rt, symbols, rodata, known: FxHashMap::default(), objects: FxHashMap::default(), kept: 0 }
    }

    /// The map of a frame at `pc`, which was left by a panic or not. `has_locals`: whether there is room for
    /// variables in it.
    pub(super) fn of(&mut self, place: &Place, pc: Addr, panicked: bool, has_locals: bool) -> Rc<FrameMap> {
        if let Some(known) = self.known.get(&(pc, panicked)) {
            return Rc::clone(known);
        }
        let map = Rc::new(self.read(place, pc, panicked, has_locals));
        self.kept += map.locals.len() + map.args.len() + 16;
        if self.kept > MAX_KEPT {
            self.known.clear();
            self.objects.clear();
            self.kept = 0;
        }
        self.known.insert((pc, panicked), Rc::clone(&map));
        map
    }

    fn read(&mut self, place: &Place, pc: Addr, panicked: bool, has_locals: bool) -> FrameMap {
        let mut map = FrameMap {
            shape: Shape::of(&place.name),
            locals: Vec::new(),
            locals_bytes: 0,
            args: Vec::new(),
            args_bytes: 0,
            objects: Rc::default(),
            dead: false,
            missing: false,
        };
        let Some(f) = self.symbols.find(pc) else {
            map.missing = true;
            return map;
        };
        // Where it goes on (`continpc`).
        let pc = match self.symbols.deferreturn(f) {
            _ if !panicked => pc,
            Some(at) => at.plus(1),
            None => {
                map.dead = true;
                return map;
            }
        };
        // At the entry the first map holds, whatever the first instruction does.
        let index = if pc == f.entry { None } else { self.symbols.pcdata(f, PCDATA_STACK_MAP_INDEX, Addr(pc.0 - 1)) };
        let index = index.filter(|i| *i != -1).unwrap_or(0);
        if has_locals {
            match self.bits(self.symbols.funcdata(f, FUNCDATA_LOCALS_POINTER_MAPS), index) {
                Some((bytes, offsets)) => (map.locals_bytes, map.locals) = (bytes, offsets),
                None => map.missing = true,
            }
        }
        match self.symbols.args_bytes(f) {
            Ok(Some(0)) => {}
            Ok(Some(bytes)) => {
                map.args_bytes = u64::from(bytes).min(u64::from(MAX_BITS) * 8);
                // Fewer than a word of them hold none.
                if bytes >= 8 {
                    match self.bits(self.symbols.funcdata(f, FUNCDATA_ARGS_POINTER_MAPS), index) {
                        Some((_, offsets)) => map.args = offsets,
                        None => map.missing = true,
                    }
                }
            }
            Ok(None) => {}
            Err(()) => map.missing = true,
        }
        let (symbols, rt, rodata) = (self.symbols, self.rt, self.rodata);
        // The maps stand with the tables of functions, among what never changes.
        let mem = symbols.constants();
        let kept = &mut self.kept;
        let objects = self.objects.entry(f.entry).or_insert_with(|| {
            let Some(at) = symbols.funcdata(f, FUNCDATA_STACK_OBJECTS) else { return Some(Rc::default()) };
            let found = stack_objects(rt, mem, at, rodata?)?;
            *kept += found.iter().map(|o| o.pointers.len() + 8).sum::<usize>();
            Some(found)
        });
        match objects {
            Some(objects) => map.objects = Rc::clone(objects),
            None => map.missing = true,
        }
        map
    }

    /// Of a `stackmap` (`n`, `nbit`, then `n` lists) the list `index`: the bytes that it covers, and where in
    /// them pointers are.
    fn bits(&self, at: Option<Addr>, index: i64) -> Option<(u64, Vec<u32>)> {
        let (at, mem) = (at?, self.symbols.constants());
        let (n, bits) = (mem.u32(at).ok()?, mem.u32(at.plus(4)).ok()?);
        if n == 0 || n > i32::MAX as u32 || bits > MAX_BITS {
            return None;
        }
        if bits == 0 {
            return Some((0, Vec::new()));
        }
        let index = u64::try_from(index).ok().filter(|i| *i < u64::from(n))?;
        let list = at.plus(8 + index * u64::from(bits.div_ceil(8)));
        Some((u64::from(bits) * 8, offsets(mem, list, bits)?))
    }
}

/// Bytes from the first of so many words to each that a list of bits names.
pub(super) fn offsets(mem: &dyn Memory, list: Addr, bits: u32) -> Option<Vec<u32>> {
    let len = bits.div_ceil(8) as usize;
    let bytes = mem.bytes(list, len, MAX_BITS as usize / 8).ok()?;
    let words = (0..len.div_ceil(8)).zip((0u32..).step_by(64));
    let all = words.flat_map(|(i, first)| Bits(word_of(&bytes, i)).map(move |bit| first + bit));
    Some(all.filter(|bit| *bit < bits).map(|bit| bit * 8).collect())
}

/// The list of a function's stack objects: their number, then 16 bytes each.
fn stack_objects(rt: &Runtime, mem: &dyn Memory, at: Addr, rodata: Addr) -> Option<Rc<[StackObject]>> {
    const RECORD: usize = 16;
    let n = mem.u64(at).ok().filter(|n| *n <= MAX_OBJECTS)? as usize;
    let bytes = mem.bytes(at.plus(8), n * RECORD, MAX_OBJECTS as usize * RECORD).ok()?;
    let record = |b: &[u8]| -> Option<StackObject> {
        let word = |i: usize| b.get(i * 4..i * 4 + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (offset, size, pointer_bytes) = (word(0)?.cast_signed(), word(1)?, word(2)?.cast_signed());
        let mask = rodata.plus(u64::from(word(3)?));
        let words = pointer_bytes.unsigned_abs() / 8;
        if size.cast_signed() < 0 || words * 8 > size || words > MAX_BITS {
            return None;
        }
        // A negative number says that a program makes the bits (up to Go 1.23).
        let pointers = if pointer_bytes < 0 && rt.version.minor < 24 {
            let bits = run_program(mem, mask.plus(4), u64::from(words))?;
            let all = bits.iter().zip((0u32..).step_by(64));
            all.flat_map(|(word, first)| Bits(*word).map(move |bit| (first + bit) * 8)).collect()
        } else {
            offsets(mem, mask, words)?
        };
        Some(StackObject { offset, size, pointers: pointers.into() })
    };
    bytes.chunks_exact(RECORD).map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::Shape;

    /// Only who is put between two instructions: what `systemstack` itself calls, and nothing of a like name.
    #[test]
    fn who_interrupts_its_caller() {
        for name in ["runtime.asyncPreempt", "runtime.gcWriteBarrierCX", "gosave_systemstack_switch"] {
            assert_eq!(Shape::of(name), Shape::Interrupts, "{name}");
        }
        for name in ["runtime.systemstack", "runtime.systemstack_switch", "main.gosave_systemstack_switch"] {
            assert_eq!(Shape::of(name), Shape::Ordinary, "{name}");
        }
    }
}
