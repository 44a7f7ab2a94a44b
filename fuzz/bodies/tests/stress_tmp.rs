//! tmp
#[test]
fn stress() {
    let mut x = 88172645463325252u64;
    let mut next = || { x ^= x << 13; x ^= x >> 7; x ^= x << 17; x };
    let t = std::time::Instant::now();
    let mut n = 0;
    while t.elapsed().as_secs() < 60 {
        let mut v = vec![(next() % 2) as u8 | if next() % 3 == 0 { 2 } else { 4 }];
        for _ in 0..next() % 5 + 1 {
            v.extend((next() as u16).to_le_bytes());
            let w = match next() % 6 { 0 => 0, 1 => 1, 2 => next() >> (next() % 64), 3 => u64::MAX, 4 => 0x400000 + next() % 0x300000, _ => 0xc000000000 + next() % 0x1000000 };
            v.extend(w.to_le_bytes());
        }
        lastgasp_fuzz_bodies::raw(&v);
        n += 1;
    }
    println!("{n}");
}
