//! HTTP, as the clients that put load on a program speak it.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// Longest answer that is read.
const MOST: u64 = 256 << 20;

/// HTTP, as a client of ours speaks it.
#[derive(Clone, Debug)]
pub(super) struct Web(ureq::Agent);

impl Web {
    pub(super) fn new() -> Self {
        Self(ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into())
    }

    pub(super) fn get(&self, url: &str) -> Result<Vec<u8>> {
        let mut answer = self.0.get(url).call().with_context(|| url.to_owned())?;
        Ok(answer.body_mut().with_config().limit(MOST).read_to_vec()?)
    }

    pub(super) fn post(&self, url: &str, body: &str) -> Result<Vec<u8>> {
        let mut answer = self.0.post(url).send(body).with_context(|| url.to_owned())?;
        Ok(answer.body_mut().with_config().limit(MOST).read_to_vec()?)
    }
}
