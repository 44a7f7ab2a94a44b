//! The heap graph of cores: `cargo bench -p lastgasp-decode --bench heap_graph -- CORE...`. Of each phase
//! that the decoders tell of, wall and processor seconds, the most memory in it, and what of it is left at
//! its end; one core after another.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fmt::{Debug, Write as _};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use lastgasp_decode::{Provenance, WholeMemory, decode_with_memory};
use lastgasp_inferior::CoreFile;
use lastgasp_observe::core::take_core;
use nix::sys::resource::{UsageWho, getrusage};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

fn main() {
    // `cargo bench` itself says `--bench`.
    let cores: Vec<PathBuf> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    if cores.is_empty() {
        println!("no core was named: nothing is measured");
        return;
    }
    tracing::subscriber::set_global_default(Phases(Mutex::new((Instant::now(), processor_seconds())))).unwrap();
    for core in cores {
        println!("{}", core.display());
        let began = (Instant::now(), processor_seconds());
        let taken = take_core(&core, None).unwrap();
        let whole = CoreFile::open(File::open(&core).unwrap(), "core").unwrap();
        let whole = WholeMemory::of(&whole, "core");
        let made = decode_with_memory(&taken, &Provenance::default(), Some(whole));
        let graph = made.facts.graph.unwrap();
        println!(
            "  all: {:.2} s wall, {:.2} s of CPU, {} objects, {} bytes live, {} of them typed",
            began.0.elapsed().as_secs_f64(),
            processor_seconds() - began.1,
            graph.objects,
            graph.live_bytes,
            graph.typed_bytes
        );
    }
}

/// Of this process, user and system.
fn processor_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Memory that was resident at once since this was asked last, the most, and that which is now and is no
/// file's, in MB.
fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
    };
    // `CLEAR_REFS_MM_HIWATER_RSS` (`fs/proc/task_mmu.c`): the most begins anew.
    let _ = fs::write("/proc/self/clear_refs", "5");
    (kib("VmHWM:") / 1000, kib("RssAnon:") / 1000)
}

/// Prints each event with what it took since the one before.
struct Phases(Mutex<(Instant, f64)>);

impl Subscriber for Phases {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.is_event() && of.target().starts_with("lastgasp_")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Words(String);
        impl Visit for Words {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if !matches!(field.name(), "us" | "read_us") {
                    let _ = write!(self.0, " {value:?}");
                }
            }
        }
        let mut words = Words(String::new());
        event.record(&mut words);
        let mut last = self.0.lock().unwrap();
        let now = (Instant::now(), processor_seconds());
        let (most, left) = memory();
        println!(
            "  {:>7.3} s wall {:>7.3} s CPU {:>6} MB, then {:>6} MB {}",
            (now.0 - last.0).as_secs_f64(),
            now.1 - last.1,
            most,
            left,
            words.0
        );
        *last = now;
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
