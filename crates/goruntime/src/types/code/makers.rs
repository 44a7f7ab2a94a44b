//! Where a program's code makes values of a type: every call of the runtime's allocator, and every call that
//! puts something into a map, has the type in an argument, and the type stands in the code just before it.
//!
//! Generic code takes the type from a dictionary and reflection from anywhere: such calls are not among
//! these, so that a type may also be made where none of them is. And where it puts something into package
//! variables, which a stripped binary has no names of: who appends to one writes its first word.

use lastgasp_inferior::{Addr, AddrRange};

use super::callees::Callee;
use super::library_calls::LibraryCall;
use crate::arch::{Act, Place, REGISTERS, Step};

/// Calls that are kept; large services have some 300,000.
const MAX_MAKERS: usize = 1 << 20;

/// What a call does with a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Makes {
    /// It makes one value of it (`newobject`, and from Go 1.26 on `mallocgc` for its size).
    Value,
    /// It makes an array of such values, behind a slice (`makeslice`, `growslice`).
    Array,
    /// It puts an element into a map of the type, which grows by it (`mapassign`).
    Element,
    /// It writes a word of a package variable, which stands in the place of the type.
    Variable,
    /// It calls a library's function, whose key stands in the place of the type.
    Library,
}

/// All calls that make something, by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Makers {
    all: Vec<(Addr, Makes, Addr)>,
}

impl Makers {
    /// Where values of the type at an address are made in a way, or the variable there is written: the
    /// instructions' own addresses, in order.
    pub fn of(&self, of: Addr, makes: Makes) -> impl Iterator<Item = Addr> + '_ {
        let from = self.all.partition_point(|(t, m, _)| (*t, *m) < (of, makes));
        let rest = self.all.get(from..).unwrap_or_default().iter();
        rest.take_while(move |(t, m, _)| (*t, *m) == (of, makes)).map(|(_, _, at)| *at)
    }

    /// Where a library's function is called: the instructions' own addresses, in order.
    pub fn calls_of(&self, call: LibraryCall) -> impl Iterator<Item = Addr> + '_ {
        self.of(call.key(), Makes::Library)
    }

    /// Adds what one function makes.
    pub(super) fn add(&mut self, steps: &[Step], variables: AddrRange, known: impl Fn(Addr) -> Option<Callee>) {
        // What a register has that got the address of something in the binary, within a run of instructions
        // without jumps: that is where the compiler puts a type, right before the call.
        let mut registers = [None::<Addr>; REGISTERS];
        for step in steps {
            match step.act {
                Act::Move { to, from } => {
                    let word = registers.get(usize::from(from)).copied().flatten();
                    set(&mut registers, to, word);
                }
                Act::Zero { to } | Act::Load { to, .. } => set(&mut registers, to, None),
                Act::Address { to, of } => match of {
                    Place::Static(at) => set(&mut registers, to, Some(at)),
                    _ => set(&mut registers, to, None),
                },
                Act::Lose(mask) | Act::Stack { lost: mask, .. } => lose(&mut registers, mask),
                Act::Call(target) => {
                    let callee = target.and_then(&known);
                    if let Some(Callee::Keeps(mask)) = callee {
                        lose(&mut registers, mask);
                        continue;
                    }
                    let argument = callee.and_then(Callee::type_argument);
                    let of = match callee {
                        Some(Callee::Library(call)) => Some(call.key()),
                        _ => argument.and_then(|n| registers.get(n).copied().flatten()),
                    };
                    let makes = match callee {
                        Some(Callee::New(_) | Callee::Memory(_)) => Some(Makes::Value),
                        Some(Callee::Array(_)) => Some(Makes::Array),
                        Some(Callee::PutsIntoMap) => Some(Makes::Element),
                        Some(Callee::Library(_)) => Some(Makes::Library),
                        _ => None,
                    };
                    if let (Some(of), Some(makes)) = (of, makes)
                        && self.all.len() < MAX_MAKERS
                    {
                        self.all.push((of, makes, step.at));
                    }
                    registers = [None; REGISTERS];
                }
                Act::Jump { .. } | Act::Away | Act::Return | Act::Stop => registers = [None; REGISTERS],
                Act::Store { to: Place::Static(at), .. } if variables.contains(at) => {
                    if self.all.len() < MAX_MAKERS {
                        self.all.push((at, Makes::Variable, step.at));
                    }
                }
                Act::Nothing | Act::Store { .. } | Act::Overwrite { .. } | Act::Compare { .. } | Act::LoseStack => {}
            }
        }
    }

    /// All of two parts.
    pub(super) fn append(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
    }

    /// Puts them in order, when all are there.
    pub(super) fn sort(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        self.all.shrink_to_fit();
    }
}

