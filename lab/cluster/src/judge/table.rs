//! The table of verdicts, as it is kept.

use std::fmt::Write as _;

use super::mask::Mask;
use super::tally::{Row, Tally, calibration, quantile};

/// Writes all: sums, calibration, time to text, each play, each miss.
#[must_use]
pub fn render(header: &str, rows: &[Row]) -> String {
    let mut out = format!("{header}\n");
    let whole: Vec<&Row> = rows.iter().filter(|r| r.mask == Mask::Nothing).collect();
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "{:<28} {:>5} {:>12} {:>12} {:>15}",
        "verdicts", "plays", "first right", "of first 3", "sure and wrong"
    );
    let mut sums = |what: &str, of: &[&Row]| {
        let t = Tally::of(of.iter().copied());
        let part = |n: usize| format!("{n} ({:.0} %)", t.percent(n));
        let _ = writeln!(
            out,
            "{what:<28} {:>5} {:>12} {:>12} {:>15}",
            t.of,
            part(t.first),
            part(t.third),
            part(t.sure_and_wrong)
        );
    };
    sums("all", &whole);
    let held = |h: bool| whole.iter().copied().filter(|r| r.hold_out == h).collect::<Vec<_>>();
    sums("tuned on", &held(false));
    sums("held out", &held(true));
    let mut families: Vec<&str> = whole.iter().map(|r| r.family.as_str()).collect();
    families.sort_unstable();
    families.dedup();
    for family in families {
        let of: Vec<&Row> = whole.iter().copied().filter(|r| r.family == family).collect();
        sums(&format!("  {family}"), &of);
    }
    for mask in Mask::MASKS {
        let of: Vec<&Row> = rows.iter().filter(|r| r.mask == mask).collect();
        if !of.is_empty() {
            sums(&format!("without {}", mask.name()), &of);
        }
    }
    out.push_str("\nconfidence      verdicts   mean   right\n");
    for bin in calibration(&rows.iter().collect::<Vec<_>>()) {
        let _ = writeln!(
            out,
            "{:.1} to {:.1}      {:>8}   {:.2}   {:.2}",
            bin.from,
            bin.from + 0.2,
            bin.of,
            bin.said,
            bin.right
        );
    }
    let told: Vec<i64> = whole.iter().filter_map(|r| r.told_after_ms).collect();
    if let (Some(half), Some(most)) = (quantile(told.clone(), 0.5), quantile(told.clone(), 0.95)) {
        let _ = writeln!(
            out,
            "\nfirst kill to text: {} plays, median {:.1} s, p95 {:.1} s",
            told.len(),
            half as f64 / 1e3,
            most as f64 / 1e3
        );
    }
    out.push_str("\nplays (x: right, 3: among three, -: wrong, !: sure and wrong, ?: not counted)\n");
    for row in &whole {
        let j = &row.judgement;
        let off = j.off_ms.map_or_else(String::new, |ms| format!(" {:+.1} s", ms as f64 / 1e3));
        let held = if row.hold_out { "held out" } else { "" };
        let _ = writeln!(
            out,
            "{} {:<26} {:<8} {:>2} kills  truth {:<38} said {} {} ({:.2}){off}{}",
            mark(row),
            row.name,
            held,
            row.kills,
            row.truth,
            j.kind,
            j.key,
            j.confidence,
            if row.not_counted.is_empty() { String::new() } else { format!("  [{}]", row.not_counted) }
        );
    }
    let missed: Vec<&Row> = rows.iter().filter(|r| r.not_counted.is_empty() && !r.judgement.first).collect();
    if !missed.is_empty() {
        out.push_str("\nmisses\n");
    }
    for row in missed {
        let without = if row.mask == Mask::Nothing { String::new() } else { format!(" without {}", row.mask.name()) };
        let _ = writeln!(
            out,
            "{} {}{without}: truth {}; said, in order: {}",
            mark(row),
            row.name,
            row.truth,
            row.judgement.three.join(", ")
        );
    }
    out
}

fn mark(row: &Row) -> char {
    match (&row.judgement, row.not_counted.is_empty()) {
        (_, false) => '?',
        (j, true) if j.first => 'x',
        (j, true) if j.sure_and_wrong => '!',
        (j, true) if j.third => '3',
        _ => '-',
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::Judgement;
    use super::*;

    #[test]
    fn a_table_has_sums_plays_and_misses() {
        let judgement = |first| Judgement {
            kind: "config".into(),
            key: "ugctab".into(),
            first,
            third: first,
            confidence: 0.9,
            sure_and_wrong: !first,
            ..Judgement::default()
        };
        let row = |name: &str, hold_out, first| Row {
            name: name.into(),
            family: "config".into(),
            truth: "config ugctab".into(),
            hold_out,
            kills: 4,
            told_after_ms: Some(2500),
            judgement: judgement(first),
            ..Row::default()
        };
        let text = render("header", &[row("a", false, true), row("b", true, false)]);
        assert!(text.contains("tuned on") && text.contains("1 (100 %)") && text.contains("held out"), "{text}");
        assert!(text.contains("\nx a ") && text.contains("\n! b ") && text.contains("p95 2.5 s"), "{text}");
        assert!(text.contains("0.8 to 1.0             2   0.90   0.50"), "{text}");
    }
}
