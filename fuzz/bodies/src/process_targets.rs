//! Targets that read a make-believe process whose memory was damaged.

use lastgasp_goruntime::{
    CopySource, Evidence, EvidencePlan, Extent, Runtime, SpanTable, StackReader, Symbolizer, decode_goroutines,
    decode_profile, due_roots,
};
use lastgasp_inferior::{Addr, ThreadRegisters};
use lastgasp_synth::{Process, return_address};

use crate::damage::{Orders, flavour_of};
use crate::process;

fn damaged(data: &[u8]) -> (Process, Runtime) {
    let flavour = flavour_of(data);
    let mut p = process::whole(flavour);
    let rt = process::runtime(&p, flavour);
    Orders::of(data).on_process(&mut p);
    (p, rt)
}

/// The memory profile's buckets, and the plan of what to copy.
pub fn buckets(data: &[u8]) {
    let (p, rt) = damaged(data);
    let mut gaps = Vec::new();
    let profile = decode_profile(&rt, &p, &mut gaps);
    for b in &profile.buckets {
        let _ = (profile.current(b), profile.published(b), profile.burst(b));
    }
    let mut plan = EvidencePlan::default();
    let _ = plan.update(&rt, &p);
    let source = CopySource { runtime: &rt, plan: &plan, mem: &p, registers: &[] };
    let _ = Evidence::room(&source, Extent::Whole, 8 << 20);
}

/// Function, line, inline and frame-size tables.
pub fn pclntab(data: &[u8]) {
    let (p, rt) = damaged(data);
    let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
    for pc in (p.at.text.0..p.at.etext.0).step_by(7) {
        let _ = (symbols.frames(Addr(pc)), symbols.function_name(Addr(pc)));
    }
    let _ = rt.globals_by_code(&p);
}

/// Goroutines, their stacks, labels and ancestors, what they hold; the copy of evidence with them, and a
/// thread that stands somewhere.
pub fn goroutines(data: &[u8]) {
    let (p, rt) = damaged(data);
    process::decode_all(&rt, &p);
    let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
    let place = data.get(1..5).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let registers = [ThreadRegisters::at(4711, p.address(place), return_address(1))];
    decode_goroutines(&rt, &p, &symbols, &registers, &mut Vec::new());
    let general = [place.into(); 32];
    let registers = registers.map(|r| ThreadRegisters { general: Some(general), ..r });
    let mut stacks = StackReader::new(&rt, &p, &symbols, &registers);
    for g in stacks.goroutines(&mut Vec::new()) {
        stacks.read(g, &mut |_| {});
    }
    let _ = stacks.finish(&mut Vec::new());
    let _ = due_roots(&rt, &p, &symbols, |_| {});
}

/// The span table and the names of types.
pub fn spans(data: &[u8]) {
    let (p, rt) = damaged(data);
    let mut gaps = Vec::new();
    let Some(mut table) = SpanTable::read(&rt, &p, &mut gaps) else { return };
    table.name_types(&rt, &p);
    let _ = (table.span_bytes(), table.object_bytes(), table.objects(), table.garbage_bytes());
}

/// The heap's objects, and what they point to by the maps of their spans, headers and types.
pub fn pointers(data: &[u8]) {
    let flavour = flavour_of(data);
    let mut p = process::with_objects(flavour);
    let rt = process::runtime(&p, flavour);
    Orders::of(data).on_process(&mut p);
    process::decode_objects(&rt, &p);
}
