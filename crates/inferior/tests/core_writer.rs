//! Core files that we write: read back by our own reader, page for page, and by gdb.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use lastgasp_inferior::{
    Access, Addr, AddrRange, Arch, Bounds, CoreFile, CoreMapping, CoreProcess, CoreWriter, Cut, GeneralRegisters,
    Mapping, Memory, ReadCause, ReadError, Snapshot, ThreadRegisters,
};
use proptest::prelude::*;

const PAGE: u64 = 4096;
const BASE: u64 = 0xc0_0000_0000;

const NOBODY: CoreProcess<'static> =
    CoreProcess { arch: Arch::Amd64, pid: 0, name: "", threads: &[], auxv: &[], mappings: &[] };

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Page {
    Absent,
    Zeros,
    Data(u8),
}

/// Pages from [`BASE`] on.
struct Pages(Vec<Page>);

impl Pages {
    fn byte(&self, at: u64) -> Option<u8> {
        match self.0.get((at.checked_sub(BASE)? / PAGE) as usize)? {
            Page::Absent => None,
            Page::Zeros => Some(0),
            // Never zero, and another one at every place.
            Page::Data(seed) => Some((at as u8).wrapping_mul(31).wrapping_add(*seed) | 1),
        }
    }
}

impl Memory for Pages {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        for (at, b) in (addr.0..).zip(buf.iter_mut()) {
            *b = self.byte(at).ok_or(error)?;
        }
        Ok(())
    }
}

fn temporary() -> File {
    tempfile::tempfile().unwrap()
}

fn write(memory: &dyn Memory, ranges: &[AddrRange], process: &CoreProcess<'_>, own: &[(u32, &[u8])]) -> File {
    let mut w = CoreWriter::begin(temporary()).unwrap();
    for r in ranges {
        w.add(*r, Access::ReadWrite, memory, Bounds::NONE).unwrap();
    }
    w.finish(process, own).unwrap()
}

fn range(start: u64, len: u64) -> AddrRange {
    AddrRange::sized(Addr(start), len)
}

