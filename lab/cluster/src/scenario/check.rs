//! Faults of a scenario that its form does not show: names that nobody has, worlds that fit no machine.

use super::Scenario;
use super::act::{Act, Pick};
use super::quantity::{Size, Span};
use super::topology::Bug;
use super::truth::KINDS;

/// Most instances: two cores carry no more.
const MOST_INSTANCES: usize = 16;
/// Most memory of all instances together.
const MOST_MEMORY: Size = Size::mib(14 * 1024);
/// Longest play.
const LONGEST: Span = Span::ms(600_000);
/// Most requests a second of all callers.
const MOST_RATE: f64 = 5000.0;

/// Every fault, in words.
pub(super) fn faults(s: &Scenario) -> Vec<String> {
    let mut out = Vec::new();
    service(s, &mut out);
    versions(s, &mut out);
    callers(s, &mut out);
    if !(0.0..=1.0).contains(&s.dependency.failures) {
        out.push("dependency.failures: a share, 0 to 1".into());
    }
    if s.duration > LONGEST || s.duration < Span::ms(5000) {
        out.push("duration: 5s to 10m".into());
    }
    if s.warm_up > Span::ms(120_000) {
        out.push("warm_up: up to 2m".into());
    }
    for act in &s.acts {
        let before = out.len();
        fault_of(s, act, &mut out);
        for fault in out.iter_mut().skip(before) {
            *fault = format!("[[do]] at {} ms: {fault}", act.at.0);
        }
    }
    truth(s, &mut out);
    out
}

