//! Lives of processes as they are told, and what is another than in the life before: pure.

use std::collections::BTreeMap;

use lastgasp_incident::evidence::{Build, Change, ChangeKind, Ending, Generation, Place, Scope, UnixMs};
use lastgasp_recorder::daemon::status::TargetStatus;
use lastgasp_recorder::daemon::{HowItEnded, LifeNotice};
use wildmatch::WildMatch;

use super::SOURCE;
use super::climb::{MemoryLook, MemoryLooks};
use super::limit::Raised;
use super::look::Look;
use crate::changes::mapping::clean;
use crate::config::Node;

/// So long after it was first seen a process's limit may be read for the first time.
const FIRST_READ_MS: i64 = 10_000;

/// Lives and instances that are remembered at most.
const MAX_LIVES: usize = 20_000;
/// How often a life is written again, that it is known in the newest files too.
const AGAIN_MS: i64 = 3_600_000;
/// A climb is written again for each such part of the limit that it has gone on for.
const OF_CLIMB: u64 = 32;

type Key = (i32, UnixMs);

/// What an instance was in its last life.
#[derive(Clone, Debug, Default)]
struct Last {
    label: String,
    file_unix_ms: Option<UnixMs>,
    limit: Option<u64>,
    gogc: Option<i32>,
    gomemlimit: Option<u64>,
    environment: Option<(String, u64)>,
}

#[derive(Debug, Default)]
struct Open {
    life: Generation,
    written: UnixMs,
    /// Whether its build was held against the one of the life before.
    compared: bool,
    gauged: bool,
    /// A raised limit that has not stood yet.
    raised: Raised,
    looks: MemoryLooks,
    /// Bytes in use when its climb was last written.
    climb_written: u64,
    environment: Option<(String, u64)>,
    replaced: bool,
    /// Jumps that were told of: by owner, when.
    jumps: BTreeMap<String, u64>,
}

/// All that are known.
#[derive(Debug)]
pub(super) struct Lives {
    node: Node,
    host: String,
    kernel: String,
    open: BTreeMap<Key, Open>,
    last: BTreeMap<(String, String), Last>,
    /// Lives of which an earlier daemon knew no end.
    unended: BTreeMap<Key, Generation>,
    asked: bool,
    generations: Vec<Generation>,
    changes: Vec<Change>,
}

impl Lives {
    /// With what earlier daemons knew.
    pub(super) fn new(node: &Node, earlier: Vec<Generation>) -> Self {
        let host = nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
        let kernel = nix::sys::utsname::uname().map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default();
        let host = if node.name.is_empty() { host } else { node.name.clone() };
        let mut all = Self {
            node: node.clone(),
            host,
            kernel,
            open: BTreeMap::new(),
            last: BTreeMap::new(),
            unended: BTreeMap::new(),
            asked: false,
            generations: Vec::new(),
            changes: Vec::new(),
        };
        let mut earlier = earlier;
        earlier.retain(|g| g.place.node == all.host);
        earlier.sort_by_key(|g| g.started_unix_ms);
        for life in earlier {
            all.remember(&life, None);
            if life.ended_unix_ms.is_none() {
                all.unended.insert((life.pid, life.started_unix_ms), life);
            }
        }
        all
    }

    /// What is to be written.
    pub(super) fn take(&mut self) -> (Vec<Generation>, Vec<Change>) {
        (std::mem::take(&mut self.generations), std::mem::take(&mut self.changes))
    }

    /// Lives that go on: process number, start, service, instance.
    pub(super) fn open(&self) -> impl Iterator<Item = (i32, UnixMs, &str, &str)> {
        self.open.iter().map(|((pid, started), o)| (*pid, *started, o.life.service.as_str(), o.life.instance.as_str()))
    }

