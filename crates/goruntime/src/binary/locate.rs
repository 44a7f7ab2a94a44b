//! Where the runtime's variables stand. From the symbol table where there is one; in a stripped binary from
//! the code of runtime functions that name them: the k-th RIP-relative operand of a function that every Go
//! program links. Each variable's rules are tried together and must agree.

use std::collections::BTreeMap;

use lastgasp_inferior::{Addr, ElfImage};

use crate::arch::{self, GoArch, MemoryOperand};
use crate::binary::moduledata::ModuleData;
use crate::binary::pclntab::Symbolizer;
use crate::binary::runtime_location::RuntimeLocation;

/// Addresses of the runtime's variables in the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// `runtime.mbuckets`: head of the memory profile's buckets.
    pub mbuckets: Addr,
    /// `runtime.mProfCycle` (`mprof.go`): the profile's cycle, shifted left by one, and whether it was
    /// flushed; 4 bytes.
    pub mprof_cycle: Addr,
    /// `runtime.MemProfileRate` (`mprof.go`): allocated bytes per sample on average.
    pub mem_profile_rate: Addr,
    /// `runtime.allglen` (`proc.go`): how many pointers stand at `allgptr`.
    pub allglen: Addr,
    /// `runtime.allgptr` (`proc.go`): address of the first pointer to a `g`; dead ones are among them.
    pub allgptr: Addr,
    /// `runtime.allm` (`runtime2.go`): head of the list of threads (`m`).
    pub allm: Addr,
    /// `runtime.mheap_` (`mheap.go`): the heap, its span table included.
    pub mheap: Addr,
    /// `runtime.gcController` (`mgcpacer.go`): the pacer's state.
    pub gc_controller: Addr,
    /// `runtime.memstats` (`mstats.go`): statistics of memory.
    pub memstats: Addr,
    /// `runtime.gcphase` (`mgc.go`): 0 off, 1 marking, 2 mark termination; 4 bytes.
    pub gcphase: Addr,
}

/// Which operand of a function names the variable.
#[derive(Clone, Copy, Debug)]
enum Pick {
    /// The k-th, 1-based.
    Nth(usize),
    /// The k-th, which must be a LEA.
    NthLea(usize),
    /// The first LEA.
    FirstLea,
}

struct Rule {
    symbol: &'static str,
    /// (function, operand, what to subtract from the operand's address).
    sites: &'static [(&'static str, Pick)],
}

use Pick::{FirstLea, Nth, NthLea};

/// Held against the symbol table of unstripped binaries of every supported minor by
/// `lastgasp_matrix::compare`.
const RULES: &[Rule] = &[
    Rule { symbol: "runtime.mbuckets", sites: &[("runtime.mProf_FlushLocked", Nth(1))] },
    Rule {
        symbol: "runtime.mProfCycle",
        sites: &[("runtime.mProf_Flush", Nth(1)), ("runtime.mProf_Free", Nth(1)), ("runtime.mProf_PostSweep", Nth(1))],
    },
    Rule { symbol: "runtime.MemProfileRate", sites: &[("runtime.allocmcache", Nth(3))] },
    Rule { symbol: "runtime.allglen", sites: &[("runtime.forEachGRace", Nth(1))] },
    Rule { symbol: "runtime.allgptr", sites: &[("runtime.forEachGRace", Nth(2))] },
    Rule { symbol: "runtime.allm", sites: &[("runtime.mexit", NthLea(4))] },
    Rule { symbol: "runtime.mheap_", sites: &[("runtime.allocmcache.func1", FirstLea)] },
    Rule { symbol: "runtime.gcController", sites: &[("runtime.gcControllerCommit", NthLea(2))] },
    Rule { symbol: "runtime.memstats", sites: &[("runtime.(*mcache).allocLarge", NthLea(2))] },
    Rule { symbol: "runtime.gcphase", sites: &[("runtime.gcSweep", Nth(1)), ("runtime.freeSomeWbufs", Nth(2))] },
];

