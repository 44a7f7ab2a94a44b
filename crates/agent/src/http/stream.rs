//! Where pages are served, and the connections that come there: an address of IP, or a socket of the file
//! system, which the right to open a file guards.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

/// What an address of the file system begins with.
const UNIX: &str = "unix:";
/// Longest path of a socket, in bytes (unix(7), `sun_path` without its last zero).
const MAX_PATH: usize = 107;
/// Rights of a socket: of its owner, and of the group that its folder gives it.
const MODE: u32 = 0o660;

/// An address that pages are served at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Of IP, with a port.
    Ip(SocketAddr),
    /// A socket of the file system.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix(UNIX) else {
            let why = format!(
                "{text:?} is no address with a port: write 127.0.0.1:9464, unix:/run/lastgasp/http.sock, or \"off\""
            );
            return text.parse().map(Self::Ip).map_err(|_| why);
        };
        if !path.starts_with('/') || path.len() > MAX_PATH || path.ends_with('/') {
            return Err(format!(
                "{text:?}: the path of a socket is absolute, {MAX_PATH} bytes at most (unix:/run/lastgasp/http.sock)"
            ));
        }
        Ok(Self::Unix(path.into()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl Address {
    /// Whether whoever reaches it from other machines is served.
    pub(crate) fn is_of_this_machine(&self) -> bool {
        match self {
            Self::Ip(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// Listens at an address.
#[derive(Debug)]
pub(super) enum Listener {
    Ip(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Begins to listen; gives where, as a port may have been 0.
    ///
    /// # Errors
    /// The address is not ours, or in use.
    pub(super) fn bind(address: &Address) -> io::Result<(Self, Address)> {
        match address {
            Address::Ip(ip) => {
                let listener = TcpListener::bind(ip)?;
                let bound = Address::Ip(listener.local_addr()?);
                Ok((Self::Ip(listener), bound))
            }
            Address::Unix(path) => {
                remove_unheard(path)?;
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
                Ok((Self::Unix(listener), address.clone()))
            }
        }
    }

    /// The next connection.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Ip(listener) => listener.accept().map(|(stream, _)| Stream::Ip(stream)),
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

/// Removes the socket of a predecessor that has ended. One at which somebody listens, and what is no socket,
/// stays.
fn remove_unheard(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let unheard = || UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
    if is_socket && unheard() { std::fs::remove_file(path) } else { Ok(()) }
}

/// Whose connection it is, as far as connections are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Who has this address. All programs of a machine are one by loopback.
    Ip(IpAddr),
    /// A user of this machine.
    User(u32),
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Ip(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Whose it is; `None` of one that is gone already.
    pub(super) fn peer(&self) -> Option<Peer> {
        match self {
            Self::Ip(stream) => stream.peer_addr().ok().map(|address| Peer::Ip(address.ip())),
            Self::Unix(stream) => getsockopt(stream, PeerCredentials).ok().map(|who| Peer::User(who.uid())),
        }
    }

    /// Its address: of the file system's sockets that of this machine.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(stream) => stream.peer_addr().ok().map(|address| address.ip()),
            Self::Unix(_) => Some(Ipv4Addr::LOCALHOST.into()),
        }
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Ip(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        }
    }

    pub(super) fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        match self {
            Self::Ip(stream) => stream.set_read_timeout(Some(time)),
            Self::Unix(stream) => stream.set_read_timeout(Some(time)),
        }
    }

    pub(super) fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        match self {
            Self::Ip(stream) => stream.set_write_timeout(Some(time)),
            Self::Unix(stream) => stream.set_write_timeout(Some(time)),
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Ip(stream) => (&*stream).read(buf),
            Stream::Unix(stream) => (&*stream).read(buf),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Ip(stream) => (&*stream).write(buf),
            Stream::Unix(stream) => (&*stream).write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_they_say() {
        let parsed = |text: &str| text.parse::<Address>();
        assert_eq!(parsed("127.0.0.1:1").unwrap().to_string(), "127.0.0.1:1");
        assert_eq!(parsed("unix:/run/a b.sock").unwrap(), Address::Unix("/run/a b.sock".into()));
        assert!(
            parsed("unix:/run/x").unwrap().is_of_this_machine() && parsed("[::1]:80").unwrap().is_of_this_machine()
        );
        assert!(!parsed("0.0.0.0:80").unwrap().is_of_this_machine());
        let long = format!("unix:/{}", "x".repeat(MAX_PATH));
        for wrong in ["localhost", "127.0.0.1", "unix:run/x", "unix:", "unix:/run/", long.as_str()] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    /// That of a predecessor is removed; of one that lives, and a file of another kind, are not.
    #[test]
    fn a_socket_that_nobody_hears_at_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| Address::Unix(folder.path().join(name));
        let (first, _) = Listener::bind(&at("a")).unwrap();
        let mode = std::fs::metadata(folder.path().join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        assert_eq!(Listener::bind(&at("a")).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(Listener::bind(&at("a")).is_ok());
        std::fs::write(folder.path().join("b"), "mine").unwrap();
        assert!(Listener::bind(&at("b")).is_err());
        assert_eq!(std::fs::read(folder.path().join("b")).unwrap(), b"mine");
    }
}
