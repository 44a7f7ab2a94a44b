//! What the quick census costs: `cargo bench -p lastgasp-observe --bench census`. A thousand headers of maps,
//! each on a page of its own as the worst case has it, of another process; the median and the slowest of many
//! looks, and processor time.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lastgasp_goruntime::collections::{HeaderKind, HeaderReader, KnownHeader};
use lastgasp_goruntime::layout;
use lastgasp_goruntime::types::MapForm;
use lastgasp_inferior::{Addr, LiveProcess};
use lastgasp_observe::census::{QuickCensus, Watched};

const KNOWN: usize = 1000;
const PAGE: usize = 4096;
const LOOKS: usize = 2000;

fn main() {
    if std::env::args().any(|a| a == "child") {
        return child();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let mut child = child.arg("child").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let at: u64 = line.trim().parse().unwrap();
    let live = LiveProcess::open(child.id() as i32).unwrap();
    for spread in [PAGE, 64] {
        let watched = (0..KNOWN).map(|i| {
            let header = KnownHeader { at: Addr(at + (i * spread) as u64), kind: HeaderKind::Map };
            Watched::new(header, "map[string]int".into(), "global main.cache".into())
        });
        let reader = HeaderReader::of_layout(layout::for_minor(26).unwrap(), MapForm::Groups);
        let mut census = QuickCensus::new(reader, watched.collect());
        let mut took: Vec<Duration> = (0..LOOKS)
            .map(|i| {
                let began = Instant::now();
                assert_eq!(census.look(&live, i as u64 * 5000), 0);
                began.elapsed()
            })
            .collect();
        took.sort_unstable();
        assert!(census.watched().iter().all(|w| w.last().is_some()));
        println!(
            "{KNOWN} headers, {spread} bytes apart: median {:?}, 99 of 100 below {:?}, slowest {:?}",
            took[LOOKS / 2],
            took[LOOKS * 99 / 100],
            took[LOOKS - 1]
        );
    }
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// Headers, one a page and then close together; says where and waits.
fn child() {
    let mut memory = vec![0u64; KNOWN * PAGE / 8];
    for page in memory.chunks_exact_mut(8) {
        page[..4].copy_from_slice(&[312, 7, 0xc000, 1]);
    }
    println!("{}", memory.as_ptr() as u64);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(memory);
}
