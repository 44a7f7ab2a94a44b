//! What happens to a world: one action at a time.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::quantity::{Size, Span};

/// An action: its time, and exactly one of the others but `id`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Act {
    /// When, from the calm's begin.
    pub at: Span,
    /// What the truth calls it.
    pub id: String,
    /// A configuration is published on the admin platform.
    pub publish: Option<Publish>,
    /// Another version is put out, or an older one again.
    pub deploy: Option<Deploy>,
    /// Instances are started anew.
    pub restart: Option<Restart>,
    /// Another memory limit.
    pub limit: Option<Limit>,
    /// Another environment; instances are started anew with it.
    pub environment: Option<Environment>,
    /// The service behind answers otherwise.
    pub dependency: Option<DependencyChange>,
    /// A caller asks more or less, or for something else.
    pub load: Option<Load>,
    /// A caller's timeouts, retries, fallback.
    pub caller: Option<CallerChange>,
    /// The balancer's.
    pub balancer: Option<BalancerChange>,
    /// A bug that waits for it begins, or ends.
    pub trigger: Option<Trigger>,
    /// A change elsewhere is told of, which does nothing here: a decoy.
    pub event: Option<Event>,
    /// Another program takes memory of the node.
    pub neighbour: Option<Neighbour>,
    /// Files are written: page cache.
    pub files: Option<Files>,
    /// An export of so many rows is asked for.
    pub export: Option<Export>,
    /// Instances are killed, for other reasons than memory.
    pub kill: Option<Kill>,
    /// A feed breaks, or comes back.
    pub feed: Option<Feed>,
}

/// Which instances.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Pick {
    /// All of them.
    #[default]
    All,
    /// So many: the first, data centres in turn.
    Some(usize),
    /// Those of a data centre, or one by its name.
    Named(String),
    /// Several of either.
    Several(Vec<String>),
}

/// A configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Key.
    pub key: String,
    /// Elements.
    pub count: u64,
    /// Bytes of text that are added to it.
    #[serde(default)]
    pub padding: Size,
    /// Who publishes.
    #[serde(default = "admin")]
    pub by: String,
    /// Whether the admin platform does not tell of this one, although it is a feed.
    #[serde(default)]
    pub quiet: bool,
}

fn admin() -> String {
    "ops-admin".into()
}

/// A deployment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// Version.
    pub version: String,
    /// Where.
    #[serde(default)]
    pub instances: Pick,
    /// Time between two instances.
    #[serde(default = "pace")]
    pub every: Span,
    /// Whether the pipeline tells of it.
    #[serde(default = "yes")]
    pub told: bool,
    /// Whether it is a rollback, as the pipeline says.
    #[serde(default)]
    pub rollback: bool,
}

fn pace() -> Span {
    Span::ms(500)
}

fn yes() -> bool {
    true
}

/// A restart of instances, one after the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Which.
    #[serde(default)]
    pub instances: Pick,
    /// Time between two.
    #[serde(default = "pace")]
    pub every: Span,
}

/// A limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Bytes.
    pub memory: Size,
    /// Of which.
    #[serde(default)]
    pub instances: Pick,
    /// Whether instances are started anew with it, as when a service is published again.
    #[serde(default)]
    pub restart: bool,
    /// Whether the platform tells of it.
    #[serde(default = "yes")]
    pub told: bool,
}

/// Variables; an empty value takes one away.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// By name.
    pub set: BTreeMap<String, String>,
    /// Of which.
    #[serde(default)]
    pub instances: Pick,
    /// Time between two restarts.
    #[serde(default = "pace")]
    pub every: Span,
    /// Whether the platform tells of it.
    #[serde(default)]
    pub told: bool,
}

/// How the service behind answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DependencyChange {
    /// How long an answer takes.
    pub latency: Option<Span>,
    /// Share of failures.
    pub failures: Option<f64>,
    /// Whether its pipeline tells of a release of it at this time.
    #[serde(default)]
    pub told: bool,
}

