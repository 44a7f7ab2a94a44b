//! The profile before: which look of the flight ring the growth is measured from.

use lastgasp_diagnosis::facts::{Facts, Target, Timeline};
use lastgasp_observe::target::baselines::{Baseline, BaselineHistory};

/// The look nearest to when the growth began, hardly later than that; the first there is if all came later.
/// `limit_bytes` is the limit, at which memory may have stood since.
/// `t_ms` is when the capture was taken, on the timeline's clock: where nothing grew the last look is the
/// one.
pub(crate) fn choose(
    history: &BaselineHistory,
    timeline: &Timeline,
    limit_bytes: Option<u64>,
    t_ms: u64,
) -> Option<Baseline> {
    let target = Target { limit_bytes, ..Target::default() };
    let facts = Facts { timeline: timeline.clone(), target, ..Facts::default() };
    let (onset, latest) = match lastgasp_diagnosis::window(&facts) {
        Some(w) => (w.onset_ms, w.onset_ms + (w.end_ms - w.onset_ms) / 20),
        None => (t_ms, t_ms),
    };
    let times = history.times();
    let early = times.iter().enumerate().filter(|(_, t)| **t <= latest);
    history.look(early.min_by_key(|(_, t)| t.abs_diff(onset)).map_or(0, |(i, _)| i))
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::Sample;

    use super::*;

    const MB: u64 = 1_000_000;

    /// Calm at 100 MB, then from second 100 to 120 up by 20 MB/s, looked at ten times a second.
    fn ramp() -> Timeline {
        let usage = |t_ms: u64| 100 * MB + t_ms.saturating_sub(100_000) * 20 * MB / 1000;
        let sample = |i: u64| Sample { t_ms: i * 100, usage_bytes: usage(i * 100), ..Sample::default() };
        Timeline { samples: (0..=1200).map(sample).collect(), ..Timeline::default() }
    }

    fn calm() -> Timeline {
        let sample = |i: u64| Sample { t_ms: i * 100, usage_bytes: 100 * MB, ..Sample::default() };
        Timeline { samples: (0..=1200).map(sample).collect(), ..Timeline::default() }
    }

    #[test]
    fn the_look_nearest_to_the_onset() {
        for (why, timeline, looks, chosen) in [
            ("before the onset, the nearest", ramp(), &[0u64, 60_000, 95_000] as &[u64], Some(95_000)),
            ("a little after it, if that is nearer", ramp(), &[60_000, 100_100, 119_000], Some(100_100)),
            ("but not a twentieth of the growth after it", ramp(), &[60_000, 102_000, 110_000], Some(60_000)),
            ("the first if all came late", ramp(), &[110_000, 115_000], Some(110_000)),
            ("the last where nothing grew", calm(), &[0, 60_000, 119_000], Some(119_000)),
            ("none that came after the capture", calm(), &[60_000, 130_000], Some(60_000)),
            ("the only one, whenever it was", calm(), &[500_000], Some(500_000)),
            ("without a timeline as where nothing grew", Timeline::default(), &[0, 119_000], Some(119_000)),
            ("none where there was no look", ramp(), &[], None),
        ] {
            let mut history = BaselineHistory::default();
            for t_ms in looks {
                history.push(Baseline { t_ms: *t_ms, ..Baseline::default() });
            }
            assert_eq!(choose(&history, &timeline, None, 120_000).map(|b| b.t_ms), chosen, "{why}");
        }
    }
}
