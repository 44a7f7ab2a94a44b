//! From an executable and its memory to a Go runtime that can be read.

use lastgasp_inferior::{Addr, AddrRange, Arch, BlockCache, ElfImage, Layered, Memory};
use thiserror::Error;

use crate::arch;
use crate::binary::buildinfo::{BuildInfo, parse_buildinfo};
use crate::binary::locate::{self, Globals};
use crate::binary::moduledata::{self, ModuleData};
use crate::binary::pclntab::Symbolizer;
use crate::binary::runtime_location::RuntimeLocation;
use crate::binary::{garble, gccgo};
use crate::bounds::MAX_STACK_BYTES;
use crate::layout::{self, Layout, Unsupported};
use crate::version::GoVersion;

/// Why a process cannot be read as a Go process.
#[derive(Debug, Error)]
pub enum DiscoverError {
    /// No build information.
    #[error("{file} is not a Go executable (no Go build information), or it was built before Go 1.18")]
    NotGo {
        /// Name of the executable, as it was opened.
        file: String,
    },
    /// Made unreadable on purpose.
    #[error(
        "{file} looks like a Go binary built with garble ({signs}): what lastgasp reads was scrambled on purpose. Run a build of the same source without garble where it is to be observed"
    )]
    Garbled {
        /// Name of the executable, as it was opened.
        file: String,
        /// What it is recognised by.
        signs: String,
    },
    /// Built by another compiler than Go's own.
    #[error(
        "{file} was built with gccgo, whose runtime lastgasp does not read: build it with the Go toolchain (gc) where it is to be observed"
    )]
    Gccgo {
        /// Name of the executable, as it was opened.
        file: String,
    },
    /// A version without a layout table.
    #[error("{version} is not supported: {why}")]
    UnknownVersion {
        /// As the binary says it.
        version: String,
        /// What is missing.
        why: Unsupported,
    },
    /// The runtime's tables or variables were not found.
    #[error("the Go runtime in {file} ({version}) could not be read: {why}")]
    Unreadable {
        /// Name of the executable, as it was opened.
        file: String,
        /// Go version, as the binary says it.
        version: String,
        /// What went wrong.
        why: String,
    },
}

/// A Go runtime, located: what is needed to read it, resolved before any crisis.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The processor that the image is for.
    pub arch: Arch,
    /// Go release: minor, patch, experiments.
    pub version: GoVersion,
    /// What the linker wrote about the build.
    pub build_info: BuildInfo,
    /// Offsets for this minor.
    pub layout: &'static Layout,
    /// The main module.
    pub module: ModuleData,
    /// The runtime's variables.
    pub globals: Globals,
}

impl Runtime {
    /// Version and build information of an executable, from its file alone.
    ///
    /// # Errors
    /// [`DiscoverError::NotGo`], [`DiscoverError::Garbled`].
    pub fn build_info(image: &ElfImage) -> Result<BuildInfo, DiscoverError> {
        let file = || image.name().to_owned();
        // Of a program with 400 modules it has 60 kB.
        const MOST: usize = 1 << 20;
        let bytes = image.section(".go.buildinfo").and_then(|s| image.section_head(s, MOST).ok());
        let info = bytes.and_then(|b| parse_buildinfo(&b));
        // A release that we do not know may have a magic that we do not know.
        let newer =
            info.as_ref().and_then(|i| GoVersion::parse(&i.go_version)).filter(|v| v.minor > layout::supported().1);
        if newer.is_none()
            && let Some(signs) = garble::signs(image, info.as_ref())
        {
            return Err(DiscoverError::Garbled { file: file(), signs });
        }
        info.ok_or_else(|| match gccgo::is_gccgo(image) {
            true => DiscoverError::Gccgo { file: file() },
            false => DiscoverError::NotGo { file: file() },
        })
    }

    /// Finds everything. `mem` is the process's memory; `bias` what its addresses are off from those in the
    /// file.
    ///
    /// # Errors
    /// [`DiscoverError`]; a process that has only just been started may fail as `Unreadable` and succeed a
    /// moment later.
    pub fn discover(image: &ElfImage, bias: u64, mem: &dyn Memory) -> Result<Self, DiscoverError> {
        let location = Self::locate(image, bias, mem)?;
        Self::apply(image, bias, mem, &location)
    }