fn word(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty()
        && text.len() <= 60
        && text.chars().all(good)
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn service(s: &Scenario, out: &mut Vec<String>) {
    let service = &s.service;
    if !word(&service.name) || service.name.len() > 40 {
        out.push(format!("service.name: {:?} is no name of a program", service.name));
    }
    if service.instances == 0 || service.instances > MOST_INSTANCES {
        out.push(format!("service.instances: 1 to {MOST_INSTANCES}"));
    }
    if service.data_centres.is_empty() || !service.data_centres.iter().all(|d| word(d)) {
        out.push("service.data_centres: at least one name".into());
    }
    if service.base.0 + (20 << 20) > service.limit.0 {
        out.push("service.limit: at least service.base and 20M".into());
    }
    if service.limit.0.saturating_mul(service.instances as u64) > MOST_MEMORY.0 {
        out.push(format!("service.limit: of all instances no more than {} MiB together", MOST_MEMORY.0 >> 20));
    }
    if !(-1000..=1000).contains(&service.oom_score_adj) {
        out.push("service.oom_score_adj: -1000 to 1000; one below the lab's own takes CAP_SYS_RESOURCE".into());
    }
    if s.node.memory.0 > MOST_MEMORY.0 {
        out.push(format!("node.memory: no more than {} MiB", MOST_MEMORY.0 >> 20));
    }
    for (name, key) in &service.key {
        if !word(name) || name == "export" {
            out.push(format!("service.key: {name:?} is no name of a key: letters, digits, - _ ."));
        }
        if key.count > 4_000_000 {
            out.push(format!("service.key.{name}.count: no more than 4000000"));
        }
    }
}

fn versions(s: &Scenario, out: &mut Vec<String>) {
    for (name, version) in &s.version {
        if !s.versions().contains(name) {
            out.push(format!("version.{name:?}: nothing deploys it, and service.version is another"));
        }
        for bug in &version.bugs {
            let at = format!("version.{name:?}.bugs");
            if !Bug::KINDS.iter().any(|(k, _)| *k == bug.kind) {
                let all: Vec<&str> = Bug::KINDS.iter().map(|(k, _)| *k).collect();
                out.push(format!("{at}: no kind {:?}; there are {}", bug.kind, all.join(", ")));
            }
            if !["start", "trigger"].contains(&bug.from.as_str()) {
                out.push(format!("{at}: from = \"start\" or \"trigger\", not {:?}", bug.from));
            }
            if !["second", "request"].contains(&bug.each.as_str()) {
                out.push(format!("{at}: each = \"second\" or \"request\", not {:?}", bug.each));
            }
            if !(bug.rate > 0.0 && bug.rate <= 100_000.0) {
                out.push(format!("{at}: a rate above 0, up to 100000"));
            }
            if bug.bytes.0 == 0 || bug.bytes.0 > 1 << 30 {
                out.push(format!("{at}: bytes of 1 to 1G"));
            }
        }
        for key in version.key.keys().filter(|k| !s.service.key.contains_key(*k)) {
            out.push(format!("version.{name:?}.key.{key}: service.key has no {key:?}"));
        }
    }
    for version in s.versions() {
        if !version.starts_with(|c: char| c.is_ascii_digit())
            || !version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        {
            out.push(format!("version {version:?}: as 1.41.0"));
        }
    }
}

fn callers(s: &Scenario, out: &mut Vec<String>) {
    let mut all = 0.0;
    for (name, caller) in &s.caller {
        if !word(name) {
            out.push(format!("caller.{name:?}: no name"));
        }
        if !(0.0..=MOST_RATE).contains(&caller.rate) {
            out.push(format!("caller.{name}.rate: 0 to {MOST_RATE}"));
        }
        if caller.timeout.0 == 0 {
            out.push(format!("caller.{name}.timeout: more than 0"));
        }
        if caller.retries > 20 {
            out.push(format!("caller.{name}.retries: up to 20"));
        }
        path(s, &caller.path, out);
        all += caller.rate;
    }
    if all > MOST_RATE {
        out.push(format!("callers: no more than {MOST_RATE} requests a second together"));
    }
}

fn path(s: &Scenario, path: &str, out: &mut Vec<String>) {
    let key = path.strip_prefix("/x/resource/").map(|p| p.split('?').next().unwrap_or_default());
    let there = key.is_some_and(|k| k == "export" || s.service.key.contains_key(k));
    if !there || path.contains(char::is_whitespace) {
        out.push(format!("path {path:?}: /x/resource/KEY with a key of service.key, or /x/resource/export?rows=N"));
    }
}

fn pick(s: &Scenario, pick: &Pick, out: &mut Vec<String>) {
    let known = |name: &str| {
        name == "all"
            || s.service.data_centres.iter().any(|d| d == name)
            || s.instances().iter().any(|(n, _)| n == name)
    };
    let named: Vec<&str> = match pick {
        Pick::All => Vec::new(),
        Pick::Some(n) if *n > s.service.instances => {
            out.push(format!("instances: there are only {}", s.service.instances));
            Vec::new()
        }
        Pick::Some(_) => Vec::new(),
        Pick::Named(name) => vec![name],
        Pick::Several(names) => names.iter().map(String::as_str).collect(),
    };
    for name in named.into_iter().filter(|n| !known(n)) {
        let all: Vec<String> = s.instances().into_iter().map(|(n, _)| n).collect();
        out.push(format!("instances: no data centre and no instance {name:?}; instances are {}", all.join(", ")));
    }
}

fn one_of(what: &str, name: &str, there: &[&str], out: &mut Vec<String>) {
    if !there.contains(&name) {
        out.push(format!("no {what} {name:?}; there are {}", there.join(", ")));
    }
}

fn fault_of(s: &Scenario, act: &Act, out: &mut Vec<String>) {
    let names = act.names();
    if names.len() != 1 {
        out.push(match names.len() {
            0 => "nothing is done: one of publish, deploy, restart, limit, environment, dependency, load, caller, balancer, trigger, event, neighbour, files, export, kill, feed".into(),
            _ => format!("one action each, not {}", names.join(" and ")),
        });
    }
    if act.at >= s.duration {
        out.push("after the end: duration is shorter".into());
    }
    let keys: Vec<&str> = s.service.key.keys().map(String::as_str).collect();
    let caller_names: Vec<&str> = s.caller.keys().map(String::as_str).collect();
    if let Some(p) = &act.publish {
        one_of("key", &p.key, &keys, out);
        if p.count > 4_000_000 || p.padding.0 > 32 << 20 {
            out.push("publish: up to 4000000 elements and 32M of padding".into());
        }
    }
    for p in [
        act.deploy.as_ref().map(|d| &d.instances),
        act.restart.as_ref().map(|r| &r.instances),
        act.limit.as_ref().map(|l| &l.instances),
        act.environment.as_ref().map(|e| &e.instances),
        act.trigger.as_ref().map(|t| &t.instances),
        act.files.as_ref().map(|f| &f.instances),
        act.kill.as_ref().map(|k| &k.instances),
    ]
    .into_iter()
    .flatten()
    {
        pick(s, p, out);
    }
    if let Some(l) = &act.limit
        && (l.memory.0 < 16 << 20 || l.memory.0 > MOST_MEMORY.0)
    {
        out.push("limit.memory: 16M or more".into());
    }
    if let Some(e) = &act.environment
        && !e.set.keys().all(|k| k.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !k.is_empty())
    {
        out.push("environment.set: names of variables".into());
    }
    if let Some(d) = &act.dependency {
        if d.latency.is_none() && d.failures.is_none() {
            out.push("dependency: latency or failures".into());
        }
        if d.failures.is_some_and(|f| !(0.0..=1.0).contains(&f)) {
            out.push("dependency.failures: a share, 0 to 1".into());
        }
    }
    if let Some(l) = &act.load {
        if !l.caller.is_empty() {
            one_of("caller", &l.caller, &caller_names, out);
        }
        if l.rate.is_none() && l.times.is_none() && l.path.is_none() {
            out.push("load: rate, times or path".into());
        }
        if l.rate.is_some() && l.times.is_some() {
            out.push("load: rate or times, not both".into());
        }
        let of_all: f64 = s.caller.values().map(|c| c.rate).sum();
        if l.rate.is_some_and(|r| !(0.0..=MOST_RATE).contains(&r))
            || l.times.is_some_and(|t| !(0.0..=MOST_RATE / of_all.max(0.1)).contains(&t))
        {
            out.push(format!("load: 0 to {MOST_RATE} requests a second"));
        }
        if let Some(p) = &l.path {
            path(s, p, out);
        }
    }
    if let Some(c) = &act.caller {
        if !c.caller.is_empty() {
            one_of("caller", &c.caller, &caller_names, out);
        }
        if c.timeout.is_none() && c.retries.is_none() && c.fallback.is_none() {
            out.push("caller: timeout, retries or fallback".into());
        }
        if c.timeout.is_some_and(|t| t.0 == 0) || c.retries.is_some_and(|r| r > 20) {
            out.push("caller: a timeout above 0, up to 20 retries".into());
        }
    }
    if let Some(t) = &act.trigger {
        let waits = |v: &super::Version| v.bugs.iter().any(|b| b.kind == t.bug);
        if !s.version.values().any(waits) {
            out.push(format!("trigger: no version has a bug {:?}", t.bug));
        }
    }
    if let Some(e) = &act.event
        && (e.kind.is_empty() || !e.clock_skew_s.is_finite() || e.clock_skew_s.abs() > 86_400.0)
    {
        out.push("event: a kind, and a clock no further than a day".into());
    }
    if let Some(n) = &act.neighbour {
        if n.memory.0 > MOST_MEMORY.0 || n.rate.0 < 1 << 20 {
            out.push("neighbour: no more memory than the node has, a rate of 1M a second or more".into());
        }
        if n.oom_score_adj.is_some_and(|s| !(-1000..=1000).contains(&s)) {
            out.push("neighbour.oom_score_adj: -1000 to 1000; one below the lab's own takes CAP_SYS_RESOURCE".into());
        }
    }
    if act.files.as_ref().is_some_and(|f| f.size.0 > 4 << 30) {
        out.push("files.size: up to 4G".into());
    }
    if act.export.as_ref().is_some_and(|e| e.rows > 10_000_000 || e.times > 1000) {
        out.push("export: up to 10000000 rows, 1000 times".into());
    }
    if let Some(f) = &act.feed {
        one_of("feed", &f.name, &["etcd", "prometheus", "webhook"], out);
    }
}

fn truth(s: &Scenario, out: &mut Vec<String>) {
    let kinds = std::iter::once(&s.truth.kind).chain(s.truth.also.iter().map(|a| &a.kind));
    for kind in kinds.filter(|k| !KINDS.contains(&k.as_str())) {
        out.push(format!("truth: no kind {kind:?}; there are {}", KINDS.join(", ")));
    }
    for without in s.truth.also.iter().flat_map(|a| &a.without) {
        if !["etcd", "webhook", "metrics", "all"].contains(&without.as_str()) {
            out.push(format!("truth.also.without: no feed {without:?}; there are etcd, webhook, metrics, all"));
        }
    }
    let mut ids: Vec<&str> = s.acts.iter().map(|a| a.id.as_str()).filter(|i| !i.is_empty()).collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find(|w| w[0] == w[1]) {
        out.push(format!("[[do]]: two actions are called {:?}", twice[0]));
    }
    if !s.truth.at.is_empty() && s.truth_at().is_none() {
        out.push(format!("truth.at: {:?} is neither the id of an action nor a time", s.truth.at));
    }
    if s.truth.kind == "none" && !s.truth.lives {
        out.push("truth: where nothing is to be found nobody is killed: lives = true".into());
    }
}

impl Scenario {
    /// When the cause begins, from the calm's begin; `None` if the truth does not say.
    #[must_use]
    pub fn truth_at(&self) -> Option<Span> {
        let at = &self.truth.at;
        if at.is_empty() {
            return None;
        }
        if let Some(act) = self.acts.iter().find(|a| a.id == *at) {
            return Some(act.at);
        }
        serde_json::from_value(serde_json::Value::String(at.clone())).ok()
    }
}
