//! What package variables lead to, as the program's code treats it: the only one to know of what nothing but
//! a variable leads to in a program without symbols. Each word is held against the linker's map of variables
//! and against what stands there; where code disagrees, nothing is said.

use lastgasp_goruntime::types::{CodeTypes, FrameSaid, Said, Shape, StackCalls, Word, WordPath};
use lastgasp_goruntime::{TypeReader, variable_pointers};
use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use super::assign::{Assigner, Extent};
use super::kinds::Kind;
use super::seeds::Interfaces;
use super::trust::Trust;
use crate::on_stacks::FrameWord;

/// Pointers in variables that are kept.
const MAX_POINTERS: usize = 16 << 20;

/// Sizes of types, and whether they are without pointers.
type Sizes = Vec<(u64, bool)>;

/// Package variables, as far as they hold pointers.
struct Variables {
    /// Where, and to what; by address.
    pointers: Vec<(Addr, Addr)>,
}

impl Variables {
    fn pointer(&self, at: Addr) -> Option<Addr> {
        let index = self.pointers.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        self.pointers.get(index).map(|(_, to)| *to)
    }
}

impl Assigner<'_> {
    /// What code says of package variables, and of variables in frames.
    pub(crate) fn add_code(&mut self, mut code: CodeTypes, frames: &[FrameWord], calls: &StackCalls) {
        let (rt, mem) = (self.rt, self.mem);
        if !code.is_of(rt) {
            return;
        }
        let mut variables = Variables { pointers: Vec::new() };
        variable_pointers(self.rt, mem, &mut Vec::new(), |_, at, to| {
            if variables.pointers.len() < MAX_POINTERS {
                variables.pointers.push((at, to));
            }
        });
        variables.pointers.sort_unstable();
        let mut interfaces = Interfaces::new(self.rt, mem);
        for (path, said) in code.words() {
            if let Some(said) = agreed(&mut self.types, said)
                && let Some((at, to)) = self.reach(&variables, &mut interfaces, path)
            {
                self.said(said, to, [8, 16].map(|offset| self.mem.u64(at.plus(offset)).ok()));
                if path.offsets.is_empty()
                    && let Some(name) = self.name_of_word(said, to)
                {
                    self.variables.insert(at, name);
                }
            }
        }
        let mut of_calls = code.frames(rt, mem, calls);
        let mut found: Vec<(FrameWord, FrameSaid)> = Vec::new();
        for word in frames {
            let slots = of_calls.of(word.call);
            let index = slots.binary_search_by_key(&word.slot, |said| said.slot).ok();
            found.extend(index.and_then(|i| slots.get(i)).map(|said| (*word, *said)));
        }
        let mut around: FxHashMap<(Addr, bool), Option<Sizes>> = FxHashMap::default();
        for (word, found) in found {
            let Some(said) = agreed(&mut self.types, &[found.said]) else { continue };
            let is_array = matches!(said, Said::Slice(_));
            if let (true, Said::Pointer(of) | Said::Slice(of)) = (found.is_declared, said) {
                let around = around.entry((of, is_array)).or_insert_with(|| code.around(of, is_array));
                if around.as_ref().is_none_or(|around| self.may_be_larger(word.to, around)) {
                    continue;
                }
            }
            let beside = |slot: Option<i32>| {
                let from_here = i64::from(slot?) - i64::from(word.slot);
                self.mem.u64(Addr(word.at.0.checked_add_signed(from_here)?)).ok()
            };
            match said {
                // No value begins with such an array: it was made as one, whatever part of it the slice is.
                Said::Slice(of) => {
                    self.offer(word.to, Kind::Array(of), Trust::Code, Extent::AtLeast(0));
                }
                // Its length is not always in the frame, and it has one.
                Said::String => self.said(said, word.to, [beside(found.length).or(Some(1)), None]),
                said => self.said(said, word.to, [None; 2]),
            }
        }
    }

    /// Whether an object may be of one of these sizes (and without pointers).
    fn may_be_larger(&self, to: Addr, around: &[(u64, bool)]) -> bool {
        let class = self.layout.object_at(to.0).and_then(|object| self.slots.of(self.layout, object));
        class.is_none_or(|(_, class)| {
            around.iter().any(|(bytes, noscan)| *noscan == class.noscan && class.holds(*bytes))
        })
    }

    /// The type of a word of which something is said, where what it leads to is that.
    fn name_of_word(&mut self, said: Said, to: Addr) -> Option<String> {
        let (number, _) = self.kind_of(self.layout.object_at(to.0)?);
        let kind = self.kinds.get(number)?.kind;
        let (of, before) = match (said, kind) {
            (Said::Map(of), Kind::Map(is)) if of == is => (of, ""),
            (Said::Pointer(of), Kind::One(is)) if of == is => (of, "*"),
            (Said::Array(of), Kind::Array(is)) if of == is => (of, "[]"),
            (Said::Chan(of), Kind::Chan(elem)) if self.types.get(of)?.elem() == Some(elem) => (of, ""),
            _ => return None,
        };
        Some(format!("{before}{}", self.types.get(of)?.name))
    }

    /// Where the last word of a path stands, and what it holds.
    fn reach(&self, variables: &Variables, interfaces: &mut Interfaces<'_>, path: &WordPath) -> Option<(Addr, Addr)> {
        let mut at = path.at;
        let mut to = variables.pointer(at)?;
        for offset in &path.offsets {
            at = Addr(to.0.checked_add_signed(i64::from(*offset))?);
            to = match self.layout.object_at(to.0) {
                Some(object) => {
                    let inside = self.layout.object_at(at.0) == Some(object) && at.0.is_multiple_of(8);
                    self.mem.ptr(at).ok().filter(|_| inside)?
                }
                None => variables.pointer(at)?,
            };
        }
        // What an interface holds is of another type each time, whatever code expects where it has looked.
        let before = self.mem.u64(Addr(at.0.checked_sub(8)?)).unwrap_or(0);
        let is_data = variables.pointer(Addr(at.0 - 8)).is_none() && interfaces.of(before, self.layout).is_some();
        (!is_data && self.layout.object_at(to.0).is_some()).then_some((at, to))
    }

    /// The array that a word leads into, which was made as one: it has the whole object.
    fn array_around(&mut self, of: Addr, to: Addr) {
        let Some(object) = self.layout.object_at(to.0) else { return };
        let header = self.slots.of(self.layout, object).map_or(0, |(_, class)| class.header);
        let Some(start) = self.layout.address(object).and_then(|start| start.checked_add(header)) else { return };
        let size = self.types.get(of).map_or(0, |of| of.size);
        if to.0.checked_sub(start).and_then(|before| before.checked_rem(size)) == Some(0) {
            self.offer(Addr(start), Kind::Array(of), Trust::Code, Extent::AtLeast(0));
        }
    }

    /// What is said of a word that leads somewhere. `after` are the words behind it, where they belong to it.
    fn said(&mut self, said: Said, to: Addr, after: [Option<u64>; 2]) {
        let before = std::mem::replace(&mut self.by_word, Trust::Code);
        match said {
            Said::Pointer(of) | Said::Memory(of) if self.kinds.closures().has(of) => self.word(Word::Func, to, after),
            Said::Pointer(of) => self.word(Word::Pointer(of), to, after),
            // A slice in a frame may be in several registers and slots: its capacity is not beside it.
            Said::Array(of) if after[1].is_none() => {
                self.offer(to, Kind::Array(of), Trust::Code, Extent::AtLeast(0));
            }
            Said::Array(of) => self.word(Word::Slice(of), to, after),
            // A variable may point into an array now and into a struct then: its capacity tells.
            Said::Within(of) if after[1].is_some() => self.word(Word::Slice(of), to, after),
            Said::Within(of) => self.array_around(of, to),
            Said::Slice(of) => self.word(Word::Slice(of), to, after),
            Said::String => self.word(Word::String, to, after),
            Said::Func => self.word(Word::Func, to, after),
            Said::Unclear => {}
            Said::Map(of) => self.word(Word::Map(of), to, after),
            Said::Chan(of) => self.word(Word::Chan(of), to, after),
            Said::Memory(of) => {
                if !self.offer(to, Kind::One(of), Trust::Code, Extent::Whole) && after[1].is_some() {
                    self.word(Word::Slice(of), to, after);
                }
            }
        }
        self.by_word = before;
    }
}