    /// Finds where the runtime stands in the binary: what is the same for all its processes. Constant tables
    /// are read from the file, so that no page of them becomes part of the process's RSS by our reading; the
    /// process is asked only for what the loader has relocated.
    ///
    /// # Errors
    /// As [`Runtime::discover`].
    pub fn locate(image: &ElfImage, bias: u64, mem: &dyn Memory) -> Result<RuntimeLocation, DiscoverError> {
        let (version, layout, _) = Self::release(image)?;
        let unreadable = |why: String| unreadable(image, &version, why);
        let file = |constant: &[AddrRange]| {
            image.memory(bias, constant).map(|top| Layered { top, bottom: mem }).map_err(|e| unreadable(e.to_string()))
        };
        let table = moduledata::pclntab_section(image).map(|s| s.range);
        let table = table.map(|r| AddrRange::sized(Addr(r.start.0.wrapping_add(bias)), r.len()));
        let at = moduledata::find(image, bias, &file(table.as_slice())?, mem, layout).map_err(unreadable)?;
        let module = moduledata::at(mem, layout, at).map_err(unreadable)?;
        let end = module.pclntable.0.plus(module.pclntable.1);
        let constants = file(&[AddrRange { start: module.pc_header, end }])?;
        let symbols = Symbolizer::new(&constants, &module, layout);
        let variables = locate::variables(image, bias, &module, &symbols).map_err(unreadable)?;
        let stated = |a: Addr| a.0.wrapping_sub(bias);
        Ok(RuntimeLocation {
            minor: version.minor,
            module_data: stated(at),
            variables: variables.into_iter().map(|(name, a)| (name.to_owned(), stated(a))).collect(),
        })
    }

    /// The runtime of one process from where it was found in its binary. Everything is checked against the
    /// process: what was remembered may be of another binary, or a lie.
    ///
    /// # Errors
    /// As [`Runtime::discover`].
    pub fn apply(
        image: &ElfImage,
        bias: u64,
        mem: &dyn Memory,
        location: &RuntimeLocation,
    ) -> Result<Self, DiscoverError> {
        let (.., build_info) = Self::release(image)?;
        Self::apply_known(image, build_info, bias, mem, location)
    }

    /// As [`Runtime::apply`], of an executable whose build information is known: no byte of its file is read.
    ///
    /// # Errors
    /// As there.
    pub fn apply_known(
        image: &ElfImage,
        build_info: BuildInfo,
        bias: u64,
        mem: &dyn Memory,
        location: &RuntimeLocation,
    ) -> Result<Self, DiscoverError> {
        let (version, layout) = Self::layout_of(&build_info)?;
        let unreadable = |why: String| unreadable(image, &version, why);
        if location.minor != version.minor {
            return Err(unreadable(format!("what is remembered of it is of Go 1.{}", location.minor)));
        }
        let at = Addr(location.module_data.wrapping_add(bias));
        let module = moduledata::at(mem, layout, at).map_err(unreadable)?;
        let globals = locate::remembered(location, bias, &module).map_err(unreadable)?;
        let found = Self { arch: image.arch(), version: version.clone(), build_info, layout, module, globals };
        found.validate(mem).map_err(unreadable)?;
        Ok(found)
    }

    /// The runtime of a process that is gone, from what was noted of it. It was checked then; what is left to
    /// check is its sizes.
    ///
    /// # Errors
    /// [`DiscoverError::UnknownVersion`], [`DiscoverError::Unreadable`].
    pub fn restored(
        arch: Arch,
        build_info: BuildInfo,
        module: ModuleData,
        globals: Globals,
    ) -> Result<Self, DiscoverError> {
        let (version, layout) = Self::layout_of(&build_info)?;
        moduledata::validate_sizes(&module).map_err(|why| DiscoverError::Unreadable {
            file: build_info.path.clone(),
            version: version.text.clone(),
            why,
        })?;
        Ok(Self { arch, version, build_info, layout, module, globals })
    }

