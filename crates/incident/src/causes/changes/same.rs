//! Changes that several told of: the watch of each instance, a pipeline and the processes tell of one
//! release; an admin platform and the store that it writes into tell of one publication. Each counts once,
//! and is nobody's rival.

use crate::evidence::{Change, ChangeKind};

/// Two feeds tell of one publication within this of each other: the slower of them asks now and then.
const PUBLISHED_MS: u64 = 30_000;
/// A release reaches its last instance within this.
const ROLLED_OUT_MS: u64 = 15 * 60_000;

/// Whether two names are of one version: `1.42.0` and `v1.42.0`, a commit and its first digits.
pub(crate) fn is_version(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim_start_matches('v'), b.trim_start_matches('v'));
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    !short.is_empty()
        && (short == long
            || (short.len() >= 7 && long.starts_with(short) && short.chars().all(|c| c.is_ascii_hexdigit())))
}

/// What its processes show of a release that somebody told of under a name that binaries do not have: Go
/// stamps `v0.0.0-20261118120640-83ed15b58ef4` where no tag fits the module's path (a tag `v3.1.0` of a
/// module without `/v3`, a branch's head), or a bare commit; pipelines say `3.1.0`. (Seen in lab/cluster: one
/// release stood as two rivals, and each had half the confidence.)
fn is_seen_of_told(seen: &Change, told: &Change) -> bool {
    /// From the word to the first process of it.
    const STARTED_MS: i64 = 2 * 60_000;
    let is_commit = |v: &str| {
        let last = v.rsplit('-').next().unwrap_or(v);
        last.len() >= 12 && last.chars().all(|c| c.is_ascii_hexdigit())
    };
    let late = seen.at_unix_ms.saturating_sub(told.at_unix_ms);
    seen.source == "watch"
        && told.source != "watch"
        && is_commit(&seen.to)
        && !is_commit(&told.to)
        && (-5_000..=STARTED_MS).contains(&late)
}

