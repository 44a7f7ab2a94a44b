//! A line of the kernel's tables of sockets. Source: `net/ipv4/tcp_ipv4.c` (`get_tcp4_sock`), `net/ipv6`,
//! `net/unix/af_unix.c` (`unix_seq_show`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which of the tables it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Tcp,
    Udp,
    Unix,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Unix => "unix",
        }
    }
}

/// A socket, as the kernel has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Socket {
    /// Its own address and port, or path.
    pub local: String,
    /// The other end's; empty where there is none.
    pub peer: String,
    /// State of a TCP connection, as `ss` spells it; empty of all others.
    pub state: &'static str,
    /// Bytes that were received and not read; absent of one that listens, and of `unix`.
    pub receive_queue: Option<u64>,
    /// Bytes that the peer has not acknowledged.
    pub send_queue: Option<u64>,
}

/// States by number (`net/tcp_states.h`), as `ss` spells them.
const STATES: [&str; 13] = [
    "",
    "ESTAB",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "UNCONN",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "SYN-RECV",
];
/// Of one that listens queues are of connections and not of bytes.
const LISTENS: usize = 10;
/// Longest path of a socket (`sun_path`).
const MAX_PATH: usize = 108;

/// Inode and socket of a line; `None` for the head of the table, and for what is none.
pub(super) fn line(text: &str, form: Form) -> Option<(u64, Socket)> {
    match form {
        Form::Unix => unix(text),
        Form::Tcp | Form::Udp => internet(text, form),
    }
}

/// `sl: local remote state tx:rx timer:when retransmits uid timeout inode ...`
fn internet(text: &str, form: Form) -> Option<(u64, Socket)> {
    let mut fields = text.split_ascii_whitespace().skip(1);
    let (local, peer) = (address(fields.next()?)?, address(fields.next()?)?);
    let state = usize::from_str_radix(fields.next()?, 16).ok()?;
    let (sent, received) = fields.next()?.split_once(':')?;
    let queue = |hex: &str| u64::from_str_radix(hex, 16).ok().filter(|_| form == Form::Udp || state != LISTENS);
    let inode: u64 = fields.nth(4)?.parse().ok()?;
    let state = if form == Form::Tcp { STATES.get(state).copied().unwrap_or_default() } else { "" };
    let socket = Socket {
        local: local.to_string(),
        peer: if peer.port() == 0 { String::new() } else { peer.to_string() },
        state,
        receive_queue: queue(received),
        send_queue: queue(sent),
    };
    (inode != 0).then_some((inode, socket))
}

/// `0100007F:1F90`: words of the address as the processor has them, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !address.is_ascii() {
        return None;
    }
    let mut bytes = [0; 16];
    let words = address.as_bytes().chunks(8);
    let count = words.len();
    for (word, out) in words.zip(bytes.chunks_exact_mut(4)) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        out.copy_from_slice(&word.to_ne_bytes());
    }
    let ip = match (address.len(), count) {
        (8, 1) => {
            let [a, b, c, d, ..] = bytes;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        // One of IPv4 in a socket of both is shown as what it is, as Go does.
        (32, 4) => Ipv6Addr::from(bytes).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// `num: references protocol flags type state inode path`
fn unix(text: &str) -> Option<(u64, Socket)> {
    let mut rest = text.trim_end_matches('\n').split_once(": ")?.1;
    let mut next = || {
        let trimmed = rest.trim_start_matches(' ');
        let (field, behind) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
        rest = behind;
        (!field.is_empty()).then_some(field)
    };
    for _ in 0..5 {
        u64::from_str_radix(next()?, 16).ok()?;
    }
    let inode: u64 = next()?.parse().ok()?;
    // A path may have blanks, and anything else.
    let local = rest.trim_start_matches(' ').chars().filter(|c| !c.is_control()).take(MAX_PATH).collect();
    (inode != 0).then_some((inode, Socket { local, ..Socket::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_both_families() {
        let v4 =
            " 12: 0100007F:1F90 0200A8C0:C350 01 0000000A:00000010 01:00000014 00000000  1000        0 4711 2 x 20";
        let want = Socket {
            local: "127.0.0.1:8080".into(),
            peer: "192.168.0.2:50000".into(),
            state: "ESTAB",
            receive_queue: Some(16),
            send_queue: Some(10),
        };
        assert_eq!(line(v4, Form::Tcp), Some((4711, want)));
        let v6 = "  0: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A \
                  00000000:00000005 00:00000000 00000000     0        0 9 1";
        let (inode, listens) = line(v6, Form::Tcp).unwrap();
        assert_eq!((inode, listens.local.as_str(), listens.peer.as_str()), (9, "[::1]:443", ""));
        assert_eq!((listens.state, listens.receive_queue), ("LISTEN", None));
        let mapped = "  0: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000100007F:C350 08 \
                      00000000:00000000 00:00000000 00000000     0        0 9 1";
        let (_, mapped) = line(mapped, Form::Tcp).unwrap();
        assert_eq!((mapped.local.as_str(), mapped.state), ("127.0.0.1:80", "CLOSE-WAIT"));
        let udp = " 12: 0100007F:1F90 00000000:0000 07 00000000:00000010 00:00000000 00000000  0 0 5 2 x 0";
        let (_, udp) = line(udp, Form::Udp).unwrap();
        assert_eq!((udp.state, udp.receive_queue, udp.peer.as_str()), ("", Some(16), ""));
    }

    #[test]
    fn of_paths() {
        let bound = "ffff888: 00000002 00000000 00010000 0001 01 21456 /run/a service.sock\n";
        let (inode, socket) = line(bound, Form::Unix).unwrap();
        assert_eq!((inode, socket.local.as_str()), (21456, "/run/a service.sock"));
        let nameless = "ffff888: 00000003 00000000 00000000 0001 03 7\n";
        assert_eq!(line(nameless, Form::Unix), Some((7, Socket::default())));
        let control = "f: 00000003 00000000 00000000 0001 03 7 @a\u{1b}[31mb\n";
        assert_eq!(line(control, Form::Unix).unwrap().1.local, "@a[31mb");
    }

    #[test]
    fn what_is_no_line_is_none() {
        for text in [
            "",
            "\n",
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            "Num       RefCount Protocol Flags    Type St Inode Path",
            "0: 0100007F:1F90",
            "0: 0100007F:1F90 0100007F:1F90 01 1 00:0 0 0 0 5",
            "0: 0100007:1F90 0100007F:1F90 01 0:0 00:0 0 0 0 5",
            "0: äö00007F:1F90 0100007F:1F90 01 0:0 00:0 0 0 0 5",
            "0: 01000\u{e4}7:1F90 0100007F:1F90 01 0:0 00:0 0 0 0 5",
            "0: 0100007F:1F90F 0100007F:1F90 01 0:0 00:0 0 0 0 5",
            "0: 0100007F:1F90 0100007F:1F90 01 0:0 00:0 0 0 0 99999999999999999999999",
            "0: 0100007F:1F90 0100007F:1F90 01 0:0 00:0 0 0 0 0",
            "x 1 2 3 4 5 6",
        ] {
            assert_eq!(line(text, Form::Tcp), None, "{text}");
            assert_eq!(line(text, Form::Unix).map(|(inode, _)| inode), None, "{text}");
        }
        // A state that nobody knows.
        let odd = "0: 0100007F:1F90 0100007F:1F90 FF 0:0 00:0 0 0 0 5";
        assert_eq!(line(odd, Form::Tcp).unwrap().1.state, "");
    }
}