/// What a caller asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Which; empty: all.
    #[serde(default)]
    pub caller: String,
    /// Requests a second from now on.
    pub rate: Option<f64>,
    /// Or so many times as many as at first.
    pub times: Option<f64>,
    /// Another path.
    pub path: Option<String>,
    /// Whether somebody tells of it: a campaign.
    #[serde(default)]
    pub told: bool,
}

/// How a caller asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerChange {
    /// Which; empty: all.
    #[serde(default)]
    pub caller: String,
    /// When it gives up.
    pub timeout: Option<Span>,
    /// How often it tries again.
    pub retries: Option<u32>,
    /// Whether it can do without.
    pub fallback: Option<bool>,
    /// Whether its own pipeline tells of it.
    #[serde(default)]
    pub told: bool,
}

/// How the balancer works.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalancerChange {
    /// How often it tries again.
    pub retries: Option<u32>,
    /// How long it waits.
    pub timeout: Option<Span>,
}

/// A bug that begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Its kind.
    pub bug: String,
    /// Where.
    #[serde(default)]
    pub instances: Pick,
    /// Whether it ends instead.
    #[serde(default)]
    pub off: bool,
}

/// A change that somebody tells of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// As `POST /v1/changes` takes it.
    pub kind: String,
    /// What was changed; empty: the service.
    #[serde(default)]
    pub key: String,
    /// Service that it is of; empty: this one.
    #[serde(default)]
    pub service: String,
    /// Version after.
    #[serde(default)]
    pub version: String,
    /// Elements.
    pub count: Option<u64>,
    /// Bytes.
    pub size: Option<Size>,
    /// Who tells.
    #[serde(default = "pipeline")]
    pub by: String,
    /// How far its clock is from ours, in seconds.
    #[serde(default)]
    pub clock_skew_s: f64,
    /// How much later it is told than it happened.
    #[serde(default)]
    pub late: Span,
    /// Data centres that it reached; empty: not said.
    #[serde(default)]
    pub data_centres: Vec<String>,
}

fn pipeline() -> String {
    "pipeline".into()
}

/// Another program on the node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// What it takes.
    pub memory: Size,
    /// How fast, a second.
    #[serde(default = "fast")]
    pub rate: Size,
    /// How willing the kernel is to kill it (`oom_score_adj`); absent: as the lab itself.
    pub oom_score_adj: Option<i32>,
}

fn fast() -> Size {
    Size::mib(200)
}

/// Files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// How much each instance writes.
    pub size: Size,
    /// Which.
    #[serde(default)]
    pub instances: Pick,
}

/// Exports that somebody asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Rows of each.
    pub rows: u64,
    /// How many.
    #[serde(default = "one")]
    pub times: u32,
    /// Time between two.
    #[serde(default = "pace")]
    pub every: Span,
}

fn one() -> u32 {
    1
}

/// A kill.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Which.
    #[serde(default)]
    pub instances: Pick,
}

/// A feed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// `etcd` or `prometheus`: the program itself is stopped and started again; `webhook`: nobody tells.
    pub name: String,
    /// Whether it comes back.
    #[serde(default)]
    pub up: bool,
}

impl Act {
    /// Names of what it does: one, if it is right.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let all = [
            (self.publish.is_some(), "publish"),
            (self.deploy.is_some(), "deploy"),
            (self.restart.is_some(), "restart"),
            (self.limit.is_some(), "limit"),
            (self.environment.is_some(), "environment"),
            (self.dependency.is_some(), "dependency"),
            (self.load.is_some(), "load"),
            (self.caller.is_some(), "caller"),
            (self.balancer.is_some(), "balancer"),
            (self.trigger.is_some(), "trigger"),
            (self.event.is_some(), "event"),
            (self.neighbour.is_some(), "neighbour"),
            (self.files.is_some(), "files"),
            (self.export.is_some(), "export"),
            (self.kill.is_some(), "kill"),
            (self.feed.is_some(), "feed"),
        ];
        all.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect()
    }
}
