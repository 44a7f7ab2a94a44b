//! Targets that read a heap: types and collections in memory that is the input's own, and the whole graph of
//! a make-believe process that was damaged.

use std::sync::OnceLock;

use lastgasp_decode::{Provenance, WholeMemory, decode_with_memory};
use lastgasp_goruntime::Runtime;
use lastgasp_goruntime::collections::{
    ChanHeader, MapReader, ReadBudget, SliceHeader, StringHeader, pooled_objects, walk_sync_map,
};
use lastgasp_goruntime::types::{MapForm, MapLayout, TypeReader};
use lastgasp_inferior::{Addr, Memory, ReadError};
use lastgasp_observe::core::take_core;
use lastgasp_observe::raw_capture::RawCapture;
use lastgasp_synth::{Flavour, Process};

use crate::damage::{Orders, flavour_of};
use crate::process;

/// Where the input's own memory stands.
const SOUP: u64 = 0xc0_0000_0000;
/// What one collection may cost: what a reader charges itself for.
const BUDGET: u64 = 1 << 20;
/// Words of the input that are taken for the start of something.
const STARTS: usize = 64;

/// Memory that an input describes word by word, before a process that is whole: numbers, pointers to its own
/// words, pointers into the process.
struct Soup {
    bytes: Vec<u8>,
    process: Process,
}

impl Soup {
    /// Words of an input behind its first byte: each a byte that says what it is, then one, two, four or
    /// eight of it.
    fn of(data: &[u8], process: Process) -> Self {
        let mut rest = data.get(1..).unwrap_or_default();
        let mut take = |n: usize| -> Option<u64> {
            let (head, tail) = rest.split_at_checked(n)?;
            rest = tail;
            let mut word = [0; 8];
            word.get_mut(..n)?.copy_from_slice(head);
            Some(u64::from_le_bytes(word))
        };
        let mut bytes = Vec::new();
        while let Some(what) = take(1) {
            let word = match what % 8 {
                0 | 1 => take(1),
                2 => take(2),
                3 => take(8),
                4 | 5 => take(1).map(|n| SOUP + n * 8),
                6 => take(2).map(|n| SOUP + n * 8 + what / 8),
                _ => take(4).map(|n| process.address(n as u32).0),
            };
            let Some(word) = word else { break };
            bytes.extend(word.to_le_bytes());
        }
        Self { bytes, process }
    }

    fn starts(&self) -> impl Iterator<Item = Addr> + use<> {
        (0..self.bytes.len() / 8).take(STARTS).map(|i| Addr(SOUP + i as u64 * 8))
    }
}

impl Memory for Soup {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let at = addr.0.checked_sub(SOUP).and_then(|at| usize::try_from(at).ok());
        let own = at.and_then(|at| self.bytes.get(at..at.checked_add(buf.len())?));
        match own {
            Some(bytes) => {
                buf.copy_from_slice(bytes);
                Ok(())
            }
            None => self.process.read(addr, buf),
        }
    }
}

fn soup(data: &[u8]) -> (Soup, Runtime) {
    let flavour = flavour_of(data);
    let process = process::with_objects(flavour);
    let rt = process::runtime(&process, flavour);
    (Soup::of(data, process), rt)
}

/// Descriptors of types that lie: of the input's own, of the process's, and those that they name.
pub fn types(data: &[u8]) {
    let (soup, rt) = soup(data);
    let mut reader = TypeReader::new(&rt, &soup);
    for at in soup.starts() {
        let size = reader.get(at).map_or(0, |t| t.size);
        let _ = (reader.words(at).map(|w| w.len()), reader.of_itab(at));
        for offset in (0..size.min(256)).step_by(8) {
            let _ = reader.word_at(at, offset);
        }
    }
}

/// Maps, channels, pools and slices that are made of the input.
pub fn collections(data: &[u8]) {
    let (soup, rt) = soup(data);
    let mut maps = MapReader::new(&rt, &soup);
    let mut reader = TypeReader::new(&rt, &soup);
    // Layouts that some type could have; and those of types that the input makes.
    let byte = |i: usize| u64::from(data.get(i).copied().unwrap_or(8));
    let (key, elem) = (byte(1) % 136 + 1, byte(2) % 136);
    let layout = MapLayout {
        key: Addr::NULL,
        elem: Addr::NULL,
        run: Addr::NULL,
        form: MapForm::of(&rt.version),
        run_bytes: 16 + 8 * (key + elem),
        keys_at: 8,
        key_stride: key,
        elems_at: 8 + 8 * key,
        elem_stride: elem,
        indirect_key: byte(3) & 1 == 1,
        indirect_elem: byte(3) & 2 == 2,
    };
    for at in soup.starts() {
        let mut budget = ReadBudget::of(BUDGET);
        let _ = (maps.header(at), maps.arrays(at, &mut budget));
        let of_type = reader.get(at).and_then(|t| t.map().cloned());
        for layout in std::iter::once(&layout).chain(of_type.as_ref()) {
            let mut seen = 0u64;
            let walk = maps.walk(at, layout, (key, elem), &mut budget, |_| {
                seen += 1;
                true
            });
            assert!(seen <= BUDGET, "{seen} entries for a mebibyte that was read: {walk:?}");
        }
        let _ = ChanHeader::read(&rt, &soup, at).map(|c| c.waiting().take(1 << 12).count());
        let mut budget = ReadBudget::of(BUDGET);
        let _ = walk_sync_map(&rt, &soup, at, &mut budget, &mut |_| true);
        let _ = pooled_objects(&rt, &soup, at, &mut budget, &mut |_, _| {});
        let mut header = [0; 24];
        if soup.read(at, &mut header).is_ok() {
            let _ = (SliceHeader::of(&header), StringHeader::of(&header));
        }
    }
}

/// A capture of a process with objects, as it was before it was damaged.
fn whole(flavour: Flavour) -> Option<&'static RawCapture> {
    static KEPT: [OnceLock<Option<RawCapture>>; 2] = [OnceLock::new(), OnceLock::new()];
    let [old, new] = &KEPT;
    let place = if flavour == Flavour::Go22 { old } else { new };
    place.get_or_init(|| {
        let process = process::with_objects(flavour);
        let dir = tempfile::tempdir().ok()?;
        let (exe, core) = (dir.path().join("synth"), dir.path().join("core"));
        std::fs::write(&exe, process.image(flavour, false)).ok()?;
        std::fs::write(&core, process.core()).ok()?;
        take_core(&core, Some(&exe)).ok()
    });
    place.get().and_then(Option::as_ref)
}

/// The heap as a graph, of a process that was damaged: all that is said of it, from spans to waste.
pub fn graph(data: &[u8]) {
    let flavour = flavour_of(data);
    let Some(raw) = whole(flavour) else { return };
    let mut p = process::with_objects(flavour);
    Orders::of(data).on_process(&mut p);
    let whole = WholeMemory::of(&p, "core");
    let _ = decode_with_memory(raw, &Provenance::default(), Some(whole));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The targets reach what they are for: an undamaged process has a graph.
    #[test]
    fn an_undamaged_process_has_a_graph() {
        for flavour in [Flavour::Go22, Flavour::Go27] {
            let p = process::with_objects(flavour);
            let whole = WholeMemory::of(&p, "core");
            let decoded = decode_with_memory(super::whole(flavour).unwrap(), &Provenance::default(), Some(whole));
            let graph = decoded.facts.graph.unwrap_or_else(|| panic!("{:?}", decoded.facts.capture.gaps));
            assert!(graph.objects + graph.garbage_objects > 0, "{graph:?}");
        }
    }
}
