//! When memory began to grow, and how fast. Pure.

use crate::facts::{Facts, Sample};

/// The growth that ended in the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// Begin of the growth in milliseconds on the timeline's clock.
    pub onset_ms: u64,
    /// End of the growth in milliseconds on the timeline's clock.
    pub end_ms: u64,
    /// Usage at the onset.
    pub start_bytes: u64,
    /// Usage at the end.
    pub end_bytes: u64,
    /// Bytes per second over the whole window.
    pub rate: f64,
    /// 10th percentile of the rate over parts of the window, in bytes per second.
    pub rate_low: f64,
    /// 90th percentile of the rate over parts of the window, in bytes per second.
    pub rate_high: f64,
    /// Collections finished in the window.
    pub gc_cycles: u32,
    /// Milliseconds that usage then stood at the limit, until the last sample; 0 if it did not stand.
    pub at_limit_ms: u64,
}

impl Window {
    /// Seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        (self.end_ms - self.onset_ms) as f64 / 1000.0
    }

    /// Bytes gained.
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.end_bytes.saturating_sub(self.start_bytes)
    }
}

/// Parts that the last stretch is cut into when looking back.
const PARTS: u64 = 24;

/// The last growth of the timeline, or `None` if usage did not grow by a tenth and 16 MB.
///
/// From the end backwards in steps: a step belongs to the growth if it gains at least a tenth of what the
/// whole growth so far gains per step. A rest ends it only when it is longer than the growth that followed,
/// and than a second: while a GC marks, the RSS of a ramp may stand still for 0.9 s, since allocating
/// goroutines must help it (seen in lab/programs/incident; test `a_gc_that_stops_the_ramp_does_not_end_it`).
/// A rest while our tripwire stood never ends it: who is braked sleeps for seconds between two small steps
/// (seen in the virtual machine; test `a_ramp_that_we_braked_is_seen_whole`).
///
/// A process may stand at its limit for minutes while the kernel takes back what it can. That is no rest: the
/// window is the ramp that led there, and `at_limit_ms` says how long it stood (seen: gobgpd, 5.7 minutes;
/// test `standing_at_the_limit_does_not_end_the_window`).
#[must_use]
pub fn window(facts: &Facts) -> Option<Window> {
    let samples = &facts.timeline.samples;
    let last = samples.last()?;
    if let Some(reached) = facts.target.limit_bytes.and_then(|limit| reached(samples, limit)) {
        let at_limit_ms = last.t_ms - reached.t_ms;
        let ramp = up_to(facts, reached).map(|w| Window { at_limit_ms, ..w });
        // Of a slow leak the last percents take long too.
        if let Some(ramp) = ramp.filter(|w| at_limit_ms >= STANDS_MS && at_limit_ms >= (w.end_ms - w.onset_ms) / 5) {
            return Some(ramp);
        }
    }
    let end =
        samples.iter().rev().take_while(|s| s.t_ms.saturating_add(200) >= last.t_ms).max_by_key(|s| s.usage_bytes)?;
    up_to(facts, end)
}

/// Usage that stands at the limit for less is a ramp that ends there.
const STANDS_MS: u64 = 2000;

/// The sample with which usage came within 7 % of the limit for good, and has come within 3 % of it since.
fn reached(samples: &[Sample], limit: u64) -> Option<&Sample> {
    let at_least = |parts: u64| move |s: &&Sample| s.usage_bytes >= limit / 100 * parts;
    let stays = samples.iter().rev().take_while(at_least(93)).count();
    let stands = samples.get(samples.len() - stays..)?;
    stands.first().filter(|_| stands.iter().any(|s| at_least(97)(&s)))
}