/// What all that is said of one word comes to.
fn agreed(types: &mut TypeReader<'_>, said: &[Said]) -> Option<Said> {
    let mut known: Option<Said> = None;
    for said in said {
        let is_kind = match (*said, said.of()) {
            (Said::Unclear, _) => false,
            (_, None) => true,
            (said, Some(of)) => {
                types.is_static(of)
                    && types.get(of).is_some_and(|t| match said {
                        Said::Map(_) => t.map().is_some(),
                        Said::Chan(_) => matches!(t.shape, Shape::Chan { .. }),
                        // The shape that generic code has for several types is none of them.
                        _ => !t.name.contains("go.shape."),
                    })
            }
        };
        if !is_kind {
            return None;
        }
        known = Some(match known {
            None => *said,
            Some(known) => both(types, known, *said)?,
        });
    }
    known
}

fn both(types: &mut TypeReader<'_>, one: Said, other: Said) -> Option<Said> {
    match (one, other) {
        _ if one == other => Some(one),
        (Said::Array(a), Said::Within(b)) | (Said::Within(b), Said::Array(a)) if a == b => Some(Said::Array(a)),
        (Said::Memory(a), Said::Pointer(b) | Said::Array(b)) if a == b => Some(other),
        (Said::Pointer(b) | Said::Array(b), Said::Memory(a)) if a == b => Some(one),
        // A slice of which the array was made at a length that the compiler knows.
        (Said::Pointer(array), Said::Array(elem)) | (Said::Array(elem), Said::Pointer(array)) => {
            let of = types.get(array)?;
            (matches!(of.shape, Shape::Array { .. }) && of.elem() == Some(elem)).then_some(Said::Array(elem))
        }
        _ => None,
    }
}
