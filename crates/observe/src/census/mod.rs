//! The quick census: collections that are known from a full one, looked at again by their headers alone, a
//! small read each and nothing stopped. So a look costs microseconds, and a collection that grows from 312
//! elements to 230,000 is seen while it does.
//!
//! What stands at an address may be another collection by now: a map keeps its random seed until it is
//! emptied, a channel its element and size. One that changed without having been emptied is let go; so is
//! one whose header says what no header says, or cannot be read. Slices have nothing of the kind: where the
//! numbers are those of a slice, they are believed.

mod looks;

use lastgasp_goruntime::collections::{HeaderReader, HeaderReading, KnownHeader};
use lastgasp_inferior::Memory;

pub use looks::{Look, Looks};

/// Most collections that are looked at.
pub const MAX_KNOWN: usize = 4096;
/// Looks in a row that one may fail before it is let go: a header that is being written may say anything.
const MAX_FAILED: u8 = 3;

/// A collection that is looked at.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Where its header stands, and of what.
    pub header: KnownHeader,
    /// Its type as `%T` spells it.
    pub type_name: String,
    /// The way by which it is kept, in words of the source.
    pub owner: String,
    /// What the looks found.
    pub looks: Looks,
    last: Option<HeaderReading>,
    failed: u8,
}

impl Watched {
    /// A collection, as a full census found it.
    #[must_use]
    pub fn new(header: KnownHeader, type_name: String, owner: String) -> Self {
        Self { header, type_name, owner, looks: Looks::default(), last: None, failed: 0 }
    }

    /// What the last look said.
    #[must_use]
    pub fn last(&self) -> Option<HeaderReading> {
        self.last
    }

    /// Takes a reading, and says whether it is still the same collection.
    fn take(&mut self, reading: Option<HeaderReading>, at_ms: u64) -> bool {
        let same = match (self.last, reading) {
            (_, None) => false,
            (None, Some(_)) => true,
            // One that was emptied has another seed.
            (Some(before), Some(now)) => before.identity == now.identity || now.elements <= before.elements,
        };
        match reading.filter(|_| same) {
            Some(reading) => {
                self.failed = 0;
                self.last = Some(reading);
                self.looks.push(Look { at_ms, elements: reading.elements });
                true
            }
            None => {
                self.failed += 1;
                self.failed < MAX_FAILED
            }
        }
    }
}

/// Known collections of one process.
#[derive(Debug)]
pub struct QuickCensus {
    reader: HeaderReader,
    known: Vec<KnownHeader>,
    watched: Vec<Watched>,
}

impl QuickCensus {
    /// Those that a full census found, [`MAX_KNOWN`] at most; `reader` is one of their process.
    #[must_use]
    pub fn new(reader: HeaderReader, mut watched: Vec<Watched>) -> Self {
        watched.truncate(MAX_KNOWN);
        let known = watched.iter().map(|w| w.header).collect();
        Self { reader, known, watched }
    }

    /// Looks at all of them, at a moment in milliseconds of the caller's clock; gives how many were let go.
    pub fn look(&mut self, mem: &dyn Memory, at_ms: u64) -> usize {
        let readings = self.reader.read(mem, &self.known);
        let before = self.watched.len();
        let mut readings = readings.into_iter();
        self.watched.retain_mut(|w| w.take(readings.next().flatten(), at_ms));
        if self.watched.len() < before {
            self.known = self.watched.iter().map(|w| w.header).collect();
        }
        before - self.watched.len()
    }

    /// All that are known still.
    #[must_use]
    pub fn watched(&self) -> &[Watched] {
        &self.watched
    }

