//! etcd, version 3 of its API, by the JSON gateway over HTTP that stands at its client address (etcd 3.4 and
//! later: `/v3/kv/range`, `/v3/watch`). Tested against the real one.
//!
//! A watch begins behind the revision up to which all is known, and is asked for anew every round: what
//! happened between two of them comes with the next, and a server that hangs is noticed. Where history was
//! compacted away meanwhile the keys are read once more, and what is another is told with a hole.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lastgasp_store::events::Salt;
use serde_json::json;

use super::client::Client;
use super::known::Known;
use super::{Kept, Told, Watcher};
use crate::changes::payload::Measure;
use crate::changes::payload::base64::Base64;
use crate::changes::payload::json::{JsonStream, Token};
use crate::config::Feed;

/// Longest key, and longest other text that is kept.
const MAX_TEXT: usize = 8 << 10;
/// A watch is brought up to date ten times a second; one that stood for so long is.
const CAUGHT_UP: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Etcd {
    prefixes: Vec<Vec<u8>>,
    known: Known,
    /// Revision up to which all is known.
    revision: Option<i64>,
    /// Whether the keys were ever read.
    begun: bool,
}

impl Etcd {
    pub(super) fn new(feed: &Feed) -> Self {
        let prefixes = feed.keys.iter().map(|k| k.clone().into_bytes()).collect();
        Self { prefixes, known: Known::default(), revision: None, begun: false }
    }

    /// Reads all keys; tells of those that are others than they were known to be, except at the first time.
    fn read_all(&mut self, client: &Client, told: &Told, token: Option<&str>) -> Result<(), String> {
        let mut there = BTreeSet::new();
        let mut revision = None;
        for prefix in self.prefixes.clone() {
            let body = json!({"key": Base64::encode(&prefix), "range_end": Base64::encode(&range_end(&prefix))});
            let reply =
                client.post("/v3/kv/range", "application/json", &headers(token), &body.to_string())?.success()?;
            let mut answer = Answer::new(told.events.salt());
            reply.read(|bytes| {
                answer.push(bytes)?;
                for item in answer.items.drain(..) {
                    self.note(item, told, &mut there)?;
                }
                Ok(false)
            })?;
            // Of several prefixes the earliest: what changed between two answers is told by the watch.
            let read = answer.finish()?.ok_or("its answer has no revision")?;
            if !answer.stream.is_between() {
                return Err("its answer did not come to its end".into());
            }
            revision = Some(revision.map_or(read, |r: i64| r.min(read)));
        }
        if self.begun {
            for key in self.known.keys_without(|k| there.contains(k)) {
                let before = self.known.remove(&key);
                told.changed(&key, before.as_ref(), None)?;
            }
        }
        self.begun = true;
        self.revision = revision;
        Ok(())
    }

    fn note(&mut self, item: Item, told: &Told, there: &mut BTreeSet<String>) -> Result<(), String> {
        let (key, kept) = item.kept();
        let is_same = self.known.get(&key).is_some_and(|k| k.version == kept.version);
        let before = self.known.put(&key, kept.clone());
        there.insert(key.clone());
        if self.begun && !is_same { told.changed(&key, before.as_ref(), Some(&kept)) } else { Ok(()) }
    }

    fn event(&mut self, item: Item, told: &Told) -> Result<(), String> {
        let (is_delete, revision) = (item.is_delete, item.mod_revision);
        let (key, mut kept) = item.kept();
        if is_delete {
            let before = self.known.remove(&key);
            kept.measured = before.map(|b| b.measured).unwrap_or_default();
            told.changed(&key, Some(&kept), None)?;
        } else {
            let before = self.known.put(&key, kept.clone());
            told.changed(&key, before.as_ref(), Some(&kept))?;
        }
        // One transaction may write several keys at one revision: it is known when the next one comes.
        self.revision = self.revision.max(Some(revision.saturating_sub(1)));
        Ok(())
    }
}

impl Watcher for Etcd {
    fn round(&mut self, client: &Client, told: &Told) -> Result<(), String> {
        let token = log_in(client)?;
        let Some(revision) = self.revision else { return self.read_all(client, told, token.as_deref()) };
        // A watch for each prefix, all in one stream.
        let create = |prefix: &Vec<u8>| {
            json!({"create_request": {
                "key": Base64::encode(prefix),
                "range_end": Base64::encode(&range_end(prefix)),
                "start_revision": (revision + 1).to_string(),
                "progress_notify": true,
            }})
            .to_string()
        };
        let body: String = self.prefixes.iter().map(create).collect::<Vec<_>>().join("\n");
        let reply = client.post("/v3/watch", "application/json", &headers(token.as_deref()), &body)?.success()?;
        told.events.heard(&told.source);
        let mut answer = Answer::new(told.events.salt());
        let mut latest = None;
        let began = Instant::now();
        let ended = reply.read(|bytes| {
            answer.push(bytes)?;
            for item in answer.items.drain(..) {
                latest = latest.max(Some(item.mod_revision));
                self.event(item, told)?;
            }
            if bytes.ends_with(b"\n") {
                told.events.heard(&told.source);
            }
            Ok(answer.compacted || !answer.error.is_empty() || told.is_over())
        })?;
        let stood = !ended && began.elapsed() >= CAUGHT_UP;
        if answer.compacted {
            // What happened in between is lost; what came of it is not.
            self.revision = None;
            told.events.lost(&told.source, "its history was compacted away before we had read it");
            return self.read_all(client, told, token.as_deref());
        }
        answer.finish()?;
        if !answer.created {
            return Err("it took the watch and said nothing".into());
        }
        // A message tells of whole revisions; and a watch that stood for a round has told of all up to where
        // it began, so that a history that is compacted behind that is no loss.
        self.revision = self.revision.max(latest).max(answer.created_at.filter(|_| stood));
        Ok(())
    }
}

