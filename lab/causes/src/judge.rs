//! Verdicts held against the truth. Pure: what a program says and what a report says in, a judgement out.
//!
//! A goroutine that will never be woken is **found** if its tier is one of those that are right; its **cause** is
//! right if its code is. Of locks the **holder** is right if who holds it is among those that are named. In a
//! repaired program, and of goroutines that are part of no shape, every finding is a **false** one. What only
//! package variables lead to is counted by itself: no rule proves it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::expect::{Holder, Right, Shape, Way};
use crate::play::{Planted, Seen};
use crate::said::Said;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Right.
    pub right: usize,
    /// Counted.
    pub of: usize,
}

impl Share {
    /// Counts one.
    pub fn count(&mut self, right: bool) {
        self.right += usize::from(right);
        self.of += 1;
    }

    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.right += other.right;
        self.of += other.of;
    }

    /// 0 to 1; 1 of nothing.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.of == 0 { 1.0 } else { self.right as f64 / self.of as f64 }
    }
}

/// What is said of one goroutine and is not right.
#[derive(Clone, Debug, Serialize)]
pub struct Mistake {
    /// What is not right: `missed`, `tier`, `cause`, `holder`, `missing_done`, `deadline`, `peer`, `false`.
    pub what: &'static str,
    /// The shape; empty where it is part of none.
    pub shape: String,
    /// Its role.
    pub role: String,
    /// The goroutine.
    pub goid: u64,
    /// What would be right.
    pub right: String,
    /// What was said; `null` where nothing was.
    pub said: serde_json::Value,
}

/// How a play came out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Judgement {
    /// Goroutines that nothing will wake: found in a right tier.
    pub found: Share,
    /// The same of those that only package variables lead to.
    pub globals: Share,
    /// Codes, of what was found.
    pub cause: Share,
    /// The best code, of what was found.
    pub best: Share,
    /// Holders of locks, of what was found.
    pub holder: Share,
    /// Numbers of missing calls of `Done`.
    pub missing_done: Share,
    /// Whether there is a deadline.
    pub deadline: Share,
    /// Peers.
    pub peer: Share,
    /// Goroutines that are well and were blocked.
    pub healthy: usize,
    /// False findings by tier.
    pub false_findings: BTreeMap<String, usize>,
    /// What was not right.
    pub mistakes: Vec<Mistake>,
    /// Why the program is not what it should be: a shape that did not come about.
    pub broken: Vec<String>,
}

/// Judges a sick program.
#[must_use]
pub fn judge(way: &Way, seen: &Seen) -> Judgement {
    let mut j = Judgement::default();
    let said: BTreeMap<u64, &Said> = seen.said.iter().map(|s| (s.goid, s)).collect();
    let mut known = Vec::new();
    for (name, shape) in &way.shapes {
        let nothing = Planted { shape: name.clone(), ..Planted::default() };
        let planted = seen.planted.iter().find(|p| p.shape == *name).unwrap_or(&nothing);
        for (role, least) in &shape.roles {
            let there = planted.roles.get(role).map_or(0, Vec::len);
            if there < *least {
                j.broken.push(format!("{name}: {there} of {role}, less than {least}"));
            }
        }
        for (role, ids) in &planted.roles {
            known.extend(ids.iter().copied());
            let Some(right) = way.right(shape, role) else { continue };
            for id in ids {
                let of = One { j: &mut j, planted, role, id: *id, said: said.get(id).copied() };
                of.judge(way, shape, &right, shape.outside.contains(role));
            }
        }
    }
    if let Some(least) = way.group {
        let codes = way.code.values().flatten().collect::<Vec<_>>();
        let right = seen.groups.iter().any(|(count, _, code)| *count >= least && codes.contains(&code));
        j.cause.count(right);
        if !right {
            j.mistakes.push(Mistake {
                what: "cause",
                shape: String::new(),
                role: "group".into(),
                goid: 0,
                right: format!("a group of {least} with {codes:?}"),
                said: serde_json::json!(seen.groups),
            });
        }
        return j;
    }
    strays(&mut j, seen, &known);
    j
}