    /// The release, and whether we read it.
    fn release(image: &ElfImage) -> Result<(GoVersion, &'static Layout, BuildInfo), DiscoverError> {
        let build_info = Self::build_info(image)?;
        let (version, layout) = Self::layout_of(&build_info)?;
        Ok((version, layout, build_info))
    }

    fn layout_of(build_info: &BuildInfo) -> Result<(GoVersion, &'static Layout), DiscoverError> {
        let unknown = |why| DiscoverError::UnknownVersion { version: build_info.go_version.clone(), why };
        let version = GoVersion::parse(&build_info.go_version).ok_or_else(|| unknown(Unsupported::Minor))?;
        let layout = layout::for_version(&version).map_err(unknown)?;
        Ok((version, layout))
    }

    /// Where tables stand that never change, in the process's addresses: pclntab, and funcdata as far as it
    /// may go. The linker may have put them into a segment that is writable for a moment
    /// (position-independent executables; with cgo even without a section of their own: Go 1.22 with external
    /// linking).
    #[must_use]
    pub fn constant_ranges(&self) -> [AddrRange; 2] {
        /// More funcdata than any program has.
        const FUNCDATA: u64 = 64 << 20;
        let m = &self.module;
        let end = m.pclntable.0.plus(m.pclntable.1);
        [AddrRange { start: m.pc_header, end }, AddrRange::sized(m.gofunc, FUNCDATA)]
    }

    /// The variables as the code names them, the symbol table not asked: for checking the rules for stripped
    /// binaries on binaries that are not.
    ///
    /// # Errors
    /// [`DiscoverError::Unreadable`].
    pub fn globals_by_code(&self, mem: &dyn Memory) -> Result<Globals, DiscoverError> {
        let cached = BlockCache::new(mem);
        let symbols = Symbolizer::new(&cached, &self.module, self.layout);
        locate::globals_by_code(arch::of(self.arch), &self.module, &symbols).map_err(|why| DiscoverError::Unreadable {
            file: self.build_info.path.clone(),
            version: self.version.text.clone(),
            why,
        })
    }

    /// Whether what stands at the addresses is what should.
    fn validate(&self, mem: &dyn Memory) -> Result<(), String> {
        let read = |a: Addr| mem.u64(a).map_err(|e| e.to_string());
        let gs = read(self.globals.allglen)?;
        if gs == 0 || gs > 1 << 26 {
            return Err(format!(
                "allglen says {gs} goroutines: the runtime has not started yet, or the address is wrong"
            ));
        }
        // The first few exist from the start of the runtime on; a list that they stand in is no other list of
        // pointers.
        let all = Addr(read(self.globals.allgptr)?);
        for i in 0..gs.min(4) {
            let g = Addr(read(all.plus(i * 8))?);
            let lo = read(g.plus(self.layout.g.stack_lo))?;
            let hi = read(g.plus(self.layout.g.stack_hi))?;
            if g.is_null() || lo != 0 && (hi <= lo || hi - lo > MAX_STACK_BYTES) {
                return Err(format!("goroutine {i} of allgs has no sane stack"));
            }
        }
        let head = Addr(read(self.globals.mbuckets)?);
        if !head.is_null() && read(head.plus(self.layout.bucket.typ))? != 1 {
            return Err("mbuckets does not lead to a bucket of the memory profile".into());
        }
        // Any number is a legal rate: `math.MaxInt64` for one sample in a while, what is not positive for
        // none. Where it stands is all that can be wrong; that it is among the variables was checked when
        // they were located.
        let rate = self.globals.mem_profile_rate;
        if !rate.0.is_multiple_of(8) {
            return Err(format!("MemProfileRate is said to stand at {rate}"));
        }
        read(rate)?;
        let spans = read(self.globals.mheap.plus(self.layout.mheap.allspans + 8))?;
        let cap = read(self.globals.mheap.plus(self.layout.mheap.allspans + 16))?;
        let first = read(self.globals.mheap.plus(self.layout.mheap.allspans))?;
        if spans == 0 || spans > cap || cap > 1 << 32 || first == 0 || first % 8 != 0 {
            return Err(format!("mheap_.allspans says {spans} of {cap}"));
        }
        let percent = mem
            .u32(self.globals.gc_controller.plus(self.layout.gc_controller.gc_percent))
            .map_err(|e| e.to_string())?;
        // `debug.SetGCPercent(math.MaxInt32)` is a way to switch GOGC off.
        if percent.cast_signed() < -1 {
            return Err(format!("gcController.gcPercent is {percent}"));
        }
        Ok(())
    }
}

