//! The cases, found by folder, and the binary that is asked about them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A folder below `captures/<release>/`.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// `<release>/<name>`.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) path: PathBuf,
}

impl Case {
    /// The capture as it was written, without the files that are made of the others.
    pub(crate) fn capture(&self) -> PathBuf {
        self.path.join("capture")
    }

    /// Who wrote it.
    pub(crate) fn release(&self) -> &str {
        self.name.split('/').next().unwrap()
    }

    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_slice(&fs::read(self.capture().join("manifest.json")).unwrap()).unwrap()
    }
}

/// Where the goldens lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    found.sort();
    found
}

/// All cases, in the order of their names.
pub(crate) fn all() -> Vec<Case> {
    let captures = folder().join("captures");
    let paths = folders(&captures).into_iter().flat_map(|release| folders(&release));
    let cases = paths.map(|path| Case { name: path.strip_prefix(&captures).unwrap().display().to_string(), path });
    cases.collect()
}

/// Runs the binary, in the folder of the goldens and without a terminal's width.
pub(crate) fn lastgasp(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastgasp"));
    command.args(args).current_dir(folder()).env_remove("COLUMNS").env_remove("LASTGASP_LOG").env("NO_COLOR", "1");
    command.output().unwrap()
}

/// What it prints; it must end well (0, or 3 where the capture has gaps) and not complain.
pub(crate) fn said(args: &[&str]) -> String {
    let out = lastgasp(args);
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(matches!(out.status.code(), Some(0 | 3)) && err.is_empty(), "lastgasp {args:?}: {}\n{err}", out.status);
    String::from_utf8(out.stdout).unwrap()
}