/// Judges a program in which all is well.
#[must_use]
pub fn judge_healthy(seen: &Seen, way: Option<&Way>) -> Judgement {
    let mut j = Judgement::default();
    strays(&mut j, seen, &[]);
    for planted in &seen.planted {
        // What has a deadline is to have one.
        let Some(shape) = way.and_then(|w| w.shapes.get(&planted.shape)) else { continue };
        for id in shape.outside.iter().filter_map(|r| planted.roles.get(r)).flatten() {
            let said = seen.said.iter().find(|s| s.goid == *id);
            let of = One { j: &mut j, planted, role: "stuck", id: *id, said };
            of.outside(true);
        }
    }
    j
}

/// Counts findings about goroutines that are part of no shape.
fn strays(j: &mut Judgement, seen: &Seen, known: &[u64]) {
    for s in seen.said.iter().filter(|s| !known.contains(&s.goid)) {
        j.healthy += 1;
        if !s.is_finding() {
            continue;
        }
        *j.false_findings.entry(s.tier.clone()).or_default() += 1;
        let mut of = seen.planted.iter().flat_map(|p| p.roles.iter().map(move |(role, ids)| (p, role, ids)));
        let of = of.find(|(_, _, ids)| ids.contains(&s.goid));
        j.mistakes.push(Mistake {
            what: "false",
            shape: of.map_or_else(String::new, |(p, _, _)| p.shape.clone()),
            role: of.map_or_else(String::new, |(_, role, _)| role.clone()),
            goid: s.goid,
            right: "nothing".into(),
            said: s.whole.clone(),
        });
    }
}

/// One goroutine, to be judged.
struct One<'a> {
    j: &'a mut Judgement,
    planted: &'a Planted,
    role: &'a str,
    id: u64,
    said: Option<&'a Said>,
}

