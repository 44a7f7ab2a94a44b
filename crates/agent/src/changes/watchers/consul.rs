//! Consul's key-value store, by blocking queries over its documented HTTP (`/v1/kv/PREFIX?recurse&index=N`).
//! Tested against conversations as its documentation has them, not against a real server.

use std::collections::BTreeSet;

use lastgasp_store::events::Salt;

use super::client::{Client, encoded};
use super::known::Known;
use super::{Kept, Told, Watcher};
use crate::changes::payload::Measure;
use crate::changes::payload::base64::Base64;
use crate::changes::payload::json::{JsonStream, Token};
use crate::config::Feed;

const MAX_TEXT: usize = 8 << 10;

/// One prefix.
#[derive(Debug)]
struct Prefix {
    path: String,
    index: u64,
    known: Known,
    begun: bool,
}

#[derive(Debug)]
pub(super) struct Consul {
    prefixes: Vec<Prefix>,
}

impl Consul {
    pub(super) fn new(feed: &Feed) -> Self {
        let path = |key: &String| key.trim_start_matches('/').split('/').map(encoded).collect::<Vec<_>>().join("/");
        let prefix = |key: &String| Prefix { path: path(key), index: 0, known: Known::default(), begun: false };
        Self { prefixes: feed.keys.iter().map(prefix).collect() }
    }
}

impl Watcher for Consul {
    fn round(&mut self, client: &Client, told: &Told) -> Result<(), String> {
        let secret = client.secret()?;
        // Several prefixes share a round.
        let share = (client.round.as_secs() / self.prefixes.len().max(1) as u64).max(1);
        for prefix in &mut self.prefixes {
            prefix.ask(client, told, secret.as_deref(), share)?;
        }
        Ok(())
    }
}

impl Prefix {
    fn ask(&mut self, client: &Client, told: &Told, secret: Option<&str>, seconds: u64) -> Result<(), String> {
        let path = format!("/v1/kv/{}?recurse=true&index={}&wait={seconds}s", self.path, self.index);
        let headers: Vec<(&str, &str)> = secret.map(|s| ("X-Consul-Token", s)).into_iter().collect();
        let reply = client.get(&path, &headers)?;
        let index: u64 = reply.header("x-consul-index").and_then(|i| i.parse().ok()).unwrap_or(0);
        // Without any key it says that there is none.
        let is_empty = reply.status == 404;
        if index == self.index && index > 0 {
            return if is_empty { Ok(()) } else { reply.success().map(drop) };
        }
        let mut there = BTreeSet::new();
        if !is_empty {
            let mut answer = Answer::new(told.events.salt());
            let whole = reply.success()?.read(|bytes| {
                answer.push(bytes)?;
                for (key, kept) in answer.items.drain(..) {
                    let is_same = self.known.get(&key).is_some_and(|k| k.version == kept.version);
                    let before = self.known.put(&key, kept.clone());
                    there.insert(key.clone());
                    if self.begun && !is_same {
                        told.changed(&key, before.as_ref(), Some(&kept))?;
                    }
                }
                Ok(false)
            })?;
            if !whole {
                return Err("its answer did not come to its end".into());
            }
        }
        for key in self.known.keys_without(|k| there.contains(k)) {
            let before = self.known.remove(&key);
            told.changed(&key, before.as_ref(), None)?;
        }
        self.begun = true;
        // An index that goes back is of a server that began anew (as its documentation says).
        self.index = if index < self.index { 0 } else { index };
        Ok(())
    }
}

/// A list of keys, as it streams by.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    salt: &'a Salt,
    stream: JsonStream,
    key: String,
    version: String,
    coded: Base64,
    value: Measure,
    text: Vec<u8>,
    items: Vec<(String, Kept)>,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(salt: &'a Salt) -> Self {
        Self {
            salt,
            stream: JsonStream::default(),
            key: String::new(),
            version: String::new(),
            coded: Base64::default(),
            value: Measure::new(salt),
            text: Vec::new(),
            items: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut stream = std::mem::take(&mut self.stream);
        let pushed = stream.push(bytes, |path, token| self.token(path, token));
        self.stream = stream;
        pushed.map_err(|e| format!("its answer cannot be read: {}", e.0))
    }

    fn token(&mut self, path: &[String], token: Token<'_>) {
        let [_, field] = path else {
            if let (Token::End, [_]) = (token, path) {
                let value = std::mem::replace(&mut self.value, Measure::new(self.salt));
                self.coded = Base64::default();
                let kept = Kept { measured: value.finish(), version: std::mem::take(&mut self.version) };
                self.items.push((std::mem::take(&mut self.key), kept));
            }
            return;
        };
        match token {
            Token::Part(bytes) if field == "Value" => {
                let value = &mut self.value;
                self.coded.push(bytes, |b| value.push(b));
            }
            Token::Part(bytes) => self.text.extend(bytes.iter().take(MAX_TEXT.saturating_sub(self.text.len()))),
            Token::StringEnd => {
                let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
                if field == "Key" {
                    self.key = text;
                }
            }
            Token::Scalar(number) if field == "ModifyIndex" => number.clone_into(&mut self.version),
            _ => {}
        }
    }
}