/// The growth that ended with a sample.
fn up_to(facts: &Facts, end: &Sample) -> Option<Window> {
    let samples = &facts.timeline.samples;
    // The step is a fraction of the time in which usage last doubled or came from its lowest: fast growth is
    // looked at closely, slow growth from afar.
    let low = samples.iter().filter(|s| s.t_ms <= end.t_ms).map(|s| s.usage_bytes).min()?;
    let half = low + (end.usage_bytes.saturating_sub(low)) / 2;
    let crossed = samples.iter().rev().filter(|s| s.t_ms <= end.t_ms).find(|s| s.usage_bytes <= half)?;
    let step = ((end.t_ms - crossed.t_ms).saturating_mul(2) / PARTS).max(100);
    let braked = braked(facts);
    let onset = look_back(samples, end, step, braked);
    let onset = if braked.is_some() { onset } else { knee(samples, onset, end).unwrap_or(onset) };
    let growth = end.usage_bytes.saturating_sub(onset.usage_bytes);
    if growth < 16_000_000 || growth.saturating_mul(10) < onset.usage_bytes || onset.t_ms >= end.t_ms {
        return None;
    }
    let (rate_low, rate_high) = spread(samples, onset, end);
    let seconds = (end.t_ms - onset.t_ms) as f64 / 1000.0;
    let rate = growth as f64 / seconds;
    Some(Window {
        onset_ms: onset.t_ms,
        end_ms: end.t_ms,
        start_bytes: onset.usage_bytes,
        end_bytes: end.usage_bytes,
        rate,
        rate_low: rate_low.min(rate),
        rate_high: rate_high.max(rate),
        gc_cycles: end.gc_cycles.saturating_sub(onset.gc_cycles),
        at_limit_ms: 0,
    })
}

/// The sample at or before a time.
fn at(samples: &[Sample], t_ms: u64) -> Option<&Sample> {
    samples.get(samples.partition_point(|s| s.t_ms <= t_ms).checked_sub(1)?)
}

/// When our tripwire stood for the last time, on the timeline's clock.
fn braked(facts: &Facts) -> Option<(u64, u64)> {
    let mut brakes = facts.timeline.events.iter().rev().filter(|e| e.kind == "brake").peekable();
    let until = brakes.next_if(|e| e.text.ends_with("back")).map_or(u64::MAX, |e| e.t_ms);
    brakes.next().map(|e| (e.t_ms, until))
}

fn look_back<'a>(samples: &'a [Sample], end: &'a Sample, step: u64, braked: Option<(u64, u64)>) -> &'a Sample {
    let (mut onset, mut here) = (end, end);
    while let Some(earlier) = here.t_ms.checked_sub(step).and_then(|t| at(samples, t)) {
        if earlier.t_ms >= here.t_ms {
            break;
        }
        let span = |a: &Sample, b: &Sample| (b.t_ms - a.t_ms).max(1) as f64;
        let gain = (here.usage_bytes as f64 - earlier.usage_bytes as f64) / span(earlier, here);
        let usual = (end.usage_bytes as f64 - here.usage_bytes as f64).max(0.0) / span(here, end);
        if gain > 0.0 && gain >= usual * 0.1 {
            onset = earlier;
        } else if onset.t_ms - earlier.t_ms > (end.t_ms - onset.t_ms).max(1000) {
            // After a collection a slow ramp refills what was freed: usage rests while the live heap goes on
            // to grow (seen in the virtual machine; test `a_kill_just_after_a_refill_keeps_the_window`).
            let refill = (here.heap_live_bytes as f64 - earlier.heap_live_bytes as f64) / span(earlier, here);
            let one_collection = onset.gc_cycles.saturating_sub(earlier.gc_cycles) <= 1;
            let stalled = here.gc_cycles == earlier.gc_cycles && (refill <= 0.0 || refill < usual * 0.1);
            let by_us = braked.is_some_and(|(from, until)| here.t_ms > from && earlier.t_ms < until);
            let by_us = by_us || is_a_dip(samples, end, onset, earlier);
            if !by_us && (!one_collection || stalled) {
                break;
            }
        }
        here = earlier;
    }
    onset
}

/// Least rest before a knee.
const REST_MS: u64 = 5000;
/// By so many times as much memory grows after a knee.
const STEEPER: f64 = 8.0;
/// And by so many times as much as just before it.
const STEEPER_AT_ONCE: f64 = 12.0;