impl One<'_> {
    fn mistake(&mut self, what: &'static str, right: String) {
        self.j.mistakes.push(Mistake {
            what,
            shape: self.planted.shape.clone(),
            role: self.role.to_owned(),
            goid: self.id,
            right,
            said: self.said.map(|s| s.whole.clone()).unwrap_or_default(),
        });
    }

    fn judge(mut self, way: &Way, shape: &Shape, right: &Right<'_>, outside: bool) {
        let found = self.said.is_some_and(|s| right.tiers.contains(&s.tier.as_str()));
        let finding = self.said.is_some_and(Said::is_finding);
        let counted = !shape.globals && (!shape.loose || finding);
        if shape.globals {
            self.j.globals.count(found);
        } else if counted {
            self.j.found.count(found);
        }
        if !found && counted {
            let what = if finding { "tier" } else { "missed" };
            self.mistake(what, right.tiers.join(" or "));
        }
        if let Some(s) = self.said.filter(|s| s.is_finding() || way.any_tier) {
            let cause = right.codes.contains(&s.code);
            self.j.cause.count(cause);
            self.j.best.count(right.codes.first() == Some(&s.code));
            if !cause {
                self.mistake("cause", right.codes.join(" or "));
            }
            if let Some(holder) = right.holder {
                self.holder(s, holder);
            }
        }
        if let Some(n) = self.planted.facts.get("missing_done").filter(|_| self.role == "stuck") {
            let right = self.said.and_then(|s| s.missing_done).map(|n| n.to_string()).as_ref() == Some(n);
            self.j.missing_done.count(right);
            if !right {
                let n = n.clone();
                self.mistake("missing_done", n);
            }
        }
        if outside {
            self.outside(false);
        }
    }

    fn holder(&mut self, said: &Said, holder: &Holder) {
        let ids = |role: &str| self.planted.roles.get(role).cloned().unwrap_or_default();
        let (right, wish) = match holder {
            Holder::Nobody => (said.holders.is_empty(), "no living goroutine".to_owned()),
            Holder::Itself => (said.holders.contains(&self.id), format!("goroutine {}", self.id)),
            Holder::Ring | Holder::Role(_) | Holder::Any => {
                let all: Vec<u64> = match holder {
                    Holder::Ring => ids(self.role),
                    Holder::Role(role) => ids(role),
                    _ => self.planted.roles.values().flatten().copied().collect(),
                };
                let all: Vec<u64> = all.into_iter().filter(|id| *id != self.id).collect();
                (all.iter().any(|id| said.holders.contains(id)), format!("one of the goroutines {all:?}"))
            }
        };
        self.j.holder.count(right);
        if !right {
            self.mistake("holder", wish);
        }
    }

    fn outside(mut self, deadline: bool) {
        let right = self.said.and_then(|s| s.deadline) == Some(deadline);
        self.j.deadline.count(right);
        if !right {
            self.mistake("deadline", deadline.to_string());
        }
        if let Some(peer) = self.planted.facts.get("peer").cloned() {
            let right = self.said.and_then(|s| s.peer.as_ref()) == Some(&peer);
            self.j.peer.count(right);
            if !right {
                self.mistake("peer", peer);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::expect::Expect;

    fn said(goid: u64, tier: &str, code: &str, holders: &[u64]) -> Said {
        Said {
            goid,
            tier: tier.into(),
            code: code.into(),
            holders: holders.iter().copied().collect::<BTreeSet<_>>(),
            ..Said::default()
        }
    }

    fn planted(shape: &str, roles: &[(&str, &[u64])]) -> Planted {
        Planted {
            shape: shape.into(),
            roles: roles.iter().map(|(r, ids)| ((*r).to_owned(), ids.to_vec())).collect(),
            ..Planted::default()
        }
    }

    #[test]
    fn a_double_lock_is_judged_goroutine_by_goroutine() {
        let expect = Expect::load().unwrap();
        let way = &expect.ways["double-lock"];
        let seen = Seen {
            planted: vec![
                planted("account", &[("stuck", &[5]), ("behind", &[6, 7, 8])]),
                planted("once", &[("stuck", &[9])]),
            ],
            said: vec![
                said(5, "proved", "double-lock", &[5]),
                said(6, "proved", "lock-held-by-blocked", &[5]),
                said(7, "proved", "missing-done", &[8]),
                said(8, "healthy", "", &[]),
                said(20, "stalled", "io-without-deadline", &[]),
                said(21, "healthy", "", &[]),
            ],
            ..Seen::default()
        };
        let j = judge(way, &seen);
        assert_eq!(j.found, Share { right: 3, of: 5 });
        assert_eq!(j.cause, Share { right: 2, of: 3 });
        assert_eq!(j.holder, Share { right: 2, of: 3 });
        assert_eq!((j.healthy, j.false_findings.get("stalled")), (2, Some(&1)));
        let what: Vec<_> = j.mistakes.iter().map(|m| (m.what, m.goid)).collect();
        assert_eq!(what, [("cause", 7), ("holder", 7), ("missed", 8), ("missed", 9), ("false", 20)]);
        assert!(j.broken.iter().any(|b| b.starts_with("once: 0 of behind")), "{:?}", j.broken);
    }

    #[test]
    fn in_a_repaired_program_every_finding_is_false() {
        let seen = Seen {
            planted: vec![planted("account", &[("behind", &[6])])],
            said: vec![said(6, "proved", "double-lock", &[]), said(7, "healthy", "", &[])],
            ..Seen::default()
        };
        let j = judge_healthy(&seen, None);
        assert_eq!((j.healthy, j.false_findings.get("proved")), (2, Some(&1)));
        assert_eq!((j.mistakes[0].shape.as_str(), j.mistakes[0].role.as_str()), ("account", "behind"));
    }

    #[test]
    fn numbers_and_peers_are_held_against_facts() {
        let expect = Expect::load().unwrap();
        let mut p = planted("added-too-much", &[("stuck", &[3])]);
        p.facts.insert("missing_done".into(), "7".into());
        let one = Said { missing_done: Some(7), ..said(3, "proved", "missing-done", &[]) };
        let seen = Seen { planted: vec![p], said: vec![one], ..Seen::default() };
        assert_eq!(judge(&expect.ways["missing-done"], &seen).missing_done, Share { right: 1, of: 1 });

        let mut p = planted("lines", &[("stuck", &[3])]);
        p.facts.insert("peer".into(), "127.0.0.1:9".into());
        let one = Said { deadline: Some(true), ..said(3, "stalled", "io-without-deadline", &[]) };
        let seen = Seen { planted: vec![p], said: vec![one], ..Seen::default() };
        let way = &expect.ways["io-without-deadline"];
        let (sick, healthy) = (judge(way, &seen), judge_healthy(&seen, Some(way)));
        assert_eq!((sick.deadline, sick.peer), (Share { right: 0, of: 1 }, Share { right: 0, of: 1 }));
        assert_eq!(healthy.deadline, Share { right: 1, of: 1 });
    }
}
