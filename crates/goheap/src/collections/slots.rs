//! How large the object in a slot is at least: more than a smaller slot would have held.

/// Bytes of the next smaller slot that there is, from `runtime/sizeclasses.go` (the same in Go 1.19 to
/// 1.27): an object in a slot has more.
pub(crate) fn smaller_slot(slot: u64) -> u64 {
    const CLASSES: [u64; 67] = [
        8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448,
        480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456,
        4096, 4864, 5120, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384,
        18432, 19072, 20480, 21760, 24576, 27264, 28672,
    ];
    /// The largest slot of a span with several.
    const LARGEST: u64 = 32768;
    /// Bytes of a page, of which a large object has whole ones.
    const PAGE: u64 = 8192;
    // A header of eight bytes moves an object up a class: that much less is certain.
    const MALLOC_HEADER: u64 = 8;
    let smaller = if slot > LARGEST {
        slot.saturating_sub(PAGE).max(LARGEST)
    } else {
        CLASSES.iter().copied().filter(|c| *c < slot).max().unwrap_or(0)
    };
    if slot > 512 { smaller.saturating_sub(MALLOC_HEADER) } else { smaller }
}
