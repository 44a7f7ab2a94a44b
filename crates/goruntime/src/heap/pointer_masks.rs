//! Which words of a type are pointers, from its descriptor. Source: `internal/abi/type.go` (`Type`, `TFlag`,
//! `ArrayType`, `StructType`), `runtime/type.go` (`getGCMask`, `buildGCMask`).
//!
//! A descriptor holds a bit a word; of large types up to Go 1.23 a program that makes them (`KindGCProg`),
//! and from Go 1.24 on a place for bits that the runtime makes when it first needs them
//! (`TFlagGCMaskOnDemand`): where it has not yet, they are put together here from the type's elements and
//! fields. What a header of the heap names may be no type of the program but one that the runtime made up
//! for its bits alone (large types with a program, Go 1.22 and 1.23; chunks of user arenas): only size,
//! pointer bytes and bits of it are used.

use std::collections::hash_map::Entry;

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::FxHashMap;

use crate::heap::bits::{copy_bits, word_of};
use crate::heap::gc_program::run_program;
use crate::runtime::Runtime;

/// Offsets in `abi.Type`, and of what follows it in those of arrays and structs.
const SIZE: usize = 0;
const PTR_BYTES: usize = 8;
const TFLAG: usize = 20;
const KIND: usize = 23;
const GC_DATA: usize = 32;
const ELEM: usize = 48;
const ARRAY_LEN: usize = 64;
const FIELDS: usize = 56;
/// Bytes that are read of a descriptor: an `ArrayType` has 72, a `StructType` 80, and behind any type stands
/// another, or its name.
const DESCRIPTOR: usize = 72;
/// `abi.StructField`: name, type, offset.
const FIELD: usize = 24;

const KIND_MASK: u8 = 0x1f;
const ARRAY: u8 = 17;
const STRUCT: u8 = 25;
/// `KindGCProg`, up to Go 1.23.
const GC_PROGRAM: u8 = 0x40;
/// `TFlagGCMaskOnDemand`, from Go 1.24 on.
const ON_DEMAND: u8 = 1 << 4;

/// Most words of a type whose bits are read: a gigabyte of it.
const MAX_WORDS: u64 = 1 << 27;
/// Bytes of the bits of all types that are read and kept.
const MAX_BYTES: u64 = 256 << 20;
/// Types whose bits are kept.
const MAX_TYPES: usize = 1 << 20;
/// Types that are looked at to put others together.
const MAX_STEPS: usize = 4 << 20;
/// Fields of a struct that are looked at.
const MAX_FIELDS: u64 = 1 << 16;
/// Arrays within arrays.
const MAX_PEELED: usize = 64;

/// Masks of types smaller than this are kept several times in a row: an array of pointers is not gone
/// through word by word.
const UNROLLED: u64 = 4096;

/// A bit a word: pointers. It repeats for as many as an object holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointerMask {
    /// Bytes of one of the type; of an array's element, if it is an array.
    pub size: u64,
    /// Bytes after which the bits begin again: a multiple of `size`.
    period: u64,
    bits: Vec<u64>,
}

impl PointerMask {
    fn new(size: u64, once: Vec<u64>) -> Self {
        let times = if once.is_empty() || size == 0 { 1 } else { (UNROLLED / size).max(1) };
        let period = size.saturating_mul(times);
        if times == 1 {
            return Self { size, period, bits: once };
        }
        let mut bits = vec![0; period.div_ceil(512) as usize];
        for i in 0..times {
            copy_bits(&mut bits, i * (size / 8), &once);
        }
        Self { size, period, bits }
    }

    /// Calls with the offset of each pointer in `[from, to)`, in bytes from where the first of its types
    /// begins.
    pub(super) fn each(&self, from: u64, to: u64, mut f: impl FnMut(u64)) {
        if self.bits.is_empty() || self.period == 0 {
            return;
        }
        let mut element = from / self.period * self.period;
        while element < to {
            let skipped = (from.saturating_sub(element) / 512) as usize;
            for (i, word) in self.bits.iter().enumerate().skip(skipped) {
                let base = element + i as u64 * 512;
                if base >= to {
                    return;
                }
                let mut word = *word;
                while word != 0 {
                    let at = base + u64::from(word.trailing_zeros()) * 8;
                    word &= word - 1;
                    if at >= to {
                        return;
                    }
                    if at >= from {
                        f(at);
                    }
                }
            }
            let Some(next) = element.checked_add(self.period) else { return };
            element = next;
        }
    }

    /// Offsets of the pointers of one of its types, in bytes.
    #[must_use]
    pub fn offsets(&self) -> Vec<u64> {
        let mut all = Vec::new();
        self.each(0, self.size, |at| all.push(at));
        all
    }
}

