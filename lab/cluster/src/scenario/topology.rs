//! What a world consists of.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::quantity::{Size, Span};

/// The service that is to die, or not.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    /// Name of its executable.
    pub name: String,
    /// How many run.
    pub instances: usize,
    /// Over which they are spread in turn.
    pub data_centres: Vec<String>,
    /// Memory limit of each.
    pub limit: Size,
    /// Live heap of the calm service.
    pub base: Size,
    /// What a request holds as long as it lasts.
    pub request: Size,
    /// What a request throws away.
    pub garbage: Size,
    /// Whether it goes on with requests whose callers have given up.
    pub stubborn: bool,
    /// Requests that it works on at a time, others wait; 0: all.
    pub concurrency: u32,
    /// Version that instances begin with.
    pub version: String,
    /// Time between the starts of two instances.
    pub stagger: Span,
    /// How long the supervisor waits before it starts one anew.
    pub restart_after: Span,
    /// How willing the kernel is to kill it when the node is full (`oom_score_adj`).
    pub oom_score_adj: i32,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Keys of its configuration.
    pub key: BTreeMap<String, Key>,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            name: "resource-service".into(),
            instances: 4,
            data_centres: vec!["dc-a".into(), "dc-b".into()],
            limit: Size::mib(224),
            base: Size::mib(40),
            request: Size(16 << 10),
            garbage: Size(64 << 10),
            stubborn: false,
            concurrency: 0,
            version: "1.41.0".into(),
            stagger: Span::ms(0),
            restart_after: Span::ms(2500),
            oom_score_adj: 900,
            environment: BTreeMap::new(),
            key: BTreeMap::from([("ugctab".to_owned(), Key::default())]),
        }
    }
}

/// A key of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Key {
    /// What the service does with it.
    #[serde(rename = "use")]
    pub used: Use,
    /// Elements that it has at first.
    pub count: u64,
}

impl Default for Key {
    fn default() -> Self {
        Self { used: Use::Rebuild, count: 312 }
    }
}

/// What the service does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Every request makes a map of all elements: the bug of the notes.
    Rebuild,
    /// Every request makes a slice of structures of them.
    Copied,
    /// Every request writes all of them into one text.
    Joined,
    /// One set is made of them and shared: as it should be.
    Kept,
    /// Every version that was published stays.
    Accumulated,
}

impl Use {
    /// Folder of its package.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Copied => "copied",
            Self::Joined => "joined",
            Self::Kept => "kept",
            Self::Accumulated => "accumulated",
        }
    }
}

/// A release of the service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Version {
    /// Bugs that came with it.
    pub bugs: Vec<Bug>,
    /// What it does with keys, where that differs from `service.key`.
    pub key: BTreeMap<String, Use>,
    /// Release of Go that it is built with (`1.22.10`), or a minor (`1.22`); empty: that on PATH.
    pub go: String,
    /// Whether it keeps its symbol table and debug information.
    pub symbols: bool,
    /// Time of its commit, as git reads it; empty: one that is made of its version.
    pub committed: String,
}

/// A bug of a release.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bug {
    /// One of [`Bug::KINDS`].
    pub kind: String,
    /// `start` of the process, or `trigger`: when an action triggers it.
    #[serde(default = "from_start")]
    pub from: String,
    /// `second` or `request`.
    #[serde(default = "each_second")]
    pub each: String,
    /// How often it strikes each second, or each request.
    #[serde(default = "once")]
    pub rate: f64,
    /// What each strike takes.
    #[serde(default = "taken")]
    pub bytes: Size,
}

fn from_start() -> String {
    "start".into()
}

fn each_second() -> String {
    "second".into()
}

fn once() -> f64 {
    1.0
}

fn taken() -> Size {
    Size(64 << 10)
}

impl Bug {
    /// Kinds with their Go types (lab/programs/cluster/resource-service/bugs).
    pub const KINDS: [(&'static str, &'static str); 14] = [
        ("leak", "Leak"),
        ("cache", "Cache"),
        ("slice", "Slice"),
        ("ranking", "Ranking"),
        ("churn", "Churn"),
        ("off-heap", "OffHeap"),
        ("shared-files", "SharedFiles"),
        ("goroutines-unbounded", "Unbounded"),
        ("goroutines-io", "IO"),
        ("goroutines-mutex", "Mutex"),
        ("goroutines-wait-group", "WaitGroup"),
        ("goroutines-select", "Select"),
        ("goroutines-send", "Send"),
        ("goroutines-receive", "Receive"),
    ];
}

/// The service behind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dependency {
    /// What it is called.
    pub name: String,
    /// How long an answer takes.
    pub latency: Span,
    /// Share of answers that are failures.
    pub failures: f64,
}

impl Default for Dependency {
    fn default() -> Self {
        Self { name: "playurl".into(), latency: Span::ms(6000), failures: 0.0 }
    }
}

/// The balancer: HAProxy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Balancer {
    /// How often it tries again, elsewhere.
    pub retries: u32,
    /// How long it waits for an answer.
    pub timeout: Span,
    /// Time between two health checks.
    pub health_every: Span,
    /// Whether it tries again when an answer came too late, too.
    pub retry_on_timeout: bool,
}

impl Default for Balancer {
    fn default() -> Self {
        Self { retries: 2, timeout: Span::ms(20_000), health_every: Span::ms(500), retry_on_timeout: true }
    }
}

/// A service in front.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caller {
    /// Requests a second, whatever the answers.
    pub rate: f64,
    /// When it gives up.
    pub timeout: Span,
    /// How often it tries again.
    pub retries: u32,
    /// Whether it can do without an answer.
    pub fallback: bool,
    /// What it asks for.
    pub path: String,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            rate: 10.0,
            timeout: Span::ms(10_000),
            retries: 1,
            fallback: false,
            path: "/x/resource/ugctab?aids=170001,455017".into(),
        }
    }
}

/// Callers of a scenario that names none: those of the notes.
pub(super) fn callers() -> BTreeMap<String, Caller> {
    let gateway = Caller { rate: 14.0, retries: 0, ..Caller::default() };
    BTreeMap::from([("tianma".to_owned(), Caller::default()), ("play-page-gateway".to_owned(), gateway)])
}

/// The node that all instances and neighbours share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// Its memory: of all instances and neighbours together.
    pub memory: Size,
}

impl Default for Node {
    fn default() -> Self {
        Self { memory: Size::mib(8192) }
    }
}

/// What lastgasp is connected to.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feeds {
    /// It watches etcd.
    pub etcd: bool,
    /// Pipelines and platforms tell of releases and other changes (`POST /v1/changes`).
    pub webhook: bool,
    /// The admin platform tells too.
    pub admin: bool,
    /// It reads Prometheus.
    pub prometheus: bool,
}

impl Default for Feeds {
    fn default() -> Self {
        Self { etcd: false, webhook: true, admin: false, prometheus: true }
    }
}