/// Whether two changes are one, told twice.
pub(crate) fn is_same(a: &Change, b: &Change) -> bool {
    let apart = a.at_unix_ms.abs_diff(b.at_unix_ms);
    let either = |x: &[String], y: &[String]| x.is_empty() || y.is_empty() || x.iter().any(|s| y.contains(s));
    if !either(&a.scope.services, &b.scope.services) {
        return false;
    }
    match (family(&a.kind), family(&b.kind)) {
        (Family::Release, Family::Release) => {
            apart <= ROLLED_OUT_MS && (is_version(&a.to, &b.to) || is_seen_of_told(a, b) || is_seen_of_told(b, a))
        }
        (Family::Published, Family::Published) => {
            let numbers = [(a.elements, b.elements), (a.size_bytes, b.size_bytes)];
            let differ = |(x, y): &(Option<u64>, Option<u64>)| x.zip(*y).is_some_and(|(x, y)| x != y);
            // Of one feed two are two.
            a.source != b.source && apart <= PUBLISHED_MS && last_name(&a.key) == last_name(&b.key)
                // Bytes differ by how each feed encodes: they count where there are no elements.
                && !differ(&numbers[0])
                && (a.elements.is_some() && b.elements.is_some() || !differ(&numbers[1]))
        }
        (Family::Set, Family::Set) => {
            a.source == b.source && a.kind == b.kind && a.key == b.key && a.to == b.to && apart <= ROLLED_OUT_MS
        }
        _ => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Release,
    Published,
    Set,
    Other,
}

fn family(kind: &ChangeKind) -> Family {
    match kind {
        ChangeKind::Release | ChangeKind::Code => Family::Release,
        ChangeKind::Config | ChangeKind::Admin => Family::Published,
        ChangeKind::Limit | ChangeKind::Environment => Family::Set,
        _ => Family::Other,
    }
}

/// `/config/resource-service/ugctab` and `ugctab` are one key.
fn last_name(key: &str) -> String {
    key.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(key).to_lowercase()
}

/// One change of several that are one: what each of them knows, and all whom they reached.
fn merged(mut one: Change, other: &Change) -> Change {
    let fill = |to: &mut String, from: &str| {
        if to.is_empty() {
            from.clone_into(to);
        }
    };
    fill(&mut one.from, &other.from);
    fill(&mut one.to, &other.to);
    fill(&mut one.by, &other.by);
    fill(&mut one.title, &other.title);
    one.elements = one.elements.or(other.elements);
    one.elements_before = one.elements_before.or(other.elements_before);
    one.size_bytes = one.size_bytes.or(other.size_bytes);
    one.size_bytes_before = one.size_bytes_before.or(other.size_bytes_before);
    one.at_unix_ms = one.at_unix_ms.min(other.at_unix_ms);
    for (to, from) in [
        (&mut one.scope.services, &other.scope.services),
        (&mut one.scope.instances, &other.scope.instances),
        (&mut one.scope.data_centres, &other.scope.data_centres),
        (&mut one.scope.nodes, &other.scope.nodes),
    ] {
        to.extend(from.iter().filter(|n| !to.contains(n)).cloned().collect::<Vec<_>>());
        to.sort();
    }
    one
}

/// Joins what one source told instance by instance: of 40 instances a release is one change, and not 40.
/// Changes come by time, and stay so.
pub(crate) fn joined(changes: Vec<Change>) -> Vec<Change> {
    /// So many are looked back at: instances of other services are told of in between.
    const BACK: usize = 256;
    let mut out: Vec<Change> = Vec::with_capacity(changes.len());
    for c in changes {
        let recent = out.len().saturating_sub(BACK);
        let last = out.iter().enumerate().skip(recent).rev().find(|(_, o)| {
            o.source == c.source
                && !o.scope.instances.is_empty()
                && !c.scope.instances.is_empty()
                && o.scope.services == c.scope.services
                && o.from == c.from
                && is_same(o, &c)
        });
        match last.map(|(i, _)| i).and_then(|i| out.get_mut(i)) {
            Some(o) => *o = merged(std::mem::take(o), &c),
            None => out.push(c),
        }
    }
    out
}

/// Of each change which one stands for it: itself, or of those that are one the one that knows most.
pub(crate) fn stands_for(changes: &[&Change]) -> Vec<usize> {
    let knows = |c: &Change| {
        (
            c.elements_before.is_some(),
            c.elements.is_some(),
            // A person's platform before a store, a pipeline before what its processes show.
            c.source != "watch" && !c.by.is_empty(),
            !c.from.is_empty(),
        )
    };
    let mut by: Vec<usize> = (0..changes.len()).collect();
    let window = i64::try_from(ROLLED_OUT_MS).unwrap_or(i64::MAX);
    let mut from = 0;
    for (i, c) in changes.iter().enumerate() {
        while changes.get(from).is_some_and(|o| c.at_unix_ms.saturating_sub(o.at_unix_ms) > window) {
            from += 1;
        }
        let same = (from.max(i.saturating_sub(256))..i).find(|j| changes.get(*j).is_some_and(|o| is_same(o, c)));
        let Some(first) = same.and_then(|j| by.get(j).copied()) else { continue };
        let best = changes.get(first).is_some_and(|o| knows(c) > knows(o));
        let stands = if best { i } else { first };
        by.iter_mut().take(i).filter(|b| **b == first).for_each(|b| *b = stands);
        if let Some(b) = by.get_mut(i) {
            *b = stands;
        }
    }
    by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Scope;

    fn change(kind: ChangeKind, source: &str, key: &str, at: i64) -> Change {
        Change { kind, source: source.into(), key: key.into(), at_unix_ms: at, ..Change::default() }
    }

    #[test]
    fn names_of_one_version() {
        for (a, b, same) in [
            ("1.42.0", "v1.42.0", true),
            ("db1fb45a8c90", "db1fb45a8c9013f169df934ccb1e466fcc2e231d", true),
            ("1.4", "1.42.0", false),
            ("v1.42.0", "v1.42.01", false),
            ("", "v1", false),
        ] {
            assert_eq!((is_version(a, b), is_version(b, a)), (same, same), "{a} {b}");
        }
    }

    #[test]
    fn a_release_that_four_instances_and_a_pipeline_tell_of_is_one() {
        let of = |instance: &str, at| Change {
            to: "v1.42.0".into(),
            from: "v1.41.0".into(),
            scope: Scope { instances: vec![instance.into()], ..Scope::default() },
            ..change(ChangeKind::Release, "watch", "svc", at)
        };
        let told =
            Change { to: "1.42.0".into(), by: "pipeline".into(), ..change(ChangeKind::Release, "webhook", "svc", 500) };
        let all = joined(vec![told, of("a", 1000), of("b", 1400), of("c", 60_000)]);
        assert_eq!(all.len(), 2);
        assert_eq!((all[1].at_unix_ms, all[1].scope.instances.join(" ")), (1000, "a b c".into()));
        let refs: Vec<&Change> = all.iter().collect();
        assert_eq!(stands_for(&refs), [0, 0]);
    }

    #[test]
    fn a_release_that_its_binaries_have_another_name_for_is_one() {
        let told = Change { to: "3.1.0".into(), ..change(ChangeKind::Release, "webhook", "svc", 1000) };
        let seen = |to: &str, at| Change { to: to.into(), ..change(ChangeKind::Release, "watch", "svc", at) };
        let stand = |seen: Change| stands_for(&[&told, &seen]);
        let pseudo = "v0.0.0-20261118120640-83ed15b58ef4";
        assert_eq!(stand(seen(pseudo, 3000)), [0, 0]);
        assert_eq!(stand(seen("v3.2.0", 3000)), [0, 1], "a version that can be compared, and is another");
        assert_eq!(stand(seen(pseudo, 600_000)), [0, 1], "ten minutes later: another release");
    }

    #[test]
    fn a_publication_that_a_platform_and_its_store_tell_of_is_one_and_two_of_one_store_are_two() {
        let etcd = |at, n| Change { elements: Some(n), ..change(ChangeKind::Config, "etcd", "/config/svc/ugctab", at) };
        let admin = Change {
            elements: Some(230_184),
            elements_before: Some(312),
            by: "ops-admin".into(),
            ..change(ChangeKind::Admin, "event add", "ugctab", 2300)
        };
        let all = [etcd(1000, 312), etcd(2000, 230_184), admin, etcd(3000, 230_184), etcd(90_000, 230_184)];
        let refs: Vec<&Change> = all.iter().collect();
        assert_eq!(stands_for(&refs), [0, 2, 2, 2, 4]);
    }
}
