//! Building the lab's Go programs, one output per (program, toolchain, mode).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::toolchain::{Toolchain, musl_gcc};

/// How a Go binary is compiled and linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `go build` as it is: symbol table and DWARF.
    Plain,
    /// As plain, DWARF not compressed: for `cargo xtask layouts`.
    PlainDwarf,
    /// `-ldflags=-s -w -trimpath`: what production images hold.
    Stripped,
    /// `-buildmode=pie`, with its symbols.
    Pie,
    /// `-buildmode=pie -ldflags=-s -w`.
    PieStripped,
    /// cgo that is really used, linked as Go links it: by the system's linker, against the system's C
    /// library.
    Cgo,
    /// As that, position independent and stripped: the system's linker merges sections.
    CgoPieStripped,
    /// A shared library that a C program loads, stripped: the Go runtime is not the executable's.
    CShared,
    /// Nothing linked that reads the memory profile: the linker switches profiling off.
    NoPprof,
    /// cgo, linked statically.
    Static,
    /// As that, with the musl C library, as Alpine's images are built.
    Musl,
}

/// What a mode asks of the `go` command.
struct Recipe {
    name: &'static str,
    args: &'static [&'static str],
    tags: &'static str,
    cgo: bool,
}

impl Mode {
    /// Those that a user's binary may be in: the columns of the matrix.
    pub const MATRIX: [Self; 10] = [
        Self::Plain,
        Self::Stripped,
        Self::Pie,
        Self::PieStripped,
        Self::Cgo,
        Self::CgoPieStripped,
        Self::CShared,
        Self::NoPprof,
        Self::Static,
        Self::Musl,
    ];

    /// A word for file names and test output.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.recipe().name
    }

    /// The mode of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::MATRIX.into_iter().find(|m| m.name() == name)
    }

    /// Whether the binary has no symbol table.
    #[must_use]
    pub fn is_stripped(self) -> bool {
        self.recipe().args.iter().any(|a| a.contains("-s -w"))
    }

    /// Whether the program keeps a memory profile.
    #[must_use]
    pub fn has_profile(self) -> bool {
        self != Self::NoPprof
    }

    /// Whether C code runs in the program too, on threads of its own perhaps.
    #[must_use]
    pub fn uses_cgo(self) -> bool {
        self.recipe().cgo
    }

    /// Arguments of `go build`.
    #[must_use]
    pub fn args(self) -> &'static [&'static str] {
        self.recipe().args
    }

    fn recipe(self) -> Recipe {
        let go = |name, args| Recipe { name, args, tags: "", cgo: false };
        let cgo = |name, args| Recipe { name, args, tags: "usecgo", cgo: true };
        match self {
            Self::Plain => go("plain", &[]),
            Self::PlainDwarf => go("plain-dwarf", &["-ldflags=-compressdwarf=false"]),
            Self::Stripped => go("stripped", &["-trimpath", "-ldflags=-s -w"]),
            Self::Pie => go("pie", &["-buildmode=pie"]),
            Self::PieStripped => go("pie-stripped", &["-trimpath", "-buildmode=pie", "-ldflags=-s -w"]),
            Self::Cgo => cgo("cgo", &[]),
            Self::CgoPieStripped => {
                cgo("cgo-pie-stripped", &["-trimpath", "-buildmode=pie", "-ldflags=-s -w -linkmode=external"])
            }
            Self::CShared => Recipe {
                tags: "usecgo,library",
                ..cgo("c-shared", &["-trimpath", "-buildmode=c-shared", "-ldflags=-s -w"])
            },
            Self::NoPprof => Recipe { tags: "nopprof", ..go("no-pprof", &["-trimpath", "-ldflags=-s -w"]) },
            // Go's own resolver and user look-up: those of a static C library need its shared one at run
            // time.
            Self::Static => Recipe {
                tags: "usecgo,netgo,osusergo",
                ..cgo("static", &["-ldflags=-linkmode=external -extldflags=-static"])
            },
            Self::Musl => Recipe {
                tags: "usecgo,netgo,osusergo",
                ..cgo("musl", &["-trimpath", "-ldflags=-s -w -linkmode=external -extldflags=-static"])
            },
        }
    }
}