/// Where a long slow growth became a short steep one, if it did: before it usage had rested for twice as long
/// and for five seconds at least, gaining an eighth of the rate at most, and half of all came after it. Such
/// a rest has small steps of its own (the collector's headroom), each of which looks like a part of the
/// climb. (Seen in lab/cluster: a service that loads for nine seconds and rests for sixteen was told to have
/// grown for all of its thirty seconds; test `a_start_and_its_small_steps_are_no_part_of_the_climb`.)
fn knee<'a>(samples: &'a [Sample], onset: &Sample, end: &Sample) -> Option<&'a Sample> {
    let within = |s: &&Sample| s.t_ms > onset.t_ms && s.t_ms.saturating_add(200) <= end.t_ms;
    let is_knee = |k: &&Sample| {
        let took = end.t_ms - k.t_ms;
        let rest = (took.saturating_mul(2)).max(REST_MS);
        let Some(before) = k.t_ms.checked_sub(rest).and_then(|t| at(samples, t)) else {
            return false;
        };
        let gained = end.usage_bytes.saturating_sub(k.usage_bytes) as f64;
        let span = k.t_ms.saturating_sub(before.t_ms).max(1) as f64;
        let crept = k.usage_bytes.saturating_sub(before.usage_bytes) as f64;
        // At its very end too: a climb that gets ever steeper has no knee.
        let Some(just) = k.t_ms.checked_sub((took / 8).max(500)).and_then(|t| at(samples, t)) else { return false };
        let late =
            k.usage_bytes.saturating_sub(just.usage_bytes) as f64 / k.t_ms.saturating_sub(just.t_ms).max(1) as f64;
        let rate = gained / took as f64;
        let is_steeper = rate >= STEEPER * crept / span && rate >= STEEPER_AT_ONCE * late;
        let is_most = gained * 2.0 >= end.usage_bytes.saturating_sub(onset.usage_bytes) as f64;
        // While a heap refills what a collection freed, usage rests and the heap grows on.
        let refilled = k.heap_live_bytes.saturating_sub(before.heap_live_bytes) as f64;
        let collected = k.gc_cycles.saturating_sub(before.gc_cycles) > 1;
        let rested = collected || rate >= STEEPER * refilled / span;
        is_steeper && is_most && rested
    };
    // Of all that would do the one that lies lowest below a straight climb.
    let slope = end.usage_bytes.saturating_sub(onset.usage_bytes) as f64 / (end.t_ms - onset.t_ms).max(1) as f64;
    let below = |k: &&Sample| slope * (k.t_ms - onset.t_ms) as f64 - k.usage_bytes as f64;
    let found = samples.iter().filter(within).filter(is_knee).max_by(|a, b| below(a).total_cmp(&below(b)));
    // What shortens it by less is the climb's own first step.
    found.filter(|k| (end.t_ms - k.t_ms).saturating_mul(3) <= (end.t_ms - onset.t_ms).saturating_mul(2))
}

/// Longest rest, or dip, within a climb.
const DIP_MS: u64 = 5000;

/// Whether what looks like a rest is one step of a climb: it is short, and what came after it is a small part
/// of what was climbed in the half minute before too. (Seen in caddy, whose buffer doubled: 12, 74, 253, 266,
/// 458 MB, then 399 as the old copy was freed, then 520; and in victoria-metrics, which climbs in a
/// saw-tooth.)
fn is_a_dip(samples: &[Sample], end: &Sample, onset: &Sample, earlier: &Sample) -> bool {
    let before = samples.iter().filter(|s| s.t_ms <= earlier.t_ms && s.t_ms.saturating_add(30_000) >= earlier.t_ms);
    let low = before.map(|s| s.usage_bytes).min().unwrap_or(earlier.usage_bytes);
    let climbed = end.usage_bytes.saturating_sub(low);
    onset.t_ms - earlier.t_ms <= DIP_MS && end.usage_bytes.saturating_sub(onset.usage_bytes) < climbed / 3
}

