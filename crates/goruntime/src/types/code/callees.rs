//! What the runtime's functions that compiled code calls say of types, by their names. Source:
//! `cmd/compile/internal/typecheck/_builtin/runtime.go` (Go 1.19 to 1.27).

use super::library_calls::LibraryCall;
use crate::arch::ARGUMENTS;

/// A function that compiled code calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    /// It leaves registers as they are, but for those of the mask.
    Keeps(u16),
    /// It takes a map's type and such a map.
    UsesMap,
    /// It takes them and puts an element into the map.
    PutsIntoMap,
    /// It gives a pointer to one value of the type that it takes as its n-th argument.
    New(u8),
    /// It gives an array of such values.
    Array(u8),
    /// It gives a map of the type.
    Map(u8),
    /// It gives a channel of the type.
    Chan(u8),
    /// It gives memory for values of the type.
    Memory(u8),
    /// It takes a type, and one or two addresses at which such values stand.
    Values,
    /// It grows the stack, and the function begins anew.
    Begins,
    /// A library's, of which who calls it is remembered.
    Library(LibraryCall),
}

/// `R11`, in which `gcWriteBarrier` gives its buffer.
const R11: u16 = 1 << 8;
/// `RDI` and `RSI`, which `duffzero` and `duffcopy` move.
const DUFF: u16 = 1 << 3 | 1 << 4;

impl Callee {
    /// What the function of a name is; `None` of any other.
    pub(super) fn of(function: &str, minor: u16) -> Option<Self> {
        if let Some(call) = LibraryCall::of(function) {
            return Some(Self::Library(call));
        }
        let name = function.strip_prefix("runtime.")?;
        if name == "gcWriteBarrier" || name.starts_with("gcWriteBarrier") {
            return Some(Self::Keeps(R11));
        }
        Some(match name {
            "duffzero" | "duffcopy" => Self::Keeps(DUFF),
            "newobject" => Self::New(0),
            "makeslice" | "makeslice64" | "makeslicecopy" => Self::Array(0),
            // Before Go 1.20 the type came first.
            "growslice" if minor < 20 => Self::Array(0),
            "growslice" => Self::Array(4),
            "makemap" | "makemap64" => Self::Map(0),
            "makechan" | "makechan64" => Self::Chan(0),
            "mapiterinit" | "mapIterStart" | "mapclear" => Self::UsesMap,
            "typedmemmove" | "typedmemclr" | "wbMove" | "wbZero" => Self::Values,
            // From Go 1.26 on the compiler calls the allocator for the size itself
            // (`mallocgcSmallScanNoHeaderSC3`).
            _ if name.starts_with("mallocgc") => Self::Memory(1),
            _ if name.starts_with("mapassign") => Self::PutsIntoMap,
            _ if ["mapaccess", "mapdelete"].iter().any(|p| name.starts_with(p)) => Self::UsesMap,
            _ if name.starts_with("morestack") => Self::Begins,
            _ => return None,
        })
    }

    /// Which of its arguments is a type.
    pub(super) fn type_argument(self) -> Option<usize> {
        let index = match self {
            Self::New(n) | Self::Array(n) | Self::Map(n) | Self::Chan(n) | Self::Memory(n) => n.into(),
            Self::UsesMap | Self::PutsIntoMap | Self::Values => 0,
            Self::Keeps(_) | Self::Begins | Self::Library(_) => return None,
        };
        (index < ARGUMENTS).then_some(index)
    }
}
