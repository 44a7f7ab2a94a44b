//! Variables that no capture remembers, found when they are asked for: two places of the runtime's code name
//! each, and must agree. So they are found in stripped binaries too.

use lastgasp_inferior::Addr;

use crate::arch::{self, MemoryOperand};
use crate::binary::pclntab::Symbolizer;
use crate::runtime::Runtime;

/// Which operand of a function names a variable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operand {
    /// The k-th, 1-based.
    Nth(usize),
    /// The first that takes the address of a variable.
    FirstAddress,
}

/// A function, which of its operands it is, and what is to be added to it.
pub(crate) type Site = (&'static str, Operand, u64);

/// The variable that two places in the runtime's code name.
pub(crate) fn agreed(rt: &Runtime, symbols: &Symbolizer<'_>, one: Site, other: Site) -> Result<Addr, String> {
    let [found] = all_agreed(rt, symbols, [(one, other)]);
    found
}

/// As [`agreed`], several of them in one walk over the table of functions.
pub(crate) fn all_agreed<const N: usize>(
    rt: &Runtime,
    symbols: &Symbolizer<'_>,
    wanted: [(Site, Site); N],
) -> [Result<Addr, String>; N] {
    let names: Vec<&str> = wanted.iter().flat_map(|(one, other)| [one.0, other.0]).collect();
    let functions = symbols.find_functions(&names);
    let is_variable = |o: &&MemoryOperand| rt.module.variables.contains(o.target);
    let find = |(name, operand, offset): Site| {
        let missing = || format!("{name} was not found, or names other variables");
        let (entry, len) = functions.get(name).ok_or_else(missing)?;
        let code = symbols.code(*entry, *len).ok_or_else(missing)?;
        let all = (arch::of(rt.arch).operands)(&code, *entry);
        let found = match operand {
            Operand::Nth(number) => all.get(number.wrapping_sub(1)),
            Operand::FirstAddress => all.iter().filter(|o| o.is_lea).find(is_variable),
        };
        let target = found.map(|o| o.target.plus(offset));
        target.filter(|t| rt.module.variables.contains(*t)).ok_or_else(missing)
    };
    wanted.map(|(one, other)| match (find(one)?, find(other)?) {
        (first, second) if first == second => Ok(first),
        _ => Err("the runtime's code does not agree where they are".into()),
    })
}
