//! `cargo xtask dist`: the static binary (musl), stripped, with the systemd unit beside it, as one folder and one archive.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use lastgasp_lab::build::repo_root;
use object::LittleEndian;
use object::elf::PT_INTERP;
use object::read::elf::{ElfFile64, ProgramHeader as _};

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
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", "lastgasp-cli", "--target", TARGET])
        .args(["--config", "profile.release.strip=true"])
        .current_dir(repo_root())
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

/// Whether an ELF file has a program header `PT_INTERP`: what static ones lack.
fn has_interpreter(file: &[u8]) -> Result<bool> {
    let elf = ElfFile64::<LittleEndian>::parse(file)?;
    Ok(elf.elf_program_headers().iter().any(|p| p.p_type(LittleEndian) == PT_INTERP))
}
