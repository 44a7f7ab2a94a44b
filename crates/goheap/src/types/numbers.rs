//! A number for each slot of the heap, in as few bytes as it needs: a program has some thousand kinds of
//! objects, and slots are what memory goes by.

/// Numbers by slot.
pub(super) enum Numbers {
    /// Below 2^16.
    Short(Vec<u16>),
    /// Any.
    Long(Vec<u32>),
}

impl Numbers {
    /// Those, all of which are below `bound`.
    pub(super) fn of(all: Vec<u32>, bound: usize) -> Self {
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
    use super::Numbers;

    #[test]
    fn both_forms_give_what_was_put_in() {
        for bound in [1 << 16, (1 << 16) + 1] {
            let all = Numbers::of(vec![0, 7, bound - 1], bound as usize);
            assert_eq!(matches!(all, Numbers::Short(_)), bound == 1 << 16);
            assert_eq!([0, 1, 2, 3].map(|slot| all.get(slot)), [Some(0), Some(7), Some(bound - 1), None]);
        }
    }
}
