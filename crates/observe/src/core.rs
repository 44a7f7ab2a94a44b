//! A core file as a target: the same evidence by the same copying, with nobody to stop and nothing to act on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lastgasp_goruntime::{CopySource, DiscoverError, Evidence, EvidencePlan, Extent, Gap, Runtime, SpanTable};
use lastgasp_inferior::{CoreFile, CoreMapping, ElfImage, ImageError, Layered, LoadedImage, Match};
use thiserror::Error;

use crate::raw_capture::{Phase, RawCapture, Reason, Spans};
use crate::stillness::Stillness;
use crate::target::COPY_CAP;
use crate::target::identity::Identity;

/// Why a core cannot be read as a Go process.
#[derive(Debug, Error)]
pub enum CoreError {
    /// Not a core, or the executable is not readable.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The executable was not found, or none of those found is the one.
    #[error("{core}: no executable for it: {tried}; give the very binary that ran with --exe FILE")]
    NoExecutable {
        /// The core.
        core: String,
        /// What was tried, and how each failed.
        tried: String,
    },
    /// The executable is of another build.
    #[error(
        "{exe} is not the executable of {core}: their build ids differ; give the very binary that ran with --exe FILE"
    )]
    OtherBuild {
        /// The executable that was given.
        exe: String,
        /// The core.
        core: String,
    },
    /// No Go process that we can read.
    #[error("{core}: {error}{hint}")]
    Discover {
        /// The core.
        core: String,
        /// Why.
        error: DiscoverError,
        /// What may have caused it.
        hint: String,
    },
}

/// Copies what the decoders need out of a core. `exe` is the executable, if it is not where it was.
///
/// # Errors
/// [`CoreError`], each with its cure.
pub fn take_core(path: &Path, exe: Option<&Path>) -> Result<RawCapture, CoreError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| ImageError::Io { file: name.clone(), error })?;
    let core = CoreFile::open(file, name)?;
    let found = executable(&core, path, exe)?;
    let mut gaps = Vec::new();
    if found.matched == Match::Unknown {
        gaps.push(Gap::new(
            "build id",
            "the core does not hold it: that the executable is the right one is taken on trust",
        ));
    }
    if core.missing() > 0 {
        let why = format!("the core was cut short (RLIMIT_CORE, or a full disk): {} bytes are missing", core.missing());
        gaps.push(Gap::new("memory", why));
    }
    let loaded = LoadedImage { image: found.image, bias: found.bias };
    // Code and constants are files' pages, which cores leave out: the executable has them.
    let failed = |error: std::io::Error| ImageError::Io { file: found.path.display().to_string(), error };
    let code = loaded.image.memory(loaded.bias, &[]).map_err(failed)?;
    let mem = Layered { top: &core, bottom: code };
    let runtime = Runtime::discover(&loaded.image, loaded.bias, &mem).map_err(|error| discover_error(&core, error))?;
    // Where the linker put tables that never change into a segment that is written once, they may be left out
    // too.
    let constants = loaded.image.memory(loaded.bias, &runtime.constant_ranges()).map_err(failed)?;
    let mem = Layered { top: &core, bottom: constants };
    let mut plan = EvidencePlan::default();
    gaps.extend(plan.update(&runtime, &mem));
    let source = CopySource { runtime: &runtime, plan: &plan, mem: &mem, registers: core.threads() };
    let mut evidence = Evidence::with_room(&source, Extent::Whole, COPY_CAP);
    evidence.gaps = gaps;
    evidence.copy(&source, Extent::Whole);
    let mut spans = SpanTable::read(&runtime, &mem, &mut evidence.gaps);
    if let Some(table) = &mut spans {
        table.name_types(&runtime, &mem);
    }
    evidence.finish();
    let service = found.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let identity = Identity { pid: core.pid(), service, ..Identity::default() };
    let because = (Phase::Core, Reason::Manual);
    Ok(RawCapture {
        at: core.written(),
        registers: core.threads().to_vec(),
        spans: spans.map(|table| Spans::read(table, Stillness::Core)),
        ..RawCapture::bare(because, Stillness::Core, identity, runtime, Arc::new(loaded), evidence)
    })
}

struct Found {
    path: PathBuf,
    image: ElfImage,
    bias: u64,
    matched: Match,
}

/// The image with the Go runtime: the executable, or a shared library that it loaded. Looked for under the
/// name that was given, at the path that the process had, and beside the core; by build id it must be the
/// very one.
fn executable(core: &CoreFile, core_path: &Path, exe: Option<&Path>) -> Result<Found, CoreError> {
    let mut tried = Vec::new();
    for (path, mapped) in candidates(core, core_path, exe) {
        let image = match File::open(&path) {
            Ok(file) => ElfImage::open(file, path.display().to_string()),
            Err(error) => Err(ImageError::Io { file: path.display().to_string(), error }),
        };
        let image = match image {
            Ok(image) => image,
            Err(e) if exe.is_some() => return Err(e.into()),
            Err(e) => {
                tried.push(e.to_string());
                continue;
            }
        };
        let bias = core.bias_of(&image, mapped.as_ref());
        let matched = core.matches(&image, bias);
        if matched == Match::Other {
            if exe.is_some() {
                return Err(CoreError::OtherBuild { exe: path.display().to_string(), core: core.name().to_owned() });
            }
            tried.push(format!("{} is of another build", path.display()));
        } else if let Err(error) = Runtime::build_info(&image) {
            if exe.is_some() {
                return Err(discover_error(core, error));
            }
            tried.push(error.to_string());
        } else {
            return Ok(Found { path, image, bias, matched });
        }
    }
    if tried.is_empty() {
        tried.push("the core names none".to_owned());
    }
    Err(CoreError::NoExecutable { core: core.name().to_owned(), tried: tried.join("; ") })
}

fn candidates(core: &CoreFile, core_path: &Path, exe: Option<&Path>) -> Vec<(PathBuf, Option<CoreMapping>)> {
    let file_name = |p: &str| Path::new(p).file_name().map(ToOwned::to_owned);
    if let Some(exe) = exe {
        // A library is known by its name; whatever else was given is meant as the executable.
        let by_name = core.mapped_files().iter().find(|m| file_name(&m.path).as_deref() == exe.file_name());
        return vec![(exe.to_owned(), by_name.or(core.executable()).cloned())];
    }
    let main = core.executable().cloned();
    let others = core.mapped_files().iter().filter(|m| Some(*m) != main.as_ref());
    let beside = core_path.parent().unwrap_or(Path::new("."));
    let mut out = Vec::new();
    for mapped in main.iter().chain(others) {
        // The kernel's note for a file that was replaced by a deploy.
        let path = mapped.path.trim_end_matches(" (deleted)");
        out.push((PathBuf::from(path), Some(mapped.clone())));
        out.extend(file_name(path).map(|n| (beside.join(n), Some(mapped.clone()))));
    }
    out.retain(|(path, _)| path.is_file());
    out.dedup_by(|a, b| a.0 == b.0);
    out
}

fn discover_error(core: &CoreFile, error: DiscoverError) -> CoreError {
    let hint = if core.missing() > 0 {
        format!(
            " (the core was cut short: {} bytes are missing; raise RLIMIT_CORE, or free disk space)",
            core.missing()
        )
    } else if core.left_out() > 0 {
        format!(
            " ({} bytes of the process were left out of the core; its private memory is needed: /proc/PID/coredump_filter with bit 0 set)",
            core.left_out()
        )
    } else {
        String::new()
    };
    CoreError::Discover { core: core.name().to_owned(), error, hint }
}
