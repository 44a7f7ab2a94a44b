//! `lastgasp event`: tell of a change, and list those that are known.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use lastgasp_agent::event_add;
use lastgasp_incident::evidence::{Change, Evidence, Query};
use lastgasp_report::printable;
use lastgasp_store::events::read;
use serde_json::{Value, json};

use crate::args::{EventCommand, NewEvent};
use crate::exit::Exit;
use crate::output::{complain, say};

pub(super) fn event(command: EventCommand) -> Result<Exit> {
    match command {
        EventCommand::Add { event, to, token_file, store } => {
            let change = document(&event)?;
            match store {
                Some(store) => {
                    let added = event_add::add(&store, &change)?;
                    say(if added.new == 1 { "noted\n" } else { "known already, by its id\n" });
                }
                None => say(&format!("{}\n", event_add::tell(&to, token_file.as_deref(), &change)?)),
            }
            Ok(Exit::Fine)
        }
        EventCommand::List { store, since, json } => list(&store, since, json),
    }
}

/// A change in the plain form.
fn document(event: &NewEvent) -> Result<Value> {
    let unique = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut change = json!({
        "id": event.id.clone().unwrap_or_else(|| format!("{unique}-{}", std::process::id())),
        "kind": event.kind,
        "key": event.key,
        "services": event.service,
        "instances": event.instance,
        "data_centres": event.data_centre,
        "nodes": event.node,
        "source": event.source.as_deref().unwrap_or(event_add::SOURCE),
    });
    let optional = [
        ("at", event.at.clone().map(Value::from)),
        ("count", event.count.map(Value::from)),
        ("count_before", event.count_before.map(Value::from)),
        ("size", event.size.map(Value::from)),
        ("to", event.revision.clone().map(Value::from)),
        ("from", event.from.clone().map(Value::from)),
        ("by", event.by.clone().map(Value::from)),
        ("title", event.title.clone().map(Value::from)),
    ];
    if let Some(at) = &event.at
        && at.parse::<f64>().is_err()
        && !at.contains('-')
    {
        bail!("--at {at}: write 2026-11-26T18:00:00Z, or seconds or milliseconds since 1970");
    }
    for (name, value) in optional {
        if let (Some(fields), Some(value)) = (change.as_object_mut(), value) {
            fields.insert(name.into(), value);
        }
    }
    Ok(change)
}

fn list(store: &Path, since: Option<Duration>, as_json: bool) -> Result<Exit> {
    event_add::folder(store)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ms = |t: Duration| i64::try_from(t.as_millis()).unwrap_or(i64::MAX);
    let since_unix_ms = since.map(|since| ms(now).saturating_sub(ms(since)));
    let mut evidence = Evidence::default();
    read(store, &Query { service: None, since_unix_ms, now_unix_ms: i64::MAX }, &mut evidence);
    evidence.changes.sort_by(|a, b| (a.at_unix_ms, &a.source, &a.id).cmp(&(b.at_unix_ms, &b.source, &b.id)));
    let mut out = String::new();
    if as_json {
        for change in &evidence.changes {
            let _ = writeln!(out, "{}", serde_json::to_string(change)?);
        }
    } else {
        evidence.changes.iter().for_each(|c| out += &line(c));
        if evidence.changes.is_empty() {
            out += "no changes are known of this time\n";
        }
        for feed in &evidence.feeds {
            let state = if feed.connected { "connected" } else { "not connected" };
            let _ = writeln!(
                out,
                "feed {}: {state}, {} holes  {}",
                printable(&feed.source),
                feed.holes.len(),
                printable(&feed.detail)
            );
        }
    }
    say(&out);
    for gap in &evidence.gaps {
        complain(&format!("lastgasp: {gap}"));
    }
    Ok(Exit::Fine)
}

fn line(c: &Change) -> String {
    let at = lastgasp_agent::event_add::time_of(c.at_unix_ms);
    let mut words = vec![format!("{at}  {:<11} {}", printable(c.kind.name()), printable(&c.key))];
    match (c.elements_before, c.elements) {
        (Some(before), Some(now)) => words.push(format!("{before} -> {now} elements")),
        (None, Some(now)) => words.push(format!("{now} elements")),
        _ => {}
    }
    words.extend(c.size_bytes.map(|n| format!("{n} bytes")));
    let revisions = [&c.from, &c.to].map(|r| printable(r));
    match revisions {
        [from, to] if !from.is_empty() && !to.is_empty() => words.push(format!("{from} -> {to}")),
        [_, to] if !to.is_empty() => words.push(format!("to {to}")),
        _ => {}
    }
    if !c.scope.services.is_empty() {
        words.push(format!("of {}", printable(&c.scope.services.join(", "))));
    }
    let by = if c.by.is_empty() { String::new() } else { format!(" by {}", printable(&c.by)) };
    words.push(format!("[{}{by}]", printable(&c.source)));
    if !c.title.is_empty() {
        words.push(printable(&c.title).into_owned());
    }
    words.join("  ") + "\n"
}
