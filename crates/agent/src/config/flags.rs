//! Flags of the daemon, which go over its configuration file.

use std::path::PathBuf;

use clap::Args;

use super::origin::Origins;
use super::units::{Bytes, size};
use super::{Config, WatchMode};

/// What goes over the daemon's configuration file.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct WatchFlags {
    /// Configuration file (default: /etc/lastgasp/lastgasp.toml if it is there); read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where captures go (store.path)
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// What may be done to a process (watch.mode)
    #[arg(long, value_enum)]
    pub(crate) mode: Option<WatchMode>,
    /// Most bytes that captures may take; the most redundant and the oldest go first (store.max_bytes)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_bytes: Option<u64>,
    /// Whom to watch, by the name of the executable, with * and ? (include.services)
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Vec<String>,
    /// Address of /metrics, /healthz and /status, unix:PATH, or "off" (http.listen)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

impl WatchFlags {
    /// Puts what was given over `config`.
    pub(crate) fn put_over(&self, config: &mut Config, origins: &mut Origins) {
        if let Some(store) = &self.store {
            config.store.path.clone_from(store);
            origins.set("store.path", "--store");
        }
        if let Some(mode) = self.mode {
            config.watch.mode = mode;
            origins.set("watch.mode", "--mode");
        }
        if let Some(bytes) = self.max_bytes {
            config.store.max_bytes = Bytes(bytes);
            origins.set("store.max_bytes", "--max-bytes");
        }
        if !self.service.is_empty() {
            config.include.services.clone_from(&self.service);
            origins.set("include.services", "--service");
        }
        if let Some(listen) = &self.listen {
            config.http.listen.clone_from(listen);
            origins.set("http.listen", "--listen");
        }
    }
}
