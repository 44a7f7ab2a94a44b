//! Numbers for people. 1 GB is 10^9 bytes, as memory limits and pprof's users count; limits that are round in
//! GiB say so elsewhere.

/// `1.23 GB`, `45.6 MB`, `789 B`.
#[must_use]
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    for (unit, size) in [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
        if n >= size {
            let v = n / size;
            let digits = if v < 10.0 {
                2
            } else if v < 100.0 {
                1
            } else {
                0
            };
            return format!("{v:.digits$} {unit}");
        }
    }
    format!("{n} B")
}

/// `87 %`, `0.4 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let p = share * 100.0;
    if p > 0.0 && p < 9.95 { format!("{p:.1} %") } else { format!("{p:.0} %") }
}

/// `12,345`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 goroutine`, `2,640 goroutines`.
#[must_use]
pub fn plural(n: u64, word: &str) -> String {
    format!("{} {word}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `3.6 s`, `42 s`, `5.2 min`, `3.1 h`.
#[must_use]
pub fn seconds(s: f64) -> String {
    match s {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// The last two elements of a path.
pub fn short(file: &str) -> &str {
    let cut = file.rmatch_indices('/').nth(1).map_or(0, |(i, _)| i + 1);
    file.get(cut..).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    #[test]
    fn for_people() {
        assert_eq!(super::bytes(1_234_000_000), "1.23 GB");
        assert_eq!(super::bytes(45_600_000), "45.6 MB");
        assert_eq!(super::bytes(789), "789 B");
        assert_eq!(super::count(1_234_567), "1,234,567");
        assert_eq!(super::percent(0.873), "87 %");
        assert_eq!(super::percent(0.004), "0.4 %");
        assert_eq!(super::seconds(3.61), "3.6 s");
    }
}
