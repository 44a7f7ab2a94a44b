//! The ways: the six by which a user without rights once ended the daemon or blinded it, and others.

use std::ffi::OsStr;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use lastgasp_lab::lying_files::{
    HOLE, MIB, Row, build_info, executable, long_build_info, of_many_segments, silent_executable, sparse,
};
use lastgasp_lab::silent_storage::{Silent, SilentStorage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::daemon::Daemon;
use super::tenant::{Setting, Tried, Variable, lead};

/// A way, by its name.
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) begin: fn(&Setting, &Daemon) -> Result<Tried>,
}

const GIB: u64 = 1 << 30;

/// An executable with one section that is a hole of that length.
fn hole(setting: &Setting, way: &str, row: Row) -> Result<Tried> {
    let path = setting.path(way);
    sparse(&path, &executable(&[row], None), &[], row.2 + row.3)?;
    one(&path)
}

/// One with Go's build information and another section, which is a hole.
fn go_hole(setting: &Setting, way: &str, name: &'static str, len: u64) -> Result<Tried> {
    let info = build_info();
    let rows = [(".go.buildinfo", 1, HOLE, info.len() as u64), (name, 1, 2 * HOLE, len)];
    let path = setting.path(way);
    sparse(&path, &executable(&rows, None), &[(HOLE, &info)], 2 * HOLE + len)?;
    one(&path)
}

fn one(path: &Path) -> Result<Tried> {
    let mut tried = Tried::default();
    tried.start(path, &[])?;
    Ok(tried)
}

/// One whose build information is that.
fn built(setting: &Setting, way: &str, info: &[u8]) -> Result<Tried> {
    let path = setting.path(way);
    let rows = [(".go.buildinfo", 1, HOLE, info.len() as u64)];
    sparse(&path, &executable(&rows, None), &[(HOLE, info)], HOLE + info.len() as u64)?;
    one(&path)
}

/// One of that name, in the folder of a way.
fn named(setting: &Setting, way: &str, rest: &[u8]) -> Result<Tried> {
    let name = [setting.service.as_bytes(), rest].concat();
    let path = setting.folder(way).join(OsStr::from_bytes(&name));
    std::fs::create_dir_all(setting.folder(way))?;
    std::fs::copy(setting.hostile(), &path)?;
    let mut tried = Tried::default();
    tried.start(&path, &["goroutines", "1"])?;
    Ok(tried)
}

/// Storage whose files are those.
fn silent(setting: &Setting, way: &str, files: Vec<(&str, Silent)>) -> Result<SilentStorage> {
    SilentStorage::mount(&setting.folder(way).join("storage"), files).context("no FUSE here")
}

/// The Go program with those arguments.
fn go(setting: &Setting, args: &[&str]) -> Result<Tried> {
    let mut tried = Tried::default();
    tried.go(setting, args)?;
    Ok(tried)
}

/// So many connections, each of which says that, as long as the try goes on: in the place of one that was
/// hung up on comes the next.
fn connections(daemon: &Daemon, count: usize, says: &'static [u8]) -> Result<Tried> {
    let address = daemon.address().context("it serves no pages")?;
    let connect = move || -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&address)?;
        stream.set_write_timeout(Some(Duration::from_millis(20)))?;
        let _ = stream.write_all(says);
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    let mut all = (0..count).map(|_| connect()).collect::<std::io::Result<Vec<_>>>()?;
    let (over, told) = channel::<()>();
    let renews = std::thread::spawn(move || {
        // Until the other end is dropped.
        while told.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
            for stream in &mut all {
                // What it answers is not taken: one byte looked at tells whether it goes on.
                let goes_on = match stream.peek(&mut [0; 1]) {
                    Ok(0) => false,
                    Ok(_) => true,
                    Err(e) => e.kind() == std::io::ErrorKind::WouldBlock,
                };
                if !goes_on && let Ok(next) = connect() {
                    *stream = next;
                }
            }
        }
    });
    let mut tried = Tried::default();
    tried.keep((over, renews));
    Ok(tried)
}