/// The variables by symbol name, in the process's addresses.
type Found = BTreeMap<&'static str, Addr>;

/// Finds all variables, or says which is missing.
pub(crate) fn variables(
    image: &ElfImage,
    bias: u64,
    md: &ModuleData,
    symbols: &Symbolizer<'_>,
) -> Result<Found, String> {
    let names: Vec<&str> = RULES.iter().map(|r| r.symbol).collect();
    let table = image.symbols(&names).map_err(|e| e.to_string())?;
    let mut found: Found =
        RULES.iter().filter_map(|r| Some((r.symbol, Addr(table.get(r.symbol)?.addr.0.wrapping_add(bias))))).collect();
    if found.len() < RULES.len() {
        found = by_code(arch::of(image.arch()), md, symbols)?;
    }
    collect(&found, md)?;
    Ok(found)
}

/// The variables that were found in the binary before. What it does not name, or names where no variables
/// are, is an error.
pub(crate) fn remembered(known: &RuntimeLocation, bias: u64, md: &ModuleData) -> Result<Globals, String> {
    let here = |r: &Rule| Some((r.symbol, Addr(known.variables.get(r.symbol)?.wrapping_add(bias))));
    collect(&RULES.iter().filter_map(here).collect(), md)
}

/// As [`globals`], by the rules for stripped binaries alone.
pub(crate) fn globals_by_code(arch: &GoArch, md: &ModuleData, symbols: &Symbolizer<'_>) -> Result<Globals, String> {
    collect(&by_code(arch, md, symbols)?, md)
}

fn collect(found: &Found, md: &ModuleData) -> Result<Globals, String> {
    let get = |symbol: &'static str| {
        found.get(symbol).copied().filter(|a| md.variables.contains(*a)).ok_or_else(|| {
            format!("the variable {symbol} was not found (a build that inlines or drops what we look for?)")
        })
    };
    Ok(Globals {
        mbuckets: get("runtime.mbuckets")?,
        mprof_cycle: get("runtime.mProfCycle")?,
        mem_profile_rate: get("runtime.MemProfileRate")?,
        allglen: get("runtime.allglen")?,
        allgptr: get("runtime.allgptr")?,
        allm: get("runtime.allm")?,
        mheap: get("runtime.mheap_")?,
        gc_controller: get("runtime.gcController")?,
        memstats: get("runtime.memstats")?,
        gcphase: get("runtime.gcphase")?,
    })
}

/// The rules for stripped binaries.
fn by_code(arch: &GoArch, md: &ModuleData, symbols: &Symbolizer<'_>) -> Result<Found, String> {
    let wanted: Vec<&str> = RULES.iter().flat_map(|r| r.sites.iter().map(|s| s.0)).collect();
    let functions = symbols.find_functions(&wanted);
    let mut found = Found::default();
    for rule in RULES {
        let mut answers: Vec<Addr> = rule
            .sites
            .iter()
            .filter_map(|(function, pick)| {
                let (entry, len) = functions.get(*function)?;
                pick.of(&(arch.operands)(&symbols.code(*entry, *len)?, *entry))
            })
            .filter(|a| md.variables.contains(*a))
            .collect();
        answers.dedup();
        match answers.as_slice() {
            [one] => {
                found.insert(rule.symbol, *one);
            }
            [] => {}
            many => return Err(format!("the code does not agree where {} is: {many:?}", rule.symbol)),
        }
    }
    Ok(found)
}

impl Pick {
    fn of(self, operands: &[MemoryOperand]) -> Option<Addr> {
        match self {
            Nth(k) => operands.get(k.checked_sub(1)?).map(|o| o.target),
            NthLea(k) => operands.get(k.checked_sub(1)?).filter(|o| o.is_lea).map(|o| o.target),
            FirstLea => operands.iter().find(|o| o.is_lea).map(|o| o.target),
        }
    }
}
