//! What the targets share: a make-believe process, damaged by the fuzzer's bytes.

use lastgasp_goruntime::Runtime;
use lastgasp_synth::{Flavour, Process};

#[path = "../../crates/goruntime/tests/synthetic/process.rs"]
pub mod process;

/// A process that the input has damaged: each five bytes are a place and a value. The first byte chooses the flavour.
pub fn damaged(data: &[u8]) -> (Process, Runtime) {
    let flavour = if data.first().is_some_and(|b| b & 1 == 1) { Flavour::Go27 } else { Flavour::Go22 };
    let mut p = process::whole(flavour);
    let rt = process::runtime(&p, flavour);
    let hits: Vec<(u32, u8)> = data
        .get(1..)
        .unwrap_or_default()
        .chunks_exact(5)
        .filter_map(|c| Some((u32::from_le_bytes(c.get(..4)?.try_into().ok()?), *c.get(4)?)))
        .collect();
    p.damage(&hits);
    (p, rt)
}
