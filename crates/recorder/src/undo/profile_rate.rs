//! A memory profile that we have switched on in a target, and how it is switched off again.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;

use lastgasp_inferior::start_time;
use serde::{Deserialize, Serialize};

/// Go's default rate in bytes (`runtime.MemProfileRate`). It differs from 0 in a single byte, so that no
/// reader can see half of it.
pub const RATE: u64 = 512 << 10;

/// What was written, and how to take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProfileRateChange {
    /// The process.
    pub pid: i32,
    /// With its number it names the process for good.
    pub start_time: u64,
    /// Where the word stands.
    pub addr: u64,
}

impl ProfileRateChange {
    /// Puts the word back to 0. Gives whether it was ours to put back and is back.
    pub(crate) fn undo(&self) -> bool {
        let put_back = || -> io::Result<bool> {
            let mem = memory_of(self.pid)?;
            // Checked after opening: the descriptor stays with this address space, whoever gets the number
            // next.
            if start_time(self.pid) != Some(self.start_time) || read(&mem, self.addr)? != RATE {
                return Ok(false);
            }
            mem.write_all_at(&0u64.to_le_bytes(), self.addr)?;
            Ok(true)
        };
        put_back().unwrap_or(false)
    }

    /// As the watchdog is told.
    pub(crate) fn words(&self) -> String {
        format!("{} {} {}", self.pid, self.start_time, self.addr)
    }

    /// The words behind `profiling`.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let mut words = words.split(' ');
        let (pid, start, addr) = (words.next()?, words.next()?, words.next()?);
        Some(Self { pid: pid.parse().ok()?, start_time: start.parse().ok()?, addr: addr.parse().ok()? })
    }
}

pub(crate) fn memory_of(pid: i32) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"))
}

pub(crate) fn read(mem: &File, addr: u64) -> io::Result<u64> {
    let mut word = [0; 8];
    mem.read_exact_at(&mut word, addr)?;
    Ok(u64::from_le_bytes(word))
}
