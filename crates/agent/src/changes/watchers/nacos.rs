//! Nacos, by its documented HTTP, version 1 (`/nacos/v1/cs/configs`, and its listener, which compares MD5
//! sums). Tested against conversations as its documentation has them, not against a real server.

use super::client::{Client, decoded, encoded};
use super::known::Known;
use super::{Kept, Told, Watcher};
use crate::changes::payload::Measure;
use crate::config::Feed;

/// A configuration that is watched.
#[derive(Debug)]
struct Config {
    group: String,
    data_id: String,
    md5: String,
}

#[derive(Debug)]
pub(super) struct Nacos {
    namespace: String,
    configs: Vec<Config>,
    known: Known,
    begun: bool,
}

impl Nacos {
    pub(super) fn new(feed: &Feed) -> Self {
        let config = |key: &String| {
            let (group, data_id) = key.split_once('/')?;
            Some(Config { group: group.to_owned(), data_id: data_id.to_owned(), md5: String::new() })
        };
        let configs = feed.keys.iter().filter_map(config).collect();
        Self { namespace: feed.namespace.clone(), configs, known: Known::default(), begun: false }
    }

    fn token(client: &Client) -> Result<String, String> {
        Ok(client.secret()?.map(|s| format!("&accessToken={}", encoded(&s))).unwrap_or_default())
    }

    /// Reads one, and tells of it if it is another than it was.
    fn read(&mut self, at: usize, client: &Client, told: &Told) -> Result<(), String> {
        let Some(config) = self.configs.get_mut(at) else { return Ok(()) };
        let path = format!(
            "/nacos/v1/cs/configs?dataId={}&group={}&tenant={}{}",
            encoded(&config.data_id),
            encoded(&config.group),
            encoded(&self.namespace),
            Self::token(client)?
        );
        let key = format!("{}/{}", config.group, config.data_id);
        let reply = client.get(&path, &[])?;
        if reply.status == 404 {
            config.md5.clear();
            if let Some(before) = self.known.remove(&key) {
                told.changed(&key, Some(&before), None)?;
            }
            return Ok(());
        }
        let reply = reply.success()?;
        let md5 = reply.header("content-md5").map(str::to_owned);
        let md5 = md5.ok_or("its answer has no Content-MD5, and so it cannot be listened to")?;
        let mut measure = Measure::new(told.events.salt());
        let whole = reply.read(|bytes| {
            measure.push(bytes);
            Ok(false)
        })?;
        if !whole {
            return Err("its answer did not come to its end".into());
        }
        let kept = Kept { measured: measure.finish(), version: md5.clone() };
        let is_same = config.md5 == md5;
        config.md5 = md5;
        let before = self.known.put(&key, kept.clone());
        if self.begun && !is_same { told.changed(&key, before.as_ref(), Some(&kept)) } else { Ok(()) }
    }
}

impl Watcher for Nacos {
    fn round(&mut self, client: &Client, told: &Told) -> Result<(), String> {
        if !self.begun {
            for at in 0..self.configs.len() {
                self.read(at, client, told)?;
            }
            self.begun = true;
            return Ok(());
        }
        let tenant = if self.namespace.is_empty() { String::new() } else { format!("\u{2}{}", self.namespace) };
        let one = |c: &Config| format!("{}\u{2}{}\u{2}{}{tenant}\u{1}", c.data_id, c.group, c.md5);
        let all: String = self.configs.iter().map(one).collect();
        let wait = client.round.as_millis().to_string();
        let path = format!("/nacos/v1/cs/configs/listener?x=1{}", Self::token(client)?);
        let body = format!("Listening-Configs={}", encoded(&all));
        let headers = [("Long-Pulling-Timeout", wait.as_str())];
        let reply = client.post(&path, "application/x-www-form-urlencoded", &headers, &body)?.success()?;
        // Those that are others: data id, group, namespace.
        let text = decoded(reply.text(64 << 10)?.trim()).ok_or("its answer is not coded as it should be")?;
        for changed in text.split('\u{1}').filter(|c| !c.is_empty()) {
            let mut words = changed.split('\u{2}');
            let (data_id, group) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if let Some(at) = self.configs.iter().position(|c| c.data_id == data_id && c.group == group) {
                self.read(at, client, told)?;
            }
        }
        Ok(())
    }
}
