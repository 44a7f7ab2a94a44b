//! A capture that was saved and loaded again decodes to the same facts, whatever else stands in its core; one
//! that was damaged decodes to the same, or is refused.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::{Cursor, Write as _};

use lastgasp_decode::{Provenance, decode};
use lastgasp_diagnosis::Facts;
use lastgasp_inferior::{Access, Addr, AddrRange, CoreFile, Memory, ReadError};
use lastgasp_observe::core::take_core;
use lastgasp_observe::raw_capture::{Loaded, OtherMemory, RawCapture, Region, WhenRead, is_saved};
use lastgasp_synth::{Flavour, service, write_service};
use proptest::prelude::*;

/// A process, taken out of its core; its executable is gone when this returns.
fn taken(flavour: Flavour) -> RawCapture {
    let dir = tempfile::tempdir().unwrap();
    let (exe, core) = write_service(flavour, dir.path()).unwrap();
    take_core(&core, Some(&exe)).unwrap()
}

fn facts(raw: &RawCapture) -> Facts {
    decode(raw, &Provenance { lastgasp_version: "1.2.3".into(), kernel: "9.9.9".into() }).facts
}

fn saved(raw: &RawCapture, other: Option<&OtherMemory<'_>>) -> Vec<u8> {
    raw.save(Cursor::new(Vec::new()), "9.9.9", other, u64::MAX).unwrap().out.into_inner()
}

fn core(bytes: &[u8]) -> Option<CoreFile> {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    CoreFile::open(file, "memory.core").ok()
}

fn loaded(bytes: &[u8]) -> Loaded {
    RawCapture::load(core(bytes).unwrap()).unwrap()
}

/// Memory that says 0xee wherever it is read.
struct Later;

impl Memory for Later {
    fn read(&self, _: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        buf.fill(0xee);
        Ok(())
    }
}

#[test]
fn the_same_facts_without_the_executable() {
    for flavour in [Flavour::Go22, Flavour::Go27] {
        let raw = taken(flavour);
        let before = facts(&raw);
        assert!(before.profile.sites.len() == 2 && before.goroutines.total == 1, "{before:?}");
        let again = loaded(&saved(&raw, None));
        assert_eq!(facts(&again.raw), before);
        assert_eq!((again.kernel.as_str(), again.other), ("9.9.9", None));
        // And saved once more, out of what was saved.
        assert_eq!(facts(&loaded(&saved(&again.raw, None)).raw), before);
    }
}

/// Memory that was read later fills the core and changes no fact: the evidence stands over it.
#[test]
fn later_memory_is_kept_apart() {
    let raw = taken(Flavour::Go27);
    let before = facts(&raw);
    let held = raw.evidence.snapshot.ranges();
    let page = |a: u64| a / 4096 * 4096;
    let regions: Vec<Region> = held
        .iter()
        .map(|r| AddrRange { start: Addr(page(r.start.0)), end: Addr(page(r.end.0) + 4096) })
        .map(|range| Region { range, access: Access::ReadWrite })
        .collect();
    let other = OtherMemory {
        zeros: Vec::new(),
        memory: &Later,
        regions,
        read: WhenRead::Running,
        mappings: Vec::new(),
        auxv: Vec::new(),
        go_on: &|| true,
        gaps: Vec::new(),
    };
    let bytes = saved(&raw, Some(&other));
    let again = loaded(&bytes);
    assert_eq!(facts(&again.raw), before);
    assert_eq!(again.other, Some(WhenRead::Running));
    let first = held.first().unwrap();
    // What was copied at the stop is what a debugger sees; beside it stands what was read later, and nothing
    // of that is evidence.
    assert_eq!(again.core.u8(first.start).ok(), raw.evidence.snapshot.u8(first.start).ok());
    let beside = held.windows(2).map(|w| (w[0].end, w[1].start)).find(|(a, b)| b.0 - a.0 > 64).unwrap().0;
    assert_eq!(again.core.u8(beside).unwrap(), 0xee);
    assert!(again.raw.evidence.snapshot.u8(beside).is_err() && raw.evidence.snapshot.u8(beside).is_err());
}

/// A target that ends while its memory is read, and a bound: the evidence and constants are whole all the
/// same.
#[test]
fn what_is_cut_short_is_decoded() {
    let raw = taken(Flavour::Go22);
    let region = Region { range: AddrRange::sized(Addr(0x7f00_0000_0000), 64 << 20), access: Access::ReadWrite };
    for (go_on, max) in [(false, u64::MAX), (true, 1 << 20)] {
        let go_on = || go_on;
        let other = OtherMemory {
            zeros: Vec::new(),
            memory: &Later,
            regions: vec![region],
            read: WhenRead::Dead,
            mappings: Vec::new(),
            auxv: Vec::new(),
            go_on: &go_on,
            gaps: Vec::new(),
        };
        let saved = raw.save(Cursor::new(Vec::new()), "", Some(&other), max).unwrap();
        let [gap] = saved.gaps.as_slice() else { panic!("{:?}", saved.gaps) };
        assert!(gap.what == "memory.core" && gap.why.contains("bytes of memory"), "{gap:?}");
        assert!(saved.bytes < 8 << 20);
        assert_eq!(facts(&loaded(&saved.out.into_inner()).raw), facts(&raw));
    }
}

#[test]
fn somebody_elses_core_is_none_of_ours() {
    let core = core(&service(Flavour::Go27).core()).unwrap();
    assert!(!is_saved(&core));
    assert!(RawCapture::load(core).unwrap_err().to_string().contains("was not written by lastgasp"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// Bytes flipped, and the end cut off: it is refused, or decodes to the same; never to something else,
    /// and never with a panic.
    #[test]
    fn damage_is_found(cut in 0usize..64, flips in proptest::collection::vec((any::<u32>(), 1u8..), 1..4)) {
        thread_local!(static WHOLE: (Facts, Vec<u8>) = {
            let raw = taken(Flavour::Go27);
            (facts(&raw), saved(&raw, None))
        });
        WHOLE.with(|(before, whole)| {
            let mut bytes = whole.clone();
            for (at, value) in &flips {
                let at = *at as usize % bytes.len();
                bytes[at] ^= value;
            }
            bytes.truncate(bytes.len() - cut / 8);
            if let Some(Ok(again)) = core(&bytes).map(RawCapture::load) {
                prop_assert_eq!(&facts(&again.raw), before);
            }
            Ok(())
        })?;
    }
}
