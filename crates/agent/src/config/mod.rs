//! The daemon's configuration: a TOML file with checked keys (`keys` has what each means), flags over it,
//! and where every value came from.

mod feeds;
mod flags;
mod keys;
mod load;
mod origin;
mod show;
mod target_filter;
mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use lastgasp_recorder::policy::Mode;
use serde::{Deserialize, Serialize};

use crate::http::Address;

pub(crate) use feeds::{Changes, EventFiles, Feed, FeedType, MIN_TOKEN, MetricsSource, MetricsType, Node, Preset};
pub use flags::WatchFlags;
pub(crate) use load::others_write;
use load::read_plain;
pub use load::{Loaded, load};
use origin::Origins;
pub use show::{as_json, as_markdown, as_text};
pub(crate) use target_filter::TargetFilter;
pub(crate) use units::{Bytes, Time};
pub use units::{size, time};

/// Values of all keys. What each means stands in `keys::KEYS`, which a test holds against this.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub(crate) store: Store,
    pub(crate) watch: Watch,
    pub(crate) include: TargetFilter,
    pub(crate) exclude: TargetFilter,
    pub(crate) pin: Pin,
    pub(crate) strike: Strike,
    pub(crate) brake: Brake,
    pub(crate) graph: Graph,
    pub(crate) leaks: Leaks,
    pub(crate) limits: Limits,
    pub(crate) http: Http,
    pub(crate) log: Log,
    pub(crate) node: Node,
    pub(crate) events: EventFiles,
    pub(crate) changes: Changes,
    pub(crate) webhook: BTreeMap<String, Webhook>,
    pub(crate) feed: BTreeMap<String, Feed>,
    pub(crate) metrics: BTreeMap<String, MetricsSource>,
}

/// The folder of captures, and how much may stand in it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    pub(crate) max_bytes: Bytes,
    pub(crate) max_captures: usize,
    pub(crate) full_per_cause: usize,
    pub(crate) cause_window: Time,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Watch {
    pub(crate) mode: WatchMode,
    pub(crate) look: Time,
    pub(crate) sample: Time,
    pub(crate) census: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Pin {
    pub(crate) enabled: bool,
    pub(crate) trial: bool,
    pub(crate) reach: Time,
    pub(crate) hold: Time,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Strike {
    pub(crate) within: Time,
    pub(crate) above: f64,
    pub(crate) at_a_time: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Brake {
    pub(crate) longest: Time,
    pub(crate) pause: Time,
    pub(crate) over_others: bool,
    pub(crate) v1_oom_kill_disable: bool,
}

/// The heap as a graph, read of a process that was killed for memory.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Graph {
    pub(crate) of_the_dead: bool,
    pub(crate) memory: Bytes,
    pub(crate) time: Time,
    pub(crate) pause: Time,
}

/// Looks at calm processes whose goroutines seem to leak.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Leaks {
    pub(crate) enabled: bool,
    pub(crate) stop: Time,
    pub(crate) pause: Time,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) memory: Bytes,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) listen: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
}

/// What may be done to a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WatchMode {
    /// Read it, and hold its memory after a kill; never stop it
    Observe,
    /// Stop it for the milliseconds of a copy too
    #[default]
    Freeze,
    /// Brake the growth of its group for seconds too (memory.high)
    Brake,
}

impl From<WatchMode> for Mode {
    fn from(mode: WatchMode) -> Self {
        match mode {
            WatchMode::Observe => Self::Observe,
            WatchMode::Freeze => Self::Freeze,
            WatchMode::Brake => Self::Brake,
        }
    }
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// journald's own protocol where it is what standard error is connected to, else text.
    #[default]
    Auto,
    /// A line an event, for people.
    Text,
    /// An object a line.
    Json,
    /// journald's own protocol, with fields.
    Journald,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) url_file: PathBuf,
    pub(crate) shape: Shape,
    pub(crate) settle: Time,
    pub(crate) pause: Time,
    pub(crate) timeout: Time,
}

/// Shape of a webhook's message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    /// docs/formats/webhook.md
    #[default]
    Generic,
    /// What Slack's incoming webhooks take (and Mattermost's, and others').
    Slack,
}

const fn seconds(n: u64) -> Time {
    Time(Duration::from_secs(n))
}

const fn millis(n: u64) -> Time {
    Time(Duration::from_millis(n))
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: "/var/lib/lastgasp".into(),
            max_bytes: Bytes(2 << 30),
            max_captures: 500,
            full_per_cause: 3,
            cause_window: seconds(3600),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self { mode: WatchMode::Freeze, look: seconds(2), sample: seconds(5), census: true }
    }
}

impl Default for Pin {
    fn default() -> Self {
        Self { enabled: true, trial: true, reach: seconds(1), hold: millis(1800) }
    }
}

impl Default for Strike {
    fn default() -> Self {
        Self { within: millis(250), above: 0.7, at_a_time: 2 }
    }
}

impl Default for Brake {
    fn default() -> Self {
        Self { longest: seconds(5), pause: seconds(600), over_others: false, v1_oom_kill_disable: false }
    }
}

impl Default for Graph {
    fn default() -> Self {
        Self { of_the_dead: true, memory: Bytes(1 << 30), time: seconds(10), pause: seconds(600) }
    }
}

impl Default for Leaks {
    fn default() -> Self {
        Self { enabled: true, stop: millis(100), pause: seconds(86_400) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: Bytes(64 << 20) }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".into() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".into() }
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            url: String::new(),
            url_file: PathBuf::new(),
            shape: Shape::Generic,
            settle: seconds(3),
            pause: seconds(600),
            timeout: seconds(10),
        }
    }
}

