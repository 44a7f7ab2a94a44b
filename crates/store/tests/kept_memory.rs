//! A capture with its memory, of a make-believe process: decoded again from it, and read from its facts where
//! it is damaged or gone.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use lastgasp_decode::{Decoded, Provenance, decode};
use lastgasp_diagnosis::Facts;
use lastgasp_inferior::CoreFile;
use lastgasp_observe::core::take_core;
use lastgasp_observe::raw_capture::{NOTE_DESCRIPTION, RawCapture};
use lastgasp_store::{Form, KeepMemory, Told, Written, read, write_keeping};
use lastgasp_synth::{Flavour, write_service};

/// What the lastgasp that wrote it was: this one, as whoever decodes again is.
fn provenance() -> Provenance {
    Provenance { lastgasp_version: env!("CARGO_PKG_VERSION").into(), kernel: "9.9.9-there".into() }
}

fn taken(dir: &Path) -> RawCapture {
    let (exe, core) = write_service(Flavour::Go27, dir).unwrap();
    let raw = take_core(&core, Some(&exe)).unwrap();
    fs::remove_file(exe).unwrap();
    raw
}

fn written(store: &Path, raw: &RawCapture, form: Form, max_bytes: Option<u64>) -> (Decoded, Written) {
    let provenance = provenance();
    let decoded = decode(raw, &provenance);
    let keep = KeepMemory { raw, kernel: &provenance.kernel, source: None, max_bytes };
    let written = write_keeping(store, &decoded, &Told::alone(&decoded.facts), form, Some(&keep)).unwrap();
    (decoded, written)
}

/// The facts of a capture, its gaps by themselves.
fn facts(path: &Path) -> (Facts, Vec<String>) {
    let mut facts = read(path).unwrap();
    let gaps = std::mem::take(&mut facts.capture.gaps);
    (facts, gaps.into_iter().map(|g| format!("{}: {}", g.what, g.why)).collect())
}

#[test]
fn decoded_again_and_read_from_its_facts() {
    let dir = tempfile::tempdir().unwrap();
    let raw = taken(dir.path());
    let (decoded, Written { path, gaps }) = written(dir.path(), &raw, Form::Whole, None);
    assert_eq!(gaps, []);
    assert_eq!(decoded.facts.profile.sites.len(), 2);
    let core = path.join("memory.core");
    let bytes = fs::read(&core).unwrap();
    let (again, said) = facts(&path);
    let expected = Facts { capture: again.capture.clone(), ..decoded.facts.clone() };
    assert_eq!((&again, again.capture.kernel.as_str()), (&expected, ""), "a core does not say its kernel");
    assert!(said.iter().all(|gap| !gap.starts_with("memory.core")), "{said:?}");

    // The facts may be gone then: the memory is what counts.
    let kept = fs::read(path.join("facts.json.gz")).unwrap();
    fs::write(path.join("facts.json.gz"), "damaged").unwrap();
    assert_eq!(facts(&path), (again.clone(), said.clone()));
    fs::write(path.join("facts.json.gz"), kept).unwrap();

    // Whatever becomes of the memory, the facts of then are read, and it is said.
    let described = bytes.windows(14).rposition(|w| w == b"lastgasp.raw/1").unwrap();
    let mut flipped = bytes.clone();
    flipped[described + 40] ^= 1;
    let evidence = bytes.windows(8).position(|w| w != [0; 8] && w[0] == b'm').unwrap_or(200);
    let mut other = bytes.clone();
    other[evidence] ^= 1;
    let spoilt: [&[u8]; 4] = [&flipped, &other, &bytes[..bytes.len() / 2], b"no core"];
    for (i, bytes) in spoilt.into_iter().enumerate() {
        fs::write(&core, bytes).unwrap();
        let (from_facts, said) = facts(&path);
        assert_eq!(from_facts, again, "{i}");
        assert!(said.iter().any(|g| g.starts_with("memory.core") && g.contains("when it was taken")), "{i} {said:?}");
    }
    fs::remove_file(&core).unwrap();
    assert_eq!(facts(&path).0, again);
}

/// Decoded again by a later lastgasp, a capture is still of the one that took it.
#[test]
fn whoever_decodes_it_again_did_not_take_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_, Written { path, .. }) = written(dir.path(), &taken(dir.path()), Form::Whole, None);
    let core = path.join("memory.core");
    let mut bytes = fs::read(&core).unwrap();
    let opened = CoreFile::open(fs::File::open(&core).unwrap(), "core").unwrap();
    let text = opened.own_note(NOTE_DESCRIPTION).unwrap();
    let version = format!("\"lastgasp_version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let earlier = version.replace(|c: char| c.is_ascii_digit(), "0");
    let text_then = String::from_utf8(text.clone()).unwrap().replace(&version, &earlier).into_bytes();
    let sum = |text: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(text);
        crc.sum().to_le_bytes()
    };
    let mut replace = |of: &[u8], by: &[u8]| {
        let at = bytes.windows(of.len()).rposition(|w| w == of).unwrap();
        bytes[at..at + of.len()].copy_from_slice(by);
    };
    replace(&text, &text_then);
    replace(&sum(&text), &sum(&text_then));
    fs::write(&core, bytes).unwrap();
    let (again, said) = facts(&path);
    assert!(said.iter().all(|gap| !gap.starts_with("memory.core")), "{said:?}");
    assert_eq!(again.capture.lastgasp_version, earlier.split('"').nth(3).unwrap());
}

/// There is no room for it, and nothing else is lost.
#[test]
fn no_room_for_memory_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let raw = taken(dir.path());
    let (decoded, Written { path, gaps }) = written(dir.path(), &raw, Form::Whole, Some(100));
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    assert!(gap.what == "memory.core" && gap.why.starts_with("not written"), "{gap:?}");
    let files: Vec<PathBuf> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(!files.iter().any(|f| f.ends_with("memory.core")), "{files:?}");
    let (facts, said) = facts(&path);
    assert_eq!(facts.profile, decoded.facts.profile);
    assert!(said.iter().any(|g| g.starts_with("memory.core: not written")), "{said:?}");
}
