//! Which of a function's registers has which of its arguments and results, by their types. Source: Go's
//! `cmd/compile/abi-internal.md` (register assignment, the same from Go 1.19 to 1.27).

use lastgasp_inferior::Addr;

use super::super::kind::Kind;
use super::super::{Shape, TypeReader};
use super::said::Said;
use crate::arch::{ARGUMENTS, FLOATS};

/// Structs within structs within arrays that are gone into.
const MAX_DEPTH: usize = 16;
/// Parameters of a function that are believed.
const MAX_PARAMETERS: usize = 64;

/// What is declared of a function's integer registers, when it begins and when it returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) arguments: [Option<Said>; ARGUMENTS],
    pub(super) results: [Option<Said>; ARGUMENTS],
}

impl Signature {
    /// That of a function with a receiver. `of` is the type of a method as a method table has it: a function
    /// without the receiver; nothing but the receiver is known where there is none.
    pub(super) fn of_method(types: &mut TypeReader<'_>, receiver: Receiver, of: Option<Addr>) -> Self {
        let (parameters, results) = of.and_then(|of| parameters(types, of)).unwrap_or_default();
        let mut begin = Registers::default();
        let is_known = match receiver {
            Receiver::Pointer(to) => {
                begin.integers(&[Some(Said::Pointer(to))]);
                true
            }
            Receiver::Value(of) => begin.value(types, of),
        };
        if is_known {
            begin.values(types, &parameters);
        }
        let mut end = Registers::default();
        end.values(types, &results);
        Self { arguments: begin.said, results: end.said }
    }

    pub(super) fn argument(&self, index: u8) -> Option<Said> {
        self.arguments.get(usize::from(index)).copied().flatten()
    }

    pub(super) fn result(&self, index: u8) -> Option<Said> {
        self.results.get(usize::from(index)).copied().flatten()
    }
}

/// What a method is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiver {
    /// A pointer to a value of the type.
    Pointer(Addr),
    /// A value of the type.
    Value(Addr),
}

/// Types of a function's parameters and results (`abi.FuncType`: two numbers of sixteen bits, then, behind
/// what is uncommon, the types).
fn parameters(types: &mut TypeReader<'_>, of: Addr) -> Option<(Vec<Addr>, Vec<Addr>)> {
    const TFLAG: u64 = 20;
    const COUNTS: u64 = 48;
    const LIST: u64 = 56;
    const UNCOMMON: u64 = 16;
    if !types.is_static(of) || !matches!(types.get(of)?.shape, Shape::Func) {
        return None;
    }
    let mem = types.memory();
    let counts = mem.u32(of.plus(COUNTS)).ok()?;
    // The highest bit says that the last is variadic: it is a slice then.
    let (n, results) = ((counts & 0xffff) as usize, (counts >> 16 & 0x7fff) as usize);
    if n > MAX_PARAMETERS || results > MAX_PARAMETERS {
        return None;
    }
    let behind = if mem.u8(of.plus(TFLAG)).ok()? & 1 != 0 { UNCOMMON } else { 0 };
    let bytes = mem.bytes(of.plus(LIST + behind), (n + results) * 8, 2 * MAX_PARAMETERS * 8).ok()?;
    let mut all: Vec<Addr> = bytes.chunks_exact(8).map(|w| Addr(w.try_into().map_or(0, u64::from_le_bytes))).collect();
    let results = all.split_off(n);
    Some((all, results))
}

/// Registers as they are given away.
#[derive(Clone, Default)]
struct Registers {
    integers: usize,
    floats: usize,
    said: [Option<Said>; ARGUMENTS],
}

impl Registers {
    /// Values one after the other, up to the first of which the type is not known.
    fn values(&mut self, types: &mut TypeReader<'_>, of: &[Addr]) {
        for of in of {
            if !self.value(types, *of) {
                return;
            }
        }
    }

    /// One value: in registers if all of it fits, else on the stack. Whether that is known.
    fn value(&mut self, types: &mut TypeReader<'_>, of: Addr) -> bool {
        let before = self.clone();
        match self.part(types, of, 0) {
            Some(true) => true,
            fits => {
                *self = before;
                fits.is_some()
            }
        }
    }

    /// A part of a value; whether it fits, `None` where its type is not known.
    fn part(&mut self, types: &mut TypeReader<'_>, of: Addr, depth: usize) -> Option<bool> {
        if depth > MAX_DEPTH {
            return None;
        }
        let of = types.get(of)?;
        Some(match &of.shape {
            Shape::Struct { fields } => {
                for field in fields {
                    if types.get(field.type_at)?.size == 0 {
                        continue;
                    }
                    // Whether what has no name is passed at all is the compiler's affair.
                    if &*field.name == "_" {
                        return None;
                    }
                    if !self.part(types, field.type_at, depth + 1)? {
                        return Some(false);
                    }
                }
                true
            }
            Shape::Array { len: 0, .. } => true,
            Shape::Array { elem, len: 1 } => return self.part(types, *elem, depth + 1),
            Shape::Array { .. } => false,
            Shape::Pointer { elem } => self.integers(&[Some(Said::Pointer(*elem))]),
            Shape::Slice { elem } => self.integers(&[Some(Said::Slice(*elem)), None, None]),
            Shape::Chan { .. } => self.integers(&[Some(Said::Chan(of.at))]),
            Shape::Map(_) => self.integers(&[Some(Said::Map(of.at))]),
            Shape::Func => self.integers(&[Some(Said::Func)]),
            Shape::Interface { .. } => self.integers(&[None, None]),
            Shape::Plain => match of.kind {
                Kind::String => self.integers(&[Some(Said::String), None]),
                Kind::Float32 | Kind::Float64 => self.floats(1),
                Kind::Complex64 | Kind::Complex128 => self.floats(2),
                _ => self.integers(&[None]),
            },
        })
    }

    fn integers(&mut self, words: &[Option<Said>]) -> bool {
        let end = self.integers + words.len();
        let Some(free) = self.said.get_mut(self.integers..end) else { return false };
        free.copy_from_slice(words);
        self.integers = end;
        true
    }

    fn floats(&mut self, n: usize) -> bool {
        self.floats += n;
        self.floats <= FLOATS
    }
}
