//! A folder to facts, whoever made it: decoded again where the target's memory was kept, else as they were
//! decoded then.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use lastgasp_capture::{Capture, FACTS, MEMORY};
use lastgasp_decode::{Provenance, WholeMemory, decode_with_memory};
use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::{FactsError, Gap, from_json};
use lastgasp_inferior::CoreFile;
use lastgasp_observe::raw_capture::{Loaded, RawCapture, WhenRead};

use crate::error::StoreError;

/// Largest facts that are read back, in bytes of JSON: of the 20,000 sites of a large service they are some
/// ten megabytes.
const MAX_FACTS: u64 = 256 << 20;

/// Reads the facts of a capture. One that has its memory is decoded again, so that what this lastgasp can do
/// more than the one that took it is done; where that memory is damaged, or cannot be read here, the facts of
/// then are taken, and a gap says so.
///
/// # Errors
/// [`StoreError`]: what is wrong with the folder or its facts.
pub fn read(path: &Path) -> Result<Facts, StoreError> {
    let capture = Capture::open(path)?;
    let mut facts = match capture.has(MEMORY).then(|| load(&capture, path)) {
        None => stored_facts(&capture, path)?,
        Some(Ok(loaded)) => {
            let Loaded { raw, kernel, lastgasp_version, core, other } = loaded;
            // Made when the executable was at hand, it has names for the variables.
            let made = stored_facts(&capture, path).ok().and_then(|then| then.graph);
            let is_whole = made.is_none() && other.is_some_and(WhenRead::is_whole);
            let whole = is_whole.then_some(WholeMemory::of(&*core, "core"));
            let provenance = Provenance { lastgasp_version, kernel };
            let facts = decode_with_memory(&raw, &provenance, whole).facts;
            let mut facts = Facts { graph: made.or(facts.graph), ..facts };
            facts.join_census();
            facts
        }
        Some(Err(e)) => {
            let mut facts = stored_facts(&capture, path)?;
            let why = format!("{e}: this is what was decoded when it was taken");
            facts.capture.gaps.push(Gap::new(MEMORY, why));
            facts
        }
    };
    // A rescued capture says in its manifest what it lacks.
    for g in &capture.manifest().gaps {
        let gap = Gap::new(&g.what, &g.why);
        if !facts.capture.gaps.contains(&gap) {
            facts.capture.gaps.push(gap);
        }
    }
    Ok(facts)
}

/// The raw capture in its memory.
fn load(capture: &Capture, path: &Path) -> Result<Loaded, StoreError> {
    let file = capture.open_file(MEMORY)?;
    let core = CoreFile::open(file, path.join(MEMORY).display().to_string())?;
    Ok(RawCapture::load(core)?)
}

fn stored_facts(capture: &Capture, path: &Path) -> Result<Facts, StoreError> {
    let json = decompressed(&capture.read(FACTS)?, MAX_FACTS)
        .map_err(|source| StoreError::Decompress { path: path.into(), source })?;
    from_json(&json).map_err(|e| match e {
        FactsError::Json(source) => StoreError::Parse { path: path.into(), source },
        FactsError::OtherSchema(schema) => StoreError::OtherSchema { path: path.into(), schema },
    })
}

/// The first `most` bytes of what was compressed: a few kilobytes may expand to any length.
fn decompressed(bytes: &[u8], most: u64) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).take(most).read_to_end(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use lastgasp_capture::{GapEntry, Manifest, Writer};

    use super::*;

    fn compressed(text: &str) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    /// A capture whose facts are these bytes, read back.
    fn read_back(facts: &[u8], gaps: Vec<GapEntry>) -> Result<Facts, StoreError> {
        let store = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(store.path(), "x").unwrap();
        writer.add(FACTS, facts).unwrap();
        read(&writer.seal(Manifest { gaps, ..Manifest::default() }).unwrap())
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (facts, words, causes) in [
            (b"not compressed".to_vec(), "facts.json.gz of ", true),
            (compressed("no JSON"), "facts.json.gz of ", true),
            (compressed("{}"), "is no capture of lastgasp's: facts.json.gz has the schema \"\"", false),
            (compressed(r#"{"schema": "lastgasp.facts/0"}"#), "has the schema \"lastgasp.facts/0\"", false),
        ] {
            let error = read_back(&facts, Vec::new()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.source().is_some(), causes, "{error}");
        }
    }

    /// A rescued capture's manifest names what it lacks; what the facts name already is not said twice.
    #[test]
    fn gaps_of_the_manifest_are_gaps_of_the_facts() {
        let gap = |what: &str| GapEntry { what: what.into(), why: "cut short".into() };
        let facts = compressed(r#"{"schema": "lastgasp.facts/1", "capture": {"gaps": [["a", "cut short"]]}}"#);
        let got = read_back(&facts, vec![gap("a"), gap("b")]).unwrap().capture.gaps;
        let of = |what: &str| Gap::new(what, "cut short");
        assert_eq!(got, [of("a"), of("b")]);
    }

    /// Age is no reason to refuse a capture: of what a later lastgasp has written the known part is read.
    #[test]
    fn captures_of_every_age_are_read() {
        for (schema, gaps) in [("lastgasp.facts/1", 0), ("lastgasp.facts/2", 0), ("lastgasp.facts/3", 1)] {
            let facts = format!(r#"{{"schema": "{schema}", "target": {{"pid": 7}}, "later": []}}"#);
            let got = read_back(&compressed(&facts), Vec::new()).unwrap();
            assert_eq!((got.target.pid, got.capture.gaps.len()), (7, gaps), "{schema}");
        }
    }

    #[test]
    fn a_bomb_is_cut_off() {
        let bomb = compressed(&"0".repeat(1 << 20));
        assert!(bomb.len() < 1 << 14, "{}", bomb.len());
        assert_eq!(decompressed(&bomb, 1000).unwrap(), [b'0'; 1000]);
    }
}
