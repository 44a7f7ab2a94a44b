//! Which types begin with which: a pointer to the first field of a value is one to the value too, so that
//! what is declared of it does not say which of both was allocated. All that is allocated has a descriptor in
//! the binary, but for what reflection makes up.

use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

use super::section::{Outer, Section};

/// Pairs that are kept.
const MAX_PAIRS: usize = 1 << 20;
/// Types around one that are gone through.
const MAX_AROUND: usize = 1 << 12;

/// By type those that begin with one.
#[derive(Default)]
pub(super) struct Outers {
    of: FxHashMap<Addr, Vec<Outer>>,
    /// Not all are there.
    is_cut: bool,
}

impl Outers {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let mut found = Self::default();
        for (n, (inner, outer)) in section.beginnings().enumerate() {
            if n >= MAX_PAIRS {
                found.is_cut = true;
                break;
            }
            found.of.entry(inner).or_default().push(outer);
        }
        found
    }

    /// Sizes of the types that begin with a value of a type, or with an array of such, and whether they are
    /// without pointers; itself and such arrays left out. `None` where they are too many.
    pub(super) fn around(&self, of: Addr, as_array: bool) -> Option<Vec<(u64, bool)>> {
        if self.is_cut {
            return None;
        }
        let all = |of: Addr| self.of.get(&of).map(Vec::as_slice).unwrap_or_default();
        let mut todo: Vec<Addr> = vec![of];
        if as_array {
            todo = all(of).iter().filter(|outer| outer.is_array).map(|outer| outer.at).collect();
        }
        let mut seen: FxHashSet<Addr> = todo.iter().copied().collect();
        let mut sizes = Vec::new();
        while let Some(inner) = todo.pop() {
            for outer in all(inner) {
                if seen.insert(outer.at) {
                    sizes.push((outer.bytes, outer.noscan));
                    todo.push(outer.at);
                }
            }
            if seen.len() > MAX_AROUND {
                return None;
            }
        }
        sizes.sort_unstable();
        sizes.dedup();
        Some(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_type() {
        let outer = |at: u64, bytes: u64, is_array: bool| Outer { at: Addr(at), bytes, noscan: false, is_array };
        let mut all = Outers::default();
        // 8 is the first field of 16, which is that of 24; 32 is an array of 8, with which 40 begins.
        all.of.insert(Addr(8), vec![outer(16, 100, false), outer(32, 300, true)]);
        all.of.insert(Addr(16), vec![outer(24, 200, false)]);
        all.of.insert(Addr(32), vec![outer(40, 400, false)]);
        assert_eq!(all.around(Addr(8), false).unwrap(), [100, 200, 300, 400].map(|bytes| (bytes, false)));
        assert_eq!(all.around(Addr(8), true).unwrap(), [(400, false)]);
        assert_eq!(all.around(Addr(24), false).unwrap(), []);
        all.is_cut = true;
        assert_eq!(all.around(Addr(24), false), None);
    }
}