fn headers(token: Option<&str>) -> Vec<(&str, &str)> {
    token.map(|t| ("Authorization", t)).into_iter().collect()
}

/// A token for a user and a password, where such are configured.
fn log_in(client: &Client) -> Result<Option<String>, String> {
    let Some(secret) = client.secret()? else { return Ok(None) };
    let (name, password) = secret.split_once(':').ok_or("the file of its token has USER:PASSWORD")?;
    let body = json!({"name": name, "password": password}).to_string();
    let text = client.post("/v3/auth/authenticate", "application/json", &[], &body)?.success()?.text(64 << 10)?;
    let answer: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    Ok(answer.get("token").and_then(|t| t.as_str()).map(str::to_owned))
}

/// The key behind all that begin with a prefix.
fn range_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

/// A key and its value, as they come.
#[derive(Debug)]
struct Item {
    key: Vec<u8>,
    coded: Base64,
    value: Measure,
    mod_revision: i64,
    is_delete: bool,
}

impl Item {
    fn new(salt: &Salt) -> Self {
        Self { key: Vec::new(), coded: Base64::default(), value: Measure::new(salt), mod_revision: 0, is_delete: false }
    }

    fn kept(self) -> (String, Kept) {
        let key = String::from_utf8_lossy(&self.key).into_owned();
        (key, Kept { measured: self.value.finish(), version: self.mod_revision.to_string() })
    }
}

/// An answer of a range or a watch, as it streams by.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    salt: &'a Salt,
    stream: JsonStream,
    item: Item,
    text: Vec<u8>,
    items: Vec<Item>,
    revision: Option<i64>,
    created: bool,
    /// The lowest revision at which a watch of this stream was created.
    created_at: Option<i64>,
    compacted: bool,
    error: String,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(salt: &'a Salt) -> Self {
        Self {
            salt,
            stream: JsonStream::default(),
            item: Item::new(salt),
            text: Vec::new(),
            items: Vec::new(),
            revision: None,
            created: false,
            created_at: None,
            compacted: false,
            error: String::new(),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut stream = std::mem::take(&mut self.stream);
        let pushed = stream.push(bytes, |path, token| self.token(path, token));
        self.stream = stream;
        pushed.map_err(|e| format!("its answer cannot be read: {}", e.0))
    }

    /// The revision that it is of, or the error that it tells.
    pub(crate) fn finish(&self) -> Result<Option<i64>, String> {
        if self.error.is_empty() { Ok(self.revision) } else { Err(self.error.clone()) }
    }

    fn token(&mut self, path: &[String], token: Token<'_>) {
        let last = path.last().map_or("", String::as_str);
        let above = path.iter().rev().nth(1).map_or("", String::as_str);
        let is_value = last == "value" && (above == "kv" || is_in_list(path, "kvs"));
        match token {
            Token::Part(bytes) if is_value => {
                let value = &mut self.item.value;
                self.item.coded.push(bytes, |b| value.push(b));
            }
            Token::Part(bytes) => {
                self.text.extend(bytes.iter().take(MAX_TEXT.saturating_sub(self.text.len())));
            }
            Token::StringEnd => {
                let text = std::mem::take(&mut self.text);
                self.field(path, last, above, &String::from_utf8_lossy(&text));
            }
            Token::Scalar(text) => self.field(path, last, above, text),
            Token::End if is_element(path, "kvs") || is_element(path, "events") => {
                let item = std::mem::replace(&mut self.item, Item::new(self.salt));
                self.items.push(item);
            }
            Token::Begin | Token::End => {}
        }
    }

    fn field(&mut self, path: &[String], last: &str, above: &str, text: &str) {
        let in_item = above == "kv" || is_in_list(path, "kvs");
        match last {
            "key" if in_item => self.item.key = Base64::decode(text).unwrap_or_default(),
            "mod_revision" if in_item => self.item.mod_revision = text.parse().unwrap_or(0),
            "type" if is_in_list(path, "events") => self.item.is_delete = text == "DELETE",
            "revision" if above == "header" => self.revision = text.parse().ok().or(self.revision),
            "created" if above == "result" => {
                self.created |= text == "true";
                self.created_at = self.created_at.into_iter().chain(self.revision).min();
            }
            "canceled" if above == "result" && text == "true" && self.error.is_empty() && !self.compacted => {
                self.error = "it has ended the watch".into();
            }
            "compact_revision" if above == "result" && text.parse().is_ok_and(|r: i64| r > 0) => {
                self.compacted = true;
                self.error.clear();
            }
            "cancel_reason" if above == "result" && !self.compacted => {
                self.error = format!("it has ended the watch: {text}")
            }
            "message" if above == "error" => self.error = text.to_owned(),
            "error" if path.len() == 1 => self.error = text.to_owned(),
            _ => {}
        }
    }
}

/// Whether a path is an element of a list of that name.
fn is_element(path: &[String], list: &str) -> bool {
    matches!(path, [.., name, element] if name == list && element.is_empty())
}

/// Whether it is a field of such an element.
fn is_in_list(path: &[String], list: &str) -> bool {
    path.split_last().is_some_and(|(_, above)| is_element(above, list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_behind_a_prefix() {
        assert_eq!(range_end(b"/config/"), b"/config0");
        assert_eq!(range_end(b"a\xff\xff"), b"b");
        assert_eq!(range_end(b"\xff"), b"\0");
    }
}
