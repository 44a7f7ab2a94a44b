//! The configuration file, with the flags over it, checked.

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

fn read(path: &Path) -> Result<String> {
    let cure = || format!("{}: the configuration cannot be read (--config names another)", path.display());
    let file = std::fs::metadata(path).with_context(cure)?;
    // A device or a FIFO would be waited for without end.
    if !file.is_file() || file.len() > MAX_FILE_BYTES {
        bail!("{}: not a configuration: it is no plain file of less than {} bytes", path.display(), MAX_FILE_BYTES);
    }
    std::fs::read_to_string(path).with_context(cure)
}

pub(super) fn parse(text: &str, name: &str) -> Result<(Config, Origins)> {
    // The parser's own message has the line, the column and the keys that there are.
    let config = toml::from_str(text).map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
    Ok((config, Origins::of_file(text, name)))
}
