//! What the open descriptors of a live process lead to: sockets with their peers, pipes, files. By
//! `/proc/PID/fd`, and by the tables of its network namespace in `/proc/PID/net`.
//!
//! Links are read while it stands still, which is quick: the inode of a socket is nobody else's while that is
//! open. Tables, which may have a hundred thousand lines, are opened then and read later. All of it is
//! bounded in bytes and time; a core file has none of it.

mod table;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

pub use table::Socket;
use table::{Form, line};

/// Most descriptors that are looked at.
const MAX_DESCRIPTORS: usize = 1 << 17;
/// Most bytes of one table that are read: a line has 150.
const MAX_TABLE: usize = 64 << 20;
/// Bytes that are read at once.
const AT_ONCE: usize = 64 << 10;
/// Longest line that is believed: a path has 108 bytes.
const MAX_LINE: usize = 4096;

/// Where a descriptor leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A socket, by its inode.
    Socket(u64),
    /// An end of a pipe, by its inode, which both ends have.
    Pipe {
        /// The pipe's.
        inode: u64,
        /// Whether it is the end that is written to.
        writes: bool,
    },
    /// Something that has a path.
    File,
    /// What the kernel has no path for: `eventfd`, `inotify`.
    Other(String),
}

/// The open descriptors of a process at one moment.
#[derive(Debug, Default)]
pub struct OpenDescriptors {
    links: HashMap<i64, Link>,
    tables: Vec<(Form, File)>,
}

/// What a descriptor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// `tcp`, `udp`, `unix`, `pipe`, `file`, `socket` of another family, or as the kernel has it.
    pub what: String,
    /// The socket, where it stands in a table that is read.
    pub socket: Option<Socket>,
    /// Whether the other end of a pipe is open in the same process.
    pub peer_within: bool,
}

impl OpenDescriptors {
    /// Those of a process, as far as there is time. What cannot be read is not there.
    #[must_use]
    pub fn read(pid: i32, until: Instant) -> Self {
        let mut out = Self::default();
        for (name, form) in
            [("tcp", Form::Tcp), ("tcp6", Form::Tcp), ("udp", Form::Udp), ("udp6", Form::Udp), ("unix", Form::Unix)]
        {
            out.tables.extend(File::open(format!("/proc/{pid}/net/{name}")).ok().map(|file| (form, file)));
        }
        let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return out };
        for entry in entries.flatten().take(MAX_DESCRIPTORS) {
            if Instant::now() >= until {
                break;
            }
            let number = entry.file_name().to_str().and_then(|n| n.parse().ok());
            let to = fs::read_link(entry.path()).ok();
            // A link that may be written is one to what is open for writing (proc_pid_fd(5)).
            let writes = || entry.metadata().is_ok_and(|m| m.permissions().mode() & 0o200 != 0);
            out.links.extend(number.zip(to).map(|(number, to)| (number, link(&to.to_string_lossy(), writes))));
        }
        out
    }

    /// What some descriptors are. Their sockets are looked for in the tables until all are found, or there is
    /// no more time.
    #[must_use]
    pub fn describe(self, wanted: &HashSet<i64>, until: Instant) -> HashMap<i64, Described> {
        let inode = |fd: &i64| match self.links.get(fd)? {
            Link::Socket(inode) => Some(*inode),
            _ => None,
        };
        let mut missing: HashSet<u64> = wanted.iter().filter_map(inode).collect();
        let mut sockets = HashMap::new();
        for (form, file) in self.tables {
            search(file, form, &mut missing, &mut sockets, until);
        }
        let ends: HashSet<(u64, bool)> = self.links.values().filter_map(Link::end_of_pipe).collect();
        let of = |fd: &i64| {
            let link = self.links.get(fd)?;
            let peer_within = link.end_of_pipe().is_some_and(|(inode, writes)| ends.contains(&(inode, !writes)));
            let (what, socket) = match link {
                Link::Socket(inode) => match sockets.get(inode) {
                    Some((form, socket)) => (form.name().to_owned(), Some(Socket::clone(socket))),
                    None => ("socket".to_owned(), None),
                },
                Link::Pipe { .. } => ("pipe".to_owned(), None),
                Link::File => ("file".to_owned(), None),
                Link::Other(name) => (name.clone(), None),
            };
            Some((*fd, Described { what, socket, peer_within }))
        };
        wanted.iter().filter_map(of).collect()
    }
}

impl Link {
    /// Of an end of a pipe: its inode, and whether it is written to.
    fn end_of_pipe(&self) -> Option<(u64, bool)> {
        match self {
            Self::Pipe { inode, writes } => Some((*inode, *writes)),
            _ => None,
        }
    }
}

/// What the text of a link says: `socket:[4711]`, `pipe:[4712]`, `anon_inode:[eventfd]`, a path; `writes`
/// tells whether it is open for writing.
fn link(text: &str, writes: impl Fn() -> bool) -> Link {
    let inode = |kind: &str| text.strip_prefix(kind)?.strip_suffix(']')?.parse::<u64>().ok();
    if let Some(inode) = inode("socket:[") {
        return Link::Socket(inode);
    }
    if let Some(inode) = inode("pipe:[") {
        return Link::Pipe { inode, writes: writes() };
    }
    match text.strip_prefix("anon_inode:") {
        Some(name) => {
            let name = name.trim_matches(['[', ']']);
            Link::Other(name.chars().filter(char::is_ascii_graphic).take(32).collect())
        }
        None => Link::File,
    }
}