fn set(registers: &mut [Option<Addr>; REGISTERS], register: u8, to: Option<Addr>) {
    if let Some(word) = registers.get_mut(usize::from(register)) {
        *word = to;
    }
}

fn lose(registers: &mut [Option<Addr>; REGISTERS], mask: u16) {
    for (i, word) in registers.iter_mut().enumerate() {
        if mask >> i & 1 == 1 {
            *word = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Addr = Addr(0x400);
    const GROW: Addr = Addr(0x404);
    const PUT: Addr = Addr(0x408);
    const BARRIER: Addr = Addr(0x40c);
    const MMAP: Addr = Addr(0x410);
    const TYPE: Addr = Addr(0x7000);

    fn known(at: Addr) -> Option<Callee> {
        match at {
            NEW => Some(Callee::New(0)),
            GROW => Some(Callee::Array(4)),
            PUT => Some(Callee::PutsIntoMap),
            BARRIER => Some(Callee::Keeps(1 << 8)),
            MMAP => Callee::of("syscall.Mmap", 26),
            _ => None,
        }
    }

    fn makers(acts: &[Act]) -> Makers {
        let at = |i: usize| Addr(0x1000 + i as u64 * 4);
        let steps: Vec<Step> =
            acts.iter().enumerate().map(|(i, act)| Step { at: at(i), next: at(i + 1), act: *act }).collect();
        let mut makers = Makers::default();
        makers.add(&steps, AddrRange { start: TYPE, end: Addr(TYPE.0 + 0x100) }, known);
        makers.sort();
        makers
    }

    fn made(acts: &[Act]) -> Vec<(Makes, Addr)> {
        let makers = makers(acts);
        [Makes::Value, Makes::Array, Makes::Element, Makes::Variable]
            .into_iter()
            .flat_map(|m| makers.of(TYPE, m).map(move |at| (m, at)).collect::<Vec<_>>())
            .collect()
    }

    fn address(to: u8) -> Act {
        Act::Address { to, of: Place::Static(TYPE) }
    }

    #[test]
    fn a_type_that_stands_before_the_call_is_made_there() {
        let call = |at| Act::Call(Some(at));
        assert_eq!(made(&[address(0), call(NEW)]), [(Makes::Value, Addr(0x1004))]);
        // Its fifth argument, which a barrier in between keeps.
        assert_eq!(made(&[address(4), call(BARRIER), call(GROW)]), [(Makes::Array, Addr(0x1008))]);
        assert_eq!(
            made(&[address(0), call(PUT), address(3), Act::Move { to: 0, from: 3 }, call(NEW)]),
            [(Makes::Value, Addr(0x1010)), (Makes::Element, Addr(0x1004))]
        );
    }

    #[test]
    fn who_calls_a_library_is_told() {
        let makers = makers(&[Act::Call(Some(MMAP)), Act::Call(Some(NEW)), Act::Call(Some(MMAP))]);
        assert_eq!(makers.calls_of(LibraryCall::Mmap).collect::<Vec<_>>(), [Addr(0x1000), Addr(0x1008)]);
        assert_eq!(makers.calls_of(LibraryCall::Timer).count(), 0);
    }

    /// `TYPE` stands for a variable there.
    #[test]
    fn who_writes_a_variable_is_told() {
        let store = |at| Act::Store { to: Place::Static(at), from: 3 };
        assert_eq!(made(&[Act::Nothing, store(TYPE)]), [(Makes::Variable, Addr(0x1004))]);
        assert_eq!(made(&[store(Addr(TYPE.0 + 8)), Act::Store { to: Place::Behind(2, 0), from: 3 }]), []);
        assert_eq!(made(&[Act::Load { to: 0, from: Place::Static(TYPE) }]), [], "it is read");
    }

    /// A dictionary's type is loaded; what stood in the register before a call or a jump is not there after
    /// it.
    #[test]
    fn what_is_not_in_the_code_before_it_is_not_said() {
        let new = Act::Call(Some(NEW));
        assert_eq!(made(&[Act::Load { to: 0, from: Place::Static(TYPE) }, new]), []);
        assert_eq!(made(&[address(0), Act::Call(None), new]), []);
        assert_eq!(made(&[address(0), Act::Jump { to: Addr(0x1008), maybe: true }, new]), []);
        assert_eq!(made(&[address(0), Act::Lose(1), new]), []);
        assert_eq!(made(&[address(1), new]), []);
    }
}
