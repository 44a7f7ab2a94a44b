//! Types of package variables from debug information, where a binary has some: they stand nowhere else.
//! Source: the DWARF standard; `cmd/link/internal/ld/dwarf.go` and `cmd/internal/dwarf` for Go's own
//! attributes, with which an entry names the descriptor of the type that it describes.
//!
//! Where the linker kept no descriptor of a variable's type (`var config struct {...}` that never meets an
//! interface), the entry's members are gone into until one is found.

use std::io::Read as _;

use gimli::{AttributeValue, DebuggingInformationEntry, DwAt, EndianSlice, LittleEndian, Unit, UnitOffset};
use lastgasp_inferior::{Addr, ElfImage};

use super::kind::Kind;
use super::reader::TypeReader;
use super::words::Word;

/// `DW_AT_go_kind`, `DW_AT_go_elem`, `DW_AT_go_runtime_type`.
const GO_KIND: DwAt = DwAt(0x2900);
const GO_ELEM: DwAt = DwAt(0x2902);
const GO_RUNTIME_TYPE: DwAt = DwAt(0x2904);

/// Largest section that is read, unpacked; those of Kubernetes' own programs have some 60 MB.
const MAX_SECTION: u64 = 512 << 20;
/// Variables that are told of.
const MAX_VARIABLES: usize = 1 << 18;
/// Pointers of one variable, and entries that are gone through for them.
const MAX_WORDS: usize = 1 << 14;
const MAX_STEPS: usize = 1 << 15;
/// Elements of an array that are gone into one by one.
const MAX_ELEMENTS: u64 = 1 << 12;
/// Names of names of a type.
const MAX_ALIASES: usize = 16;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// A package variable, and what its words are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedVariable {
    /// Its name, as the linker has it: `main.cache`.
    pub name: String,
    /// Where it stands in the process.
    pub at: Addr,
    /// Where its type's descriptor stands, if it has one.
    pub type_at: Option<Addr>,
    /// Its words that hold pointers, by bytes from its start.
    pub words: Vec<(u64, Word)>,
}

/// The package variables of a binary, by address; none where it has no debug information, and only those of
/// which a word is known to hold a pointer. `bias` is what the process's addresses are off from the file's.
#[must_use]
pub fn typed_variables(image: &ElfImage, bias: u64, types: &mut TypeReader<'_>) -> Vec<TypedVariable> {
    let section = |id: gimli::SectionId| section(image, id.name()).unwrap_or_default();
    let Ok(sections) = gimli::DwarfSections::load(|id| Ok::<_, gimli::Error>(section(id))) else { return Vec::new() };
    let dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
    let mut walk = Walk { dwarf: &dwarf, bias, types };
    let mut found = walk.variables().unwrap_or_default();
    found.sort_by_key(|v| v.at);
    found.dedup_by_key(|v| v.at);
    found
}

/// A section's bytes, unpacked.
fn section(image: &ElfImage, name: &str) -> Option<Vec<u8>> {
    let found = image.section(name)?;
    let most = usize::try_from(MAX_SECTION).ok()?;
    let bytes = image.section_head(found, most).ok()?;
    // `Elf64_Chdr` (ELFCOMPRESS_ZLIB), then a stream that says so too.
    let packed = bytes.get(..8) == Some(&[1, 0, 0, 0, 0, 0, 0, 0]) && bytes.get(24) == Some(&0x78);
    if !packed {
        return Some(bytes);
    }
    let mut unpacked = Vec::new();
    flate2::read::ZlibDecoder::new(bytes.get(24..)?).take(MAX_SECTION).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

struct Walk<'a, 'd, 't> {
    dwarf: &'d gimli::Dwarf<Slice<'a>>,
    bias: u64,
    types: &'d mut TypeReader<'t>,
}

/// An entry, and the unit that it is in.
struct Place<'a> {
    unit: std::rc::Rc<Unit<Slice<'a>>>,
    entry: Entry<'a>,
}

impl<'a> Walk<'a, '_, '_> {
    fn variables(&mut self) -> gimli::Result<Vec<TypedVariable>> {
        let mut found = Vec::new();
        let variables = self.types.runtime().module.variables;
        let mut headers = self.dwarf.units();
        let mut units = Vec::new();
        while let Some(header) = headers.next()? {
            units.push(std::rc::Rc::new(self.dwarf.unit(header)?));
        }
        for unit in &units {
            let mut entries = unit.entries();
            while let Some(entry) = entries.next_dfs()? {
                if entry.depth() != 1 || entry.tag() != gimli::DW_TAG_variable {
                    continue;
                }
                let Some(at) = self.address(unit, entry) else { continue };
                if !variables.contains(at) || found.len() >= MAX_VARIABLES {
                    continue;
                }
                let entry = entry.clone();
                let name = self.text(unit, &entry).unwrap_or_default();
                let place = Place { unit: std::rc::Rc::clone(unit), entry };
                let Some(of) = self.referred(&units, &place, gimli::DW_AT_type) else { continue };
                let type_at = self.descriptor(&of);
                let words = self.words(&units, of).unwrap_or_default();
                if !words.is_empty() {
                    found.push(TypedVariable { name, at, type_at, words });
                }
            }
        }
        Ok(found)
    }

