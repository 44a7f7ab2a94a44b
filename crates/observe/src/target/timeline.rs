//! Samples of a target's memory, and the timeline that they make.

use std::borrow::Cow;
use std::time::Instant;

use lastgasp_goruntime::MemStats;

use super::goroutine_looks::GoroutineLooks;

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

/// Samples and events of one watch, bounded, so that the way to where usage stands now is kept however long
/// it stands there.
///
/// Near a limit samples come every five milliseconds, and a service may rest there for minutes before it is
/// killed: what filled the memory is to be read from the ramp before that. While usage rests fewer samples
/// are kept, and where it trembles instead (page cache that comes and goes, a collector at its limit) the
/// steps of the ramp are the last to be thinned out. Seen: a service that stood for 5.7 minutes at its limit,
/// and a timeline of nothing but that.
#[derive(Clone, Debug)]
pub struct Timeline {
    clock: Clock,
    /// Oldest first.
    pub samples: Vec<Sample>,
    /// Oldest first.
    pub events: Vec<Event>,
    /// Looks at its goroutines.
    pub goroutines: GoroutineLooks,
    rest: Option<Rest>,
}

/// Usage that hardly moves.
#[derive(Clone, Copy, Debug)]
struct Rest {
    since_ms: u64,
    /// Bytes at its begin.
    usage: u64,
}

/// Most samples: 400 kB for each target.
const MAX_SAMPLES: usize = 8192;
const MAX_EVENTS: usize = 512;
/// Usage rests as long as it stays within this part of what it was when the rest began...
const REST_PART: u64 = 256;
/// ...or within so many bytes, which are what the kernel's counter is behind by.
const REST_BYTES: u64 = 1 << 20;
/// While usage rests there is a sample in so many milliseconds at least, and in the second value after a
/// minute: ten minutes of rest are 800 samples.
const REST_GAP_MS: (u64, u64) = (50, 1000);
/// A step of a ramp: so large a part of the usage. A ramp to tenfold has 150.
const STEP_UP: u64 = 64;
/// And so large a part down begins another one. What trembles by less is not a ramp.
const STEP_DOWN: u64 = 16;

impl Default for Timeline {
    fn default() -> Self {
        let (samples, events, goroutines) = (Vec::new(), Vec::new(), GoroutineLooks::default());
        Self { clock: Clock(Instant::now()), samples, events, goroutines, rest: None }
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

    /// Adds a sample. The newest is always there.
    pub fn push(&mut self, sample: Sample) {
        self.rest_or_move(&sample);
        if self.samples.len() >= MAX_SAMPLES {
            self.thin();
        }
        self.samples.push(sample);
    }

    /// Takes the newest sample back if it says nothing that the one before it and `next` do not.
    fn rest_or_move(&mut self, next: &Sample) {
        let rests = |rest: &Rest| next.usage.abs_diff(rest.usage) <= (rest.usage / REST_PART).max(REST_BYTES);
        let Some(rest) = self.rest.filter(rests) else {
            self.rest = Some(Rest { since_ms: next.t_ms, usage: next.usage });
            return;
        };
        let gap = (next.t_ms.saturating_sub(rest.since_ms) / 64).clamp(REST_GAP_MS.0, REST_GAP_MS.1);
        if let [.., before, _] = self.samples.as_slice()
            && before.t_ms >= rest.since_ms
            && next.t_ms.saturating_sub(before.t_ms) <= gap
        {
            self.samples.pop();
        }
    }

    /// Every second sample of the older three quarters goes, steps of a ramp excepted; where nearly all are
    /// steps, every second of those in the older half.
    fn thin(&mut self) {
        let (steps, before) = (steps(&self.samples), self.samples.len());
        let (mut at, mut second) = (0, false);
        self.samples.retain(|_| {
            let is_step = steps.get(at).is_some_and(|s| *s);
            at += 1;
            if is_step || at > before / 4 * 3 {
                return true;
            }
            second = !second;
            second
        });
        if self.samples.len() > before - before / 16 {
            let (mut at, half) = (0, self.samples.len() / 2);
            self.samples.retain(|_| {
                at += 1;
                at > half || at % 2 == 1
            });
        }
    }

    /// Notes an event, now.
    pub fn note(&mut self, kind: &'static str, text: impl Into<String>) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(Event { t_ms: self.now_ms(), kind: kind.into(), text: text.into() });
        }
    }
}

