//! `lastgasp config`: each value and where it came from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::keys::{KEYS, about};
use super::load::Loaded;
use super::{Config, Feed, MetricsSource, Webhook};

/// What stands in place of an address: it may hold a secret.
const HIDDEN: &str = "(hidden)";

/// Values by key, as TOML writes them.
fn values(config: &Config) -> Result<BTreeMap<String, toml::Value>> {
    let mut flat = BTreeMap::new();
    flatten("", &toml::Value::try_from(config)?, &mut flat);
    for (key, value) in &mut flat {
        let is_secret = key.starts_with("webhook.") && key.ends_with(".url");
        if is_secret && value.as_str() != Some("") {
            *value = HIDDEN.into();
        }
    }
    Ok(flat)
}

fn flatten(before: &str, value: &toml::Value, flat: &mut BTreeMap<String, toml::Value>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
                flatten(&path, value, flat);
            }
        }
        other => {
            flat.insert(before.to_owned(), other.clone());
        }
    }
}

/// In the order of [`KEYS`], webhooks by name.
fn rows(loaded: &Loaded) -> Result<Vec<(String, toml::Value)>> {
    let position = |key: &str| {
        let known = about(key)?;
        KEYS.iter().position(|k| std::ptr::eq(k.about, known))
    };
    // Tables of the user's naming: behind all others, each by itself.
    let named = |key: &str| {
        let (table, rest) = key.split_once('.')?;
        let (name, _) = rest.split_once('.').filter(|_| matches!(table, "webhook" | "feed" | "metrics"))?;
        Some((table.to_owned(), name.to_owned()))
    };
    let mut rows: Vec<_> = values(&loaded.config)?.into_iter().collect();
    rows.sort_by_key(|(key, _)| (named(key), position(key)));
    Ok(rows)
}

/// Configuration as text for people: values, where they came from, what they mean.
///
/// # Errors
/// Values that TOML cannot write.
pub fn as_text(loaded: &Loaded) -> Result<String> {
    let mut out = String::new();
    for (key, value) in rows(loaded)? {
        let _ = writeln!(out, "{key} = {value}    # {}", loaded.origins.of(&key));
        let _ = writeln!(out, "    {}", about(&key).unwrap_or_default());
    }
    Ok(out)
}

/// Configuration as JSON, schema lastgasp.config/1.
///
/// # Errors
/// Values that TOML cannot write.
pub fn as_json(loaded: &Loaded) -> Result<Value> {
    let mut keys = serde_json::Map::new();
    for (key, value) in rows(loaded)? {
        let entry = json!({"value": value, "origin": loaded.origins.of(&key), "about": about(&key)});
        keys.insert(key, entry);
    }
    Ok(json!({"schema": "lastgasp.config/1", "keys": keys}))
}

/// Keys, defaults and meanings as the table of docs/operations/configuration.md.
///
/// # Errors
/// Values that TOML cannot write.
pub fn as_markdown() -> Result<String> {
    let mut config = Config::default();
    config.webhook.insert("*".into(), Webhook::default());
    config.feed.insert("*".into(), Feed::default());
    config.metrics.insert("*".into(), MetricsSource::default());
    let defaults = values(&config)?;
    let mut out = String::from("| key | default | what it means |\n|---|---|---|\n");
    for key in KEYS {
        let default = defaults.get(key.name).map(toml::Value::to_string).unwrap_or_default();
        let _ = writeln!(out, "| `{}` | `{default}` | {} |", key.name, key.about);
    }
    Ok(out)
}
