//! Apollo's config service, by its documented HTTP (`/notifications/v2`, a long poll, and `/configs`). Tested
//! against conversations as its documentation has them, not against a real server.
//!
//! Of several applications or clusters one long poll cannot tell: they are asked every round whether their
//! release is another.

use std::collections::BTreeMap;
use std::time::Duration;

use lastgasp_store::events::Salt;
use serde_json::{Value, json};

use super::client::{Client, encoded};
use super::known::Known;
use super::{Kept, Told, Watcher, sleep};
use crate::changes::payload::Measure;
use crate::changes::payload::json::{JsonStream, Token};
use crate::config::Feed;

/// How long the server thinks about a long poll that nothing ends, and some seconds.
const LONG_POLL: Duration = Duration::from_secs(65);
const MAX_TEXT: usize = 8 << 10;

/// A namespace that is watched.
#[derive(Debug)]
struct Namespace {
    app: String,
    cluster: String,
    name: String,
    notification: i64,
    release: String,
}

#[derive(Debug)]
pub(super) struct Apollo {
    feed: Feed,
    namespaces: Vec<Namespace>,
    known: Known,
    begun: bool,
}

impl Apollo {
    pub(super) fn new(feed: &Feed) -> Self {
        let namespace = |key: &String| {
            let mut words = key.split('/').map(str::to_owned);
            let (app, cluster, name) = (words.next()?, words.next()?, words.next()?);
            Some(Namespace { app, cluster, name, notification: -1, release: String::new() })
        };
        let namespaces = feed.keys.iter().filter_map(namespace).collect();
        Self { feed: feed.clone(), namespaces, known: Known::default(), begun: false }
    }

    /// Namespaces with news, by a long poll; all of them where there can be none.
    fn with_news(&mut self, told: &Told) -> Result<Vec<usize>, String> {
        let all: Vec<usize> = (0..self.namespaces.len()).collect();
        let Some(first) = self.namespaces.first().filter(|_| self.begun) else { return Ok(all) };
        let (app, cluster) = (first.app.clone(), first.cluster.clone());
        if self.namespaces.iter().any(|n| n.app != app || n.cluster != cluster) {
            sleep(self.feed.round.0, told);
            return Ok(all);
        }
        let asked: Vec<Value> = self
            .namespaces
            .iter()
            .map(|n| json!({"namespaceName": n.name, "notificationId": n.notification}))
            .collect();
        let path = format!(
            "/notifications/v2?appId={}&cluster={}&notifications={}",
            encoded(&app),
            encoded(&cluster),
            encoded(&Value::from(asked).to_string())
        );
        let reply = Client::waiting(&self.feed, LONG_POLL).get(&path, &[])?;
        if reply.status == 304 {
            return Ok(Vec::new());
        }
        let text = reply.success()?.text(256 << 10)?;
        let news: Value = serde_json::from_str(&text).map_err(|e| format!("its answer cannot be read: {e}"))?;
        let mut changed = Vec::new();
        for one in news.as_array().into_iter().flatten() {
            let name = one.get("namespaceName").and_then(Value::as_str).unwrap_or_default();
            // It may say the name of a properties file without its ending.
            let is_it = |n: &Namespace| n.name == name || n.name.strip_suffix(".properties") == Some(name);
            if let Some(at) = self.namespaces.iter().position(is_it) {
                if let (Some(n), Some(id)) =
                    (self.namespaces.get_mut(at), one.get("notificationId").and_then(Value::as_i64))
                {
                    n.notification = id;
                }
                changed.push(at);
            }
        }
        Ok(changed)
    }

    /// Reads a namespace, and tells of its keys that are others.
    fn read(&mut self, at: usize, client: &Client, told: &Told) -> Result<(), String> {
        let Some(n) = self.namespaces.get_mut(at) else { return Ok(()) };
        let path = format!(
            "/configs/{}/{}/{}?releaseKey={}",
            encoded(&n.app),
            encoded(&n.cluster),
            encoded(&n.name),
            encoded(&n.release)
        );
        let reply = client.get(&path, &[])?;
        if reply.status == 304 {
            return Ok(());
        }
        let mut answer = Answer::new(told.events.salt());
        let (reply, gone) = if reply.status == 404 { (None, true) } else { (Some(reply.success()?), false) };
        if let Some(reply) = reply {
            let whole = reply.read(|bytes| answer.push(bytes).map(|()| false))?;
            if !whole {
                return Err("its answer did not come to its end".into());
            }
        }
        let before = format!("{}/", n.name);
        n.release = if gone { String::new() } else { answer.release.clone() };
        for (key, kept) in &mut answer.items {
            kept.version.clone_from(&answer.release);
            let key = format!("{before}{key}");
            let is_same = self.known.get(&key).is_some_and(|k| k.measured == kept.measured);
            let was = self.known.put(&key, kept.clone());
            if self.begun && !is_same {
                told.changed(&key, was.as_ref(), Some(kept))?;
            }
        }
        let is_there = |k: &str| k.strip_prefix(&before).is_none_or(|k| answer.items.contains_key(k));
        for key in self.known.keys_without(is_there) {
            let was = self.known.remove(&key).map(|was| Kept { version: answer.release.clone(), ..was });
            told.changed(&key, was.as_ref(), None)?;
        }
        Ok(())
    }
}

impl Watcher for Apollo {
    fn round(&mut self, client: &Client, told: &Told) -> Result<(), String> {
        for at in self.with_news(told)? {
            self.read(at, client, told)?;
        }
        self.begun = true;
        Ok(())
    }
}

/// A namespace, as it streams by.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    salt: &'a Salt,
    stream: JsonStream,
    value: Option<Measure>,
    text: Vec<u8>,
    release: String,
    items: BTreeMap<String, Kept>,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(salt: &'a Salt) -> Self {
        let (stream, items) = (JsonStream::default(), BTreeMap::new());
        Self { salt, stream, value: None, text: Vec::new(), release: String::new(), items }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut stream = std::mem::take(&mut self.stream);
        let pushed = stream.push(bytes, |path, token| self.token(path, token));
        self.stream = stream;
        pushed.map_err(|e| format!("its answer cannot be read: {}", e.0))
    }

    fn token(&mut self, path: &[String], token: Token<'_>) {
        /// Keys of a namespace that are told apart.
        const MAX_KEYS: usize = 10_000;
        match (path, token) {
            ([place, _], Token::Part(bytes)) if place == "configurations" => {
                self.value.get_or_insert_with(|| Measure::new(self.salt)).push(bytes);
            }
            ([place, key], Token::StringEnd) if place == "configurations" => {
                let value = self.value.take().unwrap_or_else(|| Measure::new(self.salt));
                if self.items.len() < MAX_KEYS {
                    self.items.insert(key.clone(), Kept { measured: value.finish(), version: String::new() });
                }
            }
            (_, Token::Part(bytes)) => self.text.extend(bytes.iter().take(MAX_TEXT.saturating_sub(self.text.len()))),
            (_, Token::StringEnd) => {
                let text = std::mem::take(&mut self.text);
                if path == ["releaseKey"] {
                    self.release = String::from_utf8_lossy(&text).into_owned();
                }
            }
            _ => {}
        }
    }
}
