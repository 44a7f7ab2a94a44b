//! `cargo xtask bench-escapes`: how much of what programs allocate gets a reason, and whether sites are
//! ranked as `go tool pprof` ranks them. `cargo xtask bench-advice`: what is advised, and what that really
//! saves.
//!
//! - `coverage`: the lab's service and programs of others, by Go version. `ranking`: beside pprof.
//! - `advice`: sites of the lab, as they are and cured.

mod advice;
mod coverage;
mod ranking;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use lastgasp_lab::toolchain::Toolchain;

pub(crate) use advice::{Options as AdviceOptions, run as run_advice};
pub(crate) use coverage::{Options as CoverageOptions, run as run_coverage};

/// `lastgasp escapes`, of packages in a folder, with a toolchain.
fn escapes(lastgasp: &Path, toolchain: &Toolchain, dir: &Path, packages: &[&str], with: &Path) -> Result<Value> {
    // Others go first, and one package at a time: the machine may be shared.
    let out = Command::new("nice")
        .args(["-n", "15"])
        .arg(lastgasp)
        .arg("escapes")
        .args(packages)
        .arg("--with")
        .arg(with)
        .arg("--go")
        .arg(&toolchain.go)
        .args(["--format", "json"])
        .current_dir(dir)
        .env("GOTOOLCHAIN", &toolchain.gotoolchain)
        .env("GOFLAGS", "-mod=mod -p=1")
        .env("GOWORK", "off")
        .output()
        .with_context(|| lastgasp.display().to_string())?;
    if !matches!(out.status.code(), Some(0 | 3)) {
        bail!("lastgasp escapes: {}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim());
    }
    serde_json::from_slice(&out.stdout).context("the answer of lastgasp escapes")
}
