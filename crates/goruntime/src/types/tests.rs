//! Types that lie.

use std::collections::BTreeMap;

use lastgasp_inferior::{Addr, AddrRange, Arch, Memory, ReadCause, ReadError};
use proptest::prelude::*;

use super::{Kind, Shape, TypeReader, Word};
use crate::binary::buildinfo::BuildInfo;
use crate::binary::locate::Globals;
use crate::binary::moduledata::ModuleData;
use crate::layout;
use crate::runtime::Runtime;
use crate::version::GoVersion;

/// Where the section of types stands.
pub(super) const TYPES: u64 = 0x50_0000;
pub(super) const LEN: usize = 0x4000;

/// Memory that has the section alone.
pub(super) struct Section(pub(super) Vec<u8>);

impl Memory for Section {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
        let from = addr.0.checked_sub(TYPES).ok_or(error)? as usize;
        buf.copy_from_slice(self.0.get(from..from.saturating_add(buf.len())).ok_or(error)?);
        Ok(())
    }
}

impl Section {
    fn put(&mut self, at: u64, bytes: &[u8]) {
        let from = (at - TYPES) as usize;
        self.0[from..from + bytes.len()].copy_from_slice(bytes);
    }

    fn words(&mut self, at: u64, words: &BTreeMap<u64, u64>) {
        for (offset, word) in words {
            self.put(at + offset, &word.to_le_bytes());
        }
    }

    /// A name, and its offset in the section.
    pub(super) fn name(&mut self, at: u64, name: &str) -> u64 {
        self.put(at, &[1, u8::try_from(name.len()).unwrap()]);
        self.put(at + 2, name.as_bytes());
        at - TYPES
    }

    /// The common part: size, bytes with pointers, kind, name, and what stands behind it.
    pub(super) fn describe(&mut self, at: u64, (size, pointers): (u64, u64), kind: u8, name: u64, more: &[(u64, u64)]) {
        let flags = u64::from(kind) << 56 | 8 << 48 | 8 << 40;
        let common = [(0, size), (8, pointers), (16, flags), (40, name)];
        self.words(at, &common.iter().chain(more).copied().collect());
    }
}

pub(super) fn runtime(minor: u16) -> Runtime {
    let none = (Addr(0), 0);
    let module = ModuleData {
        at: Addr(0),
        types: AddrRange::sized(Addr(TYPES), LEN as u64),
        pc_header: Addr(0),
        funcnametab: none,
        cutab: none,
        filetab: none,
        pctab: none,
        pclntable: none,
        ftab: none,
        pcs: AddrRange::default(),
        text: Addr(0),
        gofunc: Addr(0),
        variables: AddrRange::default(),
    };
    let layout = layout::for_minor(minor).unwrap();
    let version = GoVersion { minor, text: format!("go1.{minor}.0") };
    let build_info = BuildInfo::default();
    Runtime { arch: Arch::Amd64, version, build_info, layout, module, globals: Globals::default() }
}

const STRUCT: u8 = 25;
const POINTER: u8 = 22;
const STRING: u8 = 24;

#[test]
fn a_list_node_is_what_it_is() {
    let mut mem = Section(vec![0; LEN]);
    let (node, pointer, string, fields) = (TYPES + 0x100, TYPES + 0x200, TYPES + 0x300, TYPES + 0x400);
    let names = ["main.node", "*main.node", "string", "next", "label"];
    let names: Vec<u64> = names.iter().zip((TYPES + 0x800..).step_by(32)).map(|(n, at)| mem.name(at, n)).collect();
    mem.describe(node, (24, 16), STRUCT, names[0], &[(56, fields), (64, 2), (72, 2)]);
    mem.describe(pointer, (8, 8), POINTER, names[1], &[(48, node)]);
    mem.describe(string, (16, 8), STRING, names[2], &[]);
    let field = [TYPES + names[3], pointer, 0, TYPES + names[4], string, 8];
    mem.words(fields, &(0..).step_by(8).zip(field).collect());
    let rt = runtime(26);
    let mut types = TypeReader::new(&rt, &mem);
    let found = types.get(Addr(node)).unwrap();
    assert_eq!((&*found.name, found.size, found.kind), ("main.node", 24, Kind::Struct));
    assert_eq!(found.field("label").map(|f| f.offset), Some(8));
    assert_eq!(types.words(Addr(node)), Some(vec![(0, Word::Pointer(Addr(node))), (8, Word::String)]));
    assert_eq!(types.word_at(Addr(node), 24 + 8), Some(Word::String), "the next of an array");
    assert_eq!(types.word_at(Addr(node), 16), None);
    assert_eq!(types.named("main.node"), Some(Addr(node)));
    assert_eq!(types.named("main.nod"), None);
    assert_eq!(types.get(Addr(node + 8)), None);
}

#[test]
fn a_type_that_is_made_of_itself_ends() {
    let mut mem = Section(vec![0; LEN]);
    let (at, fields) = (TYPES + 0x100, TYPES + 0x400);
    let name = mem.name(TYPES + 0x800, "main.snake");
    mem.describe(at, (8, 8), STRUCT, name, &[(56, fields), (64, 1), (72, 1)]);
    mem.words(fields, &[(0, TYPES + 0x800), (8, at), (16, 0)].into());
    let rt = runtime(24);
    let mut types = TypeReader::new(&rt, &mem);
    assert!(matches!(types.get(Addr(at)).unwrap().shape, Shape::Struct { .. }));
    assert_eq!((types.words(Addr(at)), types.word_at(Addr(at), 0)), (None, None));
}

#[test]
fn fields_stand_one_behind_the_other_and_within() {
    let mut mem = Section(vec![0; LEN]);
    let (at, string, fields) = (TYPES + 0x100, TYPES + 0x300, TYPES + 0x400);
    let name = mem.name(TYPES + 0x800, "main.liar");
    mem.describe(string, (16, 8), STRING, name, &[]);
    mem.words(fields, &[(0, TYPES + 0x800), (8, string), (16, 16)].into());
    for (size, believed) in [(24, false), (32, true)] {
        mem.describe(at, (size, 24), STRUCT, name, &[(56, fields), (64, 1), (72, 1)]);
        let rt = runtime(22);
        assert_eq!(TypeReader::new(&rt, &mem).get(Addr(at)).is_some(), believed, "{size}");
    }
    // Kinds have sizes of their own.
    mem.describe(string, (24, 8), STRING, name, &[]);
    let rt = runtime(22);
    assert_eq!(TypeReader::new(&rt, &mem).get(Addr(string)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Words that look like addresses of the section, kinds and sizes that may be some.
    #[test]
    fn random_descriptors_end(
        minor in 19u16..=27,
        words in prop::collection::vec((0u64..0x4000 / 8, prop_oneof![
            (0u64..0x4000 / 8).prop_map(|n| TYPES + n * 8),
            0u64..64,
            any::<u64>(),
            (1u64..27).prop_map(|kind| kind << 56 | 8 << 48 | 8 << 40),
        ]), 0..2048),
    ) {
        let mut mem = Section(vec![0; LEN]);
        for (at, word) in words {
            mem.put(TYPES + at * 8, &word.to_le_bytes());
        }
        let rt = runtime(minor);
        let mut types = TypeReader::new(&rt, &mem);
        for at in (TYPES..TYPES + LEN as u64).step_by(8).map(Addr) {
            if let Some(found) = types.get(at) {
                prop_assert!(found.ptr_bytes <= found.size);
                for (offset, _) in types.words(at).unwrap_or_default() {
                    prop_assert!(offset < found.size);
                }
                types.word_at(at, 0);
            }
            types.of_itab(at);
        }
    }
}
