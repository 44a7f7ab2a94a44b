//! A folder to facts: whoever made it.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use lastgasp_capture::{Capture, FACTS};
use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::{SCHEMA, from_json};

use crate::error::StoreError;

/// Largest facts that are read back, in bytes of JSON: of the 20,000 sites of a large service they are some ten megabytes.
const MAX_FACTS: u64 = 256 << 20;

/// The facts of a capture.
pub fn read(path: &Path) -> Result<Facts, StoreError> {
    let capture = Capture::open(path)?;
    let mut json = Vec::new();
    GzDecoder::new(&*capture.read(FACTS)?)
        .take(MAX_FACTS)
        .read_to_end(&mut json)
        .map_err(|source| StoreError::Decompress { path: path.into(), source })?;
    let mut facts = from_json(&json).map_err(|source| StoreError::Parse { path: path.into(), source })?;
    if facts.schema != SCHEMA {
        return Err(StoreError::OtherSchema { path: path.into(), schema: facts.schema });
    }
    // A rescued capture says in its manifest what it lacks.
    for g in &capture.manifest().gaps {
        let gap = (g.what.clone(), g.why.clone());
        if !facts.capture.gaps.contains(&gap) {
            facts.capture.gaps.push(gap);
        }
    }
    Ok(facts)
}
