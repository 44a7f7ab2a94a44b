//! Samples of a target's memory, and the timeline that they make.

use std::borrow::Cow;
use std::time::Instant;

use lastgasp_goruntime::MemStats;

/// One look at a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Milliseconds since the watch began.
    pub t_ms: u64,
    /// Bytes that count against the limit: the cgroup's charge less what the kernel would drop; RSS where
    /// there is no cgroup.
    pub usage: u64,
    /// Resident bytes of the process.
    pub rss: u64,
    /// Go heap: live at the last mark and allocated since.
    pub heap_live: u64,
    /// Goroutine structures; never fewer than before.
    pub goroutines: u64,
    /// GC cycles finished.
    pub gc_cycles: u32,
}

impl Sample {
    /// What the kernel and the runtime's own gauges say together.
    #[must_use]
    pub fn of(t_ms: u64, usage: u64, rss: u64, gauges: &MemStats) -> Self {
        let (heap_live, goroutines, gc_cycles) = (gauges.heap_live, gauges.goroutine_slots, gauges.gc_cycles);
        Self { t_ms, usage, rss, heap_live, goroutines, gc_cycles }
    }
}

/// Something that happened during the watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since the watch began.
    pub t_ms: u64,
    /// `attach`, `arm`, `disarm`, `freeze`, `kill`, `exit`, `baseline`, [`LAST_LOOK`], [`PROFILING_ON`].
    pub kind: Cow<'static, str>,
    /// For people.
    pub text: String,
}

/// The event that says what a dead target had in use when it was last looked at, where nothing was copied.
pub const LAST_LOOK: &str = "last-look";

/// The event that lastgasp has switched the target's memory profile on.
pub const PROFILING_ON: &str = "profiling-on";

/// The one clock of a watch. Looks of the supervisor and of a worker come to stand in one series: by two
/// clocks they were once out of order.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Milliseconds since the watch began.
    #[must_use]
    pub fn now_ms(self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}

/// Samples and events of one watch, bounded: when it is full, every second sample of its older half goes.
#[derive(Clone, Debug)]
pub struct Timeline {
    clock: Clock,
    /// Oldest first.
    pub samples: Vec<Sample>,
    /// Oldest first.
    pub events: Vec<Event>,
}

const MAX_SAMPLES: usize = 8192;
const MAX_EVENTS: usize = 512;

impl Default for Timeline {
    fn default() -> Self {
        Self { clock: Clock(Instant::now()), samples: Vec::new(), events: Vec::new() }
    }
}

impl Timeline {
    /// Milliseconds since the watch began.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// What it goes by, for whoever takes looks without it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Adds a sample.
    pub fn push(&mut self, sample: Sample) {
        if self.samples.len() >= MAX_SAMPLES {
            let half = MAX_SAMPLES / 2;
            let mut i = 0;
            self.samples.retain(|_| {
                i += 1;
                i > half || i % 2 == 0
            });
        }
        self.samples.push(sample);
    }

    /// Notes an event, now.
    pub fn note(&mut self, kind: &'static str, text: impl Into<String>) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(Event { t_ms: self.now_ms(), kind: kind.into(), text: text.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_timeline_keeps_its_ends() {
        let mut t = Timeline::default();
        for i in 0..3 * MAX_SAMPLES as u64 {
            t.push(Sample { t_ms: i, ..Sample::default() });
        }
        assert!(t.samples.len() <= MAX_SAMPLES);
        assert!(t.samples[0].t_ms < 4096);
        assert_eq!(t.samples.last().unwrap().t_ms, 3 * MAX_SAMPLES as u64 - 1);
        assert!(t.samples.is_sorted_by_key(|s| s.t_ms));
    }
}