fn page() -> impl Strategy<Value = Page> {
    prop_oneof![Just(Page::Absent), Just(Page::Zeros), any::<u8>().prop_map(Page::Data)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Whatever lies where, in whatever order it is added, on page borders or beside them: what was there is
    /// there, byte for byte, and what was absent is absent.
    #[test]
    fn what_was_held_is_held_and_nothing_else(
        pages in proptest::collection::vec(page(), 1..24),
        cuts in proptest::collection::btree_set(0u64..24 * PAGE, 0..8),
        skip in proptest::collection::vec(any::<bool>(), 9),
        backwards in any::<bool>(),
    ) {
        let len = pages.len() as u64 * PAGE;
        let memory = Pages(pages);
        let mut borders: Vec<u64> = [0].into_iter().chain(cuts.into_iter().filter(|c| *c < len)).chain([len]).collect();
        borders.dedup();
        let mut ranges: Vec<AddrRange> = borders
            .windows(2)
            .zip(skip)
            .filter(|(_, skip)| !skip)
            .map(|(w, _)| range(BASE + w[0], w[1] - w[0]))
            .collect();
        if backwards {
            ranges.reverse();
        }
        let process = CoreProcess { pid: 77, ..NOBODY };
        let file = write(&memory, &ranges, &process, &[(5, b"note")]);
        // A part of a page that is asked for is held if it can be read, so `expected` goes by bytes.
        let expected = |at: u64| memory.byte(at).filter(|_| ranges.iter().any(|r| r.contains(Addr(at))));
        match CoreFile::open(file, "written") {
            Ok(core) => {
                for at in (BASE..BASE + len + PAGE).step_by(61).chain(borders.iter().flat_map(|b| [BASE + b, BASE + b + PAGE - 1])) {
                    prop_assert_eq!(core.u8(Addr(at)).ok(), expected(at), "{:#x}", at);
                }
                prop_assert_eq!((core.missing(), core.left_out()), (0, 0));
                prop_assert_eq!(core.own_note(5), Some(b"note".to_vec()));
            }
            Err(_) => prop_assert!((BASE..BASE + len).all(|at| expected(at).is_none())),
        }
    }
}

#[test]
fn what_was_never_touched_is_zeros_and_takes_no_room() {
    let memory = Pages(vec![Page::Data(3), Page::Absent, Page::Absent, Page::Data(4)]);
    let mut w = CoreWriter::begin(tempfile::tempfile().unwrap()).unwrap();
    // A packed piece, of which no hole can be a part; then pages, with what was never touched between them.
    for r in [range(BASE - 64, 64), range(BASE, PAGE)] {
        w.add(r, Access::ReadWrite, &Pages(vec![Page::Data(3)]), Bounds::NONE).unwrap();
    }
    let gap = 1 << 30;
    w.add_zeros(range(BASE + PAGE, 2 * PAGE), Access::ReadWrite);
    w.add(range(BASE + 3 * PAGE, PAGE), Access::ReadWrite, &memory, Bounds::NONE).unwrap();
    w.add_zeros(range(BASE + 4 * PAGE, gap), Access::ReadWrite);
    w.add_zeros(range(BASE + 5 * PAGE + gap, 100), Access::ReadWrite);
    assert_eq!(w.written(), 2 * PAGE);
    let file = w.finish(&NOBODY, &[]).unwrap();
    assert!(file.metadata().unwrap().blocks() * 512 < 64 << 10);
    let core = CoreFile::open(file, "written").unwrap();
    let byte = |at: u64| core.u8(Addr(BASE + at)).ok();
    assert_eq!([byte(9), byte(PAGE), byte(3 * PAGE - 1)], [memory.byte(BASE + 9), Some(0), Some(0)]);
    assert_eq!(byte(3 * PAGE + 5), memory.byte(BASE + 3 * PAGE + 5));
    assert_eq!([byte(4 * PAGE), byte(4 * PAGE + gap - 1), byte(4 * PAGE + gap)], [Some(0), Some(0), None]);
    assert_eq!(byte(5 * PAGE + gap), None, "no whole page");
}

#[test]
fn threads_files_names_and_notes_come_back() {
    let mut general = GeneralRegisters::default();
    general.iter_mut().take(15).zip(1..).for_each(|(register, word)| *register = word);
    let threads = [
        ThreadRegisters::at(80, Addr(0x7000), Addr(0x40_1000)),
        ThreadRegisters { general: Some(general), ..ThreadRegisters::at(77, Addr(0x8000), Addr(0x40_2000)) },
    ];
    let mapping = |start: u64, len: u64, offset, path: &str| Mapping {
        range: range(start, len),
        readable: true,
        writable: false,
        executable: true,
        offset,
        inode: u64::from(!path.is_empty()),
        path: path.to_owned(),
    };
    let maps = [
        mapping(0x40_0000, 0x1000, 0, "/bin/service"),
        mapping(0x40_1000, 0x2000, 0x1000, "/bin/service"),
        mapping(BASE, PAGE, 0, ""),
        mapping(0x7f00_0000_0000, 0x2000, 0, "/lib/libc.so.6"),
    ];
    let auxv: Vec<u8> = [9u64, 0x40_1234, 0, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
    let process =
        CoreProcess { arch: Arch::Amd64, pid: 77, name: "service", threads: &threads, auxv: &auxv, mappings: &maps };
    let big = vec![7; (1 << 20) + 3];
    let memory = Pages(vec![Page::Data(1)]);
    let file = write(&memory, &[range(BASE, PAGE)], &process, &[(1, b"{}"), (2, &big), (3, b"")]);
    let core = CoreFile::open(file, "written").unwrap();
    assert_eq!(core.pid(), 77);
    assert_eq!(
        core.threads().iter().map(|t| (t.tid, t.sp, t.pc)).collect::<Vec<_>>(),
        [(77, Addr(0x8000), Addr(0x40_2000)), (80, Addr(0x7000), Addr(0x40_1000))]
    );
    assert_eq!(core.threads().iter().map(|t| t.general).collect::<Vec<_>>(), [Some(general), None]);
    assert_eq!(core.executable(), Some(&CoreMapping { start: Addr(0x40_0000), path: "/bin/service".into() }));
    assert_eq!(core.mapped_files().len(), 2);
    assert_eq!(core.own_note(1).unwrap(), b"{}");
    assert_eq!(core.own_note(2).unwrap(), big);
    assert_eq!(core.own_note(3).unwrap(), b"");
    assert_eq!(core.own_note(4), None);
}

/// A gigabyte of zeros is not written, and neither is it kept in memory.
#[test]
fn zeros_are_holes() {
    let mut pages = vec![Page::Zeros; (256 << 20) / PAGE as usize];
    pages[7] = Page::Data(3);
    let memory = Zeroed(Pages(pages));
    let file = write(&memory, &[range(BASE, 256 << 20)], &NOBODY, &[]);
    let meta = file.metadata().unwrap();
    assert!(meta.len() > 256 << 20);
    assert!(meta.blocks() * 512 < 1 << 20, "{} bytes on disk", meta.blocks() * 512);
    let core = CoreFile::open(file, "written").unwrap();
    assert_eq!(core.ranges().count(), 1);
    assert_eq!(core.u64(Addr(BASE + (255 << 20))).unwrap(), 0);
    assert_eq!(core.u8(Addr(BASE + 7 * PAGE + 9)).ok(), memory.0.byte(BASE + 7 * PAGE + 9));
}

/// As [`Pages`], quick where all is zero.
struct Zeroed(Pages);

impl Memory for Zeroed {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        if addr.0 > BASE + (1 << 20) {
            buf.fill(0);
            return Ok(());
        }
        self.0.read(addr, buf)
    }
}

/// More than 65,535 segments: their number stands in a section header.
#[test]
fn many_segments() {
    let count = 70_000u64;
    let mut snapshot = Snapshot::default();
    (0..count).for_each(|i| snapshot.insert(Addr(BASE + i * 32), &i.to_le_bytes()));
    snapshot.seal();
    let ranges: Vec<AddrRange> = (0..count).map(|i| range(BASE + i * 32, 8)).collect();
    let file = write(&snapshot, &ranges, &NOBODY, &[]);
    assert!(file.metadata().unwrap().len() < 8 << 20, "small pieces are packed");
    let core = CoreFile::open(file, "written").unwrap();
    assert_eq!(core.ranges().count() as u64, count);
    assert_eq!(core.u64(Addr(BASE + 69_999 * 32)).unwrap(), 69_999);
    assert!(core.u8(Addr(BASE + 69_999 * 32 + 8)).is_err());
}

#[test]
fn a_bound_and_a_word_from_the_caller_end_it() {
    let memory = Pages(vec![Page::Data(1); 1024]);
    let mut w = CoreWriter::begin(temporary()).unwrap();
    let bounds = Bounds { max_bytes: 64 * PAGE, ..Bounds::NONE };
    let added = w.add(range(BASE, 16 * PAGE), Access::Read, &memory, bounds).unwrap();
    assert_eq!((added.held, added.absent, added.cut), (16 * PAGE, 0, None));
    let added = w.add(range(BASE + 64 * PAGE, 1024 * PAGE), Access::Read, &memory, bounds).unwrap();
    assert_eq!(added.cut, Some(Cut::Full));
    assert!(w.written() <= 64 * PAGE);
    let file = w.finish(&NOBODY, &[]).unwrap();
    let core = CoreFile::open(file, "written").unwrap();
    assert_eq!(core.u8(Addr(BASE)).ok(), memory.byte(BASE));

    let asked = Cell::new(0);
    let twice = || {
        asked.set(asked.get() + 1);
        asked.get() <= 2
    };
    let mut w = CoreWriter::begin(temporary()).unwrap();
    let added =
        w.add(range(BASE, 1024 * PAGE), Access::Read, &memory, Bounds { go_on: &twice, ..Bounds::NONE }).unwrap();
    assert_eq!((added.held, added.cut), (2 << 20, Some(Cut::Told)));
}

/// Until its last byte is written it is no core, however much of it is there.
#[test]
fn one_that_was_not_finished_is_no_core() {
    let memory = Pages(vec![Page::Data(1); 8]);
    let mut file = temporary();
    let mut w = CoreWriter::begin(&mut file).unwrap();
    w.add(range(BASE, 8 * PAGE), Access::Read, &memory, Bounds::NONE).unwrap();
    drop(w);
    assert!(file.metadata().unwrap().len() > 8 * PAGE);
    assert!(!CoreFile::is_core(&file));
}

/// gdb opens it: threads where they stood, words at known addresses, whole pages and packed pieces alike, and
/// nothing where nothing is.
#[test]
fn gdb_opens_it() {
    if Command::new("gdb").arg("--version").output().is_err() {
        return eprintln!("SKIPPED: gdb cannot be had here");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("memory.core");
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let threads =
        [(4712, 0x40_1000), (4711, 0x40_2000)].map(|(tid, pc)| ThreadRegisters::at(tid, Addr(BASE), Addr(pc)));
    let process = CoreProcess { pid: 4711, name: "service", threads: &threads, ..NOBODY };
    let mut small = Snapshot::default();
    small.insert(Addr(0x7f00_0000_0123), &0x1122_3344_5566_7788u64.to_le_bytes());
    small.seal();
    let pages = Pages(vec![Page::Data(9), Page::Zeros, Page::Absent, Page::Data(5)]);
    let mut w = CoreWriter::begin(file).unwrap();
    w.add(range(0x7f00_0000_0123, 8), Access::ReadWrite, &small, Bounds::NONE).unwrap();
    w.add(range(BASE, 4 * PAGE), Access::ReadWrite, &pages, Bounds::NONE).unwrap();
    w.finish(&process, &[(1, b"{}")]).unwrap();
    let ask = |expression: &str| {
        let mut gdb = Command::new("gdb");
        gdb.args(["-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex"])
            .arg(format!("core-file {}", path.display()));
        let out = gdb.args(["-ex", expression]).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
    };
    let said = ask("info threads");
    assert!(said.contains("LWP 4711") && said.contains("LWP 4712") && said.contains("0x0000000000402000"), "{said}");
    let said = ask(&format!("x/8gx {BASE:#x}"));
    let word = pages.u64(Addr(BASE)).unwrap();
    assert!(said.contains(&format!("{word:#018x}")), "{word:#x}: {said}");
    let said = ask("x/1gx 0x7f0000000123");
    assert!(said.contains("0x1122334455667788"), "{said}");
    let said = ask(&format!("x/1gx {:#x}", BASE + PAGE));
    assert!(said.contains("0x0000000000000000"), "{said}");
    let said = ask(&format!("x/1gx {:#x}", BASE + 2 * PAGE));
    assert!(said.contains("Cannot access memory"), "{said}");
}
