//! Two captures side by side: what grew, what shrank, what appeared, what went. Pure.

use std::collections::BTreeMap;

use crate::facts::{Facts, Frame, GraphFacts};
use crate::owner::owning_frame;
use crate::units::short;

/// How something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was not there before.
    Appeared,
    /// It is not there any more.
    Went,
    /// There is more of it.
    Grew,
    /// There is less of it.
    Shrank,
}

impl State {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::Went => "went",
            Self::Grew => "grew",
            Self::Shrank => "shrank",
        }
    }
}

/// One thing, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name: a type, a holder, the way of a collection, a function.
    pub name: String,
    /// What it is beside that: kind, type, state; it may be empty.
    pub of: String,
    /// How it changed.
    pub state: State,
    /// Bytes (of goroutines of their stacks) and number, before.
    pub before: (u64, u64),
    /// The same after.
    pub after: (u64, u64),
}

impl Change {
    /// Bytes that it grew by; negative if it shrank.
    #[must_use]
    pub fn bytes(&self) -> i64 {
        difference(self.before.0, self.after.0)
    }

    /// The same in number.
    #[must_use]
    pub fn count(&self) -> i64 {
        difference(self.before.1, self.after.1)
    }
}

fn difference(before: u64, after: u64) -> i64 {
    let size = i64::try_from(after.abs_diff(before)).unwrap_or(i64::MAX);
    if after >= before { size } else { -size }
}

/// What changed from one capture to another, the largest difference first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Live objects by type: `None` where one of the two has no heap graph.
    pub types: Option<Vec<Change>>,
    /// Who holds, by what would be free without it: likewise.
    pub roots: Option<Vec<Change>>,
    /// Collections, by elements and bytes: likewise.
    pub collections: Option<Vec<Change>>,
    /// Allocation sites, by bytes and objects in use: `None` where one of the two keeps no memory profile.
    pub sites: Option<Vec<Change>>,
    /// Goroutines by function and state.
    pub goroutines: Vec<Change>,
}

impl Diff {
    /// From `a` to `b`.
    #[must_use]
    pub fn of(a: &Facts, b: &Facts) -> Self {
        let graphs = a.graph.as_ref().zip(b.graph.as_ref());
        let of_graphs = |entries: fn(&GraphFacts) -> Entries| graphs.map(|(a, b)| changes(entries(a), entries(b)));
        let profiled = a.profile.rate != 0 && b.profile.rate != 0;
        Self {
            types: of_graphs(types),
            roots: of_graphs(roots),
            collections: of_graphs(collections),
            sites: profiled.then(|| changes(sites(a), sites(b))),
            goroutines: changes(goroutines(a), goroutines(b)),
        }
    }
}

/// By what is the same in both: name, what it is beside that, bytes and number.
type Entries = BTreeMap<(String, String), (u64, u64)>;

fn add(to: &mut Entries, key: (String, String), bytes: u64, count: u64) {
    let known = to.entry(key).or_default();
    *known = (known.0.saturating_add(bytes), known.1.saturating_add(count));
}

fn types(g: &GraphFacts) -> Entries {
    let mut out = Entries::new();
    g.types.iter().for_each(|t| add(&mut out, (t.name.clone(), String::new()), t.bytes, t.objects));
    out
}

fn roots(g: &GraphFacts) -> Entries {
    let mut out = Entries::new();
    g.roots.iter().for_each(|r| add(&mut out, (r.name.clone(), r.kind.clone()), r.retained_bytes, r.objects));
    out
}

fn collections(g: &GraphFacts) -> Entries {
    let mut out = Entries::new();
    g.census.iter().for_each(|c| add(&mut out, (c.owner.clone(), c.type_name.clone()), c.bytes, c.elements));
    out
}

/// By the function that owns them and its file, which do not change with the build's folder, nor with lines
/// that an edit has moved.
fn sites(facts: &Facts) -> Entries {
    let mut out = Entries::new();
    for s in &facts.profile.sites {
        let frames = || s.stack.iter().filter_map(|i| facts.frames.get(*i as usize));
        let own = owning_frame(facts, &s.stack).and_then(|i| frames().nth(i));
        let Some(f) = own else { continue };
        add(&mut out, (f.function.clone(), short(&f.file).to_owned()), s.current.bytes, s.current.objects);
    }
    out
}

