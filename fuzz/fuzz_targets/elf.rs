//! ELF headers, sections, symbols and build information of a hostile file.
#![no_main]

use std::io::Write as _;

use lastgasp_goruntime::{Runtime, parse_buildinfo};
use lastgasp_inferior::{Addr, AddrRange, ElfImage, Memory as _};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = parse_buildinfo(data);
    let Ok(mut file) = tempfile::tempfile() else { return };
    if file.write_all(data).is_err() {
        return;
    }
    let Ok(image) = ElfImage::open(file, "fuzz") else { return };
    let _ = image.symbols(&["runtime.mbuckets"]);
    let _ = Runtime::build_info(&image);
    if let Ok(mem) = image.memory(0, &[AddrRange::sized(Addr(0x40_0000), 1 << 20)]) {
        let _ = mem.u64(Addr(0x40_0000));
        let _ = Runtime::discover(&image, 0, &mem);
    }
});
