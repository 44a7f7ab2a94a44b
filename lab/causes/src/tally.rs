//! Sums over plays, and the table of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::judge::{Judgement, Share};
use crate::play::Play;

/// A play and how it came out.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Toolchain and mode.
    pub build: String,
    /// What was played.
    pub play: Play,
    /// How it came out.
    pub judgement: Judgement,
    /// Why nothing was proved, as the report has it.
    pub no_proof: String,
    /// Differences between living process and core.
    pub core_differs: Vec<String>,
    /// Nanoseconds that the process stood still.
    pub stopped_ns: u64,
}

/// The sums.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Goroutines that nothing will wake: found in a right tier.
    pub found: Share,
    /// The same of those that only package variables lead to.
    pub globals: Share,
    /// Codes.
    pub cause: Share,
    /// The best code.
    pub best: Share,
    /// Holders of locks.
    pub holder: Share,
    /// Numbers of missing calls of `Done`.
    pub missing_done: Share,
    /// Deadlines.
    pub deadline: Share,
    /// Peers.
    pub peer: Share,
    /// Goroutines that are well and were blocked.
    pub healthy: usize,
    /// False findings by tier.
    pub false_findings: BTreeMap<String, usize>,
}

impl Tally {
    /// Of these plays.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut t = Self::default();
        for row in rows {
            let j = &row.judgement;
            for (sum, one) in [
                (&mut t.found, j.found),
                (&mut t.globals, j.globals),
                (&mut t.cause, j.cause),
                (&mut t.best, j.best),
                (&mut t.holder, j.holder),
                (&mut t.missing_done, j.missing_done),
                (&mut t.deadline, j.deadline),
                (&mut t.peer, j.peer),
            ] {
                sum.add(one);
            }
            t.healthy += j.healthy;
            for (tier, n) in &j.false_findings {
                *t.false_findings.entry(tier.clone()).or_default() += n;
            }
        }
        t
    }

    /// What is missed of the aims, in words.
    #[must_use]
    pub fn misses(&self) -> Vec<String> {
        /// Shares that are aimed at.
        const AIMS: [(&str, f64); 6] =
            [("found", 0.9), ("cause", 0.95), ("holder", 0.9), ("missing Done", 1.0), ("deadline", 1.0), ("peer", 1.0)];
        let shares = [self.found, self.cause, self.holder, self.missing_done, self.deadline, self.peer];
        let mut out: Vec<String> = AIMS
            .iter()
            .zip(shares)
            .filter(|((_, aim), share)| share.value() < *aim)
            .map(|((what, aim), share)| format!("{what} right: {}, less than {:.0} %", text(share), aim * 100.0))
            .collect();
        if !self.false_findings.is_empty() {
            out.push(format!("false findings: {:?}", self.false_findings));
        }
        out
    }
}

fn text(share: Share) -> String {
    format!("{}/{} ({:.0} %)", share.right, share.of, (share.value() * 1000.0).floor() / 10.0)
}

/// One line of a play.
#[must_use]
pub fn line(row: &Row) -> String {
    let j = &row.judgement;
    let share = |s: Share| if s.of == 0 { "-".to_owned() } else { format!("{}/{}", s.right, s.of) };
    let numbers = [j.missing_done, j.deadline, j.peer].iter().fold(Share::default(), |mut sum, s| {
        sum.add(*s);
        sum
    });
    let mut out = format!(
        "{:34} {:18} found {:9} globals {:5} cause {:9} holder {:9} numbers {:6} well {:5}",
        row.play.id(),
        row.build,
        share(j.found),
        share(j.globals),
        share(j.cause),
        share(j.holder),
        share(numbers),
        j.healthy,
    );
    // Writing into a String cannot fail.
    if !j.false_findings.is_empty() {
        let _ = write!(out, " FALSE {:?}", j.false_findings);
    }
    for b in &j.broken {
        let _ = write!(out, " BROKEN {b}");
    }
    if !row.no_proof.is_empty() {
        let _ = write!(out, " no proof: {}", row.no_proof);
    }
    if !row.core_differs.is_empty() {
        let _ = write!(out, " core differs: {}", row.core_differs.len());
    }
    out.trim_end().to_owned()
}

/// The table and the sums.
#[must_use]
pub fn render(header: &str, rows: &[Row]) -> String {
    let mut out = format!("{header}\n");
    // Writing into a String cannot fail.
    for row in rows {
        let _ = writeln!(out, "{}", line(row));
    }
    let t = Tally::of(rows);
    let _ = writeln!(
        out,
        "\nOf goroutines that nothing will wake, or that stall: found {}; where only package variables lead there {}.\n\
         Of what was found: cause right {}, the best code {}; of locks the holder right {}.\n\
         Missing Done right {}; deadline {}; peer {}.\n\
         False findings, of {} goroutines that are well: {}.",
        text(t.found),
        text(t.globals),
        text(t.cause),
        text(t.best),
        text(t.holder),
        text(t.missing_done),
        text(t.deadline),
        text(t.peer),
        t.healthy,
        if t.false_findings.is_empty() { "none".to_owned() } else { format!("{:?}", t.false_findings) },
    );
    let longest = rows.iter().map(|r| r.stopped_ns).max().unwrap_or(0);
    let _ = writeln!(out, "Longest time that a process stood still: {:.1} ms.", longest as f64 / 1e6);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_counted_misses_nothing() {
        let row = |found, cause| Row {
            build: "go1.27 stripped".into(),
            play: Play { name: "x".into(), repaired: false },
            judgement: Judgement { found, cause, healthy: 3, ..Judgement::default() },
            no_proof: String::new(),
            core_differs: Vec::new(),
            stopped_ns: 1,
        };
        let rows = [
            row(Share { right: 8, of: 10 }, Share::default()),
            row(Share { right: 9, of: 10 }, Share { right: 1, of: 1 }),
        ];
        assert_eq!(Tally::of(&rows).misses(), ["found right: 17/20 (85 %), less than 90 %"]);
        assert!(render("h", &rows).contains("of 6 goroutines that are well: none"));
    }
}