/// The masks of types that were asked for, by where they stand.
#[derive(Debug, Default)]
pub struct PointerMasks {
    by_type: FxHashMap<Addr, Option<u32>>,
    masks: Vec<PointerMask>,
    spent: Spent,
}

/// What was done for all types, whether or not anything came of it: types that lie end.
#[derive(Debug, Default)]
struct Spent {
    bytes: u64,
    steps: usize,
}

impl Spent {
    /// Room for so many bits.
    fn bits(&mut self, words: u64) -> Option<()> {
        self.bytes = self.bytes.saturating_add(words / 8 + 64);
        (self.bytes <= MAX_BYTES).then_some(())
    }

    fn step(&mut self) -> Option<()> {
        self.steps += 1;
        (self.steps <= MAX_STEPS).then_some(())
    }
}

impl PointerMasks {
    /// The mask of the type at an address; `None` for what is no type, or too large.
    pub fn of(&mut self, rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<&PointerMask> {
        let index = self.index(rt, mem, at)?;
        self.get(index)
    }

    pub(super) fn get(&self, index: u32) -> Option<&PointerMask> {
        self.masks.get(index as usize)
    }

    pub(super) fn index(&mut self, rt: &Runtime, mem: &dyn Memory, at: Addr) -> Option<u32> {
        if let Some(known) = self.by_type.get(&at) {
            return *known;
        }
        if self.by_type.len() >= MAX_TYPES {
            return None;
        }
        let index = read(rt, mem, at, &mut self.spent).and_then(|mask| {
            self.masks.push(mask);
            u32::try_from(self.masks.len() - 1).ok()
        });
        self.by_type.insert(at, index);
        index
    }
}

/// The start of a type's descriptor.
#[derive(Clone, Copy)]
struct Descriptor([u8; DESCRIPTOR]);

impl Descriptor {
    fn read(mem: &dyn Memory, at: Addr) -> Option<Self> {
        let mut b = [0; DESCRIPTOR];
        if at.is_null() || !at.0.is_multiple_of(8) {
            return None;
        }
        // Where a made-up type ends a mapping, only its own 48 bytes are there.
        if mem.read(at, &mut b).is_err() {
            b = [0; DESCRIPTOR];
            mem.read(at, b.get_mut(..48)?).ok()?;
        }
        let d = Self(b);
        let sane = d.size() > 0 && d.size() < 1 << 47 && d.ptr_bytes() <= d.size() && d.ptr_bytes().is_multiple_of(8);
        (sane && d.words() <= MAX_WORDS).then_some(d)
    }

