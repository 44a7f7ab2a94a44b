//! `cargo xtask goldens`: what is expected of the recorded captures, written anew.

use anyhow::{Result, bail};
use lastgasp_lab::machine::cargo;

/// Runs the goldens' tests so that they write instead of comparing.
pub(crate) fn run() -> Result<()> {
    let status =
        cargo().args(["test", "-p", "lastgasp-cli", "--test", "goldens"]).env("UPDATE_GOLDENS", "1").status()?;
    if !status.success() {
        bail!("cargo test --test goldens: {status}");
    }
    println!("See what changed: git diff --stat crates/cli/tests/goldens");
    Ok(())
}
