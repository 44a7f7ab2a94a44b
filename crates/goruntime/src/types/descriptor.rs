//! The bytes of a type's descriptor, and whether they can be one. Source: `internal/abi/type.go`; the common
//! part has stood still from Go 1.19 to 1.27, but for where `direct-iface` is said.

use lastgasp_inferior::{Addr, Memory};

use super::kind::Kind;
use crate::version::GoVersion;

/// Offsets in `abi.Type`.
const SIZE: usize = 0;
const PTR_BYTES: usize = 8;
const HASH: usize = 16;
const TFLAG: usize = 20;
const ALIGN: usize = 21;
const KIND: usize = 23;
const STR: usize = 40;
/// What follows it in descriptors of pointers, slices, arrays and channels: the element's type.
pub(super) const ELEM: usize = 48;
/// `ArrayType.Len`.
pub(super) const ARRAY_LEN: usize = 64;
/// `ChanType.Dir`.
pub(super) const CHAN_DIR: usize = 56;
/// `StructType.Fields` and `InterfaceType.Methods`: a slice.
pub(super) const LIST: usize = 56;

/// Bytes of the common part.
const COMMON: usize = 48;
/// Bytes of the largest descriptor, without the methods behind it: a map's, Go 1.27.
const LARGEST: usize = 136;

/// `TFlagExtraStar`: the name is stored with a `*` in front that is not part of it.
const EXTRA_STAR: u8 = 1 << 1;
/// `TFlagDirectIface`, from Go 1.26 on.
const DIRECT_IFACE: u8 = 1 << 5;
/// `KindDirectIface`, before.
const KIND_DIRECT_IFACE: u8 = 1 << 5;
const KIND_MASK: u8 = 0x1f;

/// Largest size of a type that is believed, in bytes.
const MAX_SIZE: u64 = 1 << 40;
/// Largest alignment that is believed, in bytes.
const MAX_ALIGN: u8 = 64;

/// A descriptor's bytes; zero where there were none to read.
#[derive(Clone, Copy)]
pub(super) struct Raw([u8; LARGEST]);

impl Raw {
    /// Those at an address, if they can be a descriptor's.
    pub(super) fn read(mem: &dyn Memory, at: Addr) -> Option<(Self, Kind)> {
        if at.is_null() || !at.0.is_multiple_of(8) {
            return None;
        }
        let mut bytes = [0; LARGEST];
        // Descriptors differ in length, and behind the last of a mapping nothing can be read.
        if mem.read(at, &mut bytes).is_err() {
            let mut len = COMMON;
            bytes = [0; LARGEST];
            mem.read(at, bytes.get_mut(..COMMON)?).ok()?;
            while len < LARGEST {
                let Some(word) = bytes.get_mut(len..len + 8) else { break };
                if mem.read(at.plus(len as u64), word).is_err() {
                    break;
                }
                len += 8;
            }
        }
        let raw = Self(bytes);
        raw.sane_kind().map(|kind| (raw, kind))
    }

    /// The common part of one, its kind and size within bounds and no more looked at.
    pub(super) fn read_common(mem: &dyn Memory, at: Addr) -> Option<Self> {
        let mut bytes = [0; LARGEST];
        mem.read(at, bytes.get_mut(..COMMON)?).ok()?;
        let raw = Self(bytes);
        (Kind::of(raw.byte(KIND) & KIND_MASK).is_some() && raw.size() <= MAX_SIZE).then_some(raw)
    }

    /// Its kind, if size, pointers and alignment can be those of a type of it.
    fn sane_kind(&self) -> Option<Kind> {
        let kind = Kind::of(self.byte(KIND) & KIND_MASK)?;
        let (size, ptr_bytes, align) = (self.size(), self.ptr_bytes(), self.align());
        let sane = size <= MAX_SIZE && ptr_bytes <= size && ptr_bytes.is_multiple_of(8);
        let aligned = align.is_power_of_two() && align <= MAX_ALIGN && size.is_multiple_of(u64::from(align));
        let of_kind = match kind.extent() {
            // A pointer to what never stands in the heap (`sys.NotInHeap`) is none to the collector.
            Some((wanted, _)) if kind == Kind::Pointer => size == wanted,
            Some(wanted) => (size, ptr_bytes) == wanted,
            None => ptr_bytes == 0 || align >= 8,
        };
        (sane && aligned && of_kind).then_some(kind)
    }

    pub(super) fn word(&self, at: usize) -> u64 {
        self.0.get(at..at + 8).and_then(|w| w.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        self.0.get(at..at + 4).and_then(|w| w.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    pub(super) fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    pub(super) fn size(&self) -> u64 {
        self.word(SIZE)
    }

    pub(super) fn ptr_bytes(&self) -> u64 {
        self.word(PTR_BYTES)
    }

    pub(super) fn align(&self) -> u8 {
        self.byte(ALIGN)
    }

    pub(super) fn hash(&self) -> u32 {
        self.u32(HASH)
    }

    /// Offset of its name from where the module's types begin; negative for what reflection made
    /// (`reflectOffs`).
    pub(super) fn name_offset(&self) -> i32 {
        self.u32(STR).cast_signed()
    }

    /// Whether the stored name has a star in front that is not part of it.
    pub(super) fn extra_star(&self) -> bool {
        self.byte(TFLAG) & EXTRA_STAR != 0
    }

    pub(super) fn direct_iface(&self, version: &GoVersion) -> bool {
        if version.minor >= 26 {
            self.byte(TFLAG) & DIRECT_IFACE != 0
        } else {
            self.byte(KIND) & KIND_DIRECT_IFACE != 0
        }
    }
}
