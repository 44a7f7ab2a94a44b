//! What a worker may use, and how the kernel is told.

use std::fmt;
use std::io;
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

/// What a worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory beside what the program has as it begins.
    pub memory: u64,
    /// Time until it is ended.
    pub time: Duration,
    /// Time of processors; all its threads together.
    pub processor: Duration,
}

impl Limits {
    /// For a heap graph, in so much memory and time: two threads work at it.
    #[must_use]
    pub fn of_a_graph(memory: u64, time: Duration) -> Self {
        Self { memory, time, processor: time.saturating_mul(2).saturating_add(Duration::from_secs(1)) }
    }

    /// Tells the kernel; of the calling process. `descriptors`: how many it may have.
    pub(crate) fn apply(&self, descriptors: u64) -> io::Result<()> {
        // Addresses and not pages: what is asked for beyond it fails at once, and nobody else is killed for
        // it.
        let memory = mapped_bytes()?.saturating_add(self.memory);
        let seconds = self.processor.as_secs() + u64::from(self.processor.subsec_nanos() > 0);
        for (resource, most) in [
            (Resource::RLIMIT_AS, memory),
            (Resource::RLIMIT_NOFILE, descriptors),
            (Resource::RLIMIT_FSIZE, 0),
            // Its memory is the target's: user data.
            (Resource::RLIMIT_CORE, 0),
            (Resource::RLIMIT_MEMLOCK, 0),
        ] {
            setrlimit(resource, most, most)?;
        }
        // SIGXCPU says what it was; SIGKILL a second later does not.
        setrlimit(Resource::RLIMIT_CPU, seconds, seconds + 1)?;
        Ok(())
    }
}

/// Bytes of addresses that this process has.
fn mapped_bytes() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: Option<u64> = text.split_whitespace().next().and_then(|n| n.parse().ok());
    Ok(pages.ok_or(io::ErrorKind::InvalidData)?.saturating_mul(lastgasp_inferior::page_size()))
}

/// Bytes for people: whole units as they were asked for.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1 << 30 && n.is_multiple_of(1 << 30) => write!(f, "{} GiB", n >> 30),
            n if n >= 1 << 20 => write!(f, "{} MiB", n >> 20),
            n if n >= 1 << 10 => write!(f, "{} KiB", n >> 10),
            n => write!(f, "{n} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_they_were_asked_for() {
        let said = [1 << 30, 3 << 29, 256 << 20, 4 << 10, 7].map(|n: u64| Bytes(n).to_string());
        assert_eq!(said, ["1 GiB", "1536 MiB", "256 MiB", "4 KiB", "7 bytes"]);
        assert!(mapped_bytes().unwrap() > 1 << 20);
    }
}
