//! Sums over plays, and the table of them.

use std::fmt::Write as _;

use crate::expect::{Aims, Expect, InCi};
use crate::judge::{Judgement, Outcome};
use crate::play::{Play, Played};

/// How often something came out, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Right.
    pub right: usize,
    /// Counted.
    pub of: usize,
}

/// The sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Places.
    pub site: Share,
    /// Causes.
    pub cause: Share,
    /// Type, owner and holder, of those without a memory profile whose truth has them.
    pub kept: Share,
    /// Plays that were sure and wrong, by id.
    pub sure_and_wrong: Vec<String>,
}

impl Share {
    /// 0 to 1; 1 of nothing.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.of == 0 { 1.0 } else { self.right as f64 / self.of as f64 }
    }

    fn count(&mut self, outcome: Outcome) {
        self.right += usize::from(outcome == Outcome::Right);
        self.of += usize::from(outcome != Outcome::NotCounted);
    }

    fn text(self) -> String {
        format!("{} of {} ({:.0} %)", self.right, self.of, self.value() * 100.0)
    }
}

impl Tally {
    /// Of these plays.
    pub fn of<'a>(plays: impl IntoIterator<Item = &'a Played>) -> Self {
        let mut tally = Self::default();
        for p in plays {
            tally.site.count(p.judgement.site);
            tally.cause.count(p.judgement.cause);
            tally.kept.count(p.judgement.kept);
            if p.judgement.sure_and_wrong {
                tally.sure_and_wrong.push(p.id());
            }
        }
        tally
    }

    /// What is missed, in words.
    #[must_use]
    pub fn misses(&self, aims: Aims) -> Vec<String> {
        let mut out = Vec::new();
        if !self.sure_and_wrong.is_empty() {
            out.push(format!("sure and wrong: {}", self.sure_and_wrong.join(", ")));
        }
        for (what, share, aim) in [("site", self.site, aims.site), ("cause", self.cause, aims.cause)] {
            if share.value() < aim {
                out.push(format!("{what} right: {}, less than {:.0} %", share.text(), aim * 100.0));
            }
        }
        out
    }
}

/// All plays: of every way one with a memory profile and one without.
#[must_use]
pub fn all(expect: &Expect) -> Vec<Play<'_>> {
    let both = |(name, way)| [true, false].map(|profiled| Play { name, way, profiled });
    expect.ways.iter().map(|(n, w)| (n.as_str(), w)).flat_map(both).collect()
}

/// Those of CI.
#[must_use]
pub fn of_ci(expect: &Expect) -> Vec<Play<'_>> {
    let mut plays = all(expect);
    plays.retain(|p| match p.way.ci {
        InCi::No => false,
        InCi::Profiled => p.profiled,
        InCi::Unprofiled => !p.profiled,
        InCi::Both => true,
    });
    plays
}

/// One line of a play.
#[must_use]
pub fn line(p: &Played) -> String {
    let j = &p.judgement;
    format!(
        "{:24} {:10} {:5.1} s  {:18} {:4.2}  {:7} {:7} {:15} {}",
        p.way,
        if p.profiled { "profiled" } else { "unprofiled" },
        p.seconds,
        if j.code.is_empty() { "-" } else { &j.code },
        j.confidence,
        j.site.word(),
        j.cause.word(),
        if j.sure_and_wrong { "SURE AND WRONG" } else { "" },
        j.title
    )
    .trim_end()
    .to_owned()
}

/// The table, the sums, and what was said by those that were not right.
#[must_use]
pub fn render(header: &str, plays: &[Played]) -> String {
    let mut out = format!("{header}\n{}\n", heading());
    // Writing into a String cannot fail.
    for p in plays {
        let _ = writeln!(out, "{}", line(p));
    }
    let of = |profiled: bool| Tally::of(plays.iter().filter(|p| p.profiled == profiled));
    out.push('\n');
    for (what, tally) in [("all", Tally::of(plays)), ("profiled", of(true)), ("unprofiled", of(false))] {
        let _ = writeln!(
            out,
            "{what:10}  site right {:18} cause right {:18} kept right {:18} sure and wrong {}",
            tally.site.text(),
            tally.cause.text(),
            tally.kept.text(),
            tally.sure_and_wrong.len()
        );
    }
    let others = plays.iter().flat_map(|p| &p.others);
    let (captures, wrong) = others.fold((0, 0), |(n, w), o| (n + 1, w + usize::from(o.judgement.sure_and_wrong)));
    let _ = writeln!(out, "Of {captures} captures beside the best {wrong} were sure and wrong.");
    let worst = plays.iter().filter(|p| p.judgement.sure_and_wrong);
    for p in worst {
        let _ = write!(out, "\n{}\n{}", p.id(), said(&p.judgement));
    }
    out
}

fn heading() -> String {
    format!(
        "{:24} {:10} {:7}  {:18} {:4}  {:7} {:7} {:15} {}",
        "way", "", "", "code", "conf", "site", "cause", "", "title"
    )
}

/// What a report said, for people.
fn said(j: &Judgement) -> String {
    let claims = if j.claimed.is_empty() { "no cause".to_owned() } else { j.claimed.join(", ") };
    format!("  {} [{:.2}], claims {claims}\n  {}\n  {}\n", j.title, j.confidence, j.sentence, j.cure)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn played(way: &str, site: Outcome, cause: Outcome, sure_and_wrong: bool) -> Played {
        let expect = Expect::load().unwrap();
        let nothing = Judgement::of_nothing(&expect.ways[way], true, "x".into());
        let judgement = Judgement { site, cause, sure_and_wrong, ..nothing };
        Played { way: way.into(), profiled: true, seconds: 1.0, judgement, others: Vec::new() }
    }

    #[test]
    fn what_is_not_counted_is_neither_right_nor_wrong() {
        let plays = [
            played("mapped", Outcome::NotCounted, Outcome::Right, false),
            played("lock-held", Outcome::Right, Outcome::Wrong, true),
            played("timers", Outcome::Unsaid, Outcome::Unsaid, false),
        ];
        let tally = Tally::of(&plays);
        assert_eq!((tally.site, tally.cause), (Share { right: 1, of: 2 }, Share { right: 1, of: 3 }));
        assert_eq!(tally.sure_and_wrong, ["lock-held/profiled"]);
        let missed = tally.misses(Aims { site: 0.95, cause: 0.3 });
        assert_eq!(missed, ["sure and wrong: lock-held/profiled", "site right: 1 of 2 (50 %), less than 95 %"]);
        let text = render("x", &plays);
        assert!(text.contains("SURE AND WRONG") && text.contains("cause right 1 of 3 (33 %)"), "{text}");
    }

    #[test]
    fn every_way_is_played_twice() {
        let expect = Expect::load().unwrap();
        assert_eq!(all(&expect).len(), expect.ways.len() * 2);
        assert!(of_ci(&expect).iter().all(|p| p.way.ci != InCi::No));
    }
}
