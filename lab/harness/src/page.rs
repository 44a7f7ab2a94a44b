//! What a daemon says of itself: its pages, and the fields of its log (`log.format = "json"`).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// Configuration (TOML) of a daemon whose log is read by [`Log`].
pub const LOG_FORMAT: &str = "[log]\nformat = \"json\"\n";

/// Body of a page that was answered with 200; `None` else.
pub fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
}

/// The log of a daemon, in a file. What is said by which `event` stands in docs/debugging.md.
#[derive(Clone, Debug)]
pub struct Log(PathBuf);

impl Log {
    /// The log in that file.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        Self(file.to_owned())
    }

    /// All of it, for people.
    #[must_use]
    pub fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    /// All lines that are whole and objects.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect()
    }

    /// Lines with that `event`.
    #[must_use]
    pub fn events(&self, event: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// Whether such an event was said of that process.
    #[must_use]
    pub fn has(&self, event: &str, pid: i32) -> bool {
        self.events(event).iter().any(|line| line["pid"] == pid)
    }

    /// Whether the daemon answers that it is healthy: it watches.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.page("/healthz").is_some()
    }

    /// A page of the daemon, once it has said where it serves them.
    #[must_use]
    pub fn page(&self, path: &str) -> Option<String> {
        get(self.events("serving").last()?["address"].as_str()?, path)
    }

    /// What it knows (docs/formats/status-json.md).
    #[must_use]
    pub fn status(&self) -> Option<Value> {
        serde_json::from_str(&self.page("/status")?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_what_else_is_in_the_file_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "lastgasp: something was left\n{\"event\":\"watched\",\"pid\":41,\"message\":\"watched\"}\n7\n\
                    {\"event\":\"notice\",\"pid\":42}\n{\"event\":\"watched\",\"pi";
        fs::write(file.path(), text).unwrap();
        let log = Log::new(file.path());
        assert_eq!((log.lines().len(), log.events("watched").len()), (2, 1));
        assert!(log.has("watched", 41) && !log.has("watched", 42) && log.has("notice", 42));
        assert!(log.page("/healthz").is_none(), "it has not said where");
    }
}