fn goroutines(facts: &Facts) -> Entries {
    let mut out = Entries::new();
    for g in &facts.goroutines.groups {
        let frames = || g.stack.iter().filter_map(|i| facts.frames.get(*i as usize));
        let own = owning_frame(facts, &g.stack).and_then(|i| frames().nth(i));
        let in_runtime = |f: &&Frame| f.function.starts_with("runtime.");
        let started = || g.created_by.and_then(|i| facts.frames.get(i as usize));
        // What is in the runtime alone says less than who began it.
        let own = own.filter(|f| !in_runtime(f)).or_else(|| frames().find(|f| !in_runtime(f)));
        let Some(f) = own.or_else(started).or_else(|| frames().next()) else { continue };
        add(&mut out, (f.function.clone(), g.state.to_string()), 0, g.count);
    }
    out
}

/// What differs, the largest difference of bytes first, then of number.
fn changes(before: Entries, mut after: Entries) -> Vec<Change> {
    let mut out = Vec::new();
    let mut note = |(name, of): (String, String), before: Option<(u64, u64)>, after: Option<(u64, u64)>| {
        let (was, is) = (before.unwrap_or_default(), after.unwrap_or_default());
        let state = match (before, after) {
            (None, _) => State::Appeared,
            (_, None) => State::Went,
            _ if was == is => return,
            _ if is > was => State::Grew,
            _ => State::Shrank,
        };
        out.push(Change { name, of, state, before: was, after: is });
    };
    for (key, was) in before {
        let is = after.remove(&key);
        note(key, Some(was), is);
    }
    for (key, is) in after {
        note(key, None, Some(is));
    }
    out.sort_by(|a, b| {
        let size = |c: &Change| (c.bytes().unsigned_abs(), c.count().unsigned_abs());
        size(b).cmp(&size(a)).then_with(|| (&a.name, &a.of).cmp(&(&b.name, &b.of)))
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Amount, Frame, GraphCensus, GraphRoot, GraphType, Group, Profile, Site};

    fn facts(types: &[(&str, u64)], elements: u64, calls: u64, bytes: u64) -> Facts {
        let kind = |(name, bytes): &(&str, u64)| GraphType {
            name: (*name).into(),
            bytes: *bytes,
            objects: bytes / 10,
            ..GraphType::default()
        };
        let graph = GraphFacts {
            types: types.iter().map(kind).collect(),
            roots: vec![GraphRoot { kind: "global".into(), name: "main.cache".into(), ..GraphRoot::default() }],
            census: vec![GraphCensus {
                owner: "global main.config .avids".into(),
                type_name: "[]int64".into(),
                elements,
                bytes: elements * 8,
                ..GraphCensus::default()
            }],
            ..GraphFacts::default()
        };
        let current = Amount { bytes, objects: 1 };
        let mut facts = Facts {
            graph: Some(graph),
            frames: vec![Frame { function: "main.build".into(), file: "/src/svc/server.go".into(), line: 71 }],
            profile: Profile {
                rate: 1,
                sites: vec![Site { stack: vec![0], current, ..Site::default() }],
                ..Profile::default()
            },
            ..Facts::default()
        };
        facts.goroutines.groups =
            vec![Group { count: calls, state: "running".into(), stack: vec![0], ..Group::default() }];
        facts
    }

    #[test]
    fn what_grew_appeared_and_went() {
        let a = facts(&[("main.a", 100), ("main.b", 500), ("main.same", 9)], 312, 3, 1_000);
        let b = facts(&[("main.a", 900), ("main.c", 50), ("main.same", 9)], 230_000, 158, 700_000_000);
        let d = Diff::of(&a, &b);
        let types: Vec<(String, &str, i64)> =
            d.types.unwrap().into_iter().map(|c| (c.name.clone(), c.state.name(), c.bytes())).collect();
        assert_eq!(
            types,
            [
                ("main.a".to_owned(), "grew", 800),
                ("main.b".to_owned(), "went", -500),
                ("main.c".to_owned(), "appeared", 50)
            ]
        );
        assert_eq!(d.roots, Some(Vec::new()), "nothing changed");
        let jumped = &d.collections.unwrap()[0];
        assert_eq!((jumped.before.1, jumped.after.1), (312, 230_000));
        assert_eq!(d.sites.unwrap()[0].bytes(), 699_999_000);
        assert_eq!((d.goroutines[0].count(), d.goroutines[0].of.as_str()), (155, "running"));
    }

    #[test]
    fn what_one_of_them_does_not_know_is_not_compared() {
        let a = facts(&[], 0, 1, 1);
        let d = Diff::of(&a, &Facts::default());
        assert!(d.types.is_none() && d.roots.is_none() && d.collections.is_none() && d.sites.is_none());
        assert_eq!(d.goroutines[0].state, State::Went);
        assert_eq!(
            Diff::of(&a, &a),
            Diff {
                types: Some(vec![]),
                roots: Some(vec![]),
                collections: Some(vec![]),
                sites: Some(vec![]),
                goroutines: vec![]
            }
        );
    }
}
