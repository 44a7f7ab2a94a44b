//! What anybody may have made, read by workers: files that processes run and have loaded, and the memory of
//! processes that are calm.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastgasp_decode::{Decoded, Provenance};
use lastgasp_observe::kernel::cgroup::groups_number;
use lastgasp_observe::raw_capture::RawCapture;
use lastgasp_observe::target::inspect::{Files, ForeignMemory, ForeignReader, Inspected, Losses, NotInspected};

use crate::decode::{Answer as Facts, NotDecoded, decode};
use crate::inspect::{Answer, inspect};
use crate::limits::Limits;
use crate::message::Said;
use crate::pool::{Lent, Pool, Turn, Use};
use crate::process::{About, Heard, MOST_STUCK, Worker, may_read, own_binary, stuck};
use crate::read::{Common, ReadMemory};
use crate::task::AnyTask;

/// Workers that look at files wait, so many; each looks once.
const INSPECTORS: usize = 2;
/// Workers that read memory, which go on: for who looks at a new process, and for who samples calm ones.
const READERS: usize = 2;
/// Workers that decode, one capture each.
const DECODERS: usize = 1;

/// What a look at files may use: a binary of 190 MB with its symbol table takes a fifth of that.
fn for_files() -> Limits {
    Limits { memory: 96 << 20, time: Duration::from_secs(7), processor: Duration::from_secs(6) }
}

/// What decoding may use: of 100,000 goroutines it takes half of that.
fn for_facts() -> Limits {
    Limits { memory: 320 << 20, time: Duration::from_secs(10), processor: Duration::from_secs(10) }
}

/// What reading memory may use: the time is that of one question, the processor's that of all.
fn for_memory() -> Limits {
    Limits { memory: 32 << 20, time: Duration::from_secs(1), processor: Duration::from_secs(3600) }
}

/// Workers for what is foreign.
#[derive(Debug)]
pub struct Workers {
    inspectors: Arc<Pool<Answer>>,
    reading: Arc<Common>,
    decoders: Arc<Pool<Facts>>,
}

impl Workers {
    /// Starts those that wait.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start() -> io::Result<Self> {
        Ok(Self {
            inspectors: Pool::start(
                "inspectors",
                own_binary,
                for_files(),
                (INSPECTORS, Use::Once),
                Turn::BeforeOthers,
                Ok,
            )?,
            reading: Arc::new(Common::new(Pool::start(
                "readers",
                own_binary,
                for_memory(),
                (READERS, Use::Again),
                Turn::BeforeOthers,
                ready_to_read,
            )?)),
            decoders: Pool::start("decoders", own_binary, for_facts(), (DECODERS, Use::Once), Turn::AsOthers, Ok)?,
        })
    }
}

/// Whom that is about.
fn about(pid: i32) -> About {
    let status = std::fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
    About { pid, uid: uid.unwrap_or(0), group: groups_number(pid) }
}

impl Workers {
    /// Decodes a capture.
    ///
    /// # Errors
    /// [`NotDecoded`].
    pub fn decode(&self, raw: &RawCapture, by: &Provenance) -> Result<Decoded, NotDecoded> {
        let pid = raw.identity.pid;
        let lent = self.decoders.take().and_then(Lent::keep);
        let (mut worker, lent) = lent.ok_or_else(|| NotDecoded::NoWorker("none can be had".into()))?;
        worker.reads(about(pid));
        let decoded = decode(worker, raw, by);
        drop(lent);
        if let Err(NotDecoded::Lost(why)) = &decoded {
            self.decoders.lost(pid, "decoded a capture of its", why, Duration::ZERO);
        }
        decoded
    }
}

/// Tells one what it is for, and waits until it has given up the rest.
fn ready_to_read(mut worker: Worker<()>) -> io::Result<Worker<()>> {
    worker.give(&AnyTask::Read, &[])?;
    match worker.hear(Instant::now() + Duration::from_secs(5)) {
        // What its start has cost is nobody's who has it read.
        Heard::Said(Said::Ready) => {
            worker.worked();
            Ok(worker)
        }
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}

impl ForeignReader for Workers {
    fn inspect(&self, pid: i32, files: &Files) -> Result<Vec<Inspected>, NotInspected> {
        let about = about(pid);
        if !may_read(about) {
            return Err(NotInspected::Lost("one that was lost over it hangs still".into()));
        }
        let Some((mut worker, lent)) = self.inspectors.take().and_then(Lent::keep) else {
            let starved = self.inspectors.is_starved();
            return Err(if starved { NotInspected::OutOfDescriptors } else { NotInspected::Busy });
        };
        worker.reads(about);
        let inspected = inspect(worker, pid, files);
        drop(lent);
        if let Err(NotInspected::Lost(why)) = &inspected {
            self.inspectors.lost(pid, "read a file of its", why, Duration::ZERO);
        }
        inspected
    }

    fn memory(&self, pid: i32, mem: Arc<File>) -> io::Result<Option<ForeignMemory>> {
        let started = lastgasp_inferior::start_time(pid).unwrap_or(0);
        Ok(Some(Arc::new(ReadMemory::new(about(pid), started, mem, Arc::clone(&self.reading)))))
    }

    fn silent_until(&self, pid: i32) -> Option<Instant> {
        self.reading.silent.until(pid, lastgasp_inferior::start_time(pid)?)
    }

    fn losses(&self) -> Losses {
        let lost = self.inspectors.count_lost() + self.reading.readers.count_lost() + self.decoders.count_lost();
        Losses { lost, stuck: stuck() as u64, too_many: stuck() >= MOST_STUCK / 2 }
    }
}
