#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]
use lastgasp_goheap::Heap;
use lastgasp_goruntime::{LabelSalt, Symbolizer, decode_all_goroutines};
use lastgasp_inferior::{CoreFile, Layered};
use lastgasp_observe::core::take_core;
use std::fs::File;
fn main() {
    let show: usize = std::env::var("SHOW").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    for path in std::env::args().skip(1) {
        let path = std::path::PathBuf::from(path);
        let Ok(taken) = take_core(&path, None) else {
            println!("{} not read", path.display());
            continue;
        };
        let core = CoreFile::open(File::open(&path).unwrap(), "core").unwrap();
        let (constants, _) = taken.binary.constants(&taken.runtime).unwrap();
        let memory = Layered { top: &core, bottom: constants };
        let mut gaps = Vec::new();
        let symbols = Symbolizer::new(&memory, &taken.runtime.module, taken.runtime.layout);
        if std::env::var("WORDS").is_ok() {
            let code = lastgasp_goruntime::types::CodeTypes::read(&taken.runtime, &memory);
            let mut types = lastgasp_goruntime::TypeReader::new(&taken.runtime, &memory);
            for (w, s) in code.words() {
                print!("{:#x} {:?}", w.at.0, w.offsets);
                for s in s {
                    use lastgasp_goruntime::types::Said::*;
                    let n = match *s {
                        Pointer(a) | Array(a) | Map(a) | Chan(a) | Memory(a) => {
                            types.get(a).map_or("?".to_owned(), |t| t.name.to_string())
                        }
                        _ => String::new(),
                    };
                    print!("  {s:x?} {n}");
                }
                println!();
            }
        }
        let salt = LabelSalt::default();
        let goroutines = decode_all_goroutines(&taken.runtime, &memory, &symbols, &taken.registers, &salt, &mut gaps);
        let Some(heap) = Heap::read(&taken, &memory, &goroutines.live, &mut gaps) else {
            println!("{} {gaps:?}", path.display());
            continue;
        };
        let totals = heap.by_type();
        let live: u64 = totals.iter().map(|t| t.own.bytes).sum();
        let known: u64 = totals.iter().filter(|t| t.is_known).map(|t| t.own.bytes).sum();
        println!(
            "{:50} {:.4} of {live}",
            path.parent().unwrap().file_name().unwrap().to_string_lossy(),
            known as f64 / live as f64
        );
        for t in totals.iter().filter(|t| !t.is_known).take(show) {
            println!("      {:50} {:8} {:9}", t.name, t.own.objects, t.own.bytes);
        }
    }
}
