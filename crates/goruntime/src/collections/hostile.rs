//! What is no collection, and what lies, read as one: an answer or none, never a panic, and no more read than
//! the budget allows.

use std::cell::Cell;

use lastgasp_inferior::{Addr, Memory, ReadCause, ReadError};
use proptest::prelude::*;

use lastgasp_synth::Flavour;

use super::*;
use crate::evidence::Fixture;
use crate::layout;
use crate::runtime::Runtime;
use crate::types::{MapForm, MapLayout};
use crate::version::GoVersion;

/// Bytes that repeat from address 0x1000 on, and what was read of them.
struct Repeating {
    bytes: Vec<u8>,
    read: Cell<u64>,
}

const BASE: u64 = 0x1000;
const MAPPED: u64 = 64 << 20;

impl Memory for Repeating {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let from = addr.0.checked_sub(BASE).filter(|f| f.saturating_add(buf.len() as u64) <= MAPPED);
        let from = from.ok_or(ReadError { addr, len: buf.len(), cause: ReadCause::Absent })?;
        self.read.set(self.read.get() + buf.len() as u64);
        for (i, b) in buf.iter_mut().enumerate() {
            *b = self.bytes[(from as usize + i) % self.bytes.len()];
        }
        Ok(())
    }
}

/// Words as a hostile heap has them: small numbers, addresses in it, anything.
fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        0u64..20,
        (0u64..MAPPED / 8).prop_map(|w| BASE + w * 8),
        any::<u64>(),
        Just(u64::MAX),
        (0u32..64).prop_map(|b| 1u64 << b),
    ];
    prop::collection::vec(word, 8..200).prop_map(|w| w.iter().flat_map(|w| w.to_le_bytes()).collect())
}

fn map_layout(form: MapForm, run_bytes: u64, indirect: (bool, bool)) -> MapLayout {
    MapLayout {
        key: Addr::NULL,
        elem: Addr::NULL,
        run: Addr::NULL,
        form,
        run_bytes,
        keys_at: 8,
        key_stride: 16,
        elems_at: 16,
        elem_stride: 16,
        indirect_key: indirect.0,
        indirect_elem: indirect.1,
    }
}

/// A runtime of a release; of its addresses nothing here asks.
fn runtime(minor: u16) -> Runtime {
    let of_another = Fixture::whole(Flavour::Go27).runtime;
    let version = GoVersion { minor, text: format!("go1.{minor}.0") };
    Runtime { version, layout: layout::for_minor(minor).unwrap(), ..of_another }
}

proptest! {
    #[test]
    fn bytes_that_are_no_collection_are_read_as_one_and_no_further_than_allowed(
        bytes in words(),
        minor in 19u16..=27,
        at in 0u64..4096,
        run_bytes in prop_oneof![0u64..600, any::<u64>()],
        sizes in (prop_oneof![0u64..300, any::<u64>()], prop_oneof![0u64..300, any::<u64>()]),
        indirect in any::<(bool, bool)>(),
    ) {
        let mem = Repeating { bytes, read: Cell::new(0) };
        let rt = runtime(minor);
        let at = Addr(BASE + at * 8);
        const BUDGET: u64 = 1 << 20;
        let mut reader = MapReader::new(&rt, &mem);
        let form = MapForm::of(&rt.version);
        let other = if form == MapForm::Groups { MapForm::Buckets } else { MapForm::Groups };
        for form in [form, other] {
            let layout = map_layout(form, run_bytes, indirect);
            let before = mem.read.get();
            let walk = reader.walk(at, &layout, sizes, &mut ReadBudget::of(BUDGET), |_| true);
            // Twice at most, and what headers and single tables cost.
            prop_assert!(mem.read.get() - before <= 2 * BUDGET + (1 << 20), "{} read, {walk:?}", mem.read.get() - before);
        }
        let _ = reader.arrays(at, &mut ReadBudget::of(BUDGET));
        let _ = ChanHeader::read(&rt, &mem, at).map(|c| c.waiting().take(1000).count());
        let before = mem.read.get();
        let _ = walk_sync_map(&rt, &mem, at, &mut ReadBudget::of(BUDGET), &mut |_| true);
        let _ = pooled_objects(&rt, &mem, at, &mut ReadBudget::of(BUDGET), &mut |_, _| {});
        prop_assert!(mem.read.get() - before <= 8 * BUDGET, "{} read", mem.read.get() - before);
        let kinds = [HeaderKind::Map, HeaderKind::Slice, HeaderKind::String, HeaderKind::Chan];
        let known: Vec<_> = kinds.iter().map(|kind| KnownHeader { at, kind: *kind }).collect();
        prop_assert_eq!(HeaderReader::new(&rt).read(&mem, &known).len(), 4);
    }
}
