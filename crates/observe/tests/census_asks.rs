//! What a search for collections asks of the memory of two processes of one binary: blocks of its constants
//! one by one of the first, and all at once of the second. On real Go processes; skips loudly where there is
//! no Go.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::cell::Cell;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lastgasp_goruntime::Runtime;
use lastgasp_inferior::{Addr, LiveProcess, Memory, Part, ReadError};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain;
use lastgasp_observe::target::census::QuickCensus;
use lastgasp_observe::target::wanted_constants::WantedConstants;

/// Bytes of a block of constants.
const BLOCK: usize = 4096;

/// Counts the blocks that are asked for by themselves, and the questions with many.
#[derive(Debug)]
struct Counted<'a> {
    live: &'a LiveProcess,
    alone: Cell<usize>,
    together: Cell<usize>,
}

impl Memory for Counted<'_> {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if buf.len() == BLOCK {
            self.alone.set(self.alone.get() + 1);
        }
        self.live.read(addr, buf)
    }

    fn read_parts(&self, parts: &mut [Part<'_>]) {
        if parts.iter().filter(|part| part.buf.len() == BLOCK).count() > 1 {
            self.together.set(self.together.get() + 1);
        }
        self.live.read_parts(parts);
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Searches a new process of a program to the end: blocks that were asked for alone, questions with many,
/// and how many collections are known then.
fn search(program: &std::path::Path, constants: &Arc<WantedConstants>) -> (usize, usize, usize) {
    let mut running = Running(Command::new(program).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    while lines.next().unwrap().unwrap() != "ready" {}
    // It comes to rest.
    std::thread::sleep(Duration::from_millis(200));
    let live = LiveProcess::open(running.0.id().cast_signed()).unwrap();
    let rt = Runtime::discover(live.image(), live.bias(), &live).unwrap();
    let counted = Counted { live: &live, alone: Cell::new(0), together: Cell::new(0) };
    let mut census = QuickCensus::default();
    census.shares(Arc::clone(constants));
    census.keep_up(&rt, &counted, (0, None), Duration::from_secs(60), || false);
    (counted.alone.get(), counted.together.get(), census.history().collections.len())
}

#[test]
fn a_second_process_of_a_binary_is_asked_for_its_constants_at_once() {
    let toolchain = match toolchain::any(&cache_dir()) {
        Ok(toolchain) => toolchain,
        Err(e) => return eprintln!("SKIPPED: {e:#}"),
    };
    let program = build(&toolchain, Mode::Stripped, &repo_root().join("lab/programs/swapped"), ".").unwrap();
    let constants = Arc::default();
    let (first, second) = (search(&program, &constants), search(&program, &constants));
    eprintln!("blocks alone, questions with many, collections: {first:?}, then {second:?}");
    assert!(first.0 >= 20 && first.1 == 0, "{first:?}");
    assert!(second.0 <= first.0 / 4 && second.1 == 1, "{first:?}, {second:?}");
    assert!(second.2 > 0 && second.2.abs_diff(first.2) <= 4, "{first:?}, {second:?}");
}
