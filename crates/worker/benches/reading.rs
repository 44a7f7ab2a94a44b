//! How fast memory is read by `process_vm_readv` and by `/proc/PID/mem`, in blocks through one buffer, with one thread
//! and with two: why a worker that holds a live target up reads it by its number (docs/adr/0006-workers-that-can-be-lost.md).
//! `cargo bench -p lastgasp-worker -- 1024` with so many MiB. It reads itself.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::fs::File;
use std::time::Instant;

use lastgasp_inferior::{Addr, HandedMemory, Memory as _};
use nix::time::{ClockId, clock_gettime};

fn main() {
    let mib: usize = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(512);
    let all = vec![1u8; mib << 20];
    let open = || HandedMemory::new(File::open("/proc/self/mem").unwrap());
    let own = std::process::id().cast_signed();
    println!("{mib} MiB of small pages, read in blocks through one reused buffer a thread");
    for (name, by_number) in [("/proc/PID/mem", false), ("process_vm_readv", true)] {
        for threads in [1, 2] {
            for block in [64 << 10, 1 << 20, 4 << 20] {
                let (began, used) = (Instant::now(), processor());
                std::thread::scope(|scope| {
                    for part in all.chunks(all.len().div_ceil(threads)) {
                        scope.spawn(move || {
                            let memory = if by_number { open().by_number(own) } else { open() };
                            let mut buf = vec![0; block];
                            for piece in part.chunks(block) {
                                let into = buf.get_mut(..piece.len()).unwrap();
                                memory.read(Addr(piece.as_ptr() as u64), into).unwrap();
                            }
                        });
                    }
                });
                let (wall, cpu) = (began.elapsed().as_secs_f64(), processor() - used);
                let gb = all.len() as f64 / 1e9;
                println!(
                    "{name:17} {threads} thread(s), blocks of {:4} KiB: {:5.2} GB/s, {:5.2} GB for a CPU second",
                    block >> 10,
                    gb / wall,
                    gb / cpu
                );
            }
        }
    }
}

/// CPU seconds of this process.
fn processor() -> f64 {
    let t = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    t.tv_sec() as f64 + t.tv_nsec() as f64 / 1e9
}
