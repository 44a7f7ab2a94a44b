//! Where keys and values stand in the arrays behind a map, from the map's type. Source: `internal/abi/map.go`
//! (buckets, Go up to 1.23, and 1.24 and 1.25 with `GOEXPERIMENT=noswissmap`), `internal/abi/map_swiss.go`
//! (groups, from Go 1.24 on; in 1.27 `internal/abi/map.go`), `runtime/type.go` (`maptype`, before 1.21).
//!
//! Both have eight slots in a run, and eight bytes in front of them that say which are taken; what differs is
//! where the slots stand and how runs hang together.

use lastgasp_inferior::Addr;

use super::descriptor::Raw;
use crate::version::GoVersion;

/// Slots of a bucket, or of a group (`abi.MapBucketCount`, `abi.MapGroupSlots`).
pub const MAP_SLOTS: u64 = 8;
/// `maxTableCapacity`: slots of the largest table of groups; one that is full is split into two.
pub(crate) const TABLE_SLOTS: u64 = 1024;
/// Bytes in front of them: top bytes of hashes, or control bytes.
const CONTROL: u64 = 8;
/// Largest bucket or group that is believed: keys and values of more than 128 bytes stand elsewhere.
const MAX_RUN: u64 = 8 + 8 * 2 * 256 + 64;

/// How a map's type lays out its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapLayout {
    /// Type of its keys.
    pub key: Addr,
    /// Type of its values.
    pub elem: Addr,
    /// Type of what stands in the array: a bucket (`map.bucket[K]V`) or a group (`map.group[K]V`).
    pub run: Addr,
    /// Which of both.
    pub form: MapForm,
    /// Bytes of a bucket or group.
    pub run_bytes: u64,
    /// Bytes from its start to the first key.
    pub keys_at: u64,
    /// Bytes from one key to the next.
    pub key_stride: u64,
    /// Bytes from its start to the first value.
    pub elems_at: u64,
    /// Bytes from one value to the next.
    pub elem_stride: u64,
    /// Whether a slot holds the key's address and not the key.
    pub indirect_key: bool,
    /// Whether a slot holds the value's address and not the value.
    pub indirect_elem: bool,
}

/// How runs of slots hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapForm {
    /// `runtime.hmap`: an array of 2^B buckets, each with a chain of overflow buckets behind its last word.
    Buckets,
    /// `internal/runtime/maps.Map`: a directory of tables, each with an array of groups.
    Groups,
}

impl MapForm {
    /// That of all maps of a release.
    #[must_use]
    pub fn of(version: &GoVersion) -> Self {
        let old = version.minor < 24 || version.minor < 26 && version.experiments().any(|x| x == "noswissmap");
        if old { Self::Buckets } else { Self::Groups }
    }
}

impl MapLayout {
    /// Bytes from a bucket's or group's start to the key in a slot of it.
    #[must_use]
    pub fn key_offset(&self, slot: u64) -> u64 {
        self.keys_at.saturating_add(slot.saturating_mul(self.key_stride))
    }

    /// Bytes from a bucket's or group's start to the value in a slot of it.
    #[must_use]
    pub fn elem_offset(&self, slot: u64) -> u64 {
        self.elems_at.saturating_add(slot.saturating_mul(self.elem_stride))
    }

    /// Bytes from a bucket's start to the pointer to the next of its chain.
    #[must_use]
    pub fn overflow_offset(&self) -> Option<u64> {
        (self.form == MapForm::Buckets).then(|| self.run_bytes.saturating_sub(8))
    }

    /// From a map's descriptor.
    pub(super) fn read(version: &GoVersion, d: &Raw) -> Option<Self> {
        let (key, elem, run) = (Addr(d.word(KEY)), Addr(d.word(ELEM)), Addr(d.word(RUN)));
        let form = MapForm::of(version);
        let layout = match form {
            MapForm::Buckets => {
                let (key_stride, elem_stride) = (u64::from(d.byte(KEY_SIZE)), u64::from(d.byte(VALUE_SIZE)));
                let flags = d.u32(BUCKET_FLAGS);
                Self {
                    key,
                    elem,
                    run,
                    form,
                    run_bytes: u64::from(d.u32(BUCKET_SIZE) & 0xffff),
                    keys_at: CONTROL,
                    key_stride,
                    elems_at: CONTROL + MAP_SLOTS * key_stride,
                    elem_stride,
                    indirect_key: flags & 1 != 0,
                    indirect_elem: flags & 2 != 0,
                }
            }
            MapForm::Groups => {
                let strided = version.minor >= 27;
                let flags = d.u32(if strided { STRIDED_FLAGS } else { GROUP_FLAGS });
                let slots = |at: usize, stride: usize| (d.word(at), d.word(stride));
                let ((keys_at, key_stride), (elems_at, elem_stride)) = if strided {
                    (slots(KEYS_OFF, KEY_STRIDE), slots(ELEMS_OFF, ELEM_STRIDE))
                } else {
                    let size = d.word(SLOT_SIZE);
                    ((CONTROL, size), (CONTROL.checked_add(d.word(ELEM_OFF))?, size))
                };
                Self {
                    key,
                    elem,
                    run,
                    form,
                    run_bytes: d.word(GROUP_SIZE),
                    keys_at,
                    key_stride,
                    elems_at,
                    elem_stride,
                    indirect_key: flags & 4 != 0,
                    indirect_elem: flags & 8 != 0,
                }
            }
        };
        layout.is_sane().then_some(layout)
    }

    fn is_sane(&self) -> bool {
        let last = MAP_SLOTS - 1;
        (CONTROL..=MAX_RUN).contains(&self.run_bytes)
            && self.keys_at >= CONTROL
            && self.elems_at >= CONTROL
            && self.key_offset(last) <= self.run_bytes
            && self.elem_offset(last) <= self.run_bytes
            && (!self.indirect_key || self.key_stride >= 8)
            && (!self.indirect_elem || self.elem_stride >= 8)
    }
}

/// Offsets in the descriptor that all forms share: key, value, bucket or group.
const KEY: usize = 48;
const ELEM: usize = 56;
const RUN: usize = 64;
/// Of buckets: two sizes of a byte, one of two, flags of four.
const KEY_SIZE: usize = 80;
const VALUE_SIZE: usize = 81;
const BUCKET_SIZE: usize = 82;
const BUCKET_FLAGS: usize = 84;
/// Of groups; up to Go 1.26 a slot is a key and its value, from 1.27 on each has its own stride.
const GROUP_SIZE: usize = 80;
const SLOT_SIZE: usize = 88;
const ELEM_OFF: usize = 96;
const GROUP_FLAGS: usize = 104;
const KEYS_OFF: usize = 88;
const KEY_STRIDE: usize = 96;
const ELEMS_OFF: usize = 104;
const ELEM_STRIDE: usize = 112;
const STRIDED_FLAGS: usize = 128;
