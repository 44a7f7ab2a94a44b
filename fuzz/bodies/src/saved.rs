//! The target that reads a capture's own memory: a core that lastgasp has written, and the description in its
//! note.

use std::fs::File;
use std::io::{Cursor, Write as _};
use std::sync::OnceLock;

use lastgasp_decode::{Provenance, decode};
use lastgasp_inferior::CoreFile;
use lastgasp_observe::core::take_core;
use lastgasp_observe::raw_capture::{Loaded, NOTE_DESCRIPTION, RawCapture, parse};
use lastgasp_synth::Flavour;
use serde_json::Value;

use crate::damage::{Orders, flavour_of};
use crate::process;
use crate::stored::number;

/// A capture of a make-believe process, saved; its description by itself.
struct Whole {
    core: Vec<u8>,
    description: Value,
}

fn open(bytes: &[u8]) -> Option<CoreFile> {
    let mut file: File = tempfile::tempfile().ok()?;
    file.write_all(bytes).ok()?;
    CoreFile::open(file, "fuzz.core").ok()
}

fn whole(flavour: Flavour) -> Option<&'static Whole> {
    static KEPT: [OnceLock<Option<Whole>>; 2] = [OnceLock::new(), OnceLock::new()];
    let [old, new] = &KEPT;
    let place = if flavour == Flavour::Go22 { old } else { new };
    place.get_or_init(|| {
        let process = process::whole(flavour);
        let dir = tempfile::tempdir().ok()?;
        let (exe, core) = (dir.path().join("synth"), dir.path().join("core"));
        std::fs::write(&exe, process.image(flavour, false)).ok()?;
        std::fs::write(&core, process.core()).ok()?;
        let raw = take_core(&core, Some(&exe)).ok()?;
        let core = raw.save(Cursor::new(Vec::new()), "", None, u64::MAX).ok()?.out.into_inner();
        let description = serde_json::from_slice(&open(&core)?.own_note(NOTE_DESCRIPTION)?).ok()?;
        Some(Whole { core, description })
    });
    place.get().and_then(Option::as_ref)
}

/// A saved capture that is damaged: its description (bytes that are JSON, or orders to change the numbers of
/// one that is whole: which of them in two bytes, by what in eight), or its file (where the second bit of the
/// first byte says so). What loads is decoded.
pub fn raw(data: &[u8]) {
    let Some(known) = whole(flavour_of(data)) else { return };
    let loaded = match data.first() {
        Some(b'{') => restored(data, &known.core),
        Some(b) if b & 2 == 2 => {
            let mut bytes = known.core.clone();
            Orders::of(data).on_bytes(&mut bytes);
            open(&bytes).and_then(|core| RawCapture::load(core).ok())
        }
        _ => {
            let mut description = known.description.clone();
            let mut count = 0;
            number(&mut description, usize::MAX, 0, &mut count);
            for order in data.get(1..).unwrap_or_default().chunks_exact(10) {
                let Some((which, word)) = order.split_first_chunk::<2>() else { break };
                let value = word.try_into().map_or(0, u64::from_le_bytes);
                number(&mut description, usize::from(u16::from_le_bytes(*which)) % count.max(1), value, &mut 0);
            }
            restored(&serde_json::to_vec(&description).unwrap_or_default(), &known.core)
        }
    };
    if let Some(loaded) = loaded {
        let _ = decode(&loaded.raw, &Provenance::default());
        let _ = loaded.raw.save(Cursor::new(Vec::new()), "", None, u64::MAX);
    }
}

fn restored(description: &[u8], core: &[u8]) -> Option<Loaded> {
    RawCapture::restored(&parse(description).ok()?, open(core)?).ok()
}
