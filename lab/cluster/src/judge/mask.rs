//! The same store as if a feed had never been connected: captures as they are, of the events' lines those of
//! the feed left out. A line has its own checksum, so that whole lines can go.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mask {
    /// Nothing: as it was played.
    #[default]
    Nothing,
    /// Watchers of configuration servers.
    Etcd,
    /// All that others tell: pipelines, platforms, scripts.
    Webhook,
    /// Metrics of balancers and callers.
    Metrics,
    /// All of these.
    All,
}

impl Mask {
    /// All but nothing.
    pub const MASKS: [Self; 4] = [Self::Etcd, Self::Webhook, Self::Metrics, Self::All];

    /// A word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Etcd => "etcd",
            Self::Webhook => "webhook",
            Self::Metrics => "metrics",
            Self::All => "all",
        }
    }

    /// Whether a line of a file of events is taken away.
    fn takes(self, stream: &str, line: &str) -> bool {
        if self == Self::Nothing {
            return false;
        }
        let value: Value = serde_json::from_str(line).unwrap_or(Value::Null);
        let source = value["e"]["source"].as_str().or(value["source"].as_str()).unwrap_or_default();
        let is = |starts: &[&str]| starts.iter().any(|s| source.starts_with(s));
        let watched = is(&["etcd", "nacos", "apollo", "consul"]);
        let told = is(&["webhook", "event", "plain", "kubernetes", "argocd"]);
        let measured = stream == "metrics" || is(&["prometheus", "scrape"]);
        match self {
            Self::Nothing => false,
            Self::Etcd => watched,
            Self::Webhook => told,
            Self::Metrics => measured,
            Self::All => watched || told || measured,
        }
    }
}

/// Most files of a store that are looked at.
const MOST: usize = 20_000;

/// Makes a store in `to`, which is empty or not there, of one in `from`. Files of captures are the same ones.
///
/// # Errors
/// The system's.
pub fn masked(from: &Path, to: &Path, mask: Mask) -> Result<()> {
    let mut todo = vec![(from.to_owned(), to.to_owned(), String::new())];
    let mut seen = 0;
    while let Some((source, target, inside)) = todo.pop() {
        fs::create_dir_all(&target).with_context(|| target.display().to_string())?;
        for entry in fs::read_dir(&source).with_context(|| source.display().to_string())?.flatten() {
            seen += 1;
            anyhow::ensure!(seen <= MOST, "{}: more than {MOST} files", from.display());
            let name = entry.file_name();
            let (path, into) = (entry.path(), target.join(&name));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let inside = if inside.is_empty() { name.to_string_lossy().into_owned() } else { inside.clone() };
                todo.push((path, into, inside));
            } else if kind.is_file() && inside == "events" {
                let stream = path.strip_prefix(from).map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
                let stream = if stream.contains("metrics") { "metrics" } else { "" };
                filtered(&path, &into, stream, mask)?;
            } else if kind.is_file() && fs::hard_link(&path, &into).is_err() {
                fs::copy(&path, &into)?;
            }
        }
    }
    Ok(())
}

fn filtered(from: &Path, to: &Path, stream: &str, mask: Mask) -> Result<()> {
    let mut reader = BufReader::new(fs::File::open(from)?);
    let mut out = fs::File::create(to)?;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if !mask.takes(stream, &String::from_utf8_lossy(&line)) {
            out.write_all(&line)?;
        }
        line.clear();
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_feed_go_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir_all(from.join("events")).unwrap();
        fs::create_dir_all(from.join("capture-1")).unwrap();
        fs::write(from.join("capture-1/manifest.json"), "{}").unwrap();
        let lines = "{\"crc\":\"0\",\"e\":{\"source\":\"etcd\"}}\n{\"crc\":\"0\",\"e\":{\"source\":\"webhook:lab\"}}\n{\"crc\":\"0\",\"e\":{\"source\":\"watch\"}}\nnot json\n";
        fs::write(from.join("events/changes-1.jsonl"), lines).unwrap();
        fs::write(from.join("events/metrics-1.jsonl"), "{\"crc\":\"0\",\"e\":{\"source\":\"x\"}}\n").unwrap();
        for (mask, left) in [(Mask::Nothing, 4), (Mask::Etcd, 3), (Mask::Webhook, 3), (Mask::All, 2)] {
            let to = to.join(mask.name());
            masked(&from, &to, mask).unwrap();
            assert_eq!(
                fs::read_to_string(to.join("events/changes-1.jsonl")).unwrap().lines().count(),
                left,
                "{mask:?}"
            );
            assert!(to.join("capture-1/manifest.json").exists());
            let metrics = fs::read_to_string(to.join("events/metrics-1.jsonl")).unwrap();
            assert_eq!(metrics.is_empty(), mask == Mask::All, "{mask:?}");
        }
    }
}