    pub(super) fn hear(&mut self, notice: LifeNotice, now: UnixMs) {
        match notice {
            LifeNotice::Begun(status) => self.update(&status, now),
            LifeNotice::Ended { mut status, how, ago } => {
                // At its end the group may be gone already: the limit of its last look is then another's.
                if let Some(open) = self.open.get(&key(&status)) {
                    status.limit_bytes = open.life.limit_bytes.or(status.limit_bytes);
                }
                self.update(&status, now);
                let ago = i64::try_from(ago.as_millis()).unwrap_or(0);
                self.end(key(&status), now.saturating_sub(ago), ending(how));
            }
        }
    }

    /// What is known of one that lives.
    pub(super) fn update(&mut self, status: &TargetStatus, now: UnixMs) {
        let key = key(status);
        self.unended.remove(&key);
        if !self.open.contains_key(&key) {
            if self.open.len() >= MAX_LIVES {
                return;
            }
            let life = self.begun(status, now);
            self.open.insert(key, Open { life, ..Open::default() });
        }
        let Some(open) = self.open.get_mut(&key) else { return };
        let life = &mut open.life;
        life.last_seen_unix_ms = now;
        life.peak_bytes = life.peak_bytes.max(Some(status.usage_bytes).filter(|n| *n > 0));
        let mut told = Vec::new();
        let (limit, since) = open.raised.settled(life.limit_bytes, status.limit_bytes, now);
        // What is first read of it seconds after its start is the limit that it has, and no change of one
        // (seen from outside: every process's limit was told as "none -> 210 MB" four seconds after its
        // start).
        let is_first = life.limit_bytes.is_none() && now.saturating_sub(life.first_seen_unix_ms) <= FIRST_READ_MS;
        if limit != life.limit_bytes && open.written > 0 && !is_first {
            told.push(limit_change(life, life.limit_bytes, limit, since));
        }
        let is_old = now.saturating_sub(open.written) >= AGAIN_MS;
        let mut dirty = open.written == 0 || limit != life.limit_bytes || is_old;
        life.limit_bytes = limit;
        open.looks.add(MemoryLook {
            at: now,
            usage: status.usage_bytes,
            heap: status.heap_live_bytes,
            goroutines: status.goroutines,
        });
        let climb = limit.and_then(|limit| open.looks.climb(limit));
        let risen =
            climb.is_some_and(|c| c.to_bytes >= open.climb_written.saturating_add(limit.unwrap_or(0) / OF_CLIMB));
        // That it has come to rest is told too: else it would be told of for ever.
        if risen || climb.is_some() != life.climb.is_some() {
            open.climb_written = climb.map_or(0, |c| c.to_bytes);
            life.climb = climb;
            dirty = true;
        }
        if let Some(percent) = status.gc_percent {
            let settings = (Some(percent), status.memory_limit);
            let before = (life.gogc, life.gomemlimit);
            let last = self.last.get(&(life.service.clone(), life.instance.clone()));
            let before = if open.gauged { before } else { last.map_or((None, None), |l| (l.gogc, l.gomemlimit)) };
            if before.0.is_some() && before != settings {
                told.push(collector_change(
                    life,
                    before,
                    settings,
                    if open.gauged { now } else { life.started_unix_ms },
                ));
            }
            dirty |= !open.gauged || (life.gogc, life.gomemlimit) != settings;
            (life.gogc, life.gomemlimit) = settings;
            open.gauged = true;
        }
        for jump in &status.census_jumps {
            let seen = open.jumps.insert(jump.owner.clone(), jump.seen_unix);
            if seen != Some(jump.seen_unix) {
                told.push(Change {
                    id: format!(
                        "census/{}/{}/{}/{}/{}",
                        life.instance, life.pid, life.started_unix_ms, jump.owner, jump.elements
                    ),
                    kind: ChangeKind::Unknown("census".into()),
                    key: clean(&jump.owner),
                    at_unix_ms: jump.seen_unix.cast_signed().saturating_mul(1000),
                    elements: Some(jump.elements),
                    elements_before: Some(jump.before),
                    title: format!("a {} in the heap jumped", jump.kind),
                    ..about(life, now)
                });
            }
        }
        if dirty {
            open.written = now;
            self.generations.push(life.clone());
        }
        let first = !std::mem::replace(&mut open.compared, true);
        let life = life.clone();
        if first {
            self.compare(&life, &mut told, now);
        }
        self.remember(&life, None);
        self.changes.extend(told);
    }

