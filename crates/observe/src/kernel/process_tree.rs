//! The tree of processes: parents and children.

/// A process and all below it, by the kernel's `children` files.
#[must_use]
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(p) = all.get(next).copied() {
        next += 1;
        for tid in lastgasp_inferior::thread_ids(p) {
            let text = std::fs::read_to_string(format!("/proc/{p}/task/{tid}/children")).unwrap_or_default();
            all.extend(text.split_whitespace().filter_map(|c| c.parse::<i32>().ok()));
        }
        if all.len() > 4096 {
            break;
        }
    }
    all
}
