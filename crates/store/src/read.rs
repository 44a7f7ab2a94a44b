//! A folder to facts, whoever made it: decoded again where the target's memory was kept, else as they were decoded then.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use lastgasp_capture::{Capture, FACTS, MEMORY};
use lastgasp_decode::decode;
use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::{SCHEMA, from_json};
use lastgasp_inferior::CoreFile;
use lastgasp_observe::raw_capture::{Loaded, RawCapture};

use crate::error::StoreError;

/// Largest facts that are read back, in bytes of JSON: of the 20,000 sites of a large service they are some ten megabytes.
const MAX_FACTS: u64 = 256 << 20;

/// The facts of a capture. One that has its memory is decoded again, so that what this lastgasp can do more than the one that took it is done; where that memory is
/// damaged, or cannot be read here, the facts of then are taken, and a gap says so.
pub fn read(path: &Path) -> Result<Facts, StoreError> {
    let capture = Capture::open(path)?;
    let mut facts = match capture.has(MEMORY).then(|| load(&capture, path)) {
        None => stored_facts(&capture, path)?,
        Some(Ok(loaded)) => decode(&loaded.raw).facts,
        Some(Err(e)) => {
            let mut facts = stored_facts(&capture, path)?;
            let why = format!("{e}: this is what was decoded when it was taken");
            facts.capture.gaps.push((MEMORY.into(), why));
            facts
        }
    };
    // A rescued capture says in its manifest what it lacks.
    for g in &capture.manifest().gaps {
        let gap = (g.what.clone(), g.why.clone());
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
    let mut json = Vec::new();
    GzDecoder::new(&*capture.read(FACTS)?)
        .take(MAX_FACTS)
        .read_to_end(&mut json)
        .map_err(|source| StoreError::Decompress { path: path.into(), source })?;
    let facts = from_json(&json).map_err(|source| StoreError::Parse { path: path.into(), source })?;
    if facts.schema != SCHEMA {
        return Err(StoreError::OtherSchema { path: path.into(), schema: facts.schema });
    }
    Ok(facts)
}