/// 10th and 90th percentile of the rates of up to sixteen parts of the window.
fn spread(samples: &[Sample], onset: &Sample, end: &Sample) -> (f64, f64) {
    let step = ((end.t_ms - onset.t_ms) / 16).max(50);
    let mut rates = Vec::new();
    let mut here = onset;
    while let Some(next) =
        at(samples, here.t_ms.saturating_add(step)).filter(|n| n.t_ms > here.t_ms && n.t_ms <= end.t_ms)
    {
        rates.push((next.usage_bytes as f64 - here.usage_bytes as f64) * 1000.0 / (next.t_ms - here.t_ms) as f64);
        here = next;
    }
    rates.sort_by(f64::total_cmp);
    let at = |q: f64| rates.get(((rates.len().saturating_sub(1)) as f64 * q) as usize).copied().unwrap_or(0.0);
    (at(0.1).max(0.0), at(0.9).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(curve: impl Fn(u64) -> u64, seconds: u64, step_ms: u64) -> Facts {
        let mut f = Facts::default();
        for t in (0..seconds * 1000).step_by(step_ms as usize) {
            f.timeline.samples.push(Sample { t_ms: t, usage_bytes: curve(t), ..Sample::default() });
        }
        f
    }

    /// Megabytes of a service that loads for nine seconds, rests with the small steps of its collector, and
    /// then climbs for four.
    #[test]
    fn a_start_and_its_small_steps_are_no_part_of_the_climb() {
        let mb = |t: u64| match t {
            0..3000 => 4 + t * 67 / 3000,
            3000..9000 => 71 + (t - 3000) * 48 / 6000,
            9000..13_700 => 119,
            13_700..18_700 => 121,
            18_700..22_000 => 123,
            22_000..25_500 => 131,
            _ => 135 + (t - 25_500) * 25 / 1000,
        };
        let mut f = facts(|t| mb(t) * 1_000_000, 30, 50);
        for s in &mut f.timeline.samples {
            s.gc_cycles = (s.t_ms / 3000) as u32;
            s.heap_live_bytes = 60_000_000;
        }
        let w = window(&f).unwrap();
        assert!(w.onset_ms.abs_diff(25_500) < 700, "{w:?}");
        // A staircase of a collector that runs ever more rarely is one climb.
        let stairs = |t: u64| 60_000_000 + [0, 40, 90, 160, 250, 360][(t / 6000).min(5) as usize] * 1_000_000;
        let mut f = facts(stairs, 33, 50);
        for s in &mut f.timeline.samples {
            s.gc_cycles = (s.t_ms / 6000) as u32;
            s.heap_live_bytes = 30_000_000 + s.t_ms * 10_000;
        }
        let w = window(&f).unwrap();
        assert!(w.onset_ms < 8_000, "{w:?}");
    }

    #[test]
    fn the_incident() {
        let w = window(&facts(|t| 300_000_000 + t.saturating_sub(20_000) * 400_000, 24, 20)).unwrap();
        assert!(w.onset_ms.abs_diff(20_000) < 400, "{w:?}");
        assert!((w.rate / 4e8 - 1.0).abs() < 0.1, "{w:?}");
    }

    #[test]
    fn a_gc_that_stops_the_ramp_does_not_end_it() {
        let curve = |t: u64| {
            let t = t.saturating_sub(20_000);
            let moving = if t < 2000 { t } else { t.max(2900) - 900 };
            300_000_000 + moving * 400_000
        };
        let w = window(&facts(curve, 24, 20)).unwrap();
        assert!(w.onset_ms.abs_diff(20_000) < 500, "{w:?}");
    }

    #[test]
    fn a_kill_just_after_a_refill_keeps_the_window() {
        let (mut f, mut live, mut usage, mut cycles) = (Facts::default(), 100_000_000u64, 0, 0);
        for t in (0..90_000u64).step_by(20) {
            if t > 60_000 {
                live += 200_000;
                if t % 7000 == 0 {
                    (live, cycles) = (live - 40_000_000, cycles + 1);
                }
            }
            usage = usage.max(live + 4_000_000);
            let sample =
                Sample { t_ms: t, usage_bytes: usage, heap_live_bytes: live, gc_cycles: cycles, ..Sample::default() };
            f.timeline.samples.push(sample);
        }
        for end in (62_500..90_000).step_by(300) {
            let mut cut = f.clone();
            cut.timeline.samples.retain(|s| s.t_ms <= end);
            let w = window(&cut).unwrap_or_else(|| panic!("none at {end}"));
            assert!(w.onset_ms.abs_diff(60_000) <= 1500, "{w:?}");
        }
    }

    /// 20 MB/s, a tripwire at 125 MB, and from there 2 MB every two seconds: what `memory.high` makes of it
    /// where pages are huge.
    #[test]
    fn a_ramp_that_we_braked_is_seen_whole() {
        let curve = |t: u64| match t {
            0..5000 => 10_000_000,
            5000..10_750 => 10_000_000 + (t - 5000) * 20_000,
            _ => 125_000_000 + (t - 10_750) / 2000 * 2_100_000,
        };
        for cut in [13_100, 14_900, 15_100, 17_100] {
            let mut f = facts(curve, 20, 20);
            f.timeline.samples.retain(|s| s.t_ms <= cut);
            let event = |t_ms, text: &str| crate::facts::Event { t_ms, kind: "brake".into(), text: text.into() };
            f.timeline.events.push(event(9000, "tripwire set"));
            if cut > 14_000 {
                f.timeline.events.push(event(14_000, "tripwire taken back"));
            }
            let w = window(&f).unwrap_or_else(|| panic!("none at {cut}"));
            assert!(w.onset_ms.abs_diff(5000) <= 800, "{cut}: {w:?}");
        }
    }

    #[test]
    fn standing_at_the_limit_does_not_end_the_window() {
        // Up by 40 MB/s from second 20 on; then at the limit, and the kernel takes a little back now and
        // then.
        let curve = |t: u64| match t {
            0..20_000 => 100_000_000,
            20_000..30_000 => 100_000_000 + (t - 20_000) * 40_000,
            _ => 500_000_000 - t % 700 * 20_000,
        };
        for seconds in [33, 60, 372] {
            let mut f = facts(curve, seconds, 50);
            f.target.limit_bytes = Some(500_000_000);
            let w = window(&f).unwrap_or_else(|| panic!("none after {seconds} s"));
            assert!(w.onset_ms.abs_diff(20_000) < 700 && w.end_ms.abs_diff(29_200) < 500, "{w:?}");
            assert!(w.at_limit_ms.abs_diff(seconds * 1000 - 29_200) < 500, "{w:?}");
            assert!((w.rate / 4e7 - 1.0).abs() < 0.1, "{w:?}");
        }
        // Without its limit it is not known to stand at it.
        assert_eq!(window(&facts(curve, 372, 50)).map(|w| w.at_limit_ms), None);
    }

    #[test]
    fn a_rest_a_little_below_the_limit_is_one_too() {
        let curve = |t: u64| match t {
            0..20_000 => 100_000_000,
            20_000..29_200 => 100_000_000 + (t - 20_000) * 40_000,
            29_200..90_000 => 470_000_000,
            _ => 470_000_000 + (t - 90_000) * 10_000,
        };
        let mut f = facts(curve, 93, 50);
        f.target.limit_bytes = Some(500_000_000);
        let w = window(&f).unwrap();
        assert!(w.onset_ms.abs_diff(20_000) < 900 && w.at_limit_ms > 60_000, "{w:?}");
    }

    #[test]
    fn a_slow_leak_does_not_stand_at_the_limit() {
        let mut f = facts(|t| 100_000_000 + t * 100, 3600, 1000);
        f.target.limit_bytes = Some(460_000_000);
        let w = window(&f).unwrap();
        assert!(w.at_limit_ms == 0 && w.end_ms > 3_590_000, "{w:?}");
    }

    #[test]
    fn a_dip_does_not_end_a_climb() {
        let buffer = |t: u64| match t {
            0..500 => 12_000_000,
            500..900 => 74_000_000,
            900..1500 => 253_000_000,
            1500..3400 => 266_000_000 + (t - 1500) * 100_000,
            3400..3600 => 458_000_000 - (t - 3400) * 300_000,
            _ => 399_000_000 + (t - 3600) * 300_000,
        };
        let w = window(&facts(buffer, 4, 20)).unwrap();
        assert!(w.onset_ms < 1000 && w.growth() > 450_000_000, "{w:?}");
        // A step that is most of the climb has a beginning of its own, however soon after the start.
        let step = |t: u64| if t < 4000 { 100_000_000 } else { 100_000_000 + (t - 4000) * 300_000 };
        let w = window(&facts(step, 6, 20)).unwrap();
        assert!(w.onset_ms.abs_diff(4000) < 300, "{w:?}");
    }

    #[test]
    fn a_slow_leak_is_seen_whole() {
        let w = window(&facts(|t| 100_000_000 + t * 100, 3600, 1000)).unwrap();
        assert!(w.onset_ms < 300_000, "{w:?}");
        assert!((w.rate / 1e5 - 1.0).abs() < 0.1, "{w:?}");
    }

    #[test]
    fn calm_has_no_window() {
        assert_eq!(window(&facts(|t| 300_000_000 + (t % 1000) * 1000, 60, 100)), None);
        assert_eq!(window(&Facts::default()), None);
    }
}