    /// Holds a life against the one before of the same instance.
    fn compare(&self, life: &Generation, told: &mut Vec<Change>, now: UnixMs) {
        let Some(last) = self.last.get(&(life.service.clone(), life.instance.clone())) else { return };
        let label = life.build.label();
        if !label.is_empty() && !last.label.is_empty() && label != last.label {
            told.push(Change {
                id: format!("release/{}/{}/{}", life.instance, life.pid, life.started_unix_ms),
                kind: ChangeKind::Release,
                key: life.service.clone(),
                at_unix_ms: life.started_unix_ms,
                from: last.label.clone(),
                to: label.to_owned(),
                title: "it was started with another build".into(),
                ..about(life, now)
            });
        }
        if last.limit.is_some() && life.limit_bytes.is_some() && last.limit != life.limit_bytes {
            told.push(limit_change(life, last.limit, life.limit_bytes, life.started_unix_ms));
        }
    }

    fn begun(&self, status: &TargetStatus, now: UnixMs) -> Generation {
        Generation {
            service: status.service.clone(),
            instance: instance(status),
            container: status.container.clone().unwrap_or_default(),
            pid: status.pid,
            started_unix_ms: started(status),
            first_seen_unix_ms: now,
            build: Build {
                version: clean(&status.module_version),
                revision: clean(status.vcs_revision.as_deref().unwrap_or_default()),
                revision_unix_ms: status
                    .vcs_time
                    .as_deref()
                    .and_then(|t| t.parse::<jiff::Timestamp>().ok())
                    .map(jiff::Timestamp::as_millisecond),
                modified: status.vcs_modified,
                go_version: status.go_version.clone(),
                ..Build::default()
            },
            place: Place {
                data_centre: data_centre(&self.node, &status.cgroup),
                node: self.host.clone(),
                kernel: self.kernel.clone(),
                cgroup: status.cgroup.clone(),
                ..Place::default()
            },
            limit_bytes: status.limit_bytes,
            ..Generation::default()
        }
    }

    /// What was read of its files.
    pub(super) fn looked(&mut self, look: Look, now: UnixMs) {
        let Some(open) = self.open.get_mut(&(look.pid, look.started_unix_ms)) else { return };
        let life = &mut open.life;
        let last = self.last.get(&(life.service.clone(), life.instance.clone()));
        if life.build.file_unix_ms.is_none() && look.file_unix_ms.is_some() {
            life.build.file_unix_ms = look.file_unix_ms;
            let before = last.and_then(|l| l.file_unix_ms);
            // Of builds that say no version the file is all that tells them apart.
            if life.build.label().is_empty() && before.is_some() && before != look.file_unix_ms {
                self.changes.push(Change {
                    id: format!("release/{}/{}/{}", life.instance, life.pid, life.started_unix_ms),
                    kind: ChangeKind::Release,
                    key: life.service.clone(),
                    at_unix_ms: life.started_unix_ms,
                    title: "it was started with another file of the same name".into(),
                    ..about(life, now)
                });
            }
            self.generations.push(life.clone());
            open.written = now;
        }
        if open.environment.is_none()
            && let Some((hash, names)) = look.environment
        {
            if let Some((_, count)) = last.and_then(|l| l.environment.clone()).filter(|(h, _)| *h != hash) {
                self.changes.push(Change {
                    id: format!("environment/{}/{}/{}", life.instance, life.pid, life.started_unix_ms),
                    kind: ChangeKind::Environment,
                    key: "environment".into(),
                    at_unix_ms: life.started_unix_ms,
                    elements: Some(names),
                    elements_before: Some(count),
                    hash: hash.clone(),
                    title: "it was started with other variables in its environment (names; values are not looked at)"
                        .into(),
                    ..about(life, now)
                });
            }
            open.environment = Some((hash, names));
        }
        if let Some(at) = look.replaced_unix_ms.filter(|_| !open.replaced) {
            open.replaced = true;
            self.changes.push(Change {
                id: format!("replaced/{}/{}/{}", life.instance, life.pid, life.started_unix_ms),
                kind: ChangeKind::Release,
                key: life.service.clone(),
                at_unix_ms: at,
                title: "the file of its program was replaced; it runs on as it was".into(),
                ..about(life, now)
            });
        }
        for config in look.configs {
            self.changes.push(Change {
                id: format!("configmap/{}/{}/{}", life.instance, config.key, config.version),
                kind: ChangeKind::Config,
                key: clean(&config.key),
                at_unix_ms: config.at_unix_ms,
                size_bytes: Some(config.now.bytes),
                size_bytes_before: config.before.as_ref().map(|m| m.bytes),
                elements: config.now.elements,
                elements_before: config.before.and_then(|m| m.elements),
                hash: config.now.hash,
                to: clean(&config.version),
                title: "a mounted ConfigMap was written".into(),
                ..about(life, now)
            });
        }
        let (life, environment) = (life.clone(), open.environment.clone());
        self.remember(&life, environment);
    }