    /// Those that have at least `factor` times and `least` more elements than at some earlier look; the ones
    /// that gained most first.
    #[must_use]
    pub fn grown(&self, factor: u64, least: u64) -> Vec<&Watched> {
        let gain = |w: &Watched| {
            let before = w.looks.before()?;
            let now = w.looks.last()?;
            let gained = now.elements.checked_sub(before.elements)?;
            (gained >= least && now.elements >= before.elements.saturating_mul(factor)).then_some(gained)
        };
        let mut grown: Vec<(u64, &Watched)> = self.watched.iter().filter_map(|w| Some((gain(w)?, w))).collect();
        grown.sort_by_key(|(gained, _)| std::cmp::Reverse(*gained));
        grown.into_iter().map(|(_, w)| w).collect()
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_goruntime::collections::HeaderKind;
    use lastgasp_goruntime::layout;
    use lastgasp_goruntime::types::MapForm;
    use lastgasp_inferior::{Addr, ReadCause, ReadError};
    use std::cell::RefCell;

    use super::*;

    /// Words from 0x1000 on.
    struct Words(RefCell<Vec<u64>>);

    impl Memory for Words {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            let bytes: Vec<u8> = self.0.borrow().iter().flat_map(|w| w.to_le_bytes()).collect();
            let from = addr.0.checked_sub(0x1000).map(|f| f as usize);
            let found = from.and_then(|f| bytes.get(f..f + buf.len()));
            let found = found.ok_or(ReadError { addr, len: buf.len(), cause: ReadCause::Absent })?;
            buf.copy_from_slice(found);
            Ok(())
        }
    }

    /// `used`, `seed`, directory, its length, depth and shift.
    fn map(used: u64, seed: u64, tables: u64) -> [u64; 6] {
        [used, seed, 0xc000, tables, 0, 0]
    }

    fn census(words: [u64; 6]) -> (Words, QuickCensus) {
        let reader = HeaderReader::of_layout(layout::for_minor(26).unwrap(), MapForm::Groups);
        let header = KnownHeader { at: Addr(0x1000), kind: HeaderKind::Map };
        let watched = Watched::new(header, "map[int64]struct {}".into(), "global main.config .shared".into());
        (Words(RefCell::new(words.to_vec())), QuickCensus::new(reader, vec![watched]))
    }

    #[test]
    fn a_jump_is_seen_with_what_was_before() {
        let (mem, mut census) = census(map(312, 7, 1));
        assert_eq!(census.look(&mem, 1000), 0);
        assert!(census.grown(2, 1000).is_empty());
        mem.0.borrow_mut()[..6].copy_from_slice(&map(230_000, 7, 256));
        assert_eq!(census.look(&mem, 6000), 0);
        let [grown] = census.grown(2, 1000)[..] else { panic!() };
        assert_eq!(grown.looks.before(), Some(Look { at_ms: 1000, elements: 312 }));
        assert_eq!(grown.looks.last(), Some(Look { at_ms: 6000, elements: 230_000 }));
    }

    #[test]
    fn another_map_at_the_same_place_is_let_go() {
        let (mem, mut census) = census(map(312, 7, 1));
        census.look(&mem, 0);
        mem.0.borrow_mut()[..6].copy_from_slice(&map(900, 8, 1));
        assert_eq!([1, 2, 3].map(|t| census.look(&mem, t)), [0, 0, 1]);
        assert!(census.watched().is_empty() && census.grown(1, 1).is_empty());
    }

    #[test]
    fn a_map_that_was_emptied_is_the_same() {
        let (mem, mut census) = census(map(312, 7, 1));
        census.look(&mem, 0);
        mem.0.borrow_mut()[..6].copy_from_slice(&map(0, 8, 1));
        census.look(&mem, 1);
        mem.0.borrow_mut()[..6].copy_from_slice(&map(500, 8, 1));
        assert_eq!(census.look(&mem, 2), 0);
        assert_eq!(census.watched()[0].last().unwrap().elements, 500);
    }

    #[test]
    fn what_makes_no_sense_or_is_gone_is_let_go_after_a_while() {
        for lie in [map(u64::MAX, 7, 1), map(5, 7, 3), map(1 << 40, 7, 1)] {
            let (mem, mut census) = census(map(312, 7, 1));
            census.look(&mem, 0);
            mem.0.borrow_mut()[..6].copy_from_slice(&lie);
            census.look(&mem, 1);
            assert_eq!(census.watched()[0].looks.last(), Some(Look { at_ms: 0, elements: 312 }));
            mem.0.borrow_mut().clear();
            assert_eq!([2, 3].map(|t| census.look(&mem, t)), [0, 1]);
        }
    }
}
