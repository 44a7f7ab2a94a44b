//! Packages and files, as a walk finds them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::constraint::Platform;
use super::module::Module;

/// What a file is to a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Somebody wrote it and it is built.
    Written,
    /// `// Code generated ... DO NOT EDIT.`
    Generated,
    /// `_test.go`.
    Test,
}

/// A file that is built on the platform in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// How findings name it: from the folder that was asked about, with forward slashes.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
    /// Name in its package clause.
    pub package: String,
}

/// The files of one package. An external test package (`x_test`) is one of its own.
#[derive(Clone, Debug)]
pub struct Package {
    /// Import path; of a folder outside any module the folder's name.
    pub import_path: String,
    /// Name in the package clauses.
    pub name: String,
    /// Folder.
    pub dir: PathBuf,
    /// Files, by name.
    pub files: Vec<SourceFile>,
    /// The module, if there is one.
    pub module: Option<Arc<Module>>,
}

impl Package {
    /// The Go minor whose meaning of the language holds: `go 1.22` gives 22. Without a `go` line Go says
    /// 1.16.
    #[must_use]
    pub fn go_minor(&self) -> Option<u32> {
        self.module.as_ref().and_then(|m| m.go_minor)
    }
}

/// Why something was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// A file or a folder could not be opened.
    Unreadable,
    /// Not UTF-8: Go refuses it too.
    Encoding,
    /// Larger than is believed of source.
    TooLarge,
    /// A bound of the walk was reached.
    TooMany,
    /// A link to a folder, which is not followed.
    Link,
    /// Part of the file is no Go that the grammar knows; the rest was read.
    Syntax,
    /// Parsing was given up for time.
    Slow,
    /// Nested deeper than is followed.
    TooDeep,
    /// A suppression comment that is not one: no code, no reason, or no such code.
    Suppression,
    /// A `go.mod` or `go.work` that could not be understood.
    Module,
}

/// Something that was not read, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// File or folder.
    pub file: String,
    /// Line, where one is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Kind.
    pub kind: GapKind,
    /// In words.
    pub text: String,
}

/// What is wanted of a walk.
#[derive(Clone, Debug)]
pub struct Options {
    /// The platform whose files are read.
    pub platform: Platform,
    /// Whether tests are checked.
    pub tests: bool,
    /// Whether `vendor` folders are entered.
    pub vendor: bool,
    /// Most files.
    pub max_files: usize,
    /// Most bytes of a file.
    pub max_bytes: u64,
    /// Most folders below one another.
    pub max_depth: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            platform: Platform::default(),
            tests: false,
            vendor: false,
            max_files: 200_000,
            // The largest Go file in the standard library has 2.4 MB (tables of unicode, of SSA rewriting).
            max_bytes: 8 << 20,
            max_depth: 64,
        }
    }
}
