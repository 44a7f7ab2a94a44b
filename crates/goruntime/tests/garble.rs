//! Garbled binaries are named, and nothing else is taken for one. A real Go binary is changed as garble 0.18
//! changes it (held against the real thing by hand: Go 1.27, with and without `-tiny`): another magic in
//! pclntab, the version "unknown", no module information.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs::{self, File};
use std::io::Write as _;

use lastgasp_goruntime::{DiscoverError, Runtime};
use lastgasp_inferior::ElfImage;
use lastgasp_lab::build::{Mode, cache_dir};
use lastgasp_lab::oracle::Oracle;
use lastgasp_lab::toolchain;

/// A stripped Go binary, and the places to change. `None` if it had to be skipped, which was said.
struct Binary {
    bytes: Vec<u8>,
    pclntab: usize,
    buildinfo: usize,
}

fn binary() -> Option<Binary> {
    let go = match toolchain::any(&cache_dir()) {
        Ok(go) => go,
        Err(e) => {
            eprintln!("SKIPPED: {e:#}");
            return None;
        }
    };
    let path = Oracle::build(&go, Mode::Stripped).unwrap();
    let image = ElfImage::open(File::open(&path).unwrap(), "oracle").unwrap();
    let at = |name: &str| image.section(name).unwrap().file_offset.unwrap() as usize;
    Some(Binary { pclntab: at(".gopclntab"), buildinfo: at(".go.buildinfo"), bytes: fs::read(path).unwrap() })
}

impl Binary {
    fn magic(mut self) -> Self {
        self.bytes[self.pclntab..self.pclntab + 4].copy_from_slice(&[0xce, 0xaa, 0xf4, 0x91]);
        self
    }

    /// Another version, and no module information.
    fn version(mut self, version: &str) -> Self {
        let at = self.buildinfo + 32;
        self.bytes[at] = version.len() as u8;
        self.bytes[at + 1..at + 1 + version.len()].copy_from_slice(version.as_bytes());
        self.bytes[at + 1 + version.len()] = 0;
        self
    }

    fn no_buildinfo(mut self) -> Self {
        self.bytes[self.buildinfo..self.buildinfo + 8].fill(0);
        self
    }

    fn discover(&self) -> DiscoverError {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.bytes).unwrap();
        let image = ElfImage::open(file, "svc").unwrap();
        let memory = image.memory(0, &[]).unwrap();
        Runtime::discover(&image, 0, &memory).unwrap_err()
    }
}

#[test]
fn garble_is_named_with_its_signs_and_the_cure() {
    let changes: [fn(Binary) -> Binary; 4] = [
        |b| b.magic().version("unknown"),
        // As older garbles and other tools leave it.
        Binary::magic,
        |b| b.version("unknown"),
        |b| b.magic().no_buildinfo(),
    ];
    for change in changes {
        let Some(binary) = binary() else { return };
        let error = change(binary).discover();
        assert!(matches!(error, DiscoverError::Garbled { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("svc looks like a Go binary built with garble ("), "{text}");
        assert!(text.contains("without garble"), "{text}");
    }
    let Some(binary) = binary() else { return };
    let text = binary.magic().version("unknown").discover().to_string();
    assert!(text.contains("0x91f4aace") && text.contains("\"unknown\""), "{text}");
}

#[test]
fn other_binaries_are_not_taken_for_garbled() {
    let Some(b) = binary() else { return };
    // A Go that is newer than this lastgasp may have a magic of its own.
    assert!(matches!(b.magic().version("go1.99.1").discover(), DiscoverError::UnknownVersion { .. }));
    let Some(b) = binary() else { return };
    assert!(matches!(b.version("devel +0123456789").discover(), DiscoverError::UnknownVersion { .. }));
    let Some(b) = binary() else { return };
    assert!(matches!(b.no_buildinfo().discover(), DiscoverError::NotGo { .. }));
    let own = ElfImage::open(File::open("/proc/self/exe").unwrap(), "rust").unwrap();
    assert!(matches!(Runtime::build_info(&own), Err(DiscoverError::NotGo { .. })));
}
