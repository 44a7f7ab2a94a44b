//! The log: to standard error for people or as JSON, or to journald with its fields.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use lastgasp_report::printable;
use nix::sys::stat::fstat;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{Config, LogFormat};

/// Changes the level while the daemon runs.
#[derive(Clone, Debug)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// Another level; one that cannot be read is left alone, the configuration has been checked.
    pub(crate) fn set(&self, level: &str) {
        if let Ok(filter) = EnvFilter::try_new(level) {
            let _ = self.0.reload(filter);
        }
    }
}

/// Starts the log of a command that ends by itself: warnings, unless `LASTGASP_LOG` says more.
pub fn start() {
    let filter = EnvFilter::try_from_env("LASTGASP_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::registry().with(filter).with(text().without_time()).init();
}

/// Starts the daemon's log.
///
/// # Errors
/// journald was asked for by name and is not there.
pub fn start_daemon(config: &Config) -> Result<Level> {
    let log = &config.log;
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&log.level).context("log.level")?);
    let journald = match log.format {
        LogFormat::Journald => Some(
            tracing_journald::layer()
                .context("log.format = \"journald\": it does not answer (write \"text\" or \"json\")")?,
        ),
        // Where standard error is journald's, its own protocol has levels and fields too.
        LogFormat::Auto if is_journald() => tracing_journald::layer().ok(),
        _ => None,
    };
    let layer: Box<dyn Layer<_> + Send + Sync> = match (journald, log.format) {
        (Some(journald), _) => Box::new(journald.with_field_prefix(Some("LASTGASP".into()))),
        (None, LogFormat::Json) => {
            Box::new(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
        }
        (None, _) => Box::new(text()),
    };
    tracing_subscriber::registry().with(filter).with(layer).init();
    Ok(Level(handle))
}

fn text<S>() -> tracing_subscriber::fmt::Layer<
    S,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    fn() -> OneLine<std::io::Stderr>,
> {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let writer: fn() -> OneLine<std::io::Stderr> = if colour {
        || OneLine { to: std::io::stderr(), coloured: true }
    } else {
        || OneLine { to: std::io::stderr(), coloured: false }
    };
    tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour)
}

/// Writes an event on one line, as it is read: what names of a target hold of line breaks, of what a terminal
/// would obey and of marks that turn text around is escaped. It begins no line that would look like an event,
/// and makes none look like another.
struct OneLine<W> {
    to: W,
    /// Whether the colours in it are ours.
    coloured: bool,
}

impl<W: Write> Write for OneLine<W> {
    /// An event comes in one piece, with the line break that ends it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (line, end) = match event.split_last() {
            Some((b'\n', line)) => (line, "\n"),
            _ => (event, ""),
        };
        let line = String::from_utf8_lossy(line);
        let line = if self.coloured { but_for_colours(&line) } else { printable(&line) };
        self.to.write_all(format!("{line}{end}").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// As [`printable`], with colours (`ESC [ 1 ; 31 m`) left as they are: they can do nothing but colour.
fn but_for_colours(line: &str) -> Cow<'_, str> {
    let mut parts = line.split("\x1b[");
    let mut out = printable(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(part.len());
        match part.get(end..).and_then(|rest| rest.strip_prefix('m')) {
            Some(rest) => {
                let colour = part.get(..end).unwrap_or_default();
                out.push_str(&format!("\x1b[{colour}m{}", printable(rest)));
            }
            None => out.push_str(&printable(&format!("\x1b[{part}"))),
        }
    }
    out.into()
}

/// Whether standard error is the stream that systemd made of it (`JOURNAL_STREAM`, systemd.exec(5)): not so
/// if somebody has redirected it.
fn is_journald() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned().map(File::from) else { return false };
    fstat(&stderr).is_ok_and(|s| stream == format!("{}:{}", s.st_dev, s.st_ino))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// In a message, in a field, and in a field that is written as it is.
    #[test]
    fn a_line_break_in_a_name_forges_no_line() {
        let kept = Kept::default();
        let to = kept.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || OneLine { to: to.clone(), coloured: false });
        let forged = "svc\n2026-11-26T00:00:00Z  INFO pid=1 killed\r\n";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(service = forged, path = %forged, "not watched: {forged}");
            tracing::warn!("another");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("not watched: svc\\u{a}2026") && text.ends_with("another\n"), "{text}");
    }

    /// A line that a terminal would show in the place of another, or in another order.
    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for coloured in [false, true] {
            let kept = Kept::default();
            let to = kept.clone();
            let writer = move || OneLine { to: to.clone(), coloured };
            let layer = tracing_subscriber::fmt::layer().with_ansi(coloured).with_writer(writer);
            let forged = "svc\x1b[1A\x1b[2K\u{9b}2J\u{202e}dellik\u{2028}";
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                tracing::warn!(service = forged, path = %forged, "not watched: {forged}");
            });
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let line = text.strip_suffix('\n').unwrap();
            assert_eq!(printable(&line.replace("\x1b[", "")), line.replace("\x1b[", ""), "{line:?}");
            assert!(!line.contains("\x1b[1A") && !line.contains("\x1b[2K") && line.contains("\\u{202e}"), "{line:?}");
            assert_eq!(line.contains("\x1b["), coloured, "{line:?}");
        }
        assert_eq!(
            but_for_colours("\x1b[33m WARN\x1b[0m a\x1b[2Jb\x1b[1;"),
            "\x1b[33m WARN\x1b[0m a\\u{1b}[2Jb\\u{1b}[1;"
        );
    }
}
