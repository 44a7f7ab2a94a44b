//! Executables that lie about themselves, as any user of a machine may make them: sparse files whose tables
//! take gigabytes, and such whose headers stand where their storage does not answer.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::silent_storage::Silent;

/// A mebibyte.
pub const MIB: u64 = 1 << 20;
/// Where the sparse parts of files begin.
pub const HOLE: u64 = MIB;

/// A section: name, type, where in the file, how long.
pub type Row = (&'static str, u32, u64, u64);

/// pause(); again.
const CODE: [u8; 9] = [0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = file.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// Header and one segment of a program that sleeps for ever: `halves` and `longs` are fields beside those.
fn head(file: &mut [u8], table: u64, count: u16, names: u16) {
    put(file, 0, b"\x7fELF\x02\x01\x01");
    // e_type, e_machine, e_version, e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx.
    for (at, value) in [(16, 2u16), (18, 62), (20, 1), (52, 64), (54, 56), (56, 1), (58, 64), (60, count), (62, names)]
    {
        put(file, at, &value.to_le_bytes());
    }
    // e_entry, e_phoff, e_shoff.
    for (at, value) in [(24, 0x40_0078u64), (32, 64), (40, table)] {
        put(file, at, &value.to_le_bytes());
    }
    // One segment: p_type, p_flags, p_vaddr, p_filesz, p_memsz, p_align.
    put(file, 64, &[1, 0, 0, 0, 5, 0, 0, 0]);
    for (at, value) in [(80, 0x40_0000u64), (96, 0x90), (104, 0x90), (112, 4096)] {
        put(file, at, &value.to_le_bytes());
    }
    put(file, 120, &CODE);
}

/// An executable that sleeps for ever, with sections that say what is wanted; `count` of them, if that is not
/// how many there are.
#[must_use]
pub fn executable(sections: &[Row], count: Option<u64>) -> Vec<u8> {
    let (mut names, mut rows) = (vec![0u8], vec![(0usize, 0u32, 0u64, count.unwrap_or(0))]);
    for (name, kind, at, len) in sections {
        rows.push((names.len(), *kind, *at, *len));
        names.extend(name.as_bytes().iter().chain(&[0]));
    }
    let named = 256;
    rows.push((0, 3, named, names.len() as u64));
    let table = named + names.len() as u64;
    let mut file = vec![0u8; named as usize];
    head(&mut file, table, if count.is_some() { 0 } else { rows.len() as u16 }, rows.len() as u16 - 1);
    file.extend(&names);
    for (name, kind, at, len) in rows {
        let mut row = [0u8; 64];
        put(&mut row, 0, &(name as u32).to_le_bytes());
        put(&mut row, 4, &kind.to_le_bytes());
        put(&mut row, 24, &at.to_le_bytes());
        put(&mut row, 32, &len.to_le_bytes());
        file.extend(row);
    }
    file
}

/// The same with so many segments of a gigabyte over one hole, and Go's build information.
#[must_use]
pub fn of_many_segments(count: u16) -> (Vec<u8>, u64) {
    let table = 8192u64;
    let segments = 64u64 * 1024;
    let info = build_info();
    let rows = [(".go.buildinfo", 1, 4096, info.len() as u64)];
    let mut file = vec![0; (segments + u64::from(count) * 56) as usize];
    let small = executable(&rows, None);
    put(&mut file, table as usize, small.get(256..).unwrap_or_default());
    head(&mut file, 0, rows.len() as u16 + 2, rows.len() as u16 + 1);
    // Tables moved with what stands before them: names, then rows.
    let names = small.len() as u64 - 256 - 64 * (rows.len() as u64 + 2);
    put(&mut file, 40, &(table + names).to_le_bytes());
    let last = (table + names) as usize + 64 * (rows.len() + 1);
    put(&mut file, last + 24, &table.to_le_bytes());
    put(&mut file, 4096, &info);
    put(&mut file, 32, &segments.to_le_bytes());
    put(&mut file, 56, &count.to_le_bytes());
    let hole = 1u64 << 30;
    for n in 0..u64::from(count) {
        let at = (segments + n * 56) as usize;
        let (address, size, offset) = if n == 0 { (0x40_0000, 0x90, 0) } else { (0x1_0000_0000 * n, 1 << 30, hole) };
        put(&mut file, at, &[1, 0, 0, 0, if n == 0 { 5 } else { 4 }, 0, 0, 0]);
        for (skip, value) in [(8, offset), (16, address), (32, size), (40, size), (48, 4096u64)] {
            put(&mut file, at + skip, &value.to_le_bytes());
        }
    }
    (file, hole + (1 << 30))
}

/// Build information of a Go program, in the form of Go 1.18 and later.
#[must_use]
pub fn build_info() -> Vec<u8> {
    [b"\xff Go buildinf:\x08\x02".as_slice(), &[0; 16], b"\x08go1.22.5\x00"].concat()
}

/// Build information of so many lines.
#[must_use]
pub fn long_build_info(lines: usize) -> Vec<u8> {
    let text = ["0123456789abcdef", &"build\tkey=value\n".repeat(lines), "0123456789abcdef"].concat();
    let mut info = build_info();
    info.pop();
    let mut len = text.len();
    while len >= 0x80 {
        info.push(len as u8 | 0x80);
        len >>= 7;
    }
    info.push(len as u8);
    info.extend(text.as_bytes());
    info
}

/// Where storage stops to answer.
const SILENT: u64 = 4 * MIB;

/// An executable that sleeps for ever, whose section headers stand where its storage does not answer: it can
/// be run, and not be looked at.
#[must_use]
pub fn silent_executable() -> Silent {
    let mut file = vec![0u8; 2 * SILENT as usize];
    head(&mut file, SILENT + 4096, 4, 3);
    Silent { bytes: file, silent_from: SILENT }
}

/// Writes a sparse file of that length that can be run.
///
/// # Errors
/// The system's error.
pub fn sparse(path: &Path, head: &[u8], more: &[(u64, &[u8])], len: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(path)?;
    file.write_all_at(head, 0)?;
    for (at, bytes) in more {
        file.write_all_at(bytes, *at)?;
    }
    file.set_len(len)
}