    /// Those that the watch does not know any more, and of whose end nobody told.
    pub(super) fn missing(&mut self, is_there: impl Fn(i32, UnixMs) -> bool, now: UnixMs) {
        let gone: Vec<Key> = self.open.keys().filter(|(pid, started)| !is_there(*pid, *started)).copied().collect();
        for key in gone {
            self.end(key, now, Ending::Gone);
        }
        // Those of earlier daemons: it takes a moment until all that live are found again.
        if std::mem::replace(&mut self.asked, true) {
            for (_, mut life) in std::mem::take(&mut self.unended) {
                life.ended_unix_ms = Some(life.last_seen_unix_ms.max(life.first_seen_unix_ms));
                life.ending = Ending::Gone;
                self.generations.push(life);
            }
        }
    }

    fn end(&mut self, key: Key, at: UnixMs, ending: Ending) {
        let Some(Open { mut life, environment, .. }) = self.open.remove(&key) else { return };
        life.ended_unix_ms = Some(at);
        life.last_seen_unix_ms = life.last_seen_unix_ms.min(at);
        life.ending = ending;
        self.remember(&life, environment);
        self.generations.push(life);
    }

    fn remember(&mut self, life: &Generation, environment: Option<(String, u64)>) {
        let key = (life.service.clone(), life.instance.clone());
        if !self.last.contains_key(&key) && self.last.len() >= MAX_LIVES {
            self.last.pop_first();
        }
        let last = self.last.entry(key).or_default();
        life.build.label().clone_into(&mut last.label);
        last.limit = life.limit_bytes.or(last.limit);
        last.file_unix_ms = life.build.file_unix_ms.or(last.file_unix_ms);
        if life.gogc.is_some() {
            (last.gogc, last.gomemlimit) = (life.gogc, life.gomemlimit);
        }
        last.environment = environment.or(last.environment.take());
    }
}

/// What all changes of an instance have in common.
fn about(life: &Generation, now: UnixMs) -> Change {
    let list = |s: &String| Some(s.clone()).filter(|s| !s.is_empty()).into_iter().collect::<Vec<_>>();
    Change {
        received_unix_ms: now,
        source: SOURCE.into(),
        scope: Scope {
            services: list(&life.service),
            instances: list(&life.instance),
            data_centres: list(&life.place.data_centre),
            nodes: list(&life.place.node),
        },
        ..Change::default()
    }
}

fn limit_change(life: &Generation, from: Option<u64>, to: Option<u64>, at: UnixMs) -> Change {
    let words = |n: Option<u64>| n.map_or_else(|| "none".to_owned(), |n| n.to_string());
    Change {
        id: format!("limit/{}/{}/{}/{}/{at}", life.instance, life.pid, life.started_unix_ms, words(to)),
        kind: ChangeKind::Limit,
        key: "memory.limit".into(),
        at_unix_ms: at,
        from: words(from),
        to: words(to),
        title: "another memory limit".into(),
        ..about(life, at)
    }
}

