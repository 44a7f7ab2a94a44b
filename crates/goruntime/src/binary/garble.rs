//! Recognises what garble leaves of a Go binary: it scrambles pclntab's magic (and function entries with it),
//! empties the build information and names the version "unknown". Source: garble's linker patches and
//! `-X=runtime.buildVersion=unknown`; seen with garble 0.18 and Go 1.27.

use lastgasp_inferior::{AddrRange, ElfImage, Memory as _};

use crate::arch;
use crate::binary::buildinfo::BuildInfo;
use crate::binary::moduledata;

/// What garble writes instead of the version.
const VERSION: &str = "unknown";

/// The signs of a garbled Go binary, in words; `None` for any other. A new Go with a magic of its own still
/// says its version, and is none.
pub(crate) fn signs(image: &ElfImage, info: Option<&BuildInfo>) -> Option<String> {
    let mut signs = Vec::new();
    if let Some(magic) = scrambled_magic(image) {
        signs.push(format!("the magic of its pclntab is {magic:#010x}, which is none of Go's"));
    }
    match info {
        Some(i) if i.go_version == VERSION && i.path.is_empty() && i.settings.is_empty() => {
            signs.push("its Go version is \"unknown\" and its build information empty".into());
        }
        None if !signs.is_empty() => signs.push("it has no build information".into()),
        _ => {}
    }
    (!signs.is_empty()).then(|| signs.join("; "))
}

/// The magic of a pclntab that has its section and looks like one but for the magic.
fn scrambled_magic(image: &ElfImage) -> Option<u32> {
    let section = moduledata::pclntab_section(image)?;
    let start = section.range.start;
    let head = image.memory(0, &[AddrRange::sized(start, 8)]).ok()?.bytes(start, 8, 8).ok()?;
    // Behind the magic: two zero bytes, the instruction quantum, the size of a pointer.
    let (magic, rest) = head.split_at_checked(4)?;
    (rest == [0, 0, arch::of(image.arch()).pc_quantum, 8] && !moduledata::is_header(&head))
        .then_some(u32::from_le_bytes(magic.try_into().ok()?))
}