/// Which samples are steps of a ramp; it hangs on none of the others, and so is the same when those are gone.
fn steps(samples: &[Sample]) -> Vec<bool> {
    let mut level = None;
    let is_step = |sample: &Sample| {
        let usage = sample.usage;
        let step = level.is_none_or(|l: u64| usage > l.saturating_add(l / STEP_UP) || usage < l - l / STEP_DOWN);
        if step {
            level = Some(usage);
        }
        step
    };
    samples.iter().map(is_step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Samples every five milliseconds.
    fn watched(ms: u64, usage: impl Fn(u64) -> u64) -> Timeline {
        let mut t = Timeline::default();
        for t_ms in (0..ms).step_by(5) {
            t.push(Sample { t_ms, usage: usage(t_ms), ..Sample::default() });
            assert!(t.samples.len() <= MAX_SAMPLES && t.samples.last().unwrap().t_ms == t_ms);
        }
        assert!(t.samples.is_sorted_by_key(|s| s.t_ms));
        t
    }

    /// From 40 to 500 MB within the fourth second, and then at the limit.
    fn ramp(t_ms: u64, at_the_limit: impl Fn(u64) -> u64) -> u64 {
        match t_ms {
            0..3000 => 40 * MIB,
            3000..4000 => 40 * MIB + (t_ms - 3000) * 460 * MIB / 1000,
            _ => at_the_limit(t_ms),
        }
    }

    fn of_the_ramp(t: &Timeline) -> usize {
        t.samples.iter().filter(|s| (3000..=4000).contains(&s.t_ms)).count()
    }

    #[test]
    fn a_ramp_outlives_ten_minutes_of_rest_at_the_limit() {
        let t = watched(600_000, |t| ramp(t, |_| 500 * MIB));
        assert_eq!(of_the_ramp(&t), 201, "all of it");
        assert!(t.samples.len() < 1200, "{}", t.samples.len());
        let gaps: Vec<u64> = t.samples.windows(2).map(|w| w[1].t_ms - w[0].t_ms).collect();
        assert!(gaps.iter().all(|gap| *gap <= 1000), "{gaps:?}");
    }

    /// A collector at its limit, page cache that comes and goes: by three percent, several times a second.
    #[test]
    fn a_ramp_outlives_ten_minutes_of_trembling_at_the_limit() {
        let t = watched(600_000, |t| ramp(t, |t| (485 + t * 7 % 16) * MIB));
        let of_it: Vec<&Sample> = t.samples.iter().filter(|s| (3000..=4000).contains(&s.t_ms)).collect();
        assert!(of_it.len() >= 100, "{}", of_it.len());
        let largest = of_it.windows(2).map(|w| w[1].usage - w[0].usage).max().unwrap();
        assert!(largest <= 12 * MIB, "{largest}");
    }

    /// What is all steps is thinned all the same: a saw-tooth, and growth by doubling.
    #[test]
    fn what_never_rests_is_bounded_too() {
        let t = watched(600_000, |t| (100 + t % 1000 / 2) * MIB);
        assert!(t.samples.len() > MAX_SAMPLES / 2 && t.samples[0].t_ms == 0);
        let mut odd = Timeline::default();
        for i in 0..4 * MAX_SAMPLES as u64 {
            odd.push(Sample { t_ms: i, usage: [0, u64::MAX, 1, u64::MAX / 2][i as usize % 4], ..Sample::default() });
            assert!(odd.samples.len() <= MAX_SAMPLES);
        }
    }

    /// A slow leak, looked at every five seconds, loses nothing to the rest rule.
    #[test]
    fn looks_that_are_far_apart_are_all_kept() {
        let mut t = Timeline::default();
        for i in 0..2000 {
            t.push(Sample { t_ms: i * 5000, usage: 100 * MIB + i, ..Sample::default() });
        }
        assert_eq!(t.samples.len(), 2000);
    }

    #[test]
    fn a_full_timeline_keeps_its_ends() {
        let mut t = Timeline::default();
        for i in 0..3 * MAX_SAMPLES as u64 {
            t.push(Sample { t_ms: i, usage: (i % 2) << 30, ..Sample::default() });
        }
        assert!(t.samples.len() <= MAX_SAMPLES);
        assert!(t.samples[0].t_ms < 4096);
        assert_eq!(t.samples.last().unwrap().t_ms, 3 * MAX_SAMPLES as u64 - 1);
        assert!(t.samples.is_sorted_by_key(|s| s.t_ms));
    }
}
