//! Programs that gccgo has built: Go, with another compiler, another runtime and none of the tables that are
//! read here.

use lastgasp_inferior::ElfImage;

/// Longest table of dynamic names that is searched.
const MAX_NAMES: u64 = 256 << 10;

/// Whether an image says so: by the section with its exported types, which `strip` removes; or by the library
/// that gccgo's runtime stands in. One that has it linked in (`-static-libgo`) and is stripped is not known.
/// (Seen with gccgo 12; test `who_cannot_be_read_is_listed_as_refused`.)
pub(crate) fn is_gccgo(image: &ElfImage) -> bool {
    let names = || {
        let section = image.section(".dynstr").filter(|s| s.range.len() <= MAX_NAMES)?;
        image.section_bytes(section).ok()
    };
    image.section(".go_export").is_some() || names().is_some_and(|b| b.windows(9).any(|w| w == b"libgo.so."))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;

    /// This test's own executable is none; with the name of that library among its names it is one.
    #[test]
    fn known_by_its_library() {
        let own = || File::open("/proc/self/exe").unwrap();
        let image = ElfImage::open(own(), "this").unwrap();
        assert!(!is_gccgo(&image));
        let mut bytes = std::fs::read("/proc/self/exe").unwrap();
        let at = image.section(".dynstr").unwrap().file_offset.unwrap() as usize;
        bytes[at + 1..at + 10].copy_from_slice(b"libgo.so.");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let image = ElfImage::open(file, "changed").unwrap();
        assert!(is_gccgo(&image));
        let said = crate::Runtime::build_info(&image).unwrap_err().to_string();
        assert!(said.starts_with("changed was built with gccgo"), "{said}");
    }
}