    fn word(&self, at: usize) -> u64 {
        self.0.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    fn size(&self) -> u64 {
        self.word(SIZE)
    }

    fn ptr_bytes(&self) -> u64 {
        self.word(PTR_BYTES)
    }

    fn words(&self) -> u64 {
        self.ptr_bytes() / 8
    }

    fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    fn kind(&self) -> u8 {
        self.byte(KIND) & KIND_MASK
    }

    /// Its element and their number, if it is an array of any.
    fn elements(&self) -> Option<(Addr, u64)> {
        (self.kind() == ARRAY && self.word(ARRAY_LEN) > 0).then(|| (Addr(self.word(ELEM)), self.word(ARRAY_LEN)))
    }

    fn form(&self, rt: &Runtime) -> Form {
        if rt.version.minor >= 24 && self.byte(TFLAG) & ON_DEMAND != 0 {
            Form::OnDemand
        } else if rt.version.minor < 24 && self.byte(KIND) & GC_PROGRAM != 0 {
            Form::Program
        } else {
            Form::Bits
        }
    }
}

/// In what form a type has its bits.
#[derive(PartialEq, Eq)]
enum Form {
    Bits,
    Program,
    OnDemand,
}

/// The mask of the type at `at`, that of its elements if it is an array: it comes to the same, and an array
/// may be of any length.
fn read(rt: &Runtime, mem: &dyn Memory, at: Addr, spent: &mut Spent) -> Option<PointerMask> {
    let mut at = at;
    let mut d = Descriptor::read(mem, at)?;
    for _ in 0..MAX_PEELED {
        let Some((elem, n)) = d.elements() else { break };
        let Some(inner) = Descriptor::read(mem, elem) else { break };
        if inner.size().checked_mul(n) != Some(d.size()) {
            break;
        }
        (at, d) = (elem, inner);
    }
    // Repeated every so many bytes, pointers must stay where pointers can be.
    if d.ptr_bytes() > 0 && !d.size().is_multiple_of(8) {
        return None;
    }
    let bits = match ready_bits(rt, mem, &d, spent)? {
        Some(bits) => bits,
        None => put_together(rt, mem, at, &d, spent)?,
    };
    Some(PointerMask::new(d.size(), bits))
}

/// The bits of a type that has them ready; `Some(None)` for one that has not.
fn ready_bits(rt: &Runtime, mem: &dyn Memory, d: &Descriptor, spent: &mut Spent) -> Option<Option<Vec<u64>>> {
    if d.words() == 0 {
        return Some(Some(Vec::new()));
    }
    spent.bits(d.words())?;
    let data = Addr(d.word(GC_DATA));
    let at = match d.form(rt) {
        Form::Bits => data,
        Form::Program => return Some(Some(run_program(mem, data.plus(4), d.words())?)),
        Form::OnDemand => {
            // A page that the process never touched is left out of kept memory: nobody has made any then.
            // (Seen with nats-server of Go 1.27: the live heap had a graph, its kept memory had none.)
            let made = mem.ptr(data).unwrap_or_default();
            // Null before, and the address of a variable (`inProgress`) while somebody makes them.
            if made.is_null() || rt.module.variables.contains(made) {
                return Some(None);
            }
            made
        }
    };
    let len = d.words().div_ceil(8) as usize;
    let bytes = mem.bytes(at, len, len).ok()?;
    let mut bits: Vec<u64> = (0..len.div_ceil(8)).map(|i| word_of(&bytes, i)).collect();
    cut(&mut bits, d.words());
    Some(Some(bits))
}

/// Clears what is behind the last of `words` bits.
fn cut(bits: &mut Vec<u64>, words: u64) {
    bits.truncate(words.div_ceil(64) as usize);
    if let Some(last) = bits.last_mut()
        && !words.is_multiple_of(64)
    {
        *last &= (1 << (words % 64)) - 1;
    }
}

/// As `buildGCMask`: from the bits of what the type is made of.
fn put_together(rt: &Runtime, mem: &dyn Memory, at: Addr, d: &Descriptor, spent: &mut Spent) -> Option<Vec<u64>> {
    let words = d.words();
    spent.bits(words)?;
    let mut bits = vec![0; words.div_ceil(64) as usize];
    let mut known: FxHashMap<Addr, (Descriptor, Option<Vec<u64>>)> = FxHashMap::default();
    // Type, first word, how many in a row.
    let mut todo = vec![(at, 0u64, 1u64)];
    while let Some((at, first, n)) = todo.pop() {
        spent.step()?;
        let (d, ready) = match known.entry(at) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let d = Descriptor::read(mem, at)?;
                entry.insert((d, ready_bits(rt, mem, &d, spent)?))
            }
        };
        let places = (0..n.min(words)).map_while(|i| {
            let at = first.checked_add(i.checked_mul(d.size() / 8)?)?;
            (at < words).then_some(at)
        });
        if let Some(ready) = ready {
            spent.bits(n.min(words).saturating_mul(ready.len() as u64 * 64))?;
            places.for_each(|at| copy_bits(&mut bits, at, ready));
        } else if let Some((elem, n)) = d.elements() {
            for at in places {
                spent.step()?;
                todo.push((elem, at, n));
            }
        } else if d.kind() == STRUCT {
            let (fields, n) = (Addr(d.word(FIELDS)), d.word(FIELDS + 8));
            if n > MAX_FIELDS {
                return None;
            }
            let fields = mem.bytes(fields, n as usize * FIELD, MAX_FIELDS as usize * FIELD).ok()?;
            for at in places {
                for field in fields.chunks_exact(FIELD) {
                    let word =
                        |at: usize| field.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes);
                    let (kind, offset) = (Addr(word(8)), word(16));
                    spent.step()?;
                    if mem.u64(kind.plus(PTR_BYTES as u64)).ok()? > 0 {
                        todo.push((kind, at.checked_add(offset / 8)?, 1));
                    }
                }
            }
        } else {
            return None;
        }
    }
    cut(&mut bits, words);
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_repeats_and_is_cut_at_both_ends() {
        let mask = PointerMask::new(24, vec![0b101]);
        let each = |from, to| {
            let mut all = Vec::new();
            mask.each(from, to, |at| all.push(at));
            all
        };
        assert_eq!(each(0, 64), [0, 16, 24, 40, 48]);
        assert_eq!(each(17, 41), [24, 40]);
        assert_eq!(each(100, 100), [0u64; 0]);
        let wide = PointerMask::new(1024, vec![0, 1]);
        let mut all = Vec::new();
        wide.each(600, 4096, |at| all.push(at));
        assert_eq!(all, [1536, 2560, 3584]);
    }
}
