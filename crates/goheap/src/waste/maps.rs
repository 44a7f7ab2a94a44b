//! Maps that are too large for what is in them: a map of Go never shrinks, whatever is deleted.

use super::found::{Found, WasteKind};
use crate::collections::maps::FoundMap;

/// Slots of the smallest map that is told.
const LEAST_SLOTS: u64 = 512;
/// A map is oversized where at most one slot in so many is taken. One that has just grown has 7 of 16; one
/// that was made for as many as a hint said may have fewer.
const SLOTS_AN_ELEMENT: u64 = 8;
/// Slots in use of those of a map that fits: it grows from 7 of 8 on (6.5 of 8 up to Go 1.23).
const FULL: (u64, u64) = (7, 8);

pub(super) fn add(maps: &[FoundMap], found: &mut Found) {
    for m in maps.iter().filter(|m| m.arrays.slots >= LEAST_SLOTS) {
        let (elements, slots) = (m.arrays.elements, m.arrays.slots);
        if elements * SLOTS_AN_ELEMENT > slots {
            continue;
        }
        let kind = if elements == 0 { WasteKind::Empty } else { WasteKind::Oversized };
        // What a map of so many elements would have: a power of two slots, not too full.
        let needed = if elements == 0 { 0 } else { (elements * FULL.1).div_ceil(FULL.0).next_power_of_two().max(8) };
        let used = (u128::from(m.bytes) * u128::from(needed) / u128::from(slots.max(1))) as u64;
        found.add(kind, m.object, m.type_name(), [1, m.bytes, used]);
    }
}
