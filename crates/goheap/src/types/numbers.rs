//! A number for each slot of the heap, in as few bytes as it needs: a program has some thousand kinds of
//! objects, and slots are what memory goes by. `Believed` has them in the making, `Numbers` when all are
//! found.

use super::trust::Trust;

/// Bits of an entry that number a kind, where it has two bytes; those above say how it is believed.
const SHORT_BITS: u32 = 13;
/// And where it has four.
const LONG_BITS: u32 = 28;
/// Bytes of a page of memory.
const PAGE: usize = 4096;

/// By slot the number of a kind, and how it is believed. Entries have two bytes until a kind has a number
/// that needs more: then all of them have four.
pub(super) enum Believed {
    /// All numbers are below 2^13.
    Short(Vec<u16>),
    /// Below 2^28.
    Long(Vec<u32>),
}

impl Believed {
    /// Of so many slots nothing is known.
    pub(super) fn nothing(slots: usize) -> Self {
        let mut all = vec![0; slots];
        // Written to, page by page: who reads a page first that nobody wrote to has the kernel do it twice,
        // and wait for the other processors in between.
        all.iter_mut().step_by(PAGE / 2).for_each(|entry| *entry = std::hint::black_box(0));
        Self::Short(all)
    }

    /// Number and trust of a slot; 0 and none of what is no slot.
    pub(super) fn get(&self, slot: u32) -> (u32, Trust) {
        let (entry, bits) = match self {
            Self::Short(all) => (all.get(slot as usize).copied().map_or(0, u32::from), SHORT_BITS),
            Self::Long(all) => (all.get(slot as usize).copied().unwrap_or(0), LONG_BITS),
        };
        (entry & ((1 << bits) - 1), Trust::of(entry >> bits))
    }

    /// Says what a slot is of; whether there was a place to say it.
    pub(super) fn set(&mut self, slot: u32, number: u32, trust: Trust) -> bool {
        if let Self::Short(all) = self
            && number >> SHORT_BITS != 0
        {
            let wide = |entry: &u16| {
                let entry = u32::from(*entry);
                entry & ((1 << SHORT_BITS) - 1) | entry >> SHORT_BITS << LONG_BITS
            };
            *self = Self::Long(all.iter().map(wide).collect());
        }
        let place = slot as usize;
        match self {
            Self::Short(all) => all.get_mut(place).map(|e| *e = number as u16 | (trust as u16) << SHORT_BITS).is_some(),
            // A number that has no room would be another's.
            Self::Long(_) if number >> LONG_BITS != 0 => false,
            Self::Long(all) => all.get_mut(place).map(|e| *e = number | (trust as u32) << LONG_BITS).is_some(),
        }
    }

    /// The numbers alone, all of which are below `bound`.
    pub(super) fn finish(self, bound: usize) -> Numbers {
        match self {
            Self::Short(mut all) => {
                all.iter_mut().for_each(|entry| *entry &= (1 << SHORT_BITS) - 1);
                Numbers::Short(all)
            }
            Self::Long(mut all) => {
                all.iter_mut().for_each(|entry| *entry &= (1 << LONG_BITS) - 1);
                Numbers::of(all, bound)
            }
        }
    }
}

/// Numbers by slot.
pub(super) enum Numbers {
    /// Below 2^16.
    Short(Vec<u16>),
    /// Any.
    Long(Vec<u32>),
}

impl Numbers {
    /// Those, all of which are below `bound`.
    fn of(all: Vec<u32>, bound: usize) -> Self {
        if bound <= 1 << 16 {
            Self::Short(all.into_iter().map(|number| number as u16).collect())
        } else {
            Self::Long(all)
        }
    }

    /// That of a slot; `None` of what is no slot.
    pub(super) fn get(&self, slot: u32) -> Option<u32> {
        match self {
            Self::Short(all) => all.get(slot as usize).copied().map(u32::from),
            Self::Long(all) => all.get(slot as usize).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Believed, Numbers, Trust};

    #[test]
    fn what_is_believed_stays_so_when_entries_grow() {
        let mut all = Believed::nothing(4);
        assert!(all.set(0, (1 << 13) - 1, Trust::Header) && all.set(1, 3, Trust::Stack) && !all.set(4, 1, Trust::Code));
        assert!(matches!(all, Believed::Short(_)));
        let before = [(8191, Trust::Header), (3, Trust::Stack), (0, Trust::None), (0, Trust::None)];
        assert_eq!([0, 1, 2, 4].map(|slot| all.get(slot)), before);
        assert!(all.set(2, 1 << 13, Trust::Site) && all.set(1, 0, Trust::None));
        assert!(matches!(all, Believed::Long(_)));
        assert_eq!(all.get(0), before[0]);
        assert_eq!([1, 2, 4].map(|slot| all.get(slot)), [(0, Trust::None), (1 << 13, Trust::Site), (0, Trust::None)]);
        assert!(!all.set(3, 1 << 28, Trust::Header), "it would be kind 0, believed more than anything");
        let numbers = all.finish((1 << 13) + 1);
        assert!(matches!(numbers, Numbers::Short(_)));
        assert_eq!([0, 1, 2, 3].map(|slot| numbers.get(slot)), [Some(8191), Some(0), Some(8192), Some(0)]);
    }

    #[test]
    fn short_entries_are_numbers_without_another_copy() {
        let mut all = Believed::nothing(2);
        all.set(1, 77, Trust::Interface);
        let numbers = all.finish(78);
        assert_eq!([0, 1, 2].map(|slot| numbers.get(slot)), [Some(0), Some(77), None]);
    }

    #[test]
    fn both_forms_give_what_was_put_in() {
        for bound in [1 << 16, (1 << 16) + 1] {
            let all = Numbers::of(vec![0, 7, bound - 1], bound as usize);
            assert_eq!(matches!(all, Numbers::Short(_)), bound == 1 << 16);
            assert_eq!([0, 1, 2, 3].map(|slot| all.get(slot)), [Some(0), Some(7), Some(bound - 1), None]);
        }
    }
}
