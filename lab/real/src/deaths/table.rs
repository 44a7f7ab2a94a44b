//! The table of deaths, and what of it fails.

use std::fmt::Write as _;

use lastgasp_deaths::judge::{Judgement, Outcome};

use super::play::Died;
use super::truth::Aims;

/// The table.
#[must_use]
pub fn render(header: &str, deaths: &[Died]) -> String {
    let mut out = format!(
        "{header}\n{:32} {:>7}  {:20} {:>4}  {:7} {:7} {:14} {:>7} {:>7}  title\n",
        "program/load", "s", "code", "conf", "site", "cause", "", "pre", "post"
    );
    // Writing into a String cannot fail.
    for d in deaths {
        let _ = writeln!(out, "{}", line(d));
    }
    let right = |of: fn(&Judgement) -> Outcome| deaths.iter().filter(|d| of(&d.judgement) == Outcome::Right).count();
    let _ = writeln!(
        out,
        "\nsite right {} of {n}, cause right {} of {n}, no finding {}, sure and wrong {}",
        right(|j| j.site),
        right(|j| j.cause),
        deaths.iter().filter(|d| nothing(&d.judgement)).count(),
        deaths.iter().filter(|d| d.judgement.sure_and_wrong).count(),
        n = deaths.len()
    );
    out += "pre, post: what the ledger of the last capture before and after the kill does not explain, in per cent of the resident memory\n";
    for d in deaths {
        for j in d.captures.iter().map(|c| (&c.phase, &c.judgement)).filter(|(_, j)| differs(j, &d.judgement)) {
            let _ = writeln!(
                out,
                "{}: its {} capture alone says: {} [{:.2}] {}",
                d.id,
                j.0,
                j.1.title,
                j.1.confidence,
                mark(j.1)
            );
        }
    }
    for d in deaths.iter().filter(|d| d.judgement.site != Outcome::Right || d.judgement.cause != Outcome::Right) {
        let j = &d.judgement;
        let claims = if j.claimed.is_empty() { "no cause".to_owned() } else { j.claimed.join(", ") };
        let _ = write!(
            out,
            "\n{}\n  {} [{:.2}], of {}, claims {claims}\n  {}\n  {}\n",
            d.id, j.title, j.confidence, j.function, j.sentence, j.cure
        );
    }
    out
}

/// One line of it.
#[must_use]
pub fn line(d: &Died) -> String {
    let j = &d.judgement;
    format!(
        "{:32} {:7.1}  {:20} {:4.2}  {:7} {:7} {:14} {:>7} {:>7}  {}",
        d.id,
        d.seconds,
        if j.code.is_empty() { "-" } else { &j.code },
        j.confidence,
        j.site.word(),
        j.cause.word(),
        mark(j),
        share(unknown(d, "pre-kill")),
        share(unknown(d, "post-kill")),
        j.title
    )
    .trim_end()
    .to_owned()
}

/// Of the last capture of that phase.
fn unknown(d: &Died, phase: &str) -> Option<f64> {
    d.captures.iter().rfind(|c| c.phase == phase).and_then(|c| c.unknown)
}

fn share(unknown: Option<f64>) -> String {
    unknown.map_or_else(|| "-".to_owned(), |u| format!("{:.1} %", u * 100.0))
}

fn mark(j: &Judgement) -> &'static str {
    if j.sure_and_wrong { "SURE AND WRONG" } else { "" }
}

fn nothing(j: &Judgement) -> bool {
    j.code.is_empty()
}

fn differs(a: &Judgement, b: &Judgement) -> bool {
    a.title != b.title || a.function != b.function || a.sure_and_wrong != b.sure_and_wrong
}

/// What fails the chore, in words: a death of which nothing was found, a report that is sure and wrong, be it
/// joined or of one capture alone, and an aim that was missed.
#[must_use]
pub fn failures(deaths: &[Died], aims: Aims) -> Vec<String> {
    let mut out = Vec::new();
    for d in deaths {
        if nothing(&d.judgement) {
            out.push(format!("{}: no finding: {}", d.id, d.judgement.title));
        }
        let alone = d.captures.iter().map(|c| (c.phase.as_str(), &c.judgement));
        let all = std::iter::once(("joined", &d.judgement)).chain(alone);
        for (what, j) in all.filter(|(_, j)| j.sure_and_wrong) {
            out.push(format!("{}, {what}: sure and wrong: {}", d.id, j.title));
        }
        for phase in ["pre-kill", "post-kill"] {
            if let Some(u) = unknown(d, phase).filter(|u| *u > aims.unknown) {
                out.push(format!("{}, {phase}: {:.1} % of the resident memory is unknown", d.id, u * 100.0));
            }
        }
    }
    let right = deaths.iter().filter(|d| d.judgement.site == Outcome::Right).count();
    if (right as f64) < aims.site * deaths.len() as f64 {
        out.push(format!("site right: {right} of {}, less than {:.0} %", deaths.len(), aims.site * 100.0));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::play::Said;
    use super::super::truth::Truth;
    use super::*;

    fn died(site: Outcome, code: &str, sure_and_wrong: bool, unknown: f64) -> Died {
        let death = Truth::load().unwrap().death.remove(0);
        let of_nothing = Judgement::of_nothing(&death.way(), true, "x".into());
        let judgement = Judgement { site, code: code.into(), sure_and_wrong, ..of_nothing };
        let said = Said { phase: "post-kill".into(), judgement: judgement.clone(), unknown: Some(unknown) };
        Died { id: "a/b".into(), seconds: 1.0, judgement, captures: vec![said] }
    }

    #[test]
    fn what_fails_the_chore() {
        let aims = Aims { site: 0.95, unknown: 0.03 };
        let good = died(Outcome::Right, "leak", false, 0.03);
        assert!(failures(std::slice::from_ref(&good), aims).is_empty());
        let of = |d: Died| failures(&[good.clone(), d], aims);
        assert_eq!(
            of(died(Outcome::Right, "leak", false, 0.04)),
            ["a/b, post-kill: 4.0 % of the resident memory is unknown"]
        );
        assert_eq!(of(died(Outcome::Wrong, "leak", false, 0.0)), ["site right: 1 of 2, less than 95 %"]);
        assert_eq!(of(died(Outcome::Right, "", false, 0.0)), ["a/b: no finding: x"]);
        assert_eq!(of(died(Outcome::Right, "leak", true, 0.0)).len(), 2);
    }
}