pub(super) const WAYS: &[Way] = &[
    // The six.
    Way { name: "sparse-symtab", begin: |s, _| hole(s, "symtab", (".symtab", 2, HOLE, 4 * GIB)) },
    Way { name: "build-info-lines", begin: |s, _| built(s, "lines", &long_build_info(2_000_000)) },
    Way {
        name: "segments",
        begin: |s, _| {
            let (file, len) = of_many_segments(1000);
            let mut tried = Tried::default();
            for way in ["segments-a", "segments-b"] {
                sparse(&s.path(way), &file, &[], len)?;
                tried.start(&s.path(way), &[])?;
            }
            Ok(tried)
        },
    },
    Way {
        name: "silent-executables",
        begin: |s, _| {
            let names = ["-a", "-b"].map(|end| format!("{}{end}", s.service));
            let files = names.iter().map(|name| (name.as_str(), silent_executable())).collect();
            let (storage, mut tried) = (silent(s, "silent", files)?, Tried::default());
            for name in &names {
                tried.start(&storage.path(name), &[])?;
            }
            tried.keep(storage);
            Ok(tried)
        },
    },
    Way {
        name: "silent-memory",
        begin: |s, _| {
            let page = Silent { bytes: vec![0; 8192], silent_from: 0 };
            let (storage, mut tried) = (silent(s, "silent-memory", vec![("page", page)])?, Tried::default());
            let path = storage.path("page");
            let (pid, at) = tried.go(s, &["map", path.to_str().context("a path")?])?;
            lead(pid, Variable::Goroutines, at)?;
            tried.keep(storage);
            Ok(tried)
        },
    },
    Way {
        name: "million-buckets",
        begin: |s, _| {
            let mut tried = Tried::default();
            let (pid, at) = tried.go(s, &["buckets", "1000000"])?;
            lead(pid, Variable::Buckets, at)?;
            Ok(tried)
        },
    },
    // Others.
    Way { name: "sparse-dynsym", begin: |s, _| hole(s, "dynsym", (".dynsym", 11, HOLE, 4 * GIB)) },
    Way { name: "sparse-notes", begin: |s, _| hole(s, "notes", (".note", 7, HOLE, 4 * GIB)) },
    Way { name: "sparse-strings", begin: |s, _| hole(s, "strings", (".strtab", 3, HOLE, 4 * GIB)) },
    Way { name: "symtab-100-gb", begin: |s, _| hole(s, "symtab-100", (".symtab", 2, HOLE, 100 * GIB)) },
    Way { name: "go-symtab", begin: |s, _| go_hole(s, "go-symtab", ".symtab", 250 * MIB) },
    Way { name: "go-pclntab", begin: |s, _| go_hole(s, "go-pclntab", ".gopclntab", GIB) },
    Way { name: "go-data", begin: |s, _| go_hole(s, "go-data", ".noptrdata", 8 * GIB) },
    Way {
        name: "four-million-sections",
        begin: |s, _| {
            let path = s.path("sections");
            sparse(&path, &executable(&[], Some(4 << 20)), &[], HOLE + 300 * MIB)?;
            one(&path)
        },
    },
    Way {
        name: "long-version",
        begin: |s, _| {
            let mut info = build_info();
            info.truncate(32);
            info.extend([0xff, 0xff, 0x3f]);
            info.resize(32 + 3 + 0x0f_ffff, b'x');
            built(s, "version", &info)
        },
    },
    Way {
        name: "silent-opens",
        begin: |s, _| {
            let name = format!("{}-opens", s.service);
            let storage = silent(s, "silent-opens", vec![(&name, silent_executable())])?;
            let mut tried = one(&storage.path(&name))?;
            storage.opens_no_more();
            tried.keep(storage);
            Ok(tried)
        },
    },
    Way {
        name: "two-hundred-files",
        begin: |s, _| {
            let (head, mut tried) = (executable(&[], None), Tried::default());
            for n in 0..200 {
                let path = s.path(&format!("many/{n}"));
                sparse(&path, &head, &[], 4096 + n)?;
                tried.start(&path, &[])?;
            }
            Ok(tried)
        },
    },
    Way {
        name: "fifty-silent-files",
        begin: |s, _| {
            let names: Vec<String> = (0..50).map(|n| format!("{}-{n}", s.service)).collect();
            let files = names.iter().map(|name| (name.as_str(), silent_executable())).collect();
            let (storage, mut tried) = (silent(s, "silent-fifty", files)?, Tried::default());
            for name in &names {
                tried.start(&storage.path(name), &[])?;
            }
            tried.keep(storage);
            Ok(tried)
        },
    },
    Way {
        name: "sixty-at-once",
        begin: |s, _| {
            let mut tried = Tried::default();
            for _ in 0..60 {
                tried.start(s.hostile(), &["goroutines", "1"])?;
            }
            Ok(tried)
        },
    },
    Way {
        name: "short-lives",
        begin: |s, _| {
            let path = s.path("short");
            std::fs::create_dir_all(s.folder("short"))?;
            std::fs::copy("/bin/sh", &path)?;
            let mut tried = Tried::default();
            tried.start(&path, &["-c", "i=0; while [ $i -lt 1500 ]; do \"$0\" -c : & i=$((i+1)); done; wait", "sh"])?;
            Ok(tried)
        },
    },
    Way { name: "threads", begin: |s, _| go(s, &["threads", "2000"]) },
    Way { name: "mappings", begin: |s, _| go(s, &["maps", "30000"]) },
    Way { name: "goroutines", begin: |s, _| go(s, &["goroutines", "100000"]) },
    Way {
        name: "stopped",
        begin: |s, _| {
            let mut tried = Tried::default();
            let (pid, _) = tried.go(s, &["goroutines", "1"])?;
            kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
            Ok(tried)
        },
    },
    Way {
        name: "unlinked",
        begin: |s, _| {
            let path = s.path("unlinked");
            std::fs::create_dir_all(s.folder("unlinked"))?;
            std::fs::copy(s.hostile(), &path)?;
            let mut tried = Tried::default();
            tried.start(&path, &["goroutines", "1"])?;
            std::fs::remove_file(&path)?;
            Ok(tried)
        },
    },
    Way { name: "name-with-lines", begin: |s, _| named(s, "lines-of-name", b"\n{\"event\":\"captured\"}\n\x1b[2J") },
    Way { name: "name-that-turns", begin: |s, _| named(s, "turns", "\u{202e}\u{2066}gnp.exe\u{200f}".as_bytes()) },
    Way { name: "name-no-utf8", begin: |s, _| named(s, "no-utf8", b"\xff\xfe\x80") },
    Way { name: "name-255", begin: |s, _| named(s, "long-name", "x".repeat(255 - s.service.len()).as_bytes()) },
    Way { name: "silent-connections", begin: |_, d| connections(d, 100, b"") },
    Way { name: "half-a-request", begin: |_, d| connections(d, 50, b"GET /metrics HTTP/1.1\r\nX: ") },
    Way {
        name: "deaf-connections",
        begin: |_, d| connections(d, 50, "GET /metrics HTTP/1.1\r\n\r\n".repeat(200).leak().as_bytes()),
    },
];
