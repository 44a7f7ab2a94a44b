//! `lastgasp watch` on the world's node.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::groups::Group;
use super::platform::Ports;
use super::process::{Start, wait_for};
use crate::scenario::Scenario;

/// Starts it; gives it with the keys of the configuration that this lastgasp does not know yet.
pub(super) fn start(
    lastgasp: &Path,
    scenario: &Scenario,
    ports: &Ports,
    group: &Group,
    places: &Places<'_>,
) -> Result<Child> {
    let config = places.stage.join("lastgasp.toml");
    fs::write(&config, configuration(lastgasp, scenario, ports, places)?)?;
    let log = places.log.clone();
    let mut child = Start::new(lastgasp, group, &log)
        .args(["watch", "--store"])
        .args([places.store.display().to_string(), "--config".into(), config.display().to_string()])
        .spawn()?;
    wait_for("lastgasp watch", ports.lastgasp, &mut child, &log, Duration::from_secs(60))?;
    Ok(child)
}

/// Where its files are, and who takes its messages.
#[derive(Debug)]
pub(super) struct Places<'a> {
    pub(super) stage: &'a Path,
    pub(super) store: &'a Path,
    pub(super) log: PathBuf,
    /// Pattern of the cgroups that it watches.
    pub(super) cgroups: String,
    pub(super) hook: u16,
    pub(super) token_file: &'a Path,
}

/// Its configuration, in keys that it knows: one of an older release plays with fewer feeds.
fn configuration(lastgasp: &Path, scenario: &Scenario, ports: &Ports, places: &Places<'_>) -> Result<String> {
    let out = Command::new(lastgasp).args(["config", "--markdown"]).output().context("lastgasp config --markdown")?;
    if !out.status.success() {
        bail!("lastgasp config --markdown: {}", String::from_utf8_lossy(&out.stderr));
    }
    let known = String::from_utf8_lossy(&out.stdout).into_owned();
    let wanted = wanted(scenario, ports, places);
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for (table, key, value) in wanted {
        // A table that users name is `webhook.*` there.
        let pattern = |t: &str| match t.split_once('.') {
            Some((first, _)) => format!("`{first}.*.{key}`"),
            None => format!("`{t}.{key}`"),
        };
        if !known.contains(&pattern(&table)) {
            continue;
        }
        let line = format!("{key} = {value}");
        match tables.iter_mut().find(|(t, _)| *t == table) {
            Some((_, lines)) => lines.push(line),
            None => tables.push((table, vec![line])),
        }
    }
    Ok(tables.iter().map(|(table, lines)| format!("[{table}]\n{}\n", lines.join("\n"))).collect())
}

/// What is wanted: table, key, value.
fn wanted(scenario: &Scenario, ports: &Ports, places: &Places<'_>) -> Vec<(String, &'static str, String)> {
    let quoted = |text: &str| format!("{text:?}");
    let mut out = vec![
        ("watch".to_owned(), "look", quoted("1s")),
        // A play lasts a minute: what takes five seconds in life would be a tenth of it.
        ("watch".to_owned(), "sample", quoted("2s")),
        ("include".to_owned(), "cgroups", format!("[{:?}]", places.cgroups)),
        ("http".to_owned(), "listen", quoted(&format!("127.0.0.1:{}", ports.lastgasp))),
        ("log".to_owned(), "format", quoted("text")),
        // Every play is a first one.
        ("graph".to_owned(), "pause", quoted("5s")),
        ("webhook.lab".to_owned(), "url", quoted(&format!("http://127.0.0.1:{}/", places.hook))),
        ("webhook.lab".to_owned(), "settle", quoted("1s")),
    ];
    if scenario.feeds.webhook || scenario.feeds.admin {
        out.push(("changes".to_owned(), "token_file", quoted(&places.token_file.display().to_string())));
    }
    out
}
