//! Building the lab's Go programs, one output per (program, toolchain, mode).

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::toolchain::Toolchain;

/// How a Go binary is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `go build` as it is: symbol table and DWARF.
    Plain,
    /// As plain, DWARF not compressed: for `cargo xtask layouts`.
    PlainDwarf,
    /// `-ldflags=-s -w -trimpath`: what production images hold.
    Stripped,
    /// `-buildmode=pie -ldflags=-s -w`.
    PieStripped,
    /// As that, with cgo on: linked by the system's linker, which merges sections.
    CgoPieStripped,
}

impl Mode {
    /// A word for file names and test output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::PlainDwarf => "plain-dwarf",
            Self::Stripped => "stripped",
            Self::PieStripped => "pie-stripped",
            Self::CgoPieStripped => "cgo-pie-stripped",
        }
    }

    /// Arguments of `go build`.
    #[must_use]
    pub fn args(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::PlainDwarf => &["-ldflags=-compressdwarf=false"],
            Self::Stripped => &["-trimpath", "-ldflags=-s -w"],
            Self::PieStripped => &["-trimpath", "-buildmode=pie", "-ldflags=-s -w"],
            Self::CgoPieStripped => &["-trimpath", "-buildmode=pie", "-ldflags=-s -w -linkmode=external"],
        }
    }
}

/// The repository's root.
#[must_use]
pub fn repo_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where toolchains and binaries are kept: under the workspace's target folder, so that `cargo clean` forgets them.
#[must_use]
pub fn cache_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repo_root().join("target"), PathBuf::from).join("lab")
}

/// Builds `package` (a folder below `module`) and gives the binary's path. Go's own build cache makes a second call cheap.
///
/// # Errors
/// What the compiler said.
pub fn build(toolchain: &Toolchain, mode: Mode, module: &Path, package: &str) -> Result<PathBuf> {
    let named = Path::new(package).file_name().or(module.file_name());
    let name = named.map_or_else(|| "main".into(), |n| n.to_string_lossy().into_owned());
    let out = cache_dir().join("bin").join(format!("{}-{}", toolchain.version, mode.name())).join(name);
    if let Some(dir) = out.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let result = toolchain
        .command()
        .current_dir(module)
        .env("CGO_ENABLED", if mode == Mode::CgoPieStripped { "1" } else { "0" })
        .arg("build")
        .args(mode.args())
        .arg("-o")
        .arg(&out)
        // Go 1.19 does not take `./.`.
        .arg(if package == "." { ".".to_owned() } else { format!("./{package}") })
        .output()?;
    if !result.status.success() {
        bail!("go build {package} with {}: {}", toolchain.version, String::from_utf8_lossy(&result.stderr));
    }
    Ok(out)
}