fn collector_change(
    life: &Generation,
    from: (Option<i32>, Option<u64>),
    to: (Option<i32>, Option<u64>),
    at: UnixMs,
) -> Change {
    let words = |(gogc, limit): (Option<i32>, Option<u64>)| {
        let gogc = gogc.map_or_else(|| "unknown".to_owned(), |g| if g < 0 { "off".into() } else { g.to_string() });
        format!("GOGC={gogc} GOMEMLIMIT={}", limit.map_or_else(|| "off".to_owned(), |n| n.to_string()))
    };
    Change {
        id: format!("collector/{}/{}/{}/{}", life.instance, life.pid, life.started_unix_ms, words(to)),
        kind: ChangeKind::Environment,
        key: "GOGC, GOMEMLIMIT".into(),
        at_unix_ms: at,
        from: words(from),
        to: words(to),
        title: "other settings of the collector".into(),
        ..about(life, at)
    }
}

fn key(status: &TargetStatus) -> Key {
    (status.pid, started(status))
}

fn started(status: &TargetStatus) -> UnixMs {
    status.started_unix.cast_signed().saturating_mul(1000)
}

/// What is restarted: the container, else the last word of the group's path, as captures name it.
fn instance(status: &TargetStatus) -> String {
    status.container.clone().unwrap_or_else(|| status.cgroup.rsplit('/').next().unwrap_or_default().to_owned())
}

/// The first pattern that fits a group's path; a name without a pattern fits all.
fn data_centre(node: &Node, cgroup: &str) -> String {
    let fits = |one: &String| match one.split_once('=') {
        Some((pattern, name)) => WildMatch::new(pattern).matches(cgroup).then(|| name.to_owned()),
        None => Some(one.clone()),
    };
    node.data_centre.iter().find_map(fits).unwrap_or_default()
}

