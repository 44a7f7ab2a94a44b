//! The machine as a whole: what memory it has left, how fast it could use it up, and how many processes it
//! has killed for it.

use std::fs::File;
use std::time::{Duration, Instant};

use lastgasp_inferior::page_size;

use super::files::read_text;

/// Memory that is left, as it was last read.
#[derive(Debug)]
pub struct Machine {
    meminfo: Option<File>,
    vmstat: Option<File>,
    available: Option<u64>,
    total: Option<u64>,
    read_at: Instant,
}

impl Machine {
    /// Reads `/proc/meminfo` for the first time.
    #[must_use]
    pub fn detect() -> Self {
        let mut machine = Self {
            meminfo: File::open("/proc/meminfo").ok(),
            vmstat: File::open("/proc/vmstat").ok(),
            available: None,
            total: None,
            read_at: Instant::now(),
        };
        machine.read();
        machine
    }

    /// Reads again what is older than `age`.
    pub fn refresh(&mut self, age: Duration) {
        if self.read_at.elapsed() >= age {
            self.read();
        }
    }

    fn read(&mut self) {
        self.read_at = Instant::now();
        let text = self.meminfo.as_ref().and_then(read_text::<4096>).unwrap_or_default();
        let of = |key: &str| -> Option<u64> {
            text.lines().find_map(|l| l.strip_prefix(key)?.split_whitespace().next()?.parse::<u64>().ok())
        };
        self.available = of("MemAvailable:").map(|kib| kib * 1024);
        self.total = of("MemTotal:").map(|kib| kib * 1024);
    }

    /// Bytes that programs can still have (`MemAvailable`); `None` on kernels before 3.14.
    #[must_use]
    pub fn available(&self) -> Option<u64> {
        self.available
    }

    /// Bytes in all.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether hardly anything is left: less than 3 % of the machine and less than 512 MiB.
    #[must_use]
    pub fn is_low_on_memory(&self) -> bool {
        self.available.zip(self.total).is_some_and(|(a, t)| a < t / 100 * 3 && a < 512 << 20)
    }

    /// Processes killed for memory since boot, in groups and for the machine as a whole (`oom_kill` of
    /// `/proc/vmstat`, Linux 4.13).
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        let text = self.vmstat.as_ref().and_then(read_text::<16384>).unwrap_or_default();
        text.lines().find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }
}

/// The fastest growth that this machine can produce, in bytes per second: all processors fault in fresh
/// memory for some milliseconds, and what that gives is raised by half. Huge pages make one processor several
/// times faster, so the memory is offered as the kernel sees fit, as a service's would be.
///
/// It bounds how long the recorder may look away, so it errs upwards: at least 1.5 GB/s, and where it cannot
/// be measured 1.5 GB/s for each processor.
#[must_use]
pub fn fastest_growth() -> f64 {
    const EACH: usize = 8 << 20;
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = cpus.min(8);
    let page = page_size() as usize;
    let began = Instant::now();
    let touched: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    // Zeroed memory of this size comes straight from the kernel, untouched.
                    let mut fresh = vec![0u8; EACH];
                    for byte in fresh.iter_mut().step_by(page) {
                        *byte = 1;
                    }
                    std::hint::black_box(&fresh).len()
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap_or(0)).sum()
    });
    let seconds = began.elapsed().as_secs_f64().max(1e-4);
    let measured = touched as f64 / seconds * cpus as f64 / threads as f64;
    let floor = 1.5e9;
    if touched == 0 { floor * cpus as f64 } else { (measured * 1.5).max(floor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory() {
        let machine = Machine::detect();
        let (available, total) = (machine.available().unwrap(), machine.total().unwrap());
        assert!(available > 64 << 20 && available < total, "{available} of {total}");
        assert!(!machine.is_low_on_memory());
    }

    #[test]
    fn growth_is_of_a_plausible_size() {
        let fastest = fastest_growth();
        assert!((1.5e9..1e13).contains(&fastest), "{fastest:e}");
    }
}