/// Builds all programs of a module at once, stripped and without paths as images hold them, and gives the
/// folder `name` of this toolchain that they are in, each under its own folder's name. Those of `cgo` need a
/// C compiler, and are left out where there is none.
///
/// # Errors
/// What the compiler said.
pub fn build_all(toolchain: &Toolchain, module: &Path, tags: &str, cgo: &[&str], name: &str) -> Result<PathBuf> {
    build_all_as(toolchain, Mode::Stripped, module, tags, cgo, name)
}

/// As [`build_all`], in another mode.
///
/// # Errors
/// What the compiler said.
pub fn build_all_as(
    toolchain: &Toolchain,
    mode: Mode,
    module: &Path,
    tags: &str,
    cgo: &[&str],
    name: &str,
) -> Result<PathBuf> {
    let folder = cache_dir().join("bin").join(format!("{}-{name}", toolchain.name()));
    std::fs::create_dir_all(&folder)?;
    let turn = std::fs::File::create(folder.join(".lock"))?;
    turn.lock()?;
    let go = |cgo: &str, package: &str| {
        let mut command = toolchain.command();
        command.current_dir(module).env("CGO_ENABLED", cgo).arg("build").args(mode.args());
        // Go takes a path that ends so for a folder.
        let into = folder.join("");
        command.args(["-tags", tags]).arg("-o").arg(into).arg(package).output()
    };
    let result = go("0", "./...")?;
    if !result.status.success() {
        bail!(
            "go build in {} with {}: {}",
            module.display(),
            toolchain.name(),
            String::from_utf8_lossy(&result.stderr)
        );
    }
    let has_compiler = ["cc", "gcc", "clang"]
        .iter()
        .any(|c| std::process::Command::new(c).arg("--version").output().is_ok_and(|o| o.status.success()));
    for package in cgo.iter().filter(|_| has_compiler) {
        let result = go("1", &format!("./{package}"))?;
        if !result.status.success() {
            bail!("go build {package} with {}: {}", toolchain.name(), String::from_utf8_lossy(&result.stderr));
        }
    }
    Ok(folder)
}

/// The repository's root.
#[must_use]
pub fn repo_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where toolchains and binaries are kept: under the workspace's target folder, so that `cargo clean` forgets
/// them.
#[must_use]
pub fn cache_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repo_root().join("target"), PathBuf::from).join("lab")
}

/// Builds the incident's three programs: the service, who publishes, and who asks.
///
/// # Errors
/// What the compiler said.
pub fn incident_programs(toolchain: &Toolchain, mode: Mode) -> Result<[PathBuf; 3]> {
    let module = repo_root().join("lab/programs/incident");
    let one = |package| build(toolchain, mode, &module, package);
    Ok([one("resource-service")?, one("admin")?, one("loadgen")?])
}

/// Builds `package` (a folder below `module`) and gives the binary's path. Go's own build cache makes a
/// second call cheap.
/// One at a time builds with one toolchain in one mode: two at once would compile the same standard library
/// twice.
///
/// # Errors
/// What the compiler said.
pub fn build(toolchain: &Toolchain, mode: Mode, module: &Path, package: &str) -> Result<PathBuf> {
    let recipe = mode.recipe();
    let named = Path::new(package).file_name().or(module.file_name());
    let name = named.map_or_else(|| "main".into(), |n| n.to_string_lossy().into_owned());
    let out = cache_dir().join("bin").join(format!("{}-{}", toolchain.name(), recipe.name)).join(name);
    let folder = out.parent().context("a folder for binaries")?;
    std::fs::create_dir_all(folder)?;
    let turn = std::fs::File::create(folder.join(".lock"))?;
    turn.lock()?;
    let mut command = toolchain.command();
    if mode == Mode::Musl {
        command.env("CC", musl_gcc()?);
    }
    let result = command
        .current_dir(module)
        .env("CGO_ENABLED", if recipe.cgo { "1" } else { "0" })
        .arg("build")
        .args(recipe.args)
        .args(["-tags", recipe.tags])
        .arg("-o")
        .arg(&out)
        // Go 1.19 does not take `./.`.
        .arg(if package == "." { ".".to_owned() } else { format!("./{package}") })
        .output()?;
    if !result.status.success() {
        bail!("go build {package} with {}: {}", toolchain.name(), String::from_utf8_lossy(&result.stderr));
    }
    Ok(out)
}