/// Longest file with the address of a webhook, in bytes.
const MAX_ADDRESS: u64 = 64 << 10;

impl Config {
    /// Folder of captures and of the journal of what must be undone.
    #[must_use]
    pub fn store(&self) -> &Path {
        &self.store.path
    }

    /// Checks what no type says: ranges, and what must not stand together. Names the wrong key, and where it
    /// came from.
    pub(crate) fn check(&self, origins: &Origins) -> Result<()> {
        let checks = [
            range("store.max_captures", self.store.max_captures, 2, 1_000_000),
            range("store.full_per_cause", self.store.full_per_cause, 1, 1000),
            range("store.max_bytes", self.store.max_bytes, Bytes(1 << 20), Bytes(1 << 50)),
            range("store.cause_window", self.store.cause_window, seconds(1), seconds(366 * 86_400)),
            range("watch.look", self.watch.look, millis(10), seconds(2)),
            range("watch.sample", self.watch.sample, millis(100), seconds(86_400)),
            range("pin.reach", self.pin.reach, millis(100), seconds(60)),
            range("pin.hold", self.pin.hold, millis(100), millis(1900)),
            range("strike.within", self.strike.within, millis(20), seconds(10)),
            range("strike.above", self.strike.above, 0.1, 0.98),
            range("strike.at_a_time", self.strike.at_a_time, 1, 64),
            range("brake.longest", self.brake.longest, millis(100), seconds(30)),
            range("brake.pause", self.brake.pause, seconds(1), seconds(86_400)),
            range("graph.memory", self.graph.memory, Bytes(64 << 20), Bytes(1 << 40)),
            range("graph.time", self.graph.time, millis(100), seconds(600)),
            range("graph.pause", self.graph.pause, seconds(1), seconds(86_400)),
            range("leaks.stop", self.leaks.stop, millis(20), millis(500)),
            range("leaks.pause", self.leaks.pause, seconds(60), seconds(30 * 86_400)),
            range("limits.memory", self.limits.memory, Bytes(8 << 20), Bytes(1 << 40)),
            range("events.max_bytes", self.events.max_bytes, Bytes(4 << 20), Bytes(1 << 40)),
            range("events.max_age", self.events.max_age, seconds(3600), seconds(366 * 86_400)),
        ];
        let hooks = self.webhook.iter().flat_map(|(name, hook)| {
            let key = |key: &str| format!("webhook.{name}.{key}");
            [
                range(&key("settle"), hook.settle, millis(100), seconds(60)),
                range(&key("pause"), hook.pause, seconds(1), seconds(86_400)),
                range(&key("timeout"), hook.timeout, millis(100), seconds(60)),
                hook.address().map(drop).map_err(|why| (key("url"), why)),
            ]
        });
        let feeds = self.feed.iter().flat_map(|(name, feed)| feed.check(&format!("feed.{name}")));
        let metrics = self.metrics.iter().flat_map(|(name, source)| source.check(&format!("metrics.{name}")));
        let changes = [self.changes.check()];
        let listen = self.listen().map(drop).map_err(|why| ("http.listen".to_owned(), why));
        let level = tracing_subscriber::EnvFilter::try_new(&self.log.level);
        let level = level
            .map(drop)
            .map_err(|e| ("log.level".to_owned(), format!("{e}: write error, warn, info, debug or trace")));
        let patterns = [self.include.check("include"), self.exclude.check("exclude")];
        let wrong = checks
            .into_iter()
            .chain(hooks)
            .chain(feeds)
            .chain(metrics)
            .chain(changes)
            .chain([listen, level])
            .chain(patterns)
            .find_map(Result::err);
        match wrong {
            Some((key, why)) => bail!("{} ({}): {why}", key, origins.of(&key)),
            None => Ok(()),
        }
    }

    /// Address of `/metrics` and `/healthz`; `None` if they are off.
    pub(crate) fn listen(&self) -> Result<Option<Address>, String> {
        if self.http.listen == "off" { Ok(None) } else { self.http.listen.parse().map(Some) }
    }
}

impl Webhook {
    /// Address of a webhook: the one that is given, or what stands in the file, for it may be a secret.
    pub(crate) fn address(&self) -> Result<String, String> {
        let url = match (self.url.is_empty(), self.url_file.as_os_str().is_empty()) {
            (false, true) => self.url.clone(),
            (true, false) => {
                let text = read_plain(&self.url_file, MAX_ADDRESS);
                text.map_err(|e| format!("{}: {e}", self.url_file.display()))?.trim().to_owned()
            }
            (true, true) => return Err("is missing: give url, or url_file".into()),
            (false, false) => return Err("give url or url_file, not both".into()),
        };
        is_address(&url).map(|()| url)
    }
}

/// Whether a text is an address that can be asked.
fn is_address(url: &str) -> Result<(), String> {
    let uri: ureq::http::Uri = url.parse().map_err(|_| "is no address".to_owned())?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some() => Ok(()),
        _ => Err("must begin with http:// or https:// and name a host".into()),
    }
}

fn range<T: PartialOrd + std::fmt::Display>(key: &str, value: T, least: T, most: T) -> Result<(), (String, String)> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err((key.to_owned(), format!("{value} is out of range: {least} to {most}")))
}

#[cfg(test)]
mod tests;
