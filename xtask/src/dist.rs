//! `cargo xtask dist`: the static binary (musl), stripped, with the systemd unit beside it, as one folder and
//! one archive.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use lastgasp_lab::build::repo_root;
use lastgasp_lab::machine::cargo;

const TARGET: &str = "x86_64-unknown-linux-musl";

/// Builds it, and shows that it is static and runs.
pub(crate) fn run() -> Result<()> {
    // Rust's library for the target; ring, which does TLS for webhooks, compiles some C.
    let have = Command::new("rustup").args(["target", "add", TARGET]).current_dir(repo_root()).status();
    if !have.is_ok_and(|s| s.success()) {
        eprintln!("rustup could not add {TARGET}; going on in case it is there");
    }
    ensure!(
        Command::new("musl-gcc").arg("--version").output().is_ok(),
        "musl-gcc is missing: apt-get install musl-tools"
    );
    let status = cargo()
        .args(["build", "--release", "--locked", "-p", "lastgasp-cli", "--target", TARGET])
        .args(["--config", "profile.release.strip=true"])
        .status()
        .context("cargo")?;
    if !status.success() {
        bail!("cargo build: {status}");
    }
    let built = target_dir().join(TARGET).join("release/lastgasp");
    let file = std::fs::read(&built).with_context(|| built.display().to_string())?;
    ensure!(!has_interpreter(&file)?, "{} wants a dynamic loader: not static", built.display());
    let version = Command::new(&built).arg("--version").output()?;
    let version = String::from_utf8(version.stdout)?.trim().replace(' ', "-");
    ensure!(!version.is_empty(), "it does not run");

    let name = format!("{version}-linux-amd64");
    let folder = target_dir().join("dist").join(&name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(&built, folder.join("lastgasp"))?;
    for file in ["deploy/systemd/lastgasp.service", "deploy/systemd/lastgasp.toml", "README.md", "LICENSE"] {
        let from = repo_root().join(file);
        std::fs::copy(&from, folder.join(from.file_name().unwrap_or_default())).with_context(|| file.to_owned())?;
    }
    let archive = target_dir().join("dist").join(format!("{name}.tar.gz"));
    // Owner and times are left out: the same commit gives the same archive.
    let tar = Command::new("tar")
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf"])
        .arg(&archive)
        .arg("-C")
        .arg(target_dir().join("dist"))
        .arg(&name)
        .status()?;
    ensure!(tar.success(), "tar: {tar}");
    println!("static {} ({:.1} MB)", folder.join("lastgasp").display(), file.len() as f64 / 1e6);
    println!("{}", archive.display());
    Ok(())
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repo_root().join("target"), PathBuf::from)
}

/// Whether a 64-bit little-endian ELF file has a program header `PT_INTERP`: what static ones lack.
fn has_interpreter(file: &[u8]) -> Result<bool> {
    const PT_INTERP: u32 = 3;
    ensure!(file.starts_with(b"\x7fELF\x02\x01"), "no ELF file of 64 bits, little endian");
    let short = || anyhow!("an ELF file that ends early");
    let bytes = |at: usize, len: usize| file.get(at..at.checked_add(len)?);
    let half = |at: usize| bytes(at, 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes).ok_or_else(short);
    let word = |at: usize| bytes(at, 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(short);
    let long = |at: usize| bytes(at, 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes).ok_or_else(short);
    // e_phoff, e_phentsize, e_phnum; p_type is the first word of a header.
    let (table, size, count) = (usize::try_from(long(0x20)?)?, usize::from(half(0x36)?), usize::from(half(0x38)?));
    for i in 0..count {
        if word(table.saturating_add(i * size))? == PT_INTERP {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_program_is_told_from_one_that_wants_a_loader() {
        let elf = |p_type: u8| {
            let mut file = b"\x7fELF\x02\x01".to_vec();
            file.resize(0x40, 0);
            (file[0x20], file[0x36], file[0x38]) = (0x40, 0x38, 2);
            file.resize(0x40 + 2 * 0x38, 0);
            file[0x40 + 0x38] = p_type;
            file
        };
        assert!(has_interpreter(&elf(3)).unwrap());
        assert!(!has_interpreter(&elf(1)).unwrap());
        assert!(has_interpreter(&elf(3)[..0x50]).is_err());
        assert!(has_interpreter(b"#!/bin/sh").is_err());
    }
}
