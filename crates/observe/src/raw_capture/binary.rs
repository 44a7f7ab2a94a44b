//! The binary that a target ran, as far as decoding needs it: its constants (function tables, types) and its
//! build id. Out of its file, or out of a saved capture when the file is long gone.

use std::io;
use std::sync::Arc;

use lastgasp_goruntime::Runtime;
use lastgasp_inferior::{
    Addr, AddrRange, CoreFile, ElfImage, LoadedImage, Memory, Ranges, ReadCause, ReadError, UnnamedSymbol,
};

/// A binary.
#[derive(Clone, Debug)]
pub struct Binary {
    /// GNU build id in hex.
    pub build_id: Option<String>,
    /// Whether it has no symbol table.
    pub stripped: bool,
    /// What is added to its addresses to get the process's.
    pub bias: u64,
    /// Where the process began, in its own addresses: what debuggers find a moved executable by.
    pub entry: Addr,
    constants: Constants,
}

/// Where its constants are.
#[derive(Clone, Debug)]
enum Constants {
    /// In its file, opened while the target ran: a deploy that replaces it does no harm.
    File(Arc<LoadedImage>),
    /// In a saved capture.
    Saved(Arc<CoreFile>, Ranges),
}

impl Binary {
    /// That of an executable's file.
    #[must_use]
    pub fn of(loaded: Arc<LoadedImage>) -> Self {
        let LoadedImage { image, bias } = &*loaded;
        Self {
            build_id: image.build_id().map(str::to_owned),
            stripped: image.is_stripped(),
            bias: *bias,
            entry: Addr(image.entry().0.wrapping_add(*bias)),
            constants: Constants::File(loaded),
        }
    }

    /// As it was when it was saved; `ranges` of the core are its constants.
    pub(crate) fn saved(self_without: Parts, core: Arc<CoreFile>, ranges: Ranges) -> Self {
        let Parts { build_id, stripped, bias, entry } = self_without;
        Self { build_id, stripped, bias, entry, constants: Constants::Saved(core, ranges) }
    }

    /// The variables that stand in a range of the process, by address; none where there is no symbol table,
    /// or it is not at hand.
    #[must_use]
    pub fn variables(&self, range: AddrRange) -> Vec<Variable> {
        let Constants::File(loaded) = &self.constants else { return Vec::new() };
        let stated = |a: Addr| Addr(a.0.wrapping_sub(self.bias));
        let range = AddrRange { start: stated(range.start), end: stated(range.end) };
        let found = loaded.image.symbols_within(&[range], MAX_VARIABLES).unwrap_or_default();
        let placed = |symbol: UnnamedSymbol| {
            let start = Addr(symbol.range.start.0.wrapping_add(self.bias));
            Variable { range: AddrRange::sized(start, symbol.range.len()), symbol }
        };
        found.into_iter().map(placed).collect()
    }

    /// Its file, where it is at hand; addresses in it are those of the process less [`Binary::bias`].
    #[must_use]
    pub fn image(&self) -> Option<&ElfImage> {
        match &self.constants {
            Constants::File(loaded) => Some(&loaded.image),
            Constants::Saved(..) => None,
        }
    }

    /// The name of a variable, as the linker has it: `main.cache`.
    #[must_use]
    pub fn name_of(&self, variable: &Variable) -> Option<String> {
        let Constants::File(loaded) = &self.constants else { return None };
        loaded.image.symbol_name(&variable.symbol)
    }

    /// Where its code stands, as far as its file has it: what is read of it tells where lists of the runtime begin,
    /// and what allocation sites allocate.
    ///
    /// # Errors
    /// As [`Binary::constants`].
    pub(crate) fn code(&self, rt: &Runtime) -> io::Result<Ranges> {
        let code = [rt.module.pcs];
        match &self.constants {
            Constants::File(loaded) => Ok(loaded.image.memory(loaded.bias, &[])?.ranges(&code)),
            Constants::Saved(_, ranges) => Ok(ranges.and(&Ranges::union(code))),
        }
    }

    /// Its constants as memory, and where they stand in the process, code left out.
    ///
    /// # Errors
    /// The system's error (too many open files).
    pub fn constants(&self, rt: &Runtime) -> io::Result<(Box<dyn Memory + Sync + '_>, Ranges)> {
        match &self.constants {
            Constants::File(loaded) => {
                let named = rt.constant_ranges();
                let file = loaded.image.memory(loaded.bias, &named)?;
                let ranges = file.ranges(&[named.as_slice(), &[rt.module.types]].concat());
                Ok((Box::new(file), ranges))
            }
            Constants::Saved(core, ranges) => Ok((Box::new(Within { core, ranges }), ranges.clone())),
        }
    }
}

/// Most variables that are listed: 24 MiB of them.
const MAX_VARIABLES: usize = 1 << 20;

/// A variable of a package, by the symbol table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its addresses in the process.
    pub range: AddrRange,
    symbol: UnnamedSymbol,
}

/// What is said of a binary beside its constants.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) build_id: Option<String>,
    pub(crate) stripped: bool,
    pub(crate) bias: u64,
    pub(crate) entry: Addr,
}

/// A core, no further than these ranges.
struct Within<'a> {
    core: &'a CoreFile,
    ranges: &'a Ranges,
}

impl Memory for Within<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        let all = self.ranges.as_slice();
        let range = all.partition_point(|r| r.start <= addr).checked_sub(1).and_then(|i| all.get(i)).ok_or(error)?;
        let end = addr.0.checked_add(buf.len() as u64).ok_or(error)?;
        if end > range.end.0 { Err(error) } else { self.core.read(addr, buf) }
    }
}