    fn text(&self, unit: &Unit<Slice<'a>>, entry: &Entry<'a>) -> Option<String> {
        let value = entry.attr_value(gimli::DW_AT_name)?;
        Some(self.dwarf.attr_string(unit, value).ok()?.to_string_lossy().into_owned())
    }

    /// Where a variable stands.
    fn address(&self, unit: &Unit<Slice<'a>>, entry: &Entry<'a>) -> Option<Addr> {
        let AttributeValue::Exprloc(expression) = entry.attr_value(gimli::DW_AT_location)? else { return None };
        let mut operations = expression.operations(unit.encoding());
        let stated = match operations.next().ok()?? {
            gimli::Operation::Address { address } => address,
            gimli::Operation::AddressIndex { index } => self.dwarf.address(unit, index).ok()?,
            _ => return None,
        };
        Some(Addr(stated.wrapping_add(self.bias)))
    }

    /// The entry that an attribute refers to; types stand in units of their own.
    fn referred(&self, units: &[std::rc::Rc<Unit<Slice<'a>>>], from: &Place<'a>, name: DwAt) -> Option<Place<'a>> {
        let (unit, offset): (_, UnitOffset) = match from.entry.attr_value(name)? {
            AttributeValue::UnitRef(offset) => (&from.unit, offset),
            AttributeValue::DebugInfoRef(offset) => {
                let behind = units.partition_point(|u| u.header.offset().0 <= offset.0);
                let unit = units.get(behind.checked_sub(1)?)?;
                (unit, offset.to_unit_offset(&unit.header)?)
            }
            _ => return None,
        };
        let entry = unit.entry(offset).ok()?;
        Some(Place { unit: std::rc::Rc::clone(unit), entry })
    }

    /// Where the descriptor stands of the type that an entry describes: an address, or an offset from where
    /// the module's types begin.
    fn descriptor(&mut self, of: &Place<'a>) -> Option<Addr> {
        let stated = match of.entry.attr_value(GO_RUNTIME_TYPE)? {
            AttributeValue::Addr(at) => at,
            AttributeValue::DebugAddrIndex(index) => self.dwarf.address(&of.unit, index).ok()?,
            value => value.udata_value()?,
        };
        if stated == 0 {
            return None;
        }
        let size = of.entry.attr_value(gimli::DW_AT_byte_size).and_then(|v| v.udata_value());
        let name = self.text(&of.unit, &of.entry)?;
        let types = self.types.runtime().module.types;
        let places = [Addr(stated.wrapping_add(self.bias)), types.start.plus(stated)];
        places.into_iter().filter(|at| types.contains(*at)).find(|at| {
            let Some(of) = self.types.get(*at) else { return false };
            // Here a package has its whole path, there its name alone.
            let last = |name: &str| name.rsplit(['/', '.']).next().unwrap_or_default().to_owned();
            size.is_none_or(|size| size == of.size) && (name.contains('[') || last(&name) == last(&of.name))
        })
    }

    fn kind(entry: &Entry<'a>) -> Option<Kind> {
        let number = entry.attr_value(GO_KIND)?.udata_value()?;
        Kind::of(u8::try_from(number).ok()? & 0x1f)
    }

