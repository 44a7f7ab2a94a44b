//! The policy on curves of real programs, recorded with their counters' own steps and rests (`curves/`, each
//! says what it is of).

use super::PinAct;
use super::tests::{drive, drive_by, first, policy, strikes};

struct Curve(Vec<(u64, u64)>);

impl Curve {
    fn parse(text: &str) -> Self {
        let rows = text.lines().filter(|l| !l.starts_with('#')).map(|l| {
            let (t, kib) = l.split_once(' ').unwrap();
            (t.parse().unwrap(), kib.parse::<u64>().unwrap() << 10)
        });
        Self(rows.collect())
    }

    /// As the counter stood.
    fn at(&self, t: u64) -> u64 {
        let after = self.0.partition_point(|(at, _)| *at <= t);
        self.0[after.saturating_sub(1)].1
    }

    fn end(&self) -> u64 {
        self.0[self.0.len() - 1].0
    }

    fn peak(&self) -> u64 {
        self.0.iter().map(|(_, bytes)| *bytes).max().unwrap()
    }
}

/// Who died is held before, and struck in the last half second, or in the last two hundredths of the way.
#[test]
fn the_dead_were_pinned_and_struck() {
    for (name, text) in [
        ("incident", include_str!("curves/incident.txt")),
        ("leak", include_str!("curves/leak.txt")),
        ("ramp", include_str!("curves/ramp.txt")),
    ] {
        let curve = Curve::parse(text);
        let (acts, end) = drive(&policy(), curve.peak(), |t| curve.at(t), curve.end() + 1000);
        assert!(end.abs_diff(curve.end()) <= 300, "{name}: {end} {}", curve.end());
        let pinned = first(&acts, |a| a.pin == Some(PinAct::Hold)).unwrap();
        let struck = strikes(&acts);
        let last = *struck.last().unwrap_or_else(|| panic!("{name}: not struck"));
        println!("{name}: ends at {end} ms, pinned at {pinned}, struck at {struck:?}");
        // A leak's last percents may take seconds, in which hardly anything changes.
        let share = curve.at(last) as f64 / curve.peak() as f64;
        assert!(
            pinned < last && (end - last <= 500 || share > 0.98),
            "{name}: pinned {pinned}, struck {struck:?}, end {end}"
        );
        assert!(struck.len() <= 6, "{name}: {struck:?}");
    }
}

/// Who lives on is hardly ever struck, however near above the peak its limit is: a day of the same minute
/// again and again.
#[test]
fn the_living_are_left_alone() {
    for (name, text) in [("sawtooth", include_str!("curves/sawtooth.txt")), ("step", include_str!("curves/step.txt"))] {
        let curve = Curve::parse(text);
        for percent in [102, 105, 110, 130] {
            let limit = curve.peak() / 100 * percent;
            let again = |t: u64| curve.at(t % curve.end());
            // The step comes once.
            let days = if name == "step" { curve.end() } else { 86_400_000 };
            let (acts, end) = drive_by(&policy(), limit, again, days, 100.0);
            assert!(end >= days, "{name} {percent}: ended at {end}");
            let struck = strikes(&acts);
            assert!(struck.len() <= 1, "{name} with a limit of {percent} % of its peak: struck at {struck:?}");
        }
    }
}
