//! Memory mappings of a process: `/proc/PID/maps` (kernel: `Documentation/filesystems/proc.rst`).

use crate::addr::{Addr, AddrRange};

/// One line of `/proc/PID/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Addresses in the process, whole pages.
    pub range: AddrRange,
    /// Whether it can be read.
    pub readable: bool,
    /// Whether it can be written.
    pub writable: bool,
    /// Whether it holds code.
    pub executable: bool,
    /// Offset in the file.
    pub offset: u64,
    /// Inode of the file; 0 for anonymous memory.
    pub inode: u64,
    /// Path, or a name in brackets, or empty.
    pub path: String,
}

/// Parses `/proc/PID/maps`; lines that make no sense are left out.
#[must_use]
pub fn parse_maps(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let perms = fields.next()?.as_bytes();
    let offset = u64::from_str_radix(fields.next()?, 16).ok()?;
    let _device = fields.next()?;
    let inode = fields.next()?.parse().ok()?;
    let hex = |s| u64::from_str_radix(s, 16).ok().map(Addr);
    Some(Mapping {
        range: AddrRange { start: hex(start)?, end: hex(end)? },
        readable: perms.first() == Some(&b'r'),
        writable: perms.get(1) == Some(&b'w'),
        executable: perms.get(2) == Some(&b'x'),
        offset,
        inode,
        path: fields.next().unwrap_or("").trim_start().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_an_anonymous_and_a_named_line() {
        let maps = parse_maps(
            "00400000-00556000 r-xp 00001000 fe:00 1234                               /usr/bin/with space\n\
             c000000000-c000400000 rw-p 00000000 00:00 0 \n\
             7ffd4c1e9000-7ffd4c20a000 rw-p 00000000 00:00 0                          [stack]\nnonsense\n",
        );
        assert_eq!(maps.len(), 3);
        assert_eq!(maps[0].path, "/usr/bin/with space");
        assert!(maps[0].executable && !maps[0].writable);
        assert_eq!(maps[1].range.len(), 0x40_0000);
        assert_eq!(maps[1].path, "");
        assert_eq!(maps[2].path, "[stack]");
    }
}