fn unreadable(image: &ElfImage, version: &GoVersion, why: String) -> DiscoverError {
    DiscoverError::Unreadable { file: image.name().to_owned(), version: version.text.clone(), why }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lastgasp_inferior::{ReadCause, ReadError};

    use super::*;

    /// Memory by the word; zero where nothing was written.
    struct Words(BTreeMap<u64, u64>);

    impl Memory for Words {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            let word = |at: u64| self.0.get(&(at / 8 * 8)).copied().unwrap_or(0).to_le_bytes();
            for (at, b) in (addr.0..).zip(buf.iter_mut()) {
                let error = ReadError { addr, len: 1, cause: ReadCause::Absent };
                *b = *word(at).get((at % 8) as usize).ok_or(error)?;
            }
            Ok(())
        }
    }

    /// Whether a runtime with one goroutine and one span is taken for one.
    fn validated(rate_at: u64, rate: i64, percent: i32, stack: u64) -> Result<(), String> {
        let layout = layout::for_minor(24).unwrap();
        let globals = Globals {
            allglen: Addr(0x1000),
            allgptr: Addr(0x1008),
            mbuckets: Addr(0x1010),
            mem_profile_rate: Addr(rate_at),
            mheap: Addr(0x10_0000),
            gc_controller: Addr(0x2000),
            ..Globals::default()
        };
        let spans = 0x10_0000 + layout.mheap.allspans;
        let percent_at = 0x2000 + layout.gc_controller.gc_percent;
        let percent_word = u64::from(percent.cast_unsigned()) << (percent_at % 8 * 8);
        let words = [
            (0x1000, 1),
            (0x1008, 0x3000),
            (0x1020, rate.cast_unsigned()),
            (0x3000, 0x4000),
            (0x4000 + layout.g.stack_lo, 0xc000_0000),
            (0x4000 + layout.g.stack_hi, 0xc000_0000 + stack),
            (spans, 0x5000),
            (spans + 8, 1),
            (spans + 16, 1),
            (percent_at / 8 * 8, percent_word),
        ];
        let module = ModuleData {
            at: Addr(0),
            types: AddrRange::default(),
            pc_header: Addr(0),
            funcnametab: (Addr(0), 0),
            cutab: (Addr(0), 0),
            filetab: (Addr(0), 0),
            pctab: (Addr(0), 0),
            pclntable: (Addr(0), 0),
            ftab: (Addr(0), 0),
            pcs: AddrRange::default(),
            text: Addr(0),
            gofunc: Addr(0),
            variables: AddrRange::default(),
        };
        let version = GoVersion { minor: 24, text: "go1.24".into() };
        let runtime = Runtime { arch: Arch::Amd64, version, build_info: BuildInfo::default(), layout, module, globals };
        runtime.validate(&Words(words.into()))
    }

    #[test]
    fn every_legal_setting_is_read_and_wrong_places_are_not() {
        for rate in [0, 1, 524_288, i64::MAX, -1, i64::MIN] {
            assert_eq!(validated(0x1020, rate, 100, 8192), Ok(()), "MemProfileRate {rate}");
        }
        for percent in [-1, 0, 100, i32::MAX] {
            assert_eq!(validated(0x1020, 1, percent, 8192), Ok(()), "GOGC {percent}");
        }
        assert!(validated(0x1020, 1, -2, 8192).unwrap_err().contains("gcPercent"));
        assert!(validated(0x1021, 1, 100, 8192).unwrap_err().contains("MemProfileRate"));
        assert_eq!(validated(0x1020, 1, 100, MAX_STACK_BYTES), Ok(()));
        assert!(validated(0x1020, 1, 100, MAX_STACK_BYTES + 1).unwrap_err().contains("no sane stack"));
    }
}
