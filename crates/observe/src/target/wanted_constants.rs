//! Which blocks of a binary's constants (code, tables of functions, maps of stacks) a look at one of its
//! processes has asked for, so that a look at the next one asks for them all at once. To ask somebody else
//! for memory costs as much as to read fifty kilobytes of it, and of what a search for collections asks for
//! more than half was such blocks, one by one, of each of a hundred processes of one build.
//!
//! Where they stand is shared, and never what they hold: each process tells that of itself, since it may
//! have changed it.

use std::sync::{Mutex, PoisonError};

use lastgasp_inferior::Addr;

/// Most blocks that are asked for ahead: a megabyte.
const MOST: usize = 256;

/// The blocks that the last look at any process of a binary has asked for, as distances from its code, which
/// stands elsewhere in each process.
#[derive(Debug, Default)]
pub struct WantedConstants(Mutex<Vec<u64>>);

impl WantedConstants {
    /// Addresses in them, in a process whose code begins there.
    #[must_use]
    pub fn in_process(&self, code: Addr) -> Vec<Addr> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|distance| Addr(code.0.wrapping_add(*distance))).collect()
    }

    /// What a look at such a process has asked for; nothing is no news.
    pub fn note(&self, code: Addr, wanted: &[Addr]) {
        if wanted.is_empty() {
            return;
        }
        let now = wanted.iter().take(MOST).map(|at| at.0.wrapping_sub(code.0)).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_process_wanted_is_where_the_next_ones_code_is() {
        let wanted = WantedConstants::default();
        assert!(wanted.in_process(Addr(0x1000)).is_empty());
        wanted.note(Addr(0x40_1000), &[Addr(0x40_0000), Addr(0x57_8000)]);
        assert_eq!(wanted.in_process(Addr(0x7f00_0000_1000)), [Addr(0x7f00_0000_0000), Addr(0x7f00_0017_8000)]);
        wanted.note(Addr(0x40_1000), &[]);
        assert_eq!(wanted.in_process(Addr(0x40_1000)).len(), 2, "a look that asked for nothing");
        let many: Vec<Addr> = (0..10_000).map(|n| Addr(n << 12)).collect();
        wanted.note(Addr(0), &many);
        assert_eq!(wanted.in_process(Addr(0)).len(), MOST);
    }
}