/// Looks for sockets in a table, line by line, until none is missing.
fn search(
    mut file: impl std::io::Read,
    form: Form,
    missing: &mut HashSet<u64>,
    found: &mut HashMap<u64, (Form, Socket)>,
    until: Instant,
) {
    let mut buffer = vec![0; AT_ONCE];
    // The beginning of a line whose end is not read yet.
    let mut rest: Vec<u8> = Vec::new();
    let mut read = 0;
    while !missing.is_empty() && read < MAX_TABLE && Instant::now() < until {
        let n = match file.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => n,
        };
        read += n;
        for piece in buffer.get(..n).unwrap_or_default().split_inclusive(|b| *b == b'\n') {
            if rest.len() + piece.len() <= MAX_LINE {
                rest.extend_from_slice(piece);
            }
            if !piece.ends_with(b"\n") {
                continue;
            }
            let parsed = std::str::from_utf8(&rest).ok().and_then(|text| line(text, form));
            if let Some((inode, socket)) = parsed.filter(|(inode, _)| missing.remove(inode)) {
                found.insert(inode, (form, socket));
            }
            rest.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn links() {
        let link = |text: &str| link(text, || true);
        assert_eq!(link("socket:[4711]"), Link::Socket(4711));
        assert_eq!(link("pipe:[1]"), Link::Pipe { inode: 1, writes: true });
        assert_eq!(link("anon_inode:[eventpoll]"), Link::Other("eventpoll".into()));
        assert_eq!(link("anon_inode:inotify"), Link::Other("inotify".into()));
        for path in ["/dev/null", "socket:[x]", "socket:[1", "", "/a/socket:[1]"] {
            assert_eq!(link(path), Link::File, "{path}");
        }
    }

    #[test]
    fn our_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, peer) = listener.accept().unwrap();
        std::io::Write::write_all(&mut server, b"nobody reads this").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (unix, _other) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let fds: Vec<i64> =
            [listener.as_raw_fd(), client.as_raw_fd(), udp.as_raw_fd(), unix.as_raw_fd(), file.as_raw_fd(), 99_999]
                .map(i64::from)
                .to_vec();
        let open = OpenDescriptors::read(std::process::id() as i32, soon());
        let all = open.describe(&fds.iter().copied().collect(), soon());
        let of = |i: usize| all.get(&fds[i]).cloned();
        let listening = of(0).unwrap();
        assert_eq!((listening.what.as_str(), listening.socket.unwrap().state), ("tcp", "LISTEN"));
        let connected = of(1).unwrap().socket.unwrap();
        assert_eq!(connected.local, peer.to_string());
        assert_eq!(connected.peer, listener.local_addr().unwrap().to_string());
        assert_eq!((connected.state, connected.receive_queue), ("ESTAB", Some(17)));
        let datagrams = of(2).unwrap();
        let local = udp.local_addr().unwrap().to_string();
        assert_eq!((datagrams.what.as_str(), datagrams.socket.unwrap().local), ("udp", local));
        assert_eq!((of(3).unwrap().what.as_str(), of(4).unwrap().what.as_str()), ("unix", "file"));
        assert_eq!(of(5), None);
        // A pipe of which both ends are ours, and one of which the other end is closed.
        let (ours, alone) = (std::io::pipe().unwrap(), std::io::pipe().unwrap().0);
        let ends = [ours.0.as_raw_fd(), ours.1.as_raw_fd(), alone.as_raw_fd()].map(i64::from);
        let open = OpenDescriptors::read(std::process::id() as i32, soon());
        let all = open.describe(&ends.into(), soon());
        let within = ends.map(|fd| all.get(&fd).map(|d| (d.what.as_str(), d.peer_within)));
        assert_eq!(within, [Some(("pipe", true)), Some(("pipe", true)), Some(("pipe", false))]);
        assert_eq!(OpenDescriptors::read(-1, soon()).describe(&fds.into_iter().collect(), soon()), HashMap::new());
    }

    #[test]
    fn a_table_of_anything_is_searched_to_its_end_and_no_further() {
        let good =
            "   1: 0100007F:1F90 0100007F:C350 01 00000002:00000003 00:00000000 00000000     0        0 77 1 0\n";
        let noise = [&b"\xff\xfe\n\0\0\n"[..], &[b'x'; 3 * MAX_LINE], b"\n", good.as_bytes()].concat();
        let mut found = HashMap::new();
        let mut missing: HashSet<u64> = [77, 78].into();
        search(Cursor::new(&noise), Form::Tcp, &mut missing, &mut found, soon());
        assert_eq!((found.len(), missing.len()), (1, 1));
        assert_eq!(found[&77].1.peer, "127.0.0.1:50000");
        // A table without end, in which nothing is.
        let (mut found, mut missing) = (HashMap::new(), HashSet::from([1]));
        search(std::io::repeat(b'\n'), Form::Tcp, &mut missing, &mut found, soon());
        search(std::io::repeat(b'0'), Form::Tcp, &mut missing, &mut found, Instant::now());
        assert!(found.is_empty());
    }
}
