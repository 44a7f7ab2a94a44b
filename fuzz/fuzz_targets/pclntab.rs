//! Function, line, inline and frame-size tables that were damaged.
#![no_main]

use lastgasp_goruntime::Symbolizer;
use lastgasp_inferior::Addr;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (p, rt) = lastgasp_fuzz::damaged(data);
    let symbols = Symbolizer::new(&p, &rt.module, rt.layout);
    for pc in (p.at.text.0..p.at.etext.0).step_by(7) {
        let _ = (symbols.frames(Addr(pc)), symbols.function_name(Addr(pc)));
    }
});
