//! Ten sites of `lab/source/advice`, each as it is and with the advised cure applied by hand: what was
//! predicted to be saved beside what was.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use lastgasp_lab::build::{cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};
use serde_json::Value;

use super::escapes;

/// What is measured, and with what.
#[derive(Args)]
pub(crate) struct Options {
    /// Go minors
    #[arg(long, value_delimiter = ',', default_value = "22,24,27")]
    go: Vec<u16>,
    /// The lastgasp to measure (default: built for release)
    #[arg(long)]
    lastgasp: Option<PathBuf>,
}

/// How far a prediction may be off.
const WITHIN: f64 = 0.15;

/// Plays all; prints and keeps the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let lastgasp = options.lastgasp.clone().map_or_else(lastgasp, Ok)?;
    let dir = repo_root().join("lab/source/advice");
    let mut out = machine(
        "cargo xtask bench-advice: each site is run as it is and with the advised cure applied by hand; predicted is what lastgasp escapes says of the run as it is, real the difference of the runtime's own counters",
    )?;
    let _ = writeln!(
        out,
        "{:<6} {:<10} {:<15} {:<16} {:>13} {:>13} {:>8}  what is counted",
        "go", "site", "reason", "advice", "predicted", "real", "off"
    );
    let (mut held, mut all) = (0, 0);
    for minor in &options.go {
        let toolchain = find_or_fetch(*minor, &cache_dir())?;
        let scratch = tempfile::tempdir()?;
        let program = scratch.path().join("advice");
        let built = toolchain.command().current_dir(&dir).args(["build", "-o"]).arg(&program).arg(".").output()?;
        if !built.status.success() {
            bail!("{}", String::from_utf8_lossy(&built.stderr));
        }
        let names = Command::new(&program).output()?;
        for name in String::from_utf8_lossy(&names.stdout).lines() {
            all += 1;
            held += usize::from(of_site(&lastgasp, &toolchain, &dir, &program, name, scratch.path(), &mut out)?);
        }
    }
    let _ = writeln!(out, "{held} of {all} within {:.0} %", WITHIN * 100.0);
    print!("{out}");
    std::fs::write(repo_root().join("benches/results/advice.txt"), &out)?;
    if held < all {
        bail!("{} predictions are further off than {:.0} %", all - held, WITHIN * 100.0);
    }
    Ok(())
}

fn of_site(
    lastgasp: &Path,
    toolchain: &Toolchain,
    dir: &Path,
    program: &Path,
    name: &str,
    scratch: &Path,
    out: &mut String,
) -> Result<bool> {
    let profile = scratch.join(format!("{name}.pb.gz"));
    let as_it_is = ran(Command::new(program).args(["-site", name, "-profile"]).arg(&profile))?;
    let cured = ran(Command::new(program).args(["-site", name, "-cured"]))?;
    if as_it_is["sum"] != cured["sum"] {
        bail!("{name}: the cured one reckons something else");
    }
    let answer = escapes(lastgasp, toolchain, dir, &["."], &profile)?;
    let file = format!("/{name}.go");
    let sites = answer["sites"].as_array().context("sites")?;
    let site = sites.iter().find(|s| s["path"].as_str().is_some_and(|p| p.ends_with(&file)));
    let site = site.with_context(|| format!("{name}: no site in {file}"))?;
    let (reason, advice) = (&site["reasons"][0]["code"], &site["advice"]);
    // Where the bytes move into the array objects alone are saved.
    let counted = if advice["code"] == "slice-of-values" { "objects" } else { "bytes" };
    let predicted = advice["saves"][counted].as_f64();
    let number = |v: &Value| v[counted].as_f64().unwrap_or(0.0);
    let real = number(&as_it_is) - number(&cured);
    let off = predicted.map(|p| (p - real) / real);
    let _ = writeln!(
        out,
        "{:<6} {name:<10} {:<15} {:<16} {:>13} {real:>13.0} {:>8}  {counted}",
        format!("1.{}", toolchain.version.split('.').nth(1).unwrap_or("?")),
        reason.as_str().unwrap_or("none"),
        advice["code"].as_str().unwrap_or("none"),
        predicted.map_or_else(|| "none".to_owned(), |p| format!("{p:.0}")),
        off.map_or_else(|| "-".to_owned(), |o| format!("{:+.1} %", o * 100.0)),
    );
    Ok(off.is_some_and(|o| o.abs() <= WITHIN))
}

fn ran(command: &mut Command) -> Result<Value> {
    let out = command.output()?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(serde_json::from_slice(&out.stdout)?)
}
