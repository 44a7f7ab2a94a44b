//! The configuration file, with the flags over it, checked.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::Config;
use super::flags::WatchFlags;
use super::origin::Origins;

/// Where the file is looked for if none is named.
const USUAL: &str = "/etc/lastgasp/lastgasp.toml";
/// No configuration is longer.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A configuration with where its values came from.
#[derive(Debug)]
pub struct Loaded {
    /// Values of all keys.
    pub config: Config,
    pub(crate) origins: Origins,
}

/// Reads the file (the usual one if none is named and it is there), puts the flags over it, and checks
/// everything.
///
/// # Errors
/// A file that cannot be read, is not TOML, has unknown keys or values out of range: with the place and the
/// cure.
pub fn load(flags: &WatchFlags) -> Result<Loaded> {
    let usual = Path::new(USUAL);
    let file = flags.config.as_deref().or_else(|| usual.exists().then_some(usual));
    let (mut config, mut origins) = match file {
        Some(path) => {
            let text = read(path)?;
            parse(&text, &path.display().to_string())?
        }
        None => (Config::default(), Origins::default()),
    };
    flags.put_over(&mut config, &mut origins);
    if let Ok(level) = std::env::var("LASTGASP_LOG") {
        config.log.level = level;
        origins.set("log.level", "LASTGASP_LOG");
    }
    config.check(&origins)?;
    Ok(Loaded { config, origins })
}

pub(super) fn read(path: &Path) -> Result<String> {
    let cure = || format!("{}: the configuration cannot be read (--config names another)", path.display());
    let text = read_plain(path, MAX_FILE_BYTES).with_context(cure)?;
    if let Some(who) = others_write(&std::fs::metadata(path).with_context(cure)?) {
        bail!(
            "{}: the configuration can be written by {who}: what it says may be theirs (chmod go-w, chown)",
            path.display()
        );
    }
    Ok(text)
}

/// A plain file's text, at most so many bytes. A device or a FIFO would be waited for without end: it is
/// looked at before it is opened, and what was opened is looked at again.
pub(super) fn read_plain(path: &Path, most: u64) -> io::Result<String> {
    let other = || io::Error::other(format!("it is no plain file of less than {most} bytes"));
    let is_plain = |meta: &Metadata| meta.is_file() && meta.len() <= most;
    if !is_plain(&std::fs::metadata(path)?) {
        return Err(other());
    }
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY).open(path)?;
    if !is_plain(&file.metadata()?) {
        return Err(other());
    }
    let mut text = String::new();
    file.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most { Err(other()) } else { Ok(text) }
}

/// Who beside this user and root may write a file or a folder, in words; of a group that is root's nobody
/// else is meant.
pub(crate) fn others_write(meta: &Metadata) -> Option<&'static str> {
    let own = nix::unistd::geteuid().as_raw();
    if ![0, own].contains(&meta.uid()) {
        return Some("another user, who owns it");
    }
    if meta.mode() & 0o002 != 0 {
        return Some("everybody");
    }
    (own == 0 && meta.mode() & 0o020 != 0 && meta.gid() != 0).then_some("its group")
}

pub(super) fn parse(text: &str, name: &str) -> Result<(Config, Origins)> {
    // The parser's own message has the line, the column and the keys that there are.
    let config = toml::from_str(text).map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
    Ok((config, Origins::of_file(text, name)))
}
