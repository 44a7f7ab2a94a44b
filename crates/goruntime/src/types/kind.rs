//! What kind of type it is: `abi.Kind`.

/// `abi.Kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "Go's own words")]
pub enum Kind {
    Bool,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Uintptr,
    Float32,
    Float64,
    Complex64,
    Complex128,
    Array,
    Chan,
    Func,
    Interface,
    Map,
    Pointer,
    Slice,
    String,
    Struct,
    UnsafePointer,
}

impl Kind {
    /// In the order of their numbers, from 1 on.
    const ALL: [Self; 26] = [
        Self::Bool,
        Self::Int,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Uint,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Uintptr,
        Self::Float32,
        Self::Float64,
        Self::Complex64,
        Self::Complex128,
        Self::Array,
        Self::Chan,
        Self::Func,
        Self::Interface,
        Self::Map,
        Self::Pointer,
        Self::Slice,
        Self::String,
        Self::Struct,
        Self::UnsafePointer,
    ];

    /// The kind of that number, flags masked out.
    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }

    /// Size in bytes, and bytes up to the end of the last pointer, where all types of the kind have the same.
    pub(super) fn extent(self) -> Option<(u64, u64)> {
        Some(match self {
            Self::Bool | Self::Int8 | Self::Uint8 => (1, 0),
            Self::Int16 | Self::Uint16 => (2, 0),
            Self::Int32 | Self::Uint32 | Self::Float32 => (4, 0),
            Self::Int | Self::Int64 | Self::Uint | Self::Uint64 | Self::Uintptr | Self::Float64 | Self::Complex64 => {
                (8, 0)
            }
            Self::Complex128 => (16, 0),
            Self::Chan | Self::Func | Self::Map | Self::Pointer | Self::UnsafePointer => (8, 8),
            Self::Interface => (16, 16),
            Self::Slice => (24, 8),
            Self::String => (16, 8),
            Self::Array | Self::Struct => return None,
        })
    }
}
