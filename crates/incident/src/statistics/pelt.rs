//! The offline change detector: PELT (Killick, Fearnhead, Eckley, JASA 2012), changes of the mean of values with
//! known noise. It gives the segmentation of least cost, exactly, in about linear time where there are changes.

/// Most values that are looked at: the cost of a series without changes is quadratic. Longer ones are thinned
/// by whoever asks.
pub const MOST: usize = 4096;

/// Where a new segment begins: indices of its first values, without 0. `penalty` is in units of the noise's
/// variance; [`usual_penalty`] is one that finds next to nothing in noise.
#[must_use]
pub fn changes(values: &[f64], noise: f64, penalty: f64) -> Vec<usize> {
    let n = values.len().min(MOST);
    let noise = if noise.is_finite() && noise > 0.0 { noise } else { return Vec::new() };
    // Sums of values and of squares up to each: the cost of any segment in one step.
    let (mut sums, mut squares) = (vec![0.0], vec![0.0]);
    let (mut sum, mut square) = (0.0, 0.0);
    let first = values.first().copied().unwrap_or(0.0);
    for v in values.iter().take(n) {
        // Around the first value: squares of large numbers would eat the digits.
        let z = (v - first) / noise;
        sum += z;
        square += z * z;
        sums.push(sum);
        squares.push(square);
    }
    let at = |all: &[f64], i: usize| all.get(i).copied().unwrap_or(0.0);
    let cost = |from: usize, to: usize| {
        let (s, q) = (at(&sums, to) - at(&sums, from), at(&squares, to) - at(&squares, from));
        (q - s * s / (to - from) as f64).max(0.0)
    };
    let mut best = vec![-penalty];
    let mut last = vec![0_usize];
    let mut candidates = vec![0_usize];
    for to in 1..=n {
        let through: Vec<(usize, f64)> = candidates.iter().map(|s| (*s, at(&best, *s) + cost(*s, to))).collect();
        let (from, least) = through.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
        best.push(least + penalty);
        last.push(from);
        // Who is worse already by more than a change costs will never be better.
        candidates = through.into_iter().filter(|(_, c)| *c <= least + penalty).map(|(s, _)| s).collect();
        candidates.push(to);
    }
    let mut out = Vec::new();
    let mut to = n;
    while to > 0 {
        let from = last.get(to).copied().unwrap_or(0).min(to - 1);
        if from > 0 {
            out.push(from);
        }
        to = from;
    }
    out.reverse();
    out
}

/// A penalty for so many values: three times the logarithm (the modified BIC of Zhang and Siegmund), and 12 at
/// least, so that of short noise fewer than one in a hundred is told to have changed.
#[must_use]
pub fn usual_penalty(values: usize) -> f64 {
    (3.0 * (values.max(2) as f64).ln()).max(12.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::robust::noise;

    /// Flow of the Nile, 1871 to 1970 (Cobb 1978): the one change is in 1899, after the first dam.
    #[test]
    fn the_nile() {
        let flow = [
            1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958,
            1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020,
            1050, 969, 831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796,
            1040, 759, 781, 865, 845, 944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848,
            890, 744, 749, 838, 1050, 918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
        ];
        let values: Vec<f64> = flow.map(f64::from).to_vec();
        assert_eq!(changes(&values, noise(&values).unwrap(), usual_penalty(100)), [28]);
    }

    /// The same segmentation of least cost, by trying all of them.
    fn by_hand(values: &[f64], penalty: f64) -> f64 {
        let mut best = vec![-penalty];
        for to in 1..=values.len() {
            let of = |from: usize| {
                let part = &values[from..to];
                let mean = part.iter().sum::<f64>() / part.len() as f64;
                best[from] + part.iter().map(|v| (v - mean).powi(2)).sum::<f64>() + penalty
            };
            best.push((0..to).map(of).fold(f64::INFINITY, f64::min));
        }
        best[values.len()]
    }

    fn cost_of(values: &[f64], changes: &[usize], penalty: f64) -> f64 {
        let mut bounds = vec![0];
        bounds.extend(changes);
        bounds.push(values.len());
        let parts = bounds.windows(2).map(|w| {
            let part = &values[w[0]..w[1]];
            let mean = part.iter().sum::<f64>() / part.len() as f64;
            part.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
        });
        parts.sum::<f64>() + penalty * changes.len() as f64
    }

    proptest::proptest! {
        #[test]
        fn none_is_better(values in proptest::collection::vec(-9_i32..9, 1..60), penalty in 1_u32..20) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let penalty = f64::from(penalty);
            let got = changes(&values, 1.0, penalty);
            proptest::prop_assert!(got.windows(2).all(|w| w[0] < w[1]) && got.iter().all(|c| (1..values.len()).contains(c)));
            let (got, want) = (cost_of(&values, &got, penalty), by_hand(&values, penalty));
            proptest::prop_assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
    }

    /// A thousand series of sixty values of noise: next to none has changed.
    #[test]
    fn noise_does_not_change() {
        let mut state = 7_u64;
        let mut next = || {
            let mut sum = 0.0;
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                sum += (state >> 11) as f64 / (1_u64 << 53) as f64;
            }
            sum - 6.0
        };
        let changed = (0..1000).filter(|_| {
            let values: Vec<f64> = (0..60).map(|_| next()).collect();
            !changes(&values, 1.0, usual_penalty(60)).is_empty()
        });
        assert!(changed.count() <= 15);
    }

    #[test]
    fn nothing_of_nothing() {
        assert!(changes(&[], 1.0, 5.0).is_empty() && changes(&[1.0, 9.0], 0.0, 5.0).is_empty());
        assert!(changes(&[f64::NAN; 5], 1.0, 5.0).len() < 5);
    }
}
