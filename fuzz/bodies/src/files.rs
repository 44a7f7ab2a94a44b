//! Targets that read files: executables and cores.

use std::fs::File;
use std::io::Write as _;
use std::sync::OnceLock;

use std::time::Duration;

use lastgasp_goruntime::{Evidence, EvidencePlan, Runtime, parse_buildinfo};
use lastgasp_inferior::{Addr, AddrRange, CoreFile, ElfImage, Layered, Memory};
use lastgasp_observe::target::inspect::{FileSays, Located, inspect};
use lastgasp_synth::{Flavour, Process};

use crate::damage::{Orders, flavour_of};
use crate::process;

fn file(bytes: &[u8]) -> Option<File> {
    let mut file = tempfile::tempfile().ok()?;
    file.write_all(bytes).ok()?;
    Some(file)
}

/// What a process looks like as files: made once for each release.
struct Whole {
    process: Process,
    /// With a symbol table, and stripped.
    images: [Vec<u8>; 2],
    core: Vec<u8>,
}

fn whole(flavour: Flavour) -> &'static Whole {
    static KEPT: [OnceLock<Whole>; 2] = [OnceLock::new(), OnceLock::new()];
    let [old, new] = &KEPT;
    let place = if flavour == Flavour::Go22 { old } else { new };
    place.get_or_init(|| {
        let process = process::whole(flavour);
        let images = [process.image(flavour, false), process.image(flavour, true)];
        Whole { core: process.core(), images, process }
    })
}

/// ELF headers, sections, symbols and build information of a file that is hostile from its first byte on.
pub fn elf(data: &[u8]) {
    let _ = parse_buildinfo(data);
    let Some(image) = file(data).and_then(|f| ElfImage::open(f, "fuzz").ok()) else { return };
    look_at(&image);
    if let Ok(mem) = image.memory(0, &[AddrRange::sized(Addr(0x40_0000), 1 << 20)]) {
        let _ = mem.u64(Addr(0x40_0000));
        let _ = Runtime::discover(&image, 0, &mem);
    }
}

fn look_at(image: &ElfImage) {
    let _ = image.symbols(&["runtime.mbuckets"]);
    let _ = Runtime::build_info(image);
    for s in image.sections() {
        let _ = image.section_bytes(s);
    }
}

/// A core file: hostile from its first byte on, or a whole one that was damaged, with its executable. The
/// second bit of the first byte chooses.
pub fn core(data: &[u8]) {
    let flavour = flavour_of(data);
    let known = whole(flavour);
    let bytes = if data.first().is_some_and(|b| b & 2 == 2) {
        let mut bytes = known.core.clone();
        Orders::of(data).on_bytes(&mut bytes);
        bytes
    } else {
        data.get(1..).unwrap_or_default().to_vec()
    };
    let Some(core) = file(&bytes).and_then(|f| CoreFile::open(f, "fuzz.core").ok()) else { return };
    for r in core.ranges() {
        let _ = (core.u64(r.start), core.u8(Addr(r.end.0.saturating_sub(1))), core.u64(r.end));
        let _ = core.bytes(r.start, r.len().min(1 << 16) as usize, 1 << 16);
    }
    let _ = (core.pid(), core.missing(), core.left_out(), core.threads(), core.written());
    let [image, _] = &known.images;
    let Some(image) = file(image).and_then(|f| ElfImage::open(f, "fuzz").ok()) else { return };
    let mapped = core.executable();
    let bias = core.bias_of(&image, mapped);
    for m in core.mapped_files().iter().take(8) {
        let _ = core.matches(&image, core.bias_of(&image, Some(m)));
    }
    let _ = core.matches(&image, bias);
    let Ok(code) = image.memory(bias, &[]) else { return };
    let mem = Layered { top: &core, bottom: code };
    if let Ok(rt) = Runtime::discover(&image, bias, &mem) {
        process::decode_all(&rt, &mem);
    }
}

/// Module data, pclntab and function table of an executable and of its process, both damaged; then all that
/// discovery leads to.
pub fn modules(data: &[u8]) {
    let flavour = flavour_of(data);
    let known = whole(flavour);
    let first = data.first().copied().unwrap_or(0);
    let [with_symbols, stripped] = &known.images;
    let mut bytes = if first & 2 == 2 { stripped } else { with_symbols }.clone();
    let mut p = known.process.clone();
    // Both, from one half of the orders each.
    let (ours, theirs) = data.split_at(data.len().div_ceil(2));
    Orders::of(ours).on_process(&mut p);
    if first & 4 == 4 {
        Orders::of(theirs).on_bytes(&mut bytes);
    }
    let Some(image) = file(&bytes).and_then(|f| ElfImage::open(f, "fuzz").ok()) else { return };
    // Shared libraries and position-independent executables are moved; this one is not, and the tables say
    // so.
    let bias = if first & 8 == 8 { u64::from(first) << 12 } else { 0 };
    let Ok(location) = Runtime::locate(&image, bias, &p) else { return };
    if let Ok(rt) = Runtime::apply(&image, bias, &p, &location) {
        process::decode_all(&rt, &p);
    }
}

/// Attaching as a whole: an executable and its process, both damaged, are inspected as a worker does; what it
/// would say is taken as the daemon takes it; and the first looks are taken.
pub fn attach(data: &[u8]) {
    let flavour = flavour_of(data);
    let known = whole(flavour);
    let first = data.first().copied().unwrap_or(0);
    let [with_symbols, stripped] = &known.images;
    let mut bytes = if first & 2 == 2 { stripped } else { with_symbols }.clone();
    let mut p = known.process.clone();
    let (ours, theirs) = data.split_at(data.len().div_ceil(2));
    if first & 4 == 4 {
        Orders::of(ours).on_process(&mut p);
    }
    if first & 8 == 8 {
        Orders::of(theirs).on_bytes(&mut bytes);
    }
    // Or hostile from the first byte on.
    if first & 16 == 16 {
        bytes = data.get(1..).unwrap_or_default().to_vec();
    }
    let Some(opened) = file(&bytes) else { return };
    let Ok(kept) = opened.try_clone() else { return };
    let says = inspect(opened, "fuzz", &p, |_| 0, Duration::ZERO);
    let Ok(message) = serde_json::to_vec(&says) else { return };
    // It is said on a line: what is read back is what the daemon has.
    let Ok(FileSays::Go(go)) = serde_json::from_slice(&message) else { return };
    assert!(go.can_be(), "a worker that was not led astray is believed");
    let (Ok(image), Located::At(location)) = (ElfImage::told(kept.into(), "fuzz", go.image.clone()), &go.runtime)
    else {
        return;
    };
    let Ok(rt) = Runtime::apply_known(&image, go.build_info.clone(), 0, &p, location) else { return };
    let mut plan = EvidencePlan::default();
    plan.update(&rt, &p);
    let _ = Evidence::memstats(&rt, &p);
    process::decode_all(&rt, &p);
}
