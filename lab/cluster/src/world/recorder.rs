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
        // A table that users name is `webhook.*` there, and one below it `metrics.*.roles`.
        let pattern = |t: &str| {
            let mut parts: Vec<&str> = t.split('.').collect();
            if let Some(named) = parts.get_mut(1) {
                *named = "*";
            }
            format!("`{}.{key}`", parts.join("."))
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
    let service = &scenario.service.name;
    let centres: Vec<String> = scenario.service.data_centres.iter().map(|c| format!("*-{c}-*={c}")).collect();
    out.push(("node".into(), "name", quoted("node-1")));
    out.push(("node".into(), "data_centre", format!("{centres:?}")));
    if scenario.feeds.webhook || scenario.feeds.admin {
        out.push(("changes".to_owned(), "token_file", quoted(&places.token_file.display().to_string())));
    }
    if scenario.feeds.etcd {
        let feed = || "feed.etcd".to_owned();
        out.push((feed(), "type", quoted("etcd")));
        out.push((feed(), "url", quoted(&format!("http://127.0.0.1:{}", ports.etcd))));
        out.push((feed(), "keys", format!("[{:?}]", super::prefix(service))));
        out.push((feed(), "services", format!("[{service:?}]")));
    }
    if scenario.feeds.prometheus {
        metrics(scenario, ports, &mut out);
    }
    out
}

/// What is read of Prometheus: what the balancer counts of the service, what each caller counts apart, and
/// how the service behind answers.
fn metrics(scenario: &Scenario, ports: &Ports, out: &mut Vec<(String, &'static str, String)>) {
    let service = &scenario.service.name;
    let mut source = |name: &str, lines: &[(&'static str, String)], roles: &[(&'static str, String)]| {
        // A point would begin a table below.
        let table = format!("metrics.{}", name.replace('.', "-"));
        let prometheus = format!("http://127.0.0.1:{}", ports.prometheus);
        for (key, value) in [("type", "prometheus"), ("url", prometheus.as_str()), ("every", "2s")] {
            out.push((table.clone(), key, format!("{value:?}")));
        }
        out.extend(lines.iter().map(|(key, value)| (table.clone(), *key, value.clone())));
        out.extend(roles.iter().map(|(key, value)| (format!("{table}.roles"), *key, format!("{value:?}"))));
    };
    let of = |name: &str, labels: &str| format!("sum(rate(haproxy_backend_{name}{{proxy={service:?}{labels}}}[5s]))");
    // Without the preset: its rates are those of a minute, and a play has hardly more than half of one; and
    // what a balancer is asked first is what callers may have asked before: only they count first attempts.
    let (requests, again) = (of("http_requests_total", ""), of("retry_warnings_total", ""));
    let roles = [
        ("attempts", format!("{requests} + ({again} or vector(0))")),
        ("retries", again),
        ("errors", of("http_responses_total", ",code=\"5xx\"")),
        ("healthy", format!("sum(haproxy_server_status{{proxy={service:?},state=\"UP\"}})")),
    ];
    source("balancer", &[("service", format!("{service:?}"))], &roles);
    for caller in scenario.caller.keys() {
        let rate = |name: &str| format!("sum(rate({name}{{caller={caller:?}}}[5s]))");
        let roles = [
            ("attempts", rate("caller_attempts_total")),
            ("first_attempts", rate("caller_first_attempts_total")),
            ("retries", rate("caller_retries_total")),
            ("errors", rate("caller_errors_total")),
            ("timeouts", rate("caller_timeouts_total")),
            ("in_flight", format!("sum(caller_in_flight{{caller={caller:?}}})")),
        ];
        source(caller, &[("service", format!("{service:?}")), ("caller", format!("{caller:?}"))], &roles);
    }
    let behind = &scenario.dependency.name;
    let of = |name: &str| format!("rate({name}{{dependency={behind:?}}}[5s])");
    let roles = [
        ("attempts", format!("sum({})", of("dependency_requests_total"))),
        ("errors", format!("sum(rate(dependency_requests_total{{dependency={behind:?},code=\"500\"}}[5s]))")),
        ("in_flight", format!("sum(dependency_in_flight{{dependency={behind:?}}})")),
        (
            "latency",
            format!(
                "sum({}) / sum({})",
                of("dependency_duration_seconds_sum"),
                of("dependency_duration_seconds_count")
            ),
        ),
    ];
    source(behind, &[("service", format!("{behind:?}")), ("dependency", "true".to_owned())], &roles);
}
