//! Any bytes as the code of a process.

use lastgasp_goruntime::types::{CodeTypes, StackCalls};
use lastgasp_goruntime::{ModuleData, Runtime};
use lastgasp_inferior::{Addr, AddrRange, Memory, ReadError};
use lastgasp_synth::Process;

use crate::damage::flavour_of;
use crate::process;

/// A process with other code.
struct Recoded<'a> {
    process: &'a Process,
    text: AddrRange,
    code: &'a [u8],
}

impl Memory for Recoded<'_> {
    fn read(&self, at: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if self.code.is_empty() || !self.text.contains(at) {
            return self.process.read(at, buf);
        }
        let from = (at.0 - self.text.start.0) as usize % self.code.len();
        let code = self.code.iter().cycle().skip(from);
        buf.iter_mut().zip(code).for_each(|(byte, code)| *byte = *code);
        Ok(())
    }
}

/// What code says of types: of package variables, of results, of stack slots.
pub fn code(data: &[u8]) {
    let flavour = flavour_of(data);
    let process = process::whole(flavour);
    let rt = process::runtime(&process, flavour);
    let text = AddrRange { start: process.at.text, end: process.at.etext };
    let mem = Recoded { process: &process, text, code: data.get(1..).unwrap_or_default() };
    let rt = Runtime { module: ModuleData { variables: text, ..rt.module }, ..rt };
    let mut code = CodeTypes::read(&rt, &mem);
    let words = code.words().len();
    // A stack of as many calls as there are places to return to, each made in the one behind it; and each
    // alone.
    let places: Vec<Addr> = (text.start.0..text.end.0.min(text.start.0 + (1 << 10))).map(Addr).collect();
    let mut calls = StackCalls::default();
    let mut ids = calls.add(&places);
    ids.extend(places.iter().flat_map(|at| calls.add(&[*at])));
    let mut frames = code.frames(&rt, &mem, &calls);
    let said: usize = ids.into_iter().flatten().map(|call| frames.of(call).len()).sum();
    let _ = (words, said);
}