    /// The pointers of a value of the type that an entry describes.
    fn words(&mut self, units: &[std::rc::Rc<Unit<Slice<'a>>>], of: Place<'a>) -> Option<Vec<(u64, Word)>> {
        let mut words = Vec::new();
        let mut todo = vec![(of, 0u64)];
        let mut steps = 0;
        while let Some((mut of, base)) = todo.pop() {
            for _ in 0..MAX_ALIASES {
                steps += 1;
                if steps > MAX_STEPS || words.len() > MAX_WORDS {
                    return None;
                }
                if let Some(listed) = self.descriptor(&of).and_then(|at| self.types.words(at)) {
                    words.extend(listed.into_iter().map(|(at, word)| (base.saturating_add(at), word)));
                    break;
                }
                let elem = |walk: &mut Self, name: DwAt| {
                    let elem = walk.referred(units, &of, name)?;
                    walk.descriptor(&elem)
                };
                // What all interfaces are underneath.
                let name = self.text(&of.unit, &of.entry).unwrap_or_default();
                if let Some(table) = [("runtime.eface", false), ("runtime.iface", true)].iter().find(|i| i.0 == name) {
                    words.push((base.saturating_add(8), Word::Interface { table: table.1 }));
                    break;
                }
                let is_struct = of.entry.tag() == gimli::DW_TAG_structure_type;
                if is_struct && name.starts_with("sync/atomic.Pointer[") {
                    words.extend(self.atomic_pointer(units, &of).map(|elem| (base, Word::Pointer(elem))));
                    break;
                }
                match (Self::kind(&of.entry), of.entry.tag()) {
                    (Some(Kind::String), _) => words.push((base, Word::String)),
                    (Some(Kind::Func), _) => words.push((base, Word::Func)),
                    (Some(Kind::UnsafePointer), _) => words.push((base, Word::Unsafe)),
                    (Some(Kind::Slice), _) => {
                        words.extend(elem(self, GO_ELEM).map(|elem| (base, Word::Slice(elem))));
                    }
                    (Some(Kind::Pointer), gimli::DW_TAG_pointer_type) => {
                        words.extend(elem(self, gimli::DW_AT_type).map(|elem| (base, Word::Pointer(elem))));
                    }
                    (Some(Kind::Struct), gimli::DW_TAG_structure_type) => self.members(units, &of, base, &mut todo)?,
                    (Some(Kind::Array), gimli::DW_TAG_array_type) => self.elements(units, &of, base, &mut todo),
                    // Interfaces, and names of other types.
                    (_, gimli::DW_TAG_typedef) => {
                        if let Some(next) = self.referred(units, &of, gimli::DW_AT_type) {
                            of = next;
                            continue;
                        }
                    }
                    // Maps and channels without a descriptor, numbers.
                    _ => {}
                }
                break;
            }
        }
        words.sort_unstable_by_key(|(at, _)| *at);
        Some(words)
    }

    /// What a `sync/atomic.Pointer[T]` points to: its `_ [0]*T` says it, and the pointer is all it has.
    fn atomic_pointer(&mut self, units: &[std::rc::Rc<Unit<Slice<'a>>>], of: &Place<'a>) -> Option<Addr> {
        let mut members = Vec::new();
        self.members(units, of, 0, &mut members)?;
        let array = members.into_iter().map(|m| m.0).find(|m| m.entry.tag() == gimli::DW_TAG_array_type)?;
        let pointer = self.referred(units, &array, gimli::DW_AT_type)?;
        let elem = self.referred(units, &pointer, gimli::DW_AT_type)?;
        self.descriptor(&elem)
    }

    fn members(
        &self,
        units: &[std::rc::Rc<Unit<Slice<'a>>>],
        of: &Place<'a>,
        base: u64,
        todo: &mut Vec<(Place<'a>, u64)>,
    ) -> Option<()> {
        let mut tree = of.unit.entries_tree(Some(of.entry.offset())).ok()?;
        let mut children = tree.root().ok()?.children();
        while let Some(child) = children.next().ok()? {
            let entry = child.entry();
            if entry.tag() != gimli::DW_TAG_member {
                continue;
            }
            let offset = entry.attr_value(gimli::DW_AT_data_member_location).and_then(|v| v.udata_value())?;
            let member = Place { unit: std::rc::Rc::clone(&of.unit), entry: entry.clone() };
            if let Some(of) = self.referred(units, &member, gimli::DW_AT_type) {
                todo.push((of, base.checked_add(offset)?));
            }
            if todo.len() > MAX_STEPS {
                return None;
            }
        }
        Some(())
    }

    fn elements(
        &self,
        units: &[std::rc::Rc<Unit<Slice<'a>>>],
        of: &Place<'a>,
        base: u64,
        todo: &mut Vec<(Place<'a>, u64)>,
    ) {
        let size = |place: &Place<'a>| place.entry.attr_value(gimli::DW_AT_byte_size).and_then(|v| v.udata_value());
        let Some(elem) = self.referred(units, of, gimli::DW_AT_type) else { return };
        let (Some(all), Some(one)) = (size(of), size(&elem).filter(|one| *one > 0)) else { return };
        let count = all / one;
        if count > MAX_ELEMENTS || todo.len() > MAX_STEPS {
            return;
        }
        for i in 0..count {
            if let Some(elem) = self.referred(units, of, gimli::DW_AT_type) {
                todo.push((elem, base.saturating_add(i.saturating_mul(one))));
            }
        }
    }
}
