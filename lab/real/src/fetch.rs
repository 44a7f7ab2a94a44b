//! From the table to binaries, through the Go module proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::program::Program;
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};

/// A program that was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The executable.
    pub binary: PathBuf,
    /// What built it.
    pub toolchain: Toolchain,
}

/// Downloads and builds `program`, unless the cache has it: minutes the first time, nothing the second. One
/// package is compiled at a time, at low priority: these are large, and the machine may be shared.
///
/// # Errors
/// What Go said.
pub fn build(program: &Program, mode: Mode) -> Result<Built> {
    let toolchain = find_or_fetch(program.go, &cache_dir())?;
    let folder = cache_dir().join("real").join(format!("{}-{}", program.name, program.version));
    let binary = folder.join(mode.name()).join(program.name);
    if !binary.exists() || !built_by(&toolchain, &binary)? {
        let module = require(program, &toolchain, &folder)?;
        // Under its name only once it is whole.
        let unfinished = binary.with_extension("unfinished");
        let mut go = nice(&toolchain);
        go.current_dir(&module).args(["build", "-p", "1"]).args(mode.args()).arg("-o").arg(&unfinished);
        run(go.arg(program.package)).with_context(|| format!("building {} {}", program.name, program.version))?;
        fs::rename(&unfinished, &binary)?;
    }
    Ok(Built { binary, toolchain })
}

/// An empty module that requires the program's.
fn require(program: &Program, toolchain: &Toolchain, folder: &Path) -> Result<PathBuf> {
    let module = folder.join("module");
    fs::create_dir_all(&module)?;
    if module.join("go.sum").exists() {
        return Ok(module);
    }
    let go = program.go.min(24);
    fs::write(module.join("go.mod"), format!("module lastgasp.invalid/real\n\ngo 1.{go}\n"))?;
    let wanted = format!("{}@{}", program.package, program.version);
    run(nice(toolchain).current_dir(&module).args(["get", &wanted])).with_context(|| format!("fetching {wanted}"))?;
    Ok(module)
}

fn built_by(toolchain: &Toolchain, binary: &Path) -> Result<bool> {
    let out = toolchain.command().arg("version").arg(binary).output()?;
    Ok(String::from_utf8_lossy(&out.stdout).trim().ends_with(&format!(": {}", toolchain.version)))
}

/// The toolchain's `go` at low priority.
fn nice(toolchain: &Toolchain) -> Command {
    let plain = toolchain.command();
    let mut go = Command::new("nice");
    go.arg(plain.get_program()).env("CGO_ENABLED", "0");
    for (key, value) in plain.get_envs() {
        match value {
            Some(value) => go.env(key, value),
            None => go.env_remove(key),
        };
    }
    go
}

fn run(command: &mut Command) -> Result<()> {
    let out = command.output()?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}
