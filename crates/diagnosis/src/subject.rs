//! The subject of a finding, by names that outlive a process and a build, and its fingerprint.

use std::fmt;

use serde::Serialize;

use crate::facts::Frame;
use crate::units::short;

/// The thing that a finding is about. To come with the waits: a channel, a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Subject {
    /// A place in the program's code: where memory was allocated, or where goroutines are.
    Site {
        /// Function, as pprof names it.
        function: String,
        /// Its file, the last two elements of the path.
        file: String,
    },
    /// A `go` statement.
    GoStatement {
        /// Function that it stands in.
        function: String,
        /// That function's file, the last two elements of the path.
        file: String,
        /// Function that the goroutines start in: tells two `go` statements of one function apart. Empty if
        /// no stack was read to its end.
        starts: String,
    },
    /// A collection, or several alike: by who keeps it and its type.
    Collection {
        /// The way by which it is kept, in words of the source; of a stripped program it may hold an offset,
        /// which another build does not have.
        owner: String,
        /// Its type as `%T` spells it.
        #[serde(rename = "type")]
        type_name: String,
    },
    /// What keeps memory alive: a package variable, by its name or where it stands, or the goroutines in one
    /// function.
    Holder {
        /// `main.cache`, `service bss+0x1a40`; the function.
        name: String,
    },
    /// The process as a whole.
    Process,
}

impl Subject {
    /// The function of a frame.
    #[must_use]
    pub fn site(at: &Frame) -> Self {
        Self::Site { function: at.function.clone(), file: short(&at.file).to_owned() }
    }

    /// The `go` statement at a frame.
    #[must_use]
    pub fn go_statement(at: &Frame, starts: &str) -> Self {
        Self::GoStatement { function: at.function.clone(), file: short(&at.file).to_owned(), starts: starts.to_owned() }
    }

    /// Kind and names, in the order in which they are hashed.
    fn names(&self) -> (&'static str, [&str; 3]) {
        match self {
            Self::Site { function, file } => ("site", [function, file, ""]),
            Self::GoStatement { function, file, starts } => ("go-statement", [function, file, starts]),
            Self::Collection { owner, type_name } => ("collection", [owner, type_name, ""]),
            Self::Holder { name } => ("holder", [name, "", ""]),
            Self::Process => ("process", ["", "", ""]),
        }
    }
}

impl fmt::Display for Subject {
    /// A word: the function, who keeps it, or `-`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site { function, .. } | Self::GoStatement { function, .. } => f.write_str(function),
            Self::Collection { owner, .. } => f.write_str(owner),
            Self::Holder { name } => f.write_str(name),
            Self::Process => f.write_str("-"),
        }
    }
}

/// A hash of a rule's code and its subject, in 16 hex digits: the same in every capture, process, build
/// machine and release of lastgasp. No lines are in it, since they move with every edit above them, and no
/// indices.
pub(crate) fn fingerprint(code: &str, subject: &Subject) -> String {
    // FNV-1a with 64 bits: this value is kept in captures, so that it must not depend on a library.
    let (kind, names) = subject.names();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in [code, kind].into_iter().chain(names) {
        // No name holds a byte of 0xff: it is no UTF-8.
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(function: &str, file: &str, line: u32) -> Frame {
        Frame { function: function.into(), file: file.into(), line }
    }

    /// The value is kept in captures: a change of it makes every known cause news.
    #[test]
    fn the_fingerprint_is_a_contract() {
        let of = |subject: &Subject| fingerprint("heap-growth", subject);
        assert_eq!(of(&Subject::site(&at("main.build", "svc/server.go", 71))), "523027ccff516c64");
        assert_eq!(of(&Subject::Process), "019380eaa20b9287");
    }

    #[test]
    fn lines_and_build_folders_are_no_part_of_it_and_names_are() {
        let site = |function, file, line| fingerprint("x", &Subject::site(&at(function, file, line)));
        let known = site("main.build", "/home/ci/1/svc/server.go", 71);
        assert_eq!(site("main.build", "/build/svc/server.go", 90), known);
        assert_ne!(site("main.load", "/build/svc/server.go", 90), known);
        assert_ne!(site("main.build", "/build/svc/other.go", 90), known);
        let go = |starts| fingerprint("x", &Subject::go_statement(&at("main.build", "svc/server.go", 71), starts));
        assert_ne!(go("main.build.func1"), go("main.build.func2"));
        assert_ne!(go(""), known);
        // Names that run into each other are not the same names.
        assert_ne!(site("main.ab", "c.go", 1), site("main.a", "bc.go", 1));
    }
}
