//! Switching a target's memory profile on, for those who ask for it by name (`--enable-profiling`). **The
//! only write into a target's memory in the whole product**: one word, `runtime.MemProfileRate`, from 0 to
//! Go's own default and back. Go's runtime reads the word at every allocation and calls it safe to be set by
//! the program at any time; programs that never refer to `runtime.MemProfile` have it at 0 by the linker's
//! doing (`runtime.disableMemoryProfiling`).
//!
//! Undone when [`Profiling`] is dropped, by a watchdog process if we die or outstay our time, by the journal
//! at the next start with the same store if that dies too. Undone means: 0 again, if the word is still what
//! we wrote. What was sampled meanwhile stays in the runtime's tables.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use lastgasp_goruntime::Runtime;
use lastgasp_inferior::{Addr, Memory as _, start_time};
use lastgasp_observe::target::Target;
use thiserror::Error;

use crate::undo::journal::Journal;
use crate::undo::profile_rate::{ProfileRateChange, memory_of, read};
use crate::undo::watchdog::Watchdog;

pub use crate::undo::profile_rate::RATE;

/// Why the profile was not switched on.
#[derive(Debug, Error)]
pub enum ProfilingError {
    /// It is on.
    #[error("the memory profile of process {pid} is on already (MemProfileRate is {rate}): nothing was written")]
    On {
        /// The process.
        pid: i32,
        /// Its rate.
        rate: u64,
    },
    /// The word is not where a variable can be, or what tells where it stands does not agree.
    #[error("it is not sure where MemProfileRate of process {0} stands: nothing was written")]
    Misplaced(i32),
    /// The kernel refused.
    #[error(
        "process {pid}: the memory profile cannot be switched on: {error}; writing needs CAP_SYS_PTRACE: run as root"
    )]
    Io {
        /// The process.
        pid: i32,
        /// Its error.
        error: io::Error,
    },
    /// Nobody would undo it if we died.
    #[error(
        "the memory profile was not switched on: its undoing could not be secured ({0}); give a writable --store or --out"
    )]
    Unsecured(io::Error),
}

/// A memory profile that we have switched on; off again when dropped.
#[derive(Debug)]
pub struct Profiling {
    change: ProfileRateChange,
    watchdog: Option<Watchdog>,
    _journal: Journal,
}

impl Profiling {
    /// Switches the profile of `target` on, for `most` at the longest: then the watchdog puts it back,
    /// whatever has become of us. `store` keeps the journal.
    ///
    /// # Errors
    /// [`ProfilingError`]; nothing was written then.
    pub fn enable(target: &Target, store: &Path, most: Duration) -> Result<Self, ProfilingError> {
        let pid = target.process.pid();
        let io = |error| ProfilingError::Io { pid, error };
        let addr = addr_to_write(target)?;
        if !target.runtime.module.variables.contains(addr) || !addr.0.is_multiple_of(8) {
            return Err(ProfilingError::Misplaced(pid));
        }
        let rate = target.process.u64(addr).map_err(|e| io(io::Error::other(e)))?;
        if rate != 0 {
            return Err(ProfilingError::On { pid, rate });
        }
        let mem = memory_of(pid).map_err(io)?;
        let change = ProfileRateChange { pid, start_time: target.process.start_time(), addr: addr.0 };
        let journal = Journal::of_profiling(store, &change).map_err(ProfilingError::Unsecured)?;
        let watchdog = Watchdog::start(&[]).map_err(ProfilingError::Unsecured)?;
        watchdog.before_profiling(&change, most).map_err(ProfilingError::Unsecured)?;
        let this = Self { change, watchdog: Some(watchdog), _journal: journal };
        // The number may have gone to another process since it was opened; the descriptor is of whoever has
        // it now.
        if start_time(pid) != Some(this.change.start_time) || read(&mem, addr.0).map_err(io)? != 0 {
            return Err(io(io::ErrorKind::NotFound.into()));
        }
        mem.write_all_at(&RATE.to_le_bytes(), addr.0).map_err(io)?;
        Ok(this)
    }
}

impl Drop for Profiling {
    fn drop(&mut self) {
        self.change.undo();
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.dismiss();
        }
    }
}

/// Where the rate stands. What is remembered of binaries is good enough to read by, not to write by: it is
/// found afresh in this very process, and where there is a symbol table, it and the code must agree.
fn addr_to_write(target: &Target) -> Result<Addr, ProfilingError> {
    let (process, pid) = (&*target.process, target.process.pid());
    let misplaced = |_| ProfilingError::Misplaced(pid);
    let fresh = Runtime::discover(process.image(), process.bias(), process).map_err(misplaced)?;
    let by_code = fresh.globals_by_code(process).map_err(misplaced)?.mem_profile_rate;
    let addr = fresh.globals.mem_profile_rate;
    let same = addr == by_code && addr == target.runtime.globals.mem_profile_rate;
    if same { Ok(addr) } else { Err(ProfilingError::Misplaced(pid)) }
}

/// For messages: what was done, where.
impl Profiling {
    /// The word's address.
    #[must_use]
    pub fn addr(&self) -> Addr {
        Addr(self.change.addr)
    }
}