fn ending(how: HowItEnded) -> Ending {
    match how {
        HowItEnded::OomKill => Ending::OomKill,
        HowItEnded::MachineOomKill => Ending::NodeOomKill,
        HowItEnded::Killed => Ending::Killed,
        HowItEnded::Stopped => Ending::Stopped,
        HowItEnded::Exited => Ending::Exited,
        HowItEnded::Crashed => Ending::Crashed,
        HowItEnded::Unknown => Ending::Gone,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lastgasp_recorder::daemon::CensusJump;

    use super::*;

    const T: UnixMs = 1_790_000_000_000;

    fn status(pid: i32, revision: &str, limit: u64) -> TargetStatus {
        TargetStatus {
            pid,
            service: "rs".into(),
            cgroup: "/pods/dc-b/rs-1".into(),
            vcs_revision: Some(revision.into()),
            vcs_time: Some("2026-11-26T10:00:00Z".into()),
            started_unix: (T / 1000) as u64 + pid as u64,
            limit_bytes: Some(limit),
            usage_bytes: 7,
            ..TargetStatus::default()
        }
    }

    fn lives() -> Lives {
        let node =
            Node { name: "n1".into(), data_centre: vec!["*/dc-a/*=a".into(), "*/dc-b/*=b".into(), "other".into()] };
        Lives::new(&node, Vec::new())
    }

    fn kinds(changes: &[Change]) -> Vec<(String, String, String)> {
        changes.iter().map(|c| (c.kind.name().to_owned(), c.from.clone(), c.to.clone())).collect()
    }

    fn said(kind: &str, from: &str, to: &str) -> (String, String, String) {
        (kind.into(), from.into(), to.into())
    }

    #[test]
    fn a_limit_that_is_first_read_after_the_start_is_no_change() {
        let (mut l, known) = (lives(), status(1, "aaa", 100));
        let unread = TargetStatus { limit_bytes: None, ..known.clone() };
        l.hear(LifeNotice::Begun(Box::new(unread.clone())), T);
        l.take();
        l.update(&known, T + 4_000);
        let (generations, changes) = l.take();
        assert_eq!((generations[0].limit_bytes, changes.len()), (Some(100), 0));
        // One that had none for long, and got one: that is.
        let mut l = lives();
        l.hear(LifeNotice::Begun(Box::new(unread.clone())), T);
        l.take();
        l.update(&unread, T + 60_000);
        l.update(&known, T + 61_000);
        assert_eq!(kinds(&l.take().1), vec![said("limit", "none", "100")]);
    }

    #[test]
    fn a_life_from_its_start_to_its_end() {
        let mut l = lives();
        l.hear(LifeNotice::Begun(Box::new(status(1, "aaa", 100))), T);
        let (generations, changes) = l.take();
        assert_eq!((generations.len(), changes.len()), (1, 0), "the first life is no change");
        let g = &generations[0];
        assert_eq!((g.instance.as_str(), g.place.data_centre.as_str(), g.place.node.as_str()), ("rs-1", "b", "n1"));
        assert_eq!((g.started_unix_ms, g.build.revision_unix_ms), (T + 1000, Some(1_795_687_200_000)));
        // Nothing new: nothing is written.
        l.update(&status(1, "aaa", 100), T + 5000);
        assert_eq!(l.take().0.len(), 0);
        l.update(&status(1, "aaa", 200), T + 6000);
        assert_eq!(l.take().1.len(), 0, "raised: it must stand");
        l.update(&status(1, "aaa", 200), T + 11_000);
        let (generations, changes) = l.take();
        assert_eq!((generations.len(), kinds(&changes)), (1, vec![said("limit", "100", "200")]));
        let ended = LifeNotice::Ended {
            status: Box::new(status(1, "aaa", 64 << 30)),
            how: HowItEnded::OomKill,
            ago: Duration::from_secs(2),
        };
        l.hear(ended, T + 20_000);
        let (generations, _) = l.take();
        let g = generations.last().unwrap();
        assert_eq!((g.ended_unix_ms, &g.ending, g.peak_bytes), (Some(T + 18_000), &Ending::OomKill, Some(7)));
        assert_eq!(g.limit_bytes, Some(200), "not the machine's, whose limit is read when the group is gone");
        assert_eq!(l.open().count(), 0);
        // Written again from time to time, that it stands in the newest files.
        l.update(&status(2, "aaa", 200), T + 30_000);
        l.take();
        l.update(&status(2, "aaa", 200), T + 30_000 + AGAIN_MS);
        assert_eq!(l.take().0.len(), 1);
    }

    #[test]
    fn what_is_another_in_the_next_life_is_told() {
        let mut l = lives();
        let gauged = |s: TargetStatus, percent| TargetStatus { gc_percent: Some(percent), ..s };
        l.update(&gauged(status(1, "aaa", 100), 100), T);
        l.missing(|_, _| false, T + 1);
        l.take();
        l.update(&status(2, "bbb", 150), T + 10_000);
        let (_, changes) = l.take();
        assert_eq!(kinds(&changes), [said("release", "aaa", "bbb"), said("limit", "100", "150")]);
        assert_eq!((changes[0].at_unix_ms, &changes[0].scope.instances[..]), (T + 2000, &["rs-1".to_owned()][..]));
        l.update(&gauged(status(2, "bbb", 150), -1), T + 15_000);
        assert_eq!(kinds(&l.take().1), [said("environment", "GOGC=100 GOMEMLIMIT=off", "GOGC=off GOMEMLIMIT=off")]);
        l.update(&gauged(status(2, "bbb", 150), 50), T + 16_000);
        assert_eq!(l.take().1.len(), 1, "set while it runs");
        l.update(&gauged(status(2, "bbb", 150), 50), T + 17_000);
        assert_eq!(l.take().1.len(), 0);
    }

    #[test]
    fn names_of_the_environment_and_files() {
        let mut l = lives();
        let look = |pid: i32, hash: &str, names: u64| Look {
            pid,
            started_unix_ms: T + i64::from(pid) * 1000,
            environment: Some((hash.into(), names)),
            file_unix_ms: Some(T - 5000),
            ..Look::default()
        };
        l.update(&status(1, "aaa", 100), T);
        l.looked(look(1, "h1", 10), T);
        let (generations, changes) = l.take();
        assert_eq!((generations.last().unwrap().build.file_unix_ms, changes.len()), (Some(T - 5000), 0));
        l.missing(|_, _| false, T + 1);
        l.update(&status(2, "aaa", 100), T + 5000);
        l.looked(Look { replaced_unix_ms: Some(T + 4000), ..look(2, "h2", 11) }, T + 6000);
        let (_, changes) = l.take();
        let rows: Vec<_> = changes.iter().map(|c| (c.kind.name().to_owned(), c.elements_before, c.elements)).collect();
        assert_eq!(rows, [("environment".into(), Some(10), Some(11)), ("release".into(), None, None)]);
        l.looked(Look { replaced_unix_ms: Some(T + 4000), ..look(2, "h2", 11) }, T + 7000);
        assert!(l.take().1.is_empty(), "once");
    }

    #[test]
    fn collections_that_jump_are_told_once() {
        let mut l = lives();
        let jump = CensusJump {
            owner: "global main.tabs".into(),
            kind: "slice",
            before: 312,
            elements: 230_184,
            seen_unix: (T / 1000) as u64,
        };
        let with = TargetStatus { census_jumps: vec![jump], ..status(1, "a", 1) };
        l.update(&with, T);
        l.update(&with, T + 5000);
        let (_, changes) = l.take();
        assert_eq!(changes.len(), 1);
        assert_eq!(
            (changes[0].kind.name(), changes[0].elements_before, changes[0].elements),
            ("census", Some(312), Some(230_184))
        );
    }

    #[test]
    fn a_climb_is_written_as_it_goes_on_and_when_it_is_over() {
        let mut l = lives();
        let at = |mb: u64| TargetStatus { usage_bytes: mb << 20, ..status(1, "a", 400 << 20) };
        let mut seen = Vec::new();
        for (i, mb) in (0..).zip([60, 60, 61, 62, 90, 120, 150, 180, 210, 240, 240, 240, 240, 240]) {
            l.update(&at(mb), T + i * 5000);
            seen.extend(l.take().0.into_iter().map(|g| g.climb.map(|c| (c.from_bytes >> 20, c.to_bytes >> 20))));
        }
        let told: Vec<_> = seen.iter().flatten().map(|c| c.1).collect();
        assert!(told.contains(&240) && seen.iter().flatten().all(|c| c.0 <= 62), "{seen:?}");
        assert_eq!((seen[0], seen.last()), (None, Some(&None)), "it has come to rest");
    }

    /// A daemon that was restarted knows what was, and says of whom it saw no end.
    #[test]
    fn earlier_daemons_are_remembered() {
        let life = |pid: i32, node: &str| Generation {
            service: "rs".into(),
            instance: "rs-1".into(),
            pid,
            started_unix_ms: T + i64::from(pid) * 1000,
            last_seen_unix_ms: T + 50_000,
            build: Build { revision: "aaa".into(), ..Build::default() },
            place: Place { node: node.into(), ..Place::default() },
            ..Generation::default()
        };
        let node = Node { name: "n1".into(), ..Node::default() };
        let mut l = Lives::new(&node, vec![life(1, "n1"), life(3, "n1"), life(9, "n2")]);
        l.update(&status(3, "aaa", 1), T + 60_000);
        l.missing(|pid, _| pid == 3, T + 60_000);
        l.take();
        l.missing(|pid, _| pid == 3, T + 65_000);
        let (generations, changes) = l.take();
        assert_eq!(generations.iter().map(|g| (g.pid, g.ended_unix_ms)).collect::<Vec<_>>(), [(1, Some(T + 50_000))]);
        assert!(changes.is_empty());
        l.update(&status(4, "bbb", 1), T + 70_000);
        assert_eq!(kinds(&l.take().1), [said("release", "aaa", "bbb")]);
    }
}
