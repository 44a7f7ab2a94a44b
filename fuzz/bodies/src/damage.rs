//! Damage by order of the fuzzer: bytes, words, and pointers to where something else stands.

use lastgasp_synth::{Flavour, Process};

/// The first byte of an input chooses the release.
#[must_use]
pub fn flavour_of(data: &[u8]) -> Flavour {
    if data.first().is_some_and(|b| b & 1 == 1) { Flavour::Go27 } else { Flavour::Go22 }
}

/// Orders, read one after the other: a byte that says what to do, a place of four bytes, then a byte, a word,
/// or another place.
pub struct Orders<'a>(&'a [u8]);

impl<'a> Orders<'a> {
    /// Those of an input, behind its first byte.
    #[must_use]
    pub fn of(data: &'a [u8]) -> Self {
        Self(data.get(1..).unwrap_or_default())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// Carries them out on a process.
    pub fn on_process(mut self, p: &mut Process) {
        while let Some([what]) = self.take::<1>() {
            let Some(place) = self.take().map(u32::from_le_bytes) else { return };
            match what % 4 {
                0 => {
                    let Some([value]) = self.take() else { return };
                    p.damage(&[(place, value)]);
                }
                1 => {
                    let Some(word) = self.take().map(u64::from_le_bytes) else { return };
                    p.overwrite(p.address(place), word);
                }
                // A pointer to something else, and one a little off.
                _ => {
                    let Some(other) = self.take().map(u32::from_le_bytes) else { return };
                    let off = u64::from(what >> 4) * u64::from(what % 4 == 3);
                    p.overwrite(p.address(place), p.address(other).plus(off).0);
                }
            }
        }
    }

    /// Carries them out on a file: bytes, words, and its end cut off.
    pub fn on_bytes(mut self, file: &mut Vec<u8>) {
        while let Some([what]) = self.take::<1>() {
            let Some(place) = self.take().map(u32::from_le_bytes) else { return };
            // Headers are what hurts most: they get three quarters of the hits.
            let room = if what & 0x30 == 0 { file.len() } else { file.len().min(1024) };
            let at = place as usize % room.max(1);
            match what % 8 {
                0..4 => {
                    let Some([value]) = self.take() else { return };
                    if let Some(b) = file.get_mut(at) {
                        *b = value;
                    }
                }
                4..7 => {
                    let Some(word) = self.take::<8>() else { return };
                    let at = at / 8 * 8;
                    if let Some(w) = file.get_mut(at..at + 8) {
                        w.copy_from_slice(&word);
                    }
                }
                _ => file.truncate(place as usize % (file.len() + 1)),
            }
        }
    }
}
